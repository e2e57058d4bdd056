//! RFC 9110 section 5: the fields that the caller adds to a request or a response.
//!
//! Whatever the caller gives is checked here, before anything is written: nothing can end a line,
//! start another field, or take over one that the handshake or the framing of HTTP owns.
//!
//! Invariant: `wire` is zero or more complete field lines.

use super::class::first_control;
use super::fields::trim;
use super::list::is_token;
use alloc::vec::Vec;
use core::fmt;

/// How long a name may be, which is what crate `http` takes.
const MAX_NAME: usize = 65_535;

/// The caller gave something that may not be sent. Nothing was written, nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FieldError {
    /// A field name that is not a token (RFC 9110 section 5.1), or has more than 65,535 bytes.
    Name,
    /// A value or a reason with a control character, or a value with whitespace around it
    /// (RFC 9110 section 5.5).
    Value,
    /// A field that the handshake itself, or the framing of HTTP, owns (RFC 9110 section 7.8).
    Reserved,
    /// A field that may be sent once only, or a subprotocol offered twice (RFC 9110 section 5.3).
    Duplicate,
    /// A subprotocol that is not a token (RFC 6455 section 4.1, item 10).
    Subprotocol,
    /// A subprotocol that the client did not offer (RFC 6455 section 4.2.2, item 4).
    SubprotocolNotOffered,
    /// An allowed origin that is not `scheme://host[:port]` (RFC 6454 section 6.2).
    Origin,
    /// A status that refuses nothing: below 200 or above 599 (RFC 9110 section 15), or a 2xx where
    /// that opens the connection (RFC 8441 section 5), or a 426 where there is no Upgrade.
    Status,
    /// A body with a status that has none: 204, 205 or 304 (RFC 9110 section 6.4.1).
    Body,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "field name is not a token, or too long",
            Self::Value => "field value or reason is malformed",
            Self::Reserved => "field is set by the handshake",
            Self::Duplicate => "field or subprotocol given twice",
            Self::Subprotocol => "subprotocol is not a token",
            Self::SubprotocolNotOffered => "subprotocol was not offered",
            Self::Origin => "allowed origin is not scheme://host[:port]",
            Self::Status => "status is none that refuses",
            Self::Body => "status has no body",
        })
    }
}

impl core::error::Error for FieldError {}

/// Field lines that are fit to be sent.
#[derive(Clone, Default)]
pub(super) struct FieldLines {
    wire: Vec<u8>,
}

impl fmt::Debug for FieldLines {
    /// The length only: fields hold cookies and credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.wire.len())
    }
}

impl FieldLines {
    /// Adds a field of the caller's.
    pub(super) fn add(&mut self, name: &str, value: &[u8]) -> Result<(), FieldError> {
        if !is_token(name.as_bytes()) || name.len() > MAX_NAME {
            return Err(FieldError::Name);
        }
        if is_reserved(name) {
            return Err(FieldError::Reserved);
        }
        self.put(name, value)
    }

    /// Adds a field that has its own method, or one of the caller's.
    pub(super) fn put(&mut self, name: &str, value: &[u8]) -> Result<(), FieldError> {
        check_value(value)?;
        if is_single(name) && self.contains(name) {
            return Err(FieldError::Duplicate);
        }
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            self.wire.extend_from_slice(part);
        }
        Ok(())
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.wire.split(|&byte| byte == b'\n').any(|line| {
            line.split_at_checked(name.len()).is_some_and(|(start, rest)| {
                rest.starts_with(b":") && start.eq_ignore_ascii_case(name.as_bytes())
            })
        })
    }

    pub(super) fn wire(&self) -> &[u8] {
        &self.wire
    }
}

/// "Field values containing CR, LF, or NUL characters are invalid and dangerous" (RFC 9110
/// section 5.5). Whitespace around a value would not be part of it for the receiver.
pub(super) fn check_value(value: &[u8]) -> Result<(), FieldError> {
    if first_control(value).is_some() || trim(value) != value {
        return Err(FieldError::Value);
    }
    Ok(())
}

/// Whether a field is owned by the handshake, the framing, or the hop.
fn is_reserved(name: &str) -> bool {
    const RESERVED: [&str; 11] = [
        "Host",
        "Upgrade",
        "Connection",
        "Content-Length",
        "Transfer-Encoding",
        "TE",
        "Trailer",
        "Expect",
        "Keep-Alive",
        "Proxy-Connection",
        "Origin",
    ];
    const PREFIX: &str = "Sec-WebSocket-";
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name))
        || name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// Whether a field is known to have one value, so that a second one would be ambiguous.
fn is_single(name: &str) -> bool {
    const SINGLE: [&str; 14] = [
        "Authorization",
        "Proxy-Authorization",
        "Cookie",
        "Content-Type",
        "Date",
        "ETag",
        "From",
        "Last-Modified",
        "Location",
        "Origin",
        "Referer",
        "Retry-After",
        "Server",
        "User-Agent",
    ];
    SINGLE.iter().any(|single| single.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::{FieldError, FieldLines};

    // req: H-61, W4.1-21, H-52
    #[test]
    fn reserved_and_single_fields() {
        let mut lines = FieldLines::default();
        for name in [
            "Host",
            "upgrade",
            "CONNECTION",
            "Content-Length",
            "Transfer-Encoding",
            "TE",
            "trailer",
            "Expect",
            "Sec-WebSocket-Key",
            "sec-websocket-accept",
            "Sec-WebSocket-Anything",
            "Keep-Alive",
            "Proxy-Connection",
            "Origin",
        ] {
            assert_eq!(lines.add(name, b"a"), Err(FieldError::Reserved), "{name}");
        }
        assert_eq!(lines.wire(), b"");
        lines.add("Cookie", b"a=b").unwrap();
        assert_eq!(lines.add("cookie", b"c=d"), Err(FieldError::Duplicate));
        lines.add("Set-Cookie", b"a").unwrap();
        lines.add("Set-Cookie", b"").unwrap();
        assert_eq!(lines.wire(), b"Cookie: a=b\r\nSet-Cookie: a\r\nSet-Cookie: \r\n");
    }

    // req: H-61, H-38, H-39
    #[test]
    fn every_byte_in_a_name_and_in_a_value() {
        for byte in 0..=255_u8 {
            let mut lines = FieldLines::default();
            let value = [b'a', byte, b'b'];
            let fits = byte == b'\t' || byte >= b' ' && byte != 0x7f;
            assert_eq!(lines.add("X", &value).is_ok(), fits, "{byte:#x} in a value");
            assert_eq!(lines.wire().is_empty(), !fits);
            let mut lines = FieldLines::default();
            let name = format!("x{}", char::from(byte));
            let fits = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            assert_eq!(lines.add(&name, b"a").is_ok(), fits, "{byte:#x} in a name");
            assert_eq!(lines.wire().is_empty(), !fits);
        }
        let mut lines = FieldLines::default();
        assert_eq!(lines.add("", b"a"), Err(FieldError::Name));
        assert_eq!(lines.add("X", b" a"), Err(FieldError::Value));
        assert_eq!(lines.add("X", b"a\t"), Err(FieldError::Value));
    }
}
