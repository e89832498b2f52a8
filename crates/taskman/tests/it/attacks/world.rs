//! Two companies in a fleet: one that is attacked, and one that attacks.

use chrono::TimeDelta;
use reqwest::Method as Verb;
use serde_json::{Value, json};
use taskman_chassis::Process;
use taskman_ids::{CompanyId, RequestId, UserId, new_uuid};
use taskman_rpc::Method;
use taskman_taskman::fleet::Fleet;
use taskman_taskman::keys::SERVICES;
use taskman_taskman::story::{Http, Told};
use taskman_testkit::{Space, wait_for, wait_until};

use super::call::Door;
use super::clock::ShiftedClock;
use super::oracle::Oracle;
use super::requests::Names;
use crate::fleet::{TestFleet, options};

/// Somebody with a token.
#[derive(Debug, Clone)]
pub(super) struct Person {
    /// The role that the person holds.
    pub(super) role: String,
    pub(super) user: UserId,
    pub(super) email: String,
    pub(super) password: String,
    pub(super) token: String,
    /// For how long the token is good.
    pub(super) lifetime: TimeDelta,
}

/// A company with something to see.
#[derive(Debug)]
pub(super) struct Company {
    pub(super) id: CompanyId,
    /// Who signed it up, and has created all that is in it.
    pub(super) founder: Person,
    /// A user whom nobody needs.
    pub(super) extra: String,
    pub(super) role: String,
    pub(super) project: String,
    pub(super) task: String,
    /// What nobody outside may ever read: parts of each name, address and title, and ids.
    pub(super) secrets: Vec<String>,
    slug: String,
    marks: Marks,
}

/// What makes the texts of a company unmistakable; one for each sort, since a request may hold one of them.
#[derive(Debug)]
struct Marks {
    name: String,
    person: String,
    work: String,
}

impl Company {
    /// Returns the id of one of the company's own.
    pub(super) fn id_of(&self, thing: Names) -> String {
        match thing {
            Names::Company => self.id.to_string(),
            Names::User => self.extra.clone(),
            Names::Role => self.role.clone(),
            Names::Project => self.project.clone(),
            Names::Task => self.task.clone(),
            Names::Inner => new_uuid().to_string(),
        }
    }
}

/// The fleet and everybody in it.
pub(super) struct World {
    pub(super) fleet: TestFleet,
    pub(super) clock: ShiftedClock,
    pub(super) victim: Company,
    pub(super) attacker: Company,
    /// One person of the victim's company for each role.
    pub(super) people: Vec<Person>,
    /// A task of the victim's that its developer has begun.
    pub(super) begun: String,
    /// Somebody of the victim's company who is still active and soon will not be.
    pub(super) leaver: Person,
    doors: Vec<Door>,
}

impl World {
    /// Starts the fleet and lets the companies sign up.
    pub(super) async fn start(oracle: &Oracle) -> Self {
        let (fleet, clock) = start_fleet().await;
        let doors = SERVICES.map(|name| Door::new(name, fleet.fleet.address(name).unwrap())).to_vec();
        let mut tell = |_: Told| {};
        let mut http = Http::new(fleet.stage(), &mut tell).unwrap();
        let victim = found(&mut http).await;
        let attacker = found(&mut http).await;
        let mut people = Vec::new();
        for role in oracle.roles() {
            people.push(join(&mut http, &victim, &role, &role).await);
        }
        let leaver = join(&mut http, &victim, "developer", "leaver").await;
        let developer = people.iter().find(|person| person.role == "developer").unwrap();
        let begun = begin_task(&http, &victim, developer).await;
        Self { fleet, clock, victim, attacker, people, begun, leaver, doors }
    }

    /// Returns the gateway's port.
    pub(super) fn gateway(&self) -> &Door {
        self.doors.iter().find(|door| door.is_gateway()).unwrap()
    }

    /// Returns the ports behind the gateway that serve a method: where several services share it, all of them.
    pub(super) fn behind(&self, method: &Method) -> impl Iterator<Item = &Door> {
        let owner = method.service;
        let inner = self.doors.iter().filter(|door| !door.is_gateway());
        inner.filter(move |door| owner.is_none_or(|owner| owner == door.service))
    }

    /// Returns every port that serves a method.
    pub(super) fn doors(&self, method: &Method) -> impl Iterator<Item = &Door> {
        std::iter::once(self.gateway()).chain(self.behind(method))
    }

    /// Opens another session of somebody.
    pub(super) async fn login_again(&self, person: &Person) -> Person {
        let mut tell = |_: Told| {};
        let http = Http::new(self.fleet.stage(), &mut tell).unwrap();
        login(&http, &person.role, &person.email, &person.password).await
    }
}

async fn start_fleet() -> (TestFleet, ShiftedClock) {
    taskman_chassis::install_crypto();
    let telemetry = taskman_telemetry::install_for_tests();
    let space = Space::new().await;
    let options = options(&space);
    let clock = ShiftedClock::default();
    let shared = std::sync::Arc::new(clock.clone());
    let process = Process { clock: shared, ..Process::new(move |_| telemetry.render_metrics()) };
    let fleet = Fleet::start(&options, &process).await.unwrap();
    wait_until("the fleet to be ready", || async { fleet.is_ready() }).await;
    (TestFleet { fleet, options, process, space }, clock)
}

/// Signs a company up and gives it a project, a task and a user.
async fn found(http: &mut Http<'_>) -> Company {
    let mark = || new_uuid().simple().to_string()[16..].to_owned();
    let (slug, marks) = (format!("c{}", mark()), Marks { name: mark(), person: mark(), work: mark() });
    let (email, password) = (format!("founder@{slug}.example.com"), format!("a walk of {}", mark()));
    let company = json!({
        "company_name": format!("Company {}", marks.name), "slug": slug, "email": email, "password": password,
        "username": format!("founder-{}", marks.person), "first_name": format!("Ada{}", marks.person),
    });
    let signed_up = ask(http, None, Verb::POST, "/api/v1/companies", Some(company)).await;
    let founder = login(http, "admin", &email, &password).await;
    let token = Some(founder.token.as_str());
    let project = json!({"name": format!("Project {}", marks.work), "key": "CORE"});
    let project = text(&ask(http, token, Verb::POST, "/api/v1/projects", Some(project)).await, "id");
    let task = json!({"title": format!("Task {}", marks.work), "project_id": project});
    let task = text(&ask(http, token, Verb::POST, "/api/v1/tasks", Some(task)).await, "id");
    let id = text(&signed_up["company"], "id");
    let secrets = vec![
        id.clone(),
        founder.user.to_string(),
        slug.clone(),
        marks.name.clone(),
        marks.person.clone(),
        marks.work.clone(),
    ];
    let id = id.parse().unwrap();
    let none = String::new();
    let mut company = Company { id, founder, extra: none.clone(), role: none, project, task, secrets, slug, marks };
    company.extra = invite(http, &company, "extra").await.0;
    company.role = role_id(http, &company, "viewer").await;
    company
}

/// Has the founder create a user; returns the id and the address.
async fn invite(http: &Http<'_>, company: &Company, name: &str) -> (String, String) {
    let email = format!("{name}@{}.example.com", company.slug);
    let mark = &company.marks.person;
    let user = json!({"email": email, "username": format!("{name}-{mark}"), "first_name": format!("Lea{mark}")});
    let user = ask(http, Some(&company.founder.token), Verb::POST, "/api/v1/users", Some(user)).await;
    (text(&user, "id"), email)
}

/// Has a user invited, given one role instead of the default, and logged in.
async fn join(http: &mut Http<'_>, company: &Company, role: &str, name: &str) -> Person {
    let token = company.founder.token.as_str();
    let (id, email) = invite(http, company, name).await;
    let path = format!("/api/v1/iam/users/{id}/roles");
    let roles =
        http.until("the default role", token, &path, |answer| answer.body["roles"][0].is_object()).await.unwrap();
    let default = &roles.body["roles"][0]["role"];
    if default["name"] != role {
        let wanted = role_id(http, company, role).await;
        ask(http, Some(token), Verb::PUT, &format!("{path}/{wanted}"), Some(json!({}))).await;
        ask(http, Some(token), Verb::DELETE, &format!("{path}/{}", text(default, "id")), None).await;
    }
    let mail = http.mail(&email, "Welcome").await.unwrap();
    let link = mail.split_once("token=").unwrap().1.split_whitespace().next().unwrap();
    let password = format!("a walk of {}", new_uuid().simple());
    let choice = json!({"token": link, "new_password": password});
    ask(http, None, Verb::POST, "/api/v1/auth/password/reset", Some(choice)).await;
    login(http, role, &email, &password).await
}

/// Gives the developer a task and lets them begin it.
async fn begin_task(http: &Http<'_>, company: &Company, developer: &Person) -> String {
    let task = json!({
        "title": format!("Task {}", company.marks.work), "project_id": company.project,
        "assignee_id": developer.user.to_string(),
    });
    let task = text(&ask(http, Some(&company.founder.token), Verb::POST, "/api/v1/tasks", Some(task)).await, "id");
    ask(http, Some(&developer.token), Verb::POST, &format!("/api/v1/tasks/{task}/start"), Some(json!({}))).await;
    task
}

async fn role_id(http: &Http<'_>, company: &Company, name: &str) -> String {
    let roles = ask(http, Some(&company.founder.token), Verb::GET, "/api/v1/iam/roles", None).await;
    let roles = roles["roles"].as_array().unwrap();
    text(roles.iter().find(|role| role["name"] == name).unwrap(), "id")
}

async fn login(http: &Http<'_>, role: &str, email: &str, password: &str) -> Person {
    let body = json!({"email": email, "password": password});
    let session = ask(http, None, Verb::POST, "/auth/login", Some(body)).await;
    Person {
        role: role.to_owned(),
        user: text(&session, "user_id").parse().unwrap(),
        email: email.to_owned(),
        password: password.to_owned(),
        token: text(&session, "access_token"),
        lifetime: TimeDelta::seconds(session["expires_in"].as_i64().unwrap()),
    }
}

/// Sends a request that must succeed, and again while something is not reachable at the moment.
async fn ask(http: &Http<'_>, token: Option<&str>, verb: Verb, path: &str, body: Option<Value>) -> Value {
    wait_for(path, || async {
        let id = RequestId::new().to_string();
        let answer = http.send(token, &verb, path, body.as_ref(), &id).await.unwrap();
        if answer.status.as_u16() == 503 {
            return None;
        }
        assert!(answer.status.is_success(), "{verb} {path}: {} {}", answer.status, answer.body);
        Some(answer.body)
    })
    .await
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap().to_owned()
}
