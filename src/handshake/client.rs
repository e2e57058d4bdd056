//! RFC 6455 section 4.1: the client's half of the opening handshake.
//!
//! The request goes out when the handshake starts; nothing else is sent until the answer is in
//! and right. What follows a 101 in the same input stays there: it is frames.
//!
//! Invariant: a handshake exists only once its request is written, so no answer can come before;
//! a connection exists only after a 101 that answers this request's key.

use super::accept::Agreed;
use super::awaited::Awaited;
use super::error::ResponseError;
use super::key;
use super::offer::Offer;
use super::response::Response;
use super::terms::Terms;
use crate::config::Config;
use crate::connection::Connection;
use crate::keys::Keys;
use alloc::sync::Arc;
use bytes::BytesMut;

/// A connection to a client before it is one.
///
/// For `wss`, TLS is established first, with SNI, and every byte goes through it. "There MUST be
/// no more than one connection in a CONNECTING state" to an address at a time (RFC 6455 section
/// 4.1, item 2): see to that where connections are made. A transport that ends, or an answer that
/// takes longer than [`Config::open_timeout`], is a connection that failed: drop the handshake.
///
/// ```
/// use sockless::{Keys, handshake::{Answer, Client, Offer, Target}};
/// # use bytes::BytesMut;
/// let keys = Keys::new(|key| *key = [0; 4]); // in earnest: `Keys::system()`
/// let target = Target::parse("ws://server.example.com/chat").expect("a literal");
/// let mut out = BytesMut::new();
/// let mut client = Client::start(Default::default(), keys, &Offer::new(&target), &mut out);
/// assert_eq!(
///     out,
///     "GET /chat HTTP/1.1\r\nHost: server.example.com\r\n\
///      Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
///      Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
/// );
/// let mut scratch = *b"HTTP/1.1 101 Switching Protocols\r\n\
///     Upgrade: websocket\r\nConnection: Upgrade\r\n\
///     Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n\x81\x02hi";
/// let mut input = &mut scratch[..];
/// assert!(matches!(client.receive(&mut input), Some(Answer::Open { .. })));
/// assert_eq!(input, b"\x81\x02hi"); // for the connection
/// ```
#[derive(Debug)]
pub struct Client {
    config: Arc<Config>,
    keys: Keys,
    terms: Terms,
    awaited: Awaited,
}

/// What a server answers.
#[derive(Debug)]
#[non_exhaustive]
pub enum Answer<'b> {
    /// The connection is open.
    Open {
        /// The connection, which takes what is left in the input.
        connection: Connection,
        /// What the server chose.
        agreed: Agreed,
        /// The 101, with the cookies that it sets.
        response: Response<'b>,
    },
    /// The server gave another answer, such as a redirect, or a 401 that asks for credentials.
    /// Follow it on a new connection, or give up: this one is no WebSocket connection.
    Refused(Response<'b>),
    /// The answer is none that a WebSocket server may give. Close the transport.
    Failed(ResponseError),
}

impl Client {
    /// Starts a handshake: the request is in `out`.
    ///
    /// Four of the `keys` make its nonce, and the connection takes the others.
    pub fn start(config: Arc<Config>, keys: Keys, offer: &Offer<'_>, out: &mut BytesMut) -> Self {
        let key = draw_key(keys);
        offer.write(&key, &config, out);
        let terms = Terms::of_upgrade(offer, &key);
        Self { config, keys, terms, awaited: Awaited::new() }
    }

    /// Reads the answer: `None` until its head is complete, and again once it was returned.
    ///
    /// A head that lies whole in `input` is borrowed from it. What comes after the head stays in
    /// `input`; after a failure, everything is dropped.
    pub fn receive<'b>(&mut self, input: &mut &'b mut [u8]) -> Option<Answer<'b>> {
        let error = match self.awaited.read(&self.config, input)? {
            Ok(response) if response.facts.is_upgrade() => {
                match self.terms.agree(&self.config, &response.facts, &response.head) {
                    Ok((agreement, agreed)) => {
                        let connection = agreement.client(Arc::clone(&self.config), self.keys);
                        return Some(Answer::Open { connection, agreed, response });
                    }
                    Err(error) => error,
                }
            }
            Ok(response) => return Some(Answer::Refused(response)),
            Err(error) => error,
        };
        self.awaited.fail(input);
        Some(Answer::Failed(error))
    }
}

/// A Sec-WebSocket-Key from a fresh nonce.
pub(super) fn draw_key(keys: Keys) -> [u8; 24] {
    let mut nonce = [0; 16];
    for part in nonce.chunks_exact_mut(4) {
        part.copy_from_slice(&keys.next());
    }
    key::encode(nonce)
}
