//! An Arm MPS2 board with the AN386 image (a Cortex-M4): its start, and its first serial line.
//!
//! All that touches the machine is here, and all `unsafe` with it.

use core::mem::MaybeUninit;
use core::panic::PanicInfo;
use core::ptr;
use firmware::Endpoint;

/// Where the registers of the serial line are (CMSDK APB UART).
const DATA: *mut u32 = 0x4000_4000 as *mut u32;
const STATE: *const u32 = 0x4000_4004 as *const u32;
const CONTROL: *mut u32 = 0x4000_4008 as *mut u32;
const DIVIDER: *mut u32 = 0x4000_4010 as *mut u32;

const SENDING: u32 = 1;
const RECEIVED: u32 = 2;
const SEND_AND_RECEIVE: u32 = 3;

/// The endpoint, in memory that the linker counts.
static mut ENDPOINT: MaybeUninit<Endpoint> = MaybeUninit::uninit();

/// What this board has one of. `reset` makes it, once.
pub(crate) struct Board {
    pub(crate) line: Line,
    pub(crate) endpoint: &'static mut Endpoint,
}

/// The serial line.
pub(crate) struct Line(());

impl Line {
    fn open() -> Self {
        // SAFETY: registers of this board, and nobody else writes them.
        unsafe {
            ptr::write_volatile(DIVIDER, 16);
            ptr::write_volatile(CONTROL, SEND_AND_RECEIVE);
        }
        Self(())
    }

    /// Waits for the next byte.
    pub(crate) fn read(&mut self) -> u8 {
        while self.state() & RECEIVED == 0 {}
        // SAFETY: a register of this board; reading it takes the byte, once.
        let data = unsafe { ptr::read_volatile(DATA) };
        data.to_le_bytes()[0]
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            while self.state() & SENDING != 0 {}
            // SAFETY: a register of this board, with room for a byte.
            unsafe { ptr::write_volatile(DATA, u32::from(*byte)) };
        }
    }

    fn state(&self) -> u32 {
        // SAFETY: a register of this board; reading it changes nothing.
        unsafe { ptr::read_volatile(STATE) }
    }
}

/// What the core does after the stack pointer: the reset, then one entry for each fault, all alike.
#[unsafe(link_section = ".vectors")]
#[used]
static VECTORS: [unsafe extern "C" fn() -> !; 15] = {
    let mut vectors = [fault as unsafe extern "C" fn() -> !; 15];
    vectors[0] = reset;
    vectors
};

unsafe extern "C" {
    static mut bss_start: u32;
    static mut bss_end: u32;
}

/// Fills the unused stack, so that how deep it went can be read from outside; clears what is
/// static; switches the floating-point unit on, whose registers compiled code may use.
#[unsafe(no_mangle)]
unsafe extern "C" fn reset() -> ! {
    const COPROCESSORS: *mut u32 = 0xe000_ed88 as *mut u32;
    const UNTOUCHED: u32 = 0xa5a5_a5a5;
    // SAFETY: before `main` nothing else runs; the addresses are the linker's (board.x), and what
    // is filled ends a good way below the stack of this function.
    unsafe {
        ptr::write_volatile(COPROCESSORS, 0xf << 20);
        let (start, end) = (&raw mut bss_start, &raw mut bss_end);
        let mut word = start;
        while word < end {
            ptr::write_volatile(word, 0);
            word = word.add(1);
        }
        let here = (&raw const word).cast::<u32>().sub(64).cast_mut();
        while word < here {
            ptr::write_volatile(word, UNTOUCHED);
            word = word.add(1);
        }
    }
    // SAFETY: this function runs once, so this is the only reference there is.
    let endpoint = unsafe { &mut *(&raw mut ENDPOINT) }.write(Endpoint::new());
    crate::main(Board { line: Line::open(), endpoint })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fault() -> ! {
    loop {}
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
