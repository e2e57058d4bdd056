//! RFC 6455 section 4.1: what a client has asked for, and whether an answer keeps to it.
//!
//! How the answer came, as a 101 or as a 2xx to an extended CONNECT (RFC 8441 section 5), decides
//! whether it has to prove that it read the key; the rest is the same.
//!
//! Invariant: nothing is agreed that was not offered.

use super::accept::Agreed;
use super::agreement::Agreement;
use super::error::ResponseError;
use super::key;
use super::list::contains;
use super::offer::Offer;
use super::response::ResponseFacts;
use crate::config::Config;
use alloc::string::String;

/// What an answer is held against.
#[derive(Debug)]
pub(super) struct Terms {
    /// The answer to the key, if there was one.
    accept: Option<[u8; 28]>,
    subprotocols: String,
    subprotocol_required: bool,
}

impl Terms {
    pub(super) fn of_upgrade(offer: &Offer<'_>, key: &[u8; 24]) -> Self {
        Self { accept: Some(key::accept(key)), ..Self::of_extended(offer) }
    }

    pub(super) fn of_extended(offer: &Offer<'_>) -> Self {
        Self {
            accept: None,
            subprotocols: offer.subprotocols.clone(),
            subprotocol_required: offer.subprotocol_required,
        }
    }

    /// Whether the request was an extended CONNECT.
    pub(super) const fn is_extended(&self) -> bool {
        self.accept.is_none()
    }

    /// What an answer that opens the connection agrees to.
    pub(super) fn agree(
        &self,
        config: &Config,
        facts: &ResponseFacts,
        head: &[u8],
    ) -> Result<(Agreement, Agreed), ResponseError> {
        if let Some(accept) = &self.accept {
            facts.judge_upgrade(head, accept)?;
        }
        let offers = |name: &[u8]| contains(self.subprotocols.as_bytes(), name);
        let subprotocol = facts.judge_agreement(head, offers)?;
        if subprotocol.is_none() && self.subprotocol_required {
            return Err(ResponseError::SubprotocolMissing);
        }
        let agreement = Agreement::judge(config, facts.extensions(head))?;
        let mut agreed = Agreed { subprotocol, ..Agreed::default() };
        agreement.tell(&mut agreed);
        Ok((agreement, agreed))
    }
}
