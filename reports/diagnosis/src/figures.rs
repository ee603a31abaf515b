//! Figures of a metrics page and of `/proc`: by canonical name through the profile, and by the names that a runbook greps for.

use soak_scenario::{Profile, series};

use crate::knobs;
use crate::metrics_page::{Line, Selector, parse};

/// Buckets of histograms would fill a page and tell little.
const BUCKET: &str = "_bucket";

/// Labels by which targets name a dataset.
const DATASET_LABELS: [&str; 5] = ["dataset", "collection", "namespace", "index", "table"];

/// A value of the page by its canonical name.
pub(crate) fn value(page: &str, profile: &Profile, name: &str) -> Option<f64> {
    let value = Selector::parse(profile.series.get(name)?)?.read(&parse(page))?;
    series::is_possible(name, value).then_some(value)
}

/// The lines whose metric holds one of these, without buckets: name with labels, and value.
pub(crate) fn matching(page: &str, parts: &[&str]) -> Vec<(String, f64)> {
    let wanted = |line: &Line<'_>| parts.iter().any(|part| line.name.contains(part)) && !line.name.ends_with(BUCKET);
    parse(page).iter().filter(|line| wanted(line)).map(|line| (named(line), line.value)).collect()
}

fn named(line: &Line<'_>) -> String {
    if line.labels.is_empty() {
        return line.name.to_owned();
    }
    let labels: Vec<String> = line.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{}{{{}}}", line.name, labels.join(","))
}

/// Bytes of each dataset, most first, and the metric that they are read from.
pub(crate) fn datasets(page: &str, profile: &Profile) -> Option<(String, Vec<(String, f64)>)> {
    let page = parse(page);
    let metric = match &profile.diagnosis.datasets {
        Some(metric) => metric.split('{').next().unwrap_or(metric).to_owned(),
        None => likely(&page)?,
    };
    let name = |line: &Line<'_>| {
        let label = DATASET_LABELS.iter().find_map(|label| line.label(label));
        label.or_else(|| line.labels.first().map(|(_, value)| value.as_str())).map(str::to_owned)
    };
    let of_metric = page.iter().filter(|line| line.name == metric);
    let mut datasets: Vec<(String, f64)> = of_metric.filter_map(|line| Some((name(line)?, line.value))).collect();
    datasets.sort_by(|a, b| b.1.total_cmp(&a.1));
    Some((metric, datasets))
}

/// The metric that looks most like the memory of each dataset.
fn likely(page: &[Line<'_>]) -> Option<String> {
    let by_dataset = |line: &&Line<'_>| {
        line.name.ends_with("_bytes") && DATASET_LABELS.iter().any(|label| line.label(label).is_some())
    };
    let mut names: Vec<&str> = page.iter().filter(by_dataset).map(|line| line.name).collect();
    names.sort_by_key(|name| !name.contains("memory"));
    names.first().map(|name| (*name).to_owned())
}

/// Each knob that the profile attests, with its effective value.
pub(crate) fn settings(page: &str, profile: &Profile) -> Vec<(String, String)> {
    let page = parse(page);
    let read = |metric: &str| Selector::parse(metric)?.read(&page);
    profile
        .attest
        .iter()
        .filter_map(|(knob, metric)| Some((format!("{knob} (effective)"), knobs::in_words(knob, read(metric)?))))
        .collect()
}

/// A line of `/proc/PID/status` or `/proc/meminfo`, in bytes.
pub(crate) fn kernel_bytes(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok()? * 1024.0)
}

/// A line of a text of `name value`.
pub(crate) fn plain(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Pairs of a text of `name=value`.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datasets_are_found_without_a_profile_too() {
        let mut profile = soak_scenario::load_profile("reference").unwrap();
        let page = "a_bytes{dataset=\"x\"} 5\nmemory_bytes{collection=\"y\"} 7\nmemory_bytes{collection=\"z\"} 9\nlongbow_dataset_memory_bytes{dataset=\"q\"} 1\n";
        assert_eq!(datasets(page, &profile).unwrap().1, [("q".to_owned(), 1.0)]);
        profile.diagnosis.datasets = None;
        let (metric, found) = datasets(page, &profile).unwrap();
        assert_eq!((metric.as_str(), found[0].0.as_str(), found.len()), ("memory_bytes", "z", 2));
        assert_eq!(datasets("up 1\n", &profile), None);
    }

    #[test]
    fn texts_of_the_kernel_are_bytes() {
        assert_eq!(kernel_bytes("VmRSS:\t  2 kB\nVmRSSx: 3 kB\n", "VmRSS"), Some(2048.0));
        assert_eq!(plain("a 1\nab 2\n", "ab"), Some(2.0));
        assert_eq!(
            matching("x_bucket{le=\"1\"} 1\nx_sum{a=\"b\"} 2\ny 3\n", &["x_"]),
            [("x_sum{a=\"b\"}".to_owned(), 2.0)]
        );
    }
}
