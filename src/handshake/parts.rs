//! RFC 9113 section 8.3: heads as values, for hosts that speak HTTP themselves.
//!
//! What HTTP/2 and HTTP/3 carry: pseudo-header fields, fields whose names are in lower case, a
//! status. An application writes and reads them with whatever speaks HTTP there.
//!
//! Invariant: every name in `lines` is in lower case.

use super::fields::Fields;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The pseudo-header fields of a request, as they came or as they are to be sent.
///
/// With `:protocol` a CONNECT is an extended one (RFC 8441 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PseudoHeaders<'a> {
    /// `:method`
    pub method: &'a str,
    /// `:protocol`
    pub protocol: Option<&'a str>,
    /// `:scheme`
    pub scheme: Option<&'a str>,
    /// `:authority`
    pub authority: Option<&'a str>,
    /// `:path`
    pub path: Option<&'a str>,
}

/// An extended CONNECT to be sent.
#[derive(Clone)]
pub struct RequestParts {
    pub(super) scheme: &'static str,
    pub(super) authority: String,
    pub(super) path: String,
    pub(super) lines: Lowered,
}

impl RequestParts {
    /// The pseudo-header fields.
    pub fn pseudo(&self) -> PseudoHeaders<'_> {
        PseudoHeaders {
            method: "CONNECT",
            protocol: Some("websocket"),
            scheme: Some(self.scheme),
            authority: Some(&self.authority),
            path: Some(&self.path),
        }
    }

    /// The fields, their names in lower case.
    pub fn fields(&self) -> Fields<'_> {
        self.lines.fields()
    }
}

impl fmt::Debug for RequestParts {
    /// No values of fields: they hold cookies and credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestParts")
            .field("pseudo", &self.pseudo())
            .field("fields", &self.fields())
            .finish()
    }
}

/// A response to be sent.
#[derive(Clone)]
pub struct ResponseParts {
    pub(super) status: u16,
    pub(super) lines: Lowered,
    pub(super) body: Vec<u8>,
}

impl ResponseParts {
    /// `:status`.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The fields, their names in lower case; no Content-Length, which the host may add.
    pub fn fields(&self) -> Fields<'_> {
        self.lines.fields()
    }

    /// The content. Empty, and no end of the stream, if the response opens a connection.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

impl fmt::Debug for ResponseParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseParts")
            .field("status", &self.status)
            .field("fields", &self.fields())
            .finish_non_exhaustive()
    }
}

/// Field lines whose names are in lower case: "field names MUST be converted to lowercase when
/// constructing an HTTP/2 message" (RFC 9113 section 8.2).
#[derive(Clone)]
pub(super) struct Lowered(Vec<u8>);

impl Lowered {
    /// Of complete lines, with or without the blank one.
    pub(super) fn new(lines: &[u8]) -> Self {
        let mut lines = lines.to_vec();
        for line in lines.split_mut(|&byte| byte == b'\n') {
            let name = line.split_mut(|&byte| byte == b':').next();
            name.unwrap_or_default().make_ascii_lowercase();
        }
        Self(lines)
    }

    /// Of a head that this side has written, but for its first line.
    pub(super) fn of_head(head: &[u8]) -> Self {
        let start = memchr::memchr(b'\n', head).map_or(head.len(), |end| end.saturating_add(1));
        Self::new(head.get(start..).unwrap_or_default())
    }

    pub(super) fn fields(&self) -> Fields<'_> {
        Fields::new(&self.0, 0)
    }
}
