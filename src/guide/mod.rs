//! RFC 6455 in your runtime: how to embed this crate, on one page.
//!
//! Whatever moves your bytes, it does the same few things around a
//! [`Connection`](crate::Connection): read, hand over, write, look at the clock, end well. Each is
//! a snippet here, compiled and run; the programs in `embed/examples` are made of them. Who comes
//! from tungstenite finds their calls in [`tungstenite`].
//!
//! # The loop
//!
//! One read, all of its events, one write. A message that lies whole in the read is lent from it,
//! so it can be answered while it is held; nothing of the read is left over for the next.
//!
//! ```
//! use bytes::BytesMut;
//! use sockless::{Connection, Event, SendError, Want};
//! use std::io::{self, Read, Write};
//!
//! /// Echoes until a Close has passed each way, or the transport has ended.
//! fn echo(stream: &mut (impl Read + Write), connection: &mut Connection) -> io::Result<()> {
//!     let (mut scratch, mut out) = (vec![0; 64 << 10], BytesMut::new());
//!     while connection.want() == Want::Read {
//!         let size = stream.read(&mut scratch)?;
//!         if size == 0 {
//!             return Err(io::ErrorKind::UnexpectedEof.into());
//!         }
//!         let mut input = &mut scratch[..size];
//!         while let Some(event) = connection.receive(&mut input, &mut out) {
//!             let sent = match event {
//!                 Event::Text(text) => connection.send_text(&text, &mut out),
//!                 Event::Binary(data) => connection.send_binary(&data, &mut out),
//!                 _ => Ok(()), // Pongs and Closes are in `out` already
//!             };
//!             // After a Close of our own, messages still come and cannot be answered.
//!             assert!(matches!(sent, Ok(()) | Err(SendError::Closed)));
//!         }
//!         stream.write_all(&out)?;
//!         out.clear();
//!     }
//!     Ok(())
//! }
//! # struct Wire { read: &'static [u8], written: Vec<u8> }
//! # impl Read for Wire {
//! #     fn read(&mut self, to: &mut [u8]) -> io::Result<usize> { self.read.read(to) }
//! # }
//! # impl Write for Wire {
//! #     fn write(&mut self, from: &[u8]) -> io::Result<usize> { self.written.write(from) }
//! #     fn flush(&mut self) -> io::Result<()> { Ok(()) }
//! # }
//! # let read = b"\x81\x82\0\0\0\0hi\x88\x82\0\0\0\0\x03\xe8";
//! # let mut wire = Wire { read, written: Vec::new() };
//! # echo(&mut wire, &mut Connection::server(Default::default()))?;
//! # assert_eq!(wire.written, b"\x81\x02hi\x88\x02\x03\xe8");
//! # Ok::<(), io::Error>(())
//! ```
//!
//! # Opening
//!
//! A handshake takes input as a connection does. When it gives its verdict, what is left of the
//! input is the first frames: hand them to the connection before you read again.
//!
//! ```
//! use bytes::BytesMut;
//! use sockless::handshake::{Accept, Asked, Server};
//! use sockless::{Config, Connection};
//! use std::sync::Arc;
//!
//! enum Stage {
//!     Opening(Option<Server>),
//!     Open(Connection),
//!     Ended, // a refusal, whose response is in `out`: write it, then shut down
//! }
//!
//! /// Takes what one read brought.
//! fn receive(stage: &mut Stage, mut input: &mut [u8], out: &mut BytesMut) {
//!     if let Stage::Opening(handshake) = stage {
//!         let opened = match handshake.as_mut().and_then(|it| it.receive(&mut input, out)) {
//!             None => return,
//!             Some(Asked::Upgrade(request)) => handshake
//!                 .take()
//!                 .and_then(|it| it.accept(Accept::new(&request).prefer(&["chat"]), out).ok()),
//!             Some(_) => None,
//!         };
//!         *stage = opened.map_or(Stage::Ended, |(connection, _agreed)| Stage::Open(connection));
//!     }
//!     if let Stage::Open(connection) = stage {
//!         while let Some(event) = connection.receive(&mut input, out) {
//!             drop(event); // as in the loop above
//!         }
//!     }
//! }
//! # let mut stage = Stage::Opening(Some(Server::new(Arc::new(Config::default()))));
//! # let mut out = BytesMut::new();
//! # let mut bytes = *b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
//! #     Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
//! #     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x89\x81\0\0\0\0p";
//! # receive(&mut stage, &mut bytes, &mut out);
//! # assert!(matches!(stage, Stage::Open(_)) && out.ends_with(b"\r\n\r\n\x8a\x01p"));
//! ```
//!
//! Where this is a function of its own, the borrow of the input ends with it: return how much is
//! left (`size - input.len()..size`), not the slice.
//!
//! Pages of the host and port that is asked may connect, and programs that are no browser; others
//! are refused with a 403, as are those of a server for development on another port, and all where
//! a proxy rewrites `Host`: name them with [`Accept::origins`](crate::handshake::Accept::origins).
//!
//! A client is [`Client::start`](crate::handshake::Client::start), its request written, its answer
//! read, in the same way. Where something else speaks HTTP (hyper, axum, h2),
//! [`Request`](crate::handshake::Request) and [`Asking`](crate::handshake::Asking) are made from
//! what it has parsed (feature `http`: in the types of that crate), and what judges them gives the
//! connection, with what was agreed. [`Connection::server`](crate::Connection::server) is for
//! handshakes that were judged elsewhere: it does not compress unless it is told what they agreed
//! (`with_deflate`).
//!
//! # Buffers
//!
//! The read buffer is yours; one can serve every connection of a thread, since nothing refers to it
//! between reads. So can `out`, where it is written at once and only the rest is kept for a socket
//! that does not take it. 64 KiB of either is a good size for small messages; where many long ones
//! come at a time, fewer and larger reads save up to two fifths (`echo` reads 320 KiB). A message
//! that spans reads has a buffer of its own and comes owned;
//! [`Payload::into_bytes`](crate::Payload::into_bytes) is free then.
//!
//! Such a buffer is made for each message, and moves as the message grows. A loop keeps a
//! [`Pool`](crate::Pool) for all its connections instead, lends what is in it to the one whose turn
//! it is, and takes back what it has done with:
//!
//! ```
//! use bytes::BytesMut;
//! use sockless::{Connection, Pool};
//!
//! fn turn(connection: &mut Connection, pool: &mut Pool, mut input: &mut [u8], out: &mut BytesMut) {
//!     connection.borrow_from(pool);
//!     while let Some(event) = connection.receive(&mut input, out) {
//!         // whatever there is to do with it
//!         connection.recycle(event);
//!     }
//!     connection.return_to(pool);
//! }
//! # let mut connection = Connection::server(Default::default());
//! # let (mut pool, mut out, fragments) = (Pool::new(), BytesMut::new(), [1, 128]);
//! # for first in fragments {
//! #     turn(&mut connection, &mut pool, &mut [first, 130, 0, 0, 0, 0, 65, 65], &mut out);
//! # }
//! # assert!(pool.room() >= 4);
//! ```
//!
//! A binary message of 1 MiB takes 0.6 to 0.8 of the time then, a text 0.85 to 0.95, a compressed
//! one of 140 bytes 0.6. An
//! unfinished message leaves the room at the end of the turn, unless it fills half of it: nobody
//! can hold by a header what another's message has filled.
//!
//! An `async fn next(&mut self) -> Event<'_>` cannot refill, in a loop, the buffer that its event
//! borrows. [`Inbox`](crate::Inbox) holds the buffer for it: `advance`, then `event`.
//!
//! # Backpressure
//!
//! Sends append to `out` and never refuse. The rule that bounds it: **while there is something to
//! write, do not read.** Then `out` holds at most what one read asks for. It is a rule for answers:
//! two sides that both wait to write more than the buffers between them hold, and do not read until
//! then, wait for ever. Who sends much by itself reads meanwhile, up to a limit of what may wait.
//! Pongs keep to a limit by themselves ([`Config::high_water`](crate::Config::high_water)): only
//! the newest is remembered, and `flush` writes it when the backlog is gone.
//!
//! ```
//! use bytes::{Buf, BytesMut};
//! use sockless::Connection;
//! use std::io::{self, ErrorKind, Write};
//!
//! /// Writes what a socket that does not block takes: whether it may be read from.
//! fn write(
//!     socket: &mut impl Write,
//!     connection: &mut Connection,
//!     out: &mut BytesMut,
//! ) -> io::Result<bool> {
//!     while !out.is_empty() {
//!         match socket.write(out) {
//!             Ok(0) => return Err(ErrorKind::WriteZero.into()),
//!             Ok(size) => out.advance(size), // not `clear`: the rest must not be lost
//!             Err(error) if error.kind() == ErrorKind::Interrupted => {}
//!             Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
//!             Err(error) => return Err(error),
//!         }
//!         if out.is_empty() {
//!             connection.flush(out);
//!         }
//!     }
//!     Ok(true)
//! }
//! # let (mut socket, mut out) = ([0_u8; 3], BytesMut::from(&b"\x81\x01a"[..]));
//! # assert!(write(&mut &mut socket[..], &mut Connection::server(Default::default()), &mut out)?);
//! # assert_eq!((&socket, out.len()), (b"\x81\x01a", 0));
//! # Ok::<(), io::Error>(())
//! ```
//!
//! In async code this is `write_buf`, which counts what is gone even if it is cancelled;
//! `write_all` and `clear` would send bytes twice. What you push to others, as in a chat, has no
//! such brake: give each member a queue of [`Prepared`](crate::Prepared), of a fixed length, and
//! drop who falls behind it. They go past `out`, where `high_water` does not see them. Take the
//! bytes of one ([`prepared`](crate::Connection::prepared)) when its turn to be written comes: of
//! those taken earlier some might follow a Close. `examples/server` does so.
//!
//! # Timeouts
//!
//! [`Keepalive`](crate::Keepalive) stands beside the connection and knows every deadline. Wait for
//! the socket or for [`next`](crate::Keepalive::next), whichever is first; then ask what is due.
//!
//! ```
//! use bytes::BytesMut;
//! use sockless::{CloseCode, Config, Connection, Due, Keepalive, Phase, Timeout};
//! use std::time::Duration;
//!
//! /// Does what the time has come for. An error: give the transport up, and say why.
//! fn tick(
//!     connection: &mut Connection,
//!     timers: &mut Keepalive,
//!     now: Duration, // since any origin, the same for all calls
//!     out: &mut BytesMut,
//! ) -> Result<(), Timeout> {
//!     match timers.poll(now) {
//!         Due::Nothing => {}
//!         // Closed already is as good, here and below.
//!         Due::Ping(payload) => _ = connection.ping(&payload, out),
//!         Due::Close(_) => _ = connection.close(CloseCode::GOING_AWAY, "idle", out),
//!         Due::Abort(why) => return Err(why),
//!     }
//!     if !connection.is_open() {
//!         timers.phase(Phase::Closing, now);
//!     }
//!     Ok(())
//! }
//! # let config = std::sync::Arc::new(Config::default());
//! # let mut timers = Keepalive::new(config.clone(), Duration::ZERO);
//! # let (mut connection, mut out) = (Connection::server(config), BytesMut::new());
//! # timers.phase(Phase::Open, Duration::ZERO);
//! # let mut at = |seconds| {
//! #     tick(&mut connection, &mut timers, Duration::from_secs(seconds), &mut out)
//! # };
//! # assert_eq!([at(29), at(30), at(49), at(50)], [Ok(()), Ok(()), Ok(()), Err(Timeout::Pong)]);
//! # assert_eq!(out[..3], [0x89, 8, 0]);
//! ```
//!
//! Tell it what happens: `phase` when the connection opens and once it is that no more
//! ([`is_open`](crate::Connection::is_open)), `heard` for each read, `backlog` for each write that
//! took something and left something, `pong` for each Pong, `active` for messages, and for chunks
//! of one, where `idle_timeout` is set. Ask it while a write waits, too: a peer that takes nothing
//! is found by no read. Code that blocks gives the socket a write timeout for that, and calls
//! `write`, not `write_all`: then `backlog` can be told of each piece, and a peer that reads slowly
//! is not given up. `examples/server` does so.
//!
//! **Read what is there before you ask.** The Pong may lie in the socket since long ago, where one
//! message took you that long; and while you do not read because your own work is not done, say
//! `heard`: that is not the peer's silence.
//!
//! # The end
//!
//! Once [`want`](crate::Connection::want) says `CloseNow`: write, shut down writing, read and drop
//! until the end or a deadline, close. To close at once, with input unread, resets the connection
//! and can destroy the Close on its way. `AwaitEof`, which clients alone are told, is the same
//! without the shutdown: the server ends first, and if it takes too long the Closes have passed all
//! the same. Where a write fails, go on with reading all the same, to the end or a deadline: the
//! peer's Close, which says why, may lie in the socket already.
//!
//! ```
//! use std::io::{self, Read, Write};
//! use std::net::{Shutdown, TcpStream};
//! use std::time::{Duration, Instant};
//!
//! fn end(mut socket: &TcpStream, out: &[u8]) -> io::Result<()> {
//!     socket.set_write_timeout(Some(Duration::from_secs(2)))?; // better: since it was opened
//!     socket.write_all(out)?;
//!     socket.shutdown(Shutdown::Write)?;
//!     let end = Instant::now() + Duration::from_secs(2); // or the timers' `Phase::Closing`
//!     while let Some(left) = end.checked_duration_since(Instant::now()).filter(|it| !it.is_zero()) {
//!         socket.set_read_timeout(Some(left))?;
//!         if socket.read(&mut [0; 4096]).unwrap_or(0) == 0 {
//!             break;
//!         }
//!     }
//!     Ok(())
//! }
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let mut client = TcpStream::connect(listener.local_addr()?)?;
//! # client.write_all(b"never read")?;
//! # client.shutdown(Shutdown::Write)?;
//! # end(&listener.accept()?.0, b"\x88\x02\x03\xe8")?;
//! # let mut got = Vec::new();
//! # client.read_to_end(&mut got)?;
//! # assert_eq!(got, b"\x88\x02\x03\xe8");
//! # Ok::<(), io::Error>(())
//! ```
//!
//! Then [`eof`](crate::Connection::eof) says how it ended: the peer's code and reason, and whether
//! cleanly: a Close of ours counts as sent once it is in `out`, so if that could not be written,
//! it was not. What went wrong on this side is in [`error`](crate::Connection::error), the timer's
//! `Timeout` or the transport's error: log that with it.
//!
//! A server that is to stop takes no more connections, calls `close` with
//! [`GOING_AWAY`](crate::CloseCode::GOING_AWAY) on each that it has, and goes on with the loop:
//! what was sent before still arrives, and the timers' `Phase::Closing` bounds the wait for the
//! answers.
//!
//! # TLS
//!
//! TLS is a transport like any other: hand its plaintext to `receive`, give it `out` to encrypt.
//! The loop at the top takes a `rustls::Stream` as it takes a `TcpStream`; an async one goes where
//! its socket went. Send the server's name (SNI), and end with its `close_notify` before the TCP
//! shutdown.
//!
//! # Compression
//!
//! With feature `deflate`, a policy on each side is all there is to it.
//!
//! ```
//! # #[cfg(feature = "deflate")] {
//! use sockless::{Config, deflate::Policy};
//!
//! let mut config = Config::default();
//! config.deflate = Some(Policy::server()); // a client's: `Policy::client()`
//! # assert!(config.deflate.is_some_and(|policy| policy.server_no_context_takeover));
//! # }
//! ```
//!
//! Messages are compressed each on its own, so an idle connection holds nothing; takeover shrinks
//! small messages further and costs some 300 KiB a connection. Without it a codec is made for each
//! message, which takes longer than a short one takes to compress: a [`Pool`](crate::Pool), as
//! above, lends its codecs too. The limits below count what a message inflates to. Leave secrets
//! uncompressed beside text that others chose (`Connection::compress`).
//!
//! # Limits
//!
//! They are in [`Config`](crate::Config), one value for any number of connections, but for a few
//! that are fixed ([`bounds`](crate::bounds)). What bounds memory has a finite default: 1 MiB a
//! message and a frame, 16 KiB a head; so has each handshake, 10 s. For messages larger than
//! memory, [`Delivery::Streamed`](crate::Delivery::Streamed) hands out pieces as they come, of any
//! length unless you say otherwise. A message in more fragments than 4,096 and one for each 16
//! bytes is refused (`max_fragments`): where a peer sends tokens or lines as they come, in one
//! message that goes on for long, raise that. How many connections there may be is yours to say.
//!
//! ```
//! # use bytes::BytesMut;
//! use sockless::{Config, Connection, Event, ProtocolError};
//!
//! let mut config = Config::default();
//! (config.max_message, config.max_frame) = (100, 100);
//! let mut connection = Connection::server(std::sync::Arc::new(config));
//! let (mut read, mut out) = (*b"\x82\xe5\0\0\0\0", BytesMut::new()); // declares 101 bytes
//! let event = connection.receive(&mut &mut read[..], &mut out);
//! assert_eq!(event, Some(Event::Failed(ProtocolError::FrameTooLarge)));
//! assert_eq!(&out[..], b"\x88\x02\x03\xf1"); // 1009: the peer is told
//! ```
//!
//! # Halves on two tasks
//!
//! [`split`](crate::Connection::split) gives a half that receives and a half that sends, and
//! neither needs a lock. What the one owes the peer goes to the other as a small value, in one
//! slot: a newer one is merged, so nothing queues however many Pings come.
//!
//! ```
//! use bytes::BytesMut;
//! use sockless::{Config, Connection, Reply};
//! use std::sync::{Condvar, Mutex};
//!
//! let connection = Connection::server(std::sync::Arc::new(Config::default()));
//! let (mut receiver, mut sender) = connection.split();
//! let (slot, wake) = (Mutex::new(None::<Reply>), Condvar::new());
//! std::thread::scope(|scope| {
//!     let writer = scope.spawn(|| {
//!         let mut owed = wake.wait_while(slot.lock().unwrap(), |owed| owed.is_none()).unwrap();
//!         let mut out = BytesMut::new();
//!         sender.reply(&owed.take().unwrap(), &mut out);
//!         out // to the socket
//!     });
//!     let mut read = *b"\x89\x81\0\0\0\0a\x89\x81\0\0\0\0b\x88\x80\0\0\0\0";
//!     let (mut input, mut owed) = (&mut read[..], None::<Reply>);
//!     while let Some(event) = receiver.receive(&mut input) {
//!         owed = owed.into_iter().chain(event.reply()).reduce(Reply::merge);
//!     }
//!     {
//!         let mut slot = slot.lock().unwrap(); // what the last read owed may be there still
//!         *slot = slot.take().into_iter().chain(owed).reduce(Reply::merge);
//!     }
//!     wake.notify_one();
//!     assert_eq!(&writer.join().unwrap()[..], b"\x88\x00"); // a Close beats the Pongs
//! });
//! ```
//!
//! A Close in that slot overtakes what waits elsewhere, and nothing can be sent after it: where
//! answers have a queue of their own, put the replies into that, or send what is in it first.
//!
//! [`Keepalive`](crate::Keepalive) goes with the half that sends, since that writes what is due and
//! knows when a Close has passed; the other tells it when it has read, and of Pongs. A slot that
//! holds one Pong keeps that of the last Ping, where its round trip is of interest: one that nobody
//! asked for may come behind it. At the
//! end [`Receiver::eof`](crate::Receiver::eof) has the peer's code and reason,
//! [`Sender::eof`](crate::Sender::eof) whether it ended cleanly. `examples/server/peer.rs` does so
//! on two threads.
//!
//! # Programs to copy from
//!
//! In `embed/examples`, all holding one conversation to the letter: `std_server` and `std_client`
//! (threads), `mio_server` and `mio_client` (readiness), `io_uring_server` (completions), and those
//! on tokio, TLS, axum, hyper, HTTP/2 and HTTP/3. `embed/wasm` is a module for any host of
//! WebAssembly, `embed/firmware` an echo for a microcontroller without an allocator.
//! `examples/echo`, `server` and `wscat` are whole programs.

pub mod tungstenite;
