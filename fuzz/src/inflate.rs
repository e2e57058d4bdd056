//! One message, inflated here.

use sockless::deflate::{InflateError, Inflater, Limits};

pub const LIMITS: Limits = Limits { max_message: 1 << 16, max_ratio: None };

/// What comes of a payload in pieces, `most` bytes at a time, into a vector that is dirty beyond
/// its end.
pub fn inflate(
    inflater: &mut Inflater,
    pieces: &[&[u8]],
    most: usize,
    limits: Limits,
) -> (Vec<u8>, Option<InflateError>) {
    let mut message = vec![0xa5; most % 600];
    message.clear();
    for piece in pieces {
        let mut rest = *piece;
        loop {
            let before = message.len();
            let progress = match inflater.inflate(rest, &mut message, most, limits) {
                Ok(progress) => progress,
                Err(error) => {
                    crate::logged(&error);
                    return (message, Some(error));
                }
            };
            assert_eq!(message.len(), before + progress.produced);
            assert_eq!(message.len() as u64, inflater.inflated());
            assert!(progress.produced <= most);
            rest = &rest[progress.consumed..];
            if !progress.more {
                break;
            }
        }
    }
    (message, inflater.finish(limits).err())
}
