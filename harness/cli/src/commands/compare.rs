//! `soak compare`: is a candidate worse than a base? A gate of its own, over runs that are there already.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use clap::{Args, ValueEnum};
use soak_record::write_whole;
use soak_scenario::units::Share;
use soak_verdict::compare::{Comparison, Settings, compare};
use soak_verdict::{Digest, QUANTITIES, quantity};

use super::{Exit, Failure};
use crate::baselines::{self, Baselines};
use crate::reports::make_folder;
use crate::{compared, job_summary, output, sides};

/// Names of the files that a comparison is written to.
const JSON: &str = "comparison.json";
pub(crate) const MARKDOWN: &str = "comparison.md";
pub(crate) const HTML: &str = "comparison.html";

/// Compare a candidate with a base, each a run's folder or id, or a baseline's name; fails where the candidate is worse
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// The base: what it must not be worse than
    #[arg(value_name = "BASE", conflicts_with_all = ["bases", "candidates"])]
    base: Option<String>,
    /// The candidate
    #[arg(value_name = "CANDIDATE")]
    candidate: Option<String>,
    /// Several runs of the base
    #[arg(long = "base", value_name = "RUN", num_args = 1..)]
    bases: Vec<String>,
    /// Several runs of the candidate
    #[arg(long = "candidate", value_name = "RUN", num_args = 1..)]
    candidates: Vec<String>,
    /// The runs of both sides took turns on one machine: the first of one belongs to the first of the other
    #[arg(long)]
    paired: bool,
    /// Compare memory although the machines differ
    #[arg(long)]
    across_machines: bool,
    #[command(flatten)]
    rules: Rules,
    /// Where baselines are
    #[arg(long, value_name = "DIR", default_value = baselines::FOLDER)]
    baselines: PathBuf,
    /// Write comparison.json, comparison.md and comparison.html into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// For whom the comparison is written
    #[arg(long, value_enum, default_value_t = CompareFormat::Human)]
    format: CompareFormat,
}

/// For whom a comparison is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompareFormat {
    /// For a person
    Human,
    /// One JSON document, the same as comparison.json
    Json,
    /// For a pull request
    Markdown,
    /// Annotations of GitHub Actions
    Github,
}

/// What counts as a difference.
#[derive(Debug, Args)]
pub(crate) struct Rules {
    /// What counts as a difference [default: 5%]; of one quantity alone: QUANTITY=SHARE; may be repeated
    #[arg(long = "threshold", value_name = "[QUANTITY=]SHARE", value_parser = parse_threshold)]
    thresholds: Vec<(Option<String>, f64)>,
    /// A quantity of which it has to be shown that it is no worse, as it has of memory; may be repeated
    #[arg(long = "require", value_name = "QUANTITY", value_parser = known_quantity)]
    required: Vec<String>,
    /// A quantity that is shown and not judged; may be repeated
    #[arg(long = "not-judged", value_name = "QUANTITY", value_parser = known_quantity)]
    shown: Vec<String>,
}

fn known_quantity(name: &str) -> Result<String, String> {
    let names: Vec<&str> = QUANTITIES.iter().map(|one| one.id).collect();
    if quantity(name).is_some() { Ok(name.to_owned()) } else { Err(format!("there is {}", names.join(", "))) }
}

fn parse_threshold(text: &str) -> Result<(Option<String>, f64), String> {
    let (name, share) = match text.split_once('=') {
        Some((name, share)) => (Some(known_quantity(name)?), share),
        None => (None, text),
    };
    let share = Share::from_str(share).map_err(|error| error.to_string())?;
    if share.0 > 0.0 {
        Ok((name, share.0))
    } else {
        Err("no two runs are the same to the byte: take more than 0%".to_owned())
    }
}

impl Rules {
    /// Whether anything is asked for.
    pub(crate) fn are_given(&self) -> bool {
        !self.thresholds.is_empty() || !self.required.is_empty() || !self.shown.is_empty()
    }

    /// As a comparison takes them; a quantity is either required or only shown.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        if let Some(both) = self.required.iter().find(|name| self.shown.contains(name)) {
            return Err(Failure::usage(format!("--require {both} and --not-judged {both} contradict each other")));
        }
        let mut settings =
            Settings { required: self.required.clone(), shown: self.shown.clone(), ..Settings::default() };
        for (name, share) in &self.thresholds {
            match name {
                Some(name) => {
                    settings.thresholds.insert(name.clone(), *share);
                }
                None => settings.threshold = *share,
            }
        }
        Ok(settings)
    }
}

impl Compare {
    pub(crate) fn execute(self) -> Result<Exit, Failure> {
        let baselines = Baselines::new(&self.baselines);
        let (base, candidate) = self.sides()?;
        let (base, candidate) = (sides::find_all(&base, &baselines)?, sides::find_all(&candidate, &baselines)?);
        let settings =
            Settings { paired: self.paired, across_machines: self.across_machines, ..self.rules.settings()? };
        let comparison = compared(&base, &candidate, &settings)?;
        if let Some(out) = &self.out {
            write(&comparison, out)?;
        }
        print(&comparison, self.format)?;
        if self.format == CompareFormat::Github {
            job_summary::append(&soak_render::comparison_markdown(&comparison));
        }
        if let Some(out) = self.out.as_ref().filter(|_| self.format == CompareFormat::Human) {
            output::say(&format!("report: {}\n", out.join(HTML).display()));
        }
        Ok(Exit::from(comparison.verdict))
    }

    /// The names of both sides, however they were given.
    fn sides(&self) -> Result<(Vec<String>, Vec<String>), Failure> {
        const BOTH: &str = "soak compare BASE CANDIDATE, or --base RUN… --candidate RUN…";
        match (&self.base, &self.candidate) {
            (Some(base), Some(candidate)) => Ok((vec![base.clone()], vec![candidate.clone()])),
            (Some(one), None) => {
                Err(Failure::usage(format!("{one} is one side alone; name what it is compared with: {BOTH}")))
            }
            _ if self.bases.is_empty() && self.candidates.is_empty() => {
                Err(Failure::usage(format!("there is nothing to compare: {BOTH}")))
            }
            _ if self.bases.is_empty() => Err(Failure::usage(format!("the base is missing: {BOTH}"))),
            _ if self.candidates.is_empty() => Err(Failure::usage(format!("the candidate is missing: {BOTH}"))),
            _ => Ok((self.bases.clone(), self.candidates.clone())),
        }
    }
}

/// Compares, or says why that cannot be.
pub(crate) fn compared(base: &[Digest], candidate: &[Digest], settings: &Settings) -> Result<Comparison, Failure> {
    match compare(base, candidate, settings) {
        Ok(comparison) => Ok(comparison),
        Err(why) => Err(incomparable(&why.0)),
    }
}

/// Refuses runs for these reasons, where there are any.
pub(crate) fn refuse(why: &[String]) -> Result<(), Failure> {
    if why.is_empty() { Ok(()) } else { Err(incomparable(why)) }
}

fn incomparable(why: &[String]) -> Failure {
    let of_machine = |line: &String| {
        ["processors:", "memory:", "architecture:", "machine:"].iter().any(|what| line.starts_with(what))
    };
    let advice = if why.iter().any(of_machine) {
        "run both on one machine, or compare memory alone with --across-machines"
    } else {
        "run the candidate as the base was run"
    };
    let lines: Vec<String> = why.iter().map(|line| format!("  {line}")).collect();
    Failure::usage(format!("these runs cannot be compared; {advice}\n{}", lines.join("\n")))
}

/// Writes the three files of a comparison.
pub(crate) fn write(comparison: &Comparison, out: &Path) -> Result<(), Failure> {
    make_folder(out)?;
    let write = |name: &str, text: &str| write_whole(&out.join(name), text.as_bytes()).map_err(Failure::platform);
    write(JSON, &document(comparison)?)?;
    write(MARKDOWN, &soak_render::comparison_markdown(comparison))?;
    write(HTML, &soak_render::comparison_html(comparison))
}

/// Prints a comparison.
pub(crate) fn print(comparison: &Comparison, format: CompareFormat) -> Result<(), Failure> {
    output::print(&match format {
        CompareFormat::Human => compared::words(comparison),
        CompareFormat::Json => document(comparison)?,
        CompareFormat::Markdown => soak_render::comparison_markdown(comparison),
        CompareFormat::Github => soak_render::comparison_github(comparison),
    })
}

fn document(comparison: &Comparison) -> Result<String, Failure> {
    Ok(format!("{}\n", serde_json::to_string_pretty(comparison).map_err(Failure::platform)?))
}
