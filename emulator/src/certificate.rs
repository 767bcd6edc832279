//! The certificates: a CA made at start, and what the servers show, good or bad.

use std::io;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use time::{Duration, OffsetDateTime};
use tokio_rustls::TlsAcceptor;

use crate::config::Certificate;

/// A certificate authority that lives as long as the emulator does.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(crate) fn new() -> io::Result<Self> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "mailbearer emulator CA");
        params.key_usages =
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        valid_around(&mut params, OffsetDateTime::now_utc());
        let pem = params.self_signed(&key).map_err(io::Error::other)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// Accepts TLS 1.2 and 1.3 with a certificate of this kind, for this host and the loopback interface.
    pub(crate) fn acceptor(&self, kind: Certificate, host: &str) -> io::Result<TlsAcceptor> {
        let mut names: Vec<String> = match kind {
            Certificate::WrongName => vec!["mail.elsewhere.example".into()],
            _ => ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into(),
        };
        if kind != Certificate::WrongName && names.iter().all(|name| name != host) {
            names.push(host.to_owned());
        }
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let mut params = CertificateParams::new(names.clone()).map_err(io::Error::other)?;
        params.distinguished_name.push(DnType::CommonName, names[0].as_str());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = kind != Certificate::SelfSigned;
        let now = OffsetDateTime::now_utc();
        valid_around(&mut params, now);
        if kind == Certificate::Expired {
            params.not_after = now - Duration::days(1);
        }
        let certificate = match kind {
            Certificate::SelfSigned => params.self_signed(&key),
            _ => params.signed_by(&key, &self.issuer),
        }
        .map_err(io::Error::other)?;
        let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(io::Error::other)?;
        // The provider is named: a default one would be shared with the host program.
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .map_err(io::Error::other)?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// The CA's own certificate.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }
}

fn valid_around(params: &mut CertificateParams, now: OffsetDateTime) {
    params.not_before = now - Duration::days(30);
    params.not_after = now + Duration::days(365);
}
