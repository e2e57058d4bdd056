//! Law: `Sec-WebSocket-Extensions` is read as its grammar has it, however many lines it takes; what
//! was read, printed, reads the same; each side agrees to what the offer allows and nothing else.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockless::deflate::{NAME, Offer, Params, Policy, WindowBits};
use sockless::handshake::ResponseError;
use sockless_fuzz::extensions::{ask, chosen, pairs, print, read, serve};
use sockless_fuzz::{Choices, logged, pieces};

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let flags = choices.byte();
    let mut policy = if flags & 1 == 0 { Policy::server() } else { Policy::client() };
    let bits = |byte: u8| WindowBits::new(8 + byte % 8).unwrap_or(WindowBits::MAX);
    policy.server_no_context_takeover = flags & 2 != 0;
    policy.client_no_context_takeover = flags & 4 != 0;
    policy.server_max_window_bits = bits(choices.byte());
    policy.client_max_window_bits = bits(choices.byte());
    let cuts = if flags & 8 == 0 { vec![] } else { vec![choices.byte().into()] };
    let bytes = choices.0;
    // A control character is for the reader of the head to refuse.
    if bytes.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return;
    }

    let lines = pieces(bytes, &cuts);
    let joined = lines.join(&b',');
    let list = read(&joined);
    let served = serve(policy, &lines);
    assert_eq!(served.as_ref().map(|(seen, _)| seen), list.as_ref());
    // Without an answer there is no compression; after one that does not fit, no connection.
    assert_eq!(ask(policy, &[]), Ok(None));
    let (asked, failed) = (ask(policy, &lines), Err(ResponseError::Extensions));
    let judged = |answer: Params| {
        let fits = policy.offer().check(&answer).map_err(|error| logged(&error));
        fits.map_or(failed, |()| Ok(Some(answer)))
    };
    let Some(list) = list else { return assert_eq!(asked, failed) };
    assert_eq!(read(print(&list).as_bytes()).as_ref(), Some(&list));

    let offer = chosen(&list);
    let answer = served.and_then(|(_, agreed)| agreed);
    assert_eq!(answer, offer.map(|offer| policy.answer(&offer)));
    if let (Some(offer), Some(answer)) = (offer, answer) {
        assert_eq!(offer.check(&answer), Ok(()));
        let again = |text: String| read(text.as_bytes()).expect("what we write, we read");
        assert_eq!(Offer::parse(pairs(&again(offer.to_string())[0].1)), Ok(offer));
        assert_eq!(Params::parse(pairs(&again(answer.to_string())[0].1)), Ok(answer));
        assert_eq!(ask(policy, &[answer.to_string().as_bytes()]), judged(answer));
    }
    let fits = match &list[..] {
        // "The header field MUST NOT appear more than once in an HTTP response" (section 11.3.2).
        [(name, params)] if name == NAME && lines.len() == 1 => {
            Params::parse(pairs(params)).map_err(|error| logged(&error)).ok()
        }
        _ => None,
    };
    assert_eq!(asked, fits.map_or(failed, judged));
});
