//! Why a command did not work: core's own error, or one of the command line's.

use std::io;
use std::path::Path;

use mailbearer::{Error, ErrorCode};
use serde_json::{Value, json};

use crate::exit;

/// What a command returns.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Core said no.
    Core(Box<Error>),
    /// The words on the command line; with a hint.
    Usage(String, &'static str),
    /// Input of the command's own cannot be read.
    Input(String),
    /// Output of the command's own cannot be written.
    Output(String),
    /// A program could not be started.
    Child(String),
    /// The person or the system asked to stop.
    Interrupted,
}

impl Failure {
    /// The file or stream `name` cannot be read.
    pub(crate) fn input(name: impl AsRef<Path>, error: &io::Error) -> Self {
        Self::Input(format!("cannot read {}: {error}", name.as_ref().display()))
    }

    /// The file or stream `name` cannot be written.
    pub(crate) fn output(name: impl AsRef<Path>, error: &io::Error) -> Self {
        Self::Output(format!("cannot write {}: {error}", name.as_ref().display()))
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> i32 {
        match self {
            Self::Core(error) => exit::of(error),
            Self::Usage(..) => exit::USAGE,
            Self::Input(_) => exit::INPUT,
            Self::Output(_) => exit::STORE,
            Self::Child(_) => exit::UNAVAILABLE,
            Self::Interrupted => exit::INTERRUPTED,
        }
    }

    /// What happened.
    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Core(error) => error.message(),
            Self::Usage(text, _) | Self::Input(text) | Self::Output(text) | Self::Child(text) => text,
            Self::Interrupted => "interrupted",
        }
    }

    /// What to do.
    pub(crate) fn hint(&self) -> Option<&str> {
        match self {
            Self::Core(error) => error.hint(),
            Self::Usage(_, hint) => Some(hint).filter(|hint| !hint.is_empty()).copied(),
            _ => None,
        }
    }

    /// As JSON: core's shape, or the same members as far as they mean anything.
    pub(crate) fn to_json(&self) -> Value {
        let code = match self {
            Self::Core(error) => return json!(error),
            Self::Usage(..) => "usage",
            Self::Input(_) => "input_unreadable",
            Self::Output(_) => "output_failed",
            Self::Child(_) => "command_failed",
            Self::Interrupted => ErrorCode::Cancelled.as_str(),
        };
        json!({ "code": code, "message": self.message(), "hint": self.hint() })
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Core(Box::new(error))
    }
}
