//! One put stream: sending, answers and the watch over silence, side by side.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::feed::Due;
use super::{Fate, Shared};
use crate::load::Progress;
use crate::target::{Batch, CallError, PutAcks, PutSender, within};

/// Batches without an answer after which a stream is ended, so that its good end acknowledges them: some servers give no other answer.
const UNANSWERED_AT_MOST: usize = 1024;

/// How often silence is looked for.
const WATCH_EVERY: Duration = Duration::from_millis(50);

/// The first pause after `slow_down`; it doubles with each further one.
const PAUSE_LEAST: Duration = Duration::from_millis(50);
const PAUSE_MOST: Duration = Duration::from_secs(1);

/// A start this much after it was due is late: timers tick in milliseconds.
const LATE: Duration = Duration::from_millis(3);

/// When a send fails, the reason comes with the answers: it is waited for this long.
const REASON_WITHIN: Duration = Duration::from_secs(1);

/// How a stream ended.
pub(super) enum StreamEnd {
    /// Well, and there is nothing more to put.
    Over,
    /// Well, to be followed by another.
    Full,
    /// The target fell silent.
    Silent,
    /// With an error; whether anything was acknowledged before.
    Broken { error: CallError, moved: bool },
}

/// A batch that waits for its answer.
struct Sent {
    batch: Batch,
    due: Instant,
    started: Instant,
}

/// What the three parts of a stream share.
struct Stream<'a> {
    shared: &'a Shared,
    progress: &'a Progress,
    unanswered: Mutex<VecDeque<Sent>>,
    /// Whether a batch has been taken from the feed and not yet been begun.
    waits: AtomicBool,
    pause: Mutex<Duration>,
    finished: AtomicBool,
    moved: AtomicBool,
}

/// Sends batches from `first` on; returns when each of them has met its fate.
pub(super) async fn run_stream(shared: &Shared, first: Due, progress: &Progress) -> StreamEnd {
    progress.ask(true);
    let opened = tokio::select! {
        opened = within(shared.silence_at_most, shared.client.open_put(progress.clone())) => opened,
        () = given_up(shared) => Err(CallError::TimedOut(progress.silence())),
    };
    let (sender, acks) = match opened {
        Ok(halves) => halves,
        Err(error) => {
            // Not a byte of it was sent.
            shared.account().rows += u64::from(first.batch.rows);
            shared.settle(first.batch, Fate::Refused);
            progress.ask(false);
            return StreamEnd::Broken { error, moved: false };
        }
    };
    progress.ask(false);
    let stream = Stream {
        shared,
        progress,
        unanswered: Mutex::default(),
        waits: AtomicBool::new(true),
        pause: Mutex::default(),
        finished: AtomicBool::new(false),
        moved: AtomicBool::new(false),
    };
    let both = async { tokio::try_join!(stream.send(sender, first), stream.receive(acks)) };
    let ended = tokio::select! {
        ended = both => ended.map(|(more, ())| more),
        () = stream.watch() => {
            stream.give_up(Fate::Indeterminate);
            return StreamEnd::Silent;
        }
    };
    match ended {
        Ok(more) => {
            // A good end acknowledges what had no answer of its own.
            stream.give_up(Fate::Acknowledged);
            if more { StreamEnd::Full } else { StreamEnd::Over }
        }
        Err(error) => {
            let refused = matches!(error, CallError::Refused(_)).then(|| stream.unanswered().pop_front()).flatten();
            if let Some(sent) = refused {
                shared.settle(sent.batch, Fate::Refused);
            }
            stream.give_up(Fate::Indeterminate);
            StreamEnd::Broken { error, moved: stream.moved.load(Ordering::Relaxed) }
        }
    }
}

/// Returns when the ingest is given up.
async fn given_up(shared: &Shared) {
    while !(shared.given_up)() {
        tokio::time::sleep(WATCH_EVERY).await;
    }
}

impl Stream<'_> {
    fn unanswered(&self) -> MutexGuard<'_, VecDeque<Sent>> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that is unanswered meets this fate.
    fn give_up(&self, fate: Fate) {
        self.progress.ask(false);
        if self.waits.swap(false, Ordering::Relaxed) {
            self.shared.account().latencies.never_started(1);
        }
        let left: Vec<Sent> = self.unanswered().drain(..).collect();
        for sent in left {
            self.shared.settle(sent.batch, fate);
        }
    }

    /// Sends until the feed is over or the stream is full; says whether more may come.
    async fn send(&self, mut sender: Box<dyn PutSender>, first: Due) -> Result<bool, CallError> {
        let mut next = Some(first);
        let mut more = true;
        while let Some(Due { batch, at }) = next.take() {
            if !self.moved.load(Ordering::Relaxed) {
                // It may be one that only answers at the end of a stream; while nothing is sent it owes nothing.
                self.progress.ask(false);
            }
            if let Some(at) = at {
                tokio::time::sleep_until(at).await;
            }
            self.wait_as_asked().await;
            let started = Instant::now();
            let due = at.unwrap_or(started);
            {
                let mut account = self.shared.account();
                account.rows += u64::from(batch.rows);
                if started.saturating_duration_since(due) > LATE {
                    account.latencies.late_start();
                }
            }
            self.waits.store(false, Ordering::Relaxed);
            self.unanswered().push_back(Sent { batch, due, started });
            self.progress.ask(true);
            if let Err(error) = sender.send(batch).await {
                tokio::time::sleep(REASON_WITHIN).await;
                return Err(error);
            }
            if self.unanswered().len() >= UNANSWERED_AT_MOST {
                break;
            }
            next = self.shared.next_batch();
            more = next.is_some();
            self.waits.store(more, Ordering::Relaxed);
        }
        // Asked until the stream has ended, even with every batch answered.
        self.progress.ask(true);
        self.finished.store(true, Ordering::Relaxed);
        sender.finish();
        Ok(more)
    }

    /// Pauses as long as the target asked for.
    async fn wait_as_asked(&self) {
        let pause = *self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
            // It asked for this silence.
            self.progress.touch();
        }
    }

    /// Takes answers until the stream has ended well.
    async fn receive(&self, mut acks: Box<dyn PutAcks>) -> Result<(), CallError> {
        while let Some(ack) = acks.next().await? {
            self.progress.touch();
            self.moved.store(true, Ordering::Relaxed);
            let ended = Instant::now();
            {
                let mut pause = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
                *pause = if ack.slow_down { (*pause * 2).clamp(PAUSE_LEAST, PAUSE_MOST) } else { Duration::ZERO };
            }
            self.shared.back_pressure.fetch_add(u64::from(ack.slow_down), Ordering::Relaxed);
            let (answered, left) = {
                let mut unanswered = self.unanswered();
                (unanswered.pop_front(), unanswered.len())
            };
            if left == 0 && !self.finished.load(Ordering::Relaxed) {
                self.progress.ask(false);
            }
            if let Some(sent) = answered {
                self.shared.account().latencies.record(sent.due, sent.started, ended);
                for (part, taken) in ack.parts(sent.batch) {
                    self.shared.settle(part, if taken { Fate::Acknowledged } else { Fate::Refused });
                }
            }
            if let Some(refused) = ack.refused {
                self.shared.account().last_error = Some(refused.why);
            }
        }
        if self.finished.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(CallError::broken("the target ended the stream before all was sent"))
    }

    /// Returns when the target has been silent for too long, or the ingest is given up.
    async fn watch(&self) {
        while self.progress.silence() <= self.shared.silence_at_most && !(self.shared.given_up)() {
            tokio::time::sleep(WATCH_EVERY).await;
        }
    }
}
