//! Paths that servers usually answer, and how an answer is known to be what it should be.

use soak_diagnosis::metrics_page::{self, Line};

/// Paths of metrics pages, the most usual one first.
pub(super) const METRICS: [&str; 6] =
    ["/metrics", "/actuator/prometheus", "/q/metrics", "/prometheus", "/api/metrics", "/stats/prometheus"];

/// Paths of health checks.
pub(super) const HEALTH: [&str; 7] =
    ["/v1/.well-known/ready", "/api/v2/heartbeat", "/readyz", "/healthz", "/livez", "/health", "/-/ready"];

/// A path that no server has: one that answers it answers anything.
pub(super) const NOBODYS: &str = "/soak-init-no-such-page";

/// An endpoint by purpose: the key in `[endpoints]`, what is asked, and what stands in the profile.
pub(super) struct Purpose {
    pub(super) key: &'static str,
    pub(super) path: &'static str,
    pub(super) endpoint: &'static str,
    /// Whether an answer is what it should be.
    pub(super) is: fn(&[u8]) -> bool,
}

/// What Go's net/http/pprof serves, and others imitate.
pub(super) const PPROF: [Purpose; 4] = [
    Purpose {
        key: "tasks",
        path: "/debug/pprof/goroutine?debug=2",
        endpoint: "GET /debug/pprof/goroutine?debug=2",
        is: is_task_dump,
    },
    Purpose { key: "heap_profile", path: "/debug/pprof/heap", endpoint: "GET /debug/pprof/heap", is: is_packed },
    Purpose {
        key: "cpu_profile",
        path: "/debug/pprof/profile?seconds=1",
        endpoint: "GET /debug/pprof/profile?seconds={seconds}",
        is: is_packed,
    },
    Purpose {
        key: "leaked_tasks",
        path: "/debug/pprof/goroutineleak?debug=1",
        endpoint: "GET /debug/pprof/goroutineleak?debug=1",
        is: is_leak_profile,
    },
];

/// Forces a collection. Only asked of a server whose heap profile answers.
pub(super) const COLLECT: &str = "GET /debug/pprof/heap?gc=1";

/// A pprof is packed with gzip.
fn is_packed(body: &[u8]) -> bool {
    body.starts_with(&[0x1f, 0x8b])
}

fn is_task_dump(body: &[u8]) -> bool {
    body.starts_with(b"goroutine ")
}

fn is_leak_profile(body: &[u8]) -> bool {
    body.starts_with(b"goroutineleak profile:")
}

/// What an answer is that should have been a metrics page.
pub(super) fn kind(text: &str) -> Result<(), &'static str> {
    let start = text.trim_start();
    if start.is_empty() {
        return Err("an empty answer");
    }
    if start.starts_with('<') {
        return Err("HTML");
    }
    if start.starts_with('{') || start.starts_with('[') {
        return Err("JSON");
    }
    let samples = metrics_page::parse(text).len();
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).count();
    let declared = text.lines().any(|line| line.starts_with("# TYPE "));
    // A page of prose has lines that look like a name and a number by chance.
    if samples > 0 && (declared || samples * 10 >= lines * 9) { Ok(()) } else { Err("text without metrics") }
}

/// Whether a metric of this beginning is on the page.
pub(super) fn has(lines: &[Line<'_>], beginning: &str) -> bool {
    lines.iter().any(|line| line.name.starts_with(beginning))
}
