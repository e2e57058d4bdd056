//! RFC 9110 section 5.6.2, RFC 9112 section 3.2, RFC 3986 section 3.2.2: which bytes may stand
//! where.
//!
//! One table has a bit for each class, so that a head is judged with a look-up a byte. Grammar is
//! the business of those who ask.
//!
//! Invariant: only ASCII is in a class.

const TOKEN: u8 = 1;
const TARGET: u8 = 2;
const NAME: u8 = 4;

/// A word with 1 in each byte, and one with the top bit of each.
const ONES: u64 = u64::from_ne_bytes([1; 8]);
const TOPS: u64 = ONES << 7;
/// What takes `a` and all above it to the top bit, and what takes all above `z`.
const ABOVE_A: u64 = ONES * (0x80 - 0x61);
const ABOVE_Z: u64 = ONES * (0x7f - 0x7a);

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        let alphanumeric = byte.is_ascii_alphanumeric();
        let token = alphanumeric
            || matches!(
                byte,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        let target = byte.is_ascii_graphic() && byte != b'#' && byte != b'\\';
        let name = alphanumeric
            || matches!(
                byte,
                b'-' | b'.'
                    | b'_'
                    | b'~'
                    | b'!'
                    | b'$'
                    | b'&'
                    | b'\''
                    | b'('
                    | b')'
                    | b'*'
                    | b'+'
                    | b';'
                    | b'='
            );
        classes[byte as usize] = if token { TOKEN } else { 0 }
            | if target { TARGET } else { 0 }
            | if name { NAME } else { 0 };
        byte += 1;
    }
    classes
};

#[inline]
fn is(byte: u8, class: u8) -> bool {
    CLASSES.get(usize::from(byte)).is_some_and(|classes| classes & class != 0)
}

/// tchar (RFC 9110 section 5.6.2).
#[inline]
pub(super) fn is_token_byte(byte: u8) -> bool {
    is(byte, TOKEN)
}

/// The value of a DIGIT (RFC 5234 appendix B.1).
#[inline]
pub(super) fn digit_of(byte: u8) -> Option<u8> {
    byte.checked_sub(b'0').filter(|&digit| digit <= 9)
}

/// How many of the first bytes are tchars.
///
/// Names are letters and hyphens, nearly all of them: eight at a time, and the rest by the table.
#[inline]
pub(super) fn token_len(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        // In each byte: its top bit is set if it is ASCII, and a letter or a hyphen. No addition
        // carries into the next byte, for the top bits are clear.
        let low = word & !TOPS;
        let small = low | (ONES * 0x20);
        let letter = small.wrapping_add(ABOVE_A) & !small.wrapping_add(ABOVE_Z);
        let hyphen = !(low ^ (ONES * 0x2d)).wrapping_add(!TOPS);
        let other = !((letter | hyphen) & !word) & TOPS;
        if other != 0 {
            let at = other.trailing_zeros() as usize / 8;
            rest = rest.get(at..).unwrap_or_default();
            if rest.first() == Some(&b':') {
                return bytes.len().saturating_sub(rest.len());
            }
            break;
        }
        rest = after;
    }
    let others = rest
        .iter()
        .position(|&byte| !is_token_byte(byte))
        .map_or(0, |at| rest.len().saturating_sub(at));
    bytes.len().saturating_sub(others)
}

/// A byte that may stand in a path or query on the wire, in either direction.
///
/// Visible ASCII without `#` and `\`. Some of it ought to be percent-encoded by RFC 3986; browsers
/// send it as it is, and it is no danger to a line that is cut at its spaces.
#[inline]
pub(super) fn is_target_byte(byte: u8) -> bool {
    is(byte, TARGET)
}

/// unreserved and sub-delims (RFC 3986 section 2) without the comma, which would make one Host of
/// a list.
#[inline]
pub(super) fn is_name_byte(byte: u8) -> bool {
    is(byte, NAME)
}

/// A control character that no line may hold: any but HTAB (RFC 9110 section 5.5).
#[inline]
pub(super) const fn is_control(byte: u8) -> bool {
    byte < b' ' && byte != b'\t' || byte == 0x7f
}

/// Where the first control character is. Sixteen bytes at a time, side by side, without a branch
/// for each.
#[inline]
pub(super) fn first_control(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    while let Some((block, after)) = rest.split_first_chunk::<16>() {
        if block.iter().fold(0, |found, &byte| found | u8::from(is_control(byte))) != 0 {
            break;
        }
        rest = after;
    }
    // Here is one, or less than sixteen bytes are left: now eight at a time.
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        // A top bit is left where a byte is below SP, and where a byte is DEL; a borrow can leave
        // more of them, but only above one that is right.
        let below = word.wrapping_sub(ONES * 0x20) & !word;
        let other = word ^ (ONES * 0x7f);
        let delete = other.wrapping_sub(ONES) & !other;
        let found = (below | delete) & TOPS;
        if found != 0 {
            let at = found.trailing_zeros() as usize / 8;
            rest = rest.get(at..).unwrap_or_default();
            if rest.first() != Some(&b'\t') {
                return Some(bytes.len().saturating_sub(rest.len()));
            }
            break;
        }
        rest = after;
    }
    let clean = bytes.len().saturating_sub(rest.len());
    rest.iter().position(|&byte| is_control(byte)).map(|at| clean.saturating_add(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_the_grammars() {
        for byte in 0..=255_u8 {
            let alphanumeric = byte.is_ascii_alphanumeric();
            let token = alphanumeric || b"!#$%&'*+-.^_`|~".contains(&byte);
            let name = alphanumeric || b"-._~!$&'()*+;=".contains(&byte);
            let target = (0x21..0x7f).contains(&byte) && !b"#\\".contains(&byte);
            assert_eq!(is_token_byte(byte), token, "{byte:#x}");
            assert_eq!(is_name_byte(byte), name, "{byte:#x}");
            assert_eq!(is_target_byte(byte), target, "{byte:#x}");
        }
    }

    #[test]
    fn tokens_end_at_the_first_byte_that_is_none() {
        for first in 0..=255_u8 {
            for second in 0..=255_u8 {
                for before in 0..9 {
                    let bytes = [&b"Sec-WebS"[..before], &[first, second], b"ocket:Key"].concat();
                    let wanted = bytes.iter().position(|&byte| !is_token_byte(byte)).unwrap();
                    assert_eq!(token_len(&bytes), wanted, "{bytes:x?}");
                    let short = &bytes[..before + 2];
                    assert_eq!(token_len(short), wanted.min(short.len()), "{short:x?}");
                }
            }
        }
    }

    /// A byte must not be judged by its neighbours.
    #[test]
    fn tokens_of_eight_bytes_are_those_of_one() {
        for mut seed in 0..5_u32.pow(8) {
            let bytes = [(); 8].map(|()| {
                let byte = b"-aZ{@"[seed as usize % 5];
                seed /= 5;
                byte
            });
            let wanted = bytes.iter().position(|&byte| !is_token_byte(byte)).unwrap_or(8);
            assert_eq!(token_len(&bytes), wanted, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn controls_are_found_wherever_they_are() {
        for len in 0..70 {
            for fill in [b'a', b' ', b'\t', 0x7e, 0x80, 0xff] {
                let clean = vec![fill; len];
                assert_eq!(first_control(&clean), None);
                for at in 0..len {
                    for control in [b'\r', b'\n', 0, 8, 10, 0x1f, 0x7f] {
                        let mut bytes = clean.clone();
                        (bytes[at], bytes[len - 1]) = (control, b'\0');
                        bytes[at.saturating_sub(1)] = if at == 0 { b'\0' } else { b'\t' };
                        assert_eq!(first_control(&bytes), Some(at), "{control} at {at} of {len}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_byte_before_every_byte() {
        for first in 0..=255_u8 {
            for second in 0..=255_u8 {
                let bytes = [b'a', first, second, b'a', b'a', b'a', b'a', b'a', b'a'];
                let wanted = bytes.iter().position(|&byte| is_control(byte));
                assert_eq!(first_control(&bytes), wanted, "{first:#x} {second:#x}");
            }
        }
    }
}
