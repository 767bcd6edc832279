//! Finished MIME of any size: small in memory, large in a file without a name, so that memory stays flat.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::line_ends::LINE_LIMIT;
use super::open_file::read_at;
use crate::error::{Error, ErrorCode, Result};

/// Takes finished MIME piece by piece and mends its line ends. What is more than 256 KiB goes to a file in the system's
/// folder for temporary files, which has no name and is gone with the last use.
#[derive(Debug, Default)]
pub struct Spool {
    /// The beginning, or all of it.
    head: Vec<u8>,
    /// All of it, once it is more than the head holds.
    file: Option<File>,
    /// Octets so far.
    size: u64,
    /// The last octet was a CR whose LF has not come yet.
    after_cr: bool,
    /// Octets of the last line so far.
    line: usize,
    has_nul: bool,
    /// Behind the head.
    tail: Tail,
}

/// What stands behind the head.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tail {
    pub(super) eight_bit: bool,
    pub(super) long_line: bool,
}

impl Spool {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds octets. Blocks on the file system.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        let mut mended = Vec::with_capacity(octets.len() + octets.len() / 32 + 2);
        for &octet in octets {
            match (std::mem::take(&mut self.after_cr), octet) {
                // The LF of a CR that was written as both.
                (true, b'\n') => {}
                (_, b'\r') => {
                    mended.extend_from_slice(b"\r\n");
                    self.after_cr = true;
                }
                (_, b'\n') => mended.extend_from_slice(b"\r\n"),
                (_, other) => mended.push(other),
            }
        }
        self.put(&mended)
    }

    /// What was written, ready to be sent.
    ///
    /// # Errors
    /// The file system's.
    pub fn finish(mut self) -> io::Result<Spooled> {
        if let Some(file) = &mut self.file {
            file.flush()?;
        }
        let file = self.file.map(|file| SpoolFile { file, size: self.size }).map(Arc::new);
        let (ended, has_nul) = (self.line == 0, self.has_nul);
        Ok(Spooled { head: self.head.into(), file, ended, has_nul, tail: self.tail })
    }

    fn put(&mut self, octets: &[u8]) -> io::Result<()> {
        self.has_nul |= memchr::memchr(0, octets).is_some();
        let room = (HEAD - self.head.len()).min(octets.len());
        if room < octets.len() && self.file.is_none() {
            let mut file = tempfile::tempfile()?;
            file.write_all(&self.head)?;
            self.file = Some(file);
        }
        if let Some(file) = &mut self.file {
            file.write_all(octets)?;
        }
        self.head.extend_from_slice(&octets[..room]);
        self.size += octets.len() as u64;
        for (at, &octet) in octets.iter().enumerate() {
            self.line = if octet == b'\n' { 0 } else { self.line + 1 };
            if at >= room {
                self.tail.eight_bit |= !octet.is_ascii();
                // A line's CR is counted before its LF takes it back.
                self.tail.long_line |= self.line > LINE_LIMIT + usize::from(octet == b'\r');
            }
        }
        Ok(())
    }
}

/// Finished MIME that was taken whole. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Spooled {
    pub(super) head: Bytes,
    pub(super) file: Option<Arc<SpoolFile>>,
    /// The last line has its end.
    pub(super) ended: bool,
    pub(super) has_nul: bool,
    pub(super) tail: Tail,
}

/// The file of a spool.
#[derive(Debug)]
pub(crate) struct SpoolFile {
    file: File,
    pub(super) size: u64,
}

impl SpoolFile {
    /// The octets in `range`, in pieces. Blocks on the file system.
    ///
    /// # Errors
    /// `attachment_unreadable`.
    pub(super) fn each_piece(&self, range: &Range<u64>, mut take: impl FnMut(&[u8])) -> Result<()> {
        let mut at = range.start;
        while at < range.end {
            let piece = self.piece(at, range.end)?;
            at += piece.len() as u64;
            take(&piece);
        }
        Ok(())
    }

    /// The piece at `at`, not beyond `end`. Blocks on the file system.
    ///
    /// # Errors
    /// `attachment_unreadable`.
    pub(super) fn piece(&self, at: u64, end: u64) -> Result<Bytes> {
        let size = usize::try_from(end.saturating_sub(at)).unwrap_or(PIECE).min(PIECE);
        let mut out = vec![0; size];
        let mut done = 0;
        while done < size {
            match read_at(&self.file, &mut out[done..], at + done as u64) {
                Ok(0) => return Err(unreadable("it ended early")),
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(unreadable(&e.to_string())),
            }
        }
        Ok(out.into())
    }
}

fn unreadable(why: &str) -> Error {
    Error::new(ErrorCode::AttachmentUnreadable, format!("the message's temporary file cannot be read: {why}"))
}

/// Octets that are kept in memory, and the most that a header section may have in a larger message.
pub(super) const HEAD: usize = 256 * 1024;

/// Octets that are read at once.
const PIECE: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::line_ends::{has_line_over, to_crlf};

    fn spooled(octets: &[u8], pieces: usize) -> Spooled {
        let mut spool = Spool::new();
        for piece in octets.chunks(pieces) {
            spool.write(piece).unwrap();
        }
        spool.finish().unwrap()
    }

    fn all(of: &Spooled) -> Vec<u8> {
        let mut out = Vec::new();
        match &of.file {
            None => out.extend_from_slice(&of.head),
            Some(file) => file.each_piece(&(0..file.size), |piece| out.extend_from_slice(piece)).unwrap(),
        }
        out
    }

    #[test]
    fn line_ends_are_mended_wherever_the_pieces_end() {
        for len in 0..=7u32 {
            for n in 0..3usize.pow(len) {
                let input: Vec<u8> = (0..len).map(|i| b"\r\nx"[n / 3usize.pow(i) % 3]).collect();
                for pieces in 1..=3 {
                    assert_eq!(all(&spooled(&input, pieces)), *to_crlf(&input), "{input:?} by {pieces}");
                }
            }
        }
    }

    #[test]
    fn what_is_large_goes_to_a_file_and_is_known_all_the_same() {
        let small = spooled(&vec![b'a'; HEAD], 1000);
        assert!(small.file.is_none() && small.head.len() == HEAD);
        for (line, eight_bit) in [
            ("short line", false),
            ("gr\u{fc}\u{df}e", true),
            (&"x".repeat(999), false),
            (&"x".repeat(998), false),
        ] {
            let mut text = "a\n".repeat(HEAD).into_bytes();
            text.extend_from_slice(line.as_bytes());
            text.extend_from_slice(b"\nend");
            let of = spooled(&text, 70_001);
            let want = to_crlf(&text);
            assert_eq!(all(&of), *want);
            assert_eq!(of.head, want[..HEAD]);
            assert_eq!(
                (of.tail.eight_bit, of.tail.long_line),
                (eight_bit, has_line_over(&want, LINE_LIMIT)),
                "{line}"
            );
            assert!(!of.has_nul);
        }
        // A line that begins in the head.
        let of = spooled(&[&vec![b'a'; HEAD - 500][..], b"\n"].concat(), 4096);
        assert!(of.file.is_none());
        let mut text = vec![b'\n'; (HEAD - 400) / 2];
        text.extend_from_slice(&[b'x'; 1200]);
        assert!(spooled(&text, 77).tail.long_line);
        text.push(0);
        assert!(spooled(&text, 77).has_nul);
    }
}
