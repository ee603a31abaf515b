//! `soak judge --csv` on recordings of other people: what they hold, in which units, and as which tools write them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use soak_tests::{Ended, soak};

const MIB: f64 = 1_048_576.0;

/// Noise of deviation 1 or so: the sum of four uniform draws of a fixed sequence.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        let mut sum = 0.0;
        for _ in 0..4 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            sum += (self.0 >> 33) as f64 / f64::from(u32::MAX >> 1) - 0.5;
        }
        sum * 1.7
    }
}

fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn judge(path: &Path, series: &str, more: &[&str]) -> Ended {
    soak(&[&["judge", "--csv", path.to_str().unwrap(), "--series", series, "--tolerance", "1MiB/min"], more].concat())
}

/// Rows of times and values, one sample in so many seconds.
fn rows(heading: &str, samples: u32, step_s: f64, mut value: impl FnMut(f64) -> f64) -> String {
    let mut text = format!("{heading}\n");
    for i in 0..samples {
        let time = f64::from(i) * step_s;
        let _ = writeln!(text, "{time},{:.1}", value(time));
    }
    text
}

/// A server that grows by 2 MiB a minute from 200 MiB, in units of so many bytes.
fn growing(unit: f64) -> impl FnMut(f64) -> f64 {
    let mut noise = Noise(5);
    move |time| (MIB * (200.0 + 2.0 * time / 60.0) + 3e5 * noise.next()) / unit
}

/// A loaded server: so many minutes idle, so many MiB within `ramp_s`, then a leak a minute.
fn loaded(idle_min: f64, ramp_s: f64, height: f64, leak: f64, seed: u64) -> String {
    let mut noise = Noise(seed);
    rows("time_s,rss", 600, 10.0, |time| {
        let since_s = time - 60.0 * idle_min;
        let load = height * (since_s / ramp_s).clamp(0.0, 1.0);
        MIB * (400.0 + load + leak * (since_s - ramp_s).max(0.0) / 60.0 + 3.0 * noise.next())
    })
}

#[test]
fn a_load_after_idle_time_hides_no_leak() {
    let folder = tempfile::tempdir().unwrap();
    for (seed, (idle_min, ramp_s, height)) in
        [(10.0, 120.0, 2600.0), (5.0, 60.0, 500.0), (3.0, 600.0, 900.0), (25.0, 30.0, 1500.0)].into_iter().enumerate()
    {
        let path = |leak: f64| file(folder.path(), "rss.csv", &loaded(idle_min, ramp_s, height, leak, seed as u64));
        let leaking = judge(&path(5.0), "rss", &["--format", "json"]);
        assert_eq!(leaking.code, 1, "{idle_min} {ramp_s} {height}: {}", leaking.stdout);
        let healthy = judge(&path(0.0), "rss", &["--format", "json"]);
        assert_eq!(healthy.code, 0, "{idle_min} {ramp_s} {height}: {}", healthy.stdout);
        let found = healthy.json();
        assert!(found["detectable"].as_f64() <= found["tolerance"].as_f64(), "{found:#}");
    }
    let words = judge(&file(folder.path(), "rss.csv", &loaded(10.0, 120.0, 2600.0, 5.0, 1)), "rss", &[]).stdout;
    assert!(words.contains("after a fast change by 2."), "{words}");
}

#[test]
fn falls_to_the_first_level_are_restarts_unless_a_counter_says_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let mut noise = Noise(9);
    let text = rows("time_s,rss", 1440, 30.0, |time| MIB * (90.0 + 7.0 * (time / 60.0 % 60.0) + noise.next()));
    let path = file(folder.path(), "rss.csv", &text);
    for more in [&[][..], &["--limit", "512MiB"]] {
        let ended = judge(&path, "rss", more);
        assert_eq!(ended.code, 1, "{}", ended.stdout);
        assert!(ended.stdout.contains("restarts    11") && ended.stdout.contains("--uptime"), "{}", ended.stdout);
    }
    // Garbage that a collector takes away every hour, and a process that has run for all of it.
    let mut uptime = "time_s,rss,uptime_s\n".to_owned();
    for line in text.lines().skip(1) {
        let _ = writeln!(uptime, "{line},{}", line.split(',').next().unwrap());
    }
    let counted = judge(&file(folder.path(), "up.csv", &uptime), "rss", &["--uptime", "uptime_s", "--format", "json"]);
    assert_eq!(counted.json()["restarts"], 0, "{}", counted.stdout);
}

#[test]
fn memory_is_read_in_the_unit_of_its_name() {
    let folder = tempfile::tempdir().unwrap();
    for (name, unit) in [
        ("rss_kb", 1024.0),
        ("VmRSS_kB", 1024.0),
        ("mem_mib", MIB),
        ("Memory (MB)", 1e6),
        ("rss_gib", 1024.0 * MIB),
        ("resident_bytes", 1.0),
    ] {
        // A GiB has too few digits in one decimal.
        let mut value = growing(unit);
        let mut text = format!("time_s,{name}\n");
        for i in 0..360_u32 {
            let _ = writeln!(text, "{},{:.6}", i * 10, value(f64::from(i) * 10.0));
        }
        let ended = judge(&file(folder.path(), "rss.csv", &text), name, &[]);
        assert_eq!(ended.code, 1, "{name}: {}{}", ended.stdout, ended.stderr);
        assert!(
            ended.stdout.contains("level       199 MiB to 320 MiB") || ended.stdout.contains("level       200 MiB")
        );
        assert!(ended.stdout.contains("360 over 59.8 min, one every 10.0 s"), "{}", ended.stdout);
    }
    for (name, unit) in [("rss", 1024.0), ("rss", MIB), ("rss_bytes", MIB), ("rss_mb", 1.0), ("mem_percent", 1e7)] {
        let path = file(folder.path(), "rss.csv", &rows(&format!("time_s,{name}"), 360, 10.0, growing(unit)));
        let ended = judge(&path, name, &[]);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{name} {unit}");
        assert!(ended.stderr.contains("--unit"), "{}", ended.stderr);
        let said = judge(&path, name, &["--unit", if unit > 9e6 { "percent:1GiB" } else { "4MiB" }]);
        assert_ne!(said.code, 2, "{}", said.stderr);
    }
}

#[test]
fn times_are_read_in_their_unit_and_the_impossible_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let with = |heading: &str, time: &dyn Fn(u32) -> String| {
        let mut value = growing(1.0);
        let mut text = format!("{heading},rss\n");
        for i in 0..360 {
            let _ = writeln!(text, "{},{:.0}", time(i), value(f64::from(i) * 10.0));
        }
        file(folder.path(), "rss.csv", &text)
    };
    let since_1970 = |unit: u64| move |i: u32| (1_700_000_000 * unit + u64::from(i) * 10 * unit).to_string();
    for unit in [1, 1_000, 1_000_000, 1_000_000_000] {
        let ended = judge(&with("timestamp", &since_1970(unit)), "rss", &[]);
        assert_eq!(ended.code, 1, "{unit}: {}{}", ended.stdout, ended.stderr);
        assert!(ended.stdout.contains("360 over 59.8 min"), "{unit}: {}", ended.stdout);
    }
    for (unit, name) in [(1_000, "ms"), (1_000_000, "us"), (1_000_000_000, "ns")] {
        let path = with("time_s", &since_1970(unit));
        let refused = judge(&path, "rss", &[]);
        assert!(refused.code == 2 && refused.stderr.contains(&format!("--time-unit {name}")), "{}", refused.stderr);
        assert_eq!(judge(&path, "rss", &["--time-unit", name]).code, 1);
    }
    let from_zero = with("time_s", &|i| (i * 10_000).to_string());
    let asked = judge(&from_zero, "rss", &[]);
    assert!(asked.code == 2 && asked.stderr.contains("2.78 h apart"), "{}", asked.stderr);
    assert_eq!(judge(&from_zero, "rss", &["--time-unit", "ms"]).code, 1);
    for date in ["2024-05-01T08:MM:SSZ", "2024-05-01 08:MM:SS", "2024-05-01T08:MM:SS.250+02:00"] {
        let stamp = |i: u32| date.replace("MM", &format!("{:02}", i / 6)).replace("SS", &format!("{:02}", i % 6 * 10));
        assert_eq!(judge(&with("when", &stamp), "rss", &[]).code, 1, "{date}");
    }
}

#[test]
fn a_series_at_its_limit_is_told_so_and_does_not_pass() {
    let folder = tempfile::tempdir().unwrap();
    for limit in [512.0, 2048.0] {
        let mut noise = Noise(3);
        let text = rows("time_s,rss", 720, 10.0, |time| {
            MIB * (0.4 * limit + limit * time / 3000.0).min(limit - 0.5 - 0.3 * noise.next().abs())
        });
        let ended = judge(&file(folder.path(), "rss.csv", &text), "rss", &["--limit", &format!("{limit}MiB")]);
        assert_ne!(ended.code, 0, "{}", ended.stdout);
        assert!(ended.stdout.contains("stood at the limit since 2"), "{}", ended.stdout);
        assert!(!ended.stdout.contains("is reached in"), "{}", ended.stdout);
    }
}

/// A heading, and a line for each sample with its number and its MiB.
fn lines(heading: &str, line: &dyn Fn(u32, f64) -> String) -> String {
    let mut value = growing(MIB);
    let lines: Vec<String> = (0..120).map(|i| line(i, value(f64::from(i) * 10.0))).collect();
    format!("{heading}\n{}\n", lines.join("\n"))
}

/// A recording in a file is judged alike, packed or not.
fn judged_alike(name: &str, series: &str, more: &[&str], text: &str) {
    let folder = tempfile::tempdir().unwrap();
    let ended = judge(&file(folder.path(), name, text), series, more);
    assert_eq!(ended.code, 1, "{name}: {}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("120 over 19.8 min, one every 10.0 s"), "{name}: {}", ended.stdout);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    let path = folder.path().join(format!("{name}.gz"));
    std::fs::write(&path, packed.finish().unwrap()).unwrap();
    assert_eq!(judge(&path, series, more).stdout, ended.stdout, "{name}, packed");
}

#[test]
fn what_profilers_and_the_system_write_is_read() {
    let psrecord = lines("# Elapsed time   CPU (%)     Real (MB)   Virtual (MB)", &|i, mib| {
        format!("  {}.000  5.000  {mib:.3}  900.0", i * 10)
    });
    judged_alike("psrecord.log", "real_mib", &[], &psrecord);
    let mprof = lines("CMDLINE python server.py", &|i, mib| format!("MEM {mib:.3} {}.12", 1_700_000_000 + i * 10));
    judged_alike("mprof.dat", "mem_mib", &[], &mprof);
    // Over midnight.
    let clock = |i: u32| {
        let minute = if i < 60 { "23:5" } else { "00:0" };
        format!("{minute}{}:{:02}", i % 60 / 6, i % 6 * 10)
    };
    let system = "Linux 6.1.0 (host) \t12/01/2026 \t_x86_64_\t(2 CPU)\n\n23:50:00  ";
    let heading = format!("{system}  UID   PID  minflt/s  majflt/s     VSZ     RSS   %MEM  Command");
    let pidstat = lines(&heading, &|i, mib| {
        format!("{}  1000    42      0.00      0.00  900000  {:.0}   1.00  store", clock(i), mib * 1024.0)
    });
    judged_alike("pidstat.txt", "store_42_rss_kib", &[], &pidstat);
    let sar = lines(&format!("{system} kbmemfree kbmemused  %memused"), &|i, mib| {
        format!("{}    900000  {:.0}   10.00", clock(i), mib * 1024.0)
    });
    judged_alike("sar.txt", "kbmemused", &[], &sar);
}

#[test]
fn what_containers_write_is_read() {
    let heading = "CONTAINER ID   NAME   CPU %   MEM USAGE / LIMIT   MEM %   NET I/O   BLOCK I/O   PIDS";
    let docker = lines(heading, &|_, mib| {
        format!("0a1b2c   store   1.00%   {mib:.3}MiB / 2GiB   9.8%   1kB / 2kB   0B / 0B   9")
    });
    judged_alike("docker.txt", "store_bytes", &["--every", "10s"], &docker);
    let kubectl =
        lines("NAME      CPU(cores)   MEMORY(bytes)", &|_, mib| format!("store-0   12m   {:.0}Ki", mib * 1024.0));
    judged_alike("kubectl.txt", "store-0_bytes", &["--every", "10s"], &kubectl);
}

#[test]
fn tables_with_other_separators_and_times_are_read() {
    let bytes = |mib: f64| format!("{:.0}", mib * MIB);
    let semicolon = lines("time_s;rss", &|i, mib| format!("{},5;{}", i * 10, bytes(mib)));
    judged_alike("semicolon.csv", "rss", &[], &semicolon);
    judged_alike("tabs.tsv", "rss", &[], &lines("timestamp\trss", &|i, mib| format!("{}\t{}", i * 10, bytes(mib))));
    let pandas = lines(",rss", &|i, mib| format!("2024-05-01 08:{:02}:{:02},{}", i / 6, i % 6 * 10, bytes(mib)));
    judged_alike("pandas.csv", "rss", &[], &pandas);
    let named = lines("wall clock,rss", &|i, mib| format!("{},{}", i * 10, bytes(mib)));
    judged_alike("named.csv", "rss", &["--time", "wall clock"], &named);
}

#[test]
fn what_cannot_be_read_is_told_with_what_to_change() {
    let folder = tempfile::tempdir().unwrap();
    for (text, words) in [
        ("", "the file is empty"),
        ("\n\n", "the file holds no text"),
        ("time_s,rss\n", "no rows"),
        ("when,rss\n1,2\n", "--time COLUMN"),
        ("time_s,rss\nsoon,1\n", "a date such as"),
        ("time_s,rss\n0,\u{1b}[31mred\n", "\\u{1b}[31mred"),
        ("time_s,\u{1b}]0;x\u{7}\n0,1\n", "\\u{1b}]0;x\\u{7}"),
        ("CONTAINER ID  NAME  CPU %  MEM USAGE / LIMIT  MEM %\na b 1% 2MiB / 3MiB 1%\n", "--every 10s"),
        ("PK\u{3}\u{4}", "packed with zip"),
        ("a\0b", "not text"),
    ] {
        let ended = judge(&file(folder.path(), "rss.csv", text), "rss", &[]);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{text:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{text:?}: {}", ended.stderr);
        assert!(!ended.stderr.contains('\u{1b}'), "{text:?}: {}", ended.stderr);
    }
}

#[test]
fn an_answer_names_its_own_reason() {
    let folder = tempfile::tempdir().unwrap();
    let mut noise = Noise(14);
    let text = rows("time_s,rss", 50, 60.0, |time| {
        MIB * (90.0 + 14.0 * (std::f64::consts::TAU * time / 540.0).sin() + 6.0 * noise.next())
    });
    let path = file(folder.path(), "rss.csv", &text);
    let ended = soak(&[
        "judge",
        "--csv",
        path.to_str().unwrap(),
        "--series",
        "rss",
        "--tolerance",
        "64KiB/min",
        "--format",
        "json",
    ]);
    let found = ended.json();
    assert_eq!(ended.code, 3, "{found:#}");
    let reason = found["reason"].as_str().unwrap();
    let [_, high] = [0, 1].map(|end| found["slope"]["interval"][end].as_f64().unwrap());
    let is_below = high <= found["tolerance"].as_f64().unwrap();
    assert_eq!(is_below, reason.contains("could hide in the noise"), "{found:#}");
    assert!(found["detectable"].as_f64() > found["tolerance"].as_f64(), "{found:#}");
}
