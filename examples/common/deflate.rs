//! What the examples' command lines say about compression, which is on unless they say otherwise.
//!
//! Without the feature `deflate` there is nothing to say: the flags are errors.

use sockless::{Config, Role};

pub(crate) const HELP: &str = "  --no-deflate        do not compress messages
  --deflate-takeover  compress them together with those before them
  --window-bits N     how far back to refer, 9 to 15 (12), and to ask of the peer
";

#[derive(Debug, Clone, Default)]
pub(crate) struct Deflate {
    off: bool,
    takeover: bool,
    window_bits: Option<u8>,
}

impl Deflate {
    /// Whether this is one of the flags; `value` is what follows it.
    pub(crate) fn take(
        &mut self,
        flag: &str,
        value: impl FnOnce() -> Option<String>,
    ) -> Result<bool, String> {
        match flag {
            "--no-deflate" => self.off = true,
            "--deflate-takeover" => self.takeover = true,
            "--window-bits" => {
                let bits = value().and_then(|text| text.parse().ok());
                let bits = bits.filter(|bits| (9..=15).contains(bits));
                self.window_bits = Some(bits.ok_or("--window-bits wants a number from 9 to 15")?);
            }
            _ => return Ok(false),
        }
        if cfg!(feature = "deflate") {
            Ok(true)
        } else {
            Err(format!("{flag} wants an example built with `--features deflate`"))
        }
    }

    #[cfg(feature = "deflate")]
    pub(crate) fn configure(&self, config: &mut Config, role: Role) {
        use sockless::deflate::{Policy, WindowBits};
        let mut policy = match role {
            Role::Server => Policy::server(),
            Role::Client => Policy::client(),
        };
        policy.server_no_context_takeover = !self.takeover;
        policy.client_no_context_takeover = !self.takeover;
        if let Some(bits) = self.window_bits.and_then(WindowBits::new) {
            policy.server_max_window_bits = bits;
            policy.client_max_window_bits = bits;
        }
        config.deflate = Some(policy).filter(|_| !self.off);
    }

    #[cfg(not(feature = "deflate"))]
    pub(crate) fn configure(&self, _: &mut Config, _: Role) {
        debug_assert!(!self.off && !self.takeover && self.window_bits.is_none());
    }
}
