//! What the metrics say of tasks.

use taskman_telemetry::TestTelemetry;
use taskman_testkit::wait_until;

use crate::fixture::{World, new_task};

/// Returns the value of a metric, by the beginning of its name and one of its labels.
fn value(telemetry: &TestTelemetry, name: &str, label: &str) -> Option<String> {
    let text = telemetry.render_metrics();
    let line = text.lines().find(|line| line.starts_with(name) && line.contains(label))?;
    line.rsplit(' ').next().map(str::to_owned)
}

/// The metrics are those of the whole process: other tests write them, too, so this one waits for its own numbers.
#[tokio::test]
async fn active_tasks_are_counted_by_state() {
    let telemetry = taskman_telemetry::install_for_tests();
    let world = World::start_with(|config| config.count_active_tasks_every_s = 1).await;
    let project = world.project("Core").await;
    for place in 0..18 {
        let task = world.create(new_task(&project)).await.unwrap();
        if place < 7 {
            world.start_task(&world.lead, &task).await.unwrap();
        }
    }
    let states = [("todo", "11"), ("in_progress", "7"), ("review", "0")];
    wait_until("the counts of this test", || {
        let seen = states.map(|(state, count)| {
            value(&telemetry, "active_tasks_total", &format!("status=\"{state}\"")).as_deref() == Some(count)
        });
        async move { seen == [true; 3] }
    })
    .await;
    let created = value(&telemetry, "taskman_tasks_created_total", "service=\"task\"").unwrap();
    assert!(created.parse::<u32>().unwrap() >= 18, "{created}");
    world.stop().await;
}
