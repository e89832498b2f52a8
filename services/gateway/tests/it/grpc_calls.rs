//! gRPC and gRPC-Web through the whole chain.

use taskman_proto::task::GetTaskRequest;
use taskman_proto::task::task_service_client::TaskServiceClient;
use taskman_proto::user::user_service_client::UserServiceClient;
use taskman_proto::user::{self as pb, GetUserRequest};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use crate::world::{World, nobody};

async fn connect(world: &World) -> Channel {
    Endpoint::try_from(world.url("")).unwrap().connect().await.unwrap()
}

fn with_token<M>(world: &World, message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {}", world.person().1).parse().unwrap());
    request
}

/// Returns a client that speaks HTTP/2 and knows nothing of gRPC.
fn http2() -> reqwest::Client {
    reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap()
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

#[tokio::test]
async fn a_native_call_passes_the_same_chain() {
    let world = World::new().await;
    let mut client = UserServiceClient::new(connect(&world).await);
    let response = client.get_user(with_token(&world, GetUserRequest { id: "u1".into() })).await.unwrap();
    assert!(response.metadata().get("x-request-id").is_some() && response.metadata().get("ratelimit").is_some());
    assert_eq!(response.into_inner().user.unwrap().version, 3);
    world.voucher("/taskman.user.v1.UserService/GetUser");
    let asked = world.policies.asked.lock().unwrap().clone();
    assert_eq!(asked, [("users:view".to_owned(), vec!["users/u1".to_owned()])]);

    let created = client.create_user(with_token(&world, pb::CreateUserRequest::default())).await.unwrap();
    assert_eq!(created.metadata().get("idempotent-replayed").unwrap(), "true");
    assert!(created.metadata().get("x-internal").is_none());
}

#[tokio::test]
async fn a_compressed_request_is_understood() {
    let world = World::new().await;
    let client = UserServiceClient::new(connect(&world).await);
    let mut client = client.send_compressed(tonic::codec::CompressionEncoding::Gzip);
    let user = client.get_user(with_token(&world, GetUserRequest { id: "u1".into() })).await.unwrap().into_inner().user;
    assert_eq!(user.unwrap().id, "u1");
}

#[tokio::test]
async fn refusals_are_statuses_with_reasons() {
    let world = World::new().await;
    let mut client = UserServiceClient::new(connect(&world).await);
    let missing = client.get_user(GetUserRequest { id: "u1".into() }).await.unwrap_err();
    assert_eq!((missing.code(), reason(&missing)), (Code::Unauthenticated, "TOKEN_MISSING".into()));
    world.policies.denied.lock().unwrap().push("users:view".into());
    let denied = client.get_user(with_token(&world, GetUserRequest { id: "u1".into() })).await.unwrap_err();
    assert_eq!((denied.code(), reason(&denied)), (Code::PermissionDenied, "PERMISSION_DENIED".into()));
    world.users.fail([Status::internal("connection to db-7 refused")]);
    let fault = client.get_current_user(with_token(&world, pb::GetCurrentUserRequest {})).await.unwrap_err();
    assert_eq!((fault.code(), fault.message()), (Code::Internal, "internal error"));
    let mut tasks = TaskServiceClient::new(connect(&world).await);
    let away = tasks.get_task(with_token(&world, GetTaskRequest { id: "t1".into() })).await.unwrap_err();
    assert_eq!(away.code(), Code::Unavailable);
}

#[tokio::test]
async fn fleet_and_unknown_methods_do_not_exist_outside() {
    let world = World::new().await;
    let mut client = UserServiceClient::new(connect(&world).await);
    let fleet =
        client.get_subject(with_token(&world, pb::GetSubjectRequest { user_id: "u1".into() })).await.unwrap_err();
    assert_eq!((fleet.code(), reason(&fleet)), (Code::Unimplemented, "UNIMPLEMENTED".into()));
    let stream = client.watch_changes(with_token(&world, pb::WatchChangesRequest::default())).await.unwrap_err();
    assert_eq!(stream.code(), Code::Unimplemented);
    assert_eq!(world.users.calls(), 0);

    let unknown =
        http2().post(world.url("/no.Such/Method")).header("content-type", "application/grpc").send().await.unwrap();
    assert_eq!((unknown.status().as_u16(), unknown.headers()["grpc-status"].to_str().unwrap()), (200, "12"));
    let h1 =
        nobody().post(world.url("/no.Such/Method")).header("content-type", "application/grpc").send().await.unwrap();
    assert_eq!(h1.headers()["grpc-status"], "3");
}

#[tokio::test]
async fn a_native_call_ends_at_its_deadline() {
    let world = World::new().await;
    let _held = world.users.hold();
    // Sent raw: the library's client keeps the time itself and may be the first to give up.
    let request = http2()
        .post(world.url("/taskman.user.v1.UserService/GetUser"))
        .bearer_auth(world.person().1)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", "200m")
        .body(framed(&GetUserRequest { id: "u1".into() }));
    let ended = request.send().await.unwrap();
    assert_eq!((ended.status().as_u16(), ended.headers()["grpc-status"].to_str().unwrap()), (200, "4"));
}

/// Frames a message the way gRPC and gRPC-Web send it.
fn framed(message: &impl prost::Message) -> Vec<u8> {
    let bytes = message.encode_to_vec();
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&[0][..], &length, &bytes].concat()
}

#[tokio::test]
async fn grpc_web_passes_in_both_of_its_forms() {
    use base64::Engine as _;
    let world = World::new().await;
    let base64 = base64::engine::general_purpose::STANDARD;
    let (message, url) =
        (framed(&GetUserRequest { id: "u1".into() }), world.url("/taskman.user.v1.UserService/GetUser"));
    let (_, token) = world.person();
    let send = |kind: &'static str, body: Vec<u8>| {
        let request = nobody().post(&url).bearer_auth(&token).header("content-type", kind).header("accept", kind);
        request.body(body).send()
    };
    let binary = send("application/grpc-web+proto", message.clone()).await.unwrap();
    assert_eq!(binary.headers()["content-type"], "application/grpc-web+proto");
    let binary = binary.bytes().await.unwrap();
    let trailers = String::from_utf8_lossy(&binary).into_owned();
    assert!(
        binary[0] == 0 && trailers.contains("grpc-status:0") && trailers.contains("ada@example.com"),
        "{trailers:?}"
    );

    let text = send("application/grpc-web-text", base64.encode(&message).into_bytes()).await.unwrap();
    let text = text.text().await.unwrap();
    // Message and trailers are encoded one after the other, each with its own padding: group by group they decode.
    let decoded: Vec<u8> = text.as_bytes().chunks(4).flat_map(|group| base64.decode(group).unwrap()).collect();
    assert!(String::from_utf8_lossy(&decoded).contains("ada@example.com"), "{text}");

    let refused =
        nobody().post(&url).header("content-type", "application/grpc-web+proto").body(message).send().await.unwrap();
    assert_eq!(refused.headers()["grpc-status"], "16");
}
