//! Which browsers may call: those of the configured origins, each named exactly.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Makes the layer. Nothing is allowed to `*`, and credentials are never asked for: tokens come in a header.
pub fn layer(origins: &[String]) -> Result<CorsLayer, String> {
    let parse = |origin: &String| {
        let fine = origin.contains("://") && !origin.ends_with('/') && !origin.contains('*');
        let value = HeaderValue::from_str(origin).ok().filter(|_| fine);
        value.ok_or_else(|| format!("cors_origins: {origin} is not an origin such as https://app.example.com"))
    };
    let origins: Vec<HeaderValue> = origins.iter().map(parse).collect::<Result<_, _>>()?;
    Ok(CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(allowed())
        .expose_headers(exposed())
        .max_age(Duration::from_mins(10)))
}

fn allowed() -> Vec<HeaderName> {
    let mut names = vec![
        header::ACCEPT,
        header::ACCEPT_LANGUAGE,
        header::AUTHORIZATION,
        header::CONTENT_TYPE,
        header::IF_MATCH,
        header::IF_NONE_MATCH,
    ];
    // Nothing reads x-tenant-id; clients of the first version send it.
    names.extend(
        ["idempotency-key", "x-request-id", "x-request-timeout", "x-tenant-id", "traceparent", "tracestate"]
            .map(HeaderName::from_static),
    );
    names.extend(["grpc-timeout", "x-grpc-web", "x-user-agent"].map(HeaderName::from_static));
    names
}

fn exposed() -> Vec<HeaderName> {
    let mut names = vec![header::ETAG, header::LOCATION, header::RETRY_AFTER, header::WWW_AUTHENTICATE];
    names.extend(["idempotent-replayed", "ratelimit", "ratelimit-policy", "x-request-id"].map(HeaderName::from_static));
    names.extend(["grpc-status", "grpc-message", "grpc-status-details-bin"].map(HeaderName::from_static));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_send_it() {
        assert!(layer(&["https://app.example.com".into(), "http://localhost:3000".into()]).is_ok());
        for bad in ["*", "https://*.example.com", "app.example.com", "https://app.example.com/"] {
            assert!(layer(&[bad.into()]).is_err(), "{bad}");
        }
    }
}
