//! `wtx` in memory: its own traits for streams and entropy, over the wire that every peer reads,
//! and over an output.

use crate::{KEY, READ, Wire};
use std::hint::black_box;
use wtx::Result;
use wtx::rng::Rng;
use wtx::stream::{Stream, StreamReader, StreamWriter};
use wtx::web_socket::compression::{
    Compression, CompressionLevel, DeflateConfig, Flate2, NegotiatedCompression, NegotiatedFlate2,
    WindowBits,
};
use wtx::web_socket::{Frame, OpCode, WebSocket, WebSocketBuffer};

/// A connection after its handshake, a client's or a server's.
pub type Peer<C, S, const CLIENT: bool> = WebSocket<C, Given, S, WebSocketBuffer, CLIENT>;

/// With room for a read; it has none at first by itself, and would begin with reads of 14 bytes.
pub fn peer<C: NegotiatedCompression, S: Stream, const CLIENT: bool>(
    compression: C,
    stream: S,
) -> Peer<C, S, CLIENT> {
    let room = WebSocketBuffer::with_capacity(READ, 0, 0).expect("memory");
    WebSocket::new(compression, false, Given, stream, room)
}

/// Its compression, with the window and the level of the other rows. It has no context takeover.
pub fn compression<const CLIENT: bool>() -> Option<NegotiatedFlate2> {
    let config = DeflateConfig {
        client_max_window_bits: WindowBits::Fifteen,
        compression_level: CompressionLevel::Six,
        server_max_window_bits: WindowBits::Fifteen,
    };
    let field: [&[u8]; 2] = [b"sec-websocket-extensions", b"permessage-deflate"];
    let agreed = Compression::<CLIENT>::negotiate(Flate2::from(config), [field].into_iter());
    let agreed = agreed.expect("an offer that it understands");
    assert!(agreed.is_some(), "an offer that it takes");
    agreed
}

/// The frame that it makes of a message.
pub fn frame<C: NegotiatedCompression, const CLIENT: bool>(
    compression: C,
    payload: &[u8],
) -> Vec<u8> {
    let (mut output, mut payload) = (Output::default(), payload.to_vec());
    let mut peer: Peer<_, _, CLIENT> = peer(compression, &mut output);
    let mut frame = Frame::new_fin(OpCode::Binary, &mut payload[..]);
    crate::now(peer.write_frame(&mut frame)).expect("sent");
    output.0
}

/// Nothing to read; what is written to it lies there until the next is.
#[derive(Default)]
pub struct Output(Vec<u8>);

impl StreamReader for Output {
    async fn read(&mut self, _: &mut [u8]) -> Result<usize> {
        Ok(0)
    }
}

impl StreamWriter for Output {
    async fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        self.write_all_vectored(&[bytes]).await
    }

    async fn write_all_vectored(&mut self, bytes: &[&[u8]]) -> Result<()> {
        self.0.clear();
        bytes.iter().for_each(|bytes| self.0.extend_from_slice(bytes));
        black_box(&self.0[..]);
        Ok(())
    }
}

impl StreamReader for Wire {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        let brought = self.bring(bytes.len());
        bytes[..brought.len()].copy_from_slice(brought);
        Ok(brought.len())
    }
}

impl StreamWriter for Wire {
    async fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        black_box(bytes);
        Ok(())
    }

    async fn write_all_vectored(&mut self, bytes: &[&[u8]]) -> Result<()> {
        black_box(bytes);
        Ok(())
    }
}

/// Keys that are given.
pub struct Given;

impl Rng for Given {
    fn u8_4(&mut self) -> [u8; 4] {
        KEY
    }

    fn u8_8(&mut self) -> [u8; 8] {
        [0; 8]
    }

    fn u8_16(&mut self) -> [u8; 16] {
        [0; 16]
    }

    fn u8_32(&mut self) -> [u8; 32] {
        [0; 32]
    }
}
