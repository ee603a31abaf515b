//! What the target and the kernel say of its memory now, by the names that the runbook greps for.

use super::{ROWS_MAX, lines, read};
use crate::artefact::name;
use crate::case::{Case, Subject};
use crate::figures::{datasets, kernel_bytes, matching, plain, value};
use crate::metrics_page::{faults, parse};
use crate::page::{Cell, Item};
use crate::tasks;

/// Datasets that are listed.
const DATASETS: usize = 5;

/// A dataset of more than so many times the average is unusual.
const UNUSUAL: f64 = 2.0;

pub(super) fn items(case: &Case<'_>, subject: &Subject) -> Vec<Item> {
    let mut items = vec![
        resident(case, subject),
        goroutines(case, subject),
        largest_datasets(case, subject),
        compaction(subject),
        collections(case, subject),
        grepped("Index and slabs", subject, &["hnsw", "graph", "slab"]),
    ];
    for page in subject.now.named(name::PAGE) {
        let what = page.name.trim_start_matches(name::PAGE).trim_end_matches(".txt");
        items.push(lines(Item::new(format!("The target's page of its {what}")), subject, &page.name));
    }
    items
}

fn resident(case: &Case<'_>, subject: &Subject) -> Item {
    let (mut item, status) = read(Item::new("Current RSS and heap usage"), &subject.now, name::STATUS);
    let mut rows = Vec::new();
    if let Some(status) = status {
        let of = [
            ("resident (VmRSS)", "VmRSS"),
            ("… anonymous, which leaks are judged on", "RssAnon"),
            ("… mapped files, which are no pressure", "RssFile"),
            ("… shared", "RssShmem"),
            ("highest so far (VmHWM)", "VmHWM"),
            ("address space (VmSize)", "VmSize"),
        ];
        rows.extend(
            of.into_iter()
                .filter_map(|(words, name)| Some(vec![Cell::text(words), Cell::Bytes(kernel_bytes(status, name)?)])),
        );
    }
    let (with_page, page) = read(item, &subject.now, name::METRICS);
    item = with_page;
    for fault in page.map(|page| faults(&parse(page))).unwrap_or_default() {
        item = item.say(fault);
    }
    for (words, series) in [
        ("heap in use, as the target says", "heap_bytes"),
        ("its datasets", "dataset_bytes"),
        ("its graphs", "graph_bytes"),
        ("its slabs", "slab_bytes"),
    ] {
        rows.extend(
            page.and_then(|page| value(page, case.profile, series))
                .map(|bytes| vec![Cell::text(words), Cell::Bytes(bytes)]),
        );
    }
    let limit = subject.now.text(name::CGROUP).and_then(|text| plain(text, "cgroup_limit_bytes"));
    let rss = status.and_then(|status| kernel_bytes(status, "VmRSS"));
    let file = status.and_then(|status| kernel_bytes(status, "RssFile"));
    item = item.table(&["", "Bytes"], rows);
    if let (Some(rss), Some(limit)) = (rss, limit) {
        item = item.say(format!("Resident memory is {:.1} % of the limit.", rss / limit * 100.0));
    }
    match (rss, file) {
        (Some(rss), Some(file)) if file > rss / 2.0 => {
            item.say("More than half of it is mapped files: that is no pressure, the kernel can take it back.")
        }
        _ => item,
    }
}

fn goroutines(case: &Case<'_>, subject: &Subject) -> Item {
    let (item, page) = read(Item::new("Goroutine count"), &subject.now, name::METRICS);
    let counted = page.and_then(|page| value(page, case.profile, "goroutines"));
    let dumped = subject.now.text(name::TASKS).and_then(tasks::count);
    let rows = [("by the metrics page", counted), ("by the dump", dumped.map(|count| count as f64))];
    let rows = rows.into_iter().filter_map(|(words, count)| Some(vec![Cell::text(words), Cell::Count(count?)]));
    item.table(&["Tasks", ""], rows.collect())
}

fn largest_datasets(case: &Case<'_>, subject: &Subject) -> Item {
    let (item, page) = read(Item::new("Top 5 largest datasets by memory usage"), &subject.now, name::METRICS);
    let Some(page) = page else { return item };
    let Some((metric, all)) = datasets(page, case.profile) else {
        return item.missing(
            "the metrics page has no bytes with a label for each dataset",
            "name the metric as diagnosis.datasets of the profile, where there is one",
        );
    };
    if all.is_empty() {
        return item.say(format!("There is no dataset ({metric})."));
    }
    let average = all.iter().map(|(_, bytes)| bytes).sum::<f64>() / all.len() as f64;
    let row = |(name, bytes): &(String, f64)| {
        let times = bytes / average.max(1.0);
        let unusual = if times > UNUSUAL { "more than twice the average" } else { "" };
        vec![Cell::text(name), Cell::Bytes(*bytes), Cell::Count(times), Cell::text(unusual)]
    };
    let rows = all.iter().take(DATASETS).map(row).collect();
    let item = item.table(&["Dataset", "Bytes", "Times the average", ""], rows);
    item.say(format!("Of {} in all, by {metric}.", all.len()))
}

fn compaction(subject: &Subject) -> Item {
    let item = grepped("Recent compaction events and errors", subject, &["compact"]);
    match subject.now.text(name::EVENTS) {
        Some(_) => lines(item, subject, name::EVENTS),
        None => item,
    }
}

fn collections(case: &Case<'_>, subject: &Subject) -> Item {
    let item = grepped("GC statistics (pauses, duration)", subject, &["go_gc_", "next_gc", "last_gc"]);
    let page = subject.now.text(name::METRICS);
    let of = |series| page.and_then(|page| value(page, case.profile, series));
    let item = match (of("gc_pause_seconds_total"), of("gc_cycles_total")) {
        (Some(pauses), Some(cycles)) if cycles > 0.0 => item.table(
            &["", ""],
            vec![
                vec![Cell::text("mean pause"), Cell::text(format!("{:.3} ms", pauses / cycles * 1e3))],
                vec![Cell::text("collections"), Cell::Count(cycles)],
            ],
        ),
        _ => item,
    };
    if case.profile.modelled.iter().any(|series| series.starts_with("gc_")) {
        return item.say("This target has no collector that stops it: the figures are those of a model.");
    }
    item
}

/// The lines of the metrics page that hold one of these.
fn grepped(what: &str, subject: &Subject, parts: &[&str]) -> Item {
    let (item, page) = read(Item::new(what), &subject.now, name::METRICS);
    let Some(page) = page else { return item };
    let found = matching(page, parts);
    if found.is_empty() {
        let why = format!("no metric of the page holds {}", parts.join(" or "));
        return item
            .missing(&why, "nothing, where the target does not count it; it appears after the first time in some");
    }
    let rest = found.len().saturating_sub(ROWS_MAX);
    let item = item.table(
        &["Metric", ""],
        found
            .into_iter()
            .take(ROWS_MAX)
            .map(|(name, value)| vec![Cell::text(name), Cell::text(value.to_string())])
            .collect(),
    );
    if rest > 0 { item.say(format!("And {rest} more, in {}.", name::METRICS)) } else { item }
}
