//! Prints what a message for 1,000 members costs: encoded for each, and prepared once.
//!
//! The two take turns in each round, and the least of all rounds counts. To encode is the best that
//! can be done without: into one buffer, which is there and in the cache; nothing is written to a
//! socket in either.

use bytes::BytesMut;
use sockless::deflate::{Contexts, Policy};
use sockless::{Config, Connection, Prepared};
use sockless_benches::text;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

const MEMBERS: usize = 1000;

struct Room {
    members: Vec<Connection>,
    out: BytesMut,
    policy: Option<Policy>,
}

impl Room {
    fn new(policy: Option<Policy>) -> Self {
        let mut config = Config::default();
        config.deflate = policy;
        let config = Arc::new(config);
        let contexts: Option<Contexts> =
            policy.map(|policy| policy.server_contexts(&policy.answer(&Policy::client().offer())));
        let new = || match contexts {
            Some(contexts) => Connection::server(config.clone()).with_deflate(contexts),
            None => Connection::server(config.clone()),
        };
        let members = (0..MEMBERS).map(|_| new()).collect();
        Self { members, out: BytesMut::with_capacity(1 << 20), policy }
    }

    fn each(&mut self, text: &str) {
        for member in &mut self.members {
            member.send_text(text, &mut self.out).expect("an open connection");
            black_box(&self.out);
            self.out.clear();
        }
    }

    fn once(&mut self, text: &str) {
        let message = Prepared::text(text);
        let message = match &self.policy {
            Some(policy) => message.compressed(policy),
            None => message,
        };
        for member in &mut self.members {
            black_box(member.prepared(&message).expect("an open connection"));
        }
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn main() {
    println!("| message | compressed | for each | once | ratio |");
    println!("|---|---|---|---|---|");
    for (policy, rounds) in [(None, 300), (Some(Policy::server()), 5)] {
        let mut room = Room::new(policy);
        for len in [125, 1 << 10, 16 << 10, 64 << 10] {
            let text = String::from_utf8(text(len)).expect("a text");
            let [mut each, mut once] = [Duration::MAX; 2];
            for _ in 0..rounds {
                each = each.min(timed(|| room.each(&text)));
                once = once.min(timed(|| room.once(&text)));
            }
            let ratio = each.as_secs_f64() / once.as_secs_f64();
            let name = if policy.is_some() { "yes" } else { "no" };
            println!("| {len} B | {name} | {each:.1?} | {once:.1?} | {ratio:.1}× |");
        }
    }
}
