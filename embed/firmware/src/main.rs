//! The endpoint on a board: a Cortex-M4 whose first serial line is the pipe. `.ci/embedded` starts it.
//!
//! On a host the pipe is standard input and output: `cargo run --manifest-path
//! embed/firmware/Cargo.toml` under `socat TCP-LISTEN:9003 EXEC:...` serves one peer.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod board;

#[cfg(target_os = "none")]
fn main(board: board::Board) -> ! {
    let board::Board { mut line, endpoint } = board;
    loop {
        let byte = line.read();
        endpoint.take(byte, &mut |bytes| line.write(bytes));
    }
}

#[cfg(not(target_os = "none"))]
fn main() {
    use firmware::Endpoint;
    use std::io::{Read, Write};
    let (mut endpoint, mut stdout) = (Endpoint::new(), std::io::stdout().lock());
    for byte in std::io::stdin().lock().bytes().map_while(Result::ok) {
        endpoint.take(byte, &mut |bytes| drop(stdout.write_all(bytes)));
        let _ = stdout.flush();
    }
}
