//! The phases as a chart shades them: few groups, and rest left plain.

use soak_record::{EventKind, Phase, VariantRecord};

/// Phases that are shaded alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    /// Ingest and indexing.
    Load,
    /// Queries.
    Query,
    /// Rows are deleted, or the dataset is dropped.
    Delete,
    /// Compaction.
    Compact,
}

impl Group {
    pub(crate) const ALL: [Self; 4] = [Self::Load, Self::Query, Self::Delete, Self::Compact];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Load => "ingest and index",
            Self::Query => "query",
            Self::Delete => "delete",
            Self::Compact => "compact",
        }
    }

    /// The style class.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Query => "query",
            Self::Delete => "delete",
            Self::Compact => "compact",
        }
    }

    fn of(phase: Phase) -> Option<Self> {
        match phase {
            Phase::Ingest | Phase::Index => Some(Self::Load),
            Phase::Query => Some(Self::Query),
            Phase::Delete | Phase::Clear => Some(Self::Delete),
            Phase::Compact => Some(Self::Compact),
            _ => None,
        }
    }
}

/// When each group's phases ran, in order; neighbours of one group are one. A phase that never ended lasts until `to_s`.
pub(super) fn shaded(record: &VariantRecord, to_s: f64) -> Vec<(Group, f64, f64)> {
    let mut spans: Vec<(Group, f64, f64)> = Vec::new();
    let mut running: Option<(Phase, f64)> = None;
    let mut end = |running: &mut Option<(Phase, f64)>, at_s: f64| {
        let Some((phase, from_s)) = running.take() else { return };
        let Some(group) = Group::of(phase) else { return };
        match spans.last_mut() {
            Some(last) if last.0 == group && from_s - last.2 < 0.05 => last.2 = at_s,
            _ => spans.push((group, from_s, at_s)),
        }
    };
    for event in &record.events {
        match event.kind {
            EventKind::PhaseStarted { phase, .. } => {
                end(&mut running, event.at_s);
                running = Some((phase, event.at_s));
            }
            EventKind::PhaseEnded { phase, .. } if running.is_some_and(|(started, _)| started == phase) => {
                end(&mut running, event.at_s);
            }
            _ => {}
        }
    }
    end(&mut running, to_s);
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic;
    use soak_record::Event;

    #[test]
    fn neighbours_are_one_and_the_unended_lasts() {
        let mut record = synthetic::record(0, synthetic::Target::HEALTHY);
        let start =
            |at_s, phase| Event { at_s, variant: None, kind: EventKind::PhaseStarted { phase, cycle: Some(0) } };
        let stop = |at_s, phase| Event {
            at_s,
            variant: None,
            kind: EventKind::PhaseEnded { phase, cycle: Some(0), seconds: 1.0 },
        };
        record.events = vec![
            start(1.0, Phase::Ingest),
            stop(2.0, Phase::Ingest),
            start(2.0, Phase::Index),
            stop(3.0, Phase::Index),
            start(3.0, Phase::BeforeCompact),
            stop(4.0, Phase::BeforeCompact),
            start(4.0, Phase::Compact),
        ];
        assert_eq!(shaded(&record, 9.0), [(Group::Load, 1.0, 3.0), (Group::Compact, 4.0, 9.0)]);
    }
}
