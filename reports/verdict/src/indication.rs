//! What the thresholds of the runbooks say of a variant: how far each value went, at which level, and when an alert by it would have fired.
//!
//! None of it is part of the verdict: the runbooks' numbers are rules of thumb for any deployment, criteria are what a scenario holds its target to.

use soak_record::{EventKind, Series};
use soak_scenario::runbook::{Alarm, Indicator, Level, Reading, Unit, indicators};

use crate::human;
use crate::judge::rounded;
use crate::observed::Observed;
use crate::outcome::Indication;
use crate::reading::{STALE_S, joined, read};
use crate::stats::alert::{Firing, Rule, firings};

/// Every threshold that is read in every run.
pub(crate) fn indications(observed: &Observed<'_>) -> Vec<Indication> {
    let read = indicators().filter_map(|one| Some((one, one.covered.reading()?)));
    read.map(|(one, reading)| indication(observed, one, reading)).collect()
}

fn indication(observed: &Observed<'_>, one: &Indicator, reading: &Reading) -> Indication {
    let unit = one.levels.unit().unwrap_or(Unit::Count);
    let unread = |reason: String| Indication {
        id: one.id.to_owned(),
        level: None,
        value: None,
        unit: unit.name().to_owned(),
        at_s: None,
        fired_s: None,
        reason,
    };
    let values = match values(observed, reading) {
        Ok(values) => values,
        Err(why) => return unread(format!("Not read: {why}")),
    };
    let alarms = one.levels.alarms();
    let Some((at_s, value)) = furthest(&values, alarms.iter().any(|alarm| alarm.below)) else {
        return unread(
            "Not read: there was no moment at which it had a value, or the run was shorter than its window.".to_owned(),
        );
    };
    let window_s = one.window.map_or(0.0, |window| window.0.as_secs_f64());
    let fired = alarms.iter().rev().find_map(|alarm| {
        let fired = behind(&values, *alarm, window_s);
        (!fired.is_empty()).then_some((alarm, fired))
    });
    let extent = if alarms.iter().any(|alarm| alarm.below) { "least" } else { "most" };
    let told = [
        Some(format!("{} at {extent}{}; {}.", in_words(value, unit), place(observed, at_s), one.levels)),
        fired.as_ref().map(|(alarm, fired)| fired_in_words(alarm.level, fired)),
        if fired.is_none() { waited(&values, &alarms, window_s) } else { None },
        modelled(observed, reading).map(|name| format!("{name} is a model in this target.")),
    ];
    let reason = told.into_iter().flatten().collect::<Vec<_>>().join(" ");
    Indication {
        level: Some(fired.as_ref().map_or(Level::Normal, |(alarm, _)| alarm.level)),
        value: Some(rounded(value)),
        at_s: Some(rounded(at_s)),
        fired_s: fired.as_ref().map(|(_, fired)| rounded(fired[0].from_s)),
        ..unread(reason)
    }
}

/// When an alert would have fired, and for how long.
fn fired_in_words(level: Level, fired: &[Firing]) -> String {
    let held_s: f64 = fired.iter().map(|firing| firing.to_s - firing.from_s).sum();
    let times = if fired.len() > 1 { format!(" in {} stretches", fired.len()) } else { String::new() };
    let (first, held) = (human::seconds(fired[0].from_s), human::seconds(held_s));
    format!("An alert ({}) would have fired at {first} of the run, for {held} in all{times}.", level.name())
}

/// How long it was behind its bound, where an alert waits for longer than that.
fn waited(values: &Series, alarms: &[Alarm], window_s: f64) -> Option<String> {
    let stretches = behind(values, *alarms.first()?, 0.0);
    let longest_s = stretches.iter().map(|stretch| stretch.to_s - stretch.pending_s).reduce(f64::max)?;
    let (longest, window) = (human::seconds(longest_s), human::seconds(window_s));
    Some(format!("It was behind its bound for {longest} at a stretch; an alert waits for {window}."))
}

/// The value over time, where it is to be read.
fn values(observed: &Observed<'_>, reading: &Reading) -> Result<Series, String> {
    let values = read(&reading.value, observed)?;
    let Some(holding) = &reading.holding else { return Ok(values) };
    Ok(joined(&values, &read(holding, observed)?, |value, holding| (holding > 0.0).then_some(value)))
}

/// When and how far it was on the side that tells somebody.
fn furthest(values: &Series, below: bool) -> Option<(f64, f64)> {
    let points = values.times_s.iter().copied().zip(values.values.iter().copied());
    let worse = |one: f64, than: f64| if below { one < than } else { one > than };
    points.reduce(|worst, one| if worse(one.1, worst.1) { one } else { worst })
}

/// The stretches in which it was behind a bound for as long as an alert waits.
fn behind(values: &Series, alarm: Alarm, for_s: f64) -> Vec<Firing> {
    let sign = if alarm.below { -1.0 } else { 1.0 };
    let bound = sign * alarm.bound;
    let above = if alarm.inclusive { bound.next_down() } else { bound };
    let turned: Vec<f64> = values.values.iter().map(|value| sign * value).collect();
    firings(&values.times_s, &turned, Rule { above, for_s, stale_s: STALE_S })
}

/// In which phase a moment lies.
fn place(observed: &Observed<'_>, at_s: f64) -> String {
    let before = observed.record.events.iter().take_while(|event| event.at_s <= at_s);
    let phase = before.filter_map(|event| match &event.kind {
        EventKind::PhaseStarted { phase, cycle } => Some((phase.words(), *cycle)),
        _ => None,
    });
    phase.last().map_or_else(String::new, |(phase, cycle)| {
        cycle.map_or_else(|| format!(" during {phase}"), |cycle| format!(" during {phase} of cycle {cycle}"))
    })
}

fn in_words(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Bytes => human::bytes(value),
        Unit::BytesPerHour => format!("{} an hour", human::bytes(value)),
        Unit::BytesPerNode => format!("{} B a node", human::number(value)),
        Unit::PerMinute => format!("{} a minute", human::number(value)),
        Unit::Times => format!("{value:.2} ×"),
        Unit::Share | Unit::Seconds | Unit::Count => human::in_unit(value, unit.name()),
    }
}

/// A series that the target only models, if it is read from one.
fn modelled(observed: &Observed<'_>, reading: &Reading) -> Option<&'static str> {
    let modelled = &observed.plan.target.profile.modelled;
    reading.series().into_iter().find(|name| modelled.iter().any(|one| one == name))
}

#[cfg(test)]
mod tests {
    use soak_record::{Event, Phase, VariantRecord};

    use super::*;
    use crate::simulation::plan;

    /// Series at 1 Hz, of as many seconds as there are values.
    fn indications_of(series: &[(&str, Vec<f64>)]) -> Vec<Indication> {
        let plan = plan();
        let sampled = |values: &Vec<f64>| Series {
            times_s: (0..values.len()).map(|at| at as f64).collect(),
            values: values.clone(),
        };
        let started = EventKind::PhaseStarted { phase: Phase::Query, cycle: Some(2) };
        let record = VariantRecord {
            variant: plan.variants[0].clone(),
            events: vec![Event { at_s: 0.0, variant: None, kind: started }],
            series: series.iter().map(|(name, values)| ((*name).to_owned(), sampled(values))).collect(),
            broken: Vec::new(),
        };
        indications(&Observed::new(&plan, &record))
    }

    fn of<'a>(all: &'a [Indication], id: &str) -> &'a Indication {
        all.iter().find(|one| one.id == id).unwrap()
    }

    #[test]
    fn a_level_is_told_with_its_moment_and_its_phase() {
        let all = indications_of(&[("goroutines", vec![100.0, 200.0, 350.0, 501.0, 150.0])]);
        let table = of(&all, "goroutines");
        assert_eq!((table.level, table.value, table.at_s), (Some(Level::Critical), Some(501.0), Some(3.0)));
        assert_eq!(table.fired_s, Some(3.0));
        assert!(
            table.reason.starts_with("501 at most during queries of cycle 2; normal below 200,"),
            "{}",
            table.reason
        );
        assert_eq!(of(&all, "goroutine_alert").level, Some(Level::Warning));
        assert_eq!(of(&all, "escalate_goroutines").level, Some(Level::Normal));
        // The end of what is normal is itself a warning.
        let edge = indications_of(&[("goroutines", vec![200.0])]);
        assert_eq!(of(&edge, "goroutines").level, Some(Level::Warning));
        assert_eq!(of(&edge, "goroutine_range").level, Some(Level::Normal));
    }

    #[test]
    fn an_alert_waits_for_its_window() {
        let limit = |seconds: usize| ("cgroup_limit_bytes", vec![1e9; seconds]);
        let usage = |seconds: usize| ("cgroup_working_set_bytes", vec![0.9e9; seconds]);
        let short = indications_of(&[usage(200), limit(200)]);
        let alert = of(&short, "memory_alert");
        assert_eq!((alert.level, alert.value), (Some(Level::Normal), Some(0.9)));
        assert!(alert.reason.contains("behind its bound for 3.32 min at a stretch"), "{}", alert.reason);
        let long = indications_of(&[usage(400), limit(400)]);
        assert_eq!(of(&long, "memory_alert").fired_s, Some(300.0));
        assert_eq!(of(&long, "escalate_memory").level, Some(Level::Normal));
    }

    #[test]
    fn less_is_worse_where_it_is_and_only_while_it_holds() {
        let series = [
            ("slab_bytes", vec![0.0, 10.0, 80.0, 10.0]),
            ("heap_bytes", vec![100.0; 4]),
            ("live_vectors", vec![0.0, 5.0, 5.0, 0.0]),
        ];
        let all = indications_of(&series);
        let share = of(&all, "slab_share");
        assert_eq!((share.level, share.value, share.at_s), (Some(Level::Warning), Some(0.1), Some(1.0)));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let all = indications_of(&[("rss_bytes", vec![1e9; 9]), ("gomemlimit_bytes", vec![i64::MAX as f64; 9])]);
        let of_limit = of(&all, "rss_of_limit");
        assert_eq!(of_limit.level, None);
        assert!(of_limit.reason.contains("gomemlimit_bytes is off"), "{}", of_limit.reason);
        let short = indications_of(&[("gc_cycles_total", vec![0.0, 4.0, 9.0])]);
        assert!(of(&short, "gc_pauses").reason.contains("shorter than its window"));
        // The plan's target only models its collections.
        let modelled = indications_of(&[("gc_cycles_total", (0..400).map(f64::from).collect())]);
        let pauses = of(&modelled, "gc_pauses");
        assert_eq!((pauses.level, pauses.value), (Some(Level::Critical), Some(60.0)));
        assert!(pauses.reason.ends_with("gc_cycles_total is a model in this target."), "{}", pauses.reason);
    }

    #[test]
    fn a_prediction_is_waited_for_as_its_alert_would() {
        let plan = plan();
        // Samples never come to the second.
        let times_s: Vec<f64> = (0..7400).map(|at| f64::from(at) * 1.0007).collect();
        let rising = Series { values: times_s.iter().map(|time| 1e9 + 1e5 * time).collect(), times_s: times_s.clone() };
        let limit = Series { values: vec![2e9; times_s.len()], times_s };
        let record = VariantRecord {
            variant: plan.variants[0].clone(),
            events: Vec::new(),
            series: [("rss_bytes".to_owned(), rising), ("cgroup_limit_bytes".to_owned(), limit)].into(),
            broken: Vec::new(),
        };
        let all = indications(&Observed::new(&plan, &record));
        let prediction = of(&all, "guts_prediction");
        // An hour until there is one, and half an hour of it.
        let fired_s = prediction.fired_s.unwrap();
        assert!((5400.0..5500.0).contains(&fired_s), "{}", prediction.reason);
    }
}
