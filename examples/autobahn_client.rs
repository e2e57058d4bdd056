//! The other end of the Autobahn test suite's `fuzzingserver`: runs each of its cases by echoing.
//!
//! ```text
//! cargo run --release --example autobahn_client -- ws://127.0.0.1:9001 [--read N] [options]
//! ```
//!
//! With `--features deflate` it offers compression, and takes `--no-deflate`, `--deflate-takeover`
//! and `--window-bits N`. `--read N` reads at most N bytes at a time, `--fragment N` sends messages
//! in fragments of N bytes, `--limit NAME=N` sets a limit.
#![allow(clippy::print_stdout, reason = "it says how far it is")]

#[path = "common/deflate.rs"]
mod deflate;
#[path = "common/limits.rs"]
mod limits;

use bytes::BytesMut;
use deflate::Deflate;
use sockless::frame::Kind;
use sockless::handshake::{Answer, Client, Offer, Target};
use sockless::{Config, Connection, Event, Keys, Role, SendError, Want};
use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How long a server may be silent: longer than the slowest case.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> Result<()> {
    let (mut url, mut read, mut deflate) = (None, 64 << 10, Deflate::default());
    let mut fragment = usize::MAX;
    let mut config = Config::default();
    config.max_message = 64 << 20;
    config.max_frame = config.max_message;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match &*arg {
            _ if deflate.take(&arg, || args.next())? => {}
            "--read" => read = args.next().unwrap_or_default().parse::<u16>()?.max(1).into(),
            "--fragment" => {
                fragment = args.next().unwrap_or_default().parse::<u16>()?.max(1).into();
            }
            "--limit" => limits::limit(&mut config, &args.next().unwrap_or_default())
                .ok_or("--limit wants NAME=N")?,
            _ if arg.starts_with('-') => {
                let usage = "usage: autobahn_client URL [--read N] [--fragment N] [options]\n\n";
                return Err(format!("{usage}{}{}", limits::HELP, deflate::HELP).into());
            }
            _ => url = Some(arg),
        }
    }
    let url = url.unwrap_or_else(|| "ws://127.0.0.1:9001".into());
    deflate.configure(&mut config, Role::Client);
    let mut tester = Tester { url, config: Arc::new(config), scratch: vec![0; read], fragment };

    let count: usize = tester.run("getCaseCount", false)?.parse()?;
    for case in 1..=count {
        // What went wrong is in the report.
        if let Err(error) = tester.run(&format!("runCase?case={case}&agent=sockless"), true) {
            println!("case {case} of {count}: {error}");
        }
    }
    tester.run("updateReports?agent=sockless", false)?;
    println!("{count} cases");
    Ok(())
}

struct Tester {
    url: String,
    config: Arc<Config>,
    scratch: Vec<u8>,
    /// How much of a message goes into a frame.
    fragment: usize,
}

impl Tester {
    /// One connection, from the request to the end of the transport; the last text that came.
    fn run(&mut self, path: &str, echoing: bool) -> Result<String> {
        let target = Target::parse(&format!("{}/{path}", self.url))?;
        let mut socket = TcpStream::connect((target.host(), target.port()))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let mut out = BytesMut::new();
        let offer = Offer::new(&target);
        let mut client = Client::start(self.config.clone(), Keys::system(), &offer, &mut out);
        let mut connection: Option<Connection> = None;
        let mut last = String::new();
        loop {
            // A server that has gone may have left something to read.
            let _ = socket.write_all(&out);
            out.clear();
            if connection.as_ref().is_some_and(|connection| connection.want() == Want::CloseNow) {
                let _ = socket.shutdown(Shutdown::Write);
            }
            // The suite resets a connection that both have closed.
            let size = match socket.read(&mut self.scratch) {
                Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                size => size?,
            };
            if size == 0 {
                return if connection.is_some() { Ok(last) } else { Err("no answer".into()) };
            }
            let mut input = &mut self.scratch[..size];
            let open = match &mut connection {
                Some(open) => open,
                None => match client.receive(&mut input) {
                    None => continue,
                    Some(Answer::Open { connection: open, .. }) => connection.insert(open),
                    Some(Answer::Refused(response)) => {
                        return Err(format!("refused with {}", response.status()).into());
                    }
                    Some(answer) => return Err(format!("{answer:?}").into()),
                },
            };
            while let Some(event) = open.receive(&mut input, &mut out) {
                match event {
                    Event::Text(text) if echoing && text.len() <= self.fragment => {
                        open.send_text(&text, &mut out)?;
                    }
                    Event::Binary(data) if echoing && data.len() <= self.fragment => {
                        open.send_binary(&data, &mut out)?;
                    }
                    Event::Text(text) if echoing => {
                        send(open, Kind::Text, text.as_bytes(), self.fragment, &mut out)?;
                    }
                    Event::Binary(data) if echoing => {
                        send(open, Kind::Binary, &data, self.fragment, &mut out)?;
                    }
                    Event::Text(text) => last = text.to_string(),
                    _ => {} // Pongs and Closes are in `out`
                }
            }
        }
    }
}

/// Sends a message in fragments.
fn send(
    connection: &mut Connection,
    kind: Kind,
    message: &[u8],
    fragment: usize,
    out: &mut BytesMut,
) -> std::result::Result<(), SendError> {
    let count = message.len().div_ceil(fragment);
    for (at, piece) in message.chunks(fragment).enumerate() {
        connection.send_fragment(kind, piece, at + 1 == count, out)?;
    }
    Ok(())
}
