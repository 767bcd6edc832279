//! Reads what callers wrote, options and fields of messages: every key known, each mistake told with the name as the
//! caller writes it and the nearest right one.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::FieldPath;
use super::nearest::nearest;
use crate::error::{Error, Result};
use crate::text;

/// Refuses control characters: they could end a header and begin another.
pub(crate) fn no_controls(text: &str, place: &FieldPath) -> Result<()> {
    match text.chars().find(|c| c.is_control()) {
        None => Ok(()),
        Some(c) => Err(place.error(format!("has a control character (U+{:04X})", u32::from(c))).with_hint(
            "Remove line breaks and control characters: they could add headers that nobody meant.",
        )),
    }
}

/// For words of a header: a TAB is white space (RFC 5322 §3.2.2) and written as a blank, other control characters
/// are refused.
pub(crate) fn spaced<'a>(text: &'a str, place: &FieldPath) -> Result<Cow<'a, str>> {
    let text = match text.contains('\t') {
        true => Cow::Owned(text.replace('\t', " ")),
        false => Cow::Borrowed(text),
    };
    no_controls(&text, place)?;
    Ok(text)
}

/// An object of the caller's: every key known, each value taken once.
pub(crate) struct Reader {
    map: Map<String, Value>,
    place: FieldPath,
}

impl Reader {
    /// Refuses what is not an object, and keys that are not in `known` as this caller spells them.
    pub(crate) fn new(value: Value, place: FieldPath, known: &[&str]) -> Result<Self> {
        Self::with_elsewhere(value, place, known, |_| None)
    }

    /// The same; `elsewhere` knows what stands at another place and is meant by a key.
    pub(crate) fn with_elsewhere(
        value: Value,
        place: FieldPath,
        known: &[&str],
        elsewhere: impl FnOnce(&str) -> Option<&'static str>,
    ) -> Result<Self> {
        let map = object(value, &place)?;
        match map.keys().find(|key| !known.iter().any(|name| place.spell(name) == **key)) {
            Some(key) => Err(place.unknown(key, known, elsewhere(key))),
            None => Ok(Self { map, place }),
        }
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
        self.take_or_null(key).filter(|v| !v.is_null())
    }

    /// The value, `null` too: for fields where it means something.
    pub(crate) fn take_or_null(&mut self, key: &str) -> Option<Value> {
        self.map.remove(&*self.place.spell(key))
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

    /// The words of a header, each TAB a blank; other control characters are refused.
    pub(crate) fn words(&mut self, key: &str) -> Result<Option<String>> {
        let text = self.text(key)?;
        text.map(|text| spaced(&text, &self.at(key)).map(Cow::into_owned)).transpose()
    }

    /// One value or a list of them, each with its place; absent is empty.
    pub(crate) fn many(&mut self, key: &str) -> Vec<(Value, FieldPath)> {
        let place = self.at(key);
        self.take(key).map_or_else(Vec::new, |value| one_or_list(value, &place))
    }

    /// As [`many`](Self::many), for what need not be there: `null` and an empty string are none.
    pub(crate) fn any(&mut self, key: &str) -> Vec<(Value, FieldPath)> {
        self.many(key).into_iter().filter(|(value, _)| !is_blank(value)).collect()
    }

    /// One string or a list of them, as [`words`](Self::words); an empty one is none.
    pub(crate) fn many_words(&mut self, key: &str) -> Result<Vec<(String, FieldPath)>> {
        let words = |(value, place): (Value, FieldPath)| {
            let text = spaced(&string(value, &place)?, &place)?.into_owned();
            Ok((text, place))
        };
        self.any(key).into_iter().map(words).collect()
    }
}

/// Whether nothing is said: null, or a string of nothing but white space.
pub(crate) fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

/// One value stands for a list of one.
pub(crate) fn one_or_list(value: Value, place: &FieldPath) -> Vec<(Value, FieldPath)> {
    match value {
        Value::Array(items) => items.into_iter().enumerate().map(|(i, v)| (v, place.index(i))).collect(),
        one => vec![(one, place.clone())],
    }
}

/// The object in `value`.
pub(crate) fn object(value: Value, place: &FieldPath) -> Result<Map<String, Value>> {
    match value {
        Value::Object(map) => Ok(map),
        other => Err(wrong_kind(place, "an object", &other)),
    }
}

/// One of a few words.
pub(crate) fn word(value: Value, words: &[&str], place: &FieldPath) -> Result<String> {
    let given = string(value, place)?;
    if words.contains(&given.as_str()) {
        return Ok(given);
    }
    let near = nearest(&given, words).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Err(place
        .error(format!("cannot be `{}`{near}", text::shown(&given, 60)))
        .with_hint(format!("One of: {}.", words.join(", "))))
}

/// The refusal of a value of another kind.
pub(crate) fn wrong_kind(place: &FieldPath, wanted: &str, given: &Value) -> Error {
    place.error(format!("must be {wanted}, not {}", kind(given)))
}

/// The string in `value`.
pub(crate) fn string(value: Value, place: &FieldPath) -> Result<String> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(wrong_kind(place, "a string", &other)),
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
