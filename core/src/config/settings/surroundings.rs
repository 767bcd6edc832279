//! What decides beside the options: the host program's functions, and the environment.

use std::sync::Arc;

use crate::host::{Host, TokenProvider};

/// Reads an environment variable.
type ReadVariable = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What else decides, beside the options.
#[derive(Clone)]
pub(crate) struct Surroundings {
    /// The host program's token callback.
    pub(crate) callback: Option<Arc<dyn TokenProvider>>,
    /// The host program brought a token store.
    pub(crate) store: bool,
    /// The options came from a file: delegated grants then default to a file store.
    pub(crate) persistent: bool,
    /// The environment.
    pub(crate) variable: ReadVariable,
}

impl Surroundings {
    pub(crate) fn of(host: &Host) -> Self {
        Self {
            callback: host.token_provider.clone(),
            store: host.store.is_some(),
            persistent: host.persistent,
            variable: {
                let environment = host.environment.clone();
                Arc::new(move |name| environment.get(name))
            },
        }
    }
}
