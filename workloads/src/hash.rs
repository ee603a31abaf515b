//! Counter-based random bits: a pure function of a key and a position, so that any component of any vector can be recomputed on its own.
//!
//! The finaliser of `MurmurHash3` (Appleby, public domain) over position and key. It is no generator for statistics, but its bits are even, and it
//! vectorises: on AVX2 it outruns memory.

/// Mixes 64 bits: the finaliser of `SplitMix64` (Steele, Lea, Flood 2014).
pub(crate) const fn mix64(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A key from parts, order-dependent.
pub(crate) fn key(parts: &[u64]) -> u64 {
    parts.iter().fold(0, |key, part| mix64(key ^ part))
}

/// A key from a text.
pub(crate) fn text_key(text: &str) -> u64 {
    let bytes = text.bytes().map(u64::from);
    bytes.fold(text.len() as u64, |key, byte| mix64(key ^ byte))
}

/// 32 random bits for position `at` under `key`.
#[expect(clippy::inline_always, reason = "part of the vector loop, which is compiled twice for different registers")]
#[inline(always)]
pub(crate) const fn bits32(key: u64, at: u32) -> u32 {
    let mut x = at.wrapping_mul(0x9e37_79b9) ^ key as u32;
    x ^= x >> 16;
    x = x.wrapping_mul(0x85eb_ca6b);
    x ^= x >> 13;
    x = x.wrapping_add((key >> 32) as u32);
    x = x.wrapping_mul(0xc2b2_ae35);
    x ^ (x >> 16)
}

/// The sum of four random bytes less its mean: −510 to 510, variance 21845, nearly Gaussian (Irwin–Hall, n = 4).
#[expect(clippy::inline_always, reason = "part of the vector loop, which is compiled twice for different registers")]
#[inline(always)]
pub(crate) const fn gaussian(key: u64, at: u32) -> i32 {
    let bits = bits32(key, at);
    // Bytes are added in pairs: two 16-bit sums, then one.
    let pairs = (bits & 0x00ff_00ff) + ((bits >> 8) & 0x00ff_00ff);
    ((pairs & 0xffff) + (pairs >> 16)) as i32 - 510
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_even_and_keys_independent() {
        let ones: u32 = (0..10_000).map(|at| bits32(7, at).count_ones()).sum();
        assert!((158_500..161_500).contains(&ones), "{ones} of 320000 bits are set");
        let same = (0..10_000).filter(|at| bits32(7, *at) == bits32(8, *at)).count();
        assert!(same <= 1, "{same} equal values under different keys");
    }

    #[test]
    fn the_gaussian_has_its_moments() {
        let n = 100_000;
        let (sum, squares) =
            (0..n).map(|at| f64::from(gaussian(3, at))).fold((0.0, 0.0), |(s, q), x| (s + x, q + x * x));
        let (mean, variance) = (sum / f64::from(n), squares / f64::from(n));
        assert!(mean.abs() < 2.5, "mean {mean}");
        assert!((variance / 21_845.0 - 1.0).abs() < 0.03, "variance {variance}");
    }
}
