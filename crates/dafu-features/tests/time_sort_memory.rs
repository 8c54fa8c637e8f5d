//! Memory of sorting. One test only, since the allocator counts the whole process.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{column, numbers, texts};
use dafu_core::table::{Chunks, ColumnData};
use dafu_core::{Role, SourceError, Table, TableSource, Timestamp};
use dafu_features::{TimeSortParams, TimeSorted};
use dafu_testkit::{CountingAllocator, memory::peak_bytes};
use std::borrow::Cow;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Rows in disorder, made while they are read.
struct Made(u64);

const CHUNK: u64 = 500;

impl TableSource for Made {
    fn chunks(&self) -> Result<Chunks<'_>, SourceError> {
        Ok(Box::new((0..self.0 / CHUNK).map(|chunk| {
            let rows: Vec<u64> = (chunk * CHUNK + 1..=(chunk + 1) * CHUNK).collect();
            let second = |row: u64| (row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40).cast_signed();
            let time = |&row: &u64| Timestamp::from_seconds(second(row)).ok();
            let names: Vec<String> = rows.iter().map(|row| format!("user-{row}")).collect();
            let names = names.iter().map(|name| Some(name.as_str()));
            let columns = vec![
                column(
                    "at",
                    Role::Time,
                    ColumnData::Time(rows.iter().map(time).collect()),
                ),
                numbers("amount", Role::Amount, rows.iter().map(|&row| row as f64)),
                texts("user", Role::User, names),
            ];
            Table::new(columns, rows)
                .map(Cow::Owned)
                .map_err(SourceError::new)
        })))
    }
}

/// Reads all rows and gives their number.
fn read(source: &dyn TableSource) -> u64 {
    let mut last = None;
    let mut rows = 0;
    for table in source.chunks().unwrap() {
        let table = table.unwrap();
        let times = table.by_role(Role::Time).unwrap().times().unwrap();
        assert!(last <= times[0] && times.is_sorted());
        last = times[times.len() - 1];
        rows += table.rows() as u64;
    }
    rows
}

#[test]
fn memory_does_not_grow_with_the_source() {
    let params = TimeSortParams::default().run_rows(1000).chunk_rows(1000);
    let peak = |rows| {
        let source = Made(rows);
        let (seen, peak) = peak_bytes(&ALLOCATOR, || {
            let sorted = TimeSorted::new(&source, &params).unwrap();
            read(&sorted)
        });
        assert_eq!(seen, rows);
        peak
    };
    let (full, long) = (peak(64_000), peak(640_000));
    // 64 buffers of 64 KiB, and some for a run and a table.
    assert!(full < 6 << 20, "{full} bytes");
    assert!(
        long < 6 << 20,
        "{long} bytes, {full} for a tenth of the rows"
    );
}
