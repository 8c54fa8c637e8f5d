//! Folds against brute force and scikit-learn, and searches against what they must find.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; the same bits are asked for"
)]

mod folds;
mod search;

use dafu_core::metrics::{
    CardPrecisionParams, MetricsError, Ranking, card_precision_at_k, log_loss,
};
use dafu_ensemble::select::{Fold, Metric, Space, TimeFolds, validate};
use dafu_ensemble::{BoostedTreesParams, Classifier, EnsembleError, Learner, Samples};
use ndarray::{Array2, ArrayView2};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Knows the answer by so much: the first column is told apart from the second by `skill`.
#[derive(Debug)]
struct Skilled {
    skill: f64,
}

impl Learner for Skilled {
    fn learn(&self, _: &Samples<'_>) -> Result<Box<dyn Classifier>, EnsembleError> {
        Ok(Box::new(Self { skill: self.skill }))
    }
}

impl Classifier for Skilled {
    fn width(&self) -> usize {
        2
    }

    fn log_odds_rows(
        &self,
        rows: ArrayView2<'_, f64>,
        out: &mut [f64],
    ) -> Result<(), EnsembleError> {
        for (row, out) in rows.rows().into_iter().zip(out) {
            *out = self.skill * row[0] + (1.0 - self.skill) * row[1];
        }
        Ok(())
    }
}

struct Data {
    rows: Array2<f64>,
    frauds: Vec<bool>,
    days: Vec<i64>,
}

impl Data {
    /// 40 days of 20 rows, the first column the label, the second noise.
    fn new() -> Self {
        let noise = |row: usize| (row * 7919 % 1009) as f64 / 1009.0;
        let frauds: Vec<bool> = (0..800).map(|row| row * 31 % 9 == 0).collect();
        let label = |row: usize| f64::from(u8::from(frauds[row]));
        Self {
            rows: Array2::from_shape_fn((800, 2), |(row, column)| [label(row), noise(row)][column]),
            days: (0..800).map(|row| row / 20).collect(),
            frauds,
        }
    }

    fn samples(&self) -> Samples<'_> {
        Samples::new(self.rows.view(), &self.frauds).unwrap()
    }

    fn folds(&self) -> Vec<Fold> {
        TimeFolds::default().folds(3).split(&self.days).unwrap()
    }
}

#[test]
fn validation_gives_the_metrics_of_the_test_rows() {
    let data = Data::new();
    let customers: Vec<u32> = (0..800).map(|row| row * 13 % 57).collect();
    let cards = CardPrecisionParams::default().k(3);
    let metrics = [
        Metric::roc_auc(),
        Metric::average_precision(),
        Metric::log_loss(),
        Metric::card_precision(&data.days, &customers, cards),
        Metric::function("first row", true, |judged| Ok(judged.rows[0] as f64)),
    ];
    let learner = Skilled { skill: 0.3 };
    let validation = validate(&learner, &data.samples(), &data.folds(), &metrics).unwrap();
    assert_eq!(validation.folds.len(), 3);
    for (fold, judged) in data.folds().iter().zip(&validation.folds) {
        let pick = |row: &usize| 0.3 * data.rows[(*row, 0)] + 0.7 * data.rows[(*row, 1)];
        let odds: Vec<f64> = fold.test.iter().map(pick).collect();
        let frauds: Vec<bool> = fold.test.iter().map(|row| data.frauds[*row]).collect();
        let days: Vec<i64> = fold.test.iter().map(|row| data.days[*row]).collect();
        let users: Vec<u32> = fold.test.iter().map(|row| customers[*row]).collect();
        let ranking = Ranking::new(&frauds, &odds, None).unwrap();
        let cards = card_precision_at_k(&days, &users, &frauds, &odds, &cards).unwrap();
        assert_eq!(judged.rows, fold.test);
        assert_eq!(judged.log_odds, odds);
        assert_eq!(judged.scores[0], Some(ranking.roc_auc().unwrap()));
        assert_eq!(judged.scores[1], Some(ranking.average_precision().unwrap()));
        assert_eq!(judged.scores[3], Some(cards.mean));
        assert_eq!(judged.scores[4], Some(fold.test[0] as f64));
        let chances: Vec<f64> = odds
            .iter()
            .map(|odds| 1.0 / (1.0 + (-odds).exp()))
            .collect();
        let loss = log_loss(&frauds, &chances, None).unwrap();
        assert!((judged.scores[2].unwrap() - loss).abs() < 1e-12);
    }
    let first = validation.summary(4).unwrap();
    // Test weeks begin on days 19, 26 and 33.
    assert_eq!(first.mean, 520.0);
    assert_eq!(first.sd, Some(140.0));
    assert_eq!(validation.mean("first row"), Some(520.0));
    assert_eq!(validation.mean("none of them"), None);
}

#[test]
fn folds_of_one_class_are_skipped_and_counted() {
    let mut data = Data::new();
    // The first fold learns from days 5 to 11, the last one is judged on days 33 to 39.
    for (fraud, day) in data.frauds.iter_mut().zip(&data.days) {
        if *day < 12 || *day >= 33 {
            *fraud = false;
        }
    }
    let trees = BoostedTreesParams::default().n_estimators(2);
    let metrics = [Metric::roc_auc(), Metric::log_loss()];
    let validation = validate(&trees, &data.samples(), &data.folds(), &metrics).unwrap();
    assert_eq!(validation.skipped.len(), 1);
    assert_eq!(validation.skipped[0].fold, 0);
    let auc = validation.summary(0).unwrap();
    assert_eq!((auc.folds[0], auc.folds[2], auc.sd), (None, None, None));
    assert!(auc.folds[1].is_some());
    // Log loss needs no second class.
    assert!(validation.summary(1).unwrap().folds[2].is_some());

    data.frauds.fill(false);
    let none = validate(&trees, &data.samples(), &data.folds(), &metrics);
    assert_eq!(none, Err(EnsembleError::NoFold { skipped: 3 }));
}

#[test]
fn folds_of_other_rows_are_refused() {
    let data = Data::new();
    let fold = Fold {
        train: vec![1, 2],
        test: vec![800],
    };
    let wrong = validate(&Skilled { skill: 1.0 }, &data.samples(), &[fold], &[]);
    assert!(matches!(
        wrong,
        Err(EnsembleError::FoldRow {
            fold: 0,
            row: 800,
            rows: 800
        })
    ));
    let fold = Fold {
        train: vec![1, 2],
        test: vec![3, 2],
    };
    let leak = validate(&Skilled { skill: 1.0 }, &data.samples(), &[fold], &[]);
    assert_eq!(leak, Err(EnsembleError::FoldRowTwice { fold: 0, row: 2 }));
    assert!(validate(&Skilled { skill: 1.0 }, &data.samples(), &[], &[]).is_err());
}

#[test]
fn a_metric_that_is_not_finite_is_a_failure() {
    let data = Data::new();
    let folds = data.folds();
    let nan = [Metric::function("nan", true, |_| Ok(f64::NAN))];
    let refused = [Metric::function("empty", true, |_| {
        Err(MetricsError::Empty)
    })];
    let learner = Skilled { skill: 1.0 };
    let error = validate(&learner, &data.samples(), &folds, &nan);
    assert!(matches!(error, Err(EnsembleError::MetricNotFinite { .. })));
    let error = validate(&learner, &data.samples(), &folds, &refused);
    assert!(matches!(error, Err(EnsembleError::Metric { .. })));
    let short = [Metric::card_precision(
        &[1, 2],
        &[1, 2],
        CardPrecisionParams::default(),
    )];
    let error = validate(&learner, &data.samples(), &folds, &short);
    assert!(matches!(error, Err(EnsembleError::Metric { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn points_lie_in_their_space(seed in any::<u64>(), number in any::<u64>(), low in -50_i64..50, wide in 0_i64..9) {
        let space = Space::default()
            .uniform("uniform", low as f64, (low + wide) as f64)
            .log_uniform("log_uniform", 1e-3, 1e3)
            .integers("integers", low, low + wide)
            .log_integers("log_integers", 1, 1 + wide)
            .choice("choice", ["a", "b"]);
        let point = space.draw(seed, number).unwrap();
        prop_assert!((low as f64..=(low + wide) as f64).contains(&point.number("uniform").unwrap()));
        prop_assert!((1e-3..=1e3).contains(&point.number("log_uniform").unwrap()));
        prop_assert!((low..=low + wide).contains(&point.integer("integers").unwrap()));
        prop_assert!((1..=1 + wide).contains(&point.integer("log_integers").unwrap()));
        prop_assert!(["a", "b"].contains(&point.name("choice").unwrap()));
        prop_assert_eq!(&point, &space.draw(seed, number).unwrap());
    }
}

#[test]
fn spaces_that_cannot_be_drawn_from_are_refused() {
    let space = Space::default;
    for bad in [
        space(),
        space().uniform("a", 1.0, 0.0),
        space().uniform("a", 0.0, f64::INFINITY),
        space().uniform("a", f64::MIN, f64::MAX),
        space().uniform("a", f64::NAN, 1.0),
        space().log_uniform("a", 0.0, 1.0),
        space().integers("a", 2, 1),
        space().log_integers("a", 0, 1),
        space().choice::<&str>("a", []),
        space().integers("a", 0, 1).integers("a", 0, 1),
    ] {
        assert!(bad.draw(0, 0).is_err(), "{bad:?}");
    }
    let all = space()
        .integers("a", i64::MIN, i64::MAX)
        .log_integers("b", 1, i64::MAX);
    assert!(all.draw(1, 1).is_ok());
    let drawn: BTreeSet<i64> = (0..200)
        .map(|number| {
            space()
                .log_integers("a", 1, 3)
                .draw(0, number)
                .unwrap()
                .integer("a")
                .unwrap()
        })
        .collect();
    assert_eq!(drawn, BTreeSet::from([1, 2, 3]));
}
