//! Core's data as JavaScript reads it.

use mailbearer::config::Spelling;
use serde::Serialize;
use serde_json::Value;

/// Core's data with JavaScript's names.
pub(crate) fn to_js(value: &impl Serialize) -> Value {
    // Core's types serialise without fail: plain structs with string keys.
    Spelling::Camel.from_core(serde_json::to_value(value).unwrap_or(Value::Null))
}

/// Core's data as JSON text. Objects of many members cross faster as text; the other side renames their members.
pub(crate) fn to_json(value: &impl Serialize) -> String {
    // Core's types serialise without fail: plain structs with string keys.
    serde_json::to_string(value).unwrap_or_default()
}
