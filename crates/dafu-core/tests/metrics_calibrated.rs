//! Skill, decomposition, calibration line, the top share, resamples and budgets a day, against other libraries, closed forms
//! and brute force.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; equality to the bit is meant where it is asked for"
)]

use dafu_core::metrics::{
    Bootstrap, CalibrationBinning, DailyBudget, Interval, MetricsError, ResampledUnit,
    TopCalibrationParams, brier_decomposition, brier_score, brier_skill, calibration,
    calibration_line, daily_alerts, daily_threshold, log_loss, log_loss_skill, top_calibration,
};
use dafu_core::random::Stream;
use proptest::prelude::*;
use serde_json::Value;

struct Case {
    labels: Vec<bool>,
    probabilities: Vec<f64>,
    weights: Vec<f64>,
    of: Value,
}

fn numbers(of: &Value) -> Vec<f64> {
    let list = of.as_array().unwrap().iter();
    list.map(|value| value.as_f64().unwrap()).collect()
}

fn cases() -> Vec<Case> {
    let file = include_str!("../testdata/metrics/calibration_line.json");
    let file: Vec<Value> = serde_json::from_str(file).unwrap();
    assert_eq!(file.len(), 2);
    let cases = file.into_iter().map(|of| Case {
        labels: numbers(&of["labels"])
            .iter()
            .map(|label| *label > 0.5)
            .collect(),
        probabilities: numbers(&of["probabilities"]),
        weights: numbers(&of["weights"]),
        of,
    });
    cases.collect()
}

#[test]
fn line_is_that_of_statsmodels() {
    for case in cases() {
        let line =
            calibration_line(&case.labels, &case.probabilities, Some(&case.weights)).unwrap();
        for (name, value, error) in [
            ("slope", line.slope, line.slope_error),
            ("intercept", line.intercept, line.intercept_error),
            ("in_the_large", line.in_the_large, line.in_the_large_error),
        ] {
            let expected = numbers(&case.of[name]);
            assert!(
                (value - expected[0]).abs() < 1e-8,
                "{name}: {value} {expected:?}"
            );
            assert!(
                (error - expected[1]).abs() < 1e-7,
                "{name}: {error} {expected:?}"
            );
        }
    }
}

#[test]
fn skill_is_that_of_scikit_learn() {
    for case in cases() {
        let (labels, probabilities) = (&case.labels, &case.probabilities);
        let weights = Some(case.weights.as_slice());
        let brier = brier_skill(labels, probabilities, weights, None).unwrap();
        let log = log_loss_skill(labels, probabilities, weights, None).unwrap();
        assert!((brier - case.of["brier_skill"].as_f64().unwrap()).abs() < 1e-12);
        assert!((log - case.of["log_loss_skill"].as_f64().unwrap()).abs() < 1e-12);
    }
}

#[test]
fn skill_against_a_prior_is_one_less_the_ratio_of_losses() {
    let labels = [true, false, false, true, false];
    let probabilities = [0.7, 0.2, 0.1, 0.4, 0.3];
    let constant = [0.3; 5];
    let losses = [
        brier_score(&labels, &probabilities, None).unwrap(),
        brier_score(&labels, &constant, None).unwrap(),
        log_loss(&labels, &probabilities, None).unwrap(),
        log_loss(&labels, &constant, None).unwrap(),
    ];
    let brier = brier_skill(&labels, &probabilities, None, Some(0.3)).unwrap();
    assert!((brier - (1.0 - losses[0] / losses[1])).abs() < 1e-14);
    let log = log_loss_skill(&labels, &probabilities, None, Some(0.3)).unwrap();
    assert!((log - (1.0 - losses[2] / losses[3])).abs() < 1e-14);
}

#[test]
fn skill_without_a_prior_needs_both_classes() {
    let none = brier_skill(&[false, false], &[0.1, 0.2], None, None);
    assert!(matches!(none, Err(MetricsError::SingleClass { .. })));
    assert!(brier_skill(&[false, false], &[0.1, 0.2], None, Some(0.2)).is_ok());
    assert!(brier_skill(&[false, false], &[0.1, 0.2], None, Some(0.0)).is_err());
    assert!(log_loss_skill(&[false, true], &[0.1, 0.2], None, Some(1.5)).is_err());
}

#[test]
fn line_that_no_number_fits_is_an_error() {
    let overlapping = [false, true, false, true];
    for (labels, probabilities) in [
        ([false, false, true, true], [0.1, 0.2, 0.3, 0.4]),
        ([true, true, false, false], [0.1, 0.2, 0.3, 0.4]),
        ([false, false, true, true], [0.1, 0.2, 0.2, 0.4]),
        (overlapping, [0.3; 4]),
        ([false; 4], [0.1, 0.2, 0.3, 0.4]),
    ] {
        let line = calibration_line(&labels, &probabilities, None);
        assert_eq!(
            line,
            Err(MetricsError::NoFiniteSlope),
            "{labels:?} {probabilities:?}"
        );
    }
    assert!(calibration_line(&overlapping, &[0.0, 0.5, 0.6, 1.0], None).is_ok());
    assert!(calibration_line(&overlapping, &[0.1, 0.2, 0.3, 1.4], None).is_err());
}

/// Rows of both classes with whole weights.
fn rows() -> impl Strategy<Value = Vec<(bool, f64, u8)>> {
    let probability = prop_oneof![(0_u8..=8).prop_map(|s| f64::from(s) / 8.0), 0.0..1.0_f64];
    prop::collection::vec((any::<bool>(), probability, 1_u8..4), 2..60).prop_map(|mut rows| {
        rows[0].0 = true;
        rows[1].0 = false;
        rows
    })
}

type Columns = (Vec<bool>, Vec<f64>, Vec<f64>);

fn columns(rows: &[(bool, f64, u8)]) -> Columns {
    (
        rows.iter().map(|row| row.0).collect(),
        rows.iter().map(|row| row.1).collect(),
        rows.iter().map(|row| f64::from(row.2)).collect(),
    )
}

proptest! {
    #[test]
    fn parts_add_up_to_the_brier_score(rows in rows(), bins in 1_usize..12, quantile in any::<bool>()) {
        let (labels, probabilities, weights) = columns(&rows);
        let binning = if quantile { CalibrationBinning::Quantile } else { CalibrationBinning::Uniform };
        for weights in [None, Some(weights.as_slice())] {
            let parts = brier_decomposition(&labels, &probabilities, weights, bins, binning).unwrap();
            let expected = brier_score(&labels, &probabilities, weights).unwrap();
            prop_assert!((parts.brier() - expected).abs() < 1e-12);
            for part in [parts.reliability, parts.resolution, parts.uncertainty, parts.within_bin_variance] {
                prop_assert!(part >= 0.0);
            }
        }
    }

    #[test]
    fn threshold_of_a_daily_budget_is_the_lowest_that_fits(rows in rows(), days in prop::collection::vec(0_i64..4, 60), budget in 0_u8..12, most in any::<bool>()) {
        let (_, scores, weights) = columns(&rows);
        let days = &days[..rows.len()];
        let alerts = f64::from(budget) / 2.0;
        let budget = if most { DailyBudget::Most { alerts } } else { DailyBudget::Mean { alerts } };
        let chosen = daily_threshold(days, &scores, Some(&weights), &budget).unwrap();
        let counted = |threshold: f64| {
            let alerted: Vec<bool> = scores.iter().map(|score| *score >= threshold).collect();
            daily_alerts(days, &alerted, Some(&weights)).unwrap()
        };
        prop_assert_eq!(chosen.alerts, counted(chosen.threshold));
        let fits = |threshold: f64| {
            let here = counted(threshold);
            if most { here.most <= alerts } else { here.mean <= alerts }
        };
        prop_assert!(fits(chosen.threshold));
        for score in &scores {
            prop_assert!(*score >= chosen.threshold || !fits(*score));
        }
        // By hand.
        let mut distinct = days.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let of_day = |day: i64| -> f64 {
            (0..rows.len()).filter(|&row| days[row] == day && scores[row] >= chosen.threshold).map(|row| weights[row]).sum()
        };
        let by_day: Vec<f64> = distinct.iter().map(|day| of_day(*day)).collect();
        prop_assert_eq!(chosen.alerts.most, by_day.iter().copied().fold(0.0, f64::max));
        prop_assert!((chosen.alerts.mean - by_day.iter().sum::<f64>() / by_day.len() as f64).abs() < 1e-12);
        prop_assert_eq!(chosen.alerts.days, by_day.len() as u64);
    }

    #[test]
    fn top_share_is_the_highest_rows_with_their_ties(rows in rows(), share in 0.01..1.0_f64) {
        let (labels, probabilities, weights) = columns(&rows);
        let params = TopCalibrationParams::default().share(share).bins(4).bootstrap(Bootstrap::default().resamples(3));
        let top = top_calibration(&labels, &probabilities, Some(&weights), &params).unwrap();
        let total: f64 = weights.iter().sum();
        let at_least = |threshold: f64| -> f64 {
            (0..rows.len()).filter(|&row| probabilities[row] >= threshold).map(|row| weights[row]).sum()
        };
        prop_assert!(at_least(top.threshold) >= share * total);
        for probability in &probabilities {
            prop_assert!(*probability <= top.threshold || at_least(*probability) < share * total);
        }
        prop_assert_eq!(top.rows, probabilities.iter().filter(|p| **p >= top.threshold).count() as u64);
        prop_assert_eq!(top.error.value, top.calibration.expected_error());
    }
}

#[test]
fn parts_within_bins_are_zero_where_bins_have_one_probability() {
    // By hand: shares 1/4 and 3/4 for probabilities 0.1 and 0.9.
    let labels = [true, false, false, false, true, true, true, false];
    let probabilities = [0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.9];
    let binning = CalibrationBinning::Uniform;
    let parts = brier_decomposition(&labels, &probabilities, None, 10, binning).unwrap();
    assert!((parts.reliability - 0.15 * 0.15).abs() < 1e-15);
    assert!((parts.resolution - 0.25 * 0.25).abs() < 1e-15);
    assert!((parts.uncertainty - 0.25).abs() < 1e-15);
    assert!(parts.within_bin_variance < 1e-30 && parts.within_bin_covariance.abs() < 1e-15);
    // One bin: all is within.
    let parts = brier_decomposition(&labels, &probabilities, None, 1, binning).unwrap();
    assert!((parts.within_bin_variance - 0.16).abs() < 1e-15);
    assert!((parts.within_bin_covariance - 2.0 * 0.4 * 0.25).abs() < 1e-15);
    assert_eq!(parts.resolution, 0.0);
}

#[test]
fn rows_of_weight_zero_are_as_if_they_were_not_there() {
    let labels = [true, false, true, false, true];
    let probabilities = [0.2, 0.3, 0.6, 0.7, 1.0];
    let weights = [1.0, 1.0, 1.0, 1.0, 0.0];
    let (few, few_p) = (&labels[..4], &probabilities[..4]);
    let one = calibration_line(&labels, &probabilities, Some(&weights)).unwrap();
    assert!((one.slope - calibration_line(few, few_p, None).unwrap().slope).abs() < 1e-9);
    let binning = CalibrationBinning::Uniform;
    let one = brier_decomposition(&labels, &probabilities, Some(&weights), 3, binning).unwrap();
    let other = brier_decomposition(few, few_p, None, 3, binning).unwrap();
    assert!((one.within_bin_covariance - other.within_bin_covariance).abs() < 1e-15);
    let days = [1, 1, 2, 2, 3];
    let budget = DailyBudget::Mean { alerts: 1.0 };
    let one = daily_threshold(&days, &probabilities, Some(&weights), &budget).unwrap();
    assert_eq!(
        one,
        daily_threshold(&days[..4], few_p, None, &budget).unwrap()
    );
}

/// Calibrated probabilities, and the same too high by a factor of 2.
fn simulated(rows: usize) -> (Vec<bool>, Vec<f64>, Vec<f64>) {
    let mut stream = Stream::new(9, 1, 0);
    let right: Vec<f64> = (0..rows).map(|_| stream.unit().powi(3) * 0.5).collect();
    let labels = right.iter().map(|p| stream.unit() < *p).collect();
    let high = right.iter().map(|p| p * 2.0).collect();
    (labels, right, high)
}

#[test]
fn error_of_the_top_share_stands_out_from_chance_only_where_there_is_one() {
    let (labels, right, high) = simulated(40_000);
    let by_row = Bootstrap::default()
        .unit(ResampledUnit::Rows)
        .resamples(200);
    let params = TopCalibrationParams::default().bootstrap(by_row);
    let good = top_calibration(&labels, &right, None, &params).unwrap();
    assert_eq!(good.rows, 400);
    assert!(
        (good.error.value / good.by_chance - 1.0).abs() < 0.6,
        "{good:?}"
    );
    assert!(good.error.lower < good.error.value && good.error.value < good.error.upper);
    let bad = top_calibration(&labels, &high, None, &params).unwrap();
    assert!(bad.error.lower > 5.0 * bad.by_chance && bad.error.lower < bad.error.value);
    // All rows are the plain error.
    let all = top_calibration(&labels, &high, None, &params.share(1.0)).unwrap();
    let plain = calibration(&labels, &high, None, 10, CalibrationBinning::Quantile).unwrap();
    assert_eq!(all.error.value, plain.expected_error());
    assert_eq!(top_calibration(&labels, &high, None, &params).unwrap(), bad);
}

#[test]
fn line_tells_what_was_done_to_the_log_odds() {
    let (labels, right, _) = simulated(40_000);
    let line = calibration_line(&labels, &right, None).unwrap();
    assert!((line.slope - 1.0).abs() < 3.0 * line.slope_error);
    assert!(line.in_the_large.abs() < 3.0 * line.in_the_large_error);
    // Twice the log odds less 1: a slope of 1/2, and 1/2 to add.
    let bent: Vec<f64> = right
        .iter()
        .map(|p| 1.0 / (1.0 + (1.0 - 2.0 * (p / (1.0 - p)).ln()).exp()))
        .collect();
    let bent = calibration_line(&labels, &bent, None).unwrap();
    assert!((bent.slope - line.slope / 2.0).abs() < 1e-3);
    assert!((bent.intercept - line.intercept - line.slope / 2.0).abs() < 1e-2);
}

#[test]
fn resamples_have_as_many_rows_of_each_class_or_day() {
    let labels: Vec<bool> = (0..90).map(|row| row % 9 == 0).collect();
    let days: Vec<i64> = (0..90).map(|row| (row * row) % 7 - 3).collect();
    let resampler = Bootstrap::default()
        .resampler(&labels, Some(&days))
        .unwrap();
    let drawn = resampler.draw(5);
    assert_eq!(
        drawn.gather(&labels).iter().filter(|label| **label).count(),
        10
    );
    assert_eq!(drawn.days().unwrap(), drawn.gather(&days));
    assert_eq!(drawn, resampler.draw(5));
    assert_ne!(drawn, resampler.draw(6));

    let by_day = Bootstrap::default().unit(ResampledUnit::Days);
    let resampler = by_day.resampler(&labels, Some(&days)).unwrap();
    let drawn = resampler.draw(0);
    let real = drawn.gather(&days);
    for day in drawn.days().unwrap().chunk_by(|one, other| one == other) {
        // Each day of the resample is one whole day of the rows.
        let start = drawn
            .days()
            .unwrap()
            .iter()
            .position(|d| *d == day[0])
            .unwrap();
        let here = &real[start..start + day.len()];
        assert!(here.iter().all(|d| *d == here[0]));
        assert_eq!(day.len(), days.iter().filter(|d| **d == here[0]).count());
    }
    assert_eq!(drawn.days().unwrap().last(), Some(&3)); // squares have 4 rests by 7
    assert_eq!(
        by_day.resampler(&labels, None),
        Err(MetricsError::DaysMissing)
    );
    let rows = Bootstrap::default().unit(ResampledUnit::Rows);
    assert_eq!(
        rows.resampler(&labels, None).unwrap().draw(1).rows().len(),
        90
    );
}

#[test]
fn interval_of_a_share_is_that_of_the_binomial_distribution() {
    let labels: Vec<bool> = (0..1000).map(|row| row % 5 == 0).collect();
    let bootstrap = Bootstrap::default()
        .unit(ResampledUnit::Rows)
        .resamples(4000);
    let resampler = bootstrap.resampler(&labels, None).unwrap();
    let drawn = (0..4000).map(|number| {
        let drawn = resampler.draw(number).gather(&labels);
        drawn.iter().filter(|label| **label).count() as f64 / 1000.0
    });
    let interval = bootstrap.interval(0.2, drawn.collect());
    let half = 1.96 * (0.2_f64 * 0.8 / 1000.0).sqrt();
    assert!(
        (interval.upper - 0.2 - half).abs() < 0.1 * half,
        "{interval:?}"
    );
    assert!(
        (0.2 - interval.lower - half).abs() < 0.1 * half,
        "{interval:?}"
    );
}

#[test]
fn interval_leaves_out_the_same_share_at_either_end() {
    let drawn: Vec<f64> = (1..=100).map(f64::from).collect();
    let at = |level: f64| {
        Bootstrap::default()
            .level(level)
            .interval(50.0, drawn.clone())
    };
    assert_eq!(
        at(0.9),
        Interval {
            value: 50.0,
            lower: 6.0,
            upper: 95.0
        }
    );
    assert_eq!(
        at(0.999),
        Interval {
            value: 50.0,
            lower: 1.0,
            upper: 100.0
        }
    );
    let infinite = Bootstrap::default().interval(3.0, vec![f64::INFINITY, 2.0]);
    assert_eq!((infinite.lower, infinite.upper), (2.0, f64::INFINITY));
    let none = Bootstrap::default().interval(3.0, Vec::new());
    assert_eq!((none.lower, none.upper), (3.0, 3.0));
}

#[test]
fn parameters_out_of_range_are_refused() {
    assert!(Bootstrap::default().check().is_ok());
    assert!(Bootstrap::default().resamples(0).check().is_err());
    for level in [0.0, 1.0, f64::NAN] {
        assert!(Bootstrap::default().level(level).check().is_err());
    }
    for alerts in [-1.0, f64::NAN] {
        assert!(daily_threshold(&[1], &[0.5], None, &DailyBudget::Mean { alerts }).is_err());
    }
    let none = daily_threshold(&[1], &[0.5], None, &DailyBudget::Most { alerts: 0.5 }).unwrap();
    assert_eq!((none.threshold, none.alerts.mean), (f64::INFINITY, 0.0));
    assert_eq!(
        daily_threshold(&[], &[], None, &DailyBudget::Most { alerts: 1.0 }),
        Err(MetricsError::Empty)
    );
    assert!(daily_alerts(&[1, 2], &[true], None).is_err());
    for share in [0.0, 1.5, f64::NAN] {
        let params = TopCalibrationParams::default().share(share);
        assert!(top_calibration(&[true, false], &[0.4, 0.2], None, &params).is_err());
    }
    let days = Bootstrap::default().unit(ResampledUnit::Days);
    let params = TopCalibrationParams::default().bootstrap(days);
    let top = top_calibration(&[true, false], &[0.4, 0.2], None, &params);
    assert_eq!(top, Err(MetricsError::DaysMissing));
}

#[cfg(feature = "serde")]
#[test]
fn intervals_with_infinite_ends_are_kept() {
    let interval = Interval {
        value: 0.5,
        lower: 0.25,
        upper: f64::INFINITY,
    };
    let text = serde_json::to_string(&interval).unwrap();
    assert_eq!(serde_json::from_str::<Interval>(&text).unwrap(), interval);
}
