//! Every service is where services are listed: containers, chart, images.

use taskman_chassis::{Config, Service};

use super::report::Report;
use super::tree;

const COMPOSITION: &str = "docker-compose.dev.yml";
const CHART: &str = "deploy/helm/taskman/values.yaml";

#[test]
fn every_service_is_in_the_composition_for_development() {
    let mut report = Report::default();
    let text = tree::read(COMPOSITION);
    for service in tree::services() {
        let there = text.lines().any(|line| line.trim_end() == format!("  {service}:"));
        report.check(there, COMPOSITION, format!("has no container `{service}`"));
        let built = text.contains(&format!("SERVICE: {service} ")) || text.contains(&format!("SERVICE: {service}\n"));
        report.check(built, COMPOSITION, format!("builds no image of {service}"));
        if service != "gateway" {
            let known = text.contains(&format!("TASKMAN__UPSTREAMS__{}: ", service.to_uppercase()));
            report.check(known, COMPOSITION, format!("nobody is told where {service} is"));
        }
    }
    report.finish();
}

#[test]
fn every_variable_of_the_composition_is_one_that_the_service_knows() {
    let mut report = Report::default();
    let text = tree::read(COMPOSITION);
    let fleet = variables(&text, "x-fleet: &fleet");
    for service in tree::services() {
        let mut variables = variables(&text, &format!("  {service}:"));
        report.check(!variables.is_empty(), COMPOSITION, format!("tells {service} nothing"));
        variables.extend(fleet.clone());
        if let Err(error) = load(&service, variables) {
            report.add(format!("{COMPOSITION}, {service}"), error);
        }
    }
    report.finish();
}

#[test]
fn every_service_is_deployed() {
    let mut report = Report::default();
    // The chart is one of several ways to run the fleet; a tree without `deploy/` has none of them.
    if tree::exists("deploy") {
        report.check(tree::exists(CHART), CHART, "deploy/ is there without its chart");
        let values = if tree::exists(CHART) { tree::read(CHART) } else { String::new() };
        for service in tree::services() {
            let there = values.lines().any(|line| line.trim_end().trim_start() == format!("{service}:"));
            report.check(there, CHART, format!("has no `{service}:`"));
        }
    }
    report.finish();
}

/// Returns the variables in the block that begins with `head` and ends with the next line that is indented no further.
fn variables(text: &str, head: &str) -> Vec<(String, String)> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let block = text.lines().skip_while(|line| *line != head).skip(1);
    let block = block.take_while(|line| line.is_empty() || indent(line) > indent(head));
    let variables =
        block.filter_map(|line| line.trim().split_once(": ")).filter(|(name, _)| name.starts_with("TASKMAN__"));
    // What stands in a file is there when the containers run.
    let values = variables.filter(|(name, _)| !name.ends_with("_FILE"));
    values.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect()
}

fn load(service: &str, variables: Vec<(String, String)>) -> Result<(), String> {
    let load = match service {
        "authentication" => load_as::<taskman_authentication::AuthenticationService>,
        "authorization" => load_as::<taskman_authorization::AuthorizationService>,
        "user" => load_as::<taskman_user::UserService>,
        "iam-admin" => load_as::<taskman_iam_admin::IamAdminService>,
        "task" => load_as::<taskman_task::TaskService>,
        "audit" => load_as::<taskman_audit::AuditService>,
        "notification" => load_as::<taskman_notification::NotificationService>,
        "gateway" => load_as::<taskman_gateway::GatewayService>,
        _ => return Err("this test does not know the service".to_owned()),
    };
    load(variables)
}

fn load_as<S: Service>(variables: Vec<(String, String)>) -> Result<(), String> {
    let config = Config::<S::Config>::load(None, variables).map_err(|error| error.to_string())?;
    let everywhere = config.server.listen.starts_with("0.0.0.0:") && config.server.admin_listen.starts_with("0.0.0.0:");
    everywhere.then_some(()).ok_or_else(|| "does not listen outside its container".to_owned())
}
