//! Compiles the proto tree with protox, so that nobody needs protoc, and refuses methods without complete rules.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use prost_reflect::{DescriptorPool, MethodDescriptor, Value};

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());

    let mut files = Vec::new();
    collect(&root.join("taskman"), &root, &mut files)?;
    files.sort();

    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_imports(true).include_source_info(true).open_files(&files)?;
    // The encoded set keeps extensions such as google.api.http; the decoded one drops them.
    let encoded = compiler.encode_file_descriptor_set();
    check_rules(&DescriptorPool::decode(encoded.as_slice())?)?;
    let out = PathBuf::from(out_dir()?);
    fs::write(out.join("taskman.fds.bin"), &encoded)?;
    tonic_prost_build::configure().compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script so where to write")]
fn out_dir() -> Result<String, env::VarError> {
    env::var("OUT_DIR")
}

fn collect(folder: &Path, root: &Path, files: &mut Vec<PathBuf>) -> Outcome {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, root, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path.strip_prefix(root)?.to_owned());
        }
    }
    Ok(())
}

/// Fails the build for a method whose rules are missing or contradict themselves.
fn check_rules(pool: &DescriptorPool) -> Outcome {
    let rules = pool.get_extension_by_name("taskman.options.v1.rules").ok_or("the option `rules` is not defined")?;
    for service in pool.services().filter(|service| service.full_name().starts_with("taskman.")) {
        for method in service.methods() {
            let options = method.options();
            let Value::Message(rules) = options.get_extension(&rules).into_owned() else {
                return Err(format!("{}: no rules", method.full_name()).into());
            };
            check_method(&method, &rules)?;
        }
    }
    Ok(())
}

fn check_method(method: &MethodDescriptor, rules: &prost_reflect::DynamicMessage) -> Outcome {
    const CALLER: i32 = 3;
    const FLEET: i32 = 4;
    let exposure = number(rules, "exposure");
    let has_action = !text(rules, "action").is_empty() && !text(rules, "resource").is_empty();
    let has_callers = rules
        .get_field_by_name("fleet_callers")
        .is_some_and(|list| list.as_list().is_some_and(|list| !list.is_empty()));
    let problem = match exposure {
        0 => "has no exposure",
        CALLER if !has_action => "is CALLER and needs an action and a resource",
        FLEET if !has_callers => "is FLEET and names no callers",
        FLEET => "",
        _ if has_callers => "is not FLEET and names fleet callers",
        _ => "",
    };
    if problem.is_empty() { Ok(()) } else { Err(format!("{} {problem}", method.full_name()).into()) }
}

fn number(message: &prost_reflect::DynamicMessage, field: &str) -> i32 {
    message.get_field_by_name(field).and_then(|value| value.as_enum_number()).unwrap_or_default()
}

fn text(message: &prost_reflect::DynamicMessage, field: &str) -> String {
    message.get_field_by_name(field).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
