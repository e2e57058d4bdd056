//! `--close CODE[:REASON]`: how a connection is closed.

use sockless::{CloseCode, CloseReason};

pub(crate) type Farewell = (CloseCode, CloseReason);

/// `None` if `text` has no code that may be sent, or too long a reason.
pub(crate) fn farewell(text: &str) -> Option<Farewell> {
    let (code, reason) = text.split_once(':').unwrap_or((text, ""));
    let code = code.parse::<u16>().map(CloseCode::from).ok()?;
    CloseReason::new(reason).map(|reason| (code, reason)).filter(|_| code.is_sendable())
}
