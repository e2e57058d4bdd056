//! Unmasking in place: a payload that begins at a multiple of 64 bytes, and one that does not, as
//! payloads do not.
//!
//! The floor is XOR in the widest registers of the machine, aligned in both groups.

use criterion::{BenchmarkId, Throughput};
use sockless::mask::Mask;
use sockless_benches::{KEY, criterion, limit, noise};
use std::hint::black_box;

const SIZES: [usize; 6] = [16, 64, 125, 1 << 10, 16 << 10, 64 << 10];

#[repr(align(64))]
struct Aligned([u8; (64 << 10) + 64]);

fn main() {
    let mut criterion = criterion();
    let mut room = Box::new(Aligned([0; (64 << 10) + 64]));
    room.0.copy_from_slice(&noise((64 << 10) + 64));
    type Row = (&'static str, fn(&mut [u8], [u8; 4]));
    let rows: [Row; 5] = [
        ("ours", |payload, key| Mask::new(key).apply(payload)),
        ("floor", limit),
        ("fastwebsockets", fastwebsockets::unmask),
        ("sockudo-ws", sockudo_ws::mask::apply_mask),
        ("yawc", yawc::mask::apply_mask),
    ];
    for (name, offset) in [("mask-aligned", 0), ("mask-misaligned", 6)] {
        let mut group = criterion.benchmark_group(name);
        for size in SIZES {
            group.throughput(Throughput::Bytes(size as u64));
            for (row, apply) in rows {
                let offset = if row == "floor" { 0 } else { offset };
                let payload = &mut room.0[offset..offset + size];
                group.bench_function(BenchmarkId::new(row, size), |bencher| {
                    bencher.iter(|| apply(black_box(payload), black_box(KEY)));
                });
            }
        }
        group.finish();
    }
    criterion.final_summary();
}
