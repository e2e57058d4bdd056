//! Every transport, server and client as programs of their own, over real sockets: the conversation
//! is the same one, to the letter.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

const TRANSCRIPT: &str = include_str!("../transcript.txt");

/// A program that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn example(name: &str) -> Command {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let mut command = Command::new(path.join("examples").join(name));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    command
}

/// The lines of a program, as they come.
fn lines(child: &mut Child) -> mpsc::Receiver<String> {
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Runs both; what both saw. A server that needs a file gets one to write its certificate to, and
/// so does a client to read it from.
fn hold(server: &str, client: &str) -> String {
    let limit = Duration::from_secs(60);
    let certificate =
        std::env::temp_dir().join(format!("{server}-{client}-{}.pem", std::process::id()));
    let mut running = Running(example(server).arg(&certificate).spawn().expect(server));
    let said = lines(&mut running.0);
    let first = said.recv_timeout(limit).expect("a server says where it listens");
    let address = first.strip_prefix("listening on ").unwrap();
    let mut talking =
        Running(example(client).arg(address).arg(&certificate).spawn().expect(client));
    let heard = lines(&mut talking.0);
    let mut transcript = String::new();
    loop {
        let line = said.recv_timeout(limit).expect("a server tells how it ended");
        transcript += &format!("server: {line}\n");
        if line.starts_with("ended") {
            break;
        }
    }
    while let Ok(line) = heard.recv_timeout(limit) {
        transcript += &format!("{line}\n");
    }
    assert!(talking.0.wait().unwrap().success(), "{client}");
    let _ = std::fs::remove_file(certificate);
    transcript
}

/// One test for each transport: a server and a client, crossed where they speak the same.
macro_rules! conversations {
    ($($name:ident: $server:literal, $client:literal;)*) => {$(
        #[test]
        fn $name() {
            assert_eq!(hold($server, $client), TRANSCRIPT);
        }
    )*};
}

conversations! {
    tokio: "tokio_server", "tokio_client";
    tokio_stream: "tokio_stream", "tokio_client";
    tokio_halves: "tokio_chat", "tokio_client";
    tls: "tls_server", "tls_client";
    tls_threads: "tls_threads", "tls_threads_client";
    tls_crossed: "tls_threads", "tls_client";
    http_2: "h2_server", "h2_client";
    axum: "axum_server", "tokio_client";
    hyper: "axum_server", "hyper_client";
    http_3: "h3_server", "h3_client";
}
