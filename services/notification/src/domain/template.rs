//! The templates of mails: which there are, what they need, and how they are rendered.

use std::collections::BTreeMap;

use minijinja::{AutoEscape, Environment, UndefinedBehavior};

/// How much work rendering one part may be.
const FUEL: u64 = 20_000;
/// The longest subject; what is longer is cut.
const MAX_SUBJECT: usize = 200;

/// A template: subject, plain text and HTML.
#[derive(Debug, Clone, Copy)]
pub struct Template {
    /// Its name.
    pub name: &'static str,
    /// What it needs beside the recipient's own names.
    pub variables: &'static [&'static str],
    /// What it takes beside that; empty when it is not given.
    pub optional: &'static [&'static str],
    /// Whether people may have it sent; the others belong to their events.
    pub sendable: bool,
    parts: [&'static str; 3],
}

macro_rules! parts {
    ($name:literal) => {
        [
            include_str!(concat!("../../templates/", $name, ".subject")),
            include_str!(concat!("../../templates/", $name, ".txt")),
            include_str!(concat!("../../templates/", $name, ".html")),
        ]
    };
}

/// Every template.
pub const TEMPLATES: &[Template] = &[
    Template { name: "welcome", variables: &["link"], optional: &[], sendable: false, parts: parts!("welcome") },
    Template {
        name: "password_reset",
        variables: &["link"],
        optional: &[],
        sendable: false,
        parts: parts!("password_reset"),
    },
    Template {
        name: "password_changed",
        variables: &[],
        optional: &[],
        sendable: false,
        parts: parts!("password_changed"),
    },
    Template {
        name: "task_assigned",
        variables: &["task_key", "task_title", "priority"],
        optional: &["due_date"],
        sendable: false,
        parts: parts!("task_assigned"),
    },
    Template {
        name: "task_completed",
        variables: &["task_key", "task_title"],
        optional: &[],
        sendable: false,
        parts: parts!("task_completed"),
    },
    Template {
        name: "announcement",
        variables: &["title", "text"],
        optional: &[],
        sendable: true,
        parts: parts!("announcement"),
    },
];

/// Finds a template by name.
pub fn find(name: &str) -> Option<&'static Template> {
    TEMPLATES.iter().find(|template| template.name == name)
}

/// A mail's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// For readers without HTML.
    pub text: String,
    /// For all others; every value is escaped.
    pub html: String,
}

/// A template does not fit its values.
#[derive(Debug, thiserror::Error)]
#[error("the template {template} cannot be rendered")]
pub struct RenderError {
    template: &'static str,
    source: minijinja::Error,
}

impl Template {
    /// Renders the three parts. Every declared variable has to be there.
    pub fn render(&self, values: &BTreeMap<String, String>) -> Result<Rendered, RenderError> {
        let mut values = values.clone();
        for name in self.optional {
            values.entry((*name).to_owned()).or_default();
        }
        let [subject, text, html] = self.parts;
        let subject = self.part(subject, false, &values)?;
        // A line break would begin another header.
        let subject = subject.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_SUBJECT).collect();
        Ok(Rendered { subject, text: self.part(text, false, &values)?, html: self.part(html, true, &values)? })
    }

    fn part(&self, source: &str, escape: bool, values: &BTreeMap<String, String>) -> Result<String, RenderError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_auto_escape_callback(move |_| if escape { AutoEscape::Html } else { AutoEscape::None });
        environment.render_str(source, values).map_err(|source| RenderError { template: self.name, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(template: &Template) -> BTreeMap<String, String> {
        let own = ["first_name", "username", "company_name"];
        let names = template.variables.iter().chain(own.iter());
        names.map(|name| ((*name).to_owned(), format!("<{name}>\r\nBcc: x@example.com"))).collect()
    }

    #[test]
    fn every_template_renders_with_what_it_declares_and_needs_all_of_it() {
        for template in TEMPLATES {
            assert!(template.render(&values(template)).is_ok(), "{}", template.name);
            for missing in template.variables {
                let mut values = values(template);
                values.remove(*missing);
                assert!(template.render(&values).is_err(), "{} without {missing}", template.name);
            }
        }
    }

    #[test]
    fn values_are_escaped_in_html_and_cannot_break_a_subject() {
        for template in TEMPLATES {
            let rendered = template.render(&values(template)).unwrap();
            assert!(!rendered.html.contains("<username>") && !rendered.html.contains("<text>"), "{}", template.name);
            assert!(!rendered.subject.contains(['\r', '\n']), "{}", template.name);
        }
    }
}
