//! Everything once, on simulated payments: simulate, learn, judge, explain, report.
//!
//! Run: `cargo run --release --example quickstart`
//!
//! Arguments: `--output DIR` (default `dafu-report`), `--seed N` (default 42).
//!
//! Expected output: `examples/expected/quickstart.txt`. The report files hold the time of the run.

use dafu::prelude::*;
use dafu::report::{CsvMode, ReportMeta, write_all};
use dafu::rules::Action;
use dafu::sim::SimulatorParams;
use dafu::{EvaluateOptions, PipelineError};
use dafu_examples::args::Args;
use dafu_examples::scored::Export;
use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::Instant;

const USAGE: &str = "quickstart [--output DIR] [--seed N]";

fn main() -> Result<(), Box<dyn Error>> {
    let Some(args) = Args::read(USAGE, &["output", "seed"])? else {
        return Ok(());
    };
    let output = Path::new(args.value("output").unwrap_or("dafu-report"));
    let seed = args.parsed("seed", 42)?;
    let started = Instant::now();

    // 1. Data: 60 days of card payments with six kinds of fraud in them.
    let simulator = SimulatorParams::default()
        .users(1_000)
        .days(60)
        .seed(seed)
        .simulator()?;
    let payments: Vec<Transaction> = simulator.collect();
    let first = payments.first().ok_or("no payments")?.timestamp;
    let last = payments.last().ok_or("no payments")?.timestamp;
    let cut = Timestamp::from_micros(first.as_micros() + last.since(first) / 5 * 4)?;
    println!(
        "{} payments from {} to {}",
        payments.len(),
        first.date(),
        last.date()
    );

    // 2. Learn from the first 80 % of the time. There are labels: an isolation forest, boosted trees and a logistic
    // regression are blended, and the risk is a calibrated probability. Without labels, the forest stays.
    // A rule of policy reads the risk, and decides.
    let policy =
        RuleSet::new([
            Rule::new("risky_and_large", "risk_score > 0.5 and amount > 500", 0.9)
                .action(Action::Decline)
                .reason("risk {risk_score} with an amount of {amount}"),
        ]);
    let trainer = Detector::builder()
        .contamination([0.01, 0.05, 0.1])
        .policy_rules(policy)
        .seed(seed)
        .build()?;
    let mut detector = trainer.fit(&TimeSlice::until(&payments, cut))?;
    let (_, rows) = detector.model().training_rows();
    println!(
        "learned {} features from {rows} payments until {cut}",
        detector.model().schema().width()
    );

    // 3. Judge the rest.
    std::fs::create_dir_all(output)?;
    let scored = BufWriter::new(File::create(output.join("scored.csv"))?);
    let mut export = Export::new(&detector, scored, CsvMode::Raw);
    let evaluation = detector.evaluate_with(
        &TimeSlice::after(&payments, cut),
        &EvaluateOptions::default(),
        &mut |table, scores| export.take(table, scores),
    )?;
    let reasons = export.finish()?;
    print_table(&evaluation);

    // 4. One payment at a time, as a payment service would ask.
    let riskiest = riskiest(&mut detector, &payments, cut)?;
    println!(
        "\nriskiest payment {}: risk {:.2}, {}, {:?}",
        riskiest.transaction_id,
        riskiest.risk_score.get(),
        riskiest.band,
        riskiest.decision
    );
    if let Some(confidence) = riskiest.confidence {
        println!("  confidence {:.2}", confidence.get());
    }
    for (rule, outcome) in &riskiest.rules {
        println!("  rule {rule}: {outcome:?}");
    }
    for reason in &riskiest.reasons {
        println!("  {:.2}  {}", reason.contribution, reason.text);
    }

    // 5. A figure, a report, and exports.
    let meta = ReportMeta::new("Simulated payments")
        .with_generated_at(dafu_examples::now()?)
        .with_model_hash(detector.model().hash())
        .with_seed(seed)
        .with_source("simulator")
        .with_setting("scored rows", "scored.csv")
        .with_reasons(reasons);
    let files = write_all(output, &evaluation, &meta)?;
    println!("\nreport written to {}:", output.display());
    for path in files.paths() {
        println!("  {}", path.file_name().unwrap_or_default().display());
    }
    println!("  scored.csv");
    eprintln!("took {:.2} s", started.elapsed().as_secs_f64());
    Ok(())
}

fn print_table(evaluation: &Evaluation) {
    println!(
        "\n{} payments judged, {} of them fraud",
        evaluation.rows, evaluation.frauds
    );
    if let Some(ranking) = &evaluation.ranking {
        println!(
            "ROC AUC {:.3}, average precision {:.3} (random {:.3})",
            ranking.roc_auc, ranking.average_precision, ranking.prevalence
        );
    }
    println!(
        "\n{:<22}{:>8}{:>8}{:>11}{:>8}",
        "threshold", "risk", "alerts", "precision", "recall"
    );
    for threshold in &evaluation.thresholds {
        let (precision, recall) = threshold
            .confusion
            .map_or((0.0, 0.0), |counts| (counts.precision(), counts.recall()));
        println!(
            "{:<22}{:>8.3}{:>8}{:>11.3}{:>8.3}",
            threshold.name, threshold.risk, threshold.alerts, precision, recall
        );
    }
}

fn riskiest(
    detector: &mut Detector,
    payments: &[Transaction],
    cut: Timestamp,
) -> Result<Assessment, Box<dyn Error>> {
    let later = payments
        .iter()
        .filter(|payment| payment.timestamp > cut)
        .take(10_000);
    let answers = later
        .map(|payment| detector.score(payment))
        .collect::<Result<Vec<_>, PipelineError>>()?;
    let riskiest = answers
        .into_iter()
        .max_by(|a, b| a.risk_score.total_cmp(&b.risk_score));
    riskiest.ok_or_else(|| "no payment after the cut".into())
}
