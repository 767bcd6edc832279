//! Reads the caller's fields from JSON and knows, for every mistake, the field's name as the caller
//! writes it.

use serde_json::{Map, Value};

use super::{Spelling, nearest};
use crate::error::{Error, Result};

/// A field of a message, such as `reply_to[1].name`, in the caller's spelling.
#[derive(Clone, Debug)]
pub(crate) struct FieldPath {
    path: String,
    spelling: Spelling,
}

impl FieldPath {
    /// The message itself.
    pub(crate) fn top(spelling: Spelling) -> Self {
        Self { path: String::new(), spelling }
    }

    /// The field `name` (in core's spelling) of this one.
    pub(crate) fn field(&self, name: &str) -> Self {
        self.verbatim(&self.spelling.path(name))
    }

    /// As [`field`](Self::field), for names that are never renamed, such as a header's.
    pub(crate) fn verbatim(&self, name: &str) -> Self {
        let name = name.escape_debug();
        let path = if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) };
        Self { path, spelling: self.spelling }
    }

    /// The entry `at` of this list.
    pub(crate) fn index(&self, at: usize) -> Self {
        Self { path: format!("{}[{at}]", self.path), spelling: self.spelling }
    }

    /// Another field's name as this caller writes it.
    pub(crate) fn spell(&self, name: &str) -> String {
        self.spelling.path(name)
    }

    /// `message_invalid` here: the field's name and what is wrong with it.
    pub(crate) fn error(&self, what: impl AsRef<str>) -> Error {
        let what = what.as_ref();
        if self.path.is_empty() {
            return Error::invalid_message("", format!("the message {what}"));
        }
        Error::invalid_message(&self.path, format!("`{}` {what}", self.path))
    }

    /// The name alone.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }
}

/// Refuses control characters: they could end a header and begin another.
pub(crate) fn no_controls(text: &str, place: &FieldPath) -> Result<()> {
    match text.chars().find(|c| c.is_control()) {
        None => Ok(()),
        Some(c) => Err(place.error(format!("has a control character (U+{:04X})", u32::from(c))).with_hint(
            "Remove line breaks and control characters: they could add headers that nobody meant.",
        )),
    }
}

/// An object of the caller's: every key known, each value taken once.
pub(crate) struct Reader {
    map: Map<String, Value>,
    place: FieldPath,
}

impl Reader {
    /// Refuses what is not an object, and keys that are not in `known`.
    pub(crate) fn new(value: Value, place: FieldPath, known: &[&str]) -> Result<Self> {
        let map = match value {
            Value::Object(map) => map,
            other => return Err(place.error(format!("must be an object, not {}", kind(&other)))),
        };
        for key in map.keys() {
            if known.contains(&key.as_str()) {
                continue;
            }
            let wrong = place.field(key);
            let mut message = format!("unknown message field `{}`", wrong.path());
            let near = nearest(key, known);
            if let Some(near) = near {
                message.push_str(&format!("; did you mean `{}`?", place.field(near).path()));
            }
            let error = Error::invalid_message(wrong.path(), message);
            return Err(match near {
                Some(_) => error,
                None => {
                    let list: Vec<_> = known.iter().map(|k| place.spell(k)).collect();
                    error.with_hint(format!("Allowed here: {}.", list.join(", ")))
                }
            });
        }
        Ok(Self { map, place })
    }

    /// The object's own place.
    pub(crate) fn place(&self) -> &FieldPath {
        &self.place
    }

    /// Where `key` stands.
    pub(crate) fn at(&self, key: &str) -> FieldPath {
        self.place.field(key)
    }

    /// The value; `null` is the same as absent.
    pub(crate) fn take(&mut self, key: &str) -> Option<Value> {
        self.map.remove(key).filter(|v| !v.is_null())
    }

    /// A string, as it is.
    pub(crate) fn text(&mut self, key: &str) -> Result<Option<String>> {
        self.take(key).map(|value| string(value, &self.at(key))).transpose()
    }

    /// A string without control characters.
    pub(crate) fn line(&mut self, key: &str) -> Result<Option<String>> {
        let text = self.text(key)?;
        if let Some(text) = &text {
            no_controls(text, &self.at(key))?;
        }
        Ok(text)
    }

    /// One value or a list of them, each with its place; absent is empty.
    pub(crate) fn many(&mut self, key: &str) -> Vec<(Value, FieldPath)> {
        let place = self.at(key);
        self.take(key).map_or_else(Vec::new, |value| one_or_list(value, &place))
    }

    /// One string or a list of them, without control characters.
    pub(crate) fn lines(&mut self, key: &str) -> Result<Vec<(String, FieldPath)>> {
        self.many(key)
            .into_iter()
            .map(|(value, place)| {
                let text = string(value, &place)?;
                no_controls(&text, &place)?;
                Ok((text, place))
            })
            .collect()
    }
}

/// One value stands for a list of one.
pub(crate) fn one_or_list(value: Value, place: &FieldPath) -> Vec<(Value, FieldPath)> {
    match value {
        Value::Array(items) => items.into_iter().enumerate().map(|(i, v)| (v, place.index(i))).collect(),
        one => vec![(one, place.clone())],
    }
}

/// The string in `value`.
pub(crate) fn string(value: Value, place: &FieldPath) -> Result<String> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(place.error(format!("must be a string, not {}", kind(&other)))),
    }
}

/// What a value is, never the value itself.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
