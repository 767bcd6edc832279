//! The switches on top of the page: faults, one button each, and what else can be done to a running emulator.

use crate::defaults::DEFAULT_USERNAME;
use crate::fault::Fault;
use crate::html::escape;
use crate::memory::Shared;
use crate::oauth::form::Form;
use crate::switches::{self, SETTINGS, SWITCHES};

/// Every switch, and the faults that a program has set.
pub(super) fn show(shared: &Shared) -> String {
    let (faults, config) = {
        let memory = shared.lock();
        (memory.faults.all().cloned().collect::<Vec<_>>(), memory.config.clone())
    };
    let buttons: String = SWITCHES
        .iter()
        .map(|switch| button("fault", switch.name, switch.text, faults.iter().any(|fault| switch.is(fault))))
        .collect();
    let settings: String = SETTINGS
        .iter()
        .map(|setting| button("setting", setting.name, setting.text, (setting.of)(&config)))
        .collect();
    let waiting: Vec<String> = faults.iter().map(described).collect();
    let waiting = match waiting.is_empty() {
        true => String::new(),
        false => format!("<p>To come: {}</p>", waiting.join(", ")),
    };
    format!(
        "<details id=\"faults\" open><summary>Simulate a fault</summary><form method=\"post\" action=\"/switch\">\
         <select name=\"times\" aria-label=\"How often\"><option value=\"0\">until switched off</option><option value=\"1\">once</option></select>{buttons}{settings}</form>{waiting}\
         <form method=\"post\" action=\"/switch\"><button name=\"do\" value=\"heal\">Remove all faults</button>\
         <button name=\"do\" value=\"expire_tokens\">Invalidate tokens issued so far</button>\
         <button name=\"do\" value=\"revoke\">Revoke the sign-ins of {}</button>\
         <button name=\"do\" value=\"clear\">Delete messages and log</button></form></details>",
        escape(DEFAULT_USERNAME)
    )
}

/// Does what a button says.
pub(super) fn press(shared: &Shared, form: &Form) -> Result<(), String> {
    if let Some(name) = form.text("fault") {
        let switch = switches::named(name).ok_or("there is no such fault")?;
        let is_on = shared.lock().faults.all().any(|fault| switch.is(fault));
        if is_on {
            shared.heal(|fault| switch.is(fault));
            return Ok(());
        }
        return shared.fail(switch.fault(if form.text("times") == Some("1") { 1 } else { 0 }));
    }
    if let Some(name) = form.text("setting") {
        let setting =
            SETTINGS.iter().find(|setting| setting.name == name).ok_or("there is no such setting")?;
        let is_on = (setting.of)(&shared.lock().config);
        return shared.configure(&serde_json::json!({name: !is_on}));
    }
    match form.text("do") {
        Some("heal") => shared.heal(|_| true),
        Some("expire_tokens") => shared.expire_tokens(),
        Some("revoke") => shared.revoke(DEFAULT_USERNAME),
        Some("clear") => shared.clear(),
        _ => return Err("there is no such button".to_owned()),
    }
    Ok(())
}

fn button(kind: &str, name: &str, text: &str, is_on: bool) -> String {
    format!(
        "<button name=\"{kind}\" value=\"{name}\" role=\"switch\" aria-checked=\"{is_on}\">{}</button>",
        escape(text)
    )
}

fn described(fault: &Fault) -> String {
    let what = fault.reply.clone().or_else(|| fault.status.map(|status| format!("HTTP {status}")));
    let what = what.unwrap_or_else(|| {
        if fault.drop { "the connection breaks".into() } else { format!("{} s late", fault.delay) }
    });
    let times = match fault.times {
        0 => "always".to_owned(),
        1 => "once".to_owned(),
        times => format!("{times} times"),
    };
    format!("<code>{}</code> {} ({times})", escape(&fault.at), escape(&what))
}
