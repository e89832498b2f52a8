//! The gateway as a service of the fleet.

use anyhow::Context as _;
use async_trait::async_trait;
use axum::Router;
use prost::Message as _;
use prost_reflect::{DynamicMessage, Value};
use taskman_chassis::{Kit, Parts, Service};
use taskman_proto::options::Exposure;
use taskman_rpc::Methods;
use tonic::service::RoutesBuilder;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::HealthService;

use crate::app::Gateway;
use crate::config::Config;
use crate::layers::rate_limit::RateLimits;

/// The services that the gateway leads to.
const UPSTREAMS: [&str; 7] = ["authentication", "authorization", "user", "iam-admin", "task", "audit", "notification"];

/// The gateway service.
#[derive(Debug)]
pub struct GatewayService;

#[async_trait]
impl Service for GatewayService {
    const NAME: &'static str = "gateway";
    type Config = Config;

    async fn assemble(kit: Kit, config: Config) -> anyhow::Result<Parts> {
        let channels = UPSTREAMS.into_iter().map(|peer| kit.channel(peer)).collect::<anyhow::Result<Vec<_>>>()?;
        let limits = RateLimits::new(kit.limiter(), kit.quotas());
        let gateway = Gateway::new(config, kit.access(), limits, channels)?;
        let names = names(&kit.methods());
        let local = local(kit.health(), &kit.methods(), &names)?;
        Ok(Parts::new().answers_for(names).serve_http(move |listener, stop| gateway.serve(listener, local, stop)))
    }
}

/// Names the gRPC services that are open to the outside.
fn names(methods: &Methods) -> Vec<String> {
    let open = methods.iter().filter(|method| method.exposure() != Exposure::Fleet);
    let mut names: Vec<String> = open.map(|method| method.descriptor.parent_service().full_name().to_owned()).collect();
    names.sort();
    names.dedup();
    names
}

/// What the gateway answers itself: gRPC health, and reflection of what is open to the outside.
fn local(health: HealthServer<HealthService>, methods: &Methods, names: &[String]) -> anyhow::Result<Router> {
    // The library borrows the descriptors for as long as it serves them: until the process ends.
    let shown: &'static [u8] = descriptors(methods)?.leak();
    let mut routes = RoutesBuilder::default();
    routes.add_service(health);
    routes.add_service(reflection(names, shown).build_v1()?);
    routes.add_service(reflection(names, shown).build_v1alpha()?);
    // Without a fallback of its own: what is not answered here is the gateway's to answer.
    Ok(routes.routes().into_axum_router().reset_fallback())
}

fn reflection<'a>(names: &[String], shown: &'a [u8]) -> tonic_reflection::server::Builder<'a> {
    let builder = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(shown)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .with_service_name("grpc.health.v1.Health");
    names.iter().fold(builder, |builder, name| builder.with_service_name(name.clone()))
}

/// Returns the descriptors of every file without the methods that are closed to the outside, and without the services
/// of which nothing is left.
fn descriptors(methods: &Methods) -> anyhow::Result<Vec<u8>> {
    let kind = methods.pool().get_message_by_name("google.protobuf.FileDescriptorSet");
    let kind = kind.context("the descriptors do not describe themselves")?;
    // Read by reflection: the generated types would lose the options.
    let mut set = DynamicMessage::decode(kind, taskman_proto::FILE_DESCRIPTOR_SET)?;
    for file in list(&mut set, "file").into_iter().flatten().filter_map(Value::as_message_mut) {
        close(file, methods);
    }
    Ok(set.encode_to_vec())
}

fn close(file: &mut DynamicMessage, methods: &Methods) {
    let package = text(file, "package");
    let Some(services) = list(file, "service") else { return };
    let mut is_cut = false;
    services.retain_mut(|service| {
        let Some(service) = service.as_message_mut() else { return true };
        let name = text(service, "name");
        let Some(members) = list(service, "method") else { return true };
        let before = members.len();
        members.retain(|member| {
            let member = member.as_message().map(|member| text(member, "name")).unwrap_or_default();
            let method = methods.get(&format!("/{package}.{name}/{member}"));
            method.is_none_or(|method| method.exposure() != Exposure::Fleet)
        });
        is_cut |= members.len() < before;
        !members.is_empty()
    });
    if is_cut {
        // Comments are found by positions, which are others now.
        file.clear_field_by_name("source_code_info");
    }
}

fn list<'m>(message: &'m mut DynamicMessage, field: &str) -> Option<&'m mut Vec<Value>> {
    message.get_field_by_name_mut(field)?.as_list_mut()
}

fn text(message: &DynamicMessage, field: &str) -> String {
    message.get_field_by_name(field).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost_reflect::DescriptorPool;

    use super::*;

    #[test]
    fn reflection_shows_the_methods_that_are_open_with_their_options() {
        let methods = Methods::load();
        let shown = DescriptorPool::decode(descriptors(&methods).unwrap().as_slice()).unwrap();
        let rules = shown.get_extension_by_name("taskman.options.v1.rules").unwrap();
        let mut paths = BTreeSet::new();
        for service in shown.services() {
            assert_ne!(service.methods().len(), 0, "{}", service.full_name());
            for method in service.methods() {
                assert!(method.options().has_extension(&rules), "{}", method.full_name());
                paths.insert(format!("/{}/{}", service.full_name(), method.name()));
            }
        }
        let open = methods.iter().filter(|method| method.exposure() != Exposure::Fleet);
        let open: BTreeSet<String> = open.map(|method| method.path.clone()).collect();
        assert_eq!(paths, open);
    }
}
