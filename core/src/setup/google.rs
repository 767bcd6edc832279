//! Google: an OAuth client for people, or a Workspace service account.
//!
//! Google: "OAuth 2.0 Mechanism" of Gmail's IMAP and SMTP; "Manage OAuth Clients"; "Control API access with
//! domain-wide delegation". No command of gcloud makes a client for Gmail, so people's clients have pages alone.

use super::{Checked, Script, SetupKind, SetupPlan, config_file, step};

const SCOPE: &str = "https://mail.google.com/";

pub(super) fn plan(wishes: &Checked) -> SetupPlan {
    let (title, steps) = match wishes.kind {
        SetupKind::GoogleService => (
            "Google Workspace: a service account that stands for a mailbox",
            vec![
                step(
                    "Make the service account and its key",
                    "token",
                    "Google Cloud console > IAM & Admin > Service accounts > Create; then Keys > Add key > JSON. Only the program's user may read the file (chmod 600). A policy of the organisation (iam.disableServiceAccountKeyCreation) may forbid keys.",
                    Some(gcloud(format!(
                        "SA='{name}@{project}.iam.gserviceaccount.com'\ngcloud iam service-accounts describe \"$SA\" --project '{project}' >/dev/null 2>&1 ||\n  gcloud iam service-accounts create '{name}' --project '{project}'\n(umask 077; gcloud iam service-accounts keys create '{file}' --iam-account \"$SA\" --project '{project}')\ngcloud iam service-accounts describe \"$SA\" --project '{project}' --format='value(oauth2ClientId)'",
                        name = wishes.name,
                        project = wishes.project,
                        file = wishes.secret_file,
                    ))),
                ),
                step(
                    "Let it stand for the organisation's people",
                    "claims",
                    format!(
                        "As a super administrator: https://admin.google.com/ac/owl/domainwidedelegation > Add new: the numeric client id that the first step printed, scope {SCOPE}. It then may send as everybody in the organisation: keep the key well, and use it for {} alone.",
                        wishes.mailboxes.join(", ")
                    ),
                    None,
                ),
                step("Write the configuration file", "token", finish(wishes), None),
            ],
        ),
        kind => {
            let (title, client) = match kind {
                SetupKind::GoogleWeb => (
                    "Google: a person signs in through a web application",
                    format!("Web application, authorised redirect URI {} exactly", wishes.redirect_uri),
                ),
                _ => ("Google: a person signs in", "Desktop app".to_owned()),
            };
            let steps = vec![
                step(
                    "Say who the application is for",
                    "token",
                    format!(
                        "Google Cloud console > Google Auth Platform > Get started, in the project {}. Audience: Internal for a Workspace organisation; External in `Testing` signs people out after 7 days. Data access: add the scope {SCOPE}.",
                        wishes.project
                    ),
                    None,
                ),
                step(
                    "Make the client",
                    "token",
                    format!(
                        "Google Auth Platform > Clients > Create client: {client}. Its secret is shown once: put it into {}, which only the program's user may read (chmod 600).",
                        wishes.secret_file
                    ),
                    None,
                ),
                step(
                    "Write the configuration file, and sign in",
                    "auth",
                    format!("{} Then `mailbearer login`, as {}.", finish(wishes), wishes.mailboxes[0]),
                    None,
                ),
            ];
            (title, steps)
        }
    };
    SetupPlan { title: title.to_owned(), steps, config: config_file::text(wishes) }
}

fn finish(wishes: &Checked) -> String {
    let name = SetupKind::NAMES
        .iter()
        .find(|(.., kind)| *kind == wishes.kind)
        .map_or("desktop", |(_, name, _)| name);
    let web = if wishes.kind == SetupKind::GoogleWeb {
        format!(" --redirect-uri {}", wishes.redirect_uri)
    } else {
        String::new()
    };
    let client = if wishes.kind == SetupKind::GoogleService { "" } else { " --client-id <client id>" };
    format!(
        "Run `mailbearer setup google --kind {name} --mailboxes {}{web}{client} --secret-file '{}' --write`.",
        wishes.mailboxes.join(","),
        wishes.secret_file
    )
}

pub(super) fn undo(wishes: &Checked) -> SetupPlan {
    let steps = match wishes.kind {
        SetupKind::GoogleService => vec![
            step(
                "Take the delegation back",
                "claims",
                "https://admin.google.com/ac/owl/domainwidedelegation: delete the entry.",
                None,
            ),
            step(
                "Delete the service account, with its keys",
                "token",
                "Google Cloud console > IAM & Admin > Service accounts.",
                Some(gcloud(format!(
                    "gcloud iam service-accounts delete '{}@{}.iam.gserviceaccount.com' --project '{}'",
                    wishes.name, wishes.project, wishes.project
                ))),
            ),
        ],
        _ => vec![
            step("Sign out: Google ends the consent", "auth", "`mailbearer logout`.", None),
            step(
                "Delete the client",
                "token",
                "Google Cloud console > Google Auth Platform > Clients.",
                None,
            ),
        ],
    };
    SetupPlan { title: format!("Taking `{}` back", wishes.name), steps, config: String::new() }
}

pub(super) fn rotation(wishes: &Checked) -> SetupPlan {
    let steps = match wishes.kind {
        SetupKind::GoogleService => vec![
            step(
                "Make a second key; the first one stays good",
                "token",
                "Google Cloud console > IAM & Admin > Service accounts > Keys.",
                Some(gcloud(format!(
                    "SA='{name}@{project}.iam.gserviceaccount.com'\ngcloud iam service-accounts keys list --iam-account \"$SA\" --project '{project}'\n(umask 077; gcloud iam service-accounts keys create '{file}.new' --iam-account \"$SA\" --project '{project}') &&\n  mv '{file}.new' '{file}'",
                    name = wishes.name,
                    project = wishes.project,
                    file = wishes.secret_file,
                ))),
            ),
            step(
                "See that it works, then delete the old key by its id",
                "token",
                "Run `mailbearer verify`; programs read the file anew at their next token request.",
                Some(gcloud(format!(
                    "gcloud iam service-accounts keys delete '<id>' --iam-account '{}@{}.iam.gserviceaccount.com' --project '{}'",
                    wishes.name, wishes.project, wishes.project
                ))),
            ),
        ],
        _ => vec![step(
            "Add a second secret, put it in place, then disable and delete the old one",
            "token",
            format!(
                "Google Cloud console > Google Auth Platform > Clients > the client > Add secret. Put it into {}; run `mailbearer verify`; then disable the old one.",
                wishes.secret_file
            ),
            None,
        )],
    };
    SetupPlan { title: format!("A new secret for `{}`", wishes.name), steps, config: String::new() }
}

fn gcloud(text: String) -> Script {
    Script { language: "sh", needs: "gcloud", text }
}
