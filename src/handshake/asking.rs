//! RFC 6455 section 4.1 and RFC 8441 section 5: the client's half where a host speaks HTTP.
//!
//! The host sends the request that this makes, and hands over the status and the fields of the
//! final response. Which stream that is, and interim responses, are its business.
//!
//! Invariant: a connection exists only after an answer that keeps to what was asked.

use super::accept::Agreed;
use super::error::ResponseError;
use super::extended::{is_connection_specific, is_field};
use super::offer::Offer;
use super::parts::{Lowered, RequestParts};
use super::response::ResponseFacts;
use super::terms::Terms;
use super::written::Written;
use crate::config::Config;
use crate::connection::Connection;
use crate::keys::Keys;
use alloc::string::ToString as _;
use alloc::sync::Arc;
use bytes::BytesMut;

/// A client's handshake, after its request and before the answer.
///
/// ```
/// use sockless::{Config, Keys, handshake::{Asking, Offer, PseudoHeaders, Target}};
/// let keys = Keys::new(|key| *key = [0; 4]); // in earnest: `Keys::system()`
/// let target = Target::parse("wss://server.example.com/chat").expect("a literal");
/// let config = std::sync::Arc::new(Config::default());
/// let settings_allow_it = true;
/// let (asking, request) = Asking::extended(config, keys, &Offer::new(&target), settings_allow_it)
///     .expect("it is allowed");
/// assert_eq!(
///     request.pseudo(),
///     PseudoHeaders {
///         method: "CONNECT",
///         protocol: Some("websocket"),
///         scheme: Some("https"),
///         authority: Some("server.example.com"),
///         path: Some("/chat"),
///     }
/// );
/// assert!(request.fields().eq([("sec-websocket-version", &b"13"[..])]));
/// let opened = asking.receive(200, [("server", &b"a server"[..])])?;
/// assert!(opened.is_some());
/// # Ok::<(), sockless::handshake::ResponseError>(())
/// ```
#[derive(Debug)]
pub struct Asking {
    config: Arc<Config>,
    keys: Keys,
    terms: Terms,
}

impl Asking {
    /// An extended CONNECT for what `offer` asks for.
    ///
    /// `None` unless it is `allowed`: "Upon receipt of SETTINGS_ENABLE_CONNECT_PROTOCOL with a
    /// value of 1, a client MAY use the Extended CONNECT" (RFC 8441 section 3), and not before.
    pub fn extended(
        config: Arc<Config>,
        keys: Keys,
        offer: &Offer<'_>,
        allowed: bool,
    ) -> Option<(Self, RequestParts)> {
        if !allowed {
            return None;
        }
        let mut lines = BytesMut::new();
        offer.write_extended(&config, &mut lines);
        let target = offer.target();
        let request = RequestParts {
            // "The scheme of the target URI [...] MUST be "https" for "wss"-schemed WebSockets and
            // "http" for "ws"-schemed WebSockets" (RFC 8441 section 5).
            scheme: target.http_scheme(),
            authority: target.authority().to_string(),
            path: target.resource().into(),
            lines: Lowered::new(&lines),
        };
        Some((Self { config, keys, terms: Terms::of_extended(offer) }, request))
    }

    #[cfg(feature = "http")]
    pub(super) fn new(config: Arc<Config>, keys: Keys, terms: Terms) -> Self {
        Self { config, keys, terms }
    }

    /// Judges the final response: the connection if it opens one; `None` if it is any other HTTP
    /// response, such as a redirect, or a 401 that asks for credentials.
    ///
    /// In answer to an extended CONNECT the names of `fields` are in lower case, as they came.
    ///
    /// # Errors
    /// [`ResponseError`] if no WebSocket server may answer so: reset the stream.
    pub fn receive<'f>(
        self,
        status: u16,
        fields: impl IntoIterator<Item = (&'f str, &'f [u8])>,
    ) -> Result<Option<(Connection, Agreed)>, ResponseError> {
        let extended = self.terms.is_extended();
        match status {
            101 if !extended => {}
            200..=299 if extended => {}
            200..=599 => return Ok(None),
            _ => return Err(ResponseError::Status),
        }
        let config = self.config;
        let mut written = Written::start(&config, &[&[b"HTTP/1.1"], &[b"101"], &[b""]]);
        for (name, value) in fields {
            if extended && !is_field(name, value) {
                return Err(ResponseError::Field);
            }
            if extended && is_connection_specific(name) {
                return Err(ResponseError::ConnectionSpecific);
            }
            written.field(name.as_bytes(), value);
        }
        let mut facts = ResponseFacts::default();
        let head = written.read(&config, &mut facts)?;
        let (agreement, agreed) = self.terms.agree(&config, &facts, &head)?;
        Ok(Some((agreement.client(config, self.keys), agreed)))
    }
}
