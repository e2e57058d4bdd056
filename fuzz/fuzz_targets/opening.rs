//! Law: what one side asks and the other decides, both know alike and keep to, whatever carries it;
//! nothing that an application gives becomes more than what it is given for.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use sockless::handshake::{FieldError, RequestError, Target, Tunnel, Tunneled};
use sockless_fuzz::opening::{Met, Plan, bytes, hosted};
use sockless_fuzz::{Choices, logged};
use std::sync::Arc;

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let (flags, more) = (choices.byte(), choices.byte());
    let Ok(text) = std::str::from_utf8(choices.0) else { return };
    let plan = Plan::read(flags, more, text);
    let config = Arc::new(plan.config());

    let target = match Target::parse(plan.uri) {
        Ok(target) => target,
        Err(error) => return drop(logged(&error)),
    };
    let scheme = if target.secure() { "wss" } else { "ws" };
    let again = format!("{scheme}://{}{}", target.authority(), target.resource());
    assert_eq!(Target::parse(&again).as_ref(), Ok(&target));
    // A proxy is asked for no more than that, and what comes through the tunnel is left.
    let (mut out, field) = (BytesMut::new(), [(plan.asked.0, plan.asked.1.as_bytes())]);
    if let Ok(mut tunnel) = Tunnel::start(Arc::clone(&config), &target, &field, &mut out) {
        assert_eq!(out.windows(2).filter(|two| two == b"\r\n").count(), 4);
        let answer = format!("HTTP/1.1 {} {}\r\n\r\nTLS", 100 + u16::from(more), plan.reason);
        let mut answer = answer.into_bytes();
        let mut input = &mut answer[..];
        match tunnel.receive(&mut input) {
            Some(Tunneled::Open(_)) => assert!((100..200).contains(&more) && input == b"TLS"),
            Some(Tunneled::Refused(_)) => assert!(input.starts_with(b"TLS")),
            _ => assert!(tunnel.receive(&mut input).is_none()),
        }
    }

    let offer = match plan.offer(&target) {
        Ok(offer) => offer,
        Err(error) => return drop(logged(&error)),
    };
    let met = bytes(&config, &plan, &offer);
    let upgraded = hosted(&config, &plan, &offer, false);
    assert!(upgraded == met || upgraded == Met::NotHosted);
    match (hosted(&config, &plan, &offer, true), met) {
        // What only HTTP/1.1 has, and what it says otherwise.
        (Met::Refused(RequestError::ConnectionSpecific, _), _) => {}
        (Met::Refused(..), Met::Refused(..)) => {}
        // Each 2xx would open it.
        (Met::Mistake(FieldError::Status), Met::Answered(200..=299)) => {}
        (extended, met) => assert_eq!(extended, met),
    }
});
