//! A calibrated probability of fraud for every row of a CSV file, learned from another one with labels.
//!
//! Run: `cargo run --release --example score_supervised -- --train FILE --test FILE --label COLUMN --output FILE`
//!
//! Further arguments: `--model boosted_trees` (the default), `random_forest` or `blend`; `--suspects keep` where columns that
//! seem to give the label away are right to be used (default `leave_out`); `--seed 1`. The output has one line a row of the
//! test file, in its order: `row,probability`. Rows that cannot be read get the share of frauds in training. Without
//! `--train` it learns from simulated payments in a temporary folder and prints what it would write of others.
//!
//! What columns mean is found by looking at the training file; those that seem to give the label away are left out and
//! named. Texts become categories of the trees, or the fraud rate of each where there are too many of them, and ids their
//! frequency, all by training rows alone. Where there is a time, the latest fifth of the training rows calibrates a model of
//! those before it, else a fifth drawn at random, or with few frauds five parts in turn; the model that answers then learns
//! from all rows.
//!
//! Expected output: `examples/expected/score_supervised.txt`.

use dafu::ensemble::combine::{
    BlendFolds, BlendParams, Combination, GreedyParams, VoteKind, VoteWeights,
};
use dafu::ensemble::{
    BalancedBaggingParams, BoostedTreesParams, CalibrationMethod, Calibrator, Classifier, Learner,
    RandomForestParams, Samples,
};
use dafu::features::{
    AmountFeatures, ColumnParams, Encoding, NumberImpute, Preprocessor, PreprocessorParams,
};
use dafu::ingest::{BadRecordClass, FileSource, IngestParams, Policies, Policy, Suspects};
use dafu::metrics::{Ranking, log_loss};
use dafu::random::Stream;
use dafu::sim::{CsvColumns, SimulatorParams, write_csv};
use dafu::{FeatureType, Label, NoProgress, Role, TableSource};
use dafu_examples::args::Args;
use dafu_examples::file::create;
use ndarray::{Array2, Axis};
use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "score_supervised --train FILE --test FILE --label COLUMN --output FILE
                 [--model boosted_trees|random_forest|blend] [--suspects leave_out|keep] [--seed 1]";
const NAMES: [&str; 7] = [
    "train", "test", "label", "output", "model", "suspects", "seed",
];
/// Most texts of a column that trees are given as categories.
const MAX_LEVELS: u64 = 200;
/// Rows that the mean fraud rate counts for where there are too many texts.
const SMOOTHING: f64 = 20.0;
/// Frauds, and honest rows, of a part that is enough for calibration.
const FEWEST: usize = 10;
/// What the random stream is for.
const ORDER: u64 = 1;

type Done<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    dafu_examples::exit(run())
}

fn run() -> Done<()> {
    let Some(args) = Args::read(USAGE, &NAMES)? else {
        return Ok(());
    };
    let started = Instant::now();
    if args.value("train").is_some() {
        let file = |name| args.required(name).map(PathBuf::from);
        let (train, test) = (file("train")?, file("test")?);
        // Before anything is learned: a place that cannot be written to would be a pity afterwards.
        for input in [&train, &test] {
            check_other(input, Path::new(args.required("output")?))?;
        }
        let mut output = create(Path::new(args.required("output")?), &args)?;
        let probabilities = learn_and_score((&train, &test), args.required("label")?, &args)?;
        writeln!(output, "row,probability")?;
        for (row, probability) in (1_u64..).zip(probabilities) {
            writeln!(output, "{row},{probability}")?;
        }
        output.flush()?;
    } else {
        let folder = std::env::temp_dir().join(format!("dafu-score-{}", std::process::id()));
        let shown = show(&folder, &args);
        fs::remove_dir_all(&folder)?;
        shown?;
    }
    eprintln!("took {:.2} s", started.elapsed().as_secs_f64());
    Ok(())
}

fn check_other(input: &Path, output: &Path) -> Done<()> {
    match (input.canonicalize().ok(), output.canonicalize().ok()) {
        (Some(input), Some(output)) if input == output => {
            Err(format!("{} is an input: write to another place", output.display()).into())
        }
        _ => Ok(()),
    }
}

/// Simulated payments, with a column that nobody knows in time, and in the test file a line that is cut off and one with a
/// card number in the place of an id.
fn show(folder: &Path, args: &Args) -> Done<()> {
    let simulator = SimulatorParams::default()
        .users(500)
        .days(60)
        .seed(3)
        .simulator()?;
    let mut file = Vec::new();
    write_csv(simulator, &mut file, CsvColumns::All)?;
    let text = String::from_utf8(file)?;
    let mut lines = text.lines();
    let header = lines.next().ok_or("no payments")?;
    let place = header.split(',').position(|name| name == "is_fraud");
    let place = place.ok_or("no labels")?;
    let line = |line: &str| {
        let fraud = line.split(',').nth(place) == Some("1");
        format!("{line},{}\n", if fraud { "refund" } else { "none" })
    };
    let mut lines: Vec<String> = lines.map(line).collect();
    let header = format!("{header},claim\n");
    let mut test = lines.split_off(lines.len() / 4 * 3);
    if let Some(cut) = test.get_mut(1) {
        cut.truncate(30);
        cut.push('\n');
    }
    if let Some(card) = test.get_mut(2) {
        let mut cells: Vec<&str> = card.split(',').collect();
        cells[1] = "4111111111111111";
        *card = cells.join(",");
    }
    fs::create_dir_all(folder)?;
    let (train_file, test_file) = (folder.join("train.csv"), folder.join("test.csv"));
    fs::write(&train_file, header.clone() + &lines.concat())?;
    fs::write(&test_file, header + &test.concat())?;
    let probabilities = learn_and_score((&train_file, &test_file), "is_fraud", args)?;
    println!("\nrow,probability");
    for (row, probability) in (1..).zip(probabilities).take(4) {
        println!("{row},{probability:.6}");
    }
    Ok(())
}

fn name(path: &Path) -> std::path::Display<'_> {
    Path::new(path.file_name().unwrap_or_default()).display()
}

/// Learns from one file; a probability for each row of another.
fn learn_and_score((train, test): (&Path, &Path), label: &str, args: &Args) -> Done<Vec<f64>> {
    let suspects = match args.value("suspects").unwrap_or("leave_out") {
        "leave_out" => Suspects::LeaveOut,
        "keep" => Suspects::Keep,
        other => return Err(format!("--suspects {other:?}: leave_out or keep").into()),
    };
    let ingest = reading().role(label, Role::Label).suspects(suspects);
    let (source, found) = {
        let source = FileSource::open(train, &ingest)?;
        let suitability = source.suitability(&NoProgress)?;
        source.without_leaks(&suitability)?
    };
    for name in &found {
        eprintln!("{name} gives the label away only in the whole file");
    }
    let preprocessor = preprocessor(&source)?;
    let rows = Rows::read(&source, &preprocessor, args.parsed("seed", 1)?)?;
    println!(
        "{}: {} rows, {} frauds",
        name(train),
        rows.frauds.len(),
        rows.count_frauds()
    );
    print_columns(&source, &preprocessor);

    let learner = learner(args, rows.categorical.clone())?;
    let (model, calibrator) = rows.learn(&*learner)?;
    let test_source = FileSource::open_with(test, &reading(), source.plan())?;
    let scored = score(
        &test_source,
        &preprocessor,
        (&*model, &calibrator),
        rows.share(),
    )?;
    println!(
        "{}: {} rows, {} of them could not be read and get {:.6}",
        name(test),
        scored.probabilities.len(),
        scored.unread,
        rows.share()
    );
    if let Some(report) = test_source
        .report()
        .filter(|report| !report.classes.is_empty())
    {
        eprintln!("{report}");
    }
    scored.print()?;
    Ok(scored.probabilities)
}

/// One probability for every row: what cannot be read is missing, but a card number.
fn reading() -> IngestParams {
    let policies =
        Policies::all(Policy::Coerce).with(BadRecordClass::CardNumber, Policy::Quarantine);
    IngestParams::default().policies(policies)
}

fn preprocessor(source: &FileSource) -> Done<Preprocessor> {
    let mut params = PreprocessorParams::default()
        .number_impute(NumberImpute::Keep)
        .amount(AmountFeatures::Raw)
        .encoding(Encoding::Ordinal);
    let first = params.fit(source)?;
    let many: Vec<String> = first
        .report()
        .columns
        .iter()
        .filter(|column| matches!(column.role, Role::Category | Role::Country | Role::Currency))
        .filter(|column| column.levels.is_some_and(|levels| levels > MAX_LEVELS))
        .map(|column| column.column.clone())
        .collect();
    if many.is_empty() {
        return Ok(first);
    }
    let rate = ColumnParams::default().encoding(Encoding::Target {
        smoothing: SMOOTHING,
    });
    for column in many {
        params = params.column(column, rate.clone());
    }
    Ok(params.fit(source)?)
}

fn print_columns(source: &FileSource, preprocessor: &Preprocessor) {
    let report = preprocessor.report();
    let used = report
        .columns
        .iter()
        .filter(|column| !column.features.is_empty());
    let used: Vec<String> = used
        .map(|column| format!("{} ({})", column.column, column.role))
        .collect();
    println!("used: {}", used.join(", "));
    let plan = source.plan();
    let is_used = |name: &str| {
        report
            .column(name)
            .is_some_and(|own| !own.features.is_empty())
    };
    let left: Vec<String> = plan
        .columns
        .iter()
        .filter(|column| column.role != Role::Label && column.leak.is_none())
        .filter(|column| !is_used(&column.name))
        .map(|column| format!("{} ({})", column.name, column.role))
        .collect();
    println!(
        "left out: {}",
        if left.is_empty() {
            "none".to_owned()
        } else {
            left.join(", ")
        }
    );
    for column in plan.leaks() {
        let why = column.leak.as_deref().unwrap_or_default();
        let kept = if is_used(&column.name) {
            "kept"
        } else {
            "left out"
        };
        println!("suspected leak, {kept}: {}: {why}", column.name);
    }
}

fn learner(args: &Args, categorical: Vec<usize>) -> Done<Box<dyn Learner>> {
    let seed = args.parsed("seed", 1)?;
    let trees = BoostedTreesParams::default()
        .categorical(categorical.clone())
        .seed(seed);
    let forest = RandomForestParams::default()
        .categorical(categorical.clone())
        .min_leaf_rows(3)
        .seed(seed);
    match args.value("model").unwrap_or("boosted_trees") {
        "boosted_trees" => Ok(Box::new(trees)),
        "random_forest" => Ok(Box::new(forest)),
        "blend" => {
            let mut easy = BalancedBaggingParams::easy_ensemble().seed(seed);
            easy.learner = easy.learner.categorical(categorical);
            let way = Combination::Vote {
                kind: VoteKind::LogOdds,
                weights: VoteWeights::Greedy(GreedyParams::default()),
            };
            let folds = BlendFolds::InOrder {
                folds: 3,
                test: 0.2,
                gap: 0.0,
            };
            let blend = BlendParams::new(way, folds)
                .member("boosted trees", Box::new(trees))
                .member("random forest", Box::new(forest))
                .member("EasyEnsemble", Box::new(easy));
            Ok(Box::new(blend))
        }
        other => Err(format!("--model {other:?}: boosted_trees, random_forest or blend").into()),
    }
}

/// Rows to learn from: in order of time, or where there is none in random order.
struct Rows {
    values: Array2<f64>,
    frauds: Vec<bool>,
    /// Features that are categories.
    categorical: Vec<usize>,
    in_time: bool,
}

impl Rows {
    fn read(source: &FileSource, preprocessor: &Preprocessor, seed: u64) -> Done<Self> {
        let schema = preprocessor.schema();
        let (mut values, mut frauds, mut times) = (Vec::new(), Vec::new(), Vec::new());
        for table in source.chunks()? {
            let table = table?;
            let dataset = preprocessor.transform_training(&table)?;
            let labels = dataset.labels().ok_or("the training file has no labels")?;
            let column = table.by_role(Role::Time).and_then(|column| column.times());
            for (row, label) in labels.iter().enumerate() {
                let Some(fraud) = label.known() else { continue };
                values.extend(dataset.values().row(row));
                frauds.push(fraud);
                times.push(column.and_then(|times| times[row]));
            }
        }
        let values = Array2::from_shape_vec((frauds.len(), schema.width()), values)?;
        let mut order: Vec<usize> = (0..frauds.len()).collect();
        let in_time = source.plan().by_role(Role::Time).is_some();
        if in_time {
            // Rows whose time cannot be read come first.
            order.sort_by_key(|row| times[*row]);
        } else {
            // Fisher and Yates.
            let mut stream = Stream::new(seed, ORDER, 0);
            for last in (1..order.len()).rev() {
                order.swap(last, stream.index_below(last + 1));
            }
        }
        let categories = schema.features().iter().enumerate();
        let categories = categories
            .filter(|(_, spec)| matches!(spec.feature_type, FeatureType::Category { .. }));
        Ok(Self {
            values: values.select(Axis(0), &order),
            frauds: order.iter().map(|row| frauds[*row]).collect(),
            categorical: categories.map(|(column, _)| column).collect(),
            in_time,
        })
    }

    fn count_frauds(&self) -> usize {
        self.frauds.iter().filter(|fraud| **fraud).count()
    }

    /// Of frauds.
    fn share(&self) -> f64 {
        self.count_frauds() as f64 / self.frauds.len().max(1) as f64
    }

    /// A model of all rows, and a calibrator from the last fifth of them, or from all fifths where it has too few frauds, each
    /// judged by a model of the others.
    fn learn(&self, learner: &dyn Learner) -> Done<(Box<dyn Classifier>, Calibrator)> {
        let count = self.frauds.len();
        let fifth = |number: usize| count * number / 5..count * (number + 1) / 5;
        let last = &self.frauds[fifth(4)];
        let frauds = last.iter().filter(|fraud| **fraud).count();
        let enough = frauds.min(last.len() - frauds) >= FEWEST;
        let (mut scores, mut known) = (Vec::new(), Vec::new());
        for held in (if enough { 4..5 } else { 0..5 }).map(fifth) {
            let others: Vec<usize> = (0..held.start).chain(held.end..count).collect();
            let frauds: Vec<bool> = others.iter().map(|row| self.frauds[*row]).collect();
            if held.is_empty() || !frauds.contains(&true) || !frauds.contains(&false) {
                continue;
            }
            let rows = self.values.select(Axis(0), &others);
            let model = learner.learn(&Samples::new(rows.view(), &frauds)?)?;
            let rows = self.values.slice_axis(Axis(0), held.clone().into());
            let mut answers = vec![0.0; held.len()];
            model.log_odds_rows(rows, &mut answers)?;
            scores.extend(answers);
            known.extend_from_slice(&self.frauds[held]);
        }
        if !known.contains(&true) || !known.contains(&false) {
            return Err(
                "too few labels to calibrate: at least two frauds and two others are needed".into(),
            );
        }
        let calibrator = CalibrationMethod::Platt.fit(&scores, &known, None)?;
        println!(
            "calibrated on {} rows, {} frauds: {}",
            known.len(),
            known.iter().filter(|fraud| **fraud).count(),
            match (enough, self.in_time) {
                (true, true) => "the latest fifth",
                (true, false) => "a fifth at random",
                (false, _) => "five parts in turn, since the last has too few frauds",
            }
        );
        let all = Samples::new(self.values.view(), &self.frauds)?;
        Ok((learner.learn(&all)?, calibrator))
    }
}

/// Probabilities of all rows of the test file.
struct Scored {
    probabilities: Vec<f64>,
    /// Rows that could not be read.
    unread: usize,
    /// Label and probability of the rows that have one.
    known: Vec<(bool, f64)>,
}

fn score(
    source: &FileSource,
    preprocessor: &Preprocessor,
    (model, calibrator): (&dyn Classifier, &Calibrator),
    share: f64,
) -> Done<Scored> {
    let (mut answers, mut known) = (Vec::new(), Vec::new());
    for table in source.chunks()? {
        let table = table?;
        let dataset = preprocessor.transform(&table)?;
        let mut log_odds = vec![0.0; dataset.rows()];
        model.log_odds_rows(dataset.values(), &mut log_odds)?;
        let labels = dataset.labels().unwrap_or_default();
        for (row, probability) in calibrator.calibrate_rows(&log_odds)?.iter().enumerate() {
            answers.push((table.row_numbers()[row], probability.get()));
            let label = labels.get(row).copied().and_then(Label::known);
            known.extend(label.map(|fraud| (fraud, probability.get())));
        }
    }
    let read = source.report().map_or(0, |report| report.rows_read);
    let mut probabilities = vec![share; usize::try_from(read)?];
    let unread = probabilities.len() - answers.len();
    for (number, probability) in answers {
        // Counted from 1.
        let place = usize::try_from(number)?.checked_sub(1);
        let place = place.and_then(|place| probabilities.get_mut(place));
        *place.ok_or("a row beyond the end of the file")? = probability;
    }
    Ok(Scored {
        probabilities,
        unread,
        known,
    })
}

impl Scored {
    fn print(&self) -> Done<()> {
        let (frauds, scores): (Vec<bool>, Vec<f64>) = self.known.iter().copied().unzip();
        let count = frauds.iter().filter(|fraud| **fraud).count();
        if count == 0 || count == frauds.len() {
            println!("no labels of both classes in the test file: nothing to judge");
            return Ok(());
        }
        let ranking = Ranking::new(&frauds, &scores, None)?;
        println!(
            "{} labels, {count} frauds: ROC AUC {:.4}, average precision {:.4}, log loss {:.5}",
            frauds.len(),
            ranking.roc_auc()?,
            ranking.average_precision()?,
            log_loss(&frauds, &scores, None)?
        );
        Ok(())
    }
}
