//! What can be written behind `mailbearer`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use mailbearer::config::{Partial, parse_duration};

/// Send mail through Microsoft 365, Gmail and others with OAuth2 tokens.
#[derive(Debug, Parser)]
#[command(name = "mailbearer", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// For every command, before or behind its name.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// Configuration file [default: $MAILBEARER_CONFIG, ~/.config/mailbearer/config.toml, /etc/mailbearer/config.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Profile in that file [default: $MAILBEARER_PROFILE]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Write results and errors as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Show on standard error what goes over connections, line by line, without secrets and bodies
    #[arg(long, global = true)]
    pub(crate) trace: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sign a person in, and keep the sign-in for later
    Login(Login),
    /// Forget a sign-in
    Logout(Logout),
    /// Print an access token, for programs that speak SMTP or IMAP themselves
    Token(Token),
    /// Send one message, or many from a file
    Send(Box<Send>),
    /// Send a message from standard input, as /usr/sbin/sendmail does
    #[command(disable_help_flag = true, override_help = SENDMAIL_HELP)]
    Sendmail(Sendmail),
    /// Check the whole way to the mail server, and say what is wrong
    Verify(Verify),
    /// Say what a server's reply, an AADSTS message, a bounce or a token means, and what to do
    Explain(Explain),
    /// Print what an administrator does once, with ready scripts, and write the configuration file
    Setup(Setup),
    /// Show a running program's numbers, from where it shows them to Prometheus
    Watch(Watch),
    /// Stand in for the sign-in service and the mail server, for tests
    Emulator(Emulator),
}

/// Options of the mailer on the command line; they win over environment and file.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Options {
    /// Whose service sends: microsoft365, outlook, gmail, …
    #[arg(long)]
    pub(crate) provider: Option<String>,
    /// The mailbox that authenticates
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) username: Option<String>,
    /// The sender [default: the username]
    #[arg(long, value_name = "MAILBOX")]
    pub(crate) from: Option<String>,
    /// Any option by its dotted name, such as auth.tenant=contoso.com; a secret only as {"env": "NAME"}, {"file": "PATH"} or {"command": […]}
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Login {
    #[command(flatten)]
    pub(crate) options: Options,
    /// Sign in on another device, with a code
    #[arg(long)]
    pub(crate) device: bool,
    /// Do not open a browser
    #[arg(long)]
    pub(crate) no_browser: bool,
    /// Take over a sign-in from MSAL's cache, mutt_oauth2 or sasl-xoauth2; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["device", "no_browser", "redirect_uri"])]
    pub(crate) import: Option<PathBuf>,
    /// The application's own redirect URI; then paste the address that the browser ends at
    #[arg(long, value_name = "URI", conflicts_with = "device")]
    pub(crate) redirect_uri: Option<String>,
    /// Give up after this long, such as 5m
    #[arg(long, value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
}

#[derive(Args, Debug)]
pub(crate) struct Logout {
    #[command(flatten)]
    pub(crate) options: Options,
}

#[derive(Args, Debug)]
pub(crate) struct Token {
    #[command(flatten)]
    pub(crate) options: Options,
    /// Say who is signed in and until when, without any secret
    #[arg(long, conflicts_with_all = ["format", "force"])]
    pub(crate) status: bool,
    /// token, xoauth2 (base64, as AUTH XOAUTH2 wants it) or json [default: token, or json with --json]
    #[arg(long, value_enum)]
    pub(crate) format: Option<TokenFormat>,
    /// Get a new one even if the old one is still good
    #[arg(long)]
    pub(crate) force: bool,
    /// Give up after this long, such as 30s
    #[arg(long, value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TokenFormat {
    /// The access token alone
    Token,
    /// The XOAUTH2 response in base64
    Xoauth2,
    /// The token with its expiry, scopes and mailbox
    Json,
}

#[derive(Args, Debug)]
pub(crate) struct Send {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(flatten)]
    pub(crate) message: MessageArguments,
    #[command(flatten)]
    pub(crate) bulk: BulkArguments,
    /// Give up on a message after this long, such as 2m
    #[arg(long, value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// When some recipients are refused: deliver to the others, or refuse to send
    #[arg(long, value_enum)]
    pub(crate) partial: Option<PartialArgument>,
    /// Build the message and print it, but send nothing; with --from-jsonl check every line
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print no receipt, no count and no progress; errors are printed all the same
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// One message.
#[derive(Args, Debug)]
pub(crate) struct MessageArguments {
    /// Recipient; may be repeated
    #[arg(long, short, value_name = "MAILBOX")]
    pub(crate) to: Vec<String>,
    /// Recipient of a copy; may be repeated
    #[arg(long, short, value_name = "MAILBOX")]
    pub(crate) cc: Vec<String>,
    /// Recipient whom the others do not see; may be repeated
    #[arg(long, short, value_name = "MAILBOX")]
    pub(crate) bcc: Vec<String>,
    /// Where answers go; may be repeated
    #[arg(long, value_name = "MAILBOX")]
    pub(crate) reply_to: Vec<String>,
    /// The subject
    #[arg(long, short)]
    pub(crate) subject: Option<String>,
    /// The text
    #[arg(long, conflicts_with = "text_file")]
    pub(crate) text: Option<String>,
    /// The text from a file, - for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) text_file: Option<PathBuf>,
    /// The HTML
    #[arg(long, conflicts_with = "html_file")]
    pub(crate) html: Option<String>,
    /// The HTML from a file, - for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) html_file: Option<PathBuf>,
    /// File to attach, - for standard input; may be repeated
    #[arg(long, short, value_name = "PATH")]
    pub(crate) attach: Vec<PathBuf>,
    /// What the recipient sees as the name of what came from standard input
    #[arg(long, value_name = "NAME", requires = "attach")]
    pub(crate) attach_name: Option<String>,
    /// Image that the HTML shows as <img src="cid:NAME"> [default NAME: the file's name]; may be repeated
    #[arg(long, value_name = "[NAME=]PATH")]
    pub(crate) inline: Vec<String>,
    /// iCalendar object, such as an invitation, that goes beside the text
    #[arg(long, value_name = "FILE")]
    pub(crate) calendar: Option<PathBuf>,
    /// Ask for a delivery report: success, failure, delay, or never; may be repeated
    #[arg(long, value_name = "WHEN")]
    pub(crate) notify: Vec<String>,
    /// Nobody on the way may pass the message on without TLS
    #[arg(long)]
    pub(crate) require_tls: bool,
    /// Have the server keep the message for so long first, such as 2h
    #[arg(long, value_name = "DURATION")]
    pub(crate) hold_for: Option<String>,
    /// Header to add, as 'Name: value'; may be repeated
    #[arg(long, value_name = "HEADER")]
    pub(crate) header: Vec<String>,
    /// The reverse-path, where it is not the sender
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) envelope_from: Option<String>,
    /// Your own string for the message; it comes back in the receipt
    #[arg(long)]
    pub(crate) tag: Option<String>,
}

/// Many messages.
#[derive(Args, Debug)]
#[command(next_help_heading = "Many messages")]
pub(crate) struct BulkArguments {
    /// One message a line as a JSON object: to, subject, text, html, …; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "to", "cc", "bcc", "reply_to", "subject", "text", "text_file", "html", "html_file", "attach", "attach_name", "inline", "calendar", "notify",
        "require_tls", "hold_for", "header",
        "envelope_from", "tag",
    ])]
    pub(crate) from_jsonl: Option<PathBuf>,
    /// Where the results go, one line a message, as they come; a file that is there is not overwritten [default: -, standard output]
    #[arg(long, value_name = "FILE", requires = "from_jsonl")]
    pub(crate) results: Option<PathBuf>,
    /// Local files that the messages may attach: deny, allow, or a folder; folders may be repeated [default: deny]
    #[arg(long, value_name = "WHICH", requires = "from_jsonl")]
    pub(crate) files: Vec<String>,
    /// Go on where the run before ended: skip the messages whose results stand in the file of --results
    #[arg(long, requires = "results", conflicts_with = "dry_run")]
    pub(crate) resume: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum PartialArgument {
    /// Send to those whom the server takes
    Deliver,
    /// Send to nobody if anybody is refused
    Refuse,
}

impl From<PartialArgument> for Partial {
    fn from(argument: PartialArgument) -> Self {
        match argument {
            PartialArgument::Deliver => Self::Deliver,
            PartialArgument::Refuse => Self::Refuse,
        }
    }
}

/// Its words follow sendmail's own syntax, not ours: see `commands::sendmail`.
#[derive(Args, Debug)]
pub(crate) struct Sendmail {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<OsString>,
}

#[derive(Args, Debug)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) options: Options,
    /// Try again every 30 s until all is well, for at most this long, such as 1h
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) wait: Option<Duration>,
    /// Send one real message there: the only proof of SendAs, quota and a mailbox with room
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) send_to: Option<String>,
    /// Give up on one walk after this long [default: 2m]
    #[arg(long, value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
}

#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// The text; without it, standard input is read. A token goes there, never on the command line
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) text: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Setup {
    /// Whose service sends the mail
    #[arg(value_parser = ["microsoft365", "google"], default_value = "microsoft365")]
    pub(crate) provider: String,
    /// microsoft365: app (Exchange lets the application into the named mailboxes), app-permission, delegated, hve; google: desktop, web, service-account [default: the first]
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// The organisation's domain or id (microsoft365)
    #[arg(long)]
    pub(crate) tenant: Option<String>,
    /// Who is to send
    #[arg(long, value_name = "ADDRESS,…", value_delimiter = ',')]
    pub(crate) mailboxes: Vec<String>,
    /// A mailbox that the person sends as (delegated)
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) shared_mailbox: Option<String>,
    /// The application's name [default: mailbearer]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The application's id, once the first step has printed it
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// The project (google)
    #[arg(long)]
    pub(crate) project: Option<String>,
    /// The web application's redirect URI (google --kind web)
    #[arg(long, value_name = "URI")]
    pub(crate) redirect_uri: Option<String>,
    /// Where the scripts put the secret, or the key [default: NAME.secret]
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// Write the configuration file: --config, else the user's own
    #[arg(long, conflicts_with_all = ["undo", "rotate_secret", "check"])]
    pub(crate) write: bool,
    /// Print what takes it all back
    #[arg(long, conflicts_with_all = ["rotate_secret", "check"])]
    pub(crate) undo: bool,
    /// Print how to replace the secret without a gap
    #[arg(long, conflicts_with = "check")]
    pub(crate) rotate_secret: bool,
    /// Run verify, and say which steps are still undone
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Watch {
    /// An address such as http://127.0.0.1:8000/metrics, or a file with the same text
    #[arg(value_name = "URL|FILE")]
    pub(crate) from: String,
    /// How often it is read
    #[arg(long, value_parser = duration, default_value = "2s")]
    pub(crate) interval: Duration,
    /// Show the numbers once
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Emulator {
    /// Whose services it plays
    #[arg(long, value_enum, default_value = "microsoft")]
    pub(crate) dialect: Dialect,
    /// The grant that the printed options use [default: client_credentials; Google: refresh_token]
    #[arg(long)]
    pub(crate) grant: Option<String>,
    /// The mailbox that the printed options use
    #[arg(long, value_name = "ADDRESS", default_value = mailbearer_emulator::DEFAULT_USERNAME)]
    pub(crate) username: String,
    /// Go on in the background, and print the options for a shell: eval "$(mailbearer emulator --env)"
    #[arg(long, conflicts_with = "child")]
    pub(crate) env: bool,
    /// Listen on this address [default: the loopback interface]; whoever reaches it controls the emulator
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<std::net::IpAddr>,
    /// The name under which clients find it, as in a network of containers [default: localhost]
    #[arg(long, value_name = "NAME")]
    pub(crate) hostname: Option<String>,
    /// The port of the page and of /api [default: a free one, as for the others]
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    pub(crate) page_port: u16,
    /// The port of the sign-in service
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    pub(crate) sign_in_port: u16,
    /// The port of SMTP with STARTTLS
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    pub(crate) smtp_port: u16,
    /// The port of SMTP over TLS
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    pub(crate) smtps_port: u16,
    /// What --env starts
    #[arg(long, hide = true, requires = "env")]
    pub(crate) background: bool,
    /// A program to run with the options in its environment; the emulator ends with it
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) child: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dialect {
    /// Entra ID and Exchange Online
    Microsoft,
    /// Google's sign-in and smtp.gmail.com
    Google,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text)
}

pub(crate) const SENDMAIL_HELP: &str = "\
Send a message from standard input, as /usr/sbin/sendmail does

Usage: mailbearer [--config FILE] [--profile NAME] sendmail [OPTIONS] [RECIPIENT]...

  -t              take the recipients from To, Cc and Bcc, beside those named
  -f, -r ADDRESS  the reverse-path
  -F NAME         the sender's name, where the message has no From
  -i, -oi         a line with a single dot does not end the message
  -v              say what was sent
  --aliases FILE  what names without a domain stand for, as /etc/aliases has it [default: aliases beside
                  the user's configuration file, /etc/mailbearer/aliases, /etc/aliases]
  --tempfail-75   exit with 75, not 69, where the same message may be sent later
  --config FILE, --profile NAME, --json, --trace  as for every command

A name without a domain, such as root, is a recipient at the mailbox's own domain, or what the aliases
say; as a sender it is the mailbox.

-o, -N, -R, -B, -V, -h, -L, -X, -p, -C, -e, -O, -bm and others are taken and mean nothing.";

const EXIT_CODES: &str = "\
Exit codes:
   0 all accepted              73 store or output file not writable
  64 usage                     75 retry later
  65 message bad               76 protocol or TLS
  66 input unreadable          77 sign-in or permission
  67 a recipient refused       78 configuration
  69 refused or unavailable    79 delivery uncertain: never resend by script
  70 internal                 130 interrupted";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_is_sound() {
        Arguments::command().debug_assert();
    }
}
