//! `soak capacity search`: the smallest limit that a load survives, by GOGC and GOMEMLIMIT, and what it costs to live there.
//!
//! Each try is an ordinary run of one variant with a limit of its own; what is next is decided by [`Bisection`].

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use soak_capacity::{Bisection, Mib, Next};
use soak_engine::RunEnd;
use soak_record::{Event, EventKind, Outcome, Phase, Run, VariantRecord, write_whole};
use soak_render::{capacity_html, capacity_markdown};
use soak_scenario::units::{Bytes, Gogc, Limit, Share, Span};
use soak_scenario::{Knobs, Launch, Loaded, MEMORY_LIMIT_MIN, Plan, Request, Variant, load};
use soak_verdict::{load_not_taken, untrue_settings};

use super::found::{Found, Load, Tried, with_tries};
use super::{CapacityFormat, in_words, write};
use crate::commands::{Exit, Failure};
use crate::execution::{
    execute, find_target, keep_off_the_targets, refuse_impossible_faults, refuse_what_holds_something,
};
use crate::reports::make_folder;
use crate::scenario_args::Choices;
use crate::{mistakes, output, progress, run_id};

/// Of a search, the files in its folder.
const PAGE: &str = "search.html";
const MARKDOWN: &str = "search.md";
pub(in crate::commands) const DOCUMENT: &str = "search.json";
const MIB: f64 = 1_048_576.0;

/// Find the smallest memory limit that a load survives: 0 found, 3 there was too little time, nothing survives, or a tenth less does too or is not to be tried
#[derive(Debug, Args)]
pub(super) struct Search {
    /// The scenario whose load it is; it has to be one variant: choose it with --only, or by --set
    #[arg(default_value = "capacity")]
    scenario: String,
    #[command(flatten)]
    choices: Choices,
    /// GOGC in percent, or off; several by commas [default: the variant's]
    #[arg(long, value_delimiter = ',', value_name = "PERCENT", value_parser = percent)]
    gogc: Vec<Gogc>,
    /// GOMEMLIMIT as a share of the limit, such as 90%, or off; several by commas
    #[arg(long, value_delimiter = ',', value_name = "SHARE", default_value = "off")]
    gomemlimit: Vec<SoftLimit>,
    /// How often what is found has to survive
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    times: u32,
    /// How fine it is searched, and no finer than 1 MiB
    #[arg(long, value_name = "SHARE", default_value = "2%", value_parser = step)]
    step: Share,
    /// The greatest limit that is tried
    #[arg(long, value_name = "SIZE", default_value = "8GiB", value_parser = at_most)]
    at_most: Bytes,
    /// How long all of it may take
    #[arg(long, value_name = "TIME", default_value = "30min", value_parser = within)]
    within: Span,
    /// The search's folder, with search.html, search.md, search.json and a run's folder for each try [default: runs/ID]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// For whom the result is written
    #[arg(long, value_enum, default_value_t = CapacityFormat::Human)]
    format: CapacityFormat,
}

fn percent(text: &str) -> Result<Gogc, String> {
    match text.parse() {
        Ok(gogc) if gogc != Gogc::Percent(0) => Ok(gogc),
        _ => Err("expected a whole percentage such as 75, at least 1, or off".to_owned()),
    }
}

fn step(text: &str) -> Result<Share, String> {
    match text.parse() {
        Ok(share) if share > Share(0.0) && share <= STEP_MOST => Ok(share),
        _ => Err(format!("expected a share above 0% and no more than {STEP_MOST}, such as 2%")),
    }
}

fn at_most(text: &str) -> Result<Bytes, String> {
    match text.parse() {
        Ok(size) if size >= MEMORY_LIMIT_MIN => Ok(size),
        _ => Err(format!("expected a size such as 8GiB, at least {MEMORY_LIMIT_MIN}")),
    }
}

fn within(text: &str) -> Result<Span, String> {
    let span: Span = text.parse().map_err(|error: soak_scenario::units::UnitError| error.to_string())?;
    if span.0.is_zero() { Err("expected a time above zero, such as 30min".to_owned()) } else { Ok(span) }
}

/// A tenth less must not survive, so a step is no more than half of that.
const STEP_MOST: Share = Share(0.05);

/// GOMEMLIMIT beside a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
enum SoftLimit {
    Off,
    Of(Share),
}

impl std::str::FromStr for SoftLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            share => match share.parse() {
                Ok(share) if share > Share(0.0) => Ok(Self::Of(share)),
                _ => Err("expected a share of the limit, such as 90%, or off".to_owned()),
            },
        }
    }
}

impl SoftLimit {
    fn beside(self, limit: Mib) -> Limit {
        match self {
            Self::Off => Limit::Off,
            Self::Of(share) => Limit::At(Bytes::mib(((limit as f64 * share.0) as u64).max(1))),
        }
    }

    fn share(self) -> Option<f64> {
        match self {
            Self::Off => None,
            Self::Of(share) => Some(share.0),
        }
    }

    fn words(self) -> String {
        match self {
            Self::Off => "off".to_owned(),
            Self::Of(share) => format!("{share} of the limit"),
        }
    }
}

impl Search {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        let (plan, variant) = self.load_of()?;
        keep_off_the_targets(&plan)?;
        let id = run_id::fresh("search");
        let out = self.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(&id));
        refuse_what_holds_something(&out)?;
        let gogc = if self.gogc.is_empty() { vec![variant.knobs.gogc] } else { self.gogc.clone() };
        let points: Vec<(Gogc, SoftLimit)> =
            gogc.iter().flat_map(|gogc| self.gomemlimit.iter().map(move |soft| (*gogc, *soft))).collect();
        let mut tries = Tries {
            search: &self,
            variant: &variant,
            id: &id,
            out: &out,
            asked: self.asked(),
            began: Instant::now(),
            longest: Duration::ZERO,
            made: 0,
        };
        let (mut found, mut interrupted) = (Vec::new(), false);
        // From the first try on the folder is known for a search's, also where it is killed.
        find_target(&plan)?;
        make_folder(&out)?;
        let begun = document(&Load::of(&plan, &variant), &[])?;
        write_whole(&out.join(DOCUMENT), begun.as_bytes()).map_err(Failure::platform)?;
        for (gogc, soft) in points {
            let (one, ended) = match self.find(&mut tries, gogc, soft) {
                Ok(found) => found,
                Err(failure) => {
                    // What was found before is told all the same.
                    if !found.is_empty() {
                        self.tell(&Load::of(&plan, &variant), &found, &out)?;
                    }
                    return Err(failure);
                }
            };
            found.push(one);
            if ended == RunEnd::Interrupted {
                interrupted = true;
                break;
            }
        }
        self.tell(&Load::of(&plan, &variant), &found, &out)?;
        Ok(if interrupted {
            Exit::Interrupted
        } else if found.iter().all(Found::is_sharp) {
            Exit::Pass
        } else {
            Exit::Inconclusive
        })
    }

    /// The knobs that it goes over because they were named.
    fn asked(&self) -> Vec<&'static str> {
        let gomemlimit = self.gomemlimit.iter().any(|soft| soft.share().is_some());
        let named = [("gogc", !self.gogc.is_empty()), ("gomemlimit", gomemlimit)];
        named.into_iter().filter(|(_, named)| *named).map(|(knob, _)| knob).collect()
    }

    fn tell(&self, load: &Load, found: &[Found], out: &Path) -> Result<(), Failure> {
        let document = document(load, found)?;
        let page = load.page(found, out);
        let whole = with_tries(page.clone(), found);
        let (html, markdown) = (capacity_html(&whole), capacity_markdown(&whole));
        write(out, &[(PAGE, &html), (MARKDOWN, &markdown), (DOCUMENT, &document)])?;
        match self.format {
            CapacityFormat::Json => output::print(&format!("{document}\n")),
            CapacityFormat::Human => output::print(&in_words(&page)),
            CapacityFormat::Markdown => output::print(&markdown),
        }
    }

    /// The plan and its one variant.
    fn load_of(&self) -> Result<(Plan, Variant), Failure> {
        let Loaded { plan, warnings } = load(&self.choices.request(&self.scenario))?;
        if !warnings.is_empty() {
            output::say(&mistakes::draw(&warnings));
        }
        refuse_impossible_faults(&plan)?;
        if matches!(plan.target.launch, Launch::Attach(_)) {
            return Err(Failure::usage("what runs already is never limited; name a program or an image with --target"));
        }
        let judged: Vec<&Variant> = plan.judged().collect();
        let [variant] = judged[..] else {
            let ids: Vec<&str> = judged.iter().map(|variant| variant.id.as_str()).collect();
            return Err(Failure::usage(format!("a search is of one variant; choose with --only: {}", ids.join(", "))));
        };
        let variant = variant.clone();
        let Knobs { memory_limit, gomemlimit, .. } = &variant.knobs;
        let mut replaced = Vec::new();
        replaced.extend((*memory_limit != Limit::Off).then(|| format!("memory_limit {memory_limit}")));
        replaced.extend((*gomemlimit != Limit::Off).then(|| format!("gomemlimit {gomemlimit}")));
        if !replaced.is_empty() {
            output::say(&format!("{} of {} is not used: a search sets its own\n", replaced.join(" and "), variant.id));
        }
        Ok((plan, variant))
    }

    /// What is found at one GOGC and GOMEMLIMIT.
    fn find(&self, tries: &mut Tries<'_>, gogc: Gogc, soft: SoftLimit) -> Result<(Found, RunEnd), Failure> {
        let mut found = Found::nothing(gogc.to_string(), soft.words(), soft.share());
        if tries.is_out_of_time() {
            found.reason = Some(NO_TIME.to_owned());
            return Ok((found, RunEnd::Complete));
        }
        let (unlimited, end) = tries.one(gogc, Limit::Off, None)?;
        let (peak, untrue) = (unlimited.peak_bytes, unlimited.untrue());
        let dies = unlimited.why.as_ref().map(|why| format!("it does not survive without a limit either: {why}"));
        found.unlimited = Some(unlimited);
        found.reason = cut_short(&end).or(dies).or(untrue);
        let Some(peak) = peak.filter(|_| found.reason.is_none()) else {
            found.reason.get_or_insert_with(|| "no sample tells of its memory without a limit".to_owned());
            return Ok((found, end));
        };
        let range = [MEMORY_LIMIT_MIN, self.at_most].map(|size| (size.as_f64() / MIB) as Mib);
        let mut bisection = Bisection::new((peak / MIB).ceil() as Mib, range, self.step.0, self.times);
        loop {
            let limit = match bisection.next() {
                Next::Try(limit) => limit,
                Next::Found(limit) => {
                    found.ends_at(limit);
                    return Ok((found, RunEnd::Complete));
                }
                Next::NotUpTo(most) => {
                    found.reason = Some(format!(
                        "{} are too little, and no more was to be tried: raise --at-most",
                        Bytes::mib(most)
                    ));
                    return Ok((found, RunEnd::Complete));
                }
            };
            if tries.is_out_of_time() {
                found.reason = Some(NO_TIME.to_owned());
                return Ok((found, RunEnd::Complete));
            }
            let (tried, end) = tries.one(gogc, soft.beside(limit), Some(limit))?;
            found.reason = cut_short(&end).or(tried.untrue());
            bisection.told(tried.survived);
            found.tried.push(tried);
            if found.reason.is_some() {
                return Ok((found, end));
            }
        }
    }
}

/// What is written of a search for programs.
fn document(load: &Load, found: &[Found]) -> Result<String, Failure> {
    let document = serde_json::json!({ "load": load.variant, "target": load.target, "found": found, "settings": load.settings(found) });
    serde_json::to_string_pretty(&document).map_err(Failure::platform)
}

/// Why nothing more is found.
const NO_TIME: &str = "there was no time left: give it more with --within";

/// Why no other try can follow one that ended so.
fn cut_short(end: &RunEnd) -> Option<String> {
    match end {
        RunEnd::Complete => None,
        RunEnd::Interrupted => Some("it was interrupted".to_owned()),
        RunEnd::Stopped(why) => Some(format!("it was stopped: {why}")),
        RunEnd::PlatformFailed(why) => Some(format!("the harness or the machine failed: {why}")),
    }
}

/// Runs of one search.
struct Tries<'a> {
    search: &'a Search,
    variant: &'a Variant,
    id: &'a str,
    out: &'a Path,
    /// Knobs of which nothing is found unless they are read back.
    asked: Vec<&'static str>,
    began: Instant,
    longest: Duration,
    made: usize,
}

impl Tries<'_> {
    /// Whether another try would end too late. The first is made all the same: how long one takes is not known before.
    fn is_out_of_time(&self) -> bool {
        self.made > 0 && self.began.elapsed() + self.longest > self.search.within.0
    }

    /// One run with a limit, or without.
    fn one(&mut self, gogc: Gogc, gomemlimit: Limit, limit: Option<Mib>) -> Result<(Tried, RunEnd), Failure> {
        let since = Instant::now();
        self.made += 1;
        let memory_limit = limit.map_or(Limit::Off, |limit| Limit::At(Bytes::mib(limit)));
        output::say(&format!("try {}: limit {memory_limit}, GOGC {gogc}, GOMEMLIMIT {gomemlimit}\n", self.made));
        let plan = self.plan(&Knobs { gogc, gomemlimit, memory_limit, ..self.variant.knobs.clone() })?;
        let name = format!("try-{:03}", self.made);
        let folder = self.out.join(&name);
        let end = execute(&plan, &format!("{}-{}", self.id, self.made), &folder, progress::for_a_person(&plan))?;
        let run = Run::open(&folder).map_err(Failure::platform)?;
        let record = run.variant(0).map_err(Failure::platform)?;
        self.longest = self.longest.max(since.elapsed());
        let tried = tried(&run.plan, &record, limit.unwrap_or(0), name)?;
        let limited = limit.map(|_| "memory_limit");
        let asked: Vec<&str> = self.asked.iter().copied().chain(limited).collect();
        let without_effect = without_effect(&record, tried.survived, &asked);
        Ok((Tried { without_effect, ..tried }, end))
    }

    /// The plan of these knobs alone, as a person would ask for it: what a try's record says of how to see it again is true.
    fn plan(&self, knobs: &Knobs) -> Result<Plan, Failure> {
        let value = |text: &str| if text.parse::<u64>().is_ok() { text.to_owned() } else { format!("\"{text}\"") };
        let axes = knobs.settings().map(|(name, text)| format!("{name}=[{}]", value(&text)));
        let matrix = format!("matrix={{{},include=[],exclude=[]}}", axes.join(","));
        let edits: Vec<String> = self.search.choices.edits.iter().cloned().chain([matrix]).collect();
        let request = Request { edits: &edits, only: None, ..self.search.choices.request(&self.search.scenario) };
        let plan = load(&request)?.plan;
        let variant = plan.judged().next().cloned().ok_or_else(|| Failure::platform("a try has no variant"))?;
        Ok(plan.of_one(&variant))
    }
}

/// Settings that were read back as something else; and of one that survived those of these knobs that were not read back at all.
fn without_effect(record: &VariantRecord, survived: bool, asked: &[&str]) -> Vec<String> {
    let held = |wanted: &str| {
        let of = |event: &Event| match &event.kind {
            EventKind::Attested { knob, holds, .. } if knob == wanted => Some(*holds),
            _ => None,
        };
        // A target that is neither told a setting nor tells of it has no such event.
        record.events.iter().find_map(of).flatten()
    };
    let unread = asked.iter().filter(|knob| survived && held(knob).is_none());
    let unread = unread.map(|knob| format!("{knob} could not be read back"));
    untrue_settings(record).into_iter().chain(unread).collect()
}

/// What a record says of its limit. That the machine failed is no answer.
fn tried(plan: &Plan, record: &VariantRecord, limit_mib: Mib, run: String) -> Result<Tried, Failure> {
    let mut why = None;
    for event in &record.events {
        match &event.kind {
            EventKind::VariantEnded { outcome: Outcome::PlatformFailed { reason } } => {
                return Err(Failure::platform(reason));
            }
            EventKind::VariantEnded { outcome: Outcome::TargetFailed { reason } | Outcome::Stopped { reason } } => {
                why = Some(reason.clone());
            }
            EventKind::Oom { victim, .. } => {
                let victim = victim.as_deref().unwrap_or("a process of it");
                why.get_or_insert(format!("the kernel killed {victim} for memory"));
            }
            EventKind::Ingested { refused_rows, indeterminate_rows, .. } if refused_rows + indeterminate_rows > 0 => {
                why.get_or_insert(format!("{} rows were not taken", refused_rows + indeterminate_rows));
            }
            _ => {}
        }
    }
    let ended = record
        .events
        .iter()
        .any(|event| matches!(&event.kind, EventKind::VariantEnded { outcome: Outcome::Completed }));
    // What lives and refuses its work does not survive either.
    let refused = load_not_taken(plan, record).into_iter().next();
    if let Some(refused) = refused.filter(|_| ended) {
        why.get_or_insert(refused);
    }
    if !ended {
        why.get_or_insert_with(|| "it was broken off".to_owned());
    }
    let series = |name: &str| record.series.get(name).map(|series| series.values.as_slice());
    let most = |name: &str| series(name)?.iter().copied().reduce(f64::max);
    let latencies: Vec<f64> = record
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Latency { phase: Phase::Query, operation, summary, .. } if operation == "search" => {
                Some(summary.corrected.p99_ms)
            }
            _ => None,
        })
        .collect();
    Ok(Tried {
        limit_mib,
        survived: why.is_none(),
        why,
        without_effect: Vec::new(),
        peak_bytes: most("cgroup_usage_bytes").or_else(|| most("rss_bytes")),
        cpu_seconds: series("cpu_seconds_total").and_then(|values| values.last().copied()),
        search_p99_ms: soak_verdict::stats::location::median(&latencies),
        run,
    })
}
