//! RFC 7692 section 5: compression in the opening handshakes.
//!
//! The server chooses among the offers and the client judges the answer, both by the policy in
//! their configuration; the connection is made with what came of it. What parameters mean is
//! `deflate`'s business. Without the feature nothing is offered, taken or agreed.
//!
//! Invariant: what is agreed to was offered.

use super::accept::Agreed;
use super::error::ResponseError;
use super::extensions::Extension;
use crate::config::Config;
use crate::connection::Connection;
use crate::keys::Keys;
use alloc::sync::Arc;
use bytes::BytesMut;
#[cfg(feature = "deflate")]
use {
    crate::deflate::{NAME, Params, Policy},
    core::fmt::Write as _,
};

/// How many offers of compression are looked at.
#[cfg(feature = "deflate")]
const MAX_OFFERS: usize = 16;

/// The extensions that are in use.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Agreement {
    #[cfg(feature = "deflate")]
    deflate: Option<(Policy, Params)>,
}

#[cfg(feature = "deflate")]
impl Agreement {
    /// A server's choice.
    pub(super) fn choose<'a>(config: &Config, offers: impl Iterator<Item = Extension<'a>>) -> Self {
        let offers = offers.filter(|extension| extension.name == NAME).take(MAX_OFFERS);
        let deflate = config.deflate.and_then(|policy| {
            let params = policy.accept(offers.map(|extension| extension.params))?;
            Some((policy, params))
        });
        Self { deflate }
    }

    /// A client's judgement of the extensions in an answer.
    pub(super) fn judge<'a>(
        config: &Config,
        mut answer: impl Iterator<Item = Extension<'a>>,
    ) -> Result<Self, ResponseError> {
        let Some(extension) = answer.next() else { return Ok(Self::default()) };
        let policy = config.deflate.filter(|_| extension.name == NAME && answer.next().is_none());
        let policy = policy.ok_or(ResponseError::Extensions)?;
        let params = Policy::agree(&[policy.offer()], extension.params)
            .map_err(|_| ResponseError::Extensions)?;
        Ok(Self { deflate: Some((policy, params)) })
    }

    /// A client's offer, as a field.
    pub(super) fn write_offer(config: &Config, out: &mut BytesMut) {
        if let Some(policy) = config.deflate {
            // Writing to `out` cannot fail.
            let _ = write!(out, "\r\nSec-WebSocket-Extensions: {}", policy.offer());
        }
    }

    /// A server's answer, as a field.
    pub(super) fn write_answer(self, out: &mut BytesMut) {
        if let Some((_, params)) = self.deflate {
            let _ = write!(out, "\r\nSec-WebSocket-Extensions: {params}");
        }
    }

    /// A server's connection.
    pub(super) fn server(self, config: Arc<Config>) -> Connection {
        let connection = Connection::server(config);
        match self.deflate {
            Some((policy, params)) => connection.with_deflate(policy.server_contexts(&params)),
            None => connection,
        }
    }

    /// A client's connection.
    pub(super) fn client(self, config: Arc<Config>, keys: Keys) -> Connection {
        let connection = Connection::client(config, keys);
        match self.deflate {
            Some((policy, params)) => connection.with_deflate(policy.client_contexts(&params)),
            None => connection,
        }
    }

    /// What the application is told.
    pub(super) fn tell(self, agreed: &mut Agreed) {
        agreed.deflate = self.deflate.map(|(_, params)| params);
    }
}

#[cfg(not(feature = "deflate"))]
#[expect(clippy::unused_self, reason = "the same calls as with the feature")]
impl Agreement {
    pub(super) fn choose<'a>(_: &Config, _: impl Iterator<Item = Extension<'a>>) -> Self {
        Self {}
    }

    pub(super) fn judge<'a>(
        _: &Config,
        mut answer: impl Iterator<Item = Extension<'a>>,
    ) -> Result<Self, ResponseError> {
        answer.next().map_or(Ok(Self {}), |_| Err(ResponseError::Extensions))
    }

    pub(super) fn write_offer(_: &Config, _: &mut BytesMut) {}

    pub(super) fn write_answer(self, _: &mut BytesMut) {}

    pub(super) fn server(self, config: Arc<Config>) -> Connection {
        Connection::server(config)
    }

    pub(super) fn client(self, config: Arc<Config>, keys: Keys) -> Connection {
        Connection::client(config, keys)
    }

    pub(super) fn tell(self, _: &mut Agreed) {}
}
