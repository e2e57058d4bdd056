//! RFC 6455 section 11.3: the fields that a handshake reads, by name.
//!
//! A name is classified once, when its line arrives. Every other field is the application's.

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
    pub(super) fn of(name: &[u8]) -> Self {
        // Few names share a length, so most are told apart without a look at their bytes.
        let candidates: &[(&[u8], Self)] = match name.len() {
            4 => &[(b"host", Self::Host)],
            6 => &[(b"origin", Self::Origin), (b"expect", Self::Expect)],
            7 => &[(b"upgrade", Self::Upgrade)],
            10 => &[(b"connection", Self::Connection)],
            14 => &[(b"content-length", Self::ContentLength)],
            17 => {
                &[(b"sec-websocket-key", Self::Key), (b"transfer-encoding", Self::TransferEncoding)]
            }
            20 => &[(b"sec-websocket-accept", Self::Accept)],
            21 => &[(b"sec-websocket-version", Self::Version)],
            22 => &[(b"sec-websocket-protocol", Self::Protocol)],
            24 => &[(b"sec-websocket-extensions", Self::Extensions)],
            _ => &[],
        };
        let found = candidates.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or(Self::Other, |&(_, name)| name)
    }
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
        }
    }
}
