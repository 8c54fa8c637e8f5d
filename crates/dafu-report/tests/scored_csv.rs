//! Scored rows as CSV: both modes read back.
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::{Label, RiskBand};
use dafu_report::{CsvMode, ReportError, ScoredCsvWriter, ScoredRow};
use proptest::prelude::*;

fn write(mode: CsvMode, id: &str, cells: &[&str], reasons: &[&str]) -> Vec<csv::StringRecord> {
    let names = ["=name", "b", "c"];
    let mut writer = ScoredCsvWriter::new(
        Vec::new(),
        mode,
        &["at 1 %", "at 5 %"],
        &names[..cells.len()],
    )
    .unwrap();
    let row = ScoredRow {
        row: 7,
        transaction_id: id,
        risk_score: 0.123_456_789_012_345_68,
        flags: &[false, true],
        band: RiskBand::High,
        label: Label::Fraud,
        reasons,
        original: cells,
    };
    writer.write(&row).unwrap();
    let bytes = writer.finish().unwrap();
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(bytes.as_slice());
    reader.records().map(Result::unwrap).collect()
}

#[test]
fn safe_mode_guards_formulas_and_leaves_numbers_alone() {
    let cases = [
        ("=1+1", "'=1+1"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("-", "'-"),
        ("-inf", "'-inf"),
        ("-12.5", "-12.5"),
        ("+1e3", "+1e3"),
        ("-0", "-0"),
        ("plain", "plain"),
        ("", ""),
        ("a=b", "a=b"),
    ];
    for (cell, safe) in cases {
        let lines = write(CsvMode::SpreadsheetSafe, cell, &[cell], &[cell, "x"]);
        assert_eq!(&lines[0][8], "'=name", "a column's name is a text too");
        assert_eq!(&lines[1][1], safe);
        assert_eq!(&lines[1][8], safe);
        let raw = write(CsvMode::Raw, cell, &[cell], &[cell, "x"]);
        assert_eq!(&raw[1][1], cell);
        assert_eq!(&raw[1][8], cell);
    }
    let lines = write(CsvMode::SpreadsheetSafe, "t", &[], &["=a", "b"]);
    assert_eq!(&lines[1][7], "'=a; b");
}

#[test]
fn columns_stand_in_the_order_of_the_header() {
    let lines = write(CsvMode::Raw, "t-1", &["1", "2"], &["far", "late"]);
    let expected = [
        "row",
        "transaction_id",
        "risk_score",
        "at 1 %",
        "at 5 %",
        "band",
        "label",
        "reasons",
        "=name",
        "b",
    ];
    assert_eq!(lines[0].iter().collect::<Vec<_>>(), expected);
    let expected = [
        "7",
        "t-1",
        "0.12345678901234568",
        "0",
        "1",
        "high",
        "fraud",
        "far; late",
        "1",
        "2",
    ];
    assert_eq!(lines[1].iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_row_of_another_width_is_an_error_and_leaves_no_trace() {
    let mut writer = ScoredCsvWriter::new(Vec::new(), CsvMode::Raw, &["f"], &["a"]).unwrap();
    let row = ScoredRow {
        row: 1,
        transaction_id: "t",
        risk_score: 0.5,
        flags: &[],
        band: RiskBand::Low,
        label: Label::Unknown,
        reasons: &[],
        original: &["x"],
    };
    let error = writer.write(&row).unwrap_err();
    assert!(
        matches!(
            error,
            ReportError::Columns {
                line: 2,
                expected: 1,
                got: 0,
                ..
            }
        ),
        "{error}"
    );
    let row = ScoredRow {
        flags: &[true],
        ..row
    };
    assert!(
        writer
            .write(&ScoredRow {
                original: &[],
                ..row
            })
            .is_err()
    );
    writer.write(&row).unwrap();
    let text = String::from_utf8(writer.finish().unwrap()).unwrap();
    assert_eq!(
        text,
        "row,transaction_id,risk_score,f,band,label,reasons,a\n1,t,0.5,1,low,,,x\n"
    );
}

#[test]
fn a_full_disk_is_an_error_with_its_line() {
    #[derive(Debug)]
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("no space"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let writer = ScoredCsvWriter::new(Full, CsvMode::Raw, &[], &[]).unwrap();
    assert!(matches!(writer.finish(), Err(ReportError::Csv { .. })));
}

proptest! {
    #[test]
    fn raw_cells_read_back(cells in proptest::collection::vec(any::<String>(), 3)) {
        let cells = cells.iter().map(String::as_str).collect::<Vec<_>>();
        let lines = write(CsvMode::Raw, cells[0], &cells, &[cells[1]]);
        let line = &lines[1];
        prop_assert_eq!(&line[1], cells[0]);
        prop_assert_eq!(&line[7], cells[1]);
        prop_assert_eq!(line.iter().skip(8).collect::<Vec<_>>(), cells);
    }

    #[test]
    fn safe_cells_are_no_formulas_and_read_back_without_the_guard(
        cell in "[=+\\-@\t\ra-c0-9'.,\"\n ]{0,8}"
    ) {
        let lines = write(CsvMode::SpreadsheetSafe, &cell, &[&cell], &[]);
        let safe = &lines[1][8];
        let formula = safe.starts_with(['=', '+', '-', '@', '\t', '\r']);
        prop_assert!(!formula || safe.parse::<f64>().is_ok());
        let unguarded = if safe == cell { safe } else { safe.strip_prefix('\'').unwrap_or("?") };
        prop_assert_eq!(unguarded, &cell);
    }
}
