//! Law: over a wire that splits and delays, everything said is heard in order, and both ends close
//! cleanly, whoever borrows from the pool meanwhile.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockless::deflate::Contexts;
use sockless::frame::Kind;
use sockless::{CloseCode, Config, Pool, Role};
use sockless_fuzz::{Choices, End, config, context};

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let mut limits = Config::default();
    let drawn = config(&mut Choices(&[choices.byte() & !2]));
    (limits.delivery, limits.deflate) = (drawn.delivery, drawn.deflate);
    limits.deflate.iter_mut().for_each(|policy| policy.max_ratio = None);
    let (up, down) = (context(&mut choices), context(&mut choices));
    let client = Contexts { inflate: down, deflate: up };
    let server = Contexts { inflate: up, deflate: down };
    let (mut one, mut other) =
        (End::new(Role::Client, limits.clone(), client), End::new(Role::Server, limits, server));
    let mut pool = Pool::new();
    while !choices.is_empty() {
        let (command, size) = (choices.byte(), usize::from(choices.byte()));
        let (me, peer) =
            if command & 1 == 0 { (&mut one, &mut other) } else { (&mut other, &mut one) };
        let last = command & 0x80 != 0;
        if command & 0x10 != 0 {
            me.connection.borrow_from(&mut pool);
        }
        match command >> 1 & 7 {
            0 => me.say(Kind::Text, "é€".repeat(size).as_bytes(), last),
            1 => me.say(Kind::Binary, choices.take(size), last),
            2 => me.say(Kind::Binary, &choices.take(8).repeat(size * 8), last),
            3 => me.connection.ping(&[7; 3], &mut me.out).unwrap_or_default(),
            4 => me.connection.close(CloseCode::NORMAL, "", &mut me.out).unwrap_or_default(),
            5 if size < 2 => me.connection.compress(last),
            5 => me.say_apart(size as u8, &choices.take(8).repeat(size / 4)),
            6 => me.read_from(peer, size * 64),
            _ => me.read_from(peer, size),
        }
        if command & 0x20 != 0 {
            me.connection.return_to(&mut pool);
        }
    }
    one.connection.close(CloseCode::GOING_AWAY, "over", &mut one.out).unwrap_or_default();
    for _ in 0..2 {
        other.read_from(&mut one, usize::MAX);
        one.read_from(&mut other, usize::MAX);
    }
    assert!(one.messages().eq(&other.said) && other.messages().eq(&one.said));
    assert!(one.connection.eof().clean && other.connection.eof().clean);
});
