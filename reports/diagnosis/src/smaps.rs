//! `/proc/PID/smaps` by mapping: which file, heap or stack holds resident memory. Source: proc(5), kernel documentation `filesystems/proc`.

use std::collections::BTreeMap;

use serde::Serialize;

/// What a mapping is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MappingKind {
    /// What grows by `brk`.
    Heap,
    /// The main thread's stack.
    Stack,
    /// Memory without a name, or with one that a program gave it.
    Anonymous,
    /// A file.
    File,
    /// Shared memory.
    Shared,
    /// What the kernel puts there itself.
    Kernel,
}

impl MappingKind {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Heap => "heap",
            Self::Stack => "stack",
            Self::Anonymous => "anonymous",
            Self::File => "file",
            Self::Shared => "shared memory",
            Self::Kernel => "the kernel's own",
        }
    }

    fn of(name: &str) -> Self {
        match name {
            "[heap]" => Self::Heap,
            name if name.starts_with("[stack") => Self::Stack,
            name if name.is_empty() || name.starts_with("[anon:") => Self::Anonymous,
            name if name.starts_with('[') => Self::Kernel,
            name if ["/dev/shm/", "/memfd:", "/SYSV", "[anon_shmem:"].iter().any(|start| name.starts_with(start)) => {
                Self::Shared
            }
            _ => Self::File,
        }
    }
}

/// All mappings of one name, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mapping {
    /// Path or name; empty where it has none.
    pub name: String,
    /// What it is.
    pub kind: MappingKind,
    /// How many there are.
    pub count: u64,
    /// Resident.
    pub rss_bytes: u64,
    /// Resident, shared pages divided by those who share them.
    pub pss_bytes: u64,
    /// Resident and of no file.
    pub anon_bytes: u64,
    /// Resident pages of the file.
    pub file_bytes: u64,
    /// Swapped out.
    pub swap_bytes: u64,
}

/// Every mapping, those of one name together, largest first; none where the text is no `smaps`.
pub fn mappings(text: &str) -> Vec<Mapping> {
    let mut found: BTreeMap<String, Mapping> = BTreeMap::new();
    let mut current: Option<String> = None;
    for line in text.lines() {
        if let Some(name) = name_in(line) {
            current = Some(name.clone());
            let kind = MappingKind::of(&name);
            let fresh = Mapping {
                name: name.clone(),
                kind,
                count: 0,
                rss_bytes: 0,
                pss_bytes: 0,
                anon_bytes: 0,
                file_bytes: 0,
                swap_bytes: 0,
            };
            found.entry(name).or_insert(fresh).count += 1;
            continue;
        }
        let Some(mapping) = current.as_ref().and_then(|name| found.get_mut(name)) else { continue };
        let Some((field, bytes)) = field_in(line) else { continue };
        match field {
            "Rss" => mapping.rss_bytes += bytes,
            "Pss" => mapping.pss_bytes += bytes,
            "Anonymous" => mapping.anon_bytes += bytes,
            "Swap" => mapping.swap_bytes += bytes,
            _ => {}
        }
    }
    let mut all: Vec<Mapping> = found.into_values().collect();
    for one in &mut all {
        one.file_bytes = one.rss_bytes.saturating_sub(one.anon_bytes);
    }
    all.sort_by_key(|one| std::cmp::Reverse(one.rss_bytes));
    all
}

/// Resident bytes by kind, most first.
pub fn totals(mappings: &[Mapping]) -> Vec<(MappingKind, u64)> {
    let mut totals: BTreeMap<MappingKind, u64> = BTreeMap::new();
    for one in mappings {
        *totals.entry(one.kind).or_default() += one.rss_bytes;
    }
    let mut totals: Vec<_> = totals.into_iter().collect();
    totals.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    totals
}

/// The name in a mapping's first line: `start-end perms offset dev inode  name`.
fn name_in(line: &str) -> Option<String> {
    let mut fields = line.split_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !(is_hex(start) && is_hex(end)) || fields.clone().count() < 4 {
        return None;
    }
    Some(fields.skip(4).collect::<Vec<_>>().join(" "))
}

fn field_in(line: &str) -> Option<(&str, u64)> {
    let (name, value) = line.split_once(':')?;
    let kib: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
    Some((name, kib.saturating_mul(1024)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00400000-00452000 r-xp 00000000 08:02 173521  /usr/bin/store with spaces\n\
        Size:                328 kB\nRss:                 200 kB\nPss:                 100 kB\nAnonymous:             0 kB\nProtectionKey:         0\n\
        00e03000-00e24000 rw-p 00000000 00:00 0  [heap]\nRss:                 300 kB\nPss:                 300 kB\nAnonymous:           300 kB\n\
        7f0000000000-7f0000100000 rw-p 00000000 00:00 0 \nRss:                 400 kB\nAnonymous:           400 kB\n\
        7f0000200000-7f0000300000 rw-p 00000000 00:00 0 \nRss:                 100 kB\nAnonymous:           100 kB\nSwap:                 8 kB\n\
        7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0  [stack]\nRss:                  12 kB\nAnonymous:            12 kB\n\
        7ffd00100000-7ffd00101000 r-xp 00000000 00:00 0  [vdso]\nRss:                   4 kB\nAnonymous:             0 kB\n";

    #[test]
    fn mappings_of_one_name_are_one_and_the_largest_comes_first() {
        use MappingKind::{Anonymous, File, Heap, Kernel, Stack};
        let found = mappings(TEXT);
        assert_eq!(
            (found[0].name.as_str(), found[0].count, found[0].rss_bytes, found[0].swap_bytes),
            ("", 2, 500 << 10, 8 << 10)
        );
        let file = found.iter().find(|one| one.kind == File).unwrap();
        assert_eq!(
            (file.name.as_str(), file.file_bytes, file.pss_bytes),
            ("/usr/bin/store with spaces", 200 << 10, 100 << 10)
        );
        let all: Vec<(MappingKind, u64)> =
            totals(&found).into_iter().map(|(kind, bytes)| (kind, bytes >> 10)).collect();
        assert_eq!(all, [(Anonymous, 500), (Heap, 300), (File, 200), (Stack, 12), (Kernel, 4)]);
    }

    #[test]
    fn one_that_is_cut_off_anywhere_is_survived_and_nothing_is_made_up() {
        for length in 0..TEXT.len() {
            let _ = mappings(&TEXT[..length]);
        }
        assert!(mappings("<html>no</html>").is_empty() && mappings("").is_empty());
    }

    #[test]
    fn this_process_adds_up() {
        let text = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let found = mappings(&text);
        assert!(
            found.iter().any(|one| one.kind == MappingKind::Stack)
                && found.iter().any(|one| one.kind == MappingKind::File)
        );
        assert_eq!(found.iter().map(|one| one.count).sum::<u64>() as usize, text.matches("\nRss:").count());
    }
}
