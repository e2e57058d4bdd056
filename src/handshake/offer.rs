//! RFC 6455 section 4.1: what a client asks for.
//!
//! Every mistake surfaces while the offer is built; writing it cannot fail. Which extensions are
//! offered is in the configuration.
//!
//! Invariant: `subprotocols` is empty, or distinct tokens joined by ", ".

use super::agreement::Agreement;
use super::field::{FieldError, FieldLines};
use super::list::{contains, is_token};
use super::target::Target;
use crate::config::Config;
use alloc::string::String;
use bytes::{BufMut, BytesMut};
use core::fmt::Write as _;

/// A request for a WebSocket connection to a [`Target`].
///
/// An offer can be used any number of times: each handshake draws a nonce of its own.
///
/// ```
/// use sockless::handshake::{FieldError, Offer, Target};
/// let target = Target::parse("wss://example.com/chat").expect("a literal");
/// let offer = Offer::new(&target)
///     .subprotocol("chat.v2")?
///     .subprotocol("chat.v1")?
///     .field("Authorization", "Bearer 1234")?;
/// assert_eq!(Offer::new(&target).field("Host", "evil").err(), Some(FieldError::Reserved));
/// # Ok::<(), FieldError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "an offer is sent when a handshake is started with it"]
pub struct Offer<'t> {
    target: &'t Target,
    absolute: bool,
    pub(super) subprotocols: String,
    pub(super) subprotocol_required: bool,
    fields: FieldLines,
}

impl<'t> Offer<'t> {
    /// Asks for a connection to `target`, with nothing optional.
    pub fn new(target: &'t Target) -> Self {
        Self {
            target,
            absolute: false,
            subprotocols: String::new(),
            subprotocol_required: false,
            fields: FieldLines::default(),
        }
    }

    /// Adds a subprotocol, less preferred than those before it (RFC 6455 section 4.1, item 10).
    ///
    /// # Errors
    /// [`FieldError::Subprotocol`] if it is no token, [`FieldError::Duplicate`] if it is offered
    /// already.
    pub fn subprotocol(mut self, name: &str) -> Result<Self, FieldError> {
        if !is_token(name.as_bytes()) {
            return Err(FieldError::Subprotocol);
        }
        if contains(self.subprotocols.as_bytes(), name.as_bytes()) {
            return Err(FieldError::Duplicate);
        }
        if !self.subprotocols.is_empty() {
            self.subprotocols.push_str(", ");
        }
        self.subprotocols.push_str(name);
        Ok(self)
    }

    /// Fails the handshake if the server chooses none of the subprotocols. By default it may.
    pub fn require_subprotocol(mut self) -> Self {
        self.subprotocol_required = true;
        self
    }

    /// Sets Origin: for a browser the page that asks, for other clients whatever the server wants
    /// (RFC 6455 section 4.1, item 8).
    ///
    /// # Errors
    /// [`FieldError::Value`] if it has a control character, or one that is not ASCII, as an origin
    /// is (RFC 6454 section 6.2); [`FieldError::Duplicate`] if it is set already.
    pub fn origin(mut self, origin: &str) -> Result<Self, FieldError> {
        if !origin.is_ascii() {
            return Err(FieldError::Value);
        }
        self.fields.put("Origin", origin.as_bytes())?;
        Ok(self)
    }

    /// Adds a field, such as Cookie or Authorization (RFC 6455 section 4.1, item 12).
    ///
    /// # Errors
    /// [`FieldError`] if it is malformed, or not the application's to set.
    pub fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, FieldError> {
        self.fields.add(name, value.as_ref())?;
        Ok(self)
    }

    /// Writes the target as a URI, as a proxy wants it that is not asked to tunnel (RFC 9112
    /// section 3.2.2).
    pub fn through_proxy(mut self) -> Self {
        self.absolute = true;
        self
    }

    pub(super) const fn target(&self) -> &'t Target {
        self.target
    }

    /// The request.
    pub(super) fn write(&self, key: &[u8; 24], config: &Config, out: &mut BytesMut) {
        let authority = self.target.authority();
        out.put_slice(b"GET ");
        if self.absolute {
            // Writing to `out` cannot fail.
            let _ = write!(out, "{}://{authority}", self.target.http_scheme());
        }
        // "A user agent that sends Host SHOULD send it as the first field" (RFC 9110 section 7.2).
        let _ = write!(out, "{} HTTP/1.1\r\nHost: {authority}\r\n", self.target.resource());
        out.put_slice(
            b"Upgrade: websocket\r\n\
              Connection: Upgrade\r\n\
              Sec-WebSocket-Version: 13\r\n\
              Sec-WebSocket-Key: ",
        );
        out.put_slice(key);
        self.write_offers(config, out);
    }

    /// The fields of an extended CONNECT. It has no key (RFC 8441 section 5), and the pseudo-header
    /// fields take the place of the others.
    pub(super) fn write_extended(&self, config: &Config, out: &mut BytesMut) {
        out.put_slice(b"Sec-WebSocket-Version: 13");
        self.write_offers(config, out);
    }

    /// What is offered, and the caller's fields, after a line that is still to be ended.
    fn write_offers(&self, config: &Config, out: &mut BytesMut) {
        if !self.subprotocols.is_empty() {
            out.put_slice(b"\r\nSec-WebSocket-Protocol: ");
            out.put_slice(self.subprotocols.as_bytes());
        }
        Agreement::write_offer(config, out);
        out.put_slice(b"\r\n");
        out.put_slice(self.fields.wire());
        out.put_slice(b"\r\n");
    }
}
