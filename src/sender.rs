//! RFC 6455 sections 5.1, 6.1 and 5.5.1: messages in, frames out.
//!
//! The sending half of a connection. It appends frames to the caller's output, masks what a client
//! sends, answers what the receiving half says is owed, and stops at the Close. It reads nothing
//! and keeps no output: a caller with a backlog stops reading.
//!
//! Invariant: a call that fails has written nothing and changed nothing.

use crate::close::{CloseCode, CloseReason};
use crate::closing::{Cause, Closing, Want};
use crate::compression::Deflation;
use crate::config::Config;
use crate::control::Control;
use crate::error::SendError;
use crate::frame::{self, Header, HeaderBytes, Kind, MAX_CONTROL_PAYLOAD, Opcode};
use crate::keys::Keys;
use crate::mask::Mask;
use crate::masked;
#[cfg(feature = "deflate")]
use crate::pool::Pool;
use crate::prepared::Prepared;
use crate::reply::{Owed, Reply};
use crate::role::Role;
use crate::utf8::{self, Utf8};
use alloc::{boxed::Box, sync::Arc};
use bytes::{Bytes, BytesMut};
use core::fmt;

/// The sending half of a connection.
///
/// What takes `out` appends to it; the caller writes it to the peer, in order, and clears it.
///
/// ```
/// use bytes::BytesMut;
/// use sockless::{Config, Keys, Sender};
///
/// let config = std::sync::Arc::new(Config::default());
/// let keys = Keys::new(|key| *key = [0x37, 0xfa, 0x21, 0x3d]); // in earnest: `Keys::system()`
/// let mut out = BytesMut::new();
/// Sender::client(config.clone(), keys).send_text("Hello", &mut out)?;
/// assert_eq!(&out[..], b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
///
/// out.clear();
/// Sender::server(config).send_text("Hello", &mut out)?;
/// assert_eq!(&out[..], b"\x81\x05Hello");
/// # Ok::<(), sockless::SendError>(())
/// ```
pub struct Sender {
    /// How full the output may be for a Pong to be added.
    high_water: usize,
    /// Where masking keys come from; none for a server.
    keys: Option<Keys>,
    /// The one Pong that is held back.
    held: Option<Box<Control>>,
    deflation: Deflation,
    /// The fragmented message that is being sent.
    fragments: Option<Fragments>,
    closing: Closing,
}

/// A fragmented message under way.
#[derive(Clone, Copy)]
struct Fragments {
    kind: Kind,
    utf8: Utf8,
    compressed: bool,
}

impl Sender {
    /// The sending half of a server: nothing is masked.
    #[allow(clippy::needless_pass_by_value, reason = "made as a receiver is")]
    pub fn server(config: Arc<Config>) -> Self {
        Self::new(&config, None)
    }

    /// The sending half of a client: every frame is masked with a key of its own.
    #[allow(clippy::needless_pass_by_value, reason = "made as a receiver is")]
    pub fn client(config: Arc<Config>, keys: Keys) -> Self {
        Self::new(&config, Some(keys))
    }

    /// Takes down what it needs of `config`: a reference to it would cost each connection as much.
    pub(crate) fn new(config: &Config, keys: Option<Keys>) -> Self {
        let (deflation, closing) = (Deflation::none(), Closing::Open);
        let high_water = config.high_water;
        Self { high_water, keys, held: None, deflation, fragments: None, closing }
    }

    /// Compresses messages, as agreed in the handshake.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub(crate) fn with_deflation(mut self, deflation: Deflation) -> Self {
        self.deflation = deflation;
        self
    }

    /// Sends a text message in one frame.
    ///
    /// # Errors
    /// [`SendError::Closed`]; [`SendError::FragmentedMessageOpen`].
    #[inline]
    pub fn send_text(&mut self, text: &str, out: &mut BytesMut) -> Result<(), SendError> {
        self.message(Kind::Text, text.as_bytes(), out)
    }

    /// Sends a binary message in one frame.
    ///
    /// # Errors
    /// [`SendError::Closed`]; [`SendError::FragmentedMessageOpen`].
    #[inline]
    pub fn send_binary(&mut self, data: &[u8], out: &mut BytesMut) -> Result<(), SendError> {
        self.message(Kind::Binary, data, out)
    }

    /// Sends the next fragment of a message, its `last` one to end it (RFC 6455 section 5.4).
    ///
    /// The first call starts the message. A fragment of a text may end inside a character; the
    /// text as a whole must be UTF-8. Pings, Pongs and a Close may be sent between fragments.
    ///
    /// # Errors
    /// [`SendError::Closed`]; [`SendError::FragmentedMessageOpen`] if the open message is of the
    /// other kind; [`SendError::InvalidUtf8`] at the first fragment that no other can make good.
    ///
    /// ```
    /// # use sockless::{Config, Sender, frame::Kind};
    /// # let mut out = bytes::BytesMut::new();
    /// let mut sender = Sender::server(std::sync::Arc::new(Config::default()));
    /// sender.send_fragment(Kind::Text, b"Hel", false, &mut out)?;
    /// sender.send_fragment(Kind::Text, b"lo", true, &mut out)?;
    /// assert_eq!(&out[..], b"\x01\x03Hel\x80\x02lo");
    /// # Ok::<(), sockless::SendError>(())
    /// ```
    pub fn send_fragment(
        &mut self,
        kind: Kind,
        piece: &[u8],
        last: bool,
        out: &mut BytesMut,
    ) -> Result<(), SendError> {
        self.check_open()?;
        let (mut fragments, opcode) = match self.fragments {
            None => {
                // How long the message will be is unknown, unless this is all of it.
                let len = if last { piece.len() } else { usize::MAX };
                let compressed = self.deflation.begins(len);
                (Fragments { kind, utf8: Utf8::new(), compressed }, kind.opcode())
            }
            Some(open) if open.kind == kind => (open, Opcode::Continuation),
            Some(_) => return Err(SendError::FragmentedMessageOpen),
        };
        if kind == Kind::Text {
            fragments.utf8.push(piece).map_err(|_| SendError::InvalidUtf8)?;
            if last && !fragments.utf8.is_boundary() {
                return Err(SendError::InvalidUtf8);
            }
        }
        self.flush(out);
        if fragments.compressed {
            let deflated = self.deflation.deflate(piece, last);
            let rsv1 = opcode != Opcode::Continuation;
            self.write(last, rsv1, opcode, &deflated, out);
        } else {
            self.write(last, false, opcode, piece, out);
        }
        self.fragments = (!last).then_some(fragments);
        Ok(())
    }

    /// The header of a message of `len` bytes whose payload the caller writes after it, without a
    /// copy: `[header, payload]` in one vectored write. For servers.
    ///
    /// Write the output first, then the header and the payload. Until all of the payload is
    /// written, nothing else may be, or it would be taken for payload: no answer that a
    /// [`Connection`](crate::Connection) has put into the output since, and no Pong that was held
    /// back ([`pending`](Self::pending)). A text must be UTF-8: the library does not see it.
    ///
    /// # Errors
    /// [`SendError::Closed`]; [`SendError::FragmentedMessageOpen`]; [`SendError::MaskRequired`]
    /// for a client; [`SendError::LengthTopBit`].
    ///
    /// ```
    /// # use sockless::{Config, Sender, frame::Kind};
    /// let mut sender = Sender::server(std::sync::Arc::new(Config::default()));
    /// assert_eq!(&*sender.header(Kind::Binary, 65_536)?, b"\x82\x7f\0\0\0\0\0\x01\0\0");
    /// # Ok::<(), sockless::SendError>(())
    /// ```
    #[inline]
    pub fn header(&mut self, kind: Kind, len: u64) -> Result<HeaderBytes, SendError> {
        self.check_between_messages()?;
        if self.keys.is_some() {
            return Err(SendError::MaskRequired);
        }
        Header { fin: true, rsv1: false, opcode: kind.opcode(), mask: None, len }.encode()
    }

    /// Makes `payload` ready to be written after the header that this returns: masked in place for
    /// a client, left as it is for a server. The same rules as for [`header`](Self::header).
    ///
    /// # Errors
    /// [`SendError::Closed`]; [`SendError::FragmentedMessageOpen`]; [`SendError::InvalidUtf8`] for
    /// a text that is none.
    ///
    /// ```
    /// # use sockless::{Config, Keys, Sender, frame::Kind};
    /// let keys = Keys::new(|key| *key = [1, 2, 3, 4]); // in earnest: `Keys::system()`
    /// let mut sender = Sender::client(std::sync::Arc::new(Config::default()), keys);
    /// let mut payload = [0; 5];
    /// assert_eq!(&*sender.mask_in_place(Kind::Binary, &mut payload)?, b"\x82\x85\x01\x02\x03\x04");
    /// assert_eq!(payload, [1, 2, 3, 4, 1]);
    /// # Ok::<(), sockless::SendError>(())
    /// ```
    pub fn mask_in_place(
        &mut self,
        kind: Kind,
        payload: &mut [u8],
    ) -> Result<HeaderBytes, SendError> {
        self.check_between_messages()?;
        if kind == Kind::Text && utf8::whole(payload).is_none() {
            return Err(SendError::InvalidUtf8);
        }
        let mask = self.keys.map(Keys::next);
        let len = payload.len() as u64;
        let header =
            Header { fin: true, rsv1: false, opcode: kind.opcode(), mask, len }.encode()?;
        mask.map_or(Mask::NONE, Mask::new).apply(payload);
        Ok(header)
    }

    /// A prepared message as bytes to write after what is in the output and before what comes to be
    /// there next: for a server, one more reference to the same bytes.
    ///
    /// In a queue keep the [`Prepared`], and call this when its turn comes. Bytes that were made
    /// earlier may come after a Close, which nothing may follow, or between two fragments.
    ///
    /// A client masks each frame with a key of its own, so for a client this is a masked copy.
    ///
    /// # Errors
    /// [`SendError::Closed`]; [`SendError::FragmentedMessageOpen`].
    pub fn prepared(&mut self, message: &Prepared) -> Result<Bytes, SendError> {
        self.check_between_messages()?;
        let form = message.form(&self.deflation);
        if self.keys.is_none() {
            return Ok(form.frame());
        }
        let mut frame = BytesMut::new();
        let opcode = message.kind().opcode();
        self.write(true, form.is_compressed(), opcode, form.payload(), &mut frame);
        Ok(frame.freeze())
    }

    /// Whether the messages from the next one on are compressed, where that was agreed; they are
    /// unless this says otherwise. A secret should not be, beside text that others chose: how well
    /// the two compress together tells about it (RFC 7692 section 8).
    #[cfg(feature = "deflate")]
    pub fn compress(&mut self, on: bool) {
        self.deflation.pause(!on);
    }

    /// Takes what the pool has for sending. See
    /// [`Connection::borrow_from`](crate::Connection::borrow_from).
    #[cfg(feature = "deflate")]
    pub fn borrow_from(&mut self, pool: &mut Pool) {
        self.deflation.borrow_from(&mut pool.codecs);
    }

    /// Gives it back. See [`Connection::return_to`](crate::Connection::return_to).
    #[cfg(feature = "deflate")]
    pub fn return_to(&mut self, pool: &mut Pool) {
        self.deflation.return_to(&mut pool.codecs);
    }

    /// Whether a message of `len` bytes would be compressed now. One that would not loses nothing
    /// by [`header`](Self::header), which never compresses.
    pub fn compresses(&self, len: usize) -> bool {
        self.deflation.begins(len)
    }

    /// Sends a Ping. [`Keepalive`](crate::Keepalive) makes payloads and knows their Pongs.
    ///
    /// # Errors
    /// [`SendError::Closed`]; [`SendError::ControlTooLong`] over 125 bytes.
    pub fn ping(&mut self, payload: &[u8], out: &mut BytesMut) -> Result<(), SendError> {
        self.control(Opcode::Ping, payload, out)
    }

    /// Sends a Pong that nobody asked for, a one-way heartbeat (RFC 6455 section 5.5.3).
    ///
    /// # Errors
    /// [`SendError::Closed`]; [`SendError::ControlTooLong`] over 125 bytes.
    pub fn pong(&mut self, payload: &[u8], out: &mut BytesMut) -> Result<(), SendError> {
        self.control(Opcode::Pong, payload, out)
    }

    /// Starts the closing handshake. Read on afterwards: the peer may have messages under way, and
    /// its Close is still to come.
    ///
    /// # Errors
    /// [`SendError::Closed`]; [`SendError::InvalidCloseCode`] for a code that may not be on the
    /// wire, or that is the other side's; [`SendError::ReasonTooLong`] over 123 bytes.
    ///
    /// ```
    /// # use sockless::{CloseCode, Config, Sender};
    /// let mut sender = Sender::server(std::sync::Arc::new(Config::default()));
    /// let mut out = bytes::BytesMut::new();
    /// sender.close(CloseCode::NORMAL, "bye", &mut out)?;
    /// assert_eq!(&out[..], b"\x88\x05\x03\xe8bye");
    /// # Ok::<(), sockless::SendError>(())
    /// ```
    pub fn close(
        &mut self,
        code: CloseCode,
        reason: &str,
        out: &mut BytesMut,
    ) -> Result<(), SendError> {
        self.check_open()?;
        let theirs = code == CloseCode::MANDATORY_EXTENSION && !self.role().demands_extensions();
        if theirs || !code.is_sendable() {
            return Err(SendError::InvalidCloseCode);
        }
        let reason = CloseReason::new(reason).ok_or(SendError::ReasonTooLong)?;
        self.flush(out);
        self.write(true, false, Opcode::Close, &Control::close(code, &reason), out);
        self.closing = self.closing.on(Cause::Ours);
        // No data follows; a Pong still may.
        self.fragments = None;
        self.deflation.end();
        Ok(())
    }

    /// Sends what the receiving half says is owed, if it still is.
    ///
    /// A Pong is written while `out` holds no more than [`Config::high_water`], else the newest is
    /// held back for [`flush`](Self::flush). A Close is written at once, unless one has been, and
    /// nothing can be sent after it: send what waits to be sent first.
    pub fn reply(&mut self, reply: &Reply, out: &mut BytesMut) {
        match &reply.0 {
            Owed::Pong(payload) if self.closing.answers() => {
                if out.len() <= self.high_water {
                    self.held = None;
                    self.write(true, false, Opcode::Pong, payload, out);
                } else {
                    **self.held.get_or_insert_with(|| Box::new(Control::EMPTY)) = *payload;
                }
            }
            // "unless it already received a Close frame" (section 5.5.2).
            Owed::Pong(_) => {}
            Owed::Close(body) => self.last(body, Cause::Theirs, out),
            Owed::Failure(code) => {
                self.last(&Control::close(*code, &CloseReason::EMPTY), Cause::Failure, out);
            }
        }
    }

    /// Writes the Pong that was held back, if `out` holds no more than [`Config::high_water`] now.
    #[inline]
    pub fn flush(&mut self, out: &mut BytesMut) {
        if self.pending() && self.has_room(out) {
            if let Some(payload) = self.held.take() {
                self.write(true, false, Opcode::Pong, &payload, out);
            }
        }
    }

    /// Whether a Pong is held back.
    pub const fn pending(&self) -> bool {
        self.held.is_some()
    }

    /// Whether a Pong that is held back may go out. Cold, so that a message waits for the first
    /// answer alone: whether there is one.
    #[cold]
    pub(crate) fn has_room(&self, out: &BytesMut) -> bool {
        out.len() <= self.high_water
    }

    /// Whether messages may be sent: no Close has passed, either way, and nothing failed. Where it
    /// says no, a connection is in [`Phase::Closing`](crate::Phase::Closing).
    pub const fn is_open(&self) -> bool {
        self.closing.is_open()
    }

    /// What to do with the transport, once `out` is written.
    pub const fn want(&self) -> Want {
        self.closing.want(self.role())
    }

    /// The transport has ended, or is given up: nothing more can be sent. Whether both Closes had
    /// passed by then (RFC 6455 section 7.1.4); ours counts once it is in the output.
    pub fn eof(&mut self) -> bool {
        self.closing = self.closing.on(Cause::TransportEnd);
        self.end();
        self.closing == Closing::Ended { clean: true }
    }

    /// Which side this is.
    pub const fn role(&self) -> Role {
        if self.keys.is_some() { Role::Client } else { Role::Server }
    }

    fn check_open(&self) -> Result<(), SendError> {
        if self.is_open() { Ok(()) } else { Err(SendError::Closed) }
    }

    fn check_between_messages(&self) -> Result<(), SendError> {
        self.check_open()?;
        if self.fragments.is_some() { Err(SendError::FragmentedMessageOpen) } else { Ok(()) }
    }

    /// A short message of a server is written where this is called, if nothing is in its way.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "half the time of a small message is a call's")]
    fn message(&mut self, kind: Kind, data: &[u8], out: &mut BytesMut) -> Result<(), SendError> {
        let is_free = self.closing.is_open() && self.fragments.is_none() && self.held.is_none();
        if !is_free || self.deflation.begins(data.len()) {
            return self.other_message(kind, data, out);
        }
        let first = frame::first_byte(true, false, kind.opcode());
        match self.keys {
            None if masked::append_short(first, data, out) => {}
            None => masked::append_plain(first, data, out),
            Some(keys) => masked::append(first, keys.next(), data, out),
        }
        Ok(())
    }

    /// A message that is refused, compressed, or comes after a Pong that was held back.
    #[cold]
    #[inline(never)]
    fn other_message(
        &mut self,
        kind: Kind,
        data: &[u8],
        out: &mut BytesMut,
    ) -> Result<(), SendError> {
        self.check_between_messages()?;
        self.flush(out);
        if self.deflation.begins(data.len()) {
            let deflated = self.deflation.deflate(data, true);
            // What later messages may refer to has to be sent, also where it did not shrink.
            if self.deflation.takes_over() || deflated.len() < data.len() {
                self.write(true, true, kind.opcode(), &deflated, out);
                return Ok(());
            }
        }
        self.write(true, false, kind.opcode(), data, out);
        Ok(())
    }

    fn control(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        out: &mut BytesMut,
    ) -> Result<(), SendError> {
        self.check_open()?;
        if payload.len() > MAX_CONTROL_PAYLOAD {
            return Err(SendError::ControlTooLong);
        }
        self.flush(out);
        self.write(true, false, opcode, payload, out);
        Ok(())
    }

    /// The Close that answers the peer, unless ours has passed it on the way.
    fn last(&mut self, body: &Control, cause: Cause, out: &mut BytesMut) {
        if self.closing.is_open() {
            self.write(true, false, Opcode::Close, body, out);
        }
        self.closing = self.closing.on(cause);
        self.end();
    }

    /// Keeps nothing of what will not be sent any more.
    fn end(&mut self) {
        self.held = None;
        self.fragments = None;
        self.deflation.end();
    }

    /// Appends one frame.
    #[inline]
    fn write(&self, fin: bool, rsv1: bool, opcode: Opcode, payload: &[u8], out: &mut BytesMut) {
        let first = frame::first_byte(fin, rsv1, opcode);
        match self.keys {
            None => masked::append_plain(first, payload, out),
            Some(keys) => masked::append(first, keys.next(), payload, out),
        }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("role", &self.role())
            .field("closing", &self.closing)
            .field("pending", &self.pending())
            .finish_non_exhaustive()
    }
}
