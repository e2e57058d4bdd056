//! cargo run --manifest-path embed/Cargo.toml --example mio_client ADDRESS
//!
//! A client that waits for readiness, to read and to write at once: it holds the conversation, and
//! prints its account of it.

use bytes::{Buf, BytesMut};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use sockless::handshake::{Answer, Client, Offer, Target};
use sockless::{Keepalive, Keys, Want};
use sockless_embed::conversation::{OFFERED, PATH, Script, client_config};
use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

enum Stage {
    Opening(Client, BytesMut),
    Open(Script),
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("which address?")?;
    let target = Target::parse(&format!("ws://{address}{PATH}"))?;
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    let mut socket = TcpStream::connect(address.parse()?)?;
    let both = Interest::READABLE | Interest::WRITABLE;
    poll.registry().register(&mut socket, Token(0), both)?;

    let (config, clock, mut out) = (client_config(), Instant::now(), BytesMut::new());
    let timers = Keepalive::new(config.clone(), Duration::ZERO);
    let offer = Offer::new(&target).subprotocol(OFFERED[0])?.subprotocol(OFFERED[1])?;
    let client = Client::start(config, Keys::system(), &offer, &mut out);
    let (mut stage, mut scratch) = (Stage::Opening(client, out), vec![0; 64 << 10]);
    let mut shut = false;
    loop {
        // The opening has a deadline; afterwards this program knows when it is done.
        let left = match &stage {
            Stage::Opening(..) => timers.next().map(|due| due.saturating_sub(clock.elapsed())),
            Stage::Open(_) => Some(Duration::from_secs(30)),
        };
        match poll.poll(&mut events, left) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        if events.is_empty() {
            return Err("nothing came in time".into());
        }
        if turn(&mut socket, &mut stage, &mut scratch, &mut shut)? {
            break;
        }
    }
    if let Stage::Open(script) = stage {
        print!("{}", script.eof());
    }
    Ok(())
}

/// Writes and reads until neither goes on; whether the transport has ended.
fn turn(
    socket: &mut TcpStream,
    stage: &mut Stage,
    scratch: &mut [u8],
    shut: &mut bool,
) -> Result<bool, Box<dyn Error>> {
    let would_block =
        |error: &io::Error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected);
    loop {
        // What goes out does not keep from reading: the server may have to get rid of something.
        let out = match stage {
            Stage::Opening(_, out) => out,
            Stage::Open(script) => &mut script.out,
        };
        while !out.is_empty() {
            match socket.write(out) {
                Ok(size) => out.advance(size),
                Err(error) if would_block(&error) => break,
                Err(error) => return Err(error.into()),
            }
        }
        let written = out.is_empty();
        let ended = matches!(&stage, Stage::Open(script) if script.want() == Want::CloseNow);
        // Once: a shutdown is an event of the socket, and that another turn.
        if written && ended && !std::mem::replace(shut, true) {
            let _ = socket.shutdown(Shutdown::Write); // what is wrong, the read tells
        }
        let size = match socket.read(scratch) {
            Ok(0) => return Ok(true),
            Ok(size) => size,
            Err(error) if would_block(&error) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let mut input = &mut scratch[..size];
        match stage {
            Stage::Open(script) => script.receive(input),
            Stage::Opening(client, _) => match client.receive(&mut input) {
                None => {}
                Some(Answer::Open { connection, agreed, .. }) => {
                    let mut script = Script::new(connection, &agreed);
                    script.receive(input); // frames that came with the answer
                    *stage = Stage::Open(script);
                }
                Some(answer) => return Err(format!("{answer:?}").into()),
            },
        }
    }
}
