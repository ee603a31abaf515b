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

    fn write(&self, path: &Path, _of: Option<Process>, value: &str) -> Result<(), String> {
        self.step(|model| {
            model.files.insert(path.to_owned(), value.to_owned());
        })
    }

    fn is_alive(&self, process: Process) -> bool {
        self.model().stopped.contains_key(&process.pid)
    }

    fn is_stopped(&self, process: Process) -> bool {
        self.model().stopped.get(&process.pid) == Some(&true)
    }

    fn stop(&self, pid: u32, _started_ticks: u64, stop: bool) -> Result<(), String> {
        self.step(|model| {
            model.stopped.insert(pid, stop);
        })
    }

    fn note(&self, residue: &Residue) -> Result<(), String> {
        self.step(|model| model.register.push(residue.clone()))
    }

    fn strike(&self, residue: &Residue) {
        let _ = self.step(|model| model.register.retain(|noted| noted != residue));
    }
}

fn fresh() -> Model {
    let files = (0..4).map(|n| (PathBuf::from(format!("limit-{n}")), (1000 * (n + 1)).to_string())).collect();
    Model { files, stopped: (0..3).map(|pid| (pid, false)).collect(), ..Model::default() }
}

/// What `soak heal` does: every change of the register, the newest first. Nothing is left to do then.
fn heal(world: &Simulated) {
    let register = world.model().register.clone();
    world.model().steps_left = None;
    for residue in still_changed(world, &register) {
        take_back(world, &residue).unwrap();
    }
    assert_eq!(still_changed(world, &register), [], "it is never done: {register:?}");
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
        assert_eq!(world.model().register, [], "seed {seed}: what was healed is not struck off");
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
    world.write(Path::new("limit-0"), None, "1").unwrap();
    assert!(world.note(&setting("limit-0", "1000", Some("1"))).is_err());
    heal(&world);
    assert!(!is_as_before(&world));
}

fn setting(path: &str, value: &str, wrote: Option<&str>) -> Residue {
    Residue::Setting { path: path.into(), value: value.to_owned(), wrote: wrote.map(str::to_owned), of: None }
}

fn world_with(path: &str, value: &str) -> Simulated {
    Simulated(Mutex::new(Model { files: [(path.into(), value.to_owned())].into(), ..fresh() }))
}

fn held(world: &Simulated, path: &str) -> String {
    world.read(Path::new(path)).unwrap()
}

#[test]
fn what_somebody_else_has_set_since_stays() {
    let mut world = world_with("cpu.max", "70000 100000");
    world.model().register = vec![setting("cpu.max", "max 100000", Some("20000 100000"))];
    heal(&world);
    assert_eq!(held(&world, "cpu.max"), "70000 100000");
    // In a register from before there is only what it held.
    world = world_with("cpu.max", "70000 100000");
    world.model().register = vec![setting("cpu.max", "max 100000", None)];
    heal(&world);
    assert_eq!(held(&world, "cpu.max"), "max 100000");
}

#[test]
fn the_kernel_rounds_limits_of_memory_and_nothing_else() {
    let memory = Path::new("/g/memory.max");
    assert!(is_about(memory, "1000000", "999424") && is_about(memory, "max", "max"));
    assert!(!is_about(memory, "1000000", "500000") && !is_about(memory, "1000000", "max"));
    assert!(!is_about(Path::new("/g/cpu.cfs_quota_us"), "20000", "20001"));
    assert!(!is_about(Path::new("/proc/7/oom_score_adj"), "1000", "0"));
}

#[test]
fn several_changes_of_one_file_end_in_what_it_held_first() {
    for wrote in [true, false] {
        let wrote = |value: &'static str| wrote.then_some(value);
        let world = world_with("limit", "25");
        world.model().register = vec![setting("limit", "100", wrote("50")), setting("limit", "50", wrote("25"))];
        heal(&world);
        assert_eq!(held(&world, "limit"), "100");
    }
    // The first was taken back and could not be struck off.
    let world = world_with("limit", "25");
    world.model().register = vec![setting("limit", "100", Some("50")), setting("limit", "100", Some("25"))];
    heal(&world);
    assert_eq!(held(&world, "limit"), "100");
}

#[test]
fn a_process_that_has_the_number_of_one_that_is_gone_is_left_alone() {
    let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let path = PathBuf::from(format!("/proc/{}/oom_score_adj", child.id()));
    let kernel = Kernel(None);
    let before = kernel.read(&path).unwrap();
    kernel.write(&path, None, "1000").unwrap();
    let process = Process::of(child.id()).unwrap();
    let of = |process| Residue::Setting {
        path: path.clone(),
        value: before.clone(),
        wrote: Some("1000".to_owned()),
        of: Some(process),
    };
    let gone = of(Process { started_ticks: process.started_ticks + 1, ..process });
    let still = (still_changed(&kernel, std::slice::from_ref(&gone)), kernel.read(&path));
    kernel.write(&path, Some(Process { started_ticks: 0, ..process }), "999").unwrap();
    take_back(&kernel, &gone).unwrap();
    let left = kernel.read(&path);
    let itself = still_changed(&kernel, &[of(process)]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(still, (Vec::new(), Ok("1000".to_owned())));
    assert_eq!(left, Ok("1000".to_owned()));
    assert_eq!(itself, [of(process)]);
    assert_eq!(still_changed(&kernel, &itself), [], "it has ended");
}
