//! Models of three libraries as members of one ensemble: boosted trees of dafu, a random forest of smartcore, a logistic
//! regression and a readable tree over linfa.
//!
//! Run: `cargo run --release --example ensemble_members`
//!
//! Expected output: `examples/expected/ensemble_members.txt`.
#![allow(clippy::print_stdout, reason = "an example shows its results")]

use dafu::metrics::Ranking;
use dafu_ensemble::{
    AdapterParams, BoostedTreesParams, DecisionTreeParams, EnsembleError, Learner, LinfaLearner,
    Samples, SmartcoreLearner,
};
use linfa_logistic::LogisticRegression;
use ndarray::{Array2, Axis};
use smartcore::ensemble::random_forest_regressor::{
    RandomForestRegressor, RandomForestRegressorParameters,
};
use smartcore::linalg::basic::matrix::DenseMatrix;
use std::error::Error;
use std::time::Instant;

type Forest = RandomForestRegressor<f64, f64, DenseMatrix<f64>, Vec<f64>>;

const NAMES: [&str; 4] = ["amount", "hour", "km from home", "minutes since last"];
const TRAINING: usize = 12_000;
const TEST: usize = 8_000;

/// Card payments in the order of time, and which are frauds: about 1 in 50.
fn payments(count: usize) -> (Array2<f64>, Vec<bool>) {
    // A small multiplicative generator: the example needs no crate for that.
    let mut state = 2024_u64;
    let mut uniform = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 24)
    };
    let mut rows = Array2::zeros((count, NAMES.len()));
    let mut frauds = Vec::with_capacity(count);
    for mut row in rows.axis_iter_mut(Axis(0)) {
        row[0] = (10.0 + 400.0 * uniform() * uniform() * uniform()).round();
        row[1] = (24.0 * uniform()).floor();
        row[2] = (300.0 * uniform() * uniform() * uniform()).round();
        row[3] = (1.0 + 3000.0 * uniform() * uniform()).round();
        let night = if row[1] < 6.0 { 1.0 } else { 0.0 };
        let hurried = if row[3] < 60.0 { 1.0 } else { 0.0 };
        let odds = -6.0 + 0.012 * row[0] + 0.008 * row[2] + 3.5 * night * hurried + 1.0 * night;
        frauds.push(uniform() < 1.0 / (1.0 + f64::exp(-odds)));
        // The terminal of one payment in 20 is unknown.
        if uniform() < 0.05 {
            row[2] = f64::NAN;
        }
    }
    (rows, frauds)
}

fn learners() -> Vec<(&'static str, Box<dyn Learner>)> {
    let trees = BoostedTreesParams::default()
        .learning_rate(0.05)
        .max_leaves(8);
    let forest = RandomForestRegressorParameters::default()
        .with_n_trees(60)
        .with_max_depth(10)
        .with_min_samples_leaf(5)
        .with_m(2)
        .with_seed(7);
    // Trees need no standardised columns.
    let forest = SmartcoreLearner::<Forest, _, f64>::new(forest)
        .adapter(AdapterParams::default().standardise(false));
    // Probabilities say more than labels; linfa's are of the class with more rows.
    let line = LinfaLearner::<_, bool, _>::with_answers(
        LogisticRegression::default().max_iterations(200),
        |model, rows| {
            let chances = model.predict_probabilities(rows);
            if model.labels().pos.class {
                chances
            } else {
                1.0 - chances
            }
        },
    );
    vec![
        ("dafu boosted trees", Box::new(trees)),
        ("smartcore random forest", Box::new(forest)),
        ("linfa logistic regression", Box::new(line)),
        (
            "dafu tree over linfa-trees",
            Box::new(DecisionTreeParams::default()),
        ),
    ]
}

fn show(name: &str, frauds: &[bool], log_odds: &[f64]) -> Result<(), Box<dyn Error>> {
    let ranking = Ranking::new(frauds, log_odds, None)?;
    let (auc, precision) = (ranking.roc_auc()?, ranking.average_precision()?);
    println!("{name:<28}{auc:>8.3}{precision:>19.3}");
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let (rows, frauds) = payments(TRAINING + TEST);
    // The first payments teach, the later ones judge.
    let (training, test) = rows.view().split_at(Axis(0), TRAINING);
    let (training_frauds, test_frauds) = frauds.split_at(TRAINING);
    let samples = Samples::new(training, training_frauds)?;
    println!(
        "{TRAINING} payments to learn from, {} frauds; {TEST} to judge by, {} frauds\n",
        training_frauds.iter().filter(|fraud| **fraud).count(),
        test_frauds.iter().filter(|fraud| **fraud).count()
    );

    println!(
        "{:<28}{:>8}{:>19}",
        "member", "ROC AUC", "average precision"
    );
    let mut mean = vec![0.0; TEST];
    let learners = learners();
    for (name, learner) in &learners {
        let model = learner.learn(&samples)?;
        let mut log_odds = vec![0.0; TEST];
        model.log_odds_rows(test, &mut log_odds)?;
        show(name, test_frauds, &log_odds)?;
        for (mean, odds) in mean.iter_mut().zip(&log_odds) {
            *mean += odds / learners.len() as f64;
        }
    }
    show("mean of the log odds", test_frauds, &mean)?;

    println!("\nThe tree, with two levels, in words:");
    print!("{}", readable(&samples)?);
    eprintln!("took {:.2} s", started.elapsed().as_secs_f64());
    Ok(())
}

fn readable(samples: &Samples<'_>) -> Result<String, EnsembleError> {
    let tree = DecisionTreeParams::default().max_depth(2).fit(samples)?;
    tree.to_text(&NAMES)
}
