//! Vectors as a pure function of (seed, dataset, row): nothing repeats, nothing is stored, anything can be recomputed.

use soak_scenario::Distribution;

use crate::hash::{bits32, gaussian, key, text_key};

/// Centres of the clustered distribution. Few enough that a cluster of some thousands of rows has more members than a graph looks at for one insertion (the
/// scenarios' `ef_construction` is 100), as a cluster of a deployment has: with fewer, every insertion goes through a third of the whole store.
pub const CLUSTERS: u64 = 32;

/// Rows from here on are query vectors: drawn like the data, never put.
pub const QUERY_ROWS: u64 = 1 << 40;

/// A row's second version (an upsert under the same id) is row + this.
pub const SECOND_VERSION: u64 = 1 << 48;

/// Centres spread √(variance) · 8, points around them · 3: clusters overlap a little, as embeddings do. In units of 1/4096.
const CENTRE_WEIGHT: i32 = 8;
const NOISE_WEIGHT: i32 = 3;
const CLUSTERED_SCALE: f32 = 1.0 / 4096.0;

/// The vectors of one dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vectors {
    distribution: Distribution,
    dim: u32,
    key: u64,
}

/// What of a row's components is the same for all of them, computed once a row.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    key: u64,
    centre: u64,
    scale: f32,
}

impl Vectors {
    /// The vectors of `dataset` under `seed`.
    pub fn new(distribution: Distribution, dim: u32, seed: u64, dataset: &str) -> Self {
        Self { distribution, dim, key: key(&[seed, text_key(dataset), u64::from(dim)]) }
    }

    /// Components of a vector.
    pub fn dim(&self) -> usize {
        self.dim as usize
    }

    /// Prepares a row. For [`Distribution::Normalised`] this walks all its components, for the norm.
    pub fn row(&self, row: u64) -> Row {
        let row_key = key(&[self.key, row]);
        let centre = key(&[self.key, u64::MAX, row_key % CLUSTERS]);
        let scale = match self.distribution {
            Distribution::Uniform => 1.0 / f32::from(1_u16 << 15) / f32::from(1_u16 << 8),
            Distribution::Clustered => CLUSTERED_SCALE,
            Distribution::Normalised => {
                // Integers, so that the norm is exact and the same on every machine.
                let squares: i64 = (0..self.dim).map(|at| i64::from(gaussian(row_key, at)).pow(2)).sum();
                (1.0 / (squares.max(1) as f64).sqrt()) as f32
            }
        };
        Row { key: row_key, centre, scale }
    }

    /// Writes the components from `from` on into `out`.
    pub fn fill(&self, row: Row, from: usize, out: &mut [f32]) {
        #[cfg(target_arch = "x86_64")]
        if std::is_x86_feature_detected!("avx2") {
            #[expect(unsafe_code, reason = "the processor has just been asked for the feature")]
            // SAFETY: AVX2 is there.
            unsafe {
                fill_avx2(self.distribution, row, from as u32, out);
            }
            return;
        }
        fill(self.distribution, row, from as u32, out);
    }

    /// The whole vector of a row.
    pub fn vector(&self, row: u64) -> Vec<f32> {
        let mut vector = vec![0.0; self.dim()];
        self.fill(self.row(row), 0, &mut vector);
        vector
    }
}

/// The same code, compiled for wider registers.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn fill_avx2(distribution: Distribution, row: Row, from: u32, out: &mut [f32]) {
    fill(distribution, row, from, out);
}

#[expect(clippy::inline_always, reason = "compiled twice, once into a function with wider registers")]
#[inline(always)]
fn fill(distribution: Distribution, row: Row, from: u32, out: &mut [f32]) {
    let places = (from..).zip(out);
    match distribution {
        Distribution::Uniform => places.for_each(|(at, component)| {
            *component = ((bits32(row.key, at) >> 8) as i32 - (1 << 23)) as f32 * row.scale;
        }),
        Distribution::Clustered => places.for_each(|(at, component)| {
            let units = CENTRE_WEIGHT * gaussian(row.centre, at) + NOISE_WEIGHT * gaussian(row.key, at);
            *component = units as f32 * row.scale;
        }),
        Distribution::Normalised => places.for_each(|(at, component)| {
            *component = gaussian(row.key, at) as f32 * row.scale;
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(distribution: Distribution) -> Vectors {
        Vectors::new(distribution, 128, 42, "soak")
    }

    /// FNV-1a over the bytes of the first hundred vectors.
    fn fingerprint(vectors: Vectors) -> u64 {
        let bytes = (0..100).flat_map(|row| vectors.vector(row)).flat_map(f32::to_le_bytes);
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    #[test]
    fn golden_fingerprints_pin_the_bytes() {
        let prints = Distribution::ALL.map(|distribution| format!("{:016x}", fingerprint(of(distribution))));
        assert_eq!(prints, ["edb58b56af70bbe5", "25e4022eb55e180e", "3bb9e4586e25868f"].map(str::to_owned));
    }

    #[test]
    fn a_part_is_the_part_of_the_whole() {
        for distribution in Distribution::ALL {
            let vectors = of(distribution);
            let whole = vectors.vector(9);
            let mut part = [0.0; 17];
            vectors.fill(vectors.row(9), 101, &mut part);
            let bits = |vector: &[f32]| vector.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&part), bits(&whole[101..118]));
            let mut scalar = vec![0.0; 128];
            fill(distribution, vectors.row(9), 0, &mut scalar);
            assert_eq!(bits(&scalar), bits(&whole), "both code paths give the same bytes");
        }
    }

    #[test]
    fn distributions_have_their_shapes() {
        let norm = of(Distribution::Normalised).vector(5).iter().map(|x| x * x).sum::<f32>();
        assert!((norm - 1.0).abs() < 1e-5, "norm {norm}");
        let uniform = of(Distribution::Uniform).vector(5);
        assert!(uniform.iter().all(|x| (-1.0..1.0).contains(x)) && uniform.iter().any(|x| *x < -0.5));
        let clustered = of(Distribution::Clustered);
        let distance = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f32>();
        let first = clustered.vector(0);
        let mut distances: Vec<f32> = (1..2000).map(|row| distance(&first, &clustered.vector(row))).collect();
        distances.sort_by(f32::total_cmp);
        assert!(
            distances[0] * 4.0 < distances[1000],
            "a row has near neighbours: {} {}",
            distances[0],
            distances[1000]
        );
    }

    #[test]
    fn no_vector_comes_twice() {
        let vectors = of(Distribution::Clustered);
        let rows = (0..500).chain(QUERY_ROWS..QUERY_ROWS + 500).chain(SECOND_VERSION..SECOND_VERSION + 500);
        let mut seen: Vec<Vec<u32>> =
            rows.map(|row| vectors.vector(row).into_iter().map(f32::to_bits).collect()).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 1500);
    }
}
