//! A client and a server that meet: what each application gives is drawn, and so is what carries
//! it.

use crate::{keys, logged};
use bytes::{Bytes, BytesMut};
use sockless::deflate::Policy;
use sockless::handshake::{
    Accept, Agreed, Answer, Asked, Asking, Client, FieldError, Offer, Refusal, Reject, Request,
    RequestError, Server, Target,
};
use sockless::{Config, Connection, Event, Keys};
use std::sync::Arc;

/// A line for each thing that an application may give; what is empty is not given.
pub struct Plan<'d> {
    pub flags: u8,
    pub more: u8,
    pub uri: &'d str,
    pub offered: Vec<&'d str>,
    pub origin: &'d str,
    pub asked: (&'d str, &'d str),
    pub ours: Vec<&'d str>,
    pub origins: Vec<&'d str>,
    pub answered: (&'d str, &'d str),
    pub reason: &'d str,
}

impl<'d> Plan<'d> {
    pub fn read(flags: u8, more: u8, text: &'d str) -> Self {
        let mut lines = text.split('\n');
        let mut next = || lines.next().unwrap_or_default();
        let list = |line: &'d str| line.split(' ').filter(|word| !word.is_empty()).collect();
        let field = |line: &'d str| line.split_once(": ").unwrap_or((line, ""));
        Self {
            flags,
            more,
            uri: next(),
            offered: list(next()),
            origin: next(),
            asked: field(next()),
            ours: list(next()),
            origins: list(next()),
            answered: field(next()),
            reason: next(),
        }
    }

    /// With compression and without, and with contexts that are kept and that are not.
    pub fn config(&self) -> Config {
        let (mut config, mut policy) = (Config::default(), Policy::client());
        policy.server_no_context_takeover = self.more & 2 == 0;
        policy.client_no_context_takeover = self.more & 4 == 0;
        config.deflate = (self.more & 1 != 0).then_some(policy);
        config
    }

    pub fn offer<'t>(&self, target: &'t Target) -> Result<Offer<'t>, FieldError> {
        let mut offer = Offer::new(target);
        for name in &self.offered {
            offer = offer.subprotocol(name)?;
        }
        if !self.origin.is_empty() {
            offer = offer.origin(self.origin)?;
        }
        if !self.asked.0.is_empty() {
            offer = offer.field(self.asked.0, self.asked.1)?;
        }
        if self.flags & 1 != 0 {
            offer = offer.require_subprotocol();
        }
        Ok(if self.flags & 2 != 0 { offer.through_proxy() } else { offer })
    }

    pub fn accept<'r>(&'r self, request: &'r Request<'_>) -> Result<Accept<'r>, FieldError> {
        let mut accept = Accept::new(request);
        accept = match &self.ours[..] {
            [one] if self.flags & 4 != 0 => accept.subprotocol(one)?,
            ours => accept.prefer(ours),
        };
        if self.flags & 8 != 0 {
            accept = accept.any_origin();
        } else if !self.origins.is_empty() {
            accept = accept.origins(&self.origins)?;
        }
        if !self.answered.0.is_empty() {
            accept = accept.field(self.answered.0, self.answered.1)?;
        }
        Ok(accept)
    }

    pub fn reject(&self) -> Result<Reject<'_>, FieldError> {
        let mut reject = Reject::new(150 + u16::from(self.flags) * 2 + u16::from(self.more & 1))?;
        if !self.answered.0.is_empty() {
            reject = reject.field(self.answered.0, self.answered.1)?;
        }
        if self.flags & 1 != 0 {
            reject = reject.reason(self.reason)?;
        }
        if self.flags & 2 != 0 {
            reject = reject.body("text/plain", self.reason.as_bytes())?;
        }
        Ok(reject)
    }
}

/// How it ended, as both sides know it.
#[derive(Debug, PartialEq, Eq)]
pub enum Met {
    /// A connection, of which both sides believe the same.
    Open(String, Agreed),
    /// Another answer, by its status.
    Answered(u16),
    /// The server did not take the request.
    Refused(RequestError, u16),
    /// The client did not take the answer.
    Failed,
    /// What the client asks for is nothing that crate `http` can hold.
    NotHosted,
    /// The server's application gave what may not be sent.
    Mistake(FieldError),
}

/// Over HTTP/1.1, as bytes.
pub fn bytes(config: &Arc<Config>, plan: &Plan<'_>, offer: &Offer<'_>) -> Met {
    let (mut wire, mut back) = (BytesMut::new(), BytesMut::new());
    let mut client = Client::start(Arc::clone(config), keys(), offer, &mut wire);
    let mut server = Server::new(Arc::clone(config));
    let mut input = &mut wire[..];
    let mut told = None;
    let met = match server.receive(&mut input, &mut back).expect("a whole request") {
        Asked::Upgrade(request) if plan.flags & 16 != 0 => match plan.reject() {
            Err(error) => return Met::Mistake(error),
            Ok(reject) => {
                let status = reject.respond(&request).expect("an upgrade").status();
                server.reject(&reject, &mut back);
                Met::Answered(status)
            }
        },
        Asked::Upgrade(request) => match plan.accept(&request) {
            Err(error) => return Met::Mistake(error),
            Ok(accept) => match server.accept(accept, &mut back) {
                Ok((connection, agreed)) => {
                    told = Some(connection);
                    Met::Open(request.path().into(), agreed)
                }
                Err(error) => {
                    logged(&error);
                    Met::Refused(RequestError::OriginNotAllowed, 403)
                }
            },
        },
        Asked::Refused(error) => Met::Refused(error, status(&back)),
        other => panic!("{other:?}"),
    };
    let mut input = &mut back[..];
    match (client.receive(&mut input).expect("a whole answer"), met) {
        (Answer::Open { connection, agreed, response }, Met::Open(path, known)) => {
            assert_eq!(agreed, known);
            let given = plan.answered.0;
            let is_there = response.field(given) == Some(plan.answered.1.as_bytes());
            assert!(given.is_empty() || is_there);
            talk(connection, told.expect("a connection"), &agreed);
            Met::Open(path, agreed)
        }
        (Answer::Refused(response), met @ (Met::Answered(status) | Met::Refused(_, status))) => {
            assert_eq!(response.status(), status);
            met
        }
        (Answer::Failed(error), Met::Open(..)) => {
            logged(&error);
            Met::Failed
        }
        (answer, met) => panic!("{answer:?} and {met:?}"),
    }
}

fn status(head: &[u8]) -> u16 {
    std::str::from_utf8(&head[9..12]).ok().and_then(|digits| digits.parse().ok()).expect("a status")
}

/// Where a host speaks HTTP: an upgrade in the types of crate `http`, or an extended CONNECT.
pub fn hosted(config: &Arc<Config>, plan: &Plan<'_>, offer: &Offer<'_>, extended: bool) -> Met {
    let (asking, asked) = if extended {
        let (asking, parts) =
            Asking::extended(Arc::clone(config), keys(), offer, true).expect("it is allowed");
        let asked = Request::extended(parts.pseudo(), parts.fields(), config);
        // Crate `http` has no room for a host that is percent-encoded.
        let encoded = parts.pseudo().authority.is_some_and(|host| host.contains('%'));
        let request = http::Request::try_from(parts);
        assert!(request.is_ok() || encoded);
        if let Ok(request) = request {
            let again = Request::from_http(&request, Some("websocket"), config);
            assert_eq!(again.map(drop).map_err(drop), asked.as_ref().map(drop).map_err(drop));
        }
        (asking, asked)
    } else {
        // Keys as in earnest: nothing depends on which.
        let Ok((asking, request)) = Asking::upgrade(Arc::clone(config), Keys::system(), offer)
        else {
            assert!(plan.uri.contains('%') && plan.flags & 2 != 0);
            return Met::NotHosted;
        };
        (asking, Request::from_http(&request, None, config))
    };
    let refused = |refusal: &Refusal| {
        logged(refusal);
        Met::Refused(refusal.error(), refusal.respond().status())
    };
    let request = match &asked {
        Ok(request) => request,
        Err(refusal) => return refused(refusal),
    };
    let (parts, server, told) = if plan.flags & 16 != 0 {
        match plan.reject() {
            Ok(reject) => match reject.respond(request) {
                Ok(parts) => (parts, None, None),
                Err(error) => return Met::Mistake(error),
            },
            Err(error) => return Met::Mistake(error),
        }
    } else {
        match plan.accept(request).map(|accept| accept.respond(Arc::clone(config))) {
            Ok(Ok((parts, server, told))) => (parts, Some(server), Some(told)),
            Ok(Err(refusal)) => return refused(&refusal),
            Err(error) => return Met::Mistake(error),
        }
    };
    let status = parts.status();
    assert!(parts.fields().all(|(name, _)| !name.bytes().any(|byte| byte.is_ascii_uppercase())));
    let response: http::Response<Bytes> = parts.into();
    match asking.receive_http(&response) {
        Ok(Some((client, agreed))) => {
            let (Some(server), Some(told)) = (server, told) else { return Met::Answered(status) };
            assert_eq!(agreed, told);
            talk(client, server, &agreed);
            Met::Open(request.path().into(), agreed)
        }
        Ok(None) => Met::Answered(status),
        Err(error) => {
            logged(&error);
            Met::Failed
        }
    }
}

/// The connections that come of it understand each other, both ways and message after message; and
/// what is long enough is compressed where that was agreed, and nowhere else.
fn talk(mut client: Connection, mut server: Connection, agreed: &Agreed) {
    let said = "what is said is heard ";
    // Twice, since a context that only one end keeps shows in the second message.
    for text in [said.repeat(9), said.into(), said.repeat(5)] {
        let compressed = agreed.deflate.is_some() && text.len() >= Policy::client().threshold;
        for to_server in [true, false] {
            let (from, to) =
                if to_server { (&mut client, &mut server) } else { (&mut server, &mut client) };
            assert_eq!(from.compresses(text.len()), compressed);
            let (mut wire, mut back) = (BytesMut::new(), BytesMut::new());
            from.send_text(&text, &mut wire).expect("it is open");
            assert_eq!(wire[0], if compressed { 0xc1 } else { 0x81 }, "FIN, RSV1 and opcode");
            let heard = to.receive(&mut &mut wire[..], &mut back);
            assert!(heard == Some(Event::Text(text[..].into())) && back.is_empty());
        }
    }
}
