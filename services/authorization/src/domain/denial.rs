//! Denials to be recorded: equal ones within a second are one, with a count.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chrono::{DateTime, Utc};
use taskman_events::Origin;
use taskman_events::authz::DecisionDenied;
use taskman_ids::{CompanyId, DecisionId, UserId};

/// A user was refused something.
#[derive(Debug, Clone)]
pub struct Denial {
    /// Who was refused, from where.
    pub origin: Origin,
    /// The user.
    pub user: UserId,
    /// What they wanted to do.
    pub action: String,
    /// To what.
    pub resource: String,
    /// Why, as stable codes.
    pub reasons: Vec<String>,
}

/// What makes denials equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    company: CompanyId,
    user: UserId,
    action: String,
    resource: String,
    reasons: Vec<String>,
    second: i64,
}

/// Denials that are not recorded yet; there are never more than it was made for.
#[derive(Debug)]
pub struct Denials {
    kept: HashMap<Key, (Origin, DecisionDenied)>,
    most: usize,
    lost: u64,
}

impl Denials {
    /// Keeps at most so many different ones.
    pub fn new(most: usize) -> Self {
        Self { kept: HashMap::new(), most, lost: 0 }
    }

    /// Notes a denial and names it: equal ones have the name of the first, under which the record will be found.
    pub fn note(&mut self, denial: Denial, now: DateTime<Utc>) -> DecisionId {
        let Denial { origin, user, action, resource, reasons } = denial;
        let full = self.kept.len() >= self.most;
        let key = Key {
            company: origin.company,
            user,
            action: action.clone(),
            resource: resource.clone(),
            reasons: reasons.clone(),
            second: now.timestamp(),
        };
        match self.kept.entry(key) {
            Entry::Occupied(mut entry) => {
                let event = &mut entry.get_mut().1;
                event.count += 1;
                event.last_at = event.last_at.max(now);
                event.decision_id
            }
            Entry::Vacant(_) if full => {
                self.lost += 1;
                DecisionId::new()
            }
            Entry::Vacant(entry) => {
                let decision_id = DecisionId::new();
                let event = DecisionDenied {
                    decision_id,
                    user_id: user,
                    action,
                    resource,
                    reasons,
                    count: 1,
                    first_at: now,
                    last_at: now,
                };
                entry.insert((origin, event));
                decision_id
            }
        }
    }

    /// Takes the denials of the seconds before the one of `now`, oldest first: nothing will be added to them.
    pub fn take_finished(&mut self, now: DateTime<Utc>) -> Vec<(Origin, DecisionDenied)> {
        self.take(|second| second < now.timestamp())
    }

    /// Takes all denials, oldest first.
    pub fn take_all(&mut self) -> Vec<(Origin, DecisionDenied)> {
        self.take(|_| true)
    }

    fn take(&mut self, due: impl Fn(i64) -> bool) -> Vec<(Origin, DecisionDenied)> {
        let mut taken: Vec<_> = self.kept.extract_if(|key, _| due(key.second)).map(|(_, denial)| denial).collect();
        taken.sort_by_key(|(_, event)| event.decision_id);
        taken
    }

    /// Takes back what could not be recorded; what there is no room for is counted.
    pub fn give_back(&mut self, denials: impl IntoIterator<Item = (Origin, DecisionDenied)>) {
        for (origin, event) in denials {
            let key = Key {
                company: origin.company,
                user: event.user_id,
                action: event.action.clone(),
                resource: event.resource.clone(),
                reasons: event.reasons.clone(),
                second: event.first_at.timestamp(),
            };
            if self.kept.len() < self.most {
                self.kept.insert(key, (origin, event));
            } else {
                self.lost = self.lost.saturating_add_signed(event.count);
            }
        }
    }

    /// Returns how many denials found no room since the last call.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use taskman_events::Actor;

    use super::*;

    fn denial(company: CompanyId, user: UserId, resource: &str) -> Denial {
        Denial {
            origin: Origin::new(company, Actor::User(user)),
            user,
            action: "tasks:edit".to_owned(),
            resource: resource.to_owned(),
            reasons: vec!["DEFAULT_DENY".to_owned()],
        }
    }

    fn at(milliseconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::milliseconds(milliseconds)
    }

    #[test]
    fn equal_denials_within_a_second_are_one_with_a_count_and_a_name() {
        let (mut denials, company, user) = (Denials::new(10), CompanyId::new(), UserId::new());
        let first = denials.note(denial(company, user, "tasks/1"), at(100));
        assert_eq!(denials.note(denial(company, user, "tasks/1"), at(900)), first);
        assert_ne!(denials.note(denial(company, user, "tasks/2"), at(900)), first);
        assert_ne!(denials.note(denial(company, user, "tasks/1"), at(1_000)), first);
        assert!(denials.take_finished(at(999)).is_empty(), "the second is not over");
        let taken = denials.take_finished(at(1_000));
        assert_eq!(taken.iter().map(|(_, event)| event.count).collect::<Vec<_>>(), [2, 1]);
        assert_eq!((taken[0].1.first_at, taken[0].1.last_at), (at(100), at(900)));
        assert_eq!(denials.take_all().len(), 1);
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let (mut denials, company, user) = (Denials::new(1), CompanyId::new(), UserId::new());
        denials.note(denial(company, user, "tasks/1"), at(0));
        denials.note(denial(company, user, "tasks/2"), at(0));
        denials.note(denial(company, user, "tasks/1"), at(0));
        assert_eq!(denials.take_lost(), 1);
        assert_eq!(denials.take_lost(), 0);
        assert_eq!(denials.take_all()[0].1.count, 2, "an equal one needs no room");
    }

    #[test]
    fn what_could_not_be_recorded_is_kept() {
        let (mut denials, company, user) = (Denials::new(2), CompanyId::new(), UserId::new());
        let first = denials.note(denial(company, user, "tasks/1"), at(0));
        let taken = denials.take_all();
        denials.give_back(taken);
        assert_eq!(denials.note(denial(company, user, "tasks/1"), at(500)), first);
        assert_eq!(denials.take_all()[0].1.count, 2);
    }
}
