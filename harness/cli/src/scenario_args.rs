//! What every command that takes a scenario takes beside it: pace, seed, target, edits, a choice of variants.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use soak_scenario::{Loaded, Pace, Request, load};

use crate::failure::Failure;
use crate::{mistakes, output};

/// One scenario, and how it is to be read.
#[derive(Debug, Args)]
pub(crate) struct ScenarioArgs {
    /// A scenario's file, or the name of a built-in one (`soak list`); a file of that name wins
    pub(crate) scenario: String,
    #[command(flatten)]
    pub(crate) choices: Choices,
}

/// How scenarios are to be read.
#[derive(Debug, Args)]
pub(crate) struct Choices {
    /// How long, and so how much it can see; else the file's, else quick
    #[arg(long, value_parser = pace_parser())]
    pub(crate) pace: Option<Pace>,
    /// Seed of everything random; else the file's, else 1
    #[arg(long, value_parser = parse_seed)]
    pub(crate) seed: Option<u64>,
    /// What to test: `embedded`, or `process:PATH` for a program of this machine [default: embedded]
    #[arg(long)]
    pub(crate) target: Option<String>,
    /// Sets a key over the file, such as `cycle.count=9`; bare texts need no quotes; may be repeated
    #[arg(long = "set", value_name = "PATH.TO.KEY=VALUE")]
    pub(crate) edits: Vec<String>,
    /// Only the variants whose id matches, such as `dim128-*` or `dim{128,1536}-rows500`
    #[arg(long, value_name = "GLOB")]
    pub(crate) only: Option<String>,
}

fn pace_parser() -> impl TypedValueParser<Value = Pace> {
    PossibleValuesParser::new(Pace::ALL.map(Pace::name)).map(|name| {
        // The parser has let through nothing but these names.
        Pace::ALL.into_iter().find(|pace| pace.name() == name).unwrap_or_default()
    })
}

fn parse_seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("expected a whole number from 0 to {}", u64::MAX))
}

impl ScenarioArgs {
    /// The plan. Warnings are said; mistakes are the failure.
    pub(crate) fn load(&self) -> Result<soak_scenario::Plan, Failure> {
        let Loaded { plan, warnings } = load(&self.choices.request(&self.scenario))?;
        if !warnings.is_empty() {
            output::say(&mistakes::draw(&warnings));
        }
        Ok(plan)
    }
}

impl Choices {
    /// The request for one scenario.
    pub(crate) fn request<'a>(&'a self, scenario: &'a str) -> Request<'a> {
        Request {
            scenario,
            pace: self.pace,
            seed: self.seed,
            target: self.target.as_deref(),
            edits: &self.edits,
            only: self.only.as_deref(),
        }
    }
}
