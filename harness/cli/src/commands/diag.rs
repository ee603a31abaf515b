//! `soak diag`: one archive with what somebody who escalates has to know, of a target that runs, of a run that is over, or of a profile in a file.

mod archive;
mod earlier;
mod of_file;
mod of_run;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::json;
use soak_diagnosis::{Artefacts, Case, Diagnosis, File, Missing, Subject, diagnose, diagnose_profile};
use soak_engine::Sides;
use soak_engine::diagnosis::{Deployment, Patient, Wishes, collect, reach};
use soak_engine::target::CallError;
use soak_scenario::units::Span;
use soak_scenario::{Profile, load_profile};

use super::{Exit, Failure, Format};
use crate::{output, run_id};

/// Collect what somebody who escalates has to know, as one archive with an index page: of a target that runs, of a run, or of a profile
///
/// Whatever cannot be had says why and what to do, and the rest goes on. Secrets are removed. Nothing is changed in the target.
#[derive(Debug, Args)]
pub(crate) struct Diag {
    /// The folder of a run, to make the archive out of what it kept; or a file with a heap, processor or goroutine profile
    #[arg(required_unless_present = "profile", conflicts_with_all = ["profile", "http", "pid", "container", "log", "configs", "repo", "deployment", "namespace", "dump_heap"])]
    #[arg(value_name = "RUN|FILE")]
    what: Option<PathBuf>,
    /// How the target is read: a built-in profile's name, or a file
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// The target's metrics and admin side, of this machine [default: the profile's port on 127.0.0.1]
    #[arg(long, value_name = "ADDR", value_parser = parse_own)]
    http: Option<SocketAddr>,
    /// The target's metrics page, where it has an address of its own [default: the profile's port, else as --http]
    #[arg(long, value_name = "ADDR", value_parser = parse_own)]
    metrics: Option<SocketAddr>,
    /// The target's profiles and dumps (pprof), where they have an address of their own [default: the profile's port, else as --http]
    #[arg(long, value_name = "ADDR", value_parser = parse_own)]
    pprof: Option<SocketAddr>,
    /// The target's process
    #[arg(long, value_name = "N", conflicts_with = "container", value_parser = clap::value_parser!(u32).range(1..=4_194_304))]
    pid: Option<u32>,
    /// The target's container, by name or id
    #[arg(long, value_name = "NAME")]
    container: Option<String>,
    /// How long the processor is profiled
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// What to compare with: an earlier archive, a run's folder, or a file with a profile
    #[arg(long, value_name = "ARCHIVE|RUN|FILE")]
    baseline: Option<PathBuf>,
    /// The folder of the last good run, whose settings and log are compared
    #[arg(long, value_name = "RUN")]
    since: Option<PathBuf>,
    /// The target's log file
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// A configuration file, compared with FILE.bak or the baseline's; may be repeated
    #[arg(long = "config", value_name = "FILE")]
    configs: Vec<PathBuf>,
    /// A clone of what is deployed: its last ten commits are told
    #[arg(long, value_name = "FOLDER")]
    repo: Option<PathBuf>,
    /// The deployment in Kubernetes; kubectl is asked, in its current context, only with this or --namespace
    #[arg(long, value_name = "NAME")]
    deployment: Option<String>,
    /// The deployment's namespace
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// Send the signal at which the target dumps its heap, where its profile names one
    #[arg(long)]
    dump_heap: bool,
    /// How long any one answer may take
    #[arg(long, default_value = "20s", value_parser = parse_deadline)]
    deadline: Span,
    /// The archive, which must not be there yet [default: diag-ID.tar.gz]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// For whom the result is written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// A profile in a file does not say whose it is, and its functions are read the same for each.
const PROFILE_OF_FILES: &str = "go";

/// A target's profile, the diagnosis's title, what was collected, and whether the target could be asked.
type Examined = (Profile, String, Vec<Subject>, Result<(), CallError>);

/// The only subject there is.
fn subject(now: Artefacts, baseline: Option<earlier::Earlier>) -> Subject {
    let (before, before_is) = baseline.map(|one| (one.artefacts, one.name)).unzip();
    Subject { name: String::new(), now, before, before_is: before_is.unwrap_or_default() }
}

fn parse_own(text: &str) -> Result<SocketAddr, String> {
    let addr: SocketAddr = text.parse().map_err(|_| "expected an address such as 127.0.0.1:9090".to_owned())?;
    if addr.ip().is_loopback() {
        return Ok(addr);
    }
    Err(format!("{addr} is not of this machine: forward a port of 127.0.0.1 to it (`kubectl port-forward`, `ssh -L`)"))
}

fn parse_deadline(text: &str) -> Result<Span, String> {
    let span: Span = text.parse().map_err(|error| format!("{error}"))?;
    if span.0.is_zero() { Err("expected a time above 0".to_owned()) } else { Ok(span) }
}

impl Diag {
    pub(crate) fn execute(self) -> Result<Exit, Failure> {
        let id = run_id::fresh("diag");
        let out = self.out.clone().unwrap_or_else(|| PathBuf::from(format!("{id}.tar.gz")));
        // Before half a minute is spent on something that cannot be kept.
        archive::refuse_what_is_there(&out)?;
        let good = self.since.as_deref().map(of_run::good).transpose()?;
        let baseline = self.baseline.as_deref().map(earlier::read).transpose()?;
        let of_file = self.what.as_deref().filter(|what| what.is_file());
        let mut unreached = None;
        let (profile, title, subjects) = match (of_file, &self.what) {
            (Some(file), _) => Self::read(file, baseline)?,
            (None, Some(run)) => of_run::subjects(run, baseline.as_ref())?,
            (None, None) => {
                let (profile, title, subjects, reached) = self.examine(baseline)?;
                unreached = reached.err();
                (profile, title, subjects)
            }
        };
        let made_unix_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let case =
            Case { id: &id, title: &title, made_unix_s, profile: &profile, subjects: &subjects, good: good.as_ref() };
        let diagnosis = if of_file.is_some() { diagnose_profile(&case) } else { diagnose(&case) };
        let diagnosis = archive::write(&out, diagnosis, &subjects)?;
        self.tell(&out, &diagnosis)?;
        match unreached {
            None => Ok(Exit::Pass),
            // The archive is kept all the same: it has what could be read of the process and the machine.
            Some(error) => Err(Failure::platform(format!(
                "the target does not answer as the profile `{}` describes: {error}; check --http, --metrics, --pprof and --profile",
                profile.name
            ))),
        }
    }

    /// Reads a profile that was written to a file.
    fn read(file: &Path, baseline: Option<earlier::Earlier>) -> Result<(Profile, String, Vec<Subject>), Failure> {
        let now = of_file::profile(file)?;
        if let Some(earlier) = baseline.as_ref().filter(|earlier| !of_file::same_kind(&now, &earlier.artefacts)) {
            let [now, before] = [&now, &earlier.artefacts].map(of_file::kind);
            return Err(Failure::usage(format!(
                "--baseline {}: it tells of {before}, and {} of {now}; name a baseline of the same kind",
                earlier.name,
                file.display()
            )));
        }
        let title = format!("Diagnosis of the profile {}", file.display());
        Ok((load_profile(PROFILE_OF_FILES)?, title, vec![subject(now, baseline)]))
    }

    /// Asks a target that runs, and says whether it could be.
    fn examine(&self, baseline: Option<earlier::Earlier>) -> Result<Examined, Failure> {
        let profile = load_profile(self.profile.as_deref().unwrap_or_default())?;
        let ports = profile.container.as_ref().map(|container| container.ports).unwrap_or_default();
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let http = self.http.unwrap_or_else(|| local(ports.http));
        let own = |given: Option<SocketAddr>, port: Option<u16>| given.or(port.map(local)).unwrap_or(http);
        let (metrics, pprof) = (own(self.metrics, ports.metrics), own(self.pprof, ports.profile));
        let sides = Sides::of(&profile, [http, metrics, pprof]).map_err(Failure::usage)?;
        let patient = Patient { profile: profile.clone(), sides, pid: self.pid, container: self.container.clone() };
        let wishes = Wishes {
            seconds: self.seconds,
            call: self.deadline.0,
            log: self.log.clone(),
            configs: self.configs.clone(),
            deployment: (self.deployment.is_some() || self.namespace.is_some())
                .then(|| Deployment { namespace: self.namespace.clone(), name: self.deployment.clone() }),
            repository: self.repo.clone(),
            dump_heap: self.dump_heap,
        };
        if profile.endpoints.cpu_profile.is_some() {
            output::say(&format!("asking {http}; its processor is profiled for {} s\n", self.seconds));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::platform)?;
        let reached = runtime.block_on(reach(&patient, wishes.call));
        let now = runtime.block_on(collect(&patient, &wishes));
        // A read of the kernel's that hangs must not keep the archive.
        runtime.shutdown_background();
        Ok((profile, format!("Diagnosis of the target at {http}"), vec![subject(now, baseline)], reached))
    }

    fn tell(&self, out: &Path, diagnosis: &Diagnosis) -> Result<(), Failure> {
        if self.format == Format::Json {
            let document = json!({ "archive": out, "diagnosis": diagnosis });
            return output::print_json(serde_json::to_string_pretty(&document));
        }
        let mut text = String::new();
        for told in &diagnosis.summary {
            let _ = writeln!(text, "{told}");
        }
        for (missing, paths) in lacking(diagnosis) {
            let _ = writeln!(text, "  no {}: {}\n    → {}", paths.join(", "), missing.why, missing.next);
        }
        output::print(&format!("{text}Archive: {} (open index.html in it)\n", out.display()))
    }
}

/// What could not be had, and the files that would have held it; what is compared with has its own archive.
fn lacking(diagnosis: &Diagnosis) -> Vec<(&Missing, Vec<&str>)> {
    let mut all: Vec<(&Missing, Vec<&str>)> = Vec::new();
    let of_before = |file: &&File| file.path.split('/').any(|part| part == archive::BEFORE);
    for file in diagnosis.files.iter().filter(|file| !of_before(file)) {
        let Some(missing) = &file.missing else { continue };
        match all.iter_mut().find(|(other, _)| *other == missing) {
            Some((_, paths)) => paths.push(&file.path),
            None => all.push((missing, vec![&file.path])),
        }
    }
    all
}
