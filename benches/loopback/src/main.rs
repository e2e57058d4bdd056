//! What a message costs a server on loopback: the `echo` example beside a raw TCP echo.
//!
//! ```text
//! cargo build --release --example echo
//! cargo run --release --manifest-path benches/loopback/Cargo.toml [-- ROUNDS [ROW]]
//! ```
//!
//! Both servers are processes of their own with one thread. They take turns, round by round, under
//! the same load: so many connections, each with so many messages in flight. A figure is the
//! processor time of the server (user and system, as the scheduler counts it) for each message, the
//! least of all rounds. With `strace` on the machine, and leave to attach it to a process, system
//! calls are counted in a run apart, once the connections are open.
//!
//! `-- idle` measures memory instead: what 10,000 connections add to that of a server's process
//! (`RssAnon`: what the kernel keeps for sockets is not in it), half a second after their
//! handshakes, and after a message of 64 KiB or more on each. Both processes need as many
//! descriptors (`ulimit -n 20000`).
//!
//! What TCP does between the two shows, so its congestion control is named first. BBR paces what is
//! sent, with a timer for each pause, and whether it does differs from round to round; CUBIC does
//! not. In a network of its own a run may choose:
//!
//! ```text
//! unshare -rn sh -c 'ip link set lo up; sysctl -qw net.ipv4.tcp_congestion_control=cubic; \
//!     exec benches/loopback/target/release/sockless-loopback'
//! ```
//!
//! With `PEER=program` in the environment, a WebSocket server of somebody else's takes its turns
//! too: it says where it listens at the end of its first line, and echoes without compression.

mod load;
mod raw;

use load::Load;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;
use std::{env, fs};

/// How long nothing happens before idle connections are looked at.
const QUIET: Duration = Duration::from_millis(500);
/// How long a round lasts, after a fifth of it to warm up.
const ROUND: Duration = Duration::from_millis(400);

struct Row {
    name: &'static str,
    load: Load,
    options: &'static [&'static str],
}

const fn row(
    name: &'static str,
    size: usize,
    connections: usize,
    in_flight: usize,
    options: &'static [&'static str],
) -> Row {
    Row { name, load: Load { size, connections, in_flight }, options }
}

const ROWS: [Row; 5] = [
    row("16 B, 32 × 16", 16, 32, 16, &[]),
    row("16 B, 32 × 256", 16, 32, 256, &[]),
    row("16 KiB, 32 × 16", 16 << 10, 32, 16, &[]),
    row("16 KiB, 200 × 1", 16 << 10, 200, 1, &[]),
    row("1 MiB, 1 × 1, `--stream`", 1 << 20, 1, 1, &["--stream"]),
];

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let argument = env::args().nth(1);
    if argument.as_deref() == Some("raw") {
        return Ok(raw::serve()?);
    }
    let is_idle = argument.as_deref() == Some("idle");
    let echo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/release/examples/echo");
    let echo = env::var_os("ECHO").map_or(echo, PathBuf::from);
    let raw = env::current_exe()?;

    let peer = env::var_os("PEER").map(PathBuf::from);
    if is_idle {
        return idle(&echo, peer.as_deref());
    }
    let rounds = argument.map_or(Ok(25), |text| text.parse())?;

    if let Ok(name) = fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control") {
        println!("congestion control: {}\n", name.trim());
    }
    print!("| | raw TCP, µs | echo, µs | ratio | raw TCP, calls | echo, calls | ratio |");
    println!("{}", if peer.is_some() { " peer, µs | ratio | peer, calls | ratio |" } else { "" });
    println!(
        "|---|---|---|---|---|---|---|{}",
        if peer.is_some() { "---|---|---|---|" } else { "" }
    );
    let wanted = env::args().nth(2).unwrap_or_default();
    for Row { name, load, options } in ROWS.iter().filter(|row| row.name.contains(&wanted)) {
        let (load, options) = (*load, *options);
        let mut servers: Vec<(&Path, &[&str], bool)> =
            vec![(&raw, &["raw"], false), (&echo, options, true)];
        servers.extend(peer.as_deref().map(|peer| (peer, &[][..], true)));
        let mut least = vec![f64::INFINITY; servers.len()];
        for _ in 0..rounds {
            for ((program, options, handshake), least) in servers.iter().zip(&mut least) {
                let server = Server::start(Command::new(program), options)?;
                let cost = server.cost(load, *handshake)?;
                *least = least.min(cost);
            }
        }
        let calls: Vec<_> = servers
            .iter()
            .map(|(program, options, handshake)| calls(program, options, load, *handshake).ok())
            .collect();
        // Ours beside the first, and beside the third where there is one.
        let (echo, echo_calls) = (least[1], calls[1]);
        print!("| {name} | {:.3} | {echo:.3} | {:.2}× ", least[0], echo / least[0]);
        print!("{}", columns(calls[0], echo_calls, true));
        if let (Some(cost), Some(calls)) = (least.get(2), calls.get(2)) {
            print!("| {cost:.3} | {:.2}× {}", echo / cost, columns(*calls, echo_calls, false));
        }
        println!("|");
    }
    Ok(())
}

/// Memory for each idle connection.
fn idle(echo: &Path, peer: Option<&Path>) -> Result<()> {
    const CONNECTIONS: usize = 10_000;
    println!("| | after the handshake, B | after messages, B |\n|---|---|---|");
    for (name, program) in [("echo", Some(echo)), ("peer", peer)] {
        let Some(program) = program else { continue };
        let server = Server::start(Command::new(program), &[])?;
        let load = |connections| Load { size: 64 << 10, connections, in_flight: 1 };
        // What a server has once for all of them.
        let mut first = load(100).connect(server.address, true)?;
        first.drive(ROUND)?;
        first.settle()?;
        sleep(QUIET);
        let before = server.memory()?;
        let mut clients = load(CONNECTIONS).connect(server.address, true)?;
        sleep(QUIET);
        let opened = server.memory()?;
        clients.drive(10 * ROUND)?;
        clients.settle()?;
        sleep(QUIET);
        assert!(clients.all_answered(), "a connection was left out");
        let used = server.memory()?;
        let each = |bytes: f64| (bytes - before) / CONNECTIONS as f64;
        println!("| {name} | {:.0} | {:.0} |", each(opened), each(used));
    }
    Ok(())
}

/// System calls of another server, ours if they were not shown yet, and the ratio; blank without
/// `strace`.
fn columns(theirs: Option<f64>, ours: Option<f64>, show_ours: bool) -> String {
    match (theirs, ours) {
        (Some(theirs), Some(ours)) if show_ours => {
            format!("| {theirs:.3} | {ours:.3} | {:.2}× ", ours / theirs)
        }
        (Some(theirs), Some(ours)) => format!("| {theirs:.3} | {:.2}× ", ours / theirs),
        _ => "| ".repeat(if show_ours { 3 } else { 2 }),
    }
}

/// A server in a process of its own, for as long as this lives.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start(mut program: Command, options: &[&str]) -> Result<Self> {
        // `raw` chooses its port by itself.
        program.args(options);
        if options != ["raw"] {
            program.arg("127.0.0.1:0");
        }
        let mut process = program.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let address = line.trim().rsplit(' ').next().ok_or("no address")?.parse()?;
        Ok(Self { process, address })
    }

    /// Bytes of its own memory that it uses.
    fn memory(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let figure = line.and_then(|line| line.split_whitespace().next()).ok_or("no figure")?;
        Ok(figure.parse::<f64>()? * 1024.0)
    }

    /// Microseconds of processor time for each message.
    fn cost(&self, load: Load, handshake: bool) -> Result<f64> {
        let path = format!("/proc/{}/schedstat", self.process.id());
        let busy = || -> Result<f64> {
            let text = fs::read_to_string(&path)?;
            Ok(text.split(' ').next().ok_or("no figure")?.parse::<f64>()? / 1e3)
        };
        let mut clients = load.connect(self.address, handshake)?;
        clients.drive(ROUND / 5)?;
        let before = busy()?;
        let messages = clients.drive(ROUND)?;
        Ok((busy()? - before) / messages)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// System calls for each message, once the connections are open.
fn calls(program: &Path, options: &[&str], load: Load, handshake: bool) -> Result<f64> {
    let server = Server::start(Command::new(program), options)?;
    let mut clients = load.connect(server.address, handshake)?;
    let log = env::temp_dir().join(format!("loopback-{}", std::process::id()));
    let pid = server.process.id().to_string();
    let mut strace = Command::new("strace");
    strace.args(["-qq", "-c", "-U", "calls,name", "-o"]).arg(&log).args(["-p", &pid]);
    let mut strace = strace.stderr(Stdio::null()).spawn()?;
    let status = Path::new("/proc").join(&pid).join("status");
    while fs::read_to_string(&status)?.contains("TracerPid:\t0\n") {
        if strace.try_wait()?.is_some() {
            return Err("strace did not attach".into());
        }
        sleep(Duration::from_millis(1));
    }
    let messages = clients.drive(ROUND)?;
    // It writes its table when it is interrupted.
    Command::new("kill").args(["-INT", &strace.id().to_string()]).status()?;
    strace.wait()?;
    let table = fs::read_to_string(&log)?;
    fs::remove_file(&log)?;
    let total = table.lines().last().and_then(|line| line.split_whitespace().next());
    Ok(total.ok_or("no total")?.parse::<f64>()? / messages)
}
