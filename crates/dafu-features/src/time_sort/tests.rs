//! Rows as bytes, and how many runs are left.

use super::layout::{Layout, Reader, TableReader, write_length};
use super::merge::Merge;
use super::spill::{BLOCK_BYTES, FAN_IN, HEADER_BYTES, Run, RunWriter, Runs};
use dafu_core::table::TextColumn;
use dafu_core::{Column, ColumnData, Label, Role, Table, Timestamp};
use dafu_testkit::damage;
use std::path::Path;

fn column(name: &str, role: Role, data: ColumnData) -> Column {
    let name = name.into();
    Column { name, role, data }
}

/// One row with every storage.
fn one_row() -> Table {
    let text = |text| ColumnData::Text(TextColumn::from_iter([text]));
    let columns = vec![
        column("amount", Role::Amount, ColumnData::Number(vec![-0.0])),
        column("user", Role::User, text(Some("u-1"))),
        column(
            "at",
            Role::Time,
            ColumnData::Time(vec![Some(Timestamp::MIN)]),
        ),
        column("label", Role::Label, ColumnData::Label(vec![Label::Fraud])),
        column("card", Role::Card, text(None)),
        column("until", Role::Ignore, ColumnData::Time(vec![None])),
        column(
            "since",
            Role::Ignore,
            ColumnData::Time(vec![Some(Timestamp::MAX)]),
        ),
    ];
    Table::new(columns, vec![u64::MAX]).unwrap()
}

fn encoded(table: &Table) -> (Layout, Vec<u8>) {
    let layout = Layout::of(table).unwrap();
    let time = layout.times(table).unwrap()[0].unwrap();
    let mut bytes = Vec::new();
    layout.encode(table, 0, time, &mut bytes);
    (layout, bytes)
}

#[test]
fn a_row_comes_back_from_its_bytes() {
    let table = one_row();
    let (layout, bytes) = encoded(&table);
    let mut reader = TableReader::new(&layout);
    reader.push(&bytes).unwrap();
    assert_eq!(reader.rows(), 1);
    let read = reader.finish().unwrap();
    assert_eq!(read, table);
    assert!(read.columns()[0].numbers().unwrap()[0].is_sign_negative());
}

#[test]
fn damaged_rows_are_errors_or_other_rows_and_never_panic() {
    let (layout, bytes) = encoded(&one_row());
    for damaged in damage::all(&bytes) {
        let mut reader = TableReader::new(&layout);
        if reader.push(&damaged.bytes).is_ok() {
            assert_eq!(damaged.bytes.len(), bytes.len(), "{}", damaged.damage);
            assert_eq!(reader.finish().unwrap().rows(), 1, "{}", damaged.damage);
        }
    }
}

#[test]
fn lengths_come_back_from_their_bytes() {
    for length in [
        0,
        1,
        127,
        128,
        16_383,
        16_384,
        u64::from(u32::MAX),
        u64::MAX,
    ] {
        let mut bytes = Vec::new();
        write_length(length, &mut bytes);
        assert!(bytes.len() <= 10);
        let mut reader = Reader(&bytes);
        assert_eq!(reader.length().unwrap(), length);
        assert!(reader.0.is_empty());
        assert!(Reader(&bytes[1..]).length().is_err() || length > 127);
    }
    assert!(Reader(&[0xff; 10]).length().is_err());
    assert!(Reader(&[0x80; 11]).length().is_err());
}

fn run(dir: &Path, rows: &[&[u8]]) -> Run {
    let mut writer = RunWriter::create(dir).unwrap();
    for row in rows {
        writer.push(row).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn blocks_are_no_longer_than_they_should_be() {
    let dir = std::env::temp_dir();
    let row = [0; 1000];
    let many = run(&dir, &[&row[..]; 100]);
    assert!(many.longest_block() <= BLOCK_BYTES as u64);
    assert_eq!(many.bytes(), 100 * 1002 + 2 * HEADER_BYTES as u64);
    let long = vec![0; 2 * BLOCK_BYTES];
    let long = run(&dir, &[&row[..], &long, &row]);
    assert_eq!(long.longest_block(), 2 * BLOCK_BYTES as u64 + 3);
    assert_eq!(run(&dir, &[]).bytes(), 0);
}

#[test]
fn as_few_runs_are_merged_as_needed() {
    let dir = std::env::temp_dir();
    let time = |time: i64| time.to_le_bytes();
    for (count, left_alone) in [(1, 1), (64, 64), (65, 63), (100, 63), (127, 63), (200, 61)] {
        let mut runs = Runs::new(dir.clone());
        let mut paths = Vec::new();
        for number in 0..count {
            let run = run(&dir, &[&time(number), &time(number + 1)]);
            paths.push(run.path().to_owned());
            runs.push(run).unwrap();
        }
        let merged = runs.finish().unwrap();
        assert!(merged.len() <= FAN_IN);
        let alone = merged
            .iter()
            .filter(|run| paths.contains(&run.path().to_owned()));
        assert_eq!(alone.count(), left_alone, "{count} runs");
        let there = paths.iter().filter(|path| path.exists()).count();
        assert_eq!(there, left_alone, "{count} runs");
        let rows = |run: &Run| run.bytes().div_euclid(18);
        assert_eq!(merged.iter().map(rows).sum::<u64>(), count.unsigned_abs());
    }
}

#[test]
fn rows_out_of_order_in_a_file_are_an_error() {
    let dir = std::env::temp_dir();
    let (early, late) = (1_i64.to_le_bytes(), 2_i64.to_le_bytes());
    let runs = [run(&dir, &[&early, &late]), run(&dir, &[&late, &early])];
    let mut merge = Merge::open(&runs).unwrap();
    merge.advance().unwrap();
    merge.advance().unwrap();
    let error = merge.advance().unwrap_err();
    assert!(error.to_string().ends_with("the rows are not in order"));
    // Too short to hold a time.
    let short = [run(&dir, &[&early[..7]])];
    assert!(Merge::open(&short).is_err());
}
