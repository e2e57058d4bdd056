//! RFC 6455 section 11.3: the fields that a handshake reads, by name.
//!
//! A name is classified once, when its line arrives. Every other field is the application's.
//!
//! Invariant: names are compared whole, and without case.

/// A field that means something to a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Host,
    Expect,
    Origin,
    Upgrade,
    Connection,
    ContentLength,
    TransferEncoding,
    Key,
    Accept,
    Version,
    Protocol,
    Extensions,
    Other,
}

impl Name {
    /// "Field names are case-insensitive" (RFC 9110 section 5.1).
    #[inline]
    pub(super) fn of(name: &[u8]) -> Self {
        // Few names share a length, so most are told apart without a look at their bytes.
        match name.len() {
            4 if is(name, b"host") => Self::Host,
            6 if is(name, b"origin") => Self::Origin,
            6 if is(name, b"expect") => Self::Expect,
            7 if is(name, b"upgrade") => Self::Upgrade,
            10 if is(name, b"connection") => Self::Connection,
            14 if is(name, b"content-length") => Self::ContentLength,
            17 if is(name, b"sec-websocket-key") => Self::Key,
            17 if is(name, b"transfer-encoding") => Self::TransferEncoding,
            20 if is(name, b"sec-websocket-accept") => Self::Accept,
            21 if is(name, b"sec-websocket-version") => Self::Version,
            22 if is(name, b"sec-websocket-protocol") => Self::Protocol,
            24 if is(name, b"sec-websocket-extensions") => Self::Extensions,
            _ => Self::Other,
        }
    }
}

/// Whether `name` is the one that is `known`, in small letters. With a length that is known, bytes
/// are compared side by side.
#[inline]
pub(super) fn is<const N: usize>(name: &[u8], known: &[u8; N]) -> bool {
    <&[u8; N]>::try_from(name).is_ok_and(|name| {
        // The bit of a letter's case says nothing; that of any other byte does.
        let folded = |byte, known: u8| byte | if known.is_ascii_lowercase() { 0x20 } else { 0 };
        let differs = |all, (&a, &b): (&u8, &u8)| all | (folded(a, b) ^ b);
        name.iter().zip(known).fold(0, differs) == 0
    })
}

#[cfg(test)]
mod tests {
    use super::Name;

    // req: W4.1-30, W2.1-01
    #[test]
    fn case_is_folded_in_ascii_only() {
        for (name, wanted) in [
            ("Host", Name::Host),
            ("EXPECT", Name::Expect),
            ("oRIGIN", Name::Origin),
            ("UpGrade", Name::Upgrade),
            ("CONNECTION", Name::Connection),
            ("Content-Length", Name::ContentLength),
            ("transfer-ENCODING", Name::TransferEncoding),
            ("Sec-WebSocket-Key", Name::Key),
            ("sec-websocket-accept", Name::Accept),
            ("SEC-WEBSOCKET-VERSION", Name::Version),
            ("Sec-Websocket-Protocol", Name::Protocol),
            ("sec-WebSocket-extensions", Name::Extensions),
            ("Hos", Name::Other),
            ("Hosts", Name::Other),
            ("Sec-WebSocket-Kex", Name::Other),
            ("Sec_WebSocket_Key", Name::Other),
            ("ho\u{17f}", Name::Other),
            ("", Name::Other),
        ] {
            assert_eq!(Name::of(name.as_bytes()), wanted, "{name}");
            // No other name is taken for it that is as long.
            for at in 0..name.len() {
                let mut other = name.as_bytes().to_vec();
                other[at] ^= 2;
                assert_eq!(Name::of(&other), Name::Other, "{}", other.escape_ascii());
            }
        }
    }
}
