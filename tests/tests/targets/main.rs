//! Both stores from outside, by one contract: memory as the kernel sees it, misbehaviours against their ground truth, pyarrow as client and server.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as a test does")]

/// Runs each of these tests against either store.
macro_rules! for_both_stores {
    ($($test:ident),* $(,)?) => {
        mod embedded {
            $(#[test] fn $test() { super::$test(soak_tests::Kind::Embedded); })*
        }
        mod go {
            $(#[test] fn $test() { super::$test(soak_tests::Kind::Go); })*
        }
    };
}

mod admin;
mod calibration;
mod durability;
mod memory;
mod pyarrow;
mod store;
mod switched_leak;
