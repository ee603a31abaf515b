//! Recordings as other tools write them, turned into a table with a column of times, one a series, and the unit in each name: psrecord, mprof, `pidstat -r`, `sar -r`, `docker stats` and
//! `kubectl top`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use soak_scenario::units::Bytes;

/// A tool's recording as a table.
#[derive(Debug, PartialEq)]
pub(super) struct Converted {
    /// The tool that wrote it.
    pub(super) tool: &'static str,
    /// Comma-separated, with a heading.
    pub(super) table: String,
}

/// How far apart samples are that have no times of their own.
pub(super) const EVERY: &str = "--every";

/// The table of a tool's recording; `None` where no tool that is known wrote it.
pub(super) fn converted(text: &str, every_s: Option<f64>) -> Result<Option<Converted>, String> {
    let text = without_escapes(text);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let Some(first) = lines.next() else { return Ok(None) };
    let start = text.lines().take(8).find(|line| is_heading(line)).unwrap_or_default();
    if first.starts_with("# Elapsed time") {
        return psrecord(&text).map(Some);
    }
    if first.starts_with("CMDLINE") || first.starts_with("MEM ") {
        return mprof(&text).map(Some);
    }
    if start.contains("MEM USAGE") {
        return snapshots(&text, "docker stats", every_s).map(Some);
    }
    if start.contains("MEMORY(bytes)") {
        return snapshots(&text, "kubectl top", every_s).map(Some);
    }
    // `sadf -d` writes a table.
    if start.contains([';', ',']) {
        return Ok(None);
    }
    if start.contains("kbmemused") {
        return system(&text, "sar -r").map(Some);
    }
    if start.contains("minflt/s") {
        return system(&text, "pidstat -r").map(Some);
    }
    Ok(None)
}

fn is_heading(line: &str) -> bool {
    ["MEM USAGE", "MEMORY(bytes)", "kbmemused", "minflt/s"].iter().any(|name| line.contains(name))
}

/// Without the escape sequences that a program writes for a terminal.
fn without_escapes(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut letters = text.trim_start_matches('\u{feff}').chars();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            for next in letters.by_ref() {
                if next.is_ascii_alphabetic() {
                    break;
                }
            }
        } else {
            kept.push(letter);
        }
    }
    kept
}

fn psrecord(text: &str) -> Result<Converted, String> {
    // psrecord divides by 1024², and calls it MB.
    let mut table = "time_s,real_mib,virtual_mib\n".to_owned();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')) {
        let cells: Vec<&str> = line.split_whitespace().take(4).collect();
        let [time, _, real, size] = cells[..] else {
            return Err(format!("a line of psrecord has four numbers; this is `{}`", super::shown(line)));
        };
        let _ = writeln!(table, "{time},{real},{size}");
    }
    Ok(Converted { tool: "psrecord", table })
}

fn mprof(text: &str) -> Result<Converted, String> {
    // memory_profiler divides by 1024² as well.
    let mut table = "time_s,mem_mib\n".to_owned();
    for line in text.lines() {
        let mut cells = line.split_whitespace();
        if cells.next() == Some("MEM") {
            let (Some(memory), Some(time)) = (cells.next(), cells.next()) else {
                return Err(format!("a MEM line of mprof has an amount and a time; this is `{}`", super::shown(line)));
            };
            let _ = writeln!(table, "{time},{memory}");
        }
    }
    Ok(Converted { tool: "mprof", table })
}

/// Rows by time, and in each the value of a column.
#[derive(Default)]
struct Pivot {
    names: Vec<String>,
    rows: Vec<(f64, BTreeMap<usize, f64>)>,
}

impl Pivot {
    fn add(&mut self, at_s: f64, name: String, value: f64) {
        let column = self.names.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.names.push(name);
            self.names.len() - 1
        });
        match self.rows.last_mut().filter(|(last_s, _)| (*last_s - at_s).abs() < 1e-9) {
            Some((_, row)) => drop(row.insert(column, value)),
            None => self.rows.push((at_s, BTreeMap::from([(column, value)]))),
        }
    }

    fn table(&self) -> String {
        let names: Vec<String> = self.names.iter().map(|name| name.replace([',', '"'], "_")).collect();
        let mut table = format!("time_s,{}\n", names.join(","));
        for (at_s, row) in &self.rows {
            let _ = write!(table, "{at_s}");
            for column in 0..self.names.len() {
                let _ = match row.get(&column) {
                    Some(value) => write!(table, ",{value}"),
                    None => write!(table, ","),
                };
            }
            table.push('\n');
        }
        table
    }
}

/// `sar -r` and `pidstat -r`: a heading again and again, a time of day or seconds since 1970 first, amounts in KiB.
fn system(text: &str, tool: &'static str) -> Result<Converted, String> {
    let mut pivot = Pivot::default();
    let mut heading: Vec<String> = Vec::new();
    let mut day = Day::default();
    for line in text.lines() {
        let mut cells: Vec<&str> = line.split_whitespace().collect();
        if cells.is_empty() || line.starts_with("Average") || line.starts_with("Linux") || line.contains("RESTART") {
            continue;
        }
        if is_heading(line) {
            cells.retain(|cell| !matches!(*cell, "#" | "AM" | "PM"));
            heading = cells.iter().skip(1).map(|cell| (*cell).to_owned()).collect();
            continue;
        }
        let half = cells.get(1).copied().filter(|cell| matches!(*cell, "AM" | "PM"));
        let at_s = day.moment(cells[0], half)?;
        let values = &cells[if half.is_some() { 2 } else { 1 }..];
        let of = |name: &str| heading.iter().position(|known| known == name).and_then(|i| values.get(i).copied());
        let number = |name: &str| of(name).and_then(|cell| cell.replace(',', ".").parse::<f64>().ok());
        if tool == "sar -r" {
            for name in heading.iter().filter(|name| name.starts_with("kb")) {
                if let Some(value) = number(name) {
                    pivot.add(at_s, name.clone(), value);
                }
            }
        } else if let (Some(resident), Some(process)) = (number("RSS"), of("PID")) {
            let command = of("Command").unwrap_or("process");
            pivot.add(at_s, format!("{command}_{process}_rss_kib"), resident);
        }
    }
    Ok(Converted { tool, table: pivot.table() })
}

/// Times of day become seconds, over midnight too.
#[derive(Default)]
struct Day {
    last_s: Option<f64>,
    midnights: f64,
}

impl Day {
    fn moment(&mut self, cell: &str, half: Option<&str>) -> Result<f64, String> {
        if let Ok(number) = cell.parse::<f64>() {
            return Ok(number);
        }
        let parts: Vec<f64> = cell.split(':').filter_map(|part| part.parse().ok()).collect();
        let [hours, minutes, seconds] = parts[..] else {
            return Err(format!("expected a time of day such as 14:05:00; this is `{}`", super::shown(cell)));
        };
        let hours = match half {
            Some("AM") if hours > 11.5 => 0.0,
            Some("PM") if hours < 11.5 => hours + 12.0,
            _ => hours,
        };
        let of_day = hours * 3600.0 + minutes * 60.0 + seconds;
        if self.last_s.is_some_and(|last_s| of_day + 43_200.0 < last_s) {
            self.midnights += 1.0;
        }
        self.last_s = Some(of_day);
        Ok(self.midnights * 86_400.0 + of_day)
    }
}

/// `docker stats` and `kubectl top`: a heading and a line each container or pod, again and again. They have no times, unless each line begins with one.
fn snapshots(text: &str, tool: &'static str, every_s: Option<f64>) -> Result<Converted, String> {
    let mut pivot = Pivot::default();
    let (mut snapshot, mut seen) = (-1.0, Vec::new());
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        if is_heading(line) {
            continue;
        }
        let (stamp, rest) = stamped(line);
        let cells: Vec<&str> = rest.split_whitespace().collect();
        let found = if tool == "docker stats" { of_docker(&cells) } else { of_kubectl(&cells) };
        let Some((name, bytes)) = found else { continue };
        // A name again is the next snapshot.
        if seen.is_empty() || seen.contains(&name) {
            seen.clear();
            snapshot += 1.0;
        }
        let at_s = match (stamp, every_s) {
            (Some(at_s), _) => at_s,
            (None, Some(every_s)) => snapshot * every_s,
            (None, None) => {
                return Err(format!(
                    "{tool} writes no times: add {EVERY} with the time between two snapshots, such as {EVERY} 10s"
                ));
            }
        };
        seen.push(name.clone());
        pivot.add(at_s, format!("{name}_bytes"), bytes);
    }
    Ok(Converted { tool, table: pivot.table() })
}

/// The date that a line begins with, and the rest of it.
fn stamped(line: &str) -> (Option<f64>, &str) {
    let line = line.trim();
    for words in [1, 2] {
        let ends = line.match_indices(char::is_whitespace).nth(words - 1).map_or(line.len(), |(at, _)| at);
        let head = &line[..ends];
        if super::times::is_date(head)
            && let Ok(at_s) = super::times::Clock::new("time", None).read(head)
        {
            return (Some(at_s), line[ends..].trim());
        }
    }
    (None, line)
}

/// Name and memory of a line: the cell before the `/` that stands before the limit.
fn of_docker(cells: &[&str]) -> Option<(String, f64)> {
    let slash = cells.iter().position(|cell| *cell == "/")?;
    let name = if slash >= 4 { cells[1] } else { cells.first()? };
    Some(((*name).to_owned(), amount(cells[slash.checked_sub(1)?])?))
}

/// The last cell is the memory; a namespace and a container may stand before.
fn of_kubectl(cells: &[&str]) -> Option<(String, f64)> {
    let (memory, before) = cells.split_last()?;
    let (_, names) = before.split_last()?;
    // Of a node a share comes after each amount.
    let memory = if memory.ends_with('%') { names.last()? } else { memory };
    let names: Vec<&str> =
        names.iter().copied().filter(|name| !name.ends_with('%') && amount(name).is_none()).collect();
    Some((names.join("/"), amount(memory)?))
}

/// Bytes of `12.5MiB`, `123Mi` or `1.2GB`.
fn amount(cell: &str) -> Option<f64> {
    let digits = cell.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number: f64 = cell[..digits].parse().ok()?;
    let unit = match &cell[digits..] {
        "B" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "Ki" => 1024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        other => format!("1{other}").parse::<Bytes>().ok()?.as_f64(),
    };
    Some(number * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str, every_s: Option<f64>) -> (&'static str, String) {
        let found = converted(text, every_s).unwrap().unwrap();
        (found.tool, found.table)
    }

    #[test]
    fn tools_become_tables() {
        let psrecord = "# Elapsed time   CPU (%)     Real (MB)   Virtual (MB)\n  0.000  5.000  199.957  399.914\n";
        assert_eq!(table(psrecord, None), ("psrecord", "time_s,real_mib,virtual_mib\n0.000,199.957,399.914\n".into()));
        let mprof = "CMDLINE python x.py\nMEM 199.9 1700000000.1\nFUNC f 1 2 3 4\nMEM 200.0 1700000010.1\n";
        assert_eq!(table(mprof, None), ("mprof", "time_s,mem_mib\n1700000000.1,199.9\n1700000010.1,200.0\n".into()));
        let sar = "Linux 6.1 (h) \t12/01/2026 \t_x86_64_\t(2 CPU)\n\n11:59:50 PM kbmemfree kbmemused %memused\n11:59:50 PM 100 900 90.00\n12:00:00 AM 90 910 91.00\nAverage: 95 905 90.5\n";
        assert_eq!(table(sar, None), ("sar -r", "time_s,kbmemfree,kbmemused\n86390,100,900\n86400,90,910\n".into()));
        let pidstat = "Linux 6.1 (h) 12/01/2026\n\n14:00:00   UID   PID  minflt/s  majflt/s     VSZ     RSS   %MEM  Command\n14:00:10  1000  42  0.00  0.00  9000  4500  1.0  store\n14:00:20  1000  42  0.00  0.00  9000  4600  1.0  store\n";
        assert_eq!(table(pidstat, None), ("pidstat -r", "time_s,store_42_rss_kib\n50410,4500\n50420,4600\n".into()));
    }

    #[test]
    fn snapshots_need_a_time() {
        let docker = "CONTAINER ID   NAME   CPU %   MEM USAGE / LIMIT   MEM %   NET I/O   BLOCK I/O   PIDS\n\
                      abc   store   1.0%   2MiB / 1GiB   0.2%   1kB / 2kB   0B / 0B   3\n\
                      def   other   1.0%   1KiB / 1GiB   0.2%   1kB / 2kB   0B / 0B   3\n\u{1b}[2J\u{1b}[H\
                      CONTAINER ID   NAME   CPU %   MEM USAGE / LIMIT   MEM %   NET I/O   BLOCK I/O   PIDS\n\
                      abc   store   1.0%   3MiB / 1GiB   0.2%   1kB / 2kB   0B / 0B   3\n";
        assert!(converted(docker, None).unwrap_err().contains("--every 10s"));
        assert_eq!(
            table(docker, Some(10.0)),
            ("docker stats", "time_s,store_bytes,other_bytes\n0,2097152,1024\n10,3145728,\n".into())
        );
        let kubectl =
            "NAME CPU(cores) MEMORY(bytes)\nstore-0 10m 2Mi\nNAME CPU(cores) MEMORY(bytes)\nstore-0 10m 3Mi\n";
        assert_eq!(table(kubectl, Some(60.0)), ("kubectl top", "time_s,store-0_bytes\n0,2097152\n60,3145728\n".into()));
        let dated = "NAME CPU(cores) MEMORY(bytes)\n2026-11-22T10:00:00Z store-0 10m 2Mi\n2026-11-22T10:00:30Z store-0 10m 3Mi\n";
        assert!(table(dated, None).1.ends_with(",2097152\n1795341630,3145728\n"), "{}", table(dated, None).1);
    }

    #[test]
    fn other_tables_are_left_alone() {
        for text in ["time_s,rss\n0,1\n", "", "# a comment\n1 2\n"] {
            assert_eq!(converted(text, None).unwrap(), None, "{text:?}");
        }
    }
}
