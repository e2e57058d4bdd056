//! Prints what a connection with compression holds on the heap: while a message is under way, and
//! between messages. Bytes asked of the global allocator, less those given back.

use bytes::BytesMut;
use sockless::deflate::{Context, Contexts, Policy, WindowBits};
use sockless::frame::Kind;
use sockless::{Config, Connection, Keys};
use sockless_benches::text;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed to the system's allocator as it came; the rest is counting.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `work` leaves on the heap.
fn held(work: impl FnOnce()) -> usize {
    let before = HELD.load(Relaxed);
    work();
    HELD.load(Relaxed).saturating_sub(before)
}

/// Bytes that the sender and the receiver hold: in the middle of a message, and after it.
fn measure(window: WindowBits, takeover: bool) -> [usize; 4] {
    let mut config = Config::default();
    config.deflate = Some(Policy::server());
    let config = Arc::new(config);
    let context = Context::new(window, takeover);
    let contexts = Contexts { inflate: context, deflate: context };
    let mut server = Connection::server(Arc::clone(&config)).with_deflate(contexts);
    let mut client = Connection::client(config, Keys::system()).with_deflate(contexts);

    // The output is the caller's: it is there before anything is counted.
    let (mut wire, mut out) = (BytesMut::with_capacity(1 << 20), BytesMut::with_capacity(1 << 10));
    let piece = text(1000);
    let mut send = |last| {
        wire.clear();
        let sent = server.send_fragment(Kind::Binary, &piece, last, &mut wire);
        sent.expect("an open connection");
        wire.to_vec()
    };
    let mut receive = |mut bytes: Vec<u8>| drop(client.receive(&mut &mut bytes[..], &mut out));
    let start = HELD.load(Relaxed);
    let first = send(false);
    let sender_busy = HELD.load(Relaxed) - start - first.capacity();
    let receiver_busy = held(|| receive(first.clone()));
    let last = send(true);
    drop(first);
    receive(last);
    // What is left goes when the connections are given up.
    let before = HELD.load(Relaxed);
    client.abort();
    let receiver_idle = before - HELD.load(Relaxed);
    server.abort();
    let sender_idle = before - receiver_idle - HELD.load(Relaxed);
    [sender_busy, sender_idle, receiver_busy, receiver_idle]
}

fn main() {
    println!("| window bits | takeover | sending, busy | idle | receiving, busy | idle |");
    println!("|---|---|---|---|---|---|");
    for takeover in [false, true] {
        for window in (8..=15).filter_map(WindowBits::new) {
            let name = if takeover { "yes" } else { "no" };
            let held = measure(window, takeover).map(|bytes| format!(" {bytes} |")).concat();
            println!("| {} | {name} |{held}", window.get());
        }
    }
}
