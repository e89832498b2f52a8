//! What operators find when they ask a port what it serves.

use std::collections::BTreeSet;

use taskman_taskman::keys::SERVICES;
use tonic::transport::Endpoint;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::fleet::TestFleet;

#[tokio::test(flavor = "multi_thread")]
async fn every_port_lists_describes_and_checks_what_it_serves() {
    let fleet = TestFleet::start().await;
    for service in SERVICES {
        let address = format!("http://{}", fleet.fleet.address(service).unwrap());
        let channel = Endpoint::from_shared(address).unwrap().connect_lazy();
        let ask = |message: MessageRequest| {
            let mut client = ServerReflectionClient::new(channel.clone());
            async move {
                let request = ServerReflectionRequest { host: String::new(), message_request: Some(message) };
                let mut answers =
                    client.server_reflection_info(tokio_stream::iter([request])).await.unwrap().into_inner();
                answers.message().await.unwrap().unwrap().message_response.unwrap()
            }
        };
        let MessageResponse::ListServicesResponse(listed) = ask(MessageRequest::ListServices(String::new())).await
        else {
            panic!("{service} does not list");
        };
        let names: BTreeSet<String> = listed.service.into_iter().map(|service| service.name).collect();
        assert!(names.contains("grpc.health.v1.Health"), "{service}: {names:?}");
        let own: Vec<&String> = names.iter().filter(|name| name.starts_with("taskman.")).collect();
        assert!(!own.is_empty(), "{service} lists nothing of its own");
        for name in own {
            let described = ask(MessageRequest::FileContainingSymbol(name.clone())).await;
            assert!(
                matches!(described, MessageResponse::FileDescriptorResponse(_)),
                "{service} cannot describe {name}"
            );
            let request = HealthCheckRequest { service: name.clone() };
            let health = HealthClient::new(channel.clone()).check(request).await.unwrap().into_inner();
            assert_eq!(health.status(), ServingStatus::Serving, "{service}: {name}");
        }
    }
    fleet.stop().await;
}
