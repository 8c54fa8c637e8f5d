//! Models of linfa and smartcore as learners, against the same models asked directly.
#![cfg(all(feature = "linfa", feature = "smartcore"))]
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; equal means the same bits"
)]

use dafu_core::metrics::roc_auc;
use dafu_core::random::Stream;
use dafu_ensemble::combine::{BlendFolds, BlendParams, Combination, StackParams};
use dafu_ensemble::{
    AdapterParams, Answers, Classifier, EnsembleError, Learner, LinfaLearner,
    LogisticRegressionParams, Samples, SmartcoreLearner,
};
use linfa::DatasetBase;
use linfa::traits::{Fit, Predict};
use linfa_logistic::LogisticRegression;
use linfa_trees::DecisionTree;
use ndarray::{Array1, Array2, array};
use smartcore::ensemble::random_forest_regressor::{
    RandomForestRegressor, RandomForestRegressorParameters,
};
use smartcore::linalg::basic::arrays::Array;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linear::linear_regression::{LinearRegression, LinearRegressionParameters};
use smartcore::tree::decision_tree_classifier::{
    DecisionTreeClassifier, DecisionTreeClassifierParameters,
};

type Forest = RandomForestRegressor<f64, f64, DenseMatrix<f64>, Vec<f64>>;

fn table(count: usize, seed: u64) -> (Array2<f64>, Vec<bool>) {
    let mut stream = Stream::new(seed, 95, 0);
    let rows = Array2::from_shape_simple_fn((count, 2), || stream.unit() * 4.0);
    let frauds = rows.rows().into_iter();
    let frauds = frauds.map(|row| stream.unit() < 1.0 / (1.0 + (6.0 - 3.0 * row[0]).exp()));
    let frauds = frauds.collect();
    (rows, frauds)
}

fn answers(model: &dyn Classifier, rows: &Array2<f64>) -> Vec<f64> {
    let mut out = vec![0.0; rows.nrows()];
    model.log_odds_rows(rows.view(), &mut out).unwrap();
    out
}

fn plain() -> AdapterParams {
    AdapterParams::default().standardise(false)
}

#[test]
fn labels_of_a_linfa_tree_are_two_scores() {
    let (rows, frauds) = table(300, 1);
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let params = DecisionTree::<f64, bool>::params().max_depth(Some(3));
    let learner = LinfaLearner::new::<bool>(params).adapter(plain().edge(0.1));
    let model = learner.learn(&samples).unwrap();
    let targets: Array1<bool> = frauds.iter().copied().collect();
    let direct = params
        .fit(&DatasetBase::new(rows.clone(), targets))
        .unwrap();
    for (got, label) in answers(model.as_ref(), &rows)
        .into_iter()
        .zip(direct.predict(&rows))
    {
        assert!((got - if label { 9.0_f64.ln() } else { -9.0_f64.ln() }).abs() < 1e-12);
    }
    assert!(format!("{learner:?} {model:?}").contains("LinfaModel"));
}

#[test]
fn models_of_both_libraries_are_members_of_a_blend() {
    let (rows, frauds) = table(600, 5);
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let tree = LinfaLearner::new::<bool>(DecisionTree::<f64, bool>::params().max_depth(Some(2)));
    let forest = RandomForestRegressorParameters::default().with_n_trees(20);
    let forest = SmartcoreLearner::<Forest, _, f64>::new(forest.with_seed(4));
    let folds = BlendFolds::InOrder {
        folds: 3,
        test: 0.2,
        gap: 0.0,
    };
    let blend = BlendParams::new(Combination::Stack(StackParams::default()), folds)
        .member("linfa", Box::new(tree))
        .member("smartcore", Box::new(forest))
        .fit(&samples)
        .unwrap();
    let (new, labels) = table(2000, 6);
    let auc = |odds: &[f64]| roc_auc(&labels, odds, None).unwrap();
    let blended = auc(&answers(&blend, &new));
    // The best that can be known: the first column decides.
    let best = auc(&new.column(0).to_vec());
    assert!(blended > best - 0.05, "{blended} {best}");
    let parts = blend.parts(&[3.5, 1.0]).unwrap();
    let names: Vec<&str> = parts.iter().map(|part| part.name).collect();
    assert!(
        names
            .iter()
            .all(|name| ["linfa", "smartcore"].contains(name)),
        "{names:?}"
    );
    let error = Classifier::to_bytes(&blend).unwrap_err();
    assert!(error.to_string().contains("linfa"), "{error}");
}

#[test]
fn weights_reach_linfa() {
    let rows = array![[1.0], [1.0], [2.0], [2.0]];
    let frauds = [true, false, true, false];
    let weights = [5.0, 1.0, 1.0, 5.0];
    let samples = Samples::new(rows.view(), &frauds)
        .unwrap()
        .with_weights(&weights)
        .unwrap();
    let learner = LinfaLearner::new::<bool>(DecisionTree::<f64, bool>::params());
    let odds = answers(learner.learn(&samples).unwrap().as_ref(), &rows);
    assert!(odds[0] > 0.0 && odds[2] < 0.0);
}

#[test]
fn probabilities_of_linfa_logistic_are_those_of_the_same_regression_here() {
    let (rows, frauds) = table(500, 2);
    // linfa answers for the class with more rows: once frauds, once the others.
    let rare: Vec<bool> = frauds
        .iter()
        .zip(rows.rows())
        .map(|(fraud, row)| *fraud && row[1] < 1.0)
        .collect();
    let share = |frauds: &[bool]| frauds.iter().filter(|fraud| **fraud).count();
    assert!(share(&frauds) > 250 && share(&rare) < 200);
    for frauds in [frauds, rare] {
        let samples = Samples::new(rows.view(), &frauds).unwrap();
        let params = LogisticRegression::default()
            .alpha(1.0)
            .gradient_tolerance(1e-8)
            .max_iterations(500);
        let learner = LinfaLearner::<_, bool, _>::with_answers(params, |model, rows| {
            let chances = model.predict_probabilities(rows);
            if model.labels().pos.class {
                chances
            } else {
                1.0 - chances
            }
        });
        let learner = learner.adapter(AdapterParams::default().edge(1e-12));
        let linfa = learner.learn(&samples).unwrap();
        let own = LogisticRegressionParams::default().learn(&samples).unwrap();
        let pairs = answers(linfa.as_ref(), &rows)
            .into_iter()
            .zip(answers(own.as_ref(), &rows));
        for (linfa, own) in pairs {
            assert!((linfa - own).abs() < 1e-4, "{linfa} and {own}");
        }
    }
}

#[test]
fn forest_of_smartcore_answers_its_means() {
    let (rows, frauds) = table(300, 3);
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let params = RandomForestRegressorParameters::default()
        .with_n_trees(15)
        .with_seed(4);
    let learner = SmartcoreLearner::<Forest, _, f64>::new(params.clone()).adapter(plain());
    let model = learner.learn(&samples).unwrap();
    let matrix = DenseMatrix::new(300, 2, rows.iter().copied().collect(), false).unwrap();
    let targets = frauds
        .iter()
        .map(|fraud| f64::from(u8::from(*fraud)))
        .collect();
    let direct = Forest::fit(&matrix, &targets, params)
        .unwrap()
        .predict(&matrix)
        .unwrap();
    let mut between = 0;
    for (got, mean) in answers(model.as_ref(), &rows).into_iter().zip(direct) {
        let chance = 1.0 / (1.0 + (-got).exp());
        assert!((chance - mean.clamp(1e-6, 1.0 - 1e-6)).abs() < 1e-12);
        between += usize::from(mean > 0.0 && mean < 1.0);
    }
    assert!(between > 50);
    let (other, labels) = table(300, 5);
    assert!(roc_auc(&labels, &answers(model.as_ref(), &other), None).unwrap() > 0.85);
    assert!(format!("{learner:?} {model:?}").contains("SmartcoreModel"));
}

#[test]
fn labels_and_numbers_of_smartcore_work_too() {
    type Tree = DecisionTreeClassifier<f64, u32, DenseMatrix<f64>, Vec<u32>>;
    type Line = LinearRegression<f64, f64, DenseMatrix<f64>, Vec<f64>>;
    let (rows, frauds) = table(300, 3);
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let tree = SmartcoreLearner::<Tree, _, u32>::new(
        DecisionTreeClassifierParameters::default().with_max_depth(3),
    );
    let mut scores = answers(tree.learn(&samples).unwrap().as_ref(), &rows);
    scores.sort_by(f64::total_cmp);
    scores.dedup();
    assert_eq!(scores.len(), 2);
    // A line goes below 0: as log odds nothing is tied, as probabilities much is.
    let line = || SmartcoreLearner::<Line, _, f64>::new(LinearRegressionParameters::default());
    let distinct = |adapter: AdapterParams| {
        let model = line().adapter(adapter).learn(&samples).unwrap();
        let mut scores = answers(model.as_ref(), &rows);
        scores.sort_by(f64::total_cmp);
        scores.dedup();
        scores.len()
    };
    assert_eq!(
        distinct(AdapterParams::default().answers(Answers::LogOdds)),
        300
    );
    assert!(distinct(AdapterParams::default()) < 290);
}

#[test]
fn smartcore_takes_weights_only_where_told_how() {
    let (rows, frauds) = table(200, 3);
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let params = RandomForestRegressorParameters::default()
        .with_n_trees(5)
        .with_seed(1);
    let learner = SmartcoreLearner::<Forest, _, f64>::new(params);
    let twos = vec![2.0; 200];
    let equal = learner
        .learn(&samples.with_weights(&twos).unwrap())
        .unwrap();
    assert_eq!(
        answers(equal.as_ref(), &rows),
        answers(learner.learn(&samples).unwrap().as_ref(), &rows)
    );
    let mut one_out = twos.clone();
    one_out[3] = 0.0;
    assert!(
        learner
            .learn(&samples.with_weights(&one_out).unwrap())
            .is_ok()
    );
    let mut unequal = twos.clone();
    unequal[4] = 9.0;
    let samples = samples.with_weights(&unequal).unwrap();
    assert_eq!(
        learner.learn(&samples).unwrap_err(),
        EnsembleError::NoWeights
    );
    let learner = learner.weighted(|rows, labels, weights, params| {
        Forest::fit_with_weights(rows, labels, weights, params)
    });
    assert!(learner.learn(&samples).is_ok());
}

#[test]
fn missing_and_infinite_values_never_reach_the_libraries() {
    let (mut rows, frauds) = table(200, 3);
    for row in 0..50 {
        rows[(row, row % 2)] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY][row % 3];
    }
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let learner = || {
        SmartcoreLearner::<(), (), f64>::with_functions(
            (),
            |rows, labels, ()| {
                // Two columns, and the flags of both.
                assert_eq!(rows.shape(), (200, 4));
                assert_eq!(labels.len(), 200);
                assert!(rows.iterator(0).all(|x| x.is_finite()));
                Ok(())
            },
            |(), rows| {
                assert!(rows.iterator(0).all(|x| x.is_finite()));
                Ok(vec![0.5; rows.shape().0])
            },
        )
    };
    for adapter in [plain(), AdapterParams::default()] {
        let model = learner().adapter(adapter).learn(&samples).unwrap();
        assert_eq!(answers(model.as_ref(), &rows), vec![0.0; 200]);
    }
}

#[test]
fn answers_are_asked_block_by_block_in_order() {
    let rows = Array2::from_shape_fn((20_000, 1), |(row, _)| row as f64);
    let frauds: Vec<bool> = (0..20_000).map(|row| row % 2 == 0).collect();
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let learner = SmartcoreLearner::<(), (), f64>::with_functions(
        (),
        |_, _, ()| Ok(()),
        |(), rows| Ok(rows.iterator(0).copied().collect()),
    );
    let learner = learner.adapter(plain().answers(Answers::LogOdds));
    let model = learner.learn(&samples).unwrap();
    assert_eq!(
        answers(model.as_ref(), &rows),
        rows.iter().copied().collect::<Vec<f64>>()
    );
}

#[test]
fn failures_of_libraries_are_errors() {
    let (rows, frauds) = table(100, 3);
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let params = DecisionTree::<f64, bool>::params().min_impurity_decrease(-1.0);
    let error = LinfaLearner::new::<bool>(params)
        .learn(&samples)
        .unwrap_err();
    assert!(
        matches!(
            error,
            EnsembleError::Library {
                library: "linfa",
                what: "learn",
                ..
            }
        ),
        "{error}"
    );
    let nan =
        LinfaLearner::<_, bool, _>::with_answers(DecisionTree::<f64, bool>::params(), |_, rows| {
            Array1::from_elem(rows.nrows(), f64::NAN)
        });
    let model = nan.learn(&samples).unwrap();
    let error = model
        .log_odds_rows(rows.view(), &mut vec![0.0; 100])
        .unwrap_err();
    assert!(
        matches!(error, EnsembleError::Answer { row: 0, .. }),
        "{error}"
    );
    let tree = || LinfaLearner::new::<bool>(DecisionTree::<f64, bool>::params());
    assert!(tree().adapter(plain().edge(0.5)).learn(&samples).is_err());
    assert!(tree().adapter(plain().edge(0.0)).learn(&samples).is_err());
    let one = vec![true; 100];
    let one = Samples::new(rows.view(), &one).unwrap();
    assert_eq!(
        tree().learn(&one).unwrap_err(),
        EnsembleError::SingleClass { class: "fraud" }
    );
    let model = tree().learn(&samples).unwrap();
    assert_eq!(model.width(), 2);
    assert!(
        model
            .log_odds_rows(array![[1.0]].view(), &mut [0.0])
            .is_err()
    );
    #[cfg(feature = "serde")]
    assert_eq!(model.to_bytes().unwrap_err(), EnsembleError::NotSaved);
}
