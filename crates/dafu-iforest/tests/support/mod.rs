//! Public data sets, and how well scores order their rows.
#![allow(clippy::unwrap_used, reason = "tests")]

use flate2::read::MultiGzDecoder;
use ndarray::Array2;
use std::fs::File;
use std::path::{Path, PathBuf};

/// The folder of the `ADBench` files, if `DAFU_DATA` names that of all data; says that the test is skipped otherwise.
#[allow(clippy::print_stdout, reason = "a test that is skipped should say so")]
pub(crate) fn adbench() -> Option<PathBuf> {
    let folder = std::env::var_os("DAFU_DATA");
    if folder.is_none() {
        println!("skipped: DAFU_DATA is not set");
    }
    folder.map(|folder| Path::new(&folder).join("adbench"))
}

/// The rows of a file and, for each, whether it is an anomaly.
pub(crate) fn read(path: &Path) -> (Array2<f64>, Vec<bool>) {
    let mut reader = csv::Reader::from_reader(MultiGzDecoder::new(File::open(path).unwrap()));
    let columns = reader.headers().unwrap().len() - 1;
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).unwrap() {
        let numbers = record.iter().take(columns);
        values.extend(numbers.map(|field| field.parse::<f64>().unwrap()));
        labels.push(&record[columns] == "1");
    }
    let shape = (labels.len(), columns);
    (Array2::from_shape_vec(shape, values).unwrap(), labels)
}

/// The share of (anomaly, ordinary) pairs in the right order, ties one half.
pub(crate) fn auc(scores: &[f64], labels: &[bool]) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let (mut below, mut pairs) = (0.0, 0.0);
    for tied in order.chunk_by(|&a, &b| scores[a].total_cmp(&scores[b]).is_eq()) {
        let anomalies = tied.iter().filter(|&&at| labels[at]).count() as f64;
        let ordinary = tied.len() as f64 - anomalies;
        pairs += anomalies * (below + ordinary / 2.0);
        below += ordinary;
    }
    let anomalies = labels.iter().filter(|&&label| label).count() as f64;
    pairs / (anomalies * (labels.len() as f64 - anomalies))
}
