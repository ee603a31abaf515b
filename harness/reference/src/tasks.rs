//! Every task, connection and background thread of the server, by where it came from and what it waits for: the embedded target's goroutines.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The registry of what runs.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    next: AtomicU64,
    running: Mutex<BTreeMap<u64, Task>>,
}

#[derive(Debug)]
struct Task {
    /// Outermost first: `server.accept > flight.connection`.
    stack: &'static [&'static str],
    waits_for: &'static str,
    since: Instant,
}

/// A task that runs as long as this lives.
#[derive(Debug)]
pub(crate) struct Running {
    id: u64,
    tasks: Arc<Tasks>,
}

impl Tasks {
    /// Notes that a task with this stack (innermost function first) runs and what it waits for when it does not.
    pub(crate) fn enter(self: &Arc<Self>, stack: &'static [&'static str], waits_for: &'static str) -> Running {
        let id = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let task = Task { stack, waits_for, since: Instant::now() };
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(id, task);
        Running { id, tasks: Arc::clone(self) }
    }

    /// How many run.
    pub(crate) fn count(&self) -> usize {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The dump, in the form of Go's `/debug/pprof/goroutine?debug=2`.
    pub(crate) fn dump(&self) -> String {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for (id, task) in running.iter() {
            let minutes = task.since.elapsed().as_secs() / 60;
            let age = if minutes > 0 { format!(", {minutes} minutes") } else { String::new() };
            let _ = writeln!(text, "goroutine {id} [{}{age}]:", task.waits_for);
            for function in task.stack {
                let _ = writeln!(text, "{function}()\n\tsoak/reference");
            }
            text.push('\n');
        }
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tasks.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dump_lists_what_runs_and_only_that() {
        let tasks = Arc::new(Tasks::default());
        let one = tasks.enter(&["index.run", "server.start"], "chan receive");
        let two = tasks.enter(&["leak.wait"], "select");
        drop(one);
        assert_eq!(tasks.count(), 1);
        assert_eq!(tasks.dump(), "goroutine 2 [select]:\nleak.wait()\n\tsoak/reference\n\n");
        drop(two);
        assert_eq!(tasks.dump(), "");
    }
}
