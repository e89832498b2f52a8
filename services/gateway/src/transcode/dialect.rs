//! The names that enum values have in JSON: short and lower-case, `in_progress` for `TASK_STATUS_IN_PROGRESS`.
//!
//! The descriptors themselves stay as they are: protobuf keeps the values of all enums of a package in one scope, where
//! two short names would collide.

use std::collections::HashMap;

use prost_reflect::{DescriptorPool, EnumDescriptor};

/// The short names of every enum, made once at start.
#[derive(Debug, Default)]
pub struct Dialect {
    enums: HashMap<String, Names>,
}

#[derive(Debug, Default)]
struct Names {
    by_number: HashMap<i32, String>,
    by_name: HashMap<String, i32>,
}

impl Dialect {
    /// Reads every enum of the pool.
    pub fn of(pool: &DescriptorPool) -> Self {
        Self { enums: pool.all_enums().map(|desc| (desc.full_name().to_owned(), names(&desc))).collect() }
    }

    /// Returns the short name of a value; `None` for a number that the enum does not know.
    pub fn short_name(&self, desc: &EnumDescriptor, number: i32) -> Option<&str> {
        self.enums.get(desc.full_name())?.by_number.get(&number).map(String::as_str)
    }

    /// Finds a value by its short name, or by its full name in the `.proto` file.
    pub fn number(&self, desc: &EnumDescriptor, name: &str) -> Option<i32> {
        let names = self.enums.get(desc.full_name())?;
        names.by_name.get(name).copied().or_else(|| desc.get_value_by_name(name).map(|value| value.number()))
    }
}

fn names(desc: &EnumDescriptor) -> Names {
    let prefix = format!("{}_", screaming(desc.name()));
    let mut names = Names::default();
    for value in desc.values() {
        let short = short(value.name(), &prefix);
        // With aliases the first name of a number is the one that is shown.
        names.by_number.entry(value.number()).or_insert_with(|| short.clone());
        names.by_name.insert(short, value.number());
    }
    names
}

/// Cuts the enum's own name off, unless what is left would not be a name.
fn short(value: &str, prefix: &str) -> String {
    let stripped = value.strip_prefix(prefix).filter(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()));
    stripped.unwrap_or(value).to_ascii_lowercase()
}

/// Turns `TaskStatus` into `TASK_STATUS` and `HTTPCode` into `HTTP_CODE`.
fn screaming(camel: &str) -> String {
    let chars: Vec<char> = camel.chars().collect();
    let mut out = String::with_capacity(camel.len() + 4);
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| chars.get(at));
        let after = chars.get(at + 1);
        let starts_word = c.is_ascii_uppercase()
            && before.is_some_and(|b| {
                b.is_ascii_lowercase() || b.is_ascii_digit() || after.is_some_and(char::is_ascii_lowercase)
            });
        if starts_word && before != Some(&'_') {
            out.push('_');
        }
        out.push(c.to_ascii_uppercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_type_name_are_found() {
        let cases = [
            ("TaskStatus", "TASK_STATUS"),
            ("Priority", "PRIORITY"),
            ("HTTPCode", "HTTP_CODE"),
            ("Oauth2Grant", "OAUTH2_GRANT"),
        ];
        for (camel, wanted) in cases {
            assert_eq!(screaming(camel), wanted);
        }
    }

    #[test]
    fn every_enum_of_the_api_has_distinct_short_names() {
        let pool = taskman_proto::descriptor_pool();
        let dialect = Dialect::of(&pool);
        for desc in pool.all_enums().filter(|desc| desc.full_name().starts_with("taskman.")) {
            for value in desc.values() {
                let short = dialect.short_name(&desc, value.number()).unwrap();
                assert_eq!(dialect.number(&desc, short), Some(value.number()), "{}", value.full_name());
                assert_eq!(dialect.number(&desc, value.name()), Some(value.number()), "{}", value.full_name());
            }
        }
        let status = pool.get_enum_by_name("taskman.task.v1.TaskStatus").unwrap();
        assert_eq!(dialect.short_name(&status, 2), Some("in_progress"));
        assert_eq!(dialect.number(&status, "IN_PROGRESS"), None);
        assert_eq!(dialect.short_name(&status, 99), None);
    }

    #[test]
    fn a_rest_that_is_no_name_is_not_cut() {
        assert_eq!(short("GRANT_2FA", "GRANT_"), "grant_2fa");
        assert_eq!(short("OTHER", "GRANT_"), "other");
    }
}
