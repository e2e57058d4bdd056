//! RFC 6455 sections 5 to 7: an open connection, the two halves held together.
//!
//! Glue: what arrives goes to the receiving half, what that obliges goes to the sending half. It
//! decides nothing that a half does not know. How the connection came to be open is the
//! handshake's business.
//!
//! Invariant: what an event obliges is in the output before the event is handed out.

use crate::close::{CloseCode, Closed};
use crate::closing::Want;
#[cfg(feature = "deflate")]
use crate::compression::{Deflation, Inflation};
use crate::config::Config;
#[cfg(feature = "deflate")]
use crate::deflate::Contexts;
use crate::error::{ProtocolError, SendError};
use crate::event::Event;
use crate::frame::{HeaderBytes, Kind};
use crate::keys::Keys;
use crate::mask::Mask;
use crate::pool::Pool;
use crate::prepared::Prepared;
use crate::receiver::Receiver;
use crate::role::Role;
use crate::sender::Sender;
use crate::single::Single;
use crate::utf8;
use alloc::sync::Arc;
use bytes::{Bytes, BytesMut};
use core::{fmt, mem};

/// An open WebSocket connection, without its transport.
///
/// It holds at most 128 bytes, and no heap while nothing is incomplete, unless compression contexts
/// are taken over. The caller owns the input, which is unmasked in place, and the output, which is
/// only appended to; one of each can serve every connection of a thread.
///
/// ```
/// use bytes::BytesMut;
/// use sockless::{Config, Connection, Event, Want};
///
/// let mut connection = Connection::server(std::sync::Arc::new(Config::default()));
/// let mut out = BytesMut::new();
///
/// // "Hello", a Ping and a Close from a client whose masking keys are zero.
/// let mut read = *b"\x81\x85\0\0\0\0Hello\x89\x81\0\0\0\0p\x88\x82\0\0\0\0\x03\xe8";
/// let mut input = &mut read[..];
/// while let Some(event) = connection.receive(&mut input, &mut out) {
///     if let Event::Text(text) = event {
///         connection.send_text(&text, &mut out)?; // `text` borrows `read`
///     }
/// }
/// assert_eq!(&out[..], b"\x81\x05Hello\x8a\x01p\x88\x02\x03\xe8");
/// assert_eq!(connection.want(), Want::CloseNow);
/// # Ok::<(), sockless::SendError>(())
/// ```
pub struct Connection {
    receiver: Receiver,
    sender: Sender,
}

impl Connection {
    /// The server's side of a connection whose handshake was done elsewhere. It does not compress,
    /// whatever [`Config::deflate`] says, unless it is told what was agreed (`with_deflate`).
    pub fn server(config: Arc<Config>) -> Self {
        Self { sender: Sender::new(&config, None), receiver: Receiver::server(config) }
    }

    /// The client's side of a connection whose handshake was done elsewhere. It does not compress,
    /// as for [`server`](Self::server).
    pub fn client(config: Arc<Config>, keys: Keys) -> Self {
        Self { sender: Sender::new(&config, Some(keys)), receiver: Receiver::client(config) }
    }

    /// The same connection with compression, as its handshake agreed (RFC 7692): `contexts` are
    /// [`Policy::server_contexts`](crate::deflate::Policy::server_contexts) of the answer, or
    /// [`client_contexts`](crate::deflate::Policy::client_contexts). The limits and the threshold
    /// are those of [`Config::deflate`]: set it to that policy, or the defaults hold, and
    /// [`Config::worst_case`] does not count what inflating takes.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn with_deflate(self, contexts: Contexts) -> Self {
        let deflation = Deflation::new(contexts.deflate, self.receiver.config());
        Self {
            receiver: self.receiver.with_inflation(Inflation::new(contexts.inflate)),
            sender: self.sender.with_deflation(deflation),
        }
    }

    /// The next event in `input`, which is left with what follows it; `None` when all of `input` is
    /// consumed. Pings, the peer's Close and its mistakes are answered in `out`, after a Pong that
    /// was held back, if `out` has room for it again.
    ///
    /// Call it until `None`, also when `input` is already empty. After [`Event::Close`] and
    /// [`Event::Failed`] all further input is discarded.
    ///
    /// The slice is moved on, so bind it before the loop: `&mut &mut read[..]` in the condition of
    /// a `while` would begin with the first frame again each time.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "half the time of a small message is a call's")]
    pub fn receive<'b>(
        &mut self,
        input: &mut &'b mut [u8],
        out: &mut BytesMut,
    ) -> Option<Event<'b>> {
        if !self.sender.pending() || !self.sender.has_room(out) {
            // Each returns by itself, so that an event is built where the caller looks at it.
            match Single::kind(input) {
                Some(Kind::Binary) => {
                    if let Some(Single { key, payload }) = self.receiver.single(input) {
                        Mask::new(key).unmask(payload);
                        return Some(Event::Binary(payload.into()));
                    }
                }
                Some(Kind::Text) => {
                    if let Some(Single { key, payload }) = self.receiver.single(input) {
                        return match utf8::unmask(Mask::new(key), payload) {
                            Some(text) => Some(Event::Text(text.into())),
                            None => Some(self.refuse(out)),
                        };
                    }
                }
                None => {}
            }
        }
        let (event, rest) = self.receive_any(mem::take(input), out);
        *input = rest;
        event
    }

    /// Takes the input itself, not where it is kept, so that this can be two registers in the
    /// caller's loop: each message waits to know where the one before it ends. Cold, so that this
    /// call lies outside of that loop: whatever comes here costs more than a jump.
    #[cold]
    #[inline(never)]
    fn receive_any<'b>(
        &mut self,
        mut input: &'b mut [u8],
        out: &mut BytesMut,
    ) -> (Option<Event<'b>>, &'b mut [u8]) {
        self.sender.flush(out);
        if self.receiver.is_done(input) {
            return (None, input);
        }
        let event = self.receiver.receive_any(&mut input);
        if let Some(event) = &event {
            self.answer(event, out);
        }
        (event, input)
    }

    /// A text was not UTF-8.
    #[cold]
    fn refuse<'b>(&mut self, out: &mut BytesMut) -> Event<'b> {
        let event = self.receiver.fail(ProtocolError::InvalidUtf8);
        self.answer(&event, out);
        event
    }

    fn answer(&mut self, event: &Event<'_>, out: &mut BytesMut) {
        if let Some(reply) = event.reply() {
            self.sender.reply(&reply, out);
        }
    }

    /// Sends a text message in one frame.
    ///
    /// # Errors
    /// See [`Sender::send_text`].
    #[inline]
    pub fn send_text(&mut self, text: &str, out: &mut BytesMut) -> Result<(), SendError> {
        self.sender.send_text(text, out)
    }

    /// Sends a binary message in one frame.
    ///
    /// # Errors
    /// See [`Sender::send_binary`].
    #[inline]
    pub fn send_binary(&mut self, data: &[u8], out: &mut BytesMut) -> Result<(), SendError> {
        self.sender.send_binary(data, out)
    }

    /// Sends the next fragment of a message.
    ///
    /// # Errors
    /// See [`Sender::send_fragment`].
    pub fn send_fragment(
        &mut self,
        kind: Kind,
        piece: &[u8],
        last: bool,
        out: &mut BytesMut,
    ) -> Result<(), SendError> {
        self.sender.send_fragment(kind, piece, last, out)
    }

    /// The header of a message whose payload the caller writes after it, before anything that a
    /// later call puts into the output, be it an answer of [`receive`](Self::receive) or a Pong
    /// that is [`pending`](Self::pending): it would be taken for payload.
    ///
    /// # Errors
    /// See [`Sender::header`].
    #[inline]
    pub fn header(&mut self, kind: Kind, len: u64) -> Result<HeaderBytes, SendError> {
        self.sender.header(kind, len)
    }

    /// Makes `payload` ready to be written after the header that this returns, before anything
    /// else, as for [`header`](Self::header).
    ///
    /// # Errors
    /// See [`Sender::mask_in_place`].
    pub fn mask_in_place(
        &mut self,
        kind: Kind,
        payload: &mut [u8],
    ) -> Result<HeaderBytes, SendError> {
        self.sender.mask_in_place(kind, payload)
    }

    /// A prepared message as bytes to write after what is in the output, and before anything else
    /// is sent or received.
    ///
    /// # Errors
    /// See [`Sender::prepared`].
    pub fn prepared(&mut self, message: &Prepared) -> Result<Bytes, SendError> {
        self.sender.prepared(message)
    }

    /// Whether the messages from the next one on are compressed. See [`Sender::compress`].
    #[cfg(feature = "deflate")]
    pub fn compress(&mut self, on: bool) {
        self.sender.compress(on);
    }

    /// Assembles, inflates and deflates with what is in `pool` until
    /// [`return_to`](Self::return_to) is called.
    pub fn borrow_from(&mut self, pool: &mut Pool) {
        self.receiver.borrow_from(pool);
        #[cfg(feature = "deflate")]
        self.sender.borrow_from(pool);
    }

    /// Gives it back, so that the connection has none of it between messages. A codec that is in
    /// the middle of a message stays there, and is dropped with it; what is here of an unfinished
    /// message moves, unless it fills half of the room.
    pub fn return_to(&mut self, pool: &mut Pool) {
        self.receiver.return_to(pool);
        #[cfg(feature = "deflate")]
        self.sender.return_to(pool);
    }

    /// Takes the memory of an event that is done with, for the messages that follow: of a message
    /// that was assembled or inflated, while the connection borrows; else the event is dropped.
    pub fn recycle(&mut self, event: Event<'_>) {
        self.receiver.recycle(event);
    }

    /// Whether a message of `len` bytes would be compressed now.
    pub fn compresses(&self, len: usize) -> bool {
        self.sender.compresses(len)
    }

    /// How many bytes of the message of the last chunk are still to come, if that is known. See
    /// [`Receiver::to_come`].
    pub fn to_come(&self) -> Option<u64> {
        self.receiver.to_come()
    }

    /// Sends a Ping.
    ///
    /// # Errors
    /// See [`Sender::ping`].
    pub fn ping(&mut self, payload: &[u8], out: &mut BytesMut) -> Result<(), SendError> {
        self.sender.ping(payload, out)
    }

    /// Sends a Pong that nobody asked for.
    ///
    /// # Errors
    /// See [`Sender::pong`].
    pub fn pong(&mut self, payload: &[u8], out: &mut BytesMut) -> Result<(), SendError> {
        self.sender.pong(payload, out)
    }

    /// Starts the closing handshake.
    ///
    /// # Errors
    /// See [`Sender::close`].
    pub fn close(
        &mut self,
        code: CloseCode,
        reason: &str,
        out: &mut BytesMut,
    ) -> Result<(), SendError> {
        self.sender.close(code, reason, out)
    }

    /// Writes a Pong that was held back while `out` held more than [`Config::high_water`], if it
    /// does no more.
    pub fn flush(&mut self, out: &mut BytesMut) {
        self.sender.flush(out);
    }

    /// Whether a Pong is held back: call [`flush`](Self::flush) once the output is drained.
    pub const fn pending(&self) -> bool {
        self.sender.pending()
    }

    /// Which side this is.
    pub const fn role(&self) -> Role {
        self.sender.role()
    }

    /// Whether messages may be sent: no Close has passed, either way, and nothing failed.
    pub const fn is_open(&self) -> bool {
        self.sender.is_open()
    }

    /// What to do with the transport, once `out` is written.
    pub const fn want(&self) -> Want {
        self.sender.want()
    }

    /// The rule that the peer broke, once [`Event::Failed`] has said so.
    pub const fn error(&self) -> Option<ProtocolError> {
        self.receiver.error()
    }

    /// The transport has ended: returns how the connection ended (RFC 6455 section 7.1.4). An
    /// unfinished message is dropped. A Close of ours counts as sent once it is in the output: if
    /// that could not be written, it was not clean, whatever this says.
    ///
    /// ```
    /// # use bytes::BytesMut;
    /// # use sockless::{CloseCode, Connection};
    /// let (mut connection, mut out) = (Connection::server(Default::default()), BytesMut::new());
    /// let mut read = *b"\x88\x82\0\0\0\0\x03\xe8";
    /// assert!(connection.receive(&mut &mut read[..], &mut out).is_some());
    /// assert_eq!(&out[..], b"\x88\x02\x03\xe8");
    /// let closed = connection.eof();
    /// assert_eq!((closed.code, closed.clean), (CloseCode::NORMAL, true));
    /// ```
    pub fn eof(&mut self) -> Closed {
        let (code, reason) = self.receiver.eof();
        Closed { code, reason, clean: self.sender.eof() }
    }

    /// Gives the connection up without a Close, as after a timeout: nothing more is sent or
    /// received, and [`want`](Self::want) is to close.
    pub fn abort(&mut self) -> Closed {
        self.eof()
    }

    /// The two halves, to be used apart, on two tasks say, without a lock between them.
    ///
    /// What the receiving half owes the peer then travels as a [`Reply`](crate::Reply), and each
    /// half is told of the transport's end ([`Receiver::eof`], [`Sender::eof`]).
    pub fn split(self) -> (Receiver, Sender) {
        (self.receiver, self.sender)
    }
}

impl fmt::Debug for Connection {
    /// Where it stands, and nothing that the peer said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("receiver", &self.receiver)
            .field("sender", &self.sender)
            .finish()
    }
}
