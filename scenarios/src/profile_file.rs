//! Profile files: found by name or path, checked like scenarios.

use std::path::Path;
use std::sync::Arc;

use crate::builtin::{builtin_profiles, find as find_builtin};
use crate::check::{Checker, missing_in};
use crate::diagnostic::{Diagnostic, did_you_mean, one_of};
use crate::launch;
use crate::load::LoadError;
use crate::merge::{fill_defaults, to_json};
use crate::profile::Profile;
use crate::profile_shape;
use crate::request_rules;
use crate::shape::Kind;
use crate::source::{Origin, Source, SourceKind};
use crate::tree::{Node, Value, parse_document};

/// A profile by itself: a built-in one by its name, or a file relative to the current folder. Its own mistakes are errors, whatever they are.
pub fn load_profile(name: &str) -> Result<Profile, LoadError> {
    let mut diagnostics = Vec::new();
    let origin = Origin::whole(&Source::new("--profile", SourceKind::CommandLine, name));
    find(name, None, &origin, &mut diagnostics).ok_or(LoadError::Invalid { diagnostics })
}

/// A profile from its text, which no file needs to hold.
pub fn parse_profile(name: &str, text: &str) -> Result<Profile, LoadError> {
    let mut diagnostics = Vec::new();
    let source = Source::new(name, SourceKind::File, text);
    check(&source, &mut diagnostics).ok_or(LoadError::Invalid { diagnostics })
}

/// The profile that `origin` names: a built-in one, or a file (`.toml`, or with a `/`) relative to `folder`.
pub(crate) fn find(
    name: &str,
    folder: Option<&Path>,
    origin: &Origin,
    mistakes: &mut Vec<Diagnostic>,
) -> Option<Profile> {
    let builtin = builtin_profiles();
    let path = folder.map_or_else(|| Path::new(name).to_owned(), |folder| folder.join(name));
    let is_path = name.contains('/') || Path::new(name).extension().is_some_and(|extension| extension == "toml");
    if is_path && path.exists() {
        return match std::fs::read_to_string(&path) {
            Ok(text) => {
                let found = check(&Source::new(path.display().to_string(), SourceKind::File, text), mistakes);
                found.map(|profile| beside(&path, profile))
            }
            Err(error) => {
                let message = format!("cannot read the profile {}: {error}", path.display());
                mistakes.push(Diagnostic::new(origin, message, "expected a file of text"));
                None
            }
        };
    }
    if let Some(found) = find_builtin(&builtin, name) {
        return check(&Source::new(format!("built-in {}.toml", found.name), SourceKind::File, found.text), mistakes);
    }
    let names = || builtin.iter().map(|profile| profile.name);
    let message = if is_path {
        format!("there is no profile at {}", path.display())
    } else {
        format!("unknown profile `{name}`")
    };
    let expected = format!("{}, or a path to a profile's file", one_of(names()));
    mistakes.push(Diagnostic::new(origin, message, expected).with_help(did_you_mean(name, names())));
    None
}

/// A profile whose folder to build from and whose certificates, which are relative to the file, are found from anywhere.
fn beside(file: &Path, mut profile: Profile) -> Profile {
    if let (Some(folder), Some(container)) = (file.parent(), &mut profile.container) {
        container.build = container.build.take().map(|build| folder.join(build).display().to_string());
    }
    if let (Some(folder), Some(tls)) = (file.parent(), &mut profile.tls) {
        tls.ca_file = folder.join(&tls.ca_file).display().to_string();
    }
    profile
}

/// The built-in profile that is made for this image, whatever its tag.
pub(crate) fn of_image(image: &str) -> Option<String> {
    let made_for = |text: &str| {
        let mut of_container = text.lines().skip_while(|line| line.trim() != "[container]");
        let line = of_container.find_map(|line| line.strip_prefix("image = \"")?.strip_suffix('"'))?;
        Some(launch::repository(line) == launch::repository(image))
    };
    let found = builtin_profiles().into_iter().find(|profile| made_for(profile.text) == Some(true))?;
    Some(found.name.to_owned())
}

/// Checks the text of a profile; `None`, reported, when it is wrong.
pub(crate) fn check(source: &Arc<Source>, mistakes: &mut Vec<Diagnostic>) -> Option<Profile> {
    let before = mistakes.len();
    let root = parse_document(source, mistakes);
    let broken = mistakes.len() > before;
    let shape = profile_shape::profile();
    let mut checker = Checker::new(shape);
    let mut root = checker.check(root);
    mistakes.append(&mut checker.mistakes);
    if let (false, Kind::Section(fields), Value::Table(table)) = (broken, shape, &mut root.value) {
        missing_in(table, fields, &Origin::top(source), "", &checker.removed, mistakes);
        fill_defaults(table, fields);
    }
    let profile: Profile = serde_json::from_value(to_json(&root, shape)).ok()?;
    contradictions(&profile, &root, mistakes);
    (mistakes.len() == before).then_some(profile)
}

/// What no single key can get wrong.
fn contradictions(profile: &Profile, root: &Node, mistakes: &mut Vec<Diagnostic>) {
    request_rules::contradictions(profile, root, mistakes);
    let takes = profile.launch.args.iter().any(|arg| arg == "{misbehave}");
    if profile.can_misbehave && !takes {
        let message = "can_misbehave is true, but no argument is {misbehave}";
        let origin = root.origin_of(&["can_misbehave"]);
        mistakes.push(Diagnostic::new(&origin, message, "expected \"{misbehave}\" among launch.args, or false"));
    }
    mounted_twice(profile, root, mistakes);
    off_without_spelling(profile, root, mistakes);
    for (index, series) in profile.modelled.iter().enumerate() {
        if profile.series.contains_key(series) {
            continue;
        }
        let origin = match root.at(&["modelled"]).map(|node| &node.value) {
            Some(Value::List(items)) if index < items.len() => items[index].origin.clone(),
            _ => root.origin_of(&["modelled"]),
        };
        let message = format!("`{series}` is modelled, but [series] does not say which metric it is");
        mistakes.push(Diagnostic::new(&origin, message, "expected one of the keys of [series]"));
    }
}

/// Paths of volumes that are named more than once: Docker refuses such a container.
fn mounted_twice(profile: &Profile, root: &Node, mistakes: &mut Vec<Diagnostic>) {
    let Some(container) = &profile.container else { return };
    let path = |text: &String| text.trim_end_matches('/').to_owned();
    for (index, volume) in container.volumes.iter().enumerate() {
        let origin = root.origin_of(&["container", "volumes"]);
        if container.volumes[..index].iter().any(|earlier| path(earlier) == path(volume)) {
            let message = format!("the path {volume} is named twice among the volumes");
            mistakes.push(Diagnostic::new(&origin, message, "expected each path once"));
        }
        if !volume.starts_with('/') {
            let message = format!("the volume {volume} is not a path inside the container");
            mistakes.push(Diagnostic::new(&origin, message, "expected an absolute path, such as \"/data\""));
        }
    }
}

/// Arguments that hold a knob that may be off without a spelling for it: leaving out one argument of a pair would shift the rest.
fn off_without_spelling(profile: &Profile, root: &Node, mistakes: &mut Vec<Diagnostic>) {
    const MAY_BE_OFF: [&str; 3] = ["gogc", "gomemlimit", "compaction_interval"];
    let launch = &profile.launch;
    let bare = |knob: &str| launch.args.iter().any(|arg| *arg == format!("{{{knob}}}"));
    for knob in MAY_BE_OFF.into_iter().filter(|knob| bare(knob) && !launch.off.contains_key(*knob)) {
        let message =
            format!("an argument is {{{knob}}}, and the profile does not say how the server spells \"off\" for it");
        let expected = format!(
            "expected `{knob} = \"…\"` in [launch.off], or the knob in one argument with its option, such as \"--{knob}={{{knob}}}\""
        );
        mistakes.push(Diagnostic::new(&root.origin_of(&["launch", "args"]), message, expected));
    }
}
