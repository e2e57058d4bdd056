//! RFC 6455 section 4.2: the server's half of the opening handshake.
//!
//! A request comes in, the application decides, an answer goes out. What follows the request in
//! the same input stays there: it is frames, for the connection that this becomes.
//!
//! Invariant: nothing is written before the whole request is in, but for a refusal; after a
//! refusal, nothing is read or written ever again.

use super::accept::{Accept, Agreed};
use super::error::{AcceptError, RequestError};
use super::facts::RequestFacts;
use super::head::Intake;
use super::reject::{self, Reject};
use super::request::{PlainRequest, Request};
use crate::config::Config;
use crate::connection::Connection;
use alloc::borrow::Cow;
use alloc::sync::Arc;
use bytes::BytesMut;
use core::mem;

/// How a request begins whose answer has no content, whatever else is wrong with it.
const HEAD: &[u8] = b"HEAD ";

/// A connection to a server before it is one.
///
/// ```text
///               +--- Refused (its response is in `out`)
/// receive ... --+--- Upgrade ---+--- accept ---> Connection
///               |               |
///               +--- Plain -----+--- reject
/// ```
///
/// A transport that ends, or takes longer than [`Config::open_timeout`], needs no answer: drop the
/// handshake and close the transport (RFC 6455 section 7.2.2).
///
/// ```
/// use sockless::handshake::{Accept, Asked, Server};
/// # use bytes::BytesMut;
/// let mut scratch = *b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\n\
///     Upgrade: websocket\r\nConnection: Upgrade\r\n\
///     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
///     Origin: http://server.example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n\
///     Sec-WebSocket-Version: 13\r\n\r\n";
/// let mut out = BytesMut::new();
/// let mut server = Server::new(Default::default());
/// let mut input = &mut scratch[..];
/// if let Some(Asked::Upgrade(request)) = server.receive(&mut input, &mut out) {
///     assert_eq!(request.path(), "/chat");
///     let accept = Accept::new(&request).subprotocol("chat")?;
///     if let Ok((_connection, agreed)) = server.accept(accept, &mut out) {
///         assert_eq!(agreed.subprotocol.as_deref(), Some("chat"));
///     }
/// }
/// assert_eq!(
///     out,
///     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///      Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
///      Sec-WebSocket-Protocol: chat\r\n\r\n"
/// );
/// # Ok::<(), sockless::handshake::FieldError>(())
/// ```
#[derive(Debug)]
pub struct Server {
    config: Arc<Config>,
    plain_requests: bool,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Reading(Intake, RequestFacts),
    /// The application has the request: its key, if it asks for a connection.
    Asked(Option<[u8; 24]>),
    Refused,
}

/// What a client asks for.
#[derive(Debug)]
#[non_exhaustive]
pub enum Asked<'b> {
    /// A WebSocket connection: [`Server::accept`] or [`Server::reject`] it.
    Upgrade(Request<'b>),
    /// A page, if [`Server::with_plain_requests`] was chosen: answer by [`Server::reject`].
    Plain(PlainRequest<'b>),
    /// Nothing that can be had. The response is in the output: send it, then close the transport.
    Refused(RequestError),
}

impl Server {
    /// A handshake that waits for its request. It has nothing on the heap until part of one comes.
    pub fn new(config: Arc<Config>) -> Self {
        let stage = Stage::Reading(Intake::default(), RequestFacts::default());
        Self { config, plain_requests: false, stage }
    }

    /// Hands out each GET that asks for no upgrade, instead of refusing it with a 426; other
    /// methods are still refused with a 405. One of HTTP/1.0 cannot ask for any (RFC 9110 section
    /// 7.8), and may have no Host.
    #[must_use]
    pub fn with_plain_requests(mut self) -> Self {
        self.plain_requests = true;
        self
    }

    /// Reads the request; `None` until all of it has come, and after it was handed out.
    ///
    /// A head that lies whole in `input` is borrowed from it. What comes after the head stays in
    /// `input`, and is for the connection; after a refusal, everything is dropped.
    pub fn receive<'b>(
        &mut self,
        input: &mut &'b mut [u8],
        out: &mut BytesMut,
    ) -> Option<Asked<'b>> {
        let (intake, facts) = match &mut self.stage {
            Stage::Reading(intake, facts) => (intake, facts),
            Stage::Asked(_) => return None,
            Stage::Refused => {
                mem::take(input);
                return None;
            }
        };
        let is_head = intake.begins_with(&self.config, HEAD, input);
        let head = intake.read(&self.config, facts, input)?;
        let facts = *facts;
        self.stage = Stage::Asked(None);
        let (head, verdict) = match head {
            Ok(head) => {
                let verdict = facts.judge(&head, self.plain_requests);
                (head, verdict)
            }
            Err(error) => (Cow::default(), Err(error)),
        };
        Some(match verdict {
            Ok(()) => {
                let request = Request::new(head, facts);
                self.stage = Stage::Asked(request.key().first_chunk().copied());
                Asked::Upgrade(request)
            }
            Err(RequestError::NotAnUpgrade) if self.plain_requests => {
                Asked::Plain(PlainRequest::new(head, facts))
            }
            Err(error) => {
                self.stage = Stage::Refused;
                mem::take(input);
                reject::refuse(error, is_head || facts.wants_no_content(), out);
                Asked::Refused(error)
            }
        })
    }

    /// Opens the connection: the 101 is in `out`, frames may follow it at once.
    ///
    /// # Errors
    /// [`AcceptError::Refused`] if a page of another origin asks (RFC 6455 section 10.2). The 403
    /// is in `out`: send it, then close the transport. [`AcceptError::OtherRequest`] if the
    /// [`Accept`] was not made from the request that this handshake handed out; nothing is written.
    pub fn accept(
        self,
        accept: Accept<'_>,
        out: &mut BytesMut,
    ) -> Result<(Connection, Agreed), AcceptError> {
        match self.stage {
            Stage::Asked(Some(key)) if accept.key() == key => {}
            _ => return Err(AcceptError::OtherRequest),
        }
        if !accept.allows_origin() {
            let error = RequestError::OriginNotAllowed;
            reject::refuse(error, false, out);
            return Err(AcceptError::Refused(error));
        }
        Ok(accept.open(self.config, out))
    }

    /// Answers with an HTTP response: send it, then close the transport. Before the request is
    /// complete this is an answer too, such as a 408 or a 503; after a refusal it is none.
    ///
    /// ```
    /// # use sockless::{Config, handshake::{FieldError, Reject, Server}};
    /// # let mut out = bytes::BytesMut::new();
    /// let server = Server::new(std::sync::Arc::new(Config::default()));
    /// server.reject(&Reject::new(408)?, &mut out);
    /// assert_eq!(
    ///     out,
    ///     "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    /// );
    /// # Ok::<(), FieldError>(())
    /// ```
    pub fn reject(self, reject: &Reject<'_>, out: &mut BytesMut) {
        match self.stage {
            Stage::Reading(intake, facts) => {
                let is_head =
                    facts.wants_no_content() || intake.begins_with(&self.config, HEAD, &[]);
                reject.write(is_head, out);
            }
            // Only a GET is ever left to the application.
            Stage::Asked(_) => reject.write(false, out),
            // A second answer would be a response to nothing.
            Stage::Refused => {}
        }
    }
}
