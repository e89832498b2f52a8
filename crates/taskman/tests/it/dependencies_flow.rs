//! What happens when something that a request needs, or does not need, is away.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use taskman_devstack::{Profile, Redis};
use taskman_ids::UserId;
use taskman_testkit::{wait_for, wait_until};

use crate::fleet::TestFleet;

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_everything_works() {
    let folder = tempfile::tempdir().unwrap();
    let mut redis = Redis::start(folder.path(), Profile::Test).await.unwrap();
    let url = redis.url();
    let fleet = TestFleet::start_with(|options| options.stores.redis_url = Some(url)).await;
    redis.stop().await.unwrap();
    fleet.play().await;
    fleet.stop().await;
}

/// Somebody who works through the gateway.
struct Person {
    client: reqwest::Client,
    gateway: String,
    token: String,
}

impl Person {
    /// Signs a company up and logs its administrator in.
    async fn sign_up(gateway: &str) -> Self {
        let client = reqwest::Client::new();
        let slug = format!("c{}", taskman_ids::new_uuid().simple());
        let (email, password) = (format!("admin@{slug}.example.com"), "a long enough walk");
        let company = json!({
            "company_name": "Company", "slug": slug, "email": email, "username": "admin", "password": password
        });
        let created = client.post(format!("{gateway}/api/v1/companies")).json(&company).send().await.unwrap();
        assert_eq!(created.status(), StatusCode::CREATED);
        let login = json!({"email": email, "password": password});
        let session: Value =
            client.post(format!("{gateway}/auth/login")).json(&login).send().await.unwrap().json().await.unwrap();
        let token = session["access_token"].as_str().unwrap().to_owned();
        Self { client, gateway: gateway.to_owned(), token }
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> reqwest::Response {
        let request = self.client.request(method, format!("{}{path}", self.gateway)).bearer_auth(&self.token);
        request.json(&body).send().await.unwrap()
    }

    async fn create(&self, path: &str, body: Value) -> String {
        let answer = self.call(Method::POST, path, body).await;
        assert_eq!(answer.status(), StatusCode::CREATED, "{path}");
        answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn assigning_without_the_user_service_is_refused_in_time_and_works_again_when_it_is_back() {
    let mut fleet = TestFleet::start().await;
    let gateway = format!("http://{}", fleet.fleet.address("gateway").unwrap());
    let person = Person::sign_up(&gateway).await;
    let project = person.create("/api/v1/projects", json!({"name": "Core"})).await;
    let task = person.create(&format!("/api/v1/projects/{project}/tasks"), json!({"title": "Gears"})).await;
    let me = person.client.get(format!("{gateway}/api/v1/users/me")).bearer_auth(&person.token).send().await.unwrap();
    let me: UserId = me.json::<Value>().await.unwrap()["id"].as_str().unwrap().parse().unwrap();

    let address = fleet.fleet.address("user").unwrap();
    fleet.fleet.take("user").unwrap().stop().await;
    let refused_before = refused_by_breaker(&(fleet.process.metrics)("task"));
    let path = format!("/api/v1/tasks/{task}/assign");
    let body = json!({"assignee_id": me.to_string()});
    for _ in 0..8 {
        let asked = std::time::Instant::now();
        let answer = person.call(Method::POST, &path, body.clone()).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers().contains_key("retry-after"));
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        assert!(kind.starts_with("application/problem+json"), "{kind}");
        assert_eq!(answer.json::<Value>().await.unwrap()["reason"], "UNAVAILABLE");
        assert!(asked.elapsed() < Duration::from_secs(5), "the answer came only after {:?}", asked.elapsed());
    }
    wait_until("the breaker to refuse calls", || async {
        person.call(Method::POST, &path, body.clone()).await;
        refused_by_breaker(&(fleet.process.metrics)("task")) > refused_before
    })
    .await;

    fleet.fleet.restart("user", address, &fleet.options, &fleet.process).await.unwrap();
    let assigned = wait_for("the breaker to close", || async {
        let answer = person.call(Method::POST, &path, body.clone()).await;
        (answer.status() == StatusCode::OK).then_some(answer)
    })
    .await;
    assert_eq!(assigned.json::<Value>().await.unwrap()["assignee_id"], me.to_string());
    fleet.stop().await;
}

/// Counts the calls to the user service that the task service's breaker did not let through. All fleets of this process
/// count together, and in no other one is the user service away.
fn refused_by_breaker(metrics: &str) -> u64 {
    let line = metrics.lines().find(|line| {
        line.starts_with("taskman_breaker_rejected_total{")
            && line.contains("service=\"task\"")
            && line.contains("peer=\"user\"")
    });
    line.and_then(|line| line.rsplit(' ').next()).map_or(0, |count| count.parse().unwrap())
}
