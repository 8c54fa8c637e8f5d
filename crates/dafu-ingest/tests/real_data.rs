//! The public data sets, where `DAFU_DATA` names their folder.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

use dafu_core::{NoProgress, Role};
use dafu_ingest::{FileSource, IngestParams};
use std::path::PathBuf;

fn data(file: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("DAFU_DATA") else {
        println!("skipped: DAFU_DATA is not set");
        return None;
    };
    Some(PathBuf::from(folder).join(file))
}

fn open(file: &str) -> Option<FileSource> {
    let source = FileSource::open(data(file)?, &IngestParams::default()).unwrap();
    println!("{file}\n{}", source.plan());
    Some(source)
}

fn roles(source: &FileSource) -> Vec<Role> {
    source
        .plan()
        .columns
        .iter()
        .map(|column| column.role)
        .collect()
}

#[test]
fn the_handbook_file_needs_no_help() {
    let Some(source) = open("handbook/transactions_2018-04-01_2018-08-14.csv.gz") else {
        return;
    };
    assert_eq!(
        roles(&source),
        [
            Role::TransactionId,
            Role::User,
            Role::Amount,
            Role::Merchant,
            Role::Time,
            Role::Label,
            Role::Ignore
        ]
    );
    let leaks: Vec<&str> = source
        .plan()
        .leaks()
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(leaks, ["fraud_scenario"]);
    let start = std::time::Instant::now();
    let data = source.suitability(&NoProgress).unwrap();
    println!("{data}\n{:?}", start.elapsed());
    assert_eq!(data.rows, 1_303_778);
    assert_eq!(data.report.unwrap().rows_quarantined, 0);
}

#[test]
fn the_sparkov_file_needs_no_help() {
    let Some(source) = open("sparkov/transactions_2023.csv.gz") else {
        return;
    };
    assert_eq!(
        roles(&source),
        [
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
            Role::Label
        ]
    );
    assert_eq!(source.plan().leaks().count(), 0);
    let first = source.tables().unwrap().next().unwrap().unwrap();
    let merchant = first.by_role(Role::Merchant).unwrap().texts().unwrap();
    assert_eq!(merchant.at(0), Some("fraud_Stroman, Hudson and Erdman"));
    let data = source.suitability(&NoProgress).unwrap();
    println!("{data}");
    assert_eq!(data.rows, 277_940);
    assert_eq!(
        data.columns
            .iter()
            .filter(|column| column.leak.is_some())
            .count(),
        0
    );
}

#[test]
fn the_tabular_file_and_adbench_give_numbers_and_a_label() {
    let Some(source) = open("tabular/payment_fraud.csv.gz") else {
        return;
    };
    println!("{}", source.suitability(&NoProgress).unwrap());
    let Some(folder) = data("adbench") else {
        return;
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for file in files {
        let source = FileSource::open(&file, &IngestParams::default()).unwrap();
        let (last, others) = source.plan().columns.split_last().unwrap();
        assert_eq!(last.role, Role::Label, "{}", file.display());
        for column in others {
            println!(
                "{} {} {} {}",
                file.display(),
                column.name,
                column.role,
                column.reason
            );
        }
        let data = source.suitability(&NoProgress).unwrap();
        println!("{} {:?}", file.display(), data.warnings);
    }
}
