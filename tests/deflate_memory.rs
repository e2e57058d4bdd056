//! What a codec owns, by a counting allocator: nothing between messages without takeover, no more
//! than is documented within, and never more than the limit for what inflates.
#![cfg(feature = "deflate")]
#![allow(missing_docs)]

mod counting;
mod deflate_support;

use bytes::BytesMut;
use counting::counted;
use deflate_support::*;
use sockless::deflate::{Contexts, Deflater, InflateError, Inflater, Policy};
use sockless::{CloseCode, Config, Connection, Delivery, Event, Keys};
use std::sync::Arc;

/// Bytes that `work` leaves held, and the peak above the start.
fn measured<T>(work: impl FnOnce() -> T) -> (T, isize, isize) {
    let (result, heap) = counted(work);
    (result, heap.held, heap.peak)
}

/// Feeds a payload in pieces, as frames of it arrive.
fn feed(
    inflater: &mut Inflater,
    payload: &[u8],
    size: usize,
    (limit, most): (u64, usize),
    message: &mut Vec<u8>,
    mut seen: impl FnMut(&mut Vec<u8>),
) -> Result<(), InflateError> {
    for mut piece in payload.chunks(size) {
        loop {
            let progress = inflater.inflate(piece, message, most, at_most(limit))?;
            seen(message);
            piece = &piece[progress.consumed..];
            if !progress.more {
                break;
            }
        }
    }
    inflater.finish(at_most(limit))
}

/// Bytes beyond which an inflater never goes.
const INFLATER: isize = 48 << 10;

/// What a deflater owns at most, as the documentation has it.
fn deflater(window: u8, memory: u8) -> isize {
    (132 << 10) + (4 << window.max(9)) + (7 << (memory + 6))
}

/// Prints the table that the documentation has: `cargo test --features deflate --test
/// deflate_memory -- --nocapture documented`.
#[test]
fn what_a_codec_owns_is_what_is_documented() {
    println!("window  inflater  deflater, memory 1 .. 9 (bytes)");
    let message = data(0, 100_000, 1);
    for window in 8..=15 {
        let agreed = context(window, true);
        let mut out = BytesMut::with_capacity(1 << 20);
        let mut row = Vec::new();
        for memory in 1..=9 {
            let mut of_levels: Vec<_> = [0, 1, 3, 6, 9]
                .map(|level| {
                    let (deflater, held, peak) = measured(|| {
                        let mut deflater = Box::new(Deflater::new(agreed, &policy(level, memory)));
                        deflater.compress(&message, true, &mut out);
                        deflater
                    });
                    drop(deflater);
                    out.clear();
                    assert_eq!(held, peak);
                    held
                })
                .to_vec();
            of_levels.dedup();
            assert_eq!(of_levels.len(), 1, "the level changes nothing");
            assert!(of_levels[0] <= deflater(window, memory), "{window} {memory}");
            row.push(of_levels[0]);
        }
        Deflater::new(agreed, &policy(6, 8)).compress(&message, true, &mut out);
        let mut buffer = Vec::with_capacity(400_000);
        let (inflater, held, peak) = measured(|| {
            let mut inflater = Box::new(Inflater::new(agreed));
            feed(&mut inflater, &out, 1000, (1 << 20, 1000), &mut buffer, |_| ()).unwrap();
            inflater
        });
        assert!(held == peak && held <= INFLATER);
        drop(inflater);
        println!("{window:6}  {held:8}  {row:?}");
    }
}

#[test]
fn without_takeover_nothing_is_held_between_messages() {
    let agreed = context(12, false);
    let message = data(0, 100_000, 1);
    let mut out = BytesMut::with_capacity(1 << 18);
    let mut buffer = Vec::with_capacity(1 << 18);
    let ((), held, peak) = measured(|| {
        let (mut deflater, mut inflater) = (None, None);
        for len in [100_000, 0, 1, 500, 100_000] {
            out.clear();
            buffer.clear();
            let before = counting::held();
            let compressor =
                deflater.get_or_insert_with(|| Box::new(Deflater::new(agreed, &policy(6, 8))));
            compressor.compress(&message[..len], true, &mut out);
            agreed.settle(&mut deflater);
            assert_eq!(counting::held(), before);
            let decoder = inflater.get_or_insert_with(|| Box::new(Inflater::new(agreed)));
            feed(decoder, &out, 64 << 10, (1 << 20, usize::MAX), &mut buffer, |_| ()).unwrap();
            agreed.settle(&mut inflater);
            assert_eq!(counting::held(), before);
            assert!(buffer == message[..len]);
        }
    });
    assert_eq!(held, 0);
    assert!(peak > 0);
}

#[test]
fn with_takeover_both_codecs_are_held_until_the_close() {
    let mut policy = Policy::server();
    (policy.server_no_context_takeover, policy.client_no_context_takeover) = (false, false);
    let mut config = Config::default();
    config.deflate = Some(policy);
    let config = Arc::new(config);
    let agreed = sockless::deflate::Params::default();
    let mut server =
        Connection::server(config.clone()).with_deflate(policy.server_contexts(&agreed));
    let keys = Keys::new(|key| *key = [1, 2, 3, 4]);
    let mut client = Connection::client(config, keys).with_deflate(policy.client_contexts(&agreed));
    let text = "over and over ".repeat(40);
    let (mut out, mut replies) = (BytesMut::with_capacity(4096), BytesMut::with_capacity(4096));
    let ((), held, _) = measured(|| {
        server.send_text(&text, &mut out).unwrap();
        drop(client.receive(&mut &mut out[..], &mut replies));
        out.clear();
        client.send_text(&text, &mut replies).unwrap();
        drop(server.receive(&mut &mut replies[..], &mut out));
        replies.clear();
    });
    assert!(held > 2 * (deflater(12, 8) + INFLATER / 2), "{held}");
    let ((), given_back, _) = measured(|| {
        server.close(CloseCode::NORMAL, "", &mut out).unwrap();
        drop(client.receive(&mut &mut out[..], &mut replies));
        drop(server.receive(&mut &mut replies[..], &mut out));
    });
    assert!(given_back < 1024 - held, "{given_back} of {held}");
}

// req: D7.2.3-04
#[test]
fn a_bomb_stops_at_the_limit() {
    let bomb = {
        let mut deflater = Deflater::new(context(15, false), &policy(9, 8));
        deflate(&mut deflater, &vec![0; 64 << 20], &[]).concat()
    };
    assert!(bomb.len() < 66_000, "{}", bomb.len());
    for limit in [1 << 20, 100, 0, (1 << 20) + 1] {
        for size in [64 << 10, 100] {
            let (end, _, peak) = measured(|| {
                let mut message = Vec::new();
                let mut inflater = Inflater::new(context(15, false));
                let end =
                    feed(&mut inflater, &bomb, size, (limit, usize::MAX), &mut message, |_| ());
                assert_eq!(message.len() as u64, limit);
                end
            });
            assert_eq!(end, Err(InflateError::TooLarge));
            let most = isize::try_from(limit).unwrap() + INFLATER;
            assert!(peak <= most, "{peak} for a limit of {limit}");
        }
    }
    // Streamed, it costs a chunk, however long it is.
    let most = 16 << 10;
    let (total, _, peak) = measured(|| {
        let mut inflater = Inflater::new(context(15, false));
        let mut total = 0;
        let sink = |chunk: &mut Vec<u8>| {
            assert!(chunk.len() <= most);
            total += chunk.len();
            *chunk = Vec::new();
        };
        feed(&mut inflater, &bomb, 1000, (u64::MAX, most), &mut Vec::new(), sink).unwrap();
        total
    });
    assert_eq!(total, 64 << 20);
    assert!(peak <= INFLATER + 16 * 1024, "{peak}");
}

#[test]
fn a_vector_grows_to_twice_the_message_or_twelve_times_its_payload() {
    for (kind, len) in [(0, 10), (0, 1000), (1, 100), (1, 70_000), (2, 1_000_000), (0, 300_000)] {
        let message = data(kind, len, 5);
        let payload =
            deflate(&mut Deflater::new(context(15, false), &policy(6, 8)), &message, &[]).concat();
        for size in [64 << 10, 1] {
            let mut buffer = Vec::new();
            let mut inflater = Inflater::new(context(15, false));
            feed(&mut inflater, &payload, size, (1 << 20, usize::MAX), &mut buffer, |_| ())
                .unwrap();
            assert!(buffer == message);
            let most = (2 * len).max(12 * payload.len()) + 640;
            assert!(buffer.capacity() <= most, "{} for {len}", buffer.capacity());
        }
    }
}

/// 600,000 bytes in some 600 octets say nothing of the megabyte in stored blocks behind them.
#[test]
fn what_begins_densely_reserves_nothing_for_what_does_not_go_on_so() {
    let whole = [vec![7; 600_000], data(1, 1 << 20, 5)].concat();
    let mut deflater = Deflater::new(context(15, false), &policy(6, 8));
    let pieces = deflate(&mut deflater, &whole, &[600_000]);
    assert!(pieces.len() == 2 && pieces[0].len() < 700);
    let mut inflater = Inflater::new(context(15, false));
    let (message, end) = deflate_support::inflate(
        &mut inflater,
        &pieces.concat(),
        &[pieces[0].len()],
        usize::MAX,
        deflate_support::FREE,
    );
    assert!(message == whole && end.is_ok());
    let most = 2 * message.len() + 12 * pieces.concat().len();
    assert!(message.capacity() <= most, "{}", message.capacity());
}

/// What does not compress lies in its payload as it is: no inflater is made to copy it.
#[test]
fn stored_blocks_need_no_inflater() {
    let mut policy = Policy::server();
    policy.threshold = 0;
    let mut config = Config::default();
    config.deflate = Some(policy);
    let config = Arc::new(config);
    let contexts = Contexts { inflate: context(15, false), deflate: context(15, false) };
    let mut server = Connection::server(Arc::clone(&config)).with_deflate(contexts);
    let (message, mut wire) = (data(1, 10_000, 5), BytesMut::new());
    server.send_binary(&message, &mut wire).unwrap();
    let mut client =
        Connection::client(config, Keys::new(|key| *key = [1; 4])).with_deflate(contexts);
    let (mut input, mut out) = (&mut wire[..], BytesMut::new());
    let (event, held, peak) = measured(|| client.receive(&mut input, &mut out));
    let Some(Event::Binary(received)) = event else { panic!("{event:?}") };
    assert!(received[..] == message[..]);
    // The message under assembly comes on top.
    assert!(held <= 10_100 && peak <= 10_500, "{held} {peak}");
}

#[test]
fn a_message_that_was_inflated_pins_no_more_than_twice_its_size() {
    let [mut whole, mut streamed] = [Config::default(), Config::default()];
    streamed.delivery = Delivery::Streamed;
    for config in [&mut whole, &mut streamed] {
        let mut policy = Policy::server();
        policy.threshold = 0;
        config.deflate = Some(policy);
    }
    let contexts = Contexts { inflate: context(15, false), deflate: context(15, false) };
    for (kind, len) in [(0, 1), (2, 1), (0, 140), (1, 140), (0, 5000), (2, 5000), (1, 100_000)] {
        let message = data(kind, len, 5);
        for config in [&whole, &streamed].map(|config| Arc::new(config.clone())) {
            let mut server = Connection::server(Arc::clone(&config)).with_deflate(contexts);
            let mut wire = BytesMut::new();
            server.send_text(&"é".repeat(len), &mut wire).unwrap();
            server.send_binary(&message, &mut wire).unwrap();
            let keys = Keys::new(|key| *key = [1; 4]);
            let mut client = Connection::client(config, keys).with_deflate(contexts);
            let (mut input, mut out, mut seen) = (&mut wire[..], BytesMut::new(), 0);
            while let Some(event) = client.receive(&mut input, &mut out) {
                let (len, capacity) = match event {
                    Event::Text(text) => (text.len(), text.into_string().capacity()),
                    Event::Binary(data) => (data.len(), data.into_vec().capacity()),
                    Event::Chunk(chunk) => (chunk.data.len(), chunk.data.into_vec().capacity()),
                    other => panic!("{other:?}"),
                };
                assert!(capacity <= 2 * len + 1, "{capacity} for {len}");
                seen += len;
            }
            assert_eq!(seen, 2 * len + message.len());
        }
    }
}

/// However it arrives, what is inflated is moved twice at most, in a few calls.
#[test]
fn a_message_in_reads_of_one_byte_costs_no_more_memory_traffic_than_it_has_bytes() {
    for (kind, len) in (0..4).map(|kind| (kind, 200_000)) {
        let message = data(kind, len, 5);
        let payload =
            deflate(&mut Deflater::new(context(15, false), &policy(6, 8)), &message, &[]).concat();
        for size in [1, 7, 4096] {
            let mut buffer = Vec::new();
            let mut inflater = Inflater::new(context(15, false));
            let (end, heap) = counted(|| {
                feed(&mut inflater, &payload, size, (1 << 20, usize::MAX), &mut buffer, |_| ())
            });
            end.unwrap();
            assert!(buffer == message);
            assert!(heap.calls <= 20, "{} calls for reads of {size}", heap.calls);
            assert!(heap.moved <= 2 * len, "{} moved for reads of {size}", heap.moved);
        }
    }
}

/// What is left of a vector's capacity is not cleared: it was at every call once, and a message in
/// small reads cost the square of its length.
#[test]
fn the_room_that_is_not_filled_is_not_touched() {
    const ROOM: usize = 1 << 20;
    let message = data(0, 10_000, 5);
    let payload =
        deflate(&mut Deflater::new(context(15, false), &policy(6, 8)), &message, &[]).concat();
    for size in [1, 100, 64 << 10] {
        let mut buffer = vec![0xa5; ROOM];
        buffer.clear();
        let mut inflater = Inflater::new(context(15, false));
        feed(&mut inflater, &payload, size, (1 << 20, usize::MAX), &mut buffer, |_| ()).unwrap();
        assert!(buffer == message && buffer.capacity() == ROOM);
        // SAFETY: all of it was written when the vector was made.
        #[allow(unsafe_code)]
        unsafe {
            buffer.set_len(ROOM);
        }
        // The decoder copies in blocks, the last of which may go a little further.
        let touched = buffer[message.len()..].iter().rposition(|byte| *byte != 0xa5);
        assert!(touched < Some(64), "{touched:?}");
    }
}

#[test]
fn little_is_reserved_ahead_of_what_is_written() {
    for (kind, len) in [(2, 1 << 20), (1, 1 << 20), (0, 100)] {
        let message = data(kind, len, 5);
        let mut out = BytesMut::new();
        let mut deflater = Deflater::new(context(15, false), &policy(6, 8));
        let ((), held, _) = measured(|| deflater.compress(&message, true, &mut out));
        let most = 2 * out.len() + (32 << 10);
        assert!(held <= isize::try_from(most).unwrap(), "{held} for {}", out.len());
    }
}

/// The table in `deflate`'s documentation, 48 KiB for the inflater, and 36 KiB for a piece between
/// it and where it goes.
#[test]
fn the_worst_case_counts_the_codecs() {
    const OTHERS: u64 = (48 + 36) << 10;
    for (server, client, memory, deflater) in [
        (15, 15, 8, 372 << 10),
        (12, 15, 8, 372 << 10),
        (15, 10, 8, 372 << 10),
        (12, 12, 8, 260 << 10),
        (10, 9, 8, 248 << 10),
        (12, 12, 7, 204 << 10),
        (9, 9, 7, 190 << 10),
        (8, 9, 8, 246 << 10),
        (8, 8, 8, 246 << 10), // zlib compresses with 9
        (12, 15, 9, 484 << 10),
        (12, 15, 200, 484 << 10),
        (12, 15, 1, (260 << 10) + 896),
        (12, 15, 0, (260 << 10) + 896),
    ] {
        let mut policy = Policy::server();
        policy.server_max_window_bits = bits(server);
        policy.client_max_window_bits = bits(client);
        policy.memory = memory;
        let mut config = Config::default();
        let without = config.worst_case();
        config.deflate = Some(policy);
        assert_eq!(config.worst_case() - without, deflater + OTHERS, "{server} {client} {memory}");
    }
}
