//! How a language spells option names: messages answer in the caller's own spelling.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// The spelling of option and field names; values and header names are never renamed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spelling {
    /// `client_id`: Rust, Python, C, files, environment.
    #[default]
    Snake,
    /// `clientId`: Node.
    Camel,
}

impl Spelling {
    /// A dotted path as this language writes it.
    pub fn path(self, path: &str) -> String {
        self.name(path).into_owned()
    }

    /// The same without a copy where nothing is renamed.
    pub(crate) fn name(self, name: &str) -> Cow<'_, str> {
        match self {
            Self::Camel if name.contains('_') => Cow::Owned(to_camel(name)),
            _ => Cow::Borrowed(name),
        }
    }

    /// Renames the keys of caller's JSON to core's spelling, all the way down. Options and messages are not read so:
    /// their readers know the caller's names and refuse others.
    pub fn to_core(self, value: Value) -> Value {
        match self {
            Self::Snake => value,
            Self::Camel => rename(value, &to_snake),
        }
    }

    /// Renames the keys of core's JSON for the caller, all the way down.
    pub fn from_core(self, value: Value) -> Value {
        match self {
            Self::Snake => value,
            Self::Camel => rename(value, &to_camel),
        }
    }
}

/// Maps whose keys are the caller's own words.
const VERBATIM: &[&str] = &["headers", "claims", "failed"];

fn rename(value: Value, name: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(key, value)| {
                    let value = if VERBATIM.contains(&key.as_str()) { value } else { rename(value, name) };
                    (name(&key), value)
                })
                .collect::<Map<_, _>>(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(|v| rename(v, name)).collect()),
        other => other,
    }
}

fn to_camel(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut upper = false;
    for c in text.chars() {
        if c == '_' && !out.is_empty() {
            upper = true;
        } else if upper {
            out.extend(c.to_uppercase());
            upper = false;
        } else {
            out.push(c);
        }
    }
    out
}

fn to_snake(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    for c in text.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
            out.push(c.to_ascii_lowercase());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_renamed_and_values_and_headers_are_not() {
        let core = Spelling::Camel.to_core(json!({
            "auth": {"clientId": "aB"}, "headers": {"X-MyThing": "aB"}
        }));
        assert_eq!(core, json!({"auth": {"client_id": "aB"}, "headers": {"X-MyThing": "aB"}}));
        assert_eq!(
            Spelling::Camel.from_core(json!({"message_id": "x", "claims": {"app_id": 1}})),
            json!({"messageId": "x", "claims": {"app_id": 1}})
        );
        assert_eq!(Spelling::Camel.path("auth.client_id"), "auth.clientId");
    }
}
