//! Card payments in categories, with homes and places, learned from eight months and judged on the last three.
//!
//! Run: `DAFU_DATA=DATA cargo run --release --example sparkov_split`
//!
//! Without `DAFU_DATA` and without `--input` it says so and ends. The data were made with the generator of Brandon Harris
//! (Sparkov Data Generation), in `DATA/sparkov/transactions_2023.csv.gz`.
//!
//! Models learn from all days before `--learn-until`, wait until the labels of those days are known, and judge what comes
//! from `--test-from` on. Features see all earlier transactions, and labels once they are 30 days old, but none of the
//! user's: the generator gives nearly every user exactly one episode of fraud. The blend is weighted and calibrated by how its
//! members judge three months whose labels are known before the test begins, each after having learned from what was known
//! before that month.
//!
//! In this file honest users buy in two or three categories a month, which change from month to month, and frauds keep to
//! theirs. So merchants that hardly anybody else visits give frauds away: their count of the last seven days alone reaches a
//! ROC AUC of 0.98. The second set leaves out all that is known of merchants and categories beside the user's own history.
//!
//! Arguments: `--input FILE`, `--learn-until DATE` (default 2023-09-01, not included), `--test-from DATE` (default
//! 2023-10-01), `--delay-days N` (default 30), `--seed N` (default 1), `--models NAME,NAME` (default all), `--matrix DIR`
//! (writes the rows of the first set: `train.f64`, `test.f64`, little endian, row after row, `train_frauds.u8`,
//! `test_frauds.u8`, `columns.txt`).
//!
//! Expected output: `examples/expected/sparkov_split.txt` without data; with data, one line a model and set:
//! `sparkov model=NAME auc=0.000 ap=0.000 train_rows=N test_rows=N frauds=N`.

use dafu::Probability;
use dafu::ensemble::combine::{Blend, Combination, Combiner, MemberScores, StackParams};
use dafu::ensemble::select::{Fold, Metric};
use dafu::ensemble::{
    BoostedTreesParams, CalibrationMethod, Calibrator, Classifier, EasyEnsembleParams, Learner,
    RandomForestParams, Samples,
};
use dafu::features::{Definition, FeatureSet, Field, Labels, Measure, Span};
use dafu::metrics::Ranking;
use dafu_examples::args::Args;
use dafu_examples::bar::Bars;
use dafu_examples::handbook::day;
use dafu_examples::probabilities::{print_header, print_probabilities};
use dafu_examples::replayed::{Features, Rows, open, real_data, replay, write_matrix};
use ndarray::{Array2, Axis};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "sparkov_split [--input FILE] [--learn-until DATE] [--test-from DATE] [--delay-days N] [--seed N]
              [--models NAME,NAME] [--matrix DIR]";
const FILE: &str = "sparkov/transactions_2023.csv.gz";
/// Months that weights and calibration are chosen on, of this many days, the last one before `--learn-until`.
const MONTHS: i64 = 3;
const MONTH_DAYS: i64 = 30;

type Done<T> = Result<T, Box<dyn Error>>;
type Member = (&'static str, Box<dyn Learner>);

fn main() -> ExitCode {
    dafu_examples::exit(run())
}

fn run() -> Done<()> {
    let names = [
        "input",
        "learn-until",
        "test-from",
        "delay-days",
        "seed",
        "models",
        "matrix",
    ];
    let Some(args) = Args::read(USAGE, &names)? else {
        return Ok(());
    };
    let Some(input) = real_data(&args, FILE) else {
        return Ok(());
    };
    let started = Instant::now();
    let delay = args.parsed("delay-days", 30)?;
    let bars = Bars::default();
    let standard = set(delay)?;
    let sets = [("standard", standard.clone())];
    let mut rows = replay(&open(&input)?, &sets, &(i64::MIN..i64::MAX), &bars)?;
    bars.finish();
    let own = rows.sets[0].of_set("own_history", &own_history(standard))?;
    rows.sets.push(own);
    let split = Split {
        learn_until: day(args.value("learn-until").unwrap_or("2023-09-01"))?,
        test_from: day(args.value("test-from").unwrap_or("2023-10-01"))?,
        delay: i64::from(delay),
    };
    let judged = split.judged(&rows);
    if let Some(folder) = args.value("matrix") {
        write(Path::new(folder), &rows, &judged)?;
    }
    let count = |of: &[usize]| of.iter().filter(|row| rows.frauds[**row]).count();
    println!("{} transactions replayed", rows.read);
    for (what, part) in [("learn", &judged.train), ("judge", &judged.test)] {
        println!("{what} {} rows, {} frauds", part.len(), count(part));
    }
    let mut members = members(args.parsed("seed", 1)?);
    if let Some(names) = args.value("models") {
        members.retain(|(name, _)| names.split(',').any(|wanted| wanted == *name));
    }
    for features in &rows.sets {
        Judge {
            rows: &rows,
            features,
            matrix: features.matrix(&(0..rows.days.len()).collect::<Vec<_>>())?,
        }
        .judge(&members, &split.earlier(&rows), &judged)?;
    }
    eprintln!("took {:.2} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// The default features, with no label of the user's.
fn set(delay: u16) -> Done<FeatureSet> {
    let delay = Span::days(delay);
    let mut set = FeatureSet::standard_with_delay(delay).labels(Labels::AfterDelay(delay));
    set.features.retain(|feature| match &feature.definition {
        Definition::Window(window) => {
            let of_label = matches!(
                window.measure,
                Measure::FraudCount
                    | Measure::FraudRate { .. }
                    | Measure::FraudRateQuantile { .. }
                    | Measure::FraudTrend { .. }
                    | Measure::LastLabel { .. }
                    | Measure::SinceFraud
            );
            !of_label || window.by.fields().all(|field| *field != Field::User)
        }
        _ => true,
    });
    Ok(set)
}

/// Without what is known of merchants and categories.
fn own_history(mut set: FeatureSet) -> FeatureSet {
    set.features.retain(|feature| {
        let name = feature.full_name();
        !name.starts_with("merchant") && !name.starts_with("category")
    });
    set
}

/// Days that models learn from, and those that they are judged by.
struct Split {
    learn_until: i64,
    test_from: i64,
    delay: i64,
}

impl Split {
    fn judged(&self, rows: &Rows) -> Fold {
        fold(rows, self.learn_until, self.test_from..i64::MAX)
    }

    /// Months before, each with what was known when it began.
    fn earlier(&self, rows: &Rows) -> Vec<Fold> {
        let month = |back: i64| {
            let start = self.learn_until - back * MONTH_DAYS;
            fold(rows, start - self.delay, start..start + MONTH_DAYS)
        };
        (1..=MONTHS).rev().map(month).collect()
    }
}

/// Rows before a day to learn from, and rows of other days to judge.
fn fold(rows: &Rows, learn_until: i64, test: std::ops::Range<i64>) -> Fold {
    let on = |days: std::ops::Range<i64>| {
        let within = |row: &usize| days.contains(&rows.days[*row]);
        (0..rows.days.len()).filter(within).collect()
    };
    Fold {
        train: on(i64::MIN..learn_until),
        test: on(test),
    }
}

fn members(seed: u64) -> Vec<Member> {
    vec![
        (
            "boosted_trees",
            Box::new(BoostedTreesParams::default().seed(seed)),
        ),
        (
            "easy_ensemble",
            Box::new(EasyEnsembleParams::easy_ensemble().seed(seed)),
        ),
        (
            "random_forest",
            Box::new(RandomForestParams::default().seed(seed)),
        ),
    ]
}

/// Models of one set of features.
struct Judge<'a> {
    rows: &'a Rows,
    features: &'a Features,
    matrix: Array2<f64>,
}

impl Judge<'_> {
    fn judge(&self, members: &[Member], earlier: &[Fold], judged: &Fold) -> Done<()> {
        let learners: Vec<(&str, &dyn Learner)> = members
            .iter()
            .map(|(name, learner)| (*name, &**learner))
            .collect();
        let samples = Samples::new(self.matrix.view(), &self.rows.frauds)?;
        let known = MemberScores::learn(&learners, &samples, earlier)?;
        let stack = Combination::Stack(StackParams::default());
        let combiner = stack.fit(&known, &Metric::average_precision())?;
        let of_others = stack.fit_to_others(&known, &Metric::average_precision())?;
        let (sums, labels) = combined(&of_others, &known)?;

        let train = self.matrix.select(Axis(0), &judged.train);
        let train_frauds = self.frauds(&judged.train);
        let mut models = Vec::new();
        for (name, learner) in members {
            let timed = Instant::now();
            let model = learner.learn(&Samples::new(train.view(), &train_frauds)?)?;
            eprintln!("{name:<22}{:>8.2} s", timed.elapsed().as_secs_f64());
            models.push(((*name).to_owned(), model));
        }
        let blend = Blend::new(models, combiner, Vec::new())?;

        let columns = self.features.columns.len();
        println!("\nset {}: {columns} columns", self.features.name);
        let weights = blend.combiner().weights().unwrap_or_default();
        let named: Vec<String> = members
            .iter()
            .zip(weights)
            .map(|((name, _), weight)| format!("{name} {weight:.2}"))
            .collect();
        println!("weights of the blend: {}", named.join(", "));
        let test = self.matrix.select(Axis(0), &judged.test);
        let frauds = self.frauds(&judged.test);
        let scores = |model: &dyn Classifier| -> Done<Vec<f64>> {
            let mut scores = vec![0.0; frauds.len()];
            model.log_odds_rows(test.view(), &mut scores)?;
            Ok(scores)
        };
        let line = |name: &str, scores: &[f64]| -> Done<()> {
            let ranking = Ranking::new(&frauds, scores, None)?;
            println!(
                "sparkov model={name}_{} auc={:.3} ap={:.3} train_rows={} test_rows={} frauds={}",
                self.features.name,
                ranking.roc_auc()?,
                ranking.average_precision()?,
                train_frauds.len(),
                frauds.len(),
                ranking.positives()
            );
            Ok(())
        };
        for (name, model) in blend.members() {
            line(name, &scores(model)?)?;
        }
        let blended = scores(&blend)?;
        line("blend", &blended)?;

        let prior = labels.iter().filter(|fraud| **fraud).count() as f64 / labels.len() as f64;
        print_header();
        let print = |name: &str, calibrator: &Calibrator| -> Done<()> {
            let said = calibrator.calibrate_rows(&blended)?;
            let said: Vec<f64> = said.into_iter().map(Probability::get).collect();
            print_probabilities(name, &said, &frauds, prior)
        };
        print("raw", &Calibrator::linear(1.0, 0.0)?)?;
        let ways = [
            ("Platt", CalibrationMethod::Platt),
            ("beta", CalibrationMethod::Beta),
            ("isotonic", CalibrationMethod::Isotonic),
            ("Venn-Abers", CalibrationMethod::VennAbers),
        ];
        for (name, way) in ways {
            print(name, &way.fit(&sums, &labels, None)?)?;
        }
        print_probabilities("prior", &vec![prior; frauds.len()], &frauds, prior)
    }

    fn frauds(&self, of: &[usize]) -> Vec<bool> {
        of.iter().map(|&row| self.rows.frauds[row]).collect()
    }
}

/// What combiners say of months that they were not fitted to, and their labels.
fn combined(of_others: &[Combiner], known: &MemberScores) -> Done<(Vec<f64>, Vec<bool>)> {
    let (mut sums, mut labels) = (Vec::new(), Vec::new());
    for (combiner, month) in of_others.iter().zip(known.weeks()) {
        let mut scores = vec![0.0; month.frauds.len()];
        combiner.combine_rows(month.scores.view(), &mut scores)?;
        sums.append(&mut scores);
        labels.extend_from_slice(&month.frauds);
    }
    Ok((sums, labels))
}

/// Writes the rows that models get, for other programs.
fn write(folder: &Path, rows: &Rows, judged: &Fold) -> Done<()> {
    std::fs::create_dir_all(folder)?;
    for (name, part) in [("train", &judged.train), ("test", &judged.test)] {
        write_matrix(
            &folder.join(format!("{name}.f64")),
            &rows.sets[0].matrix(part)?,
        )?;
        let frauds: Vec<u8> = part.iter().map(|&row| u8::from(rows.frauds[row])).collect();
        std::fs::write(folder.join(format!("{name}_frauds.u8")), frauds)?;
    }
    let columns = rows.sets[0].columns.join("\n");
    Ok(std::fs::write(folder.join("columns.txt"), columns)?)
}
