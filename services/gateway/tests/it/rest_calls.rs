//! REST through the whole chain.

use reqwest::{Response, StatusCode};
use serde_json::{Value as Json, json};
use taskman_identity::Principal;
use taskman_ids::RequestId;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::world::{World, nobody};

const GET_USER: &str = "/taskman.user.v1.UserService/GetUser";

fn header<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

async fn body(response: Response) -> Json {
    response.json().await.unwrap()
}

/// Checks status and reason of a problem and returns it.
async fn problem(response: Response, status: u16, reason: &str) -> Json {
    assert_eq!(header(&response, "content-type"), Some("application/problem+json"));
    let got = response.status().as_u16();
    let problem = body(response).await;
    assert_eq!((got, problem["reason"].as_str()), (status, Some(reason)), "{problem}");
    problem
}

#[tokio::test]
async fn a_read_is_admitted_vouched_for_and_rendered() {
    let world = World::new().await;
    let (user, token) = world.person();
    let id = RequestId::new().to_string();
    let request = nobody()
        .get(world.url("/api/v1/users/u1"))
        .bearer_auth(&token)
        .header("x-request-id", &id)
        .header("accept-language", "de")
        .header("x-taskman-voucher", "forged")
        .header("x-tenant-id", "another");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header(&response, "etag"), Some("\"3\""));
    assert_eq!(header(&response, "x-request-id"), Some(id.as_str()));
    assert_eq!(header(&response, "cache-control"), Some("private, no-cache"));
    assert_eq!(header(&response, "x-content-type-options"), Some("nosniff"));
    assert!(header(&response, "ratelimit").unwrap().starts_with("\"read\";r=599"));
    assert_eq!(header(&response, "strict-transport-security"), None);
    let shown = body(response).await;
    assert_eq!(shown, json!({"id": "u1", "email": "ada@example.com", "active": true, "version": 3}));

    let voucher = world.voucher(GET_USER);
    let Principal::User(caller) = &voucher.principal else { panic!("{voucher:?}") };
    assert_eq!((voucher.issuer.as_str(), caller.user), ("gateway", user));
    assert!(caller.client.address.unwrap().is_loopback());
    let seen = world.users.seen();
    assert_eq!((&seen["x-request-id"], &seen["accept-language"]), (&id.parse().unwrap(), &"de".parse().unwrap()));
    assert!(
        seen.contains_key("grpc-timeout") && !seen.contains_key("authorization") && !seen.contains_key("x-tenant-id")
    );
    let asked = world.policies.asked.lock().unwrap().clone();
    assert_eq!(asked, [("users:view".to_owned(), vec!["users/u1".to_owned()])]);
}

#[tokio::test]
async fn the_literal_path_is_a_method_of_its_own() {
    let world = World::new().await;
    let shown = body(world.client().get(world.url("/api/v1/users/me")).send().await.unwrap()).await;
    assert_eq!(shown["id"], "me");
    assert!(world.policies.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn without_a_good_token_nothing_is_called() {
    let world = World::new().await;
    let missing = nobody().get(world.url("/api/v1/users/u1")).send().await.unwrap();
    assert_eq!(header(&missing, "www-authenticate"), Some("Bearer realm=\"taskman\""));
    problem(missing, 401, "TOKEN_MISSING").await;
    let forged = nobody().get(world.url("/api/v1/users/u1")).bearer_auth("a.b.c").send().await.unwrap();
    assert!(header(&forged, "www-authenticate").unwrap().contains("error=\"invalid_token\""));
    problem(forged, 401, "TOKEN_INVALID").await;
    world.policies.denied.lock().unwrap().push("users:view".into());
    let denied =
        problem(world.client().get(world.url("/api/v1/users/u1")).send().await.unwrap(), 403, "PERMISSION_DENIED")
            .await;
    assert_eq!(denied["metadata"]["decision_id"], "decision-1");
    assert_eq!(world.users.calls(), 0);
}

#[tokio::test]
async fn a_creation_answers_where_the_record_is() {
    const KEY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
    let world = World::new().await;
    let request = world.client().post(world.url("/api/v1/users")).header("idempotency-key", KEY);
    let response = request.json(&json!({"email": "a@example.com", "firstName": "A"})).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(header(&response, "location"), Some("/api/v1/users/u1"));
    assert_eq!(header(&response, "idempotent-replayed"), Some("true"));
    assert_eq!(header(&response, "x-internal"), None);
    assert_eq!(header(&response, "cache-control"), Some("private, no-store"));
    let created = world.users.created();
    assert_eq!((created.request_id.as_str(), created.first_name.as_str()), (KEY, "A"));

    let company = nobody().post(world.url("/api/v1/companies")).json(&json!({"slug": "x"})).send().await.unwrap();
    assert_eq!((company.status().as_u16(), header(&company, "location")), (201, Some("/api/v1/companies/c1")));
    assert_eq!(body(company).await["company"]["status"], "active");
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused_before_the_service() {
    let world = World::new().await;
    let client = world.client();
    let url = |path: &str| world.url(path);
    problem(client.get(url("/api/v1/nothing")).send().await.unwrap(), 404, "ROUTE_NOT_FOUND").await;
    problem(client.get(url("/api/v1/users/")).send().await.unwrap(), 404, "ROUTE_NOT_FOUND").await;
    problem(client.get(url("/api/v1//users")).send().await.unwrap(), 400, "REQUEST_MALFORMED").await;
    problem(client.get(url("/api/v1/users/%zz")).send().await.unwrap(), 400, "REQUEST_MALFORMED").await;
    let wrong = client.delete(url("/api/v1/users")).send().await.unwrap();
    assert_eq!(header(&wrong, "allow"), Some("GET, HEAD, POST"));
    problem(wrong, 405, "METHOD_NOT_ALLOWED").await;
    let text = client.post(url("/api/v1/users")).body("{}").header("content-type", "text/plain");
    problem(text.send().await.unwrap(), 415, "UNSUPPORTED_MEDIA_TYPE").await;
    let zipped = client.post(url("/api/v1/users")).json(&json!({})).header("content-encoding", "gzip");
    problem(zipped.send().await.unwrap(), 415, "UNSUPPORTED_MEDIA_TYPE").await;
    let twice = client
        .post(url("/api/v1/users"))
        .header("content-type", "application/json")
        .body(r#"{"email":"a","email":"b"}"#);
    problem(twice.send().await.unwrap(), 400, "REQUEST_MALFORMED").await;
    let timeout = client.get(url("/api/v1/users")).header("x-request-timeout", "soon");
    problem(timeout.send().await.unwrap(), 400, "REQUEST_MALFORMED").await;

    let wrong = client.post(url("/api/v1/users")).json(&json!({"email": 1, "colour": "red"}));
    let wrong = problem(wrong.send().await.unwrap(), 400, "FIELD_INVALID").await;
    let mut fields: Vec<&str> =
        wrong["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["colour", "email"]);
    let google =
        client.get(url("/api/v1/users?page_size=x")).header("accept", "application/json;profile=\"google.rpc\"");
    let google = body(google.send().await.unwrap()).await;
    assert_eq!(
        (google["code"].as_i64(), google["details"][1]["fieldViolations"][0]["field"].as_str()),
        (Some(3), Some("page_size"))
    );
    assert_eq!(world.users.calls(), 0);
}

#[tokio::test]
async fn versions_spare_readers_and_stop_late_writers() {
    let world = World::new().await;
    let client = world.client();
    let read =
        |name: &'static str, value: &'static str| client.get(world.url("/api/v1/users/u1")).header(name, value).send();
    let known = read("if-none-match", "\"2\", \"3\"").await.unwrap();
    assert_eq!((known.status().as_u16(), header(&known, "etag")), (304, Some("\"3\"")));
    assert!(known.bytes().await.unwrap().is_empty());
    assert_eq!(read("if-none-match", "\"2\"").await.unwrap().status(), StatusCode::OK);
    problem(read("if-match", "\"2\"").await.unwrap(), 412, "ETAG_MISMATCH").await;
    let head = client.head(world.url("/api/v1/users/u1")).send().await.unwrap();
    assert_eq!((head.status().as_u16(), header(&head, "etag")), (200, Some("\"3\"")));
    assert!(head.bytes().await.unwrap().is_empty());

    let activate = || client.post(world.url("/api/v1/users/u1/activate")).header("if-match", "\"7\"").send();
    assert_eq!(activate().await.unwrap().status(), StatusCode::OK);
    assert_eq!(world.users.activated().version, 7);
    let stale = |reason: &str| {
        Status::with_error_details(Code::Aborted, "stale", ErrorDetails::with_error_info(reason, "taskman.dev", []))
    };
    world.users.fail([stale("ETAG_MISMATCH")]);
    problem(activate().await.unwrap(), 412, "ETAG_MISMATCH").await;
    world.users.fail([stale("ETAG_MISMATCH")]);
    let plain = client.post(world.url("/api/v1/users/u1/activate")).send().await.unwrap();
    problem(plain, 409, "ETAG_MISMATCH").await;
}

#[tokio::test]
async fn errors_of_services_are_passed_on_without_their_secrets() {
    let world = World::new().await;
    let client = world.client();
    let read = || client.get(world.url("/api/v1/users/u1")).send();
    let info = ErrorDetails::with_error_info("NOT_FOUND", "taskman.dev", [("kind".to_owned(), "user".to_owned())]);
    world.users.fail([Status::with_error_details(Code::NotFound, "there is no such user", info)]);
    let absent = problem(read().await.unwrap(), 404, "NOT_FOUND").await;
    assert_eq!(
        (absent["detail"].as_str(), absent["metadata"]["kind"].as_str()),
        (Some("there is no such user"), Some("user"))
    );
    world.users.fail([Status::internal("connection to db-7 refused")]);
    let fault = problem(read().await.unwrap(), 500, "INTERNAL").await;
    assert_eq!(fault["detail"], "internal error");
    let away = client.get(world.url("/api/v1/tasks/t1")).send().await.unwrap();
    assert!(header(&away, "retry-after").is_some());
    problem(away, 503, "UNAVAILABLE").await;
}

#[tokio::test]
async fn only_reads_are_repeated_when_a_service_is_away() {
    let world = World::new().await;
    let client = world.client();
    world.users.fail([Status::unavailable("restarting")]);
    assert_eq!(client.get(world.url("/api/v1/users/u1")).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(world.users.calls(), 2);
    world.users.fail([Status::unavailable("restarting")]);
    problem(client.post(world.url("/api/v1/users")).json(&json!({})).send().await.unwrap(), 503, "UNAVAILABLE").await;
    assert_eq!(world.users.calls(), 3);
}

#[tokio::test]
async fn nobody_waits_longer_than_the_client_does() {
    let world = World::new().await;
    let _held = world.users.hold();
    for (name, time) in [("x-request-timeout", "0.2"), ("grpc-timeout", "200m")] {
        let request = world.client().get(world.url("/api/v1/users/u1")).header(name, time);
        problem(request.send().await.unwrap(), 504, "DEADLINE_EXCEEDED").await;
    }
}

#[tokio::test]
async fn sizes_are_bounded_in_both_directions() {
    let config: taskman_gateway::Config = serde_json::from_value(json!({
        "requests": {"max_body_bytes": 1_000, "max_response_bytes": 2_000, "max_head_bytes": 4_000},
    }))
    .unwrap();
    let world = World::with(config, taskman_limits::Quotas::default()).await;
    let client = world.client();
    let large = client.post(world.url("/api/v1/users")).json(&json!({"email": "x".repeat(1_000)}));
    problem(large.send().await.unwrap(), 413, "TOO_LARGE").await;
    world.users.pad(3_000);
    problem(client.get(world.url("/api/v1/users/u1")).send().await.unwrap(), 502, "INTERNAL").await;
    let long = nobody().get(world.url("/api/v1/users")).header("x-long", "x".repeat(5_000)).send().await.unwrap();
    assert_eq!(long.status().as_u16(), 431);
}

#[tokio::test]
async fn limits_count_logins_by_address_and_the_rest_by_user() {
    let quotas = serde_json::from_value(json!({"login": 2, "read": 2})).unwrap();
    let world = World::with(taskman_gateway::Config::default(), quotas).await;
    let register = || nobody().post(world.url("/api/v1/companies")).json(&json!({})).send();
    for _ in 0..2 {
        assert_eq!(register().await.unwrap().status(), StatusCode::CREATED);
    }
    let refused = register().await.unwrap();
    assert_eq!(header(&refused, "ratelimit-policy"), Some("\"login\";q=2;w=60"));
    assert!(header(&refused, "retry-after").unwrap().parse::<u64>().unwrap() > 0);
    problem(refused, 429, "RATE_LIMITED").await;

    let (one, other) = (world.client(), world.client());
    let read = |client: &reqwest::Client| client.get(world.url("/api/v1/users/u1")).send();
    for wanted in [200, 200, 429] {
        assert_eq!(read(&one).await.unwrap().status().as_u16(), wanted);
    }
    assert_eq!(read(&other).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn browsers_of_known_origins_may_call() {
    let config = serde_json::from_value(json!({"cors_origins": ["https://app.example.com"]})).unwrap();
    let world = World::with(config, taskman_limits::Quotas::default()).await;
    let preflight = |origin: &'static str| {
        let request = nobody().request(reqwest::Method::OPTIONS, world.url("/api/v1/users")).header("origin", origin);
        request
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "x-tenant-id")
            .send()
    };
    let known = preflight("https://app.example.com").await.unwrap();
    assert_eq!(header(&known, "access-control-allow-origin"), Some("https://app.example.com"));
    assert!(header(&known, "access-control-allow-headers").unwrap().contains("x-tenant-id"));
    assert_eq!(header(&known, "access-control-max-age"), Some("600"));
    let foreign = preflight("https://evil.example.com").await.unwrap();
    assert_eq!(header(&foreign, "access-control-allow-origin"), None);
    let request = world.client().get(world.url("/api/v1/users/me")).header("origin", "https://app.example.com");
    let response = request.send().await.unwrap();
    assert!(header(&response, "access-control-expose-headers").unwrap().contains("etag"));
    assert!(header(&response, "vary").unwrap().contains("origin"));
    assert_eq!(header(&response, "access-control-allow-credentials"), None);
}

#[tokio::test]
async fn trusted_proxies_tell_who_the_client_is() {
    let config = serde_json::from_value(json!({"trusted_proxies": ["127.0.0.0/8"]})).unwrap();
    let world = World::with(config, taskman_limits::Quotas::default()).await;
    let request = world.client().get(world.url("/api/v1/users/u1"));
    let request = request.header("x-forwarded-for", "198.51.100.9, 203.0.113.7").header("x-forwarded-proto", "https");
    let response = request.send().await.unwrap();
    assert!(header(&response, "strict-transport-security").is_some());
    let address = world.voucher(GET_USER).principal.client().address.unwrap();
    assert_eq!(address.to_string(), "203.0.113.7");
}
