//! The vocabulary in which sections and fields are declared, once, for checking, defaults, `schema.json` and the reference table.

use crate::condition::Condition;
use crate::units::{ByteRate, Bytes, Gogc, Interval, Limit, QueryRate, Rate, Share, Size, Span};

/// A key of a section.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// The key.
    pub(crate) name: &'static str,
    /// What it holds.
    pub(crate) kind: Kind,
    /// What happens when it is absent.
    pub(crate) presence: Presence,
    /// What it is, in one line.
    pub(crate) doc: &'static str,
}

/// What happens when a key is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// That is a mistake.
    Required,
    /// Nothing.
    Optional,
    /// This TOML value stands in.
    Default(&'static str),
}

/// What a key holds.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// A text.
    Text(TextRule),
    /// A whole number within bounds, both included.
    Integer { min: i64, max: i64 },
    /// A number that is not negative.
    Number,
    /// True or false.
    Flag,
    /// One of some words.
    Choice(Vec<&'static str>),
    /// A number with a unit, kept as its text.
    Quantity(Quantity),
    /// A number with a unit, kept as a plain number in the unit's base.
    Measure(Quantity),
    /// A table of known keys.
    Section(Vec<Field>),
    /// A list.
    List(Box<Kind>),
    /// One of some words, or a table with exactly one of some keys.
    Tagged { words: Vec<&'static str>, variants: Vec<Field> },
    /// A whole number, or a table of them by dimension, with `default` for the rest.
    ByDimension { min: i64, max: i64 },
    /// A table whose keys are all of one sort.
    Map { keys: Keys, values: Box<Kind> },
    /// A pace, or a table with `default` and a section of overrides for each pace.
    Paces(Vec<Field>),
}

/// What a text must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextRule {
    /// Anything that can be read.
    NotEmpty,
    /// Letters, digits, `-` and `_`.
    Name,
    /// `GET /path` or `POST /path`.
    Endpoint,
    /// A method and a path, with the variables of the request of this name.
    Request(&'static str),
    /// An endpoint and a JSON pointer.
    InJson,
    /// The body of the request of this name, with its variables.
    Body(&'static str),
    /// A JSON pointer, in which `*` stands for every element of a list.
    Pointer,
    /// The value of a header, in which `{env:NAME}` and `{file:PATH}` stand for secrets.
    Header,
    /// A metric, or an endpoint and a JSON pointer.
    Evidence,
    /// `name` or `name{label="value"}`.
    Metric,
    /// Numbers of processors, such as `0` or `0-1,3`.
    Processors,
    /// Anything; `{placeholders}` must be ones that a launch fills in.
    Template,
}

/// The sorts of keys of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// Environment variables: any name.
    Any,
    /// Names that a person gives: letters, digits, `-` and `_`.
    Names,
    /// Canonical series that are read from a metrics page.
    Series,
    /// Axes of the matrix.
    Knobs,
}

/// A number with a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantity {
    /// A size.
    Bytes,
    /// A size, or a share of the memory limit.
    Size,
    /// A size over time or per operation, above zero.
    ByteRate,
    /// Things over time, above zero.
    Rate,
    /// A length of time of at least this.
    Span { at_least: Span },
    /// A percentage.
    Share,
    /// A size per cycle.
    BytesPerCycle,
    /// A size over time.
    BytesOverTime,
    /// GOGC.
    Gogc,
    /// A series held against a number.
    Condition,
    /// A size of at least this, a percentage of the peak, or `off`.
    Limit { at_least: Bytes },
    /// A period above zero, or `off`.
    Interval,
    /// A rate above zero, or `planned`.
    QueryRate,
}

/// Percentages of the peak that make a limit.
const OF_PEAK: std::ops::RangeInclusive<u32> = 10..=10_000;

/// A quantity as read.
pub(crate) struct Measured {
    /// Its canonical text.
    pub(crate) text: String,
    /// Its value in bytes, seconds, or as a share of 1; not a number where there is none.
    pub(crate) number: f64,
}

impl Quantity {
    /// A span of any length.
    pub(crate) const ANY_SPAN: Self = Self::Span { at_least: Span(std::time::Duration::ZERO) };

    /// What is valid, in words, with an example.
    pub(crate) fn expected(self) -> String {
        match self {
            Self::Bytes => "a size such as \"64MiB\" (B, KiB, MiB, GiB or TiB)".to_owned(),
            Self::Size => {
                "a size such as \"48MiB\", or a share of the memory limit such as \"20% of limit\"".to_owned()
            }
            Self::ByteRate => "a size over time such as \"2MiB/min\" (per s, min, h or op), above zero".to_owned(),
            Self::Rate => "a rate such as \"200/s\" (per s, min or h), above zero".to_owned(),
            Self::Span { at_least } if at_least.0.is_zero() => {
                "a length of time such as \"30s\" (ms, s, min or h)".to_owned()
            }
            Self::Span { at_least } => {
                format!("a length of time such as \"30s\" (ms, s, min or h), at least {at_least}")
            }
            Self::Share => "a percentage from \"0%\" to \"100%\"".to_owned(),
            Self::BytesPerCycle => "a size per cycle such as \"1MiB/cycle\"".to_owned(),
            Self::BytesOverTime => "a size over time such as \"1MiB/min\" (per s, min or h)".to_owned(),
            Self::Condition => {
                "a condition such as \"working_set > 80% of limit\", \"rss > 512MiB\" or \"goroutines > 500\""
                    .to_owned()
            }
            Self::Gogc => "a whole percentage such as 75, at least 1, or \"off\"".to_owned(),
            Self::Limit { at_least } => format!(
                "a size such as \"1536MiB\", at least {at_least}, a share of the measured peak such as \"150% of peak\", or \"off\""
            ),
            Self::Interval => "a length of time such as \"30s\", above zero, or \"off\"".to_owned(),
            Self::QueryRate => "a rate such as \"200/s\" (per s, min or h), above zero, or \"planned\"".to_owned(),
        }
    }

    /// A regular expression for editors; the checks here are the stricter ones.
    pub(crate) fn pattern(self) -> &'static str {
        match self {
            Self::Bytes => r"^[0-9.]+\s*(B|KiB|MiB|GiB|TiB)$",
            Self::Size => r"^[0-9.]+\s*((B|KiB|MiB|GiB|TiB)|%\s*of limit)$",
            Self::ByteRate => r"^[0-9.]+\s*(B|KiB|MiB|GiB|TiB)\s*/\s*(s|min|h|op)$",
            Self::Rate => r"^[0-9.]+\s*/\s*(s|min|h)$",
            Self::Span { .. } => r"^[0-9.]+\s*(ms|s|min|h)$",
            Self::Share => r"^[0-9.]+\s*%$",
            Self::BytesPerCycle => r"^[0-9.]+\s*(B|KiB|MiB|GiB|TiB)\s*/\s*cycle$",
            Self::BytesOverTime => r"^[0-9.]+\s*(B|KiB|MiB|GiB|TiB)\s*/\s*(s|min|h)$",
            Self::Condition => r"^(working_set|rss|goroutines)\s*[<>]\s*.+$",
            Self::Gogc => r"^off$",
            Self::Limit { .. } => r"^(off|[0-9.]+\s*(B|KiB|MiB|GiB|TiB)|[0-9]+\s*% of peak)$",
            Self::Interval => r"^(off|[0-9.]+\s*(ms|s|min|h))$",
            Self::QueryRate => r"^(planned|[0-9.]+\s*/\s*(s|min|h))$",
        }
    }

    /// Reads a text; `None` when it is not this quantity or out of its bounds.
    pub(crate) fn read(self, text: &str) -> Option<Measured> {
        let bytes = |bytes: Bytes| bytes.as_f64();
        match self {
            Self::Bytes => measured::<Bytes>(text, |size| Some(bytes(size))),
            Self::Size => measured::<Size>(text, |_| Some(f64::NAN)),
            Self::ByteRate => measured::<ByteRate>(text, |rate| (rate.bytes.0 > 0).then_some(f64::NAN)),
            Self::Rate => measured::<Rate>(text, |rate| (rate.count > 0.0).then(|| rate.a_second())),
            Self::Span { at_least } => measured::<Span>(text, |span| (span >= at_least).then(|| span.as_secs_f64())),
            Self::Share => measured::<Share>(text, |share| Some(share.0)),
            Self::BytesPerCycle => {
                let size: Bytes = text.strip_suffix("cycle")?.trim_end().strip_suffix('/')?.trim_end().parse().ok()?;
                Some(Measured { text: format!("{size}/cycle"), number: bytes(size) })
            }
            Self::BytesOverTime => measured::<ByteRate>(text, ByteRate::bytes_per_second),
            Self::Condition => measured::<Condition>(text, |_| Some(f64::NAN)),
            Self::Gogc => measured::<Gogc>(text, |gogc| (gogc != Gogc::Percent(0)).then_some(f64::NAN)),
            Self::Limit { at_least } => measured::<Limit>(text, |limit| match limit {
                Limit::At(size) if size < at_least => None,
                Limit::OfPeak(percent) if !OF_PEAK.contains(&percent) => None,
                Limit::At(_) | Limit::OfPeak(_) | Limit::Off => Some(f64::NAN),
            }),
            Self::Interval => measured::<Interval>(text, |interval| match interval {
                Interval::Every(span) if span.0.is_zero() => None,
                Interval::Every(_) | Interval::Off => Some(f64::NAN),
            }),
            Self::QueryRate => measured::<QueryRate>(text, |rate| match rate {
                QueryRate::At(rate) if rate.count <= 0.0 => None,
                QueryRate::At(_) | QueryRate::Planned => Some(f64::NAN),
            }),
        }
    }
}

fn measured<T: std::str::FromStr + ToString + Copy>(text: &str, number: impl Fn(T) -> Option<f64>) -> Option<Measured> {
    let value: T = text.parse().ok()?;
    Some(Measured { number: number(value)?, text: value.to_string() })
}

impl Kind {
    /// What is valid, in words.
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Text(TextRule::NotEmpty) => "a text".to_owned(),
            Self::Text(TextRule::Template) => "a text, with no other {placeholders} than a launch fills in".to_owned(),
            Self::Text(TextRule::Name) => "a name of letters, digits, `-` and `_`".to_owned(),
            Self::Text(TextRule::Endpoint) => "a method and a path, such as \"GET /metrics\" (GET or POST)".to_owned(),
            Self::Text(TextRule::Request(_)) => {
                "a method and a path, such as \"POST /api/things\" (GET, POST, PUT, PATCH or DELETE)".to_owned()
            }
            Self::Text(TextRule::InJson) => {
                "a method, a path and a JSON pointer, such as \"GET /api/queue /waiting\"".to_owned()
            }
            Self::Text(TextRule::Pointer) => {
                "a JSON pointer such as \"/result/count\", with `*` for every element of a list".to_owned()
            }
            Self::Text(TextRule::Header) => {
                "a header's value, with `{env:NAME}` or `{file:PATH}` for a secret".to_owned()
            }
            Self::Text(TextRule::Evidence) => {
                "a metric such as `name`, or an endpoint and a JSON pointer such as \"GET /config /hnsw/m\"".to_owned()
            }
            Self::Text(TextRule::Body(_)) => "a body, with no other {variables} than a request fills in".to_owned(),
            Self::Text(TextRule::Processors) => "numbers of processors, such as \"0\" or \"0-1,3\"".to_owned(),
            Self::Text(TextRule::Metric) => {
                "a metric such as `name`, `name{label=\"value\"}` or `max(name)`".to_owned()
            }
            Self::Integer { min, max: i64::MAX } => format!("a whole number, at least {min}"),
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Number => "a number, not negative".to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::Choice(words) => {
                let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                if quoted.len() == 1 { quoted.concat() } else { format!("one of {}", quoted.join(", ")) }
            }
            Self::Quantity(quantity) | Self::Measure(quantity) => quantity.expected(),
            Self::Section(_) | Self::Map { .. } => "a table".to_owned(),
            Self::List(of) => format!("a list of: {}", of.expected()),
            Self::Tagged { words, variants } => {
                let tables = variants.iter().map(|variant| format!("{{ {} = … }}", variant.name));
                let words = words.iter().map(|word| format!("\"{word}\""));
                format!("one of {}", words.chain(tables).collect::<Vec<_>>().join(", "))
            }
            Self::ByDimension { min, .. } => {
                format!("a whole number, at least {min}, or a table such as {{ 128 = 16384, default = 4096 }}")
            }
            Self::Paces(_) => "\"quick\", \"gate\", \"soak\", or sections [pace.quick] and so on".to_owned(),
        }
    }
}

/// A required key.
pub(crate) fn required(name: &'static str, kind: Kind, doc: &'static str) -> Field {
    Field { name, kind, presence: Presence::Required, doc }
}

/// A key that may be absent.
pub(crate) fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Field {
    Field { name, kind, presence: Presence::Optional, doc }
}

/// A key with a default, which is a TOML value.
pub(crate) fn with_default(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Field {
    Field { name, kind, presence: Presence::Default(default), doc }
}

/// A section that is filled with defaults when it is absent.
pub(crate) fn section(name: &'static str, fields: Vec<Field>, doc: &'static str) -> Field {
    with_default(name, Kind::Section(fields), "{}", doc)
}
