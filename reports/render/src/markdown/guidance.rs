//! What the failures of a variant look like by the runbook, in Markdown.

use std::fmt::Write as _;

use soak_verdict::{Guidance, VariantVerdict};

use super::text::{code_block, escape, paragraph, table};

pub(super) fn guidance(out: &mut String, variant: &VariantVerdict) {
    variant.guidance.iter().for_each(|one| case(out, one));
}

fn case(out: &mut String, one: &Guidance) {
    let about = if one.findings.is_empty() {
        "no criterion fails by it, and it is no pressure".to_owned()
    } else {
        format!("explains {}", one.findings.join(", "))
    };
    paragraph(out, &format!("### Looks like {}: {}", escape(&one.section), escape(&one.cause)));
    paragraph(out, &escape(&about));
    for (sign, items) in [("For", &one.evidence_for), ("Against", &one.evidence_against)] {
        for item in items {
            let _ = writeln!(out, "- {sign}: {}", escape(item));
        }
    }
    out.push('\n');
    let rows = one.alternatives.iter().map(|other| vec![other.section.clone(), other.cause.clone(), other.reason()]);
    table(out, &["What else", "Cause", "Why it is less likely"], &rows.collect::<Vec<_>>());
    for remedy in &one.remedies {
        let lacks = remedy.lacks.as_ref().map_or_else(String::new, |lacks| format!(" ({})", escape(lacks)));
        let written = remedy.written.lines().next().unwrap_or_default();
        paragraph(out, &format!("- **{}** {}{lacks}", escape(&remedy.remedy), escape(written)));
        if !remedy.commands.is_empty() {
            code_block(out, &remedy.commands.join("\n"));
        }
    }
}
