//! Fast changes of level: a load that begins after idle time, a dataset that is dropped. No shape of the mean fits one exactly, and the misfit of a large change looks like slow noise that
//! hides any line. So the part after the last change is judged by itself as well.
//!
//! A change is a difference between two moments that stands far outside the series' own differences at that distance: the median absolute deviation adapts the bound to any noise,
//! and the median takes a steady line away.

use super::Prepared;
use crate::stats::location::median;

/// Distances, in blocks, at which differences are looked at.
const DISTANCES: [usize; 6] = [1, 2, 4, 8, 12, 16];
/// Deviations from the median of the differences.
const FAR: f64 = 8.0;
/// Normal deviations per median absolute deviation.
const PER_MAD: f64 = 1.4826;
/// Changes smaller than this part of the range are no matter.
const SMALL: f64 = 0.02;
/// Of the duration of a change, what is cut off after it.
const MARGIN: f64 = 0.25;
/// One change may come as late as this part of the series.
const LATEST: f64 = 0.7;
/// If changes came at random, a part without one as long as the last would be less likely than this.
const UNLIKELY: f64 = 0.2;
/// Where changes of any height leave no long part after them, those below these parts of the greatest are left to the judge of the part.
const HEIGHTS: [f64; 3] = [0.0, 0.05, 0.2];

/// The last fast change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// When it was over, in the times of the samples.
    pub ended_s: f64,
    /// How far it went, in the units of the values; negative for a fall.
    pub height: f64,
    /// Fast changes in all.
    pub count: usize,
    /// Whether so few changes in so short a time leave the long part after them as the one that counts.
    pub is_settled: bool,
}

/// The last fast change, if there is one. Times of `series` begin at 0, which is `start_s`.
pub(super) fn last(series: &Prepared, start_s: f64) -> Option<Change> {
    let (times_s, values) = (&series.times_s, &series.values);
    let n = values.len();
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let around = |i: usize| median(&values[i.saturating_sub(1)..(i + 2).min(n)]).unwrap_or(values[i]);
    let smooth: Vec<f64> = (0..n).map(around).collect();
    // How far the level goes where it changes, for the blocks between which it does.
    let mut changing = vec![0.0_f64; n];
    for distance in DISTANCES.into_iter().filter(|distance| 6 * distance < n) {
        let differences: Vec<f64> = (0..n - distance).map(|i| smooth[i + distance] - smooth[i]).collect();
        let middle = median(&differences)?;
        let deviations: Vec<f64> = differences.iter().map(|one| (one - middle).abs()).collect();
        let bound = (FAR * PER_MAD * median(&deviations)?).max(SMALL * (most - least));
        for (i, deviation) in deviations.iter().enumerate().filter(|(_, deviation)| **deviation > bound) {
            // Most of the change lies where most of the difference does.
            let steepest = (i..i + distance)
                .max_by(|a, b| (smooth[a + 1] - smooth[*a]).abs().total_cmp(&(smooth[b + 1] - smooth[*b]).abs()));
            if let Some(steepest) = steepest {
                changing[steepest] = changing[steepest].max(*deviation);
            }
        }
    }
    let greatest = changing.iter().copied().fold(0.0, f64::max);
    let found = HEIGHTS.map(|part| {
        let places: Vec<usize> = (0..n).filter(|i| changing[*i] > part * greatest).collect();
        of_places(&places, times_s, start_s, around)
    });
    found.into_iter().flatten().find(|change| change.is_settled).or(found[0])
}

/// The last of the changes at these places.
fn of_places(places: &[usize], times_s: &[f64], start_s: f64, around: impl Fn(usize) -> f64) -> Option<Change> {
    let n = times_s.len();
    let (first, end) = (*places.first()?, *places.last()? + 1);
    // Places that are close to each other are one change.
    let apart = (n / 30).max(2);
    let count = 1 + places.windows(2).filter(|pair| pair[1] - pair[0] > apart).count();
    let from = places.windows(2).rev().find(|pair| pair[1] - pair[0] > apart).map_or(first, |pair| pair[1]);
    let cut = (end + 2 + ((end - from) as f64 * MARGIN).ceil() as usize).min(n - 1);
    let part = times_s[cut] / times_s[n - 1];
    let is_settled = part <= LATEST && (count == 1 || part.powi(i32::try_from(count).ok()?) <= UNLIKELY);
    Some(Change { ended_s: start_s + times_s[cut], height: around(cut) - around(from), count, is_settled })
}
