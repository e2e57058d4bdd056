//! Law: what is compressed inflates to itself; any payload inflates as it does elsewhere, and is
//! taken exactly where it breaks off in the head of a stored block.
#![no_main]

use bytes::BytesMut;
use flate2::{Decompress, FlushDecompress, Status};
use libfuzzer_sys::fuzz_target;
use sockless::deflate::{Context, Deflater, InflateError, Inflater, Limits, Policy};
use sockless_fuzz::{Choices, context, pieces};

const LIMITS: Limits = Limits { max_message: 1 << 16, max_ratio: None };

fn ours(inflater: &mut Inflater, pieces: &[&[u8]], room: usize) -> (Vec<u8>, Option<InflateError>) {
    let (mut message, mut output) = (Vec::new(), vec![0; room]);
    for piece in pieces {
        let mut rest = *piece;
        loop {
            let progress = match inflater.inflate(rest, &mut output, LIMITS) {
                Ok(progress) => progress,
                Err(error) => return (message, Some(error)),
            };
            message.extend_from_slice(&output[..progress.produced]);
            rest = &rest[progress.consumed..];
            if !progress.more {
                break;
            }
        }
    }
    (message, inflater.finish(LIMITS).err())
}

/// What flate2 makes of data sets, one after the other, if the last one ends with the input; and
/// where each ended.
fn elsewhere(input: &[u8]) -> Option<(Vec<u8>, Vec<usize>)> {
    let (mut message, mut ends) = (Vec::new(), vec![0]);
    while let Some(rest) = input.get(*ends.last()?..).filter(|rest| !rest.is_empty()) {
        let mut decoder = Decompress::new(false);
        loop {
            let before = (decoder.total_in(), decoder.total_out());
            let at = usize::try_from(before.0).ok()?;
            message.reserve(1 << 12);
            match decoder.decompress_vec(&rest[at..], &mut message, FlushDecompress::None) {
                Ok(Status::StreamEnd) => break,
                Ok(_) if before != (decoder.total_in(), decoder.total_out()) => {}
                _ => return None,
            }
        }
        ends.push(ends.last()? + usize::try_from(decoder.total_in()).ok()?);
    }
    Some((message, ends))
}

/// Stored blocks, of no byte and of one, complete what is taken, and nothing else.
fn payload(context: Context, bytes: &[u8], cuts: &[usize], room: usize) {
    let (message, error) = ours(&mut Inflater::new(context), &[bytes], 1 << 12);
    let again = ours(&mut Inflater::new(context), &pieces(bytes, cuts), room);
    assert!(again == (message.clone(), error));
    if error == Some(InflateError::TooLarge) {
        return;
    }
    let none = elsewhere(&[bytes, b"\0\0\xff\xff\x01\0\0\xff\xff"].concat());
    let one = elsewhere(&[bytes, b"\x01\0\xfe\xffx\x01\0\0\xff\xff"].concat());
    let (Some((none, ends)), Some((one, _))) = (none, one) else {
        return assert!(error.is_some() || bytes.is_empty(), "taken: {bytes:02x?}");
    };
    // The empty stored block that ends a payload may be a final one: what follows it begins anew.
    let last_is_final = ends.contains(&(bytes.len() + 4)) && none == message;
    let taken = none == message && one == [&message[..], b"x"].concat();
    assert!(error.is_none() == (taken || last_is_final), "{error:?}: {bytes:02x?}");
}

fn messages(context: Context, policy: &Policy, parts: &[&[u8]], cuts: &[usize], room: usize) {
    let (mut deflater, mut inflater) = (None, None);
    for message in parts {
        let mut payload = BytesMut::new();
        let fragments = pieces(message, cuts);
        for (at, piece) in fragments.iter().enumerate() {
            let deflater = deflater.get_or_insert_with(|| Deflater::new(context, policy));
            deflater.compress(piece, at + 1 == fragments.len(), &mut payload);
        }
        let inflater_now = inflater.get_or_insert_with(|| Inflater::new(context));
        assert!(ours(inflater_now, &pieces(&payload, cuts), room) == (message.to_vec(), None));
        context.settle(&mut deflater);
        context.settle(&mut inflater);
    }
}

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let (context, levels, room) =
        (context(&mut choices), choices.byte(), 1 + choices.short() % 4096);
    let (cuts, parts) = (choices.cuts(), choices.byte());
    let bytes = choices.0;
    if parts & 0x80 == 0 {
        payload(context, bytes, &cuts, room);
    } else {
        let mut policy = Policy::server();
        (policy.level, policy.memory) = (levels & 15, levels >> 4);
        let size = bytes.len() / usize::from(1 + parts % 4) + 1;
        let parts: Vec<_> = bytes.chunks(size).chain([&b""[..]]).collect();
        messages(context, &policy, &parts, &cuts, room);
    }
});
