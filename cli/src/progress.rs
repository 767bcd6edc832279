//! The progress bar of a bulk send, on standard error; none where nobody watches.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mailbearer::Counts;

/// A bar over the octets of the file, or a running count where its size is unknown.
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Hidden if `quiet`, or if standard error is no terminal.
    pub(crate) fn new(size: Option<u64>, quiet: bool) -> Self {
        let target = match quiet || !io::stderr().is_terminal() {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr(),
        };
        let template = match size {
            Some(_) => "{bar:30} {percent:>3}%  {msg}  {elapsed}, {eta} left",
            None => "{spinner} {msg}  {elapsed}",
        };
        let bar = ProgressBar::with_draw_target(size, target);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// Shows how far it is.
    pub(crate) fn show(&self, position: u64, counts: Counts) {
        if !self.bar.is_hidden() {
            self.bar.set_position(position);
            self.bar.set_message(sentence(counts));
            self.bar.tick();
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// `3 sent, 1 failed`; what is rare is named only where it is there.
pub(crate) fn sentence(counts: Counts) -> String {
    let mut out = format!("{} sent, {} failed", counts.sent, counts.failed);
    for (count, word) in [(counts.uncertain, "uncertain"), (counts.not_sent, "not sent")] {
        if count > 0 {
            out.push_str(&format!(", {count} {word}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_rare_is_named_only_where_it_is_there() {
        let counts = Counts { sent: 3, ..Counts::default() };
        assert_eq!(sentence(counts), "3 sent, 0 failed");
        let counts = Counts { uncertain: 1, not_sent: 2, ..counts };
        assert_eq!(sentence(counts), "3 sent, 0 failed, 1 uncertain, 2 not sent");
    }
}
