//! What requests are about: a company with a project and tasks, and who asks.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use reqwest::Method;
use serde_json::{Value, json};
use taskman_ids::{RequestId, new_uuid};

use crate::story::{Answer, Http, Stage};

/// How many tasks there are to be read.
const TASKS: usize = 200;
/// How long the audit may take to know of the last task.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often the audit is asked.
const PAUSE: Duration = Duration::from_millis(50);

/// A company, and its administrator who is logged in.
#[derive(Debug, Clone)]
pub struct Scene {
    stage: Stage,
    email: String,
    password: String,
    /// The administrator.
    pub user_id: String,
    /// The project.
    pub project_id: String,
    /// Its tasks.
    pub task_ids: Vec<String>,
    /// The administrator's access token.
    pub token: String,
}

impl Scene {
    /// Signs a company up and creates a project with tasks.
    pub async fn set(stage: Stage) -> anyhow::Result<Self> {
        let slug = format!("bench-{}", &new_uuid().simple().to_string()[20..]);
        let email = format!("admin@{slug}.example.com");
        let password = format!("a long walk {}", new_uuid().simple());
        let company = json!({
            "company_name": "Bench", "slug": slug, "email": email, "username": "admin", "password": password
        });
        let mut scene = Self {
            stage,
            email,
            password,
            user_id: String::new(),
            project_id: String::new(),
            task_ids: Vec::new(),
            token: String::new(),
        };
        scene.user_id = scene.step("A company signs up", 201, "/api/v1/companies", company).await?.text("user.id")?;
        scene.log_in().await?;
        let project = json!({"name": "Bench", "key": "BENCH"});
        scene.project_id = scene.step("A project is created", 201, "/api/v1/projects", project).await?.text("id")?;
        for number in 1..=TASKS {
            let task = json!({"project_id": scene.project_id, "title": format!("Task {number}")});
            let answer = scene.step("A task is created", 201, "/api/v1/tasks", task).await?;
            scene.task_ids.push(answer.text("id")?);
        }
        Ok(scene)
    }

    /// Takes a fresh token.
    pub async fn log_in(&mut self) -> anyhow::Result<()> {
        let body = json!({"email": self.email, "password": self.password});
        self.token.clear();
        self.token = self.step("The administrator logs in", 200, "/auth/login", body).await?.text("access_token")?;
        Ok(())
    }

    /// Returns a URL at the gateway.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.stage.gateway_url)
    }

    /// Waits until the audit knows of the newest task, and tells how long that took; `None` when it took too long.
    pub async fn settled(&self) -> anyhow::Result<Option<Duration>> {
        let started = Instant::now();
        let newest = self.get("/api/v1/tasks?page_size=1").await?;
        let newest = newest.body["tasks"][0]["id"].as_str().context("there is no task")?.to_owned();
        let path = format!("/api/v1/audit/events?event_type=task.created&target_id={newest}&page_size=1");
        while started.elapsed() < PATIENCE {
            let events = self.get(&path).await?;
            if events.body["events"].as_array().is_some_and(|events| !events.is_empty()) {
                return Ok(Some(started.elapsed()));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(None)
    }

    async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        let mut untold = |_| {};
        let http = Http::new(self.stage.clone(), &mut untold)?;
        let answer = http.send(Some(&self.token), &Method::GET, path, None, &RequestId::new().to_string()).await?;
        anyhow::ensure!(answer.status.is_success(), "GET {path} answered {}", answer.status);
        Ok(answer)
    }

    async fn step(&self, title: &'static str, expected: u16, path: &str, body: Value) -> anyhow::Result<Answer> {
        let mut untold = |_| {};
        let mut http = Http::new(self.stage.clone(), &mut untold)?;
        let token = Some(self.token.as_str()).filter(|token| !token.is_empty());
        http.step(title, expected, token, (Method::POST, path), Some(body)).await
    }
}
