//! State that a forked child must not share with its parent.
//!
//! After `fork` only the forking thread lives on: locks may be held for ever by threads that are gone,
//! sockets and the I/O driver are shared with the parent. So all mutable state is reached through a
//! [`ForkCell`], which gives a child a fresh value and never touches, and never drops, the old one.

use std::process;

use once_cell::race::OnceBox;

/// A value per process: made on first use, made anew in a forked child.
///
/// Nobody ever waits for it: two threads may make it at once, and one of the two is dropped. A child that
/// was forked while another thread was making it would wait for that thread for ever.
pub struct ForkCell<T>(OnceBox<Node<T>>);

impl<T> Default for ForkCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

struct Node<T> {
    pid: u32,
    /// Always `Some`, but while it is dropped.
    value: Option<Box<T>>,
    child: OnceBox<Self>,
}

impl<T> ForkCell<T> {
    /// An empty cell.
    pub const fn new() -> Self {
        Self(OnceBox::new())
    }

    /// This process's value; `make` is given the parent's, which it may read only by `try_lock`.
    pub fn get(&self, make: impl Fn(Option<&T>) -> T) -> &T {
        let pid = process::id();
        let mut node = self.0.get_or_init(|| Box::new(Node::new(pid, make(None))));
        // As long as the chain of forks that used this value; each link is another process.
        while node.pid != pid {
            node = node.child.get_or_init(|| Box::new(Node::new(pid, make(node.value.as_deref()))));
        }
        // `value` is taken in `drop` alone.
        node.value.as_deref().unwrap_or_else(|| unreachable!("a live node has its value"))
    }

    /// This process's value, if it was made.
    pub fn peek(&self) -> Option<&T> {
        let pid = process::id();
        let mut node = self.0.get()?;
        while node.pid != pid {
            node = node.child.get()?;
        }
        node.value.as_deref()
    }
}

impl<T> Node<T> {
    fn new(pid: u32, value: T) -> Self {
        Self { pid, value: Some(Box::new(value)), child: OnceBox::new() }
    }
}

impl<T> Drop for Node<T> {
    fn drop(&mut self) {
        if self.pid != process::id() {
            // The parent's value: dropping it here would close its connections' registrations.
            std::mem::forget(self.value.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_made_once_and_peek_makes_none() {
        let cell = ForkCell::new();
        assert!(cell.peek().is_none());
        assert_eq!(*cell.get(|_| 1), 1);
        assert_eq!(*cell.get(|_| 2), 1);
        assert_eq!(cell.peek(), Some(&1));
    }
}
