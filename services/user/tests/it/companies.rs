//! Sign-up.

use std::sync::atomic::Ordering;

use taskman_ids::new_uuid;
use taskman_proto::user::user_service_client::UserServiceClient;
use taskman_proto::user::{
    CompanyStatus, GetLoginSubjectRequest, LoginSubject, RegisterCompanyRequest, get_login_subject_request::By,
};
use taskman_testkit::{TestService, wait_for};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::fakes::{Others, start};

fn request(slug: &str) -> RegisterCompanyRequest {
    RegisterCompanyRequest {
        company_name: "Analytical Engines".into(),
        slug: slug.into(),
        email: format!("Ada@{slug}.example.com"),
        username: "ada".into(),
        password: "correct horse battery".into(),
        first_name: "Ada".into(),
        last_name: "Lovelace".into(),
        request_id: new_uuid().to_string(),
    }
}

fn slug() -> String {
    format!("c{}", new_uuid().simple())
}

async fn subject(service: &TestService, email: &str) -> Option<LoginSubject> {
    let request = GetLoginSubjectRequest { by: Some(By::Email(email.to_owned())) };
    let mut fleet = UserServiceClient::new(service.fleet("authentication"));
    fleet.get_login_subject(request).await.unwrap().into_inner().subject
}

#[tokio::test]
async fn signing_up_opens_a_company_with_its_first_user() {
    let others = Others::default();
    let service = start(&others).await;
    let slug = slug();
    let mut client = UserServiceClient::new(service.anybody());
    let reply = client.register_company(request(&slug)).await.unwrap().into_inner();
    let (company, user) = (reply.company.unwrap(), reply.user.unwrap());
    assert_eq!((company.status(), company.slug.as_str()), (CompanyStatus::Active, slug.as_str()));
    assert!(user.active);

    // However the address is written, it is the same one.
    let subject = subject(&service, &format!("ADA@{slug}.EXAMPLE.com ")).await.unwrap();
    assert_eq!((subject.user_id, subject.company_id), (user.id.clone(), company.id.clone()));

    let events = service.events().await;
    let keys: Vec<&str> = events.iter().map(taskman_events::Envelope::routing_key).collect();
    assert_eq!(keys, ["company.created", "user.created"]);
    assert_eq!(events[1].data::<taskman_events::user::UserCreated>().unwrap().link_request_id, None);
    service.stop().await;
}

#[tokio::test]
async fn a_repeated_sign_up_makes_no_second_company() {
    let others = Others::default();
    let service = start(&others).await;
    let request = request(&slug());
    let mut client = UserServiceClient::new(service.anybody());
    let first = client.register_company(request.clone()).await.unwrap().into_inner();
    let second = client.register_company(request.clone()).await.unwrap().into_inner();
    assert_eq!(first, second);
    assert_eq!(service.events().await.len(), 2);

    let other = RegisterCompanyRequest { company_name: "Something else".into(), ..request.clone() };
    let renamed = RegisterCompanyRequest { first_name: "Augusta".into(), ..request };
    for other in [other, renamed] {
        let refused = client.register_company(other).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert_eq!(refused.get_details_error_info().unwrap().reason, "IDEMPOTENCY_KEY_REUSED");
    }
    service.stop().await;
}

#[tokio::test]
async fn the_same_sign_up_sent_many_times_at_once_makes_one_company() {
    let others = Others::default();
    let service = start(&others).await;
    let request = request(&slug());
    let send = || {
        let (mut client, request) = (UserServiceClient::new(service.anybody()), request.clone());
        async move { client.register_company(request).await.unwrap().into_inner().company.unwrap().id }
    };
    let ids = futures::future::join_all((0..8).map(|_| send())).await;
    assert!(ids.iter().all(|id| *id == ids[0]));
    assert_eq!(service.events().await.len(), 2);
    service.stop().await;
}

#[tokio::test]
async fn a_slug_or_an_address_is_taken_once() {
    let others = Others::default();
    let service = start(&others).await;
    let taken = slug();
    let mut client = UserServiceClient::new(service.anybody());
    client.register_company(request(&taken)).await.unwrap();
    let same_slug = RegisterCompanyRequest { email: "other@example.com".into(), ..request(&taken) };
    let same_email = RegisterCompanyRequest { email: format!("ada@{taken}.EXAMPLE.com"), ..request(&slug()) };
    for (request, reason) in [(same_slug, "SLUG_TAKEN"), (same_email, "EMAIL_TAKEN")] {
        let refused = client.register_company(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::AlreadyExists);
        assert_eq!(refused.get_details_error_info().unwrap().reason, reason);
    }
    service.stop().await;
}

#[tokio::test]
async fn every_violation_is_named_at_once() {
    let others = Others::default();
    let service = start(&others).await;
    let mut client = UserServiceClient::new(service.anybody());
    let empty = RegisterCompanyRequest { request_id: "x".into(), first_name: "\0".into(), ..Default::default() };
    let refused = client.register_company(empty).await.unwrap_err();
    let mut fields: Vec<String> =
        refused.get_details_bad_request().unwrap().field_violations.into_iter().map(|found| found.field).collect();
    fields.sort();
    assert_eq!(fields, ["company_name", "email", "first_name", "password", "request_id", "slug", "username"]);

    let weak = RegisterCompanyRequest { password: "short".into(), ..request(&slug()) };
    let refused = client.register_company(weak).await.unwrap_err();
    assert_eq!(refused.get_details_bad_request().unwrap().field_violations[0].field, "password");
    service.stop().await;
}

#[tokio::test]
async fn the_same_sign_up_goes_on_where_it_was_cut_off() {
    let others = Others::default();
    let service = start(&others).await;
    let request = request(&slug());
    let mut client = UserServiceClient::new(service.anybody());
    // The password cannot be stored: nothing is there.
    others.set_away(true);
    assert_eq!(client.register_company(request.clone()).await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(subject(&service, &request.email).await, None);
    others.credentials.store(0, Ordering::SeqCst);
    // The roles cannot be made: the company waits, closed.
    others.authentication_away.store(false, Ordering::SeqCst);
    assert_eq!(client.register_company(request.clone()).await.unwrap_err().code(), Code::Unavailable);
    let waiting = subject(&service, &request.email).await.unwrap();
    assert_eq!(waiting.company_status(), CompanyStatus::Provisioning);
    others.iam_away.store(false, Ordering::SeqCst);
    let reply = client.register_company(request.clone()).await.unwrap().into_inner();
    assert_eq!(reply.company.unwrap().status(), CompanyStatus::Active);
    let opened = subject(&service, &request.email).await.unwrap();
    assert_eq!((opened.company_status(), opened.user_id), (CompanyStatus::Active, waiting.user_id));

    let events = service.events().await;
    let keys: Vec<&str> = events.iter().map(taskman_events::Envelope::routing_key).collect();
    assert_eq!(keys, ["company.created", "user.created"]);
    assert_eq!(others.credentials.load(Ordering::SeqCst), 1);
    // What is finished needs nobody to be there.
    others.set_away(true);
    client.register_company(request).await.unwrap();
    service.stop().await;
}

#[tokio::test]
async fn a_sign_up_that_was_cut_off_is_finished_later() {
    let others = Others::default();
    let service = start(&others).await;
    let slug = slug();
    let request = RegisterCompanyRequest { email: format!("eve@{slug}.example.com"), ..request(&slug) };
    let waiting = provisioning(&service, &request).await;
    assert_eq!(waiting.company_status(), CompanyStatus::Provisioning);
    service.clock().advance(chrono::TimeDelta::seconds(31));
    let opened = wait_for("the job to finish the sign-up", || async {
        subject(&service, &request.email).await.filter(|subject| subject.company_status() == CompanyStatus::Active)
    })
    .await;
    assert_eq!(opened.user_id, waiting.user_id);
    service.stop().await;
}

/// Leaves a sign-up as a crash does before the roles are made, and returns the user of the company that waits.
async fn provisioning(service: &TestService, request: &RegisterCompanyRequest) -> LoginSubject {
    let id = taskman_ids::CompanyId::derived(request.request_id.parse().unwrap(), "company");
    let admin = taskman_ids::UserId::derived(request.request_id.parse().unwrap(), "admin");
    let now = taskman_clock::Clock::now(service.clock());
    sqlx::query(
        "INSERT INTO companies (id, name, slug, status, admin_id, signup, created_at, updated_at)
         VALUES ($1, 'x', $2, 'provisioning', $3, sha256('x'), $4, $4)",
    )
    .bind(id)
    .bind(&request.slug)
    .bind(admin)
    .bind(now)
    .execute(service.pool())
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO users (id, company_id, email, email_normalised, username, created_at, updated_at)
         VALUES ($1, $2, $3, $3, 'eve', $4, $4)",
    )
    .bind(admin)
    .bind(id)
    .bind(&request.email)
    .bind(now)
    .execute(service.pool())
    .await
    .unwrap();
    subject(service, &request.email).await.unwrap()
}
