//! The notation of the tables: six columns between tabs, `-` for none.
//!
//! 1. the rows of the matrix that it shows; 2. a name; 3. settings, `name` or `name=value`;
//! 4. the input; 5. what comes of it; 6. the output.
//!
//! Bytes are in hexadecimal, in parts between spaces; `61*300` is 300 times the byte 0x61. Heads
//! are text instead: see `heads.rs`.

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) requirements: Vec<String>,
    pub(crate) name: String,
    settings: Vec<(String, String)>,
    pub(crate) input: String,
    pub(crate) outcome: Vec<String>,
    pub(crate) output: String,
}

pub(crate) fn rows(text: &str) -> Vec<Row> {
    text.lines().filter(|line| !line.starts_with('#')).map(Row::parse).collect()
}

impl Row {
    fn parse(line: &str) -> Self {
        let columns: Vec<_> = line.split('\t').collect();
        let [requirements, name, settings, input, outcome, output] = columns[..] else {
            panic!("six columns: {line}")
        };
        let given = |text: &str| if text == "-" { String::new() } else { text.to_owned() };
        let setting = |text: &str| {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            (name.to_owned(), value.to_owned())
        };
        let split = |text: &str, by| -> Vec<String> {
            text.split(by).filter(|part| !part.is_empty()).map(String::from).collect()
        };
        Self {
            requirements: split(requirements, ','),
            name: name.into(),
            settings: split(&given(settings), ',').iter().map(|s| setting(s)).collect(),
            input: input.into(),
            outcome: split(&given(outcome), ' '),
            output: given(output),
        }
    }

    pub(crate) fn setup(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|(found, _)| found == name).map(|(_, value)| &**value)
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.setup(name).map(|value| value.parse().unwrap())
    }

    /// Whether this build can run it.
    pub(crate) fn applies(&self) -> bool {
        cfg!(feature = "deflate") || self.setup("deflate").is_none()
    }

    /// The row with something else expected.
    pub(crate) fn changes(&self) -> Vec<Self> {
        let with = |change: &dyn Fn(&mut Self)| {
            let mut row = self.clone();
            change(&mut row);
            row
        };
        let mut changed = vec![
            with(&|row| row.outcome.push("ping:61".into())),
            with(&|row| row.outcome.insert(0, "fail:1003:ReservedBits".into())),
        ];
        for at in 0..self.outcome.len() {
            changed.push(with(&|row| {
                row.outcome.remove(at);
            }));
            // One character of it: a digit, a name's, a byte's.
            let old = &self.outcome[at];
            let swapped = |c: char| if c == '1' { '2' } else { '1' };
            let last = old.chars().last().unwrap();
            let new = format!("{}{}", &old[..old.len() - last.len_utf8()], swapped(last));
            changed.push(with(&|row| row.outcome[at].clone_from(&new)));
        }
        if !self.output.is_empty() {
            changed.push(with(&|row| row.output = row.output[..row.output.len() - 2].into()));
            changed.push(with(&|row| row.output += "00"));
        }
        changed
    }
}

/// Bytes in the notation above.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in text.split(' ') {
        let (digits, times) = part.split_once('*').unwrap_or((part, "1"));
        assert!(digits.len() % 2 == 0, "{part}");
        let once: Vec<_> = (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("two digits"))
            .collect();
        bytes.extend(once.repeat(times.parse().expect("a count")));
    }
    bytes
}
