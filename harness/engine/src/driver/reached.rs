//! A target as the run loop has it, whatever started it: load, control and probe by its access, faults by its levers, and its end by its driver.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use soak_record::EventKind;
use soak_scenario::Injection;

use super::access::Access;
use super::control::HttpControl;
use super::logs::Log;
use super::probe::TargetProbe;
use crate::fault::{self, Guard, Levers};
use crate::target::{Client, Control, Ending, Probe, Reading, Target};

/// What drivers differ in, beside the levers that they give to faults.
#[async_trait]
pub(super) trait Driven: Levers + 'static {
    /// How it is reached.
    fn access(&self) -> &Access;
    /// What it printed, where its output is followed.
    fn log(&self) -> Option<&Log> {
        None
    }
    /// Waits until it has ended without being asked to.
    async fn ended(&self) -> Ending;
    /// Ends it, and waits until nothing of it is left.
    async fn stop(&self);
}

/// A target with all that faults hold of it.
pub(super) struct Reached<T>(pub(super) Arc<T>);

#[async_trait]
impl<T: Driven> Target for Reached<T> {
    fn pid(&self) -> u32 {
        self.0.main_pid().unwrap_or(0)
    }

    fn build(&self) -> Option<String> {
        self.0.reach().build.clone()
    }

    fn client(&self) -> Arc<dyn Client> {
        self.0.access().client()
    }

    fn addr(&self) -> Option<SocketAddr> {
        Some(self.0.access().loaded())
    }

    fn control(&self) -> Arc<dyn Control> {
        Arc::<HttpControl>::clone(&self.0.access().control)
    }

    fn probe(&self) -> Arc<dyn Probe> {
        Arc::<TargetProbe>::clone(&self.0.access().probe)
    }

    async fn inject(&self, injection: &Injection) -> Result<Box<dyn Guard>, String> {
        let levers: Arc<dyn Levers> = Arc::<T>::clone(&self.0);
        fault::inject(&levers, injection).await
    }

    async fn condition(&self) -> Vec<Reading> {
        fault::condition(self.0.as_ref())
    }

    fn load_is_held(&self) -> bool {
        self.0.reach().load_is_held()
    }

    fn log(&self) -> Option<EventKind> {
        self.0.log().map(Log::told)
    }

    fn last_lines(&self) -> Vec<String> {
        self.0.log().map(Log::last_lines).unwrap_or_default()
    }

    async fn keep_dumps(&self, phase: &str) {
        self.0.access().keep_dumps(&self.0.reach().scratch, self.0.main_pid(), phase).await;
    }

    async fn ended(&self) -> Ending {
        self.0.ended().await
    }

    async fn stop(&self) {
        self.0.stop().await;
    }
}
