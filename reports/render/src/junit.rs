//! `junit.xml`: a suite for each variant, a test case for each criterion, so that any test viewer shows a run.

use soak_record::Run;
use soak_verdict::{Finding, RunVerdict, VariantVerdict, Verdict};

use crate::facts::facts;
use crate::markup::Markup;
use crate::wording::{interval, threshold, value};

/// The report for test viewers. Inconclusive is an error, because no viewer may show it as a pass; information is skipped.
pub fn junit(run: &Run, verdict: &RunVerdict) -> String {
    let mut m = Markup::new("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let never_ran: Vec<&str> = never_ran(run, verdict);
    let all: Vec<&Finding> = verdict.findings().map(|(_, finding)| finding).collect();
    let unjudged = verdict.variants.iter().filter(|variant| is_unexplained(variant)).count();
    let more = never_ran.len() + unjudged;
    let totals = Totals::of(&all, more);
    let name = format!("soak {}", verdict.scenario);
    let attributes = [("name", name.as_str())];
    m.element("testsuites", &totals.with(&attributes), |m| {
        m.line();
        for variant in &verdict.variants {
            suite(m, run, verdict, variant);
        }
        for id in never_ran {
            not_run(m, verdict, id, "The run never came to this variant.");
        }
    });
    m.line();
    m.finish()
}

fn never_ran<'a>(run: &'a Run, verdict: &RunVerdict) -> Vec<&'a str> {
    let planned = run.plan.variants.iter().map(|variant| variant.id.as_str());
    planned.filter(|id| !verdict.variants.iter().any(|variant| variant.id == *id)).collect()
}

/// Whether a variant is no pass although each of its findings is: it ended early.
fn is_unexplained(variant: &VariantVerdict) -> bool {
    let found = variant.findings.iter().filter_map(|finding| finding.verdict);
    variant.verdict != Verdict::Pass && Verdict::over(found).is_none_or(|found| found == Verdict::Pass)
}

/// The counts that a suite carries, as text.
struct Totals([(&'static str, String); 4]);

impl Totals {
    /// Of these findings and `more` errors beside them.
    fn of(findings: &[&Finding], more: usize) -> Self {
        let count = |wanted: Option<Verdict>| findings.iter().filter(|finding| finding.verdict == wanted).count();
        Self([
            ("tests", (findings.len() + more).to_string()),
            ("failures", count(Some(Verdict::Fail)).to_string()),
            ("errors", (count(Some(Verdict::Inconclusive)) + more).to_string()),
            ("skipped", count(None).to_string()),
        ])
    }

    fn with<'a>(&'a self, first: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        first.iter().copied().chain(self.0.iter().map(|(key, value)| (*key, value.as_str()))).collect()
    }
}

fn suite(m: &mut Markup, run: &Run, verdict: &RunVerdict, variant: &VariantVerdict) {
    let class = format!("{}.{}", verdict.scenario, variant.id);
    let findings: Vec<&Finding> = variant.findings.iter().collect();
    let unexplained = is_unexplained(variant);
    m.element("testsuite", &Totals::of(&findings, usize::from(unexplained)).with(&[("name", &class)]), |m| {
        m.line();
        properties(m, run, verdict, variant);
        for finding in findings {
            case(m, &class, finding);
        }
        if unexplained {
            let why = variant.notes.first().map_or("The variant did not run to its end.", String::as_str);
            m.element("testcase", &[("classname", &class), ("name", "completed")], |m| {
                m.leaf("error", &[("type", "inconclusive"), ("message", why)], why);
            });
            m.line();
        }
        if !variant.notes.is_empty() {
            m.leaf("system-out", &[], &variant.notes.join("\n"));
            m.line();
        }
    });
    m.line();
}

/// What is needed to run it again. `seed`, `pace` and `run` are named as in `verdict.json`.
fn properties(m: &mut Markup, run: &Run, verdict: &RunVerdict, variant: &VariantVerdict) {
    m.element("properties", &[], |m| {
        let mut property = |name: &str, value: &str| m.empty("property", &[("name", name), ("value", value)]);
        property("run", &verdict.run);
        property("seed", &verdict.seed.to_string());
        property("pace", verdict.pace.name());
        property("variant", &variant.id);
        for (name, value) in facts(run, verdict).iter().filter(|(name, _)| ["Harness", "Host", "Start"].contains(name))
        {
            property(&name.to_lowercase(), value);
        }
    });
    m.line();
}

fn case(m: &mut Markup, class: &str, finding: &Finding) {
    m.element("testcase", &[("classname", class), ("name", &finding.criterion)], |m| {
        let details = details(finding);
        match finding.verdict {
            Some(Verdict::Fail) => m.leaf("failure", &[("type", "fail"), ("message", &finding.reason)], &details),
            Some(Verdict::Inconclusive) => {
                m.leaf("error", &[("type", "inconclusive"), ("message", &finding.reason)], &details);
            }
            None => m.empty("skipped", &[("message", &format!("For information: {}", finding.reason))]),
            Some(Verdict::Pass) => m.leaf("system-out", &[], &details),
        }
    });
    m.line();
}

fn details(finding: &Finding) -> String {
    let mut lines = vec![finding.reason.clone(), format!("Value: {}", value(finding))];
    lines.extend(interval(finding).map(|interval| format!("Interval: {interval}")));
    lines.extend(threshold(finding).map(|threshold| format!("Threshold: {threshold}")));
    lines.extend(finding.next.as_ref().map(|next| format!("Next: {next}")));
    lines.extend(finding.reproduce.as_ref().map(|command| format!("Reproduce: {command}")));
    lines.join("\n")
}

fn not_run(m: &mut Markup, verdict: &RunVerdict, id: &str, why: &str) {
    let class = format!("{}.{id}", verdict.scenario);
    m.element("testsuite", &Totals::of(&[], 1).with(&[("name", &class)]), |m| {
        m.element("testcase", &[("classname", &class), ("name", "completed")], |m| {
            m.leaf("error", &[("type", "inconclusive"), ("message", why)], why);
        });
    });
    m.line();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markup::check_well_formed;
    use crate::synthetic::{self, finding, variant, verdict_of};

    #[test]
    fn each_verdict_has_its_element() {
        let mut bad = finding("rss_floor", Some(Verdict::Fail));
        bad.reason = "a < b & \"c\"\u{1b}[0m".to_owned();
        let findings = vec![
            bad,
            finding("heap_floor", Some(Verdict::Inconclusive)),
            finding("unverified_settings", None),
            finding("unresponsive_time", Some(Verdict::Pass)),
        ];
        let mut run = synthetic::run();
        run.plan.variants.truncate(1);
        let id = run.plan.variants[0].id.clone();
        let xml = junit(&run, &verdict_of(&[variant(&id, findings)]));
        check_well_formed(&xml).unwrap();
        assert!(xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"soak scenario2\" tests=\"4\" failures=\"1\" errors=\"1\" skipped=\"1\">"));
        assert!(xml.contains("<failure type=\"fail\" message=\"a &lt; b &amp; &quot;c&quot;[0m\">"));
        assert!(xml.contains("<error type=\"inconclusive\""));
        assert!(xml.contains("<skipped message=\"For information:"));
        assert!(xml.contains(&format!("classname=\"scenario2.{id}\" name=\"rss_floor\"")));
        for property in ["name=\"seed\" value=\"7\"", "name=\"pace\" value=\"quick\"", "name=\"run\" value=\"run-1\""] {
            assert!(xml.contains(property), "{property}");
        }
        assert!(!xml.contains('\u{1b}'));
    }

    #[test]
    fn a_run_without_variants_is_not_green() {
        let run = synthetic::run();
        let xml = junit(&run, &verdict_of(&[]));
        check_well_formed(&xml).unwrap();
        assert!(xml.contains("tests=\"6\" failures=\"0\" errors=\"6\""), "{xml}");
    }

    #[test]
    fn a_variant_that_ended_early_is_not_green() {
        let mut early = variant("dim128-rows500", vec![finding("unverified_settings", None)]);
        early.verdict = Verdict::Inconclusive;
        early.notes = vec!["The run of this variant ended early.".to_owned()];
        let xml = junit(&synthetic::run(), &verdict_of(&[early]));
        check_well_formed(&xml).unwrap();
        assert!(xml.contains("<error type=\"inconclusive\" message=\"The run of this variant ended early.\">"));
    }
}
