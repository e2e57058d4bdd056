//! One conversation, whatever carries it: a client that follows a script, and an account of all
//! that either end saw.
//!
//! It knows no transport. A client needs to write [`Script::out`] and to hand over what it reads;
//! the server is any echo that prints [`line`] of each event. The two accounts, one after the
//! other, are `transcript.txt`, byte for byte.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use alloc::{format, string::ToString};
use bytes::BytesMut;
use sockless::deflate::Policy;
use sockless::handshake::Agreed;
use sockless::{CloseCode, Closed, Config, Connection, Event, Kind, Want};

/// What the client would like to speak, in its order of preference.
pub const OFFERED: [&str; 2] = ["conversation.v2", "conversation"];

/// What the servers speak.
pub const SPOKEN: [&str; 1] = ["conversation"];

/// The path that the client asks for.
pub const PATH: &str = "/conversation?n=1";

const HELLO: &str = "Grüße an alle – 世界 🎈";
const FRAGMENT: usize = 40_000;

/// A server's configuration: the defaults, with compression.
pub fn server_config() -> Arc<Config> {
    let mut config = Config::default();
    config.deflate = Some(Policy::server());
    Arc::new(config)
}

/// A client's configuration: the same.
pub fn client_config() -> Arc<Config> {
    let mut config = Config::default();
    config.deflate = Some(Policy::client());
    Arc::new(config)
}

/// 1 MiB that does not shrink.
fn noise() -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut data = Vec::with_capacity(1 << 20);
    while data.len() < 1 << 20 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        data.extend_from_slice(&state.to_le_bytes());
    }
    data
}

/// 256 KiB that shrink to a fraction.
fn verse() -> String {
    "The frames run on the stream as if it were a connection of its own. ".repeat(3855)
}

/// What was agreed, in one line.
pub fn agreement(agreed: &Agreed) -> String {
    let subprotocol = agreed.subprotocol.as_deref().unwrap_or("none");
    let compression = agreed.deflate.as_ref().map_or("none".into(), ToString::to_string);
    format!("agreed on {subprotocol}, {compression}")
}

/// What came, in one line: lengths and hashes of messages, all of the rest.
pub fn line(event: &Event<'_>) -> String {
    // A peer's bytes are shown escaped: a line stays a line.
    let text = |data: &[u8]| format!("{:?}", String::from_utf8_lossy(data));
    match event {
        Event::Text(data) => format!("text, {} bytes, {:016x}", data.len(), hash(data.as_bytes())),
        Event::Binary(data) => format!("binary, {} bytes, {:016x}", data.len(), hash(data)),
        Event::Ping(data) => format!("ping {}", text(data)),
        Event::Pong(data) => format!("pong {}", text(data)),
        Event::Close(close) => format!("close {} {:?}", u16::from(close.code), &*close.reason),
        Event::Failed(error) => format!("failed: {error}"),
        other => format!("{other:?}"),
    }
}

/// How it ended, in one line.
pub fn end(closed: &Closed) -> String {
    let clean = if closed.clean { "clean" } else { "not clean" };
    format!("ended, {clean}, {} {:?}", u16::from(closed.code), &*closed.reason)
}

/// FNV-1a, 64 bits.
fn hash(data: &[u8]) -> u64 {
    data.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The client's part: each step is taken once what the step before it asked for has come.
///
/// ```text
/// text ─▶ its echo ─▶ 1 MiB in fragments, a ping between them ─▶ pong, echo ─▶
/// compressible text ─▶ its echo ─▶ close 4001 ─▶ the server's close
/// ```
#[derive(Debug)]
pub struct Script {
    connection: Connection,
    /// What is to be written. Clear what is.
    pub out: BytesMut,
    account: String,
    step: usize,
    /// Bytes that came since the last step.
    came: usize,
}

impl Script {
    /// Takes the first step.
    pub fn new(connection: Connection, agreed: &Agreed) -> Self {
        let mut script =
            Self { connection, out: BytesMut::new(), account: String::new(), step: 0, came: 0 };
        script.note(&agreement(agreed));
        script.next();
        script
    }

    /// Takes what was read, all of it; the answer is in `out`.
    pub fn receive(&mut self, mut read: &mut [u8]) {
        self.came += read.len();
        while let Some(event) = self.connection.receive(&mut read, &mut self.out) {
            let came = line(&event);
            let is_echo = matches!(event, Event::Text(_) | Event::Binary(_));
            if let Event::Text(text) = &event {
                let shrunk = if self.came < text.len() / 10 { ", compressed" } else { "" };
                self.note(&format!("{came}{shrunk}"));
            } else {
                self.note(&came);
            }
            if is_echo {
                self.next();
            }
        }
    }

    /// What to do with the transport, once `out` is written.
    pub fn want(&self) -> Want {
        self.connection.want()
    }

    /// The transport has ended: the client's account.
    pub fn eof(mut self) -> String {
        let closed = self.connection.eof();
        self.note(&end(&closed));
        self.account
    }

    fn note(&mut self, line: &str) {
        for part in ["client: ", line, "\n"] {
            self.account.push_str(part);
        }
    }

    fn next(&mut self) {
        (self.step, self.came) = (self.step + 1, 0);
        let (connection, out) = (&mut self.connection, &mut self.out);
        let sent = match self.step {
            1 => connection.send_text(HELLO, out),
            2 => fragments(connection, out),
            3 => connection.send_text(&verse(), out),
            _ => connection.close(CloseCode::from(4001), "that was all – auf Wiedersehen", out),
        };
        if let Err(error) = sent {
            self.note(&format!("could not send: {error}"));
        }
    }
}

/// 1 MiB in fragments, with a Ping amid them.
fn fragments(connection: &mut Connection, out: &mut BytesMut) -> Result<(), sockless::SendError> {
    let noise = noise();
    let pieces = noise.chunks(FRAGMENT);
    let last = pieces.len() - 1;
    for (at, piece) in pieces.enumerate() {
        connection.send_fragment(Kind::Binary, piece, at == last, out)?;
        if at == last / 2 {
            connection.ping(b"amid fragments", out)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sockless::Keys;

    /// Both ends in memory, reads of `size` bytes: the shortest transport there is.
    fn hold(size: usize) -> String {
        let (server_config, client_config) = (server_config(), client_config());
        let contexts =
            |policy: Policy| (policy, Policy::server().answer(&Policy::client().offer()));
        let (policy, params) = contexts(Policy::client());
        let connection = Connection::client(client_config, Keys::system())
            .with_deflate(policy.client_contexts(&params));
        let mut agreed = Agreed::default();
        agreed.subprotocol = Some("conversation".into());
        agreed.deflate = Some(params);
        let mut script = Script::new(connection, &agreed);
        let (policy, params) = contexts(Policy::server());
        let mut server =
            Connection::server(server_config).with_deflate(policy.server_contexts(&params));
        let mut account = format!("server: {}\n", agreement(&agreed));
        while script.want() == Want::Read {
            let mut out = BytesMut::new();
            for mut read in core::mem::take(&mut script.out).chunks_mut(size) {
                while let Some(event) = server.receive(&mut read, &mut out) {
                    account.push_str(&format!("server: {}\n", line(&event)));
                    match event {
                        Event::Text(text) => server.send_text(&text, &mut out).unwrap(),
                        Event::Binary(data) => server.send_binary(&data, &mut out).unwrap(),
                        _ => {}
                    }
                }
            }
            for read in out.chunks_mut(size) {
                script.receive(read);
            }
        }
        account.push_str(&format!("server: {}\n", end(&server.eof())));
        account + &script.eof()
    }

    #[test]
    fn in_memory() {
        let transcript = include_str!("../transcript.txt");
        for size in [usize::MAX, 4096, 61] {
            assert_eq!(hold(size), transcript, "reads of {size} bytes");
        }
    }
}
