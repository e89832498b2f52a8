//! One trace follows a request through the fleet and the broker.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::{Value, json};
use taskman_testkit::wait_for;

use crate::fleet::TestFleet;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_spans_gateway_task_outbox_broker_audit_and_notification() {
    let telemetry = taskman_telemetry::install_for_tests();
    let fleet = TestFleet::start().await;
    let outcome = fleet.play().await;
    let gateway = format!("http://{}", fleet.fleet.address("gateway").unwrap());
    let client = reqwest::Client::new();
    let login = json!({"email": outcome.admin_email, "password": outcome.admin_password});
    let session: Value =
        client.post(format!("{gateway}/auth/login")).json(&login).send().await.unwrap().json().await.unwrap();
    let token = session["access_token"].as_str().unwrap();
    let path = format!("{gateway}/api/v1/users");
    let user = json!({"email": format!("grace@{}.example.com", taskman_ids::new_uuid().simple()), "username": "grace"});
    let user: Value = client.post(path).bearer_auth(token).json(&user).send().await.unwrap().json().await.unwrap();

    // A new task that is at once somebody's: it leaves two events, one of which becomes a mail.
    let path = format!("{gateway}/api/v1/projects/{}/tasks", outcome.project_id);
    let task = json!({"title": "Follow me", "assignee_id": user["id"]});
    let request = client.post(path).bearer_auth(token).json(&task);
    let answer = request.header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);

    let services = ["gateway", "task", "user", "authorization", "audit", "notification"];
    let steps = [
        "taskman.authorization.v1.AuthorizationService/Decide",
        "taskman.user.v1.UserService/GetAssignable",
        "taskman.task.v1.TaskService/CreateTask",
        "begin transaction",
        "record events",
        "publish task.assigned",
        "consume task.assigned",
        "send_mail",
    ];
    let seen = wait_for("the whole trace", || async {
        let spans = telemetry.spans_of(TRACE);
        let names: BTreeSet<&str> = spans.iter().map(|span| span.name.as_ref()).collect();
        let attributes = spans.iter().flat_map(|span| &span.attributes);
        let labels: BTreeSet<String> = attributes
            .filter(|attribute| attribute.key.as_str() == "service")
            .map(|attribute| attribute.value.to_string())
            .collect();
        let complete =
            services.iter().all(|service| labels.contains(*service)) && steps.iter().all(|step| names.contains(step));
        complete.then_some(spans)
    })
    .await;
    let ids: BTreeSet<String> = seen.iter().map(|span| span.span_context.span_id().to_string()).collect();
    let orphans = seen.iter().filter(|span| {
        let parent = span.parent_span_id.to_string();
        parent != "b7ad6b7169203331" && !ids.contains(&parent)
    });
    assert_eq!(orphans.map(|span| span.name.to_string()).collect::<Vec<_>>(), Vec::<String>::new());
    fleet.stop().await;
}
