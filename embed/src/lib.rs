//! What the examples of embedding have in common: one conversation, which every one of them holds.
extern crate alloc;

pub mod conversation;

use std::fmt::Display;
use std::io::{Write as _, stderr, stdout};

/// Prints a line of a server's account. `println!` would panic where nobody reads it any more, and
/// take the peer with it, or all of them.
pub fn say(line: impl Display) {
    let _ = writeln!(stdout(), "{line}");
}

/// Prints what went wrong, or what was asked for.
pub fn complain(why: impl Display) {
    let _ = writeln!(stderr(), "{why}");
}
