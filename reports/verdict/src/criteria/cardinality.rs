//! `metrics_cardinality`: does the target's own metrics page stay as large as it was? A label that takes ever new values leaks in the target and in who scrapes it.

use soak_record::EventKind;
use soak_scenario::{Threshold, series};

use super::baseline::{self, Counted};
use crate::evidence::{Evidence, Ruling};
use crate::human;
use crate::observed::Observed;
use crate::outcome::Verdict;

static SERIES: Counted = Counted {
    series: series::OF_THE_PAGE,
    least_samples: 1,
    noun: "series of its metrics page",
    there_were: "there were",
    next: "Drop the named label, or bound its values (a path template, a class, “other”): each value is a series that the target keeps for as long as it \
     runs, and that whoever scrapes it keeps longer.",
    culprit,
};

/// Measures one variant. The page that was read whole, once idle and once after the drain, has the exact counts; samples stand in where there are none.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    let grown = observed.events().find_map(|event| match event {
        EventKind::PageGrown { idle, drained, at_least, .. } => Some((*idle, *drained, *at_least)),
        _ => None,
    });
    let Some((idle, drained, at_least)) = grown else { return baseline::measure(&SERIES, observed, threshold) };
    let over = drained as f64 - idle as f64;
    let limit = threshold.at_most.unwrap_or(f64::INFINITY);
    let culprit = culprit(observed).map_or_else(String::new, |culprit| format!(" {culprit}"));
    let summary = if at_least {
        format!(
            "The metrics page had {idle} series at the idle baseline and at least {drained} after the last cycle; after the drain it could no longer be read."
        )
    } else {
        format!("The metrics page had {idle} series at the idle baseline and {drained} after the drain.")
    };
    Evidence {
        value: Some(over),
        interval: None,
        threshold: threshold.at_most,
        summary,
        notes: Vec::new(),
        band: None,
        working: vec![format!("Counted on the whole page: {idle} series when idle, {drained} at the end.")],
        p: Vec::new(),
        rule: Box::new(move |_| {
            let allowed = human::number(limit);
            let ruling = if over > limit {
                Ruling::new(Verdict::Fail, format!("At most {allowed} more are allowed.{culprit}")).next(SERIES.next)
            } else if at_least {
                Ruling::new(Verdict::Inconclusive, "Whether it grew further is not known.").next(SERIES.next)
            } else {
                Ruling::new(Verdict::Pass, format!("Up to {allowed} more are allowed."))
            };
            ruling.detectable(Some(limit + 1.0).filter(|value| value.is_finite()))
        }),
    }
}

/// The family that grew most from the idle baseline to the drain, and its label.
fn culprit(observed: &Observed<'_>) -> Option<String> {
    let families = observed.events().find_map(|event| match event {
        EventKind::PageGrown { families, .. } => Some(families),
        _ => None,
    })?;
    let most = families.first()?;
    let label = most.label.as_ref().map_or_else(String::new, |label| format!(", by new values of its label `{label}`"));
    let others = families.len() - 1;
    let more = if others == 0 { String::new() } else { format!(" ({others} more grew)") };
    Some(format!("`{}` grew from {} series to {}{label}{more}.", most.name, most.before, most.after))
}

#[cfg(test)]
mod tests {
    use soak_record::{Event, GrownFamily, VariantRecord};

    use super::*;

    #[test]
    fn the_family_and_its_label_are_named() {
        let plan = crate::simulation::plan();
        let family = |name: &str, label: Option<&str>| GrownFamily {
            name: name.to_owned(),
            before: 2,
            after: 40,
            label: label.map(str::to_owned),
        };
        let named = |families| {
            let kind = EventKind::PageGrown { idle: 10, drained: 48, at_least: false, families };
            let record = VariantRecord {
                variant: plan.variants[0].clone(),
                events: vec![Event { at_s: 1.0, variant: None, kind }],
                series: [].into(),
                broken: Vec::new(),
            };
            culprit(&Observed::new(&plan, &record))
        };
        assert_eq!(
            named(vec![family("requests_total", Some("client"))]).as_deref(),
            Some("`requests_total` grew from 2 series to 40, by new values of its label `client`.")
        );
        let two = named(vec![family("a", None), family("b", None)]);
        assert_eq!(two.as_deref(), Some("`a` grew from 2 series to 40 (1 more grew)."));
        assert_eq!(named(Vec::new()), None);
    }
}
