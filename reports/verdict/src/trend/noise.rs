//! What a memory series does when nothing happens to it: a part that remembers, and a part that does not.
//!
//! The covariance of two samples is σ²·[(1 − w)·exp(−|Δt|/τ) + w·(Δt = 0)]: a first-order autoregression in continuous time with correlation time τ, seen
//! through white noise of share w. A Kalman filter of one state turns samples, whenever they were taken, into independent ones (Jones 1981,
//! “Fitting a continuous time autoregression to discrete data”); gaps need no filling.

/// One shape of noise; its size σ is not part of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Noise {
    /// Correlation time in seconds; 0 is white noise.
    pub(crate) tau_s: f64,
    /// Share of the variance that is white.
    pub(crate) white: f64,
}

/// Correlation times that are tried, as parts of the whole length: evenly spaced by ratio. A process slower than the last cannot be told from a trend.
const TAUS: [f64; 6] = [1.0 / 192.0, 1.0 / 96.0, 1.0 / 48.0, 1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0];
const WHITE: [f64; 4] = [0.0, 0.2, 0.5, 0.8];

impl Noise {
    /// Every shape that is tried for a series of this length.
    pub(crate) fn grid(length_s: f64) -> Vec<Self> {
        let slow = TAUS.iter().flat_map(|part| WHITE.map(|white| Self { tau_s: part * length_s, white }));
        std::iter::once(Self { tau_s: 0.0, white: 1.0 }).chain(slow).collect()
    }

    /// The filter for samples at these times, in seconds, ascending.
    pub(crate) fn filter(self, times_s: &[f64]) -> Filter {
        let own = if self.tau_s > 0.0 { 1.0 - self.white } else { 0.0 };
        let white = 1.0 - own;
        let mut steps = Vec::with_capacity(times_s.len());
        let (mut variance, mut log_determinant) = (own, 0.0);
        let mut last = None;
        for at_s in times_s {
            let since_s: Option<f64> = last.map(|last| at_s - last).filter(|_| self.tau_s > 0.0);
            let memory = since_s.map_or(0.0, |since_s| (-since_s / self.tau_s).exp());
            variance = memory * memory * variance + own * (1.0 - memory * memory);
            // A little white noise keeps two samples at one moment from dividing by nothing.
            let innovation = (variance + white).max(1e-9);
            let gain = variance / innovation;
            steps.push(FilterStep { memory, gain, scale: innovation.sqrt().recip() });
            log_determinant += innovation.ln();
            variance *= 1.0 - gain;
            last = Some(*at_s);
        }
        Filter { steps, log_determinant }
    }
}

/// Makes noise of one shape white, for samples at given times.
pub(crate) struct Filter {
    steps: Vec<FilterStep>,
    /// ln |V| of the covariance V with σ = 1.
    pub(crate) log_determinant: f64,
}

struct FilterStep {
    memory: f64,
    gain: f64,
    scale: f64,
}

impl Filter {
    /// A series, or a column of a model, as the filter leaves it.
    pub(crate) fn whiten(&self, values: &[f64]) -> Vec<f64> {
        let mut state = 0.0;
        let whitened = self.steps.iter().zip(values).map(|(step, value)| {
            state *= step.memory;
            let innovation = value - state;
            state += step.gain * innovation;
            innovation * step.scale
        });
        whitened.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by the covariance matrix itself: L⁻¹·x of its Cholesky factor.
    fn by_matrix(noise: Noise, times_s: &[f64], values: &[f64]) -> (Vec<f64>, f64) {
        let n = times_s.len();
        let covariance = |i: usize, j: usize| {
            let slow = if noise.tau_s > 0.0 {
                (1.0 - noise.white) * (-(times_s[i] - times_s[j]).abs() / noise.tau_s).exp()
            } else {
                0.0
            };
            let own = if noise.tau_s > 0.0 { noise.white } else { 1.0 };
            slow + if i == j { own } else { 0.0 }
        };
        let mut lower = vec![vec![0.0; n]; n];
        for i in 0..n {
            for j in 0..=i {
                let sum: f64 = (0..j).map(|k| lower[i][k] * lower[j][k]).sum();
                lower[i][j] =
                    if i == j { (covariance(i, i) - sum).sqrt() } else { (covariance(i, j) - sum) / lower[j][j] };
            }
        }
        let mut white: Vec<f64> = Vec::new();
        for i in 0..n {
            let sum: f64 = (0..i).map(|k| lower[i][k] * white[k]).sum();
            white.push((values[i] - sum) / lower[i][i]);
        }
        (white, (0..n).map(|i| 2.0 * lower[i][i].ln()).sum())
    }

    #[test]
    fn the_filter_is_the_inverse_root_of_the_covariance() {
        let times = [0.0, 10.0, 20.0, 75.0, 80.0, 200.0, 201.0];
        let values = [1.0, 4.0, -2.0, 3.0, 3.5, 0.0, 7.0];
        for noise in Noise::grid(240.0) {
            let filter = noise.filter(&times);
            let (white, log_determinant) = by_matrix(noise, &times, &values);
            for (found, expected) in filter.whiten(&values).iter().zip(&white) {
                assert!((found - expected).abs() < 1e-9, "{noise:?}: {found} {expected}");
            }
            assert!((filter.log_determinant - log_determinant).abs() < 1e-9, "{noise:?}");
        }
    }
}
