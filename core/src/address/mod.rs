//! Addresses and mailboxes: `addr-spec`, display names and lists of them (RFC 5322 §3.4), encoded words (RFC 2047).
//!
//! What is read here is checked once: no control character gets through, in any encoding.

pub(crate) mod addr_spec;
pub(crate) mod address_list;
pub(crate) mod encoded_word;
mod mailbox;

pub use mailbox::MailboxOption;
pub(crate) use mailbox::{Mailbox, quoted};
