//! Reads ASN.1 as key files have it: DER, and the BER that some programs write (X.690).

/// The octets are not valid DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damaged;

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTETS: u8 = 0x04;
pub(crate) const OBJECT: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;

/// A tag of this number that is explicit or a sequence of its own.
pub(crate) const fn tagged(number: u8) -> u8 {
    0xa0 | number
}

/// Elements one after another.
#[derive(Clone, Copy)]
pub(crate) struct DerReader<'a>(&'a [u8]);

impl<'a> DerReader<'a> {
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tag of the next element.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next element, which has this tag: what is inside it.
    pub(crate) fn take(&mut self, tag: u8) -> Result<Self, Damaged> {
        match self.element(DEPTH)? {
            (found, content) if found == tag => Ok(Self(content)),
            _ => Err(Damaged),
        }
    }

    /// The next element, whatever it is.
    pub(crate) fn skip(&mut self) -> Result<(), Damaged> {
        self.element(DEPTH).map(|_| ())
    }

    /// The octets of the next element, which has this tag.
    pub(crate) fn octets(&mut self, tag: u8) -> Result<&'a [u8], Damaged> {
        self.take(tag).map(|inner| inner.0)
    }

    /// A string of octets under this tag, or the pieces of one put together.
    pub(crate) fn string(&mut self, tag: u8) -> Result<Vec<u8>, Damaged> {
        if self.peek() == Some(tag) {
            return self.octets(tag).map(<[u8]>::to_vec);
        }
        let mut pieces = self.take(tag | CONSTRUCTED)?;
        let mut whole = Vec::new();
        while !pieces.is_empty() {
            whole.extend_from_slice(pieces.octets(OCTETS)?);
        }
        Ok(whole)
    }

    /// A number that is not negative.
    pub(crate) fn number(&mut self) -> Result<u32, Damaged> {
        let octets = self.octets(INTEGER)?;
        match octets {
            [] => Err(Damaged),
            [first, ..] if first & 0x80 != 0 || octets.len() > 5 => Err(Damaged),
            _ => {
                let number = octets.iter().fold(0_u64, |number, octet| number << 8 | u64::from(*octet));
                u32::try_from(number).map_err(|_| Damaged)
            }
        }
    }

    /// Tag and content.
    fn element(&mut self, depth: u8) -> Result<(u8, &'a [u8]), Damaged> {
        let [tag, length, rest @ ..] = self.0 else { return Err(Damaged) };
        // Tags of several octets stand in no key file.
        if depth == 0 || tag & 0x1f == 0x1f {
            return Err(Damaged);
        }
        let (length, rest) = match *length {
            0x80 if tag & CONSTRUCTED != 0 => {
                let mut inner = Self(rest);
                while !inner.0.starts_with(&[0, 0]) {
                    inner.element(depth - 1)?;
                }
                let content = rest.get(..rest.len() - inner.0.len()).ok_or(Damaged)?;
                self.0 = inner.0.get(2..).ok_or(Damaged)?;
                return Ok((*tag, content));
            }
            short if short < 0x80 => (usize::from(short), rest),
            long @ 0x81..=0x84 => {
                let (octets, rest) = rest.split_at_checked(usize::from(long & 0x7f)).ok_or(Damaged)?;
                (octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), rest)
            }
            _ => return Err(Damaged),
        };
        let (content, rest) = rest.split_at_checked(length).ok_or(Damaged)?;
        self.0 = rest;
        Ok((*tag, content))
    }
}

const CONSTRUCTED: u8 = 0x20;

/// How deep elements may be nested that do not say how long they are.
const DEPTH: u8 = 16;

/// An element in DER.
pub(crate) fn write(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    match length {
        0..0x80 => out.push(length as u8),
        _ => {
            let octets = length.to_be_bytes();
            let octets = &octets[octets.iter().position(|octet| *octet != 0).unwrap_or(0)..];
            out.push(0x80 | octets.len() as u8);
            out.extend_from_slice(octets);
        }
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_every_length_are_read_as_written() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x1_0000] {
            let octets = vec![7; length];
            let written = write(SEQUENCE, &[&write(OCTETS, &[&octets]), &write(INTEGER, &[&[1, 2]])]);
            let mut inner = DerReader::new(&written).take(SEQUENCE).unwrap();
            assert_eq!(inner.string(OCTETS).unwrap(), octets);
            assert_eq!(inner.number(), Ok(0x102));
            assert!(inner.is_empty());
            for cut in 0..written.len().min(20) {
                assert!(DerReader::new(&written[..cut]).take(SEQUENCE).is_err());
            }
        }
    }

    #[test]
    fn lengths_that_are_not_said_and_strings_in_pieces_are_understood() {
        let whole = [0x30, 0x80, 0x24, 0x80, 0x04, 1, 1, 0x04, 2, 2, 3, 0, 0, 0x02, 1, 5, 0, 0, 0x02, 1, 6];
        let mut outer = DerReader::new(&whole);
        let mut inner = outer.take(SEQUENCE).unwrap();
        assert_eq!(inner.string(OCTETS).unwrap(), [1, 2, 3]);
        assert_eq!((inner.number(), outer.number()), (Ok(5), Ok(6)));
        // As deep as a mischievous file may go.
        assert!(DerReader::new(&[0x30, 0x80].repeat(10_000)).skip().is_err());
    }

    #[test]
    fn numbers_are_small_and_not_negative() {
        for (octets, number) in [
            (&[0x02, 1, 0x80][..], Err(Damaged)),
            (&[0x02, 0], Err(Damaged)),
            (&[0x02, 5, 0, 0xff, 0xff, 0xff, 0xff], Ok(u32::MAX)),
            (&[0x02, 5, 1, 0, 0, 0, 0], Err(Damaged)),
            (&[0x1f, 0x81, 1, 0], Err(Damaged)),
            (&[0x02, 0x85, 0, 0, 0, 0, 1, 1], Err(Damaged)),
        ] {
            assert_eq!(DerReader::new(octets).number(), number, "{octets:?}");
        }
    }
}
