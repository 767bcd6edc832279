//! A server that is known by its certificate's SHA-1 thumbprint, as Service Fabric's own is.

use std::sync::Arc;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

/// 20 octets.
pub(crate) type Thumbprint = [u8; 20];

/// Reads one, as it is written: in hexadecimal, of either case.
pub(crate) fn thumbprint(text: &str) -> Option<Thumbprint> {
    let text = text.trim();
    let mut out = [0; 20];
    if text.len() != 40 || !text.is_ascii() {
        return None;
    }
    for (at, octet) in out.iter_mut().enumerate() {
        *octet = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(out)
}

/// Takes that certificate and no other, whatever its name and age; the server must have its key.
#[derive(Debug)]
pub(super) struct Pinned {
    pub(super) thumbprint: Thumbprint,
    pub(super) provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match digest(&SHA1_FOR_LEGACY_USE_ONLY, end_entity).as_ref() == self.thumbprint {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbprints_are_forty_hexadecimal_digits() {
        assert_eq!(thumbprint("00ff00FF00ff00ff00ff00ff00ff00ff00ff00Fe\n").unwrap()[19], 0xfe);
        for text in ["", "00ff", "zzff00ff00ff00ff00ff00ff00ff00ff00ff00ff", "äöüäöüäöüäöüäöüäöüäö"]
        {
            assert_eq!(thumbprint(text), None, "{text}");
        }
    }
}
