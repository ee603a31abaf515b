//! Variants that differ in nothing but the rows of a batch, side by side: the remedy that the runbook proposes against what it replaces.

use soak_record::Run;
use soak_scenario::Variant;
use soak_verdict::{Finding, RunVerdict, human};

use crate::picture::VariantPicture;
use crate::wording::{grouped, interval, milliseconds, value};

/// A table: a column for each number of rows, a row for each measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// The settings that all of its variants share.
    pub(crate) title: String,
    /// Rows of a batch and the variant's id, fewest first.
    pub(crate) columns: Vec<(u32, String)>,
    /// Measure, and its value in each column.
    pub(crate) rows: Vec<(&'static str, Vec<String>)>,
}

/// What stands where nothing was measured.
const NOTHING: &str = "–";

/// All comparisons that the plan's matrix holds, in its order.
pub(crate) fn comparisons(run: &Run, verdict: &RunVerdict, pictures: &[VariantPicture]) -> Vec<Comparison> {
    let mut groups: Vec<Vec<&Variant>> = Vec::new();
    for variant in run.plan.judged() {
        match groups.iter_mut().find(|group| same_but_batches(group[0], variant)) {
            Some(group) => group.push(variant),
            None => groups.push(vec![variant]),
        }
    }
    let varying = varying(&run.plan.variants);
    groups.retain(|group| group.len() > 1);
    let compared = groups.into_iter().map(|mut group| {
        group.sort_by_key(|variant| variant.knobs.batch_rows);
        compare(&group, &varying, verdict, pictures)
    });
    // Where none of the variants ran there is nothing to compare.
    compared
        .filter(|comparison| comparison.rows.iter().any(|(_, values)| values.iter().any(|value| value != NOTHING)))
        .collect()
}

fn same_but_batches(a: &Variant, b: &Variant) -> bool {
    let mut a_knobs = a.knobs.clone();
    a_knobs.batch_rows = b.knobs.batch_rows;
    a_knobs == b.knobs
}

/// The knobs, besides dimension and batch rows, that are not the same everywhere.
fn varying(variants: &[Variant]) -> Vec<&'static str> {
    let Some(first) = variants.first() else { return Vec::new() };
    let settings = first.knobs.settings();
    let differs = |i: usize| variants.iter().any(|variant| variant.knobs.settings()[i].1 != settings[i].1);
    let names =
        settings.iter().enumerate().filter(|(i, (name, _))| !["dim", "batch_rows"].contains(name) && differs(*i));
    names.map(|(_, (name, _))| *name).collect()
}

fn compare(group: &[&Variant], varying: &[&str], verdict: &RunVerdict, pictures: &[VariantPicture]) -> Comparison {
    let knobs = &group[0].knobs;
    let settings = knobs.settings();
    let others =
        settings.iter().filter(|(name, _)| varying.contains(name)).map(|(name, text)| format!("{name} {text}"));
    let title = std::iter::once(format!("{} dimensions", knobs.dim)).chain(others).collect::<Vec<_>>().join(", ");
    let dash = || NOTHING.to_owned();
    let found = |criterion: &str| -> Vec<String> {
        let of = |variant: &&Variant| {
            let variant = verdict.variants.iter().find(|found| found.id == variant.id)?;
            variant.finding(criterion).map(measured)
        };
        group.iter().map(|variant| of(variant).unwrap_or_else(dash)).collect()
    };
    let drawn = |tell: &dyn Fn(&VariantPicture) -> Option<String>| -> Vec<String> {
        let of = |variant: &&Variant| tell(pictures.iter().find(|picture| picture.id == variant.id)?);
        group.iter().map(|variant| of(variant).unwrap_or_else(dash)).collect()
    };
    let put = |of: fn(&soak_record::Percentiles) -> f64| {
        drawn(&move |picture: &VariantPicture| {
            let put = picture.latencies.iter().find(|latency| latency.operation == "put")?;
            Some(format!("{} ms", milliseconds(of(&put.corrected.median))))
        })
    };
    let rows = vec![
        ("Peak per ingested byte", found("peak_per_ingested")),
        ("Compaction reclaim", found("compaction_reclaim")),
        ("Time to baseline", found("time_to_baseline")),
        ("Put p50", put(|percentiles| percentiles.p50_ms)),
        ("Put p99", put(|percentiles| percentiles.p99_ms)),
        ("Ingest, rows/s", drawn(&|picture| Some(grouped(picture.ingest.rows_per_s? as u64)))),
        ("RSS peak", drawn(&|picture| Some(human::bytes(picture.rss_peak_bytes?)))),
    ];
    let columns = group.iter().map(|variant| (variant.knobs.batch_rows, variant.id.clone())).collect();
    Comparison { title, columns, rows }
}

fn measured(finding: &Finding) -> String {
    match interval(finding) {
        Some(interval) => format!("{} ({interval})", value(finding)),
        None => value(finding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic;

    #[test]
    fn variants_that_differ_in_batches_alone_are_put_side_by_side() {
        let (run, verdict, pictures) = synthetic::everything();
        let compared = comparisons(&run, &verdict, &pictures);
        let titles: Vec<&str> = compared.iter().map(|comparison| comparison.title.as_str()).collect();
        assert_eq!(titles, ["128 dimensions", "1536 dimensions", "3072 dimensions"]);
        assert_eq!(compared[0].columns[0], (500, "dim128-rows500".to_owned()));
        assert_eq!(compared[0].columns[1], (4096, "dim128-rows4096".to_owned()));
        assert!(compared[0].rows.iter().all(|(_, values)| values.iter().all(|value| value != NOTHING)), "{compared:?}");
    }

    #[test]
    fn what_did_not_run_is_a_dash_or_left_out() {
        let (run, verdict, pictures) = synthetic::judged(&[synthetic::Target::HEALTHY; 1]);
        let compared = comparisons(&run, &verdict, &pictures);
        assert_eq!(compared.len(), 1, "two dimensions never ran");
        assert!(
            compared[0].rows.iter().all(|(_, values)| values[0] != NOTHING && values[1] == NOTHING),
            "{compared:?}"
        );
        assert!(comparisons(&run, &synthetic::verdict_of(&[]), &[]).is_empty());
    }
}
