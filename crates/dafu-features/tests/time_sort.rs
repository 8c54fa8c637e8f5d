//! Sources in the order of time, compared cell by cell with a stable sort in memory.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod sorting;

use common::{column, numbers, texts};
use dafu_core::table::ColumnData;
use dafu_core::{Label, Role, Table, TableSource, Timestamp};
use dafu_features::{CheckedTimeSortParams, FeatureError, TimeSortParams, TimeSorted};
use dafu_testkit::strategy;
use proptest::prelude::*;
use sorting::{Cut, Dir, Passes, all_rows, at_seconds, header, in_order, shuffled, times};
use std::borrow::Cow;
use std::path::Path;

/// A table with a time in each row, with many rows of one instant where asked for.
fn timed(table: &Table, tied: bool) -> Option<Table> {
    table.by_role(Role::Time)?;
    let times = times(table);
    let rows: Vec<usize> = (0..table.rows())
        .filter(|&row| times[row].is_some())
        .collect();
    let table = table.select(&rows);
    if !tied {
        return Some(table);
    }
    let mut columns = table.columns().to_vec();
    for column in &mut columns {
        if let ColumnData::Time(times) = &mut column.data {
            for time in times.iter_mut() {
                let micros = time.unwrap().as_micros() / 1_000_000;
                *time = Some(Timestamp::from_seconds(micros.rem_euclid(3)).unwrap());
            }
        }
    }
    Some(Table::new(columns, table.row_numbers().to_vec()).unwrap())
}

fn timed_tables() -> impl Strategy<Value = Table> {
    let drawn = prop_oneof![
        strategy::tables(),
        strategy::transactions().prop_map(|rows| Table::from_transactions(&rows)),
    ];
    (drawn, any::<bool>()).prop_filter_map("a time column", |(table, tied)| timed(&table, tied))
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    (proptest::collection::vec(0_usize..6, 0..4), 1_usize..40).prop_map(|(mut sizes, last)| {
        sizes.push(last);
        sizes
    })
}

proptest! {
    #[test]
    fn equals_a_stable_sort_of_all_rows(
        table in timed_tables(),
        sizes in cuts(),
        run_rows in prop_oneof![1_usize..=3, 1_usize..50],
        chunk_rows in prop_oneof![1_usize..=3, 1_usize..50],
    ) {
        let dir = Dir::new();
        let expected = in_order(&table);
        let was_in_order = times(&table).is_sorted();
        let source = Cut::new(&table, &sizes);
        let params = dir.params(run_rows).chunk_rows(chunk_rows);
        let sorted = TimeSorted::new(&source, &params).unwrap();
        prop_assert_eq!(sorted.is_sorted(), was_in_order);
        prop_assert_eq!(sorted.rows(), table.rows() as u64);
        let spilled = !was_in_order && table.rows() > run_rows;
        prop_assert_eq!(sorted.spilled_bytes() > 0, spilled);
        let on_disk: u64 = dir.files().iter().map(|file| file.metadata().unwrap().len()).sum();
        prop_assert_eq!(on_disk, sorted.spilled_bytes());
        for _ in 0..2 {
            prop_assert_eq!(&all_rows(&sorted, &table), &expected);
        }
        if !was_in_order {
            let sizes: Vec<usize> = sorted.chunks().unwrap().map(|table| table.unwrap().rows()).collect();
            let (last, full) = sizes.split_last().unwrap();
            prop_assert!(full.iter().all(|&rows| rows == chunk_rows) && (1..=chunk_rows).contains(last));
            prop_assert_eq!(source.passes.get(), 2);
        }
        drop(sorted);
        prop_assert!(dir.files().is_empty());
    }

    #[test]
    fn any_table_is_sorted_or_has_a_typed_error(
        table in strategy::tables(),
        sizes in cuts(),
        run_rows in 1_usize..5,
    ) {
        let dir = Dir::new();
        let source = Cut::new(&table, &sizes);
        let sorted = TimeSorted::new(&source, &dir.params(run_rows));
        let missing = times(&table).iter().position(Option::is_none);
        match sorted {
            Err(FeatureError::NoTimeColumn) => prop_assert!(table.by_role(Role::Time).is_none()),
            Err(FeatureError::MissingTime { row }) => {
                prop_assert_eq!(Some(row), missing.map(|place| table.row_numbers()[place]));
            }
            Err(error) => prop_assert!(false, "{}", error),
            Ok(sorted) => {
                prop_assert!(table.by_role(Role::Time).is_some() && missing.is_none());
                prop_assert_eq!(all_rows(&sorted, &table), in_order(&table));
            }
        }
        prop_assert!(dir.files().is_empty());
    }
}

#[test]
fn keeps_every_value_of_every_storage() {
    let (first, second) = (Timestamp::EPOCH, Timestamp::MAX);
    let long = "x".repeat(200_000);
    let nans = [
        0x7ff8_0000_0000_0001,
        0xfff0_0000_0000_0003,
        0x7ff0_dead_beef_0001,
    ];
    let [a, b, c] = nans.map(f64::from_bits);
    let ignored = |name, data| column(name, Role::Ignore, data);
    let mixed_times = vec![None, Some(first), None, Some(Timestamp::MIN), Some(second)];
    let labels = vec![
        Label::Fraud,
        Label::Unknown,
        Label::Legitimate,
        Label::Fraud,
        Label::Unknown,
    ];
    let columns = vec![
        texts(
            "user",
            Role::User,
            [
                Some(""),
                None,
                Some("\u{e9}\u{4e2d}\u{1f600}"),
                Some(&long),
                Some("u\0\n\""),
            ],
        ),
        numbers("amount", Role::Amount, [a, -0.0, b, f64::NEG_INFINITY, c]),
        column(
            "at",
            Role::Time,
            ColumnData::Time(
                [second, first, second, first, Timestamp::MIN]
                    .map(Some)
                    .to_vec(),
            ),
        ),
        column("label", Role::Label, ColumnData::Label(labels.clone())),
        ignored("seen", ColumnData::Time(mixed_times)),
        ignored("was_label", ColumnData::Label(labels)),
        ignored("was_number", ColumnData::Number(vec![b, a, c, 5e-324, 1.0])),
        ignored("none", ColumnData::Text([None; 5].into_iter().collect())),
    ];
    let table = Table::new(columns, vec![u64::MAX, 0, 10, 3, 3]).unwrap();
    let dir = Dir::new();
    for run_rows in 1..=5 {
        let sorted = TimeSorted::new(&table, &dir.params(run_rows).chunk_rows(2)).unwrap();
        assert_eq!(all_rows(&sorted, &table), in_order(&table));
    }
}

#[test]
fn many_runs_are_merged_on_several_levels() {
    for (rows, run_rows) in [(64, 1), (65, 1), (300, 1), (700, 3), (4_100, 1)] {
        let dir = Dir::new();
        let table = shuffled(rows);
        let source = Cut::new(&table, &[100, 1]);
        let sorted = TimeSorted::new(&source, &dir.params(run_rows).chunk_rows(7)).unwrap();
        assert!(dir.files().len() <= 64, "{} files", dir.files().len());
        assert_eq!(all_rows(&sorted, &table), in_order(&table));
        drop(sorted);
        assert!(dir.files().is_empty());
    }
}

#[test]
fn rows_of_one_instant_keep_their_order() {
    let dir = Dir::new();
    let table = at_seconds((0..500).map(|row| 1 - row % 2));
    let sorted = TimeSorted::new(&table, &dir.params(2)).unwrap();
    let numbers: Vec<u64> = sorted
        .chunks()
        .unwrap()
        .flat_map(|table| table.unwrap().row_numbers().to_vec())
        .collect();
    let expected = (1..=500).filter(|row| row % 2 == 0);
    assert_eq!(
        numbers,
        expected
            .chain((1..=500).filter(|row| row % 2 == 1))
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_source_in_order_is_passed_through() {
    let table = at_seconds([1, 2, 2, 3]);
    let missing = Path::new("/nowhere/at/all");
    let params = TimeSortParams::default().run_rows(1).temp_dir(missing);
    let sorted = TimeSorted::new(&table, &params).unwrap();
    assert!(sorted.is_sorted());
    assert_eq!((sorted.spilled_bytes(), sorted.rows()), (0, 4));
    for _ in 0..2 {
        let chunks: Vec<_> = sorted.chunks().unwrap().map(Result::unwrap).collect();
        assert_eq!(chunks.len(), 1);
        let Cow::Borrowed(passed) = &chunks[0] else {
            panic!("copied");
        };
        assert!(std::ptr::eq(*passed, &raw const table));
    }
}

#[test]
fn sources_without_rows_are_in_order() {
    let none: Vec<dafu_core::Transaction> = Vec::new();
    let sorted = TimeSorted::new(&none, &TimeSortParams::default()).unwrap();
    assert!(sorted.is_sorted());
    assert_eq!(sorted.chunks().unwrap().count(), 0);
    let empty = at_seconds([]);
    let sorted = TimeSorted::new(&empty, &TimeSortParams::default()).unwrap();
    let chunks: Vec<_> = sorted.chunks().unwrap().map(Result::unwrap).collect();
    assert_eq!(header(&chunks[0]), header(&empty));
}

#[test]
fn a_source_that_fits_into_one_run_writes_no_file() {
    let dir = Dir::new();
    let table = at_seconds([3, 1, 2, 1]);
    let params = dir.params(4).temp_dir(dir.0.join("not-there"));
    let sorted = TimeSorted::new(&table, &params).unwrap();
    assert!(!sorted.is_sorted());
    assert_eq!(sorted.spilled_bytes(), 0);
    assert_eq!(all_rows(&sorted, &table), in_order(&table));
}

#[test]
fn the_hint_is_that_of_the_source_or_the_rows_counted() {
    let (early, late) = (at_seconds([1]), at_seconds([2]));
    let source = Passes::new(vec![vec![early, late]]);
    let sorted = TimeSorted::new(&source, &TimeSortParams::default()).unwrap();
    assert_eq!((sorted.rows_hint(), sorted.rows()), (Some(77), 2));
    let source = Cut::new(&at_seconds([2, 1, 0]), &[2]);
    let sorted = TimeSorted::new(&source, &TimeSortParams::default()).unwrap();
    assert_eq!((source.rows_hint(), sorted.rows_hint()), (None, Some(3)));
}

#[test]
fn rejects_parameters_outside_their_ranges() {
    let message = |params: TimeSortParams| params.check().unwrap_err().to_string();
    let params = TimeSortParams::default();
    assert_eq!(
        message(params.clone().run_rows(0)),
        "`run_rows` must be between 1 and 1073741824, got 0"
    );
    assert_eq!(
        message(params.clone().chunk_rows(1 + (1 << 30))),
        "`chunk_rows` must be between 1 and 1073741824, got 1073741825"
    );
    assert_eq!((params.run_rows, params.chunk_rows), (262_144, 16_384));
    assert_eq!(params.check().unwrap().params(), &params);
    let error = TimeSorted::new(&at_seconds([1]), &params.run_rows(0)).unwrap_err();
    assert!(matches!(error, FeatureError::OutOfRange { .. }));
}

#[test]
fn types_can_be_sent_and_shared() {
    fn check<T: Send + Sync>() {}
    check::<TimeSortParams>();
    check::<CheckedTimeSortParams>();
    check::<FeatureError>();
}

#[cfg(feature = "serde")]
#[test]
fn parameters_are_read_from_a_file() {
    let params: TimeSortParams =
        serde_json::from_str(r#"{"run_rows": 5, "temp_dir": "a/b"}"#).unwrap();
    assert_eq!(
        params,
        TimeSortParams::default().run_rows(5).temp_dir("a/b")
    );
    assert!(serde_json::from_str::<TimeSortParams>(r#"{"rows": 5}"#).is_err());
}
