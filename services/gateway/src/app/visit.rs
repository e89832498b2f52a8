//! One request on its way through: who sent it, how it is answered, and what is told of it afterwards.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::OnceLock;
use std::time::Instant;

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Method as Verb, Request, Response, StatusCode, header};
use taskman_identity::Client;
use taskman_telemetry::{metric, propagation};
use tracing::{Span, field};

use crate::edge::accept::Peer;
use crate::edge::proxies::Proxies;
use crate::edge::{head, secure};
use crate::error::Error;
use crate::layers::rate_limit::{self, Standing};
use crate::transcode::problem::{self, Asked, Context};

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// HTTP and JSON.
    Rest,
    /// gRPC.
    Grpc,
    /// gRPC-Web, binary or text.
    GrpcWeb,
}

impl Protocol {
    fn of(headers: &HeaderMap) -> Self {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.strip_prefix("application/grpc") {
            Some(rest) if rest.starts_with("-web") => Self::GrpcWeb,
            Some(rest) if rest.is_empty() || rest.starts_with('+') => Self::Grpc,
            _ => Self::Rest,
        }
    }
}

/// What is counted for a request whose client left before the answer.
const CLIENT_LEFT: u16 = 499;

/// One request on its way through. Its end is recorded when it is dropped.
#[derive(Debug)]
pub(super) struct Visit {
    /// Where it came from.
    pub(super) client: Client,
    /// The address of the client.
    pub(super) address: IpAddr,
    /// What the client speaks.
    pub(super) protocol: Protocol,
    // The template of the route, or the path of the gRPC method; from our own tables, so that it is fit for metrics.
    endpoint: OnceLock<String>,
    verb: Verb,
    secure: bool,
    asked: Asked,
    standing: OnceLock<Standing>,
    started: Instant,
    status: u16,
}

impl Visit {
    /// Looks at a request as it comes in.
    pub(super) fn new(proxies: &Proxies, request: &Request<Body>) -> Self {
        let headers = request.headers();
        // Without an accept loop of ours, as in a test of the router alone, everybody is at home.
        let peer = request.extensions().get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0.ip());
        let address = proxies.client(peer, headers);
        let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Self {
            client: Client::new(Some(address), user_agent, head::request_id(headers)),
            address,
            protocol: Protocol::of(headers),
            endpoint: OnceLock::new(),
            verb: request.method().clone(),
            secure: proxies.is_secure(peer, headers),
            asked: Asked::of(headers),
            standing: OnceLock::new(),
            started: Instant::now(),
            status: CLIENT_LEFT,
        }
    }

    /// Opens the span of the request, a child of the client's where it sent one.
    pub(super) fn span(&self, request: &Request<Body>) -> Span {
        let span = tracing::info_span!(
            "request",
            service = "gateway",
            otel.name = field::Empty,
            otel.kind = "server",
            http.request.method = %self.verb,
            http.route = field::Empty,
            http.response.status_code = field::Empty,
            request_id = %self.client.request_id,
            user_id = field::Empty,
            company_id = field::Empty,
        );
        propagation::set_parent_from(&span, request.headers());
        span
    }

    /// Notes which route or method it is.
    pub(super) fn at(&self, endpoint: &str) {
        self.endpoint.get_or_init(|| endpoint.to_owned());
        Span::current().record("http.route", endpoint).record("otel.name", format!("{} {endpoint}", self.verb));
    }

    /// Notes where the client stands with its limit.
    pub(super) fn note(&self, standing: Option<Standing>) -> Option<&Standing> {
        standing.map(|standing| self.standing.get_or_init(|| standing))
    }

    fn endpoint(&self) -> &str {
        self.endpoint.get().map_or("other", String::as_str)
    }

    /// Renders an error in the client's protocol.
    pub(super) fn refuse(&self, error: &Error) -> Response<Body> {
        let status = error.status();
        if error.http_status().is_some_and(|status| status == StatusCode::BAD_GATEWAY) {
            tracing::error!(%error, endpoint = self.endpoint(), "a service answered what cannot be passed on");
        }
        if self.protocol != Protocol::Rest {
            return status.into_http::<tonic::body::Body>().map(Body::new);
        }
        let request_id = self.client.request_id.to_string();
        let trace_id = propagation::trace_id();
        let rendered = problem::render(
            &status,
            &Context {
                request_id: &request_id,
                trace_id: trace_id.as_deref(),
                asked: self.asked,
                http_status: error.http_status(),
            },
        );
        let body = if self.verb == Verb::HEAD { Body::empty() } else { Body::from(rendered.body) };
        let mut response = Response::new(body);
        *response.status_mut() = rendered.status;
        *response.headers_mut() = rendered.headers;
        if let Error::MethodNotAllowed { allow } = error
            && let Ok(allow) = HeaderValue::from_str(allow)
        {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        response
    }

    /// Adds the headers that every answer has, and ends the visit with its status.
    pub(super) fn finish(mut self, mut response: Response<Body>) -> Response<Body> {
        self.status = response.status().as_u16();
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&self.client.request_id.to_string()) {
            headers.insert(head::REQUEST_ID, id);
        }
        if let Some(standing) = self.standing.get() {
            rate_limit::tell(standing, headers);
        }
        if self.protocol == Protocol::Rest {
            headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-store"));
            secure::add(headers, self.secure);
        }
        response
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        Span::current().record("http.response.status_code", self.status);
        metric::http_request(verb_name(&self.verb), self.endpoint(), self.status, self.started.elapsed());
        let duration_ms = self.started.elapsed().as_millis();
        tracing::debug!(duration_ms, http.status = self.status, "request ended");
    }
}

/// The HTTP method as a metric shows it: of the known ones, so that nobody can make up labels.
fn verb_name(verb: &Verb) -> &'static str {
    match verb.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_tells_the_protocol() {
        let cases = [
            ("application/grpc", Protocol::Grpc),
            ("application/grpc+proto", Protocol::Grpc),
            ("Application/GRPC;charset=x", Protocol::Grpc),
            ("application/grpc-web", Protocol::GrpcWeb),
            ("application/grpc-web-text+proto", Protocol::GrpcWeb),
            ("application/grpcx", Protocol::Rest),
            ("application/json", Protocol::Rest),
            ("", Protocol::Rest),
        ];
        for (kind, wanted) in cases {
            let headers = [(header::CONTENT_TYPE, kind.parse().unwrap())].into_iter().collect();
            assert_eq!(Protocol::of(&headers), wanted, "{kind}");
        }
    }

    #[test]
    fn a_request_is_counted_once_whether_its_client_stays_or_leaves() {
        let telemetry = taskman_telemetry::install_for_tests();
        let visit = |endpoint: &str| {
            let visit = Visit::new(&Proxies::default(), &Request::new(Body::empty()));
            visit.at(endpoint);
            visit
        };
        drop(visit("/left"));
        drop(visit("/stayed").finish(Response::new(Body::empty())));
        let text = telemetry.render_metrics();
        let counted = |endpoint: &str| {
            let label = format!("endpoint=\"{endpoint}\"");
            let lines = text.lines().filter(|line| line.starts_with("http_requests_total") && line.contains(&label));
            lines.collect::<Vec<_>>()
        };
        assert!(matches!(counted("/left")[..], [line] if line.contains("status=\"499\"") && line.ends_with(" 1")));
        assert!(matches!(counted("/stayed")[..], [line] if line.contains("status=\"200\"") && line.ends_with(" 1")));
    }
}
