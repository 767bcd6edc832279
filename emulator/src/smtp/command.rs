//! Command lines of a client, taken apart (RFC 5321 §4.1).

/// A command with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Ehlo(String),
    Helo(String),
    Starttls,
    /// Mechanism, and the initial response if there is one.
    Auth(String, Option<String>),
    Mail(Path),
    Rcpt(Path),
    Data,
    /// Octets, and whether this chunk is the last (RFC 3030).
    Bdat(u64, bool),
    Rset,
    Noop,
    Vrfy,
    Help,
    Quit,
    /// A known verb with arguments that make no sense.
    Malformed(&'static str),
    Unknown(String),
}

/// An address of the envelope with its parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) address: String,
    pub(crate) params: Vec<String>,
}

impl Path {
    /// A parameter's value; `Some("")` for one without.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find_map(|param| {
            let (key, value) = param.split_once('=').unwrap_or((param, ""));
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

pub(crate) fn parse(line: &str) -> Command {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim();
    match verb.to_ascii_uppercase().as_str() {
        "EHLO" if !rest.is_empty() => Command::Ehlo(rest.to_owned()),
        "HELO" if !rest.is_empty() => Command::Helo(rest.to_owned()),
        "EHLO" | "HELO" => Command::Malformed("hello"),
        "STARTTLS" if rest.is_empty() => Command::Starttls,
        "STARTTLS" => Command::Malformed("starttls"),
        "AUTH" => match rest.split_once(' ') {
            Some((mechanism, response)) => {
                Command::Auth(mechanism.to_ascii_uppercase(), Some(response.trim().to_owned()))
            }
            None if rest.is_empty() => Command::Malformed("auth"),
            None => Command::Auth(rest.to_ascii_uppercase(), None),
        },
        "MAIL" => path(rest, "FROM:", true).map_or(Command::Malformed("mail"), Command::Mail),
        "RCPT" => path(rest, "TO:", false).map_or(Command::Malformed("rcpt"), Command::Rcpt),
        "DATA" if rest.is_empty() => Command::Data,
        "BDAT" => chunk(rest).unwrap_or(Command::Malformed("bdat")),
        "RSET" if rest.is_empty() => Command::Rset,
        "NOOP" => Command::Noop,
        "VRFY" => Command::Vrfy,
        "HELP" => Command::Help,
        "QUIT" if rest.is_empty() => Command::Quit,
        "DATA" | "RSET" | "QUIT" => Command::Malformed("arguments"),
        _ => Command::Unknown(verb.to_owned()),
    }
}

/// The line as it may be logged: without credentials.
pub(crate) fn redacted(line: &str) -> String {
    let mut words = line.splitn(3, ' ');
    match (words.next(), words.next(), words.next()) {
        (Some(verb), Some(mechanism), Some(_)) if verb.eq_ignore_ascii_case("AUTH") => {
            format!("{verb} {mechanism} ***")
        }
        _ => line.chars().take(1000).collect(),
    }
}

fn chunk(rest: &str) -> Option<Command> {
    let mut words = rest.split_ascii_whitespace();
    let size = words.next()?.parse().ok()?;
    match (words.next(), words.next()) {
        (None, _) => Some(Command::Bdat(size, false)),
        (Some(last), None) if last.eq_ignore_ascii_case("LAST") => Some(Command::Bdat(size, true)),
        _ => None,
    }
}

fn path(rest: &str, keyword: &str, may_be_empty: bool) -> Option<Path> {
    let head = rest.get(..keyword.len())?;
    if !head.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let rest = rest[keyword.len()..].trim_start().strip_prefix('<')?;
    let (mut quoted, mut escaped) = (false, false);
    let end = rest.char_indices().find_map(|(at, c)| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '>' if !quoted => return Some(at),
            _ => {}
        }
        None
    })?;
    let address = &rest[..end];
    let params = &rest[end + 1..];
    let is_null = may_be_empty && address.is_empty();
    if !(is_null || is_address(address)) || !(params.is_empty() || params.starts_with(' ')) {
        return None;
    }
    Some(Path {
        address: address.to_owned(),
        params: params.split_ascii_whitespace().map(str::to_owned).collect(),
    })
}

fn is_address(address: &str) -> bool {
    let Some((local, domain)) = address.rsplit_once('@') else {
        return false;
    };
    let quoted = local.starts_with('"') && local.ends_with('"') && local.len() > 2;
    let plain = |part: &str| !part.is_empty() && !part.contains([' ', '<', '>', '"', '(', ')', ',', ';']);
    address.len() <= 320
        && !address.chars().any(char::is_control)
        && (quoted || plain(local))
        && plain(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_parameters() {
        let Command::Mail(path) = parse("mail from:<ada@x.example> SIZE=12 BODY=8BITMIME SMTPUTF8") else {
            panic!("not a MAIL");
        };
        assert_eq!(path.address, "ada@x.example");
        assert_eq!((path.param("size"), path.param("SMTPUTF8")), (Some("12"), Some("")));
        assert_eq!(parse("MAIL FROM:<>"), Command::Mail(Path::default()));
        assert!(
            matches!(parse("RCPT TO: <\"a>b\"@x.example>"), Command::Rcpt(path) if path.address == "\"a>b\"@x.example")
        );
        for wrong in [
            "RCPT TO:<>",
            "RCPT TO:ada@x.example",
            "RCPT TO:<ada>",
            "RCPT TO:<a@x.example>SIZE=1",
            "RCPT TO:<a b@x.example>",
        ] {
            assert_eq!(parse(wrong), Command::Malformed("rcpt"), "{wrong}");
        }
    }

    #[test]
    fn chunks_and_credentials() {
        assert_eq!(parse("BDAT 86 LAST"), Command::Bdat(86, true));
        assert_eq!(parse("BDAT 0"), Command::Bdat(0, false));
        assert_eq!(parse("BDAT x"), Command::Malformed("bdat"));
        assert_eq!(parse("auth xoauth2"), Command::Auth("XOAUTH2".into(), None));
        assert_eq!(redacted("AUTH XOAUTH2 dXNlcj0="), "AUTH XOAUTH2 ***");
        assert_eq!(redacted("EHLO a"), "EHLO a");
    }
}
