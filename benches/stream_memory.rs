//! Memory of a whole analysis against the size of the file: `cargo bench --bench stream_memory -- --megabytes 600`.
//!
//! Writes a CSV file of simulated payments, then looks at it, learns from its first four fifths and judges the rest,
//! as the example `analyze_csv` does, and prints the most memory held. `--csv FILE` takes a file that is there.

use dafu_core::{NoProgress, Timestamp};
use dafu_ingest::{FileSource, IngestParams};
use dafu_pipeline::{Detector, TimeSlice};
use dafu_sim::{CsvColumns, SimulatorParams, write_csv};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Bytes of one simulated payment as CSV, about.
const ROW_BYTES: u64 = 200;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1)
    };
    let is_test = args.iter().any(|arg| arg == "--test");
    let megabytes = value("--megabytes").map_or(100, |text| text.parse().unwrap());
    let megabytes: u64 = if is_test { 2 } else { megabytes };

    let (path, is_ours) = match value("--csv") {
        Some(path) => (PathBuf::from(path), false),
        None => (simulated(megabytes * 1_000_000), true),
    };
    let size = std::fs::metadata(&path).unwrap().len() / 1_000_000;
    let before = peak_megabytes();
    let started = Instant::now();
    let rows = analyze(&path);
    let seconds = started.elapsed().as_secs_f64();
    if is_ours {
        std::fs::remove_file(&path).unwrap();
    }
    match (before, peak_megabytes()) {
        (Some(before), Some(peak)) => println!(
            "file {size} MB, {rows} rows, {seconds:.1} s; {before} MB held at most before, {peak} MB during; \
             file / memory {:.1}",
            size as f64 / peak as f64
        ),
        _ => println!(
            "file {size} MB, {rows} rows, {seconds:.1} s; this system does not tell its memory"
        ),
    }
}

fn analyze(path: &Path) -> u64 {
    let source = FileSource::open(path, &IngestParams::default()).unwrap();
    let times = source.suitability(&NoProgress).unwrap().times.unwrap();
    let span = times.last.since(times.first);
    let cut = Timestamp::from_micros(times.first.as_micros() + span / 5 * 4).unwrap();
    let trainer = Detector::builder().seed(1).build().unwrap();
    let detector = trainer.fit(&TimeSlice::until(&source, cut)).unwrap();
    let evaluation = detector.evaluate(&TimeSlice::after(&source, cut)).unwrap();
    assert!(evaluation.ranking.is_some());
    source.report().unwrap().rows_read
}

fn simulated(bytes: u64) -> PathBuf {
    let path = std::env::temp_dir().join(format!("dafu-stream-{}.csv", std::process::id()));
    let users = 2_000;
    let params = SimulatorParams::default().users(users).days(20).seed(1);
    let rows = params.simulator().unwrap().count() as u64;
    let days = (20 * bytes / ROW_BYTES).div_ceil(rows).max(20);
    let params = params.days(u32::try_from(days).unwrap());
    let mut file = BufWriter::new(File::create(&path).unwrap());
    write_csv(params.simulator().unwrap(), &mut file, CsvColumns::All).unwrap();
    file.flush().unwrap();
    path
}

/// The most memory that this process has held, where Linux tells.
fn peak_megabytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = peak.trim().trim_end_matches(" kB").trim().parse().ok()?;
    Some(kib * 1024 / 1_000_000)
}
