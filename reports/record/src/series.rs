//! A series as the judge sees it: times and values, gaps left as they are.

/// Values over time. Times are seconds since the run began, strictly increasing; nothing is interpolated, and what was not read is not there.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// When, in seconds.
    pub times_s: Vec<f64>,
    /// What, in the unit that the series' name ends with.
    pub values: Vec<f64>,
}

impl Series {
    /// Number of points.
    pub fn len(&self) -> usize {
        self.times_s.len()
    }

    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        self.times_s.is_empty()
    }

    /// The points with `from_s <= time <= to_s`: times and values.
    pub fn within(&self, from_s: f64, to_s: f64) -> (&[f64], &[f64]) {
        let start = self.times_s.partition_point(|time| *time < from_s);
        let end = self.times_s.partition_point(|time| *time <= to_s).max(start);
        (&self.times_s[start..end], &self.values[start..end])
    }

    /// The value at a time, on the line between the points around it; `None` before the first and after the last.
    pub fn at(&self, time_s: f64) -> Option<f64> {
        let next = self.times_s.partition_point(|time| *time < time_s);
        let (after_s, after) = (*self.times_s.get(next)?, *self.values.get(next)?);
        if after_s <= time_s {
            return Some(after);
        }
        let (before_s, before) = (self.times_s[next.checked_sub(1)?], self.values[next - 1]);
        Some(before + (after - before) * (time_s - before_s) / (after_s - before_s))
    }

    /// Appends a point; one that does not come after the last is ignored.
    pub fn push(&mut self, at_s: f64, value: f64) {
        if self.times_s.last().is_none_or(|last| at_s > *last) && value.is_finite() {
            self.times_s.push(at_s);
            self.values.push(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_two_points_a_value_is_on_their_line() {
        let mut series = Series::default();
        series.push(1.0, 10.0);
        series.push(3.0, 30.0);
        assert_eq!(
            [0.9, 1.0, 1.5, 3.0, 3.1].map(|at_s| series.at(at_s)),
            [None, Some(10.0), Some(15.0), Some(30.0), None]
        );
    }

    #[test]
    fn a_window_takes_both_ends() {
        let mut series = Series::default();
        for time in 0..5 {
            series.push(f64::from(time), f64::from(time) * 10.0);
        }
        series.push(3.0, 99.0);
        assert_eq!(series.within(1.0, 3.0).1, [10.0, 20.0, 30.0]);
        assert!(series.within(3.5, 1.0).1.is_empty());
        assert_eq!(series.len(), 5);
    }
}
