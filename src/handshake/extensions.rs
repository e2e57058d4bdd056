//! RFC 6455 section 9.1: extensions and their parameters, as values.
//!
//! It parses what `Sec-WebSocket-Extensions` offers or agrees to. What an extension means, and
//! which parameters it takes, is the extension's own business.
//!
//! Invariant: what [`check`] finds well-formed, [`Extensions`] yields in full.

use super::list::{Cursor, List, unescaped};
use alloc::borrow::Cow;

/// An extension that is offered or agreed, with its parameters in order (RFC 6455 section 9.1).
#[derive(Debug, Clone)]
pub struct Extension<'a> {
    /// Its name: a token.
    pub name: &'a str,
    /// Its parameters.
    pub params: Params<'a>,
}

/// The parameters of an [`Extension`]: a name, and a value or none.
///
/// A value that came in quotes is unescaped: `x="10"` and `x=10` mean the same.
#[derive(Debug, Clone)]
pub struct Params<'a>(Cursor<'a>);

impl<'a> Iterator for Params<'a> {
    type Item = (&'a str, Option<Cow<'a, str>>);

    fn next(&mut self) -> Option<Self::Item> {
        param(&mut self.0).map(|(name, value)| (name, value.map(unescaped)))
    }
}

/// The extensions of one field line that was found well-formed.
#[derive(Debug, Clone)]
pub(super) struct Extensions<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Extensions<'a> {
    type Item = Extension<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            // No token has a comma, so none is hidden in a quoted value.
            let comma = memchr::memchr(b',', self.0).unwrap_or(self.0.len());
            let (element, rest) = self.0.split_at_checked(comma)?;
            self.0 = rest.get(1..).unwrap_or_default();
            let mut cursor = Cursor(element);
            if let Some(name) = cursor.token() {
                return Some(Extension { name, params: Params(cursor) });
            }
            if rest.is_empty() {
                return None;
            }
        }
    }
}

/// Adds a field line to what is known of the list of extensions.
pub(super) fn check(list: &mut List, value: &[u8]) {
    list.add(value, |element| {
        let mut cursor = Cursor(element);
        if cursor.token().is_none() {
            return false;
        }
        while param(&mut cursor).is_some() {}
        cursor.is_done()
    });
}

/// `";" token [ "=" (token | quoted-string) ]`; `None`, and something left, if it is anything else.
fn param<'a>(cursor: &mut Cursor<'a>) -> Option<(&'a str, Option<&'a str>)> {
    let mut ahead = cursor.clone();
    if !ahead.eat(b';') {
        return None;
    }
    let name = ahead.token()?;
    let value = if ahead.eat(b'=') { Some(ahead.token_or_quoted()?) } else { None };
    *cursor = ahead;
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(value: &str) -> Option<String> {
        let show_param = |(name, value): (&str, Option<Cow<'_, str>>)| match value {
            Some(value) => format!(" {name}={value}"),
            None => format!(" {name}"),
        };
        let mut list = List::default();
        check(&mut list, value.as_bytes());
        let extensions = Extensions(value.as_bytes()).map(|extension| {
            format!("[{}{}]", extension.name, extension.params.map(show_param).collect::<String>())
        });
        list.is_well_formed().then(|| extensions.collect())
    }

    // req: W9.1-01, W9.1-07, W4.3-01, W9-02
    #[test]
    fn well_formed_offers() {
        for (value, wanted) in [
            ("a", "[a]"),
            ("a,b", "[a][b]"),
            ("a;b", "[a b]"),
            ("a;b=1", "[a b=1]"),
            ("a;b=\"1\"", "[a b=1]"),
            ("a;b=\"\\1\"", "[a b=1]"),
            (" a ; b = 1 , c ", "[a b=1][c]"),
            ("a\t;\tb\t=\t\"1\"\t,\tc", "[a b=1][c]"),
            (",a,,b,", "[a][b]"),
            ("a;b;b=2;c", "[a b b=2 c]"),
            ("constructor, __proto__;toString", "[constructor][__proto__ toString]"),
            (
                "permessage-deflate; client_max_window_bits, permessage-deflate",
                "[permessage-deflate client_max_window_bits][permessage-deflate]",
            ),
        ] {
            assert_eq!(show(value).as_deref(), Some(wanted), "{value}");
        }
    }

    // req: W9.1-01, W4.3-01, W4.3-03
    #[test]
    fn malformed_offers() {
        for value in [
            "",
            ",",
            " , ,",
            ";",
            "a;",
            "a;;b",
            "a;=1",
            "a b",
            "a=1",
            "\"a\"",
            "a;b=\"x",
            "a;b=1=2",
            "a;b c",
            "\0",
            "a\u{ff}",
            "a;b=",
            "a;b=\"a b\"",
            "a;b=\"\"",
            "a;b=\"a\\\"b\"",
            "a;b=a\"b\"",
            "a;b=\"c\"d",
            "a;b=\"c,d\"",
            "a,;b",
            "a, b;",
            "a/b",
            "a;b=\"\\",
        ] {
            assert_eq!(show(value), None, "{value:?}");
        }
        assert_eq!(show(&format!("a;b=\"{}\"", "\\\"".repeat(4000))), None);
    }
}
