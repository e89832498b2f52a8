//! A small API with everything that the transcoder can do, compiled for its tests.

use std::path::Path;
use std::sync::Arc;

use http::Method as Verb;
use prost_reflect::{DescriptorPool, MessageDescriptor, Value};
use taskman_proto::options::MethodRules;

use super::route::{Binding, Found, RouteError, RouteTable};
use super::{dialect::Dialect, path};
use taskman_rpc::Method;

/// The descriptors, the routes and the names of the sample.
pub(crate) struct Sample {
    pub(crate) pool: DescriptorPool,
    pub(crate) dialect: Dialect,
    pub(crate) table: RouteTable,
}

impl Sample {
    pub(crate) fn new() -> Self {
        let pool = compile("sample/v1/sample.proto");
        let table = table(&pool).unwrap();
        Self { dialect: Dialect::of(&pool), pool, table }
    }

    pub(crate) fn message(&self, name: &str) -> MessageDescriptor {
        self.pool.get_message_by_name(&format!("sample.v1.{name}")).unwrap()
    }

    /// Finds a route that must be there.
    pub(crate) fn route(&self, verb: &Verb, uri: &str) -> (Arc<Binding>, Vec<String>) {
        match self.table.find(verb, &path::split(uri).unwrap()) {
            Found::Route(binding, captured) => (Arc::clone(binding), captured),
            other => panic!("{verb} {uri}: {other:?}"),
        }
    }
}

/// Compiles one file of `tests/proto`.
pub(crate) fn compile(file: &str) -> DescriptorPool {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut compiler = protox::Compiler::new([here.join("tests/proto"), here.join("../../proto")]).unwrap();
    compiler.include_imports(true).open_file(file).unwrap();
    DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).unwrap()
}

/// Makes the table of every method of the sample.
pub(crate) fn table(pool: &DescriptorPool) -> Result<RouteTable, RouteError> {
    let rules = pool.get_extension_by_name("taskman.options.v1.rules").unwrap();
    let services: Vec<_> = pool.services().filter(|service| service.full_name().starts_with("sample.")).collect();
    let methods = services.iter().flat_map(|service| service.methods().collect::<Vec<_>>()).map(|descriptor| {
        let path = format!("/{}/{}", descriptor.parent_service().full_name(), descriptor.name());
        let rules = match descriptor.options().get_extension(&rules).into_owned() {
            Value::Message(rules) => rules.transcode_to::<MethodRules>().unwrap(),
            _ => MethodRules::default(),
        };
        Arc::new(Method { path, service: Some("user"), rules, descriptor })
    });
    RouteTable::build(pool, methods.collect::<Vec<_>>())
}
