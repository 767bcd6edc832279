//! The service at which a person signs in, the application that asks for it, and how.

use crate::config::{Application, SignInSettings};
use crate::error::{Error, Result};
use crate::oauth::service::Service;
use crate::token::TokenSource;

/// Where and how a person signs in.
#[derive(Clone, Copy)]
pub(super) struct SignInService<'a> {
    pub(super) service: Service<'a>,
    pub(super) application: &'a Application,
    pub(super) sign_in: &'a SignInSettings,
}

impl<'a> SignInService<'a> {
    /// # Errors
    /// `config_invalid` if nobody signs in with the source's grant.
    pub(super) fn of(source: &'a TokenSource) -> Result<Self> {
        let service = source.shared.service()?;
        match service.auth.grant.sign_in() {
            Some((application, sign_in)) => Ok(Self { service, application, sign_in }),
            None => {
                let field = service.settings.spelling.path("auth.grant");
                let grant = service.auth.grant.as_str();
                Err(Error::config(field, format!("nothing to sign in: {grant} gets its own tokens"))
                    .with_hint("Only the grants `authorization_code` and `device_code` sign a person in."))
            }
        }
    }

    /// Which way: the configured one, or the other interactive one.
    ///
    /// # Errors
    /// `config_invalid` for an unknown one, and one that the provider does not take.
    pub(super) fn method(&self, asked: Option<&str>) -> Result<&'static str> {
        let Service { settings, auth } = self.service;
        let method = match asked.unwrap_or(auth.grant.as_str()) {
            "authorization_code" => "authorization_code",
            "device_code" => "device_code",
            _ => {
                return Err(Error::config(
                    "method",
                    "a sign-in's `method` is `authorization_code` or `device_code`",
                ));
            }
        };
        match settings.preset.refused_grants.iter().find(|(refused, _)| *refused == method) {
            Some((_, cure)) => {
                let name = settings.preset.name;
                Err(Error::config("method", format!("{name} does not take {method}")).with_hint(*cure))
            }
            None => Ok(method),
        }
    }
}
