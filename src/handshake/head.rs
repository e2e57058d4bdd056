//! RFC 9112 sections 2 to 5, the part that an opening handshake needs: a head, read line by line.
//!
//! It finds lines and splits fields; what they mean is decided by the [`Lines`] it is given. It
//! takes CRLF only, no obs-fold, no space before a colon, and refuses a control character at the
//! byte that shows it, so that a TLS ClientHello or noise is answered at once.
//!
//! Invariant: no byte is looked at again once a later one was, except a CR that waits for its LF
//! and, once, the line that a read ends in: the work for a head of n bytes is O(n) however it was
//! cut. All that is decided, is decided in the order of the stream, so the outcome does not depend
//! on the cuts either.

use super::class::{Controls, first_control, token_len};
use super::fields::split_field;
use crate::config::Config;
use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::{fmt, mem};

/// The longest first word of a head: a method. The longest one registered with IANA has 17 bytes.
pub(super) const MAX_FIRST_WORD: usize = 32;

/// A stretch of a head. Positions stay valid when the head moves from the input to the heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn new(start: usize, end: usize) -> Self {
        // A head is shorter than 4 GiB: `Scanner::line` sees to that.
        let narrow = |at| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: narrow(start), end: narrow(end) }
    }

    /// Where in the head a part of it lies.
    pub(super) fn of_part(head: &[u8], part: &[u8]) -> Self {
        let start = part.as_ptr().addr().saturating_sub(head.as_ptr().addr());
        Self::new(start, start.saturating_add(part.len()))
    }

    /// The part of this span that `part` names, counted from its start.
    pub(super) fn part(self, part: core::ops::Range<usize>) -> Self {
        let start = self.start();
        Self::new(start.saturating_add(part.start), start.saturating_add(part.end))
    }

    pub(super) const fn start(self) -> usize {
        self.start as usize
    }

    /// Where the line after this one starts.
    pub(super) const fn next_line(self) -> usize {
        (self.end as usize).saturating_add(2)
    }

    pub(super) fn of(self, head: &[u8]) -> &[u8] {
        head.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// The text of a span that was found to be ASCII when its line arrived.
    pub(super) fn text(self, head: &[u8]) -> &str {
        core::str::from_utf8(self.of(head)).unwrap_or_default()
    }
}

/// What breaks a head before its meaning is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadError {
    Control,
    FirstWordTooLong,
    StartLineTooLong,
    /// Longer than a whole head may be.
    StartLineTooLarge,
    FieldTooLong,
    HeadTooLarge,
    TooManyFields,
    Field,
}

/// What is told of each line, in order, once.
pub(super) trait Lines {
    type Error: From<HeadError>;

    /// The start line. False: this was not it, the next one may be.
    fn start(&mut self, head: &[u8], line: Span) -> Result<bool, Self::Error>;

    /// A field, both parts of which lie in the head: its name is a token, its value trimmed and
    /// free of control characters but HTAB.
    fn field(&mut self, head: &[u8], name: &[u8], value: &[u8]);

    /// The blank line. False: another head follows.
    fn end(&mut self, head: &[u8]) -> Result<bool, Self::Error>;
}

/// A head on its way in: nothing on the heap unless it comes in pieces.
#[derive(Default)]
pub(super) struct Intake {
    /// `kept.len() <= max_head + 1`, and `kept` is empty or starts with the first byte received.
    kept: Vec<u8>,
    scanner: Scanner,
}

impl fmt::Debug for Intake {
    /// The length only: heads hold cookies and credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.kept.len())
    }
}

impl Intake {
    /// Takes what belongs to the head from `input`; the head, once its blank line has come.
    ///
    /// What follows the head stays in `input`. Nothing else does.
    pub(super) fn read<'b, L: Lines>(
        &mut self,
        config: &Config,
        lines: &mut L,
        input: &mut &'b mut [u8],
    ) -> Option<Result<Cow<'b, [u8]>, L::Error>> {
        let bytes = mem::take(input);
        let before = self.kept.len();
        let scanned = if before == 0 {
            let scanned = self.scanner.run(config, bytes, lines);
            if let Ok(None) = scanned {
                self.keep(config, bytes);
            }
            scanned
        } else {
            self.keep(config, bytes);
            self.scanner.run(config, &self.kept, lines)
        };
        match scanned {
            Ok(Some(end)) => {
                let (head, rest) = bytes.split_at_mut_checked(end.saturating_sub(before))?;
                *input = rest;
                Some(Ok(if before == 0 {
                    Cow::Borrowed(head)
                } else {
                    self.kept.truncate(end);
                    Cow::Owned(mem::take(&mut self.kept))
                }))
            }
            Ok(None) => None,
            Err(error) => {
                self.kept = Vec::new();
                Some(Err(error))
            }
        }
    }

    /// Whether what has come, and `next` behind it, begins with `word`, after an empty line or not,
    /// as far as the limits let it in.
    pub(super) fn begins_with(&self, config: &Config, word: &[u8], next: &[u8]) -> bool {
        let first = self.kept.first().or(next.first());
        if first != word.first() && first != Some(&b'\r') {
            return false;
        }
        let come = self.kept.iter().chain(next).take(config.max_head.saturating_add(1));
        let empty = if come.clone().take(2).eq(b"\r\n") { 2 } else { 0 };
        come.skip(empty).take(word.len().min(config.max_line.saturating_add(1))).eq(word)
    }

    fn keep(&mut self, config: &Config, bytes: &[u8]) {
        // One byte over the limit is enough to see that it is exceeded.
        append(&mut self.kept, bytes, config.max_head.saturating_add(1));
    }
}

/// Appends as much as makes `most` bytes in all, doubling the room but never beyond that.
pub(super) fn append(head: &mut Vec<u8>, bytes: &[u8], most: usize) {
    let bytes = bytes.get(..most.saturating_sub(head.len())).unwrap_or(bytes);
    let needed = head.len().saturating_add(bytes.len());
    if needed > head.capacity() {
        let room = head.capacity().saturating_mul(2).max(512).min(most).max(needed);
        head.reserve_exact(room.saturating_sub(head.len()));
    }
    head.extend_from_slice(bytes);
}

/// A place in a growing head.
#[derive(Debug, Default)]
struct Scanner {
    /// Where the current line starts.
    line: usize,
    /// `line <= scanned`, and `line..scanned` holds no control character.
    scanned: usize,
    /// The start line has been seen; its fields are next.
    started: bool,
    fields: u16,
}

impl Scanner {
    /// Tells `lines` of each line that is complete; where the head ends, once it has.
    fn run<L: Lines>(
        &mut self,
        config: &Config,
        head: &[u8],
        lines: &mut L,
    ) -> Result<Option<usize>, L::Error> {
        loop {
            if self.scanned != self.line || !self.whole_lines(config, head, lines)? {
                let Some(line) = self.line(config, head)? else { return Ok(None) };
                let text = line.of(head);
                if !self.started {
                    self.started = lines.start(head, line)?;
                    continue;
                }
                if !text.is_empty() {
                    if self.fields >= config.max_fields {
                        return Err(HeadError::TooManyFields.into());
                    }
                    self.fields = self.fields.saturating_add(1);
                    let (name, value) =
                        split_field(text, token_len(text)).ok_or(HeadError::Field)?;
                    lines.field(head, name, value);
                    continue;
                }
            }
            if lines.end(head)? {
                return Ok(Some(self.line));
            }
            (self.started, self.fields) = (false, 0);
        }
    }

    /// Tells `lines` of the lines that have come whole and break no rule, as nearly all do; whether
    /// the blank line after them has come too. Whatever is short of that is left to
    /// [`Self::line`], which knows what is wrong, and first; only a start line's meaning is judged
    /// here, too.
    #[inline]
    fn whole_lines<L: Lines>(
        &mut self,
        config: &Config,
        head: &[u8],
        lines: &mut L,
    ) -> Result<bool, L::Error> {
        let within = head.get(..config.max_head.min(u32::MAX as usize)).unwrap_or(head);
        let bytes = within.get(self.line..).unwrap_or_default();
        let (mut start, mut is_ended, mut fields) = (0_usize, false, self.fields);
        let mut controls = Controls::of(bytes);
        if !self.started {
            let line = whole_line(config, bytes, 0, &mut controls);
            let Some((line, next)) = line.filter(|(line, _)| has_first_word(line)) else {
                return Ok(false);
            };
            self.started = lines.start(head, Span::of_part(head, line))?;
            controls.step_over_lf();
            start = next;
        }
        while self.started && fields < config.max_fields {
            let line = whole_line(config, bytes, start, &mut controls);
            let Some((line, next)) = line else { break };
            // No token goes beyond its line; what follows fills up the step that its end is in.
            let rest = bytes.get(start..).unwrap_or_default();
            let field = split_field(line, token_len(rest));
            if field.is_none() && !line.is_empty() {
                break;
            }
            start = next;
            is_ended = field.is_none();
            let Some((name, value)) = field else { break };
            controls.step_over_lf();
            fields = fields.saturating_add(1);
            lines.field(head, name, value);
        }
        self.fields = fields;
        self.line = self.line.saturating_add(start);
        self.scanned = self.line;
        Ok(is_ended)
    }

    /// The next line without its CRLF, if all of it has come.
    ///
    /// Two bytes may be one too many: the one after the longest line, where only a CR may stand,
    /// and the one after the longest head. The first of the two decides.
    fn line(&mut self, config: &Config, head: &[u8]) -> Result<Option<Span>, HeadError> {
        let max_head = config.max_head.min(u32::MAX as usize);
        let (longest, too_long) = self.longest(config, head);
        let last = self.line.saturating_add(longest);
        let window = head.len().min(max_head).min(last.saturating_add(1));
        let fresh = head.get(self.scanned..window).unwrap_or_default();
        let Some(clean) = first_control(fresh) else {
            self.scanned = self.scanned.max(window);
            return match head.len() {
                len if len > max_head && max_head <= last => Err(self.too_large()),
                len if len > last => Err(too_long),
                _ => Ok(None),
            };
        };
        let at = self.scanned.saturating_add(clean);
        self.scanned = at;
        if head.get(at) != Some(&b'\r') {
            return Err(if at == last { too_long } else { HeadError::Control });
        }
        let after = at.saturating_add(1);
        match head.get(after) {
            None => Ok(None),
            Some(_) if after >= max_head => Err(self.too_large()),
            Some(b'\n') => {
                let line = Span::new(self.line, at);
                self.line = after.saturating_add(1);
                self.scanned = self.line;
                Ok(Some(line))
            }
            Some(_) => Err(HeadError::Control),
        }
    }

    /// What a head breaks by being longer.
    const fn too_large(&self) -> HeadError {
        if self.started { HeadError::HeadTooLarge } else { HeadError::StartLineTooLarge }
    }

    /// How long the current line may be, and what it breaks by being longer.
    fn longest(&self, config: &Config, head: &[u8]) -> (usize, HeadError) {
        if self.started {
            return (config.max_line, HeadError::FieldTooLong);
        }
        let beyond = self.line.saturating_add(MAX_FIRST_WORD);
        let word_is_open = config.max_line > MAX_FIRST_WORD && self.scanned <= beyond && {
            let seen = head.get(self.line..=beyond).or_else(|| head.get(self.line..));
            !seen.unwrap_or_default().contains(&b' ')
        };
        if word_is_open {
            (MAX_FIRST_WORD, HeadError::FirstWordTooLong)
        } else {
            (config.max_line, HeadError::StartLineTooLong)
        }
    }
}

/// The line at `start` without its CRLF, if all of it has come, and where the next one starts:
/// which must not wait for what is in this one.
#[inline(always)]
#[allow(clippy::inline_always, reason = "in registers, a line takes a few instructions")]
fn whole_line<'h>(
    config: &Config,
    bytes: &'h [u8],
    start: usize,
    controls: &mut Controls<'_>,
) -> Option<(&'h [u8], usize)> {
    let end = controls.next()?;
    let line = bytes.get(start..end)?;
    let is_whole = bytes.get(end..).and_then(<[u8]>::first_chunk) == Some(b"\r\n");
    (is_whole && line.len() <= config.max_line).then_some((line, end.saturating_add(2)))
}

/// Whether the first word of a whole line is no longer than it may be.
fn has_first_word(line: &[u8]) -> bool {
    line.get(..=MAX_FIRST_WORD).is_none_or(|start| start.contains(&b' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes any line.
    struct Any;

    impl Lines for Any {
        type Error = HeadError;

        fn start(&mut self, _: &[u8], _: Span) -> Result<bool, HeadError> {
            Ok(true)
        }

        fn field(&mut self, _: &[u8], _: &[u8], _: &[u8]) {}

        fn end(&mut self, _: &[u8]) -> Result<bool, HeadError> {
            Ok(true)
        }
    }

    fn longest_head() -> Vec<u8> {
        let line = |len: usize| format!("X: {}\r\n", "a".repeat(len - 5));
        let head = format!("GET / HTTP/1.1\r\n{}{}{}\r\n", line(8000), line(8000), line(366));
        assert_eq!(head.len(), 16 << 10);
        head.into_bytes()
    }

    /// RUSTSEC-2023-0065: 20 MB in pieces cost minutes. No byte is looked at again but a CR.
    // req: X-07
    #[test]
    fn cve_a_growing_head_is_read_again() {
        let (config, head) = (Config::default(), longest_head());
        let mut scanner = Scanner::default();
        for len in 1..=head.len() {
            // What a call looks at is what it was not past before.
            assert!(len - scanner.scanned <= 2, "{} at {len}", scanner.scanned);
            let end = scanner.run(&config, &head[..len], &mut Any).unwrap();
            assert_eq!(end, (len == head.len()).then_some(len));
        }
    }

    // req: X-06, H-43
    #[test]
    fn what_is_kept_is_bounded() {
        let (config, mut intake) = (Config::default(), Intake::default());
        assert_eq!(intake.kept.capacity(), 0);
        let mut bytes = longest_head();
        bytes.truncate(bytes.len() - 4);
        bytes.resize(100_000, b'a');
        for chunk in bytes.chunks_mut(7) {
            let verdict = intake.read(&config, &mut Any, &mut &mut *chunk);
            assert!(intake.kept.capacity() <= config.max_head + 1);
            if let Some(verdict) = verdict {
                assert_eq!(verdict, Err(HeadError::HeadTooLarge));
                assert_eq!(intake.kept.capacity(), 0);
                return;
            }
        }
        panic!("a head without end");
    }
}
