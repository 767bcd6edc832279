//! `mailbearer setup`.

use std::process::Command;

use mailbearer_cli::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_USERNAME};
use serde_json::json;

use crate::run::{Cli, Ran, bare, run};

const MICROSOFT: [&str; 6] = ["setup", "--tenant", "contoso.com", "--mailboxes", DEFAULT_USERNAME, "--json"];

fn with<'a>(base: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    base.iter().chain(more).copied().collect()
}

/// The scripts in this language, one after another.
fn scripts(ran: &Ran, language: &str) -> String {
    let steps = ran.json()["steps"].as_array().unwrap().clone();
    let scripts = steps.iter().filter(|step| step["script"]["language"] == language);
    scripts.map(|step| step["script"]["text"].as_str().unwrap().to_owned() + "\n").collect()
}

#[test]
fn every_shell_script_is_one() {
    let home = tempfile::tempdir().unwrap();
    let google = ["setup", "google", "--mailboxes", "a@contoso.com", "--project", "p-1", "--json"];
    for kind in ["app", "app-permission", "delegated", "hve", "service-account"] {
        let base = if kind == "service-account" { &google[..] } else { &MICROSOFT[..] };
        for more in [&[][..], &["--undo"], &["--rotate-secret", "--secret-file", "/etc/my app/mail.secret"]] {
            if kind == "delegated" && more.len() == 3 {
                continue;
            }
            let ran = run(&mut bare(home.path(), &with(&with(base, &["--kind", kind]), more)), "");
            assert_eq!(ran.code, 0, "{kind} {more:?}: {ran:?}");
            let text = scripts(&ran, "sh");
            let checked = Command::new("bash").args(["-n", "-c", &text]).output().unwrap();
            assert!(checked.status.success(), "{kind} {more:?}: {text}\n{checked:?}");
        }
    }
    // What a failing `az` leaves alone is the secret that works.
    let rotation = with(&MICROSOFT, &["--rotate-secret", "--secret-file", "kept"]);
    let text = scripts(&run(&mut bare(home.path(), &rotation), ""), "sh");
    std::fs::write(home.path().join("kept"), "works\n").unwrap();
    let text = format!("az() {{ return 1; }}\n{text}");
    Command::new("bash").args(["-c", &text]).current_dir(home.path()).output().unwrap();
    assert_eq!(std::fs::read_to_string(home.path().join("kept")).unwrap(), "works\n");
    let ran = run(&mut bare(home.path(), &with(&MICROSOFT, &["--rotate-secret"])), "");
    assert_eq!(ran.code, 64, "{ran:?}");

    let ran = run(&mut bare(home.path(), &["setup", "--kind", "nothing"]), "");
    assert_eq!(ran.code, 64, "{ran:?}");
    let ran = run(&mut bare(home.path(), &["setup"]), "");
    assert!(ran.code == 78 && ran.stderr.contains("tenant"), "{ran:?}");
}

/// An organisation's command line that knows one application.
const AZ: &str = r#"#!/bin/sh
case "$*" in
  "login "*) ;;
  "ad app create"*) echo APPLICATION ;;
  "ad sp show"*) echo 11111111-2222-3333-4444-555555555555 ;;
  "ad app credential reset"*) printf '%s\n' 'SECRET' ;;
  *) echo "az does not know: $*" >&2; exit 1 ;;
esac
"#;

#[cfg(unix)]
#[test]
fn what_it_prints_leads_to_a_configuration_that_works() {
    use std::os::unix::fs::PermissionsExt;
    let cli = Cli::new();
    let home = cli.home.path();
    let tools = home.join("tools");
    std::fs::create_dir(&tools).unwrap();
    let az = AZ.replace("APPLICATION", DEFAULT_CLIENT_ID).replace("SECRET", DEFAULT_CLIENT_SECRET);
    std::fs::write(tools.join("az"), az).unwrap();
    std::fs::set_permissions(tools.join("az"), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_mailbearer"), tools.join("mailbearer")).unwrap();

    let text = scripts(&run(&mut bare(home, &MICROSOFT), ""), "sh");
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("bash");
    shell
        .args(["-euo", "pipefail", "-c", &text])
        .current_dir(home)
        .env("PATH", path)
        .env("XDG_CONFIG_HOME", home);
    let ran = shell.output().unwrap();
    assert!(ran.status.success(), "{text}\n{ran:?}");
    let config = std::fs::read_to_string(home.join("mailbearer/config.toml")).unwrap();
    assert!(config.contains(DEFAULT_CLIENT_ID) && !config.contains(DEFAULT_CLIENT_SECRET), "{config}");
    let secret = home.join("mailbearer.secret");
    assert_eq!(std::fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);

    let check = with(&MICROSOFT, &["--check"]);
    let ran = run(&mut cli.placed(&check), "");
    assert_eq!((ran.code, &ran.json()["ok"]), (0, &json!(true)), "{ran:?}");
    assert!(ran.json()["steps"].as_array().unwrap().iter().all(|step| step["state"] == "done"), "{ran:?}");

    // Whatever is undone is named.
    cli.emulator.configure(json!({"app_roles": []})).unwrap();
    let ran = run(&mut cli.placed(&check), "");
    let states: Vec<String> = ran.json()["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["state"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((ran.code, states.join(" ").as_str()), (77, "done done UNDONE UNDONE"), "{ran:?}");
    std::fs::write(&secret, "wrong\n").unwrap();
    let ran = run(&mut cli.placed(&check[..5].iter().copied().chain(["--check"]).collect::<Vec<_>>()), "");
    assert!(ran.code == 77 && ran.stdout.starts_with("UNDONE   1. Register"), "{ran:?}");
}
