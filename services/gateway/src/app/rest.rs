//! REST: route, bind, admit, call, render.

use axum::body::Body;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method as Verb, Request, Response, StatusCode, header};
use prost::Message as _;
use taskman_resilience::Deadline;
use taskman_resilience::deadline;

use super::Gateway;
use super::visit::Visit;
use crate::edge::{body, head};
use crate::error::Error;
use crate::transcode::bind::{self, Payload, Unbound};
use crate::transcode::precondition;
use crate::transcode::render::{self, Reply};
use crate::transcode::route::{Binding, Captured, Found};
use crate::transcode::{json, path};

impl Gateway {
    /// Answers a REST request.
    pub(super) async fn rest(&self, request: Request<Body>, visit: &Visit) -> Result<Response<Body>, Error> {
        let (parts, body) = request.into_parts();
        self.check_head(&parts)?;
        let segments = path::split(parts.uri.path())?;
        let (binding, captured) = match self.0.routes.find(&parts.method, &segments) {
            Found::Route(binding, captured) => (binding, captured),
            Found::Nothing => return Err(Error::RouteNotFound),
            Found::OtherMethods(allowed) => {
                let allow = allowed.iter().map(Verb::as_str).collect::<Vec<_>>().join(", ");
                return Err(Error::MethodNotAllowed { allow });
            }
        };
        visit.at(&binding.pattern);
        if binding.method.is_streaming() {
            return Err(Error::StreamsOnly);
        }
        let longest = Deadline::after(self.longest(binding.method.limit()));
        let deadline = head::timeout(&parts.headers)?.map_or(longest, |asked| asked.min(longest));
        let work = deadline::enforce(self.transcode(binding, &captured, &parts, body, visit));
        match deadline::scope(deadline, work).await {
            Ok(outcome) => outcome,
            Err(_expired) => Err(Error::DeadlineExceeded),
        }
    }

    async fn transcode(
        &self,
        binding: &Binding,
        captured: &[Captured],
        parts: &Parts,
        body: Body,
        visit: &Visit,
    ) -> Result<Response<Body>, Error> {
        let method = &binding.method;
        let principal = self.identify(method, &parts.headers, visit).await?;
        let bytes = body::read(body, &parts.headers, &self.0.config.requests).await?;
        let payload = payload(binding, &parts.headers, bytes)?;
        let from = bind::Parts { captured, query: parts.uri.query(), headers: &parts.headers, payload: &payload };
        let message = bind::request(binding, &from, &self.0.dialect).map_err(|unbound| match unbound {
            Unbound::Invalid(violations) => Error::Invalid(violations),
            Unbound::NeverMatches => Error::PreconditionFailed,
        })?;
        let metadata = self.admit(method, &parts.headers, (&principal, &message), visit).await?;
        let response = self.0.upstreams.unary(method, message.encode_to_vec().into(), &metadata).await?;
        let shown = crate::upstream::answered(response.metadata());
        let reply = render::reply(binding, &self.0.dialect, response.into_inner())?;
        answer(binding, parts, reply, shown)
    }
}

/// Makes the HTTP response; a reader who has the version already, or wants another, gets no body.
fn answer(binding: &Binding, parts: &Parts, reply: Reply, shown: HeaderMap) -> Result<Response<Body>, Error> {
    let reads = parts.method == Verb::GET || parts.method == Verb::HEAD;
    let mut status = reply.status;
    if let Some(version) = reply.version.filter(|_| reads) {
        if precondition::if_match(&parts.headers).is_some_and(|wanted| !wanted.accepts(version)) {
            return Err(Error::PreconditionFailed);
        }
        if precondition::is_known(&parts.headers, version) {
            status = StatusCode::NOT_MODIFIED;
        }
    }
    let has_body = status != StatusCode::NOT_MODIFIED && parts.method != Verb::HEAD;
    let length = reply.body.len();
    let mut response = Response::new(if has_body { Body::from(reply.body) } else { Body::empty() });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.extend(shown);
    if let Some(version) = reply.version {
        headers.insert(header::ETAG, precondition::etag(version));
        // May be kept, and must be asked for: the tag answers that question.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
    if let Some(content_type) = reply.content_type.filter(|_| status != StatusCode::NOT_MODIFIED) {
        headers.insert(header::CONTENT_TYPE, content_type);
        if parts.method == Verb::HEAD {
            headers.insert(header::CONTENT_LENGTH, length.into());
        }
    }
    if let Some(location) = reply.location.filter(|_| binding.verb == Verb::POST) {
        headers.insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Understands a body by its type: JSON, or bytes where the method takes them as they are.
fn payload(binding: &Binding, headers: &HeaderMap, bytes: Bytes) -> Result<Payload, Error> {
    let encoding = headers.get(header::CONTENT_ENCODING).map_or("identity", |value| value.to_str().unwrap_or_default());
    if !encoding.eq_ignore_ascii_case("identity") {
        return Err(Error::UnsupportedMediaType("sent without a content encoding"));
    }
    let sent = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
    if bytes.is_empty() {
        return Ok(Payload::Empty);
    }
    if binding.takes_raw_body() {
        let content_type = sent.unwrap_or("application/octet-stream").to_owned();
        return Ok(Payload::Raw { content_type, data: bytes });
    }
    let is_json = sent.is_some_and(is_json);
    if !is_json {
        return Err(Error::UnsupportedMediaType("application/json"));
    }
    json::parse(&bytes).map(Payload::Json).map_err(|bad| Error::Malformed(bad.to_string()))
}

/// Takes JSON and its patch types; in UTF-8, as JSON is.
fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
    let charset =
        parts.filter_map(|parameter| parameter.split_once('=')).find(|(name, _)| name.eq_ignore_ascii_case("charset"));
    let utf8 = charset.is_none_or(|(_, value)| value.trim_matches('"').eq_ignore_ascii_case("utf-8"));
    utf8 && matches!(kind.as_str(), "application/json" | "application/merge-patch+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_told_by_its_type() {
        for fine in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/merge-patch+json",
            "application/json;charset=\"utf-8\"",
        ] {
            assert!(is_json(fine), "{fine}");
        }
        for other in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/json; charset=latin1",
            "",
            "application/jsonp",
        ] {
            assert!(!is_json(other), "{other}");
        }
    }
}
