//! Who receives which events: the one table that the broker's queues are made from.

use crate::Exchange;

/// What a queue receives from one exchange.
pub type Binding = (Exchange, &'static str);

/// One durable queue of one service, for one purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscription {
    /// The name of the queue: `<service>.<purpose>`.
    pub queue: &'static str,
    /// The service that consumes it.
    pub service: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// The exchanges and the patterns of routing keys.
    pub bindings: &'static [Binding],
    /// How many messages may be with one consumer without being acknowledged.
    pub prefetch: u16,
}

/// Every durable queue. Each process declares all of them before it publishes, so that an event reaches a consumer that
/// has never run yet.
pub const SUBSCRIPTIONS: &[Subscription] = &[
    Subscription {
        queue: "audit.all",
        service: "audit",
        purpose: "keeps a record of everything",
        bindings: &[
            (Exchange::Auth, "#"),
            (Exchange::User, "#"),
            (Exchange::Task, "#"),
            (Exchange::Iam, "#"),
            (Exchange::Notification, "#"),
            (Exchange::Audit, "#"),
            (Exchange::Authz, "#"),
        ],
        prefetch: 1_000,
    },
    Subscription {
        queue: "notification.mail",
        service: "notification",
        purpose: "writes to people",
        bindings: &[
            (Exchange::User, "user.created"),
            (Exchange::Auth, "auth.password.reset_requested"),
            (Exchange::Auth, "auth.password.reset"),
            (Exchange::Task, "task.assigned"),
            (Exchange::Task, "task.completed"),
        ],
        prefetch: 32,
    },
    Subscription {
        queue: "iam-admin.default-role",
        service: "iam-admin",
        purpose: "gives new users their first role",
        bindings: &[(Exchange::User, "user.created")],
        prefetch: 32,
    },
    Subscription {
        queue: "authentication.subjects",
        service: "authentication",
        purpose: "ends the sessions of those who may no longer log in",
        bindings: &[
            (Exchange::User, "user.deactivated"),
            (Exchange::User, "user.deleted"),
            (Exchange::User, "company.suspended"),
        ],
        prefetch: 32,
    },
];

/// Finds a subscription by the name of its queue.
pub fn subscription(queue: &str) -> Option<&'static Subscription> {
    SUBSCRIPTIONS.iter().find(|subscription| subscription.queue == queue)
}

impl Subscription {
    /// Says whether the queue receives `key` from `exchange`.
    pub fn receives(&self, exchange: Exchange, key: &str) -> bool {
        self.bindings.iter().any(|(from, pattern)| *from == exchange && matches(pattern, key))
    }
}

/// Compares as a topic exchange does: `*` is one word, `#` is any number of words.
fn matches(pattern: &str, key: &str) -> bool {
    fn walk(pattern: &[&str], key: &[&str]) -> bool {
        match (pattern, key) {
            ([], []) => true,
            (["#", rest @ ..], _) => walk(rest, key) || (!key.is_empty() && walk(pattern, &key[1..])),
            (["*", rest @ ..], [_, words @ ..]) => walk(rest, words),
            ([word, rest @ ..], [first, words @ ..]) => word == first && walk(rest, words),
            _ => false,
        }
    }
    walk(&pattern.split('.').collect::<Vec<_>>(), &key.split('.').collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CATALOGUE;

    #[test]
    fn patterns_match_like_a_topic_exchange() {
        for (pattern, key, expected) in [
            ("#", "task.assigned", true),
            ("auth.#", "auth.login.success", true),
            ("auth.*", "auth.login.success", false),
            ("auth.*", "auth.logout", true),
            ("auth.#", "auth", true),
            ("#.success", "auth.login.success", true),
            ("task.assigned", "task.assigned", true),
            ("task.assigned", "task.assigned.more", false),
        ] {
            assert_eq!(matches(pattern, key), expected, "{pattern} {key}");
        }
    }

    #[test]
    fn every_event_reaches_the_audit_trail() {
        let audit = subscription("audit.all").unwrap();
        for event in CATALOGUE {
            assert!(audit.receives(event.exchange, event.key), "{}", event.key);
        }
    }

    #[test]
    fn a_queue_is_named_after_its_service_and_no_two_are_alike() {
        for (at, one) in SUBSCRIPTIONS.iter().enumerate() {
            assert!(one.queue.starts_with(&format!("{}.", one.service)), "{}", one.queue);
            assert!(SUBSCRIPTIONS[at + 1..].iter().all(|other| other.queue != one.queue), "{}", one.queue);
            assert!(one.prefetch > 0, "{}", one.queue);
        }
    }
}
