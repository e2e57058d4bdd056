//! Unmasking in place: a payload that begins at a multiple of 64 bytes, and one that does not, as
//! payloads do not: 1 to 7 bytes further, in turn.
//!
//! The floor is XOR in the widest registers of the machine, always aligned. `safe` is what safe
//! code takes.
//!
//! In `mask-any-length` the lengths are from 0 to the one that is named, in no order, which is the
//! same for all; there is no floor. The other groups repeat one length at one place.
//!
//! In `mask-written` the bytes are copied into their place first, as whoever masks has just written
//! them, and that is in the time of each row.
//!
//! With `RUSTFLAGS="--cfg fuzzing"` there are two groups more, of payloads that are not aligned:
//! each of our own bodies that this machine can run, without a verdict on whether what comes out is
//! ASCII and with it. `safe-avx2` and `safe-avx512` are the safe code compiled for these features:
//! it is safe until it is called.

use criterion::{BenchmarkId, Criterion, Throughput};
use sockless::mask::Mask;
use sockless_benches::{KEY, criterion, limit, noise};
use std::hint::black_box;
use std::ops::Range;
use std::time::Instant;

const SIZES: [usize; 6] = [16, 64, 125, 1 << 10, 16 << 10, 64 << 10];

/// Where the nearest cache is no longer sure to hold all.
const WRITTEN: [usize; 4] = [16 << 10, 32 << 10, 48 << 10, 64 << 10];

/// Below, there is one body, which is inlined: a call through a pointer would not be it.
#[cfg(fuzzing)]
const LONG: [usize; 3] = [1 << 10, 16 << 10, 64 << 10];

#[repr(align(64))]
struct Aligned([u8; (64 << 10) + 64]);

type Row = (&'static str, Box<dyn Fn(&mut [u8], [u8; 4])>);

fn seen(verdict: bool) {
    black_box(verdict);
}

fn rows() -> Vec<Row> {
    vec![
        ("ours", Box::new(|payload, key| Mask::new(key).apply(payload))),
        ("floor", Box::new(limit)),
        ("safe", Box::new(|payload, key| seen(safe::<false>(payload, key)))),
        ("fastwebsockets", Box::new(fastwebsockets::unmask)),
        ("sockudo-ws", Box::new(sockudo_ws::mask::apply_mask)),
        ("yawc", Box::new(yawc::mask::apply_mask)),
    ]
}

/// The same, of bytes that were just written.
fn rows_written() -> Vec<Row> {
    let written = |(row, apply): Row| -> Row {
        let source = noise(64 << 10);
        let both = move |payload: &mut [u8], key| {
            payload.copy_from_slice(black_box(&source[..payload.len()]));
            apply(payload, key);
        };
        (row, Box::new(both))
    };
    rows().into_iter().map(written).collect()
}

/// Safe code: words, for the optimiser to make vectors of. With `VERDICT`, whether what comes out
/// is ASCII.
#[inline(always)]
fn safe<const VERDICT: bool>(payload: &mut [u8], key: [u8; 4]) -> bool {
    let pattern = u64::from(u32::from_ne_bytes(key)) * 0x1_0000_0001;
    let mut seen = 0;
    let (words, rest) = payload.as_chunks_mut();
    for word in words {
        let unmasked = u64::from_ne_bytes(*word) ^ pattern;
        *word = unmasked.to_ne_bytes();
        seen |= unmasked;
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
        seen |= u64::from(*byte);
    }
    !VERDICT || seen & 0x8080_8080_8080_8080 == 0
}

#[cfg(fuzzing)]
mod backends {
    use super::*;
    use sockless::mask::backends::all;

    pub fn rows<const VERDICT: bool>() -> Vec<Row> {
        let mut rows: Vec<Row> =
            vec![("safe", Box::new(|payload, key| seen(safe::<VERDICT>(payload, key))))];
        #[cfg(target_arch = "x86_64")]
        rows.extend(compiled::<VERDICT>());
        rows.extend(all().into_iter().map(|backend| -> Row {
            (backend.name, Box::new(move |payload, key| seen(backend.apply(VERDICT, key, payload))))
        }));
        // The widest of them is what is taken, up to 56 KiB.
        let ours = all().pop().expect("words at least");
        rows.push(("ours", Box::new(move |payload, key| seen(ours.apply(VERDICT, key, payload)))));
        rows
    }

    #[cfg(target_arch = "x86_64")]
    fn compiled<const VERDICT: bool>() -> Vec<Row> {
        #[target_feature(enable = "avx2")]
        fn avx2<const VERDICT: bool>(payload: &mut [u8], key: [u8; 4]) -> bool {
            safe::<VERDICT>(payload, key)
        }
        #[target_feature(enable = "avx512f")]
        fn avx512<const VERDICT: bool>(payload: &mut [u8], key: [u8; 4]) -> bool {
            safe::<VERDICT>(payload, key)
        }
        let mut rows: Vec<Row> = Vec::new();
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the feature was just found.
            rows.push((
                "safe-avx2",
                Box::new(|payload, key| seen(unsafe { avx2::<VERDICT>(payload, key) })),
            ));
        }
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the feature was just found.
            rows.push((
                "safe-avx512",
                Box::new(|payload, key| seen(unsafe { avx512::<VERDICT>(payload, key) })),
            ));
        }
        rows
    }
}

fn measure(
    criterion: &mut Criterion,
    name: &str,
    sizes: &[usize],
    offsets: Range<usize>,
    rows: &[Row],
) {
    let mut room = Box::new(Aligned([0; (64 << 10) + 64]));
    room.0.copy_from_slice(&noise((64 << 10) + 64));
    check(rows);
    let mut group = criterion.benchmark_group(name);
    for &size in sizes {
        group.throughput(Throughput::Bytes(size as u64));
        for (row, apply) in rows {
            let offsets = if *row == "floor" { 0..1 } else { offsets.clone() };
            group.bench_function(BenchmarkId::new(*row, size), |bencher| {
                // One offset after the other: what was just stored across it would be waited for at
                // the next.
                bencher.iter_custom(|rounds| {
                    let start = Instant::now();
                    for offset in offsets.clone() {
                        let payload = &mut room.0[offset..offset + size];
                        for _ in 0..rounds {
                            apply(black_box(&mut *payload), black_box(KEY));
                        }
                    }
                    start.elapsed() / u32::try_from(offsets.len()).unwrap_or(1)
                });
            });
        }
    }
    group.finish();
}

fn any_length(criterion: &mut Criterion, most: usize) {
    // Too many to be remembered by what predicts branches, in a room that the nearest cache holds.
    const COUNT: usize = 60_000;
    const ROOM: usize = 24_000;
    let (mut room, mut places, mut at) = (noise(ROOM), Vec::new(), 0);
    for drawn in noise(2 * COUNT).as_chunks().0 {
        let size = usize::from(u16::from_le_bytes(*drawn)) % (most + 1);
        if at + size > ROOM {
            at = 0;
        }
        places.push(at..at + size);
        // As far apart as frames that a client sends.
        at += size + 8;
    }
    let mut group = criterion.benchmark_group("mask-any-length");
    group.throughput(Throughput::Elements(COUNT as u64));
    for (row, apply) in rows().iter().filter(|(row, _)| *row != "floor") {
        group.bench_function(BenchmarkId::new(*row, most), |bencher| {
            bencher.iter(|| {
                for place in &places {
                    apply(black_box(&mut room[place.clone()]), black_box(KEY));
                }
            });
        });
    }
    group.finish();
}

/// Each does what masking is.
fn check(rows: &[Row]) {
    for size in SIZES.into_iter().chain(WRITTEN).chain([0, 1, 331]) {
        let payload = noise(size);
        let wanted: Vec<u8> =
            payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        for (row, apply) in rows {
            let mut masked = payload.clone();
            apply(&mut masked, KEY);
            assert!(masked == wanted, "{row}, {size} bytes");
        }
    }
}

fn main() {
    let mut criterion = criterion();
    measure(&mut criterion, "mask-aligned", &SIZES, 0..1, &rows());
    measure(&mut criterion, "mask-misaligned", &SIZES, 1..8, &rows());
    any_length(&mut criterion, 125);
    any_length(&mut criterion, 500);
    measure(&mut criterion, "mask-written", &WRITTEN, 1..8, &rows_written());
    #[cfg(fuzzing)]
    {
        measure(&mut criterion, "mask-backends", &LONG, 1..8, &backends::rows::<false>());
        measure(&mut criterion, "mask-backends-verdict", &LONG, 1..8, &backends::rows::<true>());
    }
    criterion.final_summary();
}
