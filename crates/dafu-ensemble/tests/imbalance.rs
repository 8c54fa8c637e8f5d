//! Class weights and balanced bags: definitions, averages, the scale of answers.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; equal means the same bits"
)]

use dafu_core::metrics::roc_auc;
use dafu_core::random::Stream;
use dafu_ensemble::{
    Average, BalancedBagging, BalancedBaggingParams, BoostedTreesParams, ClassWeight,
    ClassWeighted, Classifier, EasyEnsembleParams, EnsembleError, Learner,
    LogisticRegressionParams, Samples, undo_undersampling,
};
use ndarray::{Array2, ArrayView2, Axis, array};
use proptest::prelude::*;
use std::sync::{Arc, Mutex};

/// Rows whose log odds are `2 x - 6`; about 3 in 100 are frauds.
fn rare(count: usize, seed: u64) -> (Array2<f64>, Vec<bool>) {
    let mut stream = Stream::new(seed, 80, 0);
    let rows = Array2::from_shape_simple_fn((count, 1), || stream.unit() * 4.0);
    let mut stream = Stream::new(seed, 81, 0);
    let frauds = rows
        .iter()
        .map(|x| stream.unit() < 1.0 / (1.0 + (6.0 - 2.0 * x).exp()));
    let frauds = frauds.collect();
    (rows, frauds)
}

fn answers(model: &dyn Classifier, rows: &Array2<f64>) -> Vec<f64> {
    let mut out = vec![0.0; rows.nrows()];
    model.log_odds_rows(rows.view(), &mut out).unwrap();
    out
}

#[test]
fn balanced_weights_are_those_of_scikit_learn() {
    let rows = Array2::zeros((5, 1));
    let frauds = [true, false, false, false, false];
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    // compute_class_weight("balanced", ...) gives 5 / (2 x 1) and 5 / (2 x 4).
    assert_eq!(
        ClassWeight::Balanced.weights(&samples).unwrap(),
        [2.5, 0.625, 0.625, 0.625, 0.625]
    );
    assert_eq!(
        ClassWeight::Ratio(7.0).weights(&samples).unwrap(),
        [7.0, 1.0, 1.0, 1.0, 1.0]
    );
    let weights = [3.0, 1.0, 0.0, 1.0, 1.0];
    let samples = samples.with_weights(&weights).unwrap();
    assert_eq!(ClassWeight::None.weights(&samples).unwrap(), weights);
    assert_eq!(
        ClassWeight::Balanced.weights(&samples).unwrap(),
        [3.0, 1.0, 0.0, 1.0, 1.0]
    );
    assert!(ClassWeight::Ratio(0.0).weights(&samples).is_err());
    assert!(ClassWeight::Ratio(f64::NAN).weights(&samples).is_err());
}

#[test]
fn class_weighted_learners_are_those_with_a_factor_for_frauds() {
    let (rows, frauds) = rare(500, 1);
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let learner = LogisticRegressionParams::default();
    let weighted = ClassWeighted {
        learner: BoostedTreesParams::default(),
        class_weight: ClassWeight::Ratio(4.0),
    };
    let direct = BoostedTreesParams::default()
        .scale_pos_weight(4.0)
        .learn(&samples)
        .unwrap();
    assert_eq!(
        answers(weighted.learn(&samples).unwrap().as_ref(), &rows),
        answers(direct.as_ref(), &rows)
    );
    let plain = ClassWeighted {
        learner: learner.clone(),
        class_weight: ClassWeight::None,
    };
    let direct = learner.learn(&samples).unwrap();
    assert_eq!(
        answers(plain.learn(&samples).unwrap().as_ref(), &rows),
        answers(direct.as_ref(), &rows)
    );
}

/// Always the log odds of the rows it learned from.
#[derive(Debug)]
struct Prior;

#[derive(Debug)]
struct Constant(f64);

impl Learner for Prior {
    fn learn(&self, samples: &Samples<'_>) -> Result<Box<dyn Classifier>, EnsembleError> {
        let weight = |class: bool| -> f64 {
            let rows = samples.frauds().iter().enumerate();
            rows.filter(|(_, fraud)| **fraud == class)
                .map(|(row, _)| samples.weight(row))
                .sum()
        };
        Ok(Box::new(Constant((weight(true) / weight(false)).ln())))
    }
}

impl Classifier for Constant {
    fn width(&self) -> usize {
        1
    }
    fn log_odds_rows(&self, _: ArrayView2<'_, f64>, out: &mut [f64]) -> Result<(), EnsembleError> {
        out.fill(self.0);
        Ok(())
    }
}

#[test]
fn corrected_answers_are_on_the_scale_of_the_given_rows() {
    let (rows, frauds) = rare(3000, 1);
    let weights: Vec<f64> = (0..3000).map(|row| 0.5 + f64::from(row % 4)).collect();
    let plain = Samples::new(rows.view(), &frauds).unwrap();
    let weighted = plain.with_weights(&weights).unwrap();
    for samples in [plain, weighted] {
        let weight = |class: bool| -> f64 {
            (0..3000)
                .filter(|row| frauds[*row] == class)
                .map(|row| samples.weight(row))
                .sum()
        };
        let truth = (weight(true) / weight(false)).ln();
        for average in [Average::LogOdds, Average::Probability] {
            let params = BalancedBaggingParams::new(Prior)
                .ratio(2.0)
                .average(average);
            let model = params.fit(&samples).unwrap();
            assert!(
                (answers(&model, &rows)[0] - truth).abs() < 1e-9,
                "{average:?}"
            );
        }
    }
    let raw = BalancedBaggingParams::new(Prior)
        .ratio(2.0)
        .correct_prior(false);
    let got = answers(&raw.fit(&plain).unwrap(), &rows)[0];
    assert!((got - 0.5_f64.ln()).abs() < 1e-9);
    assert!((undo_undersampling(1.5, 0.25) - (1.5 + 0.25_f64.ln())).abs() < 1e-15);
}

#[test]
fn log_odds_of_a_logistic_regression_survive_undersampling() {
    // Of 40,000 rows about 5,000 are frauds; the coefficient of the bags is that of all rows up to noise.
    let (rows, frauds) = rare(40_000, 3);
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let model = BalancedBaggingParams::new(LogisticRegressionParams::default())
        .fit(&samples)
        .unwrap();
    let ask = array![[0.5], [1.5], [3.0], [3.5]];
    for (got, x) in answers(&model, &ask).into_iter().zip(&ask) {
        assert!((got - (2.0 * x - 6.0)).abs() < 0.15, "{got} at {x}");
    }
}

#[test]
fn averages_agree_for_one_bag_and_are_ordered_for_many() {
    let (rows, frauds) = rare(2000, 1);
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let ask = array![[0.1], [2.0], [3.9]];
    let base = BalancedBaggingParams::new(LogisticRegressionParams::default()).bags(1);
    // Of one bag both averages are the bag's answer.
    let one = base.fit(&samples).unwrap();
    let same = base
        .clone()
        .average(Average::Probability)
        .fit(&samples)
        .unwrap();
    for (one, same) in answers(&one, &ask).into_iter().zip(answers(&same, &ask)) {
        assert!((one - same).abs() < 1e-9);
    }
    // Log odds are averaged below the mean probability where it is below one half (Jensen).
    let many = base.bags(20);
    let odds = many.fit(&samples).unwrap();
    let chances = many
        .clone()
        .average(Average::Probability)
        .fit(&samples)
        .unwrap();
    assert!(answers(&odds, &ask)[0] < answers(&chances, &ask)[0]);
}

#[test]
fn all_honest_rows_are_taken_where_there_are_few() {
    let (rows, frauds) = rare(300, 5);
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let learner = LogisticRegressionParams::default();
    let model = BalancedBaggingParams::new(learner.clone())
        .ratio(1e18)
        .bags(2)
        .fit(&samples)
        .unwrap();
    let direct = learner.learn(&samples).unwrap();
    for (bags, all) in answers(&model, &rows)
        .into_iter()
        .zip(answers(direct.as_ref(), &rows))
    {
        assert!((bags - all).abs() < 1e-12);
    }
}

#[test]
fn easy_ensemble_ranks_frauds_first() {
    let (rows, frauds) = rare(3000, 1);
    let (other, labels) = rare(3000, 2);
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let model = EasyEnsembleParams::easy_ensemble()
        .ratio(1.0)
        .fit(&samples)
        .unwrap();
    let truth: Vec<f64> = other.iter().copied().collect();
    let best = roc_auc(&labels, &truth, None).unwrap();
    let got = roc_auc(&labels, &answers(&model, &other), None).unwrap();
    assert!(got > best - 0.03, "{got} of {best}");
}

#[test]
fn threads_do_not_change_the_bits_and_seeds_do() {
    let (rows, frauds) = rare(1000, 1);
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let params = EasyEnsembleParams::easy_ensemble().ratio(1.0).bags(3);
    let fit = || answers(&params.fit(&samples).unwrap(), &rows);
    let pool = |threads| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
    };
    let one = pool(1).install(fit);
    assert_eq!(pool(3).install(fit), one);
    let other = params.clone().seed(1).fit(&samples).unwrap();
    assert_ne!(answers(&other, &rows), one);
}

#[test]
fn what_cannot_be_learned_is_an_error() {
    let rows = array![[1.0], [2.0]];
    let samples = Samples::new(rows.view(), &[true, false]).unwrap();
    let params = BalancedBaggingParams::new(LogisticRegressionParams::default());
    assert!(params.fit(&samples).is_ok());
    for bad in [
        params.clone().bags(0),
        params.clone().ratio(0.0),
        params.clone().ratio(f64::INFINITY),
    ] {
        assert!(bad.fit(&samples).is_err(), "{bad:?}");
    }
    let error = samples.with_blocks(&[1]).unwrap_err();
    assert_eq!(
        error,
        EnsembleError::Length {
            what: "blocks",
            expected: 2,
            got: 1
        }
    );
    let one = Samples::new(rows.view(), &[true, true]).unwrap();
    assert_eq!(
        params.fit(&one).unwrap_err(),
        EnsembleError::SingleClass { class: "fraud" }
    );
    let bad = BalancedBaggingParams::new(LogisticRegressionParams::default().l2(-1.0));
    assert!(bad.fit(&samples).is_err());
    let model = params.fit(&samples).unwrap();
    assert!(model.log_odds_rows(rows.view(), &mut [0.0]).is_err());
    assert!(!model.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn weights_of_classes_are_balanced(labels in prop::collection::vec((any::<bool>(), 0.1_f64..5.0), 2..50)) {
        let mut frauds: Vec<bool> = labels.iter().map(|(fraud, _)| *fraud).collect();
        (frauds[0], frauds[1]) = (true, false);
        let weights: Vec<f64> = labels.iter().map(|(_, weight)| *weight).collect();
        let rows = Array2::zeros((frauds.len(), 1));
        let samples = Samples::new(rows.view(), &frauds).unwrap().with_weights(&weights).unwrap();
        let balanced = ClassWeight::Balanced.weights(&samples).unwrap();
        let sum = |class: bool| -> f64 {
            balanced.iter().zip(&frauds).filter(|(_, fraud)| **fraud == class).map(|(weight, _)| weight).sum()
        };
        let total: f64 = weights.iter().sum();
        prop_assert!((sum(true) - total / 2.0).abs() < 1e-9);
        prop_assert!((sum(false) - total / 2.0).abs() < 1e-9);
    }
}

#[cfg(feature = "serde")]
#[test]
fn saved_bags_come_back_and_damaged_ones_are_errors_or_sound() {
    use dafu_ensemble::LogisticRegression;
    let (rows, frauds) = rare(200, 1);
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let params = BalancedBaggingParams::new(LogisticRegressionParams::default()).bags(2);
    let model = params.average(Average::Probability).fit(&samples).unwrap();
    let bytes = Classifier::to_bytes(&model).unwrap();
    let load = |bytes: &[u8]| {
        BalancedBagging::from_bytes(bytes, |bytes| {
            Ok(Box::new(LogisticRegression::from_bytes(bytes)?) as Box<dyn Classifier>)
        })
    };
    assert_eq!(
        answers(&load(&bytes).unwrap(), &rows),
        answers(&model, &rows)
    );
    for damaged in dafu_testkit::damage::all(&bytes) {
        assert!(load(&damaged.bytes).is_err(), "{}", damaged.damage);
    }
    for damaged in dafu_testkit::damage::payload_damage(&bytes) {
        if let Ok(model) = load(&damaged.bytes) {
            let row = Array2::from_elem((1, model.width().min(9)), 1e300);
            if row.ncols() == model.width() {
                assert!(answers(&model, &row)[0].is_finite(), "{}", damaged.damage);
            }
        }
    }
    // A member that has no format.
    let unsaved = BalancedBaggingParams::new(Prior).fit(&samples).unwrap();
    assert_eq!(unsaved.to_bytes().unwrap_err(), EnsembleError::NotSaved);
}

fn sound<T: Send + Sync + std::fmt::Debug + Clone>() {}

#[test]
fn models_can_be_shared_between_threads() {
    sound::<BalancedBagging>();
    sound::<EasyEnsembleParams>();
}

/// Learns nothing, and notes the rows that it is given.
#[derive(Debug, Default)]
struct Noting(Arc<Mutex<Vec<Array2<f64>>>>);

impl Learner for Noting {
    fn learn(&self, samples: &Samples<'_>) -> Result<Box<dyn Classifier>, EnsembleError> {
        let honest = samples.frauds().iter().enumerate();
        let honest = honest.filter(|(_, fraud)| !**fraud).map(|(row, _)| row);
        let honest: Vec<usize> = honest.collect();
        let rows = samples.rows().select(Axis(0), &honest);
        self.0.lock().unwrap().push(rows);
        LogisticRegressionParams::default().learn(samples)
    }
}

#[test]
fn each_bag_has_the_share_of_honest_rows_that_a_block_of_time_has() {
    // Of 1,000 honest rows half are of block 0, three tenths of block 1, a fifth of block 2; all frauds of block 2.
    let blocks: Vec<u32> = (0..1100)
        .map(|row| match row {
            0..500 => 0,
            500..800 => 1,
            _ => 2,
        })
        .collect();
    let rows = Array2::from_shape_fn((1100, 2), |(row, column)| {
        [f64::from(blocks[row]), row as f64][column]
    });
    let frauds: Vec<bool> = (0..1100).map(|row| row >= 1000).collect();
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let samples = samples.with_blocks(&blocks).unwrap();
    let noting = Noting::default();
    let given = Arc::clone(&noting.0);
    // Blocks go through what stands between.
    let params = ClassWeighted {
        learner: BalancedBaggingParams::new(noting).bags(6),
        class_weight: ClassWeight::Balanced,
    };
    params.learn(&samples).unwrap();
    let bags = given.lock().unwrap();
    assert_eq!(bags.len(), 6);
    for bag in bags.iter() {
        let of_block = |block| {
            bag.column(0)
                .iter()
                .filter(|found| **found == block)
                .count()
        };
        assert_eq!([0.0, 1.0, 2.0].map(of_block), [50, 30, 20]);
    }
    assert_ne!(bags[0], bags[1]);
}
