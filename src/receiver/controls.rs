//! RFC 6455 section 5.5: control frames, between the fragments of a message too.
//!
//! One that lies whole in the input is handed out as it lies there, any other is put together, 125
//! bytes at most. What to answer is told by `Event::reply`.
//!
//! Invariant: nothing but a Close ends the events.

use super::{Ended, Receiver, START, Stage, at_most, take, within};
use crate::close::{self, CloseCode};
use crate::control::Control;
use crate::error::ProtocolError;
use crate::event::{Close, Event};
use crate::frame::{Header, Opcode};
use crate::mask::Mask;
use alloc::boxed::Box;

impl Receiver {
    /// A control frame begins: handed out at once when it lies whole in the input.
    pub(super) fn begin_control<'b>(
        &mut self,
        header: Header,
        input: &mut &'b mut [u8],
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        let mut mask = header.mask.map_or(Mask::NONE, Mask::new);
        if let Some(size) = within(input, header.len) {
            self.stage = START;
            let payload = take(input, size);
            mask.unmask(payload);
            return Ok(Some(match header.opcode {
                Opcode::Close => self.closed(payload)?,
                Opcode::Ping => Event::Ping(payload.into()),
                _ => Event::Pong(payload.into()),
            }));
        }
        // The header of a control frame over 125 bytes was refused.
        let left = u8::try_from(header.len).unwrap_or(u8::MAX);
        self.control = Some(Box::new(Control::EMPTY));
        self.stage = Stage::Control { left, mask, opcode: header.opcode };
        Ok(None)
    }

    /// Adds what there is of a control frame; its event, when that completes it.
    pub(super) fn gather<'b>(
        &mut self,
        left: u8,
        mut mask: Mask,
        opcode: Opcode,
        input: &mut &mut [u8],
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        let piece = take(input, at_most(input, u64::from(left)));
        mask.unmask(piece);
        if let Some(control) = &mut self.control {
            control.extend(piece);
        }
        let left = left.saturating_sub(u8::try_from(piece.len()).unwrap_or(u8::MAX));
        if left > 0 {
            self.stage = Stage::Control { left, mask, opcode };
            return Ok(None);
        }
        self.stage = START;
        let payload = self.control.take().map_or_else(Default::default, |held| held.to_vec());
        Ok(Some(match opcode {
            Opcode::Close => self.closed(&payload)?.into_owned(),
            Opcode::Ping => Event::Ping(payload.into()),
            _ => Event::Pong(payload.into()),
        }))
    }

    /// The peer's Close is in. Its body is kept for [`eof`](Self::eof).
    fn closed<'b>(&mut self, body: &'b [u8]) -> Result<Event<'b>, ProtocolError> {
        let (code, reason) = close::parse(body)?;
        self.end(Ended::Closed);
        self.control = Control::new(body).filter(|_| !body.is_empty()).map(Box::new);
        let code = code.unwrap_or(CloseCode::NO_STATUS);
        Ok(Event::Close(Close { code, reason: reason.into() }))
    }
}
