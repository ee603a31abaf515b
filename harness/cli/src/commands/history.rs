//! `soak history`: the runs of a folder, one after the other, and what changed from each to the next.

use std::path::{Path, PathBuf};

use clap::Args;
use soak_record::{file, write_whole};
use soak_verdict::{Entry, history, human, quantity};

use super::capacity::SEARCH;
use super::{Exit, Failure, Format};
use crate::reports::REMEDIES;
use crate::table::table;
use crate::{output, reports, sides};

/// Show the runs of a folder over time, each with its change to the one before
#[derive(Debug, Args)]
pub(crate) struct History {
    /// The folder that holds runs' folders
    #[arg(default_value = sides::RUNS)]
    folder: PathBuf,
    /// Write a page with the course of every quantity
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// For whom the history is written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

impl History {
    pub(crate) fn execute(self) -> Result<Exit, Failure> {
        let mut digests = Vec::new();
        for folder in run_folders(&self.folder)? {
            match reports::digest(&folder) {
                // A proof's rounds are of variants that leak on purpose, and tell nothing of a build.
                Ok(digest) if digest.variants.is_empty() => {}
                Ok(digest) => digests.push(digest),
                Err(failure) => {
                    output::say(&format!("warning: left out: {}", failure.words().trim_start_matches("error: ")));
                }
            }
        }
        if digests.is_empty() {
            let folder = self.folder.display();
            return Err(Failure::usage(format!("{folder} holds no run; name a folder in which runs' folders are")));
        }
        let entries = history(digests);
        if let Some(path) = &self.html {
            let page = soak_render::history_html(&self.folder.display().to_string(), &entries);
            write_whole(path, page.as_bytes())
                .map_err(|error| Failure::usage(format!("{error}; name another file with --html")))?;
        }
        match self.format {
            Format::Json => output::print_json(serde_json::to_string_pretty(&entries))?,
            Format::Human => output::print(&words(&entries))?,
        }
        if let Some(path) = &self.html {
            output::say(&format!("page: {}\n", path.display()));
        }
        Ok(Exit::Pass)
    }
}

/// Folders of runs in this folder, and in those in it: of a proof's rounds, of two builds' turns. Neither the tries of a search: each has a limit of its own. In order of their names.
fn run_folders(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let children = |folder: &Path| -> std::io::Result<Vec<PathBuf>> {
        let mut folders: Vec<PathBuf> =
            std::fs::read_dir(folder)?.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        folders.sort();
        Ok(folders)
    };
    let is_run = |folder: &Path| folder.join(file::PLAN).is_file();
    let shown = folder.display();
    let first = children(folder).map_err(|error| Failure::usage(format!("cannot list {shown}: {error}")))?;
    let mut found = Vec::new();
    for child in first {
        if is_run(&child) {
            found.push(child);
        } else if !child.ends_with(REMEDIES) && !child.join(SEARCH).is_file() {
            found.extend(children(&child).unwrap_or_default().into_iter().filter(|inner| is_run(inner)));
        }
    }
    Ok(found)
}

fn words(entries: &[Entry]) -> String {
    let value = |entry: &Entry, id: &str| {
        let unit = quantity(id).map_or("", |quantity| quantity.unit);
        entry.figures.get(id).map_or_else(|| "–".to_owned(), |value| human::in_unit(*value, unit))
    };
    let row = |entry: &Entry| {
        [
            soak_render::utc(entry.unix_s).trim_end_matches(" UTC").to_owned(),
            entry.scenario.clone(),
            entry.pace.name().to_owned(),
            entry.target.clone(),
            entry.verdict.name().to_owned(),
            value(entry, "rss_settled"),
            value(entry, "rss_peak"),
            value(entry, "throughput"),
            value(entry, "search_p99"),
            entry.changes.get("rss_settled").map_or_else(|| "–".to_owned(), |change| human::change(*change)),
        ]
    };
    let heads = [
        "when (UTC)",
        "scenario",
        "pace",
        "target",
        "verdict",
        "settled",
        "peak",
        "throughput",
        "p99",
        "settled since",
    ];
    let rows: Vec<[String; 10]> = entries.iter().map(row).collect();
    let without: String = entries
        .iter()
        .filter_map(|entry| Some(format!("no figures of {}: {}\n", entry.run, entry.why_no_figures()?)))
        .collect();
    format!(
        "{}\nFigures are geometric means over cycles and variants. settled since: change of settled memory to the last run of the same experiment, kind of target and machine\n{without}",
        table(heads, &rows)
    )
}
