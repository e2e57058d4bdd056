//! cargo run --manifest-path embed/Cargo.toml --example std_client ADDRESS
//!
//! A client over a blocking socket: it holds the conversation, and prints its account of it.

use bytes::BytesMut;
use sockless::handshake::{Answer, Client, Offer, Target};
use sockless::{Keepalive, Keys, Want};
use sockless_embed::conversation::{OFFERED, PATH, Script, client_config};
use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("which address?")?;
    let target = Target::parse(&format!("ws://{address}{PATH}"))?;
    let mut socket = TcpStream::connect((target.host(), target.port()))?;
    socket.set_nodelay(true)?;

    let (config, clock) = (client_config(), Instant::now());
    let timers = Keepalive::new(config.clone(), Duration::ZERO);
    let (mut scratch, mut out) = (vec![0; 64 << 10], BytesMut::new());
    let offer = Offer::new(&target).subprotocol(OFFERED[0])?.subprotocol(OFFERED[1])?;
    let mut client = Client::start(config, Keys::system(), &offer, &mut out);
    socket.write_all(&out)?;
    let mut script = loop {
        let patience = timers.next().map(|due| due.saturating_sub(clock.elapsed()));
        socket.set_read_timeout(patience.map(|it| it.max(Duration::from_millis(1))))?;
        let size = read(&mut socket, &mut scratch)?;
        if size == 0 {
            return Err("the server hung up".into());
        }
        let mut input = &mut scratch[..size];
        match client.receive(&mut input) {
            None => {}
            Some(Answer::Open { connection, agreed, .. }) => {
                let mut script = Script::new(connection, &agreed);
                script.receive(input); // frames that came with the answer
                break script;
            }
            Some(Answer::Refused(response)) => {
                return Err(format!("refused: {}", response.status()).into());
            }
            Some(Answer::Failed(error)) => return Err(error.into()),
            Some(other) => return Err(format!("{other:?}").into()),
        }
    };

    // A program of its own would ping here, as `std_server` does; this one knows when it is done.
    socket.set_read_timeout(Some(Duration::from_secs(30)))?;
    while script.want() == Want::Read {
        socket.write_all(&script.out)?;
        script.out.clear();
        match read(&mut socket, &mut scratch)? {
            0 => break,
            size => script.receive(&mut scratch[..size]),
        }
    }
    // The last word, then the server's end. Unless both Closes have passed, this side's comes first.
    socket.write_all(&script.out)?;
    if script.want() == Want::CloseNow {
        let _ = socket.shutdown(Shutdown::Write); // what is wrong, the read tells
    }
    while read(&mut socket, &mut scratch)? > 0 {}
    print!("{}", script.eof());
    Ok(())
}

/// Reads, also where the program is stopped and goes on: a read with a timeout is told so.
fn read(socket: &mut TcpStream, scratch: &mut [u8]) -> io::Result<usize> {
    loop {
        match socket.read(scratch) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}
