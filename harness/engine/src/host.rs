//! The machine in one line: numbers mean little without it.

use std::fs;

/// Kernel, cores, memory.
pub(crate) fn describe() -> String {
    let system = rustix::system::uname();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    let gib = kib.unwrap_or(0) as f64 / 1_048_576.0;
    format!(
        "{} {} {}, {cores} cores, {gib:.1} GiB",
        system.sysname().to_string_lossy(),
        system.release().to_string_lossy(),
        system.machine().to_string_lossy()
    )
}
