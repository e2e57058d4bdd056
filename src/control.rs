//! RFC 6455 section 5.5: the payload of a control frame, held in place.
//!
//! Invariant: at most 125 bytes, because the header of a longer control frame is refused.

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

    /// As much of `payload` as there is room for: all of it, for a payload that was let in.
    pub(crate) fn new(payload: &[u8]) -> Self {
        let mut control = Self::EMPTY;
        control.extend(payload);
        control
    }

    pub(crate) fn extend(&mut self, piece: &[u8]) {
        debug_assert!(usize::from(self.len) + piece.len() <= MAX_CONTROL_PAYLOAD);
        let room = self.bytes.get_mut(usize::from(self.len)..).unwrap_or_default();
        for (slot, byte) in room.iter_mut().zip(piece) {
            *slot = *byte;
            self.len += 1;
        }
    }
}

impl Deref for Control {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}
