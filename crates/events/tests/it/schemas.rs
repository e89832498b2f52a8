//! The JSON Schema of every event against `schemas/<routing key>.json`, and against the samples.

use serde_json::Value;
use taskman_events::{CATALOGUE, find};

use crate::golden::compare;
use crate::samples;

#[test]
fn the_published_schemas_are_those_of_the_code() {
    compare("schemas", CATALOGUE.iter().map(|entry| (entry.key, entry.schema())));
}

#[test]
fn every_sample_fits_its_schema() {
    for sample in samples::all() {
        let schema = find(sample.key).unwrap().schema();
        assert_fits(&schema, &sample.json, sample.key);
    }
}

#[test]
fn what_is_about_a_person_is_known() {
    let personal = |key: &str| find(key).unwrap().personal_fields();
    assert_eq!(personal("auth.login.success"), ["/ip", "/user_agent"]);
    assert_eq!(personal("user.created"), ["/user/email", "/user/first_name", "/user/last_name", "/user/username"]);
    assert!(personal("user.deactivated").contains(&"/reason".to_owned()));
    assert!(personal("task.assigned").is_empty());
    for entry in CATALOGUE {
        assert_eq!(entry.personal, !entry.personal_fields().is_empty(), "{}", entry.key);
    }
}

#[test]
fn no_event_has_a_field_for_a_secret() {
    for entry in CATALOGUE {
        let schema = entry.schema();
        for name in schema["properties"].as_object().unwrap().keys() {
            for forbidden in ["token", "secret", "password", "link_url", "body"] {
                assert!(!name.contains(forbidden), "{}.{name}", entry.key);
            }
        }
    }
}

/// Checks the part of JSON Schema that the generator writes: types, required properties, objects and arrays.
fn assert_fits(schema: &Value, value: &Value, at: &str) {
    let allowed: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        other => panic!("{at} has no type: {other}"),
    };
    let actual = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(allowed.contains(&actual), "{at} is {actual}, not {allowed:?}");
    if let Some(object) = value.as_object() {
        for name in schema["required"].as_array().unwrap() {
            assert!(object.contains_key(name.as_str().unwrap()), "{at} lacks {name}");
        }
        for (name, inner) in object {
            assert_fits(&schema["properties"][name], inner, &format!("{at}.{name}"));
        }
    }
    for inner in value.as_array().into_iter().flatten() {
        assert_fits(&schema["items"], inner, at);
    }
}
