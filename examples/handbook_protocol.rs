//! The protocol of the Fraud Detection Handbook: published figures beside ours, on the same rows.
//!
//! Run: `DAFU_DATA=DATA cargo run --release --example handbook_protocol`
//!
//! Without `DAFU_DATA` and without `--input` it says so and ends. The data are the simulated transactions of Le Borgne,
//! Siblini, Lebichot and Bontempi, "Reproducible Machine Learning for Credit Card Fraud Detection" (2022), in
//! `DATA/handbook/transactions_2018-04-01_2018-08-14.csv.gz`.
//!
//! A model learns from seven days, waits seven days until their labels are known, and judges the seven days after
//! that; customers whose fraud is known by then are left out. Features see all earlier transactions, and labels only
//! once they are seven days old. Three sets of features, each with and without those that read labels; the forest itself
//! reads none, all other models learn from those of the training days. They have the defaults of this library, except for
//! the LSTM over the last ten payments of a customer, whose parameters were chosen on earlier weeks than the four that are
//! judged, as was its weight beside the boosted trees (with `--train-start 2018-06-20 --weeks 3`).
//!
//! The four weeks that the book's tuned figures are means of begin to be learned from on 2018-07-25 and the three Wednesdays
//! after it: `--train-start 2018-08-15 --weeks 4`, on a file with the days until 2018-09-04, which `scripts/handbook-csv.py`
//! makes.
//!
//! Arguments: `--input FILE`, `--train-start DATE` (default 2018-07-25), `--train-days N`, `--delay-days N`,
//! `--test-days N` (default 7 each), `--learn-from DATE` (models learn from all days since then; the same customers are
//! left out), `--weeks N` (default 1; with 4, also the three weeks before), `--seeds N` (default
//! 10, the means of which are printed), `--importance N` (default 10 columns a model; 0 for none), `--matrix DIR`
//! (writes the rows that the models get), `--models NAME,NAME` and `--sets NAME,NAME` (default all; with `boosted_trees`
//! and `lstm` also both together), `--lstm-weight W,W` (the weight of the LSTM beside the trees).
//!
//! Expected output: `examples/expected/handbook_protocol.txt` without data; with data, one line a model at the end:
//! `protocol model=NAME auc=0.000 ap=0.000 cp100=0.000 train_rows=N test_rows=N frauds=N`; and by how much the LSTM changes
//! the boosted trees' average precision: `paired model=NAME change=+0.000 from=+0.000 to=+0.000 weeks=N seeds=N`.

use dafu::Timestamp;
use dafu::ensemble::combine::{BlendFolds, BlendParams, Combination, VoteKind, VoteWeights};
use dafu::ensemble::{
    BoostedTreesParams, EasyEnsembleParams, Learner, LogisticRegressionParams, NeuralNetParams,
    RandomForestParams, Samples,
};
use dafu::iforest::IsolationForestParams;
use dafu::metrics::Bootstrap;
use dafu_examples::args::Args;
use dafu_examples::bar::Bars;
use dafu_examples::handbook::{
    FILE, Metrics, PUBLISHED, Split, TRAIN_START, day, handbook_set, metrics, print_row, rich_set,
    shuffle, spread, standard_set,
};
use dafu_examples::replayed::{Features, Medians, Rows, open, real_data, replay, write_matrix};
use dafu_examples::sequence::{CONTEXT_DAYS, Customers, Lstm, Seeds, mixed, paired_change};
use dafu_examples::usage::usage;
use ndarray::{Array1, Array2, ArrayView2};
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str =
    "handbook_protocol [--input FILE] [--train-start DATE] [--train-days N] [--delay-days N]
                  [--test-days N] [--learn-from DATE] [--weeks N] [--seeds N] [--importance N] [--matrix DIR]
                  [--models NAME,NAME] [--sets NAME,NAME] [--lstm-weight W,W]";
const NAMES: [&str; 13] = [
    "models",
    "sets",
    "learn-from",
    "input",
    "train-start",
    "train-days",
    "delay-days",
    "test-days",
    "weeks",
    "seeds",
    "importance",
    "matrix",
    "lstm-weight",
];
/// Models that are also mixed.
const MIXED: [&str; 2] = ["boosted_trees", "lstm"];
/// Weight of the LSTM in the mix.
const LSTM_WEIGHT: f64 = 0.4;
/// Seeds lie this far apart.
const SEED_STEP: u64 = 1_000_003;
/// Permutations of each column.
const REPEATS: u64 = 3;

type Outcome<T> = Result<T, Box<dyn Error>>;
/// Scores of rows, higher for those that are more suspicious.
type Scorer<'a> = Box<dyn Fn(ArrayView2<'_, f64>) -> Outcome<Vec<f64>> + 'a>;

/// What a model may learn from.
struct Training<'a> {
    rows: ArrayView2<'a, f64>,
    /// For supervised models.
    frauds: &'a [bool],
    /// For models that read what customers did before.
    customers: Customers<'a>,
    seed: u64,
}

struct Model {
    name: &'static str,
    /// Whether it has to be given numbers where values are missing.
    fills: bool,
    /// Whether its results depend on the seed.
    seeded: bool,
    fit: for<'a> fn(&Training<'a>) -> Outcome<Scorer<'a>>,
}

/// One line a model.
const MODELS: [Model; 8] = [
    Model {
        name: "forest",
        fills: true,
        seeded: true,
        fit: fit_forest,
    },
    Model {
        name: "boosted_trees",
        fills: false,
        seeded: false,
        fit: |training| learn(training, &BoostedTreesParams::default()),
    },
    Model {
        name: "easy_ensemble",
        fills: false,
        seeded: true,
        fit: |training| {
            let params = EasyEnsembleParams::easy_ensemble();
            learn(training, &params.seed(training.seed))
        },
    },
    Model {
        name: "random_forest",
        fills: false,
        seeded: true,
        fit: |training| {
            let params = RandomForestParams::default();
            learn(training, &params.seed(training.seed))
        },
    },
    Model {
        name: "logistic_regression",
        fills: false,
        seeded: false,
        fit: |training| learn(training, &LogisticRegressionParams::default()),
    },
    Model {
        name: "neural_net",
        fills: false,
        seeded: true,
        fit: |training| {
            let params = NeuralNetParams::default();
            learn(training, &params.seed(training.seed))
        },
    },
    Model {
        name: "lstm",
        fills: false,
        seeded: true,
        fit: |training| {
            let lstm = Lstm::fit(training.customers, training.rows, training.seed)?;
            Ok(Box::new(move |rows| lstm.log_odds(rows)))
        },
    },
    // A vote in which all count the same: nothing about it is chosen.
    Model {
        name: "blend",
        fills: false,
        seeded: true,
        fit: |training| {
            let vote = Combination::Vote {
                kind: VoteKind::LogOdds,
                weights: VoteWeights::Equal,
            };
            let easy = EasyEnsembleParams::easy_ensemble().seed(training.seed);
            let forest = RandomForestParams::default().seed(training.seed);
            let blend = BlendParams::new(vote, BlendFolds::Given(Vec::new()))
                .member("boosted_trees", Box::new(BoostedTreesParams::default()))
                .member("easy_ensemble", Box::new(easy))
                .member("random_forest", Box::new(forest));
            learn(training, &blend)
        },
    },
];

fn learn<'a>(training: &Training<'_>, learner: &dyn Learner) -> Outcome<Scorer<'a>> {
    let model = learner.learn(&Samples::new(training.rows, training.frauds)?)?;
    Ok(Box::new(move |rows| {
        let mut scores = vec![0.0; rows.nrows()];
        model.log_odds_rows(rows, &mut scores)?;
        Ok(scores)
    }))
}

fn fit_forest<'a>(training: &Training<'_>) -> Outcome<Scorer<'a>> {
    let params = IsolationForestParams::default().trees(100).sample_size(256);
    let forest = params.seed(training.seed).fit(training.rows)?;
    Ok(Box::new(move |rows| {
        let mut scores = vec![0.0; rows.nrows()];
        forest.score_rows(rows, &mut scores)?;
        Ok(scores)
    }))
}

fn main() -> ExitCode {
    dafu_examples::exit(run())
}

fn run() -> Outcome<()> {
    let Some(args) = Args::read(USAGE, &NAMES)? else {
        return Ok(());
    };
    let Some(input) = real_data(&args, FILE) else {
        return Ok(());
    };
    let started = Instant::now();
    let split = Split {
        start: day(args.value("train-start").unwrap_or(TRAIN_START))?,
        train: args.parsed("train-days", 7)?,
        delay: args.parsed("delay-days", 7)?,
        test: args.parsed("test-days", 7)?,
        learn_from: match args.value("learn-from") {
            None => None,
            Some(date) => Some(format!("{date}T00:00:00Z").parse::<Timestamp>()?.day()),
        },
    };
    let weeks: i64 = args.parsed("weeks", 1)?;
    let seeds: u64 = args.parsed("seeds", 10)?;
    if weeks < 1 || seeds < 1 {
        return Err("--weeks and --seeds must be at least 1".into());
    }

    // One pass over the file for all sets and weeks. A set without label features is a part of the set with them.
    let sets = [
        ("handbook", handbook_set(split.delay)?),
        ("rich", rich_set(split.delay)?),
        ("standard", standard_set(split.delay)?),
    ];
    let wanted = |model: &&Model| match args.value("models") {
        None => true,
        Some(names) => names.split(',').any(|name| name == model.name),
    };
    let models: Vec<&Model> = MODELS.iter().filter(wanted).collect();
    let weights = args.list("lstm-weight")?.unwrap_or(vec![LSTM_WEIGHT]);
    let context = match models.iter().any(|model| model.name == "lstm") {
        true => CONTEXT_DAYS,
        false => 0,
    };
    let first = split.earlier(weeks - 1).learn_days().start - context;
    let days = first..split.test_days().end;
    let bars = Bars::default();
    let mut rows = replay(&open(&input)?, &sets, &days, &bars)?;
    bars.finish();
    let with_labels = std::mem::take(&mut rows.sets);
    for (features, (name, set)) in with_labels.into_iter().zip(sets) {
        let without = features.of_set(&format!("{name}_no_labels"), &set.without_labels())?;
        rows.sets.extend([features, without]);
    }
    if let Some(names) = args.value("sets") {
        rows.sets
            .retain(|set| names.split(',').any(|name| name == set.name));
    }

    let week = Week::new(&rows, split)?;
    week.print(&rows);
    if let Some(folder) = args.value("matrix") {
        week.write(Path::new(folder), &rows)?;
    }
    let mut judging = vec![&week];
    let mut earlier = Vec::new();
    for back in 1..weeks {
        earlier.push(Week::new(&rows, split.earlier(back))?);
    }
    judging.extend(&earlier);
    let most = args.parsed("importance", 10)?;
    let (mut results, mut changes) = (Vec::new(), Vec::new());
    for features in &rows.sets {
        let mut mixable = Vec::new();
        for model in &models {
            let timed = Instant::now();
            let mut scores = Vec::new();
            for week in &judging {
                scores.push(week.scores(&rows, features, model, seeds)?);
            }
            let name = format!("{}_{}", model.name, features.name);
            let importance = match most {
                0 => String::new(),
                most => week.importance(&rows, features, model, most)?,
            };
            eprintln!("{name:<32}{:>8.2} s", timed.elapsed().as_secs_f64());
            results.push(Judged::new(name, &judging, &scores, importance)?);
            if MIXED.contains(&model.name) {
                mixable.push(scores);
            }
        }
        let [trees, lstm] = &mixable[..] else {
            continue;
        };
        for weight in &weights {
            let share = match &weights[..] {
                [_] => String::new(),
                _ => format!("_{weight}"),
            };
            let name = format!("{}{share}_{}", MIXED.join("_"), features.name);
            let scores = mixed(trees, lstm, *weight);
            let frauds: Vec<&[bool]> = judging.iter().map(|week| &*week.frauds).collect();
            let change = paired_change(&frauds, (trees, &scores), &Bootstrap::default())?;
            changes.push((name.clone(), change));
            results.push(Judged::new(name, &judging, &scores, String::new())?);
        }
    }
    print_results(&results, &week);
    for (name, change) in changes {
        println!(
            "paired model={name} change={:+.4} from={:+.4} to={:+.4} weeks={weeks} seeds={seeds}",
            change.value, change.lower, change.upper
        );
    }
    let cost = usage().map_or(String::new(), |cost| format!(", {cost}"));
    eprintln!("took {:.2} s{cost}", started.elapsed().as_secs_f64());
    Ok(())
}

/// What a model reached.
struct Judged {
    name: String,
    /// By week, the latest first, and seed.
    judged: Vec<Vec<Metrics>>,
    /// Lines on its columns.
    importance: String,
}

impl Judged {
    fn new(name: String, weeks: &[&Week], scores: &[Seeds], importance: String) -> Outcome<Self> {
        let judge = |(week, seeds): (&&Week, &Seeds)| {
            let metrics = seeds.iter().map(|scores| week.metrics(scores));
            metrics.collect::<Outcome<Vec<Metrics>>>()
        };
        Ok(Self {
            name,
            judged: weeks
                .iter()
                .zip(scores)
                .map(judge)
                .collect::<Outcome<_>>()?,
            importance,
        })
    }
}

/// One training and test week.
struct Week {
    split: Split,
    train: Vec<usize>,
    test: Vec<usize>,
    train_frauds: Vec<bool>,
    /// Of the test rows.
    frauds: Vec<bool>,
    days: Vec<i64>,
    customers: Vec<u32>,
}

impl Week {
    fn new(rows: &Rows, split: Split) -> Outcome<Self> {
        let (train, test) = split.rows(rows);
        if train.is_empty() || test.is_empty() {
            let first = date(split.learn_days().start)?;
            return Err(format!("no rows to learn from or to judge, training from {first}").into());
        }
        Ok(Self {
            split,
            train_frauds: train.iter().map(|&row| rows.frauds[row]).collect(),
            frauds: test.iter().map(|&row| rows.frauds[row]).collect(),
            days: test.iter().map(|&row| rows.days[row]).collect(),
            customers: test.iter().map(|&row| rows.customers[row]).collect(),
            train,
            test,
        })
    }

    /// Training and test rows; on demand, missing values are replaced by the medians of training.
    fn matrices(&self, features: &Features, fill: bool) -> Outcome<(Array2<f64>, Array2<f64>)> {
        let mut train = features.matrix(&self.train)?;
        let mut test = features.matrix(&self.test)?;
        if fill {
            let medians = Medians::of(&train);
            medians.fill(&mut train);
            medians.fill(&mut test);
        }
        Ok((train, test))
    }

    fn metrics(&self, scores: &[f64]) -> Outcome<Metrics> {
        metrics(&self.days, &self.customers, &self.frauds, scores)
    }

    fn customers<'a>(&'a self, rows: &'a Rows, features: &'a Features) -> Customers<'a> {
        Customers {
            rows,
            features,
            train: &self.train,
            test: &self.test,
        }
    }

    fn scores(
        &self,
        rows: &Rows,
        features: &Features,
        model: &Model,
        seeds: u64,
    ) -> Outcome<Seeds> {
        let (train, test) = self.matrices(features, model.fills)?;
        let seeds = if model.seeded { seeds } else { 1 };
        let score = |seed| {
            let training = Training {
                rows: train.view(),
                frauds: &self.train_frauds,
                customers: self.customers(rows, features),
                seed: seed * SEED_STEP,
            };
            (model.fit)(&training)?(test.view())
        };
        (0..seeds).map(score).collect()
    }

    /// How much average precision and ROC AUC drop when the values of a column are shuffled among the test rows: lines
    /// for the columns that matter most, of the first seed.
    fn importance(
        &self,
        rows: &Rows,
        features: &Features,
        model: &Model,
        most: usize,
    ) -> Outcome<String> {
        let (train, mut test) = self.matrices(features, model.fills)?;
        let training = Training {
            rows: train.view(),
            frauds: &self.train_frauds,
            customers: self.customers(rows, features),
            seed: 0,
        };
        let scorer = (model.fit)(&training)?;
        let whole = self.metrics(&scorer(test.view())?)?;
        let mut drops = Vec::new();
        for (column, name) in features.columns.iter().enumerate() {
            let values = test.column(column).to_owned();
            let mut drop = [0.0; 2];
            for repeat in 0..REPEATS {
                let mut shuffled = values.to_vec();
                shuffle(&mut shuffled, repeat);
                test.column_mut(column).assign(&Array1::from(shuffled));
                let without = self.metrics(&scorer(test.view())?)?;
                for (drop, (whole, without)) in drop.iter_mut().zip(whole.iter().zip(without)) {
                    *drop += (whole - without) / REPEATS as f64;
                }
            }
            test.column_mut(column).assign(&values);
            drops.push((name, drop));
        }
        drops.sort_by(|a, b| b.1[1].total_cmp(&a.1[1]));
        let mut text = String::new();
        for (name, [auc, ap]) in drops.into_iter().take(most) {
            writeln!(text, "  {name:<44}{auc:>+9.4}{ap:>+9.4}")?;
        }
        Ok(text)
    }

    fn print(&self, rows: &Rows) {
        let days = |days: std::ops::Range<i64>| -> Outcome<String> {
            Ok(format!("{} to {}", date(days.start)?, date(days.end - 1)?))
        };
        let text = |range| days(range).unwrap_or_default();
        let count = |frauds: &[bool]| frauds.iter().filter(|fraud| **fraud).count();
        println!("{} transactions replayed", rows.read);
        println!(
            "train  {}: {} rows, {} frauds",
            text(self.split.learn_days()),
            self.train.len(),
            count(&self.train_frauds)
        );
        println!(
            "test   {}: {} rows, {} frauds",
            text(self.split.test_days()),
            self.test.len(),
            count(&self.frauds)
        );
        for features in &rows.sets {
            println!(
                "set    {}: {} columns",
                features.name,
                features.columns.len()
            );
        }
    }

    /// Writes the rows that models get, for other programs: `SET_train.f64` and `SET_test.f64` (little endian, row
    /// after row), `train_frauds.u8`, `test_frauds.u8`, `test_days.i64`, `test_customers.u32`, and `matrices.json`.
    fn write(&self, folder: &Path, rows: &Rows) -> Outcome<()> {
        fs::create_dir_all(folder)?;
        let mut sets = Vec::new();
        for features in &rows.sets {
            let (train, test) = self.matrices(features, true)?;
            let name = &features.name;
            write_matrix(&folder.join(format!("{name}_train.f64")), &train)?;
            write_matrix(&folder.join(format!("{name}_test.f64")), &test)?;
            let columns = features.columns.join("\", \"");
            sets.push(format!(
                "    {{\"name\": \"{name}\", \"columns\": [\"{columns}\"]}}"
            ));
        }
        let bytes = |frauds: &[bool]| {
            frauds
                .iter()
                .map(|&fraud| u8::from(fraud))
                .collect::<Vec<_>>()
        };
        fs::write(folder.join("train_frauds.u8"), bytes(&self.train_frauds))?;
        fs::write(folder.join("test_frauds.u8"), bytes(&self.frauds))?;
        let days: Vec<u8> = self.days.iter().flat_map(|day| day.to_le_bytes()).collect();
        fs::write(folder.join("test_days.i64"), days)?;
        let customers = self.customers.iter().flat_map(|user| user.to_le_bytes());
        fs::write(
            folder.join("test_customers.u32"),
            customers.collect::<Vec<u8>>(),
        )?;
        let header = format!(
            "{{\n  \"train_rows\": {},\n  \"test_rows\": {},\n  \"sets\": [\n{}\n  ]\n}}\n",
            self.train.len(),
            self.test.len(),
            sets.join(",\n")
        );
        Ok(fs::write(folder.join("matrices.json"), header)?)
    }
}

fn date(day: i64) -> Outcome<String> {
    Ok(Timestamp::from_seconds(day * 86_400)?.date())
}

fn print_results(results: &[Judged], week: &Week) {
    let header = format!("{:>8}{:>16}{:>16}", "ROC AUC", "AP", "CP@100");
    println!("\n{:<50}{header}", "published");
    for (name, metrics) in PUBLISHED {
        print_row(name, &[metrics]);
    }
    // Models without a seed are judged once.
    let seeds = results.iter().map(|result| result.judged[0].len()).max();
    let seeds = seeds.unwrap_or_default();
    println!(
        "\n{:<50}{header}",
        format!("ours, mean (standard deviation) of {seeds} seeds")
    );
    for result in results {
        print_row(&result.name, &result.judged[0]);
    }
    let weeks = results.first().map_or(0, |result| result.judged.len());
    if weeks > 1 {
        println!(
            "\n{:<50}{header}",
            format!("ours, mean (standard deviation) of {weeks} weeks")
        );
        for result in results {
            // Each week counts by the mean of its seeds.
            let means: Vec<Metrics> = result.judged.iter().map(|week| spread(week).0).collect();
            print_row(&result.name, &means);
        }
    }
    for result in results
        .iter()
        .filter(|result| !result.importance.is_empty())
    {
        println!(
            "\n{:<46}{:>9}{:>9}",
            format!("{}: drop when shuffled", result.name),
            "ROC AUC",
            "AP"
        );
        print!("{}", result.importance);
    }
    println!();
    for result in results {
        let (mean, deviation) = spread(&result.judged[0]);
        let [auc, ap, cp] = mean;
        let [auc_sd, ap_sd, cp_sd] = deviation.unwrap_or_default();
        let seeds = result.judged[0].len();
        println!(
            "seeds model={} seeds={seeds} auc={auc:.5} auc_sd={auc_sd:.5} ap={ap:.5} ap_sd={ap_sd:.5} \
             cp100={cp:.5} cp100_sd={cp_sd:.5}",
            result.name
        );
    }
    let frauds = week.frauds.iter().filter(|fraud| **fraud).count();
    for result in results {
        let [auc, ap, cp] = spread(&result.judged[0]).0;
        println!(
            "protocol model={} auc={auc:.3} ap={ap:.3} cp100={cp:.3} train_rows={} test_rows={} frauds={frauds}",
            result.name,
            week.train.len(),
            week.test.len(),
        );
    }
}
