//! Law: what is compressed inflates to itself, whatever the window, level and memory, in any
//! fragments and any pieces, message after message.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use sockless::deflate::{Deflater, Inflater, Policy};
use sockless_fuzz::inflate::{LIMITS, inflate};
use sockless_fuzz::{Choices, context, pieces};

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let (context, levels) = (context(&mut choices), choices.byte());
    let (most, cuts, parts) = (1 + choices.short() % 4096, choices.cuts(), choices.byte());
    let mut policy = Policy::server();
    (policy.level, policy.memory) = (levels & 15, levels >> 4);
    let size = choices.0.len() / usize::from(1 + parts % 4) + 1;

    let (mut deflater, mut inflater) = (None, None);
    for message in choices.0.chunks(size).chain([&b""[..]]) {
        let mut payload = BytesMut::new();
        let fragments = pieces(message, &cuts);
        for (at, piece) in fragments.iter().enumerate() {
            let deflater = deflater.get_or_insert_with(|| Deflater::new(context, &policy));
            deflater.compress(piece, at + 1 == fragments.len(), &mut payload);
        }
        let decoder = inflater.get_or_insert_with(|| Inflater::new(context));
        let seen = inflate(decoder, &pieces(&payload, &cuts), most, LIMITS);
        assert!(seen == (message.to_vec(), None));
        context.settle(&mut deflater);
        context.settle(&mut inflater);
    }
});
