//! Octets that a function of the host program gives.

use std::ffi::c_void;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use mailbearer::ByteStream;

use crate::ffi::Userdata;

/// Streams whose functions may be called; dropping it waits for a call under way, and lets none follow.
#[derive(Default)]
pub(crate) struct Gates(Vec<Gate>);

/// True once the function may be called no more; held while it runs.
type Gate = Arc<Mutex<bool>>;

impl Gates {
    /// A stream that is open as long as this lives.
    pub(crate) fn stream(
        &mut self,
        read: extern "C" fn(*mut c_void, *mut c_void, usize) -> i64,
        userdata: Userdata,
    ) -> ByteStream {
        let gate = Gate::default();
        self.0.push(gate.clone());
        ByteStream::blocking(move || {
            let closed = gate.lock().unwrap_or_else(PoisonError::into_inner);
            if *closed {
                return Err(io::Error::other("the message was freed"));
            }
            let mut piece = vec![0; PIECE];
            let got = read(userdata.pointer(), piece.as_mut_ptr().cast(), piece.len());
            match usize::try_from(got) {
                Ok(got) if got <= piece.len() => {
                    piece.truncate(got);
                    Ok(piece.into())
                }
                _ => Err(io::Error::other(format!("the read function returned {got}"))),
            }
        })
    }

    /// Takes on those of `others`, and forgets those whose streams are gone.
    pub(crate) fn add(&mut self, mut others: Self) {
        self.0.retain(|gate| Arc::strong_count(gate) > 1);
        self.0.append(&mut others.0);
    }
}

impl Drop for Gates {
    fn drop(&mut self) {
        for gate in &self.0 {
            *gate.lock().unwrap_or_else(PoisonError::into_inner) = true;
        }
    }
}

/// Octets asked for at once.
const PIECE: usize = 64 * 1024;
