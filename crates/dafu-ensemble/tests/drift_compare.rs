//! Comparisons of two models against `MLstatkit`, brute force, and what holds for every pair.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; the same bits are asked for"
)]

use dafu_core::metrics::{
    CardPrecisionParams, average_precision, brier_score, card_precision_at_k, log_loss, roc_auc,
};
use dafu_core::random::Stream;
use dafu_ensemble::EnsembleError;
use dafu_ensemble::drift::{
    Comparison, ComparisonParams, PairedScores, Resampling, compare, delong,
};
use proptest::prelude::*;
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f64> {
    let values = value.as_array().unwrap().iter();
    values.map(|value| value.as_f64().unwrap()).collect()
}

fn assert_near(got: f64, expected: f64, gap: f64) {
    assert!((got - expected).abs() <= gap, "{got} {expected}");
}

#[test]
fn delong_equals_mlstatkit() {
    let fixture: Value = serde_json::from_str(include_str!("fixtures/drift.json")).unwrap();
    for case in fixture["areas"].as_array().unwrap() {
        let frauds = case["frauds"].as_array().unwrap().iter();
        let frauds: Vec<bool> = frauds.map(|fraud| fraud.as_bool().unwrap()).collect();
        let (first, second) = (numbers(&case["first"]), numbers(&case["second"]));
        let test = delong(&frauds, &first, &second, 0.95).unwrap();
        let areas = numbers(&case["areas"]);
        assert_near(test.first, areas[0], 1e-12);
        assert_near(test.second, areas[1], 1e-12);
        assert_near(
            test.z.unwrap().abs(),
            case["z"].as_f64().unwrap().abs(),
            1e-9,
        );
        assert_near(
            test.p_value.unwrap(),
            case["p_value"].as_f64().unwrap(),
            1e-9,
        );
    }
}

/// The variance of `DeLong` by its definition: shares of pairs won by each row.
fn variance_of_pairs(frauds: &[bool], gap: impl Fn(usize, usize) -> f64) -> f64 {
    let of = |class: bool| -> Vec<usize> {
        (0..frauds.len())
            .filter(|row| frauds[*row] == class)
            .collect()
    };
    let (frauds, honest) = (of(true), of(false));
    let variance = |values: Vec<f64>| {
        let rows = values.len() as f64;
        let mean = values.iter().sum::<f64>() / rows;
        values
            .iter()
            .map(|value| (value - mean).powi(2))
            .sum::<f64>()
            / (rows - 1.0)
            / rows
    };
    let of_fraud = |fraud: &usize| honest.iter().map(|other| gap(*fraud, *other)).sum::<f64>();
    let of_honest = |other: &usize| frauds.iter().map(|fraud| gap(*fraud, *other)).sum::<f64>();
    variance(
        frauds
            .iter()
            .map(|row| of_fraud(row) / honest.len() as f64)
            .collect(),
    ) + variance(
        honest
            .iter()
            .map(|row| of_honest(row) / frauds.len() as f64)
            .collect(),
    )
}

fn won(scores: &[f64], fraud: usize, honest: usize) -> f64 {
    match scores[fraud].total_cmp(&scores[honest]) {
        std::cmp::Ordering::Greater => 1.0,
        std::cmp::Ordering::Equal => 0.5,
        std::cmp::Ordering::Less => 0.0,
    }
}

fn pairs() -> impl Strategy<Value = (Vec<bool>, Vec<f64>, Vec<f64>)> {
    let row = (any::<bool>(), 0..9_u32, 0..9_u32);
    let rows = prop::collection::vec(row, 8..50);
    rows.prop_map(|rows| {
        let score = |value: u32| f64::from(value) / 8.0;
        (
            // Two of each class at least.
            (0..rows.len())
                .map(|row| if row < 4 { row < 2 } else { rows[row].0 })
                .collect(),
            rows.iter().map(|row| score(row.1)).collect(),
            rows.iter().map(|row| score(row.2)).collect(),
        )
    })
}

proptest! {
    #[test]
    fn delong_is_its_definition((frauds, first, second) in pairs()) {
        let test = delong(&frauds, &first, &second, 0.9).unwrap();
        prop_assert!((test.first - roc_auc(&frauds, &first, None).unwrap()).abs() < 1e-12);
        prop_assert!((test.second - roc_auc(&frauds, &second, None).unwrap()).abs() < 1e-12);
        let gap = |fraud, honest| won(&second, fraud, honest) - won(&first, fraud, honest);
        let expected = variance_of_pairs(&frauds, gap).sqrt();
        prop_assert!((test.standard_error - expected).abs() < 1e-12);
        let expected = variance_of_pairs(&frauds, |fraud, honest| won(&first, fraud, honest)).sqrt();
        prop_assert!((test.first_error - expected).abs() < 1e-12);
        // The order of models turns the sign, and monotone transforms change nothing.
        let turned = delong(&frauds, &second, &first, 0.9).unwrap();
        prop_assert_eq!(turned.difference, -test.difference);
        let moved: Vec<f64> = first.iter().map(|score| score.exp() * 7.0 - 100.0).collect();
        prop_assert_eq!(delong(&frauds, &moved, &second, 0.9).unwrap(), test);
    }

    #[test]
    fn metrics_are_those_of_the_core_and_equal_models_have_no_difference((frauds, first, second) in pairs()) {
        let params = ComparisonParams::default().resamples(20);
        let scores = PairedScores::new(&frauds, &first, &second).unwrap().as_probabilities().unwrap();
        let found = compare(&scores, &params).unwrap();
        for (got, metric) in [
            (found.roc_auc, roc_auc as fn(&[bool], &[f64], Option<&[f64]>) -> _),
            (found.average_precision, average_precision),
            (found.log_loss.unwrap(), log_loss),
            (found.brier.unwrap(), brier_score),
        ] {
            prop_assert!((got.first - metric(&frauds, &first, None).unwrap()).abs() < 1e-12);
            prop_assert!((got.second - metric(&frauds, &second, None).unwrap()).abs() < 1e-12);
            prop_assert!(got.interval.0 <= got.interval.1 && got.p_value <= 1.0);
        }
        let same = compare(&PairedScores::new(&frauds, &first, &first).unwrap(), &params).unwrap();
        prop_assert_eq!(same.roc_auc.interval, (0.0, 0.0));
        prop_assert_eq!((same.roc_auc.p_value, same.log_loss), (1.0, None));
        let delong = same.delong.unwrap();
        prop_assert_eq!((delong.z, delong.p_value), (Some(0.0), Some(1.0)));
    }
}

/// Rows of so many days; the second model sees a little more, and some days are hard for both.
struct Weeks {
    frauds: Vec<bool>,
    first: Vec<f64>,
    second: Vec<f64>,
    days: Vec<i64>,
    cards: Vec<u32>,
}

fn days(count: i64, gain: f64, seed: u64) -> Weeks {
    let mut stream = Stream::new(seed, 0, 0);
    let mut data = Weeks {
        frauds: Vec::new(),
        first: Vec::new(),
        second: Vec::new(),
        days: Vec::new(),
        cards: Vec::new(),
    };
    for day in 0..count {
        let hard = stream.unit();
        for _ in 0..60 {
            let fraud = stream.unit() < 0.1;
            let seen = if fraud { 1.0 } else { 0.0 };
            let both = seen * hard + stream.unit() + stream.unit();
            let chance = |log_odds: f64| 1.0 / (1.0 + (3.0 - log_odds).exp());
            data.frauds.push(fraud);
            data.first.push(chance(both + stream.unit()));
            data.second.push(chance(both + stream.unit() + gain * seen));
            data.days.push(day);
            data.cards.push(u32::try_from(stream.below(500)).unwrap());
        }
    }
    data
}

impl Weeks {
    fn scores(&self) -> PairedScores<'_> {
        let scores = PairedScores::new(&self.frauds, &self.first, &self.second).unwrap();
        let scores = scores
            .as_probabilities()
            .unwrap()
            .with_days(&self.days)
            .unwrap();
        scores.with_cards(&self.cards, 5).unwrap()
    }

    fn compare(&self, params: &ComparisonParams) -> Comparison {
        compare(&self.scores(), params).unwrap()
    }
}

#[test]
fn a_better_model_is_found_and_an_equal_one_is_not() {
    for resampling in [Resampling::Rows, Resampling::Days] {
        let params = ComparisonParams::default().resampling(resampling).seed(3);
        let better = days(30, 0.8, 1).compare(&params);
        for found in [
            better.roc_auc,
            better.average_precision,
            better.card_precision.unwrap(),
        ] {
            assert!(found.interval.0 > 0.0 && found.p_value < 0.01, "{found:?}");
            assert!(found.interval.0 < found.difference && found.difference < found.interval.1);
        }
        let equal = days(30, 0.0, 2).compare(&params);
        assert!(equal.roc_auc.interval.0 < 0.0 && equal.roc_auc.interval.1 > 0.0);
        assert!(equal.roc_auc.p_value > 0.05);
        assert_eq!(equal.left_out, 0);
    }
}

#[test]
fn standard_errors_and_p_values_of_draws_are_those_of_delong() {
    let data = days(40, 0.3, 4);
    let found = data.compare(&ComparisonParams::default().resamples(2000));
    let ratio = found.roc_auc.standard_error / found.delong.unwrap().standard_error;
    // 2,000 draws know a standard deviation to 1.6 %.
    assert!((0.93..1.07).contains(&ratio), "{ratio}");
    let found = days(40, 0.05, 4).compare(&ComparisonParams::default().resamples(2000));
    let (draws, delong) = (
        found.roc_auc.p_value,
        found.delong.unwrap().p_value.unwrap(),
    );
    assert!((0.05..0.11).contains(&delong), "{delong}");
    assert!((draws / delong - 1.0).abs() < 0.3, "{draws} {delong}");
}

#[test]
fn intervals_cover_as_often_as_they_say() {
    let params = ComparisonParams::default().resamples(200).level(0.8);
    let covered = (0..100).filter(|seed| {
        let (low, high) = days(8, 0.0, 1000 + seed).compare(&params).roc_auc.interval;
        low <= 0.0 && 0.0 <= high
    });
    // 80 expected, with a standard deviation of 4.
    let covered = covered.count();
    assert!((68..=92).contains(&covered), "{covered}");
}

#[test]
fn card_precision_is_that_of_the_core() {
    let data = days(10, 0.5, 6);
    let found = data
        .compare(&ComparisonParams::default())
        .card_precision
        .unwrap();
    let params = CardPrecisionParams::default().k(5);
    let of = |scores: &[f64]| {
        let found = card_precision_at_k(&data.days, &data.cards, &data.frauds, scores, &params);
        found.unwrap().mean
    };
    assert_eq!(
        (found.first, found.second),
        (of(&data.first), of(&data.second))
    );
}

#[test]
fn threads_do_not_matter_and_seeds_do() {
    let data = days(10, 0.2, 5);
    let of = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| data.compare(&ComparisonParams::default().resamples(50).seed(seed)))
    };
    assert_eq!(of(1, 7), of(4, 7));
    assert_ne!(of(1, 7), of(1, 8));
}

#[test]
fn what_does_not_fit_is_named() {
    let frauds = [true, false, true, false];
    let scores = [0.5, 0.1, 0.2, 0.3];
    assert!(PairedScores::new(&frauds, &scores, &scores[1..]).is_err());
    let wrong = [0.5, f64::NAN, 0.2, 0.3];
    let error = PairedScores::new(&frauds, &scores, &wrong).unwrap_err();
    assert_eq!(error.to_string(), "row 1: second must be finite, got NaN");
    assert!(delong(&frauds, &wrong, &scores, 0.95).is_err());
    let large = [0.5, 7.0, 0.2, 0.3];
    let pair = PairedScores::new(&frauds, &large, &scores).unwrap();
    assert!(pair.as_probabilities().is_err());
    assert!(pair.with_days(&[1]).is_err());
    assert!(pair.with_cards(&[1], 3).is_err());
    let days = ComparisonParams::default().resampling(Resampling::Days);
    assert!(matches!(
        compare(&pair, &days),
        Err(EnsembleError::Length { what: "days", .. })
    ));
    let one_day = pair.with_days(&[1; 4]).unwrap();
    assert!(compare(&one_day, &days).is_err());
    let no_days = pair.with_cards(&[1; 4], 3).unwrap();
    assert!(compare(&no_days, &ComparisonParams::default()).is_err());
    assert!(
        compare(
            &one_day.with_cards(&[1; 4], 0).unwrap(),
            &ComparisonParams::default()
        )
        .is_err()
    );
    assert!(compare(&pair, &ComparisonParams::default().resamples(1)).is_err());
    assert!(compare(&pair, &ComparisonParams::default().level(0.0)).is_err());
    let card_of_one_day = one_day.with_cards(&[1; 4], 3).unwrap();
    assert!(compare(&card_of_one_day, &ComparisonParams::default()).is_err());
    let empty = PairedScores::new(&[], &[], &[]).unwrap();
    let none = compare(&empty, &ComparisonParams::default());
    assert_eq!(none, Err(EnsembleError::NoRows));
    let honest = [false; 4];
    let pair = PairedScores::new(&honest, &scores, &scores).unwrap();
    assert_eq!(
        compare(&pair, &ComparisonParams::default()),
        Err(EnsembleError::SingleClass { class: "honest" })
    );
    // All frauds on one of many days: most draws of days have none, or nothing else.
    let frauds = [true, false, false];
    let pair = PairedScores::new(&frauds, &scores[..3], &scores[1..]).unwrap();
    let found = compare(&pair.with_days(&[0, 1, 2]).unwrap(), &days).unwrap();
    assert!(found.left_out > 100 && found.delong.is_none());
    assert!(delong(&frauds, &scores[..3], &scores[1..], 0.95).is_err());
}
