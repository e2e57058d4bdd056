//! RFC 6455 section 5.3, for the tests and the fuzz target alone: every body that this machine can
//! run, called directly.
//!
//! Invariant: what is listed needs no CPU feature that was not found.
#![allow(unsafe_code)]

use super::body::goes_back;
use super::short::{SHORT, by_ends, by_steps};
use super::vector::Vector;
use super::{best, plain, portable};
use alloc::vec::Vec;

/// As `body::long`.
pub(super) type Run = unsafe fn(u32, *const u8, *mut u8, usize) -> bool;

/// One body: in place from the first byte on and from the last, both again with a verdict, and
/// copying. Of what is short, the second is for what a read has brought.
pub(super) type Runs = [Run; 5];

/// One body.
#[derive(Debug)]
pub struct Backend {
    /// The vectors that it uses.
    pub name: &'static str,
    short: Runs,
    long: Runs,
}

/// Those that this machine can run.
#[must_use]
pub fn all() -> Vec<Backend> {
    let plainly = [plain::<false>, plain::<false>, plain::<true>, plain::<true>, plain_copy];
    let words = shorts::<portable::Short>();
    let vectors = shorts::<best::Short>();
    let long: Runs = [
        portable::long::<false, false, false>,
        portable::long::<false, false, true>,
        portable::long::<true, false, false>,
        portable::long::<true, false, true>,
        portable::long::<false, true, false>,
    ];
    #[allow(unused_mut, reason = "elsewhere there is nothing to add")]
    let mut found = alloc::vec![
        Backend { name: "plain", short: plainly, long: plainly },
        Backend { name: "words", short: words, long },
    ];
    #[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
    found.extend(best::found().into_iter().map(|(name, long)| Backend {
        name,
        short: vectors,
        long,
    }));
    #[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))]
    found.push(Backend {
        name: "neon",
        short: vectors,
        long: [
            best::long::<false, false, false>,
            best::long::<false, false, true>,
            best::long::<true, false, false>,
            best::long::<true, false, true>,
            best::long::<false, true, false>,
        ],
    });
    let _ = vectors;
    found
}

unsafe fn plain<const VERDICT: bool>(key: u32, _: *const u8, to: *mut u8, len: usize) -> bool {
    // SAFETY: the caller's promise of an exclusive slice, which is the other one too.
    plain::apply::<VERDICT>(key, unsafe { core::slice::from_raw_parts_mut(to, len) })
}

unsafe fn plain_copy(key: u32, from: *const u8, to: *mut u8, len: usize) -> bool {
    // SAFETY: the caller's promise, which is the same.
    unsafe { plain::copy(key, from, to, len) };
    true
}

fn shorts<V: Vector>() -> Runs {
    unsafe fn steps<V: Vector>(key: u32, from: *const u8, to: *mut u8, len: usize) -> bool {
        // SAFETY: the caller's promise, which is the same.
        unsafe { by_steps::<V>(key, from, to, len) };
        true
    }
    let judging = by_ends::<V, true, false>;
    // What is short is copied as it is unmasked, but that nothing is fetched.
    [steps::<V>, by_ends::<V, false, true>, judging, judging, by_ends::<V, false, false>]
}

impl Backend {
    /// XORs in place; with `verdict`, whether what came out is ASCII, else true.
    pub fn apply(&self, verdict: bool, key: [u8; 4], piece: &mut [u8]) -> bool {
        let (place, len) = (piece.as_mut_ptr(), piece.len());
        let [forth, back, judging, judging_back, _] = self.runs(len);
        let run = match (verdict, goes_back(place, len)) {
            (false, false) => forth,
            (false, true) => back,
            (true, false) => judging,
            (true, true) => judging_back,
        };
        // SAFETY: one exclusive slice of `len` bytes, as both, and `goes_back` saw `MANY`.
        unsafe { run(u32::from_le_bytes(key), place, place, len) }
    }

    /// XORs in place what a read has brought.
    pub fn unmask(&self, key: [u8; 4], piece: &mut [u8]) {
        let (place, len) = (piece.as_mut_ptr(), piece.len());
        if len > SHORT {
            self.apply(false, key, piece);
            return;
        }
        let [_, run, ..] = self.short;
        // SAFETY: one exclusive slice of `len` bytes, as both.
        unsafe { run(u32::from_le_bytes(key), place, place, len) };
    }

    /// Writes `from` XOR the key into `to`, as much as the shorter holds.
    pub fn copy(&self, key: [u8; 4], from: &[u8], to: &mut [u8]) {
        let len = from.len().min(to.len());
        let [.., copying] = self.runs(len);
        // SAFETY: both are `len` bytes at least, and an exclusive slice overlaps no other.
        unsafe { copying(u32::from_le_bytes(key), from.as_ptr(), to.as_mut_ptr(), len) };
    }

    fn runs(&self, len: usize) -> Runs {
        if len > SHORT { self.long } else { self.short }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::body::MANY;

    const MOST: usize = 4096;
    /// Each of the longer lengths too, but under valgrind only one in 61.
    const STEP: usize = if option_env!("SOCKLESS_THIN").is_some() { 61 } else { 1 };
    const KEY: [u8; 4] = [0x01, 0x82, 0xfe, 0x5a];

    /// Aligned as no vector asks for more.
    #[repr(align(64))]
    struct Room([u8; 64 + MOST + 64]);

    fn room() -> Box<Room> {
        let mut room = Box::new(Room([0; 64 + MOST + 64]));
        for (at, byte) in room.0.iter_mut().enumerate() {
            *byte = (at * 7 % 251).try_into().unwrap();
        }
        room
    }

    #[test]
    fn what_every_machine_has_is_among_them() {
        let names: Vec<_> = all().iter().map(|backend| backend.name).collect();
        let wanted: &[_] = match () {
            () if cfg!(all(target_arch = "x86_64", target_feature = "sse2")) => {
                &["plain", "words", "sse2"]
            }
            () => &["plain", "words"],
        };
        assert!(names.starts_with(wanted), "{names:?}");
        #[cfg(all(target_arch = "x86_64", target_feature = "sse2", feature = "std"))]
        {
            let has_avx2 = std::arch::is_x86_feature_detected!("avx2");
            assert_eq!(names.contains(&"avx2"), has_avx2);
            let has_avx512 = std::arch::is_x86_feature_detected!("avx512f");
            assert_eq!(names.contains(&"avx512"), has_avx512 && cfg!(sockless_avx512));
        }
    }

    // req: W5.3-04
    #[test]
    fn every_backend_is_the_definition_at_every_length_alignment_and_phase() {
        let (source, mut place, mut target) = (room(), room(), room());
        for backend in all() {
            for offset in 0..64 {
                // The definition, for the longest at each phase: a shorter one is a part of it.
                let wanted: [Vec<u8>; 4] = [0, 1, 2, 3].map(|phase| {
                    let bytes = source.0[offset..].iter().enumerate();
                    bytes.map(|(at, byte)| byte ^ KEY[(at + phase) % 4]).collect()
                });
                for len in (0..300).chain((300..MOST).step_by(STEP)).chain([MOST]) {
                    for phase in 0..4 {
                        let (end, wanted) = (offset + len, &wanted[phase][..len]);
                        let mut key = KEY;
                        key.rotate_left(phase);
                        let verdict = (len + phase) % 2 == 0;
                        let judged = backend.apply(verdict, key, &mut place.0[offset..end]);
                        assert_eq!(judged, !verdict || wanted.is_ascii());
                        assert!(&place.0[offset..end] == wanted, "{backend:?} {len} {offset}");
                        // Back to the start for the next round, and the guards.
                        backend.unmask(key, &mut place.0[offset..end]);
                        assert!(place.0 == source.0, "{backend:?} {len} {offset}");

                        // Source and target are aligned apart from each other.
                        let from = &source.0[offset..end];
                        let start = (offset * 5 + phase) % 64;
                        backend.copy(key, from, &mut target.0[start..][..len]);
                        assert!(&target.0[start..][..len] == wanted, "{backend:?} {len} {offset}");
                        target.0[start..][..len].copy_from_slice(&source.0[start..][..len]);
                        assert!(target.0 == source.0, "{backend:?} {len} {offset}");
                    }
                }
            }
        }
    }

    impl Backend {
        /// In place and long, from the last byte on or from the first, whatever `goes_back` says.
        fn run(&self, back: bool, verdict: bool, piece: &mut [u8]) -> bool {
            let (place, len) = (piece.as_mut_ptr(), piece.len());
            assert!(len >= MANY);
            let run = self.long[2 * usize::from(verdict) + usize::from(back)];
            // SAFETY: one exclusive slice of `MANY` bytes and more, as both.
            unsafe { run(u32::from_le_bytes(KEY), place, place, len) }
        }
    }

    // req: W5.3-04
    #[test]
    fn every_backend_is_the_definition_from_the_last_byte_on() {
        let step = if option_env!("SOCKLESS_THIN").is_some() { 61 } else { 7 };
        let twice = [2 * MANY - 1, 2 * MANY, 2 * MANY + 65];
        for len in (MANY..MANY + 1100).step_by(step).chain([MANY + 1]).chain(twice) {
            let source: Vec<u8> = (0..len).map(|at| (at * 7 % 127).try_into().unwrap()).collect();
            let wanted: Vec<u8> =
                source.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
            let (all, offsets) = (all(), [0, len * 5 % 64]);
            for (backend, offset) in all.iter().flat_map(|it| offsets.map(|offset| (it, offset))) {
                let mut room = vec![b' '; len + 192];
                let start = room.as_ptr().align_offset(64) + offset;
                let place = start..start + len;
                backend.copy(KEY, &source, &mut room[place.clone()]);
                assert!(room[place.clone()] == wanted, "{backend:?} {len}");
                for back in [false, true] {
                    for at in [0, len % 700, len / 2, len - 1 - len % 64, len - 1] {
                        room[start + at] ^= 0x80;
                        let judged = backend.run(back, true, &mut room[place.clone()]);
                        assert!(!judged, "{backend:?} {back} {at} of {len}");
                        backend.run(back, false, &mut room[place.clone()]);
                        room[start + at] ^= 0x80;
                    }
                    assert!(room[place.clone()] == wanted, "{backend:?} {back} {len}");
                    assert!(backend.run(back, true, &mut room[place.clone()]), "{backend:?} {len}");
                    assert!(room[place.clone()] == source, "{backend:?} {back} {len}");
                    backend.run(back, false, &mut room[place.clone()]);
                }
                assert!(backend.apply(true, KEY, &mut room[place.clone()]), "{backend:?} {len}");
                assert!(room[place.clone()] == source, "{backend:?} {len}");
                backend.unmask(KEY, &mut room[place.clone()]);
                assert!(room[place.clone()] == wanted, "{backend:?} {len}");
                room[place].fill(b' ');
                assert!(room.iter().all(|byte| *byte == b' '), "{backend:?} {len}");
            }
        }
    }

    #[test]
    fn one_byte_that_is_not_ascii_is_seen_wherever_it_stands() {
        let (mut room, plain) = (room(), [b'a'; MOST]);
        for backend in all() {
            for len in (0..=700).chain([MOST]) {
                for offset in [0, 1, 31] {
                    let payload = &mut room.0[offset..][..len];
                    for (byte, key) in payload.iter_mut().zip(KEY.iter().cycle()) {
                        *byte = b'a' ^ key;
                    }
                    assert!(backend.apply(true, KEY, payload) && payload == &plain[..len]);
                    backend.apply(false, KEY, payload);
                    for at in (0..len).filter(|at| len < 300 || at % 7 == 0 || len - at < 70) {
                        let payload = &mut room.0[offset..][..len];
                        payload[at] ^= 0x80;
                        assert!(!backend.apply(true, KEY, payload), "{backend:?} {at} of {len}");
                        payload[at] ^= 0x80;
                        assert!(payload == &plain[..len], "{backend:?} {at} of {len}");
                        payload[at] ^= 0x80;
                        backend.apply(false, KEY, payload);
                        payload[at] ^= 0x80;
                    }
                }
            }
        }
    }
}
