//! Law: a header parses the same from every prefix that holds it, and encodes to what was parsed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockless::frame::{Expect, Header, MAX_HEADER, Opcode};
use sockless_fuzz::Choices;

const OPCODES: [Opcode; 6] =
    [Opcode::Continuation, Opcode::Text, Opcode::Binary, Opcode::Close, Opcode::Ping, Opcode::Pong];

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let flags = choices.byte();
    let mut expect = Expect::unlimited(flags & 1 != 0);
    (expect.rsv1, expect.message_open) = (flags & 2 != 0, flags & 4 != 0);
    if flags & 8 != 0 {
        expect.max_frame = 1 << (choices.byte() % 64);
        expect.max_message = 1 << (choices.byte() % 64);
        expect.max_compressed = 1 << (choices.byte() % 64);
    }
    let bytes = choices.0;

    // What is decided stays decided, whatever follows.
    let mut decided = None;
    for end in 0..=bytes.len().min(MAX_HEADER + 2) {
        let parsed = Header::parse(&bytes[..end], &expect);
        assert!(decided.is_none_or(|before| before == parsed), "{bytes:02x?} at {end}");
        decided = (parsed != Ok(None)).then_some(parsed);
        assert!(end < MAX_HEADER || decided.is_some());
    }
    if let Some(Ok(Some((header, size)))) = decided {
        assert_eq!(header.encode().expect("a length that was parsed")[..], bytes[..size]);
    }

    // Any header that may be sent is parsed by who expects it.
    let mut len = [0; 8];
    len.iter_mut().zip(choices.take(8)).for_each(|(to, from)| *to = *from);
    let opcode = OPCODES[usize::from(choices.byte() % 6)];
    let limit = if opcode.is_control() { 126 } else { u64::MAX };
    let len = (u64::from_be_bytes(len) >> (choices.byte() % 64)) % limit;
    let rsv1 = expect.rsv1 && matches!(opcode, Opcode::Text | Opcode::Binary);
    let fin = flags & 16 != 0 || opcode.is_control();
    let mask = expect.masked.then(|| [0; 4].map(|_: u8| choices.byte()));
    let header = Header { fin, rsv1, opcode, mask, len };
    let mut expect = Expect::unlimited(expect.masked);
    (expect.rsv1, expect.message_open) = (rsv1, opcode == Opcode::Continuation);
    match header.encode() {
        Ok(bytes) => assert_eq!(Header::parse(&bytes, &expect), Ok(Some((header, bytes.len())))),
        Err(_) => assert!(len >> 63 != 0),
    }
});
