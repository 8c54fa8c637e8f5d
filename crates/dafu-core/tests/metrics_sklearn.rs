//! The metrics equal scikit-learn's on the fixtures that `testdata/metrics/make_fixtures.py` wrote.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::path::Path;

use dafu_core::metrics::{
    CalibrationBinning, CardPrecisionParams, Confusion, Costs, CurvePoints, ProbabilityLoss,
    Ranking, UniformCalibration, average_precision, brier_score, calibration, card_precision_at_k,
    cost, log_loss, roc_auc,
};

/// Absolute; all values compared but costs are from 0 to 1, costs are compared relatively.
const TOLERANCE: f64 = 1e-12;

const CASES: [&str; 10] = [
    "distinct",
    "ties",
    "weights",
    "weights_with_zero",
    "raw_scores",
    "edges",
    "constant",
    "perfect",
    "reversed",
    "rare",
];

struct Fixture {
    name: &'static str,
    columns: BTreeMap<String, Vec<f64>>,
    expected: BTreeMap<String, Vec<f64>>,
}

impl Fixture {
    fn read(name: &'static str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/metrics");
        let rows = std::fs::read_to_string(folder.join(format!("{name}.rows.csv"))).unwrap();
        let mut lines = rows.lines();
        let header: Vec<&str> = lines.next().unwrap().split(',').collect();
        let mut columns: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for line in lines {
            for (column, field) in header.iter().zip(line.split(',')) {
                let value = field.parse().unwrap();
                columns
                    .entry((*column).to_string())
                    .or_default()
                    .push(value);
            }
        }
        let expected =
            std::fs::read_to_string(folder.join(format!("{name}.expected.csv"))).unwrap();
        let expected = expected
            .lines()
            .map(|line| {
                let (key, values) = line.split_once(',').unwrap();
                let values = values.split(' ').map(|v| v.parse().unwrap()).collect();
                (key.to_string(), values)
            })
            .collect();
        Self {
            name,
            columns,
            expected,
        }
    }

    fn labels(&self) -> Vec<bool> {
        self.columns["label"].iter().map(|&y| y > 0.5).collect()
    }

    fn scores(&self) -> &[f64] {
        &self.columns["score"]
    }

    fn weights(&self) -> Option<&[f64]> {
        self.columns.get("weight").map(Vec::as_slice)
    }

    fn amounts(&self) -> &[f64] {
        &self.columns["amount"]
    }

    #[track_caller]
    fn assert_list(&self, key: &str, got: &[f64]) {
        let expected = &self.expected[key];
        assert_eq!(got.len(), expected.len(), "{} {key}: length", self.name);
        for (at, (&got, &expected)) in got.iter().zip(expected).enumerate() {
            let scale = expected.abs().max(1.0);
            assert!(
                (got.is_infinite() && got.total_cmp(&expected).is_eq())
                    || (got - expected).abs() <= TOLERANCE * scale,
                "{} {key}[{at}]: got {got}, expected {expected}",
                self.name
            );
        }
    }

    #[track_caller]
    fn assert_value(&self, key: &str, got: f64) {
        self.assert_list(key, &[got]);
    }

    /// The thresholds that decisions were judged at, with the suffix of their keys.
    fn decision_thresholds(&self) -> Vec<(f64, String)> {
        self.expected
            .keys()
            .filter_map(|key| key.strip_prefix("mcc@"))
            .map(|threshold| (threshold.parse().unwrap(), format!("@{threshold}")))
            .collect()
    }
}

#[test]
fn areas_equal_scikit_learn() {
    for fixture in CASES.map(Fixture::read) {
        let labels = fixture.labels();
        let (scores, weights) = (fixture.scores(), fixture.weights());
        fixture.assert_value("roc_auc", roc_auc(&labels, scores, weights).unwrap());
        fixture.assert_value(
            "average_precision",
            average_precision(&labels, scores, weights).unwrap(),
        );
        let ranking = Ranking::new(&labels, scores, weights).unwrap();
        fixture.assert_value("ks", ranking.kolmogorov_smirnov().unwrap().statistic);
    }
}

#[test]
fn curves_have_the_points_of_scikit_learn() {
    for fixture in CASES.map(Fixture::read) {
        let labels = fixture.labels();
        let ranking = Ranking::new(&labels, fixture.scores(), fixture.weights()).unwrap();
        for (suffix, points) in [("", CurvePoints::All), (".corners", CurvePoints::Corners)] {
            let roc = ranking.roc_curve(points).unwrap();
            fixture.assert_list(&format!("roc.fpr{suffix}"), &roc.false_positive_rate);
            fixture.assert_list(&format!("roc.tpr{suffix}"), &roc.true_positive_rate);
            fixture.assert_list(&format!("roc.thresholds{suffix}"), &roc.thresholds);
            let pr = ranking.precision_recall_curve(points).unwrap();
            fixture.assert_list(&format!("pr.precision{suffix}"), &pr.precision);
            fixture.assert_list(&format!("pr.recall{suffix}"), &pr.recall);
            fixture.assert_list(&format!("pr.thresholds{suffix}"), &pr.thresholds);
        }
    }
}

#[test]
fn confusion_counts_and_ratios_equal_scikit_learn() {
    for fixture in CASES.map(Fixture::read) {
        let labels = fixture.labels();
        let (scores, weights) = (fixture.scores(), fixture.weights());
        let ranking = Ranking::new(&labels, scores, weights).unwrap();
        let thresholds = fixture.decision_thresholds();
        assert!(!thresholds.is_empty());
        for (threshold, at) in thresholds {
            let direct = Confusion::at_threshold(&labels, scores, threshold, weights).unwrap();
            let ranked = ranking.confusion_at(threshold).unwrap();
            for c in [direct, ranked] {
                fixture.assert_list(
                    &format!("confusion{at}"),
                    &[
                        c.true_negatives,
                        c.false_positives,
                        c.false_negatives,
                        c.true_positives,
                    ],
                );
                fixture.assert_value(&format!("accuracy{at}"), c.accuracy());
                fixture.assert_value(&format!("precision{at}"), c.precision());
                fixture.assert_value(&format!("recall{at}"), c.recall());
                fixture.assert_value(&format!("specificity{at}"), c.specificity());
                fixture.assert_value(&format!("f1{at}"), c.f1());
                fixture.assert_value(&format!("f0.5{at}"), c.f_beta(0.5).unwrap());
                fixture.assert_value(&format!("f2{at}"), c.f_beta(2.0).unwrap());
                fixture.assert_value(&format!("mcc{at}"), c.mcc());
                fixture.assert_value(&format!("balanced_accuracy{at}"), c.balanced_accuracy());
            }
        }
    }
}

#[test]
fn costs_equal_the_sum_over_rows() {
    let costs = Costs::default()
        .true_positive(2.0)
        .false_positive(3.0)
        .false_negative(5.0)
        .missed_amount(1.0);
    for fixture in CASES.map(Fixture::read) {
        let labels = fixture.labels();
        let (scores, weights) = (fixture.scores(), fixture.weights());
        let amounts = fixture.amounts();
        let ranking = Ranking::with_amounts(&labels, scores, weights, amounts).unwrap();
        for (threshold, at) in fixture.decision_thresholds() {
            let key = format!("cost{at}");
            let alerted: Vec<bool> = scores.iter().map(|&score| score >= threshold).collect();
            let direct = cost(&labels, &alerted, weights, Some(amounts), &costs).unwrap();
            fixture.assert_value(&key, direct.total);
            fixture.assert_value(&key, ranking.cost_at(threshold, &costs).unwrap().total);
        }
    }
}

#[test]
fn losses_of_probabilities_equal_scikit_learn() {
    let mut cases = 0;
    for fixture in CASES.map(Fixture::read) {
        if !fixture.expected.contains_key("brier") {
            continue;
        }
        cases += 1;
        let labels = fixture.labels();
        let (scores, weights) = (fixture.scores(), fixture.weights());
        fixture.assert_value("log_loss", log_loss(&labels, scores, weights).unwrap());
        fixture.assert_value("brier", brier_score(&labels, scores, weights).unwrap());

        let mut chunked = ProbabilityLoss::default();
        let mut rest = ProbabilityLoss::default();
        let (head, tail) = scores.split_at(scores.len() / 3);
        let (head_weights, tail_weights) = match weights {
            Some(weights) => (Some(&weights[..head.len()]), Some(&weights[head.len()..])),
            None => (None, None),
        };
        chunked
            .extend(&labels[..head.len()], head, head_weights)
            .unwrap();
        rest.extend(&labels[head.len()..], tail, tail_weights)
            .unwrap();
        chunked.merge(&rest);
        fixture.assert_value("log_loss", chunked.log_loss().unwrap());
        fixture.assert_value("brier", chunked.brier().unwrap());
    }
    assert_eq!(cases, 9);
}

#[test]
fn calibration_bins_equal_scikit_learn() {
    for fixture in CASES.map(Fixture::read) {
        if !fixture.expected.contains_key("brier") {
            continue;
        }
        let labels = fixture.labels();
        let (scores, weights) = (fixture.scores(), fixture.weights());
        for bins in [1, 5, 10, 15] {
            for (name, binning) in [
                ("uniform", CalibrationBinning::Uniform),
                ("quantile", CalibrationBinning::Quantile),
            ] {
                let key = format!("calibration.{name}.{bins}");
                let found = calibration(&labels, scores, weights, bins, binning).unwrap();
                let observed: Vec<f64> = found.bins.iter().map(|bin| bin.observed).collect();
                let predicted: Vec<f64> = found.bins.iter().map(|bin| bin.mean_predicted).collect();
                fixture.assert_list(&format!("{key}.observed"), &observed);
                fixture.assert_list(&format!("{key}.predicted"), &predicted);

                let rows: u64 = found.bins.iter().map(|bin| bin.rows).sum();
                assert_eq!(rows, Ranking::new(&labels, scores, weights).unwrap().rows());
                let total: f64 = found.bins.iter().map(|bin| bin.weight).sum();
                let by_hand: f64 = found
                    .bins
                    .iter()
                    .map(|bin| bin.weight * (bin.observed - bin.mean_predicted).abs())
                    .sum();
                assert!((found.expected_error() - by_hand / total).abs() < TOLERANCE);
                assert!(found.maximum_error() >= found.expected_error() - TOLERANCE);
            }
            let mut first = UniformCalibration::new(bins).unwrap();
            let mut second = first.clone();
            for (row, &score) in scores.iter().enumerate() {
                let part = if row % 2 == 0 {
                    &mut first
                } else {
                    &mut second
                };
                let weight = weights.map(|weights| &weights[row..=row]);
                part.extend(&labels[row..=row], &[score], weight).unwrap();
            }
            first.merge(&second).unwrap();
            let merged = first.finish().unwrap();
            let observed: Vec<f64> = merged.bins.iter().map(|bin| bin.observed).collect();
            fixture.assert_list(&format!("calibration.uniform.{bins}.observed"), &observed);
        }
    }
}

#[test]
fn card_precision_equals_the_code_of_the_handbook() {
    for fixture in ["cards", "cards_with_ties"].map(Fixture::read) {
        #[expect(clippy::cast_possible_truncation, reason = "small whole numbers")]
        let days: Vec<i64> = fixture.columns["day"].iter().map(|&d| d as i64).collect();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small whole numbers"
        )]
        let customers: Vec<u32> = fixture.columns["customer"]
            .iter()
            .map(|&c| c as u32)
            .collect();
        let labels = fixture.labels();
        for k in [1, 5, 20, 1000] {
            for (name, remove) in [("remove", true), ("stay", false)] {
                let params = CardPrecisionParams::default().k(k).remove_detected(remove);
                let found =
                    card_precision_at_k(&days, &customers, &labels, fixture.scores(), &params)
                        .unwrap();
                fixture.assert_value(&format!("mean.{k}.{name}"), found.mean);
                let daily: Vec<f64> = found.days.iter().map(|day| day.precision).collect();
                fixture.assert_list(&format!("daily.{k}.{name}"), &daily);
                for day in &found.days {
                    assert!(day.detected <= day.compromised && day.compromised <= day.cards);
                }
            }
        }
    }
}
