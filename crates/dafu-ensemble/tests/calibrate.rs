//! Calibrators against scikit-learn, betacal and venn-abers, and what holds for all of them.
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::metrics::{average_precision, log_loss, roc_auc};
use dafu_core::{Calibrate, RawScore};
use dafu_ensemble::{CalibrationMethod, Calibrator, EnsembleError};
use proptest::prelude::*;
use serde_json::Value;

const METHODS: [CalibrationMethod; 4] = [
    CalibrationMethod::Platt,
    CalibrationMethod::Isotonic,
    CalibrationMethod::Beta,
    CalibrationMethod::VennAbers,
];

struct Case {
    of: Value,
}

impl Case {
    fn all() -> Vec<Self> {
        let file: Value = serde_json::from_str(include_str!("fixtures/calibration.json")).unwrap();
        let cases: Vec<Self> = file
            .as_object()
            .unwrap()
            .values()
            .map(|of| Self { of: of.clone() })
            .collect();
        assert_eq!(cases.len(), 3);
        cases
    }

    fn numbers(&self, name: &str) -> Vec<f64> {
        let list = self.of[name].as_array().unwrap();
        list.iter().map(|value| value.as_f64().unwrap()).collect()
    }

    fn frauds(&self) -> Vec<bool> {
        self.numbers("frauds")
            .iter()
            .map(|label| *label > 0.5)
            .collect()
    }

    fn fit(&self, method: CalibrationMethod) -> Calibrator {
        let (scores, weights) = (self.numbers("scores"), self.numbers("weights"));
        method.fit(&scores, &self.frauds(), Some(&weights)).unwrap()
    }
}

fn raw(score: f64) -> RawScore {
    RawScore::new(score).unwrap()
}

fn probabilities(calibrator: &Calibrator, scores: &[f64]) -> Vec<f64> {
    let rows = calibrator.calibrate_rows(scores).unwrap();
    rows.into_iter().map(f64::from).collect()
}

#[test]
fn platt_is_that_of_scikit_learn() {
    for case in Case::all() {
        let (calibrator, line) = (case.fit(CalibrationMethod::Platt), case.numbers("platt"));
        for score in case.numbers("test") {
            // As near as the steps of scipy come.
            let gap = calibrator.log_odds(raw(score)) - (line[0] * score + line[1]);
            assert!(gap.abs() < 1e-5, "{gap}");
        }
    }
}

#[test]
fn beta_is_that_of_betacal() {
    for case in Case::all() {
        let here = probabilities(&case.fit(CalibrationMethod::Beta), &case.numbers("test"));
        for (here, other) in here.iter().zip(case.numbers("beta")) {
            // Its solver stops at gradients of 1e-4.
            assert!((here - other).abs() < 1e-3, "{here} {other}");
        }
    }
}

#[test]
fn isotonic_is_that_of_scikit_learn_inside_of_0_and_1() {
    let mut inside = 0;
    for case in Case::all() {
        let here = probabilities(
            &case.fit(CalibrationMethod::Isotonic),
            &case.numbers("test"),
        );
        let other = case.numbers("isotonic");
        for (here, other) in here.iter().zip(other) {
            // The order within blocks moves odds by a part in a million.
            if other > 0.05 && other < 0.7 {
                inside += 1;
                assert!((here - other).abs() < 1e-6, "{here} {other}");
            }
        }
    }
    assert!(inside >= 20, "{inside}");
}

#[test]
fn venn_abers_is_that_of_the_package() {
    for case in Case::all() {
        let scores = case.numbers("scores");
        let calibrator = CalibrationMethod::VennAbers
            .fit(&scores, &case.frauds(), None)
            .unwrap();
        let expected = case.numbers("venn_abers_honest").into_iter();
        let expected = expected
            .zip(case.numbers("venn_abers_fraud"))
            .zip(case.numbers("venn_abers"));
        for (score, ((honest, fraud), merged)) in case.numbers("test").into_iter().zip(expected) {
            let (low, high) = calibrator.interval(raw(score)).unwrap();
            assert!(
                (low.get() - honest).abs() < 1e-12,
                "{score}: {low} {honest}"
            );
            assert!(
                (high.get() - fraud).abs() < 1e-12,
                "{score}: {high} {fraud}"
            );
            let probability = calibrator.calibrate(raw(score)).unwrap().get();
            assert!(
                (probability - merged).abs() < 1e-6,
                "{score}: {probability} {merged}"
            );
        }
    }
}

#[test]
fn isotonic_keeps_away_from_0_and_1_by_the_size_of_the_end_blocks() {
    let scores = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
    let frauds = [false, false, false, true, false, true, true];
    let calibrator = CalibrationMethod::Isotonic
        .fit(&scores, &frauds, None)
        .unwrap();
    for (score, expected) in [
        (-9.0, 0.5 / 4.0),
        (2.0, 0.5 / 4.0),
        (4.5, 0.5),
        (6.0, 1.0 - 0.5 / 3.0),
        (99.0, 1.0 - 0.5 / 3.0),
    ] {
        let here = calibrator.calibrate(raw(score)).unwrap().get();
        assert!((here - expected).abs() < 1e-6, "{score}: {here}");
    }
    // One honest row before many: the share of the rest is less than 1 / 4.
    let frauds: Vec<bool> = (0..40).map(|row| row == 20).collect();
    let scores: Vec<f64> = (0..40).map(|row| f64::from(row.min(1))).collect();
    let calibrator = CalibrationMethod::Isotonic
        .fit(&scores, &frauds, None)
        .unwrap();
    let here = probabilities(&calibrator, &[0.0, 1.0]);
    assert!(here[0] < here[1] && (here[1] - 1.0 / 39.0).abs() < 1e-6);
}

#[test]
fn separable_scores_have_finite_answers() {
    let scores: Vec<f64> = (0..20).map(f64::from).collect();
    let frauds: Vec<bool> = (0..20).map(|row| row >= 10).collect();
    for method in METHODS {
        let calibrator = method.fit(&scores, &frauds, None).unwrap();
        let here = probabilities(&calibrator, &[-1e300, 0.0, 9.0, 10.0, 19.0, 1e300]);
        assert!(
            here[0] > 0.0 && here[2] < 0.5 && here[3] > 0.5 && here[5] < 1.0,
            "{method:?} {here:?}"
        );
    }
}

#[test]
fn falling_and_constant_scores_give_the_share_of_frauds() {
    let frauds: Vec<bool> = (0..1000).map(|row| row < 300).collect();
    let falling: Vec<f64> = (0..1000).map(f64::from).collect();
    for scores in [falling, vec![2.5; 1000]] {
        for method in METHODS {
            let calibrator = method.fit(&scores, &frauds, None).unwrap();
            assert!(calibrator.is_constant(), "{method:?}");
            for score in [-50.0, 2.5, 500.0] {
                // The row that Venn-Abers adds is a block of its own outside of all scores.
                let outside = score < scores[0] || score > scores[999];
                if outside && method == CalibrationMethod::VennAbers {
                    continue;
                }
                let here = calibrator.calibrate(raw(score)).unwrap().get();
                assert!((here - 0.3).abs() < 2e-3, "{method:?}: {here}");
            }
        }
    }
    let rising: Vec<f64> = frauds
        .iter()
        .map(|fraud| f64::from(u8::from(*fraud)))
        .collect();
    for method in METHODS {
        assert!(
            !method.fit(&rising, &frauds, None).unwrap().is_constant(),
            "{method:?}"
        );
    }
}

#[test]
fn beta_with_one_end_level_is_the_best_of_all_pairs_that_do_not_fall() {
    // Honest rows at the top: the slope there would be negative.
    let scores: Vec<f64> = (0..300).map(|row| f64::from(row) / 30.0 - 5.0).collect();
    let frauds: Vec<bool> = (0..300)
        .map(|row| (120..200).contains(&row) && row % 3 > 0)
        .collect();
    let calibrator = CalibrationMethod::Beta.fit(&scores, &frauds, None).unwrap();
    let (fraud, honest) = (
        frauds.iter().filter(|f| **f).count() as f64,
        frauds.iter().filter(|f| !**f).count() as f64,
    );
    let loss = |of: &dyn Fn(f64) -> f64| -> f64 {
        let rows = scores.iter().zip(&frauds);
        rows.map(|(score, is)| {
            let target = if *is {
                (fraud + 1.0) / (fraud + 2.0)
            } else {
                1.0 / (honest + 2.0)
            };
            let odds = of(*score);
            target * (-odds).exp().ln_1p() + (1.0 - target) * odds.exp().ln_1p()
        })
        .sum()
    };
    let best = loss(&|score| calibrator.log_odds(raw(score)));
    for a in 0..20 {
        for b in 0..20 {
            for c in -30..10 {
                let (a, b, c) = (
                    f64::from(a) / 10.0,
                    f64::from(b) / 10.0,
                    f64::from(c) / 10.0,
                );
                let other = loss(&|s: f64| -a * (-s).exp().ln_1p() + b * s.exp().ln_1p() + c);
                assert!(other > best - 1e-9, "{a} {b} {c}: {other} {best}");
            }
        }
    }
    // The unconstrained pair is better, or there would be nothing to test.
    assert!(calibrator.log_odds(raw(1e6)) - calibrator.log_odds(raw(1e3)) < 1e-9);
}

#[test]
fn prior_moves_all_odds_by_one_factor() {
    let case = &Case::all()[0];
    for method in METHODS {
        let calibrator = case.fit(method);
        let moved = calibrator.clone().with_prior(0.5, 0.01).unwrap();
        for score in [-3.0, 0.0, 2.0] {
            let (before, after) = (
                calibrator.calibrate(raw(score)).unwrap(),
                moved.calibrate(raw(score)).unwrap(),
            );
            let odds = |p: f64| p / (1.0 - p);
            assert!((odds(after.get()) / odds(before.get()) * 99.0 - 1.0).abs() < 1e-9);
        }
        let back = moved.with_prior(0.01, 0.5).unwrap();
        assert!((back.log_odds(raw(1.0)) - calibrator.log_odds(raw(1.0))).abs() < 1e-12);
    }
    for bad in [0.0, 1.0, -0.1, f64::NAN] {
        assert!(
            Calibrator::linear(1.0, 0.0)
                .unwrap()
                .with_prior(0.5, bad)
                .is_err()
        );
        assert!(
            Calibrator::linear(1.0, 0.0)
                .unwrap()
                .with_prior(bad, 0.5)
                .is_err()
        );
    }
}

#[test]
fn prior_corrects_what_undersampling_did() {
    // Probabilities by Bayes: scores 0 and 1 with known shares in each class.
    let rows = |honest: usize| -> (Vec<f64>, Vec<bool>) {
        let mut all = Vec::new();
        for (fraud, score, count) in [
            (true, 0.0, 40),
            (true, 1.0, 160),
            (false, 0.0, honest * 9),
            (false, 1.0, honest),
        ] {
            all.extend(std::iter::repeat_n((score, fraud), count));
        }
        all.into_iter().unzip()
    };
    let ((few, few_frauds), (all, all_frauds)) = (rows(20), rows(2000));
    let share =
        |frauds: &[bool]| frauds.iter().filter(|f| **f).count() as f64 / frauds.len() as f64;
    let sampled = CalibrationMethod::Isotonic
        .fit(&few, &few_frauds, None)
        .unwrap();
    let sampled = sampled
        .with_prior(share(&few_frauds), share(&all_frauds))
        .unwrap();
    let whole = CalibrationMethod::Isotonic
        .fit(&all, &all_frauds, None)
        .unwrap();
    for score in [0.0, 1.0] {
        let gap = sampled.log_odds(raw(score)) - whole.log_odds(raw(score));
        assert!(gap.abs() < 1e-9, "{gap}");
    }
}

#[test]
fn interval_of_venn_abers_moves_with_the_prior_and_others_have_none() {
    let case = &Case::all()[1];
    let calibrator = case
        .fit(CalibrationMethod::VennAbers)
        .with_prior(0.2, 0.02)
        .unwrap();
    for score in [-20.0, -1.0, 0.5, 20.0] {
        let (low, high) = calibrator.interval(raw(score)).unwrap();
        let between = calibrator.calibrate(raw(score)).unwrap();
        assert!(low.get() <= between.get() + 1e-6 && between.get() <= high.get() + 1e-6);
    }
    assert!(
        case.fit(CalibrationMethod::Platt)
            .interval(raw(0.0))
            .is_none()
    );
}

#[test]
fn bad_input_is_named() {
    let method = CalibrationMethod::Platt;
    let both = [true, false];
    assert_eq!(method.fit(&[], &[], None), Err(EnsembleError::NoRows));
    assert_eq!(
        method.fit(&[1.0, 2.0], &both, Some(&[0.0, 0.0])),
        Err(EnsembleError::NoRows)
    );
    assert_eq!(
        method.fit(&[1.0], &[true], None),
        Err(EnsembleError::SingleClass { class: "fraud" })
    );
    assert_eq!(
        method.fit(&[1.0, 2.0], &both, Some(&[0.0, 1.0])),
        Err(EnsembleError::SingleClass { class: "honest" })
    );
    assert_eq!(
        method.fit(&[1.0], &both, None),
        Err(EnsembleError::Length {
            what: "labels",
            expected: 1,
            got: 2
        })
    );
    assert_eq!(
        method.fit(&[1.0, 2.0], &both, Some(&[1.0])),
        Err(EnsembleError::Length {
            what: "weights",
            expected: 2,
            got: 1
        })
    );
    assert_eq!(
        method.fit(&[1.0, f64::INFINITY], &both, None),
        Err(EnsembleError::Score {
            row: 1,
            got: f64::INFINITY
        })
    );
    assert_eq!(
        method.fit(&[1.0, 2.0], &both, Some(&[1.0, -1.0])),
        Err(EnsembleError::Weight { row: 1, got: -1.0 })
    );
    assert!(matches!(
        method.fit(&[1.0, 2.0], &both, Some(&[1e16, 1.0])),
        Err(EnsembleError::NumberOutOfRange {
            name: "sum of weights",
            ..
        })
    ));
    assert!(Calibrator::linear(-1.0, 0.0).is_err());
    assert!(Calibrator::linear(1.0, f64::NAN).is_err());
    let identity = Calibrator::linear(1.0, 0.0).unwrap();
    assert!(matches!(
        identity.calibrate_rows(&[0.0, f64::NAN]),
        Err(EnsembleError::Score { row: 1, .. })
    ));
}

#[test]
fn scores_of_any_size_have_an_answer() {
    for scale in [1e-300, 1e-9, 1.0, 1e9, 1e300] {
        let scores: Vec<f64> = (0..60).map(|row| f64::from(row - 30) * scale).collect();
        let frauds: Vec<bool> = (0..60).map(|row| row * 7 % 60 < row).collect();
        for method in METHODS {
            let calibrator = method.fit(&scores, &frauds, None).unwrap();
            assert!(!calibrator.is_constant());
            let here = probabilities(&calibrator, &[f64::MIN, 0.0, f64::MAX]);
            assert!(
                here.is_sorted() && here[0] > 0.0 && here[2] < 1.0,
                "{method:?} {scale}: {here:?}"
            );
        }
    }
}

#[cfg(feature = "serde")]
#[test]
fn saved_calibrators_are_equal_and_broken_ones_are_refused() {
    let case = &Case::all()[2];
    for method in METHODS {
        let calibrator = case.fit(method).with_prior(0.3, 0.1).unwrap();
        let text = serde_json::to_string(&calibrator).unwrap();
        let read: Calibrator = serde_json::from_str(&text).unwrap();
        assert_eq!(read, calibrator);
    }
    for (broken, why) in [
        (
            r#"{"map":{"platt":{"slope":-1.0,"intercept":0.0}},"shift":0.0}"#,
            "slope",
        ),
        (
            r#"{"map":{"beta":{"a":-1.0,"b":0.0,"c":0.0}},"shift":0.0}"#,
            "factors",
        ),
        (
            r#"{"map":{"isotonic":{"scores":[],"shares":[],"order":{"low":0.0,"high":1.0}}},"shift":0.0}"#,
            "no block",
        ),
        (
            r#"{"map":{"isotonic":{"scores":[1.0,0.0],"shares":[0.1,0.2],"order":{"low":0.0,"high":1.0}}},"shift":0.0}"#,
            "rising",
        ),
        (
            r#"{"map":{"isotonic":{"scores":[0.0,1.0],"shares":[0.2,0.1],"order":{"low":0.0,"high":1.0}}},"shift":0.0}"#,
            "fall",
        ),
        (
            r#"{"map":{"isotonic":{"scores":[0.0,1.0],"shares":[0.2,1.0],"order":{"low":0.0,"high":1.0}}},"shift":0.0}"#,
            "inside",
        ),
        (
            r#"{"map":{"isotonic":{"scores":[0.0],"shares":[0.2],"order":{"low":2.0,"high":1.0}}},"shift":0.0}"#,
            "range",
        ),
        (
            r#"{"map":{"venn_abers":{"scores":[0.0],"honest":[0.2],"fraud":[],"level":false,"order":{"low":0.0,"high":1.0}}},"shift":0.0}"#,
            "number",
        ),
        (
            r#"{"map":{"venn_abers":{"scores":[0.0],"honest":[1.0],"fraud":[1.0],"level":false,"order":{"low":0.0,"high":1.0}}},"shift":0.0}"#,
            "range",
        ),
    ] {
        let error = serde_json::from_str::<Calibrator>(broken)
            .unwrap_err()
            .to_string();
        assert!(error.contains(why), "{error}");
    }
}

/// Rows of both classes; half of the scores are on a coarse grid, so that there are ties.
fn rows() -> impl Strategy<Value = (Vec<f64>, Vec<bool>, Vec<f64>)> {
    let score = prop_oneof![(-8_i8..8).prop_map(f64::from), -12.0..8.0_f64];
    let row = (score, prop::bool::weighted(0.3), 1_u8..4);
    prop::collection::vec(row, 4..80).prop_map(|mut rows| {
        rows[0].1 = true;
        rows[1].1 = false;
        let weights = rows.iter().map(|row| f64::from(row.2)).collect();
        (
            rows.iter().map(|row| row.0).collect(),
            rows.iter().map(|row| row.1).collect(),
            weights,
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn probabilities_never_fall_and_are_inside_of_0_and_1((scores, frauds, weights) in rows(), mut others in prop::collection::vec(-40.0..40.0_f64, 1..60)) {
        others.extend(&scores);
        others.extend(scores.iter().map(|score| score.next_up()));
        others.sort_unstable_by(f64::total_cmp);
        for method in METHODS {
            let calibrator = method.fit(&scores, &frauds, Some(&weights)).unwrap();
            let here = probabilities(&calibrator, &others);
            prop_assert!(here.is_sorted(), "{:?}", method);
            prop_assert!(here[0] > 0.0 && here[here.len() - 1] < 1.0, "{:?}", method);
            prop_assert!(others.iter().map(|s| calibrator.log_odds(raw(*s))).is_sorted());
        }
    }

    #[test]
    fn rankings_are_those_of_the_scores((scores, frauds, weights) in rows()) {
        let auc = roc_auc(&frauds, &scores, Some(&weights)).unwrap();
        let precision = average_precision(&frauds, &scores, Some(&weights)).unwrap();
        for method in METHODS {
            let calibrator = method.fit(&scores, &frauds, Some(&weights)).unwrap();
            let parametric = matches!(method, CalibrationMethod::Platt | CalibrationMethod::Beta);
            if parametric && calibrator.is_constant() {
                continue;
            }
            let here: Vec<f64> = scores.iter().map(|s| calibrator.log_odds(raw(*s))).collect();
            prop_assert_eq!(roc_auc(&frauds, &here, Some(&weights)).unwrap().to_bits(), auc.to_bits());
            prop_assert_eq!(average_precision(&frauds, &here, Some(&weights)).unwrap().to_bits(), precision.to_bits());
            if !parametric {
                let here = probabilities(&calibrator, &scores);
                prop_assert_eq!(roc_auc(&frauds, &here, Some(&weights)).unwrap().to_bits(), auc.to_bits());
            }
        }
    }

    #[test]
    fn a_weight_is_as_many_rows((scores, frauds, weights) in rows()) {
        let mut repeated = (Vec::new(), Vec::new());
        for ((score, fraud), weight) in scores.iter().zip(&frauds).zip(&weights) {
            for _ in (1..4).filter(|count| f64::from(*count) <= *weight) {
                repeated.0.push(*score);
                repeated.1.push(*fraud);
            }
        }
        for method in METHODS {
            let one = method.fit(&scores, &frauds, Some(&weights)).unwrap();
            let other = method.fit(&repeated.0, &repeated.1, None).unwrap();
            for score in [-9.0, -1.5, 0.0, 3.3, 9.0] {
                let gap = one.log_odds(raw(score)) - other.log_odds(raw(score));
                prop_assert!(gap.abs() < 1e-6, "{:?}: {}", method, gap);
            }
        }
    }

    #[test]
    fn mean_probability_of_isotonic_fit_is_the_share_of_frauds((scores, frauds, weights) in rows()) {
        // True of every block but the ends, which are moved by half a row each at most.
        let calibrator = CalibrationMethod::Isotonic.fit(&scores, &frauds, Some(&weights)).unwrap();
        let here = probabilities(&calibrator, &scores);
        let sum: f64 = here.iter().zip(&weights).map(|(p, w)| p * w).sum();
        let expected: f64 = frauds.iter().zip(&weights).filter(|(f, _)| **f).map(|(_, w)| w).sum();
        prop_assert!((sum - expected).abs() < 0.5 + 1e-3);
        prop_assert!(log_loss(&frauds, &here, Some(&weights)).unwrap() < 1.2);
    }
}
