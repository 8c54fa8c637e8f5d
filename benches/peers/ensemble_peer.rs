//! Our side of `peers/run.sh ensemble`: reads what the Python side wrote, learns, judges, prints CPU seconds.
//!
//! `ensemble_peer boosted FOLDER COLUMNS [NAME=VALUE ...]`: FOLDER holds `train.f64` and `test.f64` (little-endian f64
//! values, row after row) and `train.u8` (labels); the log odds of the test rows are written to `ours.f64` there. Names
//! are those of the parameters.
#![allow(clippy::print_stdout, reason = "a program that prints figures")]

use dafu_benches::cpu_seconds;
use dafu_ensemble::{BoostedTreesParams, Growth, Samples};
use ndarray::Array2;
use std::error::Error;
use std::hint::black_box;
use std::path::Path;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["boosted", folder, columns, ref settings @ ..] => {
            boosted(Path::new(folder), columns.parse()?, settings)
        }
        _ => Err("usage: ensemble_peer boosted FOLDER COLUMNS [NAME=VALUE ...]".into()),
    }
}

fn read(path: &Path, columns: usize) -> Outcome<Array2<f64>> {
    let bytes = std::fs::read(path)?;
    let values: Vec<f64> = bytes
        .chunks_exact(8)
        .map(|some| some.try_into().map(f64::from_le_bytes))
        .collect::<Result<_, _>>()?;
    Ok(Array2::from_shape_vec(
        (values.len() / columns, columns),
        values,
    )?)
}

fn params(settings: &[&str]) -> Outcome<BoostedTreesParams> {
    let mut params = BoostedTreesParams::default();
    for setting in settings {
        let (name, value) = setting.split_once('=').ok_or("settings are NAME=VALUE")?;
        match name {
            "n_estimators" => params.n_estimators = value.parse()?,
            "learning_rate" => params.learning_rate = value.parse()?,
            "max_leaves" => params.max_leaves = value.parse()?,
            "max_depth" => params.max_depth = value.parse()?,
            "min_leaf_rows" => params.min_leaf_rows = value.parse()?,
            "min_leaf_hessian" => params.min_leaf_hessian = value.parse()?,
            "l1" => params.l1 = value.parse()?,
            "l2" => params.l2 = value.parse()?,
            "row_sample" => params.row_sample = value.parse()?,
            "column_sample" => params.column_sample = value.parse()?,
            "seed" => params.seed = value.parse()?,
            "depth_wise" => params.growth = Growth::DepthWise,
            _ => return Err(format!("no setting {name}").into()),
        }
    }
    Ok(params)
}

fn boosted(folder: &Path, columns: usize, settings: &[&str]) -> Outcome<()> {
    let params = params(settings)?;
    let train = read(&folder.join("train.f64"), columns)?;
    let test = read(&folder.join("test.f64"), columns)?;
    let labels = std::fs::read(folder.join("train.u8"))?;
    let frauds: Vec<bool> = labels.iter().map(|label| *label != 0).collect();

    let start = cpu_seconds();
    let model = params.fit(&Samples::new(train.view(), &frauds)?)?;
    let fitted = cpu_seconds() - start;

    let mut scores = vec![0.0; test.nrows()];
    let start = cpu_seconds();
    model.log_odds_rows(test.view(), &mut scores)?;
    let judged = cpu_seconds() - start;

    let some = test.nrows().min(20_000);
    let start = cpu_seconds();
    for row in test.rows().into_iter().take(some) {
        let row = row.to_slice().ok_or("rows are not row after row")?;
        black_box(model.log_odds_row(black_box(row))?);
    }
    let one = (cpu_seconds() - start) / some as f64;
    println!("train={fitted} predict={judged} one_row={one}");
    let bytes: Vec<u8> = scores
        .iter()
        .flat_map(|score| score.to_le_bytes())
        .collect();
    std::fs::write(folder.join("ours.f64"), bytes)?;
    Ok(())
}
