//! Weights against closed forms and the conditions of the best point.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use dafu_core::Label;
use dafu_core::metrics::Ranking;
use dafu_rules::optimize::{Judged, WeightParams};
use dafu_rules::{
    Columns, Rule, RuleEngine, RuleError, RuleMatrix, RuleSchema, RuleSet, RuleState, Variable,
};
use ndarray::Array2;
use proptest::prelude::*;

/// Rules that are flags of the event.
fn asked(fired: &[Vec<bool>], events: usize) -> (RuleEngine, RuleMatrix) {
    let schema = RuleSchema::new((0..fired.len()).map(|rule| Variable::flag(format!("f{rule}"))));
    let rules = (0..fired.len()).map(|rule| Rule::new(format!("r{rule}"), format!("f{rule}"), 0.5));
    let values = Array2::from_shape_fn((events, fired.len()), |(row, rule)| {
        f64::from(u8::from(fired[rule][row]))
    });
    let columns = (0..fired.len()).try_fold(Columns::new(events), |columns, rule| {
        columns.number(values.column(rule))
    });
    let engine = RuleSet::new(rules).compile(&schema.unwrap()).unwrap();
    let matrix = engine.evaluate_columns(&columns.unwrap()).unwrap();
    (engine, matrix)
}

/// Events of one rule: frauds and honest ones for which it fires, and for which it does not.
fn one_rule(counts: [usize; 4]) -> (Vec<Vec<bool>>, Vec<Label>) {
    let parts = [
        (true, Label::Fraud),
        (true, Label::Legitimate),
        (false, Label::Fraud),
        (false, Label::Legitimate),
    ];
    let events = parts
        .into_iter()
        .zip(counts)
        .flat_map(|(part, count)| [part].repeat(count));
    let (fired, labels) = events.unzip();
    (vec![fired], labels)
}

fn past() -> impl Strategy<Value = (Vec<Vec<bool>>, Vec<Label>)> {
    (2..80_usize).prop_flat_map(|events| {
        let labels = [
            Label::Fraud,
            Label::Legitimate,
            Label::Legitimate,
            Label::Unknown,
        ];
        let label = (0..4_usize).prop_map(move |label| labels[label]);
        (
            proptest::collection::vec(proptest::collection::vec(any::<bool>(), events), 0..7),
            proptest::collection::vec(label, events).prop_map(|mut labels| {
                labels[..2].copy_from_slice(&[Label::Fraud, Label::Legitimate]);
                labels
            }),
        )
    })
}

#[test]
fn the_weight_of_one_rule_is_the_logarithm_of_the_odds_ratio() {
    for counts in [[30, 10, 5, 400], [7, 1, 90, 91], [1, 1, 1, 50]] {
        let (fired, labels) = one_rule(counts);
        let (_, matrix) = asked(&fired, labels.len());
        let params = WeightParams::default().l2(1e-9);
        let learned = matrix.weights(&Judged::new(&labels), &params).unwrap();
        let [hit, false_alert, missed, passed] = counts.map(|count| count as f64);
        assert!((learned.intercept - (missed / passed).ln()).abs() < 1e-6);
        let odds_ratio = hit / false_alert * passed / missed;
        assert!((learned.weights[0] - odds_ratio.ln()).abs() < 1e-6);
        assert_eq!((learned.points[0], learned.max_points), (100, 100));
        // Two thresholds: those for which it fires, and then all.
        let precision = hit / (hit + false_alert);
        let recall = hit / (hit + missed);
        let all = (hit + missed) / labels.len() as f64;
        let expected = precision * recall + all * (1.0 - recall);
        assert!((learned.average_precision - expected).abs() < 1e-12);
        assert_eq!(learned.average_precision, learned.exact_average_precision);
    }
}

#[test]
fn rules_that_speak_for_honest_events_count_nothing() {
    let (fired, labels) = one_rule([1, 60, 20, 100]);
    let (_, matrix) = asked(&fired, labels.len());
    let learned = matrix
        .weights(&Judged::new(&labels), &WeightParams::default())
        .unwrap();
    assert_eq!((learned.weights[0], learned.points[0]), (0.0, 0));
    assert!((learned.intercept - (21_f64 / 160.0).ln()).abs() < 1e-9);
    assert_eq!(learned.score(&matrix), vec![0; 181]);
}

#[test]
fn rules_without_false_alerts_and_rules_that_say_the_same_have_a_weight() {
    let (mut fired, labels) = one_rule([40, 0, 10, 500]);
    fired.push(fired[0].clone());
    let (_, matrix) = asked(&fired, labels.len());
    for l2 in [1e-9, 1e-3, 1.0, 1e3] {
        let params = WeightParams::default().l2(l2);
        let learned = matrix.weights(&Judged::new(&labels), &params).unwrap();
        assert!(learned.weights[0] > 0.0 && learned.weights[0].is_finite());
        assert!((learned.weights[0] - learned.weights[1]).abs() <= 1e-6 * learned.weights[0]);
        assert_eq!(learned.points, [50, 50]);
        assert!(learned.steps < 100, "{}", learned.steps);
    }
}

proptest! {
    #[test]
    fn weights_meet_the_conditions_of_the_best_point((fired, labels) in past(), power in -3..3_i32) {
        let (_, matrix) = asked(&fired, labels.len());
        let l2 = 10_f64.powi(power);
        let params = WeightParams::default().l2(l2);
        let learned = matrix.weights(&Judged::new(&labels), &params).unwrap();
        // The slope of the loss by each weight and by the intercept, event by event.
        let mut slopes: Vec<f64> = learned.weights.iter().map(|weight| l2 * weight).collect();
        let mut by_intercept = 0.0;
        for (row, label) in labels.iter().enumerate() {
            let Some(fraud) = label.known() else { continue };
            let weights = learned.weights.iter().zip(&fired);
            let margin: f64 = weights.filter(|(_, fired)| fired[row]).map(|(weight, _)| weight).sum();
            let margin = margin + learned.intercept;
            let error = 1.0 / (1.0 + (-margin).exp()) - f64::from(u8::from(fraud));
            by_intercept += error;
            for (slope, fired) in slopes.iter_mut().zip(&fired) {
                *slope += if fired[row] { error } else { 0.0 };
            }
        }
        prop_assert!(by_intercept.abs() < 1e-6, "{}", by_intercept);
        for (weight, slope) in learned.weights.iter().zip(&slopes) {
            prop_assert!(*weight >= 0.0 && *slope > -1e-6, "{} {}", weight, slope);
            prop_assert!(*weight == 0.0 || slope.abs() < 1e-6, "{} {}", weight, slope);
        }
    }

    #[test]
    fn points_are_sums_that_never_fall_and_rank_as_reported((fired, labels) in past(), most in 1..200_u32) {
        let (engine, matrix) = asked(&fired, labels.len());
        let judged = Judged::new(&labels);
        let params = WeightParams::default().max_points(most);
        let learned = matrix.weights(&judged, &params).unwrap();
        let scores = learned.score(&matrix);
        let known: Vec<usize> = (0..labels.len()).filter(|row| labels[*row].known().is_some()).collect();
        for row in 0..labels.len() {
            let sum: u32 = (0..fired.len()).filter(|rule| fired[*rule][row]).map(|rule| learned.points[rule]).sum();
            prop_assert_eq!(scores[row], sum.min(most));
            for other in 0..labels.len() {
                let more = fired.iter().all(|fired| fired[row] || !fired[other]);
                prop_assert!(!more || scores[row] >= scores[other]);
            }
        }
        let frauds: Vec<bool> = known.iter().map(|row| labels[*row] == Label::Fraud).collect();
        let points: Vec<f64> = known.iter().map(|row| f64::from(scores[*row])).collect();
        let expected = Ranking::new(&frauds, &points, None).unwrap().average_precision().unwrap();
        prop_assert!((learned.average_precision - expected).abs() < 1e-12);
        prop_assert_eq!(learned.average_precision_on(&matrix, &judged).unwrap(), expected);
        // As a set the points are its scores.
        let set = learned.apply(engine.rule_set());
        let schema = RuleSchema::new((0..fired.len()).map(|rule| Variable::flag(format!("f{rule}"))));
        let engine = set.compile(&schema.unwrap()).unwrap();
        for (score, points) in engine.decisions(&matrix).risk_scores.iter().zip(&scores) {
            prop_assert!((score * f64::from(most) - f64::from(*points)).abs() < 1e-9);
        }
    }
}

#[test]
fn weights_need_both_classes_and_sound_parameters() {
    let (fired, labels) = one_rule([0, 3, 0, 4]);
    let (_, matrix) = asked(&fired, labels.len());
    let error = matrix
        .weights(&Judged::new(&labels), &WeightParams::default())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "events: 0 frauds and 7 honest events have a label, at least one of each is needed"
    );
    let (fired, labels) = one_rule([1, 1, 1, 1]);
    let (_, matrix) = asked(&fired, 4);
    let judged = Judged::new(&labels);
    for (wrong, message) in [
        (
            WeightParams::default().l2(0.0),
            "`l2` must be at least 1e-9 and at most 1e12, got 0",
        ),
        (
            WeightParams::default().max_points(0),
            "`max_points` must be at least 1 and at most 1000000, got 0",
        ),
        (
            WeightParams::default().max_steps(0),
            "`max_steps` must be at least 1, got 0",
        ),
    ] {
        assert_eq!(
            matrix.weights(&judged, &wrong).unwrap_err().to_string(),
            message
        );
    }
    assert!(matches!(
        matrix.weights(&Judged::new(&labels[..3]), &WeightParams::default()),
        Err(RuleError::Row { .. })
    ));
}

#[test]
fn points_of_the_worst_event_are_rounded_rule_by_rule() {
    let (mut fired, labels) = one_rule([40, 0, 10, 500]);
    fired.extend([fired[0].clone(), fired[0].clone()]);
    let (_, matrix) = asked(&fired, labels.len());
    let judged = Judged::new(&labels);
    let learned = matrix.weights(&judged, &WeightParams::default()).unwrap();
    assert_eq!(learned.points, [33, 33, 33]);
    assert_eq!(learned.score(&matrix).iter().max(), Some(&99));
}

#[test]
fn rules_without_a_say_count_nothing() {
    let (mut fired, labels) = one_rule([40, 3, 10, 500]);
    fired.push(fired[0].clone());
    let (engine, _) = asked(&fired, labels.len());
    let mut set = engine.rule_set().clone();
    set.rules[0].state = RuleState::Shadow;
    let schema = RuleSchema::new((0..2).map(|rule| Variable::flag(format!("f{rule}")))).unwrap();
    let values = Array2::from_shape_fn((labels.len(), 2), |(row, rule)| {
        f64::from(u8::from(fired[rule][row]))
    });
    let columns = Columns::new(labels.len()).number(values.column(0)).unwrap();
    let columns = columns.number(values.column(1)).unwrap();
    let judged = Judged::new(&labels);
    let learned = set
        .compile(&schema)
        .unwrap()
        .weights(&columns, &judged, &WeightParams::default())
        .unwrap();
    assert_eq!(
        (learned.weights[0], &learned.points[..]),
        (0.0, &[0, 100][..])
    );
    // So a set with these points as scores says what they do.
    let applied = learned.apply(&set).compile(&schema).unwrap();
    let matrix = applied.evaluate_columns(&columns).unwrap();
    let scores = learned.score(&matrix);
    for (score, points) in applied.decisions(&matrix).risk_scores.iter().zip(scores) {
        assert!((score * 100.0 - f64::from(points)).abs() < 1e-9);
    }
}
