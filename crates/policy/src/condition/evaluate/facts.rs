//! Reads attributes of the subject, the resource and the request.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Evaluation, Outcome, Stop, fail};
use crate::attributes::{AttributeType, MAX_LIST, ResourceAttributes, SubjectAttribute};
use crate::condition::Position;
use crate::condition::node::Kind;
use crate::value::Value;

impl<'a> Evaluation<'a> {
    pub(super) fn attribute(&mut self, at: Position, attribute: &Kind) -> Outcome {
        let facts = self.attributes;
        match attribute {
            Kind::Subject(attribute) => match self.subject(at, *attribute)? {
                Some(value) => Ok(value),
                None => fail(at, format!("the subject has no such attribute `subject.{}`", attribute.name())),
            },
            Kind::HasSubject(attribute) => Ok(Value::Bool(self.subject(at, *attribute)?.is_some())),
            Kind::Resource(name, of) => self.resource(at, name, *of),
            Kind::HasResource(name) => {
                let known = self.known()?;
                Ok(Value::Bool(known.get(*name).is_some_and(|value| *value != Value::Null)))
            }
            Kind::ResourceType => Ok(Value::from(facts.resource.kind())),
            Kind::ResourceId => match facts.resource.id() {
                Some(id) => Ok(Value::from(id)),
                None => fail(at, "no such attribute `resource.id`: the request is about a collection"),
            },
            Kind::HasResourceId => Ok(Value::Bool(facts.resource.id().is_some())),
            Kind::Action => Ok(Value::from(facts.action.as_str())),
            Kind::RequestTime => Ok(Value::Timestamp(facts.now)),
            Kind::Context => self.context(at),
            _ => fail(at, "is not supported"),
        }
    }

    fn subject(&mut self, at: Position, attribute: SubjectAttribute) -> Result<Option<Value>, Stop> {
        let subject = self.attributes.subject;
        Ok(match attribute {
            SubjectAttribute::Id => Some(Value::from(subject.id.to_string())),
            SubjectAttribute::CompanyId => Some(Value::from(subject.company_id.to_string())),
            SubjectAttribute::Email => Some(Value::from(subject.email.as_str())),
            SubjectAttribute::Department => subject.department.as_deref().map(Value::from),
            SubjectAttribute::Location => subject.location.as_deref().map(Value::from),
            SubjectAttribute::Roles => Some(self.roles(at)?),
        })
    }

    fn roles(&mut self, at: Position) -> Outcome {
        if let Some(roles) = &self.roles {
            return Ok(roles.clone());
        }
        let mut names: Vec<&str> =
            self.attributes.subject.roles_at(self.attributes.now).map(|role| role.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() > MAX_LIST {
            return fail(at, format!("`subject.roles` has more than {MAX_LIST} elements"));
        }
        let roles = Value::strings(names);
        self.roles = Some(roles.clone());
        Ok(roles)
    }

    fn context(&mut self, at: Position) -> Outcome {
        if let Some(context) = &self.context {
            return Ok(context.clone());
        }
        let given = self.attributes.context;
        if given.len() > MAX_LIST {
            return fail(at, format!("`context` has more than {MAX_LIST} entries"));
        }
        let entries = given.iter().map(|(key, value)| (Arc::from(key.as_str()), Value::from(value.as_str())));
        let context = Value::Map(Arc::new(entries.collect()));
        self.context = Some(context.clone());
        Ok(context)
    }

    fn known(&mut self) -> Result<&'a BTreeMap<String, Value>, Stop> {
        match self.attributes.resource_attributes {
            ResourceAttributes::Known(known) => Ok(known),
            ResourceAttributes::NotFetched | ResourceAttributes::Absent | ResourceAttributes::Failed => {
                self.met_unknown = true;
                Err(Stop::Unknown)
            }
        }
    }

    fn resource(&mut self, at: Position, name: &str, of: AttributeType) -> Outcome {
        match self.known()?.get(name) {
            None | Some(Value::Null) => fail(at, format!("no such attribute `resource.{name}`")),
            Some(Value::List(items)) if items.len() > MAX_LIST => {
                fail(at, format!("`resource.{name}` has more than {MAX_LIST} elements"))
            }
            Some(value) => {
                if let Value::List(items) = value {
                    self.charge_items(at, items.len())?;
                }
                if of.accepts(value) {
                    Ok(value.clone())
                } else {
                    fail(at, format!("`resource.{name}` has an unexpected type, {}", value.type_name()))
                }
            }
        }
    }
}
