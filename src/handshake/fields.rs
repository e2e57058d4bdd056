//! RFC 9112 section 5 and RFC 9110 section 5.5: a field line, and those of a head that was read.
//!
//! A line is split where its colon stands, and the whitespace around its value left out; what the
//! field means, `facts` and `response` know.
//!
//! Invariant: name and value lie in the line, and no byte of either is another than was received.

use super::class::token_len;
use core::fmt;

/// The fields of a head that has been read: names and values as received.
#[derive(Clone)]
pub struct Fields<'a> {
    /// Starts at a line; ends with the blank line.
    rest: &'a [u8],
}

impl fmt::Debug for Fields<'_> {
    /// The names only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone().map(|(name, _)| name)).finish()
    }
}

impl<'a> Fields<'a> {
    pub(super) fn new(head: &'a [u8], start: usize) -> Self {
        Self { rest: head.get(start..).unwrap_or_default() }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (line, rest) = self.rest.split_at_checked(memchr::memchr(b'\r', self.rest)?)?;
        let (name, value) = split_field(line, token_len(line))?;
        self.rest = rest.get(2..)?;
        Some((core::str::from_utf8(name).ok()?, value))
    }
}

/// Name and value of a field line (RFC 9112 section 5), given how long the token at its start is.
///
/// A line that starts with whitespace is obs-fold, and "no whitespace is allowed between the field
/// name and colon": both fail because neither is a token character.
#[inline]
pub(super) fn split_field(line: &[u8], token: usize) -> Option<(&[u8], &[u8])> {
    match line.split_at_checked(token)? {
        ([], _) => None,
        (name, [b':', value @ ..]) => Some((name, trim(value))),
        _ => None,
    }
}

/// Without the optional whitespace around it (RFC 9110 section 5.6.3): SP and HTAB only.
///
/// Nearly every value has one SP before it and nothing behind it.
#[inline]
pub(super) fn trim(value: &[u8]) -> &[u8] {
    match value {
        [b' ', rest @ ..] if is_trimmed(rest) => rest,
        _ => trim_start(trim_end(value)),
    }
}

/// Whether there is none around it: a first and a last byte that are beyond SP.
#[inline]
fn is_trimmed(value: &[u8]) -> bool {
    matches!(value, [first, .., last] if *first > b' ' && *last > b' ')
}

fn trim_end(mut value: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Without the optional whitespace before it.
pub(super) fn trim_start(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    // req: H-36, H-37
    #[test]
    fn field_lines() {
        for (line, wanted) in [
            ("a:b", Some(("a", "b"))),
            ("a:", Some(("a", ""))),
            ("a: \t ", Some(("a", ""))),
            ("a:\tb c \t", Some(("a", "b c"))),
            ("a::b", Some(("a", ":b"))),
            ("", None),
            ("a", None),
            (":b", None),
            ("a :b", None),
            (" a:b", None),
            ("é:b", None),
        ] {
            let found = split_field(line.as_bytes(), token_len(line.as_bytes()));
            let wanted = wanted.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            assert_eq!(found, wanted, "{line}");
        }
    }
}
