//! From the command line to core's options: `--config` and `--profile`, the environment, `--set`.

use mailbearer::config::schema::{self, OptionRow};
use mailbearer::config::{Environment, overlay, scalar, search_path, user_file};
use mailbearer::{Error, Host, Load, Mailer, TokenSource};
use serde_json::{Map, Value, json};

use crate::arguments::{Global, Options};
use crate::failure::{Failure, Result};
use crate::output::Output;

/// What a command's mailer or token source is made of. Delegated sign-ins are kept in a file: the
/// next command is another process.
pub(crate) fn load(
    global: &Global,
    options: &Options,
    output: Output,
) -> Result<(mailbearer::Options, Host)> {
    let host = Host { events: output.events(), persistent: true, ..Host::default() };
    if let Some(name) = &global.profile
        && global.config.is_none()
        && search_path(&Environment::default()).is_none()
    {
        let error = Error::config(
            "profile",
            format!("there is no configuration file to look for profile `{name}` in"),
        );
        return Err(error.with_hint("Name the file with --config.").into());
    }
    let load = Load {
        file: global.config.clone(),
        search: true,
        profile: global.profile.clone(),
        env_prefix: Some("MAILBEARER_".to_owned()),
        overrides: overrides(options, global.trace)?,
    };
    let (options, from_file) = load.read(&host)?;
    if options.provider.is_none() && !from_file {
        return Err(nothing_configured().into());
    }
    Ok((options, host))
}

/// The mailer that the command line describes.
pub(crate) fn mailer(global: &Global, options: &Options, output: Output) -> Result<Mailer> {
    let (options, host) = load(global, options, output)?;
    Ok(Mailer::new(options, host)?)
}

/// Its token half alone.
pub(crate) fn tokens(global: &Global, options: &Options, output: Output) -> Result<TokenSource> {
    let (options, host) = load(global, options, output)?;
    Ok(TokenSource::new(options, host)?)
}

/// Who sends where a message does not say, as a field of a message.
pub(crate) fn sender(mailer: &Mailer) -> Option<Value> {
    let from = mailer.sender()?;
    Some(match from.name {
        Some(name) => json!({ "name": name, "address": from.address }),
        None => json!(from.address),
    })
}

/// The first run of somebody who has only just installed the program.
fn nothing_configured() -> Error {
    let own = user_file().map(|path| format!("{}, ", path.display())).unwrap_or_default();
    let said = format!("no configuration found (looked in {own}/etc/mailbearer/config.toml)");
    Error::config("provider", said).with_hint("Run `mailbearer setup`, or set MAILBEARER_PROVIDER.")
}

fn overrides(options: &Options, trace: bool) -> Result<Value> {
    let mut all = Value::Object(Map::new());
    for pair in &options.set {
        let Some((path, text)) = pair.split_once('=').filter(|(path, _)| !path.is_empty()) else {
            // What was written may be a secret: it is not repeated.
            return Err(Failure::Usage(
                "--set wants KEY=VALUE".into(),
                "Such as --set auth.tenant=contoso.com.",
            ));
        };
        let value = scalar(path, text.to_owned());
        let nested = path.rsplit('.').fold(value, |inner, key| json!({ key: inner }));
        no_secret(&nested, "")?;
        overlay(&mut all, nested);
    }
    for (key, value) in
        [("provider", &options.provider), ("username", &options.username), ("from", &options.from)]
    {
        if let Some(value) = value {
            overlay(&mut all, json!({ key: value }));
        }
    }
    if trace {
        overlay(&mut all, json!({ "trace": true }));
    }
    Ok(all)
}

/// Other users of the machine see command lines, and shells remember them.
fn no_secret(value: &Value, path: &str) -> Result<()> {
    let Value::Object(map) = value else { return Ok(()) };
    for (key, value) in map {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let secret = schema::find(&path).is_some_and(OptionRow::is_secret);
        if secret && !value.is_object() {
            return Err(Failure::Usage(
                format!("`{path}` is a secret and does not belong on a command line"),
                "Say where it stands: {\"env\": \"NAME\"}, {\"file\": \"PATH\"} or {\"command\": [\"…\"]}; or use the configuration file.",
            ));
        }
        no_secret(value, &path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[&str]) -> Result<Value> {
        overrides(
            &Options { set: pairs.iter().map(|p| (*p).to_owned()).collect(), ..Options::default() },
            false,
        )
    }

    #[test]
    fn keys_are_dotted_and_values_typed() {
        let value =
            set(&["smtp.port=2525", "auth.scopes=[\"imap\"]", "smtp.host=a.b", "auth.tenant=x=y"]).unwrap();
        assert_eq!(
            value,
            json!({"smtp": {"port": 2525, "host": "a.b"}, "auth": {"scopes": ["imap"], "tenant": "x=y"}})
        );
        assert!(set(&["provider"]).is_err() && set(&["=x"]).is_err());
    }

    #[test]
    fn secrets_are_named_and_never_taken_or_repeated() {
        for pair in [
            "auth.client_secret=hunter2",
            "auth={\"client_secret\": \"hunter2\"}",
            "auth.refresh_token=hunter2",
            "auth.access_token=[\"hunter2\"]",
            "auth.certificate.password=hunter2",
            "auth.client_assertion.value=hunter2",
            "auth.client_secret:hunter2",
        ] {
            let failure = set(&[pair]).unwrap_err();
            assert_eq!(failure.exit(), crate::exit::USAGE, "{pair}");
            assert!(!failure.to_json().to_string().contains("hunter2"), "{pair}");
        }
        assert!(set(&["auth.client_secret={\"env\": \"X\"}"]).is_ok());
    }
}
