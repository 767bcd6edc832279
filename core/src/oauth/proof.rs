//! What proves who the application is, read anew at every request: a secret, a certificate's file, somebody else's word.

use std::time::SystemTime;

use url::Url;
use zeroize::Zeroizing;

use super::service::Service;
use super::{assertion, github};
use crate::config::{Application, ClientCredential, TokenCallback};
use crate::error::{Error, ErrorCode, Result};
use crate::host::TokenRequest;
use crate::input::{COMMAND_TIME, Secret};

/// What proves who the application is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Proof {
    Secret(Secret),
    /// A file's octets, and what opens them.
    Certificate(Zeroizing<Vec<u8>>, Option<Secret>),
    Assertion(Secret),
}

impl Proof {
    /// What proves it, as it is now.
    ///
    /// # Errors
    /// `config_invalid` if it cannot be read.
    pub(crate) async fn read(
        service: Service<'_>,
        application: &Application,
        audience: &Url,
    ) -> Result<Option<Self>> {
        let spelling = service.settings.spelling;
        Ok(Some(match &application.credential {
            ClientCredential::None => return Ok(None),
            ClientCredential::Secret(source) => {
                Self::Secret(source.read(&spelling.path("auth.client_secret")).await?)
            }
            ClientCredential::Assertion(source) => {
                Self::Assertion(source.read(&spelling.path("auth.client_assertion")).await?)
            }
            ClientCredential::Callback(function) => {
                Self::Assertion(called(function, audience.as_str()).await?)
            }
            ClientCredential::Github(audience) => {
                let field = spelling.path("auth.client_assertion");
                Self::Assertion(github::token(service.settings, &field, audience).await?)
            }
            ClientCredential::Certificate(options) => {
                let field = spelling.path("auth.certificate");
                let octets = options.source.read_octets(&field).await?;
                let password = match &options.password {
                    Some(source) => Some(source.read_password(&format!("{field}.password")).await?),
                    None => None,
                };
                Self::Certificate(octets, password)
            }
        }))
    }

    /// What of it goes into a request to `audience`.
    ///
    /// # Errors
    /// `config_invalid` if the certificate cannot be opened.
    pub(super) async fn sign(
        &self,
        service: Service<'_>,
        application: &Application,
        audience: &str,
        now: SystemTime,
    ) -> Result<Signed> {
        match (self, &application.credential) {
            (Self::Secret(secret), _) => Ok(Signed { secret: Some(secret.clone()), ..Signed::default() }),
            (Self::Assertion(token), _) => Ok(Signed { assertion: Some(token.clone()), ..Signed::default() }),
            (Self::Certificate(octets, password), ClientCredential::Certificate(options)) => {
                let send_chain = options.send_chain;
                let (options, octets, password) = (options.clone(), octets.clone(), password.clone());
                let field = service.settings.spelling.path("auth.certificate");
                // A password may be hardened by hundreds of thousands of rounds.
                let opening =
                    tokio::task::spawn_blocking(move || options.open(&field, &octets, password.as_ref()));
                let certificate = opening.await.map_err(|_| {
                    Error::new(ErrorCode::Internal, "the certificate was not opened: the program is ending")
                })??;
                let assertion = assertion::client(&certificate, &application.id, audience, send_chain, now)?;
                // Its header names the certificate.
                let alike = Some(assertion::header(&assertion).to_owned());
                Ok(Signed { assertion: Some(assertion), alike, secret: None })
            }
            (Self::Certificate(..), _) => Ok(Signed::default()),
        }
    }
}

/// A proof as it goes into a request; neither, for a public client.
#[derive(Default)]
pub(super) struct Signed {
    pub(super) secret: Option<Secret>,
    pub(super) assertion: Option<Secret>,
    /// What makes two assertions the same request, if they are new each time.
    pub(super) alike: Option<String>,
}

impl Signed {
    /// The fields of an assertion (RFC 7521 §4.2).
    pub(super) fn fields(&self) -> impl Iterator<Item = (&'static str, String)> {
        const KIND: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let assertion = self.assertion.as_ref();
        let kind = assertion.map(|_| ("client_assertion_type", KIND.to_owned()));
        kind.into_iter().chain(assertion.map(|token| ("client_assertion", token.expose().to_owned())))
    }
}

async fn called(function: &TokenCallback, audience: &str) -> Result<Secret> {
    let request = TokenRequest { username: None, scopes: vec![audience.to_owned()], force: true };
    let late = || {
        let text = format!("the assertion callback returned nothing within {} s", COMMAND_TIME.as_secs());
        Error::new(ErrorCode::TokenProviderFailed, text).with_retryable(true)
    };
    let provided = tokio::time::timeout(COMMAND_TIME, function.0.token(request)).await.map_err(|_| late())?;
    let provided = provided.map_err(|error| {
        let text = format!("the assertion callback failed: {}", error.message());
        Error::new(ErrorCode::TokenProviderFailed, text)
            .with_retryable(error.retryable())
            .with_retry_after(error.retry_after())
    })?;
    match provided.secret.expose().is_empty() {
        true => Err(Error::new(ErrorCode::TokenProviderFailed, "the assertion callback returned nothing")),
        false => Ok(provided.secret),
    }
}
