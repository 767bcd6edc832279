//! Options from a TOML file with profiles, from the environment and from the caller, laid one on the other.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::schema::{self, OptionKind, OptionRow};
use super::{Options, layer};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::input::{Environment, Spelling};

/// Where options come from; later members win over earlier ones.
#[derive(Clone, Debug, Default)]
pub struct Load {
    /// A TOML file. Without one, and with an `env_prefix`, `$MAILBEARER_CONFIG` names it.
    pub file: Option<PathBuf>,
    /// Looks for a file in the usual places if there is no `file`; none found is fine.
    pub search: bool,
    /// The profile in the file; `None`: `$MAILBEARER_PROFILE`.
    pub profile: Option<String>,
    /// The prefix of environment variables; `None` reads none.
    pub env_prefix: Option<String>,
    /// The caller's own options, as JSON in the host's spelling; `Null` for none.
    pub overrides: Value,
}

impl Load {
    /// What stands in a file and, over it, in the environment. Without a `path` the file is looked for in the usual places.
    pub fn from_file(path: Option<PathBuf>, profile: Option<String>, overrides: Value) -> Self {
        Self { search: path.is_none(), file: path, profile, env_prefix: Some(PREFIX.to_owned()), overrides }
    }

    /// What stands in the environment, in variables that begin with `prefix` (default `MAILBEARER_`).
    pub fn from_env(prefix: Option<String>, overrides: Value) -> Self {
        let env_prefix = Some(prefix.unwrap_or_else(|| PREFIX.to_owned()));
        Self { env_prefix, overrides, ..Self::default() }
    }

    /// The options in one piece, and whether a file was among them.
    ///
    /// # Errors
    /// `config_invalid`.
    pub fn read(self, host: &Host) -> Result<(Options, bool)> {
        let environment = &host.environment;
        let named = || self.env_prefix.as_ref().and_then(|_| environment.get(FILE).map(PathBuf::from));
        let searched = || if self.search { search_path(environment) } else { None };
        let file = self.file.clone().or_else(named).or_else(searched);
        let persistent = file.is_some();
        let mut all = match file {
            Some(path) => layer(from_file(&path, self.profile.as_deref(), environment)?, Spelling::Snake)?,
            None => Value::Object(Map::new()),
        };
        if let Some(prefix) = &self.env_prefix {
            overlay(&mut all, layer(from_env(prefix, environment), Spelling::Snake)?);
        }
        if !self.overrides.is_null() {
            overlay(&mut all, layer(self.overrides, host.spelling)?);
        }
        let options = environment.within(|| Options::from_layers(all, host.spelling))?;
        Ok((options, persistent))
    }
}

/// Lays `over` on `base`: tables merge, anything else replaces. A secret that stands at another place than below does
/// not stand at both.
pub fn overlay(base: &mut Value, over: Value) {
    lay("", base, over);
}

fn lay(name: &str, base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            if schema::find(name).is_some_and(OptionRow::is_secret) {
                let moves = PLACES.iter().any(|place| over.contains_key(*place));
                base.retain(|key, _| !moves || !PLACES.contains(&key.as_str()));
            }
            for (key, value) in over {
                match base.get_mut(&key) {
                    Some(below) => {
                        let name = if name.is_empty() { key } else { format!("{name}.{key}") };
                        lay(&name, below, value);
                    }
                    None => {
                        base.insert(key, value);
                    }
                }
            }
        }
        (base, over) => *base = over,
    }
}

/// Where a secret may stand, and what else an assertion may be.
const PLACES: [&str; 6] = ["env", "file", "command", "value", "github", "callback"];

/// This user's own configuration file, whether or not it exists; none without a home folder.
pub fn user_file() -> Option<PathBuf> {
    let folder = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::home_dir().map(|home| home.join(".config")))?;
    Some(folder.join("mailbearer/config.toml"))
}

/// Where a configuration file is looked for: `$MAILBEARER_CONFIG`, the user's, the system's; never
/// the working directory. The first that exists.
pub fn search_path(environment: &Environment) -> Option<PathBuf> {
    if let Some(path) = environment.get(FILE) {
        return Some(PathBuf::from(path));
    }
    user_file().into_iter().chain([PathBuf::from("/etc/mailbearer/config.toml")]).find(|path| path.is_file())
}

/// Reads a file: its top level is the base, `[profiles.NAME]` overlays it. `profile` defaults to
/// `$MAILBEARER_PROFILE`.
///
/// # Errors
/// `config_invalid` naming the file, and the line where the TOML is wrong.
pub fn from_file(path: &Path, profile: Option<&str>, environment: &Environment) -> Result<Value> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|e| {
        Error::config("config", format!("cannot read the configuration file {shown}: {e}"))
            .with_hint("Check the path, and whether the user of this program may read the file.")
    })?;
    let table: toml::Table = toml::from_str(&text).map_err(|e| {
        // The error's own text quotes the line, which may hold a secret.
        let line = e.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        Error::config("config", format!("{shown}, line {line}: {}", e.message()))
    })?;
    let mut base =
        serde_json::to_value(table).map_err(|e| Error::config("config", format!("{shown}: {e}")))?;
    let profiles = base.as_object_mut().and_then(|map| map.remove("profiles"));
    let named = profile.map(str::to_owned).or_else(|| environment.get("MAILBEARER_PROFILE"));
    if let Some(name) = named {
        let mut profiles = match profiles {
            Some(Value::Object(map)) => map,
            _ => Map::new(),
        };
        let Some(over) = profiles.remove(&name) else {
            let known: Vec<_> = profiles.keys().cloned().collect();
            return Err(Error::config("profile", format!("{shown} has no profile `{name}`"))
                .with_hint(format!("It has: {}.", known.join(", "))));
        };
        overlay(&mut base, over);
    }
    // The program's working folder is anybody's; the file's own is what its author saw.
    if let Some(folder) = std::path::absolute(path).ok().as_deref().and_then(Path::parent) {
        place("", &mut base, folder);
    }
    Ok(base)
}

/// Paths that the file writes relative begin at its own folder.
fn place(name: &str, value: &mut Value, folder: &Path) {
    let row = schema::find(name);
    match value {
        Value::Object(map) => {
            let secret = row.is_some_and(OptionRow::is_secret);
            for (key, value) in map {
                let inner = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                match value {
                    Value::String(path) if secret && key == "file" => absolute(path, folder),
                    value => place(&inner, value, folder),
                }
            }
        }
        Value::String(path) if row.is_some_and(|row| row.kind == OptionKind::Path) => absolute(path, folder),
        Value::String(path) if name == ROOTS && !["platform", "bundled"].contains(&path.as_str()) => {
            absolute(path, folder);
        }
        _ => {}
    }
}

fn absolute(path: &mut String, folder: &Path) {
    if !path.is_empty() && Path::new(path).is_relative() {
        *path = folder.join(&*path).to_string_lossy().into_owned();
    }
}

/// A word or a path.
const ROOTS: &str = "tls.roots";

/// Reads the environment: `MAILBEARER_AUTH__CLIENT_ID` is `auth.client_id`; `__` is a dot; lists and
/// tables are JSON. `MAILBEARER_CONFIG` and `MAILBEARER_PROFILE` are not options, nor is what the emulator exports.
pub fn from_env(prefix: &str, environment: &Environment) -> Value {
    let mut out = Value::Object(Map::new());
    let ours = |name: &str| name.len() > prefix.len() && name.starts_with(prefix);
    for (name, text) in environment.all().into_iter().filter(|(name, _)| ours(name)) {
        let path = name[prefix.len()..].to_ascii_lowercase();
        if ["config", "profile"].contains(&path.as_str()) || path.starts_with("emulator_") {
            continue;
        }
        let nested = path
            .rsplit("__")
            .fold(scalar(&path, text), |inner, key| Value::Object(Map::from_iter([(key.to_owned(), inner)])));
        overlay(&mut out, nested);
    }
    out
}

/// The option `path` from text, as C, the command line and the environment write it: read as the kind that the option
/// has. What is no such thing stays text, for the reader to refuse.
pub fn scalar(path: &str, text: String) -> Value {
    use OptionKind::*;
    let path = path.replace("__", ".");
    let begins = |signs: &[char]| text.trim_start().starts_with(signs);
    let as_json = match schema::find(&path).map(|row| row.kind) {
        Some(Text | Path | Ip | Word(_) | Duration | Function) => false,
        Some(Number(_) | Switch | Instant | SwitchOrText) => true,
        Some(Limit(_) | DurationLimit) => true,
        Some(Texts | Folders) => begins(&['[']),
        Some(Table | Secret | Certificate | Assertion | Mailbox | Store) => begins(&['{', '[']),
        None => begins(&['{', '[']),
    };
    match as_json.then(|| serde_json::from_str(&text)) {
        Some(Ok(value)) => value,
        _ => Value::String(text),
    }
}

/// The variable that names the configuration file.
const FILE: &str = "MAILBEARER_CONFIG";

/// What our variables begin with.
const PREFIX: &str = "MAILBEARER_";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_profile_overlays_the_base_table_by_table() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(
            &path,
            "provider = 'gmail'\n[auth]\ngrant = 'device_code'\nclient_id = 'a'\n\
             [profiles.work]\nprovider = 'microsoft365'\n[profiles.work.auth]\nclient_id = 'b'\n",
        )
        .unwrap();
        assert_eq!(
            from_file(&path, Some("work"), &Environment::default()).unwrap(),
            json!({"provider": "microsoft365", "auth": {"grant": "device_code", "client_id": "b"}})
        );
        let error = from_file(&path, Some("home"), &Environment::default()).unwrap_err();
        assert!(error.hint().unwrap().contains("work"), "{error}");
    }

    #[test]
    fn a_relative_path_of_a_file_begins_at_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(
            &path,
            "tls = {roots = 'ca.pem'}\nstore = {kind = 'file', path = 't.json', key = {file = '/abs'}}\n\
             [auth]\nclient_secret = {file = 'secret'}\ncertificate = {file = 'a/app.pem', password = {file = 'p'}}\n\
             tenant = 'file'\n[profiles.work]\nauth = {client_secret = {command = ['cat', 'x']}}\ntls = {roots = 'bundled'}\n",
        )
        .unwrap();
        let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let read = from_file(&path, None, &Environment::default()).unwrap();
        assert_eq!(
            read,
            json!({"tls": {"roots": at("ca.pem")},
                "store": {"kind": "file", "path": at("t.json"), "key": {"file": "/abs"}},
                "auth": {"client_secret": {"file": at("secret")}, "tenant": "file",
                    "certificate": {"file": at("a/app.pem"), "password": {"file": at("p")}}}})
        );
        let work = from_file(&path, Some("work"), &Environment::default()).unwrap();
        assert_eq!(work["auth"]["client_secret"], json!({"command": ["cat", "x"]}));
        assert_eq!(work["tls"]["roots"], "bundled");
    }

    #[test]
    fn a_broken_file_names_its_line_and_quotes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, "provider = 'gmail'\nclient_secret = 'hunter2\n").unwrap();
        let error = from_file(&path, None, &Environment::default()).unwrap_err();
        assert!(error.message().contains("line 2"), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn text_is_read_as_the_kind_that_the_option_has() {
        for (path, text, value) in [
            ("smtp.port", "587", json!(587)),
            ("smtp__port", "587", json!(587)),
            ("smtp.port", "x", json!("x")),
            ("smtp.hello_name", "[127.0.0.1]", json!("[127.0.0.1]")),
            ("auth.client_secret", "12345", json!("12345")),
            ("auth.client_secret", "{\"env\": \"X\"}", json!({"env": "X"})),
            ("auth.tenant", "true", json!("true")),
            ("auth.scopes", "[\"imap\"]", json!(["imap"])),
            ("auth__expires_at", "1900000000", json!(1_900_000_000)),
            ("auth.expires_at", "2027-01-01T00:00:00Z", json!("2027-01-01T00:00:00Z")),
            ("auth.certificate.send_chain", "true", json!(true)),
            ("auth.certificate.password", "", json!("")),
            ("limits.max_connections", "null", json!(null)),
            ("limits.idle_timeout", "null", json!(null)),
            ("limits.idle_timeout", "5s", json!("5s")),
            ("limits.breaker", "false", json!(false)),
            ("trace", "true", json!(true)),
            ("retry", "{\"attempts\": 2}", json!({"attempts": 2})),
        ] {
            assert_eq!(scalar(path, text.into()), value, "{path}");
        }
    }

    #[test]
    fn a_secret_that_moves_stands_at_one_place() {
        let mut base = json!({"auth": {"command": ["a"], "certificate": {"file": "a", "send_chain": true},
            "client_secret": {"file": "a"}}});
        overlay(
            &mut base,
            json!({"auth": {"certificate": {"env": "A", "password": "x"}, "client_secret": {"command": ["b"]}}}),
        );
        assert_eq!(
            base,
            json!({"auth": {"command": ["a"], "certificate": {"env": "A", "send_chain": true, "password": "x"},
                "client_secret": {"command": ["b"]}}})
        );
    }
}
