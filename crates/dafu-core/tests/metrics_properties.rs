//! Properties of the metrics, against brute force over all pairs, rows and thresholds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::float_cmp,
    reason = "tests; equality to the bit is meant where it is asked for"
)]

use dafu_core::metrics::{
    CalibrationBinning, CardPrecisionParams, CardRows, Confusion, Costs, CurvePoints, MetricsError,
    Ranking, ThresholdGoal, average_precision, brier_score, calibration, card_precision_at_k,
    log_loss, roc_auc,
};
use proptest::prelude::*;

/// One row: label, score, whole weight, amount.
type Row = (bool, f64, u8, f64);

/// Rows of both classes. A third of the scores are on a coarse grid, so that there are ties.
fn rows() -> impl Strategy<Value = Vec<Row>> {
    let score = prop_oneof![(0_u8..8).prop_map(|s| f64::from(s) / 8.0), 0.0..1.0_f64];
    let row = (any::<bool>(), score, 0_u8..4, 0.0..500.0_f64);
    prop::collection::vec(row, 2..60).prop_map(|mut rows| {
        rows[0] = (true, rows[0].1, 1, rows[0].3);
        rows[1] = (false, rows[1].1, 1, rows[1].3);
        rows
    })
}

struct Columns {
    labels: Vec<bool>,
    scores: Vec<f64>,
    weights: Vec<f64>,
    amounts: Vec<f64>,
}

fn columns(rows: &[Row]) -> Columns {
    Columns {
        labels: rows.iter().map(|row| row.0).collect(),
        scores: rows.iter().map(|row| row.1).collect(),
        weights: rows.iter().map(|row| f64::from(row.2)).collect(),
        amounts: rows.iter().map(|row| row.3).collect(),
    }
}

/// Each row as often as its weight says.
fn repeated(rows: &[Row]) -> Vec<Row> {
    rows.iter()
        .flat_map(|&row| std::iter::repeat_n(row, usize::from(row.2)))
        .collect()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * a.abs().max(b.abs()).max(1.0)
}

/// All thresholds that make a difference, highest first, after the one that alerts nobody.
fn all_thresholds(scores: &[f64]) -> Vec<f64> {
    let mut thresholds = scores.to_vec();
    thresholds.push(f64::INFINITY);
    thresholds.sort_by(|a, b| b.total_cmp(a));
    thresholds.dedup();
    thresholds
}

/// The first threshold with the highest value, by looking at every row for every threshold.
fn brute_force(
    c: &Columns,
    weights: &[f64],
    value: impl Fn(f64, &Confusion) -> Option<f64>,
) -> Option<(f64, f64)> {
    let mut best: Option<(f64, f64)> = None;
    for threshold in all_thresholds(&c.scores) {
        let confusion =
            Confusion::at_threshold(&c.labels, &c.scores, threshold, Some(weights)).unwrap();
        if let Some(value) = value(threshold, &confusion)
            && best.is_none_or(|(_, highest)| value > highest)
        {
            best = Some((threshold, value));
        }
    }
    best
}

proptest! {
    #[test]
    fn auc_is_the_share_of_pairs_in_order(rows in rows()) {
        let c = columns(&rows);
        let (mut won, mut all) = (0.0, 0.0);
        for fraud in rows.iter().filter(|row| row.0) {
            for honest in rows.iter().filter(|row| !row.0) {
                let weight = f64::from(fraud.2) * f64::from(honest.2);
                all += weight;
                if fraud.1 > honest.1 {
                    won += weight;
                } else if fraud.1 == honest.1 {
                    won += 0.5 * weight;
                }
            }
        }
        let auc = roc_auc(&c.labels, &c.scores, Some(&c.weights)).unwrap();
        prop_assert!(close(auc, won / all), "{auc} {}", won / all);
    }

    #[test]
    fn auc_bounds_are_reached_by_breaking_ties(rows in rows()) {
        let c = columns(&rows);
        let bounds = Ranking::new(&c.labels, &c.scores, None).unwrap().roc_auc_bounds().unwrap();
        // Below the distance of distinct scores here, which are multiples of 1/8 or far apart.
        for (sign, expected) in [(1.0, bounds.upper), (-1.0, bounds.lower)] {
            let nudged: Vec<f64> = rows
                .iter()
                .map(|row| if row.0 { row.1 + sign * 1e-13 } else { row.1 })
                .collect();
            prop_assert!(close(roc_auc(&c.labels, &nudged, None).unwrap(), expected));
        }
    }

    #[test]
    fn ap_bounds_hold_for_every_breaking_of_ties(rows in rows(), seed in any::<u64>()) {
        let c = columns(&rows);
        let ranking = Ranking::new(&c.labels, &c.scores, Some(&c.weights)).unwrap();
        let bounds = ranking.average_precision_bounds().unwrap();
        let mut state = seed | 1;
        let nudged: Vec<f64> = c.scores.iter().map(|score| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            score + 1e-13 * ((state >> 40) as f64 / f64::from(1_u32 << 24))
        }).collect();
        for scores in [&c.scores, &nudged] {
            let ap = average_precision(&c.labels, scores, Some(&c.weights)).unwrap();
            prop_assert!(ap >= bounds.lower - 1e-12 && ap <= bounds.upper + 1e-12);
        }
    }

    #[test]
    fn rank_metrics_ignore_monotone_maps(rows in rows()) {
        let c = columns(&rows);
        let mapped: Vec<f64> = c.scores.iter().map(|s| (3.0 * s).exp() - 7.0).collect();
        // The map may round two scores to one; then the rankings differ rightly.
        prop_assume!(all_thresholds(&mapped).len() == all_thresholds(&c.scores).len());
        let a = Ranking::new(&c.labels, &c.scores, Some(&c.weights)).unwrap();
        let b = Ranking::new(&c.labels, &mapped, Some(&c.weights)).unwrap();
        prop_assert_eq!(a.roc_auc(), b.roc_auc());
        prop_assert_eq!(a.average_precision(), b.average_precision());
        prop_assert_eq!(a.top_k(3), b.top_k(3));
        prop_assert_eq!(
            a.kolmogorov_smirnov().unwrap().statistic,
            b.kolmogorov_smirnov().unwrap().statistic
        );
    }

    #[test]
    fn auc_of_negated_scores_is_the_complement(rows in rows()) {
        let c = columns(&rows);
        let negated: Vec<f64> = c.scores.iter().map(|s| -s).collect();
        let auc = roc_auc(&c.labels, &c.scores, Some(&c.weights)).unwrap();
        let other = roc_auc(&c.labels, &negated, Some(&c.weights)).unwrap();
        prop_assert!(close(auc + other, 1.0));
    }

    #[test]
    fn whole_weights_are_repeated_rows(rows in rows()) {
        let c = columns(&rows);
        let r = columns(&repeated(&rows));
        let weights = Some(c.weights.as_slice());
        let a = Ranking::with_amounts(&c.labels, &c.scores, weights, &c.amounts).unwrap();
        let b = Ranking::with_amounts(&r.labels, &r.scores, None, &r.amounts).unwrap();
        prop_assert_eq!(a.roc_auc(), b.roc_auc());
        prop_assert_eq!(a.average_precision(), b.average_precision());
        prop_assert_eq!(a.roc_curve(CurvePoints::All), b.roc_curve(CurvePoints::All));
        prop_assert_eq!(
            a.precision_recall_curve(CurvePoints::Corners),
            b.precision_recall_curve(CurvePoints::Corners)
        );
        prop_assert_eq!(a.kolmogorov_smirnov(), b.kolmogorov_smirnov());
        for share in [0.01, 0.1, 0.5, 1.0] {
            prop_assert!(close(a.lift(share).unwrap(), b.lift(share).unwrap()));
        }
        for threshold in all_thresholds(&c.scores) {
            prop_assert_eq!(a.confusion_at(threshold), b.confusion_at(threshold));
            let (one, two) = (a.amounts_at(threshold).unwrap(), b.amounts_at(threshold).unwrap());
            prop_assert!(close(one.fraud_caught, two.fraud_caught));
            prop_assert!(close(one.honest_alerted, two.honest_alerted));
            prop_assert!(close(one.value_detection_rate(), two.value_detection_rate()));
        }
        prop_assert!(close(
            log_loss(&c.labels, &c.scores, weights).unwrap(),
            log_loss(&r.labels, &r.scores, None).unwrap()
        ));
        prop_assert!(close(
            brier_score(&c.labels, &c.scores, weights).unwrap(),
            brier_score(&r.labels, &r.scores, None).unwrap()
        ));
        let uniform = CalibrationBinning::Uniform;
        prop_assert!(close(
            calibration(&c.labels, &c.scores, weights, 7, uniform).unwrap().expected_error(),
            calibration(&r.labels, &r.scores, None, 7, uniform).unwrap().expected_error()
        ));
    }

    #[test]
    fn rankings_ignore_row_order_to_the_bit(
        (rows, shuffled) in rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        fraction in 0.1..0.9_f64,
    ) {
        let (a, b) = (columns(&rows), columns(&shuffled));
        prop_assert_eq!(
            Ranking::new(&a.labels, &a.scores, None),
            Ranking::new(&b.labels, &b.scores, None)
        );
        let scaled = |weights: &[f64]| weights.iter().map(|w| w * fraction).collect::<Vec<_>>();
        let (weights_a, weights_b) = (scaled(&a.weights), scaled(&b.weights));
        prop_assert_eq!(
            Ranking::with_amounts(&a.labels, &a.scores, Some(&weights_a), &a.amounts),
            Ranking::with_amounts(&b.labels, &b.scores, Some(&weights_b), &b.amounts)
        );
    }

    #[test]
    fn scaled_weights_change_no_ratio(rows in rows(), exponent in -900_i32..900) {
        let c = columns(&rows);
        let scale = 2.0_f64.powi(exponent);
        let scaled: Vec<f64> = c.weights.iter().map(|w| w * scale).collect();
        let a = Ranking::new(&c.labels, &c.scores, Some(&c.weights)).unwrap();
        let b = Ranking::new(&c.labels, &c.scores, Some(&scaled)).unwrap();
        prop_assert_eq!(a.roc_auc(), b.roc_auc());
        prop_assert_eq!(a.roc_auc_bounds(), b.roc_auc_bounds());
        prop_assert_eq!(a.average_precision(), b.average_precision());
        prop_assert_eq!(a.confusion_at(0.5).unwrap().mcc(), b.confusion_at(0.5).unwrap().mcc());
        prop_assert_eq!(a.confusion_at(0.5).unwrap().f1(), b.confusion_at(0.5).unwrap().f1());
    }

    #[test]
    fn areas_are_in_range_and_curves_monotone(rows in rows()) {
        let c = columns(&rows);
        let ranking = Ranking::new(&c.labels, &c.scores, Some(&c.weights)).unwrap();
        let ap = ranking.average_precision().unwrap();
        prop_assert!(ap > 0.0 && ap <= 1.0);
        for points in [CurvePoints::All, CurvePoints::Corners] {
            let roc = ranking.roc_curve(points).unwrap();
            prop_assert!(roc.false_positive_rate.is_sorted());
            prop_assert!(roc.true_positive_rate.is_sorted());
            prop_assert!(roc.thresholds.is_sorted_by(|a, b| a > b));
            prop_assert_eq!(roc.false_positive_rate.last(), Some(&1.0));
            prop_assert_eq!(roc.true_positive_rate.last(), Some(&1.0));
            let pr = ranking.precision_recall_curve(points).unwrap();
            prop_assert!(pr.recall.is_sorted_by(|a, b| a >= b));
            prop_assert!(pr.thresholds.is_sorted_by(|a, b| a < b));
            prop_assert_eq!(pr.precision.len(), pr.thresholds.len() + 1);
            // The area under the corners is the area under all points.
            let area: f64 = roc
                .false_positive_rate
                .windows(2)
                .zip(roc.true_positive_rate.windows(2))
                .map(|(x, y)| (x[1] - x[0]) * (y[0] + y[1]) / 2.0)
                .sum();
            prop_assert!(close(area, ranking.roc_auc().unwrap()));
        }
    }

    #[test]
    fn threshold_search_equals_brute_force(rows in rows(), floor in 0.0..1.0_f64, alerts in 0_u64..70) {
        let c = columns(&rows);
        let ranking =
            Ranking::with_amounts(&c.labels, &c.scores, Some(&c.weights), &c.amounts).unwrap();
        let counts = |goal: &ThresholdGoal| {
            ranking.best_threshold(goal).map(|choice| {
                let direct =
                    Confusion::at_threshold(&c.labels, &c.scores, choice.threshold, Some(&c.weights));
                assert_eq!(direct.unwrap(), choice.confusion);
                (choice.threshold, choice.value)
            })
        };
        for beta in [0.0, 0.5, 1.0, 2.0] {
            let brute = brute_force(&c, &c.weights, |_, confusion| {
                (confusion.alerts() > 0.0).then(|| confusion.f_beta(beta).unwrap())
            });
            prop_assert_eq!(counts(&ThresholdGoal::MaxFBeta { beta }).ok(), brute);
        }
        let brute = brute_force(&c, &c.weights, |_, confusion| {
            (confusion.alerts() > 0.0 && confusion.precision() >= floor).then(|| confusion.recall())
        });
        match counts(&ThresholdGoal::PrecisionFloor { floor }) {
            Ok(found) => prop_assert_eq!(Some(found), brute),
            Err(MetricsError::FloorNotReached { best, .. }) => {
                prop_assert!(brute.is_none() && best < floor);
            }
            Err(other) => panic!("{other}"),
        }
        let brute = brute_force(&c, &c.weights, |_, confusion| {
            (confusion.alerts() > 0.0 && confusion.recall() >= floor).then(|| confusion.precision())
        });
        prop_assert_eq!(counts(&ThresholdGoal::RecallFloor { floor }).ok(), brute);
        let counted = |threshold: f64| {
            let above = |row: usize| c.weights[row] > 0.0 && c.scores[row] >= threshold;
            (0..rows.len()).filter(|&row| above(row)).count() as u64
        };
        let brute = brute_force(&c, &c.weights, |threshold, confusion| {
            (counted(threshold) <= alerts).then(|| confusion.recall())
        });
        prop_assert_eq!(counts(&ThresholdGoal::AlertBudget { alerts }).ok(), brute);

        let costs = Costs::default().false_positive(7.0).true_positive(2.0).missed_amount(0.3);
        let total = |threshold: f64| -> f64 {
            rows.iter()
                .map(|&(label, score, weight, amount)| {
                    f64::from(weight)
                        * match (label, score >= threshold) {
                            (true, true) => 2.0,
                            (false, true) => 7.0,
                            (true, false) => 1.0 + 0.3 * amount,
                            (false, false) => 0.0,
                        }
                })
                .sum()
        };
        let lowest = all_thresholds(&c.scores).into_iter().map(total).fold(f64::INFINITY, f64::min);
        let choice = ranking.best_threshold(&ThresholdGoal::MinCost(costs)).unwrap();
        prop_assert!(close(choice.value, lowest));
        prop_assert!(close(total(choice.threshold), lowest));
        prop_assert!(close(ranking.cost_at(0.5, &costs).unwrap().total, total(0.5)));
    }

    #[test]
    fn top_k_is_the_expectation_over_orders_of_ties(rows in rows(), k in 1_u64..70) {
        let c = columns(&rows);
        let found = Ranking::new(&c.labels, &c.scores, None).unwrap().top_k(k).unwrap();
        // The chance of a row to be among the first k: how many rows are before it for sure, and
        // how many share its score.
        let mut expected = 0.0;
        for fraud in rows.iter().filter(|row| row.0) {
            let before = rows.iter().filter(|row| row.1 > fraud.1).count() as f64;
            let tied = rows.iter().filter(|row| row.1 == fraud.1).count() as f64;
            expected += ((k as f64 - before) / tied).clamp(0.0, 1.0);
        }
        prop_assert!(close(found.true_positives, expected));
        prop_assert!(close(found.alerts(), k.min(rows.len() as u64) as f64));
        prop_assert!(close(found.total(), rows.len() as f64));
    }

    #[test]
    fn lift_of_a_share_of_rows_is_lift_of_top_k(rows in rows(), k in 1_usize..60) {
        prop_assume!(k <= rows.len());
        let c = columns(&rows);
        let ranking = Ranking::new(&c.labels, &c.scores, None).unwrap();
        let by_rows = ranking.top_k(k as u64).unwrap();
        let lift = ranking.lift(k as f64 / rows.len() as f64).unwrap();
        prop_assert!(close(lift, by_rows.precision() / by_rows.prevalence()));
        prop_assert!(close(ranking.lift(1.0).unwrap(), 1.0));
    }

    #[test]
    fn mcc_is_the_correlation_of_labels_and_decisions(rows in rows(), threshold in 0.0..1.0_f64) {
        let c = columns(&rows);
        let n = rows.len() as f64;
        let (mut x, mut y, mut both) = (0.0, 0.0, 0.0);
        for row in &rows {
            let (label, alerted) = (f64::from(u8::from(row.0)), f64::from(u8::from(row.1 >= threshold)));
            x += label;
            y += alerted;
            both += label * alerted;
        }
        let spread = (x * (n - x) * y * (n - y)).sqrt();
        let expected = if spread > 0.0 { (n * both - x * y) / spread } else { 0.0 };
        let confusion = Confusion::at_threshold(&c.labels, &c.scores, threshold, None).unwrap();
        prop_assert!(close(confusion.mcc(), expected));
    }

    #[test]
    fn card_precision_equals_a_plain_search(
        rows in prop::collection::vec((0_i64..4, 0_u32..8, any::<bool>(), 0_u8..6), 1..60),
        k in 1_usize..6,
        remove in any::<bool>(),
    ) {
        let days: Vec<i64> = rows.iter().map(|row| row.0).collect();
        let customers: Vec<u32> = rows.iter().map(|row| row.1).collect();
        let labels: Vec<bool> = rows.iter().map(|row| row.2).collect();
        let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.3)).collect();
        let params = CardPrecisionParams::default().k(k).remove_detected(remove);
        let found = card_precision_at_k(&days, &customers, &labels, &scores, &params).unwrap();

        let mut blocked = [false; 8];
        let mut daily = Vec::new();
        for day in 0..4 {
            if !days.contains(&day) {
                continue;
            }
            let mut cards = Vec::new();
            for customer in (0..8_u32).filter(|&customer| !blocked[customer as usize]) {
                let mine = || rows.iter().filter(|row| row.0 == day && row.1 == customer);
                if let Some(score) = mine().map(|row| row.3).max() {
                    cards.push((score, customer, mine().any(|row| row.2)));
                }
            }
            cards.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
            let hits: Vec<u32> = cards.iter().take(k).filter(|card| card.2).map(|card| card.1).collect();
            daily.push(hits.len() as f64 / k as f64);
            if remove {
                for &card in &hits {
                    blocked[card as usize] = true;
                }
            }
        }
        let precisions: Vec<f64> = found.days.iter().map(|day| day.precision).collect();
        prop_assert_eq!(&precisions, &daily);
        prop_assert!(close(found.mean, daily.iter().sum::<f64>() / daily.len() as f64));
        let ones = vec![1.0; rows.len()];
        let by_ones = CardRows::new(&days, &customers, &labels, &scores)
            .weights(Some(&ones))
            .precision_at_k(&params);
        prop_assert_eq!(by_ones, Ok(found));
    }

    #[test]
    fn weighted_card_precision_keeps_its_rules(
        (rows, shuffled) in prop::collection::vec(
            ((0_i64..4, 0_u32..8), any::<bool>(), 0_u8..6, 0_u8..9),
            1..60,
        )
        .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        k in 1_usize..10,
        remove in any::<bool>(),
    ) {
        type CardRow = ((i64, u32), bool, u8, u8);
        let params = CardPrecisionParams::default().k(k).remove_detected(remove);
        let found = |rows: &[CardRow], scale: f64| {
            let days: Vec<i64> = rows.iter().map(|row| row.0.0).collect();
            let customers: Vec<u32> = rows.iter().map(|row| row.0.1).collect();
            let labels: Vec<bool> = rows.iter().map(|row| row.1).collect();
            let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.2)).collect();
            let weights: Vec<f64> = rows.iter().map(|row| f64::from(row.3) * scale).collect();
            let plain = CardRows::new(&days, &customers, &labels, &scores);
            let weighted = plain.weights(Some(&weights)).precision_at_k(&params);
            (weighted, plain.precision_at_k(&params))
        };
        let (weighted, _) = found(&rows, 0.3);
        prop_assert_eq!(&found(&shuffled, 0.3).0, &weighted);
        // A power of two changes no bit.
        prop_assert_eq!(&found(&rows, 0.3 * 2.0_f64.powi(900)).0, &weighted);

        // Rows of weight zero are as if they were not there, and which cards are checked and
        // counted is as without weights.
        let kept: Vec<CardRow> = rows.iter().copied().filter(|row| row.3 > 0).collect();
        if kept.is_empty() {
            prop_assert_eq!(weighted, Err(MetricsError::ZeroTotalWeight));
            return Ok(());
        }
        let (again, plain) = found(&kept, 0.3);
        prop_assert_eq!(&again, &weighted);
        let (weighted, plain) = (weighted.unwrap(), plain.unwrap());
        prop_assert_eq!(weighted.days.len(), plain.days.len());
        for (a, b) in weighted.days.iter().zip(&plain.days) {
            prop_assert_eq!(
                (a.day, a.cards, a.compromised, a.detected),
                (b.day, b.cards, b.compromised, b.detected)
            );
            prop_assert!((0.0..=1.0).contains(&a.precision));
            prop_assert_eq!(a.precision > 0.0, a.detected > 0);
        }
    }
}

#[test]
fn of_equally_cheap_thresholds_the_highest_is_taken() {
    // Alerting nobody costs 2, each honest row in between adds 1 and each fraud saves 1.
    let labels = [true, false, true, false];
    let scores = [0.9, 0.8, 0.7, 0.6];
    let ranking = Ranking::new(&labels, &scores, None).unwrap();
    let goal = ThresholdGoal::MinCost(Costs::default());
    let choice = ranking.best_threshold(&goal).unwrap();
    assert_eq!((choice.threshold, choice.value), (0.9, 1.0));
}

#[test]
fn weighted_quantile_edges_are_the_inverse_of_the_cumulative_weight() {
    let labels = [false, true, false, true];
    let probabilities = [0.4, 0.1, 0.3, 0.2];
    let rows = |weights: &[f64], bins| -> Vec<(f64, u64)> {
        let quantile = CalibrationBinning::Quantile;
        let found = calibration(&labels, &probabilities, Some(weights), bins, quantile).unwrap();
        found.bins.iter().map(|bin| (bin.upper, bin.rows)).collect()
    };
    assert_eq!(rows(&[1.0; 4], 2), [(0.2, 2), (0.4, 2)]);
    assert_eq!(rows(&[3.0, 1.0, 1.0, 1.0], 2), [(0.3, 3), (0.4, 1)]);
    assert_eq!(
        rows(&[1.0, 0.0, 1.0, 1.0], 3),
        [(0.2, 1), (0.3, 1), (0.4, 1)]
    );
}
