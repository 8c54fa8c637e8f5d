//! Public files under `DAFU_DATA`: learn on the first part, apply to the rest.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod common;

use common::column;
use dafu_core::table::{ColumnData, Storage, TextColumn};
use dafu_core::{Label, Role, Table, Timestamp};
use dafu_features::{ColumnParams, Encoding, PreprocessorParams};
use flate2::read::GzDecoder;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Rows of one table.
const CHUNK: usize = 50_000;

fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("DAFU_DATA").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: DAFU_DATA is not set");
    }
    folder
}

/// The columns of a compressed CSV file, in tables.
fn tables(path: &Path, roles: &[Role]) -> Vec<Table> {
    let mut reader = csv::Reader::from_reader(GzDecoder::new(File::open(path).unwrap()));
    let names: Vec<String> = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    assert_eq!(names.len(), roles.len());
    let records: Vec<_> = reader.into_records().map(Result::unwrap).collect();
    let chunks = records.chunks(CHUNK).enumerate();
    chunks
        .map(|(chunk, records)| {
            let columns = names.iter().zip(roles).enumerate();
            let columns = columns.map(|(at, (name, &role))| {
                let fields = records.iter().map(|record| &record[at]);
                let data = match role.storage() {
                    Storage::Number => {
                        ColumnData::Number(fields.map(|f| f.parse().unwrap()).collect())
                    }
                    Storage::Text => ColumnData::Text(fields.map(Some).collect::<TextColumn>()),
                    Storage::Time => ColumnData::Time(fields.map(|f| Some(time(f))).collect()),
                    Storage::Label => {
                        ColumnData::Label(fields.map(|f| Label::from(f == "1")).collect())
                    }
                };
                column(name, role, data)
            });
            let first = (chunk * CHUNK) as u64 + 1;
            let end = first + records.len() as u64;
            Table::new(columns.collect(), (first..end).collect()).unwrap()
        })
        .collect()
}

fn time(text: &str) -> Timestamp {
    let utc = if text.ends_with('Z') {
        text.to_owned()
    } else {
        format!("{text}Z")
    };
    utc.parse().unwrap()
}

/// Learns on the first 80 % of the tables and gives names of features and number of later rows.
fn learn_and_apply(tables: &[Table]) -> (Vec<String>, usize) {
    let target = ColumnParams::default().encoding(Encoding::Target { smoothing: 20.0 });
    let params = PreprocessorParams::default().role(Role::Merchant, target);
    let (training, later) = tables.split_at(tables.len() * 4 / 5);
    let mut fitter = params.check().unwrap().fitter();
    for table in training {
        fitter.observe(table).unwrap();
    }
    let preprocessor = fitter.finish().unwrap();
    println!("{}", preprocessor.report());
    // `Dataset::new` checks that every cell is finite.
    let rows = later
        .iter()
        .map(|table| preprocessor.transform(table).unwrap().rows());
    let features = preprocessor.schema().features().iter();
    (
        features.map(|feature| feature.name.to_string()).collect(),
        rows.sum(),
    )
}

#[test]
fn the_handbook_file_becomes_features() {
    let Some(folder) = data() else { return };
    let roles = [
        Role::TransactionId,
        Role::User,
        Role::Amount,
        Role::Merchant,
        Role::Time,
        Role::Label,
        Role::Ignore,
    ];
    let path = folder.join("handbook/transactions_2018-04-01_2018-08-14.csv.gz");
    let tables = tables(&path, &roles);
    let (names, rows) = learn_and_apply(&tables);
    assert_eq!(tables.iter().map(Table::rows).sum::<usize>(), 1_303_778);
    assert!(rows > 250_000);
    assert!(names.contains(&"merchant_id_fraud_rate".to_owned()));
    assert!(!names.iter().any(|name| name.contains("scenario")));
}

#[test]
fn the_sparkov_file_becomes_features() {
    let Some(folder) = data() else { return };
    let roles = [
        Role::TransactionId,
        Role::User,
        Role::Amount,
        Role::Merchant,
        Role::Time,
        Role::Category,
        Role::UserLatitude,
        Role::UserLongitude,
        Role::MerchantLatitude,
        Role::MerchantLongitude,
        Role::Label,
    ];
    let path = folder.join("sparkov/transactions_2023.csv.gz");
    let (names, rows) = learn_and_apply(&tables(&path, &roles));
    assert!(rows > 50_000);
    assert!(names.contains(&"home_merchant_distance".to_owned()));
}
