//! RFC 9112 section 3.2.3 and RFC 9110 section 9.3.6: a tunnel through an HTTP proxy.
//!
//! "If the client is configured to use a proxy [...] then the client SHOULD connect to that proxy
//! and ask it to open a TCP connection to the host" (RFC 6455 section 4.1, item 3). What follows
//! the answer is the tunnel: TLS if the target wants it, then the opening handshake. Which proxy is
//! asked, and for which targets, is the caller's.
//!
//! Invariant: nothing of what follows the head of a 2xx is read.

use super::awaited::Awaited;
use super::error::ResponseError;
use super::field::{FieldError, FieldLines};
use super::response::Response;
use super::target::Target;
use crate::config::Config;
use alloc::sync::Arc;
use bytes::{BufMut, BytesMut};
use core::fmt::Write as _;

/// A tunnel to a [`Target`], before it is one.
///
/// ```
/// use sockless::handshake::{Target, Tunnel, Tunneled};
/// # use bytes::BytesMut;
/// let target = Target::parse("wss://server.example.com/chat").expect("a literal");
/// let mut out = BytesMut::new();
/// let mut tunnel = Tunnel::start(Default::default(), &target, &[], &mut out)?;
/// assert_eq!(
///     out,
///     "CONNECT server.example.com:443 HTTP/1.1\r\nHost: server.example.com:443\r\n\r\n"
/// );
/// let mut scratch = *b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ntunnelled";
/// let mut input = &mut scratch[..];
/// assert!(matches!(tunnel.receive(&mut input), Some(Tunneled::Open(_))));
/// assert_eq!(input, b"tunnelled");
/// # Ok::<(), sockless::handshake::FieldError>(())
/// ```
#[derive(Debug)]
pub struct Tunnel {
    config: Arc<Config>,
    awaited: Awaited,
}

/// What a proxy answers.
#[derive(Debug)]
#[non_exhaustive]
pub enum Tunneled<'b> {
    /// The tunnel is open: what is left in the input came through it.
    Open(Response<'b>),
    /// The proxy gave another answer, such as a 407 that asks for credentials. What is left in the
    /// input is its content.
    Refused(Response<'b>),
    /// The answer is none that a proxy may give. Close the transport.
    Failed(ResponseError),
}

impl Tunnel {
    /// Asks the proxy, with these `fields` of the caller's, such as Proxy-Authorization: the
    /// request is in `out`. Nothing else may be sent before the answer.
    ///
    /// # Errors
    /// [`FieldError`] if a field is malformed, or not the caller's to set; nothing is written.
    pub fn start(
        config: Arc<Config>,
        target: &Target,
        fields: &[(&str, &[u8])],
        out: &mut BytesMut,
    ) -> Result<Self, FieldError> {
        let mut lines = FieldLines::default();
        for (name, value) in fields {
            lines.add(name, value)?;
        }
        // The port is there even if it is the default one (RFC 9110 section 9.3.6).
        let authority = target.authority_with_port();
        // Writing to `out` cannot fail.
        let _ = write!(out, "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
        out.put_slice(lines.wire());
        out.put_slice(b"\r\n");
        Ok(Self { config, awaited: Awaited::new() })
    }

    /// Reads the answer: `None` until its head is complete, and again once it was returned.
    ///
    /// What comes after the head stays in `input`: a Content-Length in the head of a tunnel means
    /// nothing (RFC 9110 section 9.3.6). After a failure, everything is dropped.
    pub fn receive<'b>(&mut self, input: &mut &'b mut [u8]) -> Option<Tunneled<'b>> {
        let error = match self.awaited.read(&self.config, input)? {
            Ok(response) => match response.status() {
                200..=299 => return Some(Tunneled::Open(response)),
                300.. => return Some(Tunneled::Refused(response)),
                // A 101: no upgrade was asked for.
                _ => ResponseError::Status,
            },
            Err(error) => error,
        };
        self.awaited.fail(input);
        Some(Tunneled::Failed(error))
    }
}
