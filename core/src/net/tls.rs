//! TLS client configurations, interned by their settings, and the sentence for each failure.
//!
//! The provider is ring, passed explicitly: a library must not choose one for its process.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use serde::{Deserialize, Deserializer};

use super::pinned::{Pinned, Thumbprint};
use super::verifier::{Telling, Untrusted};
use crate::error::{Error, ErrorCode, Result};
use crate::fork::ForkCell;
use crate::instant;
use crate::sync::lock;

/// Which authorities are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Roots {
    /// The operating system's.
    #[default]
    Platform,
    /// Mozilla's, compiled in.
    Bundled,
    /// Only the authorities of a PEM file.
    File(PathBuf),
}

impl<'de> Deserialize<'de> for Roots {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        Ok(match String::deserialize(de)?.as_str() {
            "platform" => Self::Platform,
            "bundled" => Self::Bundled,
            path => Self::File(PathBuf::from(path)),
        })
    }
}

/// Configurations by their settings: sessions are resumed across clients that share one.
#[derive(Default)]
pub(crate) struct TlsConfigs {
    by_roots: Mutex<HashMap<ConfigKey, Arc<ClientConfig>>>,
    by_thumbprint: Mutex<HashMap<Thumbprint, Arc<ClientConfig>>>,
}

/// The setting, and the file's content where it names one.
type ConfigKey = (Roots, Vec<u8>);

/// This process's TLS configurations.
pub(crate) fn configs() -> &'static TlsConfigs {
    static CELL: ForkCell<TlsConfigs> = ForkCell::new();
    CELL.get(|_| TlsConfigs::default())
}

impl TlsConfigs {
    /// The configuration for these roots.
    ///
    /// # Errors
    /// `config_invalid` if the PEM file cannot be used, `certificate_invalid` if the system has no roots.
    pub(crate) fn client(&self, roots: &Roots) -> Result<Arc<ClientConfig>> {
        // A file may be replaced while we run: its content is part of the key.
        let pem = match roots {
            Roots::File(path) => std::fs::read(path).map_err(|e| wrong_roots(path, e.to_string()))?,
            _ => Vec::new(),
        };
        let key = (roots.clone(), pem);
        let mut map = lock(&self.by_roots);
        if let Some(config) = map.get(&key) {
            return Ok(config.clone());
        }
        let config = Arc::new(build(&key.0, &key.1)?);
        map.insert(key, config.clone());
        Ok(config)
    }

    /// The configuration for one server, known by its certificate.
    ///
    /// # Errors
    /// `internal`.
    pub(crate) fn pinned(&self, thumbprint: Thumbprint) -> Result<Arc<ClientConfig>> {
        let mut map = lock(&self.by_thumbprint);
        if let Some(config) = map.get(&thumbprint) {
            return Ok(config.clone());
        }
        let (provider, builder) = builder()?;
        let verifier = Arc::new(Pinned { thumbprint, provider });
        let config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        let config = Arc::new(config);
        map.insert(thumbprint, config.clone());
        Ok(config)
    }
}

/// Says what a failed handshake means.
pub(crate) fn describe(host: &str, error: &io::Error) -> Error {
    let inner = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>());
    match inner {
        Some(error) => describe_tls(host, error),
        None if CLOSED.contains(&error.kind()) => Error::new(
            ErrorCode::ConnectionLost,
            format!("{host} closed the connection during the TLS handshake"),
        ),
        None => Error::new(ErrorCode::TlsFailed, format!("TLS with {host} failed: {error}")),
    }
}

/// Says what a TLS error means.
pub(crate) fn describe_tls(host: &str, error: &rustls::Error) -> Error {
    let invalid =
        |what: String| Error::new(ErrorCode::CertificateInvalid, format!("the certificate of {host} {what}"));
    match error {
        rustls::Error::InvalidCertificate(reason) => match reason {
            CertificateError::Expired => invalid("has expired".into())
                .with_hint("Check this machine's clock. If it is right, the server's operator must renew the certificate."),
            CertificateError::ExpiredContext { not_after, .. } => {
                let at = UNIX_EPOCH + Duration::from_secs(not_after.as_secs());
                invalid(format!("has expired at {}", instant::to_rfc3339(at)))
                    .with_hint("Check this machine's clock. If it is right, the server's operator must renew the certificate.")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                invalid("is not valid yet".into()).with_hint("Check this machine's clock.")
            }
            CertificateError::NotValidForName => invalid("is for another name".into()).with_hint(OTHER_NAME),
            CertificateError::NotValidForNameContext { presented, .. } => {
                let names = presented.iter().map(|name| name.split('"').nth(1).unwrap_or(name));
                let names = names.take(5).collect::<Vec<_>>().join(", ");
                invalid(format!("is for another name: {names}")).with_hint(OTHER_NAME)
            }
            CertificateError::Other(other) if other.0.is::<Untrusted>() => {
                let of = other.0.downcast_ref::<Untrusted>().map(|untrusted| &untrusted.0);
                let (issuer, alone) =
                    of.map_or(("nobody", false), |of| (of.issuer.as_str(), of.is_self_signed()));
                match alone {
                    true => invalid(format!("is signed by itself, {issuer}, and not trusted here"))
                        .with_hint("If it is your own server's, name its certificate (PEM) in tls.roots; else somebody stands in between."),
                    false => invalid(format!("is signed by an authority not trusted here: {issuer}"))
                        .with_hint(format!("If `{issuer}` is your organisation's, or a firewall or virus scanner that reads connections, name its certificate (PEM) in tls.roots or have mail excepted; else set tls.roots = \"bundled\", or update ca-certificates.")),
                }
            }
            CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
                invalid("is an authority's own, and no server's".into()).with_hint(
                    "Make a certificate for the server (a self-signed one needs basicConstraints=CA:FALSE), then name its file in tls.roots.",
                )
            }
            CertificateError::UnknownIssuer => invalid("is signed by an authority not trusted here".into()),
            other => invalid(format!("is not acceptable: {other}")),
        },
        rustls::Error::InvalidMessage(_) => {
            Error::new(ErrorCode::TlsFailed, format!("{host} does not speak TLS on this port"))
        }
        other => Error::new(ErrorCode::TlsFailed, format!("TLS with {host} failed: {other}")),
    }
}

const OTHER_NAME: &str = "Use the host name that the certificate was made for, or look for a proxy that answers in the server's place.";

/// How a peer that goes away looks in the middle of a handshake.
const CLOSED: [io::ErrorKind; 4] = [
    io::ErrorKind::UnexpectedEof,
    io::ErrorKind::ConnectionReset,
    io::ErrorKind::ConnectionAborted,
    io::ErrorKind::BrokenPipe,
];

fn builder() -> Result<(Arc<CryptoProvider>, ConfigBuilder<ClientConfig, WantsVerifier>)> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::new(ErrorCode::Internal, format!("TLS cannot be set up: {e}")))?;
    Ok((provider, builder))
}

fn build(roots: &Roots, pem: &[u8]) -> Result<ClientConfig> {
    let (provider, builder) = builder()?;
    let inner: Arc<dyn ServerCertVerifier> = match roots {
        Roots::Platform => Arc::new(rustls_platform_verifier::Verifier::new(provider).map_err(|e| {
            Error::new(
                ErrorCode::CertificateInvalid,
                format!("this system's trusted authorities cannot be read: {e}"),
            )
            .with_hint("Install the package ca-certificates, or set tls.roots = \"bundled\".")
        })?),
        Roots::Bundled => {
            by_roots(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }, provider)?
        }
        Roots::File(path) => by_roots(from_pem(path, pem)?, provider)?,
    };
    let verifier = Arc::new(Telling(inner));
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

fn by_roots(store: RootCertStore, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build();
    Ok(verifier.map_err(|e| Error::new(ErrorCode::Internal, format!("TLS cannot be set up: {e}")))?)
}

fn from_pem(path: &Path, pem: &[u8]) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        store
            .add(certificate.map_err(|e| wrong_roots(path, e.to_string()))?)
            .map_err(|e| wrong_roots(path, format!("not a usable certificate: {e}")))?;
    }
    if store.is_empty() {
        return Err(wrong_roots(path, "no certificate in it".into()));
    }
    Ok(store)
}

fn wrong_roots(path: &Path, what: String) -> Error {
    Error::config("tls.roots", format!("`tls.roots`: {}: {what}", path.display()))
        .with_hint("Give `platform`, `bundled`, or the path of a PEM file with the authority's certificate.")
}
