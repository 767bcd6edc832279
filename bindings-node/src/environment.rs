//! The program's environment variables as JavaScript has them: `process.env` of its own thread and realm.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use mailbearer::config::{Environment, Variables};
use napi::Status;
use napi::threadsafe_function::ThreadsafeFunction;

/// A function that gives a variable's value. It does not keep the process alive.
pub(crate) type Lookup = ThreadsafeFunction<String, Option<String>, String, Status, false, true>;

/// `variables` as they are now; `lookup` finds them later.
pub(crate) fn environment(variables: BTreeMap<String, String>, lookup: Lookup) -> Environment {
    Environment::new(Arc::new(ProcessEnv { variables, lookup }))
}

struct ProcessEnv {
    variables: BTreeMap<String, String>,
    lookup: Lookup,
}

impl Variables for ProcessEnv {
    fn all(&self) -> Vec<(String, String)> {
        self.variables.clone().into_iter().collect()
    }

    fn get(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn current<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>> {
        Box::pin(async move {
            match self.lookup.call_async_catch(name.to_owned()).await {
                Ok(value) => value,
                // Its thread has ended: what it had stays.
                Err(_) => self.get(name),
            }
        })
    }
}
