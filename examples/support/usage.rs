//! What a run cost, as the system tells.

use std::fs::read_to_string;

/// CPU time and the most memory held so far, where Linux tells: `10.2 s of CPU time, 112 MB at most`.
pub fn usage() -> Option<String> {
    let stat = read_to_string("/proc/self/stat").ok()?;
    // The name in brackets may hold spaces; user and system time are the 12th and 13th field after it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    let status = read_to_string("/proc/self/status").ok()?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = peak.trim().trim_end_matches(" kB").trim().parse().ok()?;
    // Linux counts a hundred ticks a second for programs.
    Some(format!(
        "{:.1} s of CPU time, {} MB at most",
        ticks as f64 / 100.0,
        kib * 1024 / 1_000_000
    ))
}
