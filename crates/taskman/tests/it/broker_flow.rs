//! The broker dies in the middle of the story.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use taskman_devstack::{Profile, RabbitMq};
use taskman_ids::{RequestId, new_uuid};
use taskman_taskman::story::{Answer, Http, Stage, Told, play};
use taskman_testkit::wait_until;

use crate::fleet::{TestFleet, every_event_is_audited_once, unpublished};

/// The step after which the broker is killed: mails have been waited for by then.
const LAST_WITH_BROKER: &str = "The administrator creates a task";
/// How long the broker stays away: longer than a heartbeat, and than the longest pause before a service connects again.
const AWAY: Duration = Duration::from_secs(20);
/// How long the story waits for mails: the broker has to start again first, and all services have to notice.
const PATIENCE: Duration = Duration::from_mins(3);
/// How soon a deactivated user must be shut out.
const SHUT_OUT_WITHIN: Duration = Duration::from_secs(2);
const PASSWORD: &str = "a long enough walk";

#[tokio::test(flavor = "multi_thread")]
async fn requests_do_not_feel_that_the_broker_is_gone_and_no_event_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = RabbitMq::start(folder.path(), Profile::Test).await.unwrap();
    let url = broker.url();
    let fleet = TestFleet::start_with(|options| options.stores.amqp_url.clone_from(&url)).await;
    let stage = Stage { patience: PATIENCE, ..fleet.stage() };
    let mut untold = |_: Told| {};
    let mut team = Team::sign_up(Http::new(stage.clone(), &mut untold).unwrap()).await;

    let (killed, kill) = tokio::sync::oneshot::channel();
    let story = async move {
        let mut killed = Some(killed);
        let mut tell = |told: Told| {
            if let Told::Step(step) = told
                && step.title == LAST_WITH_BROKER
                && let Some(killed) = killed.take()
            {
                killed.send(()).unwrap();
            }
        };
        // Every request of the story succeeds; the mails come when the broker is back.
        play(&stage, &mut tell).await.unwrap()
    };
    let fault = async {
        kill.await.unwrap();
        broker.kill().await;
        let gone = Instant::now();
        team.work_and_part().await;
        for database in ["auth_db", "task_db", "user_db"] {
            assert!(
                unpublished(&fleet.options.stores, database).await >= 1,
                "{database}: nothing waits for the broker"
            );
        }
        tokio::time::sleep(AWAY.saturating_sub(gone.elapsed())).await;
        broker.restart().await.unwrap();
        broker
    };
    let (_outcome, broker) = tokio::join!(story, fault);
    every_event_is_audited_once(&fleet.options.stores).await;
    fleet.stop().await;
    drop(broker);
}

/// A company of two that works while there is no broker.
struct Team<'a> {
    http: Http<'a>,
    admin: String,
    admin_email: String,
    leaver: String,
    leaver_email: String,
    project: String,
}

impl<'a> Team<'a> {
    /// Signs up, invites somebody and creates a project, with the broker.
    async fn sign_up(mut http: Http<'a>) -> Self {
        let slug = format!("c{}", new_uuid().simple());
        let (admin_email, leaver_email) = (format!("admin@{slug}.example.com"), format!("leaver@{slug}.example.com"));
        let company = json!({
            "company_name": "Team", "slug": slug, "email": admin_email, "username": "admin", "password": PASSWORD
        });
        let signed_up = post(&mut http, "A team signs up", 201, None, "/api/v1/companies", company).await;
        let (token, _) = login(&mut http, &admin_email).await;
        let token = Some(token.as_str());
        let user = json!({"email": leaver_email, "username": "leaver"});
        let leaver = post(&mut http, "The team grows", 201, token, "/api/v1/users", user).await;
        let mail = http.mail(&leaver_email, "Welcome").await.unwrap();
        let link = mail.split_once("token=").unwrap().1.split_whitespace().next().unwrap();
        let choice = json!({"token": link, "new_password": PASSWORD});
        post(&mut http, "Somebody chooses a password", 200, None, "/api/v1/auth/password/reset", choice).await;
        let project = json!({"name": "Team", "key": "TEAM"});
        let project = post(&mut http, "A project is created", 201, token, "/api/v1/projects", project).await;
        Self {
            admin: signed_up.text("user.id").unwrap(),
            admin_email,
            leaver: leaver.text("id").unwrap(),
            leaver_email,
            project: project.text("id").unwrap(),
            http,
        }
    }

    /// Logs in, creates a task and completes it, shuts somebody out, refreshes and logs out.
    async fn work_and_part(&mut self) {
        let http = &mut self.http;
        let (leaver, _) = login(http, &self.leaver_email).await;
        assert_eq!(status_of_me(http, &leaver).await, 200);
        let (admin, refresh) = login(http, &self.admin_email).await;
        let token = Some(admin.as_str());

        let path = format!("/api/v1/projects/{}/tasks", self.project);
        let task = json!({"title": "Carry on", "assignee_id": self.admin});
        let task = post(http, "A task is created", 201, token, &path, task).await.text("id").unwrap();
        post(http, "It is started", 200, token, &format!("/api/v1/tasks/{task}/start"), json!({})).await;
        let done =
            post(http, "It is completed", 200, token, &format!("/api/v1/tasks/{task}/complete"), json!({})).await;
        assert_eq!(done.text("status").unwrap(), "completed");

        let path = format!("/api/v1/users/{}/deactivate", self.leaver);
        post(http, "Somebody is deactivated", 200, token, &path, json!({"reason": "left"})).await;
        let deactivated = Instant::now();
        let looker: &Http<'_> = http;
        wait_until("the token to be refused", || async { status_of_me(looker, &leaver).await == 401 }).await;
        let took = deactivated.elapsed();
        assert!(took < SHUT_OUT_WITHIN, "without the broker somebody was shut out only after {took:?}");

        let body = json!({"refresh_token": refresh});
        let fresh = post(http, "The token is refreshed", 200, None, "/api/v1/auth/refresh", body).await;
        let fresh = fresh.text("access_token").unwrap();
        post(http, "The administrator leaves", 200, Some(&fresh), "/api/v1/auth/logout", json!({})).await;
    }
}

async fn post(
    http: &mut Http<'_>,
    title: &'static str,
    expected: u16,
    token: Option<&str>,
    path: &str,
    body: Value,
) -> Answer {
    http.step(title, expected, token, (Method::POST, path), Some(body)).await.unwrap()
}

/// Returns the access token and the refresh token.
async fn login(http: &mut Http<'_>, email: &str) -> (String, String) {
    let body = json!({"email": email, "password": PASSWORD});
    let session = post(http, "Somebody logs in", 200, None, "/auth/login", body).await;
    (session.text("access_token").unwrap(), session.text("refresh_token").unwrap())
}

async fn status_of_me(http: &Http<'_>, token: &str) -> u16 {
    let id = RequestId::new().to_string();
    let answer = http.send(Some(token), &Method::GET, "/api/v1/users/me", None, &id).await.unwrap();
    answer.status.as_u16()
}
