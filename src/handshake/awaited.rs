//! RFC 6455 section 4.1 and RFC 9112 section 9.2: one request, one response.
//!
//! It says when the head of the response is there, and whose the bytes behind it are. What the
//! response means, `client` and `tunnel` know.
//!
//! Invariant: a response is returned once.

use super::error::ResponseError;
use super::head::Intake;
use super::response::{Response, ResponseFacts};
use crate::config::Config;
use core::mem;

/// The response that a request of ours waits for.
#[derive(Debug)]
pub(super) enum Awaited {
    Reading(Intake, ResponseFacts),
    /// What comes now is the caller's: frames, or the content of a response.
    Answered,
    Failed,
}

impl Awaited {
    pub(super) fn new() -> Self {
        Self::Reading(Intake::default(), ResponseFacts::default())
    }

    /// Reads it: `None` until its head is complete, and again once it was returned. After a
    /// failure, all input is dropped.
    pub(super) fn read<'b>(
        &mut self,
        config: &Config,
        input: &mut &'b mut [u8],
    ) -> Option<Result<Response<'b>, ResponseError>> {
        let (intake, facts) = match self {
            Self::Reading(intake, facts) => (intake, facts),
            Self::Answered => return None,
            Self::Failed => {
                mem::take(input);
                return None;
            }
        };
        let head = intake.read(config, facts, input)?;
        let facts = *facts;
        *self = Self::Answered;
        Some(head.map(|head| Response { head, facts }))
    }

    /// It cannot be what was asked for.
    pub(super) fn fail(&mut self, input: &mut &mut [u8]) {
        *self = Self::Failed;
        mem::take(input);
    }
}
