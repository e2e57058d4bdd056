//! RFC 6455 section 4: the opening handshake over HTTP/1.1, both halves.
//!
//! ```text
//! server:  Server::receive --> Asked::Upgrade(Request) --> Accept --> Server::accept --> Connection
//!                                                     \--> Reject --> Server::reject
//! client:  Target --> Offer --> Client::start --> Client::receive --> Answer::Open(Connection)
//! ```
//!
//! Each half is a type of its own, consumed by the connection that it becomes. No other part of
//! HTTP is here: no body, no second request, no redirect is followed. Hosts that have parsed the
//! request already need [`key`] only, which has no need of an allocator.
//!
//! Invariant: how the input was cut never matters, and what comes after a head is never read as
//! part of it: it stays in the input.

#![allow(clippy::mut_mut, reason = "`input` is taken from, as by `impl Read for &[u8]`")]

#[cfg(feature = "alloc")]
mod accept;
#[cfg(feature = "alloc")]
mod agreement;
#[cfg(feature = "alloc")]
mod authority;
#[cfg(feature = "alloc")]
mod client;
#[cfg(feature = "alloc")]
mod error;
#[cfg(feature = "alloc")]
mod extensions;
#[cfg(feature = "alloc")]
mod facts;
#[cfg(feature = "alloc")]
mod field;
#[cfg(feature = "alloc")]
mod head;
pub mod key;
#[cfg(feature = "alloc")]
mod list;
#[cfg(feature = "alloc")]
mod name;
#[cfg(feature = "alloc")]
mod offer;
#[cfg(feature = "alloc")]
mod origin;
#[cfg(feature = "alloc")]
mod reject;
#[cfg(feature = "alloc")]
mod request;
#[cfg(feature = "alloc")]
mod response;
#[cfg(feature = "alloc")]
mod server;
#[cfg(feature = "alloc")]
mod target;

#[cfg(feature = "alloc")]
pub use self::{
    accept::{Accept, Agreed},
    client::{Answer, Client},
    error::{AcceptError, RequestError, ResponseError},
    extensions::{Extension, Params},
    field::FieldError,
    head::Fields,
    offer::Offer,
    reject::Reject,
    request::{PlainRequest, Request},
    response::Response,
    server::{Asked, Server},
    target::{Target, TargetError},
};
