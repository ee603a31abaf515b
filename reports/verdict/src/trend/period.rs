//! A period in a series: a compaction every few minutes, a collector's saw-tooth. Where there is one, its harmonics are nuisances; left in the noise they
//! would hide a slope.

use std::f64::consts::TAU;

use super::basis::Basis;
use super::posterior::{Design, Posterior, Scale};
use super::shape::{Filling, Shape};

/// A period must fit this often into the series, or it is a trend.
const CYCLES_AT_LEAST: f64 = 4.0;
/// Peaks of the spectrum that are followed up, and periods that are taken for the same.
const PEAKS: usize = 4;
const SAME: f64 = 0.02;
/// Time constants of warm-ups, as parts of the length: a steep one has more power than a period.
const WARM_UPS: [f64; 2] = [0.04, 0.1];
/// Numbers of harmonics that are compared: a sine, a rounded saw, a sharp one.
const HARMONICS: [usize; 5] = [1, 2, 4, 8, 12];
/// ln of likelihood, less its cost, by which a period must be better than none.
const BETTER_BY: f64 = 3.0;

/// A period that the series has.
#[derive(Debug, Clone)]
pub(crate) struct Period {
    pub(crate) seconds: f64,
    /// Sines and cosines of the harmonics.
    pub(crate) columns: Vec<Vec<f64>>,
}

/// The period that explains most, if any does. `known` are nuisances beside it.
pub(crate) fn find(times_s: &[f64], values: &[f64], known: &[Vec<f64>], scale: Scale) -> Option<Period> {
    let shapes = shapes(*times_s.last()?);
    let likelihood = |nuisances: &[Vec<f64>]| {
        Posterior::of(&Design { times_s, values, nuisances }, &shapes, scale).map(|posterior| posterior.log_likelihood)
    };
    let without = likelihood(known)?;
    let step_s = typical_step(times_s)?;
    let mut best: Option<(f64, Period)> = None;
    for seconds in candidates(times_s, values) {
        for harmonics in HARMONICS {
            if seconds < 2.5 * step_s * harmonics as f64 {
                break;
            }
            let columns = columns(times_s, seconds, harmonics);
            let nuisances: Vec<Vec<f64>> = known.iter().chain(&columns).cloned().collect();
            // Schwarz's half logarithm for each coefficient; the search for the period costs one more.
            let cost = 0.5 * (columns.len() + 1) as f64 * (values.len() as f64).ln();
            let Some(found) = likelihood(&nuisances).map(|found| found - cost) else { continue };
            if found > without + BETTER_BY && best.as_ref().is_none_or(|(best, _)| found > *best) {
                best = Some((found, Period { seconds, columns }));
            }
        }
    }
    best.map(|(_, period)| period)
}

/// Few shapes are enough to tell whether there is a period.
fn shapes(length_s: f64) -> Vec<(Shape, f64)> {
    let line = Shape { line: true, ..Shape::LEVEL };
    let step = Shape { step_at_s: Some(0.5 * length_s), ..line };
    let fillings = WARM_UPS.map(|part| Shape { filling: Some(Filling::Slowing(part * length_s)), ..line });
    [Shape::LEVEL, line, step].into_iter().chain(fillings).map(|shape| (shape, 0.2)).collect()
}

fn columns(times_s: &[f64], seconds: f64, harmonics: usize) -> Vec<Vec<f64>> {
    let wave = |harmonic: usize, shift: f64| {
        times_s.iter().map(|time| (TAU * harmonic as f64 * time / seconds + shift).cos()).collect()
    };
    (1..=harmonics).flat_map(|harmonic| [wave(harmonic, 0.0), wave(harmonic, -0.25 * TAU)]).collect()
}

fn typical_step(times_s: &[f64]) -> Option<f64> {
    let steps: Vec<f64> = times_s.windows(2).map(|pair| pair[1] - pair[0]).collect();
    crate::stats::location::median(&steps).filter(|step| *step > 0.0)
}

/// Periods at which the detrended series has most power against its neighbourhood, the highest peaks first.
fn candidates(times_s: &[f64], values: &[f64]) -> Vec<f64> {
    let (Some(length_s), Some(step_s)) = (times_s.last().copied(), typical_step(times_s)) else { return Vec::new() };
    let values = detrended(times_s, values);
    // Twice as fine as the length resolves.
    let count = (2.0 * (0.4 * length_s / step_s - CYCLES_AT_LEAST)).max(0.0) as usize;
    let frequencies: Vec<f64> = (0..count).map(|i| (CYCLES_AT_LEAST + 0.5 * i as f64) / length_s).collect();
    let power: Vec<f64> = frequencies.iter().map(|frequency| power(times_s, &values, *frequency)).collect();
    let prominence = |i: usize| {
        let around = &power[i.saturating_sub(8)..(i + 9).min(power.len())];
        power[i] / crate::stats::location::median(around).unwrap_or(1.0).max(f64::MIN_POSITIVE)
    };
    let is_peak =
        |i: &usize| (*i == 0 || power[*i] >= power[*i - 1]) && (*i + 1 == power.len() || power[*i] >= power[*i + 1]);
    let mut peaks: Vec<usize> = (0..power.len()).filter(is_peak).collect();
    peaks.sort_by(|a, b| prominence(*b).total_cmp(&prominence(*a)));
    let mut found: Vec<f64> = Vec::new();
    for i in peaks.into_iter().take(PEAKS) {
        // A sharp saw may show its second or third harmonic more than itself.
        for part in [1.0, 2.0, 3.0] {
            let frequency = frequencies[i] / part;
            if frequency * length_s >= CYCLES_AT_LEAST {
                let seconds = refined(times_s, &values, frequency, length_s).recip();
                if found.iter().all(|other| (other / seconds - 1.0).abs() > SAME) {
                    found.push(seconds);
                }
            }
        }
    }
    found
}

/// The frequency near this one at which the first harmonics have most power: the eighth of them is out of step with the series already where the first hardly is.
fn refined(times_s: &[f64], values: &[f64], frequency: f64, length_s: f64) -> f64 {
    let near = (-25..=25).map(|i| frequency + 0.02 * f64::from(i) / length_s);
    let score =
        |frequency: f64| (1..=4).map(|harmonic| power(times_s, values, f64::from(harmonic) * frequency)).sum::<f64>();
    near.map(|frequency| (frequency, score(frequency)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map_or(frequency, |(best, _)| best)
}

fn power(times_s: &[f64], values: &[f64], frequency: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (time, value) in times_s.iter().zip(values) {
        let (sin, cos) = (TAU * frequency * time).sin_cos();
        re += value * cos;
        im += value * sin;
    }
    re * re + im * im
}

/// Without its parabola and its warm-up by least squares: what is slower than any period, or no period.
fn detrended(times_s: &[f64], values: &[f64]) -> Vec<f64> {
    let middle = 0.5 * times_s.last().copied().unwrap_or(0.0);
    let powers =
        |power: i32| times_s.iter().map(|time| ((time - middle) / middle.max(1e-9)).powi(power)).collect::<Vec<f64>>();
    let mut basis = Basis::default();
    for power in 0..3 {
        basis.add(powers(power));
    }
    for part in WARM_UPS {
        basis.add(super::shape::filling(times_s, Filling::Slowing(2.0 * part * middle)));
    }
    basis.cleared(values.to_vec())
}
