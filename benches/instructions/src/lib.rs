//! What the counted paths are given: made before the count starts, and always at the same place in
//! a line of the cache, for the work that masking does depends on it.

use bytes::BytesMut;
use sockless::deflate::{Context, Contexts, Deflater, Policy, WindowBits};
use sockless::frame::{Header, Opcode};
use sockless::handshake::{Asked, Client, Offer, Server, Target};
use sockless::mask::Mask;
use sockless::{Config, Connection, Delivery, Keys};
use std::sync::Arc;

pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A browser's request, of 480 bytes or so.
pub const REQUEST: &str = "GET /chat/room?id=42 HTTP/1.1\r\nHost: server.example:8080\r\n\
    Connection: Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/142.0.0.0 Safari/537.36\r\nUpgrade: websocket\r\n\
    Origin: http://server.example:8080\r\nSec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9,de;q=0.8\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// What a browser offers besides.
pub const OFFER: &str = "permessage-deflate; client_max_window_bits";

/// The answer to a client whose key is made of [`KEY`] four times.
pub const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: ";

/// Bytes that start at a multiple of 64.
pub struct Aligned {
    room: Vec<u8>,
    start: usize,
    len: usize,
}

impl Aligned {
    pub fn new(bytes: &[u8]) -> Self {
        let mut room = vec![0; bytes.len() + 64];
        let start = room.as_ptr().align_offset(64);
        room[start..][..bytes.len()].copy_from_slice(bytes);
        Self { room, start, len: bytes.len() }
    }

    pub fn bytes(&mut self) -> &mut [u8] {
        &mut self.room[self.start..][..self.len]
    }
}

/// An output with room for `len` bytes, which start at a multiple of 64.
pub fn output(len: usize) -> BytesMut {
    let mut out = BytesMut::with_capacity(len + 128);
    let pad = out.as_ptr().align_offset(64);
    out.resize(pad, 0);
    out.split_off(pad)
}

/// Asks for what is asked of the machine once in a process, and first paths that are lazy.
pub fn warm() {
    let mut bytes = Aligned::new(&[b'a'; 4096]);
    Mask::new(KEY).apply(bytes.bytes());
    let mut text = Aligned::new(&frame(Opcode::Text, true, "größer".repeat(400).as_bytes()));
    let mut input = text.bytes();
    let mut out = output(4096);
    assert!(server().receive(&mut input, &mut out).is_some());
    let mut request = Aligned::new(REQUEST.as_bytes());
    let asked = Server::new(Arc::default()).receive(&mut request.bytes(), &mut out);
    assert!(matches!(asked, Some(Asked::Upgrade(_))), "{asked:?}");
}

/// A whole message in one frame.
pub fn frame(opcode: Opcode, masked: bool, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    put(true, false, opcode, masked.then_some(KEY), payload, &mut frame);
    frame
}

/// A message from a client in fragments of `len` bytes.
pub fn fragments(opcode: Opcode, len: usize, payload: &[u8]) -> Vec<u8> {
    let (mut frames, mut opcode) = (Vec::new(), opcode);
    let mut pieces = payload.chunks(len).peekable();
    while let Some(piece) = pieces.next() {
        put(pieces.peek().is_none(), false, opcode, Some(KEY), piece, &mut frames);
        opcode = Opcode::Continuation;
    }
    frames
}

fn put(
    fin: bool,
    rsv1: bool,
    opcode: Opcode,
    mask: Option<[u8; 4]>,
    payload: &[u8],
    onto: &mut Vec<u8>,
) {
    let header = Header { fin, rsv1, opcode, mask, len: payload.len() as u64 };
    onto.extend_from_slice(&header.encode().expect("a short payload"));
    let key = mask.unwrap_or_default();
    onto.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// Bytes that do not compress much, and are no text.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

/// Records that compress as those of services do.
pub fn records(len: usize) -> Vec<u8> {
    let mut text = String::new();
    let mut state = 1_u32;
    while text.len() < len {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text += &format!("{{\"id\":{},\"side\":\"bid\",\"price\":{}}},", state >> 8, state >> 20);
    }
    text.truncate(len);
    text.into_bytes()
}

pub fn config() -> Arc<Config> {
    let mut policy = Policy::server();
    (policy.threshold, policy.server_max_window_bits) = (0, WindowBits::MAX);
    let mut config = Config::default();
    config.deflate = Some(policy);
    Arc::new(config)
}

/// The same for heads of any length.
pub fn roomy() -> Arc<Config> {
    let mut config = Config::clone(&config());
    (config.max_head, config.max_line, config.max_fields) = (1 << 20, 1 << 20, u16::MAX);
    Arc::new(config)
}

pub fn server() -> Connection {
    Connection::server(Arc::default())
}

pub fn client() -> Connection {
    Connection::client(Arc::default(), keys())
}

pub fn keys() -> Keys {
    Keys::new(|key| *key = KEY)
}

/// A server that hands out chunks.
pub fn streaming() -> Connection {
    let mut config = Config::default();
    config.delivery = Delivery::Streamed;
    Connection::server(Arc::new(config))
}

/// A server that holds each Pong back until all is written.
pub fn congested() -> Connection {
    let mut config = Config::default();
    config.high_water = 0;
    Connection::server(Arc::new(config))
}

/// A server that takes any number of fragments.
pub fn patient() -> Connection {
    let mut config = Config::default();
    config.max_fragments = u32::MAX;
    Connection::server(Arc::new(config))
}

/// A server that compresses, each message on its own or with those before it.
pub fn compressing(takeover: bool) -> Connection {
    Connection::server(config()).with_deflate(contexts(takeover))
}

/// One that compresses each message on its own, and hands out chunks.
pub fn streaming_compressed() -> Connection {
    let mut config = Config::clone(&config());
    config.delivery = Delivery::Streamed;
    Connection::server(Arc::new(config)).with_deflate(contexts(false))
}

fn contexts(takeover: bool) -> Contexts {
    let context = Context::new(WindowBits::MAX, takeover);
    Contexts { inflate: context, deflate: context }
}

/// Messages from a client, each in one frame, compressed on its own or with those before it.
pub fn compressed<const N: usize>(
    opcode: Opcode,
    takeover: bool,
    messages: [&[u8]; N],
) -> [Vec<u8>; N] {
    let mut deflater = Deflater::new(contexts(takeover).deflate, &Policy::server());
    messages.map(|message| {
        let (mut payload, mut frame) = (BytesMut::new(), Vec::new());
        deflater.compress(message, true, &mut payload);
        put(true, true, opcode, Some(KEY), &payload, &mut frame);
        frame
    })
}

/// A client that has sent its request, and the answer to that, of `len` bytes or as short as it is.
pub fn asking(config: Arc<Config>, len: usize) -> (Client, Aligned) {
    let target = Target::parse("ws://server.example/chat").expect("a target");
    let mut out = output(1024);
    let client = Client::start(config, keys(), &Offer::new(&target), &mut out);
    let request = String::from_utf8(out.to_vec()).expect("a request");
    let (_, key) = request.split_once("Sec-WebSocket-Key: ").expect("a key");
    let accept =
        sockless::handshake::key::accept(key.split_once("\r\n").expect("a line").0.as_bytes());
    let accept = str::from_utf8(&accept).expect("ASCII");
    (client, Aligned::new(&filled(&format!("{ANSWER}{accept}\r\n\r\n"), len)))
}

/// A browser's request of `len` bytes.
pub fn long_request(len: usize) -> Vec<u8> {
    filled(REQUEST, len)
}

/// A browser's request that offers `offers`.
pub fn offering(offers: &str) -> Vec<u8> {
    let (start, end) = REQUEST.split_at(REQUEST.len() - 2);
    format!("{start}Sec-WebSocket-Extensions: {offers}\r\n{end}").into_bytes()
}

/// A head made `len` bytes long by lines of 100.
fn filled(head: &str, len: usize) -> Vec<u8> {
    let (start, end) = head.split_at(head.len() - 2);
    let mut filled = start.to_owned();
    while filled.len() + end.len() < len {
        let line = (len - end.len() - filled.len()).clamp(5, 100);
        filled += &format!("X: {}\r\n", "x".repeat(line - 5));
    }
    (filled + end).into_bytes()
}
