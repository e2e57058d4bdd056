//! RFC 7692 sections 5 and 7: offers, answers, and what follows from them.
#![cfg(feature = "deflate")]
#![allow(missing_docs)]

mod deflate_support;

use bytes::BytesMut;
use deflate_support::{bits, context};
use sockless::deflate::{Contexts, NAME, Offer, Params, ParamsError, Policy};
use sockless::{Config, Connection};
use std::sync::Arc;

/// `a; b=1` as a parser of the field gives it.
fn params(text: &str) -> Vec<(&str, Option<String>)> {
    text.split(';')
        .map(str::trim)
        .filter(|param| !param.is_empty())
        .map(|param| match param.split_once('=') {
            Some((name, value)) => (name, Some(value.trim_matches('"').to_owned())),
            None => (param, None),
        })
        .collect()
}

fn offer(text: &str) -> Result<Offer, ParamsError> {
    Offer::parse(params(text))
}

fn answer(text: &str) -> Result<Params, ParamsError> {
    Params::parse(params(text))
}

/// A server without a wish.
fn open() -> Policy {
    let mut policy = Policy::server();
    policy.server_no_context_takeover = false;
    policy.client_no_context_takeover = false;
    policy.server_max_window_bits = bits(15);
    policy
}

fn told(policy: &Policy, text: &str) -> String {
    let answer = policy.answer(&offer(text).unwrap());
    let text = answer.to_string();
    // It can be read back, and is an answer to the offer.
    let (name, rest) = text.split_once(';').unwrap_or((&text, ""));
    assert_eq!(name, NAME);
    assert_eq!(self::answer(rest), Ok(answer));
    rest.trim().to_owned()
}

const SNCT: &str = "server_no_context_takeover";
const CNCT: &str = "client_no_context_takeover";
const SMWB: &str = "server_max_window_bits";
const CMWB: &str = "client_max_window_bits";

// req: D7-01, D7-02, D7-03, D7-05, D7-06, D7-07, D7.1.1.1-01, D7.1.1.2-01, D7.1.2.1-01, D7.1.2.2-01
#[test]
fn unknown_repeated_and_bad_parameters() {
    let bad = Err(ParamsError::BadValue);
    let twice = Err(ParamsError::Duplicate);
    let unknown = Err(ParamsError::Unknown);
    for (text, wanted) in [
        ("x=1".to_owned(), unknown),
        ("x".to_owned(), unknown),
        ("Server_no_context_takeover".to_owned(), unknown),
        ("constructor".to_owned(), unknown),
        (format!("{SNCT}=1"), bad),
        (format!("{SNCT}=\"\""), bad),
        (format!("{CNCT}=true"), bad),
        (SMWB.to_owned(), bad),
        (format!("{SMWB}="), bad),
        (format!("{SMWB}=7"), bad),
        (format!("{SMWB}=16"), bad),
        (format!("{SMWB}=08"), bad),
        (format!("{SMWB}=+8"), bad),
        (format!("{SMWB}=0x8"), bad),
        (format!("{SMWB}=8.0"), bad),
        (format!("{SMWB}=4294967304"), bad),
        (format!("{SMWB}=18446744073709551624"), bad),
        (format!("{CMWB}="), bad),
        (format!("{CMWB}=7"), bad),
        (format!("{CMWB}=1e1"), bad),
        (format!("{SNCT}; {SNCT}"), twice),
        (format!("{CNCT}; {SNCT}; {CNCT}"), twice),
        (format!("{SMWB}=10; {SMWB}=10"), twice),
        (format!("{SMWB}=10; {SMWB}=11"), twice),
        (format!("{CMWB}=10; {CMWB}=11"), twice),
        (format!("{CMWB}; {CMWB}"), twice),
        (format!("{CMWB}; {CMWB}=10"), twice),
    ] {
        assert_eq!(offer(&text).map(drop), wanted, "{text}");
        let wanted = if text == format!("{CMWB}; {CMWB}") { twice } else { wanted };
        assert_eq!(answer(&text).map(drop), wanted, "{text}");
    }
    assert_eq!(offer(CMWB).unwrap().client_max_window_bits, Some(None));
    assert_eq!(answer(CMWB), Err(ParamsError::BadValue));
    assert_eq!(offer(&format!("{SMWB}=\"10\"")).unwrap().server_max_window_bits, Some(bits(10)));
    // Of all values of up to three characters, eight.
    let good: Vec<_> = (0..1000)
        .flat_map(|number| [format!("{number}"), format!("{number:02}"), format!("{number:03}")])
        .filter(|value| answer(&format!("{SMWB}={value}; {CMWB}={value}")).is_ok())
        .collect();
    assert!(good.iter().all(|value| (8..=15).any(|bits: u8| bits.to_string() == *value)));
}

// req: D5-02, D5-04, D5-07, D7-01, D7-02, D7-03
#[test]
fn the_first_offer_that_can_be_taken_is() {
    for (offers, wanted) in [
        (&[][..], None),
        (&["x"], None),
        (&["x", "server_max_window_bits=07", "server_no_context_takeover=1"], None),
        (&["", "server_max_window_bits=10"], Some("")),
        (&["x", "server_max_window_bits=10", ""], Some("server_max_window_bits=10")),
        (
            &["server_max_window_bits=10", "server_max_window_bits=9"],
            Some("server_max_window_bits=10"),
        ),
        (&["client_max_window_bits; client_max_window_bits", ""], Some("")),
    ] {
        let found = open().accept(offers.iter().map(|text| params(text)));
        let wanted = wanted.map(|text| answer(text).unwrap());
        assert_eq!(found, wanted, "{offers:?}");
    }
}

// req: D7.1.1.1-02, D7.1.1.1-03, D7.1.1.1-04, D7.1.1.2-03
#[test]
fn takeover_in_offer_and_policy() {
    for mine in [false, true] {
        for theirs in [false, true] {
            for offered in
                ["", SNCT, CNCT, "server_no_context_takeover; client_no_context_takeover"]
            {
                let mut policy = open();
                policy.server_no_context_takeover = mine;
                policy.client_no_context_takeover = theirs;
                let agreed = policy.answer(&offer(offered).unwrap());
                assert_eq!(agreed.server_no_context_takeover, mine || offered.contains(SNCT));
                assert_eq!(agreed.client_no_context_takeover, theirs || offered.contains(CNCT));
                let contexts = policy.server_contexts(&agreed);
                assert_eq!(contexts.deflate.takeover(), !agreed.server_no_context_takeover);
                assert_eq!(contexts.inflate.takeover(), !agreed.client_no_context_takeover);
            }
        }
    }
}

// req: D7.1.2.1-02, D7.1.2.1-04, D7.1.2.2-02, D7.1.2.2-05, D7-04
#[test]
fn windows_in_offer_and_policy() {
    let offered = |name: &str, value: u8| match value {
        0 => String::new(),
        1 => format!("; {name}"),
        bits => format!("; {name}={bits}"),
    };
    for ours in 8..=15 {
        for theirs in 8..=15 {
            let mut policy = open();
            policy.server_max_window_bits = bits(ours);
            policy.client_max_window_bits = bits(theirs);
            // Nothing, or 8 to 15; for a client's limit also without a value.
            for server in [0].into_iter().chain(8..=15) {
                for client in [0, 1].into_iter().chain(8..=15) {
                    let text = [offered(SMWB, server), offered(CMWB, client)].concat();
                    let offer = offer(&text).unwrap();
                    let agreed = policy.answer(&offer);
                    assert_eq!(offer.check(&agreed), Ok(()), "{text}");
                    let limit = if server == 0 { 15 } else { server };
                    let wanted = (server > 0 || ours < 15).then(|| bits(ours.min(limit)));
                    assert_eq!(agreed.server_max_window_bits, wanted, "{text}, ours {ours}");
                    let hint = if client <= 1 { 15 } else { client };
                    let wanted = (client > 0 && theirs < 15).then(|| bits(theirs.min(hint)));
                    assert_eq!(agreed.client_max_window_bits, wanted, "{text}, wish {theirs}");

                    let contexts = policy.server_contexts(&agreed);
                    assert_eq!(contexts.deflate.window().get(), ours.min(limit));
                    let inflates = agreed.client_max_window_bits.unwrap_or(bits(15));
                    assert_eq!(contexts.inflate.window(), inflates);
                }
            }
        }
    }
}

#[test]
fn what_is_written() {
    for (policy, text, wanted) in [
        (open(), "", ""),
        (open(), "server_max_window_bits=15", "server_max_window_bits=15"),
        (open(), "client_max_window_bits=10", ""),
        (open(), "client_no_context_takeover", "client_no_context_takeover"),
        (
            Policy::server(),
            "client_max_window_bits",
            "server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12",
        ),
        (
            Policy::server(),
            "server_max_window_bits=9",
            "server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9",
        ),
    ] {
        assert_eq!(told(&policy, text), wanted, "{text}");
    }
    let mut policy = open();
    policy.client_max_window_bits = bits(10);
    assert_eq!(told(&policy, ""), "");
    assert_eq!(told(&policy, "client_max_window_bits"), "client_max_window_bits=10");
    assert_eq!(told(&policy, "client_max_window_bits=9"), "client_max_window_bits=9");
}

// req: D5-01, D5-03, D7.3-01, D8-01
#[test]
fn what_a_client_offers() {
    let offer = Policy::client().offer();
    assert_eq!(
        offer.to_string(),
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
         client_max_window_bits=12"
    );
    let mut policy = Policy::client();
    policy.server_no_context_takeover = false;
    policy.client_no_context_takeover = false;
    policy.client_max_window_bits = bits(15);
    assert_eq!(policy.offer().to_string(), "permessage-deflate; client_max_window_bits");
    policy.server_max_window_bits = bits(10);
    assert_eq!(
        policy.offer().to_string(),
        "permessage-deflate; server_max_window_bits=10; client_max_window_bits"
    );
    for offer in [offer, policy.offer()] {
        let text = offer.to_string();
        assert_eq!(self::offer(text.split_once(';').unwrap().1), Ok(offer), "it reads back");
    }
}

// req: D5-09, D7-05, D7-06, D7-07, D7-08, D7.1.1.1-04, D7.1.1.1-05, D7.1.1.2-02, D7.1.2.1-03,
// req: D7.1.2.1-04, D7.1.2.2-01, D7.1.2.2-03, D7.1.2.2-04
#[test]
fn what_a_client_takes_for_an_answer() {
    for (offered, answered, wanted) in [
        ("", "", Ok(())),
        ("", SNCT, Ok(())),
        ("", CNCT, Ok(())),
        (SNCT, SNCT, Ok(())),
        (SNCT, "", Err(ParamsError::TakeoverNotOffered)),
        (SNCT, CNCT, Err(ParamsError::TakeoverNotOffered)),
        (CNCT, "", Ok(())),
        ("", "server_max_window_bits=8", Ok(())),
        ("server_max_window_bits=10", "server_max_window_bits=10", Ok(())),
        ("server_max_window_bits=10", "server_max_window_bits=8", Ok(())),
        (
            "server_max_window_bits=10",
            "server_max_window_bits=11",
            Err(ParamsError::WindowNotOffered),
        ),
        ("server_max_window_bits=10", "", Err(ParamsError::WindowNotOffered)),
        ("server_max_window_bits=15", "", Err(ParamsError::WindowNotOffered)),
        ("", "client_max_window_bits=15", Err(ParamsError::LimitNotOffered)),
        ("client_max_window_bits", "", Ok(())),
        ("client_max_window_bits", "client_max_window_bits=8", Ok(())),
        ("client_max_window_bits=10", "client_max_window_bits=12", Ok(())),
        ("client_max_window_bits=10", "client_max_window_bits=9", Ok(())),
        ("client_max_window_bits", "client_max_window_bits", Err(ParamsError::BadValue)),
        ("client_max_window_bits", "client_max_window_bits=016", Err(ParamsError::BadValue)),
        ("", "mystery", Err(ParamsError::Unknown)),
        ("", "client_no_context_takeover; client_no_context_takeover", Err(ParamsError::Duplicate)),
    ] {
        let offers = [offer(offered).unwrap()];
        let agreed = Policy::agree(&offers, params(answered));
        assert_eq!(agreed.map(drop), wanted, "{answered} to {offered}");
    }
    // One of several offers is enough.
    let offers =
        [offer("server_max_window_bits=9; client_max_window_bits").unwrap(), offer("").unwrap()];
    for (answered, wanted) in [
        ("", Ok(())),
        ("server_max_window_bits=9; client_max_window_bits=9", Ok(())),
        ("server_max_window_bits=12", Ok(())),
        ("server_max_window_bits=12; client_max_window_bits=9", Err(ParamsError::LimitNotOffered)),
    ] {
        assert_eq!(Policy::agree(&offers, params(answered)).map(drop), wanted, "{answered}");
    }
    assert!(Policy::agree(&[], params("")).is_err(), "accepted but never offered");
}

// req: D7.1.1.2-02, D7.1.2.1-05, D7.2.1-08, D7.2.2-02, D7.2.2-04
#[test]
fn what_follows_for_a_client() {
    let mut eager = Policy::client();
    eager.server_no_context_takeover = false;
    eager.client_no_context_takeover = false;
    eager.client_max_window_bits = bits(15);
    for (policy, answered, inflate, deflate) in [
        // It may use less than was agreed, never more.
        (Policy::client(), "", context(15, true), context(12, false)),
        (Policy::client(), "client_max_window_bits=9", context(15, true), context(9, false)),
        (Policy::client(), SNCT, context(15, false), context(12, false)),
        (eager, "", context(15, true), context(15, true)),
        (eager, CNCT, context(15, true), context(15, false)),
        (eager, "client_max_window_bits=8", context(15, true), context(8, true)),
        (eager, "server_max_window_bits=10", context(10, true), context(15, true)),
    ] {
        let contexts = policy.client_contexts(&answer(answered).unwrap());
        assert_eq!(contexts, Contexts { inflate, deflate }, "{answered}");
    }
}

/// `compresses` foretells what a send does, of a connection as of its half.
#[test]
fn what_will_be_compressed_is_known_before() {
    let mut never = Policy::server();
    never.threshold = usize::MAX;
    let policy = Policy::server();
    for (agrees, policy, from) in
        [(false, policy, usize::MAX), (true, policy, 64), (true, never, usize::MAX)]
    {
        for len in [0, 63, 64, 9000] {
            for on in [true, false] {
                let mut config = Config::default();
                config.deflate = agrees.then_some(policy);
                let mut connection = Connection::server(Arc::new(config));
                if agrees {
                    connection =
                        connection.with_deflate(policy.server_contexts(&Params::default()));
                }
                connection.compress(on);
                let mut out = BytesMut::new();
                let foretold = connection.compresses(len);
                connection.send_text(&"a".repeat(len), &mut out).unwrap();
                assert_eq!(foretold, out[0] & 0x40 != 0, "{len}, {on}");
                assert_eq!(foretold, on && len >= from, "{len}, {on}");
                assert_eq!(connection.split().1.compresses(len), foretold);
            }
        }
    }
}
