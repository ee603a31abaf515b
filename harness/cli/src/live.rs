//! The live view of `soak run --live`: what happens now, on a terminal of 80 × 24 or more, and keys to take a hand in it.
//!
//! It is never in the way of what is measured: events and samples go to a thread of its own through a queue that nobody waits for, that thread yields to everything else on the machine, and it draws
//! four times a second. What it judges it reads from the record, as rarely as keeps that below a twentieth of one processor.

mod board;
mod frame;
mod so_far;
#[cfg(test)]
mod tests;

use std::io::{self, BufWriter, IsTerminal as _, Stderr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event as TerminalEvent, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::crossterm::{cursor, execute};
use soak_engine::{Listener, Operator};
use soak_record::{Event, EventKind, Sample};
use soak_scenario::Plan;

use crate::execution::{interrupt, is_interrupted};
use crate::failure::Failure;
use crate::output;
use board::{Asking, Board};
use so_far::Judge;

/// Between two frames.
const FRAME_EVERY: Duration = Duration::from_millis(250);

/// How often keys are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Events and samples that may wait to be shown. What finds no room is not shown; it is recorded all the same.
const QUEUE: usize = 4096;

/// A whole frame, with room.
const FRAME_BYTES: usize = 1 << 16;

/// The view's thread ends in this time once it is asked to; it looks several times a second.
const END_WITHIN: Duration = Duration::from_secs(2);

/// How much nicer than the rest the thread is.
const NICENESS: i32 = 10;

/// Whether the terminal is the view's.
static ON: AtomicBool = AtomicBool::new(false);

/// Whether a live view has the terminal.
pub(crate) fn is_on() -> bool {
    ON.load(Ordering::SeqCst)
}

/// Gives the terminal back as it was. As often as one likes.
pub(crate) fn leave() {
    if ON.swap(false, Ordering::SeqCst) {
        // A terminal that is gone needs nothing back.
        let _ = execute!(io::stderr(), LeaveAlternateScreen, cursor::Show);
        let _ = disable_raw_mode();
    }
}

/// Standard error is not buffered by itself, and a frame is thousands of small pieces.
type Screen = Terminal<CrosstermBackend<BufWriter<Stderr>>>;

fn enter() -> io::Result<Screen> {
    ON.store(true, Ordering::SeqCst);
    let entered = enable_raw_mode()
        .and_then(|()| execute!(io::stderr(), EnterAlternateScreen, cursor::Hide))
        .and_then(|()| Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(FRAME_BYTES, io::stderr()))));
    if entered.is_err() {
        leave();
    }
    entered
}

/// What the view's thread is told.
enum Told {
    Event(Box<Event>),
    Sample(Sample),
    Variant(usize),
}

/// The listener's half of the view.
struct Teller(SyncSender<Told>);

impl Listener for Teller {
    fn event(&self, event: &Event) {
        let _ = self.0.try_send(Told::Event(Box::new(event.clone())));
    }

    fn sample(&self, sample: &Sample) {
        let _ = self.0.try_send(Told::Sample(sample.clone()));
    }

    fn variant(&self, index: usize) {
        let _ = self.0.try_send(Told::Variant(index));
    }
}

/// The view's thread. It gives the terminal back when this is dropped.
pub(crate) struct Live {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let asked_at = Instant::now();
        if let Some(thread) = self.thread.take() {
            while !thread.is_finished() && asked_at.elapsed() < END_WITHIN {
                std::thread::sleep(END_WITHIN / 100);
            }
            // Whatever it still waits for, the run's results do not.
            if thread.is_finished() {
                let _ = thread.join();
            }
        }
        leave();
    }
}

/// Refuses a view that nobody could see, or press a key of.
pub(crate) fn refuse_without_terminal() -> Result<(), Failure> {
    if io::stderr().is_terminal() && io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failure::usage(
        "--live needs a terminal for standard input and standard error; without it progress is told in lines",
    ))
}

/// Starts the view of a run of this plan into the folder of `path`.
pub(crate) fn start(plan: &Plan, path: &Path, operator: Operator) -> Result<(Box<dyn Listener>, Live), Failure> {
    let cannot = |error: io::Error| Failure::platform(format!("no live view: {error}; run without --live"));
    let (tell, told) = sync_channel(QUEUE);
    let over = Arc::new(AtomicBool::new(false));
    let view = View {
        terminal: enter().map_err(cannot)?,
        board: Board::new(plan, !output::colour_on_stderr()),
        judge: Judge::new(path),
        operator,
    };
    let until = Arc::clone(&over);
    let thread = std::thread::Builder::new().name("live".to_owned()).spawn(move || view.run(&told, &until));
    match thread {
        Ok(thread) => Ok((Box::new(Teller(tell)), Live { over, thread: Some(thread) })),
        Err(error) => {
            leave();
            Err(cannot(error))
        }
    }
}

struct View {
    terminal: Screen,
    board: Board,
    judge: Judge,
    operator: Operator,
}

/// However the thread ends: a terminal without a view would hear no Ctrl-C.
impl Drop for View {
    fn drop(&mut self) {
        leave();
    }
}

impl View {
    fn run(mut self, told: &Receiver<Told>, over: &AtomicBool) {
        // A thread is a process to the kernel's scheduler. Where it may not, it is as nice as the rest.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
        let mut drawn: Option<Instant> = None;
        while !over.load(Ordering::SeqCst) {
            let look_at = Instant::now() + LOOK_EVERY;
            loop {
                match told.recv_timeout(look_at.saturating_duration_since(Instant::now())) {
                    Ok(told) => self.take(told),
                    Err(RecvTimeoutError::Timeout) => break,
                    // The run is over; whoever started the view ends it.
                    Err(RecvTimeoutError::Disconnected) => {
                        std::thread::sleep(look_at.saturating_duration_since(Instant::now()));
                        break;
                    }
                }
                if Instant::now() >= look_at {
                    break;
                }
            }
            self.keys();
            self.board.take_so_far(self.judge.poll());
            if drawn.is_none_or(|drawn| drawn.elapsed() >= FRAME_EVERY) {
                self.board.paused_for = self.operator.paused_for();
                self.board.is_stopping = is_interrupted();
                // A frame that cannot be drawn is not drawn.
                if !output::is_gone(io::stderr()) {
                    let _ = self.terminal.draw(|frame| frame::draw(frame, &self.board));
                }
                drawn = Some(Instant::now());
            }
        }
    }

    fn take(&mut self, told: Told) {
        match told {
            Told::Variant(index) => {
                self.board.begin(index);
                self.judge.begin(index);
            }
            Told::Sample(sample) => self.board.sample(&sample),
            Told::Event(event) => {
                if let EventKind::PhaseEnded { cycle: Some(_), .. } | EventKind::VariantEnded { .. } = event.kind {
                    self.judge.ask();
                }
                self.board.event(&event);
            }
        }
    }

    fn keys(&mut self) {
        // Whoever reads from a terminal that is gone is told of its end over and over, and crossterm asks until it is told of something else.
        while !output::is_gone(io::stdin()) && event::poll(Duration::ZERO).unwrap_or(false) {
            // Another size is another frame, which comes by itself.
            let key = match event::read() {
                Ok(TerminalEvent::Key(key)) => key,
                Ok(_) => continue,
                Err(_) => return,
            };
            if key.kind == KeyEventKind::Press {
                self.press(key);
            }
        }
    }

    fn press(&mut self, key: KeyEvent) {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match (key.code, self.board.asking) {
            (KeyCode::Char('c'), _) if is_control => interrupt(),
            // What a terminal sends by itself, a zero byte for one, looks like a key with Control.
            _ if !(key.modifiers - KeyModifiers::SHIFT).is_empty() => {}
            (KeyCode::Char('y'), Some(Asking::Stop)) => {
                self.board.asking = None;
                if !is_interrupted() {
                    interrupt();
                }
            }
            (_, Some(Asking::Stop)) => self.board.asking = None,
            (KeyCode::Char('q') | KeyCode::Esc, None) => self.board.asking = Some(Asking::Stop),
            (KeyCode::Char('p' | ' '), None) => drop(self.operator.toggle_pause()),
            (KeyCode::Char('c'), None) => self.operator.compact(),
            _ => {}
        }
    }
}
