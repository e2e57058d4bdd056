//! Threat model, in figures: no flood makes a connection hold more than `Config::worst_case`, or
//! answer more than in proportion.
#![allow(missing_docs)]

mod common;
mod counting;

use bytes::BytesMut;
use common::{connection, fixed_keys, frame_to, streamed};
use counting::counted;
use sockless::frame::Opcode;
#[cfg(feature = "deflate")]
use sockless::handshake::{Accept, Asked};
use sockless::handshake::{Answer, Client, Offer, PseudoHeaders, Request, RequestError, Server};
use sockless::{CloseCode, Config, Connection, Due, Keepalive, Phase, ProtocolError, Role, Want};
use std::sync::Arc;
use std::time::Duration;

/// What comes once, then what comes again and again; together a flood.
struct Flood {
    name: &'static str,
    first: Vec<u8>,
    again: Vec<u8>,
    times: usize,
    error: Option<ProtocolError>,
}

fn floods(role: Role, config: &Config) -> Vec<Flood> {
    let frame = |fin, opcode, payload: &[u8]| frame_to(role, fin, opcode, payload);
    let is_whole = config.delivery == sockless::Delivery::Whole;
    let start = frame(false, Opcode::Text, b"x");
    let piece = [b'x'; 15_000];
    let flood = |name, first: &[u8], again: Vec<u8>, times, error| Flood {
        name,
        first: first.to_vec(),
        again,
        times,
        error,
    };
    let mask = if role.expects_mask() { 0x80 } else { 0 };
    let key = if mask == 0 { &[][..] } else { &[0; 4] };
    let header = |first: u8, len: u64| [&[first, mask | 127], &len.to_be_bytes()[..], key].concat();
    let one_byte = frame(false, Opcode::Continuation, b"x");
    let too_large = is_whole.then_some(ProtocolError::MessageTooLarge);
    vec![
        flood("pings", b"", frame(true, Opcode::Ping, b"").repeat(1000), 1000, None),
        flood("long pings", b"", frame(true, Opcode::Ping, &[7; 125]).repeat(1000), 20, None),
        flood("pongs", b"", frame(true, Opcode::Pong, &[7; 125]).repeat(1000), 20, None),
        flood(
            "empty continuations",
            &start,
            frame(false, Opcode::Continuation, b""),
            2000,
            Some(ProtocolError::TooManyEmptyFragments),
        ),
        flood(
            "one-byte fragments",
            &start,
            one_byte.clone(),
            100_000,
            Some(ProtocolError::TooManyFragments),
        ),
        flood(
            "a message of fragments",
            &start,
            frame(false, Opcode::Continuation, &piece),
            80,
            too_large,
        ),
        flood(
            "fragments of bytes",
            &frame(false, Opcode::Binary, b""),
            [frame(false, Opcode::Continuation, &piece), one_byte].concat(),
            80,
            too_large,
        ),
        flood("a length of the limit", &header(0x82, 1 << 20), vec![], 1, None),
        flood("a frame of the limit", &header(0x81, 1 << 20), vec![0; 9999], 104, None),
        flood(
            "a length past it",
            &header(0x82, (1 << 20) + 1),
            vec![0; 1000],
            1000,
            is_whole.then_some(ProtocolError::FrameTooLarge),
        ),
        flood(
            "a Close of 16 MB",
            &header(0x88, 16 << 20),
            vec![b'x'; 1 << 16],
            256,
            Some(ProtocolError::ControlTooLong),
        ),
        flood("tiny messages", b"", frame(true, Opcode::Text, b"x").repeat(1000), 100, None),
    ]
}

/// Feeds a flood in pieces of `size` to a peer that takes nothing of `out`; events are dropped.
fn drive(end: &mut Connection, flood: &Flood, size: usize, out: &mut BytesMut) {
    let mut first = flood.first.clone();
    let mut bytes = flood.again.clone();
    for run in 0..=flood.times {
        let piece = if run == 0 { &mut first } else { &mut bytes };
        for mut piece in piece.chunks_mut(size) {
            while end.receive(&mut piece, out).is_some() {}
        }
        bytes.copy_from_slice(&flood.again);
    }
}

fn configs() -> Vec<Config> {
    let configs = vec![Config::default(), streamed()];
    #[cfg(feature = "deflate")]
    let configs = [configs.clone(), configs.into_iter().map(compressed).collect()].concat();
    configs
}

#[cfg(feature = "deflate")]
fn compressed(mut config: Config) -> Config {
    config.deflate = Some(sockless::deflate::Policy::server());
    config
}

// req: X-06
#[test]
fn no_flood_makes_a_connection_hold_more_than_its_worst_case() {
    for config in configs() {
        let worst = isize::try_from(config.worst_case()).unwrap();
        // What the peer may cause of output has its room before counting begins.
        let most = config.high_water + 2 * 131;
        for role in [Role::Server, Role::Client] {
            for flood in floods(role, &config) {
                for size in [1, 1460, 1 << 20] {
                    if size == 1 && flood.again.len() * flood.times > 300_000 {
                        continue;
                    }
                    let mut end = connection(role, config.clone());
                    let mut out = BytesMut::with_capacity(most);
                    // The flood's own bytes are counted apart.
                    let own = isize::try_from(flood.first.len() + flood.again.len()).unwrap();
                    let ((), heap) = counted(|| drive(&mut end, &flood, size, &mut out));
                    let what = (flood.name, role, size, heap);
                    assert!(heap.peak <= worst + own, "{what:?}: more than {worst}");
                    assert!(out.len() <= most, "{what:?}: {} to write", out.len());
                    assert_eq!(end.error(), flood.error, "{what:?}");
                }
            }
        }
    }
}

#[cfg(feature = "deflate")]
#[test]
fn no_compressed_flood_does_either() {
    use sockless::deflate::{Params, Policy};
    for takeover in [true, false] {
        let agreed = Params {
            server_no_context_takeover: !takeover,
            client_no_context_takeover: !takeover,
            ..Params::default()
        };
        let connection = |role, config| {
            let contexts = match role {
                Role::Server => Policy::server().server_contexts(&agreed),
                Role::Client => Policy::server().client_contexts(&agreed),
            };
            connection(role, config).with_deflate(contexts)
        };
        for (role, peer) in [(Role::Server, Role::Client), (Role::Client, Role::Server)] {
            let zeros = |len: usize| {
                // A thousandth of `len`, a fragment for each MiB.
                let mut sender = connection(peer, compressed(Config::default()));
                let mut wire = BytesMut::new();
                for left in (0..len >> 20).rev() {
                    let kind = sockless::Kind::Text;
                    sender.send_fragment(kind, &vec![b'0'; 1 << 20], left == 0, &mut wire).unwrap();
                }
                wire.to_vec()
            };
            let deflated = |payload: &[u8]| {
                let mut frame = frame_to(role, true, Opcode::Binary, payload);
                frame[0] |= 0x40;
                frame
            };
            let cases = [
                // 16 MiB in 16 KB, then a thousand messages of the limit, of a few bytes, of none.
                (zeros(16 << 20), 1, Some(ProtocolError::MessageTooLarge)),
                (zeros(1 << 20), 100, None),
                (deflated(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 7, 0]).repeat(1000), 10, None),
                (deflated(&[0]).repeat(1000), 10, None),
                (
                    deflated(&[&[0, 0, 0, 0xff, 0xff].repeat(300_000)[..], &[0]].concat()),
                    1,
                    Some(ProtocolError::FrameTooLarge),
                ),
            ];
            for (config, is_whole) in [(Config::default(), true), (streamed(), false)] {
                let config = compressed(config);
                let worst = isize::try_from(config.worst_case()).unwrap();
                for (at, (wire, times, error)) in cases.iter().enumerate() {
                    for size in [1, 1460, 1 << 20] {
                        if size == 1 && wire.len() * times > 150_000 {
                            continue;
                        }
                        let what = (at, role, takeover, size);
                        let mut bytes = wire.clone();
                        let mut end = connection(role, config.clone());
                        let mut out = BytesMut::with_capacity(1024);
                        let ((), heap) = counted(|| {
                            for _ in 0..*times {
                                for mut piece in bytes.chunks_mut(size) {
                                    while end.receive(&mut piece, &mut out).is_some() {}
                                }
                                bytes.copy_from_slice(wire);
                            }
                        });
                        assert!(heap.peak <= worst, "{what:?}: {heap:?}, {worst}");
                        assert_eq!(end.error(), error.filter(|_| is_whole), "{what:?}");
                    }
                }
            }
        }
    }
}

#[cfg(feature = "deflate")]
#[test]
fn offers_of_compression_past_the_sixteenth_are_not_looked_at() {
    for (bad, is_taken) in [(15, true), (16, false)] {
        let mut head =
            b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Extensions: "
                .to_vec();
        head.extend(b"permessage-deflate; x, ".repeat(bad));
        head.extend(b"permessage-deflate\r\n\r\n");
        let mut out = BytesMut::new();
        let mut server = Server::new(Arc::new(compressed(Config::default())));
        let mut input = &mut head[..];
        let Some(Asked::Upgrade(request)) = server.receive(&mut input, &mut out) else { panic!() };
        let (_, agreed) = server.accept(Accept::new(&request), &mut out).unwrap();
        assert_eq!(agreed.deflate.is_some(), is_taken, "after {bad} that cannot be taken");
    }
}

// req: W10.4-01
#[test]
fn a_head_that_drips_is_held_in_its_length() {
    let config = Arc::new(Config::default());
    let worst = isize::try_from(config.worst_case()).unwrap();
    let field = format!("X: {}\r\n", "y".repeat(8000));
    let long = format!("GET / HTTP/1.1\r\n{}", field.repeat(3));
    let many = format!("GET / HTTP/1.1\r\n{}", "a:\r\n".repeat(101));
    // A value of an extension is looked at where it lies, with its backslash.
    let (pad, value) = (format!("A: {}", "b".repeat(8150)), "a".repeat(8100));
    let quoted =
        format!("GET / HTTP/1.1\r\n{pad}\r\nSec-WebSocket-Extensions: x;y=\"\\{value}\"\r\n{pad}");
    for head in [long, many, quoted, "G".repeat(20_000), "\r\n".repeat(20_000)] {
        // What came first decides where a buffer that doubles ends.
        for (first, size) in [(1, 1), (1000, 1000), (7, 1000), (9000, 9000)] {
            let mut bytes = head.clone().into_bytes();
            let (start, rest) = bytes.split_at_mut(first.min(head.len()));
            let mut out = BytesMut::with_capacity(1024);
            let mut server = Server::new(config.clone());
            let (refused, heap) = counted(|| {
                std::iter::once(start)
                    .chain(rest.chunks_mut(size))
                    .any(|mut piece| server.receive(&mut piece, &mut out).is_some())
            });
            assert!(
                refused
                    && (out.starts_with(b"HTTP/1.1 4") || out.starts_with(b"HTTP/1.1 5"))
                    && out.len() <= 512,
                "{out:?}"
            );
            assert!(
                heap.peak <= (16 << 10) + 1 && heap.peak <= worst && heap.held <= 0,
                "{heap:?}"
            );
        }
    }
}

#[test]
fn what_a_host_has_parsed_is_held_within_the_worst_case() {
    let mut config = Config::default();
    (config.max_message, config.max_frame) = (0, 0); // nothing but the head counts
    let worst = isize::try_from(config.worst_case()).unwrap();
    let (path, long) = (format!("/{}", "p".repeat(1 << 20)), [b'a'; 8000]);
    let version = ("sec-websocket-version", &b"13"[..]);
    let pseudo = |path| PseudoHeaders {
        method: "CONNECT",
        protocol: Some("websocket"),
        scheme: Some("https"),
        authority: Some("h.example"),
        path: Some(path),
    };
    for (fields, error) in [
        (vec![version, ("x", &long), ("cookie", &long)], None),
        (vec![("cookie", b"a=bcd"); 100_000], Some(RequestError::FieldTooLong)),
        (vec![("x", b"y"); 100_000], Some(RequestError::TooManyFields)),
        (vec![("x", &long); 100], Some(RequestError::HeadTooLarge)),
    ] {
        let (outcome, heap) = counted(|| Request::extended(pseudo("/"), fields, &config));
        assert_eq!(outcome.err().map(|refusal| refusal.error()), error);
        assert!(heap.peak <= worst, "{error:?}: {heap:?} of {worst}");
    }
    // What is too long for a head is not put together first, be a line as long as it likes.
    for max_line in [config.max_line, usize::MAX] {
        let error = RequestError::TargetTooLong;
        config.max_line = max_line;
        let (outcome, heap) = counted(|| Request::extended(pseudo(&path), [version], &config));
        assert_eq!(outcome.unwrap_err().error(), error);
        assert!(heap.peak <= worst, "{heap:?} of {worst}");
        #[cfg(feature = "http")]
        for target in [&path[..60_000], &format!("http://{}/", "h".repeat(60_000))] {
            let request = http::Request::get(target).body(()).unwrap();
            let (outcome, heap) = counted(|| Request::from_http(&request, None, &config));
            assert_eq!(outcome.unwrap_err().error(), error);
            assert!(heap.peak <= worst, "{heap:?} of {worst}");
        }
    }
}

// req: W10.4-01
#[test]
fn an_answer_that_drips_is_held_in_its_length() {
    let config = Arc::new(Config::default());
    let worst = isize::try_from(config.worst_case()).unwrap();
    let field = format!("X: {}\r\n", "y".repeat(8000));
    let long = format!("HTTP/1.1 101 Switching\r\n{}", field.repeat(3));
    let many = format!("HTTP/1.1 101 Switching\r\n{}", "a:\r\n".repeat(101));
    let interim = format!("HTTP/1.1 103 Early Hints\r\n{field}\r\n").repeat(10);
    for answer in [long, many, interim, "H".repeat(20_000)] {
        for size in [1, 1000] {
            let mut bytes = answer.clone().into_bytes();
            let mut out = BytesMut::with_capacity(1024);
            let target = sockless::handshake::Target::parse("ws://h.example/").unwrap();
            let offer = Offer::new(&target);
            let mut client = Client::start(config.clone(), fixed_keys(), &offer, &mut out);
            let (failed, heap) = counted(|| {
                bytes
                    .chunks_mut(size)
                    .any(|mut piece| matches!(client.receive(&mut piece), Some(Answer::Failed(_))))
            });
            assert!(failed, "{}", &answer[..60]);
            assert!(
                heap.peak <= (16 << 10) + 1 && heap.peak <= worst && heap.held <= 0,
                "{heap:?}"
            );
        }
    }
}

// bound: L-06
#[test]
fn what_is_answered_is_in_proportion_to_what_came() {
    for config in configs() {
        for role in [Role::Server, Role::Client] {
            for flood in floods(role, &config) {
                let mut end = connection(role, config.clone());
                let (mut came, mut answered) = (0, 0);
                let mut out = BytesMut::new();
                let pieces =
                    [&flood.first].into_iter().chain(std::iter::repeat_n(&flood.again, 50));
                for piece in pieces {
                    came += piece.len();
                    let mut piece = piece.clone();
                    let mut input = &mut piece[..];
                    while end.receive(&mut input, &mut out).is_some() {}
                    answered += out.len();
                    out.clear();
                    let factor = if role.masks() { 3 } else { 1 };
                    assert!(
                        answered <= factor * came + 131,
                        "{}: {answered} for {came}",
                        flood.name
                    );
                }
            }
        }
    }
}

// req: X-04
#[test]
fn after_the_end_nothing_is_kept_or_said() {
    for (last, want) in [
        (frame_to(Role::Server, true, Opcode::Close, b"\x03\xe8"), Want::CloseNow),
        (b"\xf0".to_vec(), Want::CloseNow),
    ] {
        let mut end = connection(Role::Server, Config::default());
        let mut out = BytesMut::with_capacity(256);
        let mut bytes = frame_to(Role::Server, false, Opcode::Text, &[b'x'; 1000]);
        bytes.extend(last);
        let mut input = &mut bytes[..];
        while end.receive(&mut input, &mut out).is_some() {}
        let said = out.len();
        let mut more = vec![0x81; 1 << 20];
        let ((), heap) = counted(|| {
            for _ in 0..100 {
                let mut input = &mut more[..];
                assert!(end.receive(&mut input, &mut out).is_none() && input.is_empty());
            }
        });
        assert_eq!((heap.peak, heap.calls, out.len(), end.want()), (0, 0, said, want));
    }
}

// bound: L-15
#[test]
fn a_peer_that_goes_on_after_our_close_has_until_the_deadline() {
    let config = Arc::new(Config::default());
    let mut end = connection(Role::Server, (*config).clone());
    let mut out = BytesMut::with_capacity(config.high_water + 512);
    let mut keepalive = Keepalive::new(config.clone(), Duration::ZERO);
    keepalive.phase(Phase::Open, Duration::ZERO);
    end.close(CloseCode::GOING_AWAY, "", &mut out).unwrap();
    keepalive.phase(Phase::Closing, Duration::from_secs(60));

    let clean = [
        frame_to(Role::Server, false, Opcode::Text, &vec![b'x'; 60_000]),
        frame_to(Role::Server, true, Opcode::Ping, b"still here"),
        frame_to(Role::Server, true, Opcode::Continuation, &vec![b'y'; 60_000]),
    ]
    .concat();
    let mut bytes = clean.clone();
    let mut now = Duration::from_secs(60);
    let mut messages = 0;
    let (due, heap) = counted(|| {
        loop {
            bytes.copy_from_slice(&clean);
            for mut piece in bytes.chunks_mut(1460) {
                while end.receive(&mut piece, &mut out).is_some() {
                    messages += 1;
                }
            }
            keepalive.heard(now);
            now += Duration::from_millis(10);
            match keepalive.poll(now) {
                Due::Nothing => {}
                due => break due,
            }
        }
    });
    assert!(matches!(due, Due::Abort(_)), "{due:?}");
    assert_eq!((now, messages), (Duration::from_secs(70), 2000));
    assert!(heap.peak <= isize::try_from(config.worst_case()).unwrap(), "{heap:?}");
    assert!(out.len() <= config.high_water + 2 * 131, "{}", out.len());

    assert!(!end.abort().clean);
    assert_eq!(end.want(), Want::CloseNow);
    let said = out.len();
    let mut input = &mut bytes[..];
    assert!(end.receive(&mut input, &mut out).is_none() && input.is_empty());
    assert_eq!(out.len(), said);
}

/// The page that users read names tests that are there.
#[test]
fn every_row_of_the_bounds_names_its_test() {
    let root = env!("CARGO_MANIFEST_DIR");
    let page = std::fs::read_to_string(format!("{root}/src/bounds.md")).unwrap();
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 20);
    for row in rows {
        let test = row.trim_end_matches([' ', '|']).rsplit("| ").next().unwrap();
        let (file, name) = test.trim_matches('`').split_once("`: `").expect(row);
        let places = [
            format!("tests/{file}.rs"),
            format!("src/{file}.rs"),
            format!("src/handshake/{file}.rs"),
        ];
        let is_there = places.iter().any(|place| {
            std::fs::read_to_string(format!("{root}/{place}"))
                .is_ok_and(|text| text.contains(&format!("fn {name}()")))
        });
        assert!(is_there, "{row}");
    }
}
