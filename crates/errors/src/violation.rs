//! What is wrong with which field, collected until all of a request has been read.

use std::fmt::Display;

/// One thing that is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The path of the field as the API names it, such as `title` or `items[2].task_id`.
    pub field: String,
    /// What is wrong, for people; it never repeats the value.
    pub description: String,
}

/// Collects every violation of a request, so that the caller learns all of them at once.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Starts with none.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Notes that `field` is wrong.
    pub fn add(&mut self, field: impl Into<String>, description: impl Display) {
        self.0.push(Violation { field: field.into(), description: description.to_string() });
    }

    /// Unwraps the parsed value of `field`, or notes why there is none.
    pub fn check<T, E: Display>(&mut self, field: &str, parsed: Result<T, E>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(error) => {
                self.add(field, error);
                None
            }
        }
    }

    /// Ends the collection: `Ok` when nothing was wrong.
    pub fn finish(self) -> Result<(), Vec<Violation>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }

    /// Ends the collection with the value that was built from checked parts.
    ///
    /// `value` is `Some` exactly when every part parsed; a missing value without a violation counts as one of the whole
    /// request, so that a forgotten note cannot let a bad request through.
    pub fn finish_with<T>(mut self, value: Option<T>) -> Result<T, Vec<Violation>> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => {
                if self.0.is_empty() {
                    self.add("", "is not valid");
                }
                Err(self.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_violation_is_kept_in_order() {
        let mut found = Violations::new();
        assert_eq!(found.check::<u8, _>("a", "x".parse::<u8>()), None);
        assert_eq!(found.check("b", "7".parse::<u8>()), Some(7));
        found.add("c", "is missing");
        let fields: Vec<String> = found.finish().unwrap_err().into_iter().map(|v| v.field).collect();
        assert_eq!(fields, ["a", "c"]);
    }

    #[test]
    fn a_missing_value_is_never_let_through() {
        assert!(Violations::new().finish_with(None::<u8>).is_err());
        assert_eq!(Violations::new().finish_with(Some(1)), Ok(1));
    }
}
