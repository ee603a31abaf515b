//! Records that were damaged at random: cut off, overwritten, numbers exchanged for others. Whatever they are, they are judged or refused in words.

use std::fs;
use std::path::{Path, PathBuf};

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;
use soak_record::Run;
use soak_tests::{Story, record, soak};
use soak_verdict::{Verdict, explain, judge};

const DAMAGES: u64 = 400;

/// Numbers that a reader stumbles over.
const AWKWARD: [&str; 10] =
    ["0", "-1", "1e308", "-1e308", "1e-320", "18446744073709551615", "4294967295", "null", "NaN", "\"\""];

/// Every file of a run folder, by its path within.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let inside = |name: &str| fs::read_dir(folder.join(name)).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = inside("").chain(inside("samples")).filter(|path| path.is_file()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap())).collect()
}

/// Damages some bytes, in one of four ways.
fn damaged(bytes: &[u8], random: &mut Pcg64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = random.random_range(0..bytes.len().max(1)).min(bytes.len().saturating_sub(1));
    match random.random_range(0..4) {
        0 => bytes.truncate(at),
        1 => bytes.iter_mut().skip(at).take(random.random_range(1..9)).for_each(|byte| *byte = random.random()),
        2 => {
            let copied: Vec<u8> = bytes[at..].iter().copied().take(random.random_range(1..200)).collect();
            bytes.splice(at..at, copied);
        }
        _ => exchange_a_number(&mut bytes, at, random),
    }
    bytes
}

/// Puts an awkward number in the place of the next one.
fn exchange_a_number(bytes: &mut Vec<u8>, from: usize, random: &mut Pcg64) {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let Some(start) = bytes[from..].iter().position(is_digit).map(|found| from + found) else { return };
    let end = bytes[start..].iter().position(|byte| !is_digit(byte)).map_or(bytes.len(), |found| start + found);
    let other = AWKWARD[random.random_range(0..AWKWARD.len())];
    bytes.splice(start..end, other.bytes());
}

#[test]
fn damaged_runs_are_judged_or_refused() {
    let holder = tempfile::tempdir().unwrap();
    let folder = holder.path().join("run");
    let made = record(&folder, Story::Healthy);
    let whole = files(&made.folder);
    let mut random = Pcg64::seed_from_u64(5);
    let (mut judged, mut refused) = (0, 0);
    for _ in 0..DAMAGES {
        let (name, bytes) = &whole[random.random_range(0..whole.len())];
        let path = folder.join(name);
        fs::write(&path, damaged(bytes, &mut random)).unwrap();
        match Run::open(&folder) {
            Ok(run) => {
                let read: Result<Vec<_>, _> = (0..run.plan.variants.len()).map(|index| run.variant(index)).collect();
                if let Ok(records) = read {
                    judged += 1;
                    let _ = judge(&run.id, &run.plan, records.clone());
                    let _ = explain(&run.plan, "rss_floor", records);
                } else {
                    refused += 1;
                }
            }
            Err(error) => {
                refused += 1;
                assert!(error.to_string().len() > 20, "{error}");
            }
        }
        fs::write(&path, bytes).unwrap();
    }
    assert!(judged > 50 && refused > 50, "{judged} {refused}");
}

#[test]
fn no_damage_to_samples_makes_a_leak_pass() {
    let holder = tempfile::tempdir().unwrap();
    let folder = holder.path().join("run");
    record(&folder, Story::Leaking);
    let samples: Vec<_> = files(&folder).into_iter().filter(|(name, _)| name.starts_with("samples")).collect();
    let mut random = Pcg64::seed_from_u64(7);
    let mut open = 0;
    for _ in 0..DAMAGES / 4 {
        let (name, bytes) = &samples[random.random_range(0..samples.len())];
        fs::write(folder.join(name), damaged(bytes, &mut random)).unwrap();
        if let Ok(run) = Run::open(&folder) {
            let read: Result<Vec<_>, _> = (0..run.plan.variants.len()).map(|index| run.variant(index)).collect();
            let verdict = read.map(|records| judge(&run.id, &run.plan, records).verdict);
            assert!(!matches!(verdict, Ok(Verdict::Pass)), "{}", name.display());
            open += usize::from(matches!(verdict, Ok(Verdict::Inconclusive)));
        }
        fs::write(folder.join(name), bytes).unwrap();
    }
    assert!(open < DAMAGES as usize / 4, "the leak is seen through most of them");
}

#[test]
fn samples_that_break_off_are_named_and_do_not_pass() {
    let holder = tempfile::tempdir().unwrap();
    let folder = holder.path().join("run");
    let made = record(&folder, Story::Healthy);
    let verdict = |folder: &Path| {
        let run = Run::open(folder).unwrap();
        judge(&run.id, &run.plan, (0..made.plan.variants.len()).map(|index| run.variant(index).unwrap()))
    };
    assert_eq!(verdict(&folder).verdict, Verdict::Pass);
    let name = "000-metrics-000.arrow";
    let path = folder.join("samples").join(name);
    let bytes = fs::read(&path).unwrap();
    // The last byte is of the mark at the end: every sample is still there, and nobody can know that.
    for length in [bytes.len() - 1, bytes.len() / 2, 0] {
        fs::write(&path, &bytes[..length]).unwrap();
        let found = verdict(&folder);
        assert_eq!(found.verdict, Verdict::Inconclusive, "cut to {length}");
        let [of_it, of_another] = ["heap_floor", "rss_floor"].map(|id| found.variants[0].finding(id).unwrap());
        assert_eq!(of_another.verdict, Some(Verdict::Pass), "cut to {length}: {}", of_another.reason);
        assert_eq!(of_it.verdict, Some(Verdict::Inconclusive), "cut to {length}: {}", of_it.reason);
        assert!(found.variants[0].notes.iter().any(|note| note.contains(name)), "cut to {length}");
    }
}

#[test]
fn a_run_without_one_of_its_variants_is_inconclusive() {
    let holder = tempfile::tempdir().unwrap();
    let made = record(&holder.path().join("run"), Story::Healthy);
    let run = Run::open(&made.folder).unwrap();
    let verdict = judge(&run.id, &run.plan, [run.variant(0).unwrap()]);
    assert_eq!(verdict.verdict, Verdict::Inconclusive);
    assert!(verdict.notes[0].contains(&made.plan.variants[1].id), "{:?}", verdict.notes);
}

#[test]
fn damaged_tables_are_judged_or_refused() {
    let holder = tempfile::tempdir().unwrap();
    let path = holder.path().join("table.csv");
    let rows = (0..60).map(|i| format!("{},{},{i}\n", i * 10, 500_000_000 + i * 1000));
    let table = format!("time_s,rss,up\n{}", rows.collect::<String>());
    let mut random = Pcg64::seed_from_u64(6);
    for round in 0..60 {
        fs::write(&path, damaged(table.as_bytes(), &mut random)).unwrap();
        let path = path.to_str().unwrap();
        let judge = ["judge", "--csv", path, "--series", "rss", "--uptime", "up", "--tolerance", "1MiB/min"];
        let ended = soak(&[&judge[..], &["--limit", "1GiB", "--format", "json"]].concat());
        assert!((0..=3).contains(&ended.code), "{round}: {}\n{}", ended.code, ended.stderr);
        assert!(!ended.stderr.contains("panicked"), "{round}: {}", ended.stderr);
        assert!(ended.code == 2 || ended.json()["verdict"].is_string(), "{round}: {}", ended.stdout);
    }
}
