//! JSON to a message known by its descriptor, with the path of everything that is wrong.

use std::collections::{HashMap, HashSet};
use std::fmt;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage as _, Value};
use serde_json::{Map, Value as Json};
use taskman_errors::Violations;

use super::dialect::Dialect;
use super::{money, scalar, well_known};

/// How many faults one answer names; a body of garbage must not become a page of complaints.
const MAX_VIOLATIONS: usize = 50;
/// How much of a name that the client made up is repeated.
const MAX_NAME: usize = 100;

/// Reads values into messages and collects what is wrong with them.
#[derive(Debug)]
pub struct Reader<'d> {
    /// The names of enum values.
    pub dialect: &'d Dialect,
    violations: Violations,
    count: usize,
}

/// Where in a request a value stands, `items[2].task_id`; written out only when something is wrong there.
#[derive(Debug, Clone, Copy)]
pub struct Trail<'t> {
    parent: Option<&'t Trail<'t>>,
    step: Step<'t>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'t> {
    Root,
    Field(&'t str),
    Index(usize),
    Key(&'t str),
}

impl<'t> Trail<'t> {
    /// The request itself.
    pub const ROOT: Trail<'static> = Trail { parent: None, step: Step::Root };

    /// A field of what this trail leads to.
    #[must_use]
    pub fn field(&'t self, name: &'t str) -> Self {
        Self { parent: Some(self), step: Step::Field(name) }
    }

    fn index(&'t self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Index(index) }
    }

    fn key(&'t self, key: &'t str) -> Self {
        Self { parent: Some(self), step: Step::Key(key) }
    }
}

impl fmt::Display for Trail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let in_message = self.parent.is_some_and(|parent| !matches!(parent.step, Step::Root));
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Field(name) if in_message => write!(f, ".{}", cut(name)),
            Step::Field(name) => f.write_str(cut(name)),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(key) => write!(f, "[\"{}\"]", cut(key)),
        }
    }
}

/// Cuts a name that the client made up to a length that is fit to be repeated.
pub fn cut(name: &str) -> &str {
    name.char_indices().nth(MAX_NAME).map_or(name, |(end, _)| name.get(..end).unwrap_or(name))
}

impl<'d> Reader<'d> {
    /// Starts with nothing wrong.
    pub const fn new(dialect: &'d Dialect) -> Self {
        Self { dialect, violations: Violations::new(), count: 0 }
    }

    /// Notes that something is wrong at `field`.
    pub fn refuse(&mut self, field: impl fmt::Display, description: impl fmt::Display) {
        if self.count < MAX_VIOLATIONS {
            self.violations.add(field.to_string(), description);
        }
        self.count += 1;
    }

    /// Ends the reading: `Ok` when nothing was wrong.
    pub fn finish(self) -> Result<(), Vec<taskman_errors::Violation>> {
        self.violations.finish()
    }

    /// Reads a message.
    pub fn message(&mut self, desc: &MessageDescriptor, json: &Json, at: &Trail<'_>) -> Option<DynamicMessage> {
        if well_known::is_well_known(desc) {
            return self.keep(well_known::from_json(desc, json), at);
        }
        let Json::Object(object) = json else {
            self.refuse(at, "must be an object");
            return None;
        };
        if desc.full_name() == money::NAME {
            return self.keep(money::from_json(desc.clone(), object), at);
        }
        let mut message = DynamicMessage::new(desc.clone());
        self.fields(&mut message, object, at);
        Some(message)
    }

    fn fields(&mut self, message: &mut DynamicMessage, object: &Map<String, Json>, at: &Trail<'_>) {
        let desc = message.descriptor();
        let mut seen = HashSet::new();
        let mut chosen = HashMap::new();
        for (name, json) in object {
            let here = at.field(name);
            let Some(field) = field_by_name(&desc, name) else {
                self.refuse(here, "is not known");
                continue;
            };
            if !seen.insert(field.number()) {
                self.refuse(here, "is given twice, under both of its names");
                continue;
            }
            if json.is_null() && !field.kind().as_message().is_some_and(well_known::takes_null) {
                continue;
            }
            if let Some(oneof) = field.containing_oneof()
                && let Some(other) = chosen.insert(oneof.name().to_owned(), field.name().to_owned())
            {
                self.refuse(here, format_args!("cannot be given together with {other}"));
                continue;
            }
            if let Some(value) = self.field(&field, json, &here) {
                message.set_field(&field, value);
            }
        }
    }

    /// Reads the value of a field: single, list or map.
    pub fn field(&mut self, field: &FieldDescriptor, json: &Json, at: &Trail<'_>) -> Option<Value> {
        if field.is_map() {
            return self.map(field, json, at);
        }
        if !field.is_list() {
            return self.single(&field.kind(), json, at);
        }
        let Json::Array(items) = json else {
            self.refuse(at, "must be an array");
            return None;
        };
        let kind = field.kind();
        let values = items.iter().enumerate().filter_map(|(index, item)| self.single(&kind, item, &at.index(index)));
        Some(Value::List(values.collect()))
    }

    fn map(&mut self, field: &FieldDescriptor, json: &Json, at: &Trail<'_>) -> Option<Value> {
        let (Json::Object(object), Kind::Message(entry)) = (json, field.kind()) else {
            self.refuse(at, "must be an object");
            return None;
        };
        let (key_kind, value_kind) = (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
        let mut map = HashMap::with_capacity(object.len());
        for (key, json) in object {
            let here = at.key(key);
            let key = self.keep(scalar::map_key(&key_kind, key, self.dialect), &here);
            let value = self.single(&value_kind, json, &here);
            if let (Some(key), Some(value)) = (key, value)
                && map.insert(key, value).is_some()
            {
                self.refuse(here, "is given twice");
            }
        }
        Some(Value::Map(map))
    }

    fn single(&mut self, kind: &Kind, json: &Json, at: &Trail<'_>) -> Option<Value> {
        match kind {
            Kind::Message(desc) => self.message(desc, json, at).map(Value::Message),
            _ => self.keep(scalar::from_json(kind, json, self.dialect), at),
        }
    }

    /// Unwraps a value, or notes why there is none.
    pub fn keep<T>(&mut self, read: Result<T, scalar::Wanted>, at: &Trail<'_>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(wanted) => {
                self.refuse(at, wanted);
                None
            }
        }
    }
}

/// Finds a field by the name in the `.proto` file or by its camelCase name.
pub fn field_by_name(desc: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    desc.get_field_by_name(name).or_else(|| desc.get_field_by_json_name(name))
}
