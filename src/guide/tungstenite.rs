//! RFC 6455 for users of tungstenite: their calls (0.30) and what takes their place.
//!
//! The difference in one sentence: tungstenite owns the stream and a buffer on each side of it;
//! here you own all three, and a connection is 128 bytes that say what the bytes mean. So what was
//! one call is often two, one that decides and one, yours, that moves bytes; and a runtime needs no
//! fork.
//!
//! | tungstenite | sockless |
//! |---|---|
//! | `connect(url)` | [`Target::parse`], connect and TLS as you like, [`Client::start`], [`Client::receive`]; no redirect is followed: it is an [`Answer::Refused`] |
//! | `client(request, stream)`, `client_with_config` | [`Client::start`] with an [`Offer`] and a [`Config`] |
//! | `ClientRequestBuilder::with_header`, `with_sub_protocol` | [`Offer::field`], [`Offer::subprotocol`]; that the server chooses none is an error only after [`Offer::require_subprotocol`] |
//! | `accept(stream)`, `accept_with_config` | [`Server::receive`], [`Server::accept`]; a page of another host is refused, unless [`Accept::origins`] or [`Accept::any_origin`] says otherwise |
//! | `accept_hdr(stream, callback)` | the [`Request`] is a value: look at it, then [`Accept`] or [`Reject`], now or later; the subprotocol is no field but [`Accept::subprotocol`] |
//! | `HandshakeError::Interrupted(MidHandshake)` | `None` of `receive`: call it again with the next read |
//! | `Error::Http(response)` | [`Answer::Refused`], its content left in the input |
//! | `create_response`, `derive_accept_key` | feature `http`; [`key::accept`] |
//! | `WebSocket::from_raw_socket(stream, role, config)` | [`Connection::server`], [`Connection::client`] |
//! | `WebSocket::from_partially_read(stream, part, ..)` | the same; hand over `part` first, as input |
//! | `get_ref`, `get_mut`, `into_inner` | nothing to take back: the stream is yours |
//! | `read()` | your read, then [`receive`](Connection::receive) until `None` |
//! | `Message::Text`, `Binary`, `Ping`, `Pong`, `Close` | [`Event`] of the same names, lent from your buffer; [`into_owned`](Event::into_owned) keeps one |
//! | `Message::Frame`, `MessageType` | module [`frame`](crate::frame); [`Kind`] |
//! | `send(message)` | [`send_text`](Connection::send_text), [`send_binary`](Connection::send_binary), [`ping`](Connection::ping), [`pong`](Connection::pong), then your write |
//! | `write(message)`, `flush()` | the same, then your write when you like: sends append to `out` |
//! | `Error::WriteBufferFull`, `max_write_buffer_size` | while `out` is not empty, do not read ([the guide](super#backpressure)) |
//! | a Pong that is queued for the next call | in `out` when `receive` returns |
//! | `close(Some(CloseFrame { code, reason }))` | [`close(code, reason, out)`](Connection::close), then read on; for `close(None)`, `CloseCode::NORMAL` and no reason |
//! | `Error::ConnectionClosed` | [`want`](Connection::want) is no more `Read`; then [`eof`](Connection::eof) says how it ended |
//! | `ProtocolError::ResetWithoutClosingHandshake` | a read of no bytes while `want` is `Read`; then `eof` says so: not `clean`, 1006 |
//! | `Error::AlreadyClosed`, `SendAfterClosing` | [`SendError::Closed`]; nothing was written |
//! | `can_read`, `can_write` | [`want`](Connection::want) is `Read`; [`is_open`](Connection::is_open) |
//! | `Error::Protocol`, `Utf8`, `Capacity` | [`Event::Failed`], after all that was good; the Close with its code is in `out` |
//! | `Error::Io`, `Tls` | yours: nothing here reads or writes |
//! | `Error::Url` | [`TargetError`](crate::handshake::TargetError) |
//! | `WebSocketConfig::max_message_size`, `max_frame_size` (64 and 16 MiB) | [`Config::max_message`], [`Config::max_frame`] (1 MiB each) |
//! | no limit of fragments | [`Config::max_fragments`]: 4,096 and one for each 16 bytes |
//! | `read_buffer_size`, `write_buffer_size` (128 KiB each, for each connection) | your buffers, one of each for a thread |
//! | `accept_unmasked_frames` | none: a client must mask |
//! | `set_config` on an open socket | a connection keeps the [`Config`] that it began with; [`Accept::config`] chooses by request |
//! | no pings of its own, no timeouts | [`Keepalive`](crate::Keepalive) |
//! | no compression | feature `deflate`, `Config::deflate` |
//! | a `Mutex` or tokio-tungstenite's `split` | [`Connection::split`]: two halves, no lock |
//! | a message cloned for each member | [`Prepared`](crate::Prepared) |
//!
//! # An echo, before and after
//!
//! ```text
//! let mut socket = accept(stream)?;                          // tungstenite
//! loop {
//!     let message = socket.read()?;
//!     if message.is_text() || message.is_binary() { socket.send(message)?; }
//! }
//! ```
//!
//! ```
//! use bytes::BytesMut;
//! use sockless::handshake::{Accept, Asked, Server};
//! use sockless::{Connection, Event, Want};
//! use std::io::{self, ErrorKind, Read, Write};
//!
//! fn echo(mut stream: impl Read + Write) -> io::Result<()> {
//!     let (mut scratch, mut out) = (vec![0; 64 << 10], BytesMut::new());
//!     let (mut handshake, mut connection) = (Some(Server::new(Default::default())), None);
//!     loop {
//!         let size = stream.read(&mut scratch)?;
//!         let mut input = &mut scratch[..size];
//!         match handshake.as_mut().and_then(|server| server.receive(&mut input, &mut out)) {
//!             None => {}
//!             Some(Asked::Upgrade(request)) => {
//!                 let accepted = handshake.take().unwrap().accept(Accept::new(&request), &mut out);
//!                 connection = accepted.ok().map(|(connection, _agreed)| connection);
//!             }
//!             Some(_) => handshake = None, // refused, and `out` says why
//!         }
//!         if let Some(connection) = &mut connection {
//!             while let Some(event) = connection.receive(&mut input, &mut out) {
//!                 match event {
//!                     Event::Text(text) => connection.send_text(&text, &mut out),
//!                     Event::Binary(data) => connection.send_binary(&data, &mut out),
//!                     _ => Ok(()),
//!                 }
//!                 .map_err(io::Error::other)?;
//!             }
//!         }
//!         stream.write_all(&out)?;
//!         out.clear();
//!         let open = connection.as_ref().is_some_and(|it: &Connection| it.want() == Want::Read);
//!         if size == 0 || !(open || handshake.is_some()) {
//!             // Shut down as the guide says: to drop the socket here can reset what was written.
//!             return match connection.map(|mut it| (it.error(), it.eof())) {
//!                 Some((Some(error), _)) => Err(io::Error::other(error)), // it was `Err` of `read`
//!                 Some((None, closed)) if !closed.clean => Err(ErrorKind::UnexpectedEof.into()),
//!                 _ => Ok(()), // a refused handshake, too: `out` said why
//!             };
//!         }
//!     }
//! }
//! # struct Wire<'a>(&'a [u8], &'a mut Vec<u8>);
//! # impl Read for Wire<'_> {
//! #     fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
//! #         let size = to.len().min(7);
//! #         self.0.read(&mut to[..size])
//! #     }
//! # }
//! # impl Write for Wire<'_> {
//! #     fn write(&mut self, from: &[u8]) -> io::Result<usize> { self.1.write(from) }
//! #     fn flush(&mut self) -> io::Result<()> { Ok(()) }
//! # }
//! # let mut written = Vec::new();
//! # echo(Wire(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
//! #     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\
//! #     \x81\x82\0\0\0\0hi\x88\x82\0\0\0\0\x03\xe8", &mut written))?;
//! # assert!(written.ends_with(b"\r\n\r\n\x81\x02hi\x88\x02\x03\xe8"));
//! # written.clear();
//! # let opening = *b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
//! #     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
//! # assert_eq!(echo(Wire(&opening, &mut written)).unwrap_err().kind(), ErrorKind::UnexpectedEof);
//! # let wrong = [&opening[..], b"\x81\x81\0\0\0\0\xff"].concat();
//! # let error = echo(Wire(&wrong, &mut written)).unwrap_err();
//! # assert_eq!(error.kind(), ErrorKind::Other);
//! # written.clear();
//! # let mut refused = Wire(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n0123456789", &mut written);
//! # echo(&mut refused)?;
//! # assert!(!refused.0.is_empty(), "a refusal is the end");
//! # assert!(written.starts_with(b"HTTP/1.1 426 "));
//! # Ok::<(), io::Error>(())
//! ```

#[cfg(doc)]
use crate::config::Config;
#[cfg(doc)]
use crate::connection::Connection;
#[cfg(doc)]
use crate::error::SendError;
#[cfg(doc)]
use crate::event::Event;
#[cfg(doc)]
use crate::frame::Kind;
#[cfg(doc)]
use crate::handshake::{Accept, Answer, Client, Offer, Reject, Request, Server, Target, key};
