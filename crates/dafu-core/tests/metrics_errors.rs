//! Input that has no metric is a named error with its row, never a panic and never NaN.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::float_cmp,
    reason = "tests; equality to the bit is meant where it is asked for"
)]

use dafu_core::metrics::{
    BinnedRanking, CalibrationBinning, CardPrecisionParams, CardRows, Class, Confusion, Costs,
    CurvePoints, MetricsError, ProbabilityLoss, Ranking, ThresholdGoal, UniformCalibration,
    average_precision, brier_score, calibration, card_precision_at_k, cost, log_loss, roc_auc,
};

const LABELS: [bool; 4] = [true, false, true, false];
const SCORES: [f64; 4] = [0.9, 0.1, 0.4, 0.4];

#[test]
fn rejects_slices_of_different_lengths() {
    let error = roc_auc(&LABELS, &SCORES[..3], None).unwrap_err();
    assert_eq!(
        error,
        MetricsError::LengthMismatch {
            what: "scores",
            expected: 4,
            got: 3
        }
    );
    assert_eq!(
        error.to_string(),
        "`scores` has 3 rows, expected 4 as in the first argument"
    );
    let weights = [1.0; 5];
    for error in [
        roc_auc(&LABELS, &SCORES, Some(&weights)).unwrap_err(),
        log_loss(&LABELS, &SCORES, Some(&weights)).unwrap_err(),
        Confusion::from_predictions(&LABELS, &LABELS, Some(&weights)).unwrap_err(),
        BinnedRanking::default()
            .extend(&LABELS, &SCORES, Some(&weights), None)
            .unwrap_err(),
    ] {
        assert_eq!(
            error,
            MetricsError::LengthMismatch {
                what: "weights",
                expected: 4,
                got: 5
            }
        );
    }
    assert!(matches!(
        Ranking::with_amounts(&LABELS, &SCORES, None, &[1.0]),
        Err(MetricsError::LengthMismatch {
            what: "amounts",
            ..
        })
    ));
    assert!(matches!(
        Confusion::from_predictions(&LABELS, &LABELS[1..], None),
        Err(MetricsError::LengthMismatch {
            what: "predicted",
            ..
        })
    ));
    assert!(matches!(
        card_precision_at_k(
            &[1],
            &[1, 2],
            &[true],
            &[0.5],
            &CardPrecisionParams::default()
        ),
        Err(MetricsError::LengthMismatch {
            what: "customers",
            ..
        })
    ));
}

#[test]
fn rejects_input_without_rows() {
    let uniform = CalibrationBinning::Uniform;
    assert_eq!(Ranking::new(&[], &[], None), Err(MetricsError::Empty));
    assert_eq!(
        Confusion::from_predictions(&[], &[], None),
        Err(MetricsError::Empty)
    );
    assert_eq!(
        Confusion::at_threshold(&[], &[], 0.5, None),
        Err(MetricsError::Empty)
    );
    assert_eq!(log_loss(&[], &[], None), Err(MetricsError::Empty));
    assert_eq!(brier_score(&[], &[], None), Err(MetricsError::Empty));
    assert_eq!(
        calibration(&[], &[], None, 5, uniform),
        Err(MetricsError::Empty)
    );
    assert_eq!(
        BinnedRanking::default().to_ranking(),
        Err(MetricsError::Empty)
    );
    let params = CardPrecisionParams::default();
    assert_eq!(
        card_precision_at_k(&[], &[], &[], &[], &params),
        Err(MetricsError::Empty)
    );
}

#[test]
fn rejects_scores_that_are_not_finite_and_names_the_row() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let scores = [0.9, 0.1, value, 0.4];
        for result in [
            roc_auc(&LABELS, &scores, None),
            average_precision(&LABELS, &scores, Some(&[1.0, 1.0, 0.0, 1.0])),
            Confusion::at_threshold(&LABELS, &scores, 0.5, None).map(|c| c.recall()),
            card_precision_at_k(
                &[1; 4],
                &[1; 4],
                &LABELS,
                &scores,
                &CardPrecisionParams::default(),
            )
            .map(|card| card.mean),
        ] {
            assert!(matches!(
                result,
                Err(MetricsError::NonFiniteScore { row: 2, .. })
            ));
        }
    }
}

#[test]
fn rejects_weights_that_are_negative_or_not_finite() {
    for value in [f64::NAN, f64::INFINITY, -1.0, -f64::MIN_POSITIVE] {
        let weights = [1.0, value, 1.0, 1.0];
        let weights = Some(weights.as_slice());
        for result in [
            roc_auc(&LABELS, &SCORES, weights),
            brier_score(&LABELS, &SCORES, weights),
            Confusion::from_predictions(&LABELS, &LABELS, weights).map(|c| c.recall()),
            calibration(&LABELS, &SCORES, weights, 4, CalibrationBinning::Quantile)
                .map(|c| c.expected_error()),
            cost(&LABELS, &LABELS, weights, None, &Costs::default()).map(|c| c.total),
        ] {
            assert!(matches!(
                result,
                Err(MetricsError::InvalidWeight { row: 1, .. })
            ));
        }
    }
}

#[test]
fn rejects_weights_that_are_all_zero() {
    let zero = Some([0.0; 4].as_slice());
    assert_eq!(
        roc_auc(&LABELS, &SCORES, zero),
        Err(MetricsError::ZeroTotalWeight)
    );
    assert_eq!(
        log_loss(&LABELS, &SCORES, zero),
        Err(MetricsError::ZeroTotalWeight)
    );
    assert_eq!(
        Confusion::from_predictions(&LABELS, &LABELS, zero),
        Err(MetricsError::ZeroTotalWeight)
    );
    for binning in [CalibrationBinning::Uniform, CalibrationBinning::Quantile] {
        assert_eq!(
            calibration(&LABELS, &SCORES, zero, 3, binning),
            Err(MetricsError::ZeroTotalWeight)
        );
    }
}

#[test]
fn card_precision_rejects_the_weights_that_other_metrics_reject() {
    let with = |weights: &[f64]| {
        CardRows::new(&[1; 4], &[1, 2, 3, 4], &LABELS, &SCORES)
            .weights(Some(weights))
            .precision_at_k(&CardPrecisionParams::default().k(2))
            .map(|card| card.mean)
    };
    assert_eq!(
        with(&[1.0; 3]),
        Err(MetricsError::LengthMismatch {
            what: "weights",
            expected: 4,
            got: 3
        })
    );
    for value in [f64::NAN, f64::INFINITY, -1.0] {
        assert!(matches!(
            with(&[1.0, 1.0, value, 1.0]),
            Err(MetricsError::InvalidWeight { row: 2, .. })
        ));
    }
    assert_eq!(with(&[0.0; 4]), Err(MetricsError::ZeroTotalWeight));
    assert_eq!(
        with(&[f64::MAX; 4]),
        Err(MetricsError::Overflow { what: "weights" })
    );
    // Cards 1 (a fraud) and 3 (a fraud, before 4 of equal score) are checked.
    assert_eq!(with(&[f64::MAX / 4.0; 4]), Ok(1.0));
    assert_eq!(with(&[3.0, 0.0, 0.0, 1.0]), Ok(0.75));
}

#[test]
fn rejects_sums_beyond_the_range_of_floats() {
    let huge = [f64::MAX; 4];
    for result in [
        roc_auc(&LABELS, &SCORES, Some(&huge)),
        brier_score(&LABELS, &SCORES, Some(&huge)),
        Confusion::from_predictions(&LABELS, &LABELS, Some(&huge)).map(|c| c.recall()),
    ] {
        assert_eq!(result, Err(MetricsError::Overflow { what: "weights" }));
    }
    assert_eq!(
        Ranking::with_amounts(&LABELS, &SCORES, None, &huge),
        Err(MetricsError::Overflow { what: "amounts" })
    );
    let ranking = Ranking::new(&LABELS, &SCORES, None).unwrap();
    let costs = Costs::default().false_negative(f64::MAX);
    assert_eq!(
        ranking.best_threshold(&ThresholdGoal::MinCost(costs)),
        Err(MetricsError::Overflow { what: "costs" })
    );
}

#[test]
fn names_the_class_that_is_missing() {
    for (labels, missing) in [([true; 4], Class::Negative), ([false; 4], Class::Positive)] {
        // Weight zero makes a class as absent as no row does.
        let ranking = Ranking::new(&labels, &SCORES, None).unwrap();
        let weights: Vec<f64> = LABELS
            .iter()
            .map(|&label| if label == labels[0] { 1.0 } else { 0.0 })
            .collect();
        let weighted = Ranking::new(&LABELS, &SCORES, Some(&weights)).unwrap();
        for ranking in [ranking, weighted] {
            for error in [
                ranking.roc_auc().unwrap_err(),
                ranking.roc_auc_bounds().unwrap_err(),
                ranking.average_precision().unwrap_err(),
                ranking.average_precision_bounds().unwrap_err(),
                ranking.roc_curve(CurvePoints::All).unwrap_err(),
                ranking
                    .precision_recall_curve(CurvePoints::All)
                    .unwrap_err(),
                ranking.kolmogorov_smirnov().unwrap_err(),
            ] {
                assert!(
                    matches!(error, MetricsError::SingleClass { missing: m, .. } if m == missing)
                );
            }
        }
    }
    assert_eq!(
        roc_auc(&[true; 4], &SCORES, None).unwrap_err().to_string(),
        "ROC AUC is undefined: no negative row has a weight above zero"
    );
}

#[test]
fn metrics_of_frauds_need_a_fraud() {
    let ranking = Ranking::new(&[false; 4], &SCORES, None).unwrap();
    let goals = [
        ThresholdGoal::MaxFBeta { beta: 1.0 },
        ThresholdGoal::PrecisionFloor { floor: 0.0 },
        ThresholdGoal::RecallFloor { floor: 0.0 },
        ThresholdGoal::AlertBudget { alerts: 2 },
    ];
    for error in [
        ranking.recall_at_k(1).unwrap_err(),
        ranking.lift(0.5).unwrap_err(),
    ]
    .into_iter()
    .chain(
        goals
            .iter()
            .map(|goal| ranking.best_threshold(goal).unwrap_err()),
    ) {
        assert!(matches!(
            error,
            MetricsError::SingleClass {
                missing: Class::Positive,
                ..
            }
        ));
    }
    assert_eq!(ranking.precision_at_k(1), Ok(0.0));
    let cheapest = ranking
        .best_threshold(&ThresholdGoal::MinCost(Costs::default()))
        .unwrap();
    assert_eq!(cheapest.threshold, f64::INFINITY);
    assert_eq!(cheapest.value, 0.0);
}

#[test]
fn ratios_without_a_denominator_are_zero() {
    let nobody = Confusion::at_threshold(&LABELS, &SCORES, f64::INFINITY, None).unwrap();
    assert_eq!(nobody.precision(), 0.0);
    assert_eq!(nobody.f1(), 0.0);
    assert_eq!(nobody.mcc(), 0.0);
    assert_eq!(nobody.false_alerts_per_fraud(), 0.0);
    let honest = Confusion::at_threshold(&[false; 4], &SCORES, 0.4, None).unwrap();
    assert_eq!(honest.recall(), 0.0);
    assert_eq!(honest.false_negative_rate(), 0.0);
    assert_eq!(honest.balanced_accuracy(), 0.25);
    assert_eq!(honest.false_alerts_per_fraud(), f64::INFINITY);
    let frauds = Confusion::at_threshold(&[true; 4], &SCORES, 0.4, None).unwrap();
    assert_eq!(frauds.specificity(), 0.0);
    assert_eq!(frauds.false_positive_rate(), 0.0);
    assert_eq!(frauds.balanced_accuracy(), 0.75);
    let none = Confusion::default();
    for value in [
        none.accuracy(),
        none.prevalence(),
        none.alert_rate(),
        none.mcc(),
    ] {
        assert_eq!(value, 0.0);
    }
}

#[test]
fn rejects_probabilities_outside_of_zero_to_one() {
    for value in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        let probabilities = [0.9, 0.1, 0.2, value];
        for result in [
            log_loss(&LABELS, &probabilities, None),
            brier_score(&LABELS, &probabilities, None),
            calibration(
                &LABELS,
                &probabilities,
                None,
                3,
                CalibrationBinning::Uniform,
            )
            .map(|c| c.expected_error()),
            BinnedRanking::default()
                .extend(&LABELS, &probabilities, None, None)
                .map(|()| 0.0),
        ] {
            assert!(matches!(
                result,
                Err(MetricsError::ProbabilityOutOfRange { row: 3, .. })
            ));
        }
    }
}

#[test]
fn a_failed_chunk_changes_nothing() {
    let mut loss = ProbabilityLoss::default();
    let mut bins = BinnedRanking::default();
    let mut uniform = UniformCalibration::new(4).unwrap();
    loss.extend(&LABELS, &SCORES, None).unwrap();
    bins.extend(&LABELS, &SCORES, None, None).unwrap();
    uniform.extend(&LABELS, &SCORES, None).unwrap();
    let before = (loss, bins.clone(), uniform.clone());
    let bad = [0.1, 0.2, 2.0, 0.3];
    loss.extend(&LABELS, &bad, None).unwrap_err();
    bins.extend(&LABELS, &bad, None, None).unwrap_err();
    bins.extend(&LABELS, &SCORES, None, Some(&[1.0; 4]))
        .unwrap_err();
    uniform.extend(&LABELS, &bad, None).unwrap_err();
    assert_eq!((loss, bins, uniform), before);
}

#[test]
fn rejects_parameters_out_of_range() {
    let ranking = Ranking::new(&LABELS, &SCORES, None).unwrap();
    let names: Vec<&str> = [
        ranking.top_k(0).unwrap_err(),
        ranking.precision_at_k(0).unwrap_err(),
        ranking.top_share(0.0).unwrap_err(),
        ranking.lift(1.5).unwrap_err(),
        ranking.lift(f64::NAN).unwrap_err(),
        ranking.confusion_at(f64::NAN).unwrap_err(),
        Confusion::default().f_beta(-1.0).unwrap_err(),
        Confusion::default().f_beta(f64::NAN).unwrap_err(),
        ranking
            .best_threshold(&ThresholdGoal::PrecisionFloor { floor: 1.5 })
            .unwrap_err(),
        ranking
            .cost_at(0.5, &Costs::default().true_positive(f64::NAN))
            .unwrap_err(),
        calibration(&LABELS, &SCORES, None, 0, CalibrationBinning::Uniform).unwrap_err(),
        UniformCalibration::new(usize::MAX).unwrap_err(),
        BinnedRanking::new(1000).unwrap_err(),
        BinnedRanking::new(1 << 30).unwrap_err(),
    ]
    .iter()
    .map(|error| match error {
        MetricsError::InvalidParameter { name, .. } => *name,
        other => panic!("{other}"),
    })
    .collect();
    assert_eq!(
        names,
        [
            "k",
            "k",
            "share",
            "share",
            "share",
            "threshold",
            "beta",
            "beta",
            "floor",
            "true_positive",
            "bins",
            "bins",
            "bins",
            "bins"
        ]
    );
}

#[test]
fn says_which_precision_is_the_best_one_when_the_floor_is_not_reached() {
    let ranking = Ranking::new(&[true, false], &[0.5, 0.5], None).unwrap();
    let error = ranking
        .best_threshold(&ThresholdGoal::PrecisionFloor { floor: 0.9 })
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "no threshold reaches a precision of 0.9; the best is 0.5"
    );
}

#[test]
fn costs_by_amount_need_amounts() {
    let costs = Costs::default().missed_amount(1.0);
    let ranking = Ranking::new(&LABELS, &SCORES, None).unwrap();
    assert_eq!(
        ranking.cost_at(0.5, &costs),
        Err(MetricsError::AmountsMissing)
    );
    assert_eq!(ranking.amounts_at(0.5), Err(MetricsError::AmountsMissing));
    assert_eq!(
        ranking.best_threshold(&ThresholdGoal::MinCost(costs)),
        Err(MetricsError::AmountsMissing)
    );
    assert_eq!(
        cost(&LABELS, &LABELS, None, None, &costs),
        Err(MetricsError::AmountsMissing)
    );
    assert!(matches!(
        Ranking::with_amounts(&LABELS, &SCORES, None, &[1.0, f64::NAN, 1.0, 1.0]),
        Err(MetricsError::NonFiniteAmount { row: 1, .. })
    ));
}

#[test]
fn zero_and_negative_zero_are_one_score() {
    let ranking = Ranking::new(&[true, false], &[0.0, -0.0], None).unwrap();
    assert_eq!(ranking.len(), 1);
    assert_eq!(ranking.roc_auc(), Ok(0.5));
    assert_eq!(ranking.confusion_at(-0.0).unwrap().alerts(), 2.0);
}

#[test]
fn extreme_finite_scores_keep_their_order() {
    let scores = [
        f64::MIN,
        -f64::MIN_POSITIVE,
        -5e-324,
        0.0,
        5e-324,
        1.0,
        f64::MAX,
    ];
    let labels = [false, false, false, false, true, true, true];
    let ranking = Ranking::new(&labels, &scores, None).unwrap();
    assert_eq!(ranking.roc_auc(), Ok(1.0));
    let ascending: Vec<f64> = ranking.thresholds().iter().rev().copied().collect();
    assert_eq!(ascending, scores);
}

#[test]
fn types_are_send_and_sync() {
    fn assert_send_sync<T: Send + Sync>() {}
    assert_send_sync::<Ranking>();
    assert_send_sync::<BinnedRanking>();
    assert_send_sync::<UniformCalibration>();
    assert_send_sync::<MetricsError>();
    assert_send_sync::<CardRows<'_>>();
}

#[test]
fn bayes_threshold_is_the_break_even_probability() {
    let costs = Costs::default().false_positive(1.0).false_negative(9.0);
    assert_eq!(costs.bayes_threshold(), Some(0.1));
    assert_eq!(costs.true_positive(9.0).bayes_threshold(), None);
}
