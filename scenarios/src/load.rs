//! From what a person typed to a plan: find the file, lay the pace and the edits over it, check, expand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::assemble::{Parts, assemble};
use crate::builtin::{builtin_scenarios, find};
use crate::check::{Checker, missing_in};
use crate::diagnostic::{Diagnostic, Severity, did_you_mean, nearest, one_of};
use crate::dose::has_control;
use crate::edit::parse_edit;
use crate::launch::{self, Attach, ContainerLaunch, Launch};
use crate::merge::{fill_defaults, merge, to_json};
use crate::plan::{BUILT_IN, IgnoredAxis, Pace, Plan, Variant};
use crate::profile::Profile;
use crate::shape::{Field, Kind};
use crate::source::{Origin, Source, SourceKind};
use crate::tree::{Node, Table, Value, parse_document};
use crate::{fault_rules, glob, matrix, profile_file, rules, scenario_shape};

/// What a person asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// A path, or the name of a built-in scenario; a path that exists wins.
    pub scenario: &'a str,
    /// `--pace`; else the file's, else quick.
    pub pace: Option<Pace>,
    /// `--seed`; else the file's, else 1.
    pub seed: Option<u64>,
    /// `--target`; else the `[container]` table of the scenario or the profile, else embedded.
    pub target: Option<&'a str>,
    /// Each `--set path.to.key=value`, in order; later ones win.
    pub edits: &'a [String],
    /// `--only`: a glob of variant ids.
    pub only: Option<&'a str>,
}

/// A plan, and what is odd about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The plan.
    pub plan: Plan,
    /// Diagnostics of [`Severity::Warning`].
    pub warnings: Vec<Diagnostic>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Neither a file nor a built-in scenario.
    #[error("there is no scenario `{asked}`: neither a file nor one of the built-in {}", builtin.join(", "))]
    NotFound {
        /// What was asked for.
        asked: String,
        /// The built-in names.
        builtin: Vec<String>,
        /// The built-in name nearest to it.
        nearest: Option<String>,
    },
    /// The file is there and cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The scenario, its profile or the command line is wrong; at least one of these is an error.
    #[error("{}", summary(diagnostics))]
    Invalid {
        /// Every mistake and warning, in the order of the text.
        diagnostics: Vec<Diagnostic>,
    },
}

fn summary(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|one| one.severity == Severity::Error).count();
    let s = if errors == 1 { "" } else { "s" };
    let name = diagnostics.first().map_or("scenario", |one| &one.source_name);
    format!("{errors} mistake{s} in {name}")
}

/// A text to load, and where it is from.
struct Found {
    /// Of the diagnostics.
    name: String,
    /// Of the plan.
    source: String,
    text: String,
    /// What a profile's path is relative to.
    folder: Option<PathBuf>,
}

/// Finds, checks and expands a scenario.
pub fn load(request: &Request<'_>) -> Result<Loaded, LoadError> {
    let found = find_scenario(request.scenario)?;
    plan(found, request)
}

/// The same for a text that is already there; `name` stands in diagnostics, and a profile's path is relative to the current folder.
pub fn load_text(name: &str, text: &str, request: &Request<'_>) -> Result<Loaded, LoadError> {
    plan(Found { name: name.to_owned(), source: name.to_owned(), text: text.to_owned(), folder: None }, request)
}

fn find_scenario(asked: &str) -> Result<Found, LoadError> {
    let path = Path::new(asked);
    let scenarios = builtin_scenarios();
    let builtin = find(&scenarios, asked);
    // A folder that happens to have a scenario's name does not hide it.
    if path.exists() && !(path.is_dir() && builtin.is_some()) {
        let text =
            std::fs::read_to_string(path).map_err(|source| LoadError::Unreadable { path: path.to_owned(), source })?;
        let folder = path.parent().map(Path::to_owned);
        return Ok(Found { name: asked.to_owned(), source: asked.to_owned(), text, folder });
    }
    if let Some(builtin) = builtin {
        let name = format!("built-in {}.toml", builtin.name);
        return Ok(Found { name, source: BUILT_IN.to_owned(), text: builtin.text.to_owned(), folder: None });
    }
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or(asked);
    Err(LoadError::NotFound {
        asked: asked.to_owned(),
        nearest: nearest(stem, scenarios.iter().map(|one| one.name)).map(str::to_owned),
        builtin: scenarios.iter().map(|one| one.name.to_owned()).collect(),
    })
}

/// Everything that goes on being collected while a scenario is loaded.
struct Loading {
    root: Node,
    removed: BTreeSet<String>,
    mistakes: Vec<Diagnostic>,
}

fn plan(found: Found, request: &Request<'_>) -> Result<Loaded, LoadError> {
    let source = Source::new(found.name, SourceKind::File, found.text);
    let (mut loading, broken) = read(&source);
    if broken {
        return Err(invalid(loading.mistakes));
    }
    let pace = loading.lay_over(request);
    loading.complete(&source);
    let profile = loading.profile(found.folder.as_deref(), request.target);
    let launch = loading.launch(request.target, profile.as_ref(), found.folder.as_deref());
    let seed = request.seed.unwrap_or_else(|| loading.file_seed());
    let ignores = profile.as_ref().map(|profile| profile.ignores.clone()).unwrap_or_default();
    let (variants, ignored) = loading.variants(seed, request.only, &ignores);
    let edits = request.edits.to_vec();
    let parts = Parts { source: found.source, pace, seed, launch, profile, variants, ignored, edits };
    let mut plan = assemble(&loading.root, parts);
    if let Ok(plan) = plan.as_mut()
        && plan.is_built_in()
    {
        plan.adapt(|key| loading.root.origin_of(&key.split('.').collect::<Vec<_>>()).is_command_line());
    }
    if let Ok(plan) = &plan {
        loading.mistakes.extend(rules::check(plan, &loading.root, &loading.removed));
        loading.mistakes.extend(fault_rules::check(plan, &loading.root, &loading.removed));
    }
    sort(&mut loading.mistakes);
    match plan {
        Ok(mut plan) if loading.mistakes.iter().all(|one| one.severity == Severity::Warning) => {
            if loading.wants_control(pace) {
                plan.add_controls();
            }
            Ok(Loaded { plan, warnings: loading.mistakes })
        }
        Ok(_) => Err(invalid(loading.mistakes)),
        Err(why) => {
            if loading.mistakes.is_empty() {
                // Unreachable as long as shapes and types agree, which a test holds; still better said than panicked.
                let message = format!("the checked scenario does not fit a plan: {why}");
                loading.mistakes.push(Diagnostic::new(&Origin::top(&source), message, ""));
            }
            Err(invalid(loading.mistakes))
        }
    }
}

fn invalid(diagnostics: Vec<Diagnostic>) -> LoadError {
    LoadError::Invalid { diagnostics }
}

/// In the order of the text; the scenario before its profile before the command line is how the stages come anyway.
fn sort(mistakes: &mut [Diagnostic]) {
    let mut order: Vec<Arc<str>> = Vec::new();
    for mistake in mistakes.iter() {
        if !order.contains(&mistake.source_text) {
            order.push(Arc::clone(&mistake.source_text));
        }
    }
    let rank = |text: &Arc<str>| order.iter().position(|other| other == text);
    mistakes.sort_by_key(|one| (rank(&one.source_text), one.span.start, one.span.end));
}

/// Reads and checks the file alone. With broken syntax, only what lies on other lines can be judged, and nothing further.
fn read(source: &Arc<Source>) -> (Loading, bool) {
    let mut mistakes = Vec::new();
    let root = parse_document(source, &mut mistakes);
    let mut checker = Checker::new(scenario_shape::scenario());
    let root = checker.check(root);
    let broken = !mistakes.is_empty();
    mistakes.dedup();
    mistakes.iter_mut().for_each(explain_pace);
    let lines: BTreeSet<usize> = mistakes.iter().map(|one| one.position().0).collect();
    mistakes.extend(checker.mistakes.into_iter().filter(|one| !lines.contains(&one.position().0)));
    sort(&mut mistakes);
    (Loading { root, removed: checker.removed, mistakes }, broken)
}

/// TOML cannot have both a word and a table under one name, and this is the one place where a scenario tempts to it.
fn explain_pace(mistake: &mut Diagnostic) {
    let twice = ["duplicate key", "cannot extend"].iter().any(|part| mistake.message.contains(part));
    let line = mistake.source_text[..mistake.span.end].lines().last().unwrap_or_default();
    if twice && line.trim_start_matches(['[', ' ']).starts_with("pace") {
        let help = "beside sections such as [pace.gate], write the default as pace.default = \"gate\"";
        mistake.help = Some(help.to_owned());
    }
}

impl Loading {
    /// Lays the pace's section, then the edits, over the file; returns the pace.
    fn lay_over(&mut self, request: &Request<'_>) -> Pace {
        let mut edits = Vec::new();
        let mut chosen = self.root.at(&["pace"]).and_then(pace_in);
        for edit in request.edits {
            let Some(edit) = parse_edit(edit, &mut self.mistakes) else { continue };
            let mut checker = Checker::new(scenario_shape::scenario());
            let mut edit = checker.check(edit);
            self.mistakes.append(&mut checker.mistakes);
            self.removed.append(&mut checker.removed);
            if let Some(pace) = take(&mut edit, "pace") {
                chosen = pace_in(&pace).or(chosen);
                self.refuse_pace_sections(&pace);
            }
            edits.push(edit);
        }
        let pace = request.pace.or(chosen).unwrap_or_default();
        let overrides = take(&mut self.root, "pace").and_then(|node| node.at(&[pace.name()]).cloned());
        let shape = scenario_shape::scenario();
        for layer in overrides.into_iter().chain(edits) {
            merge(&mut self.root, layer, shape);
        }
        let prefix = format!("pace.{}.", pace.name());
        let of_pace: Vec<String> =
            self.removed.iter().filter_map(|path| path.strip_prefix(&prefix)).map(str::to_owned).collect();
        self.removed.extend(of_pace);
        pace
    }

    fn refuse_pace_sections(&mut self, pace: &Node) {
        let sections = pace.table().into_iter().flatten().filter(|(name, _)| *name != "default");
        for (name, entry) in sections {
            let message = format!("an edit cannot reach into [pace.{name}]");
            let help = "edits apply to the chosen pace: leave the first two names out, as in cycle.count=9".to_owned();
            self.mistakes.push(Diagnostic::new(&entry.key, message, "expected the plain path").with_help(help));
        }
    }

    /// Reports what is missing, and fills in the defaults.
    fn complete(&mut self, source: &Arc<Source>) {
        let Kind::Section(fields) = scenario_shape::scenario() else { return };
        let Value::Table(table) = &mut self.root.value else { return };
        missing_in(table, fields, &Origin::top(source), "", &self.removed, &mut self.mistakes);
        stand_in(table, fields, source);
        fill_defaults(table, fields);
    }

    fn wants_control(&self, pace: Pace) -> bool {
        match self.root.at(&["control"]).map(|node| &node.value) {
            Some(Value::Flag(wanted)) => *wanted,
            _ => has_control(pace),
        }
    }

    fn file_seed(&self) -> u64 {
        match self.root.at(&["seed"]).map(|node| &node.value) {
            Some(Value::Integer(seed)) => seed.unsigned_abs(),
            _ => 1,
        }
    }

    /// The profile that the scenario names, or the one that knows the image; `None`, reported, when there is none.
    fn profile(&mut self, folder: Option<&Path>, target: Option<&str>) -> Option<Profile> {
        let node = self.root.at(&["target", "profile"])?;
        let image = target.and_then(|target| target.strip_prefix("container:"));
        let image = image.or_else(|| self.root.at(&["target", "container", "image"])?.text());
        let known = image.and_then(profile_file::of_image).filter(|_| !node.origin.is_command_line());
        let name = known.as_deref().or_else(|| node.text())?;
        // A path that was typed is relative to where it was typed, one in a file to that file.
        let folder = if node.origin.is_command_line() { None } else { folder };
        profile_file::find(name, folder, &node.origin, &mut self.mistakes)
    }

    fn launch(&mut self, target: Option<&str>, profile: Option<&Profile>, folder: Option<&Path>) -> Launch {
        let Some(target) = target else {
            let image = self.root.at(&["target", "container", "image"]).and_then(Node::text).map(str::to_owned);
            let image = image.or_else(|| Some(profile?.container.as_ref()?.image.clone()));
            return image.map_or(Launch::Embedded, |image| self.container(image, profile, folder));
        };
        let kind = target.split(':').next().unwrap_or_default();
        let ports = profile.and_then(|profile| profile.container.as_ref()).map(|container| container.ports);
        let wrong = match target.split_once(':') {
            None if target == "embedded" => return Launch::Embedded,
            Some(("process", path)) if !path.is_empty() => return Launch::Process(path.to_owned()),
            Some(("container", image)) if !image.is_empty() => {
                return self.container(image.to_owned(), profile, folder);
            }
            Some(("attach", what)) => match Attach::parse(what, ports.unwrap_or_default()) {
                Ok(attach) => return Launch::Attach(attach),
                Err(why) => why,
            },
            _ => format!("unknown target `{target}`"),
        };
        let origin = Origin::whole(&Source::new("--target", SourceKind::CommandLine, target));
        let help = did_you_mean(kind, launch::KINDS).filter(|_| !launch::KINDS.contains(&kind));
        let expected = format!("expected {}", launch::EXPECTED);
        self.mistakes.push(Diagnostic::new(&origin, wrong, expected).with_help(help));
        Launch::Embedded
    }

    /// A container: the scenario's settings over the profile's.
    fn container(&self, image: String, profile: Option<&Profile>, folder: Option<&Path>) -> Launch {
        let text = |key| self.root.at(&["target", "container", key]).and_then(Node::text);
        let json = to_json(&self.root, scenario_shape::scenario());
        let of_scenario = |key| json.pointer(&format!("/target/container/{key}"));
        let of_profile = profile.and_then(|profile| profile.container.as_ref());
        // A folder in a file is relative to the file; one that is typed, to where it is typed.
        let typed = self.root.at(&["target", "container", "build"]).is_some_and(|node| node.origin.is_command_line());
        let folder = folder.filter(|_| !typed);
        let build = text("build").map(|build| folder.map_or_else(|| PathBuf::from(build), |folder| folder.join(build)));
        let build = build.map(|path| path.display().to_string());
        let of_this_image =
            of_profile.filter(|profile| launch::repository(&profile.image) == launch::repository(&image));
        Launch::Container(ContainerLaunch {
            build: build.or_else(|| of_this_image?.build.clone()),
            ports: of_profile.map(|profile| profile.ports).unwrap_or_default(),
            volumes: of_profile.map(|profile| profile.volumes.clone()).unwrap_or_default(),
            cpus: of_scenario("cpus").and_then(serde_json::Value::as_f64),
            cpuset: text("cpuset").map(str::to_owned),
            replicas: of_scenario("replicas").and_then(serde_json::Value::as_u64).unwrap_or(1) as u32,
            image,
        })
    }

    fn variants(
        &mut self,
        seed: u64,
        only: Option<&str>,
        ignores: &BTreeMap<String, String>,
    ) -> (Vec<Variant>, Vec<IgnoredAxis>) {
        if self.removed.iter().any(|path| path.starts_with("matrix")) {
            return (Vec::new(), Vec::new());
        }
        let (variants, ignored) = matrix::expand(&self.root, seed, ignores, &mut self.mistakes);
        let Some(pattern) = only else { return (variants, ignored) };
        let ids: Vec<String> = variants.iter().map(|variant| variant.id.clone()).collect();
        let chosen: Vec<Variant> = variants.into_iter().filter(|one| glob::matches(pattern, &one.id)).collect();
        if chosen.is_empty() && !ids.is_empty() {
            let origin = Origin::whole(&Source::new("--only", SourceKind::CommandLine, pattern));
            let message = format!("no variant matches `{pattern}`");
            let known = || ids.iter().map(String::as_str);
            let help = did_you_mean(pattern, known());
            self.mistakes.push(Diagnostic::new(&origin, message, one_of(known())).with_help(help));
        }
        (chosen, ignored)
    }
}

/// The pace that a `pace` value chooses.
fn pace_in(node: &Node) -> Option<Pace> {
    let name = node.text().or_else(|| node.at(&["default"])?.text())?;
    Pace::ALL.into_iter().find(|pace| pace.name() == name)
}

/// Takes a key out of a table.
fn take(node: &mut Node, key: &str) -> Option<Node> {
    match &mut node.value {
        Value::Table(table) => table.remove(key).map(|entry| entry.node),
        _ => None,
    }
}

/// Puts a text in the place of each missing one, so that the rules can still be held against the rest.
fn stand_in(table: &mut Table, fields: &[Field], source: &Arc<Source>) {
    for field in fields.iter().filter(|field| matches!(field.kind, Kind::Text(_))) {
        let origin = Origin::top(source);
        let node = Node { origin: origin.clone(), value: Value::Text(String::new()) };
        table.entry(field.name.to_owned()).or_insert(crate::tree::Entry { key: origin, node });
    }
}
