//! RFC 6455 section 4: the opening handshake over HTTP/1.1, both halves.
//!
//! ```text
//! server:  Server::receive --> Asked::Upgrade(Request) --> Accept --> Server::accept --> Connection
//!                                                     \--> Reject --> Server::reject
//! client:  Target --> Offer --> Client::start --> Client::receive --> Answer::Open(Connection)
//! ```
//!
//! Each half is a type of its own, consumed by the connection that it becomes. No other part of
//! HTTP is here: no body, no second request, no redirect is followed.
//!
//! Where a host speaks HTTP, [`Request`] and [`Asking`] are made from what it has parsed and its
//! answers are [`ResponseParts`]: of an extended CONNECT in HTTP/2 and HTTP/3 ([`PseudoHeaders`]),
//! and with feature `http` of the types of that crate. [`key`] has no need of an allocator.
//!
//! # HTTP/2 and HTTP/3
//!
//! An extended CONNECT opens one stream among others, and frames run on it as if it were a TCP
//! connection, masked by the client (RFC 8441 section 5, RFC 9220). As a server the host sends
//! `SETTINGS_ENABLE_CONNECT_PROTOCOL` (0x8) with the value 1, and never takes it back.
//!
//! | on the stream | for the connection |
//! |---|---|
//! | DATA | input and output |
//! | END_STREAM, FIN | the end of the transport: [`Connection::eof`](crate::Connection::eof) |
//! | RST_STREAM, a reset | the same, and unclean unless both Close frames had passed |
//! | to give up | RST_STREAM with CANCEL (0x8), or H3_REQUEST_CANCELLED (0x10c) |
//!
//! Invariant: how the input was cut never matters, and what comes after a head is never read as
//! part of it: it stays in the input.

#[cfg(feature = "alloc")]
mod accept;
#[cfg(feature = "alloc")]
mod agreement;
#[cfg(feature = "alloc")]
mod asking;
#[cfg(feature = "alloc")]
mod authority;
#[cfg(feature = "alloc")]
mod awaited;
#[cfg(feature = "alloc")]
mod class;
#[cfg(feature = "alloc")]
mod client;
#[cfg(feature = "alloc")]
mod error;
#[cfg(feature = "alloc")]
mod extended;
#[cfg(feature = "alloc")]
mod extensions;
#[cfg(feature = "alloc")]
mod facts;
#[cfg(feature = "alloc")]
mod field;
#[cfg(feature = "alloc")]
mod fields;
#[cfg(feature = "alloc")]
mod head;
#[cfg(feature = "http")]
mod http;
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
mod parts;
#[cfg(feature = "alloc")]
mod refusal;
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
mod terms;
#[cfg(feature = "alloc")]
mod tunnel;
#[cfg(feature = "alloc")]
mod written;

#[cfg(feature = "alloc")]
pub use self::{
    accept::{Accept, Agreed},
    asking::Asking,
    client::{Answer, Client},
    error::{AcceptError, RequestError, ResponseError},
    extensions::{Extension, Params},
    field::FieldError,
    fields::Fields,
    offer::Offer,
    parts::{PseudoHeaders, RequestParts, ResponseParts},
    refusal::Refusal,
    reject::Reject,
    request::{PlainRequest, Request},
    response::Response,
    server::{Asked, Server},
    target::{Target, TargetError},
    tunnel::{Tunnel, Tunneled},
};
