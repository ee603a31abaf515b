//! A page in Prometheus' text format, and the one thing asked of it: the value of a metric that a profile names.
//!
//! Source: Prometheus' exposition formats, text-based format 0.0.4. `NaN` is no value; a histogram's parts are metrics like any other.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use soak_record::GrownFamily;

/// A metric as a profile names it: `name`, `name{label="value"}`, or `max(…)` of either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    name: String,
    labels: Vec<(String, String)>,
    /// Whether the greatest of several matches counts, and not their sum.
    greatest: bool,
}

impl Selector {
    /// Reads a selector; `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let inside = text.strip_prefix("max(").and_then(|rest| rest.strip_suffix(')'));
        let (name, labels, rest) = series(inside.unwrap_or(text))?;
        rest.trim().is_empty().then(|| Self { name: name.to_owned(), labels, greatest: inside.is_some() })
    }

    /// The sum of all that matches, or the greatest of it, on the page; `None` when nothing does, or the value is infinite. Of a series that stands there
    /// twice the first counts, as for Prometheus.
    pub fn read(&self, page: &[Line<'_>]) -> Option<f64> {
        let matches =
            |line: &&Line<'_>| line.name == self.name && self.labels.iter().all(|wanted| line.labels.contains(wanted));
        let mut seen = HashSet::new();
        let once = page.iter().filter(matches).filter(|line| seen.insert(&line.labels));
        let one = if self.greatest { f64::max } else { |sum, value| sum + value };
        once.map(|line| line.value).reduce(one).filter(|value| value.is_finite())
    }
}

/// A sample line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line<'a> {
    /// The metric.
    pub name: &'a str,
    /// Its labels, in the order of the page.
    pub labels: Vec<(String, String)>,
    /// The value; infinite where the page says so.
    pub value: f64,
}

impl Line<'_> {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }
}

/// What is on a page: how many series each family has, and how many values each of its labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Families(BTreeMap<String, Family>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Family {
    series: u64,
    labels: BTreeMap<String, BTreeSet<String>>,
}

/// Families told of, those that grew most first.
const FAMILIES_MAX: usize = 10;

impl Families {
    /// Of the lines of a page.
    pub fn of(page: &[Line<'_>]) -> Self {
        let mut families: BTreeMap<String, Family> = BTreeMap::new();
        for line in page {
            let family = families.entry(line.name.to_owned()).or_default();
            family.series += 1;
            for (label, value) in &line.labels {
                family.labels.entry(label.clone()).or_default().insert(value.clone());
            }
        }
        Self(families)
    }

    /// How many series there are in all.
    pub fn series(&self) -> u64 {
        self.0.values().map(|family| family.series).sum()
    }

    /// The families that have more series later, and the label of each that has the most new values.
    pub fn grown_to(&self, later: &Self) -> Vec<GrownFamily> {
        let none = Family::default();
        let grown = later.0.iter().filter_map(|(name, after)| {
            let before = self.0.get(name).unwrap_or(&none);
            let fresh = |label: &str, values: &BTreeSet<String>| {
                let known = before.labels.get(label);
                values.iter().filter(|value| known.is_none_or(|known| !known.contains(*value))).count()
            };
            let label = after.labels.iter().max_by_key(|(label, values)| fresh(label, values));
            (after.series > before.series).then(|| GrownFamily {
                name: name.clone(),
                before: before.series,
                after: after.series,
                label: label.map(|(label, _)| label.clone()),
            })
        });
        let mut grown: Vec<GrownFamily> = grown.collect();
        grown.sort_by_key(|family| std::cmp::Reverse(family.after - family.before));
        grown.truncate(FAMILIES_MAX);
        grown
    }
}

/// What is wrong with a page, a sentence each: series that stand there twice, and values that cannot be.
pub fn faults(page: &[Line<'_>]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut seen = HashSet::new();
    let twice: Vec<&str> =
        page.iter().filter(|line| !seen.insert((line.name, &line.labels))).map(|line| line.name).collect();
    if let Some(first) = twice.first() {
        faults.push(format!(
            "{} of the metrics page stand there twice, such as {first}: Prometheus refuses the second, and only the first counts here.",
            if twice.len() == 1 { "1 series".to_owned() } else { format!("{} series", twice.len()) }
        ));
    }
    // The last bucket of a histogram has no end, and no value either.
    let cannot_be = |line: &&Line<'_>| {
        let is_size = ["_bytes", "_total", "_count"].iter().any(|end| line.name.ends_with(end));
        line.value.is_infinite() || (is_size && line.value < 0.0)
    };
    let wrong: Vec<&Line<'_>> = page.iter().filter(cannot_be).collect();
    if let Some(first) = wrong.first() {
        let more = if wrong.len() == 1 { String::new() } else { format!(" ({} more such values)", wrong.len() - 1) };
        faults.push(format!(
            "The metrics page says that {} is {}, which cannot be{more}: it is not read.",
            first.name, first.value
        ));
    }
    faults
}

/// The sample lines of a page; what is not one is passed over.
pub fn parse(page: &str) -> Vec<Line<'_>> {
    page.lines().filter(|line| !line.starts_with('#')).filter_map(line).collect()
}

fn line(text: &str) -> Option<Line<'_>> {
    let (name, labels, rest) = series(text)?;
    let value = rest.split_whitespace().next()?;
    let value = match value {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        value => value.parse().ok().filter(|value: &f64| !value.is_nan())?,
    };
    Some(Line { name, labels, value })
}

/// Name, labels, and what follows.
type Parts<'a> = (&'a str, Vec<(String, String)>, &'a str);

fn series(text: &str) -> Option<Parts<'_>> {
    let text = text.trim_start();
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).unwrap_or(text.len());
    let (name, mut rest) = text.split_at(end);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside.trim_start();
        while !rest.starts_with('}') {
            let (label, value) = rest.split_once('=')?;
            let (value, after) = quoted(value.trim_start())?;
            labels.push((label.trim().to_owned(), value));
            rest = after.trim_start().trim_start_matches(',').trim_start();
        }
        rest = &rest[1..];
    }
    (!name.is_empty()).then_some((name, labels, rest))
}

/// A quoted value with `\\`, `\"` and `\n`, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.strip_prefix('"')?.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 2..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# HELP up x\n# TYPE up gauge\nup 1\nbytes{dataset=\"a\"} 1.5e3\nbytes{dataset=\"b, }\\\"\\n\",x=\"y\"} 2 1700000000\n\
         lat_bucket{le=\"+Inf\"} 3\nbad NaN\ninf +Inf\nbroken{a=\"b 3\n";

    fn read(selector: &str) -> Option<f64> {
        Selector::parse(selector).unwrap().read(&parse(PAGE))
    }

    #[test]
    fn a_family_that_grows_is_named_with_its_label() {
        let page = |clients: u32| {
            let lines = (0..clients).map(|n| format!("req{{client=\"{n}\",code=\"200\"}} 1\n"));
            format!("up 1\n{}", lines.collect::<String>())
        };
        let families = |clients| Families::of(&parse(&page(clients)));
        let grown = families(2).grown_to(&families(5));
        let label = Some("client".to_owned());
        assert_eq!(grown, [GrownFamily { name: "req".to_owned(), before: 2, after: 5, label }]);
        assert_eq!((families(2).series(), families(5).grown_to(&families(2))), (3, Vec::new()));
    }

    #[test]
    fn a_series_that_stands_there_twice_counts_once_and_is_reported() {
        let page = "tasks 385\nheap_bytes 8\ntasks 385\nheap_bytes 1\nx{a=\"1\",b=\"2\"} 3\nx{a=\"1\"} 4\n";
        let lines = parse(page);
        let read = |name: &str| Selector::parse(name).unwrap().read(&lines);
        assert_eq!([read("tasks"), read("heap_bytes"), read("x")], [Some(385.0), Some(8.0), Some(7.0)]);
        let told = faults(&lines);
        assert!(
            told.len() == 1 && told[0].starts_with("2 series of the metrics page stand there twice, such as tasks"),
            "{told:?}"
        );
        let told = faults(&parse("heap_bytes -5\nlat_bucket{le=\"+Inf\"} 3\nheap +Inf\ntemperature -3\n"));
        assert_eq!(
            told,
            ["The metrics page says that heap_bytes is -5, which cannot be (1 more such values): it is not read."]
        );
        assert!(faults(&parse(PAGE.split("inf +Inf").next().unwrap())).is_empty());
    }

    #[test]
    fn a_name_sums_over_its_labels() {
        assert_eq!(read("up"), Some(1.0));
        assert_eq!(read("bytes"), Some(1502.0));
        assert_eq!(read("bytes{dataset=\"a\"}"), Some(1500.0));
        assert_eq!(read("max(bytes)"), Some(1500.0));
        assert_eq!(read("bytes{x=\"y\"}"), Some(2.0));
        assert_eq!(read("bytes{dataset=\"c\"}"), None);
        assert_eq!(read("bytes{dataset=\"b, }\\\"\\n\"}"), Some(2.0));
        assert_eq!(read("lat_bucket{le=\"+Inf\"}"), Some(3.0));
        assert_eq!((read("bad"), read("byte"), read("broken")), (None, None, None));
        assert_eq!(read("inf"), None);
        assert_eq!(Selector::parse("a b"), None);
        assert_eq!(Selector::parse("a{b}"), None);
    }
}
