//! Proxies: which URLs name one, and what the environment says.

use super::proxy::SCHEMES;
use super::server_url::ServerUrl;
use crate::error::{Error, Result};
use crate::input::{Secret, SecretSource};

/// The way to the sign-in service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpProxy {
    /// None: straight.
    pub url: Option<ServerUrl>,
    /// Hosts that are reached without it, as NO_PROXY has them.
    pub except: String,
}

impl ServerUrl {
    /// Reads a proxy's URL.
    ///
    /// # Errors
    /// `config_invalid`.
    pub(crate) fn proxy(field: &str, source: &SecretSource) -> Result<Self> {
        let url = Self::read(field, source, SCHEMES)?;
        if !url.path.is_empty() {
            return Err(Error::config(field, format!("`{field}` has a path, and a proxy has none")));
        }
        let longest = |text: Option<&str>| text.is_none_or(|text| text.len() <= 255);
        if !longest(url.username.as_deref()) || !longest(url.password.as_ref().map(Secret::expose)) {
            return Err(Error::config(field, format!("`{field}`: user or password are over 255 octets")));
        }
        if url.scheme == "http" && url.username.as_ref().is_some_and(|name| name.contains(':')) {
            return Err(Error::config(field, format!("`{field}`: a user cannot have a colon (RFC 7617)")));
        }
        Ok(url)
    }
}

impl HttpProxy {
    /// The option, else the environment.
    ///
    /// # Errors
    /// `config_invalid`; a variable that is no proxy's URL is an error too, and not passed over.
    pub(crate) fn read(
        option: Option<&SecretSource>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        if let Some(option) = option {
            return match option {
                SecretSource::Value(text) if text.expose() == "none" => Ok(Self::default()),
                _ => Ok(Self { url: Some(ServerUrl::proxy("http.proxy", option)?), except: String::new() }),
            };
        }
        let found = |names: [&'static str; 2]| {
            names.into_iter().find_map(|name| Some((name, variable(name).filter(|text| !text.is_empty())?)))
        };
        let except = found(["no_proxy", "NO_PROXY"]).map(|(_, text)| text).unwrap_or_default();
        let given = found(["https_proxy", "HTTPS_PROXY"]).or_else(|| found(["all_proxy", "ALL_PROXY"]));
        let Some((name, text)) = given.filter(|_| except.trim() != "*") else { return Ok(Self::default()) };
        // Without a scheme it is an HTTP proxy, as elsewhere.
        let text = if text.contains("://") { text } else { format!("http://{text}") };
        let url =
            ServerUrl::proxy("http.proxy", &SecretSource::Value(Secret::new(text))).map_err(|error| {
                let told =
                    error.message().replace("`http.proxy`", &format!("the environment variable {name}"));
                Error::config("http.proxy", told)
                    .with_hint("Correct the variable, or set http.proxy to a proxy's URL or to `none`.")
            })?;
        Ok(Self { url: Some(url), except })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(option: Option<&str>, environment: &[(&str, &str)]) -> Result<HttpProxy> {
        let option = option.map(|text| SecretSource::Value(Secret::new(text)));
        let variable =
            |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, text)| (*text).to_owned());
        HttpProxy::read(option.as_ref(), variable)
    }

    #[test]
    fn the_option_comes_before_the_environment() {
        let place = |found: HttpProxy| found.url.map(|url| format!("{}://{}", url.scheme, url.place()));
        let environment = &[("HTTPS_PROXY", "http://env:3128"), ("NO_PROXY", "localhost,.example.com")];
        assert_eq!(
            place(of(Some("socks5h://opt"), environment).unwrap()).as_deref(),
            Some("socks5h://opt:1080")
        );
        assert_eq!(of(Some("none"), environment).unwrap(), HttpProxy::default());
        let found = of(None, environment).unwrap();
        assert_eq!(found.except, "localhost,.example.com");
        assert_eq!(place(found).as_deref(), Some("http://env:3128"));
        assert_eq!(place(of(None, &[("all_proxy", "h:1")]).unwrap()).as_deref(), Some("http://h:1"));
        let lower =
            &[("https_proxy", "http://low:1"), ("HTTPS_PROXY", "http://up:1"), ("ALL_PROXY", "http://all:1")];
        assert_eq!(place(of(None, lower).unwrap()).as_deref(), Some("http://low:1"));
        for nothing in
            [&[][..], &[("HTTP_PROXY", "http://h")], &[("HTTPS_PROXY", "http://h"), ("NO_PROXY", "*")]]
        {
            assert_eq!(of(None, nothing).unwrap().url, None, "{nothing:?}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_said_and_not_passed_over() {
        for wrong in
            ["foo://h:1", "http://u:secret@h:99999", "socks6://h", "http://h/path", "http://u%3Av:p@h"]
        {
            for error in [of(Some(wrong), &[]).unwrap_err(), of(None, &[("ALL_PROXY", wrong)]).unwrap_err()] {
                assert_eq!(error.field(), Some("http.proxy"), "{wrong}: {error}");
                assert!(!error.to_string().contains("secret"), "{error}");
            }
        }
        assert!(of(None, &[("ALL_PROXY", "foo://h")]).unwrap_err().message().contains("ALL_PROXY"));
    }
}
