//! What only the gateway is told; the defaults are right for development.

use std::time::Duration;

use serde::Deserialize;

/// The configuration of the gateway.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Networks (CIDR) whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<String>,
    /// Origins that browsers may call from, exactly as they send them: `https://app.example.com`.
    pub cors_origins: Vec<String>,
    /// Limits of connections.
    pub connections: Connections,
    /// Limits of requests.
    pub requests: Requests,
    /// The longest that a call may take, in milliseconds, whatever the client allows.
    pub deadline_ms: u64,
    /// The same for calls of the class EXPORT.
    pub export_deadline_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            connections: Connections::default(),
            requests: Requests::default(),
            deadline_ms: 10_000,
            export_deadline_ms: 30_000,
        }
    }
}

/// Limits of connections.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Connections {
    /// How many may be open at once.
    pub max: usize,
    /// How many may be open at once from one address, or one /64 of IPv6; trusted proxies are exempt.
    pub max_per_address: usize,
    /// Until when the first bytes, which tell the protocol, must be there, in milliseconds.
    pub preface_ms: u64,
    /// Until when the head of an HTTP/1.1 request must be there, in milliseconds; the wait for the next one counts, too.
    pub head_ms: u64,
    /// How long an HTTP/2 connection may be open without a request, in milliseconds.
    pub idle_ms: u64,
    /// How old a connection may become, give or take a tenth, in milliseconds; then clients balance anew.
    pub max_age_ms: u64,
    /// How many requests of one HTTP/2 connection may run at once.
    pub max_streams: u32,
    /// How often a silent HTTP/2 client is asked whether it is there, in milliseconds.
    pub ping_ms: u64,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            max: 10_000,
            max_per_address: 512,
            preface_ms: 5_000,
            head_ms: 10_000,
            idle_ms: 60_000,
            max_age_ms: 300_000,
            max_streams: 128,
            ping_ms: 20_000,
        }
    }
}

/// Limits of requests.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Requests {
    /// How many may run at once; more are told to come back.
    pub max_in_flight: usize,
    /// The bytes of request line and headers.
    pub max_head_bytes: usize,
    /// The number of headers.
    pub max_headers: usize,
    /// The bytes of a body.
    pub max_body_bytes: usize,
    /// The bytes of a service's response.
    pub max_response_bytes: usize,
    /// How long a body may come as slowly as it likes, in milliseconds.
    pub body_grace_ms: u64,
    /// The bytes of a body that must come each second after that.
    pub min_body_rate: u32,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            max_in_flight: 1_024,
            max_head_bytes: 16 * 1024,
            max_headers: 100,
            max_body_bytes: 1024 * 1024,
            max_response_bytes: 8 * 1024 * 1024,
            body_grace_ms: 5_000,
            min_body_rate: 1_000,
        }
    }
}

impl Requests {
    /// Returns how long a body may come slowly.
    pub const fn body_grace(&self) -> Duration {
        Duration::from_millis(self.body_grace_ms)
    }
}
