//! What the counted paths are given: made before the count starts, and always at the same place in
//! a line of the cache, for the work that masking does depends on it.

use bytes::BytesMut;
use sockless::deflate::{Context, Contexts, Deflater, Policy, WindowBits};
use sockless::frame::{Header, Opcode};
use sockless::handshake::{Asked, Client, Offer, Server, Target};
use sockless::mask::Mask;
use sockless::{Config, Connection, Keys};
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
    frame_of(opcode, false, masked, payload)
}

fn frame_of(opcode: Opcode, compressed: bool, masked: bool, payload: &[u8]) -> Vec<u8> {
    let (mask, len) = (masked.then_some(KEY), payload.len() as u64);
    let header = Header { fin: true, rsv1: compressed, opcode, mask, len };
    let mut frame = header.encode().expect("a short payload").to_vec();
    let key = mask.unwrap_or_default();
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
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

pub fn server() -> Connection {
    Connection::server(Arc::default())
}

pub fn client() -> Connection {
    Connection::client(Arc::default(), keys())
}

pub fn keys() -> Keys {
    Keys::new(|key| *key = KEY)
}

/// A server that compresses, each message on its own.
pub fn compressing() -> Connection {
    let context = Context::new(WindowBits::MAX, false);
    Connection::server(config()).with_deflate(Contexts { inflate: context, deflate: context })
}

/// A compressed message from a client.
pub fn compressed(message: &[u8]) -> Vec<u8> {
    let (mut payload, policy) = (BytesMut::new(), Policy::server());
    let context = Context::new(WindowBits::MAX, false);
    Deflater::new(context, &policy).compress(message, true, &mut payload);
    frame_of(Opcode::Binary, true, true, &payload)
}

/// A client that has sent its request, and the answer to that.
pub fn asking() -> (Client, Aligned) {
    let target = Target::parse("ws://server.example/chat").expect("a target");
    let mut out = output(1024);
    let client = Client::start(Arc::default(), keys(), &Offer::new(&target), &mut out);
    let request = String::from_utf8(out.to_vec()).expect("a request");
    let (_, key) = request.split_once("Sec-WebSocket-Key: ").expect("a key");
    let accept =
        sockless::handshake::key::accept(key.split_once("\r\n").expect("a line").0.as_bytes());
    let answer = [ANSWER.as_bytes(), &accept, b"\r\n\r\n"].concat();
    (client, Aligned::new(&answer))
}

/// A request of `len` bytes, in lines of 100.
pub fn long_request(len: usize) -> Vec<u8> {
    let (start, end) = REQUEST.split_at(REQUEST.len() - 2);
    let mut request = start.to_owned();
    while request.len() + end.len() < len {
        let line = (len - end.len() - request.len()).clamp(5, 100);
        request += &format!("X: {}\r\n", "x".repeat(line - 5));
    }
    (request + end).into_bytes()
}
