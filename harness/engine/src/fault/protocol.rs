//! stub
use super::Guard;
pub(super) async fn inject(
    injection: &soak_scenario::Injection,
    _at: crate::client::Planes,
    _spec: &crate::client::DataSpec,
    _deadline: std::time::Duration,
) -> Result<Box<dyn Guard>, String> {
    Err(injection.name().to_owned())
}
