//! A corpus of awkward CSV files, each with its expected outcome.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use dafu_core::time::Zone;
use dafu_core::{Column, ColumnData, Label, Role, Table};
use dafu_ingest::{
    BadRecordClass, DateOrder, FileSource, IngestError, IngestParams, Limits, Policy, TokenKey,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::path::PathBuf;

/// What a file gives: rows as `value|value`, what was found as `class [rows] out` or `kept`, or an error that holds
/// a text.
struct Case {
    file: &'static str,
    params: fn() -> IngestParams,
    rows: &'static [&'static str],
    found: &'static [&'static str],
    error: &'static str,
}

fn case(file: &'static str, rows: &'static [&'static str], found: &'static [&'static str]) -> Case {
    Case {
        file,
        params: IngestParams::default,
        rows,
        found,
        error: "",
    }
}

fn refused(file: &'static str, error: &'static str) -> Case {
    Case {
        error,
        ..case(file, &[], &[])
    }
}

impl Case {
    fn with(self, params: fn() -> IngestParams) -> Self {
        Self { params, ..self }
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/awkward")
}

fn params() -> IngestParams {
    IngestParams::default()
}

fn coerce(class: BadRecordClass) -> IngestParams {
    params().policy(class, Policy::Coerce)
}

fn key() -> TokenKey {
    TokenKey::new(*b"0123456789abcdef").unwrap()
}

#[rustfmt::skip]
fn cases() -> Vec<Case> {
    use BadRecordClass::{CardNumber, ConflictingId, NegativeAmount, NotUtf8, NulByte, RaggedRow, TimeInGap, UnclosedQuote};
    vec![
        case("plain", &["1|anna|57.16|shop|2018-04-01T00:00:31Z|ok", "2|ben|7|shop|2018-04-01T00:02:10Z|FRAUD"], &[]),
        case("byte_order_mark", &["1|2"], &[]),
        case("crlf", &["1|2", "3|4"], &[]),
        case("cr_only", &["1|2", "3|4"], &[]),
        case("quoted_newline", &["3|x|4"], &["not an id [1] out"]),
        case("quoted_newline", &["1|Stroman,\nHudson\r\nand Erdman|2", "3|x|4"], &[]).with(|| params().role("merchant", Role::Category)),
        case("quoted_comma_and_quote", &["1|Stroman, Hudson|2", "2|the \"best\" shop|4"], &[]),
        case("quote_inside", &["1|5\" pipe|2", "2|xy|4"], &[]),
        refused("unclosed_quote", "row 1, column \"merchant\": quote not closed"),
        case("unclosed_quote", &[], &["quote not closed [1] out"]).with(|| params().policy(UnclosedQuote, Policy::Quarantine)),
        case("nul", &["3|shop|4"], &["NUL byte [1] out"]),
        case("nul", &["1|shop|2", "3|shop|4"], &["NUL byte [1] kept"]).with(|| coerce(NulByte)),
        case("latin_1", &["3|shop|4"], &["not UTF-8 [1] out"]),
        case("latin_1", &["1|caf\u{fffd}|2", "3|shop|4"], &["not UTF-8 [1] kept"]).with(|| coerce(NotUtf8)),
        case("latin_1", &["1|2", "3|4"], &[]).with(|| params().role("merchant", Role::Ignore)),
        case("cut_character", &[], &["not UTF-8 [1, 2] out"]),
        case("latin_1_header", &["1|shop|2"], &[]),
        case("ragged", &["1|anna|2", "4|dora|6"], &["ragged row [2, 3] out"]),
        case("ragged", &["1|anna|2", "3|carl|4", "4|dora|6"], &["ragged row [3] kept", "required value missing [2] out"]).with(|| coerce(RaggedRow)),
        refused("ragged", "row 2, column \"\": ragged row, value \"2,ben\"").with(|| params().policy(RaggedRow, Policy::Reject)),
        case("trailing_delimiter", &["1|2", "3|4"], &[]),
        refused("empty", "the file is empty"),
        refused("only_line_ends", "the file is empty"),
        refused("only_byte_order_mark", "the file is empty"),
        case("header_only", &[], &[]),
        case("header_without_line_end", &[], &[]),
        case("no_final_line_end", &["1|2", "3|4"], &[]),
        case("blank_lines", &["1|2", "3|4"], &[]),
        case("spaces_around", &["1|2.5|anna", "2|3|ben"], &[]),
        case("large_numbers", &["2|5|1e308"], &["number not finite [3] out", "amount out of range [1, 4] out"]),
        case("nan_and_infinity", &["2|5|-", "5|8|3"], &["number not finite [3, 4] out", "required value missing [1] out"]),
        case("negative_amount", &["1|-5", "2|7"], &["negative amount [1] kept"]),
        refused("negative_amount", "row 1, column \"amount\": negative amount, value \"-5\"").with(|| params().policy(NegativeAmount, Policy::Reject)),
        case("many_decimals", &["1|5.125|EUR", "2|5.125|KWD", "3|5.5|jpy", "4|5.1|EUR"], &["amount with too many decimals [1, 3] kept"]),
        case("decimal_comma", &["1|12.5|anna", "2|7|ben", "3|1000|carl"], &[]),
        case("thousands", &["1|1234.56", "2|12345678.9", "3|7"], &[]),
        case("thousands_with_points", &["1|1234.56", "2|12345678.9", "3|7"], &[]),
        case("currency_sign", &["1|5", "2|1250"], &["not a number [3] out"]),
        case("tabs", &["1|2|a, b"], &[]),
        case("bars", &["1|2|a, b", "3|4|c, d"], &[]),
        case("duplicate_ids", &["1|anna|5|shop|2018-04-01T00:00:31Z|ok", "2|ben|7|shop|2018-04-01T00:02:10Z|FRAUD"], &["duplicate id, same content [3] out"]),
        case("conflicting_ids", &["1|anna|5|shop|2018-04-01T00:00:31Z|ok", "2|ben|7|shop|2018-04-01T00:02:10Z|FRAUD"], &["duplicate id, other content [3] out"]),
        case("conflicting_ids", &["1|anna|5|shop|2018-04-01T00:00:31Z|ok", "2|ben|7|shop|2018-04-01T00:02:10Z|FRAUD", "1|anna|6|shop|2018-04-01T00:00:31Z|ok"], &["duplicate id, other content [3] kept"]).with(|| coerce(ConflictingId)),
        case("day_first", &["1|2018-04-01T00:05:00Z", "2|2018-04-13T17:20:00Z"], &[]),
        case("month_first", &["1|2018-04-01T00:05:00Z", "2|2018-04-13T17:20:00Z"], &[]),
        case("day_or_month", &["1|2018-04-01T00:00:00Z", "2|2018-05-02T00:00:00Z"], &[]),
        case("day_or_month", &["1|2018-01-04T00:00:00Z", "2|2018-02-05T00:00:00Z"], &[]).with(|| params().date_order(DateOrder::MonthFirst)),
        case("mixed_dates", &["1|2018-04-14T00:00:00Z", "2|2018-04-15T00:00:00Z"], &["not a time [3, 4] out"]),
        case("points_in_dates", &["1|2018-04-01T00:00:00Z", "2|2018-04-13T07:05:00Z"], &[]),
        case("epoch_seconds", &["1|2018-04-01T00:00:31Z", "2|2018-04-01T00:02:10.500000Z"], &[]),
        case("epoch_milliseconds", &["1|2018-04-01T00:00:31.250000Z", "2|2018-04-01T00:02:10Z"], &[]),
        case("epoch_microseconds", &["1|2018-04-01T00:00:31.250001Z", "2|2018-04-01T00:02:10Z"], &[]),
        case("epoch_mixed", &["1|2018-04-01T00:00:31.250000Z", "3|2018-04-01T00:00:31.251000Z"], &["not a time [2] out"]),
        case("clock_change", &["1|2018-03-25T00:59:59Z", "2|2018-03-25T01:30:00Z", "3|2018-10-28T00:30:00Z", "4|2018-10-28T02:00:00Z"], &["time that clocks skipped [2] kept", "time that came twice [3] kept"]).with(|| params().zone("Europe/Berlin".parse().unwrap())),
        case("clock_change", &["1|2018-03-25T01:59:59Z", "2|2018-03-25T02:30:00Z", "3|2018-10-28T02:30:00Z", "4|2018-10-28T03:00:00Z"], &[]).with(|| params().zone(Zone::Utc)),
        refused("clock_change", "row 2, column \"time\": time that clocks skipped").with(|| params().zone("Europe/Berlin".parse().unwrap()).policy(TimeInGap, Policy::Reject)),
        case("am_and_pm", &["1|2018-04-13T00:00:00Z", "2|2018-04-13T13:05:09Z"], &[]),
        case("offsets", &["1|2018-04-01T00:00:31Z", "2|2018-04-01T00:00:31Z", "3|2018-04-01T00:00:31Z", "4|2018-04-01T00:00:31Z"], &[]),
        case("bad_times", &["1|2018-04-01T00:00:00Z", "5|2018-04-02T00:00:00Z", "6|2018-04-02T00:00:00Z", "8|2018-04-03T00:00:00Z"], &["not a time [2, 3, 4, 7] out"]),
        case("label_words", &["1|FRAUD", "2|ok", "3|?", "4|FRAUD"], &[]),
        case("bad_labels", &["1|ok", "2|FRAUD", "5|?", "6|FRAUD"], &["not a label [3, 4] out"]),
        case("bad_labels", &["1|ok", "2|ok", "3|ok", "4|FRAUD", "5|?", "6|ok"], &[]).with(|| params().fraud_values(["maybe"])),
        case("minus_one_labels", &["1|ok", "2|ok", "3|FRAUD", "4|ok"], &[]),
        refused("card_number", "row 1, column \"card\": card number, value \"[card number]\""),
        case("card_number", &["2|card-7|6"], &["card number [1] out"]).with(|| params().policy(CardNumber, Policy::Quarantine)),
        case("card_number", &["1|tok_6ab68ca2a9a5093ababdf00856c5692b|5", "2|card-7|6"], &["card number [1] kept"]).with(|| coerce(CardNumber).token_key(key())),
        refused("card_number", "`token_key` must be set").with(|| coerce(CardNumber)),
        case("names_twice", &["1|2|3|4"], &[]),
        case("names_missing", &["1|x|2|y"], &[]),
        case("missing_markers", &["4|5|-|ok"], &["required value missing [1, 2, 3] out"]),
        case("coordinates", &["1|52.5|13.4|-|13.4", "2|-90|180|48.1|-"], &["coordinate out of range [1, 2] kept"]),
        case("long_id", &["2|yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"], &["not an id [1] out"]),
        case("control_character_in_id", &["2|ben"], &["not an id [1] out"]),
        case("one_column", &["1", "2", "3"], &[]),
        case("no_header", &["1|5.5|anna", "2|6.5|ben"], &[]).with(|| params().header(false)),
        case("missing_required", &["6|ben|1|shop|2018-04-01T00:06:10Z|?"], &["required value missing [1, 2, 3, 4, 5] out"]),
        case("wrong_header_case", &["1|anna|5|shop|2018-04-01T00:00:00Z|FRAUD"], &[]),
        refused("utf_16", "this is UTF-16 text, not CSV: convert it"),
        refused("zip", "this is a ZIP archive"),
        refused(
            "parquet",
            if cfg!(feature = "parquet") {
                "cannot read the Parquet file"
            } else {
                "this is a Parquet file"
            },
        ),
        case("empty_values", &["1|2", "2|3"], &[]),
        case("numbers_in_quotes", &["1|2.5", "2|3"], &[]),
        case("leak", &["1|2|ok", "2|3|FRAUD"], &[]),
        case("leak", &["1|2|0|ok", "2|3|1|FRAUD"], &[]).with(|| params().role("fraud_scenario", Role::Numeric)),
        case("integers_as_floats", &["1.0|ok|2018-04-01T00:00:31Z", "2.0|FRAUD|2018-04-01T00:00:32Z"], &[]),
        refused("plain", "no column \"amuont\": the columns are transaction_id, user_id").with(|| params().role("amuont", Role::Amount)),
        refused("plain", "role amount is given to both").with(|| params().role("amount", Role::Amount).role("user_id", Role::Amount)),
    ]
}

fn value(column: &Column, row: usize) -> String {
    match &column.data {
        ColumnData::Number(values) => match values[row] {
            number if number.is_nan() => "-".to_owned(),
            number if number.abs() > 1e15 => format!("{number:e}"),
            number => number.to_string(),
        },
        ColumnData::Text(values) => values.at(row).unwrap_or("-").to_owned(),
        ColumnData::Time(values) => values[row].map_or("-".to_owned(), |at| at.to_string()),
        ColumnData::Label(values) => match values[row] {
            Label::Fraud => "FRAUD",
            Label::Legitimate => "ok",
            Label::Unknown => "?",
        }
        .to_owned(),
    }
}

fn rows_of(table: &Table) -> Vec<String> {
    (0..table.rows())
        .map(|row| {
            let values: Vec<String> = table
                .columns()
                .iter()
                .map(|column| value(column, row))
                .collect();
            values.join("|")
        })
        .collect()
}

/// Rows and findings of a file.
fn read(
    source: Result<FileSource, IngestError>,
) -> Result<(Vec<String>, Vec<String>), IngestError> {
    let source = source?;
    let mut rows = Vec::new();
    let mut tables = source.tables()?;
    for table in &mut tables {
        rows.extend(rows_of(&table?));
    }
    let report = tables.report();
    assert_eq!(report.rows_read, report.rows_kept + report.rows_quarantined);
    assert_eq!(report.rows_kept, rows.len() as u64);
    let found = report
        .classes
        .iter()
        .map(|(class, found)| {
            assert_eq!(found.count, found.quarantined + found.coerced, "{class}");
            let what = if found.coerced > 0 { "kept" } else { "out" };
            format!("{class} {:?} {what}", found.first_rows)
        })
        .collect();
    Ok((rows, found))
}

#[test]
fn every_awkward_file_has_its_expected_outcome() {
    let cases = cases();
    for case in &cases {
        let path = folder().join(format!("{}.csv", case.file));
        match read(FileSource::open(&path, &(case.params)())) {
            Ok((rows, found)) => {
                assert_eq!(case.error, "", "{} was read: {rows:?} {found:?}", case.file);
                assert_eq!(rows, case.rows, "{}", case.file);
                assert_eq!(found, case.found, "{}", case.file);
            }
            Err(error) => {
                let error = error.to_string();
                assert!(!case.error.is_empty(), "{}: {error}", case.file);
                assert!(error.contains(case.error), "{}: {error}", case.file);
            }
        }
    }
    for file in std::fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "csv") {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let elsewhere = ["binary", "day_by_order", "month_by_order"];
            assert!(
                elsewhere.contains(&name.as_str()) || cases.iter().any(|case| case.file == name),
                "{name} has no expected outcome"
            );
        }
    }
}

#[test]
fn the_order_of_times_tells_days_from_months() {
    for name in ["day_by_order", "month_by_order"] {
        let source = FileSource::open(folder().join(format!("{name}.csv")), &params()).unwrap();
        let assumption = &source.plan().assumptions[0];
        assert!(
            assumption.contains("the times then lie closer together"),
            "{assumption}"
        );
        let (rows, found) = read(Ok(source)).unwrap();
        assert_eq!((rows.len(), found.len()), (24, 0));
        assert_eq!(rows[23], "23|2018-04-08T02:00:00Z", "{name}");
    }
}

#[test]
fn binary_garbage_gives_an_error_or_quarantine() {
    let bytes = std::fs::read(folder().join("binary.csv")).unwrap();
    for start in 0..300 {
        let _ = read(FileSource::from_bytes(&bytes[start..], &params()));
    }
}

#[test]
fn a_conflict_names_both_rows() {
    let source = FileSource::open(folder().join("conflicting_ids.csv"), &params()).unwrap();
    source.tables().unwrap().for_each(|table| {
        table.unwrap();
    });
    let report = source.report().unwrap();
    let conflict = &report.conflicts[0];
    assert_eq!(
        (conflict.id.as_str(), conflict.first_row, conflict.row),
        ("1", 1, 3)
    );
}

#[test]
fn the_quarantine_holds_the_record_without_card_numbers() {
    #[derive(Clone, Default)]
    struct Shared(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let shared = Shared::default();
    let file = "id,merchant,amount,note\n1,\"a, \"\"b\"\"\",x5,4111111111111111\n2,b,5,c\n";
    let source = FileSource::from_bytes(file, &params().role("amount", Role::Amount))
        .unwrap()
        .with_role("note", Role::Ignore)
        .unwrap()
        .with_quarantine(shared.clone());
    for _ in 0..2 {
        source.tables().unwrap().for_each(|table| {
            table.unwrap();
        });
    }
    let written = String::from_utf8(shared.0.lock().unwrap().clone()).unwrap();
    let expected = "row,class,column,record\n\
        1,not a number,amount,\"1,\"\"a, \"\"\"\"b\"\"\"\"\"\",x5,[card number]\"\n";
    assert_eq!(written, expected);
    assert!(!format!("{:?}", source.report()).contains("4111"));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn error_of(bytes: impl AsRef<[u8]>, params: &IngestParams) -> String {
    read(FileSource::from_bytes(bytes, params))
        .unwrap_err()
        .to_string()
}

#[test]
fn gzip_files_are_read_in_all_their_members() {
    let mut file = gzip(b"id,amount\n1,2\n");
    file.extend(gzip(b"3,4\n"));
    let (rows, _) = read(FileSource::from_bytes(&file, &params())).unwrap();
    assert_eq!(rows, ["1|2", "3|4"]);
}

#[test]
fn a_gzip_file_that_ends_early_is_an_error_with_the_row() {
    let mut text = String::from("id,amount\n");
    let mut state = 1_u64;
    for row in 0..100_000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        text.push_str(&[row.to_string(), (state >> 40).to_string()].join(","));
        text.push('\n');
    }
    let file = gzip(text.as_bytes());
    let error = error_of(&file[..file.len() * 3 / 4], &params().sample_rows(100));
    let row: u64 = error
        .strip_prefix("the gzip stream ends early after row ")
        .and_then(|rest| rest.split(':').next())
        .unwrap_or_else(|| panic!("{error}"))
        .parse()
        .unwrap();
    assert!((60_000..90_000).contains(&row), "{row}");
    let mut damaged = file.clone();
    damaged[file.len() / 2] ^= 0x55;
    assert!(read(FileSource::from_bytes(&damaged, &params())).is_err());
    let mut followed = file;
    followed.extend_from_slice(b"garbage");
    assert!(read(FileSource::from_bytes(&followed, &params())).is_err());
}

#[test]
fn a_gzip_bomb_is_refused() {
    let mut text = b"id,amount\n".to_vec();
    text.resize(20 << 20, b'0');
    let bomb = gzip(&text);
    assert!(bomb.len() < 50_000);
    let error = error_of(&bomb, &params());
    assert!(error.contains("expanded more than 200 times"), "{error}");
    let nested = gzip(&bomb);
    let error = error_of(&nested, &params());
    assert!(
        error.contains("a gzip stream inside a gzip stream"),
        "{error}"
    );
}

#[test]
fn the_cap_on_bytes_holds() {
    let limits = Limits {
        max_bytes: 1000,
        ..Limits::default()
    };
    let error = error_of("a,b\n1,2\n".repeat(1000), &params().limits(limits));
    assert!(error.contains("more than 1000 bytes were read"), "{error}");
}

#[test]
fn a_hundred_thousand_columns_are_an_error_unless_allowed() {
    let header: Vec<String> = (0..100_000).map(|column| format!("f{column}")).collect();
    let row = vec!["1"; 100_000].join(",");
    let file = format!("{}\n{row}\n{row}\n", header.join(","));
    let error = error_of(&file, &params());
    assert!(error.contains("more than 10000 columns"), "{error}");
    let limits = Limits {
        max_columns: 100_000,
        ..Limits::default()
    };
    let source = FileSource::from_bytes(&file, &params().limits(limits)).unwrap();
    let rows: usize = source
        .tables()
        .unwrap()
        .map(|table| table.unwrap().rows())
        .sum();
    assert_eq!(rows, 2);
}

#[test]
fn one_giant_field_is_quarantined_and_not_held() {
    let file = format!("id,user_id\n1,anna\n2,{}\n3,ben\n", "x".repeat(50_000_000));
    let (rows, found) = read(FileSource::from_bytes(&file, &params())).unwrap();
    assert_eq!(rows, ["1|anna", "3|ben"]);
    assert_eq!(found, ["field too long [2] out"]);
}

#[test]
fn a_long_field_is_cut_when_it_is_coerced() {
    let limits = Limits {
        max_field: 5,
        ..Limits::default()
    };
    let cut = coerce(BadRecordClass::FieldTooLong).limits(limits);
    let file = "id,mcc\n1,abcd\u{e9}fgh\n2,abc\n";
    let (rows, found) = read(FileSource::from_bytes(file, &cut)).unwrap();
    assert_eq!(rows, ["1|abcd", "2|abc"]);
    assert_eq!(found, ["field too long [1] kept"]);
}

#[test]
fn a_giant_row_of_small_fields_is_quarantined() {
    let limits = Limits {
        max_row: 10_000,
        max_field: 1_000,
        ..Limits::default()
    };
    let file = format!("id,user_id\n1,anna\n{}\n3,ben\n", "abc,".repeat(100_000));
    let (rows, found) = read(FileSource::from_bytes(&file, &params().limits(limits))).unwrap();
    assert_eq!(rows, ["1|anna", "3|ben"]);
    assert_eq!(found, ["row too long [2] out"]);
}

#[test]
fn an_endless_header_is_an_error() {
    let file = "x".repeat(20_000_000);
    let error = error_of(&file, &params());
    assert!(error.contains("the first row is longer than"), "{error}");
}
