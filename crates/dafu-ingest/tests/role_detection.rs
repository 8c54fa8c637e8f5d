//! Roles that are found without help, each with a reason.
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::Role;
use dafu_ingest::{FileSource, IngestParams};

/// A file of 60 rows: each column as its name and the value of a row.
fn source(columns: &[(&str, fn(usize) -> String)]) -> FileSource {
    let header: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let mut file = header.join(",") + "\n";
    for row in 0..60 {
        let cells: Vec<String> = columns.iter().map(|(_, value)| value(row)).collect();
        file += &(cells.join(",") + "\n");
    }
    FileSource::from_bytes(file, &IngestParams::default()).unwrap()
}

fn role(source: &FileSource, name: &str) -> Role {
    let column = source.plan().column(name).unwrap();
    assert!(!column.reason.is_empty(), "{name}");
    column.role
}

#[test]
fn every_role_is_found_by_name() {
    let source = source(&[
        ("tx_id", |row| format!("t{row}")),
        ("customer_id", |row| format!("c{}", row % 9)),
        ("merchant_id", |row| format!("m{}", row % 5)),
        ("amt", |row| format!("{row}.25")),
        ("ts", |row| {
            format!("2018-04-01T{:02}:{:02}:00Z", row / 3, row % 60)
        }),
        ("mcc", |row| format!("k{}", row % 4)),
        ("lat", |row| format!("{}.5", 40 + row % 9)),
        ("lon", |row| format!("{}.5", row % 9)),
        ("merch_lat", |row| format!("{}.25", 40 + row % 9)),
        ("merch_long", |row| format!("{}.25", row % 9)),
        ("ip_address", |row| format!("10.0.{}.{row}", row % 3)),
        ("device_id", |row| format!("d{}", row % 20)),
        ("user_agent", |row| {
            format!("Mozilla/5.0 (build {})", row % 4)
        }),
        ("email", |row| format!("{:016x}", (row + 1) * 0x9e37_79b9)),
        ("account_age", |row| format!("{}.5", row * 7 % 31)),
        ("is_fraud", |row| u8::from(row % 20 == 3).to_string()),
    ]);
    for (name, expected) in [
        ("tx_id", Role::TransactionId),
        ("customer_id", Role::User),
        ("merchant_id", Role::Merchant),
        ("amt", Role::Amount),
        ("ts", Role::Time),
        ("mcc", Role::Category),
        ("lat", Role::UserLatitude),
        ("lon", Role::UserLongitude),
        ("merch_lat", Role::MerchantLatitude),
        ("merch_long", Role::MerchantLongitude),
        ("ip_address", Role::Ip),
        ("device_id", Role::Device),
        ("user_agent", Role::UserAgent),
        ("email", Role::Email),
        ("account_age", Role::Numeric),
        ("is_fraud", Role::Label),
    ] {
        assert_eq!(role(&source, name), expected, "{}", source.plan());
    }
}

#[test]
fn a_few_providers_under_the_name_email_are_a_category() {
    let source = source(&[
        ("email", |row| ["gmail", "gmx"][row % 2].to_owned()),
        ("amount", |row| format!("{row}.5")),
    ]);
    assert_eq!(role(&source, "email"), Role::Category);
}

#[test]
fn values_tell_where_names_do_not() {
    let source = source(&[
        ("a", |row| format!("10.1.{}.{row}", row % 7)),
        ("b", |row| format!("2019-01-{:02} 10:00", row % 28 + 1)),
        ("c", |row| format!("user{row}@example.com")),
        ("d", |row| ["red", "blue"][row % 2].to_owned()),
        ("e", |row| format!("{}.75", row * row)),
    ]);
    for (name, expected) in [
        ("a", Role::Ip),
        ("b", Role::Time),
        ("c", Role::Email),
        ("d", Role::Category),
        ("e", Role::Numeric),
    ] {
        assert_eq!(role(&source, name), expected, "{}", source.plan());
    }
}

#[test]
fn what_a_person_says_wins() {
    let params = IngestParams::default().role("b", Role::User);
    let file = "a,b\n1,2\n3,4\n";
    let source = FileSource::from_bytes(file, &params).unwrap();
    assert_eq!(source.plan().role("b"), Some(Role::User));
    let source = source.with_role("a", Role::Merchant).unwrap();
    let column = source.plan().column("a").unwrap();
    assert_eq!(
        (column.role, column.reason.as_str()),
        (Role::Merchant, "given by the user")
    );
    assert!(source.with_role("z", Role::User).is_err());
}
