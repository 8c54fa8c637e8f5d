//! Awkward CSV files from memory: how many rows are kept and left out, which class was found how often, or the error.
//!
//! `awkward.rs` has files on disk with all their values; here the counts and the kind of error are pinned, for both
//! ways of reading: tables and chunks.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod awkward_cases;

use BadRecordClass as Class;
use awkward_cases::{Case, Expected, rows, shapes, times, values};
use dafu_core::{ColumnData, Label, Role, Table, TableSource};
use dafu_ingest::{BadRecordClass, FileSource, IngestError, IngestParams, IngestReport};

fn shown(table: &Table, column: &str, row: usize) -> Option<String> {
    let column = table
        .columns()
        .iter()
        .find(|other| &*other.name == column)?;
    Some(match &column.data {
        ColumnData::Number(values) => match *values.get(row)? {
            number if number.is_nan() => "-".to_owned(),
            0.0 => "0".to_owned(),
            number if number.abs() > 1e15 => format!("{number:e}"),
            number => number.to_string(),
        },
        ColumnData::Text(values) => values.at(row).unwrap_or("-").to_owned(),
        ColumnData::Time(values) => values.get(row)?.map_or("-".to_owned(), |at| at.to_string()),
        ColumnData::Label(values) => match values.get(row)? {
            Label::Fraud => "fraud",
            Label::Legitimate => "legitimate",
            Label::Unknown => "unknown",
        }
        .to_owned(),
    })
}

/// The tables, which are the same as the chunks, and the report.
fn read(case: &Case) -> Result<(Vec<Table>, IngestReport), IngestError> {
    let source = FileSource::from_bytes(&case.file, &case.params)?;
    let tables: Vec<Table> = source.tables()?.collect::<Result<_, _>>()?;
    let report = source.report().unwrap();
    let chunks: Vec<Table> = source
        .chunks()
        .unwrap()
        .map(|chunk| chunk.unwrap().into_owned())
        .collect();
    // NaN differs from itself, its text does not.
    assert_eq!(
        format!("{chunks:?}"),
        format!("{tables:?}"),
        "{}",
        case.name
    );
    assert_eq!(source.report().as_ref(), Some(&report), "{}", case.name);
    Ok((tables, report))
}

#[test]
fn every_awkward_file_gives_its_counts_or_its_error() {
    let cases: Vec<Case> = shapes()
        .into_iter()
        .chain(values())
        .chain(times())
        .collect();
    assert!(cases.len() >= 45);
    let mut wrong = Vec::new();
    for case in &cases {
        let name = case.name;
        match (read(case), &case.expected) {
            (Err(error), Expected::Error(is_expected)) if is_expected(&error) => {}
            (Err(error), _) => wrong.push(format!("{name}: {error:?}")),
            (Ok((_, report)), Expected::Error(_)) => {
                wrong.push(format!("{name}: was read: {report:?}"));
            }
            (
                Ok((tables, report)),
                Expected::Rows {
                    kept,
                    quarantined,
                    found,
                    values,
                },
            ) => {
                let counts: Vec<(Class, u64)> = report
                    .classes
                    .iter()
                    .map(|(&class, found)| (class, found.count))
                    .collect();
                if (report.rows_kept, report.rows_quarantined, &counts)
                    != (*kept, *quarantined, found)
                {
                    wrong.push(format!("{name}: {report}"));
                }
                if report.rows_read != kept + quarantined {
                    wrong.push(format!("{name}: {} rows read", report.rows_read));
                }
                for &(column, row, value) in values {
                    let got = shown(&tables[0], column, row);
                    if got.as_deref() != Some(value) {
                        wrong.push(format!(
                            "{name}: {column} of row {row} is {got:?}, not {value:?}"
                        ));
                    }
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} cases:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

#[test]
fn every_conflict_is_reported_with_both_rows() {
    let file = "id,amount\nx,1\na,2\nb,3\nc,1\na,4\nb,3\na,5\n";
    let case = rows("conflicts", file, 0, 0, &[]);
    let (_, report) = read(&case).unwrap();
    let conflicts: Vec<(&str, u64, u64)> = report
        .conflicts
        .iter()
        .map(|conflict| (conflict.id.as_str(), conflict.first_row, conflict.row))
        .collect();
    assert_eq!(conflicts, [("a", 2, 5), ("a", 2, 7)]);
    assert_eq!(report.count(Class::DuplicateId), 1);
}

#[test]
fn no_part_of_a_card_number_is_left_where_the_record_is_cut() {
    for before in 980..=1_000 {
        let file = format!(
            "user_id,amount,note\n{},x,\"4111111111111111\"\nben,3,c\nbob,4,d\n",
            "u".repeat(before)
        );
        let case = rows("cut", file, 0, 0, &[])
            .with(|p| p.role("note", Role::Ignore).role("amount", Role::Amount));
        let (_, report) = read(&case).unwrap();
        let record = &report.quarantine[0].record;
        assert!(!record.contains('4'), "{before}: {record}");
    }
}

#[test]
fn a_long_run_of_digits_with_spaces_is_searched_in_linear_time() {
    // Quadratic time would be 2.5 * 10^11 steps.
    let file = format!(
        "id,amount,note\n1,x,{}1\n2,3,c\n3,4,d\n",
        "1 ".repeat(500_000)
    );
    let source =
        FileSource::from_bytes(file, &IngestParams::default().role("amount", Role::Amount))
            .unwrap()
            .with_quarantine(std::io::sink());
    source.tables().unwrap().for_each(|table| {
        table.unwrap();
    });
    assert_eq!(source.report().unwrap().rows_quarantined, 1);
}
