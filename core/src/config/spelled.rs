//! Sentences of core's name options as core does; whoever hears them in another language hears that language's names.

use super::schema;
use crate::error::Error;
use crate::input::Spelling;

/// `error` with the options in its message, hint and field as `spelling` writes them.
#[must_use]
pub fn spelled(error: Error, spelling: Spelling) -> Error {
    match spelling {
        Spelling::Snake => error,
        Spelling::Camel => error.map_text(|text| in_camel(&text)),
    }
}

/// Renames what is an option's whole name; a word alone may be anybody's, so it has to have a dot or to be marked as
/// dangerous.
fn in_camel(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.';
    let mut rest = text;
    while let Some(begin) = rest.find(is_name) {
        let (before, from) = rest.split_at(begin);
        let end = from.find(|c| !is_name(c)).unwrap_or(from.len());
        let (run, behind) = from.split_at(end);
        let name = run.trim_end_matches('.');
        let whole = before.chars().next_back().is_none_or(|c| !c.is_alphanumeric())
            && behind.chars().next().is_none_or(|c| !c.is_alphanumeric());
        out.push_str(before);
        match whole && is_option(name) {
            true => {
                out.push_str(&Spelling::Camel.path(name));
                out.push_str(&run[name.len()..]);
            }
            false => out.push_str(run),
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

fn is_option(name: &str) -> bool {
    let dotted = name.contains('.') || name.starts_with("danger_");
    let known = |name: &str| schema::find(name).is_some();
    // `auth.client_secret.env` is where one stands.
    dotted
        && (known(name)
            || name.rsplit_once('.').is_some_and(|(parent, _)| parent.contains('.') && known(parent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_renamed_and_other_words_are_not() {
        let error = Error::config(
            "limits.messages_per_minute",
            "`limits.messages_per_minute` must be at least 1",
        )
        .with_hint(
            "Set auth.client_secret.env, not client_secret: danger_token_to_host, or smtp.final_reply.",
        );
        let told = spelled(error.clone(), Spelling::Camel);
        assert_eq!(told.field(), Some("limits.messagesPerMinute"));
        assert_eq!(told.message(), "`limits.messagesPerMinute` must be at least 1");
        assert_eq!(
            told.hint(),
            Some("Set auth.clientSecret.env, not client_secret: dangerTokenToHost, or smtp.final_reply.")
        );
        assert_eq!(spelled(error.clone(), Spelling::Snake).message(), error.message());
        assert_eq!(
            in_camel("AADSTS7000215: client_secret of x.auth.client_id"),
            "AADSTS7000215: client_secret of x.auth.client_id"
        );
    }
}
