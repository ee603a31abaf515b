//! Profiles that are no `profile.proto`: Go's heap as a page of text (`debug=1`), which is read, and others, which are refused by name.
//!
//! Source: `runtime/pprof` (`writeHeapInternal`) for the page, and `legacy_profile.go` of google/pprof for the sampling.

use std::collections::HashMap;

use super::wire;

/// Formats of other programs, by how they begin.
pub(super) fn foreign(bytes: &[u8]) -> Option<&'static str> {
    // Five words of the machine: 0, 3, 0, the period, 0.
    let word = |at: usize, size: usize| {
        let bytes = bytes.get(at * size..(at + 1) * size)?;
        Some(bytes.iter().rev().fold(0_u64, |all, byte| all << 8 | u64::from(*byte)))
    };
    let is_gperftools = |size| [(0, 0), (1, 3), (2, 0)].into_iter().all(|(at, value)| word(at, size) == Some(value));
    if is_gperftools(8) || is_gperftools(4) {
        return Some("a processor profile of gperftools");
    }
    let head = std::str::from_utf8(&bytes[..bytes.len().min(200)]).unwrap_or_default().lines().next()?;
    let of_heap = head.starts_with("heap profile:") && head.contains('@');
    if head.starts_with("heap_v2/") || (of_heap && head.contains("@ heap_v2/")) {
        Some("a heap profile of jemalloc or tcmalloc as text")
    } else if of_heap && (head.contains("@ heapz_v2/") || head.contains("@ heapprofile") || head.contains("@ growthz"))
    {
        Some("a heap profile of tcmalloc as text")
    } else if head.starts_with("--- contention") || head.starts_with("--- mutex") {
        Some("Go's block or mutex profile as text")
    } else if head.starts_with("goroutine profile:") || head.starts_with("goroutine ") {
        Some("a goroutine dump")
    } else if head.starts_with("threadcreate profile:") {
        Some("Go's profile of the creation of threads as text")
    } else {
        None
    }
}

/// Go's heap as a page of text; `None` where it is none.
pub(super) fn go_heap(bytes: &[u8]) -> Option<wire::Profile> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, rest) = text.trim_start().split_once('\n')?;
    let twice_the_rate: f64 = head.strip_prefix("heap profile: ")?.rsplit_once("@ heap/")?.1.trim().parse().ok()?;
    let mut made = Made::default();
    let bytes = made.text("bytes");
    let name = made.text("space");
    made.profile.period_type = Some(wire::ValueType { name, unit: bytes });
    made.profile.period = (twice_the_rate / 2.0) as i64;
    for (name, unit) in [("inuse_objects", "count"), ("inuse_space", "bytes")] {
        let kind = wire::ValueType { name: made.text(name), unit: made.text(unit) };
        made.profile.sample_types.push(kind);
    }
    let mut open: Option<[f64; 2]> = None;
    let mut frames: Vec<&str> = Vec::new();
    for line in rest.lines().chain([""]) {
        if let Some(frame) = line.strip_prefix("#\t") {
            frames.extend(frame.split('\t').nth(1));
            continue;
        }
        if let Some([objects, bytes]) = open.take() {
            made.stack(&std::mem::take(&mut frames), scaled(objects, bytes, twice_the_rate / 2.0));
        }
        frames.clear();
        open = in_use(line);
    }
    Some(made.profile)
}

/// Objects and bytes in use of a line such as `1: 8388608 [6: 50331648] @ 0x4a1b2c`.
fn in_use(line: &str) -> Option<[f64; 2]> {
    let (objects, rest) = line.split_once(": ")?;
    let (bytes, _) = rest.split_once(" [")?;
    Some([objects.trim().parse().ok()?, bytes.trim().parse().ok()?])
}

/// What was really there of what was sampled, one object in `rate` bytes on average.
fn scaled(objects: f64, bytes: f64, rate: f64) -> [i64; 2] {
    let scale =
        if objects > 0.0 && bytes > 0.0 && rate > 1.0 { 1.0 / (1.0 - (-bytes / objects / rate).exp()) } else { 1.0 };
    [(objects * scale).round() as i64, (bytes * scale).round() as i64]
}

/// A profile that is put together.
struct Made {
    profile: wire::Profile,
    texts: HashMap<String, i64>,
    places: HashMap<String, u64>,
}

impl Default for Made {
    fn default() -> Self {
        let profile = wire::Profile { strings: vec![String::new()], ..wire::Profile::default() };
        Self { profile, texts: HashMap::new(), places: HashMap::new() }
    }
}

impl Made {
    fn text(&mut self, text: &str) -> i64 {
        let strings = &mut self.profile.strings;
        *self.texts.entry(text.to_owned()).or_insert_with(|| {
            strings.push(text.to_owned());
            strings.len() as i64 - 1
        })
    }

    fn stack(&mut self, frames: &[&str], values: [i64; 2]) {
        let names = frames.iter().map(|frame| frame.split("+0x").next().unwrap_or(frame));
        let location_ids = names.map(|name| self.place(name)).collect();
        let sample = wire::Sample { location_ids, values: values.to_vec(), ..wire::Sample::default() };
        self.profile.samples.push(sample);
    }

    fn place(&mut self, function: &str) -> u64 {
        if let Some(known) = self.places.get(function) {
            return *known;
        }
        let name = self.text(function);
        let id = self.places.len() as u64 + 1;
        self.profile.functions.push(wire::Function { id, name, ..wire::Function::default() });
        let lines = vec![wire::Line { function_id: id, line: 0 }];
        self.profile.locations.push(wire::Location { id, lines, ..wire::Location::default() });
        self.places.insert(function.to_owned(), id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Pprof, PprofError};

    const PAGE: &str = "heap profile: 3: 11534336 [14: 63963136] @ heap/1048576\n\
        1: 8388608 [6: 50331648] @ 0x4a1b2c 0x4a1c3d\n#\t0x4a1b2b\texample.com/store.(*Index).insert+0x2b\t/src/index.go:88\n\
        #\t0x4a1c3c\tmain.main+0x3c\t/src/main.go:20\n\n\
        20: 10240 [8: 13631488] @ 0x4b1b2c\n#\t0x4b1b2b\texample.com/store.(*Cache).put+0x1b\t/src/cache.go:41\n\n\
        0: 0 [9: 99] @ 0x4b1b2f\n#\t0x4b1b2b\tmain.freed+0x1b\t/src/main.go:41\n\n# runtime.MemStats\n# Alloc = 18874368\n";

    #[test]
    fn a_page_of_the_heap_is_read_and_scaled_to_what_was_not_sampled() {
        let heap = Pprof::decode(PAGE.as_bytes()).unwrap();
        let stacks: Vec<(String, i64)> =
            heap.stacks.iter().map(|one| (one.functions.join(" < "), one.values[1])).collect();
        assert_eq!(stacks[0], ("example.com/store.(*Index).insert < main.main".to_owned(), 8_388_609));
        // An object of 512 bytes is sampled once in 1024 on average, so that 20 stand for 20,490.
        assert_eq!(stacks[1].0, "example.com/store.(*Cache).put");
        assert!((stacks[1].1 as f64 / (20_490.0 * 512.0) - 1.0).abs() < 1e-3, "{}", stacks[1].1);
        assert_eq!((stacks.len(), stacks[2].1), (3, 0));
        // Kept without labels, it is the same.
        let kept = super::super::without_labels(PAGE.as_bytes()).unwrap();
        assert_eq!(Pprof::decode(&kept).unwrap(), heap);
    }

    #[test]
    fn formats_of_others_are_refused_by_name() {
        let words = |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
        let halves = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
        for (bytes, name) in [
            (words(&[0, 3, 0, 10_000, 0, 1, 1, 0x4000]), "gperftools"),
            (halves(&[0, 3, 0, 10_000, 0, 1, 1, 0x4000]), "gperftools"),
            (b"heap_v2/524288\n  t*: 28106: 56637512 [0: 0]\n".to_vec(), "jemalloc"),
            (b"heap profile:    12: 3456 [ 12: 3456] @ heapz_v2/524288\n 1: 2 [1: 2] @ 0x1\n".to_vec(), "tcmalloc"),
            (b"heap profile:    12: 3456 [ 12: 3456] @ heapprofile\n".to_vec(), "tcmalloc"),
            (b"--- contention:\ncycles/second=3000\n".to_vec(), "block or mutex"),
            (b"goroutine profile: total 5\n".to_vec(), "goroutine dump"),
        ] {
            match Pprof::decode(&bytes) {
                Err(PprofError::Foreign(what)) => assert!(what.contains(name), "{what}"),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}
