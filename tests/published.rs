//! Classes of failure that were published for other implementations, where the harm is in what is
//! held, kept or sent: memory, stacks, masking keys. Those that are in what is accepted are in
//! `hostile/published.rs`; the class of a head that is read again and again is in the unit tests of
//! `handshake/head.rs`, which count.

mod common;
mod counting;

use bytes::{BufMut, BytesMut};
use common::{connection, fixed_keys, frame_to, streamed};
use counting::counted;
use sockless::frame::Opcode;
use sockless::handshake::{Asked, Server};
use sockless::{
    CloseCode, Config, Connection, Due, Event, Keepalive, Keys, Phase, ProtocolError, Role,
    SendError, Timeout, Want,
};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const ROLES: [Role; 2] = [Role::Server, Role::Client];

/// The header of a binary frame of `len` bytes, in its longest form, as the peer of `role` sends
/// it.
fn declaring(role: Role, len: u64) -> Vec<u8> {
    let mask: &[u8] = if role == Role::Server { &[0; 4] } else { &[] };
    let bit = if role == Role::Server { 0x80 } else { 0 };
    [&[0x82, bit | 0x7f][..], &len.to_be_bytes(), mask].concat()
}

/// The error that `input` ends with, if it does.
fn feed(subject: &mut Connection, input: &[u8], out: &mut BytesMut) -> Option<ProtocolError> {
    let mut input = input.to_vec();
    let mut input = &mut input[..];
    let mut error = None;
    while let Some(event) = subject.receive(&mut input, out) {
        if let Event::Failed(rule) = event {
            error = Some(rule);
        }
    }
    error
}

/// RUSTSEC-2022-0035 and its like: a header of 14 bytes makes megabytes of room.
// req: W10.4-01, W10.4-02
#[test]
fn cve_a_declared_length_is_allocated() {
    for role in ROLES {
        for config in [Config::default(), streamed()] {
            let limit = if config.delivery == streamed().delivery { 1 << 40 } else { 1 << 20 };
            let mut header = declaring(role, limit);
            header.extend([7; 10]);
            let mut out = BytesMut::with_capacity(64);
            let mut subject = connection(role, config.clone());
            let mut input = &mut header[..];
            let (event, heap) = counted(|| subject.receive(&mut input, &mut out).is_some());
            assert!(event == (limit > 1 << 20), "a chunk, if it is streamed");
            assert!(heap.peak <= 4096 && heap.held <= 4096, "{role:?} {heap:?}");
        }
        // Past the limit there is nothing to wait for: the tenth byte tells.
        let past = declaring(role, (1 << 20) + 1);
        let (mut subject, mut out) = (connection(role, Config::default()), BytesMut::new());
        assert_eq!(feed(&mut subject, &past[..9], &mut out), None);
        assert_eq!(feed(&mut subject, &past[9..10], &mut out), Some(ProtocolError::FrameTooLarge));
    }
}

/// RUSTSEC-2026-0007: a length near the end of the numbers reaches a buffer's `reserve`.
// req: W5.2-05, X-06
#[test]
fn cve_a_huge_length_reaches_a_buffer() {
    for role in ROLES {
        let mut config = Config::default();
        (config.max_frame, config.max_message) = (u64::MAX, u64::MAX);
        for len in [(1 << 63) - 1, 1 << 62, u64::from(u32::MAX), 1 << 33] {
            let (mut subject, mut out) = (connection(role, config.clone()), BytesMut::new());
            let mut wire = declaring(role, len);
            wire.extend([7; 100]);
            let (error, heap) = counted(|| feed(&mut subject, &wire, &mut out));
            // What no allocation could ever hold is refused, whatever the limits say.
            let hopeless = len > isize::MAX as u64;
            assert_eq!(error, hopeless.then_some(ProtocolError::FrameTooLarge), "{len:#x}");
            assert!(heap.held <= 4096, "{len:#x}: {heap:?}");
        }
    }
    // And the buffers are those in which the overflow was mended.
    let manifest = include_str!("../Cargo.toml");
    let floor = manifest.lines().find_map(|line| line.strip_prefix("bytes = { version = \"1."));
    let (minor, rest) = floor.and_then(|rest| rest.split_once('.')).expect("a version of bytes");
    let patch = rest.split('"').next().and_then(|text| text.parse::<u32>().ok());
    assert!((minor.parse::<u32>().ok(), patch) >= (Some(11), Some(1)), "{minor}.{patch:?}");
}

/// RUSTSEC-2020-0043 and its like: who pings and never reads makes the output grow.
// req: W5.5.3-02, X-06
#[test]
fn cve_the_output_grows_with_pings() {
    for role in ROLES {
        let config = Config::default();
        let mark = config.high_water;
        let (mut subject, mut out) = (connection(role, config), BytesMut::new());
        let pings: Vec<u8> = frame_to(role, true, Opcode::Ping, &[b'p'; 125]).repeat(1000);
        let ((), heap) = counted(|| {
            let mut read = pings.clone();
            for _ in 0..30 {
                read.copy_from_slice(&pings);
                let mut input = &mut read[..];
                while subject.receive(&mut input, &mut out).is_some() {}
            }
        });
        assert!(out.len() <= mark + 131, "{role:?}: {} waiting", out.len());
        assert!(subject.pending());
        let bound = isize::try_from(pings.len() + 3 * mark + 4096).unwrap();
        assert!(heap.peak <= bound, "{role:?}: {heap:?}");
    }
}

/// CVE-2026-48779: a fragment costs far more than its bytes, so a megabyte holds many.
// req: W5.4-02, X-06
#[test]
fn cve_a_fragment_costs_more_than_its_bytes() {
    for role in ROLES {
        let mut config = Config::default();
        (config.max_fragments, config.max_empty_fragments) = (u32::MAX, u16::MAX);
        let (mut subject, mut out) = (connection(role, config), BytesMut::new());
        let first = frame_to(role, false, Opcode::Binary, b"a");
        let piece = frame_to(role, false, Opcode::Continuation, b"a");
        let (error, heap) = counted(|| {
            let mut error = feed(&mut subject, &first, &mut out);
            for _ in 0..131_000 {
                error = error.or(feed(&mut subject, &piece, &mut out));
            }
            error
        });
        assert_eq!(error, None);
        assert!(heap.peak <= (256 << 10) + 1024, "{role:?}: {heap:?}");
    }
    // The budget ends that long before, unless it is taken away.
    let (mut subject, mut out) = (connection(Role::Server, Config::default()), BytesMut::new());
    let first = frame_to(Role::Server, false, Opcode::Binary, b"a");
    let piece = frame_to(Role::Server, false, Opcode::Continuation, b"a");
    assert_eq!(feed(&mut subject, &first, &mut out), None);
    let fails = (1..10_000).find(|_| feed(&mut subject, &piece, &mut out).is_some());
    assert!(fails.is_some_and(|n| n < 5000), "{fails:?}");
    assert_eq!(subject.error(), Some(ProtocolError::TooManyFragments));
}

/// Empty messages and what follows an error take places in a queue, and no bytes of any limit.
// req: X-04, X-06
#[test]
fn cve_what_is_empty_or_comes_too_late_is_kept() {
    for role in ROLES {
        let (mut subject, mut out) = (connection(role, Config::default()), BytesMut::new());
        let empty = frame_to(role, true, Opcode::Text, b"").repeat(100);
        let mut read = empty.clone();
        let ((), heap) = counted(|| {
            for _ in 0..1000 {
                read.copy_from_slice(&empty);
                let mut input = &mut read[..];
                while subject.receive(&mut input, &mut out).is_some() {}
            }
        });
        assert_eq!((heap.peak, subject.error()), (0, None));
        assert!(feed(&mut subject, b"\xff", &mut out).is_some());
        let said = out.len();
        let mut junk = vec![0x81; 1 << 16];
        let ((), heap) = counted(|| {
            for _ in 0..256 {
                let mut input = &mut junk[..];
                assert!(subject.receive(&mut input, &mut out).is_none() && input.is_empty());
            }
        });
        assert_eq!((heap.peak, out.len()), (0, said));
    }
}

/// A call for each control frame, or for each fragment, of which none shows by itself, and the stack
/// ends.
// req: W5.5.2-02
#[test]
fn cve_a_call_for_each_frame_ends_the_stack() {
    for role in ROLES {
        let run = move || {
            let mut config = Config::default();
            config.max_fragments = u32::MAX;
            let (mut subject, mut out) = (connection(role, config), BytesMut::new());
            let mut fragments = frame_to(role, false, Opcode::Binary, b"");
            fragments.extend(frame_to(role, false, Opcode::Continuation, b"a").repeat(100_000));
            assert!(subject.receive(&mut &mut fragments[..], &mut out).is_none());
            let mut pings = frame_to(role, true, Opcode::Ping, b"").repeat(100_000);
            let mut input = &mut pings[..];
            let mut seen = 0_u32;
            while subject.receive(&mut input, &mut out).is_some() {
                seen += 1;
            }
            seen
        };
        let small = thread::Builder::new().stack_size(64 << 10).spawn(run).unwrap();
        assert_eq!(small.join().unwrap(), 100_000);
    }
}

/// CVE-2026-45736 and its like: what is sent has bytes in it that nobody gave.
// req: W5.5.1-01, W5.5.3-02
#[test]
fn cve_what_was_in_memory_is_sent() {
    const POISON: u8 = 0xa5;
    // Room that was used before.
    let poisoned = || {
        let mut out = BytesMut::new();
        out.put_bytes(POISON, 4096);
        out.clear();
        out
    };
    for len in 0..=125_u8 {
        let payload: Vec<u8> = (0..len).collect();
        let mut subject = connection(Role::Server, Config::default());
        let mut out = poisoned();
        let ping = frame_to(Role::Server, true, Opcode::Ping, &payload);
        assert_eq!(feed(&mut subject, &ping, &mut out), None);
        assert_eq!(&out[..], [&[0x8a, len][..], &payload].concat());
        let mut out = poisoned();
        subject.ping(&payload, &mut out).unwrap();
        assert_eq!(&out[..], [&[0x89, len][..], &payload].concat());
        if let Some(len) = len.checked_sub(2) {
            let (reason, mut out) = ("r".repeat(len.into()), poisoned());
            subject.close(CloseCode::NORMAL, &reason, &mut out).unwrap();
            assert_eq!(&out[..], [&[0x88, len + 2, 3, 0xe8], reason.as_bytes()].concat());
        }
    }
    let (mut subject, mut out) = (connection(Role::Server, Config::default()), poisoned());
    let close = frame_to(Role::Server, true, Opcode::Close, b"");
    assert_eq!(feed(&mut subject, &close, &mut out), None);
    assert_eq!(&out[..], b"\x88\x00", "no code came, so none goes");
}

/// One masking key for many frames, or keys that can be told beforehand.
// req: W5.3-01, W5.3-02, W10.3-01
#[test]
fn cve_a_masking_key_is_used_again() {
    use std::cell::Cell;
    thread_local! { static DRAWN: Cell<u8> = const { Cell::new(0) } }
    let counting = Keys::new(|key| {
        DRAWN.set(DRAWN.get() + 1);
        *key = [DRAWN.get(); 4];
    });
    let mut subject = Connection::client(Arc::default(), counting);
    let mut out = BytesMut::new();
    for wanted in 1..=200 {
        out.clear();
        match wanted % 4 {
            0 => subject.send_text("abcd", &mut out).unwrap(),
            1 => subject.send_binary(b"abcd", &mut out).unwrap(),
            2 => subject.ping(b"abcd", &mut out).unwrap(),
            _ => assert_eq!(feed(&mut subject, b"\x89\x04abcd", &mut out), None),
        }
        assert_eq!((&out[2..6], DRAWN.get()), (&[wanted; 4][..], wanted), "each frame its own");
        assert_eq!(out[6] ^ wanted, b'a');
    }
}

/// The generator that is the default: nothing repeats, and nothing is a sequence.
// req: W5.3-02, W10.3-01
#[cfg(feature = "getrandom")]
#[test]
fn cve_masking_keys_come_from_a_weak_generator() {
    let keys = Keys::system();
    let drawn: Vec<_> = (0..4096).map(|_| u32::from_ne_bytes(keys.next())).collect();
    let distinct: std::collections::BTreeSet<_> = drawn.iter().collect();
    // Two of 4,096 are alike once in 500 runs, three pairs never.
    assert!(distinct.len() >= 4094, "{}", distinct.len());
    let steps: std::collections::BTreeSet<_> =
        drawn.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    assert!(steps.len() >= 4090, "{}", steps.len());
    let ones: u32 = drawn.iter().map(|key| key.count_ones()).sum();
    assert!((60_000..71_000).contains(&ones), "{ones} of 131,072 bits");
}

/// What comes behind a request that is refused passes for frames, or for another request.
// req: H-55, H-56, W4.4-01
#[test]
fn cve_an_upgrade_that_was_refused_is_trusted() {
    let head = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 12\r\n\r\n";
    for behind in [&b"GET /admin HTTP/1.1\r\nHost: h\r\n\r\n"[..], b"\x81\x82\0\0\0\0hi"] {
        let (mut server, mut out) = (Server::new(Arc::default()), BytesMut::new());
        let mut wire = [&head[..], behind].concat();
        let mut input = &mut wire[..];
        let asked = server.receive(&mut input, &mut out);
        assert!(matches!(asked, Some(Asked::Refused(_))) && input.is_empty());
        let said = out.len();
        let mut more = behind.to_vec();
        assert!(server.receive(&mut &mut more[..], &mut out).is_none());
        assert!(out.starts_with(b"HTTP/1.1 426 ") && out.len() == said);
    }
}

/// CVE-2024-23672: a close that only one side wants lasts for ever, or something is sent after it.
// req: W7.1.1-03, W5.5.1-02
#[test]
fn cve_a_close_that_is_not_answered() {
    for role in ROLES {
        let config = Arc::new(Config::default());
        let mut subject = match role {
            Role::Server => Connection::server(config.clone()),
            Role::Client => Connection::client(config.clone(), fixed_keys()),
        };
        let (mut out, mut timers) = (BytesMut::new(), Keepalive::new(config, Duration::ZERO));
        timers.phase(Phase::Open, Duration::ZERO);
        subject.close(CloseCode::NORMAL, "", &mut out).unwrap();
        let said = out.len();
        assert_eq!(subject.send_text("late", &mut out), Err(SendError::Closed));
        assert_eq!(subject.ping(b"", &mut out), Err(SendError::Closed));
        assert_eq!(subject.close(CloseCode::NORMAL, "", &mut out), Err(SendError::Closed));
        assert_eq!(out.len(), said);
        // The peer talks on and on: that buys it no time.
        timers.phase(Phase::Closing, Duration::ZERO);
        let chatter = frame_to(role, true, Opcode::Text, b"still here");
        for second in 0..10 {
            timers.heard(Duration::from_secs(second));
            assert_eq!(feed(&mut subject, &chatter, &mut out), None);
            assert_eq!(timers.poll(Duration::from_secs(second)), Due::Nothing);
        }
        assert_eq!(timers.next(), Some(Duration::from_secs(10)));
        assert_eq!(timers.poll(Duration::from_secs(10)), Due::Abort(Timeout::Close));
        assert_eq!((subject.want(), out.len()), (Want::Read, said));
    }
}

#[cfg(feature = "deflate")]
mod compressed {
    use super::*;
    use flate2::{Compress, Compression, FlushCompress};
    use sockless::deflate::Policy;
    use sockless::handshake::{Answer, Client, Offer, Target};

    fn deflated(data: &[u8]) -> Vec<u8> {
        let mut found = Vec::with_capacity(data.len() + 1000);
        let mut compress = Compress::new(Compression::best(), false);
        compress.compress_vec(data, &mut found, FlushCompress::Sync).unwrap();
        assert!(found.ends_with(b"\0\0\xff\xff"));
        found.truncate(found.len() - 4);
        found
    }

    fn compressing(role: Role, max_message: u64) -> Connection {
        let mut config = Config::default();
        config.max_message = max_message;
        config.deflate = Some(Policy::server());
        connection(role, config)
    }

    /// CVE-2018-1000518, CVE-2026-1526 and their like: 32 KB that inflate to 32 MB, in one frame
    /// and in a thousand.
    // req: D7.2.3-04, W10.4-01
    #[test]
    fn cve_a_bomb() {
        let bomb = deflated(&vec![0; 32 << 20]);
        assert!(bomb.len() < 35_000, "{}", bomb.len());
        for role in ROLES {
            for pieces in [1, 1000] {
                let size = bomb.len().div_ceil(pieces);
                let frames = bomb.chunks(size).enumerate().map(|(at, piece)| {
                    let opcode = if at == 0 { Opcode::Binary } else { Opcode::Continuation };
                    let mut frame = frame_to(role, (at + 1) * size >= bomb.len(), opcode, piece);
                    frame[0] |= if at == 0 { 0x40 } else { 0 };
                    frame
                });
                let wire: Vec<u8> = frames.flatten().collect();
                let limit = 1 << 20;
                let (mut subject, mut out) = (compressing(role, limit), BytesMut::new());
                let (error, heap) = counted(|| feed(&mut subject, &wire, &mut out));
                assert_eq!(error, Some(ProtocolError::MessageTooLarge), "{role:?} {pieces}");
                // The message up to its limit, twice while it grows, the codec, and the input.
                let bound = isize::try_from(2 * limit).unwrap() + (150 << 10);
                assert!(heap.peak <= bound, "{role:?} {pieces}: {heap:?}");
                assert!(heap.held <= 1024, "{role:?} {pieces}: {heap:?}");
            }
        }
    }

    /// RUSTSEC-2024-0401: a stream of many blocks, or of long codes, ends the stack.
    // req: D7.2.3-03
    #[test]
    fn cve_inflating_ends_the_stack() {
        let run = || {
            let mut random = 0x9e37_79b9_u32;
            let noise: Vec<u8> = (0..200_000)
                .map(|_| {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    random.to_be_bytes()[0] & 0x3f
                })
                .collect();
            let stored = b"\x00\x00\x00\xff\xff".repeat(100_000);
            for stream in [deflated(&noise), stored, b"\x04\xc1\x81\x08".repeat(10_000)] {
                let mut frame = frame_to(Role::Server, true, Opcode::Binary, &stream);
                frame[0] |= 0x40;
                let mut subject = compressing(Role::Server, 16 << 20);
                let error = feed(&mut subject, &frame, &mut BytesMut::new());
                let is_fine = matches!(error, None | Some(ProtocolError::InvalidCompression));
                assert!(is_fine, "{error:?} of {} bytes", stream.len());
            }
        };
        let small = thread::Builder::new().stack_size(1 << 20).spawn(run).unwrap();
        small.join().unwrap();
    }

    fn asked(answer: &str) -> Result<(), ()> {
        let mut config = Config::default();
        config.deflate = Some(Policy::client());
        let target = Target::parse("ws://h/").unwrap();
        let keys = Keys::new(|key| *key = [0; 4]);
        let mut out = BytesMut::new();
        let mut client = Client::start(Arc::new(config), keys, &Offer::new(&target), &mut out);
        let mut wire = format!(
            "HTTP/1.1 101 a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\
             Sec-WebSocket-Extensions: {answer}\r\n\r\n"
        )
        .into_bytes();
        match client.receive(&mut &mut wire[..]) {
            Some(Answer::Open { mut connection, .. }) => {
                // And it works: here others fell over.
                let hello = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00";
                assert_eq!(feed(&mut connection, hello, &mut out), None);
                connection.send_text(&"a".repeat(1000), &mut out).map_err(drop)
            }
            Some(Answer::Failed(_)) => Err(()),
            other => panic!("{other:?}"),
        }
    }

    /// CVE-2026-2229 and its like: a window that there is not, taken, and met later.
    // req: D7.1.2.1-01, D7.1.2.2-01, D7-06, D7-07
    #[test]
    fn cve_a_window_that_there_is_not() {
        let good = "permessage-deflate; server_no_context_takeover";
        assert_eq!(asked(good), Ok(()));
        for side in ["server", "client"] {
            for bits in 8..=15 {
                let answer = format!("{good}; {side}_max_window_bits={bits}");
                assert_eq!(asked(&answer), Ok(()), "{answer}");
            }
            for bits in
                ["0", "7", "16", "08", "015", "99", "256", "1e1", "-8", "+9", "4294967304", "a"]
            {
                let answer = format!("{good}; {side}_max_window_bits={bits}");
                assert_eq!(asked(&answer), Err(()), "{answer}");
            }
            for rest in ["", "=", "=\"\"", "=8; server_max_window_bits=8", "=8=8"] {
                let answer =
                    format!("{good}; {side}_max_window_bits{rest}; client_max_window_bits");
                assert_eq!(asked(&answer), Err(()), "{answer}");
            }
        }
        assert_eq!(asked(&format!("{good}, {good}")), Err(()), "twice");
    }
}
