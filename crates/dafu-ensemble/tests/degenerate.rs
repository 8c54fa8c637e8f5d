//! Rows that are nothing like data: each has a defined outcome.

#![allow(clippy::unwrap_used, reason = "tests")]

#[cfg(feature = "linfa")]
use dafu_ensemble::DecisionTreeParams;
use dafu_ensemble::{
    BalancedBaggingParams, BoostedTreesParams, Classifier, EnsembleError, Learner,
    LogisticRegressionParams, NeuralNetParams, RandomForestParams, Samples,
};
use ndarray::{Array2, Axis, concatenate};

/// Every learner, quick.
fn learners() -> Vec<Box<dyn Learner>> {
    let trees = BoostedTreesParams::default()
        .n_estimators(10)
        .min_leaf_rows(2);
    vec![
        Box::new(trees.clone()),
        Box::new(RandomForestParams::default().n_estimators(10)),
        Box::new(LogisticRegressionParams::default()),
        Box::new(NeuralNetParams::default().epochs(3)),
        Box::new(BalancedBaggingParams::new(trees).bags(3)),
        #[cfg(feature = "linfa")]
        Box::new(DecisionTreeParams::default()),
    ]
}

fn odds(model: &dyn Classifier, rows: &Array2<f64>) -> Vec<f64> {
    let mut odds = vec![0.0; rows.nrows()];
    model.log_odds_rows(rows.view(), &mut odds).unwrap();
    assert!(odds.iter().all(|odds| odds.is_finite()), "{model:?}");
    odds
}

/// Two columns of many values, the first of which tells.
fn telling(rows: usize) -> (Array2<f64>, Vec<bool>) {
    let table = Array2::from_shape_fn((rows, 2), |(row, column)| {
        ((row * (37 + 22 * column) + 5) % 1009) as f64
    });
    let frauds = table.rows().into_iter().map(|row| row[0] > 900.0).collect();
    (table, frauds)
}

#[test]
fn one_row_and_one_class_are_named() {
    let (table, _) = telling(5);
    for learner in learners() {
        let one = table.select(Axis(0), &[0]);
        let error = learner
            .learn(&Samples::new(one.view(), &[true]).unwrap())
            .unwrap_err();
        assert_eq!(error, EnsembleError::SingleClass { class: "fraud" });
        let honest = Samples::new(table.view(), &[false; 5]).unwrap();
        let error = learner.learn(&honest).unwrap_err();
        assert_eq!(error, EnsembleError::SingleClass { class: "honest" });
        let zero = Array2::zeros((0, 2));
        let error = learner
            .learn(&Samples::new(zero.view(), &[]).unwrap())
            .unwrap_err();
        assert_eq!(error, EnsembleError::NoRows);
    }
}

#[test]
fn constant_missing_and_infinite_columns_leave_finite_answers() {
    let (table, frauds) = telling(400);
    for value in [7.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let alone = Array2::from_elem((400, 2), value);
        let beside = concatenate(Axis(1), &[table.view(), alone.view()]).unwrap();
        for learner in learners() {
            let nothing = learner
                .learn(&Samples::new(alone.view(), &frauds).unwrap())
                .unwrap();
            let same = odds(&*nothing, &alone);
            // Nothing to tell rows apart by.
            assert!(
                same.iter().all(|odds| (odds - same[0]).abs() < 1e-6),
                "{value} {learner:?}"
            );
            let model = learner
                .learn(&Samples::new(beside.view(), &frauds).unwrap())
                .unwrap();
            odds(&*model, &beside);
        }
    }
    // Single infinite values lie beyond all others.
    let mut mixed = table.clone();
    for row in 0..40 {
        mixed[[row * 10, 1]] = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN][row % 3];
    }
    for learner in learners() {
        let model = learner
            .learn(&Samples::new(mixed.view(), &frauds).unwrap())
            .unwrap();
        odds(&*model, &mixed);
    }
}

#[test]
fn duplicate_rows_get_one_answer() {
    let (table, _) = telling(20);
    let twice: Vec<usize> = (0..200).map(|row| row % 20).collect();
    let rows = table.select(Axis(0), &twice);
    // Half of the copies of a row are frauds.
    let frauds: Vec<bool> = (0..200).map(|row| row / 20 % 2 == 0).collect();
    for learner in learners() {
        let model = learner
            .learn(&Samples::new(rows.view(), &frauds).unwrap())
            .unwrap();
        let odds = odds(&*model, &rows);
        for (row, odds_of_row) in odds.iter().enumerate() {
            assert!((odds_of_row - odds[row % 20]).abs() < 1e-12);
        }
    }
}

#[test]
fn rows_of_weight_zero_move_nothing() {
    // More values than bins, so that edges could move; and rows that no rule would take.
    let (table, frauds) = telling(700);
    let odd = Array2::from_shape_fn((900, 2), |(row, _)| 1e6 + row as f64 * 0.37);
    let rows = concatenate(Axis(0), &[table.view(), odd.view()]).unwrap();
    let labels: Vec<bool> = frauds
        .iter()
        .copied()
        .chain((0..900).map(|row| row % 2 == 0))
        .collect();
    let weights: Vec<f64> = (0..1600)
        .map(|row| f64::from(u8::from(row < 700)))
        .collect();
    for learner in &learners()[..3] {
        let alone = learner
            .learn(&Samples::new(table.view(), &frauds).unwrap())
            .unwrap();
        let samples = Samples::new(rows.view(), &labels)
            .unwrap()
            .with_weights(&weights)
            .unwrap();
        let beside = learner.learn(&samples).unwrap();
        for (one, two) in odds(&*alone, &table).iter().zip(odds(&*beside, &table)) {
            assert!((one - two).abs() < 1e-9, "{one} {two} {learner:?}");
        }
    }
}

#[test]
fn a_hundred_thousand_columns_are_learned_from() {
    let width = 100_000;
    let table = Array2::from_shape_fn((60, width), |(row, column)| {
        if column == 77_777 {
            row as f64
        } else {
            ((row * 31 + column * 17) % 59) as f64
        }
    });
    let frauds: Vec<bool> = (0..60).map(|row| row >= 45).collect();
    let samples = Samples::new(table.view(), &frauds).unwrap();
    let boosted = BoostedTreesParams::default()
        .n_estimators(3)
        .max_leaves(3)
        .min_leaf_rows(2);
    let model = boosted.fit(&samples).unwrap();
    assert!(model.importances()[77_777] > 0.5);
    let forest = RandomForestParams::default()
        .n_estimators(5)
        .fit(&samples)
        .unwrap();
    assert_eq!(forest.width(), width);
    let odds = odds(&forest, &table);
    assert!(odds[59] > odds[0]);
    // What would take the square of the columns says so.
    let wide: [Box<dyn Learner>; 2] = [
        Box::new(LogisticRegressionParams::default()),
        Box::new(NeuralNetParams::default()),
    ];
    for learner in wide {
        let error = learner.learn(&samples).unwrap_err();
        assert!(matches!(error, EnsembleError::TooMany { .. }), "{error}");
    }
}
