//! Keys, certificates and sealed octets: DER (X.690), PKCS#12 (RFC 7292), PKCS#8 (RFC 5958), AES-GCM, and
//! randomness from the operating system.
//!
//! Nothing here opens a file or a connection. A certificate is read for people; whom to trust is decided in `net`.

pub(crate) mod certificate;
pub(crate) mod der;
pub(crate) mod pem;
pub(crate) mod pkcs12;
pub(crate) mod private_key;
pub(crate) mod random;
pub(crate) mod seal;
