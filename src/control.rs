//! RFC 6455 section 5.5: the payload of a control frame, held in place.
//!
//! Invariant: at most 125 bytes, because the header of a longer control frame is refused.

use crate::close::{CloseCode, CloseReason};
use crate::frame::MAX_CONTROL_PAYLOAD;
use core::ops::Deref;

/// Up to [`MAX_CONTROL_PAYLOAD`] bytes.
#[derive(Clone, Copy)]
pub(crate) struct Control {
    bytes: [u8; MAX_CONTROL_PAYLOAD],
    len: u8,
}

impl Control {
    pub(crate) const EMPTY: Self = Self { bytes: [0; MAX_CONTROL_PAYLOAD], len: 0 };

    /// The payload, if it is one that a control frame may have.
    pub(crate) fn new(payload: &[u8]) -> Option<Self> {
        let mut control = Self::EMPTY;
        control.bytes.get_mut(..payload.len())?.copy_from_slice(payload);
        control.len = u8::try_from(payload.len()).ok()?;
        Some(control)
    }

    /// The body of a Close: code and reason together are no longer than 125 bytes.
    pub(crate) fn close(code: CloseCode, reason: &CloseReason) -> Self {
        let mut control = Self::EMPTY;
        control.extend(&u16::from(code).to_be_bytes());
        control.extend(reason.as_bytes());
        control
    }

    /// Adds the next piece of a payload whose length was let in.
    pub(crate) fn extend(&mut self, piece: &[u8]) {
        debug_assert!(piece.len() <= MAX_CONTROL_PAYLOAD.saturating_sub(self.len.into()));
        let start = usize::from(self.len);
        let end = start.saturating_add(piece.len());
        if let Some(room) = self.bytes.get_mut(start..end) {
            room.copy_from_slice(piece);
            self.len = u8::try_from(end).unwrap_or(u8::MAX);
        }
    }
}

impl Deref for Control {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}
