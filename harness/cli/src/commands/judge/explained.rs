//! `soak judge RUN --explain CRITERION`: the working behind the answers of one criterion.

use std::fmt::Write as _;
use std::path::Path;

use soak_scenario::criterion;
use soak_verdict::{Explained, explain as working};

use crate::failure::{Exit, Failure};
use crate::table::wrapped;
use crate::{output, reports};

/// Explains a criterion's answers over a run.
pub(super) fn explain(folder: &Path, id: &str) -> Result<Exit, Failure> {
    let Some(spec) = criterion::find(id) else {
        let known: Vec<&str> = criterion::CRITERIA.iter().map(|spec| spec.id).collect();
        return Err(Failure::usage(format!(
            "--explain: there is no criterion `{id}`; expected one of {}",
            known.join(", ")
        )));
    };
    let explained = reports::read(folder, |run, records| working(&run.plan, id, records))?;
    let Some(explained) = explained else {
        return Err(Failure::usage(format!("--explain: {id} cannot be asked of this run's target")));
    };
    let mut text = format!("{id}: {}\n", spec.doc);
    let paragraphs: Vec<String> = explained.iter().map(paragraph).collect();
    text.push_str(&paragraphs.concat());
    output::print(&text)?;
    Ok(Exit::Pass)
}

fn paragraph(one: &Explained) -> String {
    let answer = one.finding.verdict.map_or("for information", soak_verdict::Verdict::name);
    let mut text = format!("\n{}: {}\n", one.variant, answer.to_uppercase());
    for line in &one.working {
        let indent = 2 + line.len() - line.trim_start().len();
        text.push_str(&wrapped(line, indent, output::WIDTH));
    }
    let _ = write!(text, "{}", wrapped(&format!("So: {}", one.finding.reason), 2, output::WIDTH));
    text
}
