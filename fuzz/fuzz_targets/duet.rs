//! Law: over a wire that splits and delays, everything said is heard in order, nothing is refused
//! that may be said, and both ends close cleanly, whoever borrows from the pool meanwhile.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockless::deflate::Contexts;
use sockless::frame::Kind;
use sockless::{CloseCode, Pool, Role};
use sockless_fuzz::{Choices, End, context};

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let config = End::config(choices.byte());
    let (up, down) = (context(&mut choices), context(&mut choices));
    let client = Contexts { inflate: down, deflate: up };
    let server = Contexts { inflate: up, deflate: down };
    let (mut one, mut other) =
        (End::new(Role::Client, config.clone(), client), End::new(Role::Server, config, server));
    let (mut pool, mut cuts) = (Pool::new(), vec![]);
    while !choices.is_empty() {
        let (command, size) = (choices.byte(), usize::from(choices.byte()));
        let (me, peer) =
            if command & 1 == 0 { (&mut one, &mut other) } else { (&mut other, &mut one) };
        let (last, other_way) = (command & 0x80 != 0, command & 0x40 != 0);
        if command & 0x10 != 0 {
            me.connection.borrow_from(&mut pool);
        }
        match command >> 1 & 7 {
            // Whole, of every length about where its form on the wire changes.
            0 if other_way => me.say_whole(Kind::Text, "é€".repeat(size).as_bytes()),
            1 if other_way => me.say_whole(Kind::Binary, &choices.take(1).repeat(size)),
            2 if other_way => me.say_whole(Kind::Text, &choices.take(1).repeat(65_400 + size)),
            0 => me.say(Kind::Text, "é€".repeat(size).as_bytes(), last),
            1 => me.say(Kind::Binary, choices.take(size), last),
            2 => me.say(Kind::Binary, &choices.take(8).repeat(size * 8), last),
            3 => me.connection.ping(&[7; 3], &mut me.out).unwrap_or_default(),
            4 => me.close(CloseCode::NORMAL, ""),
            5 if size < 2 => me.connection.compress(last),
            5 => me.say_apart(size as u8, &choices.take(8).repeat(size / 4)),
            way => {
                if other_way {
                    cuts = choices.cuts();
                }
                me.read_from(peer, if way == 6 { size * 64 } else { size }, &cuts);
            }
        }
        if command & 0x20 != 0 {
            me.connection.return_to(&mut pool);
        }
    }
    one.close(CloseCode::GOING_AWAY, "over");
    for _ in 0..2 {
        other.read_from(&mut one, usize::MAX, &cuts);
        one.read_from(&mut other, usize::MAX, &cuts);
    }
    assert!(one.messages().eq(&other.said) && other.messages().eq(&one.said));
    assert!(one.connection.eof().clean && other.connection.eof().clean);
});
