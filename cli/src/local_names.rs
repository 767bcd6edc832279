//! Names without a domain, as cron, PHP and old programs write them: `To: root`, `From: root (Cron Daemon)`, `-f root`.
//!
//! In headers a recipient's name gets the domain of the mailbox that sends. Mail for it goes to that address, or to what
//! the file of aliases says (aliases(5)). A sender's name becomes that mailbox: a provider lets nobody else send.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use mailbearer::{Error, config};

use crate::failure::{Failure, Result};

/// What local names mean to a mailbox that sends.
pub(crate) struct LocalNames {
    /// The address that sends.
    sender: String,
    aliases: Option<PathBuf>,
    /// The addresses that were made of local names.
    completed: HashSet<String>,
}

impl LocalNames {
    /// For the mailbox `sender`; `aliases` is the file that was named.
    pub(crate) fn new(sender: String, aliases: Option<PathBuf>) -> Self {
        Self { sender, aliases, completed: HashSet::new() }
    }

    /// A list of recipients with their domains.
    pub(crate) fn complete(&mut self, list: &str) -> String {
        let domain = domain(&self.sender).to_owned();
        let mut out = list.to_owned();
        for mailbox in mailboxes(list).into_iter().rev() {
            if is_local(&list[mailbox.address.clone()]) {
                let name = &list[mailbox.address.clone()];
                self.completed.insert(format!("{name}@{domain}"));
                out.insert_str(mailbox.address.end, &format!("@{domain}"));
            }
        }
        out
    }

    /// The reverse-path of a sender.
    pub(crate) fn reverse_path(&self, given: &str) -> String {
        if is_local(given) { self.sender.clone() } else { given.to_owned() }
    }

    /// The header section with addresses in place of names.
    pub(crate) fn complete_headers(&mut self, mime: Vec<u8>) -> Vec<u8> {
        let mut out: Vec<u8> = Vec::with_capacity(mime.len() + 64);
        let mut rest = mime.as_slice();
        while let Some((field, after)) = next_field(rest) {
            let text = std::str::from_utf8(field).ok();
            let named = text.and_then(|text| text.split_once(':'));
            let done = named.and_then(|(name, value)| {
                let end = value.len() - value.trim_end().len();
                let (body, tail) = value.split_at(value.len() - end);
                let body = match name.trim().to_ascii_lowercase().as_str() {
                    "to" | "cc" | "bcc" | "reply-to" => self.complete(body),
                    "from" | "sender" => self.author(body),
                    _ => return None,
                };
                Some(format!("{name}:{body}{tail}"))
            });
            match done {
                Some(field) => out.extend_from_slice(field.as_bytes()),
                None => out.extend_from_slice(field),
            }
            rest = after;
        }
        out.extend_from_slice(rest);
        out
    }

    /// Whom the recipients stand for: those of local names by the file of aliases.
    pub(crate) fn expand(&self, recipients: Vec<String>) -> Result<Vec<String>> {
        if !recipients.iter().any(|address| self.completed.contains(address)) {
            return Ok(recipients);
        }
        let aliases = Aliases::load(self.aliases.as_deref())?;
        let mut out: Vec<String> = Vec::new();
        for address in recipients {
            let found = match address.rsplit_once('@').filter(|_| self.completed.contains(&address)) {
                Some((name, domain)) => aliases.expand(name, domain, &mut Vec::new())?,
                None => vec![address],
            };
            for address in found {
                if !out.contains(&address) {
                    out.push(address);
                }
            }
        }
        Ok(out)
    }

    /// A From or Sender whose author has no address is the mailbox, with the name kept.
    fn author(&self, value: &str) -> String {
        let [mailbox] = &mailboxes(value)[..] else { return value.to_owned() };
        let address = &value[mailbox.address.clone()];
        if address.contains('@') {
            return value.to_owned();
        }
        if mailbox.angles {
            let (before, after) = (&value[..mailbox.address.start], &value[mailbox.address.end..]);
            return format!("{before}{}{after}", self.sender);
        }
        let name = mailbox.comment.clone().map_or(address.trim(), |range| value[range].trim());
        let plain = !name.contains(['"', '\\', '\r', '\n', '(', ')']) && !name.starts_with("=?");
        let name = if plain { format!("\"{name}\"") } else { name.to_owned() };
        format!(" {name} <{}>", self.sender)
    }
}

/// A file of aliases: `root: ada@example.com, bob`.
struct Aliases {
    path: PathBuf,
    names: HashMap<String, Vec<String>>,
}

impl Aliases {
    /// The file that was named, else the user's, this program's, the system's.
    fn load(named: Option<&Path>) -> Result<Self> {
        let usual = || {
            let own = config::user_file().and_then(|file| Some(file.parent()?.join("aliases")));
            let others = ["/etc/mailbearer/aliases", "/etc/aliases"].map(PathBuf::from);
            own.into_iter().chain(others).find(|path| path.is_file())
        };
        let Some(path) = named.map(Path::to_owned).or_else(usual) else {
            return Ok(Self { path: PathBuf::new(), names: HashMap::new() });
        };
        let text = std::fs::read_to_string(&path).map_err(|e| Failure::input(&path, &e))?;
        Ok(Self { names: parse(&text), path })
    }

    /// Whom a name stands for; itself, with the domain, if the file does not say.
    fn expand(&self, name: &str, domain: &str, above: &mut Vec<String>) -> Result<Vec<String>> {
        let key = name.to_ascii_lowercase();
        let Some(targets) = self.names.get(&key).filter(|_| !above.contains(&key)) else {
            return Ok(vec![format!("{name}@{domain}")]);
        };
        above.push(key);
        let mut out = Vec::new();
        for target in targets {
            if target.contains('@') {
                out.push(target.clone());
            } else if target.starts_with(['|', '/', ':', '"']) {
                let said =
                    format!("{}: the alias `{name}` is a program, a file or a list", self.path.display());
                let hint = "Write addresses there: this program delivers to addresses alone.";
                return Err(Error::config("aliases", said).with_hint(hint).into());
            } else if let Some(itself) = target.strip_prefix('\\') {
                out.push(format!("{itself}@{domain}"));
            } else {
                out.extend(self.expand(target, domain, above)?);
            }
        }
        above.pop();
        Ok(out)
    }
}

fn parse(text: &str) -> HashMap<String, Vec<String>> {
    let mut entries: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        match entries.last_mut().filter(|_| line.starts_with([' ', '\t'])) {
            Some(entry) => entry.push_str(line),
            None => entries.push(line.to_owned()),
        }
    }
    let read = |entry: &String| {
        let (name, targets) = entry.split_once(':')?;
        let name = name.trim().trim_matches('"').to_ascii_lowercase();
        let targets: Vec<_> =
            targets.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect();
        (!targets.is_empty()).then_some((name, targets))
    };
    entries.iter().filter_map(read).collect()
}

/// Where a mailbox of a list has its parts.
struct Mailbox {
    /// The address, or what stands in its place.
    address: Range<usize>,
    /// The address stands in angle brackets.
    angles: bool,
    /// The last comment's text.
    comment: Option<Range<usize>>,
}

/// The mailboxes of an address list (RFC 5322 §3.4), as far as names without a domain need it.
fn mailboxes(list: &str) -> Vec<Mailbox> {
    let mut found = Vec::new();
    let (mut quoted, mut depth, mut escaped) = (false, 0_usize, false);
    let (mut start, mut end) = (None, 0);
    let (mut angles, mut comment, mut comment_start) = (None, None, 0);
    for (at, c) in list.char_indices().chain([(list.len(), ',')]) {
        let last = at == list.len();
        if !last && (escaped || c == '\\') {
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '"' if depth == 0 => quoted = !quoted,
            '(' if !quoted => {
                depth += 1;
                comment_start = if depth == 1 { at + 1 } else { comment_start };
                continue;
            }
            ')' if !quoted && depth > 0 => {
                depth -= 1;
                comment = if depth == 0 { Some(comment_start..at) } else { comment };
                continue;
            }
            _ if !last && (quoted || depth > 0) => {}
            '<' => angles = Some(at + 1..at + 1),
            '>' => angles = angles.map(|range: Range<usize>| range.start..at),
            // What stands before a colon is a group's name.
            ':' if angles.is_none() => {
                (start, comment) = (None, None);
                continue;
            }
            ',' | ';' => {
                let whole = start.map(|start| start..end);
                if let Some(address) = angles.clone().or(whole) {
                    found.push(Mailbox { address, angles: angles.is_some(), comment: comment.take() });
                }
                (start, angles, comment) = (None, None, None);
                continue;
            }
            _ => {}
        }
        if depth == 0 && !c.is_whitespace() {
            start = start.or(Some(at));
            end = at + c.len_utf8();
        }
    }
    found
}

/// A name alone, such as `root`.
fn is_local(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c))
}

fn domain(address: &str) -> &str {
    address.rsplit_once('@').map_or("localhost", |(_, domain)| domain)
}

/// The next header field with its folded lines, and what follows; none at the end of the headers.
fn next_field(text: &[u8]) -> Option<(&[u8], &[u8])> {
    if matches!(text.first(), None | Some(b'\r' | b'\n')) {
        return None;
    }
    let mut end = 0;
    loop {
        end += text[end..].iter().position(|b| *b == b'\n').map_or(text.len() - end, |at| at + 1);
        if !matches!(text.get(end), Some(b' ' | b'\t')) {
            return Some(text.split_at(end));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> LocalNames {
        LocalNames::new("noreply@contoso.com".into(), None)
    }

    #[test]
    fn recipients_get_the_domain_and_others_stay() {
        for (list, done) in [
            ("root", "root@contoso.com"),
            ("root, ada@example.com, www-data", "root@contoso.com, ada@example.com, www-data@contoso.com"),
            ("Root <root>, \"a, b\" <ada@x.org>", "Root <root@contoso.com>, \"a, b\" <ada@x.org>"),
            ("root (the, boss)", "root@contoso.com (the, boss)"),
            ("undisclosed-recipients:;", "undisclosed-recipients:;"),
            ("ops: root, ada@x.org;", "ops: root@contoso.com, ada@x.org;"),
            ("two words", "two words"),
            ("\"quoted\"@x.org", "\"quoted\"@x.org"),
            ("", ""),
        ] {
            assert_eq!(names().complete(list), done, "{list}");
        }
    }

    #[test]
    fn an_author_without_an_address_is_the_mailbox_with_the_name_kept() {
        for (from, done) in [
            (" root (Cron Daemon)", " \"Cron Daemon\" <noreply@contoso.com>"),
            (" \"(Cron Daemon)\" <root>", " \"(Cron Daemon)\" <noreply@contoso.com>"),
            (" root", " \"root\" <noreply@contoso.com>"),
            (" Cron Daemon", " \"Cron Daemon\" <noreply@contoso.com>"),
            (" Ada <ada@x.org>", " Ada <ada@x.org>"),
            (" ada@x.org (Ada)", " ada@x.org (Ada)"),
            (" a@x.org, b@x.org", " a@x.org, b@x.org"),
        ] {
            assert_eq!(names().author(from), done, "{from}");
        }
        assert_eq!(names().reverse_path("root"), "noreply@contoso.com");
        assert_eq!(names().reverse_path("ada@x.org"), "ada@x.org");
        assert_eq!(names().reverse_path(""), "");
    }

    #[test]
    fn headers_are_completed_and_all_else_stays() {
        let mime = b"From: root (Cron Daemon)\r\nTo: root,\r\n www-data\r\nSubject: To: root\r\nX-Odd: \xff\r\n\r\nTo: root\r\n";
        let done = names().complete_headers(mime.to_vec());
        let expected = b"From: \"Cron Daemon\" <noreply@contoso.com>\r\nTo: root@contoso.com,\r\n www-data@contoso.com\r\nSubject: To: root\r\nX-Odd: \xff\r\n\r\nTo: root\r\n";
        assert_eq!(done, expected, "{}", String::from_utf8_lossy(&done));
    }

    #[test]
    fn aliases_are_read_as_the_system_writes_them() {
        let text = "# comment\nroot: ada, bob@example.com,\n\tcy\nada: Ada@example.com\n\"Post Master\": root\nmailer-daemon: postmaster\n\
                    prog: |/bin/cat\nloop: loop\nself: \\self\nempty:\n";
        let aliases = Aliases { path: "aliases".into(), names: parse(text) };
        let expand = |name| aliases.expand(name, "contoso.com", &mut Vec::new());
        assert_eq!(expand("ROOT").unwrap(), ["Ada@example.com", "bob@example.com", "cy@contoso.com"]);
        assert_eq!(expand("post master").unwrap().len(), 3);
        assert_eq!(expand("mailer-daemon").unwrap(), ["postmaster@contoso.com"]);
        assert_eq!(expand("loop").unwrap(), ["loop@contoso.com"]);
        assert_eq!(expand("self").unwrap(), ["self@contoso.com"]);
        assert_eq!(expand("other").unwrap(), ["other@contoso.com"]);
        assert!(expand("prog").is_err());
    }
}
