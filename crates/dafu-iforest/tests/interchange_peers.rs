//! Other programs score our forests as we do. Ignored by default, since they need Python:
//!
//! ```sh
//! DAFU_PYTHON=.../bin/python cargo test -p dafu-iforest --all-features --test interchange_peers -- --ignored --nocapture
//! ```
//!
//! `DAFU_PYTHON` (default `python3`) must have the packages of `benches/peers/requirements-onnx.txt` for the ONNX models;
//! for JSON the standard library is enough.
#![cfg(all(feature = "json", feature = "onnx"))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod forests;

use dafu_iforest::{IsolationForest, IsolationForestParams};
use forests::sample_forests;
use ndarray::Array2;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A forest of the default size, and rows enough for programs that share them out.
fn large_forest() -> (&'static str, IsolationForest, Array2<f64>) {
    let rows = Array2::from_shape_fn((3000, 5), |(row, column)| {
        let mixed = (row * 2_654_435_761 + column * 40_503 + row * column * 97) % 10_007;
        (mixed as f64 / 5003.0 - 1.0).powi(3)
    });
    let forest = IsolationForestParams::default().seed(9).fit(rows.view());
    ("large", forest.unwrap(), rows)
}

/// A folder with NAME.rows.json, NAME.scores.json and what `save` makes of each forest; forests of which it makes nothing
/// are left out.
fn write(
    folder: &str,
    ending: &str,
    save: impl Fn(&IsolationForest) -> Option<Vec<u8>>,
) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    for (name, forest, rows) in sample_forests().into_iter().chain([large_forest()]) {
        let Some(bytes) = save(&forest) else { continue };
        let mut scores = vec![0.0; rows.nrows()];
        forest.score_rows(rows.view(), &mut scores).unwrap();
        // NaN is written as null.
        let rows: Vec<Vec<f64>> = rows.rows().into_iter().map(|row| row.to_vec()).collect();
        let path = |ending: &str| folder.join(format!("{name}.{ending}"));
        std::fs::write(path(ending), bytes).unwrap();
        std::fs::write(path("rows.json"), serde_json::to_vec(&rows).unwrap()).unwrap();
        std::fs::write(path("scores.json"), serde_json::to_vec(&scores).unwrap()).unwrap();
    }
    folder
}

fn check(script: &str, arguments: &[&str], folder: &Path) {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/peers");
    let python = std::env::var("DAFU_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut command = Command::new(python);
    command
        .arg(scripts.join(script))
        .args(arguments)
        .arg(folder);
    assert!(command.status().unwrap().success());
}

#[test]
#[ignore = "needs Python"]
fn a_short_python_program_scores_the_json_to_1e_9() {
    let folder = write("json", "json", |forest| {
        Some(forest.to_json().unwrap().into())
    });
    check("score_json_forest.py", &["--check"], &folder);
}

#[test]
#[ignore = "needs Python with onnxruntime"]
fn onnxruntime_scores_the_models_to_1e_6() {
    let folder = write("onnx", "onnx", |forest| forest.to_onnx().ok());
    check("check_onnx.py", &[], &folder);
}
