//! RFC 7692 section 7.1: what was agreed for one direction: how far back a message may refer, and
//! whether into the messages before it.
//!
//! Invariant: window bits are 8 to 15, by type.

use core::num::NonZeroU8;

/// The base-2 logarithm of an LZ77 window, 8 to 15 (RFC 7692 section 7.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBits(NonZeroU8);

impl WindowBits {
    /// 256 octets.
    pub const MIN: Self = Self::valid(8);
    /// 32,768 octets: what DEFLATE allows, and what holds when nothing was agreed.
    pub const MAX: Self = Self::valid(15);
    /// 4,096 octets.
    pub(super) const TWELVE: Self = Self::valid(12);

    /// `bits` as window bits, if they are 8 to 15.
    pub const fn new(bits: u8) -> Option<Self> {
        match bits {
            8..=15 => Some(Self::valid(bits)),
            _ => None,
        }
    }

    /// The value of a parameter: "a decimal integer value without leading zeroes between 8 to 15,
    /// inclusive" (section 7.1.2.1).
    pub(super) fn parse(value: &str) -> Option<Self> {
        Some(Self::valid(match value {
            "8" => 8,
            "9" => 9,
            "10" => 10,
            "11" => 11,
            "12" => 12,
            "13" => 13,
            "14" => 14,
            "15" => 15,
            _ => return None,
        }))
    }

    /// The number, 8 to 15.
    pub const fn get(self) -> u8 {
        self.0.get()
    }

    const fn valid(bits: u8) -> Self {
        Self(NonZeroU8::MIN.saturating_add(bits.saturating_sub(1)))
    }
}

/// What one side compresses with, and the other inflates with: one octet, so that an idle
/// connection can keep it where its codec was.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Context(NonZeroU8);

impl Context {
    const TAKEOVER: u8 = 0x10;

    /// A context of this window, kept from message to message with `takeover`.
    pub const fn new(window: WindowBits, takeover: bool) -> Self {
        Self(window.0.saturating_add(if takeover { Self::TAKEOVER } else { 0 }))
    }

    /// How far back a reference may go.
    pub const fn window(self) -> WindowBits {
        WindowBits::valid(self.0.get() & !Self::TAKEOVER)
    }

    /// Whether a message may refer to those before it.
    pub const fn takeover(self) -> bool {
        self.0.get() & Self::TAKEOVER != 0
    }

    /// Whether a message compressed once, with `other`, may be sent here: it refers to nothing
    /// before it and not too far back, and no message after it will refer to it.
    pub fn fits(self, other: Self) -> bool {
        !self.takeover() && !other.takeover() && other.window() <= self.window()
    }

    /// What is allowed by both: a compressor may always use less than was agreed.
    #[must_use]
    pub(super) fn within(self, other: Self) -> Self {
        Self::new(self.window().min(other.window()), self.takeover() && other.takeover())
    }

    /// What stays of a codec after a message: all of it with takeover, else nothing.
    pub fn settle<T>(self, codec: &mut Option<T>) {
        if !self.takeover() {
            *codec = None;
        }
    }
}

impl core::fmt::Debug for Context {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Context")
            .field("window", &self.window().get())
            .field("takeover", &self.takeover())
            .finish()
    }
}

/// Both directions, as one side sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Contexts {
    /// For what it receives.
    pub inflate: Context,
    /// For what it sends.
    pub deflate: Context,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_one_octet_and_keeps_both_facts() {
        assert_eq!(size_of::<Option<Context>>(), 1);
        assert_eq!(size_of::<Option<WindowBits>>(), 1);
        for bits in 0..=255 {
            let Some(window) = WindowBits::new(bits) else {
                assert!(!(8..=15).contains(&bits));
                continue;
            };
            for takeover in [false, true] {
                let context = Context::new(window, takeover);
                assert_eq!((context.window().get(), context.takeover()), (bits, takeover));
                let mut codec = Some(());
                context.settle(&mut codec);
                assert_eq!(codec.is_some(), takeover);
            }
        }
    }

    #[test]
    fn a_prepared_message_fits_where_the_window_is_no_smaller_and_nothing_is_kept() {
        let context = |bits, takeover| Context::new(WindowBits::valid(bits), takeover);
        for made in 8..=15 {
            for agreed in 8..=15 {
                let fits = context(agreed, false).fits(context(made, false));
                assert_eq!(fits, made <= agreed);
                assert!(!context(agreed, true).fits(context(made, false)));
                assert!(!context(agreed, false).fits(context(made, true)));
            }
        }
    }

    // req: D7.1.2.1-01, D7.1.2.2-01
    #[test]
    fn of_all_strings_of_up_to_three_octets_eight_are_window_bits() {
        let mut found = Vec::new();
        let mut visit = |octets: &[u8]| {
            let Ok(text) = core::str::from_utf8(octets) else { return };
            if let Some(bits) = WindowBits::parse(text) {
                found.push((text.to_owned(), bits.get()));
            }
        };
        visit(b"");
        for a in 0..128 {
            visit(&[a]);
            for b in 0..128 {
                visit(&[a, b]);
                for c in 0..128 {
                    visit(&[a, b, c]);
                }
            }
        }
        found.sort_by_key(|(_, bits)| *bits);
        let wanted: Vec<_> = (8..=15).map(|bits: u8| (bits.to_string(), bits)).collect();
        assert_eq!(found, wanted);
        for text in ["0x8", "8.0", "4294967304", "18446744073709551624", "0008", "١٠", " 8", "8 "]
        {
            assert_eq!(WindowBits::parse(text), None, "{text}");
        }
    }
}
