//! The settings that a profile is started with: ends of ranges come from the scenario's schema, so that a wider range is tried as well.

use serde_json::Value;
use soak_scenario::{Profile, load_profile, schema_json};

/// Values for every knob.
#[derive(Debug, Clone)]
pub(crate) struct Set {
    /// What it is, for people.
    pub(crate) name: &'static str,
    /// The scenario's `[matrix]`, on one line.
    pub(crate) matrix: String,
}

/// The least or the greatest value (`minimum`, `maximum`) of a whole number in the matrix that the server takes by its profile.
fn end(profile: &Profile, knob: &str, end: &str) -> u64 {
    let schema: Value = schema_json();
    let of_scenarios = schema["properties"]["matrix"]["properties"][knob]["items"][end].as_u64().unwrap();
    match end {
        "minimum" => profile.at_least.get(knob).map_or(of_scenarios, |least| of_scenarios.max(*least)),
        _ => profile.at_most.get(knob).map_or(of_scenarios, |most| of_scenarios.min(*most)),
    }
}

/// All that a profile is started with.
pub(crate) fn sets(profile: &str) -> Vec<Set> {
    let profile = load_profile(profile).unwrap();
    let whole = |at: &str| {
        let [dim, m, ef] = ["dim", "hnsw_m", "ef_construction"].map(|knob| end(&profile, knob, at));
        format!("dim=[{dim}],hnsw_m=[{m}],ef_construction=[{ef}]")
    };
    let gogc_least = profile.at_least.get("gogc").copied().unwrap_or(1);
    let off = "gogc=[\"off\"],gomemlimit=[\"off\"],memory_limit=[\"off\"],compaction_interval=[\"off\"]";
    let middle = "dim=[384],gogc=[75],gomemlimit=[\"1536MiB\"],memory_limit=[\"4GiB\"],hnsw_m=[16],ef_construction=[64],compaction_interval=[\"90s\"]";
    // A soft limit below what a server holds when idle leaves no room for a batch, and Weaviate says so.
    let least = format!("gogc=[{gogc_least}],gomemlimit=[\"256MiB\"],compaction_interval=[\"1ms\"]");
    let most = "gogc=[2147483647],gomemlimit=[\"8000TiB\"],memory_limit=[\"8000TiB\"],compaction_interval=[\"8760h\"]";
    let mut sets = vec![
        Set { name: "default", matrix: String::new() },
        Set { name: "off", matrix: off.to_owned() },
        Set { name: "middle", matrix: middle.to_owned() },
        Set { name: "in minutes", matrix: "compaction_interval=[\"2min\"]".to_owned() },
        Set { name: "least", matrix: format!("{},{least}", whole("minimum")) },
        Set { name: "most", matrix: format!("{},{most}", whole("maximum")) },
    ];
    if profile.requests.create.as_ref().is_some_and(|create| !create.is_batch()) {
        // A server of things has none of these settings.
        sets.truncate(1);
    }
    sets
}
