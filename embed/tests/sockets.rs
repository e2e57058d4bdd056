//! The conversation over sockets that the examples drive themselves: threads, readiness,
//! completions. Each server is a program, so is each client; what they print is the transcript.

#[allow(dead_code, reason = "the program, of which one part is called")]
#[path = "../examples/std_server.rs"]
mod std_server;

use bytes::BytesMut;
use sockless::handshake::{Accept, Asked, Server as Handshake};
use std::io::{BufRead, BufReader, Read, Write, empty};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const TRANSCRIPT: &str = include_str!("../transcript.txt");
/// What `io_uring_server` ends with where the kernel refuses it.
const REFUSED: i32 = 75;

/// The program of an example: cargo builds them all before the tests.
fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap().join("examples");
    let mut command = Command::new(folder.join(name));
    command.stdout(Stdio::piped());
    command
}

/// A running server; `None` if the kernel refuses what it needs.
struct Server {
    process: Child,
    lines: Box<dyn BufRead>,
    address: String,
}

impl Server {
    fn start(name: &str) -> Option<Self> {
        let mut process = example(name).arg("127.0.0.1:0").spawn().unwrap();
        let mut lines = Box::new(BufReader::new(process.stdout.take().unwrap()));
        let mut first = String::new();
        lines.read_line(&mut first).unwrap();
        if first.is_empty() && process.wait().unwrap().code() == Some(REFUSED) {
            return None;
        }
        let address = first.strip_prefix("listening on ").expect(&first).trim().into();
        Some(Self { process, lines, address })
    }

    /// What it says of one peer, to its end.
    fn account(&mut self) -> String {
        let mut account = String::new();
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "the server stopped");
            account += &format!("server: {line}");
            if line.starts_with("ended") {
                return account;
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Both accounts, twice with one server; whether the kernel lets it.
fn converse(server: &str, client: &str) -> bool {
    let Some(mut server) = Server::start(server) else {
        return false;
    };
    for round in 0..2 {
        let output = example(client).arg(&server.address).output().unwrap();
        let account = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{account}");
        assert_eq!(server.account() + &account, TRANSCRIPT, "round {round}");
    }
    true
}

#[test]
fn threads() {
    assert!(converse("std_server", "std_client"));
}

#[test]
fn readiness() {
    assert!(converse("mio_server", "mio_client"));
}

#[test]
fn one_or_the_other() {
    assert!(converse("std_server", "mio_client") && converse("mio_server", "std_client"));
}

#[test]
fn completions() {
    for client in ["std_client", "mio_client"] {
        if !converse("io_uring_server", client) {
            not_run(&format!("io_uring with {client}"));
        }
    }
}

/// Many peers at once, each sent its answers in small reads; a refused one and a lost one amid
/// them.
#[test]
fn a_crowd() {
    for name in ["std_server", "mio_server", "io_uring_server"] {
        let Some(server) = Server::start(name) else {
            not_run(name);
            continue;
        };
        let mut refused = TcpStream::connect(&server.address).unwrap();
        refused.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut response = String::new();
        refused.read_to_string(&mut response).unwrap();
        assert!(response.starts_with("HTTP/1.1 426 "), "{name}: {response}");
        let lost = TcpStream::connect(&server.address).unwrap();
        lost.shutdown(Shutdown::Both).unwrap();

        let crowd: Vec<Child> =
            (0..20).map(|_| example("mio_client").arg(&server.address).spawn().unwrap()).collect();
        let (_, client) = TRANSCRIPT.split_at(TRANSCRIPT.find("client: ").unwrap());
        for member in crowd {
            let output = member.wait_with_output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), client, "{name}");
        }
    }
}

/// Who is refused and sends on reads the answer and then the end, not a reset.
#[test]
fn refused_amid_sending() {
    for (name, server) in servers() {
        let mut refused = TcpStream::connect(&server.address).unwrap();
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n\r\n{}", "more".repeat(20_000));
        refused.write_all(request.as_bytes()).unwrap();
        refused.shutdown(Shutdown::Write).unwrap();
        let mut response = String::new();
        let read = refused.read_to_string(&mut response);
        assert!(read.is_ok() && response.starts_with("HTTP/1.1 426 "), "{name}: {read:?}");
    }
}

const SERVERS: [&str; 6] =
    ["std_server", "mio_server", "io_uring_server", "tokio_server", "tokio_stream", "tokio_chat"];

/// Says so where it is seen: what a test that passes has printed is not.
fn not_run(what: &str) {
    let line = format!("NOT RUN: {what}, which this kernel refuses\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// One after the other, each as it is asked for.
fn servers() -> impl Iterator<Item = (&'static str, Server)> {
    SERVERS.into_iter().filter_map(|name| {
        let server = Server::start(name);
        if server.is_none() {
            not_run(name);
        }
        Some((name, server?))
    })
}

/// A client of a few bytes, its answer read.
fn open(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let fields = "Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    write!(stream, "GET / HTTP/1.1\r\n{fields}").unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    stream
}

/// Sends a message, masked with zeros, and reads its echo.
fn is_served(address: &str) -> bool {
    let (mut stream, mut echo) = (open(address), [0; 4]);
    stream.write_all(b"\x81\x82\0\0\0\0hi").unwrap();
    stream.read_exact(&mut echo).is_ok_and(|()| echo == *b"\x81\x02hi")
}

/// Who sends without a pause, and nothing that is answered, keeps nobody waiting.
#[test]
fn a_flood() {
    for (name, mut server) in servers() {
        let (address, mut flood) = (server.address.clone(), open(&server.address));
        let flooding = thread::spawn(move || {
            let pongs = b"\x8a\x80\0\0\0\0".repeat(10_000);
            while flood.write_all(&pongs).is_ok() {}
        });
        let mut line = String::new();
        while line != "pong \"\"\n" {
            line.clear();
            server.lines.read_line(&mut line).unwrap();
        }
        let asking = thread::spawn(move || is_served(&address));
        while !asking.is_finished() {
            line.clear();
            server.lines.read_line(&mut line).unwrap();
        }
        assert!(asking.join().unwrap(), "{name}");
        drop(server);
        flooding.join().unwrap();
    }
}

/// A Ping waits behind a long answer: for as long as the peer takes that, it is not late.
#[test]
fn what_is_taken_is_told_while_there_is_more() {
    let (mut written, mut out, mut left) = (Vec::new(), BytesMut::zeroed(150_000), Vec::new());
    let tell = |out: &mut BytesMut| {
        left.push(out.len());
        out.extend_from_slice(if left.len() == 3 { b"held" } else { b"" });
    };
    std_server::write(&mut written, &mut out, tell).unwrap();
    assert_eq!(left, [84_464, 18_928, 0, 0]);
    assert!(written.len() == 150_004 && written.ends_with(b"held"));
}

/// What a process has used of a processor, in hundredths of a second.
#[cfg(target_os = "linux")]
fn used(process: &Child) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap();
    let fields = stat.rsplit(") ").next().unwrap().split(' ');
    fields.skip(11).take(2).map(|ticks| ticks.parse::<u32>().unwrap()).sum()
}

/// A connection that is over, of which only the other side's end is missing, is waited for, and not
/// by asking again and again.
#[cfg(target_os = "linux")]
#[test]
fn who_does_not_hang_up_is_waited_for() {
    for (name, server) in servers() {
        let mut peer = open(&server.address);
        peer.write_all(b"\x88\x82\0\0\0\0\x03\xe8").unwrap();
        let mut answer = Vec::new();
        peer.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"\x88\x02\x03\xe8", "{name}");
        let before = used(&server.process);
        thread::sleep(Duration::from_secs(1));
        assert!(used(&server.process) - before < 15, "{name}");
    }
    for name in ["std_client", "mio_client", "tokio_client"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut process = example(name).arg(address).spawn().unwrap();
        let (mut client, _) = listener.accept().unwrap();
        let (mut server, mut out) = (Handshake::new(Arc::default()), BytesMut::new());
        let mut scratch = [0; 4096];
        while out.is_empty() {
            let size = client.read(&mut scratch).unwrap();
            if let Some(Asked::Upgrade(request)) =
                server.receive(&mut &mut scratch[..size], &mut out)
            {
                server.accept(Accept::new(&request), &mut out).unwrap();
                break;
            }
        }
        out.extend_from_slice(b"\xf0"); // a frame that breaks the protocol
        client.write_all(&out).unwrap();
        let mut said = Vec::new();
        client.read_to_end(&mut said).unwrap();
        assert_eq!(said[said.len() - 8..][..2], *b"\x88\x82", "{name}: a Close is the last");
        let before = used(&process);
        thread::sleep(Duration::from_secs(1));
        assert!(used(&process) - before < 15, "{name}");
        drop(client);
        process.wait().unwrap();
    }
}

/// Where nobody reads the account any more, the peers are served as before.
#[test]
fn without_an_account() {
    for (name, mut server) in servers() {
        server.lines = Box::new(empty());
        for round in 0..2 {
            assert!(is_served(&server.address), "{name}, {round}");
        }
    }
}

/// A server that takes connections and says nothing is given up, in the time that an opening has.
#[test]
fn a_silent_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let clients = ["std_client", "mio_client", "tokio_client", "hyper_client"];
    let waiting = clients.map(|name| (name, example(name).arg(&address).spawn().unwrap()));
    for (name, mut client) in waiting {
        assert!(!client.wait().unwrap().success(), "{name}");
    }
}

/// Told to stop, it takes nobody new, says so to those it has, and ends when they have answered.
#[test]
fn a_server_that_stops() {
    let mut server = Server::start("tokio_server").unwrap();
    let mut peers = [(); 3].map(|()| open(&server.address));
    let pid = server.process.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    for peer in &mut peers {
        let mut goodbye = [0; 20];
        peer.read_exact(&mut goodbye).unwrap();
        assert_eq!(goodbye, *b"\x88\x12\x03\xe9the server stops");
    }
    assert!(TcpStream::connect(&server.address).is_err());
    for peer in &mut peers {
        assert!(server.process.try_wait().unwrap().is_none());
        peer.write_all(b"\x88\x82\0\0\0\0\x03\xe9").unwrap();
        assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
    }
    assert!(server.process.wait().unwrap().success());
}
