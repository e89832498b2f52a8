//! What was found wrong, collected, so that one run shows all of it; and what no answer may hold.

use std::collections::BTreeSet;

use taskman_proto::common::Reason;
use taskman_rpc::{Method, status};
use tonic::Code;

use super::call::Answer;

/// The reasons that every method can answer.
const EVERYWHERE: [&str; 15] = [
    "FIELD_INVALID",
    "REQUEST_MALFORMED",
    "IDEMPOTENCY_KEY_REUSED",
    "REQUEST_IN_FLIGHT",
    "TOKEN_MISSING",
    "TOKEN_INVALID",
    "PERMISSION_DENIED",
    "FLEET_ONLY",
    "NOT_FOUND",
    "RATE_LIMITED",
    "OVERLOADED",
    "TOO_LARGE",
    "DEADLINE_EXCEEDED",
    "UNAVAILABLE",
    "UNIMPLEMENTED",
];

/// What tells of our insides.
const INSIDES: [&str; 20] = [
    "sqlx",
    "select ",
    "insert ",
    "update ",
    "delete from",
    "constraint",
    "relation \"",
    "postgres",
    "redis",
    "amqp",
    "rabbit",
    "tonic",
    "tokio",
    "panicked",
    "backtrace",
    ".rs",
    "/src/",
    "/home/",
    "127.0.0.1",
    "localhost",
];

/// Everything that was wrong.
#[derive(Debug, Default)]
pub(super) struct Findings {
    wrong: Vec<String>,
    calls: usize,
    /// The methods that did what they are for, for somebody.
    done: BTreeSet<String>,
}

impl Findings {
    /// Looks at an answer of `method` to a caller that may not see any of `secrets` but those in its own request.
    pub(super) fn examine(&mut self, case: &str, method: &Method, sent: &[u8], answer: &Answer, secrets: &[String]) {
        self.calls += 1;
        let sent = String::from_utf8_lossy(sent);
        for secret in secrets.iter().filter(|secret| !sent.contains(secret.as_str())) {
            self.expect(!answer.visible.contains(secret), case, method, answer, &format!("shows {secret} of another"));
        }
        if answer.code == Code::Ok {
            self.done.insert(method.path.clone());
            return;
        }
        let ours = !matches!(answer.code, Code::Internal | Code::Unknown | Code::DataLoss | Code::Cancelled);
        self.expect(ours, case, method, answer, "is a fault");
        let domain = answer.info.as_ref().map(|info| info.domain.as_str());
        self.expect(domain == Some(status::DOMAIN), case, method, answer, "has no ErrorInfo of ours");
        let declared = method.rules.error_reasons.iter().map(String::as_str).chain(EVERYWHERE);
        let known = Reason::from_str_name(&format!("REASON_{}", answer.reason())).is_some();
        let declared = known && declared.into_iter().any(|reason| reason == answer.reason());
        self.expect(declared, case, method, answer, "has a reason that the method does not declare");
        let error = answer.error.to_lowercase();
        for inside in INSIDES {
            self.expect(!error.contains(inside), case, method, answer, &format!("tells of our insides: {inside}"));
        }
    }

    /// Notes what is wrong with an answer unless it is right.
    pub(super) fn expect(&mut self, right: bool, case: &str, method: &Method, answer: &Answer, wrong: &str) {
        if !right {
            let (code, error) = (answer.code, &answer.error);
            self.wrong.push(format!("{case} {}: {wrong} ({code:?} {} {error:?})", method.path, answer.reason()));
        }
    }

    /// Expects a refusal with that code and reason.
    pub(super) fn expect_refusal(&mut self, case: &str, method: &Method, answer: &Answer, code: Code, reason: &str) {
        self.expect(answer.is(code, reason), case, method, answer, &format!("is not {code:?} {reason}"));
    }

    /// Expects that nobody wanted to know who calls.
    pub(super) fn expect_admitted(&mut self, case: &str, method: &Method, answer: &Answer) {
        let stopped = ["TOKEN_MISSING", "TOKEN_INVALID", "PERMISSION_DENIED", "FLEET_ONLY"];
        self.expect(!stopped.contains(&answer.reason()), case, method, answer, "was not admitted");
    }

    /// Expects that a method has succeeded for somebody: refusals of requests that nobody could make prove nothing.
    pub(super) fn expect_done(&mut self, method: &Method) {
        if !self.done.contains(&method.path) {
            self.wrong.push(format!("{} has not succeeded for anybody: its request is wrong", method.path));
        }
    }

    /// Ends the test where anything was wrong.
    pub(super) fn conclude(self) {
        let Self { wrong, calls, .. } = self;
        assert!(wrong.is_empty(), "{} findings in {calls} calls:\n{}", wrong.len(), wrong.join("\n"));
    }
}
