//! Scored rows as CSV, one line at a time.

use crate::error::ReportError;
use dafu_core::{Label, RiskBand};
use std::io::Write;

/// How text cells are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CsvMode {
    /// As they are: what is read back equals what was written.
    #[default]
    Raw,
    /// Safe to open in a spreadsheet: a text cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return, and
    /// would be run as a formula, gets a `'` in front. Cells that are numbers stay as they are. Programs should read
    /// raw files: a text that begins with `'` cannot be told from a guarded one.
    SpreadsheetSafe,
}

/// One scored row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoredRow<'a> {
    /// Number of the row in its source.
    pub row: u64,
    /// Id of the transaction; empty for none.
    pub transaction_id: &'a str,
    /// Risk from 0 to 1.
    pub risk_score: f64,
    /// Whether it is an alert, by threshold, in the order of the header.
    pub flags: &'a [bool],
    /// Band of the risk.
    pub band: RiskBand,
    /// What is known about the row.
    pub label: Label,
    /// Why, strongest first.
    pub reasons: &'a [&'a str],
    /// Cells of the original columns, in the order of the header; empty for missing.
    pub original: &'a [&'a str],
}

/// Writes scored rows as CSV: `row`, `transaction_id`, `risk_score`, one flag (0 or 1) for each threshold, `band`,
/// `label` (`fraud`, `legitimate` or empty), `reasons` (joined by `; `), then the original columns.
///
/// Holds one line at a time, whatever the size of the export.
///
/// # Examples
///
/// ```
/// use dafu_core::{Label, RiskBand};
/// use dafu_report::{CsvMode, ScoredCsvWriter, ScoredRow};
///
/// let mut file = Vec::new();
/// let mut writer = ScoredCsvWriter::new(&mut file, CsvMode::Raw, &["flag_1_percent"], &["amount"])?;
/// writer.write(&ScoredRow {
///     row: 1,
///     transaction_id: "t-1",
///     risk_score: 0.91,
///     flags: &[true],
///     band: RiskBand::Critical,
///     label: Label::Unknown,
///     reasons: &["amount 912.00 is far above usual"],
///     original: &["912.00"],
/// })?;
/// writer.finish()?;
/// let text = String::from_utf8(file)?;
/// assert!(text.starts_with("row,transaction_id,risk_score,flag_1_percent,band,label,reasons,amount\n"));
/// assert!(text.contains("1,t-1,0.91,1,critical,,amount 912.00 is far above usual,912.00"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ScoredCsvWriter<W: Write> {
    writer: csv::Writer<W>,
    mode: CsvMode,
    flags: usize,
    original: usize,
    line: u64,
    record: csv::ByteRecord,
    cell: Vec<u8>,
}

impl<W: Write> ScoredCsvWriter<W> {
    /// Starts an export with its header: names of the flags (one for each threshold) and of the original columns.
    ///
    /// # Errors
    ///
    /// [`ReportError::Csv`] when the header cannot be written.
    pub fn new(
        output: W,
        mode: CsvMode,
        flags: &[&str],
        original: &[&str],
    ) -> Result<Self, ReportError> {
        let mut writer = Self {
            writer: csv::Writer::from_writer(output),
            mode,
            flags: flags.len(),
            original: original.len(),
            line: 1,
            record: csv::ByteRecord::new(),
            cell: Vec::new(),
        };
        for name in ["row", "transaction_id", "risk_score"] {
            writer.text(name);
        }
        for name in flags {
            writer.text(name);
        }
        for name in ["band", "label", "reasons"] {
            writer.text(name);
        }
        for name in original {
            writer.text(name);
        }
        writer.end_line()?;
        Ok(writer)
    }

    /// Writes a row.
    ///
    /// # Errors
    ///
    /// [`ReportError::Columns`] when flags or original cells are not as many as in the header, and then nothing is
    /// written; [`ReportError::Csv`] when the output refuses the line.
    pub fn write(&mut self, row: &ScoredRow<'_>) -> Result<(), ReportError> {
        self.check("flags", self.flags, row.flags.len())?;
        self.check("original columns", self.original, row.original.len())?;
        self.number(row.row);
        self.text(row.transaction_id);
        if row.risk_score.is_finite() {
            self.number(row.risk_score);
        } else {
            self.record.push_field(b"");
        }
        for flag in row.flags {
            self.record.push_field(if *flag { b"1" } else { b"0" });
        }
        self.record.push_field(row.band.name().as_bytes());
        let label: &[u8] = match row.label {
            Label::Unknown => b"",
            Label::Legitimate => b"legitimate",
            Label::Fraud => b"fraud",
        };
        self.record.push_field(label);
        self.text(&row.reasons.join("; "));
        for cell in row.original {
            self.text(cell);
        }
        self.end_line()
    }

    /// Writes what is still buffered and gives the output back.
    ///
    /// # Errors
    ///
    /// [`ReportError::Csv`] when the output refuses it.
    pub fn finish(mut self) -> Result<W, ReportError> {
        let line = self.line;
        self.writer.flush().map_err(|error| ReportError::Csv {
            line,
            source: error.into(),
        })?;
        self.writer.into_inner().map_err(|error| ReportError::Csv {
            line,
            source: error.into_error().into(),
        })
    }

    fn check(&self, what: &'static str, expected: usize, got: usize) -> Result<(), ReportError> {
        if expected == got {
            return Ok(());
        }
        let line = self.line;
        Err(ReportError::Columns {
            line,
            what,
            expected,
            got,
        })
    }

    fn number(&mut self, number: impl std::fmt::Display) {
        self.cell.clear();
        let _ = write!(self.cell, "{number}");
        self.record.push_field(&self.cell);
    }

    fn text(&mut self, text: &str) {
        self.cell.clear();
        if self.mode == CsvMode::SpreadsheetSafe && is_formula(text) {
            self.cell.push(b'\'');
        }
        self.cell.extend(text.as_bytes());
        self.record.push_field(&self.cell);
    }

    fn end_line(&mut self) -> Result<(), ReportError> {
        let line = self.line;
        let written = self.writer.write_byte_record(&self.record);
        self.record.clear();
        self.line += 1;
        written.map_err(|source| ReportError::Csv { line, source })
    }
}

/// Whether a spreadsheet would take the cell for a formula. Plain numbers (`-12.5`, `+1e3`) are not.
fn is_formula(text: &str) -> bool {
    let risky = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let digits = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    risky && !(digits && text.parse::<f64>().is_ok())
}
