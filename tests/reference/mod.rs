//! A decoder written straight from the text of RFC 6455, a byte at a time, over a whole stream. It
//! shares nothing with the crate: no type, no helper, no order of thought.

/// What an endpoint makes of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Saw {
    Message(Type, Vec<u8>),
    /// What came of a message that has no end.
    Part(Type, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// 1005 for none.
    Close(u16, Vec<u8>),
    /// Section 7.1.7, with the code that section 7.4.1 has for it.
    Fail(u16),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Text,
    Binary,
}

/// Who listens, and what was agreed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// A server: its peer must mask.
    pub(crate) server: bool,
    /// RSV1 has a meaning on the first frame of a message. Only empty ones are understood here.
    pub(crate) compression: bool,
    pub(crate) max_frame: u64,
    pub(crate) max_message: u64,
    pub(crate) max_fragments: u64,
    pub(crate) max_empty: u64,
}

/// Table 3-7 of the Unicode standard, as a machine: how many bytes are missing, and what the next
/// one may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unicode(u8, u8, u8);

impl Unicode {
    pub(crate) const START: Self = Self(0, 0x80, 0xbf);

    pub(crate) fn step(self, byte: u8) -> Option<Self> {
        let Self(missing, low, high) = self;
        if missing > 0 {
            let fits = (low..=high).contains(&byte);
            return fits.then_some(Self(missing - 1, 0x80, 0xbf));
        }
        Some(match byte {
            0..=0x7f => Self::START,
            0xc2..=0xdf => Self(1, 0x80, 0xbf),
            0xe0 => Self(2, 0xa0, 0xbf),
            0xe1..=0xec | 0xee | 0xef => Self(2, 0x80, 0xbf),
            0xed => Self(2, 0x80, 0x9f),
            0xf0 => Self(3, 0x90, 0xbf),
            0xf1..=0xf3 => Self(3, 0x80, 0xbf),
            0xf4 => Self(3, 0x80, 0x8f),
            _ => return None,
        })
    }

    pub(crate) fn is_whole(self) -> bool {
        self.0 == 0
    }
}

pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
    let end = bytes.iter().try_fold(Unicode::START, |state, &byte| state.step(byte));
    end.is_some_and(Unicode::is_whole)
}

/// Section 7.4: what may stand in a Close frame.
pub(crate) fn is_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

struct Open {
    kind: Type,
    data: Vec<u8>,
    text: Unicode,
    declared: u64,
    fragments: u64,
    empty: u64,
}

/// Why decoding ends.
enum Stop {
    /// The input does.
    Input,
    Fail(u16),
    Closed,
}

struct Decoder<'a> {
    rules: Rules,
    rest: &'a [u8],
    saw: Vec<Saw>,
    open: Option<Open>,
}

pub(crate) fn decode(rules: Rules, stream: &[u8]) -> Vec<Saw> {
    let mut decoder = Decoder { rules, rest: stream, saw: vec![], open: None };
    let stop = loop {
        if let Err(stop) = decoder.frame() {
            break stop;
        }
    };
    let close = if let Stop::Closed = stop { decoder.saw.pop() } else { None };
    if let Some(Open { kind, data, .. }) = decoder.open.filter(|open| !open.data.is_empty()) {
        decoder.saw.push(Saw::Part(kind, data));
    }
    decoder.saw.extend(close);
    if let Stop::Fail(code) = stop {
        decoder.saw.push(Saw::Fail(code));
    }
    decoder.saw
}

fn must(holds: bool) -> Result<(), Stop> {
    if holds { Ok(()) } else { Err(Stop::Fail(1002)) }
}

impl Decoder<'_> {
    fn byte(&mut self) -> Result<u8, Stop> {
        let (first, rest) = self.rest.split_first().ok_or(Stop::Input)?;
        self.rest = rest;
        Ok(*first)
    }

    fn frame(&mut self) -> Result<(), Stop> {
        let first = self.byte()?;
        let (fin, rsv1, opcode) = (first & 0x80 != 0, first & 0x40 != 0, first & 0x0f);
        // 5.2: RSV2 and RSV3 have no meaning; RSV1 has one on the first frame of a message.
        must(first & 0x30 == 0)?;
        must(!rsv1 || self.rules.compression && (opcode == 1 || opcode == 2))?;
        must(!(3..=7).contains(&opcode) && opcode <= 10)?;
        // 5.5: control frames are not fragmented. 5.4: a continuation continues something.
        must(opcode < 8 || fin)?;
        must(opcode >= 8 || (opcode == 0) == self.open.is_some())?;
        let len = self.length(opcode >= 8)?;
        if opcode < 8 {
            let so_far = self.open.as_ref().map_or(0, |open| open.declared);
            let fits = len <= self.rules.max_frame && so_far + len <= self.rules.max_message;
            if !fits {
                return Err(Stop::Fail(1009));
            }
        }
        let mut key = [0; 4];
        if self.rules.server {
            for slot in &mut key {
                *slot = self.byte()?;
            }
        }
        if opcode >= 8 { self.control(opcode, len, key) } else { self.data(opcode, fin, len, key) }
    }

    /// The mask bit and the length, in the fewest bytes.
    fn length(&mut self, is_control: bool) -> Result<u64, Stop> {
        let second = self.byte()?;
        must((second & 0x80 != 0) == self.rules.server)?;
        let short = second & 0x7f;
        must(!is_control || short <= 125)?;
        let (size, least) = match short {
            126 => (2, 126),
            127 => (8, 65_536),
            _ => return Ok(u64::from(short)),
        };
        let mut len = 0;
        for at in 1..=size {
            let byte = self.byte()?;
            must(size == 2 || at > 1 || byte < 0x80)?;
            len = len << 8 | u64::from(byte);
            // Nothing that may still come makes it long enough.
            must(len > 0 || size == 2 || at < 6)?;
        }
        must(len >= least)?;
        Ok(len)
    }

    fn control(&mut self, opcode: u8, len: u64, key: [u8; 4]) -> Result<(), Stop> {
        let mut payload = Vec::new();
        for at in 0..usize::try_from(len).expect("at most 125") {
            payload.push(self.byte()? ^ key[at % 4]);
        }
        if opcode != 8 {
            self.saw.push(if opcode == 9 { Saw::Ping(payload) } else { Saw::Pong(payload) });
            return Ok(());
        }
        // 5.5.1: nothing, or a code and a reason.
        let (code, reason) = match payload[..] {
            [] => (1005, vec![]),
            [_] => return Err(Stop::Fail(1002)),
            [high, low, ref reason @ ..] => {
                let code = u16::from_be_bytes([high, low]);
                must(is_close_code(code))?;
                (code, reason.to_vec())
            }
        };
        if !is_utf8(&reason) {
            return Err(Stop::Fail(1007));
        }
        self.saw.push(Saw::Close(code, reason));
        Err(Stop::Closed)
    }

    fn data(&mut self, opcode: u8, fin: bool, len: u64, key: [u8; 4]) -> Result<(), Stop> {
        let open = self.open.get_or_insert_with(|| Open {
            kind: if opcode == 1 { Type::Text } else { Type::Binary },
            data: vec![],
            text: Unicode::START,
            declared: 0,
            fragments: 0,
            empty: 0,
        });
        open.declared += len;
        open.fragments += 1;
        open.empty = if len == 0 && !fin { open.empty + 1 } else { 0 };
        let is_split = open.fragments > 1;
        let too_many = open.fragments > self.rules.max_fragments + open.declared / 16;
        if is_split && too_many || open.empty > self.rules.max_empty {
            return Err(Stop::Fail(1008));
        }
        for at in 0..len {
            let (first, rest) = self.rest.split_first().ok_or(Stop::Input)?;
            self.rest = rest;
            let byte = first ^ key[usize::try_from(at % 4).expect("below 4")];
            if open.kind == Type::Text {
                open.text = open.text.step(byte).ok_or(Stop::Fail(1007))?;
            }
            open.data.push(byte);
        }
        if !fin {
            return Ok(());
        }
        if !open.text.is_whole() {
            return Err(Stop::Fail(1007));
        }
        let open = self.open.take().expect("it is open");
        self.saw.push(Saw::Message(open.kind, open.data));
        Ok(())
    }
}
