//! bash .ci/bare target/ci/bare thumbv7em-none-eabihf core --release --manifest-path embed/firmware/Cargo.toml
//!
//! The endpoint on a board: a Cortex-M4 whose first serial line is the pipe. That builds it; this
//! starts it on an emulated one, as a server on port 9003:
//!
//! ```text
//! qemu-system-arm -M mps2-an386 -display none -serial tcp:127.0.0.1:9003,server=on,wait=off \
//!     -kernel target/ci/bare/target/thumbv7em-none-eabihf/release/firmware
//! ```
//!
//! On a host the pipe is standard input and output.
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
