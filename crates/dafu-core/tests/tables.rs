//! Tables and their making from transactions.

#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests")]

use dafu_core::table::{Column, ColumnData, Role, Storage, Table, TableError, TextColumn};
use dafu_core::{
    Currency, GeoPoint, Label, Money, TableSource, Timestamp, Transaction, TransactionStatus, Value,
};
use std::sync::Arc;

fn transaction(number: i64) -> Transaction {
    Transaction::new(
        format!("t{number}").parse().unwrap(),
        "u".parse().unwrap(),
        Money::from_minor(number, Currency::NONE),
        "m".parse().unwrap(),
        Timestamp::from_seconds(number).unwrap(),
    )
}

fn numbers(name: &str, role: Role, values: &[f64]) -> Column {
    Column {
        name: Arc::from(name),
        role,
        data: ColumnData::Number(values.to_vec()),
    }
}

#[test]
fn refuses_tables_that_do_not_fit_together() {
    let amount = numbers("amount", Role::Amount, &[1.0]);
    let build = |columns| Table::new(columns, vec![1]).unwrap_err();
    assert!(matches!(
        build(vec![numbers("a", Role::Numeric, &[1.0, 2.0])]),
        TableError::Length {
            expected: 1,
            got: 2,
            ..
        }
    ));
    assert!(matches!(
        build(vec![numbers("a", Role::User, &[1.0])]),
        TableError::Storage {
            expected: Storage::Text,
            got: Storage::Number,
            ..
        }
    ));
    assert!(matches!(
        build(vec![
            amount.clone(),
            numbers("amount", Role::Numeric, &[1.0])
        ]),
        TableError::DuplicateName { .. }
    ));
    assert!(matches!(
        build(vec![amount, numbers("b", Role::Amount, &[1.0])]),
        TableError::DuplicateRole {
            role: Role::Amount,
            ..
        }
    ));
}

#[test]
fn every_role_has_a_name_that_reads_back() {
    for role in Role::ALL {
        assert_eq!(role.name().parse::<Role>().unwrap(), role);
    }
    assert!(
        "amont"
            .parse::<Role>()
            .unwrap_err()
            .to_string()
            .contains("amount")
    );
}

#[test]
fn text_columns_keep_empty_and_missing_apart() {
    let column: TextColumn = [Some("ab"), None, Some(""), Some("c")]
        .into_iter()
        .collect();
    assert_eq!(
        column.iter().collect::<Vec<_>>(),
        [Some("ab"), None, Some(""), Some("c")]
    );
    assert_eq!(column.at(4), None);
}

#[test]
fn transactions_become_columns_and_lose_nothing() {
    let mut rich = transaction(2)
        .with_label(true)
        .with_category("food".parse().unwrap())
        .with_device("d".parse().unwrap())
        .with_extra("basket", Value::Number(3.0))
        .with_extra("channel", Value::Text("web".parse().unwrap()))
        .with_extra("amount", Value::Flag(true));
    rich.ip = Some("10.0.0.1".parse().unwrap());
    rich.user_location = Some(GeoPoint::new(48.1, 11.6).unwrap());
    rich.status = Some(TransactionStatus::Approved);
    let table = Table::from_transactions(&[transaction(1), rich]);
    let names: Vec<&str> = table.columns().iter().map(|c| &*c.name).collect();
    assert_eq!(
        names,
        [
            "transaction_id",
            "user_id",
            "amount",
            "merchant_id",
            "timestamp",
            "is_fraud",
            "category",
            "device",
            "ip",
            "status",
            "user_latitude",
            "user_longitude",
            "extra_amount",
            "basket",
            "channel"
        ]
    );
    assert_eq!(
        table.by_role(Role::Label).unwrap().labels().unwrap(),
        [Label::Unknown, Label::Fraud]
    );
    assert_eq!(
        table.by_role(Role::Ip).unwrap().texts().unwrap().at(1),
        Some("10.0.0.1")
    );
    assert!(table.column("basket").unwrap().numbers().unwrap()[0].is_nan());
    assert_eq!(
        table.column("amount").unwrap().numbers().unwrap(),
        [0.01, 0.02]
    );
    assert_eq!(
        table.by_role(Role::Time).unwrap().times().unwrap()[1],
        Timestamp::from_seconds(2).ok()
    );
}

#[test]
fn an_extra_with_one_text_is_a_text_column() {
    let a = transaction(1).with_extra("x", Value::Number(1.5));
    let b = transaction(2).with_extra("x", Value::Text("y".parse().unwrap()));
    let c = transaction(3).with_extra("x", Value::Flag(false));
    let table = Table::from_transactions(&[a, b, c]);
    let texts = table.column("x").unwrap().texts().unwrap();
    assert_eq!(
        texts.iter().collect::<Vec<_>>(),
        [Some("1.5"), Some("y"), Some("false")]
    );
}

#[test]
fn chunks_of_transactions_join_to_the_whole() {
    let transactions: Vec<Transaction> = (0..20_000).map(transaction).collect();
    let whole = Table::from_transactions(&transactions);
    let mut joined = whole.empty_like();
    for chunk in transactions.chunks().unwrap() {
        let chunk = chunk.unwrap();
        (0..chunk.rows()).for_each(|row| joined.push_row_from(&chunk, row));
    }
    assert_eq!(joined, whole);
    assert_eq!(transactions.rows_hint(), Some(20_000));
    assert_eq!(whole.select(&[5, 3]).row_numbers(), [6, 4]);
}

#[test]
fn the_content_hash_sees_everything_but_the_label() {
    let base = transaction(1);
    assert_eq!(
        base.content_hash(),
        base.clone().with_label(true).content_hash()
    );
    let mut others = vec![
        transaction(2),
        base.clone().with_category("a".parse().unwrap()),
        base.clone().with_device("a".parse().unwrap()),
        base.clone().with_extra("a", Value::Number(1.0)),
        base.clone().with_extra("a", Value::Flag(true)),
    ];
    let mut located = base.clone();
    located.merchant_location = Some(GeoPoint::new(1.0, 2.0).unwrap());
    let mut declined = base.clone();
    declined.status = Some(TransactionStatus::Declined);
    others.extend([located, declined, base]);
    let mut hashes: Vec<u64> = others.iter().map(Transaction::content_hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), others.len());
}

#[test]
fn transactions_fit_under_the_columns_of_a_file() {
    let tx = transaction(7)
        .with_category("food".parse().unwrap())
        .with_extra("basket", Value::Number(3.0))
        .with_label(true);
    let columns: Vec<(Arc<str>, Role)> = [
        ("amt", Role::Amount),
        ("when", Role::Time),
        ("category", Role::Category),
        ("basket", Role::Numeric),
        ("weight", Role::Numeric),
        ("device", Role::Device),
        ("fraud", Role::Label),
    ]
    .map(|(name, role)| (Arc::from(name), role))
    .into();
    let columns = columns.iter().map(|(name, role)| (name, *role));
    let table = Table::from_transactions_like(columns, &[tx]);
    let number = |name| table.column(name).unwrap().numbers().unwrap()[0];
    assert_eq!((number("amt"), number("basket")), (0.07, 3.0));
    assert!(number("weight").is_nan());
    let text = |name| table.column(name).unwrap().texts().unwrap().at(0);
    assert_eq!((text("category"), text("device")), (Some("food"), None));
    assert_eq!(
        table.column("fraud").unwrap().labels().unwrap(),
        [Label::Fraud]
    );
    assert_eq!(
        table.column("when").unwrap().times().unwrap()[0],
        Timestamp::from_seconds(7).ok()
    );
}
