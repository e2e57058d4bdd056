//! RFC 9110 section 15: answers for hosts that speak HTTP themselves.
//!
//! The same decisions as where the answer is written as bytes, and the same total match from error
//! to status. What frames a message is left to the host; to end an HTTP/1.1 connection is, too, and
//! it is asked for.
//!
//! Invariant: HTTP/2 and HTTP/3 get no field that is specific to a connection.

use super::accept::{Accept, Agreed};
use super::error::RequestError;
use super::field::FieldError;
use super::parts::{Lowered, ResponseParts};
use super::reject::{Reject, put_lines, status};
use super::request::Request;
use crate::config::Config;
use crate::connection::Connection;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::BytesMut;
use core::fmt;

/// A request that was refused, and how it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Refusal {
    error: RequestError,
    extended: bool,
    is_head: bool,
}

impl Refusal {
    /// Of a request to upgrade, with this method.
    #[cfg(feature = "http")]
    pub(super) fn of_upgrade(method: &str, error: RequestError) -> Self {
        Self { error, extended: false, is_head: method == "HEAD" }
    }

    /// Of what was to be an extended CONNECT.
    pub(super) fn of_extended(method: &str, error: RequestError) -> Self {
        Self { error, extended: true, is_head: method == "HEAD" }
    }

    /// The rule that the client broke.
    pub const fn error(&self) -> RequestError {
        self.error
    }

    /// The response that says so; without content if it answers a HEAD (RFC 9110 section 9.3.2).
    /// Over HTTP/1.1 it has `Connection: close`, which the host has to keep to.
    pub fn respond(&self) -> ResponseParts {
        let is_version = self.error == RequestError::WebSocketVersionUnsupported;
        let status = match status(self.error) {
            // "A server that sends a 426 response MUST send an Upgrade header field" (RFC 9110
            // section 15.5.22), which these versions of HTTP do not have.
            426 if self.extended => 400,
            status => status,
        };
        let mut lines = lines(status, self.extended, false);
        if is_version && status != 426 {
            lines.extend_from_slice(b"Sec-WebSocket-Version: 13\r\n");
        }
        lines.extend_from_slice(b"Content-Type: text/plain\r\n");
        let body = if self.is_head { Vec::new() } else { format!("{}\n", self.error).into_bytes() };
        ResponseParts { status, lines: Lowered::new(&lines), body }
    }
}

/// The fields that a status asks for. HTTP/2 and HTTP/3 end a stream by themselves.
fn lines(status: u16, extended: bool, has_allow: bool) -> Vec<u8> {
    let mut lines = Vec::new();
    match status {
        405 if extended && !has_allow => lines.extend_from_slice(b"Allow: CONNECT\r\n"),
        _ if extended => {}
        _ => put_lines(status, has_allow, &mut lines),
    }
    lines
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl core::error::Error for Refusal {}

impl Accept<'_> {
    /// Opens the connection where the host writes the response: send its head at once, without
    /// ending the stream, and frames may follow.
    ///
    /// # Errors
    /// [`RequestError::OriginNotAllowed`] if a page of another origin asks (RFC 6455 section 10.2).
    pub fn respond(
        self,
        config: Arc<Config>,
    ) -> Result<(ResponseParts, Connection, Agreed), Refusal> {
        if !self.allows_origin() {
            let (error, extended) = (RequestError::OriginNotAllowed, self.is_extended());
            return Err(Refusal { error, extended, is_head: false });
        }
        let mut head = BytesMut::new();
        let status = self.status();
        let (connection, agreed) = self.open(config, &mut head);
        let response = ResponseParts { status, lines: Lowered::of_head(&head), body: Vec::new() };
        Ok((response, connection, agreed))
    }
}

impl Reject<'_> {
    /// The response to `request` where the host writes it. A host has a type of its own for
    /// responses, and may as well answer with one of those; over HTTP/1.1 with `Connection: close`,
    /// so that no frame that was sent too early is read as a request.
    ///
    /// # Errors
    /// [`FieldError::Status`] if `request` is an extended CONNECT, and it is a 2xx, which would
    /// open the connection (RFC 8441 section 5), or a 426, which needs an Upgrade that HTTP/2 does
    /// not have (RFC 9110 section 15.5.22).
    pub fn respond(&self, request: &Request<'_>) -> Result<ResponseParts, FieldError> {
        let status = self.status();
        if request.is_extended() && matches!(status, 200..=299 | 426) {
            return Err(FieldError::Status);
        }
        let mut lines = lines(status, request.is_extended(), self.fields().contains("Allow"));
        lines.extend_from_slice(self.fields().wire());
        let lines = Lowered::new(&lines);
        Ok(ResponseParts { status, lines, body: self.content().into() })
    }
}
