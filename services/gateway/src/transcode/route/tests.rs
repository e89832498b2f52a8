//! Which route a path leads to, and what makes a table of routes impossible.

use std::fmt::Write as _;

use http::Method as Verb;

use super::*;
use crate::transcode::path;
use crate::transcode::sample::{self, Sample};

#[test]
fn the_most_specific_route_of_the_method_answers() {
    let sample = Sample::new();
    let cases: [(Verb, &str, &str, &[&str]); 15] = [
        (Verb::GET, "/things/7", "GetThing", &["7"]),
        (Verb::GET, "/things/me", "GetOwnThing", &[]),
        (Verb::HEAD, "/things/me", "GetOwnThing", &[]),
        (Verb::DELETE, "/things/me", "DeleteThing", &["me"]),
        (Verb::GET, "/th%69ngs/%6De", "GetOwnThing", &[]),
        (Verb::POST, "/things/7:close", "CloseThing", &["7"]),
        (Verb::POST, "/things/a:b:close", "CloseThing", &["a:b"]),
        (Verb::GET, "/things/7:close", "GetThing", &["7:close"]),
        (Verb::GET, "/boxes/a%2Fb/things/1", "GetThing", &["a/b", "1"]),
        (Verb::GET, "/files/a/b%2Fc/d", "GetFile", &["a/b%2Fc/d"]),
        (Verb::GET, "/files", "GetFile", &[""]),
        (Verb::GET, "/files/pictures/cat", "GetFile", &["pictures/cat"]),
        (Verb::GET, "/files/pictures/cat:small", "GetFile", &["pictures/cat"]),
        (Verb::GET, "/files/pictures/a/b", "GetFile", &["pictures/a/b"]),
        (Verb::PATCH, "/things/7", "UpdateThing", &["7"]),
    ];
    for (verb, uri, method, wanted) in cases {
        let (binding, captured) = sample.route(&verb, uri);
        assert_eq!(binding.method.descriptor.name(), method, "{verb} {uri}");
        assert_eq!(captured, wanted, "{verb} {uri}");
    }
    let (small, _) = sample.route(&Verb::GET, "/files/pictures/cat:small");
    assert_eq!(small.pattern, "/files/{path=pictures/*}:small");
    let (escaped, captured) = sample.route(&Verb::GET, "/files/pictures/cat%3Asmall");
    assert_eq!((escaped.pattern.as_str(), captured[0].as_str()), ("/files/{path=pictures/*}", "pictures/cat%3Asmall"));
}

#[test]
fn a_known_path_names_its_methods_and_an_unknown_one_is_nothing() {
    let sample = Sample::new();
    let find = |verb: Verb, uri: &str| match sample.table.find(&verb, &path::split(uri).unwrap()) {
        Found::Route(..) => "route".to_owned(),
        Found::OtherMethods(verbs) => verbs.iter().map(Verb::as_str).collect::<Vec<_>>().join(","),
        Found::Nothing => "nothing".to_owned(),
    };
    let cases = [
        (Verb::POST, "/things/7", "DELETE,GET,HEAD,PATCH,PUT"),
        (Verb::PATCH, "/things", "GET,HEAD,POST"),
        (Verb::GET, "/things/7/labels", "PUT"),
        (Verb::GET, "/things/", "nothing"),
        (Verb::GET, "/things/7/", "nothing"),
        (Verb::GET, "/files/", "nothing"),
        (Verb::GET, "/", "nothing"),
        (Verb::GET, "/Things", "nothing"),
        (Verb::GET, "/boxes/things", "nothing"),
        (Verb::GET, "/inside", "nothing"),
        (Verb::POST, "/things/:close", "DELETE,GET,HEAD,PATCH,PUT"),
    ];
    for (verb, uri, wanted) in cases {
        assert_eq!(find(verb.clone(), uri), wanted, "{verb} {uri}");
    }
}

/// Builds a table of one service whose methods take `In` and have the given rules.
fn table_of(rules: &[&str]) -> Result<RouteTable, RouteError> {
    let mut text = String::from(
        "syntax = \"proto3\"; package sample.bad; import \"google/api/annotations.proto\"; \
         import \"taskman/options/v1/options.proto\"; \
         message In { string a = 1; repeated string list = 2; In inner = 3; map<string, string> map = 4; } \
         message Out { repeated In ins = 1; int32 version = 2; string name = 3; } service S {",
    );
    for (index, rule) in rules.iter().enumerate() {
        write!(
            text,
            "rpc M{index}(In) returns (Out) {{ option (taskman.options.v1.rules).exposure = EXPOSURE_PUBLIC; {rule} }}"
        )
        .unwrap();
    }
    text.push('}');
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bad.proto"), text).unwrap();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let mut compiler = protox::Compiler::new([dir.path(), root.as_path()]).unwrap();
    compiler.include_imports(true).open_file("bad.proto").unwrap();
    let pool = DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).unwrap();
    sample::table(&pool)
}

#[test]
fn a_wrong_rule_stops_the_start_and_is_named() {
    let cases: [(&[&str], &str); 14] = [
        (&["option (google.api.http) = {get: \"/x/\"};"], "column 4"),
        (&["option (google.api.http) = {get: \"/x/{b}\"};"], "column 4: b is not"),
        (&["option (google.api.http) = {get: \"/x/{list}\"};"], "column 4: list is not"),
        (&["option (google.api.http) = {get: \"/x/{inner}\"};"], "column 4: inner is not"),
        (&["option (google.api.http) = {get: \"/x/{map}\"};"], "column 4: map is not"),
        (&["option (google.api.http) = {get: \"/x/{a.b}\"};"], "column 4: a.b is not"),
        (&["option (google.api.http) = {post: \"/x\" body: \"b\"};"], "body: b is not"),
        (&["option (google.api.http) = {get: \"/x\" body: \"*\"};"], "GET takes no body"),
        (&["option (google.api.http) = {get: \"/x\" response_body: \"b\"};"], "response_body: b is not"),
        (&["option (google.api.http) = {custom {kind: \"HEAD\" path: \"/x\"}};"], "no HTTP method"),
        (&["option (google.api.http) = {body: \"*\"};"], "no HTTP method"),
        (
            &[
                "option (google.api.http) = {post: \"/x\" body: \"*\"}; option (taskman.options.v1.rules).created = \"x/{id}\";",
            ],
            "`created`",
        ),
        (
            &[
                "option (google.api.http) = {get: \"/x\" response_body: \"ins\"}; option (taskman.options.v1.rules).cache = {version_field: \"version\"};",
            ],
            "`cache`",
        ),
        (
            &["option (google.api.http) = {get: \"/x/{a}\"};", "option (google.api.http) = {get: \"/x/{inner.a}\"};"],
            "same requests as /x/{a} of /sample.bad.S/M0",
        ),
    ];
    for (rules, wanted) in cases {
        let error = table_of(rules).expect_err(wanted).to_string();
        assert!(error.contains(wanted) && error.contains("bad.proto: sample.bad.S.M"), "{rules:?}: {error}");
    }
    let fine = table_of(&[
        "option (google.api.http) = {get: \"/x/{a}\"};",
        "option (google.api.http) = {put: \"/x/{a}\" body: \"*\"};",
        "option (google.api.http) = {custom {kind: \"PURGE\" path: \"/x/{a}\"}};",
        "",
    ]);
    assert_eq!(fine.unwrap().bindings().len(), 3);
}
