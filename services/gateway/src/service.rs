//! The gateway as a service of the fleet.

use async_trait::async_trait;
use axum::Router;
use taskman_chassis::{Kit, Parts, Service};
use taskman_proto::options::Exposure;
use taskman_rpc::Methods;
use tonic::service::RoutesBuilder;
use tonic_health::ServingStatus;

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
        let local = local(&kit.methods()).await?;
        Ok(Parts::new().serve_http(move |listener, stop| gateway.serve(listener, local, stop)))
    }
}

/// What the gateway answers itself: gRPC health, and reflection of what is open to the outside.
async fn local(methods: &Methods) -> anyhow::Result<Router> {
    let (reporter, health) = tonic_health::server::health_reporter();
    let open = methods.iter().filter(|method| method.exposure() != Exposure::Fleet);
    let mut names: Vec<String> = open.map(|method| method.descriptor.parent_service().full_name().to_owned()).collect();
    names.sort();
    names.dedup();
    for name in &names {
        reporter.set_service_status(name, ServingStatus::Serving).await;
    }
    let mut routes = RoutesBuilder::default();
    routes.add_service(health);
    routes.add_service(reflection(&names).build_v1()?);
    routes.add_service(reflection(&names).build_v1alpha()?);
    // Without a fallback of its own: what is not answered here is the gateway's to answer.
    Ok(routes.routes().into_axum_router().reset_fallback())
}

fn reflection<'a>(names: &[String]) -> tonic_reflection::server::Builder<'a> {
    let builder = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(taskman_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .with_service_name("grpc.health.v1.Health");
    names.iter().fold(builder, |builder, name| builder.with_service_name(name.clone()))
}
