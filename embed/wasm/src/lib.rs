//! bash .ci/bare target/ci/bare wasm32-unknown-unknown std,panic_abort --release --manifest-path embed/wasm/Cargo.toml
//!
//! One end of the conversation in WebAssembly, which has no sockets: the host carries the bytes
//! (`peer.mjs`), says what time it is, and gives entropy. An instance is one peer.
//!
//! ```text
//! host ── bytes at input(), receive(len) ──▶ │ Echo or Script │ ──▶ output(), output_len() ── host
//! ```

extern crate self as sockless_embed;

#[path = "../../src/conversation.rs"]
pub mod conversation;
#[path = "../../examples/common/echo.rs"]
mod echo;

extern crate alloc;

use bytes::{Buf, BytesMut};
use conversation::{OFFERED, PATH, Script, client_config};
use echo::Echo;
use sockless::handshake::{Answer, Client, Offer, Target};
use sockless::{Keys, Pool, Want};
use std::cell::RefCell;
use std::time::Duration;

/// How much the host may hand over at a time.
const INPUT: usize = 64 << 10;

#[link(wasm_import_module = "host")]
unsafe extern "C" {
    /// Fills `len` bytes with unpredictable ones.
    unsafe fn entropy(to: *mut u8, len: usize);
    /// Takes a part of the account, UTF-8.
    unsafe fn note(text: *const u8, len: usize);
}

enum Peer {
    Server(Echo),
    Opening(Client),
    Client(Script),
    Failed,
}

struct Instance {
    peer: Peer,
    input: Vec<u8>,
    out: BytesMut,
    pool: Pool,
}

thread_local! {
    static INSTANCE: RefCell<Instance> = RefCell::new(Instance {
        peer: Peer::Failed,
        input: vec![0; INPUT],
        out: BytesMut::new(),
        pool: Pool::new(),
    });
}

fn with<T>(act: impl FnOnce(&mut Instance) -> T) -> T {
    INSTANCE.with_borrow_mut(act)
}

fn tell(text: &str) {
    // SAFETY: the host reads these bytes while it is called, and keeps no pointer.
    unsafe { note(text.as_ptr(), text.len()) }
}

fn fill(key: &mut [u8; 4]) {
    // SAFETY: the host writes these bytes while it is called, and keeps no pointer.
    unsafe { entropy(key.as_mut_ptr(), key.len()) }
}

fn time(milliseconds: f64) -> Duration {
    Duration::try_from_secs_f64(milliseconds / 1000.0).unwrap_or_default()
}

/// Makes this instance a server.
#[unsafe(no_mangle)]
pub extern "C" fn serve(now: f64) {
    with(|it| it.peer = Peer::Server(Echo::new(time(now), |line| tell(&format!("{line}\n")))));
}

/// Makes this instance a client, its request in the output.
#[unsafe(no_mangle)]
pub extern "C" fn connect() {
    let target = Target::parse(&format!("ws://wasm.example{PATH}")).expect("a literal");
    let offer = OFFERED.iter().try_fold(Offer::new(&target), |offer, it| offer.subprotocol(it));
    let offer = offer.expect("literals");
    with(|it| {
        let client = Client::start(client_config(), Keys::new(fill), &offer, &mut it.out);
        it.peer = Peer::Opening(client);
    });
}

/// Where to put what was read.
#[unsafe(no_mangle)]
pub extern "C" fn input() -> *mut u8 {
    with(|it| it.input.as_mut_ptr())
}

/// Takes the first `len` bytes of the input.
#[unsafe(no_mangle)]
pub extern "C" fn receive(len: usize, now: f64) {
    with(|it| {
        let Instance { peer, input, out, pool } = it;
        let mut input = &mut input[..len];
        if let Peer::Opening(client) = peer {
            *peer = match client.receive(&mut input) {
                None => return,
                Some(Answer::Open { connection, agreed, .. }) => {
                    Peer::Client(Script::new(connection, &agreed))
                }
                Some(_) => Peer::Failed,
            };
        }
        match peer {
            Peer::Server(echo) => echo.receive(input, out, pool, time(now)),
            Peer::Client(script) => {
                script.receive(input);
                out.unsplit(script.out.split());
            }
            Peer::Opening(_) | Peer::Failed => {}
        }
    });
}

/// What is to be written; valid until the next call.
#[unsafe(no_mangle)]
pub extern "C" fn output() -> *const u8 {
    with(|it| it.out.as_ptr())
}

/// How much that is.
#[unsafe(no_mangle)]
pub extern "C" fn output_len() -> usize {
    with(|it| it.out.len())
}

/// The network has taken the first `len` bytes of the output. A Pong may be there by that.
#[unsafe(no_mangle)]
pub extern "C" fn written(len: usize, now: f64) {
    with(|it| {
        it.out.advance(len);
        if let Peer::Server(echo) = &mut it.peer {
            echo.written(&mut it.out, time(now));
        }
    });
}

/// Does what the time has come for; when to call this again, or -1 to give the transport up, or -2
/// to drop it, since its end is all that is missing.
#[unsafe(no_mangle)]
pub extern "C" fn tick(now: f64) -> f64 {
    with(|it| match &mut it.peer {
        Peer::Server(echo) => match echo.tick(&mut it.out, time(now)) {
            Ok(false) => -2.0,
            Ok(true) => echo.next().map_or(f64::MAX, |due| due.as_secs_f64() * 1000.0),
            Err(_) => -1.0,
        },
        Peer::Failed => -1.0,
        Peer::Opening(_) | Peer::Client(_) => f64::MAX,
    })
}

/// Whether the output, once written, is the last: then the host ends its side.
#[unsafe(no_mangle)]
pub extern "C" fn ended() -> bool {
    with(|it| match &it.peer {
        Peer::Server(echo) => echo.ended(),
        // A connection "SHOULD be closed first by the server" (RFC 6455 section 7.1.1).
        Peer::Client(script) => script.want() == Want::CloseNow,
        Peer::Opening(_) => false,
        Peer::Failed => true,
    })
}

/// The transport has ended.
#[unsafe(no_mangle)]
pub extern "C" fn eof() {
    with(|it| match std::mem::replace(&mut it.peer, Peer::Failed) {
        Peer::Client(script) => tell(&script.eof()),
        Peer::Server(echo) if echo.ended() => {}
        _ => tell("the transport ended too early\n"),
    });
}
