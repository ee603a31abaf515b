//! A model of the kernel in which the harness can crash at any step: whatever it had begun, healing from the register alone puts all of it back.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use super::*;

/// Settings, stopped processes, and the register; after so many steps the harness is dead and nothing it does has an effect.
#[derive(Debug, Clone, PartialEq, Default)]
struct Model {
    files: BTreeMap<PathBuf, String>,
    stopped: BTreeMap<u32, bool>,
    register: Vec<Residue>,
    steps_left: Option<u32>,
}

struct Simulated(Mutex<Model>);

const CRASHED: &str = "the harness is dead";

impl Simulated {
    fn model(&self) -> std::sync::MutexGuard<'_, Model> {
        self.0.lock().unwrap()
    }

    /// A step that changes something: before it, and between it and the next, the harness may die.
    fn step(&self, change: impl FnOnce(&mut Model)) -> Result<(), String> {
        let mut model = self.model();
        match &mut model.steps_left {
            Some(0) => return Err(CRASHED.to_owned()),
            Some(left) => *left -= 1,
            None => {}
        }
        change(&mut model);
        Ok(())
    }
}

impl World for Simulated {
    fn read(&self, path: &Path) -> Result<String, String> {
        self.model().files.get(path).cloned().ok_or_else(|| "no such file".to_owned())
    }

    fn write(&self, path: &Path, value: &str) -> Result<(), String> {
        self.step(|model| {
            model.files.insert(path.to_owned(), value.to_owned());
        })
    }

    fn stop(&self, pid: u32, _started_ticks: u64, stop: bool) -> Result<(), String> {
        self.step(|model| {
            model.stopped.insert(pid, stop);
        })
    }

    fn note(&self, residue: &Residue) -> Result<(), String> {
        self.step(|model| model.register.push(residue.clone()))
    }
}

fn fresh() -> Model {
    let files = (0..4).map(|n| (PathBuf::from(format!("limit-{n}")), (1000 * (n + 1)).to_string())).collect();
    Model { files, stopped: (0..3).map(|pid| (pid, false)).collect(), ..Model::default() }
}

/// What `soak heal` does: every change of the register, the newest first.
fn heal(world: &Simulated) {
    let register = world.model().register.clone();
    world.model().steps_left = None;
    for residue in register.iter().rev() {
        take_back(world, residue).unwrap();
    }
}

/// A schedule of faults, several at once, begun and healed in an order drawn from the seed.
fn conduct(world: &Arc<Simulated>, seed: u64) {
    let mut random = Pcg64::seed_from_u64(seed);
    let mut on: Vec<Changes> = Vec::new();
    for _ in 0..random.random_range(1..8) {
        if !on.is_empty() && random.random_bool(0.4) {
            let _ = on.swap_remove(random.random_range(0..on.len())).heal();
            continue;
        }
        let mut changes = Changes::new(Arc::clone(world) as Arc<dyn World>);
        // Two faults never lay hold of one thing at once: that is refused when the scenario is checked.
        let free: Vec<usize> = (0..4).filter(|n| !on.iter().any(|other| lays_hold(other, *n))).collect();
        if free.is_empty() {
            continue;
        }
        let n = free[random.random_range(0..free.len())];
        let done = if n == 3 {
            (0..3).try_for_each(|pid| changes.stop(pid, 1))
        } else {
            let value = random.random_range(1..900).to_string();
            changes.set(Path::new(&format!("limit-{n}")), &value)
        };
        if done.is_ok() {
            on.push(changes);
        }
    }
    // Dropped here in order: also a way out.
}

fn lays_hold(changes: &Changes, n: usize) -> bool {
    changes.undo.iter().any(|undo| match undo {
        Residue::Setting { path, .. } => path.as_os_str() == format!("limit-{n}").as_str(),
        _ => n == 3,
    })
}

fn is_as_before(world: &Simulated) -> bool {
    let model = world.model();
    model.files == fresh().files && model.stopped == fresh().stopped
}

#[test]
fn a_schedule_that_ends_well_leaves_nothing() {
    for seed in 0..1000 {
        let world = Arc::new(Simulated(Mutex::new(fresh())));
        conduct(&world, seed);
        assert!(is_as_before(&world), "seed {seed}: {:?}", world.model());
    }
}

#[test]
fn a_crash_at_any_step_of_any_schedule_is_healed_from_the_register() {
    let mut crashes = 0;
    for seed in 0..1000 {
        for steps in 0.. {
            let world = Arc::new(Simulated(Mutex::new(Model { steps_left: Some(steps), ..fresh() })));
            conduct(&world, seed);
            let survived = world.model().steps_left.is_some_and(|left| left > 0);
            crashes += u32::from(!survived);
            heal(&world);
            assert!(is_as_before(&world), "seed {seed}, crash after step {steps}: {:?}", world.model());
            if survived {
                break;
            }
        }
    }
    assert!(crashes > 5_000, "only {crashes} crashes: the schedules do nothing");
}

#[test]
fn a_change_that_is_not_written_down_first_is_found_out() {
    // The order is what the two tests above rest on: with the note after the change, a crash between them is not healed.
    let world = Arc::new(Simulated(Mutex::new(Model { steps_left: Some(1), ..fresh() })));
    world.write(Path::new("limit-0"), "1").unwrap();
    assert!(world.note(&Residue::Setting { path: "limit-0".into(), value: "1000".to_owned() }).is_err());
    heal(&world);
    assert!(!is_as_before(&world));
}
