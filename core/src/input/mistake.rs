//! Turns a mistake in the options into one sentence with the full path and the nearest right name.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::spelling::Spelling;
use crate::error::Error;

/// Reads `value` as a `T`, or says what is wrong with which option.
pub(crate) fn read<T: DeserializeOwned>(value: Value, what: &str, spelling: Spelling) -> Result<T, Error> {
    serde_path_to_error::deserialize(value).map_err(|e| {
        let path = e.path().to_string();
        let path = if path == "." { String::new() } else { path };
        let text = e.into_inner().to_string();
        sentence(&path, &text, what, spelling)
    })
}

fn sentence(path: &str, text: &str, what: &str, spelling: Spelling) -> Error {
    if let Some((name, known)) = unknown_field(text) {
        // The path ends in the unknown name itself or in its parent, by the depth of the mistake.
        let parent = path.strip_suffix(name).unwrap_or(path).trim_end_matches('.');
        let join = |name: &str| {
            spelling.path(&if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") })
        };
        let mut message = format!("unknown {what} `{}`", join(name));
        let near = nearest(name, &known);
        if let Some(near) = near {
            message.push_str(&format!("; did you mean `{}`?", join(near)));
        }
        let error = Error::config(join(name), message);
        return match near {
            Some(_) => error,
            None => {
                let list: Vec<_> = known.iter().map(|n| spelling.path(n)).collect();
                error.with_hint(format!("Allowed here: {}.", list.join(", ")))
            }
        };
    }
    let path = spelling.path(path);
    // serde's position within the text means nothing: the options came as data.
    let text = text.split(" at line ").next().unwrap_or(text);
    if path.is_empty() {
        return Error::config("", text);
    }
    Error::config(&path, format!("`{path}`: {text}"))
}

/// Reads serde's ``unknown field `x`, expected one of `a`, `b` `` (or ``expected `a` ``).
fn unknown_field(text: &str) -> Option<(&str, Vec<&str>)> {
    let rest = text.strip_prefix("unknown field `")?;
    let (name, rest) = rest.split_once('`')?;
    Some((name, rest.split('`').skip(1).step_by(2).collect()))
}

/// The known name within a third of the length in edits (two letters swapped are two), if one is.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|k| (distance(name, k), *k))
        .min()
        .filter(|(edits, k)| *edits <= (k.len().max(name.len()) / 3).max(if k.len() > 3 { 2 } else { 1 }))
        .map(|(_, k)| k)
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let cost = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Options;
    use serde_json::json;

    fn mistake(value: Value, spelling: Spelling) -> Error {
        read::<Options>(value, "option", spelling).unwrap_err()
    }

    #[test]
    fn an_unknown_option_names_its_path_and_the_nearest_right_one() {
        let error =
            mistake(json!({"auth": {"grant": "client_credentials", "tennant": "x"}}), Spelling::Snake);
        assert_eq!(error.message(), "unknown option `auth.tennant`; did you mean `auth.tenant`?");
        assert_eq!(error.field(), Some("auth.tennant"));
        let error = mistake(json!({"auth": {"cliant_id": "x"}}), Spelling::Camel);
        assert_eq!(error.message(), "unknown option `auth.cliantId`; did you mean `auth.clientId`?");
        let error = mistake(json!({"zzzzzz": 1}), Spelling::Snake);
        assert!(error.hint().unwrap().contains("provider"), "{error}");
    }

    #[test]
    fn a_wrong_type_names_its_path_and_never_the_value() {
        let error = mistake(json!({"smtp": {"port": "hunter2"}}), Spelling::Snake);
        assert!(error.message().starts_with("`smtp.port`: "), "{error}");
        let error = mistake(json!({"timeout": 30}), Spelling::Snake);
        assert!(error.message().contains("a duration needs a unit"), "{error}");
        let error = mistake(json!({"auth": {"client_secret": {"evn": "hunter2"}}}), Spelling::Snake);
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
