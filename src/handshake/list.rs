//! RFC 9110 section 5.6: tokens, quoted strings, and comma-separated lists.
//!
//! Lists are read in one pass, element by element, and several field lines count as one list. It
//! does not know what the elements mean.
//!
//! Invariant: a list that was found well-formed has 1 to [`MAX_ELEMENTS`] elements, and no more
//! than [`MAX_EMPTY`] empty places between them.

use super::class::{is_token_byte, token_len};
use super::fields::{trim, trim_start};
use alloc::borrow::Cow;
use alloc::string::String;

/// How many elements a list may have.
pub(super) const MAX_ELEMENTS: u8 = 64;

/// "A recipient MUST parse and ignore a reasonable number of empty list elements" (RFC 9110
/// section 5.6.1.2): this many.
const MAX_EMPTY: u8 = 16;

/// What is known of a list whose field lines arrive one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct List {
    elements: u8,
    empty: u8,
    broken: bool,
}

impl List {
    /// Adds a field line. `is_fine` is asked of all of it first, then of its elements, unless that
    /// was the only one: nothing empty, and nothing with a comma, may be fine.
    pub(super) fn add<'a>(&mut self, value: &'a [u8], mut is_fine: impl FnMut(&'a [u8]) -> bool) {
        // One element, as in most lists: there is nothing to split.
        if is_fine(value) {
            return self.count(value, |_| true);
        }
        for element in value.split(|&byte| byte == b',').map(trim) {
            self.count(element, |element| element.len() < value.len() && is_fine(element));
        }
    }

    fn count<'a>(&mut self, element: &'a [u8], mut is_fine: impl FnMut(&'a [u8]) -> bool) {
        let (count, most) = if element.is_empty() {
            (&mut self.empty, MAX_EMPTY)
        } else {
            (&mut self.elements, MAX_ELEMENTS)
        };
        if self.broken || *count == most || !element.is_empty() && !is_fine(element) {
            self.broken = true;
        } else {
            *count = count.saturating_add(1);
        }
    }

    /// Whether a field line with this list has come.
    pub(super) const fn is_present(self) -> bool {
        self.elements > 0 || self.empty > 0 || self.broken
    }

    pub(super) const fn len(self) -> u8 {
        self.elements
    }

    /// Whether it is `1#element`: "at least one non-empty element" (RFC 9110 section 5.6.1.2).
    pub(super) const fn is_well_formed(self) -> bool {
        self.elements > 0 && !self.broken
    }
}

/// The elements of one field line of a list of tokens that was found well-formed.
pub(super) fn elements(value: &[u8]) -> impl Iterator<Item = &str> + Clone {
    let elements = value.split(|&byte| byte == b',').map(trim);
    elements.filter(|element| !element.is_empty()).filter_map(|e| core::str::from_utf8(e).ok())
}

/// Whether one of them is `name`, in this very case.
pub(super) fn contains(value: &[u8], name: &[u8]) -> bool {
    elements(value).any(|element| element.as_bytes() == name)
}

/// `token` (RFC 9110 section 5.6.2).
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && token_len(text) == text.len()
}

/// `protocol-name ["/" protocol-version]`, an element of Upgrade (RFC 9110 section 7.8).
pub(super) fn is_protocol(text: &[u8]) -> bool {
    match text.get(token_len(text)..) {
        Some([b'/', version @ ..]) => !text.starts_with(b"/") && is_token(version),
        _ => is_token(text),
    }
}

/// A place in a field value.
#[derive(Clone)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl core::fmt::Debug for Cursor<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl<'a> Cursor<'a> {
    /// Steps over `byte`, and the whitespace around it, if it is next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        match trim_start(self.0).split_first() {
            Some((&first, rest)) if first == byte => {
                self.0 = trim_start(rest);
                true
            }
            _ => false,
        }
    }

    /// Whether nothing but whitespace is left.
    pub(super) fn is_done(&self) -> bool {
        trim_start(self.0).is_empty()
    }

    /// The token that is next.
    pub(super) fn token(&mut self) -> Option<&'a str> {
        let text = trim_start(self.0);
        let (token, rest) = text.split_at_checked(token_len(text))?;
        self.0 = rest;
        core::str::from_utf8(token).ok().filter(|token| !token.is_empty())
    }

    /// The token that is next, be it bare or in quotes: then with its backslashes, for
    /// [`unescaped`].
    ///
    /// "When using the quoted-string syntax variant, the value after quoted-string unescaping MUST
    /// conform to the 'token' ABNF" (RFC 6455 section 9.1).
    pub(super) fn token_or_quoted(&mut self) -> Option<&'a str> {
        let [b'"', quoted @ ..] = trim_start(self.0) else { return self.token() };
        let mut at = 0_usize;
        loop {
            let rest = quoted.get(at..)?;
            at = at.saturating_add(token_len(rest));
            match quoted.get(at..)? {
                [b'"', after @ ..] => break self.0 = after,
                [b'\\', byte, ..] if is_token_byte(*byte) => at = at.saturating_add(2),
                _ => return None,
            }
        }
        core::str::from_utf8(quoted.get(..at)?).ok().filter(|token| !token.is_empty())
    }
}

/// A token without the backslashes that it has where it was in quotes. None of them stands for
/// itself, for no token has one.
pub(super) fn unescaped(token: &str) -> Cow<'_, str> {
    if !token.contains('\\') {
        return Cow::Borrowed(token);
    }
    let mut plain = String::with_capacity(token.len());
    plain.extend(token.split('\\'));
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well_formed(lines: &[&str]) -> bool {
        let mut list = List::default();
        for line in lines {
            list.add(line.as_bytes(), is_token);
        }
        list.is_well_formed()
    }

    // req: H-41, W4.3-03
    // bound: L-13
    #[test]
    fn lists() {
        for (lines, wanted) in [
            (&["a"][..], true),
            (&["a, b\t ,c"], true),
            (&["a,,b"], true),
            (&[",a", "b,"], true),
            (&["", "a"], true),
            (&[], false),
            (&[""], false),
            (&[","], false),
            (&[" , ,"], false),
            (&["a b"], false),
            (&["a;b"], false),
            (&["\"a\""], false),
            (&["a/b"], false),
            (&["a", "b c"], false),
            (&["é"], false),
        ] {
            assert_eq!(well_formed(lines), wanted, "{lines:?}");
        }
        let with_empty = |n: usize| format!("{}a", ",".repeat(n));
        assert!(well_formed(&[&with_empty(16)]) && well_formed(&[&with_empty(8), &with_empty(8)]));
        assert!(!well_formed(&[&with_empty(17)]) && !well_formed(&[&with_empty(1000)]));
        assert!(!well_formed(&[&with_empty(8), &with_empty(9)]));
        let with_elements = |n: usize| vec!["a"; n].join(",");
        assert!(well_formed(&[&with_elements(64)]) && !well_formed(&[&with_elements(65)]));
    }

    // req: W2.1-01, H-46
    #[test]
    fn protocol_names() {
        for (text, wanted) in [
            ("websocket", true),
            ("websocket/13", true),
            ("a/", false),
            ("/a", false),
            ("a/b/c", false),
            ("web socket", false),
            ("", false),
        ] {
            assert_eq!(is_protocol(text.as_bytes()), wanted, "{text}");
        }
    }

    // req: H-42, W4.3-01
    #[test]
    fn quoted_tokens() {
        for (text, wanted) in [
            ("10", Some(("10", ""))),
            ("10;", Some(("10", ";"))),
            ("\"10\"", Some(("10", ""))),
            ("\"10\" ; x", Some(("10", " ; x"))),
            ("\"1\\0\"x", Some(("10", "x"))),
            ("\"\\1\\0\"", Some(("10", ""))),
            ("", None),
            ("\"", None),
            ("\"\"", None),
            ("\"a", None),
            ("\"a\\", None),
            ("\"a\\\"", None),
            ("\"a b\"", None),
            ("\"a\\ b\"", None),
            ("\"a\\\"b\"", None),
            ("\"a,b\"", None),
        ] {
            let mut cursor = Cursor(text.as_bytes());
            let token = cursor.token_or_quoted().map(unescaped);
            let left = core::str::from_utf8(cursor.0).unwrap();
            assert_eq!(token.as_deref().map(|token| (token, left)), wanted, "{text}");
            let is_copied = matches!(token, Some(Cow::Owned(_)));
            assert_eq!(is_copied, token.is_some() && text.contains('\\'), "{text}");
        }
        // Linear: a value that is all escapes is given up at the first that is no token.
        assert_eq!(Cursor(format!("\"{}", "\\\"".repeat(4000)).as_bytes()).token_or_quoted(), None);
    }
}
