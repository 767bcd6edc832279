//! Which objects' callbacks run on this thread. Some calls wait until a callback has returned: made in that
//! very callback they would wait for ever, and are refused.

use std::cell::RefCell;
use std::sync::Arc;

use mailbearer::Error;

/// What a callback belongs to: a mailer with those made from it, or the stream of a message. Clones are the
/// same owner.
#[derive(Clone, Default)]
pub(crate) struct Owner(Arc<()>);

thread_local! {
    static CALLING: RefCell<Vec<Owner>> = const { RefCell::new(Vec::new()) };
}

/// Runs a callback of these owners.
pub(crate) fn run<T>(owners: &[Owner], callback: impl FnOnce() -> T) -> T {
    let before = CALLING.with_borrow_mut(|calling| {
        calling.extend_from_slice(owners);
        calling.len() - owners.len()
    });
    let returned = callback();
    CALLING.with_borrow_mut(|calling| calling.truncate(before));
    returned
}

impl Owner {
    /// Whether a callback of this owner runs on this thread.
    pub(crate) fn is_calling(&self) -> bool {
        CALLING.with_borrow(|calling| calling.iter().any(|owner| Arc::ptr_eq(&owner.0, &self.0)))
    }

    /// Refuses what waits for this owner's callbacks, if one of them asks for it.
    ///
    /// # Errors
    /// `config_invalid`.
    pub(crate) fn may_wait(&self, function: &str) -> Result<(), Error> {
        if !self.is_calling() {
            return Ok(());
        }
        let said = format!("{function} was called in a callback of the same mailer, and would wait for it");
        Err(Error::config("mailer", said).with_hint(
            "Return from the callback first, or call it on another thread; mailbearer_call_cancel ends a call at once.",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owners_of_a_running_callback_are_refused() {
        let (one, other) = (Owner::default(), Owner::default());
        assert!(one.may_wait("f").is_ok());
        run(std::slice::from_ref(&one), || {
            assert!(one.may_wait("f").is_err() && other.may_wait("f").is_ok());
            run(&[other.clone(), one.clone()], || assert!(other.is_calling()));
            assert!(one.is_calling() && !other.is_calling());
            std::thread::scope(|scope| scope.spawn(|| assert!(!one.is_calling())).join().unwrap());
        });
        assert!(!one.is_calling());
    }
}
