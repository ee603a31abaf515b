//! One way of one connection: bytes come in, wait as the conditions say, and go out in their order.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::allowance::Allowance;
use super::counts::Totals;
use super::proxy::Conditions;

/// Bytes that are read at once. Large, so that a piece costs two system calls and one turn of the loop.
const PIECE_BYTES: usize = 256 << 10;

/// Below this a buffer is not read into any more, while pieces of it still wait.
const LEAST_ROOM_BYTES: usize = 16 << 10;

/// Bytes that may wait under latency. A connection that moves 160 MB/s is not slowed down by a delay of 100 ms.
const DELAYED_BYTES_MAX: usize = 16 << 20;

/// What both ways of a connection know.
#[derive(Debug)]
pub(super) struct Shared<'a> {
    pub(super) totals: &'a Totals,
    /// Whether the connection was counted as held since the last cut.
    pub(super) held: AtomicBool,
}

/// How a way ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The sender had no more, and the receiver has been told.
    Well,
    /// The receiver takes no more. What it still has to say comes the other way.
    Deaf,
}

/// The sender's side broke, which the receiver has to be told the hard way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

/// Bytes, and when they came.
struct Piece {
    bytes: Bytes,
    since: Instant,
}

/// The end of what comes in, and when it was seen.
#[derive(Clone, Copy)]
struct End {
    since: Instant,
    broken: bool,
}

/// Why a wait is over.
enum Woken {
    Changed,
    Readable,
    /// Something can go out, or what waited is due.
    Due,
    Gone,
}

/// One way.
pub(super) struct Pump<'a> {
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    conditions: watch::Receiver<Conditions>,
    shared: &'a Shared<'a>,
    /// The conditions that were seen last.
    seen: Conditions,
    buffer: BytesMut,
    waiting: VecDeque<Piece>,
    waiting_bytes: usize,
    end: Option<End>,
    allowance: Allowance,
}

impl<'a> Pump<'a> {
    pub(super) fn new(
        from: ReadHalf<'a>,
        to: WriteHalf<'a>,
        conditions: watch::Receiver<Conditions>,
        shared: &'a Shared<'a>,
    ) -> Self {
        Self {
            from,
            to,
            conditions,
            shared,
            seen: Conditions::Clear,
            buffer: BytesMut::new(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            end: None,
            allowance: Allowance::none(Instant::now()),
        }
    }

    /// Carries bytes until one side has ended.
    pub(super) async fn run(mut self) -> Result<Ended, Broken> {
        loop {
            self.look();
            match self.wait().await {
                Woken::Changed => continue,
                Woken::Gone => return Err(Broken),
                Woken::Readable => self.take(),
                Woken::Due => {}
            }
            if self.give().is_err() {
                return Ok(Ended::Deaf);
            }
            if let Some(end) = self.end
                && self.waiting.is_empty()
                && self.due().is_some_and(|due| due <= Instant::now())
            {
                if end.broken {
                    return Err(Broken);
                }
                let told = self.to.shutdown().await;
                return Ok(if told.is_ok() { Ended::Well } else { Ended::Deaf });
            }
        }
    }

    /// Takes notice of the conditions.
    fn look(&mut self) {
        let conditions = *self.conditions.borrow_and_update();
        if conditions == self.seen {
            return;
        }
        if self.seen == Conditions::Cut {
            self.shared.held.store(false, Ordering::Relaxed);
        }
        self.seen = conditions;
        self.allowance = Allowance::none(Instant::now());
        if conditions == Conditions::Cut {
            self.hold(self.waiting_bytes);
        }
    }

    /// Waits until there is something to do.
    async fn wait(&mut self) -> Woken {
        let began = Instant::now();
        let due = self.due();
        let is_due = due.is_some_and(|due| due <= began);
        let later = due.filter(|due| *due > began);
        let limited = matches!(self.seen, Conditions::Bandwidth(_)) && later.is_some();
        let woken = tokio::select! {
            biased;
            changed = self.conditions.changed() => if changed.is_ok() { Woken::Changed } else { Woken::Gone },
            // Errors of readiness come again when it is read or written.
            _ = self.from.readable(), if self.has_room() => Woken::Readable,
            _ = self.to.writable(), if is_due => Woken::Due,
            () = sleep_until(later.unwrap_or(began)), if later.is_some() => Woken::Due,
        };
        if limited {
            self.shared.totals.waited(began.elapsed());
        }
        woken
    }

    fn has_room(&self) -> bool {
        let room = match self.seen {
            Conditions::Latency(_) => self.waiting_bytes < DELAYED_BYTES_MAX,
            // What is not taken waits with its sender: the system's own back-pressure.
            Conditions::Clear | Conditions::Bandwidth(_) | Conditions::Cut => self.waiting.is_empty(),
            Conditions::Reset => false,
        };
        room && self.end.is_none()
    }

    /// When the next byte, or the end, may go out; `None` where there is none or none may.
    fn due(&self) -> Option<Instant> {
        let front = self.waiting.front();
        let since = front.map(|piece| piece.since).or(self.end.map(|end| end.since))?;
        match (self.seen, front) {
            (Conditions::Clear, _) | (Conditions::Bandwidth(_), None) => Some(since),
            (Conditions::Latency(delay), _) => Some(since + delay),
            (Conditions::Bandwidth(rate), Some(piece)) => self.allowance.due(rate, piece.bytes.len()),
            (Conditions::Cut | Conditions::Reset, _) => None,
        }
    }

    /// Reads a piece.
    fn take(&mut self) {
        // With nothing waiting the buffer is the pump's alone and used again; else reserving takes a new one.
        if self.waiting.is_empty() || self.buffer.capacity() < LEAST_ROOM_BYTES {
            self.buffer.reserve(PIECE_BYTES);
        }
        let since = Instant::now();
        match self.from.try_read_buf(&mut self.buffer) {
            Ok(0) => self.end = Some(End { since, broken: false }),
            Ok(count) => {
                self.waiting.push_back(Piece { bytes: self.buffer.split().freeze(), since });
                self.waiting_bytes += count;
                match self.seen {
                    Conditions::Latency(delay) if delay > Duration::ZERO => {
                        self.shared.totals.delayed_bytes.add(count);
                    }
                    Conditions::Cut => self.hold(count),
                    _ => {}
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.end = Some(End { since, broken: true }),
        }
    }

    /// Writes what is due, as far as it is taken.
    fn give(&mut self) -> Result<(), std::io::Error> {
        loop {
            let now = Instant::now();
            if self.due().is_none_or(|due| due > now) {
                return Ok(());
            }
            let Some(piece) = self.waiting.front_mut() else { return Ok(()) };
            let count = match self.seen {
                Conditions::Bandwidth(rate) => self.allowance.at_most(rate, now).min(piece.bytes.len()),
                _ => piece.bytes.len(),
            };
            match self.to.try_write(&piece.bytes[..count]) {
                Ok(written) => {
                    piece.bytes.advance(written);
                    if piece.bytes.is_empty() {
                        self.waiting.pop_front();
                    }
                    self.waiting_bytes -= written;
                    self.allowance.spend(written);
                    self.shared.totals.bytes.add(written);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Counts bytes as held by a cut.
    fn hold(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.shared.totals.held_bytes.add(bytes);
        if !self.shared.held.swap(true, Ordering::Relaxed) {
            self.shared.totals.held_connections.add(1);
        }
    }
}
