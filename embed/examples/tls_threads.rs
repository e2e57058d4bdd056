// cargo run --example tls_threads [CERTIFICATE.PEM]
//! `wss` with rustls and threads, no runtime: `rustls::StreamOwned` reads and writes, and that is
//! all that it takes.

use bytes::BytesMut;
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sockless::handshake::{Accept, Asked, Server};
use sockless::{Connection, Event, Want};
use sockless_embed::conversation::{SPOKEN, agreement, end, line, server_config};
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

type Tls = StreamOwned<ServerConnection, TcpStream>;

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
        std::thread::spawn(move || {
            if let Err(error) = serve(stream, config) {
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(50)))?;
    stream.set_write_timeout(Some(Duration::from_secs(50)))?;
    let tls = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut tls = StreamOwned::new(tls, stream);
    let (mut scratch, mut out) = (vec![0; 16 << 10], BytesMut::new());
    let mut server = Server::new(server_config());
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
        let Some((connection, agreed)) = opened else { return Ok(()) };
        println!("{}", agreement(&agreed));
        // What came behind the handshake is frames already.
        break (connection, n - left, n);
    };
    loop {
        echo(&mut connection, &mut scratch[start..end_at], &mut out);
        write(&mut tls, &mut out)?;
        if connection.want() == Want::CloseNow {
            // TLS says that it ends, and so does TCP; what still comes is dropped.
            tls.conn.send_close_notify();
            tls.flush()?;
            tls.sock.shutdown(Shutdown::Write)?;
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
    println!("{}", end(&connection.eof()));
    Ok(())
}

fn echo(connection: &mut Connection, mut input: &mut [u8], out: &mut BytesMut) {
    while let Some(event) = connection.receive(&mut input, out) {
        println!("{}", line(&event));
        // After a Close of our own there is no answer.
        let _ = match event {
            Event::Text(text) => connection.send_text(&text, out),
            Event::Binary(data) => connection.send_binary(&data, out),
            _ => Ok(()),
        };
    }
}

fn write(tls: &mut Tls, out: &mut BytesMut) -> io::Result<()> {
    tls.write_all(out)?;
    out.clear();
    tls.flush()
}
