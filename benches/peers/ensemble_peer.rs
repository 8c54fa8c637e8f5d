//! Our side of `peers/run.sh ensemble`: reads what the Python side wrote, learns, judges, prints CPU seconds.
//!
//! `ensemble_peer MODEL FOLDER COLUMNS THREADS [PARAMETERS [EXPLAINED]]`: MODEL is `boosted` or `forest`, with PARAMETERS as
//! JSON, or `lightgbm`, which reads `model.txt`. FOLDER holds `train.f64` and `test.f64` (little-endian f64 values, row
//! after row) and `train.u8` (labels). The scores of the test rows are written to `ours.f64` there (log odds, of a forest
//! the share of frauds), the Shapley values of the first EXPLAINED of them (default 0) to `ours_shap.f64`, each row
//! followed by the baseline.
#![allow(clippy::print_stdout, reason = "a program that prints figures")]

use dafu_benches::cpu_seconds;
use dafu_ensemble::{
    BoostedTrees, BoostedTreesParams, EnsembleError, RandomForest, RandomForestParams, Samples,
    TreeExplainer,
};
use ndarray::{Array2, ArrayView2, Axis};
use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Rows that are judged one by one.
const ONE_BY_ONE: usize = 20_000;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [model, folder, columns, threads, ref more @ ..] = arguments[..] else {
        return Err(
            "usage: ensemble_peer MODEL FOLDER COLUMNS THREADS [PARAMETERS [EXPLAINED]]".into(),
        );
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.parse()?)
        .build()?;
    let explained = more.get(1).map_or(Ok(0), |rows| rows.parse())?;
    let params = more.first().copied().unwrap_or("{}");
    let columns = columns.parse()?;
    pool.install(|| -> Outcome<()> {
        let folder = Path::new(folder);
        let test = read(&folder.join("test.f64"), columns)?;
        let model = fit(model, folder, columns, params)?;
        score(&model, folder, &test)?;
        if explained > 0 {
            let explained = explained.min(test.nrows());
            explain(&model, folder, test.view().split_at(Axis(0), explained).0)?;
        }
        println!();
        Ok(())
    })
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

fn write(path: &Path, values: &[f64]) -> Outcome<()> {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    Ok(std::fs::write(path, bytes)?)
}

enum Model {
    Boosted(BoostedTrees),
    Forest(RandomForest),
}

impl Model {
    fn rows(&self, rows: ArrayView2<'_, f64>, out: &mut [f64]) -> Result<(), EnsembleError> {
        match self {
            Self::Boosted(model) => model.log_odds_rows(rows, out),
            Self::Forest(model) => model.share_rows(rows, out),
        }
    }

    fn row(&self, row: &[f64]) -> Result<f64, EnsembleError> {
        match self {
            Self::Boosted(model) => model.log_odds_row(row),
            Self::Forest(model) => model.share_row(row),
        }
    }

    fn explainer(&self) -> TreeExplainer {
        match self {
            Self::Boosted(model) => model.explainer(),
            Self::Forest(model) => model.explainer(),
        }
    }
}

fn fit(kind: &str, folder: &Path, columns: usize, params: &str) -> Outcome<Model> {
    let train = read(&folder.join("train.f64"), columns)?;
    let labels = std::fs::read(folder.join("train.u8"))?;
    let frauds: Vec<bool> = labels.iter().map(|label| *label != 0).collect();
    let samples = Samples::new(train.view(), &frauds)?;

    let (start, clock) = (cpu_seconds(), Instant::now());
    let model = match kind {
        "boosted" => {
            let params: BoostedTreesParams = serde_json::from_str(params)?;
            Model::Boosted(params.fit(&samples)?)
        }
        "forest" => {
            let params: RandomForestParams = serde_json::from_str(params)?;
            Model::Forest(params.fit(&samples)?)
        }
        "lightgbm" => {
            let text = std::fs::read_to_string(folder.join("model.txt"))?;
            Model::Boosted(BoostedTrees::from_lightgbm_text(&text)?)
        }
        _ => return Err(format!("no model {kind}").into()),
    };
    print!(
        "train={} wall={} ",
        cpu_seconds() - start,
        clock.elapsed().as_secs_f64()
    );
    Ok(model)
}

fn score(model: &Model, folder: &Path, test: &Array2<f64>) -> Outcome<()> {
    let mut scores = vec![0.0; test.nrows()];
    let start = cpu_seconds();
    model.rows(test.view(), &mut scores)?;
    print!("predict={} ", cpu_seconds() - start);
    write(&folder.join("ours.f64"), &scores)?;

    let some = test.nrows().min(ONE_BY_ONE);
    let start = cpu_seconds();
    for row in test.rows().into_iter().take(some) {
        let row = row.to_slice().ok_or("rows are not row after row")?;
        black_box(model.row(black_box(row))?);
    }
    print!("one_row={} ", (cpu_seconds() - start) / some as f64);
    Ok(())
}

fn explain(model: &Model, folder: &Path, rows: ArrayView2<'_, f64>) -> Outcome<()> {
    let start = cpu_seconds();
    let explainer = model.explainer();
    print!("explainer={} ", cpu_seconds() - start);
    let mut values = vec![0.0; rows.len()];
    let start = cpu_seconds();
    explainer.explain_rows(rows, &mut values)?;
    print!("explain={} ", cpu_seconds() - start);
    let with_baseline: Vec<f64> = values
        .chunks_exact(rows.ncols())
        .flat_map(|values| values.iter().copied().chain([explainer.baseline()]))
        .collect();
    write(&folder.join("ours_shap.f64"), &with_baseline)
}
