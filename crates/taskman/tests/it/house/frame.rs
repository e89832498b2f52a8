//! Every service has the same files; further modules are named in the story of its `lib.rs`.

use super::report::{Exceptions, Report};
use super::source::Source;
use super::tree;

/// The frame of a service.
const FRAME: [&str; 17] = [
    "Cargo.toml",
    "README.md",
    "migrations",
    "src/main.rs",
    "src/lib.rs",
    "src/config.rs",
    "src/error.rs",
    "src/app.rs",
    "src/domain.rs",
    "src/store.rs",
    "src/grpc.rs",
    "src/grpc/convert.rs",
    "src/clients.rs",
    "src/consumers.rs",
    "src/jobs.rs",
    "src/metrics.rs",
    "tests/it/main.rs",
];

/// What the gateway has instead.
const GATEWAY: [&str; 2] = ["src/edge.rs", "src/transcode.rs"];

const ABSENT: &[(&str, &str)] = &[
    ("audit src/clients.rs", "asks no other service"),
    ("iam-admin src/clients.rs", "asks no other service"),
    (
        "authorization src/consumers.rs",
        "follows streams instead of events: identity.md, decisions are never behind a queue",
    ),
    ("task src/consumers.rs", "consumes no events"),
    ("user src/consumers.rs", "consumes no events"),
    ("gateway migrations", "keeps nothing"),
    ("gateway src/store.rs", "keeps nothing"),
    ("gateway src/domain.rs", "has no rules of its own: they stand in the options of the methods"),
    ("gateway src/grpc.rs", "serves no RPC of its own: edge and transcode take its place"),
    ("gateway src/grpc/convert.rs", "serves no RPC of its own: edge and transcode take its place"),
    ("gateway src/clients.rs", "names no RPC: upstream passes on whatever the descriptors describe"),
    ("gateway src/consumers.rs", "consumes no events"),
    ("gateway src/jobs.rs", "does nothing without a request"),
    ("gateway src/metrics.rs", "has no business; the metrics of requests are rpc's"),
];

#[test]
fn every_service_has_the_frame() {
    let mut report = Report::default();
    let absent = Exceptions::new(ABSENT);
    for service in tree::services() {
        for file in FRAME {
            let path = format!("services/{service}/{file}");
            let there = tree::exists(&path) || absent.excuse(&format!("{service} {file}"));
            report.check(there, path, "is missing from the frame of the service");
        }
    }
    for file in GATEWAY {
        report.check(tree::exists(&format!("services/gateway/{file}")), file, "is missing from the gateway");
    }
    absent.finish(&mut report);
    report.finish();
}

#[test]
fn further_modules_are_named_in_the_story() {
    let mut report = Report::default();
    for service in tree::services() {
        let src = format!("services/{service}/src");
        let story = Source::new(tree::read(&format!("{src}/lib.rs")), format!("{src}/lib.rs")).story();
        for path in tree::below(&src) {
            let file = &path[src.len() + 1..];
            let module = file.strip_suffix(".rs").unwrap_or(file);
            let own = service == "gateway" && GATEWAY.iter().any(|file| file[4..].starts_with(module));
            if file.contains('/') || own || FRAME.contains(&format!("src/{module}.rs").as_str()) {
                continue;
            }
            let named = story.contains(&format!("`{module}`")) || story.contains(&format!("`{module}::"));
            report.check(
                named,
                &path,
                format!("is not in every service, so the story of {src}/lib.rs has to name `{module}`"),
            );
        }
    }
    report.finish();
}

#[test]
fn the_binary_of_a_service_is_called_after_it() {
    let mut report = Report::default();
    for service in tree::services() {
        let manifest = format!("services/{service}/Cargo.toml");
        let named = tree::read(&manifest).contains(&format!("[[bin]]\nname = \"{service}-service\"\n"));
        report.check(named, &manifest, format!("the image and the chart expect a binary {service}-service"));
    }
    report.finish();
}
