//! What becomes of the operations of each kind: how many fail and why, and for how long none has been answered while some are in flight.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use soak_record::{ErrorReason, Operation};
use tokio::time::Instant;

use super::Progress;
use crate::target::{CallError, Cause};

/// Distinct reasons that are kept for each kind of operation; further ones are only counted.
const REASONS_MAX: usize = 12;

/// Characters of a reason, and of the example beside it.
const REASON_CHARS_MAX: usize = 240;

/// A wait still counts for this long after its last call timed out.
const SAME_WAIT: Duration = Duration::from_secs(1);

/// Receives the first error of each distinct reason, in full.
pub type OnFirst = Box<dyn Fn(Operation, &str) + Send + Sync>;

/// The log of a variant's operations. Shared by everything that asks the target for something.
#[derive(Default)]
pub struct OperationLog {
    kinds: Mutex<BTreeMap<Operation, Kind>>,
    on_first: Option<OnFirst>,
    /// Errors are not counted while a target starts, and when it is left.
    is_silent: AtomicBool,
}

impl std::fmt::Debug for OperationLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OperationLog").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Kind {
    /// The longest that one of its calls may take while nothing shows that the target works.
    limit: Duration,
    /// The longest that one may take while the target works: where an index is caught up with, more than the limit.
    patience: Duration,
    /// Whether the target ever answered one well.
    is_good: bool,
    /// The first error that shows that server and profile do not fit.
    unfit: Option<String>,
    /// The first error of a connection that could not be made.
    unreachable: Option<String>,
    in_flight: u64,
    /// When the target last answered one, or since when it has been asked; `None` while nothing is asked.
    waiting_since: Option<Instant>,
    /// When the last one that was in flight ended without an answer.
    idle_since: Option<Instant>,
    /// How many the target has answered, well or not.
    answers: u64,
    /// The longest wait so far, since it was last taken.
    longest: Duration,
    /// Streams of puts that are open: each knows when it last moved.
    streams: Vec<Progress>,
    reasons: BTreeMap<String, Reason>,
    /// Errors beyond the distinct reasons that are kept.
    others: u64,
}

struct Reason {
    count: u64,
    first: Instant,
    last: Instant,
    example: String,
}

/// Operations of one kind that wait for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Which kind.
    pub operation: Operation,
    /// How many are in flight.
    pub in_flight: u64,
    /// For how long none of the kind has been answered.
    pub waited: Duration,
    /// For how long one may take.
    pub limit: Duration,
    /// For how long one may take while the target works.
    pub patience: Duration,
}

impl Waiting {
    /// The wait as a share of the limit.
    fn share(&self) -> f64 {
        self.waited.as_secs_f64() / self.limit.as_secs_f64().max(1e-3)
    }
}

/// One operation that is in flight. Dropping it without an answer means that the caller no longer waits.
#[derive(Debug)]
pub struct InFlight {
    log: Arc<OperationLog>,
    operation: Operation,
    started: Instant,
    deadline: Duration,
    over: bool,
}

/// An open stream of puts. Dropping it closes the account.
#[derive(Debug)]
pub struct OpenStream {
    log: Arc<OperationLog>,
    progress: Progress,
}

impl OperationLog {
    /// A log that tells of the first error of each distinct reason.
    pub fn telling(on_first: OnFirst) -> Self {
        Self { on_first: Some(on_first), ..Self::default() }
    }

    /// From now on errors count for nothing: the target starts, or is left.
    pub fn stop_counting(&self) {
        self.is_silent.store(true, Ordering::Relaxed);
    }

    /// From now on errors count.
    pub fn count(&self) {
        self.is_silent.store(false, Ordering::Relaxed);
    }

    fn kinds(&self) -> MutexGuard<'_, BTreeMap<Operation, Kind>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An operation is sent. `deadline` is how long its caller waits, `limit` how long the target may be silent unless it works.
    pub fn enter_within(self: &Arc<Self>, operation: Operation, limit: Duration, deadline: Duration) -> InFlight {
        let mut flight = self.enter(operation, limit);
        flight.deadline = deadline;
        let mut kinds = self.kinds();
        let kind = kinds.entry(operation).or_default();
        kind.patience = kind.patience.max(deadline);
        drop(kinds);
        flight
    }

    /// An operation is sent. `deadline` is how long its caller waits.
    pub fn enter(self: &Arc<Self>, operation: Operation, deadline: Duration) -> InFlight {
        let now = Instant::now();
        let mut kinds = self.kinds();
        let kind = kinds.entry(operation).or_default();
        if kind.in_flight == 0 {
            // A call that is asked seldom, such as the metrics page, goes on waiting over the pause between two that timed out.
            let goes_on = kind.idle_since.take().is_some_and(|since| since.elapsed() < kind.limit.max(SAME_WAIT));
            if !goes_on || kind.waiting_since.is_none() {
                kind.waiting_since = Some(now);
            }
        }
        kind.in_flight += 1;
        kind.limit = kind.limit.max(deadline);
        drop(kinds);
        InFlight { log: Arc::clone(self), operation, started: now, deadline, over: false }
    }

    /// A stream of puts is open; `progress` is touched whenever the target takes or answers something.
    pub fn open_stream(self: &Arc<Self>, progress: &Progress, limit: Duration, patience: Duration) -> OpenStream {
        let mut kinds = self.kinds();
        let kind = kinds.entry(Operation::Put).or_default();
        kind.streams.push(progress.clone());
        kind.limit = kind.limit.max(limit);
        kind.patience = kind.patience.max(patience);
        drop(kinds);
        OpenStream { log: Arc::clone(self), progress: progress.clone() }
    }

    /// The target answered an operation well that is no single call: a put.
    pub(crate) fn answered_well(&self, operation: Operation) {
        self.kinds().entry(operation).or_default().is_good = true;
    }

    /// Why server and profile do not fit, where every operation of a kind shows that they do not.
    pub fn unfit(&self) -> Option<String> {
        let kinds = self.kinds();
        kinds.values().filter(|kind| !kind.is_good).find_map(|kind| kind.unfit.clone())
    }

    /// Why nothing could be asked of the server: nobody listens, or another kind of server does.
    pub fn unreachable(&self) -> Option<String> {
        let kinds = self.kinds();
        let why = |kind: &Kind| kind.unfit.clone().or_else(|| kind.unreachable.clone());
        kinds.values().filter(|kind| !kind.is_good).find_map(why)
    }

    /// An operation failed.
    pub fn failed(&self, operation: Operation, error: &CallError) {
        if self.is_silent.load(Ordering::Relaxed) {
            return;
        }
        let example = clip(&error.to_string());
        let reason = normalised(&example);
        let now = Instant::now();
        let is_new = {
            let mut kinds = self.kinds();
            let kind = kinds.entry(operation).or_default();
            if error.is_unfit() && kind.unfit.is_none() {
                kind.unfit = Some(example.clone());
            }
            if error.cause() == Cause::Unreachable && kind.unreachable.is_none() {
                kind.unreachable = Some(example.clone());
            }
            if let Some(known) = kind.reasons.get_mut(&reason) {
                known.count += 1;
                known.last = now;
                false
            } else if kind.reasons.len() < REASONS_MAX {
                kind.reasons.insert(reason, Reason { count: 1, first: now, last: now, example: example.clone() });
                true
            } else {
                kind.others += 1;
                false
            }
        };
        if let Some(tell) = self.on_first.as_ref().filter(|_| is_new) {
            tell(operation, &example);
        }
    }

    /// The kind of operation whose wait for an answer is the largest share of its limit, if any waits.
    pub fn waiting(&self) -> Option<Waiting> {
        self.all_waiting().into_iter().next()
    }

    /// Every kind of operation that waits for an answer, the one that is furthest beyond its own limit first.
    pub fn all_waiting(&self) -> Vec<Waiting> {
        let mut kinds = self.kinds();
        let waiting = kinds.iter_mut().filter_map(|(operation, kind)| {
            let waited = kind.wait().filter(|waited| !waited.is_zero())?;
            let streams = kind.streams.iter().filter_map(Progress::waiting).count();
            let in_flight = kind.in_flight.max(streams as u64);
            if in_flight > 0 {
                kind.longest = kind.longest.max(waited);
            }
            let patience = kind.patience.max(kind.limit);
            Some(Waiting { operation: *operation, in_flight, waited, limit: kind.limit, patience })
        });
        let mut waiting: Vec<Waiting> = waiting.collect();
        waiting.sort_by(|a, b| b.share().total_cmp(&a.share()));
        waiting
    }

    /// For how long no operation of this kind has been answered; zero while none is in flight.
    pub fn waited(&self, operation: Operation) -> Duration {
        self.kinds().get(&operation).and_then(Kind::wait).unwrap_or_default()
    }

    /// How many operations of this kind the target has answered. A stream of puts counts as one while it moves.
    pub fn answers(&self, operation: Operation) -> u64 {
        let kinds = self.kinds();
        let Some(kind) = kinds.get(&operation) else { return 0 };
        let moves = |stream: &&Progress| stream.waiting().is_some_and(|silence| silence < kind.limit);
        kind.answers + kind.streams.iter().filter(moves).count() as u64
    }

    /// Takes the longest wait of each kind since it was last taken.
    pub fn take_longest(&self) -> Vec<(Operation, Duration)> {
        let mut kinds = self.kinds();
        let taken = kinds.iter_mut().map(|(operation, kind)| {
            let now = kind.wait().filter(|_| kind.in_flight > 0 || !kind.streams.is_empty()).unwrap_or_default();
            (*operation, std::mem::take(&mut kind.longest).max(now))
        });
        taken.filter(|(_, longest)| !longest.is_zero()).collect()
    }

    /// Takes the errors of each kind since they were last taken: reasons, the most frequent first, and how many have other reasons.
    pub fn take_errors(&self, now_s: f64) -> Vec<(Operation, Vec<ErrorReason>, u64)> {
        let mut kinds = self.kinds();
        let taken = kinds.iter_mut().map(|(operation, kind)| {
            let reasons = std::mem::take(&mut kind.reasons).into_iter().map(|(reason, seen)| ErrorReason {
                reason,
                count: seen.count,
                first_s: now_s - seen.first.elapsed().as_secs_f64(),
                last_s: now_s - seen.last.elapsed().as_secs_f64(),
                example: seen.example,
            });
            let mut reasons: Vec<ErrorReason> = reasons.collect();
            reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
            (*operation, reasons, std::mem::take(&mut kind.others))
        });
        taken.filter(|(_, reasons, others)| !reasons.is_empty() || *others > 0).collect()
    }
}

impl Kind {
    /// For how long the target has answered none of this kind; `None` while it is asked nothing.
    fn wait(&self) -> Option<Duration> {
        // Between a call that timed out and the next one the wait goes on.
        let goes_on = || self.idle_since.is_some_and(|since| since.elapsed() < SAME_WAIT);
        let calls = self.waiting_since.filter(|_| self.in_flight > 0 || goes_on()).map(|since| since.elapsed());
        // While any stream moves, the target answers.
        let streams = self.streams.iter().filter_map(Progress::waiting).min();
        calls.into_iter().chain(streams).max()
    }
}

impl InFlight {
    /// The target answered, well or not, or the connection to it broke.
    pub fn done<T>(mut self, answer: &Result<T, CallError>) {
        self.over = true;
        let timed_out = matches!(answer, Err(CallError::TimedOut(_)));
        self.leave(!timed_out);
        match answer {
            Ok(_) => self.log.answered_well(self.operation),
            Err(error) => self.log.failed(self.operation, error),
        }
    }

    fn leave(&self, answered: bool) {
        let now = Instant::now();
        let mut kinds = self.log.kinds();
        let kind = kinds.entry(self.operation).or_default();
        kind.longest = kind.longest.max(kind.wait().unwrap_or_default());
        kind.in_flight = kind.in_flight.saturating_sub(1);
        if answered {
            kind.answers += 1;
            kind.waiting_since = (kind.in_flight > 0).then_some(now);
            kind.idle_since = None;
        } else if kind.in_flight == 0 {
            kind.idle_since = Some(now);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        self.leave(false);
        if self.started.elapsed() >= self.deadline {
            self.log.failed(self.operation, &CallError::TimedOut(self.deadline));
        }
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut kinds = self.log.kinds();
        if let Some(kind) = kinds.get_mut(&Operation::Put) {
            kind.longest = kind.longest.max(self.progress.longest());
            kind.streams.retain(|stream| !stream.is(&self.progress));
        }
    }
}

fn clip(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.chars().count() <= REASON_CHARS_MAX {
        return line;
    }
    let kept: String = line.chars().take(REASON_CHARS_MAX).collect();
    format!("{kept}…")
}

/// A reason without what differs from one error to the next: numbers, and what stands in quotes.
fn normalised(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '"' && rest.clone().any(|c| c == '"') {
            while rest.next().is_some_and(|c| c != '"') {}
            out.push_str("\"…\"");
        } else if c.is_ascii_digit() {
            while rest.peek().is_some_and(|c| c.is_ascii_hexdigit() || *c == '.') {
                rest.next();
            }
            out.push('#');
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(20);

    #[test]
    fn errors_that_differ_in_numbers_and_names_have_one_reason() {
        let log = OperationLog::default();
        for id in [7, 1234, 99] {
            log.failed(Operation::Delete, &CallError::refused(format!("no row {id} in \"set-{id}\"")));
        }
        log.failed(Operation::Delete, &CallError::TimedOut(DEADLINE));
        let errors = log.take_errors(5.0);
        let [(Operation::Delete, reasons, 0)] = errors.as_slice() else { panic!("{errors:?}") };
        let told: Vec<(&str, u64)> = reasons.iter().map(|reason| (reason.reason.as_str(), reason.count)).collect();
        assert_eq!(told, [("refused: no row # in \"…\"", 3), ("no answer within # s", 1)]);
        assert_eq!(reasons[0].example, "refused: no row 7 in \"set-7\"");
        assert!(log.take_errors(5.0).is_empty(), "they are taken once");
    }

    #[test]
    fn reasons_are_bounded_and_the_first_of_each_is_told() {
        let told = Arc::new(Mutex::new(0));
        let count = Arc::clone(&told);
        let log = OperationLog::telling(Box::new(move |_, _| *count.lock().unwrap() += 1));
        for letter in 'a'..='z' {
            log.failed(Operation::Search, &CallError::broken(format!("reason {letter}")));
            log.failed(Operation::Search, &CallError::broken(format!("reason {letter}")));
        }
        let errors = log.take_errors(0.0);
        assert_eq!((errors[0].1.len(), errors[0].2), (REASONS_MAX, 2 * (26 - REASONS_MAX as u64)));
        assert_eq!(*told.lock().unwrap(), REASONS_MAX);
        log.failed(Operation::Search, &CallError::broken("x".repeat(10_000)));
        assert!(log.take_errors(0.0)[0].1[0].example.chars().count() <= REASON_CHARS_MAX + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_time_out_one_after_the_other_are_one_wait() {
        let log = Arc::new(OperationLog::default());
        for _ in 0..3 {
            let flight = log.enter(Operation::Delete, DEADLINE);
            tokio::time::sleep(DEADLINE).await;
            flight.done::<()>(&Err(CallError::TimedOut(DEADLINE)));
        }
        let flight = log.enter(Operation::Delete, DEADLINE);
        assert_eq!(
            log.waiting().map(|waiting| (waiting.operation, waiting.waited)),
            Some((Operation::Delete, 3 * DEADLINE))
        );
        flight.done(&Ok(()));
        assert_eq!(log.waiting(), None);
        assert_eq!(log.take_longest(), [(Operation::Delete, 3 * DEADLINE)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_is_asked_for_seldom_goes_on_waiting() {
        let log = Arc::new(OperationLog::default());
        let pause = Duration::from_secs(10);
        for _ in 0..2 {
            let flight = log.enter(Operation::Metrics, DEADLINE);
            tokio::time::sleep(DEADLINE).await;
            flight.done::<()>(&Err(CallError::TimedOut(DEADLINE)));
            tokio::time::sleep(pause).await;
            assert_eq!(log.waited(Operation::Metrics), Duration::ZERO, "nothing is asked now");
        }
        let _third = log.enter(Operation::Metrics, DEADLINE);
        assert_eq!(log.waited(Operation::Metrics), 2 * (DEADLINE + pause));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_to_any_of_a_kind_ends_the_wait_of_all_and_other_kinds_go_on_waiting() {
        let log = Arc::new(OperationLog::default());
        let _stuck = log.enter(Operation::Search, DEADLINE);
        let other = log.enter(Operation::Search, DEADLINE);
        let _metrics = log.enter(Operation::Metrics, DEADLINE);
        tokio::time::sleep(Duration::from_secs(9)).await;
        other.done::<()>(&Err(CallError::refused("no")));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(log.waited(Operation::Search), Duration::from_secs(1));
        assert_eq!(log.waiting().map(|waiting| waiting.operation), Some(Operation::Metrics));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_between_two_phases_is_no_wait() {
        let log = Arc::new(OperationLog::default());
        let flight = log.enter(Operation::Search, DEADLINE);
        tokio::time::sleep(DEADLINE).await;
        drop(flight);
        tokio::time::sleep(Duration::from_secs(60)).await;
        let _again = log.enter(Operation::Search, DEADLINE);
        assert_eq!(log.waited(Operation::Search), Duration::ZERO);
        assert_eq!(
            log.take_errors(0.0)[0].1[0].reason,
            "no answer within # s",
            "a call that is dropped at its deadline timed out"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn streams_wait_only_when_none_of_them_moves() {
        let log = Arc::new(OperationLog::default());
        let (one, two) = (Progress::default(), Progress::default());
        let (open, _other) = (log.open_stream(&one, DEADLINE, DEADLINE), log.open_stream(&two, DEADLINE, DEADLINE));
        one.ask(true);
        two.ask(true);
        tokio::time::sleep(Duration::from_secs(5)).await;
        two.touch();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(log.waited(Operation::Put), Duration::from_secs(1));
        two.ask(false);
        assert_eq!(log.waited(Operation::Put), Duration::from_secs(6), "a stream that is asked nothing does not count");
        drop(open);
        assert_eq!(log.waited(Operation::Put), Duration::ZERO);
    }
}
