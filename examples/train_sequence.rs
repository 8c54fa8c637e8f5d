//! A network that reads the payments of a user in a row: trained on some weeks, judged on later ones, beside models that
//! see one payment at a time.
//!
//! Run: `cargo run --release --example train_sequence`
//!
//! Arguments: `--users N` (default 500), `--seed N` (default 42), `--input FILE` (payments with labels instead of simulated
//! ones), `--data handbook` (those of the Fraud Detection Handbook under `DAFU_DATA`; takes minutes), `--figure DIR` (draws
//! `learning_curve.svg`).
//!
//! Of the last twelve weeks, the network learns from six; the seventh says which epoch of training was best; one week passes
//! until labels are known; the last four are judged. What users did before is read as well. Isolation forests learn from the
//! same payments without labels: one by the inputs of the network, one by the standard features of the detector without those
//! that read labels, such as velocities, amounts against the user's own, new devices, distances and speeds. Boosted trees learn
//! by these features, and from the labels.
//!
//! Account takeovers and card testing are a few payments in a row that fit together and do not fit the user. Of each kind of
//! fraud, the payments are ranked among all honest ones. The network reads amount, distance, category, country,
//! time, and what is new of each payment, and nothing about other users; where features count the users of a device, as in
//! card testing, the trees are ahead of it. Last, the fraud with the highest score is explained.
//!
//! Expected output: `examples/expected/train_sequence.txt`.

use dafu::ensemble::{BoostedTreesParams, Samples};
use dafu::features::{FeatureEngine, FeatureSet};
use dafu::iforest::IsolationForestParams;
use dafu::ingest::TransactionReader;
use dafu::metrics::average_precision;
use dafu::sim::{LabelDelay, Scenario, ScenarioRates, SimulatorParams};
use dafu::{Label, Timestamp, Transaction};
use dafu_examples::args::Args;
use dafu_examples::bar::TrainingBar;
use dafu_examples::handbook::FILE;
use dafu_examples::replayed::{Medians, open, real_data};
use dafu_examples::sequence_figures::learning_curve;
use dafu_sequence::encode::Histories;
use dafu_sequence::history::{HistoryClassifier, HistoryParams, Periods};
use dafu_sequence::native::NativeBackend;
use ndarray::{Array2, Axis};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str =
    "train_sequence [--users N] [--seed N] [--input FILE] [--data handbook] [--figure DIR]";
/// Weeks to learn from, the last of which says when to stop.
const LEARN: i64 = 7;
/// Weeks until labels are known.
const DELAY: i64 = 1;
/// Weeks that are judged.
const JUDGE: i64 = 4;

type Done<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    dafu_examples::exit(run())
}

fn run() -> Done<()> {
    let Some(args) = Args::read(USAGE, &["users", "seed", "input", "data", "figure"])? else {
        return Ok(());
    };
    let started = Instant::now();
    let seed = args.parsed("seed", 42)?;
    let payments = match (args.value("data"), args.value("input")) {
        (None, None) => Payments::simulate(args.parsed("users", 500)?, seed)?,
        (None, _) | (Some("handbook"), _) => {
            let Some(file) = real_data(&args, FILE) else {
                return Ok(());
            };
            Payments::read(&file)?
        }
        (Some(other), _) => return Err(format!("--data {other}: there is handbook").into()),
    };
    let weeks = Weeks::of(&payments.records)?;
    weeks.print(&payments);

    let params = HistoryParams::default();
    let model = params.model.clone().seed(seed);
    let params = params.model(model);
    let bar = TrainingBar::new(params.model.epochs, "average precision");
    let periods = Periods {
        learn_from: Some(weeks.learn),
        validation_from: Some(weeks.validation),
        end: Some(weeks.delay),
    };
    let histories = Histories::new(&payments.records);
    let classifier = params
        .check()?
        .fit(&histories, periods, &NativeBackend, &bar)?;
    bar.finish();
    let report = classifier.classifier().report();
    let best = report.best_epoch;
    println!(
        "\nnetwork: {} inputs, {} weights; best of {} epochs: {best}",
        classifier.encoder().input_names().len(),
        classifier.classifier().weights().numbers().len(),
        report.epochs.len()
    );
    if let Some(folder) = args.value("figure") {
        std::fs::create_dir_all(folder)?;
        let file = Path::new(folder).join("learning_curve.svg");
        std::fs::write(file, learning_curve(report))?;
    }

    let timed = Instant::now();
    let network = scores(&classifier, &payments.records)?;
    eprintln!(
        "judged by the network in {:.2} s",
        timed.elapsed().as_secs_f64()
    );
    let inputs = encoded(&classifier, &payments.records)?;
    let standard = standard(&payments.records)?;
    let timed = Instant::now();
    let models = [
        ("network", &network),
        ("forest, inputs", &forest(&inputs, &weeks, &payments, seed)?),
        (
            "forest, features",
            &forest(&standard, &weeks, &payments, seed)?,
        ),
        ("trees, features", &trees(&standard, &weeks, &payments)?),
    ];
    eprintln!(
        "forests and trees in {:.2} s",
        timed.elapsed().as_secs_f64()
    );
    print_table(&payments, &weeks, &models)?;
    explain(&classifier, &payments, &weeks, &network)?;
    eprintln!("took {:.2} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// Payments in order of time.
struct Payments {
    records: Vec<Transaction>,
    /// What kind of fraud each is, where that is known.
    kinds: Vec<Option<Scenario>>,
}

impl Payments {
    /// More takeovers and card testing than usual: small files then have enough to learn from and to judge by.
    fn simulate(users: u32, seed: u64) -> Done<Self> {
        let rates = ScenarioRates::default()
            .with(Scenario::AccountTakeover, 0.006)
            .with(Scenario::CardTesting, 0.006);
        let late = LabelDelay {
            minimum_days: 7.0 * DELAY as f64,
            mean_further_days: 0.0,
        };
        let days = u32::try_from(7 * (LEARN + DELAY + JUDGE))?;
        let params = SimulatorParams::default().users(users).days(days);
        let params = params.rates(rates).label_delay(late).seed(seed);
        let (mut records, mut kinds) = (Vec::new(), Vec::new());
        for payment in params.simulator()?.with_truth() {
            kinds.push(payment.scenario);
            records.push(payment.transaction);
        }
        Ok(Self { records, kinds })
    }

    fn read(path: &Path) -> Done<Self> {
        let mut records = Vec::new();
        for table in open(path)?.tables()? {
            let table = table?;
            let reader = TransactionReader::new(&table)?;
            for row in 0..table.rows() {
                records.push(reader.at(&table, row)?);
            }
        }
        records.sort_by_key(|record| record.timestamp);
        Ok(Self {
            kinds: vec![None; records.len()],
            records,
        })
    }
}

/// When weeks begin.
struct Weeks {
    learn: Timestamp,
    validation: Timestamp,
    delay: Timestamp,
    judge: Timestamp,
}

impl Weeks {
    /// Counted back from the end of the last day.
    fn of(records: &[Transaction]) -> Done<Self> {
        let last = records.last().ok_or("no payments")?.timestamp.day();
        let back = |weeks: i64| Timestamp::from_seconds((last + 1 - 7 * weeks) * 86_400);
        Ok(Self {
            learn: back(LEARN + DELAY + JUDGE)?,
            validation: back(1 + DELAY + JUDGE)?,
            delay: back(DELAY + JUDGE)?,
            judge: back(JUDGE)?,
        })
    }

    fn print(&self, payments: &Payments) {
        let end = Timestamp::MAX;
        for (name, from, until) in [
            ("learn", self.learn, self.validation),
            ("stop", self.validation, self.delay),
            ("judge", self.judge, end),
        ] {
            let within = |record: &&Transaction| (from..until).contains(&record.timestamp);
            let records = payments.records.iter().filter(within);
            let frauds = records.clone().filter(|record| is_fraud(record));
            println!(
                "{name:<8}from {}: {:>6} payments, {:>4} frauds",
                from.date(),
                records.count(),
                frauds.count()
            );
        }
    }
}

fn is_fraud(record: &Transaction) -> bool {
    record.is_fraud == Label::Fraud
}

/// Log odds of each payment.
fn scores(classifier: &HistoryClassifier, records: &[Transaction]) -> Done<Vec<f64>> {
    let mut scores = vec![f64::NEG_INFINITY; records.len()];
    for sequence in classifier.predict_fraud_sequences(records)? {
        scores[sequence.record] = sequence.log_odds;
    }
    Ok(scores)
}

/// The fraud with the highest score, and the payments before it that made the score what it is.
fn explain(
    classifier: &HistoryClassifier,
    payments: &Payments,
    weeks: &Weeks,
    scores: &[f64],
) -> Done<()> {
    let records = &payments.records;
    let frauds = (0..records.len())
        .filter(|row| records[*row].timestamp >= weeks.judge && is_fraud(&records[*row]));
    let Some(fraud) = frauds.max_by(|left, right| scores[*left].total_cmp(&scores[*right])) else {
        return Ok(());
    };
    let explained = classifier.explain(records, fraud)?;
    println!(
        "\nthe fraud with the highest score: log odds {:.2}, {:.2} after as many ordinary payments; what the last five added:",
        explained.log_odds, explained.baseline
    );
    let last = explained.records.len().saturating_sub(5);
    for record in &explained.records[last..] {
        println!("  {record}");
    }
    Ok(())
}

/// The inputs of the network, by payment: numbers, then codes.
fn encoded(classifier: &HistoryClassifier, records: &[Transaction]) -> Done<Array2<f64>> {
    let histories = Histories::new(records);
    let events = histories.encode(classifier.encoder())?;
    let width = classifier.encoder().input_names().len();
    let mut rows = Array2::zeros((records.len(), width));
    for event in 0..events.len() {
        let numbers = events.numbers(event);
        let numeric = numbers.numeric.iter().map(|number| f64::from(*number));
        let codes = numbers.codes.iter().map(|code| f64::from(*code));
        let mut row = rows.row_mut(histories.record(event).ok_or("no record")?);
        let places = row.iter_mut().zip(numeric.chain(codes));
        places.for_each(|(place, number)| *place = number);
    }
    Ok(rows)
}

/// The standard features, by payment.
fn standard(records: &[Transaction]) -> Done<Array2<f64>> {
    let timed = Instant::now();
    let set = FeatureSet::standard().without_labels();
    let dataset = FeatureEngine::new(&set)?.observe_all(records)?;
    let seconds = timed.elapsed().as_secs_f64();
    eprintln!("{} features in {seconds:.2} s", dataset.schema().width());
    Ok(dataset.values().to_owned())
}

/// The rows to learn from, and whether they are frauds.
fn learned(rows: &Array2<f64>, weeks: &Weeks, payments: &Payments) -> (Array2<f64>, Vec<bool>) {
    let learned = |row: &usize| {
        let time = payments.records[*row].timestamp;
        (weeks.learn..weeks.delay).contains(&time)
    };
    let learned: Vec<usize> = (0..rows.nrows()).filter(learned).collect();
    let frauds = learned.iter().map(|row| is_fraud(&payments.records[*row]));
    (rows.select(Axis(0), &learned), frauds.collect())
}

/// Scores of an isolation forest, which wants a number where a value is missing.
fn forest(rows: &Array2<f64>, weeks: &Weeks, payments: &Payments, seed: u64) -> Done<Vec<f64>> {
    let (mut train, _) = learned(rows, weeks, payments);
    let mut rows = rows.clone();
    let medians = Medians::of(&train);
    medians.fill(&mut train);
    medians.fill(&mut rows);
    let forest = IsolationForestParams::default()
        .seed(seed)
        .fit(train.view())?;
    let mut scores = vec![0.0; rows.nrows()];
    forest.score_rows(rows.view(), &mut scores)?;
    Ok(scores)
}

/// Log odds of boosted trees.
fn trees(rows: &Array2<f64>, weeks: &Weeks, payments: &Payments) -> Done<Vec<f64>> {
    let (train, frauds) = learned(rows, weeks, payments);
    let trees = BoostedTreesParams::default().fit(&Samples::new(train.view(), &frauds)?)?;
    let mut log_odds = vec![0.0; rows.nrows()];
    trees.log_odds_rows(rows.view(), &mut log_odds)?;
    Ok(log_odds)
}

/// Average precision on the weeks to judge, by kind of fraud.
fn print_table(payments: &Payments, weeks: &Weeks, models: &[(&str, &Vec<f64>)]) -> Done<()> {
    let judged = |row: &usize| payments.records[*row].timestamp >= weeks.judge;
    let judged: Vec<usize> = (0..payments.records.len()).filter(judged).collect();
    let mut line = format!("\n{:<24}{:>8}", "average precision", "frauds");
    for (name, _) in models {
        line += &format!("{name:>18}");
    }
    println!("{line}");
    let kinds = Scenario::ALL.into_iter().map(Some).chain([None]);
    for kind in kinds {
        let fraud = |row: usize| is_fraud(&payments.records[row]);
        let counts = |row: &usize| !fraud(*row) || kind.is_none() || payments.kinds[*row] == kind;
        let rows: Vec<usize> = judged.iter().copied().filter(counts).collect();
        let frauds: Vec<bool> = rows.iter().map(|row| fraud(*row)).collect();
        let count = frauds.iter().filter(|fraud| **fraud).count();
        if count == 0 {
            continue;
        }
        let name = kind.map_or("all", Scenario::name).replace('_', " ");
        let mut line = format!("{name:<23}{count:>8}");
        for (_, scores) in models {
            let scores: Vec<f64> = rows.iter().map(|row| scores[*row]).collect();
            line += &format!("{:>18.3}", average_precision(&frauds, &scores, None)?);
        }
        println!("{line}");
    }
    Ok(())
}
