//! A form for an endpoint: its fields, what tells one request from another, and what of it nobody may repeat.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::form_urlencoded;
use zeroize::Zeroizing;

use super::proof::Signed;
use crate::input::Secret;

/// A form; its values may be secrets.
#[derive(Clone, Default)]
pub(crate) struct Form {
    fields: Vec<Field>,
    /// HTTP Basic authentication that goes beside it.
    authorization: Option<Secret>,
}

#[derive(Clone)]
struct Field {
    name: Cow<'static, str>,
    value: Secret,
    /// What tells requests apart in its place, if the value is new each time.
    alike: Option<String>,
}

impl Form {
    /// Reads what the `oauth2` crate wrote: its body, and the client's authentication as a header. `alike` stands in for
    /// an assertion that is new each time.
    pub(crate) fn read(body: &[u8], authorization: Option<&str>, alike: Option<&str>) -> Self {
        let field = |(name, value): (Cow<'_, str>, Cow<'_, str>)| {
            let alike = alike.filter(|_| name == "client_assertion").map(str::to_owned);
            Field { name: name.into_owned().into(), value: Secret::new(value), alike }
        };
        Self {
            fields: form_urlencoded::parse(body).map(field).collect(),
            authorization: authorization.map(Secret::new),
        }
    }

    /// HTTP Basic authentication that goes beside it.
    pub(crate) fn authorization(&self) -> Option<&Secret> {
        self.authorization.as_ref()
    }

    /// Adds a field.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push(Field { name: name.into(), value: Secret::new(value), alike: None });
        self
    }

    /// Adds a field whose value is made anew for each request; `alike` is what makes two of them the same request.
    pub(crate) fn with_fresh(mut self, name: &'static str, value: &Secret, alike: String) -> Self {
        self.fields.push(Field { name: name.into(), value: value.clone(), alike: Some(alike) });
        self
    }

    /// Adds the application's id and what proves it: its secret in the body, or as HTTP Basic authentication, form-encoded
    /// (RFC 6749 §2.3.1).
    pub(crate) fn signed(mut self, id: &str, signed: &Signed, basic: bool) -> Self {
        match &signed.secret {
            Some(secret) if basic => {
                let encode =
                    |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = Zeroizing::new(format!("{}:{}", encode(id), encode(secret.expose())));
                self.authorization = Some(Secret::new(format!("Basic {}", STANDARD.encode(&*pair))));
                return self;
            }
            Some(secret) => self = self.with("client_secret", secret.expose()),
            None => {}
        }
        self = self.with("client_id", id);
        for (name, value) in signed.fields() {
            self = self.with(name, value);
        }
        self
    }

    /// Names and what tells this request from others.
    pub(crate) fn likeness(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields
            .iter()
            .map(|field| (&*field.name, field.alike.as_deref().unwrap_or_else(|| field.value.expose())))
    }

    /// Returns the form as it goes over the wire: everything is percent-encoded.
    pub(crate) fn encode(&self) -> Zeroizing<String> {
        let mut out = form_urlencoded::Serializer::new(String::new());
        for Field { name, value, .. } in &self.fields {
            out.append_pair(name, value.expose());
        }
        Zeroizing::new(out.finish())
    }

    /// Takes out of a server's words whatever we sent in confidence.
    pub(crate) fn redact(&self, text: &str) -> String {
        let secret = |name: &str| CONFIDENTIAL.contains(&name);
        self.fields.iter().filter(|field| secret(&field.name) && field.value.expose().len() >= 4).fold(
            text.to_owned(),
            |text, Field { name, value, .. }| match text.contains(value.expose()) {
                true => text.replace(value.expose(), &format!("[{name}]")),
                false => text,
            },
        )
    }
}

const CONFIDENTIAL: &[&str] = &[
    "client_secret",
    "client_assertion",
    "assertion",
    "code",
    "code_verifier",
    "device_code",
    "refresh_token",
    "token",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_encode_everything_and_hide_what_is_confidential() {
        let form = Form::default().with("client_id", "app").with("client_secret", "p&s=w+rd é");
        assert_eq!(*form.encode(), "client_id=app&client_secret=p%26s%3Dw%2Brd+%C3%A9");
        assert_eq!(form.redact("app sent p&s=w+rd é"), "app sent [client_secret]");
    }
}
