//! What a caller writes, read with care: names in the caller's spelling, the path of every mistake, secrets,
//! durations.
//!
//! Nothing here knows which options or fields there are: that is `config` and `message`.

pub(crate) mod duration;
mod environment;
mod field_path;
mod nearest;
pub(crate) mod reader;
mod secret;
mod spelling;

pub(crate) use duration::{parse_duration, read_duration};
pub use environment::{Environment, Variable, Variables};
pub(crate) use field_path::FieldPath;
pub(crate) use nearest::nearest;
pub(crate) use secret::{COMMAND_TIME, run};
pub use secret::{Secret, SecretSource};
pub use spelling::Spelling;
