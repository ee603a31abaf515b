//! Fixed sequences of random numbers, which keep a verdict a pure function of its record.

use std::f64::consts::TAU;

/// The i-th of a sequence of 64 random bits (the mixer of splitmix64).
pub(crate) fn mixed(i: u64) -> u64 {
    let mut z = i.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The i-th of a sequence that is even between 0 and 1.
fn uniform(i: u64) -> f64 {
    (mixed(i) >> 11) as f64 / (1_u64 << 53) as f64
}

/// The i-th of a sequence of standard normal numbers (Box and Muller's transform).
pub(crate) fn normal(i: u64) -> f64 {
    let radius = (-2.0 * (1.0 - uniform(i.wrapping_mul(2))).ln()).sqrt();
    radius * (TAU * uniform(i.wrapping_mul(2).wrapping_add(1))).cos()
}
