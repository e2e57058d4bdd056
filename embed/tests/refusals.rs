//! What the router of `axum_server` refuses, and in whose words, as a client on a socket reads it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The end of a head, and what may look like another: sent before the answer, as frames would be.
const EARLY: &str = "\r\nGET / HTTP/1.1\r\nHost: a\r\n";

/// All that is answered to a request: every one of these is the last of its connection.
fn ask(address: &str, path: &str, fields: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{fields}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let (mut answer, mut scratch) = (Vec::new(), [0; 4096]);
    // A 101 is followed by nothing until the client says more; the others end.
    while !answer.starts_with(b"HTTP/1.1 101") || !answer.ends_with(b"\r\n\r\n") {
        match stream.read(&mut scratch).unwrap() {
            0 => break,
            n => answer.extend_from_slice(&scratch[..n]),
        }
    }
    String::from_utf8(answer).unwrap().to_lowercase()
}

/// A server that ends with the test, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn refused_in_whose_words() {
    let mut program = std::env::current_exe().unwrap();
    program.pop();
    program.pop();
    program.push("examples/axum_server");
    let mut server = Running(Command::new(program).stdout(Stdio::piped()).spawn().unwrap());
    let mut first = String::new();
    let mut stdout = BufReader::new(server.0.stdout.take().unwrap());
    stdout.read_line(&mut first).unwrap();
    let address = first.trim().strip_prefix("listening on ").unwrap().to_owned();

    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let upgrade = format!("Upgrade: websocket\r\nConnection: Upgrade\r\n{key}");
    let version = |version| format!("{upgrade}Sec-WebSocket-Version: {version}\r\n");
    let close = "Connection: close\r\n";
    for (path, fields, status, wanted) in [
        ("/", close.into(), 200, "a page like any other."),
        ("/conversation", EARLY.into(), 426, "upgrade: websocket"),
        ("/conversation", version("13"), 101, "s3ppLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("/conversation", version("12") + EARLY, 426, "sec-websocket-version: 13"),
        ("/conversation", upgrade.clone() + EARLY, 400, "sec-websocket-version missing"),
        (
            "/conversation",
            format!("{}Origin: https://evil.example\r\n{EARLY}", version("13")),
            403,
            "origin not allowed",
        ),
        ("/members", version("13") + EARLY, 401, "members only."),
        (
            "/members",
            format!("{}Authorization: Bearer of good news\r\n", version("13")),
            101,
            "upgrade: websocket",
        ),
    ] {
        let answer = ask(&address, path, &fields);
        let what = format!("{path} {fields}\n{answer}");
        assert!(answer.starts_with(&format!("http/1.1 {status} ")), "{what}");
        assert!(answer.contains(&wanted.to_lowercase()), "{what}");
        assert_eq!(answer.matches("http/1.1 ").count(), 1, "{what}");
    }
}
