//! `soak load`: the load generator alone, against any Flight server, or one that speaks HTTP as a profile says.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use serde_json::json;
use soak_engine::load::{IngestJob, Ingested, OperationLog, ingest};
use soak_engine::target::{Batch, Calls, Client, LoggedClient};
use soak_engine::{
    DataSpec, FlightClient, HttpAccess, HttpClient, IndexSpec, Planes, Side, own_cpu_seconds, own_rss_bytes,
};
use soak_record::{ErrorReason, LatencySummary};
use soak_scenario::units::{Rate, Span};
use soak_scenario::{Distribution, IdType, MESSAGE_BYTES_MAX, Protocol, Schedule, load_profile};
use soak_verdict::{human, stats};
use soak_workload::Starts;

use super::{Exit, Failure, Format};
use crate::output;

/// How often the harness looks at its own memory, and how many readings it keeps. What is in flight moves its memory by half a MiB from
/// one reading to the next: it takes thousands of them to tell a slope of 1 MiB a minute within half a minute.
const READ_EVERY: Duration = Duration::from_millis(10);
const READINGS_MAX: usize = 18_000;
/// The slope is over all pairs, so over the means of this many stretches.
const STRETCHES: usize = 300;

/// Put generated vectors into a Flight server, or into one that speaks HTTP as a profile says, and report what became of them
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// The server's data plane, or its HTTP address with --profile
    #[arg(long, value_name = "grpc://HOST:PORT")]
    target: String,
    /// Profile of a server that speaks HTTP: a built-in one's name, or a file. The collection that it creates is dropped at the end
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// Links of a node in the index, where the profile's collection takes them
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(2..=512))]
    hnsw_m: u32,
    /// Candidates that the index looks at for one insertion, where the profile's collection takes them
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=4096))]
    ef_construction: u32,
    /// Components of a vector
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    dim: u32,
    /// Rows of one message
    #[arg(long, default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    batch_rows: u32,
    /// Batches a second, such as `20/s`, or `all`: as fast as the server takes them
    #[arg(long, default_value = "all", value_parser = parse_rate)]
    rate: Schedule,
    /// How long batches are started, such as `30s`
    #[arg(long, default_value = "10s", value_parser = parse_span)]
    duration: Span,
    /// Streams at once, each on a connection of its own
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    streams: u32,
    /// Name of the dataset [default: `soak_load_` and the dimension]
    #[arg(long)]
    dataset: Option<String>,
    /// Where the vectors lie
    #[arg(long, default_value = "uniform", value_parser = parse_distribution)]
    distribution: Distribution,
    /// Type of the id column
    #[arg(long, default_value = "int64", value_parser = parse_ids)]
    ids: IdType,
    /// Seed of the vectors
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A server that neither takes nor answers anything for this long is given up
    #[arg(long, default_value = "20s", value_parser = parse_span)]
    deadline: Span,
    /// Allow an address that is not this machine's own
    #[arg(long)]
    allow_remote: bool,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

fn parse_rate(text: &str) -> Result<Schedule, String> {
    if text == "all" {
        return Ok(Schedule::All);
    }
    let rate: Rate = text.parse().map_err(|error| format!("{error}, or `all`"))?;
    if rate.a_second() > 0.0 {
        Ok(Schedule::Constant(rate))
    } else {
        Err("expected a rate above 0, or `all`".to_owned())
    }
}

fn parse_span(text: &str) -> Result<Span, String> {
    let span: Span = text.parse().map_err(|error| format!("{error}"))?;
    if span.0.is_zero() { Err("expected a time above 0".to_owned()) } else { Ok(span) }
}

fn parse_distribution(text: &str) -> Result<Distribution, String> {
    let found = Distribution::ALL.into_iter().find(|distribution| distribution.name() == text);
    found.ok_or_else(|| format!("expected one of {}", Distribution::ALL.map(Distribution::name).join(", ")))
}

fn parse_ids(text: &str) -> Result<IdType, String> {
    let found = IdType::ALL.into_iter().find(|ids| ids.name() == text);
    found.ok_or_else(|| format!("expected one of {}", IdType::ALL.map(IdType::name).join(", ")))
}

impl Load {
    pub(crate) fn execute(self) -> Result<Exit, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::platform)?;
        runtime.block_on(async {
            self.check_message()?;
            let addr = self.address().await?;
            let stopped = Arc::new(AtomicBool::new(false));
            tokio::spawn(stop_at_interrupt(Arc::clone(&stopped)));
            let readings = Arc::new(Mutex::new(Vec::new()));
            let reader = tokio::spawn(read_own(Arc::clone(&readings)));
            let log = Arc::new(OperationLog::telling(Box::new(|operation, error| {
                output::say(&format!("{} failed: {error}\n", operation.name()));
            })));
            let calls = Calls::within(&log, self.deadline.0);
            let client: Arc<dyn Client> = Arc::new(LoggedClient::new(self.client(addr)?, calls));
            let cpu_before = own_cpu_seconds();
            let account = ingest(Arc::clone(&client), self.job(stopped)).await;
            let cpu_seconds = own_cpu_seconds().zip(cpu_before).map(|(after, before)| after - before);
            reader.abort();
            if self.profile.is_some() {
                // A store of things has no collection, and what was refused was never created.
                let _ = tokio::time::timeout(self.deadline.0, client.drop_dataset()).await;
            }
            let readings = readings.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let errors = log.take_errors(account.seconds);
            let errors: Vec<ErrorReason> = errors.into_iter().flat_map(|(_, reasons, _)| reasons).collect();
            self.tell(&account, &errors, (&readings, cpu_seconds))?;
            let summary = account.latencies.summary();
            if account.acked_rows == 0
                && let Some(why) = log.unreachable()
            {
                // What was measured is told above.
                return Err(Failure::platform(format!("{why}; check --target and --profile")));
            }
            let failed = account.acked_rows == 0 || account.gave_up || summary.errors > 0;
            Ok(if failed { Exit::Fail } else { Exit::Pass })
        })
    }

    /// A batch is one message, and a message has a size that it cannot pass.
    fn check_message(&self) -> Result<(), Failure> {
        let bytes = u64::from(self.dim) * u64::from(self.batch_rows) * 4;
        if bytes <= MESSAGE_BYTES_MAX {
            return Ok(());
        }
        let (bytes, most) = (human::bytes(bytes as f64), human::bytes(MESSAGE_BYTES_MAX as f64));
        Err(Failure::usage(format!(
            "--batch-rows {}: a batch at dimension {} is {bytes}, more than the {most} of one message; send fewer rows at once",
            self.batch_rows, self.dim
        )))
    }

    /// The address, which must be this machine's own unless remote ones are allowed.
    async fn address(&self) -> Result<SocketAddr, Failure> {
        let wrong = |problem: &str| {
            let expected = if self.profile.is_some() {
                "http://HOST:PORT, such as http://127.0.0.1:8080"
            } else {
                "grpc://HOST:PORT, such as grpc://127.0.0.1:3000; a server that speaks HTTP needs --profile"
            };
            Failure::usage(format!("--target {}: {problem}; expected {expected}", self.target))
        };
        let schemes: &[&str] =
            if self.profile.is_some() { &["http://", "https://"] } else { &["grpc://", "grpc+tcp://"] };
        let host = schemes.iter().find_map(|scheme| self.target.strip_prefix(scheme));
        let host = host.ok_or_else(|| wrong("not an address of this kind"))?.trim_end_matches('/').to_owned();
        let found = tokio::net::lookup_host(&host).await.map_err(|error| wrong(&error.to_string()))?.next();
        let addr = found.ok_or_else(|| wrong("no such host"))?;
        if !addr.ip().is_loopback() && !self.allow_remote {
            return Err(Failure::usage(format!(
                "--target {}: {} is not a loopback address; a load that a machine does not expect may harm it: add --allow-remote if it is yours",
                self.target,
                addr.ip()
            )));
        }
        Ok(addr)
    }

    fn client(&self, addr: SocketAddr) -> Result<Arc<dyn Client>, Failure> {
        let spec = DataSpec {
            dataset: self.dataset.clone().unwrap_or_else(|| format!("soak_load_{}", self.dim)),
            distribution: self.distribution,
            dim: self.dim,
            seed: self.seed,
            ids: self.ids,
        };
        let Some(name) = &self.profile else {
            return Ok(Arc::new(FlightClient::new(Planes { data: addr, meta: addr }, spec, self.deadline.0)));
        };
        let profile = load_profile(name)?;
        if profile.protocol != Protocol::Http {
            let why = format!("--profile {name}: a target of this profile speaks Flight; leave --profile out");
            return Err(Failure::usage(why));
        }
        let side = Side::of(&profile, "http", addr).map_err(Failure::usage)?;
        let scheme = if side.is_https() { "https" } else { "http" };
        if !self.target.starts_with(&format!("{scheme}://")) {
            let has = if side.is_https() { "has" } else { "has no" };
            let why = format!(
                "--target {}: the profile {name} {has} [tls], so that expected is {scheme}://{addr}; change the address or the profile",
                self.target
            );
            return Err(Failure::usage(why));
        }
        let connections = self.streams.max(8);
        let deadline = self.deadline.0;
        let access = HttpAccess { side, connections, keep_alive: true, deadline, index_deadline: deadline };
        let index = IndexSpec { hnsw_m: self.hnsw_m, ef_construction: self.ef_construction };
        Ok(Arc::new(HttpClient::new(access, &profile.requests, spec, index)))
    }

    fn job(&self, stopped: Arc<AtomicBool>) -> IngestJob {
        let rows = self.batch_rows;
        let batches = (0..).take_while(move |_| !stopped.load(Ordering::Relaxed));
        IngestJob {
            batches: Box::new(batches.map(move |n: u64| Batch { first: n * u64::from(rows), rows, version: 0 })),
            starts: (self.rate != Schedule::All).then(|| Starts::new(self.rate, self.duration.0)),
            length: Some(self.duration.0),
            streams: self.streams,
            silence_at_most: self.deadline.0,
            given_up: Box::new(|| false),
            persists: Box::new(|| false),
            tell: Box::new(|_, _| {}),
        }
    }

    fn tell(
        &self,
        account: &Ingested,
        reasons: &[ErrorReason],
        (readings, cpu_seconds): (&[(f64, f64)], Option<f64>),
    ) -> Result<(), Failure> {
        let cost = Cost::of(account, self.dim, cpu_seconds);
        let latency = account.latencies.summary();
        let per_second = account.acked_rows as f64 / account.seconds.max(1e-9);
        let rss_max = readings.iter().map(|(_, bytes)| *bytes).fold(0.0, f64::max);
        if self.format == Format::Human {
            let bytes = per_second * f64::from(self.dim) * 4.0;
            let silence = match account.longest_silence.as_secs_f64() {
                _ if account.acked_rows == 0 => "the server acknowledged nothing".to_owned(),
                seconds => format!("longest wait for an answer {}", human::seconds(seconds)),
            };
            let mut text = format!(
                "{} vectors acknowledged in {} ({} vectors/s, {}/s), {} indeterminate, {} refused\n\
                 {} errors, {} requests to slow down, {silence}\n\
                 put latency: {}; {} started late, {} never\n",
                account.acked_rows,
                human::seconds(account.seconds),
                human::number(per_second.round()),
                human::bytes(bytes),
                account.indeterminate_rows,
                account.refused_rows,
                latency.errors,
                account.back_pressure,
                put_latency(&latency),
                latency.late_starts,
                latency.never_started,
            );
            for reason in reasons {
                let _ = writeln!(text, "{} × {}", reason.count, reason.example);
            }
            let _ = writeln!(text, "resident memory of the harness: {} at most{cost}", human::bytes(rss_max));
            return output::print(&text);
        }
        let document = json!({
            "acked_vectors": account.acked_rows,
            "sent_vectors": account.rows,
            "indeterminate_vectors": account.indeterminate_rows,
            "refused_vectors": account.refused_rows,
            "seconds": account.seconds,
            "acked_vectors_per_second": per_second,
            "errors": latency.errors,
            "last_error": account.last_error,
            "error_reasons": reasons,
            "latency_measured": latency.count > 0,
            "back_pressure": account.back_pressure,
            "longest_silence_seconds": account.longest_silence.as_secs_f64(),
            "gave_up": account.gave_up,
            "latency": latency,
            "harness_cpu_seconds": cpu_seconds,
            "harness_cpu_microseconds_per_vector": cost.microseconds_per_vector,
            "payload_megabytes_per_cpu_second": cost.megabytes_per_cpu_second,
            "harness_rss_bytes_max": rss_max,
            "harness_rss_bytes_per_minute": slope_of_last_half(readings),
        });
        output::print_json(serde_json::to_string_pretty(&document))
    }
}

/// The latency of puts, where the server answers each of them.
fn put_latency(latency: &LatencySummary) -> String {
    if latency.count == 0 {
        return "not measured, because this server answers at the end of a stream and not for each batch".to_owned();
    }
    let percentiles = latency.corrected;
    format!(
        "p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms, from when a batch was due",
        percentiles.p50_ms, percentiles.p99_ms, percentiles.max_ms
    )
}

/// What the harness's own work cost, where the load was long enough to tell.
struct Cost {
    microseconds_per_vector: Option<f64>,
    megabytes_per_cpu_second: Option<f64>,
}

impl Cost {
    fn of(account: &Ingested, dim: u32, cpu_seconds: Option<f64>) -> Self {
        // The kernel counts in hundredths of a second.
        let seconds = cpu_seconds.filter(|seconds| *seconds >= 0.1 && account.rows > 0);
        let rows = account.rows as f64;
        Self {
            microseconds_per_vector: seconds.map(|seconds| seconds * 1e6 / rows),
            megabytes_per_cpu_second: seconds.map(|seconds| rows * f64::from(dim) * 4.0 / 1e6 / seconds),
        }
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some((each, rate)) = self.microseconds_per_vector.zip(self.megabytes_per_cpu_second) else { return Ok(()) };
        write!(f, ", {each:.1} µs of processor time a vector, {rate:.0} MB of vectors a processor second")
    }
}

/// At Ctrl-C no further batch is begun; what was begun is waited for and told.
async fn stop_at_interrupt(stopped: Arc<AtomicBool>) {
    while tokio::signal::ctrl_c().await.is_ok() {
        if stopped.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Interrupted as i32);
        }
        output::say("\nstopping: what was begun is waited for (once more: stop at once)\n");
    }
}

/// Reads the harness's own memory until aborted; when there are too many readings, every other one is let go.
async fn read_own(readings: Arc<Mutex<Vec<(f64, f64)>>>) {
    let began = tokio::time::Instant::now();
    let mut every = READ_EVERY;
    loop {
        if let Some(bytes) = own_rss_bytes() {
            let mut readings = readings.lock().unwrap_or_else(PoisonError::into_inner);
            readings.push((began.elapsed().as_secs_f64(), bytes));
            if readings.len() >= READINGS_MAX {
                let mut keep = false;
                readings.retain(|_| {
                    keep = !keep;
                    keep
                });
                every *= 2;
            }
        }
        tokio::time::sleep(every).await;
    }
}

/// Theil–Sen slope of the last half, bytes a minute; `None` when there are too few readings.
fn slope_of_last_half(readings: &[(f64, f64)]) -> Option<f64> {
    let half = &readings[readings.len() / 2..];
    let mean =
        |stretch: &[(f64, f64)], of: fn(&(f64, f64)) -> f64| stretch.iter().map(of).sum::<f64>() / stretch.len() as f64;
    let stretches = half.chunks(half.len().div_ceil(STRETCHES).max(1));
    let (times, bytes): (Vec<f64>, Vec<f64>) =
        stretches.map(|stretch| (mean(stretch, |r| r.0), mean(stretch, |r| r.1))).unzip();
    stats::theil_sen::theil_sen(&times, &bytes, 0.95).map(|slope| slope.slope * 60.0)
}
