//! Members of different nature, blended and calibrated: what each is worth, what they are worth together, and whether a
//! probability of 10 % means one fraud in ten.
//!
//! Run: `cargo run --release --example blend_and_calibrate`, with `DAFU_DATA=DATA` on the transactions of the Fraud
//! Detection Handbook, else on simulated ones.
//!
//! The protocol is the one of `handbook_protocol`: seven days to learn from, seven until their labels are known, seven to be
//! judged. Everything that is chosen is chosen on weeks whose labels are known before the week that is judged begins:
//! weights of the blend on three of them, the way of blending and the calibration on a later one.
//!
//! Arguments: `--input FILE`, `--train-start DATE` (default 2018-07-25), `--figures DIR` (writes
//! `blend_precision_recall.svg` and `blend_reliability.svg`), `--users N` (simulated ones, default 1,000), `--seed N` (default
//! 1).
//!
//! Expected output: `examples/expected/blend_and_calibrate.txt`, on simulated transactions.

use dafu::ensemble::combine::{
    Blend, Combination, Combiner, GreedyParams, MemberScores, StackParams, VoteKind, VoteWeights,
    WeekScores,
};
use dafu::ensemble::select::{Fold, Metric};
use dafu::ensemble::{
    BalancedBaggingParams, BoostedTreesParams, CalibrationMethod, Calibrator, Learner,
    LogisticRegressionParams, NeuralNetParams, RandomForestParams, Samples,
};
use dafu::ingest::FileSource;
use dafu::metrics::{CurvePoints, Ranking, TopCalibrationParams, top_calibration};
use dafu::report::Figure;
use dafu::sim::{CsvColumns, SimulatorParams, write_csv};
use dafu_examples::args::Args;
use dafu_examples::bar::Bars;
use dafu_examples::handbook::{
    FILE, Metrics, PUBLISHED, Split, TRAIN_START, day, metrics, rich_set,
};
use dafu_examples::payments::more_frauds;
use dafu_examples::probabilities::{print_header, print_probabilities};
use dafu_examples::replayed::{Rows, open, replay, wide};
use ndarray::{Array2, Axis};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "blend_and_calibrate [--input FILE] [--train-start DATE] [--figures DIR] [--users N] [--seed N]";
/// Weeks that weights are chosen on, counted back from the one that is judged: the labels of the last two are not known.
const WEIGHT_WEEKS: [i64; 3] = [5, 4, 3];
/// The week to calibrate on.
const CALIBRATION_WEEK: i64 = 2;
/// Share of the rows that the reliability diagram shows: those with the highest probabilities.
const SHOWN_SHARE: f64 = 0.05;
/// Training begins on this day of simulated payments.
const SIMULATED_START: i64 = 49;

type Done<T> = Result<T, Box<dyn Error>>;
type Member = (&'static str, Box<dyn Learner>);

fn main() -> ExitCode {
    dafu_examples::exit(run())
}

fn run() -> Done<()> {
    let Some(args) = Args::read(USAGE, &["input", "train-start", "figures", "users", "seed"])?
    else {
        return Ok(());
    };
    let started = Instant::now();
    let data = std::env::var_os("DAFU_DATA").map(|folder| Path::new(&folder).join(FILE));
    let path = args.value("input").map(|path| Path::new(path).to_owned());
    let (source, start, book) = match path.or(data) {
        Some(path) => {
            let start = day(args.value("train-start").unwrap_or(TRAIN_START))?;
            (open(&path)?, start, true)
        }
        None => simulated(args.parsed("users", 1_000)?, args.parsed("seed", 1)?)?,
    };
    let split = Split {
        start,
        train: 7,
        delay: 7,
        test: 7,
        learn_from: None,
    };
    let days = split.earlier(WEIGHT_WEEKS[0]).start..split.test_days().end;
    let bars = Bars::default();
    let rows = replay(&source, &[("rich", rich_set(split.delay)?)], &days, &bars)?;
    bars.finish();

    let weeks = Weeks::new(&rows, split)?;
    let members = members(args.parsed("seed", 1)?);
    let chosen = weeks.choose(&members)?;
    let judged = weeks.judge(&members, &chosen)?;
    judged.print(book);
    judged.print_probabilities(&chosen)?;
    if let Some(folder) = args.value("figures") {
        judged.draw(Path::new(folder), &chosen)?;
    }
    eprintln!("took {:.2} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// A file of simulated payments, and the day on which training begins.
fn simulated(users: u32, seed: u64) -> Done<(FileSource, i64, bool)> {
    println!("simulated payments; with DAFU_DATA the book's, and what is published on them");
    let params = SimulatorParams::default()
        .users(users)
        .days(70)
        .rates(more_frauds(2.0))
        .seed(seed);
    let start = params.start.day() + SIMULATED_START;
    let mut file = Vec::new();
    write_csv(params.simulator()?, &mut file, CsvColumns::Required)?;
    Ok((FileSource::from_bytes(file, &wide())?, start, false))
}

/// Trees that correct each other, trees on balanced bags, trees that vote, a line, and a network.
fn members(seed: u64) -> Vec<Member> {
    let trees = BoostedTreesParams::default()
        .n_estimators(150)
        .learning_rate(0.06)
        .max_leaves(8)
        .seed(seed);
    vec![
        ("boosted trees", Box::new(trees)),
        (
            "EasyEnsemble",
            Box::new(BalancedBaggingParams::easy_ensemble().seed(seed)),
        ),
        (
            "random forest",
            Box::new(RandomForestParams::default().min_leaf_rows(3).seed(seed)),
        ),
        (
            "logistic regression",
            Box::new(LogisticRegressionParams::default()),
        ),
        (
            "neural network",
            Box::new(NeuralNetParams::default().epochs(10).seed(seed)),
        ),
    ]
}

/// Rows of all weeks, and which weeks they are.
struct Weeks<'a> {
    rows: &'a Rows,
    matrix: Array2<f64>,
    split: Split,
}

/// What was decided before the week that is judged.
struct Chosen {
    combiners: Vec<(&'static str, Combiner)>,
    /// Which of them is used.
    best: usize,
    calibrator: Calibrator,
    /// Share of frauds in the calibration week.
    prior: f64,
}

impl<'a> Weeks<'a> {
    fn new(rows: &'a Rows, split: Split) -> Done<Self> {
        let features = rows.sets.first().ok_or("no features")?;
        let all: Vec<usize> = (0..rows.days.len()).collect();
        let matrix = features.matrix(&all)?;
        println!(
            "{} transactions replayed, {} features",
            rows.read,
            features.columns.len()
        );
        Ok(Self {
            rows,
            matrix,
            split,
        })
    }

    fn fold(&self, weeks_back: i64) -> Fold {
        let (train, test) = self.split.earlier(weeks_back).rows(self.rows);
        Fold { train, test }
    }

    fn print(&self, name: &str, fold: &Fold) {
        let frauds = |rows: &[usize]| rows.iter().filter(|row| self.rows.frauds[**row]).count();
        println!(
            "{name:<22}learn {:>6} rows, {:>4} frauds; judge {:>6} rows, {:>4} frauds",
            fold.train.len(),
            frauds(&fold.train),
            fold.test.len(),
            frauds(&fold.test)
        );
    }

    fn choose(&self, members: &[Member]) -> Done<Chosen> {
        let samples = Samples::new(self.matrix.view(), &self.rows.frauds)?;
        let learners: Vec<(&str, &dyn Learner)> = members
            .iter()
            .map(|(name, learner)| (*name, &**learner))
            .collect();
        let folds = WEIGHT_WEEKS.map(|week| self.fold(week));
        for (fold, back) in folds.iter().zip(WEIGHT_WEEKS) {
            self.print(&format!("weights, {back} weeks back"), fold);
        }
        let known = MemberScores::learn(&learners, &samples, &folds)?;
        let later = self.fold(CALIBRATION_WEEK);
        self.print("calibration, 2 back", &later);
        let later = MemberScores::learn(&learners, &samples, &[later])?;
        let later = later.weeks().first().ok_or("no calibration week")?;

        let vote = |weights| Combination::Vote {
            kind: VoteKind::Probability,
            weights,
        };
        let ways = [
            ("mean", vote(VoteWeights::Equal)),
            (
                "greedy selection",
                vote(VoteWeights::Greedy(GreedyParams::default())),
            ),
            ("stack", Combination::Stack(StackParams::default())),
        ];
        let mut combiners = Vec::new();
        let mut best: Option<(f64, usize, Vec<f64>)> = None;
        for (number, (name, way)) in ways.into_iter().enumerate() {
            let combiner = way.fit(&known, &Metric::average_precision())?;
            let scores = combined(&combiner, later)?;
            let ranking = Ranking::new(&later.frauds, &scores, None)?;
            let precision = ranking.average_precision()?;
            if best.as_ref().is_none_or(|best| precision > best.0) {
                best = Some((precision, number, scores));
            }
            combiners.push((name, combiner));
        }
        let (_, best, scores) = best.ok_or("no way to blend")?;
        let frauds = later.frauds.iter().filter(|fraud| **fraud).count();
        Ok(Chosen {
            combiners,
            best,
            calibrator: CalibrationMethod::Platt.fit(&scores, &later.frauds, None)?,
            prior: frauds as f64 / later.frauds.len() as f64,
        })
    }

    /// Learns the members on the last known week and asks all about the week that is judged.
    fn judge(&self, members: &[Member], chosen: &Chosen) -> Done<JudgedWeek> {
        let fold = self.fold(0);
        self.print("judged", &fold);
        let of = |rows: &[usize]| -> Vec<bool> {
            rows.iter().map(|&row| self.rows.frauds[row]).collect()
        };
        let train_frauds = of(&fold.train);
        let train = self.matrix.select(Axis(0), &fold.train);
        let samples = Samples::new(train.view(), &train_frauds)?;
        let test = self.matrix.select(Axis(0), &fold.test);
        let mut models = Vec::new();
        for (name, learner) in members {
            let timed = Instant::now();
            models.push(((*name).to_owned(), learner.learn(&samples)?));
            eprintln!("{name:<22}{:>8.2} s", timed.elapsed().as_secs_f64());
        }
        let (_, combiner) = &chosen.combiners[chosen.best];
        let blend = Blend::new(models, combiner.clone(), Vec::new())?;

        let mut scores = Array2::zeros((fold.test.len(), members.len()));
        for (mut column, (_, model)) in scores.columns_mut().into_iter().zip(blend.members()) {
            let mut log_odds = vec![0.0; fold.test.len()];
            model.log_odds_rows(test.view(), &mut log_odds)?;
            column.assign(&ndarray::ArrayView1::from(&log_odds));
        }
        let week = WeekScores {
            frauds: of(&fold.test),
            rows: fold.test.clone(),
            weights: None,
            scores,
        };
        let mut blended = vec![0.0; fold.test.len()];
        blend.log_odds_rows(test.view(), &mut blended)?;

        let days: Vec<i64> = fold.test.iter().map(|&row| self.rows.days[row]).collect();
        let customers: Vec<u32> = fold
            .test
            .iter()
            .map(|&row| self.rows.customers[row])
            .collect();
        let judge = |scores: &[f64]| metrics(&days, &customers, &week.frauds, scores);
        let mut lines: Vec<(String, Metrics)> = Vec::new();
        let mut curves: Vec<(String, Vec<f64>)> = Vec::new();
        for ((name, _), column) in members.iter().zip(week.scores.columns()) {
            lines.push(((*name).to_owned(), judge(&column.to_vec())?));
            curves.push(((*name).to_owned(), column.to_vec()));
        }
        for (number, (name, combiner)) in chosen.combiners.iter().enumerate() {
            let mark = if number == chosen.best {
                ", chosen"
            } else {
                ""
            };
            let name = format!("blend by {name}{mark}");
            lines.push((name, judge(&combined(combiner, &week)?)?));
        }
        curves.insert(0, ("blend".to_owned(), blended.clone()));
        Ok(JudgedWeek {
            frauds: week.frauds,
            lines,
            curves,
            blended,
        })
    }
}

fn combined(combiner: &Combiner, week: &WeekScores) -> Done<Vec<f64>> {
    let mut scores = vec![0.0; week.scores.nrows()];
    combiner.combine_rows(week.scores.view(), &mut scores)?;
    Ok(scores)
}

/// Answers for the week that is judged.
struct JudgedWeek {
    frauds: Vec<bool>,
    lines: Vec<(String, Metrics)>,
    /// Scores by model, the blend first.
    curves: Vec<(String, Vec<f64>)>,
    /// Log odds of the blend that was chosen.
    blended: Vec<f64>,
}

impl JudgedWeek {
    fn print(&self, book: bool) {
        let header = format!("{:>9}{:>9}{:>9}", "ROC AUC", "AP", "CP@100");
        if book {
            println!("\n{:<50}{header}", "published");
            for (name, metrics) in PUBLISHED {
                print_line(name, &metrics);
            }
        }
        println!("\n{:<50}{header}", "ours");
        for (name, metrics) in &self.lines {
            print_line(name, metrics);
        }
    }

    /// The blend as it is, calibrated, and what was known without a model.
    fn probabilities(&self, chosen: &Chosen) -> Done<[(&'static str, Vec<f64>); 3]> {
        let by = |calibrator: &Calibrator| -> Done<Vec<f64>> {
            let said = calibrator.calibrate_rows(&self.blended)?;
            Ok(said
                .into_iter()
                .map(|probability| probability.get())
                .collect())
        };
        Ok([
            ("raw", by(&Calibrator::linear(1.0, 0.0)?)?),
            ("calibrated", by(&chosen.calibrator)?),
            ("prior", vec![chosen.prior; self.frauds.len()]),
        ])
    }

    fn print_probabilities(&self, chosen: &Chosen) -> Done<()> {
        let (_, combiner) = &chosen.combiners[chosen.best];
        if let Some(weights) = combiner.weights() {
            let named = self.lines.iter().zip(weights);
            let named: Vec<String> = named
                .map(|((name, _), weight)| format!("{name} {weight:.2}"))
                .collect();
            println!("\nweights: {}", named.join(", "));
        }
        print_header();
        for (name, said) in self.probabilities(chosen)? {
            print_probabilities(name, &said, &self.frauds, chosen.prior)?;
        }
        Ok(())
    }

    fn draw(&self, folder: &Path, chosen: &Chosen) -> Done<()> {
        std::fs::create_dir_all(folder)?;
        let mut curves = Vec::new();
        for (name, scores) in &self.curves {
            let ranking = Ranking::new(&self.frauds, scores, None)?;
            let precision = ranking.average_precision()?;
            let curve = ranking.precision_recall_curve(CurvePoints::Corners)?;
            curves.push((format!("{name}, AP {precision:.3}"), curve));
        }
        let named: Vec<_> = curves
            .iter()
            .map(|(name, curve)| (&**name, curve))
            .collect();
        let frauds = self.frauds.iter().filter(|fraud| **fraud).count();
        let figure = Figure::of_precision_recall(&named, frauds as f64 / self.frauds.len() as f64);
        std::fs::write(folder.join("blend_precision_recall.svg"), figure.to_svg())?;

        // Of all rows, nearly all would be in bins without a fraud.
        let params = TopCalibrationParams::default().share(SHOWN_SHARE).bins(8);
        let [raw, calibrated, _] = self.probabilities(chosen)?;
        let mut bins = Vec::new();
        for (name, said) in [raw, calibrated] {
            let top = top_calibration(&self.frauds, &said, None, &params)?;
            bins.push((name, top.calibration));
        }
        let named: Vec<_> = bins.iter().map(|(name, bins)| (*name, bins)).collect();
        let figure = Figure::of_reliability(&named);
        std::fs::write(folder.join("blend_reliability.svg"), figure.to_svg())?;
        Ok(())
    }
}

fn print_line(name: &str, [auc, precision, cards]: &Metrics) {
    println!("{name:<50}{auc:>9.3}{precision:>9.3}{cards:>9.3}");
}
