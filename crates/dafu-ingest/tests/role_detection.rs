//! Roles that are found without help, each with a reason.
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::{NoProgress, Role};
use dafu_ingest::{FileSource, IngestParams, Suspects};

/// The name of a column and its value in a row.
type Values = (&'static str, fn(usize) -> String);

/// A file of 60 rows.
fn source(columns: &[Values]) -> FileSource {
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
fn money_is_read_under_any_name() {
    let source = source(&[
        ("betrag", |row| format!("{row}.25 EUR")),
        ("amount", |row| format!("USD {row}.50")),
        ("shop", |row| format!("ABC{}", row % 9)),
    ]);
    assert_eq!(role(&source, "amount"), Role::Amount);
    assert_eq!(role(&source, "betrag"), Role::Numeric);
    assert_eq!(role(&source, "shop"), Role::Merchant);
    let table = source.tables().unwrap().next().unwrap().unwrap();
    assert_eq!(table.rows(), 60);
    let numbers = |name| table.column(name).unwrap().numbers().unwrap()[59];
    assert!((numbers("betrag") - 59.25).abs() < 1e-12);
    assert!((numbers("amount") - 59.5).abs() < 1e-12);
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

#[test]
fn a_leak_that_the_sample_does_not_show_is_left_out_after_a_look_at_the_whole_file() {
    let row = |row: usize| {
        let fraud = row >= 200 && row.is_multiple_of(8);
        let hint = if fraud { 7 } else { row % 5 };
        format!("t{row},{}.5,{hint},{}\n", row % 90, u8::from(fraud))
    };
    let file: String = std::iter::once("transaction_id,amount,hint,is_fraud\n".to_owned())
        .chain((0..1_000).map(row))
        .collect();
    let left_out = |params: IngestParams| {
        let source = FileSource::from_bytes(&file, &params.sample_rows(100)).unwrap();
        assert_eq!(source.plan().role("is_fraud"), Some(Role::Label));
        assert_ne!(source.plan().role("hint"), Some(Role::Ignore));
        let data = source.suitability(&NoProgress).unwrap();
        let (source, gone) = source.without_leaks(&data).unwrap();
        let table = source.tables().unwrap().next().unwrap().unwrap();
        assert_eq!(table.column("hint").is_none(), gone == ["hint"]);
        gone
    };
    let label = IngestParams::default().role("is_fraud", Role::Label);
    assert_eq!(left_out(label.clone()), ["hint"]);
    let named = label.clone().role("hint", Role::Numeric);
    assert!(left_out(named).is_empty());
    assert!(left_out(label.suspects(Suspects::Keep)).is_empty());
}

#[test]
fn rows_that_repeat_are_counted_and_kept_where_there_are_no_ids() {
    let file = "amount,shop\n1.5,a\n2.5,b\n1.5,a\n1.5,a\n";
    let source = FileSource::from_bytes(file, &IngestParams::default()).unwrap();
    let data = source.suitability(&NoProgress).unwrap();
    assert_eq!((data.rows, data.duplicates), (4, 2));
    assert!(data.to_string().contains("2 rows repeat an earlier one"));
}

#[test]
fn ten_thousand_equal_names_are_numbered_in_no_time() {
    let header = vec!["a"; 10_000].join(",");
    let row = vec!["1"; 10_000].join(",");
    let file = format!("{header}\n{row}\n");
    let source = FileSource::from_bytes(file, &IngestParams::default()).unwrap();
    assert_eq!(source.header()[0], "a");
    assert_eq!(source.header()[9_999], "a_10000");
}
