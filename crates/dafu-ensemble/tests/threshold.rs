//! Thresholds with intervals, and decisions by the amount at stake.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; equality to the bit is meant where it is asked for"
)]

use dafu_core::Probability;
use dafu_core::metrics::{
    Bootstrap, Costs, DailyBudget, MetricsError, Ranking, ResampledUnit, ThresholdGoal, cost,
};
use dafu_core::random::Stream;
use dafu_ensemble::{CostPolicy, EnsembleError, ThresholdRows, ThresholdRule};
use proptest::prelude::*;

/// Rows whose scores are calibrated probabilities, on 40 days, the later of them with more rows.
struct World {
    frauds: Vec<bool>,
    scores: Vec<f64>,
    amounts: Vec<f64>,
    days: Vec<i64>,
}

fn world(rows: usize, seed: u64) -> World {
    let mut stream = Stream::new(seed, 1, 0);
    let scores: Vec<f64> = (0..rows).map(|_| stream.unit().powi(6)).collect();
    World {
        frauds: scores.iter().map(|score| stream.unit() < *score).collect(),
        amounts: (0..rows).map(|_| 1.0 / (0.01 + stream.unit())).collect(),
        days: (0..rows)
            .map(|_| (stream.unit().sqrt() * 40.0).floor())
            .map(whole)
            .collect(),
        scores,
    }
}

fn whole(number: f64) -> i64 {
    (0..40)
        .filter(|day| f64::from(*day) < number)
        .count()
        .try_into()
        .unwrap()
}

impl World {
    fn rows(&self) -> ThresholdRows<'_> {
        let rows = ThresholdRows::new(&self.frauds, &self.scores).unwrap();
        rows.with_amounts(&self.amounts)
            .unwrap()
            .with_days(&self.days)
            .unwrap()
    }
}

fn review() -> Costs {
    let costs = Costs::default().false_positive(4.0).true_positive(4.0);
    costs.false_negative(0.0).missed_amount(1.0)
}

fn few() -> Bootstrap {
    Bootstrap::default().resamples(60)
}

#[test]
fn threshold_on_all_rows_is_that_of_the_ranking() {
    let world = world(3000, 1);
    let ranking =
        Ranking::with_amounts(&world.frauds, &world.scores, None, &world.amounts).unwrap();
    for goal in [
        ThresholdGoal::MinCost(review()),
        ThresholdGoal::MaxFBeta { beta: 1.0 },
        ThresholdGoal::PrecisionFloor { floor: 0.7 },
        ThresholdGoal::RecallFloor { floor: 0.6 },
        ThresholdGoal::AlertBudget { alerts: 100 },
    ] {
        let chosen = world
            .rows()
            .choose(&ThresholdRule::Goal(goal), &few())
            .unwrap();
        let expected = ranking.best_threshold(&goal).unwrap();
        assert_eq!(chosen.threshold.value, expected.threshold);
        let reach = chosen.reach;
        assert_eq!(reach.precision.value, expected.confusion.precision());
        assert_eq!(reach.recall.value, expected.confusion.recall());
        for interval in [
            chosen.threshold,
            reach.precision,
            reach.recall,
            reach.alerts_per_day.unwrap(),
        ] {
            assert!(interval.lower <= interval.value && interval.value <= interval.upper);
            assert!(interval.lower < interval.upper);
        }
        // The order of sums differs.
        let as_expected = |cost: f64| (cost / expected.value - 1.0).abs() < 1e-12;
        match reach.cost {
            Some(cost) => assert!(as_expected(cost.value)),
            None => assert!(!matches!(goal, ThresholdGoal::MinCost(_))),
        }
        assert_eq!((chosen.left_out, reach.left_out), (0, 0));
    }
}

#[test]
fn daily_budgets_hold_on_the_rows_and_need_days() {
    let world = world(3000, 2);
    let mean = ThresholdRule::Daily(DailyBudget::Mean { alerts: 5.0 });
    let most = ThresholdRule::Daily(DailyBudget::Most { alerts: 5.0 });
    let mean = world
        .rows()
        .choose(&mean, &few().unit(ResampledUnit::Days))
        .unwrap();
    let most = world
        .rows()
        .choose(&most, &few().unit(ResampledUnit::Days))
        .unwrap();
    let of_mean = mean.reach.alerts_per_day.unwrap().value;
    assert!(of_mean <= 5.0 && of_mean > 4.9);
    assert!(
        most.reach.most_alerts.unwrap().upper <= 5.0,
        "days that are drawn twice are two days"
    );
    assert!(most.threshold.value > mean.threshold.value);
    let without = ThresholdRows::new(&world.frauds, &world.scores).unwrap();
    let rule = ThresholdRule::Daily(DailyBudget::Mean { alerts: 5.0 });
    let missing = Err(EnsembleError::Metrics(MetricsError::DaysMissing));
    assert_eq!(without.choose(&rule, &few()), missing);
    let by_day = few().unit(ResampledUnit::Days);
    assert_eq!(
        without.judge(0.5, &by_day).map(|_| ()),
        Err(EnsembleError::Metrics(MetricsError::DaysMissing))
    );
}

#[test]
fn recall_interval_is_that_of_the_binomial_distribution() {
    let world = world(10_000, 3);
    let reach = world
        .rows()
        .judge(0.5, &Bootstrap::default().resamples(1000))
        .unwrap();
    let frauds = world.frauds.iter().filter(|fraud| **fraud).count() as f64;
    let recall = reach.recall.value;
    let half = 1.96 * (recall * (1.0 - recall) / frauds).sqrt();
    assert!(
        (reach.recall.upper - recall - half).abs() < 0.15 * half,
        "{reach:?} {half}"
    );
    assert!(
        (recall - reach.recall.lower - half).abs() < 0.15 * half,
        "{reach:?} {half}"
    );
}

#[test]
fn days_that_differ_make_wider_intervals_than_rows_do() {
    // All frauds of a day are found, or none.
    let days: Vec<i64> = (0..2000).map(|row| row / 50).collect();
    let frauds = vec![true; 2000];
    let scores: Vec<f64> = days
        .iter()
        .map(|day| f64::from(u8::from(day % 2 == 0)))
        .collect();
    let rows = ThresholdRows::new(&frauds, &scores)
        .unwrap()
        .with_days(&days)
        .unwrap();
    let width = |unit: ResampledUnit| {
        let recall = rows
            .judge(0.5, &Bootstrap::default().resamples(400).unit(unit))
            .unwrap()
            .recall;
        recall.upper - recall.lower
    };
    // 50 rows a day count as one: the root of 50.
    let ratio = width(ResampledUnit::Days) / width(ResampledUnit::Rows);
    assert!((ratio / 50.0_f64.sqrt() - 1.0).abs() < 0.2, "{ratio}");
}

#[test]
fn floors_that_are_not_reached_are_counted_or_an_error() {
    // Only the first row makes an alert list without errors, and about a third of the resamples are without it.
    let frauds: Vec<bool> = (0..60).map(|row| row % 4 == 0).collect();
    let mut scores: Vec<f64> = (0..60).map(|row| f64::from(row * 7 % 19)).collect();
    scores[0] = 100.0;
    let rule = ThresholdRule::Goal(ThresholdGoal::PrecisionFloor { floor: 1.0 });
    let rows = ThresholdRows::new(&frauds, &scores).unwrap();
    let chosen = rows.choose(&rule, &few()).unwrap();
    assert_eq!(chosen.threshold.value, 100.0);
    assert!((10..30).contains(&chosen.left_out), "{chosen:?}");
    scores[0] = 0.0;
    let none = ThresholdRows::new(&frauds, &scores)
        .unwrap()
        .choose(&rule, &few());
    assert!(matches!(
        none,
        Err(EnsembleError::Metrics(MetricsError::FloorNotReached { .. }))
    ));
}

#[test]
fn bits_do_not_depend_on_threads_but_on_the_seed() {
    let world = world(500, 4);
    let rule = ThresholdRule::Goal(ThresholdGoal::MinCost(review()));
    let on = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| world.rows().choose(&rule, &few().seed(seed)).unwrap())
    };
    assert_eq!(on(1, 7), on(4, 7));
    assert_ne!(on(1, 7), on(1, 8));
}

#[test]
fn weights_count_as_rows_on_all_rows() {
    let world = world(400, 5);
    let weights: Vec<f64> = (0..400).map(|row| f64::from(row % 3)).collect();
    let repeated: Vec<usize> = (0..400)
        .flat_map(|row| std::iter::repeat_n(row, row % 3))
        .collect();
    let frauds: Vec<bool> = repeated.iter().map(|row| world.frauds[*row]).collect();
    let scores: Vec<f64> = repeated.iter().map(|row| world.scores[*row]).collect();
    let days: Vec<i64> = repeated.iter().map(|row| world.days[*row]).collect();
    let rule = ThresholdRule::Daily(DailyBudget::Mean { alerts: 1.5 });
    let one = world
        .rows()
        .with_weights(&weights)
        .unwrap()
        .choose(&rule, &few())
        .unwrap();
    let other = ThresholdRows::new(&frauds, &scores)
        .unwrap()
        .with_days(&days)
        .unwrap();
    let other = other.choose(&rule, &few()).unwrap();
    assert_eq!(one.threshold.value, other.threshold.value);
    assert_eq!(one.reach.recall.value, other.reach.recall.value);
    assert_eq!(
        one.reach.alerts_per_day.unwrap().value,
        other.reach.alerts_per_day.unwrap().value
    );
}

#[test]
fn decisions_by_amount_cost_less_than_the_best_threshold() {
    let world = world(8000, 6);
    let policy = CostPolicy::new(review()).unwrap();
    let probabilities: Vec<Probability> = world
        .scores
        .iter()
        .map(|p| Probability::new(*p).unwrap())
        .collect();
    let alerts = policy.decide(&probabilities, &world.amounts).unwrap();
    let rows = world.rows().with_costs(review());
    let by_amount = rows.judge_alerts(&alerts, &few()).unwrap().cost.unwrap();
    let rule = ThresholdRule::Goal(ThresholdGoal::MinCost(review()));
    let by_score = rows.choose(&rule, &few()).unwrap().reach.cost.unwrap();
    assert!(
        by_amount.upper < by_score.lower,
        "{by_amount:?} {by_score:?}"
    );
    let expected = cost(
        &world.frauds,
        &alerts,
        None,
        Some(&world.amounts),
        &review(),
    )
    .unwrap();
    assert_eq!(by_amount.value, expected.total);
}

proptest! {
    #[test]
    fn no_other_decisions_are_expected_to_cost_less(
        rows in prop::collection::vec((0.0..=1.0_f64, -20.0..200.0_f64), 1..7),
        costs in prop::array::uniform5(-5.0..20.0_f64),
    ) {
        let [tp, fp, tn, fraud, share] = costs;
        let costs = Costs::default().true_positive(tp).false_positive(fp).true_negative(tn).false_negative(fraud).missed_amount(share);
        let policy = CostPolicy::new(costs).unwrap();
        let probabilities: Vec<Probability> = rows.iter().map(|row| Probability::new(row.0).unwrap()).collect();
        let amounts: Vec<f64> = rows.iter().map(|row| row.1).collect();
        let decided = policy.decide(&probabilities, &amounts).unwrap();
        // The expectation over both labels of each row, by what decisions cost.
        let expected = |decisions: &[bool]| -> f64 {
            let rows = rows.iter().zip(decisions);
            rows.map(|((p, amount), alert)| {
                let of = |label: bool| cost(&[label], &[*alert], None, Some(&[*amount]), &costs).unwrap().total;
                p * of(true) + (1.0 - p) * of(false)
            }).sum()
        };
        let best = (0..1_u32 << rows.len()).map(|set| {
            let decisions: Vec<bool> = (0..rows.len()).map(|row| set >> row & 1 == 1).collect();
            expected(&decisions)
        }).fold(f64::INFINITY, f64::min);
        prop_assert!(expected(&decided) <= best + 1e-9);
        for ((probability, amount), alert) in rows.iter().zip(&decided) {
            if let Some(threshold) = policy.threshold(*amount) {
                prop_assert!(*alert == (*probability > threshold) || (probability - threshold).abs() < 1e-12);
            }
        }
    }
}

#[test]
fn bad_input_is_named() {
    let (frauds, scores) = ([true, false], [0.2, 0.1]);
    let length = |what, got| EnsembleError::Length {
        what,
        expected: 2,
        got,
    };
    let rows = ThresholdRows::new(&frauds, &scores).unwrap();
    assert_eq!(
        ThresholdRows::new(&frauds, &scores[..1]).unwrap_err(),
        length("scores", 1)
    );
    assert_eq!(rows.with_amounts(&[1.0]).unwrap_err(), length("amounts", 1));
    assert_eq!(
        rows.with_weights(&[1.0; 3]).unwrap_err(),
        length("weights", 3)
    );
    assert_eq!(rows.with_days(&[]).unwrap_err(), length("days", 0));
    assert_eq!(
        rows.judge_alerts(&[true], &few()).unwrap_err(),
        length("alerts", 1)
    );
    assert!(rows.judge(f64::NAN, &few()).is_err());
    assert!(rows.judge(0.1, &few().resamples(0)).is_err());
    assert!(
        ThresholdRows::new(&frauds, &[0.1, f64::NAN])
            .unwrap()
            .judge(0.1, &few())
            .is_err()
    );
    assert!(
        rows.with_costs(review()).judge(0.1, &few()).is_err(),
        "amounts are missing"
    );
    let honest = ThresholdRows::new(&[false, false], &scores)
        .unwrap()
        .judge(0.1, &few());
    assert!(matches!(
        honest,
        Err(EnsembleError::Metrics(MetricsError::SingleClass { .. }))
    ));
    assert!(
        ThresholdRows::new(&[], &[])
            .unwrap()
            .judge(0.1, &few())
            .is_err()
    );
    assert!(CostPolicy::new(review().false_positive(f64::NAN)).is_err());
    let policy = CostPolicy::new(review()).unwrap();
    let half = Probability::new(0.5).unwrap();
    assert_eq!(policy.decide(&[half; 2], &[1.0]), Err(length("amounts", 1)));
    assert!(policy.decide(&[half], &[f64::INFINITY]).is_err());
    assert!(!policy.alerts(half, 8.0), "both cost 4");
    assert!(policy.alerts(half, 8.1));
    assert_eq!(policy.threshold(3.0), None, "never");
}

#[cfg(feature = "serde")]
#[test]
fn rules_and_chosen_thresholds_are_kept() {
    let world = world(300, 8);
    let rule = ThresholdRule::Daily(DailyBudget::Most { alerts: 0.0 });
    let chosen = world.rows().choose(&rule, &few()).unwrap();
    assert_eq!(chosen.threshold.value, f64::INFINITY);
    let text = serde_json::to_string(&(rule, chosen)).unwrap();
    let read: (ThresholdRule, dafu_ensemble::ChosenThreshold) =
        serde_json::from_str(&text).unwrap();
    assert_eq!(read, (rule, chosen));
}
