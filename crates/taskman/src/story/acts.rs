//! The acts of the story, in order.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use taskman_ids::{RequestId, new_uuid};

use super::http::{Answer, Http};
use super::{Outcome, Told};

/// How soon a deactivated user must be shut out everywhere.
const SHUT_OUT_WITHIN: Duration = Duration::from_secs(2);
/// What the audit is asked for to see everything.
const ALL_EVENTS: &str = "/api/v1/audit/events?page_size=200";

/// The names of the people; each time others, so that the story can be played again.
pub(super) struct Cast {
    slug: String,
    admin_email: String,
    developer_email: String,
    password: String,
}

impl Cast {
    pub(super) fn new() -> Self {
        let slug = format!("engines-{}", &new_uuid().simple().to_string()[20..]);
        Self {
            admin_email: format!("admin@{slug}.example.com"),
            developer_email: format!("developer@{slug}.example.com"),
            password: format!("a long walk {}", new_uuid().simple()),
            slug,
        }
    }
}

/// Somebody who is logged in.
pub(super) struct Session {
    pub(super) access: String,
    pub(super) refresh: String,
}

async fn login(http: &mut Http<'_>, title: &'static str, email: &str, password: &str) -> anyhow::Result<Session> {
    let body = json!({"email": email, "password": password});
    let answer = http.step(title, 200, None, (Method::POST, "/auth/login"), Some(body)).await?;
    Ok(Session { access: answer.text("access_token")?, refresh: answer.text("refresh_token")? })
}

/// RegisterCompany, Login.
pub(super) async fn sign_up(http: &mut Http<'_>, cast: &Cast, outcome: &mut Outcome) -> anyhow::Result<Session> {
    let company = json!({
        "company_name": "Analytical Engines", "slug": cast.slug, "email": cast.admin_email, "username": "admin",
        "password": cast.password, "first_name": "Ada"
    });
    let post = (Method::POST, "/api/v1/companies");
    let answer = http.step("A company signs up", 201, None, post, Some(company)).await?;
    outcome.company_id = answer.text("company.id")?;
    outcome.admin_id = answer.text("user.id")?;
    outcome.admin_email.clone_from(&cast.admin_email);
    outcome.admin_password.clone_from(&cast.password);
    login(http, "Its administrator logs in", &cast.admin_email, &cast.password).await
}

/// CreateProject, CreateUser, the welcome mail, the first password.
pub(super) async fn invite_developer(
    http: &mut Http<'_>,
    cast: &Cast,
    admin: &Session,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let token = Some(admin.access.as_str());
    let project = json!({"name": "Core engine", "key": "CORE"});
    let post = (Method::POST, "/api/v1/projects");
    let answer = http.step("The administrator creates a project", 201, token, post, Some(project)).await?;
    outcome.project_id = answer.text("id")?;

    let user = json!({"email": cast.developer_email, "username": "developer", "first_name": "Charles"});
    let post = (Method::POST, "/api/v1/users");
    let answer = http.step("The administrator creates a user", 201, token, post, Some(user)).await?;
    outcome.developer_id = answer.text("id")?;
    let roles = format!("/api/v1/iam/users/{}/roles", outcome.developer_id);
    let has_role = |answer: &Answer| answer.body["roles"][0]["role"]["name"] == "developer";
    http.until("the default role", &admin.access, &roles, has_role).await?;

    let mail = http.mail(&cast.developer_email, "Welcome").await?;
    let body = json!({"token": token_in(&mail)?, "new_password": first_password(cast)});
    let post = (Method::POST, "/api/v1/auth/password/reset");
    http.step("The developer chooses a password", 200, None, post, Some(body)).await?;
    Ok(())
}

/// CreateTask, AssignTask, StartTask, CompleteTask, and the mails about them.
pub(super) async fn work(
    http: &mut Http<'_>,
    cast: &Cast,
    admin: &Session,
    outcome: &mut Outcome,
) -> anyhow::Result<Session> {
    let token = Some(admin.access.as_str());
    let path = format!("/api/v1/projects/{}/tasks", outcome.project_id);
    let task = json!({"title": "Grind the gears", "description": "All 25 000 of them.", "priority": "high"});
    let answer = http.step("The administrator creates a task", 201, token, (Method::POST, &path), Some(task)).await?;
    outcome.task_id = answer.text("id")?;
    ensure!(answer.text("key")? == "CORE-1", "the first task of the project is not CORE-1");

    let path = format!("/api/v1/tasks/{}/assign", outcome.task_id);
    let body = json!({"assignee_id": outcome.developer_id});
    http.step("The administrator assigns it", 200, token, (Method::POST, &path), Some(body)).await?;
    http.mail(&cast.developer_email, "CORE-1 is yours").await?;

    let title = "The developer logs in";
    let developer = login(http, title, &cast.developer_email, &first_password(cast)).await?;
    let token = Some(developer.access.as_str());
    let path = format!("/api/v1/tasks/{}/start", outcome.task_id);
    http.step("The developer starts it", 200, token, (Method::POST, &path), Some(json!({}))).await?;
    let path = format!("/api/v1/tasks/{}/complete", outcome.task_id);
    let body = json!({"actual_hours": 3.5});
    let answer = http.step("The developer completes it", 200, token, (Method::POST, &path), Some(body)).await?;
    ensure!(answer.text("status")? == "completed", "the task is not completed");
    http.mail(&cast.admin_email, "CORE-1 is done").await?;
    Ok(developer)
}

/// RequestPasswordReset, ResetPassword; the old session is gone.
pub(super) async fn forget_password(http: &mut Http<'_>, cast: &Cast, old: Session) -> anyhow::Result<Session> {
    let post = (Method::POST, "/api/v1/auth/password/forgot");
    let body = json!({"email": cast.developer_email});
    http.step("The developer has forgotten the password", 200, None, post, Some(body)).await?;
    let mail = http.mail(&cast.developer_email, "Choose a new password").await?;
    let body = json!({"token": token_in(&mail)?, "new_password": second_password(cast)});
    let post = (Method::POST, "/api/v1/auth/password/reset");
    http.step("The developer chooses another one", 200, None, post, Some(body)).await?;

    let post = (Method::POST, "/api/v1/auth/refresh");
    let body = json!({"refresh_token": old.refresh});
    http.step("The old session cannot be refreshed", 401, None, post, Some(body)).await?;
    refused(http, &old, "/api/v1/users/me").await?;
    login(http, "The developer logs in again", &cast.developer_email, &second_password(cast)).await
}

/// QueryEvents: every step so far is there once, with actor, target, result and address.
pub(super) async fn read_audit(http: &mut Http<'_>, admin: &Session, outcome: &Outcome) -> anyhow::Result<()> {
    let expected = [
        ("company.created", outcome.admin_id.as_str()),
        ("project.created", &outcome.admin_id),
        ("user.created", &outcome.admin_id),
        ("task.created", &outcome.admin_id),
        ("task.assigned", &outcome.admin_id),
        ("task.started", &outcome.developer_id),
        ("task.completed", &outcome.developer_id),
        ("auth.login.success", &outcome.developer_id),
        // Anybody can ask for that, so nobody is known to have.
        ("auth.password.reset_requested", ""),
        ("auth.password.reset", &outcome.developer_id),
    ];
    let events = http
        .until("every event in the audit", &admin.access, ALL_EVENTS, |answer| {
            expected.iter().all(|(kind, actor)| events(answer).any(|event| is(event, kind, actor)))
        })
        .await?;
    for (kind, actor) in expected {
        let event = events_of(&events).into_iter().find(|event| is(event, kind, actor)).context(kind)?;
        for field in ["target_type", "target_id", "result", "ip_address"] {
            let known = event[field].as_str().is_some_and(|value| !value.is_empty());
            ensure!(known, "the audit's {kind} has no {field}");
        }
    }
    let get = (Method::GET, "/api/v1/audit/events?event_type=task.&page_size=20");
    http.step("The administrator reads the audit trail", 200, Some(&admin.access), get, None).await?;
    Ok(())
}

/// CreateProject by the developer: refused, with a reason and a decision; the denial is in the audit as that decision.
pub(super) async fn try_too_much(
    http: &mut Http<'_>,
    admin: &Session,
    developer: &Session,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let post = (Method::POST, "/api/v1/projects");
    let body = Some(json!({"name": "A project of my own"}));
    let answer = http.step("The developer may not create a project", 403, Some(&developer.access), post, body).await?;
    ensure!(answer.content_type.starts_with("application/problem+json"), "the refusal is no problem+json");
    ensure!(answer.text("reason")? == "PERMISSION_DENIED", "the refusal has another reason");
    outcome.decision_id = answer.text("metadata.decision_id")?;
    let (developer, decision) = (outcome.developer_id.as_str(), outcome.decision_id.as_str());
    let path = "/api/v1/audit/events?event_type=authz.decision.denied";
    let recorded = |answer: &Answer| {
        events(answer).any(|event| {
            event["target_id"] == decision && event["actor_id"] == developer && event["result"] == "failure"
        })
    };
    http.until("the denial in the audit", &admin.access, path, recorded).await?;
    Ok(())
}

/// Another company's administrator asks for the task: it does not exist.
pub(super) async fn look_from_outside(http: &mut Http<'_>, cast: &Cast, outcome: &Outcome) -> anyhow::Result<()> {
    let slug = format!("{}-2", cast.slug);
    let email = format!("admin@{slug}.example.com");
    let company = json!({
        "company_name": "Difference Engines", "slug": slug, "email": email, "username": "admin",
        "password": cast.password
    });
    let post = (Method::POST, "/api/v1/companies");
    http.step("Another company signs up", 201, None, post, Some(company)).await?;
    let other = login(http, "Its administrator logs in, too", &email, &cast.password).await?;
    let path = format!("/api/v1/tasks/{}", outcome.task_id);
    http.step("To it the task does not exist", 404, Some(&other.access), (Method::GET, &path), None).await?;
    Ok(())
}

/// DeactivateUser: the developer's token is refused within two seconds.
pub(super) async fn shut_out(
    http: &mut Http<'_>,
    admin: &Session,
    developer: &Session,
    outcome: &Outcome,
) -> anyhow::Result<()> {
    let path = format!("/api/v1/users/{}/deactivate", outcome.developer_id);
    let body = Some(json!({"reason": "left the company"}));
    let post = (Method::POST, path.as_str());
    http.step("The administrator deactivates the developer", 200, Some(&admin.access), post, body).await?;
    let done = Instant::now();
    let task = format!("/api/v1/tasks/{}", outcome.task_id);
    for path in ["/api/v1/users/me", task.as_str(), "/api/v1/projects", "/api/v1/notifications/history"] {
        refused(http, developer, path).await?;
    }
    ensure!(done.elapsed() < SHUT_OUT_WITHIN, "the developer was shut out only after {:?}", done.elapsed());
    let get = (Method::GET, "/api/v1/users/me");
    http.step("The developer's token is refused", 401, Some(&developer.access), get, None).await?;
    Ok(())
}

/// RefreshToken, Logout; the old access token is refused, too.
pub(super) async fn leave(http: &mut Http<'_>, admin: Session) -> anyhow::Result<()> {
    let post = (Method::POST, "/api/v1/auth/refresh");
    let body = json!({"refresh_token": admin.refresh});
    let answer = http.step("The administrator refreshes the token", 200, None, post, Some(body)).await?;
    let fresh = answer.text("access_token")?;
    let post = (Method::POST, "/api/v1/auth/logout");
    http.step("The administrator logs out", 200, Some(&fresh), post, Some(json!({}))).await?;
    refused(http, &admin, "/api/v1/users/me").await?;
    let get = (Method::GET, "/api/v1/users/me");
    http.step("The old access token is refused", 401, Some(&admin.access), get, None).await?;
    Ok(())
}

/// Login and QueryEvents: what each request of the company left, from the sign-up to this login.
pub(super) async fn tell_the_trail(http: &mut Http<'_>, cast: &Cast, outcome: &Outcome) -> anyhow::Result<()> {
    let admin = login(http, "The administrator comes back", &cast.admin_email, &cast.password).await?;
    let path = "/api/v1/audit/events?event_type=user.deactivated";
    http.until("the deactivation in the audit", &admin.access, path, |answer| events(answer).next().is_some()).await?;
    let path = "/api/v1/audit/events?event_type=auth.&page_size=200";
    http.until("the last events in the audit", &admin.access, path, |answer| {
        let left = |kind: &str| events(answer).any(|event| event["event_type"] == kind);
        let logins = events(answer).filter(|event| is(event, "auth.login.success", &outcome.admin_id)).count();
        left("auth.token.refreshed") && left("auth.logout") && logins == 2
    })
    .await?;

    let mut newest_first = Vec::new();
    let mut path = ALL_EVENTS.to_owned();
    loop {
        let page = http.until("a page of the audit", &admin.access, &path, |page| page.status.is_success()).await?;
        newest_first.extend(events(&page).cloned());
        let next = page.text("next_page_token").unwrap_or_default();
        if next.is_empty() {
            break;
        }
        path = format!("{ALL_EVENTS}&page_token={next}");
    }
    let mut trail: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in newest_first.iter().rev() {
        let request = event["request_id"].as_str().unwrap_or_default().to_owned();
        trail.entry(request).or_default().push(event["event_type"].as_str().unwrap_or_default().to_owned());
    }
    http.tell(Told::Trail(trail));
    Ok(())
}

/// Waits until a token is refused.
async fn refused(http: &Http<'_>, session: &Session, path: &str) -> anyhow::Result<()> {
    let started = Instant::now();
    loop {
        let id = RequestId::new().to_string();
        let answer = http.send(Some(&session.access), &Method::GET, path, None, &id).await?;
        if answer.status.as_u16() == 401 {
            return Ok(());
        }
        ensure!(started.elapsed() < http.patience(), "{path} still answers {} to a token that ended", answer.status);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn first_password(cast: &Cast) -> String {
    format!("{} one", cast.password)
}

fn second_password(cast: &Cast) -> String {
    format!("{} two", cast.password)
}

/// Finds the token in the link of a mail.
fn token_in(mail: &str) -> anyhow::Result<String> {
    let start = mail.find("token=").context("the mail has no link")? + "token=".len();
    Ok(mail[start..].split_whitespace().next().unwrap_or_default().to_owned())
}

fn events(answer: &Answer) -> impl Iterator<Item = &Value> {
    answer.body["events"].as_array().into_iter().flatten()
}

fn events_of(answer: &Answer) -> Vec<&Value> {
    events(answer).collect()
}

fn is(event: &Value, kind: &str, actor: &str) -> bool {
    event["event_type"] == kind && event["actor_id"].as_str().unwrap_or_default() == actor
}
