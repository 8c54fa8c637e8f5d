//! Our side of `peers/run.sh iforest`: reads what the Python side wrote, runs, prints figures.
//!
//! - `iforest_peer speed FILE COLUMNS`: CPU seconds of fit, scoring all rows and scoring one row, one thread.
//!   FILE holds little-endian f64 values, row after row.
//! - `iforest_peer auc DIRECTORY SEEDS STEP PARAMS [FILES]`: ROC AUC of every `*.csv.gz` file (features, then a column
//!   `label`), or of the named ones (`cover,http`), for every seed, as CSV; seed number i is i times STEP. PARAMS are the
//!   parameters of a forest in JSON.
#![allow(clippy::print_stdout, reason = "a program that prints figures")]

use dafu_benches::cpu_seconds;
use dafu_iforest::{FiniteCheck, IsolationForest, IsolationForestParams, Parallelism};
use flate2::read::MultiGzDecoder;
use ndarray::{Array2, ArrayView2};
use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::path::{Path, PathBuf};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["speed", file, columns] => speed(Path::new(file), columns.parse()?),
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
            "usage: iforest_peer speed FILE COLUMNS | auc DIRECTORY SEEDS STEP PARAMS [FILES]"
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

fn speed(file: &Path, columns: usize) -> Outcome<()> {
    let values: Vec<f64> = std::fs::read(file)?
        .chunks_exact(8)
        .map(|bytes| bytes.try_into().map(f64::from_le_bytes))
        .collect::<Result<_, _>>()?;
    let rows = Array2::from_shape_vec((values.len() / columns, columns), values)?;
    let params = IsolationForestParams::default()
        .parallelism(Parallelism::Serial)
        .seed(1);
    let forest = params.fit(rows.view())?;
    let mut scores = vec![0.0; rows.nrows()];
    let fit = time_of(|| Ok(params.fit(rows.view())?))?;
    let sampled = params.clone().finite_check(FiniteCheck::SampledRows);
    let fit_sampled = time_of(|| Ok(sampled.fit(rows.view())?))?;
    let score = time_of(|| Ok(forest.score_rows(rows.view(), &mut scores)?))?;
    let row = rows.row(0).to_vec();
    let one_row = time_of(|| Ok(forest.score_row(black_box(&row))?))?;
    println!("fit={fit} fit_sampled={fit_sampled} score={score} one_row={one_row}");
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
