//! RFC 6455 sections 5.5.1 and 7.4: close codes, the reason, and the body of a Close frame.
//!
//! What may be on the wire is decided here and nowhere else. When a Close is sent or expected is
//! the closing handshake's business, not this file's.
//!
//! Invariant: a [`CloseReason`] is UTF-8 of at most 123 bytes, so a code and a reason always fit
//! the 125 bytes of a control frame.

use crate::error::ProtocolError;
use crate::frame::MAX_CONTROL_PAYLOAD;
use core::fmt;
use core::ops::Deref;

/// A close code (RFC 6455 section 7.4): an open registry, so a number with names.
///
/// Any number can be held, since [`Closed`] reports codes that are never sent
/// ([`NO_STATUS`](Self::NO_STATUS), [`ABNORMAL`](Self::ABNORMAL)); what may be on the wire is told
/// by [`is_sendable`](Self::is_sendable).
///
/// ```
/// use sockless::CloseCode;
/// assert!(CloseCode::NORMAL.is_sendable() && CloseCode::from(4001).is_sendable());
/// assert!(!CloseCode::ABNORMAL.is_sendable() && !CloseCode::from(2000).is_sendable());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: a server is going down, or a browser leaves the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: the peer sent a type of data that this side does not take.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: the Close frame had no code. Never sent.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: the transport ended without a Close frame. Never sent.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: a message whose content does not fit its type, such as text that is not UTF-8.
    pub const INVALID_DATA: Self = Self(1007);
    /// 1008: a message against this side's policy.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message too big to process.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: a client misses an extension that it needs. Sent by clients only.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: an unexpected condition kept this side from going on.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts (IANA registry).
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: try again later (IANA registry).
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid answer from upstream (IANA registry).
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015: the TLS handshake failed. Never sent.
    pub const TLS_HANDSHAKE: Self = Self(1015);

    /// Whether the code may be in a Close frame.
    ///
    /// True for 1000 to 1003 and 1007 to 1014, which are registered, and for 3000 to 4999, which
    /// are left to libraries and applications. 1004 is reserved; 1005, 1006 and 1015 "MUST NOT be
    /// set as a status code in a Close control frame" (RFC 6455 section 7.4.1).
    pub const fn is_sendable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        Self(code)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

impl PartialEq<u16> for CloseCode {
    fn eq(&self, other: &u16) -> bool {
        self.0 == *other
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The longest close reason, in bytes: a control payload less the code.
pub const MAX_REASON: usize = MAX_CONTROL_PAYLOAD - 2;

/// The reason of a Close frame: UTF-8 of at most [`MAX_REASON`] bytes, held in place.
///
/// "Clients MUST NOT show" it to users (RFC 6455 section 5.5.1: it is for debugging). `Debug`
/// escapes it; escape it likewise before it reaches a log or a terminal.
#[derive(Clone, Copy)]
pub struct CloseReason {
    /// `bytes[..len]` is UTF-8.
    bytes: [u8; MAX_REASON],
    len: u8,
}

impl CloseReason {
    /// No reason.
    pub const EMPTY: Self = Self { bytes: [0; MAX_REASON], len: 0 };

    /// As much of `text` as fits, cut on a character boundary.
    ///
    /// ```
    /// use sockless::CloseReason;
    /// let long = "é".repeat(100);
    /// assert_eq!(CloseReason::truncated(&long).len(), 122);
    /// assert_eq!(&*CloseReason::truncated("short"), "short");
    /// ```
    #[must_use]
    pub fn truncated(text: &str) -> Self {
        let mut end = text.len().min(MAX_REASON);
        while !text.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        text.get(..end).and_then(Self::new).unwrap_or(Self::EMPTY)
    }

    /// The reason, or `None` when it is longer than [`MAX_REASON`] bytes.
    pub fn new(text: &str) -> Option<Self> {
        let mut reason = Self::EMPTY;
        reason.bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        reason.len = u8::try_from(text.len()).ok()?;
        Some(reason)
    }
}

impl Deref for CloseReason {
    type Target = str;

    fn deref(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl PartialEq for CloseReason {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for CloseReason {}

impl fmt::Debug for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// The code and reason in the body of a received Close frame; no code when the body is empty.
///
/// # Errors
/// [`CloseBodyTooShort`](ProtocolError::CloseBodyTooShort) for a body of one byte,
/// [`InvalidCloseCode`](ProtocolError::InvalidCloseCode) and
/// [`InvalidCloseReason`](ProtocolError::InvalidCloseReason) (RFC 6455 section 5.5.1).
///
/// ```
/// use sockless::{CloseCode, ProtocolError, close};
/// assert_eq!(close::parse(b"\x03\xe8bye"), Ok((Some(CloseCode::NORMAL), "bye")));
/// assert_eq!(close::parse(b""), Ok((None, "")));
/// assert_eq!(close::parse(b"\x03\xee"), Err(ProtocolError::InvalidCloseCode));
/// ```
pub fn parse(body: &[u8]) -> Result<(Option<CloseCode>, &str), ProtocolError> {
    let Some((code, reason)) = body.split_first_chunk() else {
        return if body.is_empty() {
            Ok((None, ""))
        } else {
            Err(ProtocolError::CloseBodyTooShort)
        };
    };
    let code = CloseCode(u16::from_be_bytes(*code));
    if !code.is_sendable() {
        return Err(ProtocolError::InvalidCloseCode);
    }
    match core::str::from_utf8(reason) {
        Ok(reason) => Ok((Some(code), reason)),
        Err(_) => Err(ProtocolError::InvalidCloseReason),
    }
}

/// How a connection ended (RFC 6455 sections 7.1.4 to 7.1.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// The code of the Close frame received; [`CloseCode::NO_STATUS`] if it had none,
    /// [`CloseCode::ABNORMAL`] if none came.
    pub code: CloseCode,
    /// The reason of the Close frame received, or empty.
    pub reason: CloseReason,
    /// Whether the transport ended after both sides had sent their Close frame.
    pub clean: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    // req: W7.4.1-02, W7.4.1-03, W7.4.2-01
    #[test]
    fn every_code_is_judged_as_the_registry_says() {
        for code in 0..=u16::MAX {
            let registered = (1000..=1014).contains(&code) && ![1004, 1005, 1006].contains(&code);
            let open = (3000..5000).contains(&code);
            assert_eq!(CloseCode(code).is_sendable(), registered || open, "{code}");
            let parsed = parse(&code.to_be_bytes()).map(|(code, _)| code);
            let wanted = (registered || open).then_some(Some(CloseCode(code)));
            assert_eq!(parsed, wanted.ok_or(ProtocolError::InvalidCloseCode), "{code}");
        }
    }

    // req: W5.5.1-01, W5.5.1-02, W5.5.1-03
    #[test]
    fn bodies() {
        type Verdict = Result<(Option<u16>, &'static str), ProtocolError>;
        let cases: [(&[u8], Verdict); 8] = [
            (b"", Ok((None, ""))),
            (b"\x03", Err(ProtocolError::CloseBodyTooShort)),
            (b"\x03\xe8", Ok((Some(1000), ""))),
            (b"\x0f\xa1gone", Ok((Some(4001), "gone"))),
            (b"\x03\0", Err(ProtocolError::InvalidCloseCode)),
            (b"\x03\xe8\xc0\x80", Err(ProtocolError::InvalidCloseReason)),
            (b"\x03\xe8\xe2\x82", Err(ProtocolError::InvalidCloseReason)),
            (b"\x03\xe8\xe2\x82\xac", Ok((Some(1000), "€"))),
        ];
        for (body, wanted) in cases {
            let wanted = wanted.map(|(code, reason)| (code.map(CloseCode), reason));
            assert_eq!(parse(body), wanted, "{body:x?}");
        }
    }

    #[test]
    fn what_differs_is_not_equal() {
        assert!(CloseCode::NORMAL == 1000 && CloseCode::NORMAL != 1001);
        let reason = |text| CloseReason::new(text).unwrap();
        assert!(reason("a") == reason("a") && reason("a") != reason("b"));
        assert_ne!(reason("a"), reason("aa"));
    }

    // req: W5.5.1-04
    #[test]
    fn reasons_fit_or_are_cut_on_a_boundary() {
        assert_eq!(CloseReason::new(&"a".repeat(123)).map(|r| r.len()), Some(123));
        assert_eq!(CloseReason::new(&"a".repeat(124)), None);
        for len in 0..200 {
            for filler in ["a", "é", "€", "😀"] {
                let text = filler.repeat(len);
                let cut = CloseReason::truncated(&text);
                assert!(text.starts_with(&*cut) && cut.len() <= MAX_REASON);
                assert!(cut.len() == text.len() || cut.len() + filler.len() > MAX_REASON);
            }
        }
    }

    // req: X-09
    #[test]
    fn peer_text_is_escaped_when_shown() {
        let reason = CloseReason::truncated("\u{1b}[2J\r\n\u{202e}");
        assert_eq!(format!("{reason:?}"), r#""\u{1b}[2J\r\n\u{202e}""#);
    }
}
