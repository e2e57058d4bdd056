//! Measures what floods cost, here and elsewhere, and writes the tables into benches/README.md: the
//! most that one connection held on the heap, and the time for each frame of `n` and of `2n`. The
//! peer under flood is a server at its defaults whose output nobody takes.

#[path = "../../../../tests/counting/mod.rs"]
mod counting;
mod peers;
mod wire;

use counting::counted;
use flate2::{Compress, Compression, FlushCompress};
use peers::{Outcome, PEERS, Peer};
use sockless_benches::frame;
use std::fmt::Write as _;
use std::time::Instant;
use wire::Flood;

/// A name, what comes once, what comes again, and how often.
const FRAMES: [(&str, &[u8], &[u8], usize); 6] = [
    ("empty pings", b"", b"\x89\x80\0\0\0\0", MANY),
    ("empty continuations", b"\x02\x81\0\0\0\0x", b"\0\x80\0\0\0\0", MANY),
    ("one-byte fragments", b"\x02\x81\0\0\0\0x", b"\0\x81\0\0\0\0x", MANY),
    ("empty messages", b"", b"\x82\x80\0\0\0\0", MANY),
    ("a header of 1 MiB - 1", b"\x82\xff\0\0\0\0\0\x0f\xff\xff\0\0\0\0", b"x", 1),
    ("a Close of 16 MB", b"\x88\xff\0\0\0\0\x01\0\0\0\0\0\0\0", b"x", 16 << 20),
];
const MANY: usize = 1_000_000;
/// "Hello", as RFC 7692 section 7.2.3.1 has it.
const TINY: &[u8] = b"\xc1\x87\0\0\0\0\xf2\x48\xcd\xc9\xc9\x07\0";

fn main() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let text = std::fs::read_to_string(page).expect("the page");
    // What is made once for all connections is none of theirs.
    for peer in &PEERS {
        (peer.plain)(Flood::frames(b"", b"", 0));
    }
    let tables = [frames(), headers(), heads()];
    let mut rest = text.as_str();
    let mut written = String::new();
    for (name, table) in ["frames", "headers", "heads"].iter().zip(tables) {
        let (before, after) = rest.split_once(&format!("<!-- floods: {name} -->\n")).expect(name);
        let (_, after) = after.split_once("<!-- end -->").expect("the end of a table");
        write!(written, "{before}<!-- floods: {name} -->\n{table}<!-- end -->").expect("memory");
        rest = after;
        println!("{table}");
    }
    std::fs::write(page, written + rest).expect("a page that can be written");
}

/// Floods of frames: a connection of each peer.
fn frames() -> String {
    let mut table = String::from("\n| flood | peer | held, n | 2n | time, n | 2n | |\n");
    table += "|---|---|---|---|---|---|---|\n";
    for (name, first, again, times) in FRAMES {
        flood(&mut table, name, times, |peer, times| {
            let flood = Flood::frames(first, again, times);
            Ok(measure(|| (peer.plain)(flood)))
        });
    }
    for (name, takeover) in [("tiny compressed messages", false), ("the same, taken over", true)] {
        flood(&mut table, name, MANY, |peer, times| {
            let run = peer.compressed?;
            let flood = Flood::frames(b"", TINY, times);
            Ok(measure(|| run(flood, takeover)))
        });
    }
    let bombs = [128, 256].map(bomb);
    flood(&mut table, "a bomb of 128 MiB", 1, |peer, times| {
        let run = peer.compressed?;
        let flood = Flood::frames(bombs[times - 1], b"", 0);
        Ok(measure(|| run(flood, false)))
    });
    table
}

/// A row for each peer.
fn flood(
    table: &mut String,
    name: &str,
    times: usize,
    run: impl Fn(&Peer, usize) -> Result<Cost, &'static str>,
) {
    for (at, peer) in PEERS.iter().enumerate() {
        let name = if at == 0 { name } else { "" };
        let row = match (run(peer, times), run(peer, 2 * times)) {
            (Ok(once), Ok(twice)) => {
                // A time for each says nothing where not all was looked at.
                let time = |cost: &Cost, times| match cost.taken && times > 2 {
                    true => (cost.nanos / times as u128).to_string(),
                    false => "·".to_owned(),
                };
                let verdict = if once.taken { "taken" } else { "refused" };
                let (held, held2) = (shown(once.most), shown(twice.most));
                let (time, time2) = (time(&once, times), time(&twice, 2 * times));
                format!("{held} | {held2} | {time} | {time2} | {verdict}")
            }
            (Err(why), _) | (_, Err(why)) => format!("· | · | · | · | none: {why}"),
        };
        writeln!(table, "| {name} | {} | {row} |", peer.name).expect("memory");
    }
}

/// The header of the longest frame that each peer accepts, on many connections.
fn headers() -> String {
    const CONNECTIONS: usize = 10_000;
    // What a peer reserves it may fill with zeros: all of it would be more than a machine has.
    const MOST: isize = 4 << 30;
    let mut table =
        String::from("\n| | declared | connections | held for each |\n|---|---|---|---|\n");
    for peer in &PEERS {
        let header = [b"\x82\xff", &peer.limit.to_be_bytes()[..], &[0; 4]].concat();
        let header: &'static [u8] = header.leak();
        let mut kept = Vec::with_capacity(CONNECTIONS);
        let start = counting::held();
        while kept.len() < CONNECTIONS && counting::held() - start < MOST {
            let (taken, connection) = (peer.plain)(Flood::frames(header, b"", 0));
            assert!(taken, "{}: the longest", peer.name);
            kept.push(connection);
        }
        let count = kept.len();
        let each = shown((counting::held() - start) / count.cast_signed());
        let (declared, count) = (shown(peer.limit as isize), shown(count.cast_signed()));
        writeln!(table, "| {} | {declared} | {count} | {each} |", peer.name).expect("memory");
        drop(kept);
        let one_more = [b"\x82\xff", &(peer.limit + 1).to_be_bytes()[..], &[0; 4]].concat();
        let (taken, _) = (peer.plain)(Flood::frames(one_more.leak(), b"", 0));
        assert!(!taken, "{}: one more than the longest", peer.name);
    }
    table
}

/// Heads that come byte by byte, as far as each peer waits for the rest.
fn heads() -> String {
    const MOST: usize = 64 << 10;
    let line: &'static [u8] = format!("X: {}\r\n", "y".repeat(995)).leak().as_bytes();
    let drip = |total| Flood::drip(b"GET / HTTP/1.1\r\n", line, total);
    let mut table =
        String::from("\n| | waits until | held, half of it | all | time, half | all |\n");
    table += "|---|---|---|---|---|---|\n";
    for peer in &PEERS {
        let row = peer.head.map(|run| {
            let flood = drip(MOST);
            let progress = flood.progress();
            let is_endless = run(flood).0;
            // The last of them is the one that was refused.
            let len = progress.get() - usize::from(!is_endless);
            let [half, all] = [len / 2, len].map(|len| {
                let runs = (0..5).map(|_| {
                    let flood = drip(len);
                    measure(|| run(flood))
                });
                let cost = runs.min_by_key(|cost| cost.nanos).expect("five");
                assert!(cost.taken, "{}: {len} bytes", peer.name);
                (shown(cost.most), cost.nanos / len as u128)
            });
            let until = shown(len.cast_signed()) + if is_endless { ", and on" } else { "" };
            format!("{until} | {} | {} | {} | {}", half.0, all.0, half.1, all.1)
        });
        let row = row.unwrap_or_else(|why| format!("none: {why} | · | · | · | ·"));
        writeln!(table, "| {} | {row} |", peer.name).expect("memory");
    }
    table
}

struct Cost {
    most: isize,
    nanos: u128,
    taken: bool,
}

fn measure(run: impl FnOnce() -> Outcome) -> Cost {
    let clock = Instant::now();
    let ((taken, peer), heap) = counted(run);
    let nanos = clock.elapsed().as_nanos();
    drop(peer);
    Cost { most: heap.peak, nanos, taken }
}

/// One frame of zeros, deflated; a thousandth of what it becomes.
fn bomb(mebibytes: usize) -> &'static [u8] {
    let (zeros, mut payload) = (vec![0; 1 << 20], Vec::with_capacity(mebibytes << 12));
    let mut encoder = Compress::new(Compression::best(), false);
    for _ in 0..mebibytes {
        encoder.compress_vec(&zeros, &mut payload, FlushCompress::None).expect("room");
    }
    encoder.compress_vec(&[], &mut payload, FlushCompress::Sync).expect("room");
    payload.truncate(payload.len() - 4);
    frame(sockless::frame::Opcode::Binary, true, true, &payload).leak()
}

/// With a comma before each three digits.
fn shown(number: isize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
