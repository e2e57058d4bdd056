//! Every public function of the rooms that touch the peer's bytes first, on bytes that the compiler
//! does not know. What can panic calls `panic` below: whoever does is in the binary's code.
#![no_std]
#![no_main]

use core::hint::black_box;
use sockless::close::{self, CloseCode, CloseReason};
use sockless::frame::{Expect, Header, Kind, Opcode};
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
    let mut bytes = black_box([0x81; 4096]);
    let len = black_box(bytes.len());
    let Some(bytes) = bytes.get_mut(..len) else { return 1 };
    i32::from(frame(bytes))
        + i32::from(mask(bytes))
        + i32::from(utf8(bytes))
        + i32::from(close(bytes))
        + i32::from(control(bytes))
}

#[inline(never)]
fn frame(bytes: &[u8]) -> bool {
    let expect = Expect {
        masked: black_box(true),
        rsv1: black_box(true),
        message_open: black_box(true),
        max_frame: black_box(1),
        max_message: black_box(2),
        max_compressed: black_box(3),
    };
    let unlimited = Expect::unlimited(black_box(true));
    [expect, unlimited].iter().any(|expect| match Header::parse(bytes, expect) {
        Ok(Some((header, len))) => {
            let encoded = header.encode();
            len > 14 || encoded.is_ok_and(|bytes| bytes.is_empty()) || header.opcode.is_control()
        }
        Ok(None) => black_box(Kind::Text).opcode() == Opcode::Ping,
        Err(error) => u16::from(error.close_code()) == 0,
    })
}

#[inline(never)]
fn mask(bytes: &mut [u8]) -> bool {
    let mut mask = Mask::new(black_box([1, 2, 3, 4]));
    mask.apply(bytes);
    let mut copy = black_box([0; 1000]);
    mask.copy(bytes, &mut copy) == 0 || copy.first() == Some(&1)
}

#[inline(never)]
fn utf8(bytes: &[u8]) -> bool {
    let mut utf8 = Utf8::new();
    let is_text = bytes.chunks(black_box(5).max(1)).all(|piece| utf8.push(piece).is_ok());
    is_text && utf8.is_boundary()
}

#[inline(never)]
fn close(bytes: &[u8]) -> bool {
    let code = CloseCode::from(black_box(1000_u16));
    match close::parse(bytes) {
        Ok((code, reason)) => {
            code.is_none()
                || CloseReason::new(reason).is_none()
                || CloseReason::truncated(reason).as_bytes().is_empty()
        }
        Err(_) => code.is_sendable(),
    }
}

#[cfg(not(feature = "control"))]
fn control(_: &[u8]) -> bool {
    false
}

#[cfg(feature = "control")]
#[inline(never)]
fn control(bytes: &[u8]) -> bool {
    bytes[black_box(5)] == 0
}
