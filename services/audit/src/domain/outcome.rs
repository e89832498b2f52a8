//! What was done and how it ended, as the name of an event tells.

/// How an event ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was refused or failed.
    Failure,
}

impl Outcome {
    /// Returns the word that the database holds.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }

    /// Reads the word that the database holds.
    pub fn parse(word: &str) -> Self {
        if word == "failure" { Self::Failure } else { Self::Success }
    }
}

/// The events whose verb is not the last word of their name.
const VERBS: &[(&str, &str)] = &[("auth.login.success", "login"), ("auth.login.failed", "login")];

/// The events that tell of something that was refused or failed. Every other event tells of something that was done.
const FAILURES: &[&str] = &[
    "auth.login.failed",
    "auth.token.reuse_detected",
    "auth.account.locked",
    "authz.decision.denied",
    "email.failed",
    "email.suppressed",
    "webhook.failed",
    "push.failed",
    "audit.verify_failed",
];

/// Returns what was done: `assigned` for `task.assigned`.
pub fn action(event_type: &str) -> &str {
    let exception = VERBS.iter().find(|(name, _)| *name == event_type).map(|(_, verb)| *verb);
    exception.unwrap_or_else(|| event_type.rsplit('.').next().unwrap_or(event_type))
}

/// Returns how it ended.
pub fn outcome(event_type: &str) -> Outcome {
    if FAILURES.contains(&event_type) { Outcome::Failure } else { Outcome::Success }
}

#[cfg(test)]
mod tests {
    use taskman_events::CATALOGUE;

    use super::*;

    #[test]
    fn the_verb_is_the_last_word_or_an_exception() {
        for (name, verb) in [
            ("task.assigned", "assigned"),
            ("iam.role.revoked", "revoked"),
            ("auth.login.success", "login"),
            ("auth.login.failed", "login"),
            ("authz.decision.denied", "denied"),
            ("odd", "odd"),
        ] {
            assert_eq!(action(name), verb, "{name}");
        }
    }

    #[test]
    fn no_event_that_sounds_like_a_failure_counts_as_done() {
        for entry in CATALOGUE {
            let sounds = ["fail", "denied", "refused", "reuse"].iter().any(|word| entry.key.contains(word));
            assert_eq!(outcome(entry.key) == Outcome::Failure, sounds, "{}", entry.key);
        }
    }
}
