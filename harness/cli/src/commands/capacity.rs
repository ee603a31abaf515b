//! `soak capacity`: how much memory does another size need? Fitted to recorded runs; or searched for, by runs with ever smaller limits.

mod found;
mod search;

pub(super) use search::DOCUMENT as SEARCH;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use soak_capacity::{Answer, HeldOut, Model, Question, Recorded, differences};
use soak_record::{Run, VariantRecord, write_whole};
use soak_render::{CapacityPage, Part, capacity_html, capacity_markdown};
use soak_scenario::units::Bytes;

use super::{Exit, Failure};
use crate::table::{columns, wrapped};
use crate::{going_on, output, reports};

/// Of an answer, the files in `--out`.
const PAGE: &str = "capacity.html";
const MARKDOWN: &str = "capacity.md";
const DOCUMENT: &str = "capacity.json";

/// Fit memory to recorded runs (`soak run capacity` makes some), and answer what another size needs: 0 answered, 3 the runs cannot tell
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Capacity {
    #[command(subcommand)]
    instead: Option<Instead>,
    /// Folders of the runs to fit, of one target
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Vectors held, such as 10000000 or 10M
    #[arg(long, value_name = "N", value_parser = count, required_unless_present = "against")]
    vectors: Option<f64>,
    /// Components of a vector
    #[arg(long, value_name = "D", value_parser = count, required_unless_present = "against")]
    dim: Option<f64>,
    /// Neighbours of a graph node [default: as in most runs; so are those below]
    #[arg(long, value_name = "M", value_parser = count)]
    m: Option<f64>,
    /// Rows of one message
    #[arg(long, value_name = "N", value_parser = count)]
    batch_rows: Option<f64>,
    /// Messages on their way at once
    #[arg(long, value_name = "N", value_parser = count)]
    streams: Option<f64>,
    /// Searches a second
    #[arg(long, value_name = "N", value_parser = count)]
    qps: Option<f64>,
    /// GOGC in percent
    #[arg(long, value_name = "PERCENT", value_parser = count)]
    gogc: Option<f64>,
    /// Memory of one node: among how many do the vectors have to be divided?
    #[arg(long, value_name = "SIZE")]
    node: Option<Bytes>,
    /// A run that is not fitted but held against the predictions; may be repeated. Without a size that is all, and the exit code says whether they were right
    #[arg(long, value_name = "RUN")]
    against: Vec<PathBuf>,
    /// Write capacity.html, capacity.md and capacity.json there
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// For whom the answer is written
    #[arg(long, value_enum, default_value_t = CapacityFormat::Human)]
    format: CapacityFormat,
}

#[derive(Debug, Subcommand)]
enum Instead {
    /// Find the smallest limit that a load survives, by bisection
    Search(search::Search),
}

/// For whom an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CapacityFormat {
    /// For a person
    Human,
    /// One JSON document
    Json,
    /// For a ticket
    Markdown,
}

/// More of anything than a deployment holds, and exact in arithmetic.
const COUNT_MAX: f64 = 1e15;

/// A whole number above zero; `k` and `M` are thousands and millions.
fn count(text: &str) -> Result<f64, String> {
    let expected = || "expected a whole number above 0, such as 1536, 500k or 10M".to_owned();
    let (digits, factor) = match text.strip_suffix(['k', 'M']) {
        Some(digits) => (digits, if text.ends_with('k') { 1e3 } else { 1e6 }),
        None => (text, 1.0),
    };
    let number: u64 = digits.parse().map_err(|_| expected())?;
    match number as f64 * factor {
        none if none < 1.0 => Err(expected()),
        many if many > COUNT_MAX => Err(format!("at most {COUNT_MAX:e}")),
        count => Ok(count),
    }
}

impl Capacity {
    pub(crate) fn execute(self) -> Result<Exit, Failure> {
        if let Some(Instead::Search(search)) = self.instead {
            return search.execute();
        }
        let fitted = read(&self.runs)?;
        let against = read(&self.against)?;
        each_once(&fitted, &against)?;
        let names: Vec<String> = fitted.iter().map(|one| one.run.clone()).collect();
        let model = Model::of(&fitted);
        // Where the fitted ones differ among themselves there is no model, and that is what is told.
        if let (Ok(_), Some(why)) = (&model, differences(fitted.iter().chain(&against)).first()) {
            return Err(Failure::usage(format!(
                "--against: {why}; name runs of the same build, set up in the same way"
            )));
        }
        let held_out = model.as_ref().ok().filter(|_| !against.is_empty()).map(|model| HeldOut::of(model, &against));
        let asked = self.vectors.zip(self.dim).map(|(vectors, dim)| self.question(vectors, dim));
        let answer = Answer::to(&asked.unwrap_or(SOME), &model, &names);
        self.tell(&answer, asked.is_some(), held_out.as_ref())?;
        Ok(match (asked, held_out) {
            (Some(_), _) if answer.is_complete() => Exit::Pass,
            (None, Some(held_out)) => held_out.verdict().0.into(),
            _ => Exit::Inconclusive,
        })
    }

    fn question(&self, vectors: f64, dim: f64) -> Question {
        Question {
            vectors,
            dim,
            m: self.m,
            batch_rows: self.batch_rows,
            streams: self.streams,
            qps: self.qps,
            gogc: self.gogc,
            node_bytes: self.node.map(Bytes::as_f64),
        }
    }

    fn tell(&self, answer: &Answer, is_asked: bool, held_out: Option<&HeldOut>) -> Result<(), Failure> {
        let mut page = CapacityPage::of(answer, held_out);
        if !is_asked {
            page = page.without_question(held_out.is_some());
        }
        let mut document = serde_json::to_value(answer).map_err(Failure::platform)?;
        if let (Some(fields), Some(held_out)) = (document.as_object_mut(), held_out) {
            fields.insert("held_out".to_owned(), serde_json::to_value(held_out).map_err(Failure::platform)?);
        }
        let json = serde_json::to_string_pretty(&document).map_err(Failure::platform)?;
        if let Some(out) = &self.out {
            write(out, &[(PAGE, &capacity_html(&page)), (MARKDOWN, &capacity_markdown(&page)), (DOCUMENT, &json)])?;
        }
        match self.format {
            CapacityFormat::Human => output::print(&in_words(&page)),
            CapacityFormat::Json => output::print(&format!("{json}\n")),
            CapacityFormat::Markdown => output::print(&capacity_markdown(&page)),
        }
    }
}

/// What is asked where nothing is: only what does not depend on it is told.
const SOME: Question = Question {
    vectors: 1.0,
    dim: 1.0,
    m: None,
    batch_rows: None,
    streams: None,
    qps: None,
    gogc: None,
    node_bytes: None,
};

/// A run that is there twice would count double, and one that was fitted proves nothing of the fit.
fn each_once(fitted: &[Recorded], against: &[Recorded]) -> Result<(), Failure> {
    let mut seen: Vec<&str> = Vec::new();
    for (i, one) in fitted.iter().chain(against).enumerate() {
        if seen.contains(&one.run.as_str()) {
            let what = if i < fitted.len() { "is named twice" } else { "was fitted, or is named twice" };
            return Err(Failure::usage(format!("{} {what}; name each run once", one.run)));
        }
        seen.push(&one.run);
    }
    Ok(())
}

fn read(folders: &[PathBuf]) -> Result<Vec<Recorded>, Failure> {
    let recorded = |run: &Run, records: &mut dyn Iterator<Item = VariantRecord>| {
        going_on::warn(run);
        Recorded::of(run, records)
    };
    folders.iter().map(|folder| reports::read(folder, recorded)).collect()
}

/// Writes files, the page first.
fn write(out: &Path, files: &[(&str, &str)]) -> Result<(), Failure> {
    reports::make_folder(out)?;
    for (name, text) in files {
        write_whole(&out.join(name), text.as_bytes()).map_err(Failure::platform)?;
    }
    if let Some((page, _)) = files.first() {
        output::say(&format!("page: {}\n", out.join(page).display()));
    }
    Ok(())
}

/// A page for a terminal.
pub(super) fn in_words(page: &CapacityPage) -> String {
    let mut out = wrapped(&page.title, 0, output::WIDTH);
    for part in &page.parts {
        match part {
            Part::Heading(text) => {
                let _ = writeln!(out, "\n{text}");
            }
            Part::Text(text) => out.push_str(&wrapped(text, 0, output::WIDTH)),
            Part::Lines(lines) => {
                out.push('\n');
                for line in lines.lines() {
                    let _ = writeln!(out, "    {line}");
                }
            }
            Part::Table { heads, rows } => {
                out.push('\n');
                out.push_str(&columns(heads, rows, output::WIDTH));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_whole_and_above_zero() {
        assert_eq!(count("1536"), Ok(1536.0));
        assert_eq!((count("10M"), count("500k")), (Ok(1e7), Ok(5e5)));
        for wrong in ["0", "0M", "-1", "1.5", "M", "ten", "10 M", ""] {
            assert!(count(wrong).is_err(), "{wrong}");
        }
    }
}
