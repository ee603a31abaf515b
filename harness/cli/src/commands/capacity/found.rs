//! What a search found, and the page of it: the limits, what it costs to live there, lines to paste, and every try.

use std::path::Path;

use serde::Serialize;
use soak_capacity::{Mib, Settings};
use soak_render::{CapacityPage, Part, to_paste};
use soak_scenario::units::Bytes;
use soak_scenario::{MEMORY_LIMIT_MIN, Plan, Variant};
use soak_verdict::human;
use soak_verdict::stats::location::median;

/// What came of one limit.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Tried {
    pub(super) limit_mib: Mib,
    pub(super) survived: bool,
    /// How the target ended, where it did not.
    pub(super) why: Option<String>,
    /// Settings that did not demonstrably take effect.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) without_effect: Vec<String>,
    /// The most that the cgroup charged, or that was resident where nothing tells.
    pub(super) peak_bytes: Option<f64>,
    pub(super) cpu_seconds: Option<f64>,
    pub(super) search_p99_ms: Option<f64>,
    pub(super) run: String,
}

impl Tried {
    /// Why nothing can be found by such tries: they are of other settings than is said.
    pub(super) fn untrue(&self) -> Option<String> {
        (!self.without_effect.is_empty()).then(|| format!("not known, because {}", self.without_effect.join("; ")))
    }
}

/// What was measured in a try.
type Figure = fn(&Tried) -> Option<f64>;

/// What was found at one GOGC and GOMEMLIMIT.
#[derive(Debug, Serialize)]
pub(super) struct Found {
    pub(super) gogc: String,
    pub(super) gomemlimit: String,
    /// GOMEMLIMIT as a share of the limit; absent where it is off.
    pub(super) gomemlimit_share: Option<f64>,
    /// The smallest limit that survived every time; absent where there was none.
    pub(super) limit: Option<Bytes>,
    /// Why there is none, or why it is not shown to be the smallest; absent where it is.
    pub(super) reason: Option<String>,
    /// Runs with that limit, and how many of them survived.
    pub(super) at_limit: [usize; 2],
    /// The same of a tenth less.
    pub(super) at_less: [usize; 2],
    /// Without any limit.
    pub(super) unlimited: Option<Tried>,
    pub(super) tried: Vec<Tried>,
}

impl Found {
    /// Nothing yet, at this GOGC, with GOMEMLIMIT in words and as a share of the limit.
    pub(super) fn nothing(gogc: String, gomemlimit: String, gomemlimit_share: Option<f64>) -> Self {
        Self {
            gogc,
            gomemlimit,
            gomemlimit_share,
            limit: None,
            reason: None,
            at_limit: [0; 2],
            at_less: [0; 2],
            unlimited: None,
            tried: Vec::new(),
        }
    }

    /// Whether a limit was found that is shown to be the smallest.
    pub(super) fn is_sharp(&self) -> bool {
        self.limit.is_some() && self.reason.is_none()
    }

    /// Nothing more is tried: this limit survived every time, as the tries have it.
    pub(super) fn ends_at(&mut self, limit: Mib) {
        let of = |limit: Mib| {
            let all = self.tried.iter().filter(move |one| one.limit_mib == limit);
            [all.clone().filter(|one| one.survived).count(), all.count()]
        };
        (self.at_limit, self.at_less) = (of(limit), of((limit as f64 * 0.9).floor() as Mib));
        self.limit = Some(Bytes::mib(limit));
        let [survived, of] = self.at_less;
        self.reason = match () {
            () if of == 0 => Some(format!(
                "it survives {}, and a tenth less is below {MEMORY_LIMIT_MIN}, which is the smallest limit that is set",
                Bytes::mib(limit)
            )),
            () if survived == of => Some(
                "a tenth less survived as often, although limits above that had failed: whether a run survives there is chance, and this is not shown to be the smallest. More \
                 --times, or a machine with nothing else on it, tell more"
                    .to_owned(),
            ),
            () => None,
        };
    }

    /// The middle of what was measured where the limit was the one that was found.
    fn with_it(&self, of: Figure) -> Option<f64> {
        let there = |one: &&Tried| one.survived && self.limit == Some(Bytes::mib(one.limit_mib));
        median(&self.tried.iter().filter(there).filter_map(of).collect::<Vec<_>>())
    }

    fn without_any(&self, of: Figure) -> Option<f64> {
        self.unlimited.as_ref().and_then(of)
    }

    fn setting(&self) -> [String; 2] {
        [self.gogc.clone(), self.gomemlimit.clone()]
    }
}

/// Of what load, on which target.
pub(super) struct Load {
    pub(super) variant: String,
    pub(super) target: String,
    cycles: u32,
    /// Whether the target is told GOGC.
    sets_gogc: bool,
    /// The same of GOMEMLIMIT.
    sets_gomemlimit: bool,
}

impl Load {
    pub(super) fn of(plan: &Plan, variant: &Variant) -> Self {
        Self {
            variant: variant.id.clone(),
            target: plan.target.launch.to_string(),
            cycles: plan.cycle.count,
            sets_gogc: plan.target.profile.sets("gogc"),
            sets_gomemlimit: plan.target.profile.sets("gomemlimit"),
        }
    }

    /// Lines to paste, of the setting that needs the least.
    pub(super) fn settings(&self, found: &[Found]) -> Option<Settings> {
        let least = least(found)?;
        let gogc = self.sets_gogc.then_some(least.gogc.as_str());
        let gomemlimit_share = least.gomemlimit_share.filter(|_| self.sets_gomemlimit);
        Some(Settings::above(least.limit?.0 >> 20, gogc, gomemlimit_share))
    }

    /// The page without its tries.
    pub(super) fn page(&self, found: &[Found], out: &Path) -> CapacityPage {
        let mut parts = vec![limits(found)];
        parts.extend(found.iter().filter_map(|one| {
            let (gogc, gomemlimit, reason) = (&one.gogc, &one.gomemlimit, one.reason.as_ref()?);
            Some(Part::Text(format!("GOGC {gogc}, GOMEMLIMIT {gomemlimit}: {reason}.")))
        }));
        parts.extend([Part::Heading("What it costs to live there"), costs(found)]);
        if let (Some(settings), Some(least)) = (self.settings(found), least(found)) {
            parts.extend(to_paste(&settings));
            parts.push(Part::Text(format!(
                "Of the limits that are shown to be the smallest, that of GOGC {} and GOMEMLIMIT {} is the least.",
                least.gogc, least.gomemlimit
            )));
        }
        parts.push(Part::Text(format!("Each try is a run of its own, in {}.", out.display())));
        let title = format!(
            "The smallest limit that {} survives with {} a cycle, {} cycles",
            self.target, self.variant, self.cycles
        );
        CapacityPage { title, parts }
    }
}

/// The same with every try, which is much for a terminal.
pub(super) fn with_tries(mut page: CapacityPage, found: &[Found]) -> CapacityPage {
    page.parts.extend([Part::Heading("Tries"), tries(found)]);
    page
}

/// The least of the limits that are shown to be the smallest, and of several the one that takes the least processor time.
fn least(found: &[Found]) -> Option<&Found> {
    let cost = |one: &Found| (one.limit, one.with_it(|tried| tried.cpu_seconds).unwrap_or(f64::INFINITY));
    let sharp = found.iter().filter(|one| one.is_sharp());
    sharp.min_by(|one, other| {
        let ((limit, cpu), (other_limit, other_cpu)) = (cost(one), cost(other));
        limit.cmp(&other_limit).then(cpu.total_cmp(&other_cpu))
    })
}

fn limits(found: &[Found]) -> Part {
    let survived = |one: &Found, [survived, of]: [usize; 2]| match (one.limit, of) {
        (None, _) => "–".to_owned(),
        (Some(_), 0) => "not tried".to_owned(),
        (Some(_), _) => format!("{survived} of {of}"),
    };
    let row = |one: &Found| {
        let [gogc, gomemlimit] = one.setting();
        let limit = one.limit.map_or_else(|| "not found".to_owned(), |limit| limit.to_string());
        vec![gogc, gomemlimit, limit, survived(one, one.at_limit), survived(one, one.at_less)]
    };
    Part::Table {
        heads: vec!["GOGC", "GOMEMLIMIT", "smallest limit", "survived", "with 10 % less"],
        rows: found.iter().map(row).collect(),
    }
}

/// Memory against processor time and latency: at the limit, and beside what it was without one.
fn costs(found: &[Found]) -> Part {
    let beside = |at: Option<f64>, without: Option<f64>, unit: fn(f64) -> String| match (at, without) {
        (Some(at), Some(without)) if without > 0.0 => format!("{} ({:.2} ×)", unit(at), at / without),
        (Some(at), _) => unit(at),
        (None, _) => "-".to_owned(),
    };
    let row = |one: &Found| {
        let [gogc, gomemlimit] = one.setting();
        let (cpu, p99): (Figure, Figure) = (|tried| tried.cpu_seconds, |tried| tried.search_p99_ms);
        vec![
            gogc,
            gomemlimit,
            beside(one.limit.map(Bytes::as_f64), one.without_any(|tried| tried.peak_bytes), human::bytes),
            beside(one.with_it(cpu), one.without_any(cpu), human::seconds),
            beside(one.with_it(p99), one.without_any(p99), |value| format!("{value:.1} ms")),
        ]
    };
    Part::Table {
        heads: vec!["GOGC", "GOMEMLIMIT", "limit (of the peak without)", "processor", "search p99"],
        rows: found.iter().map(row).collect(),
    }
}

fn tries(found: &[Found]) -> Part {
    let rows = found.iter().flat_map(|one| {
        one.unlimited.iter().chain(&one.tried).map(|tried| {
            let [gogc, gomemlimit] = one.setting();
            let limit = if tried.limit_mib == 0 { "off".to_owned() } else { Bytes::mib(tried.limit_mib).to_string() };
            let came = tried.why.as_deref().unwrap_or("survived");
            let came = [&[came.to_owned()], &tried.without_effect[..]].concat().join("; ");
            let peak = tried.peak_bytes.map_or_else(|| "-".to_owned(), human::bytes);
            vec![tried.run.clone(), gogc, gomemlimit, limit, peak, came]
        })
    });
    Part::Table { heads: vec!["run", "GOGC", "GOMEMLIMIT", "limit", "peak", "what came of it"], rows: rows.collect() }
}
