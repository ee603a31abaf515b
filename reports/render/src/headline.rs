//! The verdict in one line: what failed comes first, because a first line is often all that is read.

use soak_verdict::{RunVerdict, Verdict, human};

use crate::wording::{Mark, listed};

/// Variants that are named in full before the rest are only counted.
const NAMED: usize = 3;

/// The first line of a report; `planned` is the number of variants in the plan.
pub(crate) fn headline(verdict: &RunVerdict, planned: usize) -> String {
    let what = format!("{} at {} pace", verdict.scenario, verdict.pace.name());
    match (verdict.verdict, &verdict.platform) {
        (Verdict::Fail, _) => format!("FAIL — {what}: {}", which(verdict, Verdict::Fail, ["fails", "fail"])),
        (_, Some(reason)) => format!("PLATFORM ERROR — {what}: {reason}"),
        (Verdict::Inconclusive, None) => format!("INCONCLUSIVE — {what}: {}", open(verdict, planned)),
        (Verdict::Pass, None) => {
            let held = verdict.findings().filter(|(_, finding)| finding.verdict == Some(Verdict::Pass)).count();
            let control = verdict.and_controls();
            let hold = if held == 1 { "holds" } else { "hold" };
            format!(
                "PASS — {what}: {}{control}, {} {hold}",
                human::plural(verdict.judged().count(), "variant"),
                human::plural(held, "finding")
            )
        }
    }
}

/// How many findings bear each mark, worst first, in words.
pub(crate) fn counts(verdict: &RunVerdict) -> String {
    let marks = [
        (Mark::Fail, "fail"),
        (Mark::Inconclusive, "inconclusive"),
        (Mark::Pass, "pass"),
        (Mark::Information, "for information"),
    ];
    let counted = marks.into_iter().filter_map(|(mark, word)| {
        let count = verdict.findings().filter(|(_, finding)| Mark::of(finding) == mark).count();
        (count > 0).then(|| format!("{count} {word}"))
    });
    let counted: Vec<String> = counted.collect();
    if counted.is_empty() { "no findings".to_owned() } else { counted.join(", ") }
}

/// Why an inconclusive run is inconclusive.
fn open(verdict: &RunVerdict, planned: usize) -> String {
    let mut reasons = Vec::new();
    let ran = verdict.variants.len();
    if ran == 0 {
        reasons.push("no variant ran".to_owned());
    } else if ran < planned {
        reasons.push(format!("{} of {planned} variants never ran", planned - ran));
    }
    let named = which(verdict, Verdict::Inconclusive, ["is inconclusive", "are inconclusive"]);
    if !named.is_empty() {
        reasons.push(named);
    }
    if reasons.is_empty() {
        reasons.push("the run did not come to its end".to_owned());
    }
    reasons.join("; ")
}

/// `rss_floor and heap_floor fail in a, b and 2 more; target fails in c`: criteria in the order of reports, those of the same variants together.
fn which(verdict: &RunVerdict, wanted: Verdict, [one, several]: [&str; 2]) -> String {
    let mut by_criterion: Vec<(String, Vec<&str>)> = Vec::new();
    for (variant, finding) in verdict.findings().filter(|(_, finding)| finding.verdict == Some(wanted)) {
        match by_criterion.iter_mut().find(|(criterion, _)| *criterion == finding.criterion) {
            Some((_, variants)) => variants.push(&variant.id),
            None => by_criterion.push((finding.criterion.clone(), vec![&variant.id])),
        }
    }
    let mut by_place: Vec<(Vec<String>, Vec<&str>)> = Vec::new();
    for (criterion, variants) in by_criterion {
        match by_place.iter_mut().find(|(_, place)| *place == variants) {
            Some((criteria, _)) => criteria.push(criterion),
            None => by_place.push((vec![criterion], variants)),
        }
    }
    let clauses = by_place.iter().map(|(criteria, variants)| {
        let verb = if criteria.len() == 1 { one } else { several };
        format!("{} {verb} in {}", listed(criteria), place(variants, verdict.judged().count()))
    });
    clauses.collect::<Vec<_>>().join("; ")
}

/// The names of a few variants; the number of many.
fn place(variants: &[&str], all: usize) -> String {
    if variants.len() == all && all > 1 {
        return if all == 2 { "both variants".to_owned() } else { format!("all {all} variants") };
    }
    let mut names: Vec<String> = variants.iter().take(NAMED).map(|id| (*id).to_owned()).collect();
    if variants.len() > NAMED {
        names.push(format!("{} more", variants.len() - NAMED));
    }
    listed(&names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{finding, platform_error, variant, verdict_of};

    #[test]
    fn it_says_what_holds() {
        let findings = || vec![finding("rss_floor", Some(Verdict::Pass)), finding("unverified_settings", None)];
        let verdict = verdict_of(&[variant("a", findings()), variant("b", findings())]);
        assert_eq!(headline(&verdict, 2), "PASS — scenario2 at quick pace: 2 variants, 2 findings hold");
        assert_eq!(counts(&verdict), "2 pass, 2 for information");
    }

    #[test]
    fn it_says_what_fails_and_where() {
        let fails = || vec![finding("rss_floor", Some(Verdict::Fail))];
        let mut variants: Vec<_> = ["a", "b", "c", "d", "e"].map(|id| variant(id, fails())).into();
        let all = headline(&verdict_of(&variants), 5);
        assert_eq!(all, "FAIL — scenario2 at quick pace: rss_floor fails in all 5 variants");
        variants[4] = variant("e", vec![finding("target", Some(Verdict::Fail))]);
        let line = headline(&verdict_of(&variants), 5);
        assert_eq!(line, "FAIL — scenario2 at quick pace: rss_floor fails in a, b, c and 1 more; target fails in e");
        let both = vec![finding("rss_floor", Some(Verdict::Fail)), finding("heap_floor", Some(Verdict::Fail))];
        let line = headline(&verdict_of(&[variant("a", both)]), 1);
        assert_eq!(line, "FAIL — scenario2 at quick pace: rss_floor and heap_floor fail in a");
    }

    #[test]
    fn doubt_and_platform_errors_are_told_apart() {
        let open = vec![finding("heap_floor", Some(Verdict::Inconclusive))];
        let verdict = verdict_of(&[variant("a", open)]);
        let line = "INCONCLUSIVE — scenario2 at quick pace: 2 of 3 variants never ran; heap_floor is inconclusive in a";
        assert_eq!(headline(&verdict, 3), line);
        let verdict = platform_error(verdict, "a: the disk is full");
        assert_eq!(headline(&verdict, 1), "PLATFORM ERROR — scenario2 at quick pace: a: the disk is full");
    }

    #[test]
    fn nothing_at_all_is_inconclusive() {
        assert_eq!(headline(&verdict_of(&[]), 6), "INCONCLUSIVE — scenario2 at quick pace: no variant ran");
        assert_eq!(counts(&verdict_of(&[])), "no findings");
    }
}
