//! What a profile is of, by the types and units that it states itself.
//!
//! Time that tasks waited looks like time of the processor, and what was allocated looks like what is held: both have the same units. So the name of a value
//! decides, and what has no known name is refused by the name that it has.

use super::Pprof;

/// Names of bytes that are held now: Go and jemalloc, tcmalloc and Node, Datadog's agents.
const IN_USE: [&str; 5] = ["inuse_space", "inuse_bytes", "space", "heap-live-size", "heap-space"];
/// Names of the objects beside them.
const OBJECTS: [&str; 3] = ["inuse_objects", "objects", "heap-live-samples"];
/// Names of bytes that were allocated since the start.
const ALLOCATED: [&str; 4] = ["alloc_space", "alloc_bytes", "alloc_objects", "alloc-size"];

/// What a profile is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileSubject {
    /// Memory in use.
    Heap,
    /// Time of the processor.
    Processor,
    /// Tasks that exist now: Go's goroutines.
    Tasks,
    /// Memory that was allocated since the start, whether it was freed since or not.
    Allocated,
    /// Time that tasks waited: Go's block and mutex profiles.
    Waiting,
    /// Time by the clock, waiting included.
    WallClock,
    /// Where threads were made.
    Threads,
    /// None of those.
    Other,
}

impl ProfileSubject {
    /// As a person calls it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Heap => "memory in use",
            Self::Processor => "processor time",
            Self::Tasks => "goroutines",
            Self::Allocated => "memory allocated since the start, whether it was freed since or not",
            Self::Waiting => "time spent waiting (Go's block or mutex profile)",
            Self::WallClock => "wall-clock time, which includes waiting",
            Self::Threads => "the creation of threads",
            Self::Other => "something else",
        }
    }
}

/// Why a profile does not answer what is asked of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// It is of something else.
    #[error("it is a profile of {}{}", .0.words(), named(.1))]
    Of(ProfileSubject, Vec<String>),
    /// Its amounts have a unit that nobody knows.
    #[error("its amounts are in `{0}`, which is no known unit")]
    Unit(String),
    /// It has less than nothing in some places.
    #[error(
        "{negative} of its {all} stacks have a negative amount: it contradicts itself, or it is the difference of two profiles"
    )]
    Negative {
        /// Stacks below zero.
        negative: usize,
        /// All stacks.
        all: usize,
    },
}

/// The types of a profile that has no known subject.
fn named(kinds: &[String]) -> String {
    if kinds.is_empty() { String::new() } else { format!(": {}", kinds.join(" and ")) }
}

/// Which values of a stack are meant, and what one of them is in bytes or nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Amount {
    pub(crate) value: usize,
    pub(crate) factor: f64,
    pub(crate) count: Option<usize>,
}

impl Pprof {
    /// What it is of.
    pub fn subject(&self) -> ProfileSubject {
        let has = |names: &[&str]| self.kinds.iter().any(|(name, _)| names.contains(&name.as_str()));
        let every = |wanted: &str| self.period.as_ref().is_some_and(|period| period.name == wanted);
        if has(&IN_USE) {
            ProfileSubject::Heap
        } else if has(&ALLOCATED) {
            ProfileSubject::Allocated
        } else if has(&["contentions", "delay"]) {
            ProfileSubject::Waiting
        } else if has(&["wall"]) || every("wall") {
            ProfileSubject::WallClock
        } else if has(&["cpu"]) || (has(&["samples", "sample"]) && every("cpu")) {
            ProfileSubject::Processor
        } else if has(&["goroutine", "goroutines", "goroutineleak"]) {
            ProfileSubject::Tasks
        } else if has(&["threadcreate"]) {
            ProfileSubject::Threads
        } else {
            ProfileSubject::Other
        }
    }

    /// Its amounts, where it is of `wanted`: bytes of a heap, nanoseconds of the processor, a number of tasks.
    pub(crate) fn amount(&self, wanted: ProfileSubject) -> Result<Amount, SubjectError> {
        let subject = self.subject();
        if subject != wanted {
            let kinds = if subject == ProfileSubject::Other {
                self.kinds.iter().map(|(name, unit)| format!("{name} in {unit}")).collect()
            } else {
                Vec::new()
            };
            return Err(SubjectError::Of(subject, kinds));
        }
        let place = |names: &[&str]| names.iter().find_map(|name| self.kinds.iter().position(|(kind, _)| kind == name));
        let (value, count) = match subject {
            ProfileSubject::Heap => (place(&IN_USE), place(&OBJECTS)),
            ProfileSubject::Processor => (place(&["cpu"]), place(&["samples", "sample"])),
            _ => (Some(0), Some(0)),
        };
        if let (None, Some(samples), Some(period)) = (value, count, &self.period) {
            // Samples alone, each of which stands for as much time as lies between two.
            let factor = factor(&period.unit).ok_or_else(|| SubjectError::Unit(period.unit.clone()))?;
            return Ok(Amount { value: samples, factor: factor * period.every as f64, count });
        }
        let value = value.unwrap_or_default();
        let unit = self.kinds.get(value).map_or("", |(_, unit)| unit.as_str());
        let factor = factor(unit).ok_or_else(|| SubjectError::Unit(unit.to_owned()))?;
        Ok(Amount { value, factor, count })
    }
}

/// What one of a unit is in bytes, in nanoseconds, or as a number.
fn factor(unit: &str) -> Option<f64> {
    Some(match unit.to_ascii_lowercase().as_str() {
        "bytes" | "byte" | "b" | "nanoseconds" | "nanosecond" | "ns" | "count" | "" => 1.0,
        "kilobytes" | "kilobyte" | "kb" | "kib" => 1024.0,
        "megabytes" | "megabyte" | "mb" | "mib" => 1_048_576.0,
        "gigabytes" | "gigabyte" | "gb" | "gib" => 1_073_741_824.0,
        "microseconds" | "microsecond" | "us" => 1e3,
        "milliseconds" | "millisecond" | "ms" => 1e6,
        "seconds" | "second" | "s" => 1e9,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Period, Stack};
    use super::*;

    fn profile(kinds: &[(&str, &str)], period: Option<(&str, &str, i64)>, values: &[i64]) -> Pprof {
        Pprof {
            kinds: kinds.iter().map(|(name, unit)| ((*name).to_owned(), (*unit).to_owned())).collect(),
            stacks: vec![Stack { functions: vec!["main.work".into()], values: values.to_vec() }],
            duration_s: 10.0,
            period: period.map(|(name, unit, every)| Period { name: name.to_owned(), unit: unit.to_owned(), every }),
        }
    }

    #[test]
    fn the_names_of_the_values_decide() {
        for (kinds, period, subject) in [
            (&[("inuse_objects", "count"), ("inuse_space", "bytes")][..], None, ProfileSubject::Heap),
            (&[("alloc_space", "bytes"), ("inuse_space", "bytes")], None, ProfileSubject::Heap),
            (&[("objects", "count"), ("space", "bytes")], None, ProfileSubject::Heap),
            (&[("alloc_objects", "count"), ("alloc_space", "bytes")], None, ProfileSubject::Allocated),
            (&[("contentions", "count"), ("delay", "nanoseconds")], None, ProfileSubject::Waiting),
            (&[("wall", "nanoseconds")], None, ProfileSubject::WallClock),
            (&[("sample", "count"), ("wall", "nanoseconds")], None, ProfileSubject::WallClock),
            (&[("samples", "count"), ("cpu", "nanoseconds")], None, ProfileSubject::Processor),
            (&[("samples", "count")], Some(("cpu", "nanoseconds", 1)), ProfileSubject::Processor),
            (&[("samples", "count")], Some(("wall", "nanoseconds", 1)), ProfileSubject::WallClock),
            (&[("goroutine", "count")], None, ProfileSubject::Tasks),
            (&[("threadcreate", "count")], None, ProfileSubject::Threads),
            (&[("exceptions", "count")], None, ProfileSubject::Other),
        ] {
            assert_eq!(profile(kinds, period, &[1; 2][..kinds.len()]).subject(), subject, "{kinds:?}");
        }
    }

    #[test]
    fn amounts_are_in_bytes_and_nanoseconds_whatever_the_unit() {
        let amount =
            |one: &Pprof, of| one.amount(of).map(|amount| one.stacks[0].values[amount.value] as f64 * amount.factor);
        let heap = |unit| profile(&[("inuse_space", unit)], None, &[3]);
        assert_eq!(amount(&heap("kilobytes"), ProfileSubject::Heap), Ok(3.0 * 1024.0));
        assert_eq!(amount(&heap("MB"), ProfileSubject::Heap), Ok(3.0 * 1_048_576.0));
        assert_eq!(amount(&heap("pages"), ProfileSubject::Heap), Err(SubjectError::Unit("pages".to_owned())));
        let cpu = profile(&[("samples", "count"), ("cpu", "microseconds")], None, &[1, 5]);
        assert_eq!(amount(&cpu, ProfileSubject::Processor), Ok(5000.0));
        let samples = profile(&[("samples", "count")], Some(("cpu", "milliseconds", 10)), &[7]);
        assert_eq!(amount(&samples, ProfileSubject::Processor), Ok(7e7));
    }

    #[test]
    fn what_is_of_something_else_is_told_by_its_name() {
        let block = profile(&[("contentions", "count"), ("delay", "nanoseconds")], None, &[1, 2]);
        let why = block.amount(ProfileSubject::Processor).unwrap_err().to_string();
        assert_eq!(why, "it is a profile of time spent waiting (Go's block or mutex profile)");
        let other = profile(&[("exceptions", "count")], None, &[1]);
        let why = other.amount(ProfileSubject::Heap).unwrap_err().to_string();
        assert_eq!(why, "it is a profile of something else: exceptions in count");
    }
}
