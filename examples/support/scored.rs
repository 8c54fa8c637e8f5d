//! Exporting scored rows with the reasons of those that are alerts.

use dafu::report::{CsvMode, ReasonCount, ScoredCsvWriter, ScoredRow};
use dafu::{Column, ColumnData, Detector, Label, PipelineError, Role, Score, SourceError, Table};
use std::collections::BTreeMap;
use std::io::Write;

/// Columns that an export shows beside the scores, where the file has them.
const SHOWN: [Role; 6] = [
    Role::Time,
    Role::User,
    Role::Merchant,
    Role::Amount,
    Role::Category,
    Role::Device,
];

/// Alerts explained in one chunk.
const EXPLAINED: usize = 2_000;

/// Writes scored chunks and counts the reasons of alerts.
#[derive(Debug)]
pub struct Export<'a, W: Write> {
    detector: &'a Detector,
    output: Option<W>,
    mode: CsvMode,
    writer: Option<ScoredCsvWriter<W>>,
    thresholds: Vec<f64>,
    reasons: BTreeMap<String, (String, u64, f64)>,
    unexplained: usize,
}

impl<'a, W: Write> Export<'a, W> {
    /// An export that begins with the first chunk.
    pub fn new(detector: &'a Detector, output: W, mode: CsvMode) -> Self {
        let thresholds = detector
            .model()
            .thresholds()
            .iter()
            .map(|threshold| threshold.risk.get())
            .collect();
        let (writer, reasons) = (None, BTreeMap::new());
        Self {
            detector,
            output: Some(output),
            mode,
            writer,
            thresholds,
            reasons,
            unexplained: 0,
        }
    }

    /// Takes one scored chunk.
    ///
    /// # Errors
    ///
    /// When the output cannot be written or an alert cannot be explained.
    pub fn take(&mut self, table: &Table, scores: &[Score]) -> Result<(), SourceError> {
        let shown: Vec<&Column> = table
            .columns()
            .iter()
            .filter(|column| SHOWN.contains(&column.role))
            .collect();
        if let Some(output) = self.output.take() {
            let thresholds = self.detector.model().thresholds();
            let flags: Vec<String> = thresholds
                .iter()
                .map(|threshold| flag_name(&threshold.name))
                .collect();
            let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
            let names: Vec<&str> = shown.iter().map(|column| &*column.name).collect();
            let writer = ScoredCsvWriter::new(output, self.mode, &flags, &names);
            self.writer = Some(writer.map_err(SourceError::new)?);
        }
        let mut reasons = self.explain(table, scores)?;
        let ids = table
            .by_role(Role::TransactionId)
            .and_then(|column| column.texts());
        let labels = table
            .by_role(Role::Label)
            .and_then(|column| column.labels());
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        for (row, risk) in scores.iter().enumerate() {
            let flags: Vec<bool> = self
                .thresholds
                .iter()
                .map(|threshold| risk.get() >= *threshold)
                .collect();
            let texts = reasons.remove(&row).unwrap_or_default();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let cells: Vec<String> = shown.iter().map(|column| cell(column, row)).collect();
            let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
            let scored = ScoredRow {
                row: table.row_numbers()[row],
                transaction_id: ids.and_then(|ids| ids.at(row)).unwrap_or_default(),
                risk_score: risk.get(),
                flags: &flags,
                band: self.detector.model().bands().band(*risk),
                label: labels.map_or(Label::Unknown, |labels| labels[row]),
                reasons: &texts,
                original: &cells,
            };
            writer.write(&scored).map_err(SourceError::new)?;
        }
        Ok(())
    }

    /// The reasons of the alerts among the rows, at most [`EXPLAINED`] in one chunk, the riskiest first.
    fn explain(
        &mut self,
        table: &Table,
        scores: &[Score],
    ) -> Result<BTreeMap<usize, Vec<String>>, PipelineError> {
        let threshold = self.detector.model().threshold();
        let mut alerts: Vec<usize> = (0..scores.len())
            .filter(|&row| scores[row] >= threshold)
            .collect();
        alerts.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
        self.unexplained += alerts.len().saturating_sub(EXPLAINED);
        alerts.truncate(EXPLAINED);
        let assessed = self.detector.assess_table(table, &alerts)?;
        let mut texts = BTreeMap::new();
        for (row, assessment) in alerts.into_iter().zip(assessed) {
            for reason in &assessment.reasons {
                // What is counted is the feature, not the value it had in one row.
                let name = reason
                    .code
                    .as_str()
                    .trim_start_matches("unusual.")
                    .replace('_', " ");
                let entry = self.reasons.entry(reason.code.to_string());
                let entry = entry.or_insert_with(|| (format!("unusual {name}"), 0, 0.0));
                entry.1 += 1;
                entry.2 += reason.contribution / assessment.risk_score.get();
            }
            texts.insert(
                row,
                assessment
                    .reasons
                    .into_iter()
                    .map(|reason| reason.text)
                    .collect(),
            );
        }
        Ok(texts)
    }

    /// Ends the export; the reasons that most alerts name, most frequent first.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    pub fn finish(self) -> Result<Vec<ReasonCount>, Box<dyn std::error::Error>> {
        if let Some(writer) = self.writer {
            writer.finish()?.flush()?;
        }
        if self.unexplained > 0 {
            eprintln!(
                "{} alerts have no reasons: only the {EXPLAINED} riskiest of a chunk of rows are explained",
                self.unexplained
            );
        }
        let count = |(code, (text, alerts, sum)): (String, (String, u64, f64))| ReasonCount {
            code,
            text,
            alerts,
            contribution: sum / alerts as f64,
        };
        let mut reasons: Vec<ReasonCount> = self.reasons.into_iter().map(count).collect();
        reasons.sort_by(|a, b| b.alerts.cmp(&a.alerts).then(a.code.cmp(&b.code)));
        Ok(reasons)
    }
}

/// `contamination 1 %` as a column name: `alert_contamination_1_percent`.
fn flag_name(threshold: &str) -> String {
    format!(
        "alert_{}",
        threshold.replace('%', "percent").replace([' ', '.'], "_")
    )
}

fn cell(column: &Column, row: usize) -> String {
    match &column.data {
        ColumnData::Number(values) if values[row].is_nan() => String::new(),
        ColumnData::Number(values) => values[row].to_string(),
        ColumnData::Text(values) => values.at(row).unwrap_or_default().to_owned(),
        ColumnData::Time(values) => values[row].map(|time| time.to_string()).unwrap_or_default(),
        ColumnData::Label(_) => String::new(),
    }
}
