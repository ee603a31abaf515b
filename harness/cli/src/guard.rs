//! What keeps a run from leaving anything behind: its register, and a watchdog that outlives the harness.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};

use soak_engine::residue::{Register, Registered, left_by};

use crate::commands::Failure;

/// What the watchdog prints once it stands apart.
pub(crate) const READY: &str = "watching";

/// The register of a run, watched over until it is closed.
pub(crate) struct Guard {
    register: Register,
    watchdog: Child,
    /// Held open as long as the harness lives; its end is what the watchdog waits for.
    life: Option<ChildStdin>,
}

impl Guard {
    /// Opens the register and starts the watchdog.
    pub(crate) fn start(run: &str) -> Result<Self, Failure> {
        let cannot = |what: &str, error: std::io::Error| {
            Failure::platform(format!(
                "cannot {what}: {error}; SOAK_STATE_DIR names another folder for the run's register"
            ))
        };
        let register = Register::open(run).map_err(|error| cannot("open the run's register", error))?;
        let program = std::env::current_exe().map_err(|error| cannot("find this program", error))?;
        let started = Command::new(program)
            .arg("watchdog")
            .arg(register.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut watchdog = started.map_err(|error| cannot("start the watchdog", error))?;
        let life = watchdog.stdin.take();
        // It answers at once or ends, and then the line is empty.
        let mut line = String::new();
        if let Some(said) = watchdog.stdout.take() {
            BufReader::new(said).read_line(&mut line).map_err(|error| cannot("hear from the watchdog", error))?;
        }
        if line.trim() != READY {
            let _ = watchdog.wait();
            register.close();
            return Err(Failure::platform(
                "the watchdog ended as soon as it was started: nothing would clean up after a crash",
            ));
        }
        Ok(Self { register, watchdog, life })
    }

    /// Where the run writes down what it makes.
    pub(crate) fn register(&self) -> Register {
        self.register.clone()
    }

    /// The run is over. What it could not remove is left to the watchdog, which this waits for.
    pub(crate) async fn close(mut self) {
        let run = Registered::read(self.register.path());
        let left = match &run {
            Some(run) => left_by(run).await,
            None => Vec::new(),
        };
        if left.is_empty() {
            // Without a register the watchdog has nothing to look for.
            self.register.close();
        }
        drop(self.life.take());
        let _ = self.watchdog.wait();
    }
}
