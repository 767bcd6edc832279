//! Environment variables: the process's own, or the host program's view of them.
//!
//! Node has such a view: a worker thread, Jest and bun give a program a `process.env` that the process does not know.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A host program's own view of environment variables.
pub trait Variables: Send + Sync {
    /// All of them. Called only while options are read.
    fn all(&self) -> Vec<(String, String)>;

    /// One of them, without waiting.
    fn get(&self, name: &str) -> Option<String>;

    /// One of them as it is by now; called from any thread.
    fn current<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>>;
}

/// Where environment variables are read. The default is the process.
#[derive(Clone, Default)]
pub struct Environment(Option<Arc<dyn Variables>>);

impl Environment {
    /// The host program's own.
    pub fn new(variables: Arc<dyn Variables>) -> Self {
        Self(Some(variables))
    }

    /// All variables that are UTF-8, in the order of their names.
    pub(crate) fn all(&self) -> Vec<(String, String)> {
        let mut all = match &self.0 {
            Some(variables) => variables.all(),
            None => std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        };
        all.sort();
        all
    }

    /// A variable's value.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        match &self.0 {
            Some(variables) => variables.get(name),
            None => std::env::var(name).ok(),
        }
    }

    /// A variable's value by now.
    async fn current(&self, name: &str) -> Option<String> {
        match &self.0 {
            Some(variables) => variables.current(name).await,
            None => std::env::var(name).ok(),
        }
    }

    /// Reads options: each [`Variable`] that is named in them is looked up here.
    pub(crate) fn within<T>(&self, read: impl FnOnce() -> T) -> T {
        let before = IN_FORCE.replace(self.clone());
        let _back = Back(before);
        read()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Environment(the host's)" } else { "Environment(the process's)" })
    }
}

thread_local! {
    /// Reading options knows no context but the value, so the place of variables stands beside it.
    static IN_FORCE: RefCell<Environment> = RefCell::default();
}

/// Puts back what was in force, also if reading panics.
struct Back(Environment);

impl Drop for Back {
    fn drop(&mut self) {
        IN_FORCE.set(std::mem::take(&mut self.0));
    }
}

/// A variable that an option names; its value is read at every use.
#[derive(Clone, Debug)]
pub struct Variable {
    name: String,
    environment: Environment,
}

impl Variable {
    /// The variable `name`, where the options that are being read look variables up.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), environment: IN_FORCE.with_borrow(Clone::clone) }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its value, without waiting.
    pub(crate) fn get(&self) -> Option<String> {
        self.environment.get(&self.name)
    }

    /// Its value by now.
    pub(crate) async fn current(&self) -> Option<String> {
        self.environment.current(&self.name).await
    }
}

impl PartialEq for Variable {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Variable {}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    struct Fixed(&'static str);

    impl Variables for Fixed {
        fn all(&self) -> Vec<(String, String)> {
            vec![("B".into(), self.0.into()), ("A".into(), self.0.into())]
        }

        fn get(&self, name: &str) -> Option<String> {
            (name == "A").then(|| self.0.to_owned())
        }

        fn current<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>> {
            Box::pin(std::future::ready(self.get(name)))
        }
    }

    #[test]
    fn a_variable_is_looked_up_where_its_options_were_read() {
        let here = Environment::new(Arc::new(Fixed("here")));
        let there = Environment::new(Arc::new(Fixed("there")));
        let (outer, inner) = here.within(|| {
            let inner = there.within(|| Variable::new("A"));
            (Variable::new("A"), inner)
        });
        assert_eq!((outer.get().as_deref(), inner.get().as_deref()), (Some("here"), Some("there")));
        assert_eq!(Variable::new("PATH").get(), std::env::var("PATH").ok());
        assert_eq!(here.within(|| Variable::new("B")).get(), None);
        assert_eq!(here.all()[0].0, "A");
        let panicked = std::thread::spawn(move || {
            let panicked = catch_unwind(AssertUnwindSafe(|| here.within(|| panic!("while reading"))));
            (panicked.is_err(), Variable::new("A").get())
        });
        assert_eq!(panicked.join().unwrap(), (true, std::env::var("A").ok()));
    }
}
