//! Makes a request of any method from its descriptor.

use std::collections::HashMap;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, Value};
use taskman_rpc::{Method, Methods};

/// What an id is the id of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    Company,
    User,
    Role,
    Project,
    Task,
    /// Something that only services of the fleet speak of.
    Inner,
}

/// Which fields are filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    /// Those that are required.
    Required,
    /// Those that are required, and those that name something.
    Named,
}

/// Where the values of a request come from.
pub(super) struct Filling<'a> {
    /// Which fields are filled.
    pub(super) fill: Fill,
    /// The id for a field of that name.
    pub(super) id: &'a dyn Fn(&str, Names) -> String,
    /// An e-mail address, where it is to be a certain one.
    pub(super) email: Option<&'a str>,
}

/// Makes a request. A required text whose meaning is unknown here ends the test: nothing is called with nonsense.
pub(super) fn request(methods: &Methods, method: &Method, filling: &Filling<'_>) -> DynamicMessage {
    let mut message = DynamicMessage::new(method.input());
    for field in method.input().fields() {
        let required = is_required(methods, &field);
        let named = filling.fill == Fill::Named && named_thing(method, field.name()).is_some();
        if !required && !named {
            continue;
        }
        let value = value(method, &field, filling);
        message.set_field(&field, value);
    }
    // Without its variables a template is refused before anything is looked up.
    if let Some(variables) = method.input().get_field_by_name("variables") {
        let pairs = ["title", "text"].map(|name| (MapKey::String(name.to_owned()), Value::String("Words".to_owned())));
        message.set_field(&variables, Value::Map(HashMap::from(pairs)));
    }
    message
}

/// Returns the fields of a request that name something, with what they name.
pub(super) fn named_fields(method: &Method) -> Vec<(String, Names)> {
    let fields = method.input().fields().map(|field| field.name().to_owned()).collect::<Vec<_>>();
    fields.into_iter().filter_map(|field| named_thing(method, &field).map(|thing| (field, thing))).collect()
}

/// Says what a field names: what the name says, or for `id` what the method's resource says.
fn named_thing(method: &Method, field: &str) -> Option<Names> {
    Some(match field {
        "id" => match method.rules.resource.split('/').next().unwrap_or_default() {
            "users" => Names::User,
            "roles" => Names::Role,
            "projects" => Names::Project,
            "tasks" => Names::Task,
            other => panic!("{}: say here what the ids of {other:?} name", method.path),
        },
        "company_id" => Names::Company,
        "user_id" | "admin_user_id" | "assignee_id" | "assignee" | "actor_id" | "recipient_id" | "recipient_ids"
        | "subject" => Names::User,
        "role_id" => Names::Role,
        "project_id" => Names::Project,
        "task_id" | "target_id" | "ids" | "resource" | "resources" => Names::Task,
        "session_id" | "link_request_id" => Names::Inner,
        "request_id" => return None,
        other if other.ends_with("_id") || other.ends_with("_ids") => {
            panic!("{}: say here what {other} names", method.path)
        }
        _ => return None,
    })
}

fn value(method: &Method, field: &FieldDescriptor, filling: &Filling<'_>) -> Value {
    let one = match field.kind() {
        Kind::String => Value::String(text(method, field.name(), filling)),
        kind => Value::default_value(&kind),
    };
    if field.is_list() { Value::List(vec![one]) } else { one }
}

fn text(method: &Method, field: &str, filling: &Filling<'_>) -> String {
    if let Some(thing) = named_thing(method, field) {
        let id = (filling.id)(field, thing);
        return match field {
            "subject" => format!("user:{id}"),
            "resource" | "resources" => format!("tasks/{id}"),
            _ => id,
        };
    }
    let fresh = taskman_ids::new_uuid().simple().to_string();
    match field {
        "email" => filling.email.map_or_else(|| format!("{fresh}@example.com"), str::to_owned),
        "slug" | "username" => format!("n{fresh}"),
        "password" | "new_password" => format!("a walk of {fresh}"),
        "name" | "title" | "company_name" => "Words".to_owned(),
        "action" => "tasks:view".to_owned(),
        "template" => "announcement".to_owned(),
        "token" | "refresh_token" => "no-token".to_owned(),
        other => panic!("{}: say here what {other} holds", method.path),
    }
}

fn is_required(methods: &Methods, field: &FieldDescriptor) -> bool {
    const REQUIRED: i32 = 2;
    let extension = methods.pool().get_extension_by_name("google.api.field_behavior").unwrap();
    let options = field.options();
    let behaviour = options.get_extension(&extension);
    behaviour.as_list().is_some_and(|list| list.iter().any(|one| one.as_enum_number() == Some(REQUIRED)))
}
