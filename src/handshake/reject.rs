//! RFC 6455 section 4.2.2 and RFC 9110 section 15: the answers that open no connection.
//!
//! One total match turns a [`RequestError`] into its response; [`Reject`] is the application's.
//! Both end the connection, so that what follows the head can never be read as another request:
//! what was meant for a WebSocket is none.
//!
//! Invariant: every answer has `Connection: close`, and a length or no body; the library's own
//! take no more than 512 bytes.

use super::error::RequestError;
use super::field::{FieldError, FieldLines, check_value};
use alloc::string::{String, ToString};
use bytes::{BufMut, BytesMut};
use core::fmt::{self, Write as _};

/// The decision not to open a connection: any HTTP response but an interim one.
///
/// [`Server::reject`](super::Server::reject) adds `Connection: close`, a length, and what a 405 and
/// a 426 have to have; for [`respond`](Self::respond), the length is the host's.
///
/// ```
/// # use sockless::handshake::{FieldError, Reject, Server};
/// let not_here = Reject::new(404)?;
/// let login = Reject::new(401)?.field("WWW-Authenticate", "Basic realm=\"chat\"")?;
/// let moved = Reject::new(307)?.field("Location", "wss://example.com/chat")?;
/// let page = Reject::new(200)?.body("text/html", b"<!doctype html><title>Chat</title>")?;
/// # let mut out = bytes::BytesMut::new();
/// # Server::new(Default::default()).reject(&moved, &mut out);
/// assert_eq!(
///     out, // `moved`, as it is written
///     "HTTP/1.1 307 Temporary Redirect\r\nConnection: close\r\nContent-Length: 0\r\n\
///      Location: wss://example.com/chat\r\n\r\n"
/// );
/// # Ok::<(), FieldError>(())
/// ```
#[derive(Clone)]
#[must_use = "a request is refused when the handshake is given this"]
pub struct Reject<'a> {
    status: u16,
    reason: &'a str,
    fields: FieldLines,
    body: &'a [u8],
}

impl fmt::Debug for Reject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reject").field("status", &self.status).finish_non_exhaustive()
    }
}

impl<'a> Reject<'a> {
    /// A response of this status, with its usual reason and no body.
    ///
    /// # Errors
    /// [`FieldError::Status`] below 200 and above 599: an interim response refuses nothing.
    pub fn new(status: u16) -> Result<Self, FieldError> {
        if !(200..=599).contains(&status) {
            return Err(FieldError::Status);
        }
        Ok(Self { status, reason: usual_reason(status), fields: FieldLines::default(), body: b"" })
    }

    /// Another reason phrase; it may be empty.
    ///
    /// # Errors
    /// [`FieldError::Value`] if it has a control character (RFC 9112 section 4), or whitespace at
    /// either end.
    pub fn reason(mut self, reason: &'a str) -> Result<Self, FieldError> {
        check_value(reason.as_bytes())?;
        self.reason = reason;
        Ok(self)
    }

    /// Adds a field.
    ///
    /// # Errors
    /// [`FieldError`] if it is malformed, or not the application's to set.
    pub fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, FieldError> {
        self.fields.add(name, value.as_ref())?;
        Ok(self)
    }

    /// Adds a body, and its Content-Type.
    ///
    /// # Errors
    /// [`FieldError`] if the type is malformed or given already, or the status has no body.
    pub fn body(mut self, content_type: &str, body: &'a [u8]) -> Result<Self, FieldError> {
        if matches!(self.status, 204 | 205 | 304) {
            return Err(FieldError::Body);
        }
        self.fields.put("Content-Type", content_type.as_bytes())?;
        self.body = body;
        Ok(self)
    }

    pub(super) const fn status(&self) -> u16 {
        self.status
    }

    pub(super) const fn fields(&self) -> &FieldLines {
        &self.fields
    }

    pub(super) const fn content(&self) -> &'a [u8] {
        self.body
    }

    /// The response, as what it is to a HEAD with `no_content`: "the server MUST NOT send content
    /// in the response" (RFC 9110 section 9.3.2).
    pub(super) fn write(&self, no_content: bool, out: &mut BytesMut) {
        let head = Head { status: self.status, reason: self.reason, length: self.body.len() };
        head.write(self.fields.contains("Allow"), out);
        out.put_slice(self.fields.wire());
        out.put_slice(b"\r\n");
        if !no_content {
            out.put_slice(self.body);
        }
    }
}

/// The response to a request that breaks a rule.
pub(super) fn refuse(error: RequestError, no_content: bool, out: &mut BytesMut) {
    let status = status(error);
    let mut body: String = error.to_string();
    body.push('\n');
    let head = Head { status, reason: usual_reason(status), length: body.len() };
    head.write(false, out);
    out.put_slice(b"Content-Type: text/plain\r\n\r\n");
    if !no_content {
        out.put_slice(body.as_bytes());
    }
}

/// The status that tells the client what it did.
pub(super) const fn status(error: RequestError) -> u16 {
    match error {
        RequestError::PseudoHeader
        | RequestError::ConnectionSpecific
        | RequestError::Control
        | RequestError::RequestLine
        | RequestError::Field
        | RequestError::TargetForm
        | RequestError::VersionTooOld
        | RequestError::Host
        | RequestError::Body
        | RequestError::Upgrade
        | RequestError::Connection
        | RequestError::WebSocketVersion
        | RequestError::Key
        | RequestError::Subprotocols
        | RequestError::Extensions
        | RequestError::Origin => 400,
        RequestError::OriginNotAllowed => 403,
        RequestError::Method => 405,
        RequestError::TargetTooLong => 414,
        RequestError::Expectation => 417,
        RequestError::NotAnUpgrade | RequestError::WebSocketVersionUnsupported => 426,
        RequestError::FieldTooLong | RequestError::HeadTooLarge | RequestError::TooManyFields => {
            431
        }
        RequestError::MethodTooLong | RequestError::Protocol => 501,
        RequestError::VersionUnsupported => 505,
    }
}

/// The part of a response that the framing of HTTP and its status ask for.
struct Head<'a> {
    status: u16,
    reason: &'a str,
    length: usize,
}

impl Head<'_> {
    fn write(&self, has_allow: bool, out: &mut BytesMut) {
        // "A server MUST send the space that separates the status-code from the reason-phrase even
        // when the reason-phrase is absent" (RFC 9112 section 4). Writing to `out` cannot fail.
        let _ = write!(out, "HTTP/1.1 {} {}\r\n", self.status, self.reason);
        put_lines(self.status, has_allow, out);
        // RFC 9110 section 8.6: none with 204; with 304 it would tell the length of another body.
        if !matches!(self.status, 204 | 304) {
            let _ = write!(out, "Content-Length: {}\r\n", self.length);
        }
    }
}

/// What a refusal over HTTP/1.1 has, by its status (RFC 6455 section 4.4, RFC 9110 section 15.5.6):
/// it is the last response, so that no frame that was sent too early is read as a request.
pub(super) fn put_lines(status: u16, has_allow: bool, out: &mut impl BufMut) {
    out.put_slice(match status {
        // "A sender of Upgrade MUST also send an "Upgrade" connection option" (RFC 9110 section
        // 7.8).
        426 => {
            b"Connection: close, Upgrade\r\n\
              Upgrade: websocket\r\n\
              Sec-WebSocket-Version: 13\r\n"
        }
        405 if !has_allow => b"Connection: close\r\nAllow: GET\r\n",
        _ => b"Connection: close\r\n",
    });
}

/// The reason phrases of RFC 9110 section 15 and RFC 6585 that refusals are likely to need.
const fn usual_reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // req: X-08
    // bound: L-06
    #[test]
    fn every_error_has_a_status_and_a_short_response() {
        use RequestError as E;
        for (error, wanted) in [
            (E::Control, 400),
            (E::RequestLine, 400),
            (E::MethodTooLong, 501),
            (E::TargetTooLong, 414),
            (E::Field, 400),
            (E::FieldTooLong, 431),
            (E::HeadTooLarge, 431),
            (E::TooManyFields, 431),
            (E::TargetForm, 400),
            (E::VersionTooOld, 400),
            (E::VersionUnsupported, 505),
            (E::Method, 405),
            (E::Host, 400),
            (E::Body, 400),
            (E::Expectation, 417),
            (E::Upgrade, 400),
            (E::NotAnUpgrade, 426),
            (E::Connection, 400),
            (E::WebSocketVersion, 400),
            (E::WebSocketVersionUnsupported, 426),
            (E::Key, 400),
            (E::Subprotocols, 400),
            (E::Extensions, 400),
            (E::Origin, 400),
            (E::OriginNotAllowed, 403),
            (E::PseudoHeader, 400),
            (E::ConnectionSpecific, 400),
            (E::Protocol, 501),
        ] {
            let (mut out, mut without) = (BytesMut::new(), BytesMut::new());
            refuse(error, false, &mut out);
            refuse(error, true, &mut without);
            assert!(out.starts_with(format!("HTTP/1.1 {wanted} ").as_bytes()), "{error:?}");
            assert!(out.len() <= 512 && !usual_reason(wanted).is_empty());
            let body = out.strip_prefix(&without[..]).unwrap();
            assert_eq!(body, format!("{error}\n").as_bytes());
        }
    }

    #[cfg(feature = "http")]
    #[test]
    fn reasons_are_those_of_the_registry() {
        let known = [
            200, 204, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 407, 408, 410, 414,
            417, 421, 426, 429, 431, 500, 501, 502, 503, 504, 505,
        ];
        for status in 200..=599 {
            let registered = ::http::StatusCode::from_u16(status).unwrap().canonical_reason();
            let wanted = registered.filter(|_| known.contains(&status)).unwrap_or_default();
            let mut out = BytesMut::new();
            Reject::new(status).unwrap().write(false, &mut out);
            assert!(out.starts_with(format!("HTTP/1.1 {status} {wanted}\r\n").as_bytes()));
        }
    }
}
