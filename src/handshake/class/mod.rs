//! RFC 9110 section 5.6.2, RFC 9112 section 3.2, RFC 3986 section 3.2.2: which bytes may stand
//! where.
//!
//! One table has a bit for each class, so that a head is judged with a look-up a byte; what is
//! asked of every byte, and of nearly all names, is asked of many bytes in one step, by the rooms
//! beside this. Grammar is the business of those who ask.
//!
//! Invariant: only ASCII is in a class.

#[cfg(any(test, not(all(target_arch = "x86_64", target_feature = "sse2"))))]
mod portable;
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
mod x86;

#[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
pub(super) use portable::{Controls, token_len};
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
pub(super) use x86::{Controls, token_len};

const TOKEN: u8 = 1;
const TARGET: u8 = 2;
const NAME: u8 = 4;

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

/// The number that these DIGITs write, if that is what they are and it fits; 0 without any.
pub(super) fn decimal(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0_u16, |number, &digit| {
        number.checked_mul(10)?.checked_add(digit_of(digit)?.into())
    })
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

/// Where the first control character is.
#[inline]
pub(super) fn first_control(bytes: &[u8]) -> Option<usize> {
    Controls::of(bytes).next()
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

    /// The two rooms, on a machine that has two.
    const TOKEN_LENS: [fn(&[u8]) -> usize; 2] = [token_len, portable::token_len];

    /// What both find, one by one.
    fn controls(bytes: &[u8]) -> Vec<usize> {
        let found: Vec<_> = Controls::of(bytes).collect();
        let portable: Vec<_> = portable::Controls::of(bytes).collect();
        assert_eq!(found, portable, "{}", bytes.escape_ascii());
        assert_eq!(first_control(bytes), found.first().copied());
        found
    }

    #[test]
    fn tokens_end_at_the_first_byte_that_is_none() {
        for first in 0..=255_u8 {
            for second in 0..=255_u8 {
                for before in 0..9 {
                    let bytes = [&b"Sec-WebS"[..before], &[first, second], b"ocket:Key"].concat();
                    let wanted = bytes.iter().position(|&byte| !is_token_byte(byte)).unwrap();
                    let short = &bytes[..before + 2];
                    for token_len in TOKEN_LENS {
                        assert_eq!(token_len(&bytes), wanted, "{bytes:x?}");
                        assert_eq!(token_len(short), wanted.min(short.len()), "{short:x?}");
                    }
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
            // A step of sixteen has them twice.
            let twice = [bytes, bytes].concat();
            for token_len in TOKEN_LENS {
                assert_eq!(token_len(&bytes), wanted, "{}", bytes.escape_ascii());
                let wanted = if wanted == 8 { 16 } else { wanted };
                assert_eq!(token_len(&twice), wanted, "{}", twice.escape_ascii());
            }
        }
    }

    #[test]
    fn every_byte_at_every_place_of_a_step() {
        for byte in 0..=255 {
            for at in 0..160 {
                let mut bytes = [b'a'; 160];
                bytes[at] = byte;
                let wanted = if is_token_byte(byte) { 160 } else { at };
                assert_eq!(TOKEN_LENS.map(|len| len(&bytes)), [wanted; 2], "{byte:#x} at {at}");
                let wanted: &[usize] = if is_control(byte) { &[at] } else { &[] };
                assert_eq!(controls(&bytes), wanted, "{byte:#x} at {at}");
                assert_eq!(controls(&bytes[..=at]), wanted, "{byte:#x} at the end");
            }
        }
    }

    #[test]
    fn controls_are_found_wherever_they_are() {
        for len in 0..140 {
            for fill in [b'a', b' ', b'\t', 0x7e, 0x80, 0xff] {
                let clean = vec![fill; len];
                assert_eq!(controls(&clean), []);
                for at in 0..len {
                    for control in [b'\r', b'\n', 0, 8, 10, 0x1f, 0x7f] {
                        let mut bytes = clean.clone();
                        (bytes[at], bytes[len - 1]) = (control, b'\0');
                        bytes[at.saturating_sub(1)] = if at == 0 { b'\0' } else { b'\t' };
                        let wanted = if at == len - 1 { vec![at] } else { vec![at, len - 1] };
                        assert_eq!(controls(&bytes), wanted, "{control} at {at} of {len}");
                    }
                }
            }
        }
        assert_eq!(controls(&[0; 200]), (0..200).collect::<Vec<_>>());
    }

    /// A CRLF may lie across two steps.
    #[test]
    fn an_lf_is_stepped_over() {
        for at in 0..140 {
            let mut bytes = [b'a'; 150];
            bytes[at..at + 4].copy_from_slice(b"\r\n\n\0");
            let (mut found, mut portable) = (Controls::of(&bytes), portable::Controls::of(&bytes));
            assert_eq!((found.next(), portable.next()), (Some(at), Some(at)));
            found.step_over_lf();
            portable.step_over_lf();
            let rest = [at + 2, at + 3];
            assert!(found.eq(rest) && portable.eq(rest), "{at}");
        }
    }

    #[test]
    fn every_byte_before_every_byte() {
        for first in 0..=255_u8 {
            for second in 0..=255_u8 {
                let bytes = [b'a', first, second, b'a', b'a', b'a', b'a', b'a', b'a'];
                let wanted = bytes.iter().enumerate().filter(|(_, byte)| is_control(**byte));
                let wanted: Vec<_> = wanted.map(|(at, _)| at).collect();
                assert_eq!(controls(&bytes), wanted, "{first:#x} {second:#x}");
            }
        }
    }
}
