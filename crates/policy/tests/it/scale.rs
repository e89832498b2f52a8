//! Compares a decision among 40 000 policies with one among 800.

use std::time::{Duration, Instant};

use taskman_policy::{CompanySnapshot, PolicySource, ResourceAttributes};

use crate::builders::{may_edit, policy, snapshot, subject};

/// A company whose policies are about single tasks, all held through one role; one of them is about the task asked for.
fn company(size: u128) -> CompanySnapshot {
    let about = |number| PolicySource {
        actions: vec!["tasks:edit".to_owned(), "tasks:view".to_owned()],
        resources: vec![format!("tasks/{number}"), format!("tasks/{number}/**")],
        ..policy(number)
    };
    snapshot((1..=size).map(|number| (about(number), [1].as_slice())).collect())
}

/// Returns the time of the fastest of many rounds of each, which other work on the machine disturbs least. The rounds
/// take turns, so that what disturbs the ones disturbs the others.
fn fastest(snapshots: [&CompanySnapshot; 2]) -> [Duration; 2] {
    let subject = subject(&[(1, "developer")]);
    let round = |snapshot: &CompanySnapshot| {
        let start = Instant::now();
        for _ in 0..100 {
            assert!(may_edit(snapshot, &subject, &ResourceAttributes::NotFetched).is_allowed());
        }
        start.elapsed()
    };
    (0..50)
        .fold([Duration::MAX; 2], |[small, large], _| [small.min(round(snapshots[0])), large.min(round(snapshots[1]))])
}

#[test]
fn deciding_among_forty_thousand_policies_costs_at_most_twice_as_much_as_among_eight_hundred() {
    let [small, large] = fastest([&company(800), &company(40_000)]);
    assert!(large <= small * 2, "{large:?} against {small:?} for 100 decisions");
}
