//! Options from a file, from the environment and from the caller.

use std::path::PathBuf;

use mailbearer::Load;
use pyo3::prelude::*;
use serde_json::Value;

/// What `from_file` and `from_env` ask for.
#[derive(FromPyObject)]
pub(crate) enum Places {
    /// A file, or the first of the usual places; and its profile.
    #[pyo3(transparent)]
    File((Option<PathBuf>, Option<String>)),
    /// The environment's variables with this prefix.
    #[pyo3(transparent)]
    Environment(String),
}

/// The same for core; `overrides` are the caller's own options.
pub(crate) fn load(places: Places, overrides: Value) -> Load {
    match places {
        Places::File((file, profile)) => Load::from_file(file, profile, overrides),
        Places::Environment(prefix) => Load::from_env(Some(prefix), overrides),
    }
}
