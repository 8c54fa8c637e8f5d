//! What sorting by time does with sources that fail or change, and with its files: they are private, go away, and
//! damage is found.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod sorting;

use common::{column, numbers, texts};
use dafu_core::table::{Chunks, ColumnData, SourceError};
use dafu_core::{Role, Table, TableSource, Timestamp};
use dafu_features::{FeatureError, TimeSortParams, TimeSorted};
use sorting::{Dir, Passes, all_rows, at_seconds, feature_error, in_order, shuffled};
use std::borrow::Cow;
use std::cell::Cell;
use std::fs;

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
