//! Files of the first version of each format must load for ever, and answer as they did.
#![cfg(all(feature = "linfa", feature = "serde"))]
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::random::Stream;
use dafu_ensemble::{
    BalancedBagging, BalancedBaggingParams, Classifier, DecisionTree, DecisionTreeParams,
    EnsembleError, Learner, LogisticRegression, LogisticRegressionParams, NeuralNet,
    NeuralNetParams, Samples,
};
use ndarray::Array2;
use std::path::PathBuf;

fn golden(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/golden");
    root.join(name)
}

fn rows() -> (Array2<f64>, Vec<bool>) {
    let mut stream = Stream::new(1, 99, 0);
    let rows = Array2::from_shape_simple_fn((60, 2), || {
        let value = (stream.unit() * 64.0).floor() / 4.0;
        if value > 15.0 { f64::NAN } else { value }
    });
    let frauds = rows.rows().into_iter().map(|row| row[0] + row[1] > 20.0);
    let frauds = frauds.collect();
    (rows, frauds)
}

fn learners() -> Vec<(&'static str, Box<dyn Learner>)> {
    let line = LogisticRegressionParams::default;
    let net = NeuralNetParams::default().hidden_layers(vec![4, 3]);
    vec![
        ("logistic_regression-v1", Box::new(line())),
        ("neural_net-v1", Box::new(net)),
        ("decision_tree-v1", Box::new(DecisionTreeParams::default())),
        (
            "balanced_bagging-v1",
            Box::new(BalancedBaggingParams::new(line()).bags(2)),
        ),
    ]
}

fn load(name: &str, bytes: &[u8]) -> Result<Box<dyn Classifier>, EnsembleError> {
    Ok(match name {
        "logistic_regression-v1" => Box::new(LogisticRegression::from_bytes(bytes)?),
        "neural_net-v1" => Box::new(NeuralNet::from_bytes(bytes)?),
        "decision_tree-v1" => Box::new(DecisionTree::from_bytes(bytes)?),
        _ => Box::new(BalancedBagging::from_bytes(bytes, |bytes| {
            load("logistic_regression-v1", bytes)
        })?),
    })
}

fn log_odds(model: &dyn Classifier) -> String {
    let (rows, _) = rows();
    let mut out = vec![0.0; rows.nrows()];
    model.log_odds_rows(rows.view(), &mut out).unwrap();
    let lines = out.iter().map(|odds| format!("{odds:?}\n"));
    lines.collect()
}

#[test]
fn golden_files_load_and_answer_as_before() {
    for (name, _) in learners() {
        let bytes = std::fs::read(golden(&format!("{name}.dafu"))).unwrap();
        let expected = std::fs::read_to_string(golden(&format!("{name}.odds"))).unwrap();
        let model = load(name, &bytes).unwrap();
        for (got, expected) in log_odds(model.as_ref()).lines().zip(expected.lines()) {
            let (got, expected): (f64, f64) = (got.parse().unwrap(), expected.parse().unwrap());
            // Logarithms are those of the machine.
            assert!(
                (got - expected).abs() < 1e-12,
                "{name}: {got} instead of {expected}"
            );
        }
        assert_eq!(expected.lines().count(), 60);
        // The same layout is written today.
        assert_eq!(model.to_bytes().unwrap(), bytes, "{name}");
    }
}

#[test]
#[ignore = "writes the golden files; only for a new version of a format"]
fn write_golden_files() {
    let (rows, frauds) = rows();
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    for (name, learner) in learners() {
        let model = learner.learn(&samples).unwrap();
        let bytes = model.to_bytes().unwrap();
        std::fs::write(golden(&format!("{name}.dafu")), bytes).unwrap();
        let odds = log_odds(model.as_ref());
        std::fs::write(golden(&format!("{name}.odds")), odds).unwrap();
    }
}
