//! Octets that a function of the host program gives.

use std::ffi::c_void;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mailbearer::ByteStream;

use crate::ffi::Userdata;
use crate::own_callback::{self, Owner};

/// Streams whose functions may be called. Dropping it waits for a call under way, unless that very call drops it,
/// and lets none follow.
#[derive(Default)]
pub(crate) struct Gates(Vec<Arc<Gate>>);

#[derive(Default)]
struct Gate {
    /// The function may be called no more.
    closed: AtomicBool,
    /// Held while the function runs.
    running: Mutex<()>,
    stream: Owner,
    /// The mailers that send it.
    mailers: Mutex<Vec<Owner>>,
}

impl Gates {
    /// A stream that is open as long as this lives.
    pub(crate) fn stream(
        &mut self,
        read: extern "C" fn(*mut c_void, *mut c_void, usize) -> i64,
        userdata: Userdata,
    ) -> ByteStream {
        let gate = Arc::new(Gate::default());
        self.0.push(gate.clone());
        ByteStream::blocking(move || {
            let _running = gate.running.lock().unwrap_or_else(PoisonError::into_inner);
            gate.check()?;
            let mut piece = vec![0; PIECE];
            let got = own_callback::run(&gate.owners(), || {
                read(userdata.pointer(), piece.as_mut_ptr().cast(), piece.len())
            });
            gate.check()?;
            match usize::try_from(got) {
                Ok(got) if got <= piece.len() => {
                    piece.truncate(got);
                    Ok(piece.into())
                }
                _ => Err(io::Error::other(format!("the read function returned {got}"))),
            }
        })
    }

    /// Says which mailer sends the streams.
    pub(crate) fn sent_by(&self, mailer: &Owner) {
        for gate in &self.0 {
            gate.mailers.lock().unwrap_or_else(PoisonError::into_inner).push(mailer.clone());
        }
    }

    /// Takes on those of `others`, and forgets those whose streams are gone.
    pub(crate) fn add(&mut self, mut others: Self) {
        self.0.retain(|gate| Arc::strong_count(gate) > 1);
        self.0.append(&mut others.0);
    }
}

impl Gate {
    fn check(&self) -> io::Result<()> {
        match self.closed.load(Ordering::Acquire) {
            true => Err(io::Error::other("the message was freed before it was read to its end")),
            false => Ok(()),
        }
    }

    fn owners(&self) -> Vec<Owner> {
        let mut owners = self.mailers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        owners.push(self.stream.clone());
        owners
    }
}

impl Drop for Gates {
    fn drop(&mut self) {
        for gate in &self.0 {
            gate.closed.store(true, Ordering::Release);
            if !gate.stream.is_calling() {
                drop(gate.running.lock().unwrap_or_else(PoisonError::into_inner));
            }
        }
    }
}

/// Octets asked for at once.
const PIECE: usize = 64 * 1024;
