//! What responses look like: bodies, statuses, versions and locations.

use http::Method as Verb;
use prost::Message as _;
use serde_json::{Value as Json, json};

use super::*;
use crate::transcode::body::{Reader, Trail};
use crate::transcode::sample::Sample;

/// Encodes a response of the type `name`, written as JSON.
fn encoded(sample: &Sample, name: &str, json: &Json) -> Bytes {
    let mut reader = Reader::new(&sample.dialect);
    let message = reader.message(&sample.message(name), json, &Trail::ROOT).unwrap();
    reader.finish().unwrap();
    message.encode_to_vec().into()
}

fn replied(sample: &Sample, verb: &Verb, uri: &str, bytes: Bytes) -> Reply {
    reply(&sample.route(verb, uri).0, &sample.dialect, bytes).unwrap()
}

fn text(reply: &Reply) -> &str {
    std::str::from_utf8(&reply.body).unwrap()
}

#[test]
fn a_read_answers_the_record_and_its_version() {
    let sample = Sample::new();
    let bytes = encoded(&sample, "Thing", &json!({"id": "7", "version": 3, "state": "in_use", "flag": false}));
    let answer = replied(&sample, &Verb::GET, "/things/7", bytes);
    assert_eq!((answer.status, answer.version), (StatusCode::OK, Some(3)));
    assert_eq!(text(&answer), r#"{"id":"7","state":"in_use","version":3}"#);
    assert_eq!(answer.content_type.unwrap(), "application/json");
}

#[test]
fn a_creation_answers_201_and_where_the_record_is() {
    let sample = Sample::new();
    let bytes = encoded(&sample, "ThingResponse", &json!({"thing": {"id": "a/b ü"}}));
    let answer = replied(&sample, &Verb::POST, "/boxes/x/things", bytes);
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.location.unwrap(), "/api/v1/things/a%2Fb%20%C3%BC");
    let nameless = replied(&sample, &Verb::POST, "/things", Bytes::new());
    assert_eq!((nameless.status, nameless.location), (StatusCode::CREATED, None));
    assert_eq!(&nameless.body[..], b"{}");
}

#[test]
fn a_deletion_answers_nothing() {
    let sample = Sample::new();
    let answer = replied(&sample, &Verb::DELETE, "/things/7", Bytes::new());
    assert_eq!((answer.status, answer.body.len()), (StatusCode::NO_CONTENT, 0));
    assert_eq!(answer.content_type, None);
}

#[test]
fn a_list_can_be_the_body_and_raw_bytes_too() {
    let sample = Sample::new();
    let bytes = encoded(&sample, "ListThingsResponse", &json!({"things": [{"id": "1"}, {"big": 5}]}));
    assert_eq!(text(&replied(&sample, &Verb::GET, "/things", bytes)), r#"[{"id":"1"},{"big":"5"}]"#);
    assert_eq!(text(&replied(&sample, &Verb::GET, "/things", Bytes::new())), "[]");
    let file = Bytes::from_static(b"\x0a\x09image/png\x12\x02\x89P");
    let answer = replied(&sample, &Verb::GET, "/files/a", file);
    assert_eq!((answer.content_type.unwrap().to_str().unwrap(), &answer.body[..]), ("image/png", &b"\x89P"[..]));
}

#[test]
fn what_is_no_such_message_is_a_fault_of_the_service() {
    let sample = Sample::new();
    let (binding, _) = sample.route(&Verb::GET, "/things/7");
    assert!(reply(&binding, &sample.dialect, Bytes::from_static(b"\x0a\xff")).is_err());
}

#[test]
fn every_kind_of_value_survives_the_way_out_and_in() {
    let sample = Sample::new();
    let desc = sample.message("Thing");
    let cases = [
        json!({"big": "-9223372036854775808", "unsigned": "18446744073709551615"}),
        json!({"weight": 0.0, "ratio": 0.5}),
        json!({"weight": "-Infinity", "ratio": "NaN"}),
        json!({"blob": "AAEC", "flag": true}),
        json!({"labels": ["", "ü", "\u{0}"], "counts": {"a": 1, "b": -2}}),
        json!({"states": ["unspecified", "new", "in_use", 77]}),
        json!({"by_flag": {"false": "unspecified", "true": "new"}, "by_number": {"-3": {}, "12": {"name": "x"}}}),
        json!({"due_at": "0001-01-01T00:00:00Z", "took": "-0.000000001s"}),
        json!({"extra": {"n": null, "l": [true, "x", 1.5], "o": {}}, "list": [null], "any_value": "x"}),
        json!({"any_value": null}),
        json!({"wrapped": "0", "note": ""}),
        json!({"mask": "a,b.c_d"}),
        json!({"price": {"currency_code": "EUR", "amount": "-0.05"}}),
        json!({"box": {"inner": {"inner": {"tags": ["x"]}}}}),
        json!({"team_id": ""}),
        json!({}),
    ];
    for wanted in cases {
        let mut reader = Reader::new(&sample.dialect);
        let message = reader.message(&desc, &wanted, &Trail::ROOT).unwrap();
        assert_eq!(reader.finish(), Ok(()), "{wanted}");
        let again = DynamicMessage::decode(desc.clone(), message.encode_to_vec().as_slice()).unwrap();
        let shown: Json = serde_json::from_slice(&to_json(&again, &sample.dialect).unwrap()).unwrap();
        assert_eq!(shown, wanted);
    }
}
