//! `unexplained_memory`: what of the cgroup's charge no part of the memory ledger accounts for.
//!
//! The ledger of a moment: live heap; heap not returned (garbage, unused and free spans); the runtime's own; anonymous memory beside the runtime; page
//! cache, of which part is mapped; shared memory; the kernel's. The first four together are the anonymous memory of the target's processes. What the
//! cgroup charges beyond all of these is *unexplained*: processes that nobody watches, or memory that nobody counts.

use std::fmt::Write as _;

use soak_record::Phase;
use soak_scenario::Threshold;

use crate::evidence::{Evidence, Ruling};
use crate::human;
use crate::observed::Observed;
use crate::outcome::Verdict;
use crate::stats::binomial::median_bounds;
use crate::stats::location::median;

const CHARGE: &str = "cgroup_usage_bytes";
const LEAST: usize = 5;
const NEXT: &str = "List the processes of the cgroup (`cgroup.procs`): memory of one that is not the target's counts against its limit all the same.";

/// Windows of rest, in which the parts were read at nearly the same moment as the charge.
const AT_REST: [Phase; 3] = [Phase::BeforeCompact, Phase::AfterCompact, Phase::Settle];

/// Measures one variant.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    if let Some(why) = observed.unusable(CHARGE) {
        return Evidence::absent(why);
    }
    let cycles = observed.counted_cycles();
    let moments: Vec<Moment> =
        cycles.flat_map(|cycle| AT_REST.iter().filter_map(move |phase| Moment::of(observed, *phase, cycle))).collect();
    let shares: Vec<f64> = moments.iter().map(Moment::unexplained).collect();
    let (Some(middle), true) = (median(&shares), shares.len() >= LEAST) else {
        return Evidence::absent(format!(
            "Only {} at rest in which the charge and its parts were read; {LEAST} are needed.",
            human::plural(shares.len(), "window")
        ));
    };
    let limit = threshold.at_most;
    let interval = median_bounds(&shares, 0.95);
    let largest = moments.iter().max_by(|a, b| a.charge.total_cmp(&b.charge));
    Evidence {
        value: Some(middle),
        interval,
        threshold: limit,
        summary: format!(
            "{} of what the cgroup charges is accounted for by no part (median of {}).{}",
            human::percent(middle),
            human::plural(shares.len(), "window"),
            largest.map_or_else(String::new, |moment| moment.in_words(observed))
        ),
        notes: Vec::new(),
        band: None,
        working: moments.iter().map(Moment::working).collect(),
        p: Vec::new(),
        rule: Box::new(move |_| {
            let limit = limit.unwrap_or(f64::INFINITY);
            let allowed = human::percent(limit);
            match interval {
                Some([low, _]) if low > limit => {
                    Ruling::new(Verdict::Fail, format!("At most {allowed} is allowed.")).next(NEXT)
                }
                _ if middle <= limit => Ruling::new(Verdict::Pass, format!("Up to {allowed} is allowed.")),
                _ => {
                    Ruling::new(Verdict::Inconclusive, format!("{allowed} is allowed, which lies inside the interval."))
                }
            }
        }),
    }
}

/// The ledger of one window: medians, in bytes.
struct Moment {
    at: [f64; 2],
    charge: f64,
    anon: f64,
    file: f64,
    shmem: f64,
    kernel: f64,
}

impl Moment {
    fn of(observed: &Observed<'_>, phase: Phase, cycle: u32) -> Option<Self> {
        let window = observed.level(CHARGE, phase, Some(cycle))?;
        let level = |name| observed.level(name, phase, Some(cycle)).map(|level| level.median);
        Some(Self {
            at: [window.from_s, window.to_s],
            charge: window.median,
            anon: level("rss_anon_bytes")?,
            file: level("cgroup_file_bytes")?,
            shmem: level("cgroup_shmem_bytes").unwrap_or(0.0),
            kernel: level("cgroup_kernel_bytes").unwrap_or(0.0),
        })
    }

    /// The share of the charge that no part explains; what is counted twice is no less a gap in the books.
    fn unexplained(&self) -> f64 {
        self.gap().abs() / self.charge
    }

    fn gap(&self) -> f64 {
        self.charge - self.anon - self.file - self.shmem - self.kernel
    }

    /// One line of the books; a gap below 0 is memory that is counted twice.
    fn working(&self) -> String {
        let [charge, anon, file, shmem, kernel] =
            [self.charge, self.anon, self.file, self.shmem, self.kernel].map(human::bytes);
        let gap = human::bytes(self.gap());
        format!("charged {charge}: anonymous {anon}, files {file}, shared {shmem}, kernel {kernel}; gap {gap}")
    }

    /// The parts, for people.
    fn in_words(&self, observed: &Observed<'_>) -> String {
        let within = |name: &str| median(observed.series(name)?.within(self.at[0], self.at[1]).1);
        let mut parts = Vec::new();
        let live = within("heap_bytes");
        let objects = within("heap_objects_bytes");
        if let (Some(live), Some(objects), Some(unused), Some(free), Some(all), Some(released)) = (
            live,
            objects,
            within("heap_unused_bytes"),
            within("heap_free_bytes"),
            within("runtime_bytes"),
            within("released_bytes"),
        ) {
            parts.push(("live heap", live));
            parts.push(("heap not returned", (objects - live + unused + free).max(0.0)));
            parts.push(("the runtime's own", (all - released - objects - unused - free).max(0.0)));
            parts.push(("beside the runtime", (self.anon - (all - released)).max(0.0)));
        } else {
            parts.push(("anonymous memory", self.anon));
        }
        let mapped = within("cgroup_mapped_bytes").unwrap_or(0.0).min(self.file);
        parts.push(("mapped files", mapped));
        parts.push(("page cache", self.file - mapped));
        parts.push(("shared memory", self.shmem));
        parts.push(("kernel", self.kernel));
        let mut words = format!(" At the greatest charge, {}:", human::bytes(self.charge));
        for (n, (name, bytes)) in parts.iter().filter(|(_, bytes)| *bytes >= 65_536.0).enumerate() {
            let comma = if n == 0 { "" } else { "," };
            let _ = write!(words, "{comma} {name} {}", human::bytes(*bytes));
        }
        words.push('.');
        words
    }
}
