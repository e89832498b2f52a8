//! What the data file grants, decided by the policies' own code.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use taskman_ids::UserId;
use taskman_policy::snapshot::EVERYONE;
use taskman_policy::{Action, Policy as Compiled, PolicySource, Resource, ResourceAttributes, Substitution, Value};
use taskman_rpc::Methods;

use super::*;

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// The default policies of one company, compiled.
struct Matrix {
    company: CompanyId,
    user: UserId,
    roles: BTreeMap<String, Vec<Arc<Compiled>>>,
}

fn matrix() -> Matrix {
    let (defaults, company) = (Defaults::load().unwrap(), CompanyId::new());
    let sources = defaults.policies(company, NOW).map(|policy| PolicySource {
        id: policy.id,
        name: policy.name,
        effect: policy.effect,
        actions: policy.actions,
        resources: policy.resources,
        condition: policy.condition,
        status: policy.status,
        version: policy.version,
    });
    let compiled: BTreeMap<_, _> =
        sources.map(|source| (source.id, Arc::new(Compiled::compile(source).unwrap()))).collect();
    let mut roles = BTreeMap::new();
    for role in defaults.roles(company, NOW) {
        let attached = defaults.attached(company).filter(|(to, _)| *to == role.id);
        roles.insert(role.name, attached.map(|(_, policy)| compiled[&policy].clone()).collect());
    }
    Matrix { company, user: UserId::new(), roles }
}

impl Matrix {
    /// Decides with the attributes of the resource, as the authorization service would.
    fn allows(&self, role: &str, action: &str, resource: &str, attributes: &[(&str, String)]) -> bool {
        let subject = Substitution::new(self.user, self.company);
        let (action, resource) = (Action::parse(action).unwrap(), Resource::parse(resource).unwrap());
        let facts = taskman_policy::SubjectFacts {
            id: self.user,
            company_id: self.company,
            active: true,
            email: String::new(),
            department: None,
            location: None,
            roles: Vec::new(),
        };
        let known = attributes.iter().map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str()))).collect();
        let known = ResourceAttributes::Known(known);
        let context = BTreeMap::new();
        let attributes = taskman_policy::condition::Attributes {
            subject: &facts,
            action: &action,
            resource: &resource,
            resource_attributes: &known,
            context: &context,
            now: NOW,
        };
        self.roles[role]
            .iter()
            .filter(|policy| policy.matches(&action, &resource, &subject))
            .any(|policy| policy.condition.as_ref().is_none_or(|condition| condition.evaluate(&attributes) == Ok(true)))
    }
}

/// Every action of the fleet's methods with a resource that it is asked for on.
fn asked() -> Vec<(String, String)> {
    let methods = Methods::load();
    let asked = methods.iter().filter(|method| !method.rules.action.is_empty());
    asked
        .map(|method| {
            let resource = method.rules.resource.split('/').map(|part| if part.starts_with('{') { "7" } else { part });
            (method.rules.action.clone(), resource.collect::<Vec<_>>().join("/"))
        })
        .collect()
}

#[test]
fn every_action_of_the_fleet_is_granted_to_somebody_or_left_to_administrators_by_name() {
    let (matrix, asked) = (matrix(), asked());
    assert!(asked.len() > 15, "{asked:?}");
    let owned = [("owner", matrix.user.to_string())];
    let mut left = BTreeSet::new();
    for (action, resource) in &asked {
        assert!(matrix.allows("admin", action, resource, &[]), "{action} on {resource}");
        let others = matrix.roles.keys().filter(|role| *role != "admin");
        if !others.into_iter().any(|role| matrix.allows(role, action, resource, &owned)) {
            left.insert(action.clone());
        }
    }
    let only: BTreeSet<String> = Defaults::load().unwrap().administrators_only.into_iter().collect();
    assert_eq!(left, only);
}

#[test]
fn a_company_starts_with_five_roles_and_the_pseudo_role_that_grants_nothing() {
    let roles = matrix().roles;
    let names: Vec<_> = roles.keys().map(String::as_str).collect();
    assert_eq!(names, ["admin", "developer", "everyone", "project_manager", "team_lead", "viewer"]);
    assert!(roles[EVERYONE].is_empty());
}

#[test]
fn everybody_sees_and_only_some_change() {
    let matrix = matrix();
    for role in ["admin", "project_manager", "team_lead", "developer", "viewer"] {
        for (action, resource) in [
            ("users:view", "users/7"),
            ("projects:view", "projects"),
            ("tasks:view", "tasks/7"),
            ("notifications:view", "notifications"),
        ] {
            assert!(matrix.allows(role, action, resource, &[]), "{role} {action}");
        }
    }
    for (action, resource, allowed) in [
        ("projects:create", "projects", &["admin", "project_manager"][..]),
        ("tasks:create", "tasks", &["admin", "developer", "project_manager", "team_lead"]),
        ("tasks:assign", "tasks/7", &["admin", "project_manager", "team_lead"]),
        ("tasks:start", "tasks/7", &["admin", "project_manager", "team_lead"]),
        ("tasks:approve", "tasks/7", &["admin", "project_manager", "team_lead"]),
        ("tasks:complete", "tasks/7", &["admin", "developer", "project_manager", "team_lead"]),
        ("notifications:send", "notifications", &["admin", "project_manager"]),
        ("iam:roles:assign", "roles/7", &["admin"]),
    ] {
        let may: Vec<_> = matrix.roles.keys().filter(|role| matrix.allows(role, action, resource, &[])).collect();
        assert_eq!(may, allowed, "{action}");
    }
}

#[test]
fn a_developer_works_on_own_tasks_only() {
    let matrix = matrix();
    let (me, other) = (matrix.user.to_string(), UserId::new().to_string());
    let may = |attributes: &[(&str, String)]| matrix.allows("developer", "tasks:start", "tasks/7", attributes);
    assert!(may(&[("owner", other.clone()), ("assignee_id", me.clone())]));
    assert!(may(&[("owner", me)]));
    assert!(!may(&[("owner", other.clone()), ("assignee_id", other.clone())]));
    assert!(!may(&[("owner", other)]));
}
