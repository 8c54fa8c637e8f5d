//! Sources in the order of time, compared cell by cell with a stable sort in memory.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{column, numbers, texts};
use dafu_core::table::{Chunks, ColumnData, SourceError, Storage};
use dafu_core::{Label, Role, Table, TableSource, Timestamp};
use dafu_features::{CheckedTimeSortParams, FeatureError, TimeSortParams, TimeSorted};
use dafu_testkit::strategy;
use proptest::prelude::*;
use std::borrow::Cow;
use std::cell::Cell;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A directory that is removed with this value.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("time-sort-{}-{count}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn params(&self, run_rows: usize) -> TimeSortParams {
        let params = TimeSortParams::default().run_rows(run_rows);
        params.temp_dir(self.0.clone())
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// A table given in pieces of these sizes, again and again; a hole in the sizes gives a table without rows.
struct Cut {
    table: Table,
    sizes: Vec<usize>,
    passes: Cell<usize>,
}

impl Cut {
    fn new(table: &Table, sizes: &[usize]) -> Self {
        let (table, sizes) = (table.clone(), sizes.to_vec());
        let passes = Cell::new(0);
        Self {
            table,
            sizes,
            passes,
        }
    }
}

impl TableSource for Cut {
    fn chunks(&self) -> Result<Chunks<'_>, SourceError> {
        self.passes.set(self.passes.get() + 1);
        let mut from = 0;
        let mut sizes = self.sizes.iter().cycle();
        let mut first = true;
        Ok(Box::new(std::iter::from_fn(move || {
            let size = *sizes.next()?;
            if from == self.table.rows() && !first {
                return None;
            }
            first = false;
            let rows: Vec<usize> = (from..(from + size).min(self.table.rows())).collect();
            from += rows.len();
            Some(Ok(Cow::Owned(self.table.select(&rows))))
        })))
    }
}

/// A source of other tables each time.
struct Passes(Vec<Vec<Table>>, Cell<usize>);

impl Passes {
    fn new(passes: Vec<Vec<Table>>) -> Self {
        Self(passes, Cell::new(0))
    }
}

impl TableSource for Passes {
    fn chunks(&self) -> Result<Chunks<'_>, SourceError> {
        let pass = self.1.get();
        self.1.set(pass + 1);
        Ok(Box::new(
            self.0[pass].iter().map(|table| Ok(Cow::Borrowed(table))),
        ))
    }

    fn rows_hint(&self) -> Option<u64> {
        Some(77)
    }
}

/// A value, by its bits.
#[derive(Debug, PartialEq)]
enum Value {
    Row(u64),
    Number(u64),
    Text(Option<String>),
    Time(Option<Timestamp>),
    Label(Label),
}

fn row_values(table: &Table, row: usize) -> Vec<Value> {
    let mut values = vec![Value::Row(table.row_numbers()[row])];
    values.extend(table.columns().iter().map(|column| match &column.data {
        ColumnData::Number(values) => Value::Number(values[row].to_bits()),
        ColumnData::Text(values) => Value::Text(values.at(row).map(str::to_owned)),
        ColumnData::Time(values) => Value::Time(values[row]),
        ColumnData::Label(values) => Value::Label(values[row]),
    }));
    values
}

fn header(table: &Table) -> Vec<(String, Role, Storage)> {
    let columns = table.columns().iter();
    columns
        .map(|column| (column.name.to_string(), column.role, column.data.storage()))
        .collect()
}

fn times(table: &Table) -> Vec<Option<Timestamp>> {
    let column = table.by_role(Role::Time);
    column.map_or_else(Vec::new, |column| column.times().unwrap().to_vec())
}

/// The oracle: all rows, sorted with the stable sort of the standard library.
fn in_order(table: &Table) -> Vec<Vec<Value>> {
    let times = times(table);
    let mut rows: Vec<usize> = (0..table.rows()).collect();
    rows.sort_by_key(|&row| times[row]);
    rows.into_iter().map(|row| row_values(table, row)).collect()
}

/// All rows of a source; every table must have the columns of `like`.
fn all_rows(source: &dyn TableSource, like: &Table) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for table in source.chunks().unwrap() {
        let table = table.unwrap();
        assert_eq!(header(&table), header(like));
        rows.extend((0..table.rows()).map(|row| row_values(&table, row)));
    }
    rows
}

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

/// Rows at these seconds, with their numbers from 1 as a column as well.
fn at_seconds(seconds: impl IntoIterator<Item = i64>) -> Table {
    let times: Vec<_> = seconds
        .into_iter()
        .map(|second| Some(Timestamp::from_seconds(second).unwrap()))
        .collect();
    let rows = times.len();
    let columns = vec![
        numbers("number", Role::Numeric, (0..rows).map(|row| row as f64)),
        column("at", Role::Time, ColumnData::Time(times)),
    ];
    Table::new(columns, (1..=rows as u64).collect()).unwrap()
}

/// Seconds in disorder with many ties, as by a small generator.
fn shuffled(rows: u32) -> Table {
    let next = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    let states = std::iter::successors(Some(7_u32), next);
    at_seconds(
        states
            .take(rows as usize)
            .map(|state| i64::from(state >> 8) % i64::from(rows / 2)),
    )
}

/// The error under that of a source.
fn feature_error(error: &SourceError) -> &FeatureError {
    error.source().unwrap().downcast_ref().unwrap()
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
fn a_row_without_time_is_named() {
    let dir = Dir::new();
    let at = |second| Some(Timestamp::from_seconds(second).unwrap());
    // Before the first row out of order, and long after it.
    for times in [
        vec![at(1), at(2), None, at(1)],
        vec![at(2), at(1), None],
        vec![at(9), at(8), at(7), at(6), at(5), None, None],
    ] {
        let place = times.iter().position(Option::is_none).unwrap() as u64;
        let rows = times.len() as u64;
        let data = ColumnData::Time(times);
        let numbers = (100..100 + rows).collect();
        let table = Table::new(vec![column("at", Role::Time, data)], numbers).unwrap();
        let error = TimeSorted::new(&table, &dir.params(1)).unwrap_err();
        assert!(
            matches!(error, FeatureError::MissingTime { row } if row == 100 + place),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .contains(&format!("record {} has no time", 100 + place))
        );
        assert!(dir.files().is_empty());
    }
}

#[test]
fn an_unusable_directory_is_named() {
    let dir = Dir::new();
    let params = dir.params(1).temp_dir(dir.0.join("not-there"));
    let error = TimeSorted::new(&at_seconds([2, 1]), &params).unwrap_err();
    assert!(error.to_string().contains("not-there"), "{error}");
    let FeatureError::TempFile { path, source } = error else {
        panic!("{error}");
    };
    assert!(path.starts_with(dir.0.join("not-there")));
    assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn files_go_after_an_abandoned_iterator_and_after_errors() {
    let dir = Dir::new();
    let table = shuffled(100);
    let sorted = TimeSorted::new(&table, &dir.params(3).chunk_rows(2)).unwrap();
    let mut chunks = sorted.chunks().unwrap();
    assert_eq!(chunks.next().unwrap().unwrap().rows(), 2);
    drop(chunks);
    // Two at once do not disturb each other.
    let (mut one, mut two) = (sorted.chunks().unwrap(), sorted.chunks().unwrap());
    for _ in 0..10 {
        assert_eq!(one.next().unwrap().unwrap(), two.next().unwrap().unwrap());
    }
    drop((one, two));
    assert!(!dir.files().is_empty());
    drop(sorted);
    assert!(dir.files().is_empty());

    // An error when files have been written.
    let other = common::table(vec![common::times([Some("2026-01-01T00:00:00Z")])]);
    let source = Passes::new(vec![vec![table.clone()], vec![table, other]]);
    let error = TimeSorted::new(&source, &dir.params(3)).unwrap_err();
    assert!(
        matches!(error, FeatureError::ChangedColumns { .. }),
        "{error}"
    );
    assert!(
        error.to_string().contains("timestamp (time, Time)"),
        "{error}"
    );
    assert!(dir.files().is_empty());
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Dir::new();
    let table = shuffled(100);
    let sorted = TimeSorted::new(&table, &dir.params(1)).unwrap();
    assert_eq!(dir.files().len(), 64);
    for file in dir.files() {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    drop(sorted);
}

#[test]
fn columns_that_differ_from_table_to_table_are_an_error() {
    let first = at_seconds([1]);
    let renamed = |name: &str, role| {
        let mut columns = at_seconds([2]).columns().to_vec();
        columns[0].name = name.into();
        columns[0].role = role;
        Table::new(columns, vec![2]).unwrap()
    };
    let mut text = renamed("number", Role::Numeric).columns().to_vec();
    text[0] = texts("number", Role::Ignore, [Some("1")]);
    let time_only = vec![at_seconds([2]).columns()[1].clone()];
    for other in [
        renamed("other", Role::Numeric),
        renamed("number", Role::Ignore),
        Table::new(text, vec![2]).unwrap(),
        Table::new(time_only, vec![2]).unwrap(),
        Table::default(),
    ] {
        let source = Passes::new(vec![vec![first.clone(), other]]);
        let error = TimeSorted::new(&source, &TimeSortParams::default()).unwrap_err();
        assert!(
            matches!(error, FeatureError::ChangedColumns { .. }),
            "{error}"
        );
    }
}

#[test]
fn a_column_left_out_that_holds_something_else_is_an_error() {
    let with = |column| {
        let columns = vec![column, at_seconds([2]).columns()[1].clone()];
        Table::new(columns, vec![2]).unwrap()
    };
    let source = Passes::new(vec![vec![
        with(numbers("note", Role::Ignore, [1.0])),
        with(texts("note", Role::Ignore, [Some("1")])),
    ]]);
    let error = TimeSorted::new(&source, &TimeSortParams::default()).unwrap_err();
    assert!(error.to_string().contains("note (ignore, Text)"), "{error}");
}

#[test]
fn a_source_in_order_that_has_changed_is_an_error_and_the_end() {
    let (first, second) = (at_seconds([1, 2]), at_seconds([3, 4]));
    let source = Passes::new(vec![
        vec![first.clone(), second.clone()],
        vec![second.clone(), first.clone(), second.clone()],
    ]);
    let sorted = TimeSorted::new(&source, &TimeSortParams::default()).unwrap();
    let mut chunks = sorted.chunks().unwrap();
    assert_eq!(*chunks.next().unwrap().unwrap(), second);
    let error = chunks.next().unwrap().unwrap_err();
    assert!(matches!(
        feature_error(&error),
        FeatureError::SourceChanged { row: 1 }
    ));
    assert!(chunks.next().is_none());
}

/// Fails after some tables, the first time or the second.
struct Failing(Table, Cell<usize>);

impl TableSource for Failing {
    fn chunks(&self) -> Result<Chunks<'_>, SourceError> {
        let passes_left = self.1.get();
        self.1.set(passes_left.saturating_sub(1));
        let mut end = (passes_left == 0).then(|| Err(SourceError::new("broken")));
        let tables = std::iter::once(Ok(Cow::Borrowed(&self.0)));
        Ok(Box::new(
            tables.chain(std::iter::from_fn(move || end.take())),
        ))
    }
}

#[test]
fn the_error_of_the_source_is_passed_on() {
    let dir = Dir::new();
    for (seconds, passes_until) in [([1, 2, 3], 0), ([3, 2, 1], 1)] {
        let source = Failing(at_seconds(seconds), Cell::new(passes_until));
        let error = TimeSorted::new(&source, &dir.params(1)).unwrap_err();
        assert!(matches!(error, FeatureError::Source(_)), "{error}");
        assert!(error.to_string().contains("broken"));
        assert!(dir.files().is_empty());
    }
    let source = Failing(at_seconds([1, 2, 3]), Cell::new(1));
    let sorted = TimeSorted::new(&source, &dir.params(1)).unwrap();
    let last = sorted.chunks().unwrap().last().unwrap();
    assert_eq!(last.unwrap_err().to_string(), "broken");
}

#[test]
fn damaged_files_are_errors() {
    let dir = Dir::new();
    let table = shuffled(40);
    let sorted = TimeSorted::new(&table, &dir.params(20).chunk_rows(5)).unwrap();
    let file = dir.files()[0].clone();
    let good = fs::read(&file).unwrap();
    let expected = in_order(&table);
    for damaged in dafu_testkit::damage::all(&good) {
        fs::write(&file, &damaged.bytes).unwrap();
        // What stands behind the end of what was written is not read.
        let harmless = damaged.bytes.starts_with(&good);
        let error = match sorted.chunks() {
            Err(error) => Some(error),
            Ok(chunks) => {
                let results: Vec<_> = chunks.collect();
                let errors = results.iter().filter(|result| result.is_err()).count();
                assert!(errors <= 1, "{}", damaged.damage);
                results.into_iter().find_map(Result::err)
            }
        };
        assert_eq!(error.is_none(), harmless, "{}", damaged.damage);
        if let Some(error) = error {
            let error = feature_error(&error);
            assert!(
                matches!(error, FeatureError::DamagedTempFile { .. }),
                "{}: {error}",
                damaged.damage
            );
            assert!(error.to_string().contains("dafu-sort-"), "{error}");
        }
    }
    fs::write(&file, &good).unwrap();
    assert_eq!(all_rows(&sorted, &table), expected);
    // A file that is gone.
    fs::remove_file(&file).unwrap();
    let error = sorted.chunks().err().unwrap();
    assert!(
        matches!(feature_error(&error), FeatureError::TempFile { .. }),
        "{error}"
    );
}

#[test]
fn damage_far_into_a_file_ends_the_iterator() {
    let dir = Dir::new();
    // About 16 bytes for a row: three blocks for a file.
    let table = shuffled(20_000);
    let sorted = TimeSorted::new(&table, &dir.params(10_000).chunk_rows(100)).unwrap();
    let file = dir.files()[0].clone();
    let good = fs::read(&file).unwrap();
    assert!(good.len() > 3 * (64 << 10) / 2);
    let mut changed = good.clone();
    changed[good.len() - 1] ^= 1;
    for bad in [&changed[..], &good[..good.len() - 1], &good[..70_000]] {
        fs::write(&file, bad).unwrap();
        let mut chunks = sorted.chunks().unwrap();
        let ok = chunks.by_ref().take_while(Result::is_ok).count();
        assert!((1..200).contains(&ok), "{ok} good tables");
        assert!(chunks.next().is_none());
    }
    fs::write(&file, &good).unwrap();
    assert_eq!(all_rows(&sorted, &table), in_order(&table));
}

#[test]
fn blocks_that_changed_places_are_an_error() {
    let dir = Dir::new();
    // All rows of a file are of one instant, so that their order alone tells nothing.
    let table = at_seconds((0..18_000).map(|row| 1 - row / 9_000));
    let sorted = TimeSorted::new(&table, &dir.params(9_000)).unwrap();
    let file = dir.files()[0].clone();
    let good = fs::read(&file).unwrap();
    let length = u64::from_le_bytes(good[..8].try_into().unwrap());
    let block = 16 + usize::try_from(length).unwrap();
    assert_eq!(good[..8], good[block..block + 8]);
    let swapped = [&good[block..2 * block], &good[..block], &good[2 * block..]].concat();
    fs::write(&file, swapped).unwrap();
    let error = sorted.chunks().err().unwrap();
    let error = feature_error(&error);
    assert!(
        matches!(error, FeatureError::DamagedTempFile { .. }),
        "{error}"
    );
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
