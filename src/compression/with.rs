//! RFC 7692 sections 6.1 and 6.2: the codecs of one connection.
//!
//! When they are made, borrowed and given back; what they do is `deflate`'s business.
//!
//! Invariant: between messages there is no codec but with context takeover, or a borrowed one.

use super::Inflated;
use crate::config::Config;
use crate::deflate::{
    Codecs, Context, Deflater, Effort, InflateError, Inflater, Limits, Policy, stored,
};
use crate::error::ProtocolError;
use alloc::{boxed::Box, vec::Vec};
use bytes::BytesMut;
use core::mem;

/// What the receiving half inflates with.
pub(crate) struct Inflation {
    context: Option<Context>,
    /// Whether the codec is borrowed, so that it stays after a message. Never with takeover.
    borrows: bool,
    inflater: Option<Box<Inflater>>,
}

impl Inflation {
    /// Nothing is agreed.
    pub(crate) const NONE: Self = Self { context: None, borrows: false, inflater: None };

    pub(crate) const fn new(context: Context) -> Self {
        Self { context: Some(context), ..Self::NONE }
    }

    /// Whether RSV1 has a meaning.
    pub(crate) const fn is_agreed(&self) -> bool {
        self.context.is_some()
    }

    /// Inflates the next piece of a message onto the end of `onto`, `most` bytes of it at a time.
    /// The message ends with it, if it is the `last`.
    pub(crate) fn inflate(
        &mut self,
        piece: &[u8],
        last: bool,
        onto: &mut Vec<u8>,
        most: usize,
        config: &Config,
    ) -> Result<Inflated, ProtocolError> {
        let context = self.context.ok_or(ProtocolError::ReservedBits)?;
        let is_first = self.inflater.as_ref().is_none_or(|inflater| inflater.is_at_start());
        let is_whole = last && is_first && !context.takeover();
        if is_whole && stored::copy(piece, onto, limits(config)) {
            return Ok(Inflated { consumed: piece.len(), more: false });
        }
        let inflater = self.inflater.get_or_insert_with(|| Box::new(Inflater::new(context)));
        let progress =
            inflater.inflate(piece, onto, most, limits(config)).map_err(protocol_error)?;
        Ok(Inflated { consumed: progress.consumed, more: progress.more })
    }

    /// How long the message under way is so far.
    pub(crate) fn inflated(&self) -> u64 {
        self.inflater.as_ref().map_or(0, |inflater| inflater.inflated())
    }

    /// The message is complete, and all of it is out.
    pub(crate) fn finish(&mut self, config: &Config) -> Result<(), ProtocolError> {
        let (Some(context), Some(inflater)) = (self.context, &mut self.inflater) else {
            return Ok(());
        };
        inflater.finish(limits(config)).map_err(protocol_error)?;
        if self.borrows {
            inflater.reset();
        } else {
            context.settle(&mut self.inflater);
        }
        Ok(())
    }

    /// Takes the codec that is spare.
    pub(crate) fn borrow_from(&mut self, codecs: &mut Codecs) {
        self.borrows = self.context.is_some_and(|context| !context.takeover());
        if self.borrows && self.inflater.is_none() {
            self.inflater = codecs.inflater.take();
        }
    }

    /// Gives it back, unless a message is under way: then it is dropped with that.
    pub(crate) fn return_to(&mut self, codecs: &mut Codecs) {
        if mem::take(&mut self.borrows) {
            let inflater = self.inflater.take_if(|inflater| inflater.is_at_start());
            codecs.inflater = inflater.or_else(|| codecs.inflater.take());
        }
    }

    /// Nothing more will be received. A codec that is borrowed forgets what came, to be returned.
    pub(crate) fn end(&mut self) {
        match &mut self.inflater {
            Some(inflater) if self.borrows && inflater.is_at_start() => {}
            Some(inflater) if self.borrows => inflater.reset(),
            _ => self.inflater = None,
        }
    }
}

/// What the sending half compresses with.
pub(crate) struct Deflation {
    context: Option<Context>,
    /// Whether the application wants the next messages to go as they are.
    paused: bool,
    /// Whether the codec is borrowed, so that it stays after a message. Never with takeover.
    borrows: bool,
    effort: Effort,
    /// How long a message has to be.
    least: u32,
    deflater: Option<Box<Deflater>>,
}

impl Deflation {
    /// Nothing is agreed.
    pub(crate) fn none() -> Self {
        Self::with(None, &Policy::server())
    }

    /// This context is, under the policy of `config`.
    pub(crate) fn new(context: Context, config: &Config) -> Self {
        Self::with(Some(context), &policy(config))
    }

    fn with(context: Option<Context>, policy: &Policy) -> Self {
        let (effort, least) = (policy.effort(), policy.least());
        Self { context, paused: false, borrows: false, effort, least, deflater: None }
    }

    /// Whether a message made with this context can be sent.
    pub(crate) fn fits(&self, made_with: Context) -> bool {
        !self.paused && self.context.is_some_and(|agreed| agreed.fits(made_with))
    }

    pub(crate) fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Whether a message whose first piece has `len` bytes is compressed.
    pub(crate) fn begins(&self, len: usize) -> bool {
        self.context.is_some() && !self.paused && len >= self.least as usize
    }

    /// Whether messages refer to those before them, so that what was compressed must be sent.
    pub(crate) fn takes_over(&self) -> bool {
        self.context.is_some_and(Context::takeover)
    }

    /// Compresses the next piece of a message, its `last` one to end it.
    pub(crate) fn deflate(&mut self, piece: &[u8], last: bool) -> BytesMut {
        let mut out = BytesMut::new();
        let Some(context) = self.context else { return out };
        let fresh = || Box::new(Deflater::with_effort(context, self.effort));
        if !last && self.borrows {
            // At the end of a fragment zlib-rs may look at a byte behind it, which the message of
            // another connection has left there: what is written would tell of that.
            self.deflater.take_if(|deflater| deflater.is_at_start());
        }
        let deflater = self.deflater.get_or_insert_with(fresh);
        deflater.compress(piece, last, &mut out);
        if last && self.borrows {
            deflater.abandon();
        } else if last {
            context.settle(&mut self.deflater);
        }
        out
    }

    /// Takes the codec that is spare, if it is of use.
    pub(crate) fn borrow_from(&mut self, codecs: &mut Codecs) {
        let lends = |context: &Context| !context.takeover() && self.effort.forgets();
        let Some(context) = self.context.filter(lends) else { return };
        self.borrows = true;
        if self.deflater.is_none() {
            self.deflater = codecs.deflater(context, self.effort);
        }
    }

    /// Gives it back, unless a message is under way: then it is dropped with that.
    pub(crate) fn return_to(&mut self, codecs: &mut Codecs) {
        if mem::take(&mut self.borrows) {
            if let Some(deflater) = self.deflater.take_if(|deflater| deflater.is_at_start()) {
                codecs.keep(deflater);
            }
        }
    }

    /// Nothing more will be sent. A codec that is borrowed forgets what was, to be returned.
    pub(crate) fn end(&mut self) {
        match &mut self.deflater {
            Some(deflater) if self.borrows && deflater.is_at_start() => {}
            Some(deflater) if self.borrows => deflater.abandon(),
            _ => self.deflater = None,
        }
    }
}

fn policy(config: &Config) -> Policy {
    config.deflate.unwrap_or(Policy::server())
}

fn limits(config: &Config) -> Limits {
    policy(config).limits(config.message_limit())
}

fn protocol_error(error: InflateError) -> ProtocolError {
    match error {
        InflateError::Invalid => ProtocolError::InvalidCompression,
        InflateError::TooLarge => ProtocolError::MessageTooLarge,
        InflateError::TooDense => ProtocolError::CompressionTooDense,
    }
}
