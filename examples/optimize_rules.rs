//! Rules from past payments: mined, confirmed on later ones, tested on still later ones, chosen for a budget, weighed.
//!
//! Run: `cargo run --release --example optimize_rules`, or with `DAFU_DATA=DATA` on the Handbook's features.
//!
//! Arguments: `--input FILE` (the Handbook's payments, in place of `DAFU_DATA`), `--train-start DATE` (of the Handbook's week
//! that confirms, default 2018-07-25), `--alerts N` a day (default 30), `--min-precision P` (default 0.8), `--figure DIR`
//! (precision against alerts as SVG), `--seed N` (of simulated payments).
//!
//! With the Handbook's data rules are learned from 2018-05-08 to 07-17, confirmed on the last week before the book's labels
//! are known (07-25 to 07-31; what is chosen, is chosen there), and tested on 08-08 to 08-14 as the book does: without
//! customers whose fraud is known. Without them payments are simulated.
//!
//! Expected output: `examples/expected/optimize_rules.txt`, without data.

use dafu::rules::optimize::{
    AlertBudget, Backtest, Goal, Holdout, Judged, MineParams, SelectParams, WeightParams,
};
use dafu::rules::{Columns, Condition, RuleSchema, RuleSet, Variable};
use dafu::{Label, NoProgress, Timestamp};
use dafu_examples::args::Args;
use dafu_examples::drawing::{self, Anchor, Drawing};
use dafu_examples::handbook::{FILE, Split, TRAIN_START, day, handbook_set};
use dafu_examples::payments::Payments;
use dafu_examples::replayed::{open, replay};
use ndarray::{Array2, Axis, Slice};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

const USAGE: &str = "optimize_rules [--input FILE] [--train-start DATE] [--alerts N] [--min-precision P] [--figure DIR] [--seed N]";
/// Days until a label is known.
const DELAY: i64 = 7;
const DAY: u64 = 86_400;

/// Payments of some days.
struct Part {
    numbers: Array2<f64>,
    labels: Vec<Label>,
    times: Vec<Timestamp>,
}

impl Part {
    fn columns(&self) -> Result<Columns<'_>, Box<dyn Error>> {
        let columns = Columns::new(self.labels.len()).times(&self.times)?;
        let columns = self
            .numbers
            .columns()
            .into_iter()
            .try_fold(columns, Columns::number);
        Ok(columns?)
    }

    fn judged(&self) -> Result<Judged<'_>, Box<dyn Error>> {
        Ok(Judged::new(&self.labels).times(&self.times)?)
    }

    fn line(&self, name: &str) {
        let frauds = self
            .labels
            .iter()
            .filter(|label| **label == Label::Fraud)
            .count();
        println!("{name}: {} payments, {frauds} frauds", self.labels.len());
    }
}

/// What rules are learned from, and what they are tested on.
struct Data {
    schema: RuleSchema,
    /// The last days of it confirm what the others found.
    learn: Part,
    confirm_from: Timestamp,
    test: Part,
}

impl Data {
    /// The days that confirm what was found.
    fn confirm(&self) -> Part {
        let first = self
            .learn
            .times
            .partition_point(|time| *time < self.confirm_from);
        let numbers = self.learn.numbers.slice_axis(Axis(0), Slice::from(first..));
        Part {
            numbers: numbers.to_owned(),
            labels: self.learn.labels[first..].to_vec(),
            times: self.learn.times[first..].to_vec(),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let Some(args) = Args::read(
        USAGE,
        &[
            "input",
            "train-start",
            "alerts",
            "min-precision",
            "figure",
            "seed",
        ],
    )?
    else {
        return Ok(());
    };
    let folder = std::env::var_os("DAFU_DATA").map(|folder| Path::new(&folder).join(FILE));
    let data = match args.value("input").map(PathBuf::from).or(folder) {
        Some(file) => handbook(
            &file,
            day(args.value("train-start").unwrap_or(TRAIN_START))?,
        )?,
        None => simulated(args.parsed("seed", 42)?)?,
    };
    data.learn.line("to learn from");
    data.test.line("to test on   ");

    // 1. Found on early payments, confirmed on later ones.
    let params = MineParams {
        min_precision: args.parsed("min-precision", 0.8)?,
        label_delay: Duration::from_secs(DELAY.unsigned_abs() * DAY),
        holdout: Holdout::From(data.confirm_from),
        ..MineParams::default()
    };
    let mined = params.mine(&data.schema, &data.learn.columns()?, &data.learn.judged()?)?;
    println!("\nmined:\n{mined}");

    // 2. Looked at once on payments that nothing was chosen by.
    let set = mined.rule_set();
    let engine = set.compile(&data.schema)?;
    let (columns, judged) = (data.test.columns()?, data.test.judged()?);
    let backtest = engine.backtest(&columns, &judged)?;
    println!("\ntest:\n{backtest}");
    let overlap = engine.overlap(&columns)?;
    let most = overlap
        .pairs
        .iter()
        .map(|pair| pair.jaccard)
        .fold(0.0, f64::max);
    println!("largest overlap of two rules {most:.2} (Jaccard)");

    // 3. As many as somebody can look at, chosen on the days that confirmed them.
    let alerts = args.parsed("alerts", 30.0)?;
    let confirm = data.confirm();
    let (columns, judged) = (confirm.columns()?, confirm.judged()?);
    let selection = SelectParams {
        budget: AlertBudget::PerDay(alerts),
        max_overlap: 0.5,
        ..SelectParams::default()
    };
    let chosen = engine.select(&columns, &judged, &selection)?;
    println!(
        "\n{alerts} alerts a day pay for {} of {} rules:",
        chosen.kept.len(),
        set.rules.len()
    );
    for kept in &chosen.kept {
        let rule = &set.rules[kept.rule];
        let stability = kept.stability.unwrap_or_default();
        println!(
            "  {}: {} more frauds with {} more alerts, chosen in {} of {} parts of the time",
            rule.id, kept.added.true_positives, kept.added.fired, stability.chosen, stability.folds
        );
    }

    // 4. One number moved: what the first rule would be with others.
    moved(&data, &set)?;

    // 5. Points instead of one score for all.
    let weights = engine.weights(&columns, &judged, &WeightParams::default())?;
    let points: Vec<String> = weights.points.iter().map(ToString::to_string).collect();
    println!("\npoints of the rules: {}", points.join(", "));
    if let Some(folder) = args.value("figure") {
        // Beside them what more and looser rules would bring.
        let looser = MineParams {
            min_precision: 0.2,
            max_rules: 12,
            ..params
        };
        let mined = looser.mine(&data.schema, &data.learn.columns()?, &data.learn.judged()?)?;
        let looser = mined.rule_set().compile(&data.schema)?;
        let looser = looser.backtest(&data.test.columns()?, &data.test.judged()?)?;
        let drawn = figure(&[
            ("rules above", &backtest, drawing::BLUE),
            ("up to 12 looser rules", &looser, drawing::RED),
        ]);
        std::fs::create_dir_all(folder)?;
        std::fs::write(Path::new(folder).join("rules_precision_alerts.svg"), drawn)?;
    }
    Ok(())
}

/// The Handbook's payments of the book's split, with its features.
fn handbook(file: &Path, start: i64) -> Result<Data, Box<dyn Error>> {
    let split = Split {
        start,
        train: 7,
        delay: DELAY,
        test: 7,
        learn_from: Some(day("2018-05-08")?),
    };
    let set = handbook_set(DELAY)?;
    let days = split.learn_days().start..split.test_days().end;
    let rows = replay(
        &open(file)?,
        &[("handbook", set.clone())],
        &days,
        &NoProgress,
    )?;
    let (learn, test) = split.rows(&rows);
    let midnight = |day: i64| Timestamp::from_seconds(day * DAY.cast_signed());
    let features = rows.sets.first().ok_or("no features")?;
    let part = |rows_of: &[usize]| -> Result<Part, Box<dyn Error>> {
        Ok(Part {
            numbers: features.matrix(rows_of)?,
            labels: rows_of.iter().map(|row| rows.frauds[*row].into()).collect(),
            times: rows_of
                .iter()
                .map(|row| midnight(rows.days[*row]))
                .collect::<Result<_, _>>()?,
        })
    };
    // Windows of a customer or terminal that is new are missing.
    let schema = RuleSchema::from_features(&set.schema()?)?;
    let variables = schema.variables().iter().cloned().map(Variable::nullable);
    Ok(Data {
        schema: RuleSchema::new(variables)?,
        learn: part(&learn)?,
        confirm_from: midnight(split.train_days().start)?,
        test: part(&test)?,
    })
}

/// Simulated payments with the standard features: 60 days to learn from, 7 between, 21 to test on.
fn simulated(seed: u64) -> Result<Data, Box<dyn Error>> {
    let payments = Payments::simulate(600, 90, seed)?;
    let part = |days: std::ops::Range<i64>| {
        let part = payments.on(days);
        Part {
            numbers: part.rows.to_owned(),
            labels: part.frauds.iter().map(|fraud| (*fraud).into()).collect(),
            times: part.records.iter().map(|record| record.timestamp).collect(),
        }
    };
    let learn = part(10..62);
    let first = payments
        .records
        .first()
        .ok_or("no payments")?
        .timestamp
        .day();
    Ok(Data {
        schema: RuleSchema::from_features(payments.features.schema())?,
        confirm_from: Timestamp::from_seconds((first + 48) * DAY.cast_signed())?,
        learn,
        test: part(69..90),
    })
}

/// Other numbers in place of the first one of the first rule.
fn moved(data: &Data, set: &RuleSet) -> Result<(), Box<dyn Error>> {
    let Some(rule) = set.rules.first() else {
        return Ok(());
    };
    let condition = Condition::parse(&rule.condition)?;
    let (columns, judged) = (data.learn.columns()?, data.learn.judged()?);
    let sweep = set.sweep((&rule.id, 0), &data.schema, &columns, (&judged, None))?;
    println!(
        "\n{} with other numbers for {}:",
        rule.id,
        condition.literals()[0].written
    );
    println!(
        "{:>12}{:>8}{:>11}{:>8}",
        "number", "alerts", "precision", "recall"
    );
    let best = sweep.best(Goal::PrecisionFloor(0.8));
    let current = sweep
        .points
        .iter()
        .find(|point| point.value == sweep.current);
    for (name, point) in [("now", current), ("most frauds at precision 0.8", best)] {
        if let Some(point) = point {
            println!(
                "{:>12.4}{:>8}{:>11.3}{:>8.3}  {name}",
                point.value,
                point.hits.fired,
                point.hits.precision().unwrap_or(0.0),
                point.recall.unwrap_or(0.0)
            );
        }
    }
    Ok(())
}

/// Precision of the first rule, the first two, and so on, against their alerts a day on the test days.
fn figure(sets: &[(&str, &Backtest, &str)]) -> String {
    let (width, height, left, bottom) = (560.0, 320.0, 64.0, 50.0);
    let curves: Vec<Vec<(f64, f64)>> = sets
        .iter()
        .map(|(_, backtest, _)| added_up(backtest))
        .collect();
    let most = curves
        .iter()
        .flatten()
        .map(|point| point.0)
        .fold(1.0, f64::max)
        * 1.05;
    let place = |(alerts, precision): (f64, f64)| {
        let (right, up) = (
            alerts / most * (width - left - 30.0),
            precision * (height - bottom - 50.0),
        );
        (left + right, height - bottom - up)
    };
    let mut drawing = Drawing::new("Precision of rules against their alerts", width, height);
    let ink = (12.0, drawing::FAINT);
    drawing.heading(
        (left, 24.0),
        (14.0, drawing::TEXT),
        "Precision against alerts, a rule more at each point",
    );
    for precision in [0.0, 0.25, 0.5, 0.75, 1.0] {
        drawing.line(
            &[place((0.0, precision)), place((most, precision))],
            drawing::GRID,
            1.0,
            "",
        );
        let (x, y) = place((0.0, precision));
        drawing.words(
            (x - 8.0, y + 4.0),
            ink,
            Anchor::End,
            &format!("{precision}"),
        );
    }
    for (at, ((name, _, colour), curve)) in sets.iter().zip(&curves).enumerate() {
        let path: Vec<(f64, f64)> = curve.iter().map(|point| place(*point)).collect();
        drawing.line(&path, colour, 2.0, "");
        for point in &path {
            drawing.dot(*point, 3.5, colour);
        }
        let y = height - bottom - 20.0 - 18.0 * at as f64;
        drawing.dot((left + 14.0, y - 4.0), 3.5, colour);
        drawing.words((left + 24.0, y), ink, Anchor::Start, name);
    }
    for share in [0.0, 0.5, 1.0] {
        let (x, y) = place((most * share, 0.0));
        drawing.words(
            (x, y + 18.0),
            ink,
            Anchor::Middle,
            &format!("{:.0}", most * share),
        );
    }
    drawing.words(
        (width / 2.0, height - 10.0),
        ink,
        Anchor::Middle,
        "alerts a day on the test days",
    );
    drawing.finish()
}

/// Alerts a day and precision of the first rule, the first two, and so on.
fn added_up(backtest: &Backtest) -> Vec<(f64, f64)> {
    let days = |rule: &dafu::rules::optimize::RuleBacktest| {
        Some(rule.hits.fired as f64 / rule.alerts_per_day?)
    };
    let days = backtest
        .rules
        .iter()
        .filter_map(days)
        .find(|days| *days > 0.0)
        .unwrap_or(1.0);
    let (mut fired, mut right, mut wrong) = (0, 0, 0);
    let mut points = Vec::new();
    for rule in &backtest.rules {
        fired += rule.marginal.fired;
        right += rule.marginal.true_positives;
        wrong += rule.marginal.false_positives;
        points.push((
            fired as f64 / days,
            right as f64 / f64::max((right + wrong) as f64, 1.0),
        ));
    }
    points
}
