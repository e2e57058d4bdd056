//! A client for the terminal, and the manual for halves on two threads.
//!
//! ```text
//! cargo run --release --example wscat -- ws://127.0.0.1:9002 [options]        (see `--help`)
//! ```
//!
//! The reading thread owns the receiving half, the main thread the sending half and the timers.
//! What the one has to tell the other lies in one [`Slot`], never in a queue: a server that only
//! talks, or does not read, makes nothing grow.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "that is what it is for")]

#[path = "../common/deflate.rs"]
mod deflate;
#[path = "../common/farewell.rs"]
mod farewell;
mod options;
mod proxy;
mod reading;
mod session;

use bytes::BytesMut;
use options::{Failure, Options};
use reading::{Post, Slot};
use session::{STUCK, Session};
use sockless::handshake::{Answer, Client, Offer, Response, Target};
use sockless::{Config, Connection, Keepalive, Keys, Phase};
use std::fmt::Display;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// How much is read at a time.
const SCRATCH: usize = 64 << 10;
/// The longest content of a refusal that is shown.
const MAX_CONTENT: usize = 8 << 10;

fn main() -> ExitCode {
    match Options::parse(std::env::args().skip(1))
        .and_then(|options| options.as_ref().map_or(Ok(()), run))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(status, why)) => {
            complain(why);
            ExitCode::from(status)
        }
    }
}

fn run(options: &Options) -> Result<(), Failure> {
    let target = Target::parse(&options.url)
        .map_err(|error| Failure(1, format!("{}: {error}", options.url)))?;
    let offer = options.offer(&target).map_err(|error| Failure(1, error.to_string()))?;
    if target.secure() {
        return Err(Failure(2, "wss needs TLS, which this example does not bring".into()));
    }
    let mut opening = Opening::connect(options, &target)?;
    if let Some(proxy) = &options.proxy {
        proxy.tunnel(&target, &mut opening)?;
    }
    let (connection, early) = opening.shake_hands(&offer)?;
    let Opening { socket, clock, mut timers, .. } = opening;
    timers.phase(Phase::Open, clock.elapsed());
    let (receiver, sender) = connection.split();
    let _ = socket.set_read_timeout(None);
    let _ = socket.set_write_timeout(Some(STUCK));

    // Lines wait in the channel, a few at a time; the reading thread only uses it to wake us.
    let (inputs, inbox) = mpsc::sync_channel(16);
    let slot = Arc::new(Mutex::new(Slot::default()));
    let post = Post { slot: slot.clone(), wake: inputs.clone() };
    let read_end =
        socket.try_clone().map_err(|error| Failure(4, format!("no second handle: {error}")))?;
    thread::spawn(move || reading::read(read_end, receiver, early, &post));
    thread::spawn(move || reading::read_lines(&inputs));
    let (farewell, out) = (options.farewell, BytesMut::new());
    Session { socket, sender, timers, clock, farewell, slot, out, mute: false, printing: false }
        .run(&inbox)
}

/// A connection on its way: all that its handshakes share.
struct Opening {
    socket: TcpStream,
    config: Arc<Config>,
    clock: Instant,
    timers: Keepalive,
    scratch: Vec<u8>,
}

impl Opening {
    /// Connects to the target, or to the proxy that leads there.
    fn connect(options: &Options, target: &Target) -> Result<Self, Failure> {
        let (config, clock) = (options.config(), Instant::now());
        let failed = |error: io::Error| {
            let direct = target.authority().to_string();
            let address = options.proxy.as_ref().map_or(direct, |proxy| proxy.address.clone());
            Failure(2, format!("{address}: {error}"))
        };
        let addresses = match &options.proxy {
            Some(proxy) => proxy.address.to_socket_addrs(),
            None => (target.host(), target.port()).to_socket_addrs(),
        };
        let mut result = Err(failed(io::Error::other("no address")));
        for address in addresses.map_err(failed)? {
            match TcpStream::connect_timeout(&address, config.open_timeout) {
                Err(error) => result = Err(failed(error)),
                Ok(socket) => {
                    socket.set_nodelay(true).map_err(failed)?;
                    let timers = Keepalive::new(config.clone(), clock.elapsed());
                    return Ok(Self { socket, config, clock, timers, scratch: vec![0; SCRATCH] });
                }
            }
        }
        result
    }

    /// Reads, for as long as an opening may take.
    fn read(&mut self) -> Result<&mut [u8], Failure> {
        loop {
            let patience = self.timers.next().map(|due| due.saturating_sub(self.clock.elapsed()));
            if patience == Some(Duration::ZERO) {
                return Err(failed("no answer in time"));
            }
            self.socket.set_read_timeout(patience).map_err(failed)?;
            match self.socket.read(&mut self.scratch) {
                Ok(0) => return Err(failed("the server hung up")),
                Ok(size) => return Ok(&mut self.scratch[..size]),
                Err(error) if is_temporary(&error) => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// The opening handshake: the connection, and the frames that came together with the answer.
    fn shake_hands(&mut self, offer: &Offer<'_>) -> Result<(Connection, Vec<u8>), Failure> {
        let mut out = BytesMut::new();
        let mut client = Client::start(self.config.clone(), Keys::system(), offer, &mut out);
        self.socket.write_all(&out).map_err(failed)?;
        loop {
            let mut input = self.read()?;
            match client.receive(&mut input) {
                None => {}
                Some(Answer::Open { connection, agreed, .. }) => {
                    if let Some(subprotocol) = agreed.subprotocol {
                        complain(format_args!("subprotocol {subprotocol}"));
                    }
                    #[cfg(feature = "deflate")]
                    if let Some(params) = agreed.deflate {
                        complain(params);
                    }
                    return Ok((connection, input.to_vec()));
                }
                Some(Answer::Refused(response)) => {
                    let (response, early) = (response.into_owned(), input.to_vec());
                    let content = content(&mut self.socket, &response, early);
                    let text = [response.reason(), b"\n", &content].concat();
                    let text = harmless(&String::from_utf8_lossy(&text));
                    return Err(failed(format!("{} {}", response.status(), text.trim_end())));
                }
                Some(Answer::Failed(error)) => return Err(failed(error)),
                Some(_) => return Err(failed("an answer of a kind not known here")),
            }
        }
    }
}

/// `eprintln!` would panic where nobody reads it, and change the exit status.
fn complain(why: impl Display) {
    let _ = writeln!(io::stderr(), "wscat: {why}");
}

fn failed(why: impl Display) -> Failure {
    Failure(3, format!("handshake failed: {why}"))
}

/// The content of a refusal, as far as it comes within a second.
fn content(socket: &mut TcpStream, response: &Response<'_>, mut content: Vec<u8>) -> Vec<u8> {
    let length = response.field("Content-Length").and_then(|text| std::str::from_utf8(text).ok());
    let wanted = length.and_then(|text| text.parse().ok()).unwrap_or(MAX_CONTENT).min(MAX_CONTENT);
    let end = Instant::now() + Duration::from_secs(1);
    let mut piece = [0; 1024];
    while content.len() < wanted {
        let left = end.saturating_duration_since(Instant::now());
        // No time is none; what came before an error is kept.
        match socket.set_read_timeout(Some(left)).and_then(|()| socket.read(&mut piece)) {
            Ok(size @ 1..) => content.extend_from_slice(&piece[..size]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            _ => break,
        }
    }
    content.truncate(wanted);
    content
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Text of a stranger, without what would command a terminal or turn the writing around.
fn harmless(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' | '\t' => safe.push(char),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                safe.extend(char.escape_unicode());
            }
            _ if char.is_control() => safe.extend(char.escape_unicode()),
            _ => safe.push(char),
        }
    }
    safe
}
