//! What was acknowledged outlives the process: killed in the middle, cut off, on a disk that is full.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use soak_engine::load::Fate;
use soak_tests::{Ended, Kind, SmallDisk, Target, is_root, until};

use crate::store::Load;

const BATCH_ROWS: u64 = 50;

fn load(target: &Target) -> Load {
    Load::new(target, 64, BATCH_ROWS as u32)
}

fn live(target: &Target) -> u64 {
    target.metric("longbow_live_vectors") as u64
}

/// The one log in a folder.
fn log(folder: &Path) -> PathBuf {
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

fn len(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len()
}

fn a_kill_in_the_middle_of_puts_loses_nothing_acknowledged(kind: Kind) {
    let folder = tempfile::tempdir().unwrap();
    let Some(target) = Target::start_in(kind, folder.path()) else { return };
    let puts = load(&target);
    assert_eq!(puts.offer(0..10, |_, _| {}).acked_rows, 500);
    puts.delete(0..40);
    puts.upsert(60..70);
    let (killed, acked) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(BTreeSet::new())));
    let (until_killed, seen) = (Arc::clone(&killed), Arc::clone(&acked));
    let putting = std::thread::spawn(move || {
        let batches = (10..100_000).take_while(move |_| !until_killed.load(Ordering::Relaxed));
        puts.offer(batches, move |batch, fate| {
            if fate == Fate::Acknowledged {
                seen.lock().unwrap().extend(batch.ids());
            }
        })
    });
    until("many puts are acknowledged", || (acked.lock().unwrap().len() > 2000).then_some(()));
    target.kill();
    killed.store(true, Ordering::Relaxed);
    let account = putting.join().unwrap();
    assert!(account.indeterminate_rows > 0, "it was killed in the middle: {account:?}");

    let target = Target::start_in(kind, folder.path()).unwrap();
    let again = load(&target);
    again.settle();
    let acked = std::mem::take(&mut *acked.lock().unwrap());
    let there = live(&target);
    assert!(there >= 460 + acked.len() as u64, "{there} live, {} acknowledged last", acked.len());
    let stored = again.stored();
    for id in 60..70 {
        assert_eq!(stored.get(&id), Some(&again.second(id)), "{id} is what it was replaced by");
    }
    (0..40).for_each(|id| assert!(!again.take(id), "{id} was deleted"));
    (40..500).chain(acked).for_each(|id| assert!(again.take(id), "{id} was acknowledged"));
    // What was put and had no answer may be there, whole batches of it; and no row twice.
    let rest = (500..(account.rows + 500 + BATCH_ROWS)).filter(|id| again.take(*id)).count() as u64;
    assert!(rest.is_multiple_of(BATCH_ROWS), "{rest} rows of a batch without an answer");
    assert_eq!(live(&target), 0);
}

fn a_torn_record_is_cut_off_and_what_is_before_it_is_kept(kind: Kind) {
    let folder = tempfile::tempdir().unwrap();
    let Some(target) = Target::start_in(kind, folder.path()) else { return };
    load(&target).offer(0..2, |_, _| {});
    let log = log(folder.path());
    let whole = len(&log);
    target.kill();
    std::fs::File::options().write(true).open(&log).unwrap().set_len(whole - 3).unwrap();
    let target = Target::start_in(kind, folder.path()).unwrap();
    assert_eq!(live(&target), BATCH_ROWS);
    assert!(len(&log) < whole - 3, "the rest of the record is gone");
    load(&target).offer(1..3, |_, _| {});
    target.kill();
    let target = Target::start_in(kind, folder.path()).unwrap();
    assert_eq!((live(&target), target.metric("longbow_log_bytes") as u64), (3 * BATCH_ROWS, len(&log)));
}

fn what_is_no_log_is_named_and_left_alone(kind: Kind) {
    let folder = tempfile::tempdir().unwrap();
    let Some(target) = Target::start_in(kind, folder.path()) else { return };
    load(&target).offer(0..2, |_, _| {});
    let refused = |why: &str| {
        let mut command = Target::command(kind).unwrap();
        let ended = Ended::from(command.env("LONGBOW_DATA_PATH", folder.path()).output().unwrap());
        assert!(ended.code == 4 && ended.stderr.contains(why), "{why}: {} {}", ended.code, ended.stderr);
    };
    refused("is used by another process");
    target.kill();
    let log = log(folder.path());
    let good = std::fs::read(&log).unwrap();
    let mut damaged = good.clone();
    damaged[good.len() / 2] ^= 1;
    std::fs::write(&log, &damaged).unwrap();
    refused("test.log is damaged at byte ");
    assert_eq!(std::fs::read(&log).unwrap(), damaged);
    std::fs::write(&log, "something else altogether").unwrap();
    refused("test.log is not a log of this store: it does not begin as one");
    std::fs::write(&log, &good).unwrap();
    std::fs::write(folder.path().join("notes.txt"), "").unwrap();
    refused("notes.txt is not a log of this store");
}

fn a_full_disk_refuses_puts_until_there_is_room(kind: Kind) {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(folder.path(), 4 << 20) else { return };
    let data = folder.path().join("data");
    let Some(target) = Target::start_in(kind, &data) else { return };
    let ballast = folder.path().join("ballast");
    std::fs::write(&ballast, vec![1_u8; 2 << 20]).unwrap();
    let puts = load(&target);
    let filled = puts.offer(0..400, |_, _| {});
    assert!(filled.acked_rows > 0 && filled.refused_rows > 0, "{filled:?}");
    let why = filled.last_error.as_deref().unwrap_or_default();
    assert!(why.contains("exhausted") && why.contains("the disk is full") && why.contains("test.log"), "{why}");
    assert!(target.metric("longbow_log_errors_total") >= 1.0);
    // What had no answer of its own was offered behind a batch that was refused, and not taken.
    assert_eq!(live(&target), filled.acked_rows);
    let log = log(&data);
    assert_eq!(target.metric("longbow_log_bytes") as u64, len(&log), "nothing torn is left");

    std::fs::remove_file(&ballast).unwrap();
    let more = puts.offer(1000..1010, |_, _| {});
    assert_eq!(more.acked_rows, 10 * BATCH_ROWS, "{more:?}");
    puts.delete(1000 * BATCH_ROWS..1000 * BATCH_ROWS + 7);
    target.kill();
    let target = Target::start_in(kind, &data).unwrap();
    assert_eq!(live(&target), filled.acked_rows + 10 * BATCH_ROWS - 7);
}

fn compaction_makes_the_log_as_small_as_what_lives(kind: Kind) {
    let folder = tempfile::tempdir().unwrap();
    let Some(target) = Target::start_in(kind, folder.path()) else { return };
    let puts = load(&target);
    for _ in 0..5 {
        puts.offer(0..20, |_, _| {});
    }
    puts.delete(0..500);
    let before = target.metric("longbow_log_bytes");
    target.call("POST", "/admin/compact?dataset=test");
    let after = target.metric("longbow_log_bytes");
    assert!(after < before / 8.0, "{before} bytes before, {after} after");
    assert_eq!(len(&log(folder.path())), after as u64);
    puts.delete(500..600);
    puts.offer(0..1, |_, _| {});
    target.kill();
    let target = Target::start_in(kind, folder.path()).unwrap();
    let again = load(&target);
    again.settle();
    let there: Vec<_> = (0..1000).filter(|id| again.take(*id)).collect();
    assert_eq!(there, (0..BATCH_ROWS).chain(600..1000).collect::<Vec<_>>());
}

fn a_dataset_that_is_dropped_stays_dropped(kind: Kind) {
    let folder = tempfile::tempdir().unwrap();
    let Some(target) = Target::start_in(kind, folder.path()) else { return };
    let puts = load(&target);
    puts.offer(0..2, |_, _| {});
    puts.drop_dataset();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(target.metric("longbow_log_bytes") < 1.0);
    target.kill();
    let target = Target::start_in(kind, folder.path()).unwrap();
    assert!(target.metric("longbow_total_datasets") < 1.0);
    let puts = load(&target);
    puts.offer(0..1, |_, _| {});
    target.kill();
    assert_eq!(live(&Target::start_in(kind, folder.path()).unwrap()), BATCH_ROWS);
}

for_both_stores!(
    a_kill_in_the_middle_of_puts_loses_nothing_acknowledged,
    a_torn_record_is_cut_off_and_what_is_before_it_is_kept,
    what_is_no_log_is_named_and_left_alone,
    a_full_disk_refuses_puts_until_there_is_room,
    compaction_makes_the_log_as_small_as_what_lives,
    a_dataset_that_is_dropped_stays_dropped
);
