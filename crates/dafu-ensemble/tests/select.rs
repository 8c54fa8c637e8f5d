//! Folds against brute force and scikit-learn, and searches against what they must find.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; the same bits are asked for"
)]

use dafu_core::NoProgress;
use dafu_core::metrics::{
    CardPrecisionParams, MetricsError, Ranking, card_precision_at_k, log_loss,
};
use dafu_ensemble::select::{
    Budget, Experiment, ExperimentTable, Fold, HalvingParams, Judge, MICROS_PER_DAY, Metric,
    Outcome, Point, RandomSearchParams, Space, TimeFolds, TrainingSpan, Value, validate,
};
use dafu_ensemble::{BoostedTreesParams, Classifier, EnsembleError, Learner, Samples};
use ndarray::{Array2, ArrayView2};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Knows the answer by so much: the first column is told apart from the second by `skill`.
#[derive(Debug)]
struct Skilled {
    skill: f64,
}

impl Learner for Skilled {
    fn learn(&self, _: &Samples<'_>) -> Result<Box<dyn Classifier>, EnsembleError> {
        Ok(Box::new(Self { skill: self.skill }))
    }
}

impl Classifier for Skilled {
    fn width(&self) -> usize {
        2
    }

    fn log_odds_rows(
        &self,
        rows: ArrayView2<'_, f64>,
        out: &mut [f64],
    ) -> Result<(), EnsembleError> {
        for (row, out) in rows.rows().into_iter().zip(out) {
            *out = self.skill * row[0] + (1.0 - self.skill) * row[1];
        }
        Ok(())
    }
}

struct Data {
    rows: Array2<f64>,
    frauds: Vec<bool>,
    days: Vec<i64>,
}

impl Data {
    /// 40 days of 20 rows, the first column the label, the second noise.
    fn new() -> Self {
        let noise = |row: usize| (row * 7919 % 1009) as f64 / 1009.0;
        let frauds: Vec<bool> = (0..800).map(|row| row * 31 % 9 == 0).collect();
        let label = |row: usize| f64::from(u8::from(frauds[row]));
        Self {
            rows: Array2::from_shape_fn((800, 2), |(row, column)| [label(row), noise(row)][column]),
            days: (0..800).map(|row| row / 20).collect(),
            frauds,
        }
    }

    fn samples(&self) -> Samples<'_> {
        Samples::new(self.rows.view(), &self.frauds).unwrap()
    }

    fn folds(&self) -> Vec<Fold> {
        TimeFolds::default().folds(3).split(&self.days).unwrap()
    }
}

fn any_folds() -> impl Strategy<Value = TimeFolds> {
    (
        1_i64..12,
        0_i64..6,
        1_i64..9,
        1_usize..4,
        1_i64..9,
        (any::<bool>(), proptest::option::of(20_i64..50)),
    )
        .prop_map(|(train, delay, test, folds, step, (all, end))| {
            let span = if all {
                TrainingSpan::AllEarlier
            } else {
                TrainingSpan::Sliding
            };
            let params = TimeFolds::default().train(train).delay(delay).test(test);
            params.folds(folds).step(step).span(span).end(end)
        })
}

/// Rows with a time that passes, in order of time and then of row.
fn rows_where(times: &[i64], kept: impl Fn(i64) -> bool) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..times.len()).filter(|row| kept(times[*row])).collect();
    rows.sort_by_key(|row| (times[*row], *row));
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn folds_are_those_of_their_definition(
        params in any_folds(),
        times in proptest::collection::vec(0_i64..50, 1..80),
    ) {
        let end = params.end.unwrap_or(times.iter().max().unwrap() + 1);
        let mut expected: Vec<Fold> = (0_i64..).take(params.folds).map(|later| {
            let shift = params.step * later;
            let (test, after) = (end - shift - params.test, end - shift);
            let known = test - params.delay;
            let first = match params.span {
                TrainingSpan::Sliding => known - params.train,
                TrainingSpan::AllEarlier => i64::MIN,
            };
            Fold {
                train: rows_where(&times, |time| time >= first && time < known),
                test: rows_where(&times, |time| time >= test && time < after),
            }
        }).collect();
        expected.reverse();
        match params.split(&times) {
            Ok(folds) => prop_assert_eq!(folds, expected),
            Err(EnsembleError::EmptyFold { fold, what }) => {
                let rows = &expected[fold];
                let rows = if what == "learn from" { &rows.train } else { &rows.test };
                prop_assert!(rows.is_empty());
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn no_label_of_training_is_later_than_known_and_folds_shift_exactly(
        params in any_folds(),
        times in proptest::collection::vec(0_i64..50, 40..120),
    ) {
        let spans = params.times(&times).unwrap();
        for pair in spans.windows(2) {
            prop_assert_eq!(pair[1].test.start - pair[0].test.start, params.step);
            prop_assert_eq!(pair[1].test.end - pair[0].test.end, params.step);
            prop_assert_eq!(pair[1].train.end - pair[0].train.end, params.step);
        }
        let Ok(folds) = params.split(&times) else {
            return Ok(());
        };
        for (fold, spans) in folds.iter().zip(spans) {
            let latest = fold.train.iter().map(|row| times[*row]).max().unwrap();
            for row in &fold.test {
                prop_assert!(times[*row] >= spans.train.end + params.delay);
                prop_assert!(times[*row] > latest + params.delay);
                prop_assert!(!fold.train.contains(row));
            }
        }
    }

    #[test]
    fn customers_leave_the_test_as_in_the_handbook(
        params in any_folds(),
        rows in proptest::collection::vec((0_i64..50, 0_u32..8, any::<bool>()), 40..120),
    ) {
        let times: Vec<i64> = rows.iter().map(|row| row.0).collect();
        let groups: Vec<u32> = rows.iter().map(|row| row.1).collect();
        let frauds: Vec<bool> = rows.iter().map(|row| row.2).collect();
        let Ok(folds) = params.split_without_known(&times, &groups, &frauds) else {
            return Ok(());
        };
        for (fold, spans) in folds.iter().zip(params.times(&times).unwrap()) {
            // The Handbook's loop: day by day the customers of one more day are known.
            let frauds_on = |from: i64, to: i64| -> BTreeSet<u32> {
                let on = rows.iter().filter(|row| row.2 && row.0 >= from && row.0 < to);
                on.map(|row| row.1).collect()
            };
            let mut known = frauds_on(spans.train.start, spans.train.end);
            let mut expected = Vec::new();
            for day in spans.test.clone() {
                let more = spans.train.end + (day - spans.test.start) - 1;
                known.extend(frauds_on(more, more + 1));
                expected.extend((0..rows.len()).filter(|row| {
                    times[*row] == day && !known.contains(&groups[*row])
                }));
            }
            prop_assert_eq!(&fold.test, &expected);
        }
    }

    #[test]
    fn microseconds_give_the_folds_of_days(
        params in any_folds(),
        times in proptest::collection::vec((0_i64..50, 0..MICROS_PER_DAY), 40..80),
    ) {
        let days: Vec<i64> = times.iter().map(|time| time.0).collect();
        let micros: Vec<i64> = times.iter().map(|time| time.0 * MICROS_PER_DAY + time.1).collect();
        let end = params.end.unwrap_or(days.iter().max().unwrap() + 1);
        let of_days = params.end(Some(end)).split(&days);
        let of_micros = params.in_units_of(MICROS_PER_DAY).end(Some(end * MICROS_PER_DAY));
        let sorted = |folds: Result<Vec<Fold>, EnsembleError>| folds.ok().map(|mut folds| {
            for fold in &mut folds {
                fold.train.sort_unstable();
                fold.test.sort_unstable();
            }
            folds
        });
        prop_assert_eq!(sorted(of_days), sorted(of_micros.split(&micros)));
    }

    #[test]
    fn points_lie_in_their_space(seed in any::<u64>(), number in any::<u64>(), low in -50_i64..50, wide in 0_i64..9) {
        let space = Space::default()
            .uniform("uniform", low as f64, (low + wide) as f64)
            .log_uniform("log_uniform", 1e-3, 1e3)
            .integers("integers", low, low + wide)
            .log_integers("log_integers", 1, 1 + wide)
            .choice("choice", ["a", "b"]);
        let point = space.draw(seed, number).unwrap();
        prop_assert!((low as f64..=(low + wide) as f64).contains(&point.number("uniform").unwrap()));
        prop_assert!((1e-3..=1e3).contains(&point.number("log_uniform").unwrap()));
        prop_assert!((low..=low + wide).contains(&point.integer("integers").unwrap()));
        prop_assert!((1..=1 + wide).contains(&point.integer("log_integers").unwrap()));
        prop_assert!(["a", "b"].contains(&point.name("choice").unwrap()));
        prop_assert_eq!(&point, &space.draw(seed, number).unwrap());
    }
}

#[test]
fn folds_of_all_earlier_rows_are_those_of_scikit_learn() {
    let fixture: serde_json::Value =
        serde_json::from_str(include_str!("fixtures/combine.json")).unwrap();
    let rows_of = |value: &serde_json::Value| -> Vec<usize> {
        serde_json::from_value(value.clone()).unwrap()
    };
    for split in fixture["splits"].as_array().unwrap() {
        let number = |name: &str| split[name].as_i64().unwrap();
        let expected = split["folds"].as_array().unwrap();
        let times: Vec<i64> = (0..number("rows")).collect();
        let params = TimeFolds::default()
            .folds(expected.len())
            .test(number("test"))
            .step(number("test"))
            .delay(number("gap"))
            .span(TrainingSpan::AllEarlier);
        let folds = params.split(&times).unwrap();
        for (fold, expected) in folds.iter().zip(expected) {
            assert_eq!(fold.train, rows_of(&expected["train"]));
            assert_eq!(fold.test, rows_of(&expected["test"]));
        }
    }
}

#[test]
fn times_at_the_limits_do_not_overflow() {
    let times = [i64::MIN, 0, i64::MAX];
    let folds = TimeFolds::default().folds(1).train(1).delay(0).test(1);
    assert!(matches!(
        folds.end(Some(i64::MIN)).split(&times),
        Err(EnsembleError::EmptyFold { fold: 0, .. })
    ));
    let all = folds.span(TrainingSpan::AllEarlier).end(Some(1));
    let fold = &all.split(&times).unwrap()[0];
    assert_eq!((&fold.train[..], &fold.test[..]), (&[0][..], &[1][..]));
    assert!(
        folds
            .split_without_known(&times, &[1, 1, 1], &[true; 3])
            .is_err()
    );
}

#[test]
fn lengths_out_of_range_are_refused() {
    let folds = TimeFolds::default();
    for bad in [
        folds.train(0),
        folds.delay(-1),
        folds.test(0),
        folds.step(0),
        folds.folds(0),
        folds.folds(1_001),
        folds.train(i64::MAX),
    ] {
        assert!(bad.split(&[1, 2, 3]).is_err(), "{bad:?}");
    }
    assert_eq!(folds.split(&[]), Err(EnsembleError::NoRows));
    let short = folds.split_without_known(&[1, 2], &[1], &[true, false]);
    assert!(matches!(
        short,
        Err(EnsembleError::Length { what: "groups", .. })
    ));
}

#[test]
fn validation_gives_the_metrics_of_the_test_rows() {
    let data = Data::new();
    let customers: Vec<u32> = (0..800).map(|row| row * 13 % 57).collect();
    let cards = CardPrecisionParams::default().k(3);
    let metrics = [
        Metric::roc_auc(),
        Metric::average_precision(),
        Metric::log_loss(),
        Metric::card_precision(&data.days, &customers, cards),
        Metric::function("first row", true, |judged| Ok(judged.rows[0] as f64)),
    ];
    let learner = Skilled { skill: 0.3 };
    let validation = validate(&learner, &data.samples(), &data.folds(), &metrics).unwrap();
    assert_eq!(validation.folds.len(), 3);
    for (fold, judged) in data.folds().iter().zip(&validation.folds) {
        let pick = |row: &usize| 0.3 * data.rows[(*row, 0)] + 0.7 * data.rows[(*row, 1)];
        let odds: Vec<f64> = fold.test.iter().map(pick).collect();
        let frauds: Vec<bool> = fold.test.iter().map(|row| data.frauds[*row]).collect();
        let days: Vec<i64> = fold.test.iter().map(|row| data.days[*row]).collect();
        let users: Vec<u32> = fold.test.iter().map(|row| customers[*row]).collect();
        let ranking = Ranking::new(&frauds, &odds, None).unwrap();
        let cards = card_precision_at_k(&days, &users, &frauds, &odds, &cards).unwrap();
        assert_eq!(judged.rows, fold.test);
        assert_eq!(judged.log_odds, odds);
        assert_eq!(judged.scores[0], Some(ranking.roc_auc().unwrap()));
        assert_eq!(judged.scores[1], Some(ranking.average_precision().unwrap()));
        assert_eq!(judged.scores[3], Some(cards.mean));
        assert_eq!(judged.scores[4], Some(fold.test[0] as f64));
        let chances: Vec<f64> = odds
            .iter()
            .map(|odds| 1.0 / (1.0 + (-odds).exp()))
            .collect();
        let loss = log_loss(&frauds, &chances, None).unwrap();
        assert!((judged.scores[2].unwrap() - loss).abs() < 1e-12);
    }
    let first = validation.summary(4).unwrap();
    // Test weeks begin on days 19, 26 and 33.
    assert_eq!(first.mean, 520.0);
    assert_eq!(first.sd, Some(140.0));
    assert_eq!(validation.mean("first row"), Some(520.0));
    assert_eq!(validation.mean("none of them"), None);
}

#[test]
fn folds_of_one_class_are_skipped_and_counted() {
    let mut data = Data::new();
    // The first fold learns from days 5 to 11, the last one is judged on days 33 to 39.
    for (fraud, day) in data.frauds.iter_mut().zip(&data.days) {
        if *day < 12 || *day >= 33 {
            *fraud = false;
        }
    }
    let trees = BoostedTreesParams::default().n_estimators(2);
    let metrics = [Metric::roc_auc(), Metric::log_loss()];
    let validation = validate(&trees, &data.samples(), &data.folds(), &metrics).unwrap();
    assert_eq!(validation.skipped.len(), 1);
    assert_eq!(validation.skipped[0].fold, 0);
    let auc = validation.summary(0).unwrap();
    assert_eq!((auc.folds[0], auc.folds[2], auc.sd), (None, None, None));
    assert!(auc.folds[1].is_some());
    // Log loss needs no second class.
    assert!(validation.summary(1).unwrap().folds[2].is_some());

    data.frauds.fill(false);
    let none = validate(&trees, &data.samples(), &data.folds(), &metrics);
    assert_eq!(none, Err(EnsembleError::NoFold { skipped: 3 }));
}

#[test]
fn folds_of_other_rows_are_refused() {
    let data = Data::new();
    let fold = Fold {
        train: vec![1, 2],
        test: vec![800],
    };
    let wrong = validate(&Skilled { skill: 1.0 }, &data.samples(), &[fold], &[]);
    assert!(matches!(
        wrong,
        Err(EnsembleError::FoldRow {
            fold: 0,
            row: 800,
            rows: 800
        })
    ));
    let fold = Fold {
        train: vec![1, 2],
        test: vec![3, 2],
    };
    let leak = validate(&Skilled { skill: 1.0 }, &data.samples(), &[fold], &[]);
    assert_eq!(leak, Err(EnsembleError::FoldRowTwice { fold: 0, row: 2 }));
    assert!(validate(&Skilled { skill: 1.0 }, &data.samples(), &[], &[]).is_err());
}

fn skilled(point: &Point) -> Result<Box<dyn Learner>, EnsembleError> {
    Ok(Box::new(Skilled {
        skill: point.number("skill")?,
    }))
}

fn names() -> Space {
    Space::default().uniform("skill", 0.0, 1.0)
}

#[test]
fn random_search_finds_the_most_skilled() {
    let data = Data::new();
    let (folds, metrics) = (data.folds(), [Metric::average_precision()]);
    let judge = Judge::new(data.samples(), &folds, &metrics).unwrap();
    let reports = Mutex::new(Vec::new());
    let progress =
        |_: &str, done: u64, total: Option<u64>| reports.lock().unwrap().push((done, total));
    let search = RandomSearchParams::default().candidates(12).seed(3);
    let table = search
        .run(&names(), &judge, &progress, &|point, share| {
            assert_eq!(share, 1.0);
            skilled(point)
        })
        .unwrap();
    let means: Vec<f64> = table
        .experiments
        .iter()
        .map(|one| one.summary(0).unwrap().mean)
        .collect();
    assert!(means.is_sorted_by(|one, two| one >= two));
    assert!(means[0] > means[11]);
    let best = table.best().unwrap();
    let validation = validate(
        &*skilled(&best.point).unwrap(),
        &data.samples(),
        &folds,
        &metrics,
    );
    assert_eq!(best.summary(0), validation.unwrap().summary(0).as_ref());
    let drawn: BTreeSet<usize> = table.experiments.iter().map(|one| one.candidate).collect();
    assert_eq!(drawn, (0..12).collect());
    assert_eq!(best.point, names().draw(3, best.candidate as u64).unwrap());
    let reports = reports.into_inner().unwrap();
    assert_eq!(reports.last(), Some(&(12, Some(12))));
    assert!(reports.is_sorted());
}

#[test]
fn lower_losses_come_first() {
    let data = Data::new();
    let (folds, metrics) = (data.folds(), [Metric::log_loss()]);
    let judge = Judge::new(data.samples(), &folds, &metrics).unwrap();
    let search = RandomSearchParams::default().candidates(8);
    let table = search
        .run(&names(), &judge, &NoProgress, &|point, _| skilled(point))
        .unwrap();
    let means: Vec<f64> = table
        .experiments
        .iter()
        .map(|one| one.summary(0).unwrap().mean)
        .collect();
    assert!(means.is_sorted() && means[0] < means[7]);
}

#[test]
fn halving_keeps_the_best_of_each_rung() {
    let data = Data::new();
    let (folds, metrics) = (data.folds(), [Metric::average_precision()]);
    let judge = Judge::new(data.samples(), &folds, &metrics).unwrap();
    let halving = HalvingParams::default()
        .candidates(13)
        .eta(2)
        .rungs(3)
        .seed(9);
    let shares = Mutex::new(Vec::new());
    let table = halving
        .budget(Budget::Learner)
        .run(&names(), &judge, &NoProgress, &|point, share| {
            shares.lock().unwrap().push(share);
            skilled(point)
        })
        .unwrap();
    let mut shares = shares.into_inner().unwrap();
    shares.sort_by(f64::total_cmp);
    let mut expected = vec![0.25; 13];
    expected.extend([0.5; 6]);
    expected.extend([1.0; 3]);
    assert_eq!(shares, expected);
    assert_eq!(table.experiments.len(), 22);

    // Skill does not depend on the share: those on each rung are the best of a random search over the same points.
    let search = RandomSearchParams::default().candidates(13).seed(9);
    let all = search
        .run(&names(), &judge, &NoProgress, &|point, _| skilled(point))
        .unwrap();
    let order: Vec<usize> = all.experiments.iter().map(|one| one.candidate).collect();
    let on = |share: f64| -> Vec<usize> {
        let rung = table.experiments.iter().filter(|one| one.share == share);
        rung.map(|one| one.candidate).collect()
    };
    assert_eq!(on(1.0), order[..3]);
    assert_eq!(on(0.5), order[..6]);
    assert_eq!(on(0.25), order);
    assert_eq!(table.best().map(|one| one.candidate), Some(order[0]));
}

/// Notes which rows it was given.
#[derive(Debug)]
struct Noting<'a>(&'a Mutex<Vec<(usize, f64)>>);

impl Learner for Noting<'_> {
    fn learn(&self, samples: &Samples<'_>) -> Result<Box<dyn Classifier>, EnsembleError> {
        let rows = samples.rows();
        self.0.lock().unwrap().push((rows.nrows(), rows[(0, 1)]));
        Ok(Box::new(Skilled { skill: 1.0 }))
    }
}

#[test]
fn a_share_of_the_rows_is_the_latest_of_them() {
    let data = Data::new();
    let folds = &data.folds()[..1];
    let metrics = [Metric::roc_auc()];
    let judge = Judge::new(data.samples(), folds, &metrics).unwrap();
    let halving = HalvingParams::default().candidates(1).eta(4).rungs(2);
    let seen: &'static Mutex<Vec<(usize, f64)>> = Box::leak(Box::default());
    halving
        .run(&names(), &judge, &NoProgress, &|_, share| {
            assert_eq!(share, 1.0);
            Ok(Box::new(Noting(seen)))
        })
        .unwrap();
    // Training is days 5 to 11, rows 100 to 239; a quarter of them are the last 35.
    let first = |row: usize| data.rows[(row, 1)];
    assert_eq!(*seen.lock().unwrap(), [(35, first(205)), (140, first(100))]);
}

#[test]
fn a_candidate_that_fails_stays_in_the_table_with_its_causes() {
    let data = Data::new();
    let (folds, metrics) = (data.folds(), [Metric::roc_auc()]);
    let judge = Judge::new(data.samples(), &folds, &metrics).unwrap();
    let build = |point: &Point, _: f64| -> Result<Box<dyn Learner>, EnsembleError> {
        match point.name("kind")? {
            "good" => Ok(Box::new(Skilled { skill: 0.5 })),
            "unknown" => skilled(point),
            _ => Ok(Box::new(BoostedTreesParams::default().learning_rate(-1.0))),
        }
    };
    let space = Space::default().choice("kind", ["good", "unknown", "refused"]);
    let halving = HalvingParams::default()
        .candidates(20)
        .eta(2)
        .rungs(2)
        .seed(1);
    let table = halving.run(&space, &judge, &NoProgress, &build).unwrap();
    let failed = |one: &&Experiment| matches!(one.outcome, Outcome::Failed(_));
    let first: Vec<&Experiment> = table
        .experiments
        .iter()
        .filter(|one| one.share < 1.0)
        .collect();
    let failures: Vec<&&Experiment> = first.iter().filter(|one| failed(one)).collect();
    assert_eq!(first.len(), 20);
    assert!(failures.len() > 5 && failures.len() < 18);
    // Failures come last, and none goes on.
    assert!(first.iter().map(failed).is_sorted());
    assert!(
        table
            .experiments
            .iter()
            .filter(|one| one.share == 1.0)
            .all(|one| !failed(&one))
    );
    let text = table.to_string();
    assert!(text.contains("the point has no number named \"skill\""));
    assert!(text.contains("`learning_rate` must be above 0 and at most 1, got -1"));

    let nothing = Space::default().choice("kind", ["refused"]);
    let table = halving.run(&nothing, &judge, &NoProgress, &build).unwrap();
    assert!(table.best().is_none());
}

#[test]
fn a_metric_that_is_not_finite_is_a_failure() {
    let data = Data::new();
    let folds = data.folds();
    let nan = [Metric::function("nan", true, |_| Ok(f64::NAN))];
    let refused = [Metric::function("empty", true, |_| {
        Err(MetricsError::Empty)
    })];
    let learner = Skilled { skill: 1.0 };
    let error = validate(&learner, &data.samples(), &folds, &nan);
    assert!(matches!(error, Err(EnsembleError::MetricNotFinite { .. })));
    let error = validate(&learner, &data.samples(), &folds, &refused);
    assert!(matches!(error, Err(EnsembleError::Metric { .. })));
    let short = [Metric::card_precision(
        &[1, 2],
        &[1, 2],
        CardPrecisionParams::default(),
    )];
    let error = validate(&learner, &data.samples(), &folds, &short);
    assert!(matches!(error, Err(EnsembleError::Metric { .. })));
}

#[test]
fn a_search_can_be_stopped() {
    let data = Data::new();
    let (folds, metrics) = (data.folds(), [Metric::roc_auc()]);
    let stop = AtomicBool::new(false);
    let judge = Judge::new(data.samples(), &folds, &metrics)
        .unwrap()
        .stop(&stop);
    let progress = |_: &str, done: u64, _: Option<u64>| {
        if done >= 5 {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let search = RandomSearchParams::default().candidates(200);
    let table = search
        .run(&names(), &judge, &progress, &|point, _| skilled(point))
        .unwrap();
    assert!(table.stopped);
    assert!(table.experiments.len() >= 5 && table.experiments.len() < 200);
    assert!(table.best().is_some());
    stop.store(false, Ordering::Relaxed);
    let halving = HalvingParams::default().candidates(200);
    let table = halving
        .run(&names(), &judge, &progress, &|point, _| skilled(point))
        .unwrap();
    assert!(table.stopped && table.best().is_none());
    assert!(
        table
            .to_string()
            .ends_with("stopped before all candidates were judged\n")
    );
}

#[test]
fn threads_do_not_change_a_search() {
    let data = Data::new();
    let (folds, metrics) = (
        data.folds(),
        [Metric::average_precision(), Metric::log_loss()],
    );
    let judge = Judge::new(data.samples(), &folds, &metrics).unwrap();
    let space = Space::default()
        .log_uniform("learning_rate", 0.01, 1.0)
        .integers("max_leaves", 2, 8);
    let build = |point: &Point, share: f64| -> Result<Box<dyn Learner>, EnsembleError> {
        let trees = BoostedTreesParams::default().n_estimators(if share < 1.0 { 2 } else { 4 });
        let trees = trees.learning_rate(point.number("learning_rate")?);
        Ok(Box::new(trees.max_leaves(point.count("max_leaves")?)))
    };
    let run = |threads: usize| -> ExperimentTable {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let halving = HalvingParams::default()
            .candidates(9)
            .rungs(2)
            .budget(Budget::Learner);
        pool.install(|| halving.run(&space, &judge, &NoProgress, &build))
            .unwrap()
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(7));
    assert_eq!(one.experiments.len(), 12);
}

#[test]
fn seconds_are_those_of_the_clock_and_only_of_it() {
    let data = Data::new();
    let (folds, metrics) = (data.folds(), [Metric::roc_auc()]);
    let ticks = Mutex::new(0.0);
    let clock = || {
        let mut now = ticks.lock().unwrap();
        *now += 1.0;
        *now
    };
    let judge = Judge::new(data.samples(), &folds, &metrics).unwrap();
    let search = RandomSearchParams::default().candidates(2);
    let run = |judge: &Judge<'_>| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        let found =
            pool.install(|| search.run(&names(), judge, &NoProgress, &|point, _| skilled(point)));
        found
            .unwrap()
            .experiments
            .iter()
            .map(|one| one.seconds)
            .collect::<Vec<_>>()
    };
    assert_eq!(run(&judge.clock(&clock)), [Some(3.0), Some(3.0)]);
    assert_eq!(run(&judge), [None, None]);
}

#[test]
fn spaces_that_cannot_be_drawn_from_are_refused() {
    let space = Space::default;
    for bad in [
        space(),
        space().uniform("a", 1.0, 0.0),
        space().uniform("a", 0.0, f64::INFINITY),
        space().uniform("a", f64::MIN, f64::MAX),
        space().uniform("a", f64::NAN, 1.0),
        space().log_uniform("a", 0.0, 1.0),
        space().integers("a", 2, 1),
        space().log_integers("a", 0, 1),
        space().choice::<&str>("a", []),
        space().integers("a", 0, 1).integers("a", 0, 1),
    ] {
        assert!(bad.draw(0, 0).is_err(), "{bad:?}");
    }
    let all = space()
        .integers("a", i64::MIN, i64::MAX)
        .log_integers("b", 1, i64::MAX);
    assert!(all.draw(1, 1).is_ok());
    let drawn: BTreeSet<i64> = (0..200)
        .map(|number| {
            space()
                .log_integers("a", 1, 3)
                .draw(0, number)
                .unwrap()
                .integer("a")
                .unwrap()
        })
        .collect();
    assert_eq!(drawn, BTreeSet::from([1, 2, 3]));
}

#[test]
fn a_table_is_written_for_people_and_for_programs() {
    let experiment = |candidate, outcome| Experiment {
        candidate,
        share: 1.0,
        point: [
            ("rate".to_owned(), Value::Number(0.125)),
            ("a \"name\"".to_owned(), Value::Name("x, y".to_owned())),
        ]
        .into_iter()
        .collect(),
        outcome,
        seconds: None,
    };
    let summary = dafu_ensemble::select::Summary {
        folds: vec![Some(0.5), None, Some(1.0)],
        mean: 0.75,
        sd: Some(0.25),
    };
    let table = ExperimentTable {
        metrics: vec![dafu_ensemble::select::MetricName {
            name: "auc".to_owned(),
            higher_is_better: true,
        }],
        experiments: vec![
            experiment(1, Outcome::Judged(vec![Some(summary)])),
            experiment(0, Outcome::Failed("no\nluck".to_owned())),
        ],
        stopped: false,
    };
    assert_eq!(
        table.to_csv(),
        "candidate,share,rate,\"a \"\"name\"\"\",auc_mean,auc_sd,auc_fold_0,auc_fold_1,auc_fold_2,seconds,error\r\n\
         1,1,0.125,\"x, y\",0.75,0.25,0.5,,1,,\r\n\
         0,1,0.125,\"x, y\",,,,,,,\"no\nluck\"\r\n"
    );
    assert_eq!(
        table.to_string(),
        "candidate  share  rate       a \"name\"  auc\n\
         1          1.000  1.2500e-1  x, y      0.7500 (0.2500)\n\
         0          1.000  1.2500e-1  x, y      no luck\n"
    );
    #[cfg(feature = "serde")]
    {
        let text = serde_json::to_string(&table).unwrap();
        assert_eq!(
            serde_json::from_str::<ExperimentTable>(&text).unwrap(),
            table
        );
    }
}
