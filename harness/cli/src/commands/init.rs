//! `soak init`: reads a running server and writes a profile for it, with what could not be found and what that costs.

mod asked;
mod builtin;
mod costs;
mod look;
mod mapping;
mod pages;
mod product;
mod profile;
mod requests;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Parser};
use soak_scenario::units::Span;
use soak_scenario::{LoadError, Request, load};

use super::{Exit, Failure, run};
use crate::{mistakes, output};

/// The mark of a line that only a person can fill in.
const FILL_IN: &str = "FILL IN";

/// Scenarios that a new profile is checked with and tried in.
#[derive(Debug, Clone, Copy)]
struct Scenarios {
    check: &'static str,
    smoke: &'static str,
}

impl Scenarios {
    /// Guts is no vector store, and has scenarios of its own.
    fn of(recognised: &product::Recognised) -> Self {
        match recognised.product {
            Some(product::Product::Guts) => Self { check: "guts-growth", smoke: "guts-growth" },
            _ => Self { check: "scenario2", smoke: "gate" },
        }
    }
}

/// Write a profile for a running server
///
/// Reads its metrics page, health and pprof endpoints, and tries Arrow Flight. Nothing in the server is changed.
/// Example: soak init --container my-store --out my-store.toml
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// HTTP address of the server: its API, or its metrics and admin side
    #[arg(long, value_name = "ADDR")]
    http: Option<String>,
    /// PEM file with the authority that signed the certificate of an https:// address
    #[arg(long, value_name = "FILE", requires = "http")]
    ca_file: Option<PathBuf>,
    /// Name in that certificate [default: the address]
    #[arg(long, value_name = "NAME", requires = "ca_file")]
    server_name: Option<String>,
    /// Metrics page, with a path where it is not a usual one, such as 127.0.0.1:2112/metrics
    #[arg(long, value_name = "ADDR[/PATH]")]
    metrics: Option<String>,
    /// gRPC address to try Arrow Flight on; may be repeated (puts, then searches)
    #[arg(long = "grpc", value_name = "ADDR")]
    grpc: Vec<String>,
    /// Container of the server, by name or id; its published ports are tried
    #[arg(long, value_name = "NAME", conflicts_with = "pid")]
    container: Option<String>,
    /// Process of the server; the ports that it listens on are tried
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4_194_304))]
    pid: Option<u32>,
    /// File for the profile, which must not exist [default: standard output]
    #[arg(long, value_name = "FILE.toml")]
    out: Option<PathBuf>,
    /// Run the smoke test with the new profile
    #[arg(long, requires = "out")]
    smoke: bool,
    /// Deadline of each call to the server
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_deadline)]
    deadline: Span,
    /// Allow an address that is not this machine's own
    #[arg(long)]
    allow_remote: bool,
}

/// `soak run`'s arguments, read as from a command line: what is printed and what is run are the same.
#[derive(Debug, Parser)]
struct SmokeRun {
    #[command(flatten)]
    run: run::Run,
}

fn parse_deadline(text: &str) -> Result<Span, String> {
    let span: Span = text.parse().map_err(|error| format!("{error}"))?;
    if span.0.is_zero() || span.0.as_secs() > 60 {
        return Err("expected a time above 0 and at most 60s".to_owned());
    }
    Ok(span)
}

impl Init {
    pub(crate) fn execute(self) -> Result<Exit, Failure> {
        if let Some(out) = &self.out {
            refuse_unusable(out)?;
        }
        let asked = asked::read(&self)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::platform)?;
        let seen = runtime.block_on(look::look(&asked))?;
        let lines = seen.lines();
        let recognised = product::recognise(&seen, &lines);
        let scenarios = Scenarios::of(&recognised);
        let written = profile::write(&profile::Case {
            name: self.profile_name(),
            seen: &seen,
            lines: &lines,
            recognised: &recognised,
        });
        let Some(out) = &self.out else {
            output::print(&written.text)?;
            output::say(&told(&written, "FILE"));
            output::say(&next(scenarios, &seen.attach(written.protocol), "FILE", written.open()));
            return Ok(Exit::Pass);
        };
        save(out, &written.text)?;
        let file = out.display().to_string();
        output::print(&told(&written, &file))?;
        self.finish(scenarios, &written, &seen.attach(written.protocol), &file)
    }

    /// Checks the saved profile, prints the next command, and runs it where that was asked for.
    fn finish(
        &self,
        scenarios: Scenarios,
        written: &profile::Written,
        attach: &str,
        file: &str,
    ) -> Result<Exit, Failure> {
        if !written.open().is_empty() {
            output::print(&next(scenarios, attach, file, written.open()))?;
            return if self.smoke {
                Err(Failure::usage(format!("--smoke: {file} has lines that only a person can fill in; see above")))
            } else {
                Ok(Exit::Pass)
            };
        }
        let edits = [format!("target.profile={file}")];
        let request =
            Request { scenario: scenarios.check, pace: None, seed: None, target: None, edits: &edits, only: None };
        match load(&request) {
            Ok(_) => output::print(&format!("Checked with {}: the profile has no mistakes.\n", scenarios.check))?,
            Err(LoadError::Invalid { diagnostics }) => output::print(&format!(
                "Checked with {}. A person has to change this:\n{}",
                scenarios.check,
                mistakes::draw(&diagnostics)
            ))?,
            Err(error) => return Err(error.into()),
        }
        output::print(&next(scenarios, attach, file, &[]))?;
        if !self.smoke {
            return Ok(Exit::Pass);
        }
        let command = smoke_arguments(scenarios, attach, file);
        let smoke = SmokeRun::try_parse_from(std::iter::once("soak run").chain(command.iter().map(String::as_str)));
        smoke.map_err(|error| Failure::platform(error.to_string()))?.run.execute()
    }

    /// The profile's name: that of its file.
    fn profile_name(&self) -> String {
        let stem = self.out.as_deref().and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c.to_ascii_lowercase() } else { '-' };
        let name: String = stem.unwrap_or_default().chars().map(plain).collect();
        let name = name.trim_matches('-').to_owned();
        if name.is_empty() { "my-store".to_owned() } else { name }
    }
}

fn smoke_arguments(scenarios: Scenarios, attach: &str, file: &str) -> Vec<String> {
    let profile = format!("target.profile={file}");
    [scenarios.smoke, "--smoke", "--target", attach, "--set", &profile].map(str::to_owned).into()
}

/// Refuses a file that is there, or whose name no profile has, before anything is asked of the server.
fn refuse_unusable(out: &Path) -> Result<(), Failure> {
    if out.extension().is_none_or(|extension| extension != "toml") {
        return Err(Failure::usage(format!("--out {}: a profile's file ends in .toml", out.display())));
    }
    if out.exists() {
        return Err(Failure::usage(format!("--out {}: the file is there already; name another one", out.display())));
    }
    Ok(())
}

fn save(out: &Path, text: &str) -> Result<(), Failure> {
    let cannot = |error: &std::io::Error| format!("--out {}: cannot write the file: {error}", out.display());
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).open(out);
    let mut file = opened.map_err(|error| match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Failure::platform(cannot(&error)),
        _ => Failure::usage(cannot(&error)),
    })?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| Failure::platform(cannot(&error)))
}

/// What was found and what was not, for a person.
fn told(written: &profile::Written, file: &str) -> String {
    let mut text = format!("{}\n", written.recognised);
    for found in &written.found {
        let _ = writeln!(text, "  found    {found}");
    }
    for missing in &written.missing {
        let _ = writeln!(text, "  missing  {}\n             costs: {}", missing.what, missing.cost);
    }
    for note in &written.notes {
        let _ = writeln!(text, "  note     {note}");
    }
    if file != "FILE" {
        let _ = writeln!(text, "Profile: {file}");
    }
    text
}

/// The next command, or the lines that come before it.
fn next(scenarios: Scenarios, attach: &str, file: &str, open: &[usize]) -> String {
    let command =
        smoke_arguments(scenarios, attach, file).iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    if open.is_empty() {
        return format!("Next: soak run {command}\n");
    }
    let lines = open.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let noun = if open.len() == 1 { "line" } else { "lines" };
    format!(
        "Fill in {noun} {lines} of {file} (marked {FILL_IN}). Then check it:\n  \
         soak check --set target.profile={file} {}\nand run:\n  soak run {command}\n",
        scenarios.check
    )
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,[]".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}
