//! The head of a request: its size, its id, and the time that the client gives it.

use std::time::Duration;

use http::HeaderMap;
use http::request::Parts;
use taskman_ids::RequestId;
use taskman_resilience::deadline::{Deadline, GRPC_TIMEOUT};

use crate::config::Requests;
use crate::error::Error;

/// The header that carries the id of a request.
pub const REQUEST_ID: &str = "x-request-id";
/// The header in which REST clients say how long they wait, in seconds.
pub const REQUEST_TIMEOUT: &str = "x-request-timeout";

/// Refuses a head that is larger than allowed. HTTP/1.1 heads of that size do not get here; HTTP/2 has its own limit, in
/// which other things count.
pub fn check_size(parts: &Parts, limits: &Requests) -> Result<(), Error> {
    let headers: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let uri = parts.uri.path_and_query().map_or(0, |uri| uri.as_str().len());
    if parts.headers.len() > limits.max_headers || headers + uri > limits.max_head_bytes {
        return Err(Error::HeadTooLarge);
    }
    Ok(())
}

/// Returns the id of the request: the client's when it is a UUID, else a new one.
pub fn request_id(headers: &HeaderMap) -> RequestId {
    let sent = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    sent.and_then(|text| RequestId::parse(text).ok()).unwrap_or_else(RequestId::new)
}

/// Returns until when a REST client waits for its answer, the earlier where it says so in both headers; `None` when it
/// does not say.
pub fn timeout(headers: &HeaderMap) -> Result<Option<Deadline>, Error> {
    let (seconds, grpc) = (seconds(headers)?.map(Deadline::after), Deadline::from_grpc_timeout(headers));
    if grpc.is_none() && headers.contains_key(GRPC_TIMEOUT) {
        return Err(Error::Malformed("Grpc-Timeout must be one to eight digits and a unit, such as 500m".to_owned()));
    }
    Ok(seconds.into_iter().chain(grpc).min())
}

fn seconds(headers: &HeaderMap) -> Result<Option<Duration>, Error> {
    let Some(value) = headers.get(REQUEST_TIMEOUT) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let plain = !text.is_empty() && text.len() <= 12 && text.bytes().all(|c| c.is_ascii_digit() || c == b'.');
    let seconds = text.parse::<f64>().ok().filter(|_| plain);
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.map(Some).ok_or_else(|| Error::Malformed("X-Request-Timeout must be a number of seconds".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        [(name.parse().unwrap(), value.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn only_a_uuid_is_kept_as_request_id() {
        let id = RequestId::new();
        assert_eq!(request_id(&headers(REQUEST_ID, &id.to_string())), id);
        for bad in ["", "x", "1234", "a b", "<script>"] {
            assert_ne!(request_id(&headers(REQUEST_ID, bad)).to_string(), bad);
        }
        assert_ne!(request_id(&HeaderMap::new()), request_id(&HeaderMap::new()));
    }

    #[test]
    fn a_timeout_is_in_seconds() {
        for (text, millis) in [("2", 2_000), ("0.25", 250), ("0", 0), ("99999999999", 99_999_999_999_000)] {
            let found = seconds(&headers(REQUEST_TIMEOUT, text)).unwrap();
            assert_eq!(found, Some(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "-1", "1s", "1e3", "inf", "NaN", ".", "1.2.3", "9999999999999"] {
            assert!(timeout(&headers(REQUEST_TIMEOUT, bad)).is_err(), "{bad}");
        }
        assert_eq!(timeout(&HeaderMap::new()).unwrap(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_lesser_of_two_timeouts_holds() {
        for (own, grpc, millis) in [("2", "500m", 500), ("0.25", "2S", 250)] {
            let mut both = headers(REQUEST_TIMEOUT, own);
            both.extend(headers("grpc-timeout", grpc));
            let found = timeout(&both).unwrap().map(Deadline::remaining);
            assert_eq!(found, Some(Duration::from_millis(millis)), "{own} {grpc}");
        }
        let grpc = timeout(&headers("grpc-timeout", "3S")).unwrap().map(Deadline::remaining);
        assert_eq!(grpc, Some(Duration::from_secs(3)));
        assert!(timeout(&headers("grpc-timeout", "soon")).is_err());
    }

    #[test]
    fn a_head_is_bounded_in_bytes_and_headers() {
        let limits = Requests { max_head_bytes: 100, max_headers: 2, ..Requests::default() };
        let parts = |uri: &str, count: usize| {
            let builder = (0..count).fold(http::Request::builder().uri(uri), |b, n| b.header(format!("h{n}"), "v"));
            builder.body(()).unwrap().into_parts().0
        };
        assert!(check_size(&parts("/a", 2), &limits).is_ok());
        assert!(check_size(&parts("/a", 3), &limits).is_err());
        assert!(check_size(&parts(&format!("/{}", "a".repeat(100)), 0), &limits).is_err());
    }
}
