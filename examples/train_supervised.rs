//! Four learners on labelled payments: split in time, judged on days whose labels nobody had yet, the best one saved.
//!
//! Run: `cargo run --release --example train_supervised`
//!
//! Arguments: `--users N` (default 400), `--seed N` (default 42).
//!
//! Labels are known seven days late. So models learn from days 14 to 44 and are judged on days 52 to 59; the days between
//! them pass while the labels of day 44 come in. Of the days to learn from, days 31 to 37 first say how many boosted trees are
//! enough, and days 38 to 44 which model is the best of those that learned from the days before them. Then all learn once more,
//! from all these days.
//!
//! Expected output: `examples/expected/train_supervised.txt`.

use dafu::ensemble::combine::ClassifierRegistry;
use dafu::ensemble::{
    BalancedBaggingParams, BoostedTreesParams, Classifier, Learner, LogisticRegressionParams,
    RandomForestParams,
};
use dafu::metrics::Ranking;
use dafu::model::Limits;
use dafu_examples::args::Args;
use dafu_examples::payments::{DELAY, Part, Payments};
use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "train_supervised [--users N] [--seed N]";
/// Payments that people can check on a day.
const ALERTS_A_DAY: u64 = 10;

type Done<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    dafu_examples::exit(run())
}

fn run() -> Done<()> {
    let Some(args) = Args::read(USAGE, &["users", "seed"])? else {
        return Ok(());
    };
    let started = Instant::now();
    let payments = Payments::simulate(args.parsed("users", 400)?, 60, args.parsed("seed", 42)?)?;

    // The first two weeks only fill the memory of the features.
    let first = payments.on(14..31);
    let stopping = payments.on(31..38);
    let training = payments.on(14..38);
    let validation = payments.on(38..45);
    let all = payments.on(14..45);
    let test = payments.on(45 + i64::from(DELAY)..60);
    println!("{} features", payments.features.schema().width());
    for (name, part) in [
        ("learn", first),
        ("stop", stopping),
        ("compare", validation),
        ("judge", test),
    ] {
        println!("{}", part.line(name));
    }

    let trees = BoostedTreesParams::default()
        .n_estimators(500)
        .learning_rate(0.05)
        .max_leaves(16);
    let stopped = trees.fit_validated(&first.samples()?, &stopping.samples()?)?;
    println!("\nboosted trees: {} are enough", stopped.len());
    let trees = trees.n_estimators(stopped.len().max(1));
    let learners: [(&str, Box<dyn Learner>); 4] = [
        ("boosted trees", Box::new(trees)),
        (
            "random forest",
            Box::new(RandomForestParams::default().min_leaf_rows(3)),
        ),
        (
            "logistic regression",
            Box::new(LogisticRegressionParams::default()),
        ),
        (
            "EasyEnsemble",
            Box::new(BalancedBaggingParams::easy_ensemble()),
        ),
    ];

    println!("\n{:<22}{:>10} |{:>9}", "", "compare", "judge");
    println!(
        "{:<22}{:>10} |{:>9}{:>8}{:>24}",
        "model",
        "AP",
        "ROC AUC",
        "AP",
        format!("recall, {ALERTS_A_DAY} alerts a day")
    );
    let mut best: Option<(f64, &str, Box<dyn Classifier>)> = None;
    for (name, learner) in &learners {
        let timed = Instant::now();
        let candidate = learner.learn(&training.samples()?)?;
        let validated = ranking(candidate.as_ref(), validation)?.average_precision()?;
        let model = learner.learn(&all.samples()?)?;
        let ranking = ranking(model.as_ref(), test)?;
        let days = test.days.chunk_by(|one, next| one == next).count() as u64;
        println!(
            "{name:<22}{validated:>10.3} |{:>9.3}{:>8.3}{:>24.3}",
            ranking.roc_auc()?,
            ranking.average_precision()?,
            ranking.recall_at_k(ALERTS_A_DAY * days)?
        );
        eprintln!("{name:<22}{:>8.2} s", timed.elapsed().as_secs_f64());
        if best.as_ref().is_none_or(|best| validated > best.0) {
            best = Some((validated, name, model));
        }
    }

    // The test had no say in this.
    let (_, name, model) = best.ok_or("no model")?;
    let bytes = model.to_bytes()?;
    let loaded = ClassifierRegistry::standard(Limits::default()).load(&bytes)?;
    let same = log_odds(model.as_ref(), test)? == log_odds(loaded.as_ref(), test)?;
    println!("\nbest on the days to compare by: {name}");
    println!("saved, loaded, and the same bits for every test payment: {same}");
    eprintln!(
        "{} bytes; took {:.2} s",
        bytes.len(),
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

fn log_odds(model: &dyn Classifier, part: Part<'_>) -> Done<Vec<f64>> {
    let mut log_odds = vec![0.0; part.rows.nrows()];
    model.log_odds_rows(part.rows, &mut log_odds)?;
    Ok(log_odds)
}

fn ranking(model: &dyn Classifier, part: Part<'_>) -> Done<Ranking> {
    Ok(Ranking::new(part.frauds, &log_odds(model, part)?, None)?)
}
