//! The certificates: a CA made at start, and what the servers show, good or bad.

use std::io;
use std::path::{Path, PathBuf};
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
use crate::random;

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

    /// Accepts TLS 1.2 and 1.3 with a certificate of this kind.
    pub(crate) fn acceptor(&self, kind: Certificate) -> io::Result<TlsAcceptor> {
        let names: &[&str] = match kind {
            Certificate::WrongName => &["mail.elsewhere.example"],
            _ => &["localhost", "127.0.0.1", "::1"],
        };
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
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

    /// Writes the CA into a new folder that only this user can read.
    pub(crate) fn write(&self) -> io::Result<CaFile> {
        let folder = std::env::temp_dir().join(format!("mailbearer-emulator-{}", random::guid()));
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder)?;
        let file = CaFile { path: folder.join("ca.pem"), folder };
        std::fs::write(&file.path, &self.pem)?;
        Ok(file)
    }
}

/// The CA in a PEM file of its own.
pub(crate) struct CaFile {
    folder: PathBuf,
    path: PathBuf,
}

impl CaFile {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes file and folder. Not in `Drop`: a forked child must leave them to its parent.
    pub(crate) fn remove(&self) {
        // A folder that is already gone is what was wanted.
        let _ = std::fs::remove_file(&self.path);
        let _ = std::fs::remove_dir(&self.folder);
    }
}

fn valid_around(params: &mut CertificateParams, now: OffsetDateTime) {
    params.not_before = now - Duration::days(30);
    params.not_after = now + Duration::days(365);
}
