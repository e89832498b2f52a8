//! Says who may do what, from the data file that the roles of a new company are made of, without asking the fleet.

use prost_reflect::{DynamicMessage, Value};
use serde::Deserialize;
use taskman_ids::{CompanyId, UserId};
use taskman_policy::{Action, ActionPattern, Resource, ResourcePattern, Substitution};
use taskman_rpc::Method;

const FILE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../services/iam-admin/data/default_roles.toml"));

/// The one condition that the file has.
const OWNER_OR_ASSIGNEE: &str =
    "resource.owner == subject.id || (has(resource.assignee_id) && resource.assignee_id == subject.id)";

/// What two methods need beyond their rules where an optional field is set; the rules do not say it.
const IMPLIED: [(&str, &str, &str, &str); 2] = [
    ("CreateTask", "assignee_id", "tasks:assign", "tasks"),
    ("GetNotificationHistory", "recipient_id", "notifications:view_all", "notifications"),
];

/// The roles and policies of the file.
#[derive(Debug, Deserialize)]
pub(super) struct Oracle {
    role: Vec<Role>,
    policy: Vec<Policy>,
}

#[derive(Debug, Deserialize)]
struct Role {
    name: String,
    #[serde(default)]
    pseudo: bool,
}

/// A policy that allows. One that denies would have a key that is unknown here, and end the test until it is known.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    #[serde(rename = "name")]
    _name: String,
    roles: Vec<String>,
    actions: Vec<String>,
    resources: Vec<String>,
    condition: Option<String>,
}

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Asker<'a> {
    pub(super) role: &'a str,
    pub(super) user: UserId,
    pub(super) company: CompanyId,
    /// The tasks that the user has created or works on.
    pub(super) own_tasks: &'a [String],
}

impl Oracle {
    /// Reads the file.
    pub(super) fn read() -> Self {
        toml::from_str(FILE).unwrap()
    }

    /// Returns the names of the roles that a user can hold.
    pub(super) fn roles(&self) -> Vec<String> {
        self.role.iter().filter(|role| !role.pseudo).map(|role| role.name.clone()).collect()
    }

    /// Says whether `asker` may call a CALLER method with this request.
    pub(super) fn allows(&self, asker: &Asker<'_>, method: &Method, request: &DynamicMessage) -> bool {
        let least = rendered(&method.rules.resource, request);
        let implied = IMPLIED
            .iter()
            .filter(|(name, field, ..)| method.descriptor.name() == *name && !text(request, field).is_empty());
        least.iter().all(|resource| self.grants(asker, &method.rules.action, resource))
            && implied.into_iter().all(|(_, _, action, resource)| self.grants(asker, action, resource))
    }

    fn grants(&self, asker: &Asker<'_>, action: &str, resource: &str) -> bool {
        let (action, resource) = (Action::parse(action).unwrap(), Resource::parse(resource).unwrap());
        let subject = Substitution::new(asker.user, asker.company);
        self.policy.iter().any(|policy| {
            policy.roles.iter().any(|role| role == asker.role || self.is_everybodys(role))
                && policy.actions.iter().any(|text| ActionPattern::parse(text).unwrap().matches(&action))
                && policy
                    .resources
                    .iter()
                    .any(|text| ResourcePattern::parse(text).unwrap().matches(&resource, &subject))
                && policy.condition.as_deref().is_none_or(|condition| holds(condition, asker, &resource))
        })
    }

    fn is_everybodys(&self, role: &str) -> bool {
        self.role.iter().any(|known| known.pseudo && known.name == role)
    }
}

fn holds(condition: &str, asker: &Asker<'_>, resource: &Resource) -> bool {
    assert_eq!(condition, OWNER_OR_ASSIGNEE, "teach the oracle this condition");
    resource.id().is_some_and(|id| asker.own_tasks.iter().any(|task| task == id))
}

/// Puts the fields of the request into the places of the template.
fn rendered(template: &str, request: &DynamicMessage) -> Vec<String> {
    let Some((before, rest)) = template.split_once('{') else { return vec![template.to_owned()] };
    let (field, after) = rest.split_once('}').unwrap();
    assert!(!after.contains('{'), "teach the oracle templates of two fields: {template}");
    let value = request.get_field_by_name(field).unwrap();
    let values = match value.as_ref() {
        Value::List(values) => values.clone(),
        value => vec![value.clone()],
    };
    values.iter().map(|value| format!("{before}{}{after}", value.as_str().unwrap())).collect()
}

fn text(request: &DynamicMessage, field: &str) -> String {
    let value = request.get_field_by_name(field).unwrap();
    value.as_str().unwrap().to_owned()
}
