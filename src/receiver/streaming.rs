//! RFC 6455 section 5.4: messages handed out in chunks, as they arrive.
//!
//! Chunks of a plain message are borrowed from the input; those of a compressed one are inflated
//! into a buffer of their own, a bounded part at a time. Where a chunk ends has no meaning.
//!
//! Invariant: however the bytes are cut, those before the first impossible one come out, then the
//! failure.

use super::{Ended, Receiver, START, Stage, at_most, take};
use crate::error::ProtocolError;
use crate::event::{Chunk, Event};
use crate::frame::Kind;
use crate::mask::Mask;
use crate::payload::Payload;
use core::mem;

/// How much is unmasked to be inflated at a time: what cannot be taken yet is masked again.
const PIECE: usize = 4096;

/// The longest chunk of a compressed message.
const CHUNK: usize = 16 << 10;

impl Receiver {
    /// How many bytes are still to come of the message that the last chunk belongs to: 0 once it
    /// has ended, `None` while that is unknown, in all frames of a message but the last and in one
    /// that is compressed. For who passes a message on as it arrives, behind a header of its own
    /// ([`Sender::header`](crate::Sender::header)), unless a Pong waits
    /// ([`Sender::pending`](crate::Sender::pending)): then in fragments.
    ///
    /// ```
    /// use sockless::{Config, Delivery, Event, Receiver};
    /// let mut config = Config::default();
    /// config.delivery = Delivery::Streamed;
    /// let mut receiver = Receiver::client(std::sync::Arc::new(config));
    /// let mut bytes = *b"\x82\x05He";
    /// let mut input = &mut bytes[..];
    /// assert!(matches!(receiver.receive(&mut input), Some(Event::Chunk(chunk)) if chunk.first));
    /// assert_eq!(receiver.to_come(), Some(3));
    /// ```
    pub fn to_come(&self) -> Option<u64> {
        match (&self.message, self.stage) {
            (None, _) => Some(0),
            (Some(message), _) if !message.started => Some(0), // no chunk of it is out yet
            (Some(message), Stage::Data { left, fin: true, .. }) if !message.compressed => {
                Some(left)
            }
            _ => None,
        }
    }

    /// Hands out what there is of a data frame.
    pub(super) fn stream<'b>(
        &mut self,
        left: u64,
        mask: Mask,
        fin: bool,
        input: &mut &'b mut [u8],
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        if self.message.as_ref().is_some_and(|message| message.compressed) {
            self.stream_compressed(left, mask, fin, input)
        } else {
            self.stream_plain(left, mask, fin, input)
        }
    }

    fn stream_plain<'b>(
        &mut self,
        left: u64,
        mut mask: Mask,
        fin: bool,
        input: &mut &'b mut [u8],
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        let piece = input.get_mut(..at_most(input, left)).unwrap_or_default();
        mask.unmask(piece);
        let left = left.saturating_sub(piece.len() as u64);
        let last = left == 0 && fin;
        let (size, verdict) = self.judge(piece, last);
        self.stage = if left == 0 { START } else { Stage::Data { left, mask, fin } };
        let data = take(input, size);
        self.hand_out(data.into(), last, verdict)
    }

    fn stream_compressed<'b>(
        &mut self,
        left: u64,
        mut mask: Mask,
        fin: bool,
        input: &mut &'b mut [u8],
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        let piece = input.get_mut(..at_most(input, left).min(PIECE)).unwrap_or_default();
        let (masked, mut unmask) = (mask != Mask::NONE, mask);
        if masked {
            unmask.apply(piece);
        }
        let Some(message) = &mut self.message else { return Ok(None) };
        let onto = message.chunk();
        let inflated = self.inflation.inflate(piece, false, onto, CHUNK, &self.config)?;
        let mut data = message.take();
        mask.turn(inflated.consumed);
        if masked {
            let mut remask = mask;
            remask.apply(piece.get_mut(inflated.consumed..).unwrap_or_default());
        }
        let left = left.saturating_sub(take(input, inflated.consumed).len() as u64);

        let frame_ends = left == 0 && !inflated.more;
        let last = frame_ends && fin;
        let (size, mut verdict) = self.judge(&data, last);
        if last && verdict.is_ok() {
            verdict = self.inflation.finish(&self.config);
        }
        data.truncate(size);
        if let Some(message) = &mut self.message {
            message.more = inflated.more;
            data = message.fit(data, self.borrows);
        }
        self.stage = if frame_ends { START } else { Stage::Data { left, mask, fin } };
        self.hand_out(data.into(), last, verdict)
    }

    /// How much of the next piece of a message is possible, and whether that is all of it; whether
    /// the message may end with it, if it is the `last`.
    fn judge(&mut self, piece: &[u8], last: bool) -> (usize, Result<(), ProtocolError>) {
        let message = self.message.as_mut().filter(|message| message.kind == Kind::Text);
        let Some(message) = message else { return (piece.len(), Ok(())) };
        match message.utf8.push(piece) {
            Err(error) => (error.index, Err(ProtocolError::InvalidUtf8)),
            Ok(()) if last && !message.utf8.is_boundary() => {
                (piece.len(), Err(ProtocolError::InvalidUtf8))
            }
            Ok(()) => (piece.len(), Ok(())),
        }
    }

    /// The next chunk, if there is anything in it; a failure waits until it is out.
    fn hand_out<'b>(
        &mut self,
        data: Payload<'b>,
        mut last: bool,
        verdict: Result<(), ProtocolError>,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        let Some(message) = &mut self.message else { return Ok(None) };
        if let Err(error) = verdict {
            if data.is_empty() {
                return Err(error);
            }
            self.ended = Ended::Failing(error);
            last = false;
        }
        if data.is_empty() && !last {
            return Ok(None); // an empty fragment, or nothing inflated yet
        }
        let (kind, first) = (message.kind, !mem::replace(&mut message.started, true));
        if last {
            self.put_away();
        }
        Ok(Some(Event::Chunk(Chunk { kind, first, last, data })))
    }
}
