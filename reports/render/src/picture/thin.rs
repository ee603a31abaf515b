//! Thins a series to what a chart can show: the least and the greatest value of each column of pixels, so that no peak is lost.

use soak_record::Series;
use soak_verdict::stats::location::median;

/// A break in the samples longer than this many usual steps is left open instead of bridged.
const GAP_STEPS: f64 = 12.0;

/// The runs of points between gaps, each at most two points a bucket, in order of time.
pub(super) fn thin(series: &Series, [from_s, to_s]: [f64; 2], buckets: usize) -> Vec<Vec<(f64, f64)>> {
    let (times, values) = series.within(from_s, to_s);
    let width = (to_s - from_s) / buckets.max(1) as f64;
    if times.is_empty() || width <= 0.0 {
        return Vec::new();
    }
    let steps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let gap = f64::max(GAP_STEPS * median(&steps).unwrap_or(0.0), 4.0 * width);
    let mut runs: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut run = Vec::new();
    let mut bucket: Option<Bucket> = None;
    let mut last = times[0];
    for (&time, &value) in times.iter().zip(values) {
        let index = ((time - from_s) / width) as usize;
        let is_gap = time - last > gap;
        if let Some(full) = bucket.take_if(|bucket| bucket.index != index || is_gap) {
            full.pour(&mut run);
        }
        if is_gap {
            runs.push(std::mem::take(&mut run));
        }
        last = time;
        bucket.get_or_insert(Bucket { index, least: (time, value), greatest: (time, value) }).add(time, value);
    }
    if let Some(bucket) = bucket {
        bucket.pour(&mut run);
    }
    runs.push(run);
    runs
}

struct Bucket {
    index: usize,
    least: (f64, f64),
    greatest: (f64, f64),
}

impl Bucket {
    fn add(&mut self, time: f64, value: f64) {
        if value < self.least.1 {
            self.least = (time, value);
        }
        if value > self.greatest.1 {
            self.greatest = (time, value);
        }
    }

    fn pour(self, run: &mut Vec<(f64, f64)>) {
        let (first, second) =
            if self.least.0 <= self.greatest.0 { (self.least, self.greatest) } else { (self.greatest, self.least) };
        run.push(first);
        if second.0 > first.0 {
            run.push(second);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_peak_survives() {
        let mut series = Series::default();
        for i in 0..100_000 {
            series.push(f64::from(i), if i == 54_321 { 1000.0 } else { f64::from(i % 7) });
        }
        let runs = thin(&series, [0.0, 99_999.0], 400);
        assert_eq!(runs.len(), 1);
        assert!(runs[0].len() <= 802, "{}", runs[0].len());
        assert!(runs[0].contains(&(54_321.0, 1000.0)));
        assert!(runs[0].windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(runs[0].iter().any(|(_, value)| *value == 0.0));
    }

    #[test]
    fn gaps_stay_open() {
        let mut series = Series::default();
        (0..100).filter(|i| !(40..70).contains(i)).for_each(|i| series.push(f64::from(i), 1.0));
        assert_eq!(thin(&series, [0.0, 100.0], 1000).len(), 2);
        assert_eq!(thin(&series, [0.0, 100.0], 3).len(), 1);
    }

    #[test]
    fn few_points_stay_as_they_are() {
        let mut series = Series::default();
        for time in [1.0, 2.0, 3.0] {
            series.push(time, time);
        }
        assert_eq!(thin(&series, [0.0, 4.0], 400).concat(), [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]);
        assert!(thin(&series, [1.0, 1.0], 400).is_empty());
        assert!(thin(&Series::default(), [0.0, 4.0], 400).is_empty());
    }
}
