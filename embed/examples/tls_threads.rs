// cargo run --example tls_threads [CERTIFICATE.PEM]
//! `wss` with rustls and threads, no runtime: `rustls::StreamOwned` reads and writes, over a socket
//! that keeps a deadline, and that is all that it takes.

use bytes::BytesMut;
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sockless::handshake::{Accept, Asked, Server};
use sockless::{Connection, Event, Want};
use sockless_embed::conversation::{SPOKEN, agreement, end, line, server_config};
use sockless_embed::{complain, say};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a peer may send nothing, or take nothing of what it is sent.
const SILENCE: Duration = Duration::from_secs(50);

type Tls = StreamOwned<ServerConnection, Socket>;

/// A socket whose reads end in time, also those that TLS does for itself, however the bytes drip.
struct Socket {
    stream: TcpStream,
    deadline: Option<Instant>,
}

impl Read for Socket {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let left = self.deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let patience = left.map_or(SILENCE, |left| left.min(SILENCE));
        if patience.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(patience))?;
        self.stream.read(room)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.stream.write(bytes) {
                // The program was stopped and goes on: a write with a timeout is told so.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // TLS would go on to read, and pass over the error: what is lost stays lost.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let _ = self.stream.shutdown(Shutdown::Both);
                    return Err(ErrorKind::TimedOut.into());
                }
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    if let Some(file) = std::env::args().nth(1) {
        std::fs::write(file, made.cert.pem())?;
    }
    let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes())?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        let Ok(stream) = stream else {
            std::thread::sleep(Duration::from_millis(100)); // out of descriptors, most likely
            continue;
        };
        let config = Arc::clone(&config);
        // Where no thread can be had, the peer is gone again, and the others stay.
        let _ = std::thread::Builder::new().spawn(move || {
            if let Err(error) = serve(stream, config) {
                complain(error);
            }
        });
    }
    Ok(())
}

fn serve(stream: TcpStream, tls_config: Arc<ServerConfig>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(SILENCE))?;
    let tls = ServerConnection::new(tls_config).map_err(io::Error::other)?;
    let config = server_config();
    let deadline = Some(Instant::now() + config.open_timeout);
    let mut tls = StreamOwned::new(tls, Socket { stream, deadline });
    let (mut scratch, mut out) = (vec![0; 16 << 10], BytesMut::new());
    let mut server = Server::new(config.clone());
    let (mut connection, mut start, mut end_at) = loop {
        let n = tls.read(&mut scratch)?;
        let mut input = &mut scratch[..n];
        let opened = match server.receive(&mut input, &mut out) {
            None if n == 0 => return Ok(()),
            None => continue,
            Some(Asked::Upgrade(request)) => {
                server.accept(Accept::new(&request).prefer(&SPOKEN), &mut out).ok()
            }
            Some(_) => None,
        };
        let left = input.len();
        write(&mut tls, &mut out)?;
        let Some((connection, agreed)) = opened else {
            shut_down(&mut tls);
            // To close with input unread would reset the connection, and could destroy the answer.
            while tls.read(&mut scratch).is_ok_and(|n| n > 0) {}
            return Ok(());
        };
        say(agreement(&agreed));
        // What came behind the handshake is frames already.
        break (connection, n - left, n);
    };
    tls.sock.deadline = None;
    loop {
        echo(&mut connection, &mut scratch[start..end_at], &mut out);
        write(&mut tls, &mut out)?;
        if connection.want() == Want::CloseNow {
            shut_down(&mut tls); // what still comes is dropped
            tls.sock.deadline.get_or_insert(Instant::now() + config.close_timeout);
        }
        (start, end_at) = match tls.read(&mut scratch) {
            Err(error) if connection.want() == Want::Read => return Err(error),
            // Once both Closes have passed, how the transport ends is of no interest.
            read => (0, read.unwrap_or(0)),
        };
        if end_at == 0 {
            break;
        }
    }
    say(end(&connection.eof()));
    Ok(())
}

fn echo(connection: &mut Connection, mut input: &mut [u8], out: &mut BytesMut) {
    while let Some(event) = connection.receive(&mut input, out) {
        say(line(&event));
        // After a Close of our own there is no answer.
        let _ = match event {
            Event::Text(text) => connection.send_text(&text, out),
            Event::Binary(data) => connection.send_binary(&data, out),
            _ => Ok(()),
        };
    }
}

/// TLS says that it ends, and so does TCP. What is wrong, the read tells.
fn shut_down(tls: &mut Tls) {
    tls.conn.send_close_notify();
    let _ = tls.flush();
    let _ = tls.sock.stream.shutdown(Shutdown::Write);
}

fn write(tls: &mut Tls, out: &mut BytesMut) -> io::Result<()> {
    tls.write_all(out)?;
    out.clear();
    tls.flush()
}
