//! Where the harness itself runs: apart from a target that is pinned.

use std::collections::BTreeSet;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Keeps the calling thread, and those that it starts from now on, off these processors. To be called before there are other threads.
///
/// # Errors
///
/// When a processor is not there, or when none would be left; the text says what to do.
pub fn keep_off(pinned: &BTreeSet<usize>) -> Result<(), String> {
    let allowed =
        sched_getaffinity(None).map_err(|error| format!("cannot read the processors of this process: {error}"))?;
    let list = |numbers: &mut dyn Iterator<Item = usize>| {
        numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(", ")
    };
    let here: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|number| allowed.is_set(*number)).collect();
    let missing = list(&mut pinned.iter().copied().filter(|number| !here.contains(number)));
    if !missing.is_empty() {
        let here = list(&mut here.iter().copied());
        return Err(format!(
            "target.container.cpuset: there is no processor {missing} here; those that may be used are {here}"
        ));
    }
    let mut rest = allowed;
    for number in pinned {
        rest.unset(*number);
    }
    if rest.count() == 0 {
        return Err("target.container.cpuset: it takes every processor, and leaves none to the harness; pin the target to fewer".to_owned());
    }
    sched_setaffinity(None, &rest).map_err(|error| format!("cannot keep off the target's processors: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Affinity is the thread's: each test has a thread of its own.
    #[test]
    fn the_rest_is_kept_to() {
        let before = sched_getaffinity(None).unwrap();
        let here: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|number| before.is_set(*number)).collect();
        let (first, others) = here.split_first().unwrap();
        if others.is_empty() {
            assert!(keep_off(&BTreeSet::from([*first])).unwrap_err().contains("leaves none"));
            return;
        }
        keep_off(&BTreeSet::from([*first])).unwrap();
        let after = sched_getaffinity(None).unwrap();
        assert!(!after.is_set(*first) && others.iter().all(|number| after.is_set(*number)));
        assert!(keep_off(&others.iter().copied().collect()).unwrap_err().contains("leaves none"));
    }

    #[test]
    fn a_processor_that_is_not_there_is_named() {
        let why = keep_off(&BTreeSet::from([1023])).unwrap_err();
        assert!(why.contains("no processor 1023"), "{why}");
    }
}
