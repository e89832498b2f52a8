//! What requests become, and what they are refused for: tables over the sample API.

use http::{HeaderMap, HeaderValue, Method as Verb};
use serde_json::{Value as Json, json};

use super::*;
use crate::transcode::sample::Sample;
use crate::transcode::{json as strict, render};

/// A request of a table: method, URI, headers and body.
struct Case {
    verb: Verb,
    uri: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: Option<Json>,
}

fn get(uri: &'static str) -> Case {
    Case { verb: Verb::GET, uri, headers: &[], body: None }
}

fn send(verb: Verb, uri: &'static str, body: Json) -> Case {
    Case { verb, uri, headers: &[], body: Some(body) }
}

fn post(body: Json) -> Case {
    send(Verb::POST, "/things", body)
}

impl Case {
    fn with(mut self, headers: &'static [(&'static str, &'static str)]) -> Self {
        self.headers = headers;
        self
    }
}

/// Binds a request and shows the message as JSON.
fn bound(sample: &Sample, case: &Case) -> Result<Json, Unbound> {
    let (path, query) = case.uri.split_once('?').map_or((case.uri, None), |(path, query)| (path, Some(query)));
    let (binding, captured) = sample.route(&case.verb, path);
    let headers: HeaderMap =
        case.headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect();
    let payload = case.body.clone().map_or(Payload::Empty, Payload::Json);
    let parts = Parts { captured: &captured, query, headers: &headers, payload: &payload };
    let message = request(&binding, &parts, &sample.dialect)?;
    Ok(strict::parse(&render::to_json(&message, &sample.dialect).unwrap()).unwrap())
}

fn refused(sample: &Sample, case: &Case) -> Vec<(String, String)> {
    match bound(sample, case) {
        Err(Unbound::Invalid(violations)) => violations.into_iter().map(|v| (v.field, v.description)).collect(),
        other => panic!("{} {} {:?}: {other:?}", case.verb, case.uri, case.body),
    }
}

#[test]
fn path_query_body_and_headers_become_fields() {
    const KEY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
    let sample = Sample::new();
    let cases = [
        (get("/things/7"), json!({"id": "7"})),
        (get("/boxes/a%2Fb/things/7"), json!({"id": "7", "box": {"name": "a/b"}})),
        (get("/things/7?version=3"), json!({"id": "7", "version": 3})),
        (get("/things?page_size=5&labels=a&labels=b,c"), json!({"page_size": 5, "labels": ["a", "b,c"]})),
        (get("/things?pageSize=5"), json!({"page_size": 5})),
        (get("/things?state=in_use&states=new&states=2"), json!({"state": "in_use", "states": ["new", "in_use"]})),
        (get("/things?state=THING_STATE_NEW"), json!({"state": "new"})),
        (get("/things?active=0"), json!({"active": false})),
        (
            get("/things?box.inner.name=x+y%2B&box.tags=1&box.tags=2"),
            json!({"box": {"inner": {"name": "x y+"}, "tags": ["1", "2"]}}),
        ),
        (
            get("/things?since=2026-11-21T10:00:00.5Z&within=1.5s"),
            json!({"since": "2026-11-21T10:00:00.500Z", "within": "1.500s"}),
        ),
        (get("/things?fields=display_name,dueAt"), json!({"fields": "display_name,due_at"})),
        (get("/things?wrapped=true&user_id=u"), json!({"wrapped": true, "user_id": "u"})),
        (get("/things?blob=_-8"), json!({"blob": "/+8="})),
        (get("/things?"), json!({})),
        (get("/things?&page_size=1&"), json!({"page_size": 1})),
        (post(json!({})), json!({})),
        (Case { body: None, ..post(json!({})) }, json!({})),
        (
            post(json!({"display_name": "a", "state": "in_use", "big": "9007199254740993"})),
            json!({"display_name": "a", "state": "in_use", "big": "9007199254740993"}),
        ),
        (post(json!({"displayName": "a", "state": "THING_STATE_NEW"})), json!({"display_name": "a", "state": "new"})),
        (post(json!({"state": 2, "weight": 0})), json!({"state": "in_use", "weight": 0.0})),
        (post(json!({"id": null, "labels": null, "box": null})), json!({})),
        (post(json!({"any_value": null})), json!({"any_value": null})),
        (post(json!({"counts": {"a": 1, "b": "2"}})), json!({"counts": {"a": 1, "b": 2}})),
        (
            post(json!({"by_number": {"-1": {"name": "x"}}, "by_flag": {"true": "new"}})),
            json!({"by_number": {"-1": {"name": "x"}}, "by_flag": {"true": "new"}}),
        ),
        (post(json!({"boxes": [{"tags": ["a"]}, {}]})), json!({"boxes": [{"tags": ["a"]}, {}]})),
        (
            post(json!({"due_at": "2026-11-21T10:00:00+02:00", "took": "3s"})),
            json!({"due_at": "2026-11-21T08:00:00Z", "took": "3s"}),
        ),
        (
            post(json!({"extra": {"a": [1, null, {"b": true}]}, "list": [1, "x"]})),
            json!({"extra": {"a": [1.0, null, {"b": true}]}, "list": [1.0, "x"]}),
        ),
        (post(json!({"wrapped": "5", "note": ""})), json!({"wrapped": "5", "note": ""})),
        (
            post(json!({"price": {"currency_code": "USD", "amount": "1200.5"}})),
            json!({"price": {"currency_code": "USD", "amount": "1200.50"}}),
        ),
        (post(json!({"ratio": "Infinity", "weight": "NaN"})), json!({"ratio": "Infinity", "weight": "NaN"})),
        (post(json!({"mask": "a,b.c"})), json!({"mask": "a,b.c"})),
        (
            send(Verb::POST, "/boxes/b/things", json!({"box": {"tags": ["t"]}})),
            json!({"box": {"name": "b", "tags": ["t"]}}),
        ),
        (send(Verb::POST, "/boxes/b/things", json!({"box": {"name": "b"}})), json!({"box": {"name": "b"}})),
        (send(Verb::POST, "/things/7:close", json!({"version": 2})), json!({"id": "7", "version": 2})),
        (send(Verb::PUT, "/things/7/labels", json!(["a", "b"])), json!({"id": "7", "labels": ["a", "b"]})),
        (
            send(Verb::PUT, "/things/7?reason=r", json!({"flag": true})),
            json!({"thing": {"id": "7", "flag": true}, "reason": "r"}),
        ),
        (post(json!({})).with(&[("idempotency-key", KEY)]), json!({"request_id": KEY})),
        (
            post(json!({"request_id": KEY})).with(&[("idempotency-key", "\"01890A5D-AC96-774B-BCCE-B302099A8057\"")]),
            json!({"request_id": KEY}),
        ),
        (
            send(Verb::POST, "/things/7:close", json!({})).with(&[("if-match", "\"4\"")]),
            json!({"id": "7", "version": 4}),
        ),
        (send(Verb::POST, "/things/7:close", json!({})).with(&[("if-match", "*")]), json!({"id": "7"})),
        (
            send(Verb::PUT, "/things/7", json!({})).with(&[("if-match", "\"4\"")]),
            json!({"thing": {"id": "7", "version": 4}}),
        ),
    ];
    for (case, wanted) in cases {
        assert_eq!(bound(&sample, &case), Ok(wanted), "{} {}", case.verb, case.uri);
    }
}

#[test]
fn a_patch_without_a_mask_gets_the_keys_of_its_body() {
    let sample = Sample::new();
    let cases = [
        (json!({"display_name": "a"}), "display_name"),
        (json!({"displayName": "a", "flag": false}), "display_name,flag"),
        (json!({"box": {"name": "x", "inner": {"tags": []}}}), "box.inner.tags,box.name"),
        (json!({"box": {}}), "box"),
        (json!({"box": null, "due_at": null}), "box,due_at"),
        (json!({"labels": [], "counts": {"a": 1}, "boxes": [{"name": "x"}]}), "boxes,counts,labels"),
        (json!({"extra": {"a": {"b": 1}}, "price": {"currency_code": "EUR", "amount": "1"}}), "extra,price"),
        (json!({}), ""),
    ];
    for (body, wanted) in cases {
        let message = bound(&sample, &send(Verb::PATCH, "/things/7", body.clone())).unwrap();
        let mut paths: Vec<&str> = message["update_mask"].as_str().unwrap_or_default().split(',').collect();
        paths.sort_unstable();
        assert_eq!(paths.join(","), wanted, "{body}");
    }
    let own = bound(&sample, &send(Verb::PATCH, "/things/7?update_mask=flag", json!({"display_name": "a"}))).unwrap();
    assert_eq!(own["update_mask"], "flag");
    let put = bound(&sample, &send(Verb::PUT, "/things/7", json!({"display_name": "a"}))).unwrap();
    assert_eq!(put.get("update_mask"), None);
}

#[test]
fn what_is_wrong_is_named_with_its_path() {
    let sample = Sample::new();
    let cases = [
        (get("/things?colour=red"), "colour", "not known"),
        (get("/things?box.colour=red"), "box.colour", "not known"),
        (get("/things?labels.x=1"), "labels.x", "not known"),
        (get("/things?boxes.name=1"), "boxes.name", "not known"),
        (get("/things?since.seconds=1"), "since.seconds", "not known"),
        (get("/things?box=x"), "box", "message"),
        (get("/things?facts=x"), "facts", "query"),
        (get("/things?extra=x"), "extra", "query"),
        (get("/things?page_size=1&page_size=2"), "page_size", "twice"),
        (get("/things?page_size=1&pageSize=2"), "pageSize", "twice"),
        (get("/things?page_size="), "page_size", "whole number"),
        (get("/things?page_size=2147483648"), "page_size", "range"),
        (get("/things?active=yes"), "active", "true or false"),
        (get("/things?state=broken"), "state", "known values"),
        (get("/things?since=yesterday"), "since", "time"),
        (get("/things?within=1h"), "within", "duration"),
        (get("/things?fields=a%20b"), "fields", "commas"),
        (get("/things?user_id=u&team_id=t"), "team_id", "together with user_id"),
        (get("/things?labels=%zz"), "labels", "percent"),
        (get("/things?labels=%FF"), "labels", "UTF-8"),
        (get("/things/7?id=8"), "id", "in the path"),
        (get("/things/me?x=1"), "x", "not known"),
        (send(Verb::POST, "/things?flag=true", json!({})), "flag", "not known"),
        (send(Verb::PUT, "/things/7?thing.flag=true", json!({})), "thing.flag", "in the body"),
        (Case { body: Some(json!({})), ..get("/things/7") }, "", "no body"),
        (post(json!({"colour": "red"})), "colour", "not known"),
        (post(json!({"box": {"inner": {"colour": 1}}})), "box.inner.colour", "not known"),
        (post(json!({"boxes": [{}, {"name": 1}]})), "boxes[1].name", "string"),
        (post(json!({"counts": {"a": "x"}})), "counts[\"a\"]", "whole number"),
        (post(json!({"by_number": {"x": {}}})), "by_number[\"x\"]", "whole number"),
        (post(json!({"by_number": {"1": null}})), "by_number[\"1\"]", "object"),
        (post(json!({"by_flag": {"1": "new"}})), "by_flag[\"1\"]", "true or false"),
        (post(json!({"labels": "a"})), "labels", "array"),
        (post(json!({"labels": ["a", null]})), "labels[1]", "string"),
        (post(json!({"counts": []})), "counts", "object"),
        (post(json!([])), "", "object"),
        (post(json!("x")), "", "object"),
        (post(json!({"state": "IN_USE"})), "state", "known values"),
        (post(json!({"state": "2"})), "state", "known values"),
        (post(json!({"flag": "true"})), "flag", "true or false"),
        (post(json!({"version": 1.5})), "version", "whole number"),
        (post(json!({"version": 3_000_000_000_i64})), "version", "range"),
        (post(json!({"unsigned": -1})), "unsigned", "range"),
        (post(json!({"blob": "*"})), "blob", "base64"),
        (post(json!({"due_at": "2026-13-01T00:00:00Z"})), "due_at", "time"),
        (post(json!({"due_at": 5})), "due_at", "time"),
        (post(json!({"took": "1"})), "took", "duration"),
        (post(json!({"extra": []})), "extra", "object"),
        (post(json!({"price": 5})), "price", "object"),
        (post(json!({"price": {"currency_code": "usd", "amount": "1"}})), "price", "capital letters"),
        (post(json!({"price": {"currency_code": "USD", "amount": 1}})), "price", "decimal string"),
        (post(json!({"price": {"currency_code": "USD", "amount": "1", "units": 1}})), "price", "other than"),
        (post(json!({"user_id": "u", "team_id": "t"})), "user_id", "together with team_id"),
        (post(json!({"display_name": "a", "displayName": "a"})), "display_name", "twice"),
        (
            send(Verb::POST, "/boxes/b/things", json!({"box": {"name": "c"}})),
            "box.name",
            "between the path and the body",
        ),
        (send(Verb::POST, "/things/7:close", json!({"id": "8"})), "id", "between the path and the body"),
        (send(Verb::PUT, "/things/7/labels", json!([1])), "labels[0]", "string"),
        (send(Verb::PATCH, "/things/7", json!({"id": "8"})), "thing.id", "between the path and the body"),
        (post(json!({})).with(&[("idempotency-key", "x")]), "Idempotency-Key", "UUID"),
        (
            post(json!({"request_id": "a"})).with(&[("idempotency-key", "01890a5d-ac96-774b-bcce-b302099a8057")]),
            "Idempotency-Key",
            "differs",
        ),
        (post(json!({"version": 0})).with(&[("if-match", "\"1\", \"2\"")]), "If-Match", "one version"),
        (
            send(Verb::POST, "/things/7:close", json!({"version": 3})).with(&[("if-match", "\"4\"")]),
            "If-Match",
            "differs",
        ),
        (send(Verb::PUT, "/things/7/labels", json!([])).with(&[("if-match", "\"4\"")]), "If-Match", "does not compare"),
    ];
    for (case, field, wanted) in cases {
        let found = refused(&sample, &case);
        let fits = |(at, why): &(String, String)| at == field && why.contains(wanted);
        assert!(found.len() == 1 && found.iter().all(fits), "{} {} {:?}: {found:?}", case.verb, case.uri, case.body);
    }
}

#[test]
fn all_faults_are_named_at_once_up_to_a_bound() {
    let sample = Sample::new();
    let found = refused(&sample, &post(json!({"flag": 1, "colour": 1, "version": "x"})));
    let mut fields: Vec<&str> = found.iter().map(|(field, _)| field.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["colour", "flag", "version"]);
    let garbage: serde_json::Map<String, Json> = (0..1_000).map(|n| (format!("x{n}"), json!(1))).collect();
    assert_eq!(refused(&sample, &post(Json::Object(garbage))).len(), 50);
}

#[test]
fn a_tag_that_no_version_has_fails_the_precondition() {
    let sample = Sample::new();
    for tag in ["\"x\"", "W/\"4\"", "\"0\"", "\"99999999999\""] {
        let headers: &'static [(&str, &str)] = Box::leak(Box::new([("if-match", tag)]));
        let case = send(Verb::POST, "/things/7:close", json!({})).with(headers);
        assert_eq!(bound(&sample, &case), Err(Unbound::NeverMatches), "{tag}");
    }
}

#[test]
fn a_query_is_bounded() {
    let sample = Sample::new();
    let (binding, captured) = sample.route(&Verb::GET, "/things");
    let check = |query: &str| {
        let parts =
            Parts { captured: &captured, query: Some(query), headers: &HeaderMap::new(), payload: &Payload::Empty };
        request(&binding, &parts, &sample.dialect)
    };
    assert!(check(&"labels=x&".repeat(256)).is_ok());
    assert!(check(&"labels=x&".repeat(257)).is_err());
    assert!(check(&format!("box.{}name=x", "inner.".repeat(14))).is_ok());
    assert!(check(&format!("box.{}name=x", "inner.".repeat(15))).is_err());
}

#[test]
fn raw_bodies_go_in_as_they_are() {
    let sample = Sample::new();
    let (binding, captured) = sample.route(&Verb::PUT, "/files/a/b.png");
    assert!(binding.takes_raw_body());
    let payload = Payload::Raw { content_type: "image/png".into(), data: Bytes::from_static(b"\x89PNG") };
    let parts = Parts { captured: &captured, query: None, headers: &HeaderMap::new(), payload: &payload };
    let message = request(&binding, &parts, &sample.dialect).unwrap();
    let shown: Json = strict::parse(&render::to_json(&message, &sample.dialect).unwrap()).unwrap();
    assert_eq!(shown, json!({"path": "a/b.png", "content": {"content_type": "image/png", "data": "iVBORw=="}}));
}
