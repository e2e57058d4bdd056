//! RFC 1951 leaves to the compressor how hard it looks, and RFC 7692 too: zlib's level and memory.
//!
//! What a [`Policy`](super::Policy) says of it, in one octet, so that an idle connection can keep
//! it where its codec was.
//!
//! Invariant: the level is 0 to 9, the memory 1 to 9.

/// How hard to compress, and with how much memory beside the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Effort(u8);

impl Effort {
    /// What is out of range counts as the nearest that is not.
    pub(super) fn new(level: u8, memory: u8) -> Self {
        Self(level.min(9) | memory.clamp(1, 9) << 4)
    }

    /// Whether a deflater that was reset compresses whole messages as a new one does. zlib-rs
    /// leaves its window as it was, and at level 9 looks at bytes there that it has not been given.
    pub(crate) const fn forgets(self) -> bool {
        self.level() < 9
    }

    /// zlib's `level`.
    pub(super) const fn level(self) -> u8 {
        self.0 & 0xf
    }

    /// zlib's `memLevel`.
    pub(super) const fn memory(self) -> u8 {
        self.0 >> 4
    }
}

#[cfg(test)]
mod tests {
    use super::Effort;

    #[test]
    fn both_are_kept_apart_and_in_range() {
        for level in 0..=255 {
            for memory in 0..=255 {
                let effort = Effort::new(level, memory);
                assert_eq!((effort.level(), effort.memory()), (level.min(9), memory.clamp(1, 9)));
            }
        }
    }
}
