//! A server that an option names by a URL, which may hold a password.

use std::net::IpAddr;

use std::fmt;
use std::hash::{Hash, Hasher};

use percent_encoding::percent_decode_str;
use url::Url;

use crate::error::{Error, Result};
use crate::input::{Secret, SecretSource};

/// A server and what lets us in. The password is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl {
    /// The scheme: one that the option takes.
    pub scheme: &'static str,
    /// Name or address, without brackets; empty for a socket's path.
    pub host: String,
    /// The port, or the scheme's own.
    pub port: u16,
    /// The user name for the server.
    pub username: Option<String>,
    /// What proves it.
    pub password: Option<Secret>,
    /// What stands behind the host, without its first slash; for a socket, its whole path.
    pub path: String,
}

/// A scheme that an option takes, and its port; 0 where a path stands for a host.
pub(crate) type Scheme = (&'static str, u16);

impl ServerUrl {
    /// Reads the option `field`: the URL itself, or an environment variable or file that has it.
    ///
    /// # Errors
    /// `config_invalid`, without the URL's secrets.
    pub(crate) fn read(field: &str, source: &SecretSource, schemes: &[Scheme]) -> Result<Self> {
        if matches!(source, SecretSource::Command(_)) {
            return Err(Error::config(field, format!("`{field}` cannot come from a command"))
                .with_hint("Give the URL, {env} or {file}."));
        }
        let text = source.read_now(field)?;
        let known: Vec<String> = schemes.iter().map(|(name, _)| format!("{name}://")).collect();
        let wrong = |what: &str| {
            Error::config(field, format!("`{field}` {what}"))
                .with_hint(format!("Write it like {}user:password@host:port, and percent-encode special characters in the password. Schemes: {}.", known[0], known.join(", ")))
        };
        let url = Url::parse(text.expose()).map_err(|e| wrong(&format!("is not a URL: {e}")))?;
        let (scheme, default_port) = schemes
            .iter()
            .find(|(name, _)| *name == url.scheme())
            .ok_or_else(|| wrong("has an unknown scheme"))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("has a part after `?` or `#`, which means nothing here"));
        }
        let decoded = |text: &str| {
            let text = percent_decode_str(text).decode_utf8().map_err(|_| wrong("is not UTF-8"))?;
            if text.chars().any(char::is_control) {
                return Err(wrong("has a control character"));
            }
            Ok(text.into_owned())
        };
        let host = decoded(url.host_str().unwrap_or_default())?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let needs_host = *default_port != 0;
        if host.is_empty() == needs_host {
            return Err(wrong(if needs_host { "has no host" } else { "has a host" }));
        }
        let username = decoded(url.username())?;
        Ok(Self {
            scheme,
            host,
            port: url.port().unwrap_or(*default_port),
            username: Some(username).filter(|name| !name.is_empty()),
            password: url.password().map(decoded).transpose()?.map(Secret::new),
            path: decoded(if needs_host { url.path().trim_start_matches('/') } else { url.path() })?,
        })
    }

    /// Where it is, for messages.
    pub fn place(&self) -> String {
        match (self.host.as_str(), self.host.contains(':')) {
            ("", _) => self.path.clone(),
            (host, true) => format!("[{host}]:{}", self.port),
            (host, false) => format!("{host}:{}", self.port),
        }
    }
}

impl Hash for ServerUrl {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // All but the password: equal ones have equal hashes.
        (self.scheme, &self.host, self.port, &self.username, &self.path).hash(state);
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerUrl({}://{})", self.scheme, self.place())
    }
}

/// `localhost`, 127.0.0.0/8 and ::1.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMES: &[Scheme] = &[("redis", 6379), ("rediss", 6379), ("unix", 0)];

    fn read(text: &str) -> Result<ServerUrl> {
        ServerUrl::read("limits.shared", &SecretSource::Value(Secret::new(text)), SCHEMES)
    }

    #[test]
    fn a_url_is_taken_apart() {
        let url = read("rediss://me:p%40ss%2F@redis.example:7000/2").unwrap();
        assert_eq!(
            (url.scheme, url.host.as_str(), url.port, url.path.as_str()),
            ("rediss", "redis.example", 7000, "2")
        );
        assert_eq!((url.username.as_deref(), url.password.as_ref().unwrap().expose()), (Some("me"), "p@ss/"));
        assert_eq!(format!("{url:?}"), "ServerUrl(rediss://redis.example:7000)");
        let url = read("redis://[::1]").unwrap();
        assert_eq!((url.host.as_str(), url.port, url.place().as_str()), ("::1", 6379, "[::1]:6379"));
        let url = read("redis://:only@h").unwrap();
        assert_eq!((url.username, url.password.unwrap().expose()), (None, "only"));
        assert_eq!(read("unix:///run/redis.sock").unwrap().place(), "/run/redis.sock");
    }

    #[test]
    fn mistakes_are_told_without_the_password() {
        for text in [
            "redis.example:6379",
            "http://me:hunter2@h",
            "redis://",
            "redis:///0",
            "redis://me:hunter2@h:99999",
            "redis://me:hunter2@h/0?db=1",
            "redis://me:hunter2@h/0#insecure",
            "redis://me:hunter2/@h",
            "redis://me:hunter2%0a@h",
            "unix://h/path",
        ] {
            let error = read(text).unwrap_err();
            let told = format!("{error} {error:?}");
            assert_eq!(error.field(), Some("limits.shared"), "{text}");
            assert!(!told.contains("hunter2") && told.contains("redis://"), "{told}");
        }
        let command = SecretSource::Command(vec!["x".into()]);
        assert!(ServerUrl::read("limits.shared", &command, SCHEMES).is_err());
    }
}
