//! RFC 7692: the permessage-deflate extension, its parameters and its codec.
//!
//! [`Policy`] says what a side wants; [`Offer`] and [`Params`] are what the two sides say to each
//! other (section 7.1); a [`Context`] is what follows from them for one direction. [`Inflater`] and
//! [`Deflater`] turn the payload of a message into another (section 7.2). Frames, the RSV1 bit and
//! UTF-8 are not their business, nor is anything kept here between calls: this room knows no
//! connection.
//!
//! Invariant: without context takeover nothing outlives a message but a codec that is lent, which
//! has forgotten it.
//!
//! # What it costs
//!
//! A codec owns heap while it lives: for the time of a message without context takeover, as long as
//! the connection with it. An [`Inflater`] owns 47 KiB, whatever the window: zlib-rs always keeps
//! 32 KiB of history. A [`Deflater`] owns 132 KiB, and 4 bytes for each of its window, and
//! 7 × 2^([`memory`](Policy::memory) + 6) bytes, at any level. In KiB:
//!
//! | window bits | 8, 9 | 10 | 11 | 12 | 13 | 14 | 15 |
//! |---|---|---|---|---|---|---|---|
//! | `memory` 8, the default | 246 | 248 | 252 | 260 | 276 | 308 | 372 |
//! | `memory` 7 | 190 | 192 | 196 | 204 | 220 | 252 | 316 |
//! | `memory` 5 | 148 | 150 | 154 | 162 | 178 | 210 | 274 |
//! | `memory` 1 | 135 | 137 | 141 | 149 | 165 | 197 | 261 |
//!
//! Of the stack, zlib-rs takes 5.3 KB to make an inflater, and as much to compress (32-bit Arm,
//! optimised for size).
//!
//! Without context takeover, those of a [`Pool`](crate::Pool), lent to one connection after the
//! other, save the 6 µs and 0.5 µs in which these two are made, a third of what a message of 1 KiB
//! takes to be compressed.
//!
//! With the feature `std` this comes from the global allocator. Without it, zlib-rs calls the C
//! functions `posix_memalign`, `calloc` and `free` (off Unix, `malloc` for the first), which the
//! program must then have.
//!
//! # After 4 GiB
//!
//! zlib-rs 0.6 counts the octets on the compressed side of a context in C's `unsigned long`. Where
//! that has 32 bits (32-bit targets, and Windows) and the build checks arithmetic for overflow, as
//! debug builds do, it panics when 4 GiB of them have gone through one context: over messages if
//! it is taken over, or in a single one that is streamed. Without the checks the count begins
//! again, and nothing depends on it.

mod codecs;
mod context;
mod deflater;
mod effort;
mod inflater;
mod params;
mod policy;
mod spare;
pub(crate) mod stored;

pub(crate) use codecs::Codecs;
pub use context::{Context, Contexts, WindowBits};
pub use deflater::Deflater;
pub(crate) use effort::Effort;
pub use inflater::{InflateError, Inflater, Limits, Progress};
pub use params::{NAME, Offer, Params, ParamsError};
pub use policy::Policy;
