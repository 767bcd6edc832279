//! Options from a file, from the environment and from the caller.

use std::path::PathBuf;

use mailbearer::Load;
use serde_json::Value;

/// What `fromFile` and `fromEnv` ask for; `overrides` are the caller's own options.
pub(crate) fn load(from: &Value, overrides: Value) -> Load {
    let text = |key: &str| from[key].as_str().map(str::to_owned);
    Load {
        file: text("file").map(PathBuf::from),
        search: from["search"].as_bool().unwrap_or(false),
        profile: text("profile"),
        env_prefix: text("prefix"),
        overrides,
    }
}
