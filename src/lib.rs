//! The WebSocket protocol, without the socket.
#![cfg_attr(not(test), no_std)]
#![warn(unreachable_pub)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(all(feature = "std", feature = "getrandom", not(test)))]
extern crate std;

pub mod close;
pub mod frame;
pub mod mask;
pub mod utf8;

mod config;
mod error;
mod keys;
mod role;

#[cfg(feature = "alloc")]
mod assembler;
#[cfg(feature = "alloc")]
mod closing;
#[cfg(feature = "alloc")]
mod connection;
#[cfg(feature = "alloc")]
mod control;
#[cfg(feature = "alloc")]
mod event;
#[cfg(feature = "alloc")]
mod inbox;
#[cfg(feature = "alloc")]
mod keepalive;
#[cfg(feature = "alloc")]
mod payload;
#[cfg(feature = "alloc")]
mod prepared;
#[cfg(feature = "alloc")]
mod receiver;
#[cfg(feature = "alloc")]
mod reply;
#[cfg(feature = "alloc")]
mod sender;

pub use close::{CloseCode, CloseReason, Closed};
pub use config::{Config, Delivery};
pub use error::{ProtocolError, SendError};
pub use frame::Kind;
pub use keys::Keys;
pub use role::Role;

#[cfg(feature = "alloc")]
pub use {
    closing::Want,
    connection::Connection,
    event::{Chunk, Close, Event},
    inbox::Inbox,
    keepalive::{Due, Keepalive, Phase, Timeout},
    payload::{Payload, Text},
    prepared::Prepared,
    receiver::Receiver,
    reply::Reply,
    sender::Sender,
};
