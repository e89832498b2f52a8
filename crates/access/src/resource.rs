//! Renders the resource of a call from its request: `tasks/{id}` becomes `tasks/0197…`.

use prost_reflect::{DynamicMessage, MessageDescriptor, ReflectMessage as _, Value};

/// At most so many resources are checked for one call (api.md 7: a batch has 100 elements).
const MAX_RESOURCES: usize = 100;

/// A resource with places for fields of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(String),
}

impl Template {
    /// Parses `text` and makes sure that `input` has the fields that it names.
    pub fn parse(text: &str, input: &MessageDescriptor) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find('{') {
            let end = rest[start..].find('}').ok_or_else(|| format!("`{text}`: a brace is not closed"))? + start;
            let field = &rest[start + 1..end];
            if input.get_field_by_name(field).is_none() {
                return Err(format!("`{text}`: {} has no field `{field}`", input.full_name()));
            }
            if start > 0 {
                parts.push(Part::Text(rest[..start].to_owned()));
            }
            parts.push(Part::Field(field.to_owned()));
            rest = &rest[end + 1..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// Says whether rendering needs the request at all.
    pub fn reads_request(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Field(_)))
    }

    /// Returns the resource of a template without fields.
    pub fn constant(&self) -> Option<String> {
        match self.0.as_slice() {
            [Part::Text(text)] => Some(text.clone()),
            _ => None,
        }
    }

    /// Renders one resource, or one for each element of a repeated field. The error names the field that is not good for
    /// a resource: one that is missing, or holds what no id holds.
    pub fn render(&self, request: &DynamicMessage) -> Result<Vec<String>, String> {
        let mut rendered = vec![String::new()];
        for part in &self.0 {
            match part {
                Part::Text(text) => rendered.iter_mut().for_each(|resource| resource.push_str(text)),
                Part::Field(field) => {
                    let segments = segments(request, field)?;
                    rendered = rendered
                        .iter()
                        .flat_map(|resource| segments.iter().map(move |segment| format!("{resource}{segment}")))
                        .collect();
                }
            }
            if rendered.len() > MAX_RESOURCES {
                return Err("request".to_owned());
            }
        }
        Ok(rendered)
    }
}

fn segments(request: &DynamicMessage, field: &str) -> Result<Vec<String>, String> {
    let wrong = || field.to_owned();
    let descriptor = request.descriptor().get_field_by_name(field).ok_or_else(wrong)?;
    let value = request.get_field(&descriptor);
    let segment = |value: &Value| value.as_str().filter(|text| is_segment(text)).map(canonical).ok_or_else(wrong);
    match value.as_ref() {
        Value::List(list) if !list.is_empty() => list.iter().map(segment).collect(),
        Value::List(_) => Err(wrong()),
        single => Ok(vec![segment(single)?]),
    }
}

/// An id is written in lower case, as policies and services write it; however it came, it is the same id.
fn canonical(segment: &str) -> String {
    if taskman_ids::parse_uuid(segment).is_ok() { segment.to_ascii_lowercase() } else { segment.to_owned() }
}

/// A segment of a resource is an id or a name: what could change the shape of the resource is refused.
fn is_segment(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text != "."
        && text != ".."
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(name: &str) -> MessageDescriptor {
        taskman_proto::descriptor_pool().get_message_by_name(name).unwrap()
    }

    fn message(name: &str, field: &str, value: Value) -> DynamicMessage {
        let mut message = DynamicMessage::new(input(name));
        message.set_field_by_name(field, value);
        message
    }

    #[test]
    fn a_field_becomes_a_segment() {
        let template = Template::parse("tasks/{id}", &input("taskman.task.v1.GetTaskRequest")).unwrap();
        let request = message("taskman.task.v1.GetTaskRequest", "id", Value::String("0197".into()));
        assert_eq!(template.render(&request), Ok(vec!["tasks/0197".to_owned()]));
    }

    #[test]
    fn an_id_is_the_same_in_upper_case() {
        let template = Template::parse("tasks/{id}", &input("taskman.task.v1.GetTaskRequest")).unwrap();
        let id = taskman_ids::TaskId::new().to_string();
        let request = message("taskman.task.v1.GetTaskRequest", "id", Value::String(id.to_uppercase()));
        assert_eq!(template.render(&request), Ok(vec![format!("tasks/{id}")]));
    }

    #[test]
    fn a_repeated_field_gives_one_resource_for_each_element() {
        let name = "taskman.notification.v1.SendEmailRequest";
        let template = Template::parse("users/{recipient_ids}", &input(name)).unwrap();
        let ids = Value::List(vec![Value::String("a".into()), Value::String("b".into())]);
        assert_eq!(template.render(&message(name, "recipient_ids", ids)), Ok(vec!["users/a".into(), "users/b".into()]));
    }

    #[test]
    fn what_could_change_the_shape_of_a_resource_is_refused() {
        let name = "taskman.task.v1.GetTaskRequest";
        let template = Template::parse("tasks/{id}", &input(name)).unwrap();
        for bad in ["", ".", "..", "a/b", "*", "a%2Fb", "a b", "\0", &"x".repeat(129)] {
            assert_eq!(
                template.render(&message(name, "id", Value::String(bad.into()))),
                Err("id".to_owned()),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn an_unknown_field_is_found_when_the_program_starts() {
        assert!(Template::parse("tasks/{nope}", &input("taskman.task.v1.GetTaskRequest")).is_err());
        assert!(Template::parse("tasks/{id", &input("taskman.task.v1.GetTaskRequest")).is_err());
    }
}
