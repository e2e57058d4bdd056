//! RFC 7692 left out: no codec, and no agreement that would need one.
//!
//! Invariant: nothing is ever compressed, so RSV1 is never permitted.

#![expect(clippy::unused_self, reason = "the same calls as with the feature")]

use super::Inflated;
use crate::config::Config;
use crate::error::ProtocolError;
use alloc::vec::Vec;
use bytes::BytesMut;

pub(crate) struct Inflation;

impl Inflation {
    pub(crate) const NONE: Self = Self;

    pub(crate) const fn is_agreed(&self) -> bool {
        false
    }

    pub(crate) fn inflate(
        &mut self,
        _: &[u8],
        _: bool,
        _: &mut Vec<u8>,
        _: usize,
        _: &Config,
    ) -> Result<Inflated, ProtocolError> {
        Err(ProtocolError::InvalidCompression)
    }

    pub(crate) const fn inflated(&self) -> u64 {
        0
    }

    pub(crate) fn finish(&mut self, _: &Config) -> Result<(), ProtocolError> {
        Err(ProtocolError::InvalidCompression)
    }

    pub(crate) fn end(&mut self) {}
}

pub(crate) struct Deflation;

impl Deflation {
    pub(crate) const fn none() -> Self {
        Self
    }

    pub(crate) const fn begins(&self, _: usize) -> bool {
        false
    }

    pub(crate) fn deflate(&mut self, piece: &[u8], _: bool) -> BytesMut {
        piece.into()
    }

    pub(crate) const fn takes_over(&self) -> bool {
        false
    }

    pub(crate) fn end(&mut self) {}
}
