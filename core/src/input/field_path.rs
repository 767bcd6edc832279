//! Where an option or a field of a message stands. The code writes core's names; the caller's spelling alone makes
//! text of them.

use std::borrow::Cow;

use super::Spelling;
use crate::error::Error;

/// An option or a message field, such as `auth.client_id` or `reply_to[1].name`, as its caller writes it.
#[derive(Clone, Debug)]
pub(crate) struct FieldPath {
    path: String,
    whole: Whole,
    spelling: Spelling,
}

/// What the fields belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whole {
    Message,
    Options,
}

impl FieldPath {
    /// The message itself.
    pub(crate) fn top(spelling: Spelling) -> Self {
        Self { path: String::new(), whole: Whole::Message, spelling }
    }

    /// The options themselves.
    pub(crate) fn options(spelling: Spelling) -> Self {
        Self { path: String::new(), whole: Whole::Options, spelling }
    }

    /// The option of this dotted name.
    pub(crate) fn option(name: &str, spelling: Spelling) -> Self {
        Self { path: spelling.path(name), ..Self::options(spelling) }
    }

    /// The field `name` (in core's spelling) of this one.
    pub(crate) fn field(&self, name: &str) -> Self {
        self.verbatim(&self.spell(name))
    }

    /// The same for names that are never renamed, such as a header's, and for those that nobody knows.
    pub(crate) fn verbatim(&self, name: &str) -> Self {
        let name = name.escape_debug();
        let path = if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) };
        Self { path, ..*self }
    }

    /// The entry `at` of this list.
    pub(crate) fn index(&self, at: usize) -> Self {
        Self { path: format!("{}[{at}]", self.path), ..*self }
    }

    /// Another field's name as this caller writes it.
    pub(crate) fn spell<'a>(&self, name: &'a str) -> Cow<'a, str> {
        self.spelling.name(name)
    }

    /// `message_invalid` or `config_invalid` here: the field's name and what is wrong with it.
    pub(crate) fn error(&self, what: impl AsRef<str>) -> Error {
        let what = what.as_ref();
        match (self.path.is_empty(), self.whole) {
            (true, Whole::Message) => self.told(format!("the message {what}")),
            (true, Whole::Options) => self.told(format!("the options: what is given {what}")),
            (false, _) => self.told(format!("`{}` {what}", self.path)),
        }
    }

    /// The refusal of a name that is not in `known`; `elsewhere` is what is meant at another place, if that is known.
    pub(super) fn unknown(&self, key: &str, known: &[&str], elsewhere: Option<&str>) -> Error {
        let wrong = self.verbatim(key);
        let what = match self.whole {
            Whole::Message => "message field",
            Whole::Options => "option",
        };
        let mut message = format!("unknown {what} `{}`", wrong.path);
        let spelled: Vec<Cow<'_, str>> = known.iter().map(|name| self.spell(name)).collect();
        let names: Vec<&str> = spelled.iter().map(|name| &**name).collect();
        let near = super::nearest(key, &names).map(|near| self.verbatim(near).path);
        if let Some(near) = near.or_else(|| elsewhere.map(|name| self.spell(name).into_owned())) {
            message.push_str(&format!("; did you mean `{near}`?"));
            return wrong.told(message);
        }
        wrong.told(message).with_hint(format!("Allowed here: {}.", spelled.join(", ")))
    }

    /// The name alone.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    fn told(&self, message: String) -> Error {
        match self.whole {
            Whole::Message => Error::invalid_message(&self.path, message),
            Whole::Options => Error::config(&self.path, message),
        }
    }
}
