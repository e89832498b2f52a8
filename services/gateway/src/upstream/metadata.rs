//! Which headers cross the gateway. Everything is written anew: what is not named here stays outside.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use taskman_identity::{REQUEST_ID_HEADER, VOUCHER_HEADER};
use taskman_ids::RequestId;
use tonic::metadata::MetadataMap;

/// What services may tell clients beside their response.
const OUT: [&str; 1] = ["idempotent-replayed"];
/// The longest language preference that is passed on.
const MAX_LANGUAGE: usize = 200;

/// Returns the metadata of a call: voucher, request id and language. Trace context and deadline are the channel's.
pub fn forwarded(headers: &HeaderMap, request_id: RequestId, voucher: HeaderValue) -> HeaderMap {
    let mut metadata = HeaderMap::new();
    metadata.insert(HeaderName::from_static(VOUCHER_HEADER), voucher);
    if let Ok(id) = HeaderValue::from_str(&request_id.to_string()) {
        metadata.insert(HeaderName::from_static(REQUEST_ID_HEADER), id);
    }
    let language = headers.get(header::ACCEPT_LANGUAGE).filter(|value| value.len() <= MAX_LANGUAGE);
    // Metadata is visible ASCII; anything else is not a language anyway.
    if let Some(language) = language.filter(|value| value.to_str().is_ok()) {
        metadata.insert(header::ACCEPT_LANGUAGE, language.clone());
    }
    metadata
}

/// Returns what of a service's metadata the client is shown.
pub fn answered(metadata: &MetadataMap) -> HeaderMap {
    let headers = metadata.as_ref();
    let shown = OUT.iter().filter_map(|name| Some((HeaderName::from_static(name), headers.get(*name)?.clone())));
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_crosses_that_is_not_named() {
        let from_outside = [
            ("authorization", "Bearer x"),
            ("cookie", "x"),
            ("x-taskman-voucher", "forged"),
            ("x-taskman-user", "forged"),
            ("x-tenant-id", "other"),
            ("grpc-status", "0"),
            ("te", "trailers"),
            ("connection", "close"),
            ("accept-language", "de"),
        ];
        let headers = from_outside.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect();
        let id = RequestId::new();
        let metadata = forwarded(&headers, id, HeaderValue::from_static("ours"));
        let mut names: Vec<&str> = metadata.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept-language", "x-request-id", "x-taskman-voucher"]);
        assert_eq!(metadata[VOUCHER_HEADER], "ours");
        assert_eq!(metadata[REQUEST_ID_HEADER], id.to_string().as_str());
    }

    #[test]
    fn clients_see_only_what_is_meant_for_them() {
        let headers: HeaderMap = [("idempotent-replayed", "true"), ("x-internal", "secret"), ("server", "x")]
            .iter()
            .map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap()))
            .collect();
        let shown = answered(&MetadataMap::from_headers(headers));
        assert_eq!((shown.len(), shown["idempotent-replayed"].to_str().unwrap()), (1, "true"));
    }
}
