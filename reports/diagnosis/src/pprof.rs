//! A profile as Go's and others' `pprof` endpoints serve it, decoded without Go. Source: `profile.proto` of google/pprof.
//!
//! What comes over the wire is not believed: what it unpacks to is bounded, and every reference in it is followed before anything is made of it.

mod subject;
mod text;
mod wire;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use prost::Message as _;

pub(crate) use subject::Amount;
pub use subject::{ProfileSubject, SubjectError};

/// A profile that unpacks to more than this is refused.
const UNPACKED_BYTES_MAX: u64 = 256 << 20;

/// Characters of a name that are kept.
const KIND_CHARS_MAX: usize = 60;
const FUNCTION_CHARS_MAX: usize = 1000;

/// Why bytes are no profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PprofError {
    /// Nothing came.
    #[error("it is empty")]
    Empty,
    /// A page for people.
    #[error("it is HTML and no profile: something else listens there, or a page to log in stands before it")]
    Html,
    /// Words.
    #[error("it is text and no profile: `{0}`")]
    Text(String),
    /// A format that is known and not read.
    #[error("it is {0}")]
    Foreign(&'static str),
    /// The end is missing.
    #[error("it is cut off after {0} bytes")]
    CutOff(usize),
    /// It unpacks to too much.
    #[error("it unpacks to more than {} MiB", UNPACKED_BYTES_MAX >> 20)]
    TooLarge,
    /// It is not what the format says.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

/// A profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Pprof {
    /// What each value of a stack is: a name such as `inuse_space` and a unit such as `bytes`.
    pub kinds: Vec<(String, String)>,
    /// What was sampled.
    pub stacks: Vec<Stack>,
    /// How long it was taken for, in seconds; 0 where it is a moment.
    pub duration_s: f64,
    /// What lies between two samples.
    pub period: Option<Period>,
}

/// What lies between two samples of a profile, such as 10,000,000 nanoseconds of the processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// Of what: `cpu`, `wall`, `space`.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// How much.
    pub every: i64,
}

/// The values of one stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// Its functions, innermost first; an address where the profile names none.
    pub functions: Vec<Arc<str>>,
    /// As many values as there are kinds.
    pub values: Vec<i64>,
}

impl Pprof {
    /// Decodes a profile, packed or not.
    pub fn decode(bytes: &[u8]) -> Result<Self, PprofError> {
        resolve(&unpack(bytes)?)
    }
}

/// The same profile, packed, without labels and comments: those are a program's own words, and may hold anything.
pub fn without_labels(bytes: &[u8]) -> Result<Vec<u8>, PprofError> {
    let mut profile = unpack(bytes)?;
    resolve(&profile)?;
    profile.samples.iter_mut().for_each(|sample| sample.labels.clear());
    profile.comments.clear();
    profile.doc_url = 0;
    let used = profile.strings_used();
    for (index, text) in profile.strings.iter_mut().enumerate() {
        if !used.contains(&(index as i64)) {
            text.clear();
        }
    }
    let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::default());
    let written = packed.write_all(&profile.encode_to_vec()).and_then(|()| packed.finish());
    written.map_err(|error| PprofError::Damaged(error.to_string()))
}

fn unpack(bytes: &[u8]) -> Result<wire::Profile, PprofError> {
    if bytes.is_empty() {
        return Err(PprofError::Empty);
    }
    let unpacked;
    let message = if bytes.starts_with(&[0x1f, 0x8b]) || bytes == [0x1f] {
        unpacked = gunzip(bytes)?;
        &unpacked
    } else {
        bytes
    };
    if let Some(heap) = text::go_heap(message) {
        return Ok(heap);
    }
    if let Some(format) = text::foreign(message) {
        return Err(PprofError::Foreign(format));
    }
    refuse_text(message)?;
    wire::Profile::decode(message).map_err(|error| {
        // Packed bytes were whole, by their checksum.
        if error.to_string().contains("buffer underflow") && message.len() == bytes.len() {
            PprofError::CutOff(bytes.len())
        } else {
            PprofError::Damaged(error.to_string())
        }
    })
}

fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, PprofError> {
    let mut unpacked = Vec::new();
    let read = GzDecoder::new(bytes).take(UNPACKED_BYTES_MAX + 1).read_to_end(&mut unpacked);
    match read {
        Ok(length) if length as u64 > UNPACKED_BYTES_MAX => Err(PprofError::TooLarge),
        Ok(_) => Ok(unpacked),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(PprofError::CutOff(bytes.len())),
        Err(error) => Err(PprofError::Damaged(error.to_string())),
    }
}

/// What else an endpoint may answer with.
fn refuse_text(bytes: &[u8]) -> Result<(), PprofError> {
    let Ok(text) = std::str::from_utf8(bytes) else { return Ok(()) };
    if is_html(text) {
        return Err(PprofError::Html);
    }
    if text.trim().is_empty() {
        // The first byte of a message that was not packed is a line end.
        return Err(PprofError::CutOff(bytes.len()));
    }
    if text.chars().all(|c| !c.is_control() || c.is_ascii_whitespace()) {
        let first = text.trim().lines().next().unwrap_or_default();
        return Err(PprofError::Text(crate::secrets::removed(&first.chars().take(80).collect::<String>())));
    }
    Ok(())
}

/// Whether a text is a page for people.
pub(crate) fn is_html(text: &str) -> bool {
    let beginning: String = text.trim_start().chars().take(16).collect::<String>().to_ascii_lowercase();
    ["<!doctype", "<html", "<head", "<body", "<!--"].iter().any(|tag| beginning.starts_with(tag))
}

/// Follows every reference.
fn resolve(profile: &wire::Profile) -> Result<Pprof, PprofError> {
    let damaged = |what: &str| PprofError::Damaged(what.to_owned());
    let text = |index: i64| usize::try_from(index).ok().and_then(|index| profile.strings.get(index));
    if profile.sample_types.is_empty() {
        return Err(damaged("it does not say what its values are"));
    }
    let mut kinds = Vec::new();
    for kind in &profile.sample_types {
        let (Some(name), Some(unit)) = (text(kind.name), text(kind.unit)) else {
            return Err(damaged("the name of a value is missing"));
        };
        kinds.push((shown(name, KIND_CHARS_MAX), shown(unit, KIND_CHARS_MAX)));
    }
    let mut functions: BTreeMap<u64, Arc<str>> = BTreeMap::new();
    for function in &profile.functions {
        let name = text(function.name).ok_or_else(|| damaged("the name of a function is missing"))?;
        functions.insert(function.id, Arc::from(shown(name, FUNCTION_CHARS_MAX).as_str()));
    }
    let mut places: BTreeMap<u64, Vec<Arc<str>>> = BTreeMap::new();
    for location in &profile.locations {
        let mut names = Vec::new();
        for line in &location.lines {
            let function = functions.get(&line.function_id);
            names.push(Arc::clone(function.ok_or_else(|| damaged("a place names a function that is not there"))?));
        }
        if names.is_empty() {
            names.push(Arc::from(format!("{:#x}", location.address)));
        }
        places.insert(location.id, names);
    }
    let mut stacks = Vec::new();
    for sample in &profile.samples {
        if sample.values.len() != kinds.len() {
            return Err(damaged("a stack has more or fewer values than there are kinds"));
        }
        let mut functions = Vec::new();
        for id in &sample.location_ids {
            let place = places.get(id).ok_or_else(|| damaged("a stack names a place that is not there"))?;
            functions.extend(place.iter().cloned());
        }
        stacks.push(Stack { functions, values: sample.values.clone() });
    }
    let period = profile.period_type.and_then(|kind| {
        Some(Period { name: text(kind.name)?.clone(), unit: text(kind.unit)?.clone(), every: profile.period })
    });
    Ok(Pprof { kinds, stacks, duration_s: profile.duration_ns as f64 / 1e9, period })
}

/// A name as it may be shown: bounded, and without what a terminal would obey.
fn shown(name: &str, chars_max: usize) -> String {
    name.chars().take(chars_max).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A heap profile of these stacks: functions innermost first, objects and bytes in use. Labels and a comment hold `secret`.
    pub(crate) fn heap(stacks: &[(&[&str], i64, i64)]) -> Vec<u8> {
        let mut profile = wire::Profile::default();
        let text = |profile: &mut wire::Profile, text: &str| {
            profile.strings.iter().position(|known| known == text).unwrap_or_else(|| {
                profile.strings.push(text.to_owned());
                profile.strings.len() - 1
            }) as i64
        };
        text(&mut profile, "");
        for (name, unit) in [("inuse_objects", "count"), ("inuse_space", "bytes")] {
            let kind = wire::ValueType { name: text(&mut profile, name), unit: text(&mut profile, unit) };
            profile.sample_types.push(kind);
        }
        let (key, value) = (text(&mut profile, "tenant"), text(&mut profile, "secret"));
        profile.comments.push(value);
        for (functions, objects, bytes) in stacks {
            let mut sample = wire::Sample { values: vec![*objects, *bytes], ..wire::Sample::default() };
            for name in *functions {
                let id = profile.functions.len() as u64 + 1;
                let name = text(&mut profile, name);
                profile.functions.push(wire::Function { id, name, ..wire::Function::default() });
                let lines = vec![wire::Line { function_id: id, line: 1 }];
                profile.locations.push(wire::Location { id, lines, ..wire::Location::default() });
                sample.location_ids.push(id);
            }
            sample.labels.push(wire::Label { key, text: value, ..wire::Label::default() });
            profile.samples.push(sample);
        }
        profile.encode_to_vec()
    }

    /// Packed, as servers send it.
    pub(crate) fn packed(message: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(message).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn a_profile_is_decoded_packed_or_not() {
        let plain = heap(&[(&["main.leak", "main.main"], 3, 4096)]);
        let decoded = Pprof::decode(&plain).unwrap();
        assert_eq!(decoded, Pprof::decode(&packed(&plain)).unwrap());
        let functions: Vec<&str> = decoded.stacks[0].functions.iter().map(AsRef::as_ref).collect();
        assert_eq!(
            (functions.as_slice(), decoded.stacks[0].values.as_slice()),
            (&["main.leak", "main.main"][..], &[3, 4096][..])
        );
        assert_eq!(decoded.subject(), ProfileSubject::Heap);
    }

    #[test]
    fn a_name_gives_a_terminal_nothing_to_obey() {
        let decoded = Pprof::decode(&heap(&[(&["main\u{1b}]0;x\u{7}", &"f".repeat(5000)], 3, 4096)])).unwrap();
        assert_eq!(decoded.stacks[0].functions[0].as_ref(), "main\u{fffd}]0;x\u{fffd}");
        assert_eq!(decoded.stacks[0].functions[1].len(), FUNCTION_CHARS_MAX);
    }

    #[test]
    fn one_that_is_cut_off_anywhere_says_so() {
        let plain = heap(&[(&["main.leak", "main.main"], 3, 4096), (&["main.other"], 1, 10)]);
        let whole = packed(&plain);
        assert_eq!(Pprof::decode(&[]), Err(PprofError::Empty));
        for length in 1..whole.len() {
            assert_eq!(Pprof::decode(&whole[..length]), Err(PprofError::CutOff(length)), "{length}");
        }
        for length in 1..plain.len() {
            // Without a checksum, where fields end a rest is whole; what stands at the end is referred to from before.
            let cut = Pprof::decode(&plain[..length]);
            let told = matches!(cut, Err(PprofError::CutOff(_) | PprofError::Damaged(_)));
            assert!(told || length + 4 > plain.len(), "{length} of {}: {cut:?}", plain.len());
        }
    }

    #[test]
    fn what_is_no_profile_is_told_as_what_it_is() {
        assert_eq!(Pprof::decode(b"\n <!DOCTYPE html><html>Log in</html>"), Err(PprofError::Html));
        let text = Pprof::decode(b"heap in use: 4711 bytes\npassword=hunter22\n").unwrap_err();
        assert!(text.to_string().contains("`heap in use: 4711 bytes`"), "{text}");
        let mut bytes = packed(&heap(&[(&["a"], 1, 1)]));
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
        assert!(Pprof::decode(&bytes).is_err());
        let bomb = packed(&vec![0; (UNPACKED_BYTES_MAX + 10) as usize]);
        assert_eq!(Pprof::decode(&bomb), Err(PprofError::TooLarge));
    }

    #[test]
    fn labels_and_comments_do_not_survive() {
        let before = packed(&heap(&[(&["main.leak"], 3, 4096)]));
        let after = without_labels(&before).unwrap();
        assert_eq!(Pprof::decode(&before), Pprof::decode(&after));
        let unpacked = String::from_utf8_lossy(&gunzip(&after).unwrap()).into_owned();
        assert!(!unpacked.contains("secret") && !unpacked.contains("tenant") && unpacked.contains("main.leak"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..400, with in any::<u8>()) {
            let _ = Pprof::decode(&bytes);
            let mut plain = heap(&[(&["main.leak", "main.main"], 3, 4096)]);
            let at = at % plain.len();
            plain[at] = with;
            let _ = without_labels(&plain);
            let _ = Pprof::decode(&plain);
        }
    }
}
