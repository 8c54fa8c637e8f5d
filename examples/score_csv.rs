//! One isolation-forest score for every row of a CSV file: the numeric columns go in, the label column stays out.
//!
//! Run: `cargo run --release --example score_csv -- --input FILE --label COLUMN --output FILE`
//!
//! Further arguments: `--variant classic|recommended|extended|guided` (classic unless named), `--trees`, `--sample 256`,
//! `--seed 1`. The output has one line a row: `row,score`. Missing numbers are imputed by the forest.
//! Without `--input` it scores a small table of its own and prints the five highest scores.

use dafu::iforest::{IsolationForestParams, MissingValues};
use dafu::ingest::{BadRecordClass, FileSource, IngestParams, Policies, Policy, Suspects};
use dafu::table::Storage;
use dafu::{Role, TableSource};
use dafu_examples::args::Args;
use dafu_examples::file::create;
use ndarray::Array2;
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "score_csv --input FILE [--label COLUMN] --output FILE [--variant classic|recommended|extended|guided] \
     [--trees N] [--sample 256] [--seed 1]";

fn main() -> ExitCode {
    dafu_examples::exit(run())
}

fn run() -> Result<(), Box<dyn Error>> {
    let known = [
        "input", "label", "output", "variant", "trees", "sample", "seed",
    ];
    let Some(args) = Args::read(USAGE, &known)? else {
        return Ok(());
    };
    let params = variant(args.value("variant").unwrap_or("classic"))?;
    let params = params
        .clone()
        .missing(MissingValues::Impute)
        .trees(args.parsed("trees", params.trees)?)
        .sample_size(args.parsed("sample", 256)?)
        .seed(args.parsed("seed", 1)?);
    // What cannot be read is missing, and ids play no part. A row with an infinite number gets no score: as one that misses it,
    // it would look ordinary.
    let policies = Policies::all(Policy::Coerce)
        .with(BadRecordClass::CardNumber, Policy::Quarantine)
        .with(BadRecordClass::NonFiniteNumber, Policy::Quarantine);
    let mut ingest = IngestParams::default()
        .policies(policies)
        .suspects(Suspects::Keep);
    if let Some(label) = args.value("label") {
        ingest = ingest.role(label, Role::Ignore);
    }
    let mut source = match args.value("input") {
        Some(path) => FileSource::open(path, &ingest)?,
        None => FileSource::from_bytes(built_in(), &ingest)?,
    };
    let mut left_out = Vec::new();
    for column in source.plan().columns.clone() {
        // Beside the label that was named, a column of zeros and ones is a number like any other.
        if column.role == Role::Label && args.value("label").is_some() {
            source = source.with_role(&column.name, Role::Numeric)?;
        } else if column.role.storage() != Storage::Number {
            source = source.with_role(&column.name, Role::Ignore)?;
            left_out.push(column.name);
        }
    }

    let output = args
        .value("output")
        .map(|path| create(Path::new(path), &args));
    let output = output.transpose()?;
    let (names, row_numbers, rows) = numeric_columns(&source)?;
    if let Some(report) = source.report().filter(|report| !report.classes.is_empty()) {
        eprintln!("{report}");
    }
    eprintln!(
        "{} rows, {} numeric columns: {}",
        rows.nrows(),
        names.len(),
        names.join(", ")
    );
    if !left_out.is_empty() {
        eprintln!("left out, as they are no numbers: {}", left_out.join(", "));
    }
    let forest = params.fit(rows.view())?;
    let mut scores = vec![0.0; rows.nrows()];
    forest.score_rows(rows.view(), &mut scores)?;

    if let Some(mut file) = output {
        writeln!(file, "row,score")?;
        for (row, score) in row_numbers.iter().zip(&scores) {
            writeln!(file, "{row},{score}")?;
        }
        file.flush()?;
        return Ok(());
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    println!("row    score");
    for &row in order.iter().take(5) {
        println!("{:<6} {:.4}", row_numbers[row], scores[row]);
    }
    Ok(())
}

fn variant(name: &str) -> Result<IsolationForestParams, Box<dyn Error>> {
    let known = "classic, recommended, extended and guided";
    let params = IsolationForestParams::named(name);
    params.ok_or_else(|| format!("there is no variant {name}; there are {known}").into())
}

/// Names, record numbers and the matrix of the numeric columns.
type Columns = (Vec<String>, Vec<u64>, Array2<f64>);

/// Names of the numeric columns, the record number of each row, and the matrix; NaN is missing.
fn numeric_columns(source: &dyn TableSource) -> Result<Columns, Box<dyn Error>> {
    let mut names: Vec<String> = Vec::new();
    let mut columns: Vec<Vec<f64>> = Vec::new();
    let mut row_numbers = Vec::new();
    for table in source.chunks()? {
        let table = table?;
        let numeric = || {
            table
                .columns()
                .iter()
                .filter_map(|column| Some((column, column.numbers()?)))
        };
        if columns.is_empty() {
            names = numeric()
                .map(|(column, _)| column.name.to_string())
                .collect();
            columns = vec![Vec::new(); names.len()];
        }
        for (column, (_, numbers)) in columns.iter_mut().zip(numeric()) {
            column.extend_from_slice(numbers);
        }
        row_numbers.extend_from_slice(table.row_numbers());
    }
    if columns.is_empty() || row_numbers.is_empty() {
        let what = if columns.is_empty() {
            "numeric column"
        } else {
            "row"
        };
        return Err(format!("the file has no {what} to score").into());
    }
    let matrix = Array2::from_shape_fn((row_numbers.len(), columns.len()), |(i, j)| columns[j][i]);
    Ok((names, row_numbers, matrix))
}

/// Points around a circle, and one in the middle: far from all others, though each coordinate alone is ordinary.
fn built_in() -> String {
    let mut file = "x,y,label\n".to_owned();
    for step in 0..400 {
        let angle = f64::from(step) * 0.0157;
        let radius = 10.0 + f64::from(step * 7 % 13) / 13.0;
        file += &format!(
            "{:.3},{:.3},0\n",
            radius * angle.cos(),
            radius * angle.sin()
        );
    }
    file + "30,-25,1\n"
}
