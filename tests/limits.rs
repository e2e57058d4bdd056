//! RFC 6455 section 10.4: each limit, at it and one past it, at the byte that shows it.
#![allow(missing_docs)]

mod common;

use common::{Seen, frame_to, run, run_every_way, streamed};
use sockless::frame::{Kind, Opcode};
use sockless::{Config, ProtocolError, Role};

fn config(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    change(&mut config);
    config
}

fn outcome(config: &Config, wire: &[u8]) -> Result<(), ProtocolError> {
    let trace = run_every_way(Role::Server, config, wire);
    match trace.error {
        Some(error) => {
            let code = u16::from(error.close_code()).to_be_bytes();
            assert!(trace.out.ends_with(&[&[0x88, 2], &code[..]].concat()));
            Err(error)
        }
        None => Ok(()),
    }
}

/// A message of `sizes` as fragments.
fn fragments(sizes: &[usize]) -> Vec<u8> {
    let mut wire = Vec::new();
    for (at, size) in sizes.iter().enumerate() {
        let opcode = if at == 0 { Opcode::Binary } else { Opcode::Continuation };
        wire.extend(frame_to(Role::Server, at + 1 == sizes.len(), opcode, &vec![7; *size]));
    }
    wire
}

// req: W10.4-01, W10.4-02
#[test]
fn frames_and_messages_at_their_limit_and_one_more() {
    let small = config(|c| (c.max_frame, c.max_message) = (20, 30));
    let cases: [(&[usize], Result<(), ProtocolError>); 9] = [
        (&[20], Ok(())),
        (&[21], Err(ProtocolError::FrameTooLarge)),
        (&[20, 10], Ok(())),
        (&[20, 11], Err(ProtocolError::MessageTooLarge)),
        (&[20, 21], Err(ProtocolError::FrameTooLarge)),
        (&[10, 10, 10], Ok(())),
        (&[10, 0, 10, 0, 10, 0], Ok(())),
        (&[10, 10, 10, 1], Err(ProtocolError::MessageTooLarge)),
        (&[10, 10, 1, 1, 1, 1, 6], Ok(())),
    ];
    for (sizes, wanted) in cases {
        assert_eq!(outcome(&small, &fragments(sizes)), wanted, "{sizes:?}");
        // Each message has the whole limit for itself.
        let twice = [fragments(&[15, 15]), fragments(sizes)].concat();
        assert_eq!(outcome(&small, &twice), wanted, "{sizes:?}");
    }
    let streamed = config(|c| {
        *c = streamed();
        (c.max_frame, c.max_message, c.max_streamed) = (1, 1, 30);
    });
    assert_eq!(outcome(&streamed, &fragments(&[30])), Ok(()));
    assert_eq!(outcome(&streamed, &fragments(&[20, 11])), Err(ProtocolError::MessageTooLarge));
    assert_eq!(outcome(&streamed, &fragments(&[31])), Err(ProtocolError::FrameTooLarge));
}

// req: W10.4-02, W5.2-05
#[test]
fn a_length_over_the_limit_is_refused_before_key_and_payload() {
    for (config, header) in [
        (Config::default(), &b"\x82\xff\0\0\0\0\0\x10\0\x01"[..]), // 1 MiB + 1
        (Config::default(), b"\x82\xff\x3f\xff\xff\xff\xff\xff\xff\xff"),
        (config(|c| c.max_frame = 1000), b"\x82\xfe\x03\xe9"),
        (config(|c| c.max_frame = 100), b"\x82\xe5"),
    ] {
        let (last, before) = header.split_last().unwrap();
        assert_eq!(outcome(&config, before), Ok(()));
        assert_eq!(outcome(&config, header), Err(ProtocolError::FrameTooLarge), "{last}");
    }
    // At the limit it is waited for.
    assert_eq!(outcome(&Config::default(), b"\x82\xff\0\0\0\0\0\x10\0\0"), Ok(()));
}

#[test]
fn control_frames_count_for_no_limit_and_reset_none() {
    let small = config(|c| (c.max_frame, c.max_message) = (4, 8));
    let ping = frame_to(Role::Server, true, Opcode::Ping, &[1; 125]);
    let first = frame_to(Role::Server, false, Opcode::Binary, &[2; 4]);
    let last = frame_to(Role::Server, true, Opcode::Continuation, &[2; 4]);
    let wire = [&first[..], &ping.repeat(100), &last].concat();
    assert_eq!(run(Role::Server, small.clone(), &wire, &[]).error, None);
    let more = frame_to(Role::Server, false, Opcode::Continuation, &[2; 4]);
    let wire = [&first[..], &ping, &more, &ping, &last].concat();
    assert_eq!(outcome(&small, &wire), Err(ProtocolError::MessageTooLarge));
}

// req: W7.4.1-05
#[test]
fn fragments_have_a_budget_that_grows_with_the_bytes() {
    let small = config(|c| c.max_fragments = 4);
    assert_eq!(outcome(&small, &fragments(&[1; 4])), Ok(()));
    assert_eq!(outcome(&small, &fragments(&[1; 5])), Err(ProtocolError::TooManyFragments));
    assert_eq!(outcome(&small, &fragments(&[16; 100])), Ok(()));
    assert_eq!(outcome(&small, &fragments(&[16, 1, 1, 1, 1])), Ok(()));
    assert_eq!(
        outcome(&small, &fragments(&[16, 1, 1, 1, 1, 1])),
        Err(ProtocolError::TooManyFragments)
    );
    // An unfragmented message is none.
    let none = config(|c| c.max_fragments = 0);
    assert_eq!(outcome(&none, &fragments(&[1])), Ok(()));
    assert_eq!(outcome(&none, &fragments(&[1, 1])), Err(ProtocolError::TooManyFragments));
}

#[test]
fn the_default_budget_takes_what_real_peers_send() {
    // 65,536 fragments of 64 bytes, and every byte of a short text in a frame of its own.
    let mut large = Config::default();
    (large.max_message, large.max_frame) = (4 << 20, 4 << 20);
    let wire = fragments(&vec![64; 65_536]);
    let trace = run(Role::Server, large, &wire, &[]);
    assert_eq!(trace.events, [Seen::Binary(vec![7; 4 << 20])]);
    let trace = run(Role::Server, Config::default(), &fragments(&vec![1; 4096]), &[]);
    assert_eq!(trace.error, None);
    let trace = run(Role::Server, Config::default(), &fragments(&vec![1; 5000]), &[]);
    assert_eq!(trace.error, Some(ProtocolError::TooManyFragments));
}

#[test]
fn empty_fragments_have_a_limit_in_a_row() {
    let small = config(|c| c.max_empty_fragments = 3);
    assert_eq!(outcome(&small, &fragments(&[0, 0, 0, 1])), Ok(()));
    assert_eq!(outcome(&small, &fragments(&[0, 0, 0, 0])), Ok(()), "the last one ends it");
    let flood = Err(ProtocolError::TooManyEmptyFragments);
    assert_eq!(outcome(&small, &fragments(&[0, 0, 0, 0, 1])), flood);
    assert_eq!(outcome(&small, &fragments(&[0, 0, 0, 1, 0, 0, 0, 1])), Ok(()));
    let most = config(|c| (c.max_empty_fragments, c.max_fragments) = (u16::MAX, u32::MAX));
    let empties = |len| [vec![0; len], vec![1]].concat();
    assert_eq!(outcome(&most, &fragments(&empties(65_535))), Ok(()));
    assert_eq!(outcome(&most, &fragments(&empties(65_536))), flood);
    // By default, frame 1,025 of a flood is the one that fails.
    let flood = [
        frame_to(Role::Server, false, Opcode::Text, b""),
        frame_to(Role::Server, false, Opcode::Continuation, b"").repeat(1023),
    ]
    .concat();
    assert_eq!(run(Role::Server, Config::default(), &flood, &[]).error, None);
    let one_more = [flood, frame_to(Role::Server, false, Opcode::Continuation, b"")].concat();
    let trace = run(Role::Server, Config::default(), &one_more, &[]);
    assert_eq!(trace.error, Some(ProtocolError::TooManyEmptyFragments));
}

#[test]
fn a_whole_message_of_exactly_the_limit_arrives_however_it_is_sent() {
    let wire = fragments(&[1 << 20]);
    let cuts: Vec<_> = (0..wire.len()).step_by(65_536).collect();
    let message = [Seen::Binary(vec![7; 1 << 20])];
    for cuts in [&cuts[..], &[]] {
        assert_eq!(run(Role::Server, Config::default(), &wire, cuts).events, message);
    }
    let trace = run(Role::Server, streamed(), &wire, &cuts);
    assert_eq!(trace.events, [Seen::Streamed(Kind::Binary, vec![7; 1 << 20], true)]);
}

/// No allocation is longer than `isize::MAX`: a longer message is refused, not tried.
#[test]
fn a_length_that_no_memory_can_hold_is_refused_whatever_the_limits() {
    let most = (usize::MAX / 2) as u64;
    // In 64 bits one more is no length at all.
    let over = Err(match usize::BITS {
        64 => ProtocolError::LengthTopBit,
        _ => ProtocolError::FrameTooLarge,
    });
    let boundless = config(|c| {
        (c.max_frame, c.max_message) = (u64::MAX, u64::MAX);
    });
    for (first, len, wanted) in
        [(0x82, most, Ok(())), (0x82, most + 1, over), (0x01, most + 1, over)]
    {
        let header = [&[first, 0xff][..], &len.to_be_bytes(), &[0; 4]].concat();
        assert_eq!(outcome(&boundless, &header), wanted, "{len:x}");
    }
    // Together they are too long, though each is not.
    let start = frame_to(Role::Server, false, Opcode::Binary, b"held");
    let header = [&start[..], &[0x80, 0xff], &(most - 3).to_be_bytes()].concat();
    assert_eq!(outcome(&boundless, &header), Err(ProtocolError::MessageTooLarge));
}

/// Compressing takes nothing from what a sender may do with its fragments.
#[cfg(feature = "deflate")]
#[test]
fn a_compressed_message_may_be_split_as_finely_as_another() {
    use bytes::BytesMut;
    use sockless::deflate::Policy;
    use sockless::frame::Kind;
    use sockless::{Connection, Delivery, Event, Keys};

    const LEN: usize = 160_000;
    let noise: Vec<u8> =
        (0_u32..).map(|i| i.wrapping_mul(0x9e37_79b9).to_le_bytes()[2]).take(LEN).collect();
    let offer = Policy::client().offer();
    for (message, level) in [(&noise, 1), (&noise, 6), (&noise, 9), (&vec![b'a'; LEN], 6)] {
        for fragment in [16, 31, 64, 150, 199, 250, 1000] {
            for delivery in [Delivery::Whole, Delivery::Streamed] {
                let config = config(|c| {
                    (c.delivery, c.max_message, c.max_frame) = (delivery, LEN as u64, LEN as u64);
                    (c.max_streamed, c.max_fragments) = (LEN as u64, 10);
                    let mut policy = Policy::server();
                    policy.level = level;
                    c.deflate = Some(policy);
                });
                let (policy, config) = (config.deflate.unwrap(), std::sync::Arc::new(config));
                let params = policy.answer(&offer);
                let mut client = Connection::client(config.clone(), Keys::new(|key| *key = [7; 4]))
                    .with_deflate(policy.client_contexts(&params));
                let mut server =
                    Connection::server(config).with_deflate(policy.server_contexts(&params));
                let (mut came, mut out) = (Vec::new(), BytesMut::new());
                for (at, piece) in message.chunks(fragment).enumerate() {
                    let (mut wire, last) = (BytesMut::new(), (at + 1) * fragment >= LEN);
                    client.send_fragment(Kind::Binary, piece, last, &mut wire).unwrap();
                    let mut input = &mut wire[..];
                    while let Some(event) = server.receive(&mut input, &mut out) {
                        match event {
                            Event::Binary(data) => came.extend_from_slice(&data),
                            Event::Chunk(chunk) => came.extend_from_slice(&chunk.data),
                            other => panic!("{other:?} at level {level}, {fragment} bytes each"),
                        }
                    }
                }
                assert!(came == *message, "{fragment}");
            }
        }
    }
}

/// The compressed form may be longer than the message: by a sixteenth, 1 KiB, and 16 bytes for each
/// fragment but the last.
#[cfg(feature = "deflate")]
#[test]
fn a_compressed_form_that_no_message_needs_is_refused_at_its_header() {
    let header = |first: u8, len: u64| {
        let (code, skip) = if len > 0xffff { (0xff, 0) } else { (0xfe, 6) };
        [&[first, code][..], &len.to_be_bytes()[skip..], &[0; 4]].concat()
    };
    // An empty block, with which a message may begin.
    let first = b"\x42\x85\0\0\0\0\0\0\0\xff\xff";
    for (message, longest) in [(0, 1024), (160, 1194), (1 << 20, (1 << 20) + (1 << 16) + 1024)] {
        let config = config(|c| {
            c.deflate = Some(sockless::deflate::Policy::server());
            c.max_message = message;
        });
        for (len, wanted) in [(longest, Ok(())), (longest + 1, Err(ProtocolError::FrameTooLarge))] {
            assert_eq!(outcome(&config, &header(0xc2, len)), wanted, "{message}");
        }
        // After 5 bytes and 27 in fragments of their own, as many may follow.
        for (size, wanted) in [(27, Ok(())), (28, Err(ProtocolError::MessageTooLarge))] {
            let more =
                [&[0, 0x80 | size, 0, 0, 0, 0][..], &[0, 0, 0, 0xff, 0xff].repeat(6)].concat();
            let more = &more[..6 + usize::from(size)];
            let fragments = [&first[..], more, &header(0x80, longest)].concat();
            assert_eq!(outcome(&config, &fragments), wanted, "{message} in three");
        }
    }
    // Where frames may have less, that holds for all of them.
    let config = config(|c| {
        c.deflate = Some(sockless::deflate::Policy::server());
        c.max_frame = 160;
    });
    for (len, wanted) in [(1194, Ok(())), (1195, Err(ProtocolError::FrameTooLarge))] {
        assert_eq!(outcome(&config, &header(0xc2, len)), wanted, "{len}");
        let fragments = [&first[..], &header(0x80, len)].concat();
        assert_eq!(outcome(&config, &fragments), wanted, "{len} in two");
    }
}
