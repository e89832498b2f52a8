//! Rate limits by the class of the method: of the user who calls, or of the address where nobody is known.

use std::fmt::Write as _;
use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};
use sha2::{Digest as _, Sha256};
use taskman_identity::Principal;
use taskman_limits::{Class, Limiter, Quotas, Verdict};
use taskman_proto::options::Limit;

use crate::edge::proxies;
use crate::error::Error;

/// The limits of the gateway.
#[derive(Debug, Clone)]
pub struct RateLimits {
    limiter: Limiter,
    quotas: Quotas,
}

/// Where a client stands with the limit of a class.
pub type Standing = (Class, Verdict);

impl RateLimits {
    /// Counts with `limiter`.
    pub const fn new(limiter: Limiter, quotas: Quotas) -> Self {
        Self { limiter, quotas }
    }

    /// Counts a call before it is known who makes it: guesses at secrets count by address. `None` means that nothing
    /// was counted.
    pub async fn before(&self, limit: Limit, address: IpAddr) -> Option<Standing> {
        match class(limit)? {
            Class::Login => self.count(Class::Login, &by_address(address)).await,
            _ => None,
        }
    }

    /// Counts a call of somebody who is known, or of an address where nobody is.
    pub async fn after(&self, limit: Limit, principal: &Principal, address: IpAddr) -> Option<Standing> {
        match (class(limit)?, principal.caller()) {
            (Class::Login, _) => None,
            (class, Some(caller)) => self.count(class, &format!("{}:{}", caller.company, caller.user)).await,
            (class, None) => self.count(class, &by_address(address)).await,
        }
    }

    async fn count(&self, class: Class, key: &str) -> Option<Standing> {
        let quota = self.quotas.of(class)?;
        Some((class, self.limiter.check(&quota, key).await))
    }
}

/// Lets a call go on that is within its limit.
pub fn check(standing: Option<&Standing>) -> Result<(), Error> {
    match standing {
        Some((_, verdict)) if !verdict.allowed => Err(Error::RateLimited { retry_after: verdict.retry_after }),
        _ => Ok(()),
    }
}

const fn class(limit: Limit) -> Option<Class> {
    match limit {
        Limit::Unspecified => None,
        Limit::Login => Some(Class::Login),
        Limit::Read => Some(Class::Read),
        Limit::Write => Some(Class::Write),
        Limit::Search => Some(Class::Search),
        Limit::Export => Some(Class::Export),
    }
}

/// Names the network of an address without holding it: the limiter's memory is no list of addresses.
fn by_address(address: IpAddr) -> String {
    let digest = Sha256::digest(proxies::network(address).to_string());
    digest.iter().take(16).fold(String::from("address:"), |mut key, byte| {
        // Writing to a String cannot fail.
        let _ = write!(key, "{byte:02x}");
        key
    })
}

/// Tells the client where it stands.
pub fn tell((class, verdict): &Standing, headers: &mut HeaderMap) {
    let name = class.name();
    let policy = format!("\"{name}\";q={};w=60", verdict.limit);
    let state = format!("\"{name}\";r={};t={}", verdict.remaining, verdict.reset.as_secs());
    for (name, text) in [("ratelimit-policy", policy), ("ratelimit", state)] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_ipv6_client_is_its_network_and_no_key_shows_an_address() {
        let key = |text: &str| by_address(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("192.0.2.2"), key("192.0.2.1"));
        assert!(!key("192.0.2.1").contains("192"));
    }

    #[test]
    fn clients_are_told_quota_rest_and_time() {
        let verdict = Verdict {
            allowed: false,
            limit: 10,
            remaining: 0,
            retry_after: Duration::from_secs(6),
            reset: Duration::from_millis(59_900),
        };
        let standing = (Class::Login, verdict);
        let mut headers = HeaderMap::new();
        tell(&standing, &mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"login\";q=10;w=60");
        assert_eq!(headers["ratelimit"], "\"login\";r=0;t=59");
        assert!(
            matches!(check(Some(&standing)), Err(Error::RateLimited { retry_after }) if retry_after.as_secs() == 6)
        );
        assert!(check(None).is_ok());
    }

    #[tokio::test]
    async fn logins_count_by_address_and_before_anything_else() {
        let quotas: Quotas = serde_json::from_str(r#"{"login": 2}"#).unwrap();
        let limits = RateLimits::new(Limiter::on(None, "gateway"), quotas);
        let (one, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        for allowed in [true, true, false] {
            assert_eq!(limits.before(Limit::Login, one).await.unwrap().1.allowed, allowed);
        }
        assert!(limits.before(Limit::Login, other).await.unwrap().1.allowed);
        assert_eq!(limits.before(Limit::Read, one).await, None);
    }
}
