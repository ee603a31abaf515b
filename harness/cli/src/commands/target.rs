//! `soak target`: the embedded vector store in the foreground.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use soak_reference::{Config, Server, parse_misbehave};

use super::{Exit, Failure};

/// Threads for puts, searches and compactions: enough for any machine, and few enough that each has an arena of the allocator to itself.
const BLOCKING_THREADS_MAX: usize = 24;

/// Serve the embedded vector store until interrupted.
///
/// GOGC, GOMEMLIMIT, `LONGBOW_HNSW_M`, `LONGBOW_HNSW_EF_CONSTRUCTION`, `LONGBOW_COMPACTION_INTERVAL`, `LONGBOW_COMPACTION_ENABLED`, `LONGBOW_COMPACTION_THRESHOLD` and `LONGBOW_DATA_PATH` are read
/// from the environment.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// Data plane (Flight): puts and gets
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3000")]
    data_addr: SocketAddr,
    /// Meta plane (Flight): actions
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3001")]
    meta_addr: SocketAddr,
    /// HTTP: /metrics, /debug/pprof, /admin
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9090")]
    http_addr: SocketAddr,
    /// Keep what is acknowledged in logs in this folder, and begin with what they hold; or `LONGBOW_DATA_PATH`
    #[arg(long, value_name = "DIR")]
    data_path: Option<PathBuf>,
    /// A fault to have, such as `heap_leak=2MiB/min`, `task_leak=30/min`, `compaction=noop`; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    misbehave: Vec<String>,
    /// End when standard input ends: the harness's own children do, so that none outlives it
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
}

impl Target {
    pub(crate) fn execute(self) -> Result<Exit, Failure> {
        soak_reference::prepare();
        let misbehave = parse_misbehave(&self.misbehave).map_err(Failure::usage)?;
        let addrs = [self.data_addr, self.meta_addr, self.http_addr];
        let mut config = Config::from_env(addrs, |name| std::env::var(name).ok(), misbehave).map_err(Failure::usage)?;
        config.data_path = self.data_path.or(config.data_path);
        if self.until_stdin_closes {
            std::thread::spawn(|| {
                let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
                std::process::exit(0);
            });
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .max_blocking_threads(BLOCKING_THREADS_MAX)
            .enable_all()
            .build()
            .map_err(Failure::platform)?;
        runtime.block_on(async {
            let server = Server::start(config).await.map_err(Failure::platform)?;
            let announced = writeln!(
                std::io::stdout(),
                "data plane grpc://{}\nmeta plane grpc://{}\nHTTP       http://{}",
                server.data_addr,
                server.meta_addr,
                server.http_addr
            );
            // Nobody reads it: then nobody needs it.
            drop(announced);
            terminated().await.map_err(Failure::platform)?;
            drop(server);
            Ok(Exit::Pass)
        })
    }
}

/// Until Ctrl-C or SIGTERM.
async fn terminated() -> std::io::Result<()> {
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = term.recv() => Ok(()),
    }
}
