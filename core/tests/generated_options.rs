//! What is written from the schema of options: `docs/options.md`, Python's and Node's types, and the list of keys in
//! the C header. `make docs` writes them anew.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fmt::Write;
use std::path::{Path, PathBuf};

use mailbearer::config::Spelling;
use mailbearer::config::schema::{DefaultValue, OPTIONS, OptionKind, OptionRow, Takers, find, inside};

#[test]
fn the_page_of_options_is_the_schema() {
    whole("docs/options.md", &page());
}

#[test]
fn the_types_of_python_are_the_schema() {
    region(
        "bindings-python/python/mailbearer/options.py",
        "# <options>",
        "# </options>",
        &types(Language::Python),
    );
}

#[test]
fn the_types_of_node_are_the_schema() {
    region("bindings-node/index.d.ts", "// <options>", "// </options>", &types(Language::Node));
}

#[test]
fn the_keys_of_the_header_are_the_schema() {
    region("bindings-c/src/config.rs", "/// Keys:", "/// Owner:", &keys());
}

#[test]
fn every_option_stands_in_one_shape() {
    let shapes = shapes();
    for row in OPTIONS.iter().filter(|row| !["auth.grant", "store.kind"].contains(&row.name)) {
        // A function stands in the type of what it may stand for.
        if row.name == "auth.client_assertion.callback" {
            continue;
        }
        let own: Vec<_> = shapes.iter().filter(|s| s.fields.iter().any(|f| f.name == row.name)).collect();
        assert!(!own.is_empty(), "`{}` is in no type: give its takers a shape in this file", row.name);
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn whole(name: &str, wanted: &str) {
    let path = root().join(name);
    if std::env::var_os("MAILBEARER_WRITE_DOCS").is_some() {
        std::fs::write(&path, wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "{name} is not up to date: run `make docs`");
}

/// The lines of a file from the one that begins with `first` to that with `last`.
fn region(name: &str, first: &str, last: &str, wanted: &str) {
    let path = root().join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let begin = text.find(&format!("\n{first}")).unwrap() + 1;
    let end = begin + text[begin..].find(&format!("\n{last}")).unwrap() + 1;
    // Markers stay; a block of a comment begins with its own first words.
    let keep = match first.contains('<') {
        true => begin + text[begin..].find('\n').unwrap() + 1,
        false => begin,
    };
    let new = format!("{}{wanted}{}", &text[..keep], &text[end..]);
    if std::env::var_os("MAILBEARER_WRITE_DOCS").is_some() {
        std::fs::write(&path, &new).unwrap();
        return;
    }
    assert!(text == new, "{name} is not up to date: run `make docs`");
}

fn page() -> String {
    let mut out = String::from(
        "<!-- Generated from core/src/config/schema.rs by `make docs`. -->\n\n# Options\n\n\
         The same options everywhere: as arguments in Python and Node, by name in C, in the configuration file, in the\n\
         environment (`MAILBEARER_SMTP__PORT` is `smtp.port`), and with `--set` on the command line. Node writes the names in\n\
         camelCase (`auth.clientId`).\n\n\
         - A **duration** is a number with its unit: `\"500ms\"`, `\"30s\"`, `\"10m\"`, `\"1h\"`. Python also takes seconds and `timedelta`.\n\
         - A **secret** is a text, or says where it stands: `{env = \"NAME\"}`, `{file = \"PATH\"}`, `{command = [\"program\", \"argument\"]}`.\n  \
         It is read anew at each use.\n\
         - **or none**: `null` (Python: `None`) takes the limit away.\n\
         - A **list** is JSON in the environment, in C and with `--set`: `[\"smtp\", \"imap\"]`.\n",
    );
    let mut sections = vec![("", "The mailer")];
    sections.extend(
        OPTIONS
            .iter()
            .filter(|row| row.parent().is_empty() && inside(row.name).next().is_some())
            .map(|row| (row.name, row.name)),
    );
    for (name, title) in sections {
        let title = if name.is_empty() { title.to_owned() } else { format!("`{title}`") };
        write!(out, "\n## {title}\n\n").unwrap();
        if let Some(row) = find(name) {
            write!(out, "{}", row.meaning).unwrap();
            match row.default {
                DefaultValue::Says(_) => write!(out, " Default: {}.\n\n", default(row)).unwrap(),
                _ => out.push_str("\n\n"),
            }
        }
        out.push_str("| option | value | default | taken by | what it is |\n|---|---|---|---|---|\n");
        let prefix = format!("{name}.");
        let rows = OPTIONS.iter().filter(|row| match name {
            "" => row.parent().is_empty() && inside(row.name).next().is_none(),
            _ => row.name.starts_with(&prefix) && row.kind != OptionKind::Table,
        });
        for row in rows {
            writeln!(
                out,
                "| `{}` | {} | {} | {} | {} |",
                row.name,
                kind(row.kind),
                default(row),
                takers(row),
                row.meaning
            )
            .unwrap();
        }
    }
    out
}

fn kind(kind: OptionKind) -> String {
    use OptionKind::*;
    let quoted = |words: &[&str]| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" ");
    match kind {
        Table => "options".into(),
        Text => "text".into(),
        Path => "path".into(),
        Ip => "IP address".into(),
        Word(words) => quoted(words),
        Texts => "list of texts".into(),
        Number(_) => "number".into(),
        Limit(_) => "number, or none".into(),
        Switch => "`true` `false`".into(),
        Duration => "duration".into(),
        DurationLimit => "duration, or none".into(),
        Instant => "instant".into(),
        Secret => "secret".into(),
        Certificate => "secret, with options".into(),
        Assertion => "secret, or one of its options".into(),
        Function => "function".into(),
        Mailbox => "mailbox".into(),
        Store => "word or options".into(),
        Folders => "`allow` `deny`, or a list of folders".into(),
        SwitchOrText => "`true`, or a text".into(),
    }
}

fn default(row: &OptionRow) -> String {
    match row.default {
        DefaultValue::Nothing => String::new(),
        DefaultValue::Is(value) => format!("`{value}`"),
        DefaultValue::Says(words) => words.to_owned(),
        DefaultValue::Required => "required".to_owned(),
    }
}

fn takers(row: &OptionRow) -> String {
    match row.takers {
        Takers::All => "all".to_owned(),
        Takers::Grants(names) => names.join(", "),
        Takers::Providers(names) => names.join(", "),
        Takers::Stores(names) => format!("store {}", names.join(", ")),
    }
}

fn keys() -> String {
    let mut out = String::new();
    let mut line = String::from("/// Keys:");
    let last = OPTIONS.len() - 1;
    for (at, row) in OPTIONS.iter().enumerate() {
        let word = format!(
            " `{}`{}",
            row.name,
            if at == last { "; docs/options.md says what each is." } else { "," }
        );
        if line.len() + word.len() > 118 {
            writeln!(out, "{line}").unwrap();
            line = String::from("///");
        }
        line.push_str(&word);
    }
    writeln!(out, "{line}").unwrap();
    out
}

#[derive(Clone, Copy, PartialEq)]
enum Language {
    Python,
    Node,
}

/// A type of both languages.
struct Shape {
    name: &'static str,
    base: &'static str,
    doc: &'static str,
    /// The member that tells it from its neighbours, and the words it has.
    tag: Option<(&'static str, Vec<&'static str>)>,
    fields: Vec<&'static OptionRow>,
}

/// What is taken by the same: one base type for each.
const COMMON: &str = "AuthCommon";
const SERVICE: &str = "AuthService";
const CLIENT: &str = "AuthClient";

fn shapes() -> Vec<Shape> {
    let auth = || inside("auth").filter(|row| row.name != "auth.grant");
    let grants = |row: &OptionRow| match row.takers {
        Takers::Grants(names) => names,
        _ => &[][..],
    };
    let all = |name: &str| inside(name).collect::<Vec<_>>();
    let plain = |name, base, doc, fields| Shape { name, base, doc, tag: None, fields };
    let service: Vec<_> = auth().filter(|row| grants(row).len() == 5).collect();
    let client: Vec<_> = auth().filter(|row| grants(row).len() == 4).collect();
    let mut out = vec![
        plain("CertificateOptions", "", "What may stand beside a certificate.", all("auth.certificate")),
        plain(
            "AssertionOptions",
            "",
            "What an assertion may be beside a secret.",
            all("auth.client_assertion").into_iter().filter(|row| row.key() != "callback").collect(),
        ),
        plain(COMMON, "", "What every grant takes.", auth().filter(|row| grants(row).is_empty()).collect()),
        plain(SERVICE, COMMON, "What a grant takes that asks a token endpoint.", service),
        plain(
            CLIENT,
            SERVICE,
            "Who the application is, and how it proves that: in one way, or none.",
            client,
        ),
    ];
    for (name, base, names, doc) in [
        ("ClientCredentials", CLIENT, &["client_credentials"][..], "The application signs in as itself."),
        (
            "AuthorizationCode",
            CLIENT,
            &["authorization_code", "device_code"],
            "A person signs in, in a browser or with a code shown on a device.",
        ),
        (
            "RefreshToken",
            CLIENT,
            &["refresh_token"],
            "A person signed in elsewhere, and here is the refresh token.",
        ),
        ("JwtBearer", SERVICE, &["jwt_bearer"], "A Google service account, in the name of `subject`."),
        (
            "ManagedIdentity",
            COMMON,
            &["managed_identity"],
            "The machine's own identity, or one of several that it has.",
        ),
        ("Command", COMMON, &["command"], "A program that prints a token."),
        ("Callback", COMMON, &["callback"], "A function of yours gets the tokens."),
        ("StaticToken", COMMON, &["access_token"], "One access token, good until it expires."),
    ] {
        let fields = auth().filter(|row| grants(row) == names).collect();
        out.push(Shape { name, base, doc, tag: Some(("grant", names.to_vec())), fields });
    }
    for (name, kind, doc) in [
        ("FileStore", "file", "A file that this user alone may read."),
        ("KeyringStore", "keyring", "A file, encrypted with a key that the system's keyring keeps."),
        ("RedisStore", "redis", "A server that processes and hosts share."),
    ] {
        let fields = inside("store")
            .filter(|row| matches!(row.takers, Takers::Stores(kinds) if kinds.contains(&kind)))
            .collect();
        out.push(Shape { name, base: "", doc, tag: Some(("kind", vec![kind])), fields });
    }
    for (name, table) in TABLES {
        out.push(plain(name, "", find(table).unwrap().meaning, all(table)));
    }
    out.push(plain("MailerOptions", "", "The options of a mailer or a token source.", all("")));
    out
}

/// The types of tables; those inside others come first.
const TABLES: [(&str, &str); 7] = [
    ("TimeoutOptions", "smtp.timeouts"),
    ("SmtpOptions", "smtp"),
    ("LimitOptions", "limits"),
    ("TlsOptions", "tls"),
    ("RetryOptions", "retry"),
    ("HttpOptions", "http"),
    ("DkimOptions", "dkim"),
];

fn types(language: Language) -> String {
    let mut out = match language {
        Language::Python => "# Written from core/src/config/schema.rs by `make docs`.\n".to_owned(),
        Language::Node => "// Written from core/src/config/schema.rs by `make docs`.\n".to_owned(),
    };
    for shape in shapes() {
        match language {
            Language::Python => python(&shape, &mut out),
            Language::Node => node(&shape, &mut out),
        }
    }
    out
}

fn sentence(row: &OptionRow, spelling: Spelling) -> String {
    let meaning = mailbearer::config::spelled(mailbearer::Error::config("", row.meaning), spelling);
    let default = match row.default {
        DefaultValue::Is(value) => format!(" Default `{value}`."),
        DefaultValue::Says(words) => format!(" Default: {words}."),
        _ => String::new(),
    };
    format!("{}{default}", meaning.message())
}

fn python(shape: &Shape, out: &mut String) {
    let name = python_name(shape.name);
    let base = if shape.base.is_empty() { "TypedDict" } else { python_name(shape.base) };
    write!(out, "\n\nclass {name}({base}, total=False):\n    \"\"\"{}\"\"\"\n\n", shape.doc).unwrap();
    if let Some((tag, words)) = &shape.tag {
        writeln!(out, "    {tag}: Required[{}]", literal(words)).unwrap();
    }
    for row in &shape.fields {
        let kind = match (row.name, row.kind) {
            (_, OptionKind::Table) if row.name == "auth" => "Auth".to_owned(),
            (_, OptionKind::Table) => table_type(row.name).to_owned(),
            ("provider", _) => "Provider".to_owned(),
            (_, OptionKind::Word(words)) => literal(words),
            (_, OptionKind::Text | OptionKind::Ip) if row.name != "tls.roots" => "str".to_owned(),
            (_, OptionKind::Text | OptionKind::Path) => "Union[str, \"Path\"]".to_owned(),
            (_, OptionKind::Texts) => "Sequence[str]".to_owned(),
            (_, OptionKind::Number(_)) => "int".to_owned(),
            (_, OptionKind::Limit(_)) => "int | None".to_owned(),
            (_, OptionKind::Switch) => "bool".to_owned(),
            (_, OptionKind::Duration) => "Duration".to_owned(),
            (_, OptionKind::DurationLimit) => "Duration | None".to_owned(),
            (_, OptionKind::Instant) => "Union[dt.datetime, int, str]".to_owned(),
            (_, OptionKind::Secret) => "Secret".to_owned(),
            (_, OptionKind::Certificate) => "Certificate".to_owned(),
            (_, OptionKind::Assertion) => "Assertion".to_owned(),
            (_, OptionKind::Function) => "TokenCallback".to_owned(),
            (_, OptionKind::Mailbox) => "Addr".to_owned(),
            (_, OptionKind::Store) => "Store".to_owned(),
            (_, OptionKind::Folders) => {
                "Union[Literal[\"allow\", \"deny\"], \"Sequence[str | Path]\"]".to_owned()
            }
            (_, OptionKind::SwitchOrText) => "bool | str".to_owned(),
            (_, OptionKind::Ip) => "str".to_owned(),
        };
        let kind = if row.default == DefaultValue::Required { format!("Required[{kind}]") } else { kind };
        let key = if row.key() == "from" { "from_" } else { row.key() };
        for line in wrapped(&sentence(row, Spelling::Snake), 112) {
            writeln!(out, "    #: {line}").unwrap();
        }
        writeln!(out, "    {key}: {kind}").unwrap();
    }
    if shape.fields.is_empty() && shape.tag.is_none() {
        out.push_str("    pass\n");
    }
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().unwrap();
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + word.chars().count() < width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Names with a leading underscore are nobody's to import.
fn python_name(name: &'static str) -> &'static str {
    match name {
        COMMON => "_AuthCommon",
        SERVICE => "_AuthService",
        CLIENT => "_AuthClient",
        "MailerOptions" => "_Options",
        other => other,
    }
}

fn literal(words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    format!("Literal[{}]", words.join(", "))
}

fn table_type(table: &str) -> &'static str {
    TABLES.iter().find(|(_, name)| *name == table).unwrap().0
}

fn node(shape: &Shape, out: &mut String) {
    let extends = if shape.base.is_empty() { String::new() } else { format!(" extends {}", shape.base) };
    writeln!(out, "/** {} */", spelled(shape.doc)).unwrap();
    writeln!(out, "export interface {}{extends} {{", shape.name).unwrap();
    if let Some((tag, words)) = &shape.tag {
        writeln!(out, "  {tag}: {}", union(words)).unwrap();
    }
    for row in &shape.fields {
        use OptionKind::*;
        let kind = match (row.name, row.kind) {
            ("auth", _) => "Auth".to_owned(),
            ("provider", _) => "Provider".to_owned(),
            (_, Table) => table_type(row.name).to_owned(),
            (_, Word(words)) => union(words),
            (_, Text | Path | Ip) => "string".to_owned(),
            (_, Texts) => "string[]".to_owned(),
            (_, Number(_)) => "number".to_owned(),
            (_, Limit(_)) => "number | null".to_owned(),
            (_, Switch) => "boolean".to_owned(),
            (_, Duration) => "Duration".to_owned(),
            (_, DurationLimit) => "Duration | null".to_owned(),
            (_, Instant) => "Date | string | number".to_owned(),
            (_, Secret) => "Secret".to_owned(),
            (_, Certificate) => "Certificate".to_owned(),
            (_, Assertion) => "Assertion".to_owned(),
            (_, Function) => "TokenCallback".to_owned(),
            (_, Mailbox) => "Address".to_owned(),
            (_, Store) => "StoreOptions | TokenStore".to_owned(),
            (_, Folders) => "'allow' | 'deny' | string[]".to_owned(),
            (_, SwitchOrText) => "boolean | string".to_owned(),
        };
        let key = Spelling::Camel.path(row.key());
        writeln!(out, "  /** {} */", sentence(row, Spelling::Camel)).unwrap();
        match row.default == DefaultValue::Required {
            true => writeln!(out, "  {key}: {kind}").unwrap(),
            false => writeln!(out, "  {key}?: {kind} | undefined").unwrap(),
        }
    }
    out.push_str("}\n");
}

fn union(words: &[&str]) -> String {
    words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" | ")
}

fn spelled(text: &str) -> String {
    mailbearer::config::spelled(mailbearer::Error::config("", text), Spelling::Camel).message().to_owned()
}
