//! What does not answer holds up nothing else: what stands still goes on, and the register is kept.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::register::Place;
use super::*;
use crate::sampler::proc;

/// Where no Docker is.
const NO_DOCKER: &str = "unix:///nonexistent/docker.sock";

fn run_with(residues: Vec<Residue>) -> Registered {
    let owner = Owner { run: "tests-of-residue".to_owned(), pid: 1, started_ticks: 0, place: Place::here() };
    Registered { path: "/nonexistent".into(), owner, residues }
}

/// A process that stands still. Killed when dropped.
struct Still(Child);

impl Still {
    fn start() -> Self {
        let child = Command::new("sleep").arg("60").spawn().unwrap();
        kill_process(Pid::from_raw(child.id().cast_signed()).unwrap(), Signal::STOP).unwrap();
        let still = Self(child);
        until(|| still.state() == Some('T'));
        still
    }

    fn state(&self) -> Option<char> {
        proc::state(self.0.id())
    }

    fn residue(&self) -> Residue {
        Residue::Stopped { pid: self.0.id(), started_ticks: proc::started_ticks(self.0.id()).unwrap() }
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn until(holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "it never came about");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test]
async fn what_cannot_be_looked_at_comes_after_what_can_be_put_back() {
    let still = Still::start();
    let run = run_with(vec![still.residue(), Residue::Containers(NO_DOCKER.to_owned())]);
    let left = left_by(&run).await;
    assert!(matches!(&left[..], [Left::Change(_), Left::Unclear { .. }]), "{left:?}");
    remove(&left[0]).await.unwrap();
    until(|| still.state() != Some('T'));
    let why = remove(&left[1]).await.unwrap_err();
    assert!(why.contains("cannot reach Docker"), "{why}");
    assert!(left[1].to_string().starts_with("containers, as far as there are any (cannot reach Docker"), "{}", left[1]);
    let left = left_by(&run).await;
    assert!(matches!(&left[..], [Left::Unclear { .. }]), "the register is kept: {left:?}");
}

#[tokio::test]
async fn the_watchdog_puts_back_although_nobody_answers_and_keeps_the_register() {
    let still = Still::start();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let meta = silent.local_addr().unwrap();
    let names = (0..1000).map(|number| format!("soak-fault-{number}")).collect();
    let run = run_with(vec![
        Residue::Containers(NO_DOCKER.to_owned()),
        Residue::Datasets { meta, names, of: None },
        still.residue(),
    ]);
    let began = Instant::now();
    let clean = watchdog::round(&run, began + Duration::from_secs(1), &mut Vec::new()).await;
    // A thousand datasets, each waited for to its own deadline, would take hours.
    assert!(!clean && began.elapsed() < Duration::from_secs(20), "{clean} after {:?}", began.elapsed());
    assert_ne!(still.state(), Some('T'));
    // A target that is gone has taken its datasets with it.
    drop(silent);
    let gone = run_with(vec![Residue::Datasets { meta, names: vec!["soak-fault-0".to_owned()], of: None }]);
    assert!(watchdog::round(&gone, Instant::now() + Duration::from_secs(5), &mut Vec::new()).await);
}

#[tokio::test]
async fn whoever_listens_where_a_target_was_is_asked_for_nothing() {
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = stranger.local_addr().unwrap();
    let itself = Process::of(std::process::id()).unwrap();
    let another = Process { started_ticks: itself.started_ticks + 1, ..itself };
    let leak = |of| Residue::Leak { addr, endpoint: "POST /stop".to_owned(), key: AdminKey::default(), of };
    let datasets = Residue::Datasets { meta: addr, names: vec!["soak-fault-0".to_owned()], of: Some(another) };
    assert_eq!(left_by(&run_with(vec![leak(Some(another)), datasets])).await, []);
    let left = left_by(&run_with(vec![leak(Some(itself))])).await;
    assert!(matches!(&left[..], [Left::Leak { .. }]), "{left:?}");
    remove(&Left::Leak { addr, endpoint: "POST /stop".to_owned(), key: AdminKey::default(), of: Some(another) })
        .await
        .unwrap();
    stranger.set_nonblocking(true).unwrap();
    let mut calls = 0;
    while stranger.accept().is_ok() {
        calls += 1;
    }
    assert_eq!(calls, 1, "only the target itself is looked for");
}

#[tokio::test]
async fn a_machine_that_was_started_anew_has_forgotten_every_change() {
    let path = std::env::temp_dir().join(format!("soak-forgotten-{}", std::process::id()));
    std::fs::write(&path, "50").unwrap();
    let changed =
        Residue::Setting { path: path.clone(), value: "100".to_owned(), wrote: Some("50".to_owned()), of: None };
    let mut run = run_with(vec![changed]);
    assert_eq!(left_by(&run).await.len(), 1);
    run.owner.place = Place::before();
    let left = left_by(&run).await;
    std::fs::remove_file(&path).unwrap();
    assert_eq!(left, []);
}
