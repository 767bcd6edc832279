//! A decoded query or form, its order kept.

use crate::oauth::error::OauthError;

/// The fields of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// A field that is there and not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    pub(crate) fn required(&self, name: &str) -> Result<&str, OauthError> {
        self.text(name).ok_or_else(|| OauthError::missing_parameter(name))
    }

    /// `name=value&…`, not encoded: what a fault's `match` looks at.
    pub(crate) fn plain(&self, username: Option<&str>) -> String {
        let mut fields: Vec<_> = self.0.iter().map(|(key, value)| format!("{key}={value}")).collect();
        if let Some(username) = username {
            fields.push(format!("username={username}"));
        }
        fields.join("&")
    }
}
