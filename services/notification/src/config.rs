//! What only the notification service has to be told.

use secrecy::SecretString;
use serde::Deserialize;

/// The configuration of the notification service.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The mail server.
    pub smtp: Smtp,
    /// Where people use TaskMan: the links in mails begin with it.
    pub public_url: String,
    /// After how many milliseconds a mail that failed is tried again: one retry for each number.
    pub retry_delays_ms: Vec<u64>,
    /// How often mails are looked for that nobody announced, in milliseconds.
    pub poll_ms: u64,
}

/// The mail server.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Smtp {
    /// `smtps://user:password@host` for TLS from the start, `smtp://user:password@host?tls=required` for STARTTLS,
    /// `smtp://host:port` without TLS for development.
    pub url: SecretString,
    /// The sender of every mail, such as `TaskMan <taskman@example.com>`.
    pub from: String,
    /// After how many milliseconds the mail server has to have answered.
    pub timeout_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            smtp: Smtp::default(),
            public_url: "http://localhost:3000".to_owned(),
            retry_delays_ms: vec![5_000, 30_000, 300_000, 1_800_000, 7_200_000],
            poll_ms: 500,
        }
    }
}

impl Default for Smtp {
    fn default() -> Self {
        Self {
            url: SecretString::from("smtp://127.0.0.1:1025"),
            from: "TaskMan <taskman@example.com>".to_owned(),
            timeout_ms: 10_000,
        }
    }
}
