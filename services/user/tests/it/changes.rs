//! The stream that feeds decisions.

use std::time::Duration;

use taskman_proto::user::user_service_client::UserServiceClient;
use taskman_proto::user::watch_changes_response::Item;
use taskman_proto::user::{CreateUserRequest, RegisterCompanyRequest, WatchChangesRequest, WatchChangesResponse};
use taskman_testkit::{TestService, caller_of};

use crate::fakes::{Others, start};

async fn watch(service: &TestService, since: i64) -> tonic::Streaming<WatchChangesResponse> {
    let mut client = UserServiceClient::new(service.fleet("authorization"));
    client.watch_changes(WatchChangesRequest { since }).await.unwrap().into_inner()
}

async fn next(stream: &mut tonic::Streaming<WatchChangesResponse>) -> Item {
    let message = tokio::time::timeout(Duration::from_secs(10), stream.message()).await.expect("the stream is alive");
    message.unwrap().unwrap().item.unwrap()
}

/// Skips heartbeats.
async fn next_change(stream: &mut tonic::Streaming<WatchChangesResponse>) -> taskman_proto::user::SubjectChange {
    loop {
        if let Item::Change(change) = next(stream).await {
            return change;
        }
    }
}

#[tokio::test]
async fn changes_come_in_order_without_gaps_and_go_on_after_a_position() {
    let others = Others::default();
    let service = start(&others).await;
    let mut live = watch(&service, 0).await;
    assert!(matches!(next(&mut live).await, Item::Heartbeat(beat) if beat.head == 0));

    let request = RegisterCompanyRequest {
        company_name: "Company".into(),
        slug: "company".into(),
        email: "admin@example.com".into(),
        username: "admin".into(),
        password: "correct horse battery".into(),
        ..Default::default()
    };
    let company = UserServiceClient::new(service.anybody()).register_company(request).await.unwrap().into_inner();
    let admin = caller_of(company.company.unwrap().id.parse().unwrap());
    let create = |index: usize| {
        let mut client = UserServiceClient::new(service.caller(&admin));
        let request = CreateUserRequest {
            email: format!("u{index}@example.com"),
            username: format!("u{index}"),
            ..Default::default()
        };
        async move { client.create_user(request).await.unwrap() }
    };
    futures::future::join_all((0..10).map(create)).await;

    for expected in 1..=12 {
        let change = next_change(&mut live).await;
        assert_eq!(change.position, expected);
        assert_eq!(change.subject.unwrap().company_id, admin.company.to_string());
    }
    let mut resumed = watch(&service, 7).await;
    assert_eq!(next_change(&mut resumed).await.position, 8);
    service.stop().await;
}
