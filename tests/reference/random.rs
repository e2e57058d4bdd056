//! Frame streams by chance: mostly legal, sometimes not, now and then mutated.

pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % n
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }

    pub(crate) fn cuts(&mut self, len: usize) -> Vec<usize> {
        let mut cuts: Vec<_> = (0..self.below(8)).map(|_| self.below(len + 1)).collect();
        cuts.sort_unstable();
        cuts
    }

    /// Of a length around which something changes.
    fn len(&mut self) -> usize {
        match self.below(12) {
            0 | 1 => 0,
            2 => 123 + self.below(6),
            3 => self.below(400),
            4 if self.one_in(6) => 65_533 + self.below(6),
            _ => self.below(14),
        }
    }

    pub(crate) fn bytes(&mut self) -> Vec<u8> {
        (0..self.len()).map(|_| self.byte()).collect()
    }

    /// Mostly text, cut anywhere.
    fn text(&mut self, len: usize) -> Vec<u8> {
        let is_bad = self.one_in(6);
        let mut text = Vec::new();
        while text.len() < len {
            if is_bad && self.one_in(4) {
                text.push(self.byte());
            } else {
                let parts = ["a", "é", "€", "😀", "\u{d7ff}", "\u{10ffff}", "z"];
                text.extend(parts[self.below(parts.len())].bytes());
            }
        }
        if self.one_in(3) {
            text.truncate(len);
        }
        text
    }

    fn opcode(&mut self, is_sane: bool, is_open: bool) -> u8 {
        if !is_sane {
            return self.byte() & 15;
        }
        match self.below(12) {
            0 | 1 => 9,
            2 => 10,
            3 if self.one_in(2) => 8,
            _ if is_open => 0,
            odd => 1 + u8::from(odd % 2 == 1),
        }
    }

    fn payload(&mut self, opcode: u8) -> Vec<u8> {
        let len = if opcode >= 8 { self.len().min(125) } else { self.len() };
        let mut payload = self.text(len);
        if opcode >= 8 {
            payload.truncate(if self.one_in(40) { 126 } else { 125 });
        }
        if opcode == 8 && payload.len() >= 2 {
            let codes =
                [1000_u16, 1001, 1004, 1005, 1006, 1011, 1014, 1015, 2999, 3000, 4999, 5000];
            payload[..2].copy_from_slice(&codes[self.below(codes.len())].to_be_bytes());
            if self.one_in(2) {
                payload.truncate(2);
            }
        }
        payload
    }

    /// To a server, or to a client.
    pub(crate) fn stream(&mut self, to_server: bool) -> Vec<u8> {
        let (mut stream, mut is_open) = (Vec::new(), false);
        for _ in 0..self.below(9) {
            let is_sane = !self.one_in(14);
            let opcode = self.opcode(is_sane, is_open);
            let fin = opcode >= 8 && is_sane || self.one_in(2);
            if opcode < 8 {
                is_open = !fin;
            }
            let payload = self.payload(opcode);
            let reserved = if self.one_in(40) { (self.byte() & 7) << 4 } else { 0 };
            stream.push(u8::from(fin) << 7 | reserved | opcode);
            let is_masked = to_server != self.one_in(40);
            self.length(&mut stream, is_masked, payload.len());
            let key = if is_masked { [self.byte(), self.byte(), self.byte(), 0] } else { [0; 4] };
            if is_masked {
                stream.extend(key);
            }
            stream.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        }
        self.mutate(&mut stream);
        stream
    }

    /// Mostly in the fewest bytes.
    fn length(&mut self, stream: &mut Vec<u8>, is_masked: bool, len: usize) {
        let bit = u8::from(is_masked) << 7;
        let fewest = match len {
            0..=125 => 0,
            126..=65_535 => 1,
            _ => 2,
        };
        match if self.one_in(40) { self.below(3) } else { fewest } {
            0 => stream.push(bit | len.to_le_bytes()[0] & 0x7f),
            1 => {
                stream.push(bit | 0x7e);
                stream.extend(&(len as u64).to_be_bytes()[6..]);
            }
            _ => {
                stream.push(bit | 0x7f);
                let len = if self.one_in(5) { self.next() } else { len as u64 };
                stream.extend(len.to_be_bytes());
            }
        }
    }

    fn mutate(&mut self, stream: &mut Vec<u8>) {
        let changes = if self.one_in(3) { self.below(3) } else { 0 };
        for _ in 0..changes {
            if stream.is_empty() {
                return;
            }
            let at = self.below(stream.len());
            match self.below(3) {
                0 => stream[at] = self.byte(),
                1 => drop(stream.remove(at)),
                _ => stream.insert(at, self.byte()),
            }
        }
        if self.one_in(5) {
            stream.truncate(self.below(stream.len() + 1));
        }
    }
}
