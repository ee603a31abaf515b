//! The smallest limit that a load survives: which to try next, of what came of those before. It decides and does nothing.
//!
//! Upwards until one survives, then between the greatest that did not and the least that did, until they are a step apart. That one has to survive several
//! times; where it does not once, it was chance, and the next step up is tried: no limit that has failed once is ever the answer. Last, a tenth less must not survive, where that may be tried;
//! where it does, that is tried again, up to as many times, and whoever reads the tries sees how often it did.

/// Mebibytes: limits are whole ones.
pub type Mib = u64;

/// What is tried next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// A limit.
    Try(Mib),
    /// Nothing: this is the smallest.
    Found(Mib),
    /// Nothing: not even this survives.
    NotUpTo(Mib),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Narrowing,
    Confirming { left: u32 },
    Below { left: u32 },
    Found,
}

/// A search for the smallest limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bisection {
    /// The greatest that did not survive, whatever else came of it.
    low: Mib,
    /// The least that did; absent while none has.
    high: Option<Mib>,
    /// What is tried first, and upwards of.
    start: Mib,
    /// Nothing below this is tried.
    least: Mib,
    most: Mib,
    step: f64,
    times: u32,
    stage: Stage,
}

/// How much more is tried while nothing survives.
const UPWARDS: f64 = 1.5;
/// What must not survive, of what was found.
const LESS: f64 = 0.9;

impl Bisection {
    /// A search that begins at a guess and stays between `least` and `most`, as fine as `step` (relative, and no finer than 1 MiB); what is found has survived so many
    /// `times`.
    pub fn new(guess: Mib, [least, most]: [Mib; 2], step: f64, times: u32) -> Self {
        let least = least.max(1);
        let most = most.max(least);
        let (start, times) = (guess.clamp(least, most), times.max(1));
        Self { low: least - 1, high: None, start, least, most, step, times, stage: Stage::Narrowing }
    }

    /// What is to be tried now.
    pub fn next(&self) -> Next {
        let Some(high) = self.high else {
            let up = if self.low < self.least { self.start } else { (self.low as f64 * UPWARDS).ceil() as Mib };
            return if self.low >= self.most { Next::NotUpTo(self.most) } else { Next::Try(up.min(self.most)) };
        };
        match self.stage {
            Stage::Narrowing => Next::Try(self.low + (high - self.low) / 2),
            Stage::Confirming { .. } => Next::Try(high),
            Stage::Below { .. } => Next::Try(less(high)),
            Stage::Found => Next::Found(high),
        }
    }

    /// What came of it.
    pub fn told(&mut self, survived: bool) {
        let Next::Try(tried) = self.next() else { return };
        match (self.stage, survived) {
            (Stage::Confirming { left }, true) => self.confirmed(left.saturating_sub(1)),
            (Stage::Confirming { .. }, false) => {
                let up = tried + self.apart(tried);
                self.low = tried;
                if up > self.most {
                    self.high = None;
                    self.low = self.most;
                } else {
                    self.high = Some(up);
                    self.stage = Stage::Confirming { left: self.times };
                }
            }
            (Stage::Below { left: left @ 2.. }, true) => self.stage = Stage::Below { left: left - 1 },
            (Stage::Below { .. }, _) => self.stage = Stage::Found,
            (Stage::Narrowing, true) => {
                self.high = Some(tried);
                self.narrowed(1);
            }
            (Stage::Narrowing, false) => {
                self.low = tried;
                self.narrowed(0);
            }
            (Stage::Found, _) => {}
        }
    }

    /// Goes on to confirm once there is nothing between: the last of them has survived so many times already.
    fn narrowed(&mut self, survived: u32) {
        let Some(high) = self.high else { return };
        if high.saturating_sub(self.low) <= self.apart(high) {
            self.confirmed(self.times.saturating_sub(survived));
        } else {
            self.stage = Stage::Narrowing;
        }
    }

    fn confirmed(&mut self, left: u32) {
        self.stage = match (left, self.high) {
            (0, Some(high)) if less(high) < self.least => Stage::Found,
            (0, _) => Stage::Below { left: self.times },
            (left, _) => Stage::Confirming { left },
        };
    }

    fn apart(&self, limit: Mib) -> Mib {
        ((limit as f64 * self.step).floor() as Mib).max(1)
    }
}

fn less(limit: Mib) -> Mib {
    (limit as f64 * LESS).floor() as Mib
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches with a target of this need, and says what was found and which limits were tried.
    fn search(mut bisection: Bisection, mut survives: impl FnMut(Mib) -> bool) -> (Next, Vec<Mib>) {
        let mut tried = Vec::new();
        loop {
            match bisection.next() {
                Next::Try(limit) => {
                    assert!(tried.len() < 200, "it does not end: {tried:?}");
                    tried.push(limit);
                    bisection.told(survives(limit));
                }
                end => return (end, tried),
            }
        }
    }

    #[test]
    fn the_smallest_is_found_from_any_guess() {
        for need in [3, 17, 100, 999, 5000] {
            for guess in [1, 50, 400, 4000] {
                let (found, tried) = search(Bisection::new(guess, [1, 10_000], 0.02, 5), |limit| limit >= need);
                let Next::Found(found) = found else { panic!("{found:?} of {need} from {guess}") };
                assert!(
                    found >= need && found as f64 <= (need as f64 * 1.03).max(need as f64 + 1.0),
                    "{found} of {need}"
                );
                assert!(tried.iter().filter(|limit| **limit == found).count() >= 5, "five times: {tried:?}");
                assert!(tried.iter().any(|limit| *limit <= less(found)) || found < 2, "and a tenth less: {tried:?}");
            }
        }
    }

    #[test]
    fn what_survives_by_chance_is_not_believed() {
        // Between 90 and 100 every second run survives.
        let mut runs = 0;
        let (found, tried) = search(Bisection::new(95, [1, 1000], 0.02, 5), |limit| {
            runs += 1;
            limit >= 100 || (limit >= 90 && runs % 2 == 1)
        });
        let Next::Found(found) = found else { panic!("{found:?}") };
        assert!((98..=104).contains(&found), "{found} of {tried:?}");
    }

    #[test]
    fn what_failed_once_is_not_the_answer() {
        // The one that is found first fails only the first time, and a tenth less survives at times.
        for period in [2, 3, 5] {
            let (mut runs, mut failed) = (0, Vec::new());
            let (found, tried) = search(Bisection::new(60, [1, 1000], 0.02, 5), |limit| {
                runs += 1;
                let survives = limit >= 55 || (limit >= 45 && runs % period == 0);
                failed.extend((!survives).then_some(limit));
                survives
            });
            let Next::Found(found) = found else { panic!("{found:?}") };
            assert!(failed.iter().all(|limit| *limit < found), "{found} failed: {tried:?}, {failed:?}");
            assert!(failed.contains(&less(found)), "a tenth less did not: {tried:?}, {failed:?}");
        }
    }

    #[test]
    fn nothing_below_the_least_is_tried() {
        for (need, least_found) in [(3, 16), (16, 16), (17, 17), (20, 20), (300, 300)] {
            for guess in [2, 16, 26, 200] {
                let (found, tried) = search(Bisection::new(guess, [16, 1000], 0.02, 5), |limit| limit >= need);
                let Next::Found(found) = found else { panic!("{found:?} of {need} from {guess}") };
                assert!(found >= least_found && found as f64 <= 1.03 * least_found as f64, "{found} of {need}");
                assert!(tried.iter().all(|limit| (16..=1000).contains(limit)), "{tried:?}");
                assert_eq!(tried.contains(&less(found)), less(found) >= 16, "{tried:?}");
            }
        }
    }

    #[test]
    fn it_ends_where_nothing_survives() {
        let (end, tried) = search(Bisection::new(10, [1, 100], 0.02, 5), |_| false);
        assert_eq!(end, Next::NotUpTo(100));
        assert!(tried.len() < 10, "{tried:?}");
        let (end, _) = search(Bisection::new(10, [1, 100], 0.02, 5), |limit| limit > 100);
        assert_eq!(end, Next::NotUpTo(100));
    }
}
