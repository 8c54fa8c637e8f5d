//! The calibration monitor against scikit-learn, closed forms, and what holds for every order of events.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "tests; the same bits are asked for, of small counts"
)]

use dafu_core::metrics::{brier_score, log_loss};
use dafu_core::random::Stream;
use dafu_ensemble::EnsembleError;
use dafu_ensemble::drift::{CalibrationMonitor, CalibrationMonitorParams, Direction, Unlabelled};
use proptest::prelude::*;
use serde_json::Value;

fn params() -> CalibrationMonitorParams {
    CalibrationMonitorParams::default().delay(100).period(1000)
}

fn assert_near(got: f64, expected: f64, gap: f64) {
    assert!((got - expected).abs() <= gap, "{got} {expected}");
}

#[test]
fn line_and_tests_equal_scikit_learn() {
    let fixture: Value = serde_json::from_str(include_str!("fixtures/drift.json")).unwrap();
    let case = &fixture["line"];
    let mut monitor = CalibrationMonitor::new(&params().period(i64::MAX)).unwrap();
    let (mut labels, mut probabilities) = (Vec::new(), Vec::new());
    let rows = case["log_odds"].as_array().unwrap().iter();
    for (id, (log_odds, fraud)) in (0..).zip(rows.zip(case["frauds"].as_array().unwrap())) {
        let probability = 1.0 / (1.0 + (-log_odds.as_f64().unwrap()).exp());
        monitor.predict(id, 0, probability).unwrap();
        monitor.label(id, fraud.as_bool().unwrap());
        labels.push(fraud.as_bool().unwrap());
        probabilities.push(probability);
    }
    monitor.advance(100).unwrap();
    let found = monitor.report().unwrap().overall;
    let expected = |name: &str| case[name].as_f64().unwrap();
    assert_near(found.z.unwrap(), expected("z"), 1e-9);
    assert_near(
        found.spiegelhalter_z.unwrap(),
        expected("spiegelhalter_z"),
        1e-9,
    );
    let line = found.line.unwrap();
    assert_near(line.intercept, expected("intercept"), 1e-5);
    assert_near(line.slope, expected("slope"), 1e-5);
    assert_near(line.slope_error, expected("slope_error"), 1e-5);
    let brier = brier_score(&labels, &probabilities, None).unwrap();
    assert_near(found.brier, brier, 1e-14);
    assert_near(
        found.log_loss,
        log_loss(&labels, &probabilities, None).unwrap(),
        1e-14,
    );
}

#[test]
fn bins_of_log_odds_cost_little() {
    let mut stream = Stream::new(3, 0, 0);
    let mut monitor = CalibrationMonitor::new(&params()).unwrap();
    for id in 0..50_000 {
        let log_odds = -6.0 + 6.0 * stream.unit();
        let chance = |log_odds: f64| 1.0 / (1.0 + (-log_odds).exp());
        monitor.predict(id, 0, chance(log_odds)).unwrap();
        monitor.label(id, stream.unit() < chance(0.5 + 1.3 * log_odds));
    }
    monitor.advance(100).unwrap();
    let line = monitor.report().unwrap().overall.line.unwrap();
    assert!(
        (line.slope - 1.3).abs() < 2.5 * line.slope_error,
        "{line:?}"
    );
    assert!(line.slope_error < 0.04, "{line:?}");
    assert_near(line.intercept, 0.5, 0.1);
}

#[test]
fn only_rows_count_whose_delay_has_passed() {
    let mut monitor = CalibrationMonitor::new(&params()).unwrap();
    for id in 0..10 {
        monitor.predict(id, id as i64 * 10, 0.5).unwrap();
        monitor.label(id, true);
    }
    // All are labelled, none is final.
    assert!(matches!(
        monitor.report(),
        Err(EnsembleError::Nothing { .. })
    ));
    monitor.advance(99).unwrap();
    assert!(monitor.report().is_err());
    monitor.advance(120).unwrap();
    let report = monitor.report().unwrap();
    assert_eq!((report.overall.rows, report.pending), (3, 7));
    // The last label before the delay counts, one after it does not.
    assert!(monitor.label(3, false));
    assert!(!monitor.label(2, false));
    assert!(!monitor.label(77, false));
    monitor.advance(130).unwrap();
    let report = monitor.report().unwrap();
    assert_eq!((report.overall.rows, report.overall.observed), (4, 3));
    assert_eq!((report.unmatched_labels, report.unlabelled), (2, 0));
    assert_eq!(report.overall.expected, 2.0);
    assert_eq!(report.overall.ratio, Some(1.5));
    // Variance of four fair coins is 1, and 1.96 of it on both sides of 3, by 2.
    let (low, high) = report.overall.ratio_interval.unwrap();
    assert_near(low, 1.5 - 1.959_963_984_540_054 / 2.0, 1e-12);
    assert_near(high, 1.5 + 1.959_963_984_540_054 / 2.0, 1e-12);
    assert_near(report.overall.z.unwrap(), 1.0, 1e-12);
    // A name is free again when its prediction is final.
    assert!(monitor.predict(0, 140, 0.5).unwrap());
    assert_near(
        report.overall.p_value.unwrap(),
        0.317_310_507_862_914,
        1e-12,
    );
}

#[test]
fn rows_without_labels_are_honest_or_left_out() {
    for (unlabelled, rows) in [(Unlabelled::Honest, 10), (Unlabelled::LeftOut, 4)] {
        let mut monitor = CalibrationMonitor::new(&params().unlabelled(unlabelled)).unwrap();
        for id in 0..10 {
            monitor.predict(id, 0, 0.1).unwrap();
            if id < 4 {
                monitor.label(id, id == 0);
            }
        }
        monitor.advance(100).unwrap();
        let report = monitor.report().unwrap();
        assert_eq!((report.overall.rows, report.overall.observed), (rows, 1));
        assert_eq!(report.unlabelled, 6);
    }
}

#[test]
fn memory_is_bounded_and_what_is_lost_is_counted() {
    let bounded = params().max_pending(5).max_periods(2).period(10);
    let mut monitor = CalibrationMonitor::new(&bounded).unwrap();
    for id in 0..8 {
        let kept = monitor.predict(id, id as i64 * 10, 0.1).unwrap();
        assert_eq!(kept, id < 5);
    }
    monitor.advance(1_000).unwrap();
    let report = monitor.report().unwrap();
    assert_eq!(
        (report.dropped, report.forgotten, report.pending),
        (3, 3, 0)
    );
    let starts: Vec<i64> = report.periods.iter().map(|period| period.start).collect();
    assert_eq!(starts, [30, 40]);
    assert_eq!((report.overall.rows, report.overall.start), (2, 30));
    // What is older than all that is kept is forgotten at once.
    monitor.predict(9, -25, 0.1).unwrap();
    monitor.advance(1_000).unwrap();
    assert_eq!(monitor.report().unwrap().forgotten, 4);
}

#[test]
fn a_model_that_became_too_sure_of_honesty_raises_an_alarm() {
    let run = |odds_ratio: f64| {
        let mut stream = Stream::new(8, 0, 0);
        let params = params().rows_between_false_alarms(1e6);
        let mut monitor = CalibrationMonitor::new(&params).unwrap();
        for id in 0..40_000 {
            let probability = 0.002 + 0.02 * stream.unit();
            let factor = if id < 20_000 { 1.0 } else { odds_ratio };
            let odds = probability / (1.0 - probability) * factor;
            monitor.predict(id, id as i64, probability).unwrap();
            if stream.unit() < odds / (1.0 + odds) {
                monitor.label(id, true);
            }
            monitor.advance(id as i64).unwrap();
        }
        monitor.advance(50_000).unwrap();
        monitor.report().unwrap()
    };
    let same = run(1.0);
    assert!(same.alarms.is_empty());
    assert!(same.overall.p_value.unwrap() > 0.01);
    for (odds_ratio, direction) in [(2.5, Direction::MoreFrauds), (0.25, Direction::FewerFrauds)] {
        let report = run(odds_ratio);
        let first = report.alarms[0];
        assert_eq!(first.direction, direction);
        assert!((20_000..25_000).contains(&first.time), "{first:?}");
        assert_eq!(report.alarms_raised as usize, report.alarms.len());
        assert!(report.periods[30].p_value.unwrap() < 0.05);
    }
}

#[test]
fn certain_probabilities_are_no_trouble() {
    let mut monitor = CalibrationMonitor::new(&params()).unwrap();
    for (id, probability, fraud) in [(0, 0.0, false), (1, 1.0, true), (2, 0.0, false)] {
        monitor.predict(id, 0, probability).unwrap();
        monitor.label(id, fraud);
    }
    monitor.advance(100).unwrap();
    let found = monitor.report().unwrap().overall;
    assert_eq!(
        (found.z, found.spiegelhalter_z, found.line),
        (None, None, None)
    );
    assert_eq!((found.ratio, found.brier), (Some(1.0), 0.0));
    // A fraud that was impossible.
    monitor.predict(3, 0, 0.0).unwrap();
    monitor.label(3, true);
    monitor.advance(i64::MAX).unwrap();
    let report = monitor.report().unwrap();
    assert_eq!(report.overall.ratio, Some(2.0));
    assert!(report.overall.log_loss.is_finite());
    monitor.advance(i64::MIN).unwrap();
}

#[test]
fn what_does_not_fit_is_named() {
    for bad in [
        params().delay(-1),
        params().period(0),
        params().max_pending(0),
        params().max_periods(0),
        params().odds_ratio(1.0),
        params().rows_between_false_alarms(f64::INFINITY),
        params().level(1.0),
    ] {
        assert!(CalibrationMonitor::new(&bad).is_err(), "{bad:?}");
    }
    let mut monitor = CalibrationMonitor::new(&params()).unwrap();
    for probability in [-0.1, 1.1, f64::NAN] {
        assert!(monitor.predict(0, 0, probability).is_err());
    }
    monitor.predict(0, 0, 0.5).unwrap();
    let again = EnsembleError::PredictionRepeated { id: 0 };
    assert_eq!(monitor.predict(0, 5, 0.5), Err(again));
}

#[derive(Debug, Clone)]
struct Row {
    time: i64,
    probability: f64,
    label: Option<bool>,
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (0..500_i64, 0..=64_u32, prop::option::of(any::<bool>()));
    let row = row.prop_map(|(time, of_64, label)| Row {
        time,
        probability: f64::from(of_64) / 64.0,
        label,
    });
    prop::collection::vec(row, 1..60)
}

fn filled(rows: &[Row], order: impl Iterator<Item = usize>) -> CalibrationMonitor {
    let mut monitor = CalibrationMonitor::new(&params().period(50)).unwrap();
    for id in order {
        let row = &rows[id];
        monitor
            .predict(id as u64, row.time, row.probability)
            .unwrap();
        if let Some(fraud) = row.label {
            monitor.label(id as u64, fraud);
        }
    }
    monitor
}

proptest! {
    #[test]
    fn order_of_arrival_does_not_matter(rows in rows()) {
        let mut one = filled(&rows, 0..rows.len());
        let mut two = filled(&rows, (0..rows.len()).rev());
        one.advance(1_000).unwrap();
        // In several steps.
        for now in [90, 250, 251, 400, 1_000] {
            two.advance(now).unwrap();
        }
        prop_assert_eq!(one.report().unwrap(), two.report().unwrap());
    }

    #[test]
    fn every_row_is_somewhere(rows in rows(), now in 0..700_i64) {
        let mut monitor = filled(&rows, 0..rows.len());
        monitor.advance(now).unwrap();
        let due = rows.iter().filter(|row| row.time + 100 <= now).count();
        prop_assert_eq!(monitor.report().is_ok(), due > 0);
        let Ok(report) = monitor.report() else {
            return Ok(());
        };
        prop_assert_eq!(report.overall.rows as usize, due);
        prop_assert_eq!(report.pending as usize, rows.len() - due);
        let sum: u64 = report.periods.iter().map(|period| period.rows).sum();
        prop_assert_eq!(sum, report.overall.rows);
        for period in &report.periods {
            prop_assert!(period.brier >= 0.0 && period.log_loss >= 0.0);
            if let Some(line) = period.line {
                prop_assert!(line.slope.is_finite() && line.intercept.is_finite());
            }
        }
    }

    #[cfg(feature = "serde")]
    #[test]
    fn a_saved_monitor_goes_on_where_it_was(rows in rows(), now in 0..700_i64) {
        let mut monitor = filled(&rows, 0..rows.len());
        monitor.advance(now).unwrap();
        let bytes = serde_json::to_vec(&monitor).unwrap();
        let mut back: CalibrationMonitor = serde_json::from_slice(&bytes).unwrap();
        monitor.advance(1_000).unwrap();
        back.advance(1_000).unwrap();
        let (one, two) = (monitor.report().unwrap(), back.report().unwrap());
        // The format does not keep the last bit of sums.
        prop_assert!((one.overall.log_loss - two.overall.log_loss).abs() < 1e-12);
        prop_assert_eq!((one.overall.observed, one.alarms), (two.overall.observed, two.alarms));
        prop_assert_eq!(one.unlabelled, two.unlabelled);
    }
}

#[cfg(feature = "serde")]
#[test]
fn damaged_monitors_are_refused() {
    let rows = [(10, 0.25, Some(true)), (20, 0.5, None), (400, 0.5, None)];
    let rows = rows.map(|(time, probability, label)| Row {
        time,
        probability,
        label,
    });
    let mut monitor = filled(&rows, 0..3);
    monitor.advance(200).unwrap();
    let good = serde_json::to_value(&monitor).unwrap();
    assert!(serde_json::from_value::<CalibrationMonitor>(good.clone()).is_ok());
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut value = good.clone();
        change(&mut value);
        assert_ne!(value, good);
        serde_json::from_value::<CalibrationMonitor>(value).is_err()
    };
    assert!(refused(&|v| v["params"]["period"] = 0.into()));
    assert!(refused(&|v| v["params"]["max_periods"] = 0.into()));
    assert!(refused(&|v| v["pending"][0][2]["probability"] = 2.into()));
    assert!(refused(
        &|v| v["periods"][0][1]["bins"] = Value::Array(Vec::new())
    ));
    assert!(refused(&|v| v["periods"][0][1]["rows"] = u64::MAX.into()));
    assert!(refused(&|v| v["periods"][0][1]["observed"] = 1_000.into()));
    assert!(refused(&|v| v["sums"]["more"] = (-1).into()));
    assert!(refused(&|v| v["counts"]["dropped"] = u64::MAX.into()));
    assert!(refused(&|v| {
        let first = v["pending"][0].clone();
        v["pending"].as_array_mut().unwrap().push(first);
    }));
}
