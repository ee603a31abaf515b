//! One plan, run into one folder, whatever is asked of it afterwards.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use soak_engine::residue::Register;
use soak_engine::target::Driver;
use soak_engine::{
    AttachDriver, ContainerDriver, Image, ImageError, Journal, Listener, ProcessDriver, Program, RunEnd, Wishes,
};
use soak_record::{RecordError, Recorder, RunFolder};
use soak_scenario::{Attach, ContainerLaunch, Launch, Plan};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::failure::{Exit, Failure};
use crate::guard::Guard;
use crate::{live, output};

/// Keeps the harness off the processors that the plan gives to its target alone. Before any thread is started: what is started later inherits it.
pub(crate) fn keep_off_the_targets(plan: &Plan) -> Result<(), Failure> {
    match &plan.target.launch {
        Launch::Container(launch) => {
            launch.pinned_to().map_or(Ok(()), |pinned| soak_engine::keep_off(&pinned).map_err(Failure::usage))
        }
        _ => Ok(()),
    }
}

/// Refuses faults that this machine cannot do, before anything is touched.
pub(crate) fn refuse_impossible_faults(plan: &Plan) -> Result<(), Failure> {
    match impossible_faults(plan) {
        None => Ok(()),
        Some(why) => Err(Failure::usage(why)),
    }
}

/// Faults that this machine cannot do, in words; `None` where it can do all of them.
pub(crate) fn impossible_faults(plan: &Plan) -> Option<String> {
    let refused = soak_engine::fault::refusals(plan);
    let lines: Vec<String> = refused.into_iter().map(|(name, why)| format!("faults.{name}: {why}")).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Runs a plan into the folder of `path`, under this id, told to `progress`; a person's interruption ends it in good order.
pub(crate) fn execute(plan: &Plan, id: &str, path: &Path, progress: Box<dyn Listener>) -> Result<RunEnd, Failure> {
    execute_with(plan, (id, path), Wishes::only_to_stop(stop().subscribe()), || Ok(progress))
}

/// The same under the eyes of a person, who can ask for more than the end.
pub(crate) fn execute_live(plan: &Plan, (id, path): (&str, &Path)) -> Result<RunEnd, Failure> {
    let (operator, wishes) = Wishes::of_operator(stop().subscribe());
    let mut view = None;
    let end = execute_with(plan, (id, path), wishes, || {
        let (listener, live) = live::start(plan, path, operator)?;
        view = Some(live);
        Ok(listener)
    });
    // The terminal is given back before anything else is said.
    drop(view);
    end
}

/// `watch` begins to listen when everything is there that a run needs.
fn execute_with(
    plan: &Plan,
    (id, path): (&str, &Path),
    wishes: Wishes,
    watch: impl FnOnce() -> Result<Box<dyn Listener>, Failure>,
) -> Result<RunEnd, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::platform)?;
    if plan.needs_calibration() {
        return Err(Failure::usage(
            "this command takes no limit that is a share of the peak, and no [calibration]: name sizes, and run the scenario with soak run to find them",
        ));
    }
    let prepared = runtime.block_on(prepare(plan))?;
    let folder = RunFolder::create(path, plan).map_err(cannot_create)?;
    let guard = Guard::start(id)?;
    let (recorder, thread) = Recorder::start(&folder).map_err(Failure::platform)?;
    let driver = prepared.driver(plan, folder, id, guard.register());
    hear_interruptions()?;
    let listener = watch()?;
    let end = runtime.block_on(async {
        let journal = Journal::new(vec![Box::new(recorder), listener]);
        soak_engine::run(plan, id, driver.as_ref(), &journal, soak_verdict::more_cycles, wishes).await
    });
    drop(driver);
    runtime.block_on(guard.close());
    // Nothing holds the recorder any more once the runtime is gone.
    runtime.shutdown_timeout(Duration::from_secs(5));
    thread.finish().map_err(|error| {
        let kept = path.display();
        Failure::platform(format!(
            "{error}; what was recorded until then is in {kept}: free the disk, or name another place with --out"
        ))
    })?;
    Ok(end)
}

/// Whether what the plan starts is there: found, built or pulled before anything is run.
pub(crate) fn find_target(plan: &Plan) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::platform)?;
    runtime.block_on(prepare(plan)).map(drop)
}

/// Refuses a folder that holds something, of a command that makes a folder for each of its runs in it.
pub(crate) fn refuse_what_holds_something(path: &Path) -> Result<(), Failure> {
    let holds_something = std::fs::read_dir(path).is_ok_and(|mut inside| inside.next().is_some());
    let words = || format!("{} is not empty; name another folder with --out", path.display());
    if holds_something { Err(Failure::usage(words())) } else { Ok(()) }
}

/// What has to be there before a run begins.
enum Prepared {
    Program(Program),
    Image(Image, ContainerLaunch),
    Running(Attach),
}

/// Finds, builds or pulls what the driver starts.
async fn prepare(plan: &Plan) -> Result<Prepared, Failure> {
    match &plan.target.launch {
        Launch::Embedded => {
            let program = std::env::current_exe().map(Program);
            program.map(Prepared::Program).map_err(|error| {
                Failure::platform(format!("cannot find the embedded target, this program itself: {error}"))
            })
        }
        Launch::Process(path) => program(PathBuf::from(path)).map(Prepared::Program),
        Launch::Container(launch) => match Image::provide(launch).await {
            Ok(image) => Ok(Prepared::Image(image, launch.clone())),
            Err(ImageError::Docker(why)) => Err(Failure::platform(why)),
            Err(ImageError::Image(why)) => Err(Failure::usage(why)),
        },
        Launch::Attach(attach) => Ok(Prepared::Running(attach.clone())),
    }
}

fn program(path: PathBuf) -> Result<Program, Failure> {
    let shown = path.display();
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() && metadata.permissions().mode() & 0o111 == 0 => Err(Failure::usage(
            format!("process:{shown}: nobody may run it; name a program, or make it one with chmod +x"),
        )),
        Ok(metadata) if metadata.is_file() => Ok(Program(path)),
        Ok(_) => Err(Failure::usage(format!("process:{shown}: not a file; name a program"))),
        Err(error) => {
            Err(Failure::usage(format!("process:{shown}: {error}; name the path of a program on this machine")))
        }
    }
}

impl Prepared {
    fn driver(self, plan: &Plan, folder: RunFolder, run: &str, register: Register) -> Box<dyn Driver> {
        let (plan, run) = (plan.clone(), run.to_owned());
        match self {
            Self::Program(program) => Box::new(ProcessDriver::new(program, plan, folder, run, register)),
            Self::Image(image, launch) => Box::new(ContainerDriver::new(image, launch, plan, folder, run, register)),
            Self::Running(attach) => Box::new(AttachDriver::new(attach, plan, folder, run, register)),
        }
    }
}

/// A folder that the user named and that cannot be one is the command's mistake; a full disk is the machine's.
fn cannot_create(error: RecordError) -> Failure {
    match &error {
        RecordError::Io { error: io, .. } if matches!(io.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            Failure::platform(format!("{error}; free the disk, or name another place with --out"))
        }
        RecordError::Io { .. } => Failure::usage(format!("{error}; name a folder that can be written with --out")),
        _ => Failure::usage(error),
    }
}

/// A second SIGTERM means “at once” when it comes so much later than the first.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Becomes true when a person wants the command to end: one for all of its runs, so that nothing is lost between two of them.
fn stop() -> &'static watch::Sender<bool> {
    static STOP: OnceLock<watch::Sender<bool>> = OnceLock::new();
    STOP.get_or_init(|| watch::channel(false).0)
}

/// Whether a person wants the command to end.
pub(crate) fn is_interrupted() -> bool {
    *stop().borrow()
}

/// From the first run on, Ctrl-C, SIGTERM and a terminal that goes away ask for the end; before that they end the command at once.
fn hear_interruptions() -> Result<(), Failure> {
    static HEARD: OnceLock<()> = OnceLock::new();
    if HEARD.set(()).is_err() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::platform)?;
    // Before this returns the signals are caught.
    let (mut int, mut term) = {
        let _inside = runtime.enter();
        let signals = signal(SignalKind::interrupt()).and_then(|int| Ok((int, signal(SignalKind::terminate())?)));
        signals.map_err(Failure::platform)?
    };
    // What was started to outlive its terminal does.
    let mut hangup = if ignores_hangups() {
        None
    } else {
        let _inside = runtime.enter();
        Some(signal(SignalKind::hangup()).map_err(Failure::platform)?)
    };
    let thread = std::thread::Builder::new().name("interruptions".to_owned());
    let thread = thread.spawn(move || {
        runtime.block_on(async {
            let mut heard: Option<Instant> = None;
            loop {
                let is_again = tokio::select! {
                    _ = int.recv() => true,
                    // `timeout` and supervisors send it to a process, and at once again to its group.
                    _ = term.recv() => heard.is_none_or(|heard| heard.elapsed() >= AGAIN_AFTER),
                    // A terminal that goes away may say so more than once, and nobody is there who wants it faster.
                    () = hung_up(&mut hangup) => {
                        hangup = None;
                        false
                    }
                };
                if is_again || !is_interrupted() {
                    interrupt();
                }
                heard.get_or_insert_with(Instant::now);
            }
        });
    });
    thread.map(drop).map_err(Failure::platform)
}

/// Comes back when the terminal has gone away; never where that is not listened to.
async fn hung_up(hangup: &mut Option<Signal>) {
    match hangup {
        Some(hangup) => {
            hangup.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether this process was started to ignore that its terminal goes away, as `nohup` starts it.
fn ignores_hangups() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    // Signals are counted from 1.
    ignored.is_some_and(|ignored| ignored & (1 << (SignalKind::hangup().as_raw_value() - 1)) != 0)
}

/// Asks the run to end, in good order the first time; the second time the harness ends at once, and the kernel ends the target with it.
pub(crate) fn interrupt() {
    if stop().send_replace(true) {
        live::leave();
        std::process::exit(Exit::Interrupted as i32);
    }
    // A live view says it itself.
    if !live::is_on() {
        output::say("\nstopping: the target is ended, and what was recorded is kept (once more: stop at once)\n");
    }
}
