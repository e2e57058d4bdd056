//! RFC 6455 sections 5.4, 5.5 and 6.2: bytes in, events out.
//!
//! The receiving half of a connection. It takes frames apart, joins messages, checks text, and
//! hands out what arrived; it owns a heap buffer only while something is incomplete. It sends
//! nothing: what it owes the peer is told by `Event::reply`.
//!
//! Invariant: the events depend on the bytes alone, never on how they were cut into inputs.

mod controls;
mod lending;
mod streaming;

use crate::assembler::{Assembler, Message, Spare};
use crate::close::{self, CloseCode, CloseReason};
use crate::compression::Inflation;
use crate::config::{Config, Delivery};
use crate::control::Control;
use crate::error::ProtocolError;
use crate::event::{Chunk, Event};
use crate::frame::{Expect, Header, Kind, MAX_HEADER, Opcode};
use crate::mask::Mask;
use crate::role::Role;
use crate::single::Single;
use crate::utf8;
use alloc::{boxed::Box, sync::Arc};
use core::{fmt, mem};

/// The receiving half of a connection.
///
/// ```text
///              header complete, payload not
///   ┌────────┐ ───────────────────────────▶ ┌────────────────┐
///   │ Header │                              │ Data / Control │
///   └────────┘ ◀─────────────────────────── └────────────────┘
///       │              payload complete              │
///       └──── Close, a broken rule, or the end ──────┴──▶ ended
/// ```
///
/// ```
/// use sockless::{Config, Event, Receiver};
///
/// let mut receiver = Receiver::client(std::sync::Arc::new(Config::default()));
/// let mut bytes = *b"\x81\x05Hello\x82\x01\x07";
/// let mut input = &mut bytes[..];
/// assert_eq!(receiver.receive(&mut input), Some(Event::Text("Hello".into())));
/// assert_eq!(receiver.receive(&mut input), Some(Event::Binary(vec![7].into())));
/// assert_eq!(receiver.receive(&mut input), None);
/// assert!(input.is_empty());
/// ```
pub struct Receiver {
    config: Arc<Config>,
    stage: Stage,
    /// The open message, unless it lies whole in the current input.
    message: Option<Box<Assembler>>,
    /// The room for the next one, while it is lent.
    spare: Spare,
    /// The control frame that is arriving; after the peer's Close, that Close's body.
    control: Option<Box<Control>>,
    inflation: Inflation,
    role: Role,
    /// Whether there is a pool to give room back to.
    borrows: bool,
    ended: Ended,
    /// A whole message in one frame that is shorter than this is handed out without another look
    /// at all of the above; 0 while anything is under way, and until the first call.
    below: u32,
}

/// What the next byte belongs to.
#[derive(Clone, Copy)]
enum Stage {
    /// A header, of which `bytes[..len]` has come.
    Header { bytes: [u8; MAX_HEADER], len: u8 },
    /// The payload of a data frame, of which `left` bytes are missing.
    Data { left: u64, mask: Mask, fin: bool },
    /// The payload of a control frame, of which `left` bytes are missing.
    Control { left: u8, mask: Mask, opcode: Opcode },
}

const START: Stage = Stage::Header { bytes: [0; MAX_HEADER], len: 0 };

/// Whether more events can come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    No,
    /// A failure stands behind a chunk that has just been handed out.
    Failing(ProtocolError),
    Failed(ProtocolError),
    /// The peer's Close has come.
    Closed,
    /// The transport ended without one.
    Lost,
}

impl Receiver {
    /// The receiving half of a server: frames must be masked.
    pub const fn server(config: Arc<Config>) -> Self {
        Self::new(config, Role::Server)
    }

    /// The receiving half of a client: frames must not be masked.
    pub const fn client(config: Arc<Config>) -> Self {
        Self::new(config, Role::Client)
    }

    const fn new(config: Arc<Config>, role: Role) -> Self {
        Self {
            config,
            stage: START,
            message: None,
            spare: Spare::NONE,
            control: None,
            inflation: Inflation::NONE,
            role,
            borrows: false,
            ended: Ended::No,
            below: 0,
        }
    }

    #[cfg(feature = "deflate")]
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Takes compressed messages, as agreed in the handshake.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub(crate) fn with_inflation(mut self, inflation: Inflation) -> Self {
        self.inflation = inflation;
        self
    }

    /// The next event in `input`, which is left with what follows it; `None` when all of `input`
    /// is consumed.
    ///
    /// Call it until `None`, also when `input` is already empty. After [`Event::Close`] and
    /// [`Event::Failed`] all further input is discarded.
    #[inline]
    pub fn receive<'b>(&mut self, input: &mut &'b mut [u8]) -> Option<Event<'b>> {
        if let Some(kind) = Single::kind(input) {
            if let Some(single) = self.single(input) {
                return Some(self.whole(kind, Mask::new(single.key), single.payload));
            }
        }
        self.receive_any(input)
    }

    /// A message in one frame that lies whole in the input, where nothing else is under way. What
    /// this leaves alone, right or wrong, is for [`receive_any`](Self::receive_any).
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "half the time of a small message is a call's")]
    pub(crate) fn single<'b>(&self, input: &mut &'b mut [u8]) -> Option<Single<'b>> {
        Single::take(input, self.role.expects_mask(), self.below)
    }

    /// The event of a message that lies whole in the input: it is unmasked there.
    fn whole<'b>(&mut self, kind: Kind, mut mask: Mask, payload: &'b mut [u8]) -> Event<'b> {
        match kind {
            Kind::Binary => {
                mask.unmask(payload);
                Event::Binary(payload.into())
            }
            Kind::Text => match utf8::unmask(mask, payload) {
                Some(text) => Event::Text(text.into()),
                None => self.fail(ProtocolError::InvalidUtf8),
            },
        }
    }

    #[cold]
    pub(crate) fn fail<'b>(&mut self, error: ProtocolError) -> Event<'b> {
        self.end(Ended::Failed(error));
        self.below = 0;
        Event::Failed(error)
    }

    /// Whether nothing is left and nothing under way, as where nearly every read ends.
    #[inline]
    pub(crate) fn is_done(&self, input: &[u8]) -> bool {
        input.is_empty() && self.below > 0
    }

    #[inline(never)]
    pub(crate) fn receive_any<'b>(&mut self, input: &mut &'b mut [u8]) -> Option<Event<'b>> {
        if self.is_done(input) {
            return None;
        }
        let result = match self.ended {
            Ended::No => self.advance(input),
            Ended::Failing(error) => Err(error),
            Ended::Failed(_) | Ended::Closed | Ended::Lost => {
                mem::take(input);
                return None;
            }
        };
        let event = result.unwrap_or_else(|error| Some(self.fail(error)));
        self.below = if self.is_between_messages() { self.config.below() } else { 0 };
        event
    }

    /// Whether nothing is under way, and whole messages are what is wanted.
    fn is_between_messages(&self) -> bool {
        matches!(self.stage, Stage::Header { len: 0, .. })
            && matches!(self.ended, Ended::No)
            && matches!(self.config.delivery, Delivery::Whole)
            && self.message.is_none()
    }

    /// The rule that the peer broke, once [`Event::Failed`] has said so.
    pub const fn error(&self) -> Option<ProtocolError> {
        match self.ended {
            Ended::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// The transport has ended: an unfinished message is dropped, no event follows. The code and
    /// reason of the peer's Close ([`CloseCode::NO_STATUS`] if it had none, [`CloseCode::ABNORMAL`]
    /// if none came, RFC 6455 sections 7.1.5 and 7.1.6).
    pub fn eof(&mut self) -> (CloseCode, CloseReason) {
        self.below = 0;
        match self.ended {
            Ended::No | Ended::Failing(_) => self.end(Ended::Lost),
            Ended::Failed(_) | Ended::Closed | Ended::Lost => {}
        }
        if self.ended != Ended::Closed {
            return (CloseCode::ABNORMAL, CloseReason::EMPTY);
        }
        let body = self.control.as_deref().map_or(&[][..], |body| body);
        // It was parsed when it came; an empty one is not kept.
        let (code, reason) = close::parse(body).unwrap_or_default();
        (code.unwrap_or(CloseCode::NO_STATUS), CloseReason::truncated(reason))
    }

    /// Ends the events. Nothing incomplete is kept, nor ever delivered.
    fn end(&mut self, ended: Ended) {
        self.ended = ended;
        if let Some(message) = &mut self.message {
            message.discard();
        }
        self.put_away();
        self.control = None;
        self.inflation.end();
    }

    /// One step after the other until there is an event or no input.
    fn advance<'b>(
        &mut self,
        input: &mut &'b mut [u8],
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        loop {
            let event = match self.stage {
                Stage::Header { .. } => match self.header(input)? {
                    None => return Ok(None),
                    Some(header) if header.opcode.is_control() => {
                        self.begin_control(header, input)?
                    }
                    Some(header) => self.begin_data(header, input)?,
                },
                Stage::Data { left: 1.., .. } | Stage::Control { left: 1.., .. }
                    if input.is_empty() && !self.has_more() =>
                {
                    return Ok(None);
                }
                Stage::Data { left, mask, fin } => match self.config.delivery {
                    Delivery::Whole => self.assemble(left, mask, fin, input)?,
                    Delivery::Streamed => self.stream(left, mask, fin, input)?,
                },
                Stage::Control { left, mask, opcode } => self.gather(left, mask, opcode, input)?,
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    /// The next header, in the input alone or together with what came of it before.
    fn header(&mut self, input: &mut &mut [u8]) -> Result<Option<Header>, ProtocolError> {
        let expect = self.expect();
        let Stage::Header { bytes, len } = &mut self.stage else { return Ok(None) };
        let held = usize::from(*len);
        let parsed = if held == 0 {
            Header::parse(input, &expect)?
        } else {
            for (slot, byte) in bytes.iter_mut().skip(held).zip(input.iter()) {
                *slot = *byte;
            }
            let end = bytes.len().min(held.saturating_add(input.len()));
            Header::parse(bytes.get(..end).unwrap_or_default(), &expect)?
        };
        if let Some((header, size)) = parsed {
            take(input, size.saturating_sub(held));
            return Ok(Some(header));
        }
        // An incomplete header is shorter than `MAX_HEADER`, so all of the input fits.
        let rest = take(input, input.len());
        for (slot, byte) in bytes.iter_mut().skip(held).zip(rest) {
            *slot = *byte;
            *len = len.saturating_add(1);
        }
        Ok(None)
    }

    fn expect(&self) -> Expect {
        let received = self.message.as_ref().map_or(0, |message| message.len());
        let max_compressed = self.config.compressed_frame_limit();
        let (max_frame, max_message) = match &self.message {
            Some(message) if message.compressed => {
                (max_compressed, message.compressed_limit(&self.config))
            }
            _ => (self.config.frame_limit(), self.config.message_limit()),
        };
        Expect {
            masked: self.role.expects_mask(),
            rsv1: self.inflation.is_agreed(),
            message_open: self.message.is_some(),
            max_frame,
            max_message: max_message.saturating_sub(received),
            max_compressed,
        }
    }

    /// Whether something of what was consumed is still to be inflated.
    fn has_more(&self) -> bool {
        self.message.as_ref().is_some_and(|message| message.more)
    }

    /// A data frame begins. One that is a whole message and lies whole in the input is handed out
    /// as it lies there; any other waits for its turn in `assemble` or `stream`.
    fn begin_data<'b>(
        &mut self,
        header: Header,
        input: &mut &'b mut [u8],
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        let Header { fin, rsv1, opcode, len, .. } = header;
        let mut mask = header.mask.map_or(Mask::NONE, Mask::new);
        let kind = if opcode == Opcode::Text { Kind::Text } else { Kind::Binary };

        if let (true, false, None, Some(size)) = (fin, rsv1, &self.message, within(input, len)) {
            match self.config.delivery {
                Delivery::Whole => {
                    self.stage = START;
                    return Ok(Some(self.whole(kind, mask, take(input, size))));
                }
                Delivery::Streamed => {
                    let payload = input.get_mut(..size).unwrap_or_default();
                    let is_sound = match kind {
                        Kind::Binary => {
                            mask.unmask(payload);
                            true
                        }
                        Kind::Text => utf8::unmask(mask, payload).is_some(),
                    };
                    if is_sound {
                        self.stage = START;
                        let data = take(input, size).into();
                        let chunk = Chunk { kind, first: true, last: true, data };
                        return Ok(Some(Event::Chunk(chunk)));
                    }
                    // What is possible of it comes out before the failure. It is unmasked by now.
                    mask = Mask::NONE;
                }
            }
        }

        let message =
            self.message.get_or_insert_with(|| self.spare.begin(kind, rsv1, self.config.delivery));
        message.frame(len, fin, self.inflation.inflated(), &self.config)?;
        self.stage = Stage::Data { left: len, mask, fin };
        Ok(None)
    }

    /// A message whose header came by itself: all of it is here now, and is handed out where it
    /// lies.
    #[cold]
    fn lend<'b>(&mut self, mask: Mask, payload: &'b mut [u8]) -> Option<Event<'b>> {
        self.stage = START;
        let message = self.message.as_mut()?;
        let kind = message.kind;
        message.vacate();
        self.put_away();
        Some(self.whole(kind, mask, payload))
    }

    /// Adds what there is of a data frame to its message; the message, when that completes it.
    fn assemble<'b>(
        &mut self,
        left: u64,
        mut mask: Mask,
        fin: bool,
        input: &mut &'b mut [u8],
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        let Some(message) = &mut self.message else { return Ok(None) };
        if let (true, Some(size)) = (fin && message.is_untouched(), within(input, left)) {
            return Ok(self.lend(mask, take(input, size)));
        }
        let piece = take(input, at_most(input, left));
        let left = left.saturating_sub(piece.len() as u64);
        if message.compressed {
            let last = fin && left == 0;
            message.inflate(piece, last, &mut mask, &mut self.inflation, &self.config)?;
        } else {
            message.append(piece, &mut mask, left, fin, &self.config)?;
        }
        if left > 0 {
            self.stage = Stage::Data { left, mask, fin };
            return Ok(None);
        }
        self.stage = START;
        if !fin {
            return Ok(None);
        }
        if message.compressed {
            self.inflation.finish(&self.config)?;
        }
        let event = match message.finish(self.borrows)? {
            Message::Text(text) => Event::Text(text),
            Message::Binary(data) => Event::Binary(data),
        };
        self.put_away();
        Ok(Some(event))
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("role", &self.role)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

/// `len` as a size, if the input holds that much.
fn within(input: &[u8], len: u64) -> Option<usize> {
    usize::try_from(len).ok().filter(|size| *size <= input.len())
}

/// How much of the input belongs to what lacks `left` bytes.
fn at_most(input: &[u8], left: u64) -> usize {
    usize::try_from(left).map_or(input.len(), |left| left.min(input.len()))
}

/// Takes the first `size` bytes off the input, or all of it.
#[inline]
fn take<'b>(input: &mut &'b mut [u8], size: usize) -> &'b mut [u8] {
    let all = mem::take(input);
    let (taken, rest) = all.split_at_mut(size.min(all.len()));
    *input = rest;
    taken
}
