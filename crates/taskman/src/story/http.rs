//! The hands of the story: requests that are told, mails that are waited for.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use taskman_ids::RequestId;

use super::{Stage, Step, Told};

/// Fields that are not told.
const SECRETS: [&str; 5] = ["password", "new_password", "token", "access_token", "refresh_token"];
/// The longest that a rate limit is waited for.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(50);

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The type of the body.
    pub content_type: String,
    /// The body.
    pub body: Value,
}

impl Answer {
    /// Returns a text field of the body; `a.b` is the field `b` of the field `a`.
    pub fn text(&self, path: &str) -> anyhow::Result<String> {
        let found = path.split('.').try_fold(&self.body, |value, name| value.get(name));
        found.and_then(Value::as_str).map(str::to_owned).with_context(|| format!("the answer has no `{path}`"))
    }
}

/// Sends requests to a fleet and tells of them.
pub struct Http<'a> {
    client: reqwest::Client,
    stage: Stage,
    tell: &'a mut (dyn FnMut(Told) + Send),
    requests: Vec<(&'static str, String)>,
}

impl std::fmt::Debug for Http<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http").field("stage", &self.stage).finish_non_exhaustive()
    }
}

impl<'a> Http<'a> {
    /// Speaks to the fleet on `stage`.
    pub fn new(stage: Stage, tell: &'a mut (dyn FnMut(Told) + Send)) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).no_proxy().build()?;
        Ok(Self { client, stage, tell, requests: Vec::new() })
    }

    /// Returns the title and request id of each step so far.
    pub fn requests(&self) -> Vec<(&'static str, String)> {
        self.requests.clone()
    }

    /// Returns how long something that follows from an event may take to be seen.
    pub fn patience(&self) -> Duration {
        self.stage.patience
    }

    /// Tells something.
    pub fn tell(&mut self, told: Told) {
        (self.tell)(told);
    }

    /// Makes a step and expects a status.
    pub async fn step(
        &mut self,
        title: &'static str,
        expected: u16,
        token: Option<&str>,
        (method, path): (Method, &str),
        body: Option<Value>,
    ) -> anyhow::Result<Answer> {
        let request_id = RequestId::new().to_string();
        let answer = self.send(token, &method, path, body.as_ref(), &request_id).await.context(title)?;
        self.requests.push((title, request_id.clone()));
        let step = Step {
            title,
            request_id,
            request: format!("{method} {path}"),
            body: body.map(redacted),
            status: answer.status.as_u16(),
            answer: redacted(answer.body.clone()),
        };
        self.tell(Told::Step(Box::new(step)));
        ensure!(
            answer.status.as_u16() == expected,
            "{title}: {method} {path} answered {} instead of {expected}: {}",
            answer.status,
            redacted(answer.body)
        );
        Ok(answer)
    }

    /// Asks without telling, until `good` says that the answer is the one.
    pub async fn until(
        &self,
        what: &str,
        token: &str,
        path: &str,
        good: impl Fn(&Answer) -> bool,
    ) -> anyhow::Result<Answer> {
        let started = Instant::now();
        loop {
            let answer = self.send(Some(token), &Method::GET, path, None, &RequestId::new().to_string()).await?;
            if good(&answer) {
                return Ok(answer);
            }
            let status = answer.status;
            ensure!(started.elapsed() < self.stage.patience, "waited in vain for {what}; the last answer was {status}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits for a mail to `to` whose subject contains `subject`, and returns its text.
    pub async fn mail(&mut self, to: &str, subject: &str) -> anyhow::Result<String> {
        let url = format!("{}/api/messages?to={to}", self.stage.mail_url.trim_end_matches('/'));
        let started = Instant::now();
        loop {
            let mails: Value = self.client.get(&url).send().await?.json().await?;
            let found = mails.as_array().and_then(|mails| {
                mails.iter().rev().find(|mail| mail["subject"].as_str().is_some_and(|is| is.contains(subject)))
            });
            if let Some(mail) = found {
                let subject = mail["subject"].as_str().unwrap_or_default().to_owned();
                self.tell(Told::Mail { to: to.to_owned(), subject });
                return Ok(mail["text"].as_str().unwrap_or_default().to_owned());
            }
            ensure!(started.elapsed() < self.stage.patience, "waited in vain for the mail “{subject}”");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Sends one request; where a rate limit is in the way, waits as long as the answer says and sends it again.
    pub async fn send(
        &self,
        token: Option<&str>,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        request_id: &str,
    ) -> anyhow::Result<Answer> {
        for _ in 0..10 {
            let url = format!("{}{path}", self.stage.gateway_url);
            let mut request = self.client.request(method.clone(), url).header("x-request-id", request_id);
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            let response = request.send().await?;
            if response.status() == StatusCode::TOO_MANY_REQUESTS {
                let seconds = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
                tokio::time::sleep(Duration::from_secs(seconds.unwrap_or(1)).min(LONGEST_PAUSE)).await;
                continue;
            }
            let status = response.status();
            let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
            let content_type = content_type.unwrap_or_default().to_owned();
            let bytes = response.bytes().await?;
            let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? };
            return Ok(Answer { status, content_type, body });
        }
        bail!("{method} {path}: the rate limit does not let it through")
    }
}

fn redacted(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                if SECRETS.contains(&name.as_str()) && field.is_string() {
                    *field = Value::from("…");
                } else {
                    *field = redacted(field.take());
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = redacted(item.take())),
        _ => {}
    }
    value
}
