//! `mailbearer setup`: prints what an administrator does once, writes the configuration file, and says what is
//! still undone.

use std::fs::OpenOptions;
use std::io::{BufRead, ErrorKind, IsTerminal, Write};
use std::path::PathBuf;

use mailbearer::doctor::{Report, Status};
use mailbearer::setup::{SetupKind, SetupPlan, Wishes};
use mailbearer::{Call, Cancel, VerifyRequest, config};
use serde_json::json;

use crate::arguments::{self, Global};
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::{exit, interrupt, options};

pub(super) fn run(global: &Global, mut arguments: arguments::Setup, output: Output) -> Result<i32> {
    ask(&mut arguments)?;
    let wishes = wishes(&arguments)?;
    if arguments.undo {
        return show(&wishes.undo()?, output);
    }
    if arguments.rotate_secret {
        if arguments.secret_file.is_none() {
            return Err(Failure::Usage(
                "which file holds the secret is not said".into(),
                "Give --secret-file: the one that the configuration names.",
            ));
        }
        return show(&wishes.rotation()?, output);
    }
    let plan = wishes.plan()?;
    if arguments.check {
        return check(global, &plan, output);
    }
    if arguments.write {
        return write(global, &plan.config, output);
    }
    show(&plan, output)
}

fn show(plan: &SetupPlan, output: Output) -> Result<i32> {
    match output.json {
        true => output.value(&json!(plan))?,
        false => output.data(plan.to_string().trim_end())?,
    }
    Ok(exit::OK)
}

/// What is missing, of a person at a terminal.
fn ask(arguments: &mut arguments::Setup) -> Result<()> {
    if !std::io::stdin().is_terminal() {
        return Ok(());
    }
    if arguments.tenant.is_none() && arguments.provider == "microsoft365" {
        arguments.tenant = answer("The organisation's domain, such as contoso.com: ")?;
    }
    if arguments.mailboxes.is_empty() {
        let given = answer("Who is to send (addresses, with commas between): ")?.unwrap_or_default();
        arguments.mailboxes = given.split(',').map(|one| one.trim().to_owned()).collect();
    }
    Ok(())
}

fn answer(question: &str) -> Result<Option<String>> {
    let failed = |e: std::io::Error| Failure::input("standard input", &e);
    let mut stderr = std::io::stderr();
    write!(stderr, "{question}").and_then(|()| stderr.flush()).map_err(failed)?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(failed)?;
    Ok(Some(line.trim().to_owned()).filter(|line| !line.is_empty()))
}

fn wishes(arguments: &arguments::Setup) -> Result<Wishes> {
    let names = || SetupKind::NAMES.iter().filter(|(provider, ..)| *provider == arguments.provider);
    let kind = match &arguments.kind {
        Some(name) => names().find(|(_, known, _)| known == name),
        None => names().next(),
    };
    let Some((.., kind)) = kind else {
        let all: Vec<String> =
            SetupKind::NAMES.iter().map(|(provider, name, _)| format!("{provider} --kind {name}")).collect();
        let given = arguments.kind.as_deref().unwrap_or_default();
        return Err(Failure::Usage(
            format!(
                "{} has no kind `{}`; there are: {}",
                arguments.provider,
                given.escape_debug(),
                all.join(", ")
            ),
            "",
        ));
    };
    // Programs run in other folders.
    let usual = || {
        let name = arguments.name.as_deref().unwrap_or("mailbearer");
        let tail = if *kind == SetupKind::GoogleService { "json" } else { "secret" };
        arguments.write.then(|| PathBuf::from(format!("{name}.{tail}")))
    };
    let secret_file = match arguments.secret_file.clone().or_else(usual) {
        Some(path) => Some(std::path::absolute(&path).map_err(|e| Failure::input(&path, &e))?),
        None => None,
    };
    Ok(Wishes {
        kind: Some(*kind),
        tenant: arguments.tenant.clone(),
        mailboxes: arguments.mailboxes.clone(),
        shared_mailbox: arguments.shared_mailbox.clone(),
        name: arguments.name.clone(),
        client_id: arguments.client_id.clone(),
        project: arguments.project.clone(),
        redirect_uri: arguments.redirect_uri.clone(),
        secret_file,
    })
}

/// Writes the file, for its user alone, unless there is another.
fn write(global: &Global, text: &str, output: Output) -> Result<i32> {
    if text.contains('<') {
        return Err(Failure::Usage(
            "the application's id is not known yet".into(),
            "Give --client-id, as the first step prints it.",
        ));
    }
    let path = global.config.clone().map_or_else(own_file, Ok)?;
    let failed = |e: &std::io::Error| Failure::output(&path, e);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|e| failed(&e))?;
    }
    let mut new = OpenOptions::new();
    new.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut new, 0o600);
    match new.open(&path) {
        Ok(mut file) => {
            file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|e| failed(&e))?
        }
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            if std::fs::read_to_string(&path).is_ok_and(|there| there == text) {
                output.note(&format!("{} says so already", path.display()));
                return Ok(exit::OK);
            }
            return Err(Failure::Usage(
                format!("{} is there already, and says something else", path.display()),
                "Name another file with --config, or move that one away; without --write the text is shown.",
            ));
        }
        Err(e) => return Err(failed(&e)),
    }
    output.note(&format!("wrote {}; `mailbearer verify` says whether it works", path.display()));
    Ok(exit::OK)
}

fn own_file() -> Result<PathBuf> {
    config::user_file()
        .ok_or_else(|| Failure::Usage("this user has no home folder".into(), "Name the file with --config."))
}

/// Walks the chain with the configuration there is, and says of each step whether it shows as done.
fn check(global: &Global, plan: &SetupPlan, output: Output) -> Result<i32> {
    let mailer = options::mailer(global, &arguments::Options::default(), output)?;
    let cancel = Cancel::default();
    let call = Call { cancel: cancel.clone(), ..Call::default() };
    let request = VerifyRequest { always_report: true, call, ..VerifyRequest::default() };
    let report = interrupt::block_on(&cancel, mailer.verify(request))??;
    interrupt::close(&mailer, &output)?;
    let states: Vec<(&str, &'static str)> =
        plan.steps.iter().map(|step| (step.title.as_str(), state(&report, step.shown_by))).collect();
    if output.json {
        let steps: Vec<_> =
            states.iter().map(|(title, state)| json!({"title": title, "state": state})).collect();
        output.value(&json!({"ok": report.ok, "steps": steps, "report": report}))?;
    } else {
        for (at, (title, state)) in states.iter().enumerate() {
            output.data(&format!("{state:<8} {}. {title}", at + 1))?;
        }
        output.data(format!("\n{report}").trim_end())?;
    }
    Ok(if report.ok { exit::OK } else { exit::PERMISSION })
}

/// A step is done if the link that shows it holds.
fn state(report: &Report, link: &str) -> &'static str {
    let found = report.findings.iter().find(|finding| finding.link == link);
    match found.map(|finding| finding.status) {
        Some(Status::Ok) => "done",
        // Whether it is needed shows with what comes after it.
        Some(Status::Warning) if report.ok => "done",
        Some(Status::Warning) => "perhaps",
        Some(Status::Failed) => "UNDONE",
        Some(Status::Skipped) | None => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_for_its_user_alone_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/config.toml");
        let global = Global { config: Some(path.clone()), profile: None, json: false, trace: false };
        let output = Output::new(false, false);
        assert_eq!(write(&global, "a = 1\n", output).unwrap(), exit::OK);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a = 1\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(write(&global, "a = 1\n", output).unwrap(), exit::OK);
        assert!(write(&global, "a = 2\n", output).is_err());
        assert!(write(&global, "client_id = \"<application id>\"\n", output).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a = 1\n");
    }
}
