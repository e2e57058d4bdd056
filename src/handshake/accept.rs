//! RFC 6455 section 4.2.2: the answer that opens a connection.
//!
//! It is built from the request, and every mistake surfaces while it is built: nothing has been
//! consumed or written by then. Writing it cannot fail, but for the origin, which is the client's.
//!
//! Invariant: the subprotocol is one that the request offers, and so is what is agreed of
//! extensions.

use super::agreement::Agreement;
use super::field::{FieldError, FieldLines};
use super::key;
use super::origin::{Origins, is_origin};
use super::request::Request;
use crate::config::Config;
use crate::connection::Connection;
use alloc::string::String;
use alloc::sync::Arc;
use bytes::{BufMut, BytesMut};

/// The decision to open the connection that a [`Request`] asks for.
///
/// ```
/// # use sockless::handshake::{Accept, Asked, FieldError, Request, Server};
/// fn decide<'r>(request: &'r Request<'_>) -> Result<Accept<'r>, FieldError> {
///     Accept::new(request).prefer(&["chat.v2", "chat.v1"]).field("Set-Cookie", "seen=1")
/// }
/// # let mut head = *b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
/// #     Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat.v1\r\n\
/// #     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// # let (mut server, mut out) = (Server::new(Default::default()), bytes::BytesMut::new());
/// # let asked = server.receive(&mut &mut head[..], &mut out);
/// # let Some(Asked::Upgrade(request)) = asked else { panic!("{asked:?}") };
/// server.accept(decide(&request)?, &mut out).expect("no page of another origin asks");
/// assert_eq!(
///     out,
///     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///      Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
///      Sec-WebSocket-Protocol: chat.v1\r\nSet-Cookie: seen=1\r\n\r\n"
/// );
/// # Ok::<(), FieldError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a connection opens when the handshake is given this"]
pub struct Accept<'r> {
    request: &'r Request<'r>,
    subprotocol: Option<&'r str>,
    config: Option<Arc<Config>>,
    fields: FieldLines,
    origins: Origins<'r>,
}

/// What both sides agreed on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Agreed {
    /// "Subprotocol In Use" (RFC 6455 section 4.1).
    pub subprotocol: Option<String>,
    /// How messages are compressed, if they may be (RFC 7692 section 7.1).
    #[cfg(feature = "deflate")]
    pub deflate: Option<crate::deflate::Params>,
}

impl<'r> Accept<'r> {
    /// Opens the connection, if the request has no Origin or one of the host that it asks, by any
    /// scheme. Behind a proxy that writes another Host no page is of that host: have it pass Host
    /// on, or list the [`origins`](Self::origins).
    pub fn new(request: &'r Request<'r>) -> Self {
        let fields = FieldLines::default();
        Self { request, subprotocol: None, config: None, fields, origins: Origins::SameHost }
    }

    /// Chooses a subprotocol. Without one, none is in use.
    ///
    /// # Errors
    /// [`FieldError::SubprotocolNotOffered`] unless the request offers it, in this very case
    /// (RFC 6455 section 4.2.2: it is "derived from the client's handshake").
    pub fn subprotocol(mut self, name: &str) -> Result<Self, FieldError> {
        let offered = self.request.subprotocols().find(|&offer| offer == name);
        self.subprotocol = Some(offered.ok_or(FieldError::SubprotocolNotOffered)?);
        Ok(self)
    }

    /// Chooses the first of `ours`, in order of preference, that the request offers; none if it
    /// offers none of them.
    pub fn prefer(mut self, ours: &[&str]) -> Self {
        self.subprotocol = None;
        let mut rest = ours;
        for offer in self.request.subprotocols() {
            let Some(place) = rest.iter().position(|ours| *ours == offer) else { continue };
            rest = rest.get(..place).unwrap_or_default();
            self.subprotocol = Some(offer);
        }
        self
    }

    /// Opens the connection with other limits and choices than the handshake had, such as those of
    /// the path that was asked for.
    pub fn config(mut self, config: Arc<Config>) -> Self {
        self.config = Some(config);
        self
    }

    /// Adds a field to the response.
    ///
    /// # Errors
    /// [`FieldError`] if it is malformed, or not the application's to set.
    pub fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, FieldError> {
        self.fields.add(name, value.as_ref())?;
        Ok(self)
    }

    /// Allows these origins, each `scheme://host[:port]`, instead of the host that is asked. Each
    /// is compared whole, and `null` is none; a request without an Origin comes from no page and
    /// passes.
    ///
    /// # Errors
    /// [`FieldError::Origin`] if one of them is no origin, or has a `*`: it would never match.
    pub fn origins(mut self, allowed: &'r [&'r str]) -> Result<Self, FieldError> {
        if !allowed.iter().all(|origin| is_origin(origin)) {
            return Err(FieldError::Origin);
        }
        self.origins = Origins::List(allowed);
        Ok(self)
    }

    /// Allows every web page in the world to connect, with the cookies of whoever looks at it
    /// (RFC 6455 section 10.2): for services that need no cookie to trust a request.
    pub fn any_origin(mut self) -> Self {
        self.origins = Origins::Any;
        self
    }

    /// The key of the request: honest clients draw one for each.
    pub(super) fn key(&self) -> &[u8] {
        self.request.key()
    }

    /// Whether the request's origin may connect.
    pub(super) fn allows_origin(&self) -> bool {
        self.request.is_from(self.origins)
    }

    /// The connection, and what is agreed, the handshake's own configuration being `given`. The
    /// 101 is written.
    pub(super) fn open(mut self, given: Arc<Config>, out: &mut BytesMut) -> (Connection, Agreed) {
        let config = self.config.take().unwrap_or(given);
        let agreement = Agreement::choose(&config, self.request.extensions());
        let agreed = self.write(agreement, out);
        (agreement.server(config), agreed)
    }

    pub(super) const fn is_extended(&self) -> bool {
        self.request.is_extended()
    }

    /// The status that opens the connection (RFC 8441 section 5: "2xx" in place of 101).
    pub(super) const fn status(&self) -> u16 {
        if self.request.is_extended() { 200 } else { 101 }
    }

    /// The 101, and what it agrees to; in answer to an extended CONNECT the same without what only
    /// an upgrade has.
    fn write(&self, agreement: Agreement, out: &mut BytesMut) -> Agreed {
        if self.request.is_extended() {
            out.put_slice(b"HTTP/1.1 200 OK");
        } else {
            out.put_slice(SWITCHING);
            if let Some(place) = out.last_chunk_mut() {
                key::write_accept(self.request.key(), place);
            }
        }
        if let Some(subprotocol) = self.subprotocol {
            out.put_slice(b"\r\nSec-WebSocket-Protocol: ");
            out.put_slice(subprotocol.as_bytes());
        }
        agreement.write_answer(out);
        out.put_slice(b"\r\n");
        out.put_slice(self.fields.wire());
        out.put_slice(b"\r\n");
        let subprotocol = self.subprotocol.map(String::from);
        let mut agreed = Agreed { subprotocol, ..Agreed::default() };
        agreement.tell(&mut agreed);
        agreed
    }
}

/// The 101 as far as it is the same for all; the answer to the key takes the place of the dots.
const SWITCHING: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: ............................";
