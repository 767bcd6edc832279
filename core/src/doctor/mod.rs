//! What `verify` found: one finding a link of the chain, as data and as a readable report.

pub(crate) mod claims;

pub use crate::error::report::{Finding, Report, Status};

/// What was seen at a link that held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) seen: String,
    /// What it means, where that says more.
    pub(crate) means: String,
    /// What to do, if it is a warning.
    pub(crate) cure: String,
}

impl Seen {
    pub(crate) fn meaning(seen: impl Into<String>, means: impl Into<String>) -> Self {
        Self { seen: seen.into(), means: means.into(), cure: String::new() }
    }

    pub(crate) fn warning(
        seen: impl Into<String>,
        means: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self { seen: seen.into(), means: means.into(), cure: cure.into() }
    }
}

impl From<String> for Seen {
    fn from(seen: String) -> Self {
        Self { seen, ..Self::default() }
    }
}
