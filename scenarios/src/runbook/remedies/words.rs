//! Remedies as commands: for a shell on this machine, for Kubernetes, for systemd.

use super::{Advice, Ask, Knob, Means, Remedy, Seen};
use crate::launch::Launch;
use crate::plan::{Knobs, Plan, Variant};
use crate::profile::{Profile, Service};
use crate::settings_file;
use crate::units::{Bytes, Gogc, Interval, Limit};

/// More than the peak by this, because a peak is what one run happened to see.
const HEADROOM: f64 = 1.5;

/// Limits are rounded up to this.
const STEP_MIB: u64 = 64;

impl Remedy {
    /// As somebody on call would apply it to this plan's target.
    pub fn advice(&self, plan: &Plan, variant: &Variant, seen: Seen) -> Advice {
        let (commands, lacks) = self.commands(plan, seen);
        let tried = self.trial(plan, variant, seen);
        // What cannot be tried says why, unless something better is said already.
        let lacks = lacks.or_else(|| tried.as_ref().err().cloned());
        Advice {
            remedy: self.name.to_owned(),
            section: self.section.to_owned(),
            written: self.written.to_owned(),
            commands,
            lacks,
            tried: tried.is_ok(),
        }
    }

    fn commands(&self, plan: &Plan, seen: Seen) -> (Vec<String>, Option<String>) {
        let profile = &plan.target.profile;
        let service = profile.service();
        match self.means {
            Means::Knob(knob) => {
                let mut commands = vec![format!("soak run … --set '{}'", knob.edit())];
                let placeholder = format!("{{{}}}", knob.key());
                let variable = profile.launch.env.iter().find(|(_, value)| value.contains(&placeholder));
                commands.extend(variable.iter().flat_map(|(name, _)| set_variable(&service, name, &knob.value())));
                let lacks = variable.is_none() && knob.key() != "batch_rows";
                (commands, lacks.then(|| format!("the profile names no variable that holds {placeholder}")))
            }
            Means::Variable { ending, value } => match variable(profile, ending) {
                Some(name) => (set_variable(&service, name, value), None),
                None => (Vec::new(), Some(format!("the profile names no variable …{ending}"))),
            },
            Means::Ask(ask) => match ask.endpoint(profile) {
                Some(endpoint) => (vec![curl(plan, endpoint)], None),
                None => (
                    ask.program(&service).into_iter().collect(),
                    Some(format!("the profile has no endpoints.{}", ask.name())),
                ),
            },
            Means::Settings(settings) => (vec![set_in_file(&service, settings)], None),
            Means::OomScore(score) => (
                vec![
                    format!("echo {score} > /proc/$(pgrep {})/oom_score_adj", service.process),
                    format!(
                        "sudo systemctl edit {unit}\n[Service]\nOOMScoreAdjust={score}\n\nsudo systemctl restart {unit}",
                        unit = service.unit
                    ),
                ],
                Some("it spares the process and lets another be killed in its place; inside a limit of its own it changes nothing".to_owned()),
            ),
            Means::Restart => (
                vec![
                    format!("kubectl rollout restart {}{}", service.workload, service.in_namespace()),
                    format!("sudo systemctl restart {}", service.unit),
                ],
                None,
            ),
            Means::Limit => match limit(seen) {
                Some(limit) => (set_limit(&service, limit), None),
                None => (Vec::new(), Some("the run read no memory to size a limit by".to_owned())),
            },
            Means::StopLoad => (
                vec![format!("kubectl scale {} --replicas=0{}", service.workload, service.in_namespace())],
                Some("it ends the load that the run is about; the fault `stop_load` rehearses it".to_owned()),
            ),
            Means::Print { lines, why } => {
                let lines = lines
                    .replace("{http}", &http(plan))
                    .replace("{unit}", &service.unit)
                    .replace("{process}", &service.process)
                    .replace("{config}", &service.config);
                (vec![lines], Some(why.to_owned()))
            }
        }
    }
}

/// The limit that a run's peak asks for; `None` where no peak was read.
pub(super) fn limit(seen: Seen) -> Option<Bytes> {
    let mib = seen.peak_bytes.filter(|peak| peak.is_finite() && *peak > 0.0)? * HEADROOM / 1_048_576.0;
    Some(Bytes::mib((mib.ceil() as u64).next_multiple_of(STEP_MIB)))
}

/// The variable of the profile whose name ends so.
pub(super) fn variable<'a>(profile: &'a Profile, ending: &str) -> Option<&'a str> {
    profile.launch.env.keys().find(|name| name.ends_with(ending)).map(String::as_str)
}

fn set_variable(service: &Service, name: &str, value: &str) -> Vec<String> {
    vec![
        format!("kubectl set env {} {name}={value}{}", service.workload, service.in_namespace()),
        format!(
            "sudo systemctl edit {unit}\n[Service]\nEnvironment={name}={value}\n\nsudo systemctl restart {unit}",
            unit = service.unit
        ),
    ]
}

/// Every setting of the file that the remedy is about, for a person to merge: a key that stands there already is not to stand there twice.
fn set_in_file(service: &Service, settings: &[(&str, &str)]) -> String {
    let yaml = settings_file::yaml(settings.iter().copied());
    format!("# in {}:\n{yaml}sudo systemctl restart {}", service.config, service.unit)
}

fn set_limit(service: &Service, limit: Bytes) -> Vec<String> {
    let mib = limit.0 >> 20;
    let container = &service.container;
    let patch = format!(
        r#"{{"spec":{{"template":{{"spec":{{"containers":[{{"name":"{container}","resources":{{"limits":{{"memory":"{mib}Mi"}}}}}}]}}}}}}}}"#
    );
    vec![
        format!("kubectl patch {}{} -p '{patch}'", service.workload, service.in_namespace()),
        format!(
            "sudo systemctl edit {unit}\n[Service]\nMemoryMax={mib}M\n\nsudo systemctl daemon-reload\nsudo systemctl restart {unit}",
            unit = service.unit
        ),
    ]
}

/// Where the admin side of a deployment answers: what is attached to, else the profile's own port.
fn http(plan: &Plan) -> String {
    if let Launch::Attach(attach) = &plan.target.launch {
        return format!("http://{}", attach.http);
    }
    let ports = plan.target.profile.container.as_ref().map(|container| container.ports).unwrap_or_default();
    format!("http://localhost:{}", ports.http)
}

fn curl(plan: &Plan, endpoint: &str) -> String {
    let (method, path) = endpoint.split_once(' ').unwrap_or(("POST", endpoint));
    let path = path.replace("{dataset}", "DATASET");
    format!("curl -X {method} '{}{path}'", http(plan))
}

impl Ask {
    /// Its key in a profile's `[endpoints]`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Vacuum => "vacuum",
            Self::Compact => "compact",
            Self::CompactAll => "compact_all",
            Self::ClearCache => "clear_cache",
        }
    }

    pub(super) fn endpoint(self, profile: &Profile) -> Option<&str> {
        let endpoints = &profile.endpoints;
        let endpoint = match self {
            Self::Vacuum => &endpoints.vacuum,
            Self::Compact => &endpoints.compact,
            Self::CompactAll => &endpoints.compact_all,
            Self::ClearCache => &endpoints.clear_cache,
        };
        endpoint.as_deref()
    }

    /// The runbook's own command where there is no endpoint.
    fn program(self, service: &Service) -> Option<String> {
        (self == Self::ClearCache).then(|| format!("{} cache clear", service.process))
    }
}

impl Knob {
    /// Its key in `[matrix]`.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::BatchRows(_) => "batch_rows",
            Self::Gogc(_) => "gogc",
            Self::CompactionInterval(_) => "compaction_interval",
            Self::HnswM(_) => "hnsw_m",
        }
    }

    /// Its value as a target takes it.
    fn value(self) -> String {
        match self {
            Self::BatchRows(number) | Self::Gogc(number) | Self::HnswM(number) => number.to_string(),
            Self::CompactionInterval(seconds) => format!("{seconds}s"),
        }
    }

    /// The edit of a scenario.
    pub(super) fn edit(self) -> String {
        let value = self.value();
        let value = if matches!(self, Self::CompactionInterval(_)) { format!("\"{value}\"") } else { value };
        format!("matrix.{}=[{value}]", self.key())
    }

    /// These settings with the remedy; `None` where they are so, or better, already.
    pub(super) fn applied(self, knobs: &Knobs) -> Option<Knobs> {
        let mut knobs = knobs.clone();
        let changes = match self {
            Self::BatchRows(rows) => std::mem::replace(&mut knobs.batch_rows, rows) > rows,
            Self::HnswM(m) => std::mem::replace(&mut knobs.hnsw_m, m) > m,
            Self::Gogc(percent) => match std::mem::replace(&mut knobs.gogc, Gogc::Percent(percent)) {
                Gogc::Percent(before) => before > percent,
                Gogc::Off => true,
            },
            Self::CompactionInterval(seconds) => {
                let wanted = crate::units::Span::seconds(u64::from(seconds));
                match std::mem::replace(&mut knobs.compaction_interval, Interval::Every(wanted)) {
                    Interval::Every(before) => before > wanted,
                    Interval::Off => true,
                }
            }
        };
        changes.then_some(knobs)
    }
}

/// Whether a limit is one that can be raised.
pub(super) fn raised(knobs: &Knobs, limit: Bytes) -> Result<Knobs, String> {
    match knobs.memory_limit {
        Limit::Off | Limit::OfPeak(_) => Err("this variant runs under no limit that could be raised".to_owned()),
        Limit::At(before) if before >= limit => {
            Err(format!("the limit of {before} is that much already: {limit} is one and a half times the peak"))
        }
        Limit::At(_) => Ok(Knobs { memory_limit: Limit::At(limit), ..knobs.clone() }),
    }
}
