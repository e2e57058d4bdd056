//! Unmasking in place: a payload that begins at a multiple of 64 bytes, and one that does not, as
//! payloads do not: 1 to 7 bytes further, in turn.
//!
//! The floor is XOR in the widest registers of the machine, aligned in both groups. With
//! `RUSTFLAGS="--cfg fuzzing"` each of our own bodies has a row, too, with and without a verdict on
//! whether what comes out is ASCII.

use criterion::{BenchmarkId, Throughput};
use sockless::mask::Mask;
use sockless_benches::{KEY, criterion, limit, noise};
use std::hint::black_box;
use std::time::Instant;

const SIZES: [usize; 6] = [16, 64, 125, 1 << 10, 16 << 10, 64 << 10];

#[repr(align(64))]
struct Aligned([u8; (64 << 10) + 64]);

type Row = (String, Box<dyn Fn(&mut [u8], [u8; 4])>);

fn rows() -> Vec<Row> {
    #[allow(unused_mut, reason = "more come where the backends can be named")]
    let mut rows: Vec<Row> = vec![
        ("ours".into(), Box::new(|payload, key| Mask::new(key).apply(payload))),
        ("floor".into(), Box::new(limit)),
        ("fastwebsockets".into(), Box::new(fastwebsockets::unmask)),
        ("sockudo-ws".into(), Box::new(sockudo_ws::mask::apply_mask)),
        ("yawc".into(), Box::new(yawc::mask::apply_mask)),
    ];
    #[cfg(fuzzing)]
    for verdict in [false, true] {
        rows.extend(sockless::mask::backends::all().into_iter().map(|backend| -> Row {
            let name = format!("ours-{}{}", backend.name, if verdict { "-verdict" } else { "" });
            (name, Box::new(move |payload, key| drop(backend.apply(verdict, key, payload))))
        }));
    }
    rows
}

fn main() {
    let mut criterion = criterion();
    let mut room = Box::new(Aligned([0; (64 << 10) + 64]));
    room.0.copy_from_slice(&noise((64 << 10) + 64));
    let rows = rows();
    for (name, offsets) in [("mask-aligned", 0..1), ("mask-misaligned", 1..8)] {
        let mut group = criterion.benchmark_group(name);
        for size in SIZES {
            group.throughput(Throughput::Bytes(size as u64));
            for (row, apply) in &rows {
                let offsets = if row == "floor" { 0..1 } else { offsets.clone() };
                group.bench_function(BenchmarkId::new(row, size), |bencher| {
                    // One offset after the other: what was just stored across it would be waited
                    // for at the next.
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
    criterion.final_summary();
}
