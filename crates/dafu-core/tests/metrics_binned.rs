//! The ranking in bounded memory against the exact one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::float_cmp,
    reason = "tests; equality to the bit is meant where it is asked for"
)]

use dafu_core::metrics::{BinnedRanking, Costs, CurvePoints, MetricsError, Ranking, ThresholdGoal};
use proptest::prelude::*;

type Row = (bool, f64, u8, f64);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (any::<bool>(), 0.0..=1.0_f64, 0_u8..4, 0.0..500.0_f64);
    prop::collection::vec(row, 2..80).prop_map(|mut rows| {
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

fn exact(rows: &[Row]) -> Ranking {
    let c = columns(rows);
    Ranking::with_amounts(&c.labels, &c.scores, Some(&c.weights), &c.amounts).unwrap()
}

fn binned(rows: &[Row], bins: usize) -> BinnedRanking {
    let c = columns(rows);
    let mut binned = BinnedRanking::new(bins).unwrap();
    binned
        .extend(&c.labels, &c.scores, Some(&c.weights), Some(&c.amounts))
        .unwrap();
    binned
}

proptest! {
    #[test]
    fn equals_the_exact_one_on_scores_that_are_edges(rows in rows()) {
        let coarse: Vec<Row> = rows
            .iter()
            .map(|&(label, score, weight, amount)| {
                // Whole amounts, so that sums are exact in any order.
                (label, (score * 15.0).floor() / 16.0, weight, amount.floor())
            })
            .collect();
        prop_assert_eq!(binned(&coarse, 16).to_ranking().unwrap(), exact(&coarse));
        prop_assert_eq!(
            binned(&coarse, BinnedRanking::DEFAULT_BINS).to_ranking().unwrap(),
            exact(&coarse)
        );
    }

    #[test]
    fn exact_areas_are_within_the_bounds(rows in rows(), bits in 1_u32..9) {
        let exact = exact(&rows);
        let ranking = binned(&rows, 1 << bits).to_ranking().unwrap();
        let auc = ranking.roc_auc_bounds().unwrap();
        let value = exact.roc_auc().unwrap();
        prop_assert!(value >= auc.lower - 1e-12 && value <= auc.upper + 1e-12);
        let ap = ranking.average_precision_bounds().unwrap();
        let value = exact.average_precision().unwrap();
        prop_assert!(value >= ap.lower - 1e-12 && value <= ap.upper + 1e-12);
        let own = ranking.average_precision().unwrap();
        prop_assert!(own >= ap.lower - 1e-12 && own <= ap.upper + 1e-12);
        let (ks, binned_ks) =
            (exact.kolmogorov_smirnov().unwrap(), ranking.kolmogorov_smirnov().unwrap());
        prop_assert!(binned_ks.statistic <= ks.statistic + 1e-12);
    }

    #[test]
    fn every_point_is_a_point_of_the_exact_curve(rows in rows(), bits in 1_u32..9) {
        let exact = exact(&rows);
        let ranking = binned(&rows, 1 << bits).to_ranking().unwrap();
        for &edge in ranking.thresholds() {
            prop_assert_eq!(ranking.confusion_at(edge), exact.confusion_at(edge));
        }
        let costs = Costs::default().false_positive(20.0).missed_amount(1.0);
        let goal = ThresholdGoal::MinCost(costs);
        let choice = ranking.best_threshold(&goal).unwrap();
        let at = exact.cost_at(choice.threshold, &costs).unwrap().total;
        prop_assert!((at - choice.value).abs() <= 1e-9 * at.abs().max(1.0));
        prop_assert!(exact.best_threshold(&goal).unwrap().value <= at + 1e-9);
    }

    #[test]
    fn chunks_and_merges_give_the_same_counts(rows in rows(), cut in 0_usize..80) {
        let (head, tail) = rows.split_at(cut.min(rows.len()));
        let whole: Vec<Row> =
            rows.iter().map(|&(l, s, w, a)| (l, s, w, a.floor())).collect();
        let (head, tail): (Vec<Row>, Vec<Row>) =
            (whole[..head.len()].to_vec(), whole[whole.len() - tail.len()..].to_vec());
        let expected = binned(&whole, 64).to_ranking();
        let mut merged = binned(&head, 64);
        merged.merge(&binned(&tail, 64)).unwrap();
        prop_assert_eq!(merged.to_ranking(), expected.clone());
        let mut other_way = binned(&tail, 64);
        other_way.merge(&binned(&head, 64)).unwrap();
        prop_assert_eq!(other_way.to_ranking(), expected);
    }
}

#[test]
fn the_default_is_within_a_ten_thousandth_on_many_rows() {
    // Scores crowded towards 0, as those of fraud models are.
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut labels = Vec::new();
    let mut scores = Vec::new();
    for _ in 0..50_000 {
        let fraud = next() < 0.01;
        let score = next();
        labels.push(fraud);
        scores.push(if fraud { score } else { score * score * score });
    }
    let exact = Ranking::new(&labels, &scores, None).unwrap();
    let mut bins = BinnedRanking::default();
    for (labels, scores) in labels.chunks(777).zip(scores.chunks(777)) {
        bins.extend(labels, scores, None, None).unwrap();
    }
    assert_eq!(bins.rows(), 50_000);
    let ranking = bins.to_ranking().unwrap();
    assert!((ranking.roc_auc().unwrap() - exact.roc_auc().unwrap()).abs() < 1e-5);
    let (ap, exact_ap) = (
        ranking.average_precision().unwrap(),
        exact.average_precision().unwrap(),
    );
    assert!((ap - exact_ap).abs() < 1e-4, "{ap} {exact_ap}");
    let bounds = ranking.roc_auc_bounds().unwrap();
    assert!(bounds.upper - bounds.lower < 1e-3);
    for k in [10, 100, 1000] {
        let difference = ranking.precision_at_k(k).unwrap() - exact.precision_at_k(k).unwrap();
        assert!(difference.abs() < 0.05);
    }
}

#[test]
fn a_perfect_score_is_in_the_last_bin() {
    let mut bins = BinnedRanking::new(4).unwrap();
    bins.extend(&[true, false], &[1.0, 0.0], None, None)
        .unwrap();
    let ranking = bins.to_ranking().unwrap();
    assert_eq!(ranking.thresholds(), [0.75, 0.0]);
    assert_eq!(
        ranking.roc_curve(CurvePoints::All).unwrap().thresholds[0],
        f64::INFINITY
    );
}

#[test]
fn refuses_other_bins_and_mixed_amounts() {
    let mut bins = BinnedRanking::new(4).unwrap();
    bins.extend(&[true], &[0.5], None, Some(&[9.0])).unwrap();
    assert_eq!(
        bins.merge(&BinnedRanking::new(8).unwrap()),
        Err(MetricsError::BinsDiffer {
            expected: 4,
            got: 8
        })
    );
    assert_eq!(
        bins.extend(&[true], &[0.5], None, None),
        Err(MetricsError::AmountsMixed)
    );
    let mut without = BinnedRanking::new(4).unwrap();
    without.extend(&[false], &[0.5], None, None).unwrap();
    assert_eq!(without.merge(&bins), Err(MetricsError::AmountsMixed));
    assert_eq!(bins.merge(&without), Err(MetricsError::AmountsMixed));
    // Nothing yet on one side agrees with anything.
    bins.merge(&BinnedRanking::new(4).unwrap()).unwrap();
    let mut empty = BinnedRanking::new(4).unwrap();
    empty.merge(&bins).unwrap();
    assert_eq!(empty, bins);
}
