//! The macros that declare events, the records inside them and their words, each once for struct, wire and schema.

/// Declares a record that stands inside events: a struct and its JSON Schema. `=> personal` after a field marks it as
/// being about a person.
macro_rules! record {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident {
            $($(#[doc = $field_doc:literal])* pub $field:ident: $ty:ty $(=> $personal:ident)?),* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $name {
            $($(#[doc = $field_doc])* pub $field: $ty,)*
        }

        impl $crate::schema::Schema for $name {
            const PERSONAL: bool =
                false $(|| <$ty as $crate::schema::Schema>::PERSONAL $(|| $crate::declare::is_personal!($personal))?)*;

            fn schema() -> serde_json::Value {
                $crate::schema::object(
                    concat!($($doc,)*),
                    vec![$($crate::schema::Property {
                        name: stringify!($field),
                        doc: concat!($($field_doc,)*),
                        schema: <$ty as $crate::schema::Schema>::schema(),
                        optional: <$ty as $crate::schema::Schema>::OPTIONAL,
                        personal: false $(|| $crate::declare::is_personal!($personal))?,
                    },)*],
                )
            }
        }
    };
}

/// Declares an event: its routing key, its exchange, the record it is about, and its fields as in [`record!`].
macro_rules! event {
    (
        $key:literal, $exchange:ident, about |$event:ident| $aggregate:expr;
        $(#[doc = $doc:literal])*
        pub struct $name:ident { $($body:tt)* }
    ) => {
        $crate::declare::record! {
            $(#[doc = $doc])*
            pub struct $name { $($body)* }
        }

        impl $crate::Event for $name {
            const KEY: &'static str = $key;
            const EXCHANGE: $crate::Exchange = $crate::Exchange::$exchange;
            const PERSONAL: bool = <Self as $crate::schema::Schema>::PERSONAL;

            fn aggregate(&self) -> $crate::Aggregate {
                let $event = self;
                $aggregate
            }
        }
    };
}

/// Declares a closed set of words, snake case on the wire, with room for words that newer versions bring.
macro_rules! words {
    (
        $(#[doc = $doc:literal])*
        pub enum $name:ident { $($(#[doc = $word_doc:literal])* $word:ident),* $(,)? }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[doc = $word_doc])* $word,)*
            /// A word of a newer version than this reader's.
            #[serde(other)]
            Unknown,
        }

        impl $crate::schema::Schema for $name {
            fn schema() -> serde_json::Value {
                serde_json::json!({ "type": "string", "examples": [$(Self::$word),*] })
            }
        }
    };
}

/// Turns the mark after a field into `true`; any other mark does not compile.
macro_rules! is_personal {
    (personal) => {
        true
    };
}

pub(crate) use {event, is_personal, record, words};
