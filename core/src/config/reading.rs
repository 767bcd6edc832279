//! Reads options that somebody wrote, by the schema: every key, kind and word is checked before anything is made of
//! them, and each mistake is told by the option's whole name, as the caller spells it.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::schema::{self, DefaultValue, OptionKind, OptionRow, Takers};
use crate::error::{Error, Result};
use crate::input::reader::{Reader, string, word, wrong_kind};
use crate::input::{FieldPath, Spelling, parse_duration};

/// One layer of options with core's names, from names in `spelling`: what is written there is right, though more may
/// be needed.
///
/// # Errors
/// `config_invalid`.
pub(crate) fn layer(value: Value, spelling: Spelling) -> Result<Value> {
    table("", value, &FieldPath::options(spelling))
}

/// All layers in one piece, with core's names: nothing that must be there is missing.
///
/// # Errors
/// `config_invalid`.
pub(super) fn complete(value: &Value, spelling: Spelling) -> Result<()> {
    let Value::Object(map) = value else { return Ok(()) };
    for row in schema::inside("") {
        if let Some(value) = map.get(row.key()) {
            whole(row, value, &FieldPath::options(spelling).field(row.key()))?;
        }
    }
    Ok(())
}

fn table(name: &str, value: Value, place: &FieldPath) -> Result<Value> {
    let known: Vec<&str> = schema::inside(name).map(OptionRow::key).collect();
    entries(name, &known, value, place).map(Value::Object)
}

/// The object's own options; what is in `known` beside them is left to the caller, as it is.
fn entries(name: &str, known: &[&str], value: Value, place: &FieldPath) -> Result<Map<String, Value>> {
    let mut reader = Reader::with_elsewhere(value, place.clone(), known, schema::elsewhere)?;
    let mut out = Map::new();
    for key in known {
        let Some(value) = reader.take_or_null(key) else { continue };
        let row = schema::inside(name).find(|row| row.key() == *key);
        let value = match row {
            Some(row) => one(row, value, &place.field(key))?,
            None => Some(value).filter(|value| !value.is_null()),
        };
        if let Some(value) = value {
            out.insert((*key).to_owned(), value);
        }
    }
    Ok(out)
}

/// One option's value; `null` is the same as absent, but where it means something.
fn one(row: &OptionRow, value: Value, place: &FieldPath) -> Result<Option<Value>> {
    use OptionKind::*;
    if value.is_null() {
        return Ok(row.takes_null().then_some(value));
    }
    let wanted = |what: &str, value: &Value| Err(wrong_kind(place, what, value));
    let value = match row.kind {
        Table => table(row.name, value, place)?,
        Text | Path => Value::String(string(value, place)?),
        Ip => {
            let text = string(value, place)?;
            if text.parse::<IpAddr>().is_err() {
                return Err(place
                    .error("is no IP address")
                    .with_hint("Write one such as 192.0.2.1 or 2001:db8::1."));
            }
            Value::String(text)
        }
        Word(words) => Value::String(word(value, words, place)?),
        Texts => texts(value, place)?,
        Number(most) | Limit(most) => {
            let number =
                value.as_u64().or_else(|| value.as_f64().filter(|n| n.fract() == 0.0).map(|n| n as u64));
            match number {
                Some(number) if (1..=u64::from(most)).contains(&number) => Value::from(number),
                _ => {
                    let range = match most {
                        u32::MAX => "a whole number of at least 1".to_owned(),
                        _ => format!("a whole number from 1 to {most}"),
                    };
                    return match value {
                        Value::Number(_) => Err(place.error(format!("must be {range}"))),
                        other => wanted(&range, &other),
                    };
                }
            }
        }
        Switch if value.is_boolean() => value,
        Switch => return wanted("true or false", &value),
        SwitchOrText if value.is_boolean() || value.is_string() => value,
        SwitchOrText => return wanted("true or a string", &value),
        Duration | DurationLimit => duration(value, place)?,
        Instant if value.is_string() || value.is_number() => value,
        Instant => return wanted("RFC 3339 or epoch seconds", &value),
        Secret | Certificate | Assertion => secret(row, value, place)?,
        Function => return wanted("a function of the program", &value),
        Mailbox if value.is_string() => value,
        Mailbox => {
            let mut reader = Reader::new(value, place.clone(), &["name", "address"])?;
            let name = reader.text("name")?;
            let Some(address) = reader.text("address")? else {
                return Err(reader.at("address").error("is missing"));
            };
            serde_json::json!({ "name": name, "address": address })
        }
        Store => match value {
            text @ Value::String(_) => {
                let kinds = schema::find("store.kind").map(|row| row.kind);
                let words = if let Some(Word(words)) = kinds { words } else { &[] };
                Value::String(word(text, words, place)?)
            }
            value => table(row.name, value, place)?,
        },
        Folders => match value {
            text @ Value::String(_) => Value::String(word(text, &["allow", "deny"], place)?),
            value => texts(value, place)?,
        },
    };
    Ok(Some(value))
}

fn texts(value: Value, place: &FieldPath) -> Result<Value> {
    let Value::Array(items) = value else {
        return Err(wrong_kind(place, "a list", &value).with_hint("Write one in brackets: [\"…\"]."));
    };
    let texts = items.into_iter().enumerate().map(|(at, item)| string(item, &place.index(at)));
    Ok(texts.collect::<Result<Vec<_>>>()?.into())
}

fn duration(value: Value, place: &FieldPath) -> Result<Value> {
    const HINT: &str = "Write for instance \"500ms\", \"30s\", \"10m\" or \"1h\".";
    match &value {
        Value::String(text) => match parse_duration(text) {
            Ok(_) => Ok(value),
            Err(what) => Err(place.error(format!("is wrong: {what}"))),
        },
        Value::Number(_) => {
            Err(place.error("is a duration and needs a unit, which a bare number has not").with_hint(HINT))
        }
        other => Err(wrong_kind(place, "a duration", other).with_hint(HINT)),
    }
}

/// Where a secret may stand, beside the text itself.
const PLACES: [&str; 3] = ["env", "file", "command"];

fn secret(row: &OptionRow, value: Value, place: &FieldPath) -> Result<Value> {
    let value = match value {
        Value::String(text) => {
            if row.kind == OptionKind::Certificate && looks_like_a_path(&text) {
                return Err(place
                    .error("is the certificate itself, and this looks like a path")
                    .with_hint("Write where it stands: {\"file\": \"PATH\"}, in TOML {file = \"PATH\"}."));
            }
            return Ok(Value::String(text));
        }
        Value::Object(map) => Value::Object(map),
        other => return Err(wrong_kind(place, "a string, {env}, {file} or {command}", &other)),
    };
    let known: Vec<&str> = PLACES.into_iter().chain(schema::inside(row.name).map(OptionRow::key)).collect();
    let mut map = entries(row.name, &known, value, place)?;
    for key in ["env", "file"] {
        if let Some(value) = map.remove(key) {
            let text = string(value, &place.field(key))?;
            if text.is_empty() {
                return Err(place.field(key).error("is empty"));
            }
            map.insert(key.to_owned(), Value::String(text));
        }
    }
    if let Some(words) = map.remove("command") {
        map.insert("command".to_owned(), texts(words, &place.field("command"))?);
    }
    Ok(Value::Object(map))
}

/// A certificate in PEM has lines, and one in base64 is far longer than a name.
fn looks_like_a_path(text: &str) -> bool {
    let text = text.trim();
    text.len() < 260 && !text.contains("-----BEGIN") && !text.contains('\n') && !text.is_empty()
}

/// What is there is enough: a secret has one place, a store what its kind needs.
fn whole(row: &OptionRow, value: &Value, place: &FieldPath) -> Result<()> {
    let Value::Object(map) = value else { return Ok(()) };
    if row.is_secret() {
        one_source(row, map, place)?;
    }
    let kind = map.get("kind").and_then(Value::as_str);
    for inner in schema::inside(row.name) {
        let at = place.field(inner.key());
        let found = map.get(inner.key());
        let taken = match inner.takers {
            Takers::Stores(kinds) => kind.is_some_and(|kind| kinds.contains(&kind)),
            _ => true,
        };
        match found {
            Some(_) if !taken && kind.is_some() => {
                let known: Vec<_> = schema::inside(row.name)
                    .filter(|row| matches!(row.takers, Takers::Stores(kinds) if kinds.contains(&kind.unwrap_or_default())))
                    .map(|row| place.spell(row.key()))
                    .collect();
                let hint = match known.is_empty() {
                    true => "It takes nothing else.".to_owned(),
                    false => format!("It takes: {}.", known.join(", ")),
                };
                let what = format!("does not belong to the store {}", kind.unwrap_or_default());
                return Err(at.error(what).with_hint(hint));
            }
            Some(value) => whole(inner, value, &at)?,
            // What a grant needs is said where the grant is known.
            None if inner.default == DefaultValue::Required && taken && row.name != "auth" => {
                return Err(at.error("is missing").with_hint(inner.meaning));
            }
            None => {}
        }
    }
    Ok(())
}

fn one_source(row: &OptionRow, map: &Map<String, Value>, place: &FieldPath) -> Result<()> {
    let more: &[&str] = match row.kind {
        OptionKind::Assertion => &["value", "github", "callback"],
        _ => &[],
    };
    let found: Vec<&str> = PLACES.iter().chain(more).copied().filter(|key| map.contains_key(*key)).collect();
    let hint = "It is a string, {env}, {file} or {command}.";
    match found[..] {
        [_] => Ok(()),
        [] => Err(place.error("does not say where it stands").with_hint(hint)),
        _ => Err(place.error(format!("stands in several places: {}", found.join(", "))).with_hint(hint)),
    }
}

/// The sentence for what no check foresaw, without anybody's inner words.
pub(super) fn unforeseen(path: &str, spelling: Spelling) -> Error {
    FieldPath::option(path.trim_matches('.'), spelling).error("cannot be used as it is")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Options;
    use serde_json::json;

    fn mistake(value: Value, spelling: Spelling) -> Error {
        Options::from_json(value, spelling).unwrap_err()
    }

    #[test]
    fn an_unknown_option_names_its_path_and_the_nearest_right_one() {
        use Spelling::{Camel, Snake};
        for (value, spelling, field, message) in [
            (
                json!({"auth": {"tennant": "x"}}),
                Snake,
                "auth.tennant",
                "unknown option `auth.tennant`; did you mean `auth.tenant`?",
            ),
            (
                json!({"auth": {"cliantId": "x"}}),
                Camel,
                "auth.cliantId",
                "unknown option `auth.cliantId`; did you mean `auth.clientId`?",
            ),
            // Core's own names are not JavaScript's.
            (
                json!({"smtp": {"hello_name": "x"}}),
                Camel,
                "smtp.hello_name",
                "unknown option `smtp.hello_name`; did you mean `smtp.helloName`?",
            ),
            (
                json!({"smtp": {"helloName": "x"}}),
                Snake,
                "smtp.helloName",
                "unknown option `smtp.helloName`; did you mean `smtp.hello_name`?",
            ),
            // All options are looked through.
            (
                json!({"smtp": {"ca_file": "x"}}),
                Snake,
                "smtp.ca_file",
                "unknown option `smtp.ca_file`; did you mean `tls.roots`?",
            ),
            (
                json!({"smtp": {"maxConnections": 1}}),
                Camel,
                "smtp.maxConnections",
                "unknown option `smtp.maxConnections`; did you mean `limits.maxConnections`?",
            ),
            (json!({"host": "x"}), Snake, "host", "unknown option `host`; did you mean `smtp.host`?"),
            (
                json!({"store": {"kind": "file", "pth": "x"}}),
                Snake,
                "store.pth",
                "unknown option `store.pth`; did you mean `store.path`?",
            ),
            (
                json!({"auth": {"clientSecret": {"evn": "hunter2"}}}),
                Camel,
                "auth.clientSecret.evn",
                "unknown option `auth.clientSecret.evn`; did you mean `auth.clientSecret.env`?",
            ),
            (
                json!({"auth": {"certificate": {"file": "x", "pasword": "hunter2"}}}),
                Snake,
                "auth.certificate.pasword",
                "unknown option `auth.certificate.pasword`; did you mean `auth.certificate.password`?",
            ),
            (
                json!({"smtp": {"timeouts": {"final": "1s", "finalReplay": "1s"}}}),
                Camel,
                "smtp.timeouts.final",
                "unknown option `smtp.timeouts.final`",
            ),
        ] {
            let error = mistake(value, spelling);
            assert_eq!((error.field(), error.message()), (Some(field), message));
        }
        let error = mistake(json!({"zzzzzz": 1}), Spelling::Snake);
        assert!(error.hint().unwrap().contains("provider"), "{error}");
    }

    #[test]
    fn a_wrong_kind_or_word_is_told_in_plain_words_and_never_by_its_value() {
        for (value, field, message) in [
            (
                json!({"smtp": {"port": "hunter2"}}),
                "smtp.port",
                "`smtp.port` must be a whole number from 1 to 65535, not a string",
            ),
            (json!({"smtp": {"port": 0}}), "smtp.port", "`smtp.port` must be a whole number from 1 to 65535"),
            (
                json!({"smtp": {"port": 587.5}}),
                "smtp.port",
                "`smtp.port` must be a whole number from 1 to 65535",
            ),
            (json!({"smtp": 7}), "smtp", "`smtp` must be an object, not a number"),
            (
                json!({"smtp": {"security": "starttl"}}),
                "smtp.security",
                "`smtp.security` cannot be `starttl`; did you mean `starttls`?",
            ),
            (json!({"provider": "gmial"}), "provider", "`provider` cannot be `gmial`; did you mean `gmail`?"),
            (
                json!({"smtp": {"localAddress": "here"}}),
                "smtp.localAddress",
                "`smtp.localAddress` is no IP address",
            ),
            (
                json!({"timeout": 30}),
                "timeout",
                "`timeout` is a duration and needs a unit, which a bare number has not",
            ),
            (
                json!({"smtp": {"timeouts": {"finalReply": "soon"}}}),
                "smtp.timeouts.finalReply",
                "`smtp.timeouts.finalReply` is wrong: `soon` is not a duration; write for instance \"500ms\", \"30s\", \"10m\" or \"1h\"",
            ),
            (
                json!({"auth": {"scopes": "smtp"}}),
                "auth.scopes",
                "`auth.scopes` must be a list, not a string",
            ),
            (
                json!({"auth": {"scopes": [1]}}),
                "auth.scopes[0]",
                "`auth.scopes[0]` must be a string, not a number",
            ),
            (
                json!({"auth": {"clientSecret": 1}}),
                "auth.clientSecret",
                "`auth.clientSecret` must be a string, {env}, {file} or {command}, not a number",
            ),
            (
                json!({"auth": {"clientSecret": {}}}),
                "auth.clientSecret",
                "`auth.clientSecret` does not say where it stands",
            ),
            (
                json!({"auth": {"clientSecret": {"env": "A", "file": "b"}}}),
                "auth.clientSecret",
                "`auth.clientSecret` stands in several places: env, file",
            ),
            (
                json!({"auth": {"certificate": {"file": "x", "sendChain": "yes"}}}),
                "auth.certificate.sendChain",
                "`auth.certificate.sendChain` must be true or false, not a string",
            ),
            (
                json!({"auth": {"certificate": "/path/app.pem"}}),
                "auth.certificate",
                "`auth.certificate` is the certificate itself, and this looks like a path",
            ),
            (
                json!({"auth": {"clientAssertion": {"github": 1}}}),
                "auth.clientAssertion.github",
                "`auth.clientAssertion.github` must be true or a string, not a number",
            ),
            (
                json!({"auth": {"callback": "f"}}),
                "auth.callback",
                "`auth.callback` must be a function of the program, not a string",
            ),
            (json!({"store": "cupboard"}), "store", "`store` cannot be `cupboard`"),
            (json!({"store": {"path": "x"}}), "store.kind", "`store.kind` is missing"),
            (json!({"store": {"kind": "redis"}}), "store.url", "`store.url` is missing"),
            (
                json!({"store": {"kind": "redis", "url": "redis://h", "path": "x"}}),
                "store.path",
                "`store.path` does not belong to the store redis",
            ),
            (json!({"dkim": {"domain": "x.example"}}), "dkim.selector", "`dkim.selector` is missing"),
            (
                json!({"dkim": {"domain": "x.example", "selector": "s"}}),
                "dkim.privateKey",
                "`dkim.privateKey` is missing",
            ),
            (json!({"files": "all"}), "files", "`files` cannot be `all`; did you mean `allow`?"),
            (
                json!({"from": {"addres": "x"}}),
                "from.addres",
                "unknown option `from.addres`; did you mean `from.address`?",
            ),
            (
                json!({"limits": {"breaker": null, "maxAge": 3}}),
                "limits.maxAge",
                "`limits.maxAge` is a duration and needs a unit, which a bare number has not",
            ),
            (json!([]), "", "the options: what is given must be an object, not a list"),
        ] {
            let error = mistake(value, Spelling::Camel);
            assert_eq!((error.field().unwrap_or_default(), error.message()), (field, message));
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn null_is_no_limit_or_nothing() {
        let value = json!({"provider": "memory", "cloud": null, "smtp": null, "auth": null, "store": null,
            "limits": {"max_connections": null, "breaker": null}});
        let read = layer(value.clone(), Spelling::Snake).unwrap();
        assert_eq!(read, json!({"provider": "memory", "limits": {"max_connections": null}}));
        assert_eq!(Options::from_json(value, Spelling::Snake).unwrap().limits.max_connections, Some(None));
    }
}
