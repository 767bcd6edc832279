//! Options from a file, from the environment and from the caller.

use std::path::PathBuf;

use mailbearer::Load;
use serde_json::Value;

/// What a constructor, `fromFile` or `fromEnv` asks for; `options` are the caller's own.
pub(crate) fn load(from: Option<&Value>, options: Value) -> Load {
    let Some(from) = from else { return Load { overrides: options, ..Load::default() } };
    let text = |key: &str| from[key].as_str().map(str::to_owned);
    match from["env"].as_bool() {
        Some(true) => Load::from_env(text("prefix"), options),
        _ => Load::from_file(text("file").map(PathBuf::from), text("profile"), options),
    }
}
