//! Opens the person's browser. Where there is none, nothing happens: the caller shows the URL too.

use std::ffi::OsString;
use std::path::Path;

use webbrowser::{Browser, BrowserOptions, open_browser_with_options};

/// Opens the page in a thread of its own, since looking for a browser may take long.
pub(super) fn open(url: &str) {
    if !has_screen(|name| std::env::var_os(name)) {
        return;
    }
    let url = url.to_owned();
    let work = move || {
        let _ = open_browser_with_options(
            Browser::Default,
            &url,
            BrowserOptions::new().with_suppress_output(true),
        );
    };
    let _ = std::thread::Builder::new().name("mailbearer-browser".into()).spawn(work);
}

/// Whether a browser would have a window. In a terminal it would take the program's own input and output.
fn has_screen(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let named = set("BROWSER").unwrap_or_default();
    let named = named.to_string_lossy();
    let in_terminal = named.split(':').any(|command| {
        let program = command.split_whitespace().next().map(Path::new).and_then(Path::file_name);
        program.is_some_and(|program| TEXT_BROWSERS.iter().any(|name| program == *name))
    });
    let windowed = cfg!(any(windows, target_os = "macos"))
        || ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"].iter().any(|name| set(name).is_some());
    windowed && !in_terminal
}

const TEXT_BROWSERS: [&str; 9] =
    ["lynx", "links", "links2", "elinks", "w3m", "eww", "netrik", "retawq", "curl"];

#[cfg(all(test, not(any(windows, target_os = "macos"))))]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_opened_in_a_window_and_never_in_the_programs_terminal() {
        for (variables, opens) in [
            (&[][..], false),
            (&[("DISPLAY", "")], false),
            (&[("DISPLAY", ":0")], true),
            (&[("WAYLAND_DISPLAY", "wayland-0")], true),
            (&[("WSL_DISTRO_NAME", "Debian")], true),
            (&[("BROWSER", "firefox")], false),
            (&[("DISPLAY", ":0"), ("BROWSER", "firefox:/usr/bin/w3m %s")], false),
            (&[("DISPLAY", ":0"), ("BROWSER", "/usr/bin/firefox")], true),
        ] {
            let variable = |name: &str| {
                variables.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value))
            };
            assert_eq!(has_screen(variable), opens, "{variables:?}");
        }
    }
}
