//! What is in a file of transactions: roles, suitability, forests, an evaluation, a figure and exports.
//!
//! Run: `cargo run --release --example analyze_csv -- --input FILE --output DIR`
//!
//! Without `--input` a small simulated file is analysed. Memory does not grow with the file.

use dafu::evaluation::LearningMode;
use dafu::ingest::Suitability;
use dafu::pipeline::ModelsFile;
use dafu::prelude::*;
use dafu::report::{CsvMode, ReportMeta, ReportWriter, stamped_name};
use dafu::{EvaluateOptions, Judged, SourceError};
use dafu_examples::args::Args;
use dafu_examples::bar::Bars;
use dafu_examples::file::create;
use dafu_examples::scored::Export;
use dafu_examples::usage::usage;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "analyze_csv --input FILE [options]

  --input FILE              CSV (plain or gzip) or Parquet; simulated payments when left out
  --role COLUMN=ROLE        gives a column a role; may stand several times
  --fraud-value VALUE       what the label says of a fraud, where that is not 1, true, fraud or the like
  --zone ZONE               zone of times without one: UTC (default), +02:00, Europe/Berlin, ...
  --contamination LEVELS    shares of rows to flag, the first decides; default 0.01,0.05,0.1
  --threshold RISK          detects by risk score instead: rows at or above RISK, such as 0.7, are alerts
  --mode MODE               auto (default), supervised or unsupervised
  --models FILE             settings from a models.json
  --train-until DATE        learns from rows until DATE (2018-06-30 or 2018-06-30T12:00:00Z), judges the rest;
                            default: the first 80 % of the time
  --output DIR              folder for figure, report and exports; default dafu-report
  --stamp true              puts the time into the names of figure, report and exports
  --spreadsheet true        makes text cells of scored.csv safe to open in a spreadsheet
  --seed N                  default 1

A row without a value in the column of the id, user, merchant, amount or time is left out, and so are rows that cannot
be read; they are counted, and written to quarantine.csv.";

fn main() -> ExitCode {
    dafu_examples::exit(run())
}

fn run() -> Result<(), Box<dyn Error>> {
    let known = [
        "input",
        "role",
        "fraud-value",
        "zone",
        "contamination",
        "threshold",
        "mode",
        "models",
        "train-until",
        "output",
        "spreadsheet",
        "stamp",
        "seed",
    ];
    let Some(args) = Args::read(USAGE, &known)? else {
        return Ok(());
    };
    // All arguments are checked before the file is read.
    let trainer = trainer(&args)?;
    let until = train_until(&args)?;
    let is_stamped = args.parsed("stamp", false)?;
    let mode = match args.parsed("spreadsheet", false)? {
        true => CsvMode::SpreadsheetSafe,
        false => CsvMode::Raw,
    };
    let output = Path::new(args.value("output").unwrap_or("dafu-report"));
    let bars = Bars::default();

    // 1. What do the columns mean?
    let mut file = dafu_examples::file::open(&args)?;
    std::fs::create_dir_all(output).map_err(|error| format!("{}: {error}", output.display()))?;
    let now = dafu_examples::now()?;
    let scored_name = match is_stamped {
        true => stamped_name("scored", now, "csv"),
        false => "scored.csv".to_owned(),
    };
    let scored = create(&output.join(&scored_name), &args)?;
    if args.value("input").is_some() {
        file = file.with_quarantine(create(&output.join("quarantine.csv"), &args)?);
    }
    println!("{}", file.plan());

    // 2. What is in them?
    let suitability = file.suitability(&bars)?;
    bars.finish();
    println!("{suitability}");
    if suitability.rows == 0 {
        return Err("no row can be used: see above what was wrong with them".into());
    }
    let (file, leaks) = file.without_leaks(&suitability)?;
    for column in leaks {
        println!(
            "left out after all: {column} gives the label away; name it with --role to use it"
        );
    }

    // 3. Learn from the past.
    let cut = cut(until, &suitability)?;
    let (past, later);
    let (training, judged): (&dyn TableSource, &dyn TableSource) = match cut {
        Some(cut) => {
            past = TimeSlice::until(&file, cut);
            later = TimeSlice::after(&file, cut);
            println!("learning from rows until {cut}, judging the later ones");
            (&past, &later)
        }
        None => {
            println!(
                "no time column: learning from all rows and judging the same rows (in-sample)"
            );
            (&file, &file)
        }
    };
    let detector = trainer.fit_with(&training, &bars)?;
    let (population, rows) = detector.model().training_rows();
    println!(
        "learned from {rows} of {population} rows, {} features",
        detector.model().schema().width()
    );

    // 4. Judge the rest, chunk by chunk.
    let mut export = Export::new(&detector, scored, mode);
    let options = EvaluateOptions {
        judged: if cut.is_some() {
            Judged::ByTime
        } else {
            Judged::InSample
        },
        progress: &bars,
        ..EvaluateOptions::default()
    };
    let evaluation = detector.evaluate_with(&judged, &options, &mut |table, scores| {
        export.take(table, scores).map_err(SourceError::new)
    })?;
    let reasons = export.finish()?;
    bars.finish();
    print_evaluation(&evaluation);

    // 5. Figure, report, exports.
    let name = args.value("input").map_or("simulated payments", |path| {
        Path::new(path)
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or(path)
    });
    let meta = ReportMeta::new(format!("Analysis of {name}"))
        .with_generated_at(now)
        .with_model_hash(detector.model().hash())
        .with_seed(detector.model().seed())
        .with_source(name)
        .with_setting("scored rows", &scored_name)
        .with_reasons(reasons);
    let meta = match &suitability.report {
        Some(report) => meta
            .with_setting("rows read", report.rows_read)
            .with_setting("rows left out (quarantine.csv)", report.rows_quarantined),
        None => meta,
    };
    let mut writer = ReportWriter::new(output);
    if is_stamped {
        writer = writer.with_stamp(now);
    }
    let files = writer.write(&evaluation, &meta)?;
    std::fs::write(output.join("model.dafu"), detector.to_bytes()?)?;
    println!("\nreport in {}:", output.display());
    for path in files.paths() {
        println!("  {}", path.file_name().unwrap_or_default().display());
    }
    println!("  {scored_name}\n  model.dafu");
    if args.value("input").is_some() {
        println!("  quarantine.csv");
    }
    if let Some(usage) = usage() {
        eprintln!("{usage}");
    }
    Ok(())
}

fn trainer(args: &Args) -> Result<dafu::Trainer, Box<dyn Error>> {
    let mut builder = Detector::builder().seed(args.parsed("seed", 1)?);
    if let Some(path) = args.value("models") {
        for other in ["seed", "contamination"] {
            if args.value(other).is_some() {
                return Err(format!(
                    "--{other} and --models both set it: leave one out, the file has random_state and contamination"
                )
                .into());
            }
        }
        builder = builder.models(ModelsFile::parse(
            &std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?,
        )?);
    }
    if let Some(levels) = args.list::<f64>("contamination")? {
        builder = builder.contamination(levels);
    }
    if args.value("threshold").is_some() {
        builder = builder.threshold(args.parsed("threshold", 0.7)?);
    }
    builder = match args.value("mode") {
        None | Some("auto") => builder.mode(Mode::Auto),
        Some("supervised") => builder.mode(Mode::Supervised),
        Some("unsupervised") => builder.mode(Mode::Unsupervised),
        Some(other) => {
            return Err(format!("--mode {other:?}: auto, supervised or unsupervised").into());
        }
    };
    Ok(builder.build()?)
}

/// The end of training that was asked for: a time, or the whole of a day.
fn train_until(args: &Args) -> Result<Option<Timestamp>, Box<dyn Error>> {
    let Some(text) = args.value("train-until") else {
        return Ok(None);
    };
    let full = match text.len() {
        10 => format!("{text}T23:59:59.999999Z"),
        19 => format!("{}Z", text.replacen(' ', "T", 1)),
        _ => text.to_owned(),
    };
    let until = full.parse().map_err(|_| {
        format!("--train-until {text:?}: use a date such as 2018-06-30, or a time such as 2018-06-30T12:00:00Z")
    })?;
    Ok(Some(until))
}

/// Where training ends: as asked for, or after the first 80 % of the time.
fn cut(until: Option<Timestamp>, data: &Suitability) -> Result<Option<Timestamp>, Box<dyn Error>> {
    let (first, last) = match (&data.times, until) {
        (Some(times), _) => (times.first, times.last),
        (None, None) => return Ok(None),
        (None, Some(_)) => {
            return Err(
                "--train-until needs a time column; give one with --role COLUMN=time".into(),
            );
        }
    };
    match until {
        Some(until) if until < first || until >= last => Err(format!(
            "--train-until {until} leaves nothing on one side: the times go from {first} to {last}"
        )
        .into()),
        Some(until) => Ok(Some(until)),
        None => {
            let span = last.since(first);
            Ok(Some(Timestamp::from_micros(
                first.as_micros() + span / 5 * 4,
            )?))
        }
    }
}

fn print_evaluation(evaluation: &Evaluation) {
    let mode = match evaluation.mode {
        LearningMode::Supervised => "supervised (labels of the training rows chose the threshold)",
        LearningMode::Unsupervised => "unsupervised (no label was read while learning)",
    };
    println!("\nmode: {mode}");
    if evaluation.scope.in_sample {
        println!("IN-SAMPLE: judged rows were also trained on; the figures are optimistic");
    }
    println!(
        "{} rows judged, {} labelled, {} fraud",
        evaluation.rows, evaluation.labelled, evaluation.frauds
    );
    if let Some(ranking) = &evaluation.ranking {
        println!(
            "ROC AUC {:.3}, average precision {:.3} (random {:.4})",
            ranking.roc_auc, ranking.average_precision, ranking.prevalence
        );
        if let Some(precision) = ranking.card_precision_at_100 {
            println!("card precision@100 {precision:.3}");
        }
    }
    println!(
        "\n{:<28}{:>7}{:>10}{:>9}{:>11}{:>8}",
        "threshold", "risk", "alerts", "share", "precision", "recall"
    );
    for (index, threshold) in evaluation.thresholds.iter().enumerate() {
        let mark = if index == evaluation.chosen { "*" } else { " " };
        print!(
            "{mark}{:<27}{:>7.3}{:>10}{:>8.2}%",
            threshold.name,
            threshold.risk,
            threshold.alerts,
            100.0 * threshold.alert_share
        );
        match threshold.confusion {
            Some(counts) => println!("{:>11.3}{:>8.3}", counts.precision(), counts.recall()),
            None => println!(),
        }
    }
    if let Some(threshold) = evaluation.chosen_threshold()
        && let Some(expected) = threshold.expected_alert_share
        && threshold.alert_share > 3.0 * expected
    {
        println!(
            "WARNING: {:.1} % of the rows are alerts where training promised {:.1} %: these rows differ from the \
             training rows; see the reasons in scored.csv for the features that moved",
            100.0 * threshold.alert_share,
            100.0 * expected
        );
    }
    println!(
        "(* decides)\n\n{:<10}{:>12}{:>18}{:>10}",
        "band", "rows", "amount", "fraud"
    );
    for band in &evaluation.bands {
        let amount = band
            .amount
            .map_or_else(String::new, |amount| format!("{amount:.2}"));
        let frauds = band
            .frauds
            .map_or_else(String::new, |frauds| frauds.to_string());
        println!(
            "{:<10}{:>12}{:>18}{:>10}",
            band.band.name(),
            band.rows,
            amount,
            frauds
        );
    }
}
