//! One alert from all sides: which features made it, what the model needs in general, what it makes of one feature, and
//! whether the alert is worth its cost.
//!
//! Run: `cargo run --release --example explain_decision`
//!
//! Arguments: `--users N` (default 400), `--seed N` (default 42).
//!
//! Boosted trees learn from simulated payments; log odds become probabilities by a calibrator that learned from later
//! ones. Of the test days, the payment with the most at stake is explained: probability times amount.
//!
//! Expected output: `examples/expected/explain_decision.txt`.

use dafu::ensemble::explain::{
    ColumnGroup, PartialDependenceParams, PermutationParams, average_precision, group_reasons,
};
use dafu::ensemble::{BoostedTrees, BoostedTreesParams, CalibrationMethod, CostPolicy};
use dafu::metrics::{Bootstrap, Costs, ResampledUnit};
use dafu::{Explain, FeatureGroup, FeatureSpec, Probability};
use dafu_examples::args::Args;
use dafu_examples::payments::{DELAY, Part, Payments};
use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "explain_decision [--users N] [--seed N]";
/// What a look at a payment costs.
const CHECK: f64 = 5.0;
/// Lines of each table.
const SHOWN: usize = 6;
/// Characters of a full bar.
const BAR: f64 = 30.0;

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
    let training = payments.on(14..38);
    let later = payments.on(38..45);
    let test = payments.on(45 + i64::from(DELAY)..60);
    let trees = BoostedTreesParams::default()
        .n_estimators(100)
        .learning_rate(0.05)
        .max_leaves(16);
    let model = trees.fit(&training.samples()?)?;
    let calibrator = CalibrationMethod::Platt.fit(&log_odds(&model, later)?, later.frauds, None)?;
    let probabilities = calibrator.calibrate_rows(&log_odds(&model, test)?)?;

    // The payment with most at stake.
    let at_stake = |row: usize| probabilities[row].get() * test.amounts[row];
    let alert = (0..probabilities.len()).max_by(|&a, &b| at_stake(a).total_cmp(&at_stake(b)));
    let alert = alert.ok_or("no payment to judge")?;
    let record = &test.records[alert];
    println!(
        "payment {} of {}: {} at {} on {}\n",
        record.transaction_id, record.user_id, record.amount, record.merchant_id, record.timestamp
    );
    let specs = payments.features.schema().features();
    let strongest = reasons(&model, test, alert, specs)?;
    importance(&model, test, specs)?;
    dependence(&model, test, strongest, &specs[strongest])?;
    decision(&probabilities, test, alert)?;
    eprintln!("took {:.2} s", started.elapsed().as_secs_f64());
    Ok(())
}

fn log_odds(model: &BoostedTrees, part: Part<'_>) -> Done<Vec<f64>> {
    let mut log_odds = vec![0.0; part.rows.nrows()];
    model.log_odds_rows(part.rows, &mut log_odds)?;
    Ok(log_odds)
}

/// What the features of the alert add to its log odds; the one that adds most.
fn reasons(
    model: &BoostedTrees,
    test: Part<'_>,
    alert: usize,
    specs: &[FeatureSpec],
) -> Done<usize> {
    let row = test.rows.row(alert).to_vec();
    let mut contributions = vec![0.0; row.len()];
    let baseline = model.explainer().explain_row(&row, &mut contributions)?;
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|&a, &b| {
        let size = |column: usize| contributions[column].abs();
        size(b).total_cmp(&size(a)).then(a.cmp(&b))
    });

    println!("{:<44}{:>10}{:>10}", "log odds of fraud", "value", "adds");
    println!("{:<54}{baseline:>10.3}", "the mean payment of training");
    for &column in order.iter().take(SHOWN) {
        let adds = contributions[column];
        println!(
            "{:<44}{:>10.2}{adds:>+10.3}",
            specs[column].name, row[column]
        );
    }
    let others = order.iter().skip(SHOWN);
    let sum: f64 = others.map(|&column| contributions[column]).sum();
    println!(
        "{:<54}{sum:>+10.3}",
        format!("{} others", row.len().saturating_sub(SHOWN))
    );
    println!("{:<54}{:>10.3}", "this payment", model.log_odds_row(&row)?);

    let groups: Vec<FeatureGroup> = specs.iter().map(|spec| spec.group).collect();
    println!("\nreasons by group");
    for reason in group_reasons(&contributions, &groups, &row)?.iter().take(4) {
        println!(
            "{:>5.0} %  {:<15}{} is {:.2}",
            100.0 * reason.share,
            reason.group,
            specs[reason.column].name,
            reason.value
        );
    }
    Ok(order.first().copied().unwrap_or_default())
}

/// What average precision loses on the test days when a group of features is permuted within each day.
fn importance(model: &BoostedTrees, test: Part<'_>, specs: &[FeatureSpec]) -> Done<()> {
    let columns = |group: FeatureGroup| -> Vec<usize> {
        let own = specs
            .iter()
            .enumerate()
            .filter(|(_, spec)| spec.group == group);
        own.map(|(column, _)| column).collect()
    };
    let groups = FeatureGroup::ALL
        .map(|group| ColumnGroup::new(group.name(), columns(group)))
        .into_iter()
        .filter(|group| !group.columns.is_empty());
    let params = PermutationParams::new(groups.collect()).repeats(5);
    let samples = test.samples()?;
    let mut found = params.importance(model, &samples, Some(test.days), &average_precision)?;
    found.groups.sort_by(|a, b| b.mean.total_cmp(&a.mean));
    println!(
        "\naverage precision {:.3} on the test days; permuted within each day, a group takes away",
        found.metric
    );
    for group in &found.groups {
        println!(
            "  {:<15}{:>+7.3} +- {:.3}",
            group.name, group.mean, group.standard_error
        );
    }
    Ok(())
}

/// What the model makes of one feature, on the mean of the test payments.
fn dependence(model: &BoostedTrees, test: Part<'_>, column: usize, spec: &FeatureSpec) -> Done<()> {
    let params = PartialDependenceParams::default().grid(9);
    let found = params.of(model, test.rows, &[column])?;
    let (low, high) = found
        .mean
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |ends, &mean| {
            (ends.0.min(mean), ends.1.max(mean))
        });
    println!("\nmean log odds by {}", spec.name);
    for (value, mean) in found.grids.iter().flatten().zip(&found.mean) {
        let share = if high > low {
            (mean - low) / (high - low)
        } else {
            0.0
        };
        let bar = "#".repeat((1.0 + share * (BAR - 1.0)).round() as usize);
        let value = if value.is_nan() {
            "missing".to_owned()
        } else {
            format!("{value:.2}")
        };
        println!("{value:>12}{mean:>8.2}  {bar}");
    }
    Ok(())
}

/// Whether the alert pays, and what the same rule reaches on all test days.
fn decision(probabilities: &[Probability], test: Part<'_>, alert: usize) -> Done<()> {
    // A look costs the same whatever comes of it; a missed fraud costs its amount.
    let costs = Costs::default()
        .false_positive(CHECK)
        .true_positive(CHECK)
        .false_negative(0.0)
        .missed_amount(1.0);
    let policy = CostPolicy::new(costs)?;
    let (probability, amount) = (probabilities[alert], test.amounts[alert]);
    println!(
        "\nprobability {:.3}, amount {amount:.2}: {:.2} at stake, a look costs {CHECK:.2}",
        probability.get(),
        probability.get() * amount
    );
    let threshold = policy
        .threshold(amount)
        .ok_or("no threshold at this amount")?;
    let what = if policy.alerts(probability, amount) {
        "alert"
    } else {
        "no alert"
    };
    println!("at this amount a look pays from a probability of {threshold:.4}: {what}");
    let was = if test.frauds[alert] {
        "a fraud"
    } else {
        "no fraud"
    };
    println!("it was {was}");

    let alerts = policy.decide(probabilities, test.amounts)?;
    let scores: Vec<f64> = probabilities.iter().map(|own| own.get()).collect();
    let rows = dafu::ensemble::ThresholdRows::new(test.frauds, &scores)?
        .with_amounts(test.amounts)?
        .with_days(test.days)?
        .with_costs(costs);
    let draws = Bootstrap::default()
        .unit(ResampledUnit::Days)
        .resamples(500);
    let nobody = vec![false; alerts.len()];
    println!(
        "\n{:<20}{:>12}{:>11}{:>9}{:>28}",
        "all test days", "alerts a day", "precision", "recall", "cost (95 % of resamples)"
    );
    for (name, alerts) in [("alerts by cost", &alerts), ("no alert", &nobody)] {
        let reach = rows.judge_alerts(alerts, &draws)?;
        let daily = reach.alerts_per_day.ok_or("no days")?.value;
        let cost = reach.cost.ok_or("no costs")?;
        println!(
            "{name:<20}{daily:>12.1}{:>11.3}{:>9.3}{:>28}",
            reach.precision.value,
            reach.recall.value,
            format!("{:.0} ({:.0} to {:.0})", cost.value, cost.lower, cost.upper)
        );
    }
    Ok(())
}
