//! Reads what pointers name out of an answer in JSON while it arrives. The answer itself is never held: Weaviate sends every vector of a batch back.

use serde_json::Value;

use super::pointer::{Pointer, Step};

/// What pointers name in one answer, at most, in bytes.
const FOUND_BYTES_MAX: usize = 64 << 20;

/// Lists and objects inside each other, at most.
const DEPTH_MAX: usize = 64;

/// What a pointer names: one value, or one for each element of a list; `None` where there is nothing, or null.
pub(in crate::client) type Found = Vec<Option<Value>>;

/// Why an answer cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::client) enum Unreadable {
    /// It is something else.
    #[error("it is no JSON at byte {0}")]
    NotJson(usize),
    /// It ends too early.
    #[error("its JSON ends in the middle")]
    CutOff,
    /// It holds more than anybody asked for.
    #[error("what the profile reads of it is larger than 64 MiB")]
    TooLarge,
}

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// A value; of a list that has just begun also its end.
    Value { or_end: bool },
    /// A key; of an object that has just begun also its end.
    Key { or_end: bool },
    /// Within a key.
    KeyText { escaped: bool },
    /// The colon after a key.
    Colon,
    /// What follows a value in a list or an object.
    After,
    /// Within a text that is a value.
    Text { escaped: bool },
    /// Within a number or a word.
    Word,
    /// Within a list or an object that is taken, or left out, as a whole.
    Whole { depth: usize, text: bool, escaped: bool },
    /// The value has ended: only white space may follow.
    Over,
}

/// A list or an object that a pointer leads through.
#[derive(Debug)]
struct Frame {
    is_list: bool,
    /// Place of the element, in a list.
    place: usize,
    /// Key of the value, in an object.
    key: Vec<u8>,
    /// Pointers that lead here.
    active: Vec<usize>,
    /// Of pointers to each element: how many values they had found when the element began.
    before: Vec<(usize, usize)>,
}

/// The state of reading one answer.
#[derive(Debug)]
pub(in crate::client) struct Scanner<'a> {
    pointers: &'a [Pointer],
    found: Vec<Found>,
    found_bytes: usize,
    frames: Vec<Frame>,
    mode: Mode,
    at: usize,
    /// The value that is being taken, and the pointers that name it.
    taken: Vec<u8>,
    wanted: Vec<usize>,
}

impl<'a> Scanner<'a> {
    pub(in crate::client) fn new(pointers: &'a [Pointer]) -> Self {
        Self {
            pointers,
            found: vec![Found::new(); pointers.len()],
            found_bytes: 0,
            frames: Vec::new(),
            mode: Mode::Value { or_end: false },
            at: 0,
            taken: Vec::new(),
            wanted: Vec::new(),
        }
    }

    /// Reads on.
    pub(in crate::client) fn feed(&mut self, bytes: &[u8]) -> Result<(), Unreadable> {
        let mut rest = bytes;
        while let Some((byte, after)) = self.skip(rest).split_first() {
            self.byte(*byte)?;
            self.at += 1;
            rest = after;
        }
        Ok(())
    }

    /// What is left after the plain part of a value that nobody wants: most of an answer that sends vectors back.
    fn skip<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        if !self.wanted.is_empty() || !matches!(self.mode, Mode::Whole { text: false, .. }) {
            return bytes;
        }
        let is_plain = |byte: &u8| !matches!(byte, b'"' | b'[' | b']' | b'{' | b'}');
        let plain = bytes.iter().take_while(|byte| is_plain(byte)).count();
        self.at += plain;
        &bytes[plain..]
    }

    /// What each pointer named, once the answer is over.
    pub(in crate::client) fn end(mut self) -> Result<Vec<Found>, Unreadable> {
        if self.mode == Mode::Word && self.frames.is_empty() {
            self.value_ends()?;
        }
        if self.mode != Mode::Over {
            return Err(Unreadable::CutOff);
        }
        for (pointer, found) in self.pointers.iter().zip(&mut self.found) {
            if found.is_empty() && !pointer.is_of_each() {
                found.push(None);
            }
        }
        Ok(self.found)
    }

    fn not_json(&self) -> Unreadable {
        Unreadable::NotJson(self.at)
    }

    fn byte(&mut self, byte: u8) -> Result<(), Unreadable> {
        let is_space = byte.is_ascii_whitespace();
        match self.mode {
            Mode::Whole { depth, text, escaped } => return self.whole(byte, (depth, text, escaped)),
            Mode::Text { escaped } => {
                self.take(byte)?;
                match (escaped, byte) {
                    (false, b'"') => return self.value_ends(),
                    (escaped, byte) => self.mode = Mode::Text { escaped: !escaped && byte == b'\\' },
                }
            }
            Mode::KeyText { escaped } => match (escaped, byte) {
                (false, b'"') => self.mode = Mode::Colon,
                (escaped, byte) => {
                    self.mode = Mode::KeyText { escaped: !escaped && byte == b'\\' };
                    if let Some(frame) = self.frames.last_mut() {
                        frame.key.push(byte);
                    }
                }
            },
            Mode::Word => {
                if is_space || [b',', b']', b'}'].contains(&byte) {
                    self.value_ends()?;
                    return self.byte(byte);
                }
                self.take(byte)?;
            }
            _ if is_space => {}
            Mode::Value { or_end: true } if byte == b']' => return self.close(),
            Mode::Value { .. } => return self.value_begins(byte),
            Mode::Key { or_end: true } if byte == b'}' => return self.close(),
            Mode::Key { .. } if byte == b'"' => {
                self.mode = Mode::KeyText { escaped: false };
                if let Some(frame) = self.frames.last_mut() {
                    frame.key.clear();
                }
            }
            Mode::Colon if byte == b':' => self.mode = Mode::Value { or_end: false },
            Mode::After => return self.after(byte),
            Mode::Key { .. } | Mode::Colon | Mode::Over => return Err(self.not_json()),
        }
        Ok(())
    }

    fn after(&mut self, byte: u8) -> Result<(), Unreadable> {
        let Some(frame) = self.frames.last_mut() else { return Err(self.not_json()) };
        match (byte, frame.is_list) {
            (b',', true) => {
                frame.place += 1;
                self.mode = Mode::Value { or_end: false };
            }
            (b',', false) => self.mode = Mode::Key { or_end: false },
            (b']', true) | (b'}', false) => return self.close(),
            _ => return Err(self.not_json()),
        }
        Ok(())
    }

    /// Within a value that is taken or left out as a whole.
    fn whole(&mut self, byte: u8, (mut depth, mut text, mut escaped): (usize, bool, bool)) -> Result<(), Unreadable> {
        self.take(byte)?;
        if text {
            text = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else {
            match byte {
                b'"' => text = true,
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth -= 1,
                _ => {}
            }
        }
        if depth == 0 {
            return self.value_ends();
        }
        self.mode = Mode::Whole { depth, text, escaped };
        Ok(())
    }

    fn take(&mut self, byte: u8) -> Result<(), Unreadable> {
        if !self.wanted.is_empty() {
            self.found_bytes += 1;
            if self.found_bytes > FOUND_BYTES_MAX {
                return Err(Unreadable::TooLarge);
            }
            self.taken.push(byte);
        }
        Ok(())
    }

    /// Pointers that lead to the value that begins now.
    fn leading_here(&mut self) -> Vec<usize> {
        let depth = self.frames.len();
        let Some(frame) = self.frames.last_mut() else { return (0..self.pointers.len()).collect() };
        frame.before.clear();
        let mut here = Vec::new();
        for pointer in &frame.active {
            let fits = match self.pointers[*pointer].0.get(depth - 1) {
                Some(Step::Each) if frame.is_list => {
                    frame.before.push((*pointer, self.found[*pointer].len()));
                    true
                }
                Some(Step::Key(place)) if frame.is_list => place.parse() == Ok(frame.place),
                Some(Step::Key(key)) => key.as_bytes() == frame.key,
                Some(Step::Each) | None => false,
            };
            if fits {
                here.push(*pointer);
            }
        }
        here
    }

    fn value_begins(&mut self, byte: u8) -> Result<(), Unreadable> {
        let here = self.leading_here();
        let depth = self.frames.len();
        let (wanted, on): (Vec<usize>, Vec<usize>) =
            here.into_iter().partition(|pointer| self.pointers[*pointer].0.len() == depth);
        self.wanted = wanted;
        self.taken.clear();
        self.take(byte)?;
        self.mode = match byte {
            b'"' => Mode::Text { escaped: false },
            b'[' | b'{' if on.is_empty() || !self.wanted.is_empty() => {
                Mode::Whole { depth: 1, text: false, escaped: false }
            }
            b'[' | b'{' => {
                if depth >= DEPTH_MAX {
                    return Err(self.not_json());
                }
                let is_list = byte == b'[';
                self.frames.push(Frame { is_list, place: 0, key: Vec::new(), active: on, before: Vec::new() });
                if is_list { Mode::Value { or_end: true } } else { Mode::Key { or_end: true } }
            }
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => Mode::Word,
            _ => return Err(self.not_json()),
        };
        Ok(())
    }

    /// A list or an object that pointers led through ends.
    fn close(&mut self) -> Result<(), Unreadable> {
        self.frames.pop();
        self.wanted.clear();
        self.value_ends()
    }

    fn value_ends(&mut self) -> Result<(), Unreadable> {
        if !self.wanted.is_empty() {
            let value: Value = serde_json::from_slice(&self.taken).map_err(|_| self.not_json())?;
            for pointer in std::mem::take(&mut self.wanted) {
                self.found[pointer].push(Some(value.clone()).filter(|value| !value.is_null()));
            }
        }
        if let Some(frame) = self.frames.last() {
            for (pointer, before) in &frame.before {
                if self.found[*pointer].len() == *before {
                    self.found[*pointer].push(None);
                }
            }
        }
        self.mode = if self.frames.is_empty() { Mode::Over } else { Mode::After };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(pointer: &str, answer: &[u8], piece: usize) -> Result<Found, Unreadable> {
        let pointers = [Pointer::parse(pointer)];
        let mut scanner = Scanner::new(&pointers);
        for piece in answer.chunks(piece) {
            scanner.feed(piece)?;
        }
        scanner.end().map(|mut found| found.remove(0))
    }

    fn find(pointer: &str, answer: &Value) -> Found {
        let text = answer.to_string();
        let found = read(pointer, text.as_bytes(), text.len()).unwrap();
        assert_eq!(read(pointer, text.as_bytes(), 1).unwrap(), found, "byte by byte");
        found
    }

    #[test]
    fn a_star_stands_for_every_element() {
        let graphql =
            json!({ "data": { "Get": { "Soak": [{ "_additional": { "id": "a" } }, { "_additional": {} }] } } });
        assert_eq!(find("/data/Get/Soak/*/_additional/id", &graphql), [Some(json!("a")), None]);
        let columns = json!({ "ids": [["x", "y"]], "distances": [[0.5, 1.5]] });
        assert_eq!(find("/ids/0/*", &columns), [Some(json!("x")), Some(json!("y"))]);
        assert_eq!(find("/distances/0/*", &columns), [Some(json!(0.5)), Some(json!(1.5))]);
        assert_eq!(find("", &json!(7)), [Some(json!(7))]);
        assert_eq!(find("/a/1", &json!({ "a": [[1], { "b": "]\"}" }] })), [Some(json!({ "b": "]\"}" }))]);
    }

    #[test]
    fn rows_that_failed_are_told_from_those_that_did_not() {
        let answer = json!([
            { "id": "1", "vector": [1.0, 2.0], "result": { "status": "SUCCESS" } },
            { "id": "2", "vector": [1.0], "result": { "errors": { "error": [{ "message": "no" }] }, "status": "FAILED" } },
            7,
        ]);
        let errors = find("/*/result/errors", &answer);
        assert_eq!(errors, [None, Some(json!({ "error": [{ "message": "no" }] })), None]);
    }

    #[test]
    fn what_is_missing_is_told_from_what_is_empty() {
        let answer = json!({ "errors": null, "result": [] });
        assert_eq!(find("/errors", &answer), [None]);
        assert_eq!(find("/nothing", &answer), [None]);
        assert!(find("/result/*/id", &answer).is_empty());
        assert!(find("/errors/*", &answer).is_empty());
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for wrong in ["<html>", "{\"a\":1} and more", "{\"a\" 1}", "[1 2]", "{\"a\":tru}", "]", "{,}"] {
            assert!(matches!(read("/a", wrong.as_bytes(), 3), Err(Unreadable::NotJson(_))), "{wrong}");
        }
        for cut in ["", "{\"a\":[1,2", "\"tex"] {
            assert_eq!(read("/b", cut.as_bytes(), 3), Err(Unreadable::CutOff), "{cut}");
        }
    }

    /// Any value of JSON, a few levels deep.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[ -~]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[ab]", inner, 0..3)
                    .prop_map(|table| Value::Object(table.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn without_a_star_it_is_the_usual_pointer(answer in any_json(), steps in proptest::collection::vec("[ab01]", 1..4)) {
            let pointer = format!("/{}", steps.join("/"));
            let usual = answer.pointer(&pointer).filter(|value| !value.is_null()).cloned();
            prop_assert_eq!(find(&pointer, &answer), vec![usual]);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = read("/a/*/b", &bytes, 5);
        }
    }
}
