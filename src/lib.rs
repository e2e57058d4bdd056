//! The WebSocket protocol, without the socket: RFC 6455 for both roles, as a state machine that
//! does no I/O.
//!
//! ```text
//!             bytes read                                   bytes to write
//!                 │                                              ▲
//!  ┌──────────────┼──────────────────────────────────────────────┼─────────────┐
//!  │  handshake   │   Server, Client: a head in, a decision, a head out        │
//!  ├──────────────▼──────────────────────────────────────────────┼─────────────┤
//!  │              input: &mut &mut [u8]              out: &mut BytesMut        │
//!  │                 │                                           │             │
//!  │              Receiver ── Event::reply(): Pong, Close ──▶ Sender           │
//!  │                 │                                           ▲             │
//!  └─────────────────┼────────────── Connection ─────────────────┼─────────────┘
//!                    ▼                                           │
//!         Event: Text, Binary, Close ..              send_text, ping, close ..
//! ```
//!
//! Bytes go in; events and bytes to send come out. Sockets, TLS, clocks, threads and the event loop
//! are yours, so it fits wherever bytes can be read and written: [`guide`] says how, on one page,
//! and [`guide::tungstenite`] has the calls of that crate beside ours.
//!
//! # The loop
//!
//! ```
//! # #[cfg(feature = "alloc")] fn main() {
//! use bytes::BytesMut;
//! use sockless::{Config, Connection, Event, ProtocolError, SendError, Want};
//!
//! /// Handles what one read brought: `read` may serve every connection of a thread, and so may
//! /// `out` once it is written.
//! fn handle(connection: &mut Connection, read: &mut [u8], out: &mut BytesMut) {
//!     let mut input = read;
//!     while let Some(event) = connection.receive(&mut input, out) {
//!         let sent = match event {
//!             Event::Text(text) => connection.send_text(&text, out), // `text` borrows `read`
//!             Event::Binary(data) => connection.send_binary(&data, out),
//!             Event::Failed(error) => Ok(eprintln!("the peer broke a rule: {error}")),
//!             _ => Ok(()), // Pong and Close replies are in `out` already
//!         };
//!         // After a Close of our own, messages still come and cannot be answered: read on.
//!         assert!(matches!(sent, Ok(()) | Err(SendError::Closed)));
//!     }
//! }
//!
//! let mut connection = Connection::server(std::sync::Arc::new(Config::default()));
//! let mut out = BytesMut::new();
//! // "good", a Ping, and a frame with a reserved bit; the masking keys are zero.
//! let mut read = *b"\x81\x84\0\0\0\0good\x89\x81\0\0\0\0p\xf0 what follows is not looked at";
//! handle(&mut connection, &mut read, &mut out);
//!
//! // Nothing is lost: the reply, the Pong, and the Close that names the failure, in that order.
//! assert_eq!(&out[..], b"\x81\x04good\x8a\x01p\x88\x02\x03\xea");
//! assert_eq!(connection.error(), Some(ProtocolError::ReservedBits));
//! assert_eq!(connection.want(), Want::CloseNow);
//! # }
//! # #[cfg(not(feature = "alloc"))] fn main() {}
//! ```
//!
//! # The contract
//!
//! * **Your buffers.** A message in one frame whose payload lies whole in `input` is unmasked there
//!   and handed out as a borrow of it, never of the connection. What spans reads is copied once,
//!   into a buffer of its own, which a loop can lend ([`Pool`]), and handed out owned.
//! * **Input is wholly consumed**: loop until `None`, also when the input is empty already. How the
//!   bytes were chopped changes nothing.
//! * **A failure is an event**, the last one. What came before it comes out first, and its Close is
//!   in `out`. Caller mistakes are [`SendError`]s: they write nothing and change nothing.
//! * **Everything that is held is bounded** by [`Config`]; nothing is reserved for a length that
//!   was only declared. An idle connection is at most 128 bytes, and owns no heap unless it has
//!   agreed to take a compression context over. [`bounds`] has every limit, and the most that they
//!   add up to.
//!
//! # Writing
//!
//! Sends append to `out` and never refuse for want of room: a caller with a backlog stops reading.
//! While `out` holds more than [`Config::high_water`], only the newest Ping is remembered; when it
//! is drained, write what [`Connection::flush`] adds. In async code drain with `write_buf`: a
//! `write_all` that is cancelled before the `clear` after it sends bytes twice.
//!
//! # Closing
//!
//! Write `out`, then do as [`Connection::want`] says. To close a TCP connection without losing the
//! Close frame that is on its way: shut down writing, read and drop until the end or a short
//! deadline, close. When the transport ends, [`Connection::eof`] says how the connection ended.
//! [`Keepalive`] says when to ping and when to stop waiting, given the time.
//!
//! # Opening
//!
//! [`handshake::Server`] and [`handshake::Client`] take the HTTP/1.1 heads and give a
//! [`Connection`]. Where something else speaks HTTP, [`handshake::Request`] and
//! [`handshake::Asking`] take what it has parsed, by the same rules: the pseudo-header fields of
//! HTTP/2 and HTTP/3, and with feature `http` any request;
//! [`Connection::server`] and [`Connection::client`] start from where all of that is done.
//!
//! # Compressing
//!
//! With feature `deflate`, a policy in `Config::deflate` is all it takes: the handshakes offer or
//! choose, the connection compresses what is long enough and inflates what comes, within the same
//! limits. Without context takeover, the default, nothing is held between messages, and a loop can
//! lend all its connections one pair of codecs ([`Pool`]). A secret should not be compressed beside
//! text that others chose: `Connection::compress` leaves messages as they are.
//!
//! # What is left to the caller
//!
//! * TLS for `wss`, with SNI, before the first byte; proxies; name resolution (RFC 6455 section
//!   4.1). At most one connection to an address may be connecting at a time: queue the rest.
//! * After an abnormal end, reconnect after a random delay of some seconds, then longer ones
//!   (section 7.2.3).
//! * The number of connections, and authentication. `Origin` is checked, by default against the
//!   host that was asked; but programs that are no browser write into it what they like (section
//!   10.1).
//! * Relaying frames: this is an endpoint. An intermediary has rules of its own (section 5.4).
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `std` | yes | the widest vectors that the CPU has; a block of entropy for each thread; implies `alloc` |
//! | `alloc` | by `std` | messages: all but [`frame`], [`mask`], [`utf8`], [`close`], [`handshake::key`], [`Config`], [`Keys`], [`Role`] and the errors; for targets that have `alloc::sync::Arc` |
//! | `getrandom` | yes | [`Keys::system`]: masking keys from the operating system; where there is none (`wasm32-unknown-unknown`) leave it out, and use [`Keys::new`], or in a browser turn on `wasm_js` of `getrandom` 0.4 |
//! | `sha1` | yes | `Sec-WebSocket-Accept` by the CPU's instructions for SHA-1, where it has them |
//! | `simdutf8` | yes | a SIMD validator for text that is not ASCII |
//! | `http` | no | the handshakes in the types of crate `http`, for hyper, axum and h2 |
//! | `deflate` | no | permessage-deflate (RFC 7692): [`Config::deflate`] and module `deflate` |
#![cfg_attr(not(test), no_std)]
// docs.rs sets it: each item says there which feature it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
// The pages speak of what every feature adds, also where one is left out.
#![cfg_attr(
    not(all(feature = "deflate", feature = "getrandom", feature = "std")),
    allow(rustdoc::broken_intra_doc_links)
)]
#![deny(unsafe_code, unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]
#![warn(unreachable_pub)]
// No panic is reachable from peer bytes, and no length is cut in silence.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
#![deny(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[cfg(any(feature = "alloc", test))]
extern crate alloc;
#[cfg(all(feature = "std", not(test)))]
extern crate std;

pub mod close;
#[cfg(feature = "deflate")]
pub mod deflate;
pub mod frame;
#[cfg(all(any(doc, doctest), feature = "alloc"))]
pub mod guide;
pub mod handshake;
pub mod mask;
pub mod utf8;

#[cfg(any(doc, feature = "alloc"))]
#[doc = include_str!("bounds.md")]
pub mod bounds {}

mod config;
mod error;
mod keys;
mod role;

#[cfg(feature = "alloc")]
mod assembler;
#[cfg(feature = "alloc")]
mod closing;
#[cfg(feature = "alloc")]
mod compression;
#[cfg(feature = "alloc")]
mod connection;
#[cfg(feature = "alloc")]
mod control;
#[cfg(feature = "alloc")]
mod draft;
#[cfg(feature = "alloc")]
mod event;
#[cfg(feature = "alloc")]
mod inbox;
#[cfg(feature = "alloc")]
mod keepalive;
#[cfg(feature = "alloc")]
mod masked;
#[cfg(feature = "alloc")]
mod payload;
#[cfg(feature = "alloc")]
mod pool;
#[cfg(feature = "alloc")]
mod prepared;
#[cfg(feature = "alloc")]
mod receiver;
#[cfg(feature = "alloc")]
mod reply;
#[cfg(feature = "alloc")]
mod sender;
#[cfg(feature = "alloc")]
mod single;

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
    pool::Pool,
    prepared::Prepared,
    receiver::Receiver,
    reply::Reply,
    sender::Sender,
};
