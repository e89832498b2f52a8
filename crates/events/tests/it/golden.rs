//! The payload of every event against `tests/golden/<routing key>.json`.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use taskman_events::CATALOGUE;

use crate::samples;

/// Compares every `(name, actual)` with a reviewed file, and asserts that there is no other file. Missing files are
/// written, and the test fails so that somebody looks at them: delete a file to have it made again.
pub(crate) fn compare(folder: &str, actual: impl IntoIterator<Item = (&'static str, Value)>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    std::fs::create_dir_all(&folder).unwrap();
    let mut written = Vec::new();
    let mut known = BTreeSet::new();
    for (name, actual) in actual {
        let path = folder.join(format!("{name}.json"));
        if let Ok(text) = std::fs::read_to_string(&path) {
            let expected: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(expected, actual, "{name}.json differs; if that is meant, delete it and run the test again");
        } else {
            std::fs::write(&path, format!("{}\n", serde_json::to_string_pretty(&actual).unwrap())).unwrap();
            written.push(name);
        }
        known.insert(format!("{name}.json"));
    }
    assert!(written.is_empty(), "these files were missing and are written now, look at them: {written:?}");
    let found: BTreeSet<String> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(found, known, "a file without an event");
}

#[test]
fn every_event_has_a_sample() {
    let mut sampled: Vec<&str> = samples::all().iter().map(|sample| sample.key).collect();
    let mut known: Vec<&str> = CATALOGUE.iter().map(|entry| entry.key).collect();
    sampled.sort_unstable();
    known.sort_unstable();
    assert_eq!(sampled, known);
}

#[test]
fn the_wire_form_of_every_event_is_the_reviewed_one() {
    compare("tests/golden", samples::all().into_iter().map(|sample| (sample.key, sample.json)));
}

#[test]
fn every_event_reads_back_what_it_wrote() {
    for sample in samples::all() {
        assert_eq!((sample.reread)(&sample.json).unwrap(), sample.json, "{}", sample.key);
    }
}

#[test]
fn a_field_of_a_newer_version_is_ignored() {
    for sample in samples::all() {
        let mut newer = sample.json.clone();
        newer["a_field_of_tomorrow"] = true.into();
        assert_eq!((sample.reread)(&newer).unwrap(), sample.json, "{}", sample.key);
    }
}
