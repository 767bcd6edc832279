//! Whose a certificate is, who signed it and until when it is good (RFC 5280 §4.1), to be shown to people. Nothing is
//! decided by it.

use std::time::SystemTime;

use super::der::{Damaged, DerReader, INTEGER, OBJECT, SEQUENCE, tagged};
use crate::{instant, text};

/// What people want to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateFacts {
    /// The subject's common name, or its organisation.
    pub(crate) subject: String,
    /// The signer's.
    pub(crate) issuer: String,
    pub(crate) not_after: Option<SystemTime>,
}

impl CertificateFacts {
    /// Reads one in DER.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        parse(der).ok()
    }

    /// Whether it vouches for itself alone.
    pub(crate) fn is_self_signed(&self) -> bool {
        self.subject == self.issuer
    }
}

fn parse(der: &[u8]) -> Result<CertificateFacts, Damaged> {
    let mut body = DerReader::new(der).take(SEQUENCE)?.take(SEQUENCE)?;
    if body.peek() == Some(tagged(0)) {
        body.skip()?;
    }
    body.octets(INTEGER)?;
    body.take(SEQUENCE)?;
    let issuer = name(body.take(SEQUENCE)?)?;
    let mut validity = body.take(SEQUENCE)?;
    validity.skip()?;
    let not_after = match validity.peek() {
        Some(tag @ (UTC_TIME | GENERALIZED_TIME)) => time(tag, validity.octets(tag)?),
        _ => None,
    };
    let subject = name(body.take(SEQUENCE)?)?;
    Ok(CertificateFacts { subject, issuer, not_after })
}

/// The common name with the organisation, as far as they are there.
fn name(mut parts: DerReader<'_>) -> Result<String, Damaged> {
    let (mut common, mut organisation) = (None, None);
    while !parts.is_empty() {
        let mut set = parts.take(SET)?;
        while !set.is_empty() {
            let mut pair = set.take(SEQUENCE)?;
            let kind = pair.octets(OBJECT)?;
            let Some(tag) = pair.peek() else { return Err(Damaged) };
            let text = printable(tag, pair.octets(tag)?);
            match kind {
                COMMON_NAME => common = Some(text),
                ORGANISATION => organisation = Some(text),
                _ => {}
            }
        }
    }
    Ok(match (common, organisation) {
        (Some(common), Some(organisation)) if common != organisation => format!("{common} ({organisation})"),
        (Some(one), _) | (None, Some(one)) => one,
        (None, None) => "nobody".to_owned(),
    })
}

/// A stranger's words, for a terminal.
fn printable(tag: u8, octets: &[u8]) -> String {
    let text = match tag {
        BMP_STRING => {
            let units: Vec<u16> =
                octets.chunks_exact(2).map(|two| u16::from_be_bytes([two[0], two[1]])).collect();
            String::from_utf16_lossy(&units)
        }
        _ => String::from_utf8_lossy(octets).into_owned(),
    };
    text::shown(&text, 100)
}

/// `YYMMDDhhmmssZ`, of 1950 to 2049, or `YYYYMMDDhhmmssZ`.
fn time(tag: u8, octets: &[u8]) -> Option<SystemTime> {
    let text = std::str::from_utf8(octets).ok().filter(|text| text.is_ascii())?;
    let text = match tag {
        UTC_TIME => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        _ => text.to_owned(),
    };
    let part = |range: std::ops::Range<usize>| text.get(range);
    let whole = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0..4)?,
        part(4..6)?,
        part(6..8)?,
        part(8..10)?,
        part(10..12)?,
        part(12..14)?
    );
    instant::from_rfc3339(&whole)
}

const SET: u8 = 0x31;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const BMP_STRING: u8 = 0x1e;
/// 2.5.4.3 and 2.5.4.10.
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ORGANISATION: &[u8] = &[0x55, 4, 10];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_the_end_are_read_and_rubbish_is_not() {
        let mut parameters = rcgen::CertificateParams::new(vec!["mail.example".to_owned()]).unwrap();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "mail.example");
        parameters.distinguished_name.push(rcgen::DnType::OrganizationName, "Example \u{1b}[31m Ltd");
        parameters.not_after = rcgen::date_time_ymd(2031, 2, 3);
        let key = rcgen::KeyPair::generate().unwrap();
        let made = parameters.self_signed(&key).unwrap();
        let read = CertificateFacts::read(made.der()).unwrap();
        assert_eq!(read.subject, "mail.example (Example [31m Ltd)");
        assert!(read.is_self_signed());
        assert_eq!(instant::to_rfc3339(read.not_after.unwrap()), "2031-02-03T00:00:00Z");
        for end in 0..made.der().len() {
            assert!(
                CertificateFacts::read(&made.der()[..end]).is_none_or(|read| read.subject.contains("mail"))
            );
        }
        assert_eq!(time(GENERALIZED_TIME, b"20500101000000Z"), instant::from_rfc3339("2050-01-01T00:00:00Z"));
        assert_eq!(time(UTC_TIME, b"491231235959Z"), instant::from_rfc3339("2049-12-31T23:59:59Z"));
        assert_eq!(time(UTC_TIME, b"4"), None);
    }
}
