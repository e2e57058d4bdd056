//! A frame parsed, unmasked, checked and answered with no allocator in the program.
#![no_std]
#![no_main]

use sockless::close;
use sockless::frame::{Expect, Header, Opcode};
use sockless::handshake::key;
use sockless::mask::Mask;
use sockless::utf8::Utf8;

unsafe extern "C" {
    safe fn abort() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    abort()
}

/// The precompiled `core` names it; nothing unwinds here.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    i32::from(!session())
}

/// Every room that needs no allocator, on the RFC's own examples.
fn session() -> bool {
    let mut frame = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    let Ok(Some((header, len))) = Header::parse(&frame, &Expect::unlimited(true)) else {
        return false;
    };
    let payload = &mut frame[len..];
    Mask::new(header.mask.unwrap_or_default()).apply(payload);
    let mut check = Utf8::new();
    let text = header.opcode == Opcode::Text && check.push(payload).is_ok() && check.is_boundary();

    let answer = Header { mask: None, ..header }.encode();
    let close = close::parse(b"\x03\xe8");
    let accept = key::accept(b"dGhlIHNhbXBsZSBub25jZQ==");

    text && payload == b"Hello"
        && answer.is_ok_and(|answer| *answer == *b"\x81\x05")
        && close.is_ok_and(|(code, _)| code == Some(1000.into()))
        && accept == *b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
}
