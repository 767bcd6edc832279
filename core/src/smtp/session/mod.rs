//! One connection's life: dialled, greeted, secured, signed in ([`sign_on`]), and then worked by the task that owns
//! its socket ([`connection`]). What is said there is decided in `protocol`.

pub(crate) mod bearer;
pub(crate) mod connection;
pub(crate) mod sign_on;
pub(crate) mod wire;
