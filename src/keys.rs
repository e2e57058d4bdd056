//! RFC 6455 sections 5.3 and 10.3: where masking keys come from.
//!
//! "The masking key MUST be derived from a strong source of entropy." The core has no entropy of
//! its own: a [`Keys`] is a function that fills four bytes, given when a client is made. Feature
//! `getrandom` adds [`Keys::system`], which asks the operating system.
//!
//! Invariant: each key is what the source gave, and is used once.

/// The source of a client's masking keys and of its handshake nonce.
///
/// It is called once for each frame (and four times for a `Sec-WebSocket-Key`). Whatever it
/// returns must be unpredictable to whoever chooses the payloads: a counter, a constant or a plain
/// pseudo-random generator lets a hostile payload appear in the clear on the wire, which is what
/// masking is there to prevent. In tests, a fixed sequence is one function:
///
/// ```
/// use sockless::Keys;
/// let keys = Keys::new(|key| *key = [0x37, 0xfa, 0x21, 0x3d]);
/// assert_eq!(keys.next(), [0x37, 0xfa, 0x21, 0x3d]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Keys(fn(&mut [u8; 4]));

impl Keys {
    /// Keys from a function that fills four bytes with unpredictable ones. It captures nothing: a
    /// generator that has state, such as a peripheral, is reached through a `static`.
    pub const fn new(fill: fn(&mut [u8; 4])) -> Self {
        Self(fill)
    }

    /// Keys from the operating system's generator.
    ///
    /// With `std`, entropy is drawn in blocks of 256 bytes for each thread, and each byte is used
    /// once and wiped: a key then costs a copy where a system call would cost a microsecond. A
    /// process that forks has the unused rest of a block in both copies; a child that goes on to
    /// open WebSocket connections should do so on a new thread.
    ///
    /// # Panics
    /// The function, not this constructor, panics if the operating system has no entropy to give:
    /// a predictable key must never go out in silence.
    #[cfg(feature = "getrandom")]
    pub const fn system() -> Self {
        Self(system::fill)
    }

    /// The next key.
    #[must_use]
    pub fn next(self) -> [u8; 4] {
        let mut key = [0; 4];
        (self.0)(&mut key);
        key
    }
}

#[cfg(all(feature = "getrandom", feature = "std"))]
mod system {
    use core::cell::RefCell;
    use std::thread_local;

    const BLOCK: usize = 256;

    thread_local! {
        // Invariant: `block[..left]` is entropy that nobody has seen; the rest is zero.
        static POOL: RefCell<([u8; BLOCK], usize)> = const { RefCell::new(([0; BLOCK], 0)) };
    }

    pub(super) fn fill(key: &mut [u8; 4]) {
        POOL.with_borrow_mut(|(block, left)| {
            if *left < key.len() {
                draw(block);
                *left = BLOCK;
            }
            let unused = block.get_mut(..*left).and_then(<[u8]>::split_last_chunk_mut::<4>);
            if let Some((rest, fresh)) = unused {
                *left = rest.len();
                *key = *fresh;
                fresh.fill(0);
            }
        });
    }

    #[expect(clippy::expect_used, reason = "without entropy there is no safe key to go on with")]
    fn draw(block: &mut [u8]) {
        getrandom::fill(block).expect("the operating system has no entropy");
    }
}

#[cfg(all(feature = "getrandom", not(feature = "std")))]
mod system {
    #[expect(clippy::expect_used, reason = "without entropy there is no safe key to go on with")]
    pub(super) fn fill(key: &mut [u8; 4]) {
        getrandom::fill(key).expect("the platform has no entropy");
    }
}

#[cfg(all(test, feature = "getrandom"))]
mod tests {
    use super::Keys;
    use std::collections::HashSet;

    // req: W5.3-03, W10.3-01
    #[test]
    fn system_keys_do_not_repeat() {
        let keys: HashSet<_> = (0..1000).map(|_| Keys::system().next()).collect();
        // Two equal ones among a thousand of 2^32 happen once in 8,600 runs; three never.
        assert!(keys.len() >= 998, "{} distinct keys of 1000", keys.len());
    }

    #[test]
    fn threads_do_not_share_a_block() {
        let ours: HashSet<_> = (0..64).map(|_| Keys::system().next()).collect();
        let theirs = std::thread::spawn(|| (0..64).map(|_| Keys::system().next()).collect())
            .join()
            .unwrap_or_else(|_| HashSet::new());
        assert_eq!(theirs.len(), 64);
        assert!(ours.intersection(&theirs).count() <= 1);
    }
}
