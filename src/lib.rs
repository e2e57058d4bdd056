//! The WebSocket protocol, without the socket.
#![cfg_attr(not(test), no_std)]
#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod close;
pub mod config;
pub mod error;
pub mod frame;
pub mod keys;
pub mod mask;
pub mod role;
pub mod utf8;
pub use close::*;
pub use config::*;
pub use error::*;
pub use keys::Keys;
pub use role::Role;
