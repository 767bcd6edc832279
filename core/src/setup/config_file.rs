//! The configuration file that follows from a set-up. It names where the secret is, and never the secret.

use std::fmt::Write as _;

use super::{Checked, SetupKind};

/// TOML.
pub(super) fn text(wishes: &Checked) -> String {
    let mut out = String::new();
    let client = wishes.client_id.as_deref().unwrap_or("<application id>");
    let mailbox = &wishes.mailboxes[0];
    let provider = match wishes.kind {
        SetupKind::HighVolume => "hve",
        SetupKind::GoogleDesktop | SetupKind::GoogleWeb | SetupKind::GoogleService => "gmail",
        _ => "microsoft365",
    };
    // Writing to a String cannot fail.
    let _ = write!(out, "provider = \"{provider}\"\nusername = \"{mailbox}\"\n");
    if let Some(shared) = &wishes.shared_mailbox {
        let _ = writeln!(out, "from = \"{shared}\"");
    }
    out.push_str("\n[auth]\n");
    let secret = format!("client_secret = {{ file = '{}' }}\n", wishes.secret_file);
    let _ = match wishes.kind {
        SetupKind::AppScoped | SetupKind::AppPermission | SetupKind::HighVolume => write!(
            out,
            "grant = \"client_credentials\"\ntenant = \"{}\"\nclient_id = \"{client}\"\n{secret}",
            wishes.tenant
        ),
        SetupKind::Delegated => {
            write!(
                out,
                "grant = \"authorization_code\"\ntenant = \"{}\"\nclient_id = \"{client}\"\n",
                wishes.tenant
            )
        }
        SetupKind::GoogleDesktop => {
            write!(out, "grant = \"authorization_code\"\nclient_id = \"{client}\"\n{secret}")
        }
        SetupKind::GoogleWeb => write!(
            out,
            "grant = \"authorization_code\"\nclient_id = \"{client}\"\n{secret}redirect_uri = \"{}\"\n",
            wishes.redirect_uri
        ),
        SetupKind::GoogleService => {
            write!(
                out,
                "grant = \"jwt_bearer\"\nkey_file = '{}'\nsubject = \"{mailbox}\"\n",
                wishes.secret_file
            )
        }
    };
    for (at, other) in wishes.mailboxes.iter().enumerate().skip(1) {
        let _ = write!(out, "\n[profiles.mailbox{}]\nusername = \"{other}\"\n", at + 1);
        if wishes.kind == SetupKind::GoogleService {
            let _ = writeln!(out, "auth.subject = \"{other}\"");
        }
    }
    out
}
