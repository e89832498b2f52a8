//! Who may not call what.

use taskman_proto::authentication::authentication_service_client::AuthenticationServiceClient;
use taskman_proto::authentication::{
    CheckSessionRequest, CreateCredentialRequest, CreateLinkRequestRequest, LogoutRequest, MintLinkRequest,
    RevokeSubjectRequest, WatchRevocationsRequest,
};
use tonic::{Code, Status};

use crate::world::{World, said, wrong_fields};

fn forbidden<T: std::fmt::Debug>(result: Result<T, Status>) -> bool {
    said(&result.unwrap_err()).0 == Code::PermissionDenied
}

#[tokio::test]
async fn only_the_services_that_are_named_call_fleet_methods() {
    let world = World::start().await;
    let mut outside = world.public();
    assert!(forbidden(outside.create_credential(CreateCredentialRequest::default()).await));
    assert!(forbidden(outside.mint_link(MintLinkRequest::default()).await));
    assert!(forbidden(outside.create_link_request(CreateLinkRequestRequest::default()).await));
    assert!(forbidden(outside.revoke_subject(RevokeSubjectRequest::default()).await));
    assert!(forbidden(outside.check_session(CheckSessionRequest::default()).await));
    assert!(forbidden(outside.watch_revocations(WatchRevocationsRequest::default()).await));
    let mut task = world.fleet("task");
    assert!(forbidden(task.mint_link(MintLinkRequest::default()).await));
    assert!(forbidden(task.create_credential(CreateCredentialRequest::default()).await));
    world.stop().await;
}

#[tokio::test]
async fn nobody_logs_out_without_a_token() {
    let world = World::start().await;
    let mut client = AuthenticationServiceClient::new(world.service.direct());
    let status = client.logout(LogoutRequest {}).await.unwrap_err();
    assert_eq!(said(&status), (Code::Unauthenticated, "TOKEN_MISSING".to_owned()));
    world.stop().await;
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once() {
    let world = World::start().await;
    let status = world.fleet("user").revoke_subject(RevokeSubjectRequest::default()).await.unwrap_err();
    assert_eq!(wrong_fields(&status), ["user_id", "company_id", "reason"]);
    let status = world.fleet("notification").mint_link(MintLinkRequest::default()).await.unwrap_err();
    assert_eq!(wrong_fields(&status), ["link_request_id", "purpose"]);
    let status = world.fleet("user").create_link_request(CreateLinkRequestRequest::default()).await.unwrap_err();
    assert_eq!(wrong_fields(&status), ["link_request_id", "user_id", "company_id", "purpose"]);
    let status = world.fleet("task").check_session(CheckSessionRequest::default()).await.unwrap_err();
    assert_eq!(wrong_fields(&status), ["session_id", "company_id", "issued_at"]);
    world.stop().await;
}
