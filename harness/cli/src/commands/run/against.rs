//! `soak run --against TARGET`: two builds take turns on one machine, with the same seed, and the candidate is compared with the base.
//!
//! Every round is a run of each. Which of the two goes first changes from round to round: a machine that gets slower or fuller all the time would else be blamed on the candidate,
//! and by turns it is in both.

use std::path::{Path, PathBuf};

use soak_engine::{Listener, RunEnd};
use soak_scenario::{Loaded, Plan, Request, load};
use soak_verdict::compare::{Settings, unlike_plans};
use soak_verdict::{Digest, Verdict};

use super::{Run, RunFormat};
use crate::commands::compare::{self, CompareFormat, HTML, MARKDOWN};
use crate::commands::{Exit, Failure};
use crate::execution::{
    execute, find_target, is_interrupted, keep_off_the_targets, refuse_impossible_faults, refuse_what_holds_something,
};
use crate::progress::{self, JsonLines};
use crate::{calibration, job_summary, mistakes, output, reports, run_id, summary};

/// The two sides of every round.
const SIDES: [&str; 2] = ["base", "candidate"];

impl Run {
    /// Both builds by turns, and the comparison, whose verdict is the exit code.
    pub(super) fn against(&self, target: &str) -> Result<Exit, Failure> {
        let settings = Settings { paired: true, ..self.rules.settings()? };
        let plans = [self.base_plan(target)?, self.scenario.load()?];
        for plan in &plans {
            refuse_impossible_faults(plan)?;
            keep_off_the_targets(plan)?;
        }
        let id = run_id::fresh(&plans[1].scenario);
        let path = self.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(&id));
        refuse_what_holds_something(&path)?;
        // Rounds may take hours: what would make nothing of them is found before the first.
        compare::refuse(&unlike_plans(&plans[0], &plans[1]))?;
        for (plan, side) in plans.iter().zip(["the base (--against)", "the candidate (--target)"]) {
            find_target(plan).map_err(|failure| failure.about(side))?;
        }
        let Some(plans) = calibration::both_fitted(plans, &id, &path)? else {
            return Ok(Exit::Interrupted);
        };
        let mut digests = [Vec::new(), Vec::new()];
        for round in 1..=self.rounds {
            for side in order(round) {
                let (digest, end) = self.turn(&plans[side], &id, &path, (round, side))?;
                if end == RunEnd::Interrupted {
                    return Ok(self.cut_short(digests, &settings, &path));
                }
                if digest.platform_failed {
                    return Ok(Exit::Platform);
                }
                digests[side].push(digest);
                if is_interrupted() {
                    return Ok(self.cut_short(digests, &settings, &path));
                }
            }
        }
        self.conclude(&digests, &settings, &path, None)
    }

    /// The plan of the base: that of the candidate, with another target.
    fn base_plan(&self, target: &str) -> Result<Plan, Failure> {
        let choices = &self.scenario.choices;
        let edits: Vec<String> = choices.edits.iter().chain(&self.against_edits).cloned().collect();
        let request = Request { target: Some(target), edits: &edits, ..choices.request(&self.scenario.scenario) };
        let Loaded { plan, warnings } = load(&request)?;
        if !warnings.is_empty() {
            output::say(&mistakes::draw(&warnings));
        }
        Ok(plan)
    }

    /// One run, in a folder of its own.
    fn turn(
        &self,
        plan: &Plan,
        id: &str,
        path: &Path,
        (round, side): (u32, usize),
    ) -> Result<(Digest, RunEnd), Failure> {
        let name = format!("{}-{round}", SIDES[side]);
        let of = self.rounds;
        output::say(&format!("round {round} of {of}, {}: {}\n", SIDES[side], plan.target.launch));
        let folder = path.join(&name);
        let progress: Box<dyn Listener> = match self.format {
            RunFormat::Json => Box::new(JsonLines),
            _ => progress::for_a_person(plan),
        };
        let end = execute(plan, &format!("{id}-{name}"), &folder, progress)?;
        let verdict = reports::write_reports(&folder).map_err(Failure::of_platform)?;
        if side == 1 {
            match self.format {
                RunFormat::Human => output::print(&format!("{}\n", summary::summary(&verdict)))?,
                RunFormat::Json => output::print_json(serde_json::to_string(&verdict))?,
                RunFormat::Github => output::print(&soak_render::github(&verdict))?,
            }
        }
        Ok((reports::digest(&folder).map_err(Failure::of_platform)?, end))
    }

    /// What the rounds that came to their end say. A round of which one side is missing says nothing.
    fn cut_short(&self, mut digests: [Vec<Digest>; 2], settings: &Settings, path: &Path) -> Exit {
        let rounds = digests[0].len().min(digests[1].len());
        if rounds == 0 {
            output::say("interrupted before a round was over: there is nothing to compare\n");
            return Exit::Interrupted;
        }
        output::say(&format!("interrupted: what follows is of {rounds} of {} rounds\n", self.rounds));
        for side in &mut digests {
            side.truncate(rounds);
        }
        if let Err(failure) = self.conclude(&digests, settings, path, Some(rounds)) {
            // Whatever it is, the command was interrupted.
            let _ = failure.report();
        }
        Exit::Interrupted
    }

    fn conclude(
        &self,
        [base, candidate]: &[Vec<Digest>; 2],
        settings: &Settings,
        path: &Path,
        cut_short_after: Option<usize>,
    ) -> Result<Exit, Failure> {
        let mut comparison = compare::compared(base, candidate, settings)?;
        comparison.rounds_of = cut_short_after.map(|rounds| [rounds, self.rounds as usize]);
        compare::write(&comparison, path)?;
        match self.format {
            RunFormat::Json => output::print_json(serde_json::to_string(&comparison))?,
            RunFormat::Human => compare::print(&comparison, CompareFormat::Human)?,
            RunFormat::Github => {
                output::print(&soak_render::comparison_github(&comparison))?;
                job_summary::append_file(&path.join(MARKDOWN));
            }
        }
        if self.format == RunFormat::Human {
            let verdict = Verdict::over(candidate.iter().map(|run| run.verdict)).unwrap_or(Verdict::Inconclusive);
            output::print(&format!(
                "\nThe candidate by its own criteria: {}\nReport: {}\n",
                verdict.name(),
                path.join(HTML).display()
            ))?;
        }
        Ok(Exit::from(comparison.verdict))
    }
}

/// Which side goes first: the base in odd rounds.
fn order(round: u32) -> [usize; 2] {
    if round.is_multiple_of(2) { [1, 0] } else { [0, 1] }
}

#[cfg(test)]
mod tests {
    use super::order;

    #[test]
    fn neither_side_is_always_the_later_one() {
        let later: Vec<usize> = (1..=4).map(|round| order(round)[1]).collect();
        assert_eq!(later, [1, 0, 1, 0]);
    }
}
