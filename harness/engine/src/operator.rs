//! A person at a run: what can be asked of it while it goes on. Whatever is asked is recorded, because a run that somebody took a hand in is not the run that was planned.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// A pause ends by itself after this long: whoever asked for it may have gone.
pub const PAUSE_AT_MOST: Duration = Duration::from_secs(600);

/// How often a pause is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The side of the person. When it is gone, nothing more is asked, and a pause is over.
#[derive(Debug)]
pub struct Operator {
    paused: watch::Sender<Option<Instant>>,
    compactions: watch::Sender<u32>,
}

impl Operator {
    /// Lets the load rest, or go on again; whether it rests now.
    pub fn toggle_pause(&self) -> bool {
        let mut rests = false;
        self.paused.send_modify(|since| {
            *since = if is_on(*since) { None } else { Some(Instant::now()) };
            rests = since.is_some();
        });
        rests
    }

    /// How long the load has rested; `None` while it does not. Asked now and then, it ends a pause that has lasted too long.
    pub fn paused_for(&self) -> Option<Duration> {
        let since = (*self.paused.borrow())?;
        if is_on(Some(since)) {
            return Some(since.elapsed());
        }
        self.paused.send_replace(None);
        None
    }

    /// Asks for a compaction.
    pub fn compact(&self) {
        self.compactions.send_modify(|asked| *asked += 1);
    }
}

fn is_on(since: Option<Instant>) -> bool {
    since.is_some_and(|since| since.elapsed() < PAUSE_AT_MOST)
}

/// Something that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// That the run ends.
    Stop,
    /// That the load rests, or goes on again: [`Wishes::load_is_held`] says which.
    Pause,
    /// A compaction.
    Compact,
}

/// The side of the run. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Wishes {
    stop: watch::Receiver<bool>,
    paused: watch::Receiver<Option<Instant>>,
    compactions: watch::Receiver<u32>,
}

impl Wishes {
    /// A person who can ask for more than the end, which `stop` tells when it becomes true.
    pub fn of_operator(stop: watch::Receiver<bool>) -> (Operator, Self) {
        let (tell_paused, paused) = watch::channel(None);
        let (tell_compactions, compactions) = watch::channel(0);
        let operator = Operator { paused: tell_paused, compactions: tell_compactions };
        (operator, Self { stop, paused, compactions })
    }

    /// Nobody who could ask for more than the end.
    pub fn only_to_stop(stop: watch::Receiver<bool>) -> Self {
        Self::of_operator(stop).1
    }

    /// The next thing that is asked for; pending for ever where nothing ever is. Nothing is lost when this is dropped before it is ready.
    pub(crate) async fn next(&mut self) -> Wish {
        tokio::select! {
            // The end comes first.
            biased;
            Ok(_) = self.stop.wait_for(|stop| *stop) => Wish::Stop,
            Ok(()) = self.compactions.changed() => Wish::Compact,
            Ok(()) = self.paused.changed() => Wish::Pause,
            else => std::future::pending().await,
        }
    }

    /// Whether the load is to rest.
    pub(crate) fn load_is_held(&self) -> bool {
        // Nobody is left who could end it.
        self.paused.has_changed().is_ok() && is_on(*self.paused.borrow())
    }

    /// Waits until the load may go on, or the run is to end.
    pub(crate) async fn until_load_may_go_on(&self) {
        while self.load_is_held() && !*self.stop.borrow() {
            sleep(LOOK_EVERY).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes() -> (watch::Sender<bool>, Operator, Wishes) {
        let (stop, stopped) = watch::channel(false);
        let (operator, wishes) = Wishes::of_operator(stopped);
        (stop, operator, wishes)
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_asked_is_heard_once_and_the_end_first() {
        let (stop, operator, mut wishes) = wishes();
        operator.compact();
        assert_eq!(wishes.next().await, Wish::Compact);
        assert!(operator.toggle_pause() && wishes.load_is_held());
        assert_eq!(wishes.next().await, Wish::Pause);
        assert!(!operator.toggle_pause() && !wishes.load_is_held());
        assert_eq!(wishes.next().await, Wish::Pause);
        let nothing = tokio::time::timeout(Duration::from_secs(60), wishes.next()).await;
        assert!(nothing.is_err(), "{nothing:?}");
        operator.compact();
        stop.send_replace(true);
        assert_eq!(wishes.next().await, Wish::Stop);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_ends_by_itself_or_with_whoever_asked_for_it() {
        let (_stop, operator, mut wishes) = wishes();
        operator.toggle_pause();
        assert_eq!(wishes.next().await, Wish::Pause);
        sleep(PAUSE_AT_MOST / 2).await;
        assert!(wishes.load_is_held() && operator.paused_for() == Some(PAUSE_AT_MOST / 2));
        wishes.until_load_may_go_on().await;
        assert!(!wishes.load_is_held() && operator.paused_for().is_none());
        assert_eq!(wishes.next().await, Wish::Pause, "that it is over is heard as well");
        operator.toggle_pause();
        assert!(wishes.load_is_held());
        drop(operator);
        assert!(!wishes.load_is_held(), "nobody is left who could end it");
        wishes.until_load_may_go_on().await;
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_person_there_is_only_the_end() {
        let (stop, stopped) = watch::channel(false);
        let mut wishes = Wishes::only_to_stop(stopped);
        assert!(tokio::time::timeout(Duration::from_secs(60), wishes.next()).await.is_err());
        stop.send_replace(true);
        assert_eq!(wishes.next().await, Wish::Stop);
        drop(stop);
        assert_eq!(wishes.next().await, Wish::Stop);
    }
}
