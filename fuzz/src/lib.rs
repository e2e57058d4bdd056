//! What the targets share: choices drawn from the front of the fuzzer's bytes, pieces, and what is
//! too long to stand in a target.

mod differential;
mod duet;
pub mod extensions;
mod heads;
mod hosts;
pub mod inflate;
pub mod opening;
mod session;
pub mod timers;

pub use differential::{Verdict, elsewhere, is_unknown_elsewhere, may_go_on, unmasked};
pub use duet::End;
pub use heads::{ask, limit, serve};
pub use hosts::{asked, served};
pub use session::{
    Seen, Trace, config, connection, context, keys, run, run_halves, run_inbox, see,
};

/// The fuzzer's bytes: choices first, then data. What is not there is zero.
pub struct Choices<'d>(pub &'d [u8]);

impl<'d> Choices<'d> {
    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    pub fn short(&mut self) -> usize {
        usize::from(self.byte()) << 8 | usize::from(self.byte())
    }

    pub fn take(&mut self, len: usize) -> &'d [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Up to fifteen places to cut at, wherever they fall.
    pub fn cuts(&mut self) -> Vec<usize> {
        (0..self.byte() % 16).map(|_| self.short()).collect()
    }
}

/// `bytes` in pieces that end at `cuts`, taken modulo the length.
pub fn pieces<'d>(bytes: &'d [u8], cuts: &[usize]) -> Vec<&'d [u8]> {
    let mut ends: Vec<_> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    ends.sort_unstable();
    ends.push(bytes.len());
    let starts = [0].into_iter().chain(ends.clone());
    starts.zip(ends).map(|(start, end)| &bytes[start..end]).collect()
}

/// What an error says in a log: one line of it.
pub fn logged(error: &dyn std::error::Error) -> String {
    let line = error.to_string();
    assert!(!line.is_empty() && line.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    line
}
