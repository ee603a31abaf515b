//! Attestation: a knob that was set is not yet a setting that took effect. What the target and the kernel say is held against the plan.

use std::collections::BTreeMap;

use soak_diagnosis::knobs::{NO_LIMIT, in_words, is_no_gogc};
use soak_record::EventKind;
use soak_scenario::units::{Gogc, Interval, Limit};
use soak_scenario::{Knobs, Profile, Protocol};

use crate::target::Knob;

/// Knobs that the target can only tell once it has seen data.
const SEEN_IN_DATA: [&str; 2] = ["dim", "batch_rows"];

/// The load itself is so: what of it was due and never started stands in its latencies.
const OF_THE_LOAD: &str = "query_rate";

/// The kernel rounds limits down to pages, of up to 64 KiB.
const LIMIT_SLACK_BYTES: f64 = 65_536.0;

/// When attestation takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At boot: what is set by the environment.
    Boot,
    /// After the first data.
    Data,
}

/// What the load itself shows of settings that the target does not report.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Acknowledged {
    /// Components of a vector of a row that was read back.
    pub(crate) dim_read_back: Option<u32>,
    /// Rows of the largest message that was acknowledged, each batch being one message.
    pub(crate) rows_of_message: Option<u32>,
    /// Messages that the target counted, where it counts them, and batches that were acknowledged.
    pub(crate) messages: Option<(f64, u64)>,
}

impl Acknowledged {
    /// Adds what the load shows to what the target reports. What the target reports comes first.
    pub(crate) fn add_to(&self, read: &mut BTreeMap<String, Knob>) {
        let is_open = |read: &BTreeMap<String, Knob>, name| read.get(name).is_none_or(|knob| knob.value.is_none());
        if let Some(dim) = self.dim_read_back.filter(|_| is_open(read, "dim")) {
            let source = "a row read back".to_owned();
            read.insert("dim".to_owned(), Knob { value: Some(f64::from(dim)), source });
        }
        if let Some(rows) = self.rows_of_message.filter(|_| is_open(read, "batch_rows")) {
            let knob = match self.messages {
                // The target split or joined the batches.
                Some((counted, sent)) if (counted - sent as f64).abs() > 0.5 => {
                    let total = f64::from(rows) * sent as f64;
                    let source = format!("messages that the target counted: {counted} for {sent} batches");
                    Knob { value: Some((total / counted.max(1.0)).round()), source }
                }
                Some((counted, _)) => {
                    let source = format!("messages that the target counted: {counted}, as many as batches were sent");
                    Knob { value: Some(f64::from(rows)), source }
                }
                None => {
                    Knob { value: Some(f64::from(rows)), source: "messages that the target acknowledged".to_owned() }
                }
            };
            read.insert("batch_rows".to_owned(), knob);
        }
    }
}

/// An event for every setting that the profile passes to its server, with the value that was read back.
pub fn verified(profile: &Profile, knobs: &Knobs, read: &BTreeMap<String, Knob>, when: When) -> Vec<EventKind> {
    // Of a request of one thing, nothing but the request itself tells how much it carries.
    let is_told = |knob: &str| knob != "dim" || read.contains_key(knob);
    let sets = |knob: &str| profile.sets(knob) && (profile.protocol == Protocol::Flight || is_told(knob));
    let with_data = |knob: &str| profile.protocol == Protocol::Http && profile.requests.tell(knob);
    attest(knobs, &sets, read, when, &with_data)
}

/// The events that tell of every knob that can be read at this time; `with_data` are those that are set no earlier than the first data. One that the target is never told (`sets`), and does not tell, is no setting of it.
fn attest(
    plan: &Knobs,
    sets: &dyn Fn(&str) -> bool,
    read: &BTreeMap<String, Knob>,
    when: When,
    with_data: &dyn Fn(&str) -> bool,
) -> Vec<EventKind> {
    let mut events = Vec::new();
    for (name, requested) in plan.settings() {
        if name == OF_THE_LOAD || (when == When::Data) != (SEEN_IN_DATA.contains(&name) || with_data(name)) {
            continue;
        }
        let knob = read.get(name);
        if knob.is_none() && (matches!(name, "gomemlimit" | "memory_limit") && plan.is_off(name) || !sets(name)) {
            // Nothing was set, so nothing need take effect.
            continue;
        }
        let value = knob.and_then(|knob| knob.value);
        events.push(EventKind::Attested {
            knob: name.to_owned(),
            requested,
            effective: value.map(|value| in_words(name, value)),
            source: knob.map_or_else(|| "nothing tells".to_owned(), |knob| knob.source.clone()),
            holds: value.map(|value| holds(plan, name, value)),
        });
    }
    events
}

fn holds(plan: &Knobs, name: &str, value: f64) -> bool {
    let equal = |wanted: f64| (value - wanted).abs() < 1e-3;
    match name {
        "dim" => equal(f64::from(plan.dim)),
        "batch_rows" => equal(f64::from(plan.batch_rows)),
        "hnsw_m" => equal(f64::from(plan.hnsw_m)),
        "ef_construction" => equal(f64::from(plan.ef_construction)),
        "gogc" => match plan.gogc {
            Gogc::Percent(percent) => equal(f64::from(percent)),
            Gogc::Off => is_no_gogc(value),
        },
        "gomemlimit" => match plan.gomemlimit {
            Limit::At(bytes) => equal(bytes.as_f64()),
            Limit::Off | Limit::OfPeak(_) => value >= NO_LIMIT,
        },
        "memory_limit" => match plan.memory_limit {
            Limit::At(bytes) => value <= bytes.as_f64() && bytes.as_f64() - value < LIMIT_SLACK_BYTES,
            Limit::Off | Limit::OfPeak(_) => value >= NO_LIMIT,
        },
        "compaction_interval" => match plan.compaction_interval {
            Interval::Every(span) => equal(span.as_secs_f64()),
            Interval::Off => equal(0.0),
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use soak_scenario::units::{Bytes, QueryRate, Span};

    fn knobs() -> Knobs {
        Knobs {
            dim: 128,
            batch_rows: 500,
            gogc: Gogc::Percent(75),
            gomemlimit: Limit::Off,
            memory_limit: Limit::At(Bytes::mib(256)),
            hnsw_m: 32,
            ef_construction: 100,
            compaction_interval: Interval::Every(Span::seconds(30)),
            query_rate: QueryRate::Planned,
        }
    }

    fn read(values: &[(&str, f64)]) -> BTreeMap<String, Knob> {
        let knob = |value| Knob { value: Some(value), source: "test".to_owned() };
        values.iter().map(|(name, value)| ((*name).to_owned(), knob(*value))).collect()
    }

    fn answers(events: &[EventKind]) -> Vec<(&str, Option<&str>, Option<bool>)> {
        let answer = |event| match event {
            &EventKind::Attested { ref knob, ref effective, holds, .. } => (knob.as_str(), effective.as_deref(), holds),
            _ => unreachable!("only attestations"),
        };
        events.iter().map(answer).collect()
    }

    #[test]
    fn what_is_told_is_held_against_the_plan() {
        let read =
            read(&[("gogc", 100.0), ("memory_limit", 268_435_456.0), ("hnsw_m", 32.0), ("compaction_interval", 30.0)]);
        let events = attest(&knobs(), &|_| true, &read, When::Boot, &|_| false);
        assert_eq!(
            answers(&events),
            [
                ("gogc", Some("100"), Some(false)),
                ("memory_limit", Some("256MiB"), Some(true)),
                ("hnsw_m", Some("32"), Some(true)),
                ("ef_construction", None, None),
                ("compaction_interval", Some("30s"), Some(true)),
            ]
        );
    }

    #[test]
    fn a_knob_that_the_target_is_never_told_is_none_of_its() {
        let events =
            attest(&knobs(), &|knob| knob == "ef_construction", &read(&[("gogc", 75.0)]), When::Boot, &|_| false);
        let told: Vec<&str> = answers(&events).into_iter().map(|(knob, _, _)| knob).collect();
        assert_eq!(told, ["gogc", "ef_construction"]);
    }

    #[test]
    fn data_tells_the_rest() {
        let events =
            attest(&knobs(), &|_| true, &read(&[("dim", 128.0), ("batch_rows", 499.0)]), When::Data, &|_| false);
        assert_eq!(answers(&events), [("dim", Some("128"), Some(true)), ("batch_rows", Some("499"), Some(false))]);
    }

    #[test]
    fn the_load_shows_what_the_target_does_not_report() {
        let shown = Acknowledged { dim_read_back: Some(128), rows_of_message: Some(500), messages: None };
        let mut nothing = BTreeMap::new();
        shown.add_to(&mut nothing);
        let events = attest(&knobs(), &|_| true, &nothing, When::Data, &|_| false);
        assert_eq!(answers(&events), [("dim", Some("128"), Some(true)), ("batch_rows", Some("500"), Some(true))]);
        let mut reported = read(&[("dim", 64.0)]);
        let split = Acknowledged { messages: Some((40.0, 10)), ..shown };
        split.add_to(&mut reported);
        let events = attest(&knobs(), &|_| true, &reported, When::Data, &|_| false);
        let wrong = [("dim", Some("64"), Some(false)), ("batch_rows", Some("125"), Some(false))];
        assert_eq!(answers(&events), wrong, "its own report comes first, and batches that it splits are seen");
    }

    #[test]
    fn off_is_read_as_go_prints_it() {
        let plan = Knobs { gogc: Gogc::Off, compaction_interval: Interval::Off, ..knobs() };
        for gogc in [-1.0, u64::MAX as f64] {
            let read = read(&[("gogc", gogc), ("gomemlimit", i64::MAX as f64), ("compaction_interval", 0.0)]);
            let events = attest(&plan, &|_| true, &read, When::Boot, &|_| false);
            let off = |(_, effective, holds): &(&str, Option<&str>, Option<bool>)| {
                *effective == Some("off") && *holds == Some(true)
            };
            assert!(answers(&events)[..2].iter().all(off), "{gogc}");
        }
    }
}
