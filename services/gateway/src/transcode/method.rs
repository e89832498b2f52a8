//! Temporary.
use prost_reflect::{MessageDescriptor, MethodDescriptor};
use taskman_proto::options::{Exposure, Limit, MethodRules};
#[derive(Debug)]
pub struct Method { pub path: String, pub service: Option<&'static str>, pub rules: MethodRules, pub descriptor: MethodDescriptor }
impl Method {
    pub fn exposure(&self) -> Exposure { self.rules.exposure() }
    pub fn limit(&self) -> Limit { self.rules.limit() }
    pub fn input(&self) -> MessageDescriptor { self.descriptor.input() }
    pub fn is_streaming(&self) -> bool { self.descriptor.is_server_streaming() }
    pub fn is_read_only(&self) -> bool { self.descriptor.method_descriptor_proto().options.as_ref().is_some_and(|o| o.idempotency_level() as i32 == 1) }
}
