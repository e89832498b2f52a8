//! One afternoon of a company, played over HTTP/JSON against a running fleet.
//!
//! `make demo` shows it to people; the flow tests play it to see that every part does its work. Each step says what it
//! expects, and the story ends with an error at the first that goes otherwise.

mod acts;
mod http;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

pub use http::{Answer, Http};

/// How long something that follows from an event may take to be seen, unless the [`Stage`] says otherwise.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// One request and its answer.
#[derive(Debug, Clone)]
pub struct Step {
    /// What it is for.
    pub title: &'static str,
    /// The request id that it carried.
    pub request_id: String,
    /// `POST /api/v1/tasks`.
    pub request: String,
    /// What was sent, without passwords and tokens.
    pub body: Option<Value>,
    /// The status of the answer.
    pub status: u16,
    /// What came back, without tokens.
    pub answer: Value,
}

/// What is told while the story is played.
#[derive(Debug, Clone)]
pub enum Told {
    /// A step was made.
    Step(Box<Step>),
    /// A mail arrived: recipient's part and subject.
    Mail {
        /// Who got it.
        to: String,
        /// Its subject.
        subject: String,
    },
    /// The events that each request left, by request id, as the audit has them.
    Trail(BTreeMap<String, Vec<String>>),
}

/// Where the fleet is.
#[derive(Debug, Clone)]
pub struct Stage {
    /// The gateway.
    pub gateway_url: String,
    /// The mail catcher.
    pub mail_url: String,
    /// How long something that follows from an event may take to be seen.
    pub patience: Duration,
}

impl Stage {
    /// Describes a fleet that nothing is wrong with: it gets the usual [`PATIENCE`].
    pub fn new(gateway_url: &str, mail_url: &str) -> Self {
        Self { gateway_url: gateway_url.to_owned(), mail_url: mail_url.to_owned(), patience: PATIENCE }
    }
}

/// What the story leaves behind, for those who look closer.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The company.
    pub company_id: String,
    /// Its administrator.
    pub admin_id: String,
    /// The developer.
    pub developer_id: String,
    /// The project.
    pub project_id: String,
    /// The task.
    pub task_id: String,
    /// The administrator's address.
    pub admin_email: String,
    /// The administrator's password.
    pub admin_password: String,
    /// The decision that refused the developer.
    pub decision_id: String,
    /// Each step's title and request id.
    pub requests: Vec<(&'static str, String)>,
}

/// Plays the whole story and tells of each step.
pub async fn play(stage: &Stage, tell: &mut (dyn FnMut(Told) + Send)) -> anyhow::Result<Outcome> {
    let mut http = Http::new(stage.clone(), tell)?;
    let mut outcome = Outcome::default();
    let cast = acts::Cast::new();
    let admin = acts::sign_up(&mut http, &cast, &mut outcome).await?;
    acts::invite_developer(&mut http, &cast, &admin, &mut outcome).await?;
    let developer = acts::work(&mut http, &cast, &admin, &mut outcome).await?;
    let developer = acts::forget_password(&mut http, &cast, developer).await?;
    acts::read_audit(&mut http, &admin, &outcome).await?;
    acts::try_too_much(&mut http, &admin, &developer, &mut outcome).await?;
    acts::look_from_outside(&mut http, &cast, &outcome).await?;
    acts::shut_out(&mut http, &admin, &developer, &outcome).await?;
    acts::leave(&mut http, admin).await?;
    acts::tell_the_trail(&mut http, &cast, &outcome).await?;
    outcome.requests = http.requests();
    Ok(outcome)
}
