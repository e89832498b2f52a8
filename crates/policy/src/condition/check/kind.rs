//! Compares and names types.

use crate::attributes::Type;

/// Names a type as conditions call it.
pub(in crate::condition) fn name(of: &Type) -> String {
    match of {
        Type::Bool => "bool".to_owned(),
        Type::Int => "int".to_owned(),
        Type::Double => "double".to_owned(),
        Type::String => "string".to_owned(),
        Type::Timestamp => "timestamp".to_owned(),
        Type::Duration => "duration".to_owned(),
        Type::Null => "null".to_owned(),
        Type::List(of) => format!("list({})", name(of)),
        Type::Map(of) => format!("map(string, {})", name(of)),
        Type::Dyn => "dyn".to_owned(),
    }
}

/// Tells whether a value of type `given` may stand where `wanted` is needed.
pub(in crate::condition) fn fits(given: &Type, wanted: &Type) -> bool {
    match (given, wanted) {
        (Type::Dyn, _) | (_, Type::Dyn) => true,
        (Type::List(given), Type::List(wanted)) | (Type::Map(given), Type::Map(wanted)) => fits(given, wanted),
        _ => given == wanted,
    }
}

/// Returns the type of a value that is one of several.
pub(super) fn join<'t>(mut types: impl Iterator<Item = &'t Type>) -> Type {
    let Some(first) = types.next() else {
        return Type::Dyn;
    };
    if types.all(|other| other == first) { first.clone() } else { Type::Dyn }
}
