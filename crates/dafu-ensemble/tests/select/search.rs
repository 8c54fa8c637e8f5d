//! Random search, successive halving, and their table.

use crate::{Data, Skilled};
use dafu_core::NoProgress;
use dafu_ensemble::select::{
    Budget, Experiment, ExperimentTable, HalvingParams, Judge, Metric, Outcome, Point,
    RandomSearchParams, Space, Value, validate,
};
use dafu_ensemble::{BoostedTreesParams, Classifier, EnsembleError, Learner, Samples};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

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
