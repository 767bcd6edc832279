//! DKIM signatures (RFC 6376, RFC 8463), relaxed in headers and body, with ring.

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{Context, SHA256};

use super::content::Content;
use crate::config::DkimSettings;
use crate::error::Result;

/// The message with a signature in front. Files are read for it once more than they are sent.
///
/// # Errors
/// `message_invalid` for a stream, which can be read only once; `attachment_unreadable`.
pub(crate) fn sign(content: &Content, dkim: &DkimSettings, now: SystemTime) -> Result<Content> {
    if let Some(one) = content.streams().next() {
        // One message's fault: others go on.
        return Err(one
            .place
            .error("is a stream, and a signed message must be read twice")
            .with_hint("Attach a path or octets, or send the message with a mailer without `dkim`."));
    }
    let (mut head, mut rest) = (Vec::new(), RelaxedBody::new());
    let mut in_head = true;
    content.each_piece(|mut octets| {
        if in_head {
            // The head lies in the first octets in memory; its end may be found only with what follows it.
            head.extend_from_slice(octets);
            let Some(end) = memchr::memmem::find(&head, b"\r\n\r\n") else { return };
            in_head = false;
            let behind = head.len() - (end + 4);
            head.truncate(end + 2);
            octets = &octets[octets.len() - behind..];
        }
        rest.push(octets);
    })?;
    let fields = fields(&head);
    let (names, signed) = choose(&fields);
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_secs());
    let unsigned = format!(
        "DKIM-Signature: v=1; a={}; c=relaxed/relaxed;\r\n d={}; s={};\r\n t={seconds}; h={};\r\n bh={};\r\n b=",
        dkim.key.algorithm(),
        dkim.domain,
        dkim.selector,
        folded(&names.join(":"), ':'),
        STANDARD.encode(rest.finish()),
    );
    let mut input = signed;
    // The signature's own field comes last, its value empty, without the line's end.
    relax(unsigned.as_bytes(), &mut input);
    let signature = STANDARD.encode(dkim.key.sign(&input)?);
    let mut front = unsigned;
    for (at, chunk) in signature.as_bytes().chunks(70).enumerate() {
        if at > 0 {
            front.push_str("\r\n ");
        }
        front.push_str(&String::from_utf8_lossy(chunk));
    }
    front.push_str("\r\n");
    Ok(content.behind(front.into()))
}

/// Name and value of each field, and its octets with folded lines, without the last line's end.
fn fields(head: &[u8]) -> Vec<(String, &[u8])> {
    let mut out = Vec::new();
    let mut start = 0;
    for end in memchr::memmem::find_iter(head, b"\r\n") {
        let folded = matches!(head.get(end + 2), Some(b' ' | b'\t'));
        if folded {
            continue;
        }
        let field = &head[start..end];
        let colon = memchr::memchr(b':', field).unwrap_or(0);
        let name = String::from_utf8_lossy(field[..colon].trim_ascii_end()).to_ascii_lowercase();
        out.push((name, field));
        start = end + 2;
    }
    out
}

/// The names for `h=`, and the fields as they are hashed: of a name that stands there more often, the last
/// comes first (RFC 6376 §5.4.2). From is named once more than it is there, so that none can be added.
fn choose(fields: &[(String, &[u8])]) -> (Vec<&'static str>, Vec<u8>) {
    let (mut names, mut signed) = (Vec::new(), Vec::new());
    for name in SIGNED {
        for (_, field) in fields.iter().rev().filter(|(found, _)| found == name) {
            names.push(*name);
            relax(field, &mut signed);
            signed.extend_from_slice(b"\r\n");
        }
    }
    names.push("from");
    (names, signed)
}

/// A field as RFC 6376 §3.4.2 has it, without its line's end.
fn relax(field: &[u8], out: &mut Vec<u8>) {
    let colon = memchr::memchr(b':', field).unwrap_or(field.len());
    out.extend(field[..colon].trim_ascii_end().to_ascii_lowercase());
    out.push(b':');
    let value = field.get(colon + 1..).unwrap_or_default();
    let words = value.split(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')).filter(|word| !word.is_empty());
    for (at, word) in words.enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
}

/// A long value on several lines, broken behind `at`.
fn folded(text: &str, at: char) -> String {
    let mut out = String::new();
    let mut column = 30;
    for part in text.split_inclusive(at) {
        if column + part.len() > 75 {
            out.push_str("\r\n ");
            column = 1;
        }
        out.push_str(part);
        column += part.len();
    }
    out
}

/// The hash of a body as RFC 6376 §3.4.4 has it: white space at lines' ends is gone, other runs of it are one
/// blank, empty lines at the end are none.
struct RelaxedBody {
    hash: Context,
    out: Vec<u8>,
    /// White space that counts if something follows on its line.
    blank: bool,
    /// Line ends that count if a line with something follows.
    ends: usize,
    /// The last octet was a CR.
    cr: bool,
    /// There was something.
    any: bool,
}

impl RelaxedBody {
    fn new() -> Self {
        Self { hash: Context::new(&SHA256), out: Vec::new(), blank: false, ends: 0, cr: false, any: false }
    }

    /// CRLF line ends, in any pieces.
    fn push(&mut self, octets: &[u8]) {
        let mut rest = octets;
        while let Some(&first) = rest.first() {
            match first {
                b'\r' => self.cr = true,
                b'\n' if self.cr => {
                    self.cr = false;
                    self.blank = false;
                    self.ends += 1;
                }
                b' ' | b'\t' => self.blank = true,
                _ => {
                    let odd = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n');
                    let end = rest.iter().position(odd).unwrap_or(rest.len()).max(1);
                    self.word(&rest[..end]);
                    rest = &rest[end..];
                    continue;
                }
            }
            rest = &rest[1..];
        }
    }

    fn word(&mut self, word: &[u8]) {
        self.any = true;
        for _ in 0..std::mem::take(&mut self.ends) {
            self.out.extend_from_slice(b"\r\n");
        }
        if std::mem::take(&mut self.blank) {
            self.out.push(b' ');
        }
        self.out.extend_from_slice(word);
        if self.out.len() >= 16 * 1024 {
            self.hash.update(&self.out);
            self.out.clear();
        }
    }

    fn finish(mut self) -> [u8; 32] {
        // A body that is not empty ends in a line's end.
        if self.any {
            self.out.extend_from_slice(b"\r\n");
        }
        self.hash.update(&self.out);
        let mut digest = [0; 32];
        digest.copy_from_slice(self.hash.finish().as_ref());
        digest
    }
}

/// RFC 6376 §5.4.1's fields, and those of RFC 8058, which counts them only if they are signed.
const SIGNED: &[&str] = &[
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
];

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn body_hash(pieces: &[&[u8]]) -> String {
        let mut body = RelaxedBody::new();
        for piece in pieces {
            body.push(piece);
        }
        STANDARD.encode(body.finish())
    }

    #[test]
    fn bodies_are_hashed_as_the_rfcs_examples_are() {
        // RFC 6376 §3.4.5's example, which relaxes to " C\r\nD E\r\n".
        let want = STANDARD.encode(ring::digest::digest(&SHA256, b" C\r\nD E\r\n"));
        let body = b" C \r\nD \t E\r\n\r\n\r\n";
        assert_eq!(body_hash(&[body]), want);
        for cut in 0..body.len() {
            assert_eq!(body_hash(&[&body[..cut], &body[cut..]]), want, "cut at {cut}");
        }
        // RFC 8463 §A.2's message.
        let text = b"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";
        assert_eq!(body_hash(&[text]), "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=");
        // An empty body is empty.
        let empty = STANDARD.encode(ring::digest::digest(&SHA256, b""));
        assert_eq!((body_hash(&[b""]), body_hash(&[b"\r\n\r\n \r\n"])), (empty.clone(), empty));
    }

    #[test]
    fn an_ed25519_signature_is_the_rfcs() {
        // RFC 8463 §A.2: its key, its message; the fields that we sign stand in another order there, so that
        // what is compared is the hash of our own against ring's check.
        let key = crate::config::DkimKey::from_pem(concat!(
            "-----BEGIN PRIVATE KEY-----\n",
            "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n",
            "-----END PRIVATE KEY-----\n",
        ))
        .unwrap();
        let dkim = DkimSettings { domain: "football.example.com".into(), selector: "brisbane".into(), key };
        let message = "From: Joe SixPack <joe@football.example.com>\r\nTo: Suzie Q <suzie@shopping.example.net>\r\n\
                       Subject: Is dinner  ready?\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n\
                       Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\r\nHi.\r\n\r\n\
                       We lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";
        let content = Content::from(Bytes::from(message));
        let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_528_637_909);
        let signed = sign(&content, &dkim, at).unwrap().load().unwrap();
        let text = String::from_utf8(signed.to_vec()).unwrap();
        assert!(text.ends_with(message));
        let field = &text[..text.len() - message.len()];
        assert!(
            field
                .contains("a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; s=brisbane;\r\n")
        );
        assert!(field.contains("h=from:to:subject:date:message-id:from;") && field.contains("t=1528637909"));
        assert!(field.lines().all(|line| line.len() <= 78), "{field}");
        let (unsigned, signature) = field.split_once(" b=").unwrap();
        let signature = STANDARD.decode(signature.replace(['\r', '\n', ' '], "")).unwrap();
        let mut input =
            b"from:Joe SixPack <joe@football.example.com>\r\nto:Suzie Q <suzie@shopping.example.net>\r\n\
            subject:Is dinner ready?\r\ndate:Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n\
            message-id:<20030712040037.46341.5F8J@football.example.com>\r\n"
                .to_vec();
        relax(format!("{unsigned} b=").as_bytes(), &mut input);
        let digest = ring::digest::digest(&SHA256, &input);
        // The public key as RFC 8463 publishes it.
        let public = STANDARD.decode("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=").unwrap();
        ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, public)
            .verify(digest.as_ref(), &signature)
            .unwrap();
    }

    /// RFC 6376 §3.4.4 read literally.
    fn body_by_the_letter(body: &str) -> String {
        let mut lines: Vec<&str> = body.split("\r\n").collect();
        if body.ends_with("\r\n") || body.is_empty() {
            lines.pop();
        }
        let mut lines: Vec<String> =
            lines.into_iter().map(by_blanks).map(|l| l.trim_end().to_owned()).collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines.iter().map(|line| format!("{line}\r\n")).collect()
    }

    /// Each run of white space as one blank.
    fn by_blanks(text: &str) -> String {
        let mut out = String::new();
        for c in text.chars() {
            match c {
                ' ' | '\t' if out.ends_with(' ') => {}
                ' ' | '\t' => out.push(' '),
                other => out.push(other),
            }
        }
        out
    }

    /// RFC 6376 §3.4.2 read literally.
    fn field_by_the_letter(field: &str) -> String {
        let (name, value) = field.split_once(':').unwrap();
        format!(
            "{}:{}",
            name.trim_end().to_lowercase(),
            by_blanks(&value.replace("\r\n", "")).trim_matches(' ')
        )
    }

    const WORDS: &[&str] = &["a", "Bc", "é", " ", "\t", "  ", "\r\n", "\r\n\r\n", ".", "=", ":", "--b"];

    #[test]
    fn random_bodies_are_relaxed_as_the_letter_has_it() {
        let mut random = crate::testing::Random(0xd_1e5);
        for round in 0..4000 {
            let body = random.text(WORDS, 14);
            let relaxed = body_by_the_letter(&body);
            let want = STANDARD.encode(ring::digest::digest(&SHA256, relaxed.as_bytes()));
            let (one, two) = (random.below(body.len() + 1), random.below(body.len() + 1));
            let (one, two) = (one.min(two), one.max(two));
            let octets = body.as_bytes();
            let pieces = [&octets[..one], &octets[one..two], &octets[two..]];
            assert_eq!(body_hash(&pieces), want, "round {round}: {body:?} as {relaxed:?}");
            // What is relaxed stays as it is.
            assert_eq!(body_hash(&[relaxed.as_bytes()]), want, "round {round}: {relaxed:?}");
        }
    }

    #[test]
    fn random_messages_are_signed_so_that_others_can_check() {
        let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
        let key = crate::config::DkimKey::from_pem(pem).unwrap();
        let dkim = DkimSettings { domain: "x.org".into(), selector: "s".into(), key };
        let public = STANDARD.decode("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=").unwrap();
        let names = [
            "From",
            "from ",
            "To",
            "Subject",
            "SUBJECT",
            "X-Other",
            "Date",
            "List-Unsubscribe",
            "Message-ID",
        ];
        let values = ["a", "B  c", "\t", " ", "\r\n ", "\r\n\t", "é", "x:y", ";"];
        let mut random = crate::testing::Random(0x51_6e);
        for round in 0..1500 {
            let mut head = Vec::new();
            for _ in 0..=random.below(8) {
                // A fold alone would leave an empty line.
                head.push(format!("{}: v{}", random.pick(&names), random.text(&values, 5)));
            }
            let message = format!(
                "{}\r\n{}",
                head.iter().map(|f| format!("{f}\r\n")).collect::<String>(),
                random.text(WORDS, 9)
            );
            let content = Content::from(Bytes::from(message.clone()));
            let signed = sign(&content, &dkim, SystemTime::UNIX_EPOCH).unwrap().load().unwrap();
            let text = String::from_utf8(signed.to_vec()).unwrap();
            let own = text.strip_suffix(&message).unwrap();
            let tag = |name: &str| {
                let value = own.split(&format!(" {name}=")).nth(1).unwrap().split(';').next().unwrap();
                value.replace(['\r', '\n', ' '], "")
            };
            let body = body_by_the_letter(
                message
                    .split_once("\r\n\r\n")
                    .map_or_else(|| message.strip_prefix("\r\n").unwrap_or_default(), |(_, body)| body),
            );
            let body = match head.is_empty() {
                true => body_by_the_letter(message.strip_prefix("\r\n").unwrap()),
                false => body,
            };
            assert_eq!(
                tag("bh"),
                STANDARD.encode(ring::digest::digest(&SHA256, body.as_bytes())),
                "round {round}: {message:?}"
            );
            // As a verifier does: from the bottom up, each field once (§5.4.2).
            let mut left: Vec<&String> = head.iter().collect();
            let mut input = String::new();
            for name in tag("h").split(':') {
                let at =
                    left.iter().rposition(|f| f.split(':').next().unwrap().trim().eq_ignore_ascii_case(name));
                if let Some(at) = at {
                    input.push_str(&field_by_the_letter(left.remove(at)));
                    input.push_str("\r\n");
                }
            }
            let signature = STANDARD.decode(tag("b")).unwrap();
            let (unsigned, _) = own.split_once(" b=").unwrap();
            input.push_str(&field_by_the_letter(&format!("{unsigned} b=")));
            let digest = ring::digest::digest(&SHA256, input.as_bytes());
            let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, &public);
            assert!(key.verify(digest.as_ref(), &signature).is_ok(), "round {round}: {message:?}\n{input}");
            assert!(!left.iter().any(|f| {
                SIGNED.contains(&f.split(':').next().unwrap().trim().to_ascii_lowercase().as_str())
            }));
        }
    }

    #[test]
    fn streams_are_refused() {
        let key = crate::config::DkimKey::from_pem(
            "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n",
        );
        let dkim = DkimSettings { domain: "x.org".into(), selector: "s".into(), key: key.unwrap() };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let message = crate::Message::builder().from("a@x.org").to("b@x.org");
        let message = message.attach(crate::Attachment::stream(std::io::Cursor::new(b"x"))).build().unwrap();
        let defaults = crate::message::Defaults {
            from: None,
            files: &crate::config::FilePolicy::Deny,
            spelling: crate::input::Spelling::Snake,
        };
        let content = runtime.block_on(message.render(defaults)).unwrap().content;
        let error = sign(&content, &dkim, SystemTime::now()).unwrap_err();
        assert_eq!((error.code(), error.field()), (crate::ErrorCode::MessageInvalid, Some("attachments[0]")));
    }
}
