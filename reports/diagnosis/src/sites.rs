//! Where memory was allocated and time was spent: stacks of a profile, what grew between two, and what kind of thing holds it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::pprof::{Amount, Pprof, ProfileSubject, SubjectError};

/// Frames of a stack that make its signature.
const FRAMES_MAX: usize = 12;

/// Frames that allocate on behalf of whoever calls them: they are never the site.
const ALLOCATORS: [&str; 24] = [
    "runtime.",
    "alloc::",
    "<alloc::",
    "__rust_",
    "__rdl_",
    "std::alloc",
    "core::alloc",
    "malloc",
    "calloc",
    "realloc",
    "posix_memalign",
    "aligned_alloc",
    "memalign",
    "__libc_malloc",
    "operator new",
    "_rjem_",
    "je_",
    "tc_",
    "tcmalloc::",
    "mi_",
    "std::__new_allocator",
    "__gnu_cxx::new_allocator",
    "std::allocator",
    "PyMem_",
];

/// What holds memory, by what stands in the names of its functions.
const HOLDERS: [(&str, &[&str]); 4] = [
    (
        "Arrow record batches",
        &["arrow/memory.", "arrow/array.", "arrow/ipc.", "arrow_buffer::", "arrow_array::", "arrow_ipc::"],
    ),
    ("slabs", &["slab", "arena"]),
    ("index graphs", &["hnsw", "graph"]),
    (
        "protocol and connections",
        &["google.golang.org/grpc", "net/http", "golang.org/x/net/http2", "hyper::", "tonic::", "h2::"],
    ),
];

/// What no pattern knows.
const ELSE: &str = "everything else";

/// What a stack holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Site {
    /// The function that allocated, or ran.
    pub function: String,
    /// The functions of the stack, innermost first, joined with ` < `.
    pub stack: String,
    /// Bytes in use; of a profile of the processor, nanoseconds.
    pub amount: f64,
    /// Objects in use; of a profile of the processor, samples.
    pub count: f64,
}

/// Growth below this is what any program does between two profiles.
const TELLING_BYTES: f64 = 1_048_576.0;

/// What a stack holds more than before.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Growth {
    /// The function that allocated.
    pub function: String,
    /// The functions of the stack, innermost first, joined with ` < `.
    pub stack: String,
    /// Bytes in use before.
    pub before_bytes: f64,
    /// Bytes in use after.
    pub after_bytes: f64,
    /// How many objects more.
    pub more_objects: f64,
    /// Its share of all growth, of the stacks that grew.
    pub share: f64,
}

impl Growth {
    /// How many bytes more.
    pub fn more_bytes(&self) -> f64 {
        self.after_bytes - self.before_bytes
    }

    /// Whether it is more than what any program's heap does between two profiles.
    pub fn is_telling(&self) -> bool {
        self.more_bytes() >= TELLING_BYTES
    }
}

/// Bytes that one kind of thing holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Holder {
    /// What it is.
    pub name: &'static str,
    /// Bytes in use; before, where there is a profile from before.
    pub before_bytes: Option<f64>,
    /// Bytes in use now.
    pub bytes: f64,
}

/// The stacks of a heap profile with what they hold, most first.
///
/// # Errors
///
/// Where it is a profile of something else, has an unknown unit, or contradicts itself.
pub fn heap_sites(profile: &Pprof) -> Result<Vec<Site>, SubjectError> {
    sites(profile, profile.amount(ProfileSubject::Heap)?)
}

/// The stacks of a profile of the processor with their time, most first.
///
/// # Errors
///
/// As for a heap.
pub fn cpu_sites(profile: &Pprof) -> Result<Vec<Site>, SubjectError> {
    sites(profile, profile.amount(ProfileSubject::Processor)?)
}

fn sites(profile: &Pprof, Amount { value, factor, count }: Amount) -> Result<Vec<Site>, SubjectError> {
    let mut sites: BTreeMap<String, Site> = BTreeMap::new();
    for stack in &profile.stacks {
        let signature = stack.functions.iter().take(FRAMES_MAX).map(AsRef::as_ref).collect::<Vec<_>>().join(" < ");
        let site = sites.entry(signature).or_insert_with_key(|signature| Site {
            function: function(signature).to_owned(),
            stack: signature.clone(),
            amount: 0.0,
            count: 0.0,
        });
        site.amount += factor * stack.values.get(value).copied().unwrap_or(0) as f64;
        site.count += count.and_then(|count| stack.values.get(count)).copied().unwrap_or(0) as f64;
    }
    let mut sites: Vec<Site> = sites.into_values().filter(|site| site.amount != 0.0).collect();
    let negative = sites.iter().filter(|site| site.amount < 0.0).count();
    if negative > 0 {
        return Err(SubjectError::Negative { negative, all: sites.len() });
    }
    sites.sort_by(|a, b| b.amount.total_cmp(&a.amount));
    Ok(sites)
}

/// The first function of a stack that does not allocate for others.
fn function(signature: &str) -> &str {
    let mut functions = signature.split(" < ");
    let first = functions.clone().next().unwrap_or_default();
    functions.find(|name| !ALLOCATORS.iter().any(|allocator| name.starts_with(allocator))).unwrap_or(first)
}

/// The stacks that hold more than before, most first.
pub fn growth(before: &[Site], after: &[Site]) -> Vec<Growth> {
    let known: BTreeMap<&str, &Site> = before.iter().map(|site| (site.stack.as_str(), site)).collect();
    let mut grown: Vec<Growth> = after
        .iter()
        .map(|site| {
            let before = known.get(site.stack.as_str());
            Growth {
                function: site.function.clone(),
                stack: site.stack.clone(),
                before_bytes: before.map_or(0.0, |before| before.amount),
                after_bytes: site.amount,
                more_objects: site.count - before.map_or(0.0, |before| before.count),
                share: 0.0,
            }
        })
        .filter(|one| one.more_bytes() > 0.0)
        .collect();
    let all: f64 = grown.iter().map(Growth::more_bytes).sum();
    for one in &mut grown {
        one.share = one.more_bytes() / all;
    }
    grown.sort_by(|a, b| b.more_bytes().total_cmp(&a.more_bytes()));
    grown
}

/// Bytes of the heap by what holds them. The innermost function that anything is known of decides.
pub fn holders(before: Option<&[Site]>, now: &[Site]) -> Vec<Holder> {
    let sum = |sites: &[Site], name| {
        let held = sites.iter().filter(|site| holder(&site.stack) == name).map(|site| site.amount);
        // Not `sum`, which makes −0 of nothing.
        held.fold(0.0, |sum, amount| sum + amount)
    };
    let names = HOLDERS.iter().map(|(name, _)| *name).chain([ELSE]);
    names
        .map(|name| Holder { name, before_bytes: before.map(|before| sum(before, name)), bytes: sum(now, name) })
        .collect()
}

fn holder(stack: &str) -> &'static str {
    let known = |function: &str| {
        let function = function.to_lowercase();
        let knows = |patterns: &[&str]| patterns.iter().any(|pattern| function.contains(pattern));
        HOLDERS.iter().find(|(_, patterns)| knows(patterns)).map(|(name, _)| *name)
    };
    stack.split(" < ").find_map(known).unwrap_or(ELSE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pprof::tests::heap;

    fn sites_of(stacks: &[(&[&str], i64, i64)]) -> Vec<Site> {
        heap_sites(&Pprof::decode(&heap(stacks)).unwrap()).unwrap()
    }

    #[test]
    fn stacks_are_summed_and_the_allocator_is_no_site() {
        let sites = sites_of(&[
            (&["runtime.mallocgc", "main.leak"], 1, 10),
            (&["runtime.mallocgc", "main.leak"], 2, 20),
            (&["main.x"], 1, 5),
        ]);
        assert_eq!((sites[0].function.as_str(), sites[0].amount, sites[0].count), ("main.leak", 30.0, 3.0));
        assert_eq!(sites.len(), 2);
        assert_eq!(function("runtime.a < runtime.b"), "runtime.a");
        assert_eq!(function("_rjem_malloc < hnsw::add < main"), "hnsw::add");
        assert_eq!(function("operator new < std::allocator<int>::allocate < faiss::add"), "faiss::add");
    }

    #[test]
    fn what_grew_most_comes_first_and_what_shrank_is_left_out() {
        let before = sites_of(&[(&["main.leak"], 1, 100), (&["main.cache"], 9, 900)]);
        let after = sites_of(&[(&["main.leak"], 4, 400), (&["main.cache"], 1, 100), (&["main.new"], 1, 100)]);
        let grown = growth(&before, &after);
        assert_eq!(grown.iter().map(|one| one.function.as_str()).collect::<Vec<_>>(), ["main.leak", "main.new"]);
        assert_eq!((grown[0].more_bytes(), grown[0].share, grown[0].more_objects), (300.0, 0.75, 3.0));
        assert!(growth(&after, &after).is_empty());
    }

    #[test]
    fn memory_is_told_by_what_holds_it() {
        let sites = sites_of(&[
            (&["github.com/apache/arrow-go/v18/arrow/memory.(*GoAllocator).Allocate", "main.(*graph).insert"], 1, 7),
            (&["main.(*Graph).grow"], 1, 5),
            (&["main.newSlab", "main.put"], 1, 3),
            (&["main.leak"], 1, 2),
        ]);
        let held: Vec<(&str, f64)> = holders(None, &sites).into_iter().map(|one| (one.name, one.bytes)).collect();
        let expected = [
            ("Arrow record batches", 7.0),
            ("slabs", 3.0),
            ("index graphs", 5.0),
            ("protocol and connections", 0.0),
            (ELSE, 2.0),
        ];
        assert_eq!(held, expected);
    }
}
