//! The states of a circuit and what moves it between them.

use super::*;

fn quick() -> Settings {
    let wait = Duration::from_millis(4);
    Settings { shortest_wait: wait, longest_wait: wait, abandoned_after: Duration::ZERO, ..Settings::default() }
}

/// Stays open for as long as a test may take.
fn lasting() -> Settings {
    let wait = Duration::from_mins(10);
    Settings { shortest_wait: wait, longest_wait: wait, ..Settings::default() }
}

fn circuit(settings: Settings) -> Arc<Circuit> {
    Circuit::new("task", "user", settings)
}

fn call(circuit: &Arc<Circuit>, outcome: Outcome) {
    circuit.admit(Outcome::Failed).expect("the circuit lets calls through").settle(outcome);
}

fn repeat(circuit: &Arc<Circuit>, times: u32, outcome: Outcome) {
    for _ in 0..times {
        call(circuit, outcome);
    }
}

/// Asks until the circuit lets a probe through.
fn first_probe(circuit: &Arc<Circuit>) -> Permit {
    let give_up = Instant::now() + Duration::from_secs(10);
    loop {
        if let Ok(permit) = circuit.admit(Outcome::Failed) {
            assert!(permit.is_probe());
            return permit;
        }
        assert!(Instant::now() < give_up, "the circuit never became half-open");
        std::thread::yield_now();
    }
}

#[test]
fn half_of_twenty_calls_failing_opens_it() {
    let circuit = circuit(lasting());
    repeat(&circuit, 10, Outcome::Passed);
    repeat(&circuit, 9, Outcome::Failed);
    assert_eq!(circuit.state(), State::Closed, "nineteen calls are too few to judge");
    call(&circuit, Outcome::Failed);
    assert_eq!(circuit.state(), State::Open);
    let wait = circuit.admit(Outcome::Failed).expect_err("an open circuit refuses");
    assert!(wait <= Duration::from_mins(10) && wait >= Duration::from_mins(1), "{wait:?}");
}

#[test]
fn fewer_failures_than_half_leave_it_closed() {
    let circuit = circuit(lasting());
    for _ in 0..50 {
        repeat(&circuit, 2, Outcome::Passed);
        call(&circuit, Outcome::Failed);
    }
    assert_eq!(circuit.state(), State::Closed);
}

#[test]
fn nobody_there_five_times_in_a_row_opens_it_at_once() {
    let circuit = circuit(lasting());
    repeat(&circuit, 4, Outcome::Lost);
    call(&circuit, Outcome::Failed);
    repeat(&circuit, 4, Outcome::Lost);
    assert_eq!(circuit.state(), State::Closed, "an answer in between breaks the row");
    call(&circuit, Outcome::Lost);
    assert_eq!(circuit.state(), State::Open);
}

#[test]
fn slow_answers_open_it_as_well() {
    let circuit = circuit(Settings { slow_after: Some(Duration::ZERO), ..lasting() });
    repeat(&circuit, 19, Outcome::Passed);
    assert_eq!(circuit.state(), State::Closed);
    call(&circuit, Outcome::Passed);
    assert_eq!(circuit.state(), State::Open);
}

#[test]
fn three_probes_pass_at_a_time_and_all_have_to_succeed() {
    let circuit = circuit(quick());
    repeat(&circuit, 5, Outcome::Lost);
    let mut probes = vec![first_probe(&circuit)];
    probes.extend((0..2).map(|_| circuit.admit(Outcome::Failed).expect("three probes pass")));
    assert!(circuit.admit(Outcome::Failed).is_err(), "a fourth does not");
    probes.pop().expect("one is running").settle(Outcome::Passed);
    assert!(circuit.admit(Outcome::Failed).is_err(), "a passed probe is not replaced");
    probes.pop().expect("one is running").settle(Outcome::Passed);
    assert_eq!(circuit.state(), State::HalfOpen);
    probes.pop().expect("one is running").settle(Outcome::Passed);
    assert_eq!(circuit.state(), State::Closed);
}

#[test]
fn one_failed_probe_opens_it_again_and_late_results_change_nothing() {
    let circuit = circuit(quick());
    let mut straggler = circuit.admit(Outcome::Failed).expect("closed");
    repeat(&circuit, 5, Outcome::Lost);
    let mut first = first_probe(&circuit);
    let mut second = circuit.admit(Outcome::Failed).expect("three probes pass");
    first.settle(Outcome::Failed);
    assert_eq!(circuit.state(), State::Open);
    second.settle(Outcome::Passed);
    straggler.settle(Outcome::Passed);
    assert_eq!(circuit.state(), State::Open);
}

#[test]
fn an_abandoned_probe_gives_its_place_back() {
    let circuit = circuit(Settings { abandoned_after: Duration::from_secs(9), ..quick() });
    repeat(&circuit, 5, Outcome::Lost);
    drop(first_probe(&circuit));
    for _ in 0..2 {
        first_probe(&circuit).settle(Outcome::Passed);
    }
    assert_eq!(circuit.state(), State::HalfOpen);
    first_probe(&circuit).settle(Outcome::Passed);
    assert_eq!(circuit.state(), State::Closed);
}

#[test]
fn calls_given_up_late_are_failures_and_early_ones_are_nothing() {
    let patient = circuit(Settings { abandoned_after: Duration::from_secs(9), ..quick() });
    for _ in 0..40 {
        drop(patient.admit(Outcome::Failed).expect("closed"));
    }
    assert_eq!(patient.state(), State::Closed);
    let hasty = circuit(quick());
    for _ in 0..20 {
        drop(hasty.admit(Outcome::Failed).expect("closed"));
    }
    assert_eq!(hasty.state(), State::Open);
}

#[test]
fn giving_up_an_answer_that_has_begun_is_no_failure() {
    let circuit = circuit(quick());
    for _ in 0..40 {
        circuit.admit(Outcome::Failed).expect("closed").answered();
    }
    assert_eq!(circuit.state(), State::Closed);
}

#[test]
fn every_change_of_state_is_one_log_line_and_the_gauge_shows_the_last() {
    let telemetry = taskman_telemetry::install_for_tests();
    let circuit = Circuit::new("task", "changing", quick());
    repeat(&circuit, 5, Outcome::Lost);
    for _ in 0..3 {
        first_probe(&circuit).settle(Outcome::Passed);
    }
    repeat(&circuit, 5, Outcome::Lost);
    let lines = telemetry.logs().into_iter().filter(|line| line.contains(r#""breaker.peer":"changing""#));
    let changes: Vec<String> = lines.filter_map(|line| Some(line.split_once("breaker.from")?.1.to_owned())).collect();
    let expected = ["closed,open", "open,half-open", "half-open,closed", "closed,open"];
    assert_eq!(changes.len(), expected.len(), "{changes:?}");
    for (change, expected) in changes.iter().zip(expected) {
        let (from, to) = expected.split_once(',').expect("two states");
        assert!(change.starts_with(&format!(r#"":"{from}","breaker.to":"{to}""#)), "{change} is not {expected}");
    }
    let metrics = telemetry.render_metrics();
    assert!(metrics.contains(r#"taskman_breaker_state{service="task",peer="changing"} 2"#), "{metrics}");
}
