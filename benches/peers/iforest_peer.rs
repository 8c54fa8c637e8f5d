//! Our side of `peers/run.sh iforest`: reads what the Python side wrote, runs, prints figures.
//!
//! - `iforest_peer speed FILE COLUMNS PARAMS`: CPU seconds of fit, scoring all rows and scoring one row, one thread; bytes
//!   of the saved forest; bytes allocated while scoring all rows, at the highest. FILE holds little-endian f64 values, row
//!   after row; PARAMS are the parameters of a forest in JSON.
//! - `iforest_peer threads FILE COLUMNS`: seconds by the clock of scoring all rows with one thread and with two, and of two
//!   scorings beside each other with one thread each; the best of ten turns.
//! - `iforest_peer auc DIRECTORY SEEDS STEP PARAMS [FILES]`: ROC AUC of every `*.csv.gz` file (features, then a column
//!   `label`), or of the named ones (`cover,http`), for every seed, as CSV; seed number i is i times STEP. PARAMS are the
//!   parameters of a forest in JSON.
#![allow(clippy::print_stdout, reason = "a program that prints figures")]

use dafu_benches::cpu_seconds;
use dafu_iforest::{FiniteCheck, IsolationForest, IsolationForestParams, Parallelism};
use flate2::read::MultiGzDecoder;
use ndarray::{Array2, ArrayView2, Axis, Slice};
use peak_alloc::PeakAlloc;
use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["speed", file, columns, params] => speed(
            Path::new(file),
            columns.parse()?,
            &serde_json::from_str(params)?,
        ),
        ["threads", file, columns] => threads(Path::new(file), columns.parse()?),
        ["auc", directory, seeds, step, params] => auc(
            Path::new(directory),
            None,
            (seeds.parse()?, step.parse()?),
            &serde_json::from_str(params)?,
        ),
        ["auc", directory, seeds, step, params, files] => auc(
            Path::new(directory),
            Some(files),
            (seeds.parse()?, step.parse()?),
            &serde_json::from_str(params)?,
        ),
        _ => Err(
            "usage: iforest_peer speed FILE COLUMNS PARAMS | threads FILE COLUMNS | auc DIRECTORY SEEDS STEP PARAMS [FILES]"
                .into(),
        ),
    }
}

/// CPU seconds of one call, the mean over so many calls that they take 20 ms or more.
fn time_of<T>(mut call: impl FnMut() -> Outcome<T>) -> Outcome<f64> {
    let mut calls = 1_u32;
    loop {
        let start = cpu_seconds();
        for _ in 0..calls {
            black_box(call()?);
        }
        let taken = cpu_seconds() - start;
        if taken >= 0.02 || calls > 1 << 24 {
            return Ok(taken / f64::from(calls));
        }
        calls *= 4;
    }
}

fn read_values(file: &Path, columns: usize) -> Outcome<Array2<f64>> {
    let values: Vec<f64> = std::fs::read(file)?
        .chunks_exact(8)
        .map(|bytes| bytes.try_into().map(f64::from_le_bytes))
        .collect::<Result<_, _>>()?;
    Ok(Array2::from_shape_vec(
        (values.len() / columns, columns),
        values,
    )?)
}

fn speed(file: &Path, columns: usize, params: &IsolationForestParams) -> Outcome<()> {
    let rows = read_values(file, columns)?;
    let params = params.clone().parallelism(Parallelism::Serial).seed(1);
    let forest = params.fit(rows.view())?;
    let mut scores = vec![0.0; rows.nrows()];
    let fit = time_of(|| Ok(params.fit(rows.view())?))?;
    let sampled = params.clone().finite_check(FiniteCheck::SampledRows);
    let fit_sampled = time_of(|| Ok(sampled.fit(rows.view())?))?;
    // The first call, which also prepares the forest.
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    forest.score_rows(rows.view(), &mut scores)?;
    let memory = ALLOCATOR.peak_usage().saturating_sub(before);
    let score = time_of(|| Ok(forest.score_rows(rows.view(), &mut scores)?))?;
    // A row after the other, so that the caches and the branch predictor do not know them.
    let some = rows.slice_axis(Axis(0), Slice::from(..rows.nrows().min(10_000)));
    let mut some = some
        .rows()
        .into_iter()
        .filter_map(|row| row.to_slice())
        .cycle();
    let mut next = || some.next().unwrap_or_default();
    let one_row = time_of(|| Ok(forest.score_row(black_box(next()))?))?;
    let bytes = forest.to_bytes()?.len();
    println!(
        "fit={fit} fit_sampled={fit_sampled} score={score} one_row={one_row} bytes={bytes} memory={memory}"
    );
    Ok(())
}

fn threads(file: &Path, columns: usize) -> Outcome<()> {
    let rows = read_values(file, columns)?;
    let forest = IsolationForestParams::default().seed(1).fit(rows.view())?;
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let (single, double) = (pool(1)?, pool(2)?);
    let alone = forest.clone().with_parallelism(Parallelism::Serial);
    let mut buffers = [vec![0.0; rows.nrows()], vec![0.0; rows.nrows()]];
    let (mut one, mut two, mut beside) = (f64::INFINITY, f64::INFINITY, f64::INFINITY);
    for _ in 0..10 {
        let scores = &mut buffers[0];
        let start = Instant::now();
        single.install(|| forest.score_rows(rows.view(), scores))?;
        one = one.min(start.elapsed().as_secs_f64());
        let start = Instant::now();
        double.install(|| forest.score_rows(rows.view(), scores))?;
        two = two.min(start.elapsed().as_secs_f64());
        let start = Instant::now();
        std::thread::scope(|scope| {
            for scores in &mut buffers {
                scope.spawn(|| alone.score_rows(rows.view(), scores));
            }
        });
        beside = beside.min(start.elapsed().as_secs_f64());
    }
    println!("one={one} two={two} beside={beside}");
    Ok(())
}

fn auc(
    directory: &Path,
    names: Option<&str>,
    (seeds, step): (u64, u64),
    params: &IsolationForestParams,
) -> Outcome<()> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Outcome<Vec<_>>>()?;
    files.sort();
    println!("file,seed,auc");
    for path in files {
        let Some(name) = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.strip_suffix(".csv.gz"))
        else {
            continue;
        };
        if names.is_some_and(|names| !names.split(',').any(|other| other == name)) {
            continue;
        }
        let (rows, labels) = read(&path)?;
        for seed in 0..seeds {
            let params = params
                .clone()
                .parallelism(Parallelism::Serial)
                .seed(seed.wrapping_mul(step));
            let forest = params.fit(rows.view())?;
            println!("{name},{seed},{}", auc_of(&forest, rows.view(), &labels)?);
        }
    }
    Ok(())
}

fn auc_of(forest: &IsolationForest, rows: ArrayView2<'_, f64>, labels: &[bool]) -> Outcome<f64> {
    let mut scores = vec![0.0; rows.nrows()];
    forest.score_rows(rows, &mut scores)?;
    Ok(dafu_core::metrics::roc_auc(labels, &scores, None)?)
}

fn read(path: &Path) -> Outcome<(Array2<f64>, Vec<bool>)> {
    let mut reader = csv::Reader::from_reader(MultiGzDecoder::new(File::open(path)?));
    let columns = reader.byte_headers()?.len().saturating_sub(1);
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record)? {
        for field in record.iter().take(columns) {
            values.push(field.parse::<f64>()?);
        }
        labels.push(
            record
                .iter()
                .nth(columns)
                .is_some_and(|label| label.parse() == Ok(1.0)),
        );
    }
    Ok((
        Array2::from_shape_vec((labels.len(), columns), values)?,
        labels,
    ))
}
