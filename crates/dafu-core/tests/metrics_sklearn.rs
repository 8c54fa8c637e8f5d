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
    CalibrationBinning, CardPrecisionParams, CardRows, Confusion, Costs, CurvePoints, MetricsError,
    ProbabilityLoss, Ranking, ThresholdGoal, UniformCalibration, average_precision, brier_score,
    calibration, card_precision_at_k, cost, log_loss, roc_auc,
};

/// Absolute for values up to 1, relative above (costs, lifts, counts).
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

    #[track_caller]
    fn assert_confusion(&self, key: &str, got: &Confusion) {
        self.assert_list(
            key,
            &[
                got.true_negatives,
                got.false_positives,
                got.false_negatives,
                got.true_positives,
            ],
        );
    }

    /// Thresholds are scores of the input, so they are compared to the bit.
    #[track_caller]
    fn assert_threshold(&self, key: &str, got: f64) {
        let expected = self.expected[key][0];
        assert!(
            got.total_cmp(&expected).is_eq(),
            "{} {key}: got {got}, expected {expected}",
            self.name
        );
    }

    /// The best threshold, its value and its counts.
    #[track_caller]
    fn assert_best(&self, key: &str, ranking: &Ranking, goal: &ThresholdGoal) {
        let choice = ranking.best_threshold(goal).unwrap();
        self.assert_threshold(&format!("best.{key}.threshold"), choice.threshold);
        self.assert_value(&format!("best.{key}.value"), choice.value);
        self.assert_confusion(&format!("best.{key}.confusion"), &choice.confusion);
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
                fixture.assert_confusion(&format!("confusion{at}"), &c);
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
fn kolmogorov_smirnov_is_reached_where_scikit_learn_has_it() {
    for fixture in CASES.map(Fixture::read) {
        let ranking = Ranking::new(&fixture.labels(), fixture.scores(), fixture.weights()).unwrap();
        let ks = ranking.kolmogorov_smirnov().unwrap();
        fixture.assert_value("ks", ks.statistic);
        fixture.assert_threshold("ks.threshold", ks.threshold);
        fixture.assert_value("ks.true_positive_rate", ks.true_positive_rate);
        fixture.assert_value("ks.false_positive_rate", ks.false_positive_rate);
    }
}

#[test]
fn precision_and_recall_at_k_and_lift_equal_scikit_learn() {
    for fixture in CASES.map(Fixture::read) {
        let ranking = Ranking::new(&fixture.labels(), fixture.scores(), fixture.weights()).unwrap();
        for k in [1, 3, 10, 47, 1000] {
            let precision = ranking.precision_at_k(k).unwrap();
            fixture.assert_value(&format!("precision_at.{k}"), precision);
            let recall = ranking.recall_at_k(k).unwrap();
            fixture.assert_value(&format!("recall_at.{k}"), recall);
        }
        for share in [0.01, 0.05, 0.13, 0.5, 1.0] {
            let lift = ranking.lift(share).unwrap();
            fixture.assert_value(&format!("lift.{share:?}"), lift);
        }
    }
}

#[test]
fn best_thresholds_equal_a_search_with_scikit_learn() {
    let (mut reached, mut not_reached) = (0, 0);
    for fixture in CASES.map(Fixture::read) {
        let (scores, weights) = (fixture.scores(), fixture.weights());
        let ranking =
            Ranking::with_amounts(&fixture.labels(), scores, weights, fixture.amounts()).unwrap();
        for beta in [0.5, 1.0, 2.0] {
            let goal = ThresholdGoal::MaxFBeta { beta };
            fixture.assert_best(&format!("f{beta:?}"), &ranking, &goal);
        }
        for floor in [0.2, 0.5, 0.8] {
            let goal = ThresholdGoal::RecallFloor { floor };
            fixture.assert_best(&format!("recall_floor.{floor:?}"), &ranking, &goal);
            let goal = ThresholdGoal::PrecisionFloor { floor };
            let key = format!("precision_floor.{floor:?}");
            let highest = format!("best.{key}.highest");
            if fixture.expected.contains_key(&highest) {
                not_reached += 1;
                match ranking.best_threshold(&goal) {
                    Err(MetricsError::FloorNotReached { best, .. }) => {
                        fixture.assert_value(&highest, best);
                    }
                    other => panic!("{} {key}: {other:?}", fixture.name),
                }
            } else {
                reached += 1;
                fixture.assert_best(&key, &ranking, &goal);
            }
        }
        for alerts in [0, 2, 10, 50] {
            let goal = ThresholdGoal::AlertBudget { alerts };
            fixture.assert_best(&format!("alert_budget.{alerts}"), &ranking, &goal);
        }
        let by_amount = Costs::default()
            .true_positive(2.0)
            .false_positive(3.0)
            .false_negative(5.0)
            .missed_amount(1.0);
        for (name, costs) in [
            ("errors", Costs::default()),
            ("amounts", by_amount),
            ("dear_alerts", by_amount.false_positive(90.0)),
        ] {
            let goal = ThresholdGoal::MinCost(costs);
            fixture.assert_best(&format!("cost.{name}"), &ranking, &goal);
        }
    }
    assert!(reached > 0 && not_reached > 0, "{reached} {not_reached}");
}

#[test]
fn card_precision_equals_the_code_of_the_handbook() {
    for fixture in ["cards", "cards_with_ties", "cards_with_weights"].map(Fixture::read) {
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
                let Some(weights) = fixture.weights() else {
                    continue;
                };
                let rows = CardRows::new(&days, &customers, &labels, fixture.scores());
                let weighted = rows.weights(Some(weights)).precision_at_k(&params).unwrap();
                fixture.assert_value(&format!("weighted.mean.{k}.{name}"), weighted.mean);
                let daily: Vec<f64> = weighted.days.iter().map(|day| day.precision).collect();
                fixture.assert_list(&format!("weighted.daily.{k}.{name}"), &daily);
            }
        }
    }
}
