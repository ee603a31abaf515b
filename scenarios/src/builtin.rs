//! The scenarios and profiles that are part of the binary, so that a bare name works from any folder.

/// A file that is part of the binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Builtin {
    /// Its name, without `.toml`.
    pub name: &'static str,
    /// Its title, the first comment-free line that people read.
    pub title: &'static str,
    /// All of it.
    pub text: &'static str,
}

const SCENARIOS: &[(&str, &str)] = &[
    ("gate", include_str!("../gate.toml")),
    ("scenario1", include_str!("../scenario1.toml")),
    ("scenario2", include_str!("../scenario2.toml")),
    ("scenario3", include_str!("../scenario3.toml")),
    ("scenario4", include_str!("../scenario4.toml")),
    ("scenario5", include_str!("../scenario5.toml")),
    ("chaos-limit-shrink", include_str!("../chaos-limit-shrink.toml")),
    ("chaos-balloon", include_str!("../chaos-balloon.toml")),
    ("chaos-kill", include_str!("../chaos-kill.toml")),
    ("chaos-pause", include_str!("../chaos-pause.toml")),
    ("chaos-network", include_str!("../chaos-network.toml")),
    ("chaos-leak", include_str!("../chaos-leak.toml")),
    ("chaos-protocol", include_str!("../chaos-protocol.toml")),
    ("chaos-random", include_str!("../chaos-random.toml")),
    ("guts-growth", include_str!("../guts-growth.toml")),
    ("guts-connections", include_str!("../guts-connections.toml")),
    ("prove", include_str!("../prove.toml")),
    ("capacity", include_str!("../capacity.toml")),
];
const PROFILES: &[(&str, &str)] = &[
    ("reference", include_str!("../profiles/reference.toml")),
    ("go", include_str!("../profiles/go.toml")),
    ("longbow", include_str!("../profiles/longbow.toml")),
    ("longbow-runbook", include_str!("../profiles/longbow-runbook.toml")),
    ("guts", include_str!("../profiles/guts.toml")),
    ("weaviate", include_str!("../profiles/weaviate.toml")),
    ("chroma", include_str!("../profiles/chroma.toml")),
    ("qdrant", include_str!("../profiles/qdrant.toml")),
];

/// The built-in scenarios, in the order of the runbook.
pub fn builtin_scenarios() -> Vec<Builtin> {
    SCENARIOS.iter().map(|(name, text)| builtin(name, text)).collect()
}

/// The built-in profiles.
pub fn builtin_profiles() -> Vec<Builtin> {
    PROFILES.iter().map(|(name, text)| builtin(name, text)).collect()
}

fn builtin(name: &'static str, text: &'static str) -> Builtin {
    // A title is one line by the files' own test, so no parser is needed to list them.
    let title = text.lines().find_map(|line| line.strip_prefix("title = \"")?.strip_suffix('"'));
    Builtin { name, title: title.unwrap_or(name), text }
}

/// The one of this name, with or without `.toml`.
pub(crate) fn find(among: &[Builtin], name: &str) -> Option<Builtin> {
    let name = name.strip_suffix(".toml").unwrap_or(name);
    among.iter().find(|builtin| builtin.name == name).copied()
}
