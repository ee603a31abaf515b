//! The unit of memory in a column: from --unit, or from the column's name; and whether a value can be the memory of a process at all.

use std::str::FromStr;

use soak_scenario::units::Bytes;
use soak_verdict::human;

/// What one unit of a column's numbers is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Unit {
    pub(crate) bytes: f64,
}

/// No process is smaller: less is another unit.
const LEAST: f64 = 262_144.0;
/// A name without a unit is believed to mean bytes from here on. Smaller values are more likely KiB, as `ps` writes them.
const LEAST_WITHOUT_UNIT: f64 = 4_194_304.0;
/// No machine has more.
const MOST: f64 = 7.1e13;

/// The units that names and --unit know. A `kB` of the kernel, of `ps` and of `sar` is 1024 bytes.
const KNOWN: [(&str, f64); 17] = [
    ("b", 1.0),
    ("byte", 1.0),
    ("bytes", 1.0),
    ("kb", 1024.0),
    ("kbytes", 1024.0),
    ("kib", 1024.0),
    ("ki", 1024.0),
    ("mb", 1e6),
    ("mbytes", 1e6),
    ("mib", 1_048_576.0),
    ("mi", 1_048_576.0),
    ("gb", 1e9),
    ("gbytes", 1e9),
    ("gib", 1_073_741_824.0),
    ("gi", 1_073_741_824.0),
    ("tib", 1_099_511_627_776.0),
    ("megabytes", 1e6),
];

/// Names of shares.
const SHARES: [&str; 5] = ["percent", "percentage", "pct", "perc", "ratio"];

impl FromStr for Unit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected B, KiB, kB (1024 bytes), MB, MiB, GB, GiB, the size of one unit such as 4KiB for pages, or percent:SIZE with the memory that is 100 %";
        let lower = text.to_lowercase();
        if let Some((_, bytes)) = KNOWN.iter().find(|(name, _)| *name == lower) {
            return Ok(Self { bytes: *bytes });
        }
        let (whole, parts) = match lower.split_once(':') {
            Some(("percent" | "%", _)) => (text.split_once(':').map_or("", |(_, size)| size), 100.0),
            _ => (text, 1.0),
        };
        let size = whole.parse::<Bytes>().map(Bytes::as_f64).map_err(|_| expected.to_owned())?;
        if size > 0.0 { Ok(Self { bytes: size / parts }) } else { Err(expected.to_owned()) }
    }
}

impl Unit {
    /// The unit of a column: what was asked for, or what its name says; bytes where it says nothing. The flag is whether anything was said.
    pub(crate) fn of(name: &str, asked: Option<Self>) -> Result<(Self, bool), String> {
        if let Some(unit) = asked {
            return Ok((unit, true));
        }
        let lower = name.to_lowercase();
        let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        if lower.contains('%') || words.iter().any(|word| SHARES.contains(word)) {
            return Err(format!(
                "`{}` is a share of memory, not an amount: add --unit percent:SIZE, with the memory that is 100 %, such as percent:16GiB",
                super::shown(name)
            ));
        }
        if words.contains(&"pages") {
            return Err(format!(
                "`{}` counts pages: add --unit 4KiB, or the page size of that machine",
                super::shown(name)
            ));
        }
        let known = |word: &&str| KNOWN.iter().find(|(unit, _)| unit == word).map(|(_, bytes)| *bytes);
        // The unit is the last word; tools such as `sar` write it first.
        let named =
            words.last().and_then(known).or_else(|| words.iter().rev().filter(|word| word.len() > 1).find_map(known));
        let of_sar = || lower.starts_with("kb").then_some(1024.0);
        let camel =
            || ["Bytes", "KiB", "MiB", "GiB", "KB", "MB", "GB", "Kb", "Mb"].into_iter().find(|end| name.ends_with(end));
        let camel = || camel().and_then(|end| known(&end.to_lowercase().as_str()));
        let found = named.or_else(of_sar).or_else(camel);
        Ok((Self { bytes: found.unwrap_or(1.0) }, found.is_some()))
    }

    /// The name for people.
    pub(crate) fn name(self) -> String {
        let names =
            [("bytes", 1.0), ("KiB", 1024.0), ("MB", 1e6), ("MiB", 1_048_576.0), ("GB", 1e9), ("GiB", 1_073_741_824.0)];
        let known = names.into_iter().find(|(_, bytes)| (bytes - self.bytes).abs() < 1e-6);
        known.map_or_else(|| format!("units of {}", human::bytes(self.bytes)), |(name, _)| name.to_owned())
    }

    /// Why this level, in bytes, is the memory of no process.
    pub(crate) fn doubt(name: &str, level: f64, is_named: bool) -> Option<String> {
        let read = if is_named { "in the unit of its name" } else { "read as bytes" };
        let name = super::shown(name);
        if level > MOST {
            return Some(format!(
                "`{name}` has a level of {}, {read}, which no machine has: give the unit with --unit, such as B, KiB, MB or MiB",
                human::bytes(level)
            ));
        }
        let least = if is_named { LEAST } else { LEAST_WITHOUT_UNIT };
        (level > 0.0 && level < least).then(|| {
            format!(
                "`{name}` has a level of {}, {read}, which is too small for a server: give the unit with --unit, such as KiB (ps, /proc), MB, MiB or percent:16GiB; if it is bytes, --unit B",
                human::bytes(level)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_their_unit() {
        for (name, bytes) in [
            ("rss_kb", 1024.0),
            ("VmRSS_kB", 1024.0),
            ("VmRSS (kB)", 1024.0),
            ("kbmemused", 1024.0),
            ("mem_mib", 1_048_576.0),
            ("Real (MB)", 1e6),
            ("rss_mb", 1e6),
            ("memory.GiB", 1_073_741_824.0),
            ("process_resident_memory_bytes", 1.0),
            ("rss_mib_web", 1_048_576.0),
            ("rssBytes", 1.0),
            ("rssMB", 1e6),
        ] {
            assert_eq!(Unit::of(name, None).unwrap(), (Unit { bytes }, true), "{name}");
        }
        for name in ["rss", "heap", "mem", "memory", "climb", "numb"] {
            assert_eq!(Unit::of(name, None).unwrap(), (Unit { bytes: 1.0 }, false), "{name}");
        }
        for name in ["%mem", "mem_percent", "MEM %", "mem_pct"] {
            assert!(Unit::of(name, None).unwrap_err().contains("--unit percent:SIZE"), "{name}");
        }
    }

    #[test]
    fn units_are_asked_for_by_name_or_size() {
        for (text, bytes) in
            [("KiB", 1024.0), ("B", 1.0), ("4KiB", 4096.0), ("percent:10GiB", 107_374_182.4), ("mb", 1e6)]
        {
            assert!((text.parse::<Unit>().unwrap().bytes - bytes).abs() < 1e-6, "{text}");
        }
        assert!("furlong".parse::<Unit>().is_err() && "percent".parse::<Unit>().is_err());
    }

    #[test]
    fn the_impossible_is_doubted() {
        assert!(Unit::doubt("rss", 200.0, false).is_some_and(|why| why.contains("200 B") && why.contains("--unit")));
        assert!(Unit::doubt("rss", 204_755.0, false).is_some());
        assert!(Unit::doubt("rss_bytes", 200.0, true).is_some());
        assert!(Unit::doubt("rss_mb", 2.1e14, true).is_some_and(|why| why.contains("no machine")));
        assert!(Unit::doubt("rss", 2.1e8, false).is_none() && Unit::doubt("rss_kb", 1e6, true).is_none());
    }
}
