//! Parquet files that Apache Arrow's own writer made (`fixtures/make_parquet.py`).
#![cfg(feature = "parquet")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use dafu_core::time::Zone;
use dafu_core::{Column, ColumnData, Label, Role, Table, TableSource};
use dafu_ingest::{
    BadRecordClass, FileSource, IngestError, IngestParams, Limits, Policy, RecordKind,
    TransactionReader,
};
use proptest::prelude::*;
use std::path::PathBuf;

fn fixture(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    folder.join(format!("{name}.parquet"))
}

fn tables(source: &FileSource) -> Result<Vec<Table>, IngestError> {
    source.tables()?.collect()
}

fn value(column: &Column, row: usize) -> String {
    match &column.data {
        ColumnData::Number(values) if values[row].is_nan() => "-".to_owned(),
        ColumnData::Number(values) => values[row].to_string(),
        ColumnData::Text(values) => values.at(row).unwrap_or("-").to_owned(),
        ColumnData::Time(values) => values[row].map_or("-".to_owned(), |at| at.to_string()),
        ColumnData::Label(values) => match values[row] {
            Label::Fraud => "true".to_owned(),
            Label::Legitimate => "false".to_owned(),
            Label::Unknown => "-".to_owned(),
        },
    }
}

/// All rows as text, whatever the size of the chunks.
fn rows(source: &FileSource) -> Vec<String> {
    let mut rows = Vec::new();
    for table in tables(source).unwrap() {
        for row in 0..table.rows() {
            let values: Vec<String> = table
                .columns()
                .iter()
                .map(|column| value(column, row))
                .collect();
            rows.push(format!("{} {}", table.row_numbers()[row], values.join("|")));
        }
    }
    rows
}

/// The file that `payments` of the script describes, as CSV.
fn payments_csv() -> String {
    let row = |i: u32| {
        let cents = 1999 * i + 101;
        let (day, hour) = (1 + 7 * i / 24, 7 * i % 24);
        let category = match i {
            4 => "",
            _ => ["food", "travel"][i as usize % 2],
        };
        format!(
            "{i},u{},{}.{:02},shop {},2018-04-{day:02}T{hour:02}:00:31Z,{category},{}\n",
            i % 5,
            cents / 100,
            cents % 100,
            i % 3,
            i % 6 == 5
        )
    };
    let header = "transaction_id,user_id,amount,merchant_id,timestamp,category,is_fraud\n";
    std::iter::once(header.to_owned())
        .chain((0..12).map(row))
        .collect()
}

#[test]
fn every_way_of_storing_the_same_payments_gives_what_csv_gives() {
    let csv = FileSource::from_bytes(payments_csv(), &IngestParams::default()).unwrap();
    let expected = rows(&csv);
    assert_eq!(expected.len(), 12);
    assert_eq!(
        expected[4],
        "5 4|u4|80.97|shop 1|2018-04-02T04:00:31Z|-|false"
    );
    for name in ["plain", "snappy", "zstd_v2", "gzip_delta"] {
        for chunk_rows in [1, 5, 1000] {
            let params = IngestParams::default().chunk_rows(chunk_rows);
            let source = FileSource::open(fixture(&format!("payments_{name}")), &params).unwrap();
            assert_eq!(
                source.plan().record_kind(),
                Some(RecordKind::Transaction),
                "{name}"
            );
            assert_eq!(rows(&source), expected, "{name}");
            assert_eq!(source.rows_hint(), Some(12));
            let report = source.report().unwrap();
            assert_eq!((report.rows_read, report.rows_kept), (12, 12), "{name}");
            let roles: Vec<Role> = source.plan().columns.iter().map(|c| c.role).collect();
            let of_csv: Vec<Role> = csv.plan().columns.iter().map(|c| c.role).collect();
            assert_eq!(roles, of_csv, "{name}");
        }
    }
}

#[test]
fn a_plan_of_a_csv_file_reads_a_parquet_file() {
    let params = IngestParams::default();
    let csv = FileSource::from_bytes(payments_csv(), &params).unwrap();
    let source = FileSource::open_with(fixture("payments_plain"), &params, csv.plan()).unwrap();
    assert_eq!(rows(&source), rows(&csv));
    let table = &tables(&source).unwrap()[0];
    let reader = TransactionReader::new(table).unwrap();
    assert_eq!(reader.at(table, 4).unwrap().amount.minor(), 8097);
}

#[test]
fn every_type_gives_its_values_and_lists_are_left_out() {
    let text = [
        "text",
        "large_text",
        "blob",
        "uuid",
        "i64",
        "flag",
        "millis_utc",
    ];
    let times = ["seconds", "micros", "nanos_utc", "date"];
    // One column may be the time of a row; the others are read as times under their own files.
    for time in times {
        let mut params = IngestParams::default().role(time, Role::Time);
        for other in times.into_iter().filter(|other| *other != time) {
            params = params.role(other, Role::Ignore);
        }
        for name in text {
            params = params.role(name, Role::Category);
        }
        for name in [
            "i8",
            "u32",
            "u64",
            "f16",
            "f32",
            "f64",
            "dec9",
            "dec38",
            "clock",
            "place.lat",
            "place.lon",
        ] {
            params = params.role(name, Role::Numeric);
        }
        params = params.policy(BadRecordClass::MissingRequired, Policy::Coerce);
        let source = FileSource::open(fixture("types"), &params).unwrap();
        let table = &tables(&source).unwrap()[0];
        let column = |name: &str| -> Vec<String> {
            let column = table
                .columns()
                .iter()
                .find(|c| &*c.name == name)
                .unwrap_or_else(|| panic!("{name}"));
            (0..3).map(|row| value(column, row)).collect()
        };
        for (name, expected) in [
            ("i8", ["-8", "8", "-"]),
            ("u32", ["1", "4294967295", "-"]),
            ("u64", ["1", "9223372036854776000", "-"]),
            ("i64", ["-1099511627776", "1099511627776", "-"]),
            ("f16", ["1.5", "-0.25", "-"]),
            ("f32", ["0.1", "-3.5", "-"]),
            ("f64", ["0.1", "-", "-"]),
            ("dec9", ["-1.25", "7.5", "-"]),
            ("dec38", ["-12", "0.5", "-"]),
            ("flag", ["true", "false", "-"]),
            ("text", ["a", "gr\u{fc}\u{df}", "-"]),
            ("large_text", ["x", "-", "-"]),
            ("blob", ["ab", "cd", "-"]),
            (
                "uuid",
                [
                    "00000000-0000-0000-0000-000000000001",
                    "ffffffff-ffff-ffff-ffff-ffffffffffff",
                    "-",
                ],
            ),
            ("clock", ["3723000000", "14706000000", "-"]),
            (
                "millis_utc",
                [
                    "2021-12-31T23:59:59.123000Z",
                    "2021-12-31T23:59:59.123000Z",
                    "-",
                ],
            ),
            ("place.lat", ["52.5", "-", "-"]),
            ("place.lon", ["13.4", "0", "-"]),
        ] {
            assert_eq!(column(name), expected, "{name}");
        }
        let expected = match time {
            "seconds" => "2021-12-31T23:59:59Z",
            "date" => "2021-12-31T00:00:00Z",
            _ => "2021-12-31T23:59:59.123456Z",
        };
        assert_eq!(column(time), [expected, expected, "-"], "{time}");
        for (name, why) in [
            ("list.list.element", "it holds lists"),
            ("fixed", "it holds binary values"),
        ] {
            let plan = source.plan().column(name).unwrap();
            assert_eq!((plan.role, plan.reason.as_str()), (Role::Ignore, why));
            let error = source.clone().with_role(name, Role::Category).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}

#[test]
fn wall_clock_times_are_in_the_zone_of_the_parameters() {
    let params = IngestParams::default()
        .zone("Europe/Berlin".parse::<Zone>().unwrap())
        .policy(BadRecordClass::MissingRequired, Policy::Coerce);
    let time = |column: &str| {
        let params = params.clone().role(column, Role::Time);
        let source = FileSource::open(fixture("types"), &params).unwrap();
        let tables = tables(&source).unwrap();
        let times = tables[0].by_role(Role::Time).unwrap().times().unwrap();
        times[0].unwrap().to_string()
    };
    assert_eq!(time("micros"), "2021-12-31T22:59:59.123456Z");
    assert_eq!(time("nanos_utc"), "2021-12-31T23:59:59.123456Z");
    assert_eq!(time("date"), "2021-12-30T23:00:00Z");
}

#[test]
fn large_unsigned_ids_keep_all_their_digits() {
    let params = IngestParams::default().role("u64", Role::User);
    let source = FileSource::open(fixture("types"), &params).unwrap();
    let tables = tables(&source).unwrap();
    let ids = tables[0].by_role(Role::User).unwrap().texts().unwrap();
    assert_eq!(ids.at(1), Some("9223372036854775808"));
}

#[test]
fn old_writers_96_bit_times_are_instants() {
    let source = FileSource::open(fixture("int96"), &IngestParams::default()).unwrap();
    let tables = tables(&source).unwrap();
    let times = tables[0].by_role(Role::Time).unwrap().times().unwrap();
    assert_eq!(times[2].unwrap().to_string(), "2018-04-01T14:00:31Z");
}

#[test]
fn a_file_without_rows_has_its_columns() {
    let source = FileSource::open(fixture("payments_empty"), &IngestParams::default()).unwrap();
    let tables = tables(&source).unwrap();
    assert_eq!((tables.len(), tables[0].rows()), (1, 0));
    assert_eq!(source.plan().role("user_id"), Some(Role::User));
}

#[test]
fn what_cannot_be_decompressed_is_named() {
    let error = FileSource::open(fixture("payments_brotli"), &IngestParams::default()).unwrap_err();
    assert!(matches!(error, IngestError::Parquet { row: 0, .. }));
    assert!(error.to_string().contains("brotli"), "{error}");
}

#[test]
fn limits_hold() {
    let open = |limits| {
        let params = IngestParams::default()
            .limits(limits)
            .role("merchant_id", Role::Merchant);
        FileSource::open(fixture("payments_plain"), &params)
    };
    let limits = Limits::default();
    let columns = open(Limits {
        max_columns: 6,
        ..limits
    });
    assert!(matches!(
        columns,
        Err(IngestError::TooManyColumns { limit: 6 })
    ));
    let bytes = open(Limits {
        max_bytes: 200,
        ..limits
    })
    .unwrap();
    assert!(matches!(
        tables(&bytes),
        Err(IngestError::TooManyBytes { row: 5, .. })
    ));
    let long = open(Limits {
        max_field: 10,
        max_row: 12,
        ..limits
    });
    let long = long.unwrap();
    // `u0`, `shop 0` and `travel` are 14 bytes, with `food` they are 12.
    assert_eq!(rows(&long).len(), 6);
    assert_eq!(long.report().unwrap().count(BadRecordClass::RowTooLong), 6);
    let fields = open(Limits {
        max_field: 5,
        ..limits
    })
    .unwrap();
    assert!(rows(&fields).is_empty());
    assert_eq!(
        fields.report().unwrap().count(BadRecordClass::FieldTooLong),
        12
    );
}

#[test]
fn bad_records_go_to_the_quarantine_with_their_values() {
    let bad = IngestParams::default().role("user_id", Role::Numeric);
    let source = FileSource::open(fixture("payments_plain"), &bad).unwrap();
    assert!(rows(&source).is_empty());
    let report = source.report().unwrap();
    assert_eq!(report.count(BadRecordClass::BadNumber), 12);
    assert_eq!(
        report.quarantine[4].record,
        "4,u4,80.97,shop 1,2018-04-02T04:00:31Z,,false"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// Errors are fine, panics and lost rows are not.
    #[test]
    fn damaged_files_are_read_or_refused(
        name in prop::sample::select(vec!["plain", "snappy", "zstd_v2", "gzip_delta"]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = std::fs::read(fixture(&format!("payments_{name}"))).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let Ok(source) = FileSource::from_bytes(bytes, &IngestParams::default()) else { return Ok(()); };
        let kept: usize = match source.tables() {
            Err(_) => return Ok(()),
            Ok(tables) => match tables.map(|table| table.map(|table| table.rows())).sum::<Result<usize, _>>() {
                Err(_) => return Ok(()),
                Ok(kept) => kept,
            },
        };
        let report = source.report().unwrap();
        prop_assert_eq!(report.rows_kept, kept as u64);
        prop_assert_eq!(report.rows_read, report.rows_kept + report.rows_quarantined);
    }
}
