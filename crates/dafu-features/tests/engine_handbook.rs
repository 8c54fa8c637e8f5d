//! The twelve windows of the Fraud Detection Handbook, against its own code on a small table
//! (`fixtures/handbook_small.py`).
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::{Currency, Money, Transaction};
use dafu_features::{FeatureEngine, FeatureSet};
use std::collections::BTreeMap;
use std::path::Path;

/// Relative error allowed of means: both sides round a sum and a quotient.
const RELATIVE: f64 = 1e-12;

/// Transactions with the features that the Handbook's code gives them.
fn table() -> (Vec<Transaction>, Vec<BTreeMap<String, f64>>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/handbook_small.csv");
    let mut reader = csv::Reader::from_path(path).unwrap();
    let names = reader.headers().unwrap().clone();
    let (mut transactions, mut expected) = (Vec::new(), Vec::new());
    for (number, row) in reader.records().enumerate() {
        let row = row.unwrap();
        let amount = row[2].parse().unwrap();
        let paid = Money::from_major(amount, Currency::new("EUR").unwrap()).unwrap();
        let (user, merchant) = (row[0].parse().unwrap(), row[1].parse().unwrap());
        let time = format!("{}Z", &row[4]).parse().unwrap();
        let id = format!("t-{number}").parse().unwrap();
        let tx = Transaction::new(id, user, paid, merchant, time);
        transactions.push(tx.with_label(&row[3] == "1"));
        let values = names.iter().zip(&row).skip(5);
        let values = values.map(|(name, text)| (name.to_owned(), text.parse().unwrap()));
        expected.push(values.collect());
    }
    (transactions, expected)
}

#[test]
fn windows_are_those_of_the_code_of_the_handbook() {
    let (transactions, expected) = table();
    assert_eq!((transactions.len(), expected[0].len()), (15, 12));
    let mut engine = FeatureEngine::new(&FeatureSet::handbook()).unwrap();
    for (tx, expected) in transactions.iter().zip(&expected) {
        let row = engine.observe(tx).unwrap().row;
        for (name, expected) in expected {
            let got = row.get(name).unwrap();
            let near = (got - expected).abs() <= RELATIVE * expected.abs();
            assert!(
                near,
                "{name} of {} is {got}, expected {expected}",
                tx.transaction_id
            );
        }
    }
}

#[test]
fn the_table_has_what_makes_windows_hard() {
    let (transactions, expected) = table();
    let micros: Vec<i64> = transactions
        .iter()
        .map(|tx| tx.timestamp.as_micros())
        .collect();
    let apart = |gap: i64| {
        let pairs = micros
            .iter()
            .enumerate()
            .flat_map(|(at, later)| micros[..at].iter().map(move |earlier| later - earlier));
        pairs.filter(|between| *between == gap).count()
    };
    let day = 86_400_000_000;
    for gap in [0, day, day - 1, 7 * day, 7 * day + 1, 30 * day] {
        assert!(apart(gap) > 0, "no events {gap} us apart");
    }
    assert!(micros.iter().any(|time| time % 1_000_000 != 0));
    let rates = expected.iter().filter(|row| {
        let rate = row["merchant_fraud_rate_7d_delay_7d"];
        rate > 0.0 && rate < 1.0
    });
    assert!(rates.count() > 1);
}
