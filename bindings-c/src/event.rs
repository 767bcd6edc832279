//! What happened, for the host's own log: queued where it happens, delivered on the caller's thread.

use std::collections::VecDeque;
use std::ffi::{CString, c_char, c_void};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use mailbearer::EventSink;

use crate::ffi::{self, Userdata};
use crate::own_callback::{self, Owner};

/// Your function that is told what happened, as JSON: `{"name": "token.refreshed", "fields": {…}}`.
///
/// It is called by a thread that is inside a blocking call of this library, while the call waits and once more
/// before it returns; never by two threads at once, and never by a thread of the library. It may call the
/// library, but not free or close the object whose call it interrupts.
/// Owner: `json` is borrowed until your function returns. It holds no token and no secret.
/// While no blocking call is made, the newest 1,024 events are kept.
pub type EventFn = Option<extern "C" fn(userdata: *mut c_void, json: *const c_char)>;

/// The events of one mailer and of all that was made from it.
pub(crate) struct Events {
    listener: Option<(extern "C" fn(*mut c_void, *const c_char), Userdata)>,
    queue: Mutex<VecDeque<CString>>,
    /// Held by the thread that delivers.
    delivering: Mutex<()>,
    owner: Owner,
}

impl Events {
    pub(crate) fn new(listener: Option<(EventFn, Userdata)>) -> Arc<Self> {
        let listener = listener.and_then(|(function, userdata)| Some((function?, userdata)));
        Arc::new(Self {
            listener,
            queue: Mutex::default(),
            delivering: Mutex::default(),
            owner: Owner::default(),
        })
    }

    /// Whose callbacks these are: the mailer's and of all that was made from it.
    pub(crate) fn owner(&self) -> &Owner {
        &self.owner
    }

    pub(crate) fn are_heard(&self) -> bool {
        self.listener.is_some()
    }

    /// Where core puts what happened.
    pub(crate) fn sink(self: &Arc<Self>) -> EventSink {
        if !self.are_heard() {
            return EventSink::default();
        }
        let events = self.clone();
        EventSink::new(move |event| {
            // An event that is no JSON would be a fault of ours, and not worth a panic.
            let Ok(json) = serde_json::to_string(event) else { return };
            let Some(mut queue) = lock(&events.queue) else { return };
            if queue.len() == KEPT {
                queue.pop_front();
            }
            queue.push_back(ffi::c_string(&json));
        })
    }

    /// Calls the listener for all that waits. Called from a listener, or while another thread delivers, it
    /// does nothing.
    pub(crate) fn deliver(&self) {
        let Some((function, userdata)) = self.listener else { return };
        let _delivering = match self.delivering.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        // The queue is unlocked while the listener runs, which may send; hence the bound.
        for _ in 0..KEPT {
            let Some(json) = lock(&self.queue).and_then(|mut queue| queue.pop_front()) else { return };
            own_callback::run(std::slice::from_ref(&self.owner), || {
                function(userdata.pointer(), json.as_ptr())
            });
        }
    }
}

/// The queue is held for moments only; one that cannot be had was left locked by a thread that a fork did
/// not take along, and events are not worth waiting for it.
fn lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    let until = Instant::now() + PATIENCE;
    loop {
        match mutex.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if Instant::now() >= until => return None,
            Err(TryLockError::WouldBlock) => std::thread::yield_now(),
        }
    }
}

/// How many events are kept while nobody takes them.
const KEPT: usize = 1024;
const PATIENCE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use mailbearer::Event;

    extern "C" fn collect(userdata: *mut c_void, json: *const c_char) {
        let seen = ffi::object_mut(userdata.cast::<Vec<String>>(), "userdata").unwrap();
        seen.push(ffi::text(json, "json").unwrap().to_owned());
    }

    #[test]
    fn events_wait_for_the_callers_thread_and_the_oldest_give_way() {
        let mut seen: Vec<String> = Vec::new();
        let userdata = Userdata::new((&raw mut seen).cast());
        let events = Events::new(Some((Some(collect), userdata)));
        let sink = events.sink();
        for index in 0..KEPT + 2 {
            sink.emit(|| Event::new("warning").with("index", index));
        }
        events.deliver();
        assert_eq!(seen.len(), KEPT);
        assert_eq!(seen[0], r#"{"name":"warning","level":"warning","fields":{"index":2}}"#);
        events.deliver();
        assert_eq!(seen.len(), KEPT, "each is told once");
    }

    #[test]
    fn nobody_listens_nothing_is_kept() {
        let events = Events::new(None);
        events.sink().emit(|| unreachable!("no event is built"));
        events.deliver();
        assert!(!events.are_heard());
    }
}
