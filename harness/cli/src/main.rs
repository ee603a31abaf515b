//! The `soak` binary.
fn main() {}
