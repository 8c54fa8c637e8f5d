//! What a person wants to know about the data before training on it.

use crate::BadRecordClass;
use crate::cardinality::{Cardinality, Counter};
use crate::leak::{LeakProbe, Seen};
use crate::plan::RolePlan;
use crate::report::IngestReport;
use crate::roles::is_probed;
use dafu_core::{Column, ColumnData, Label, Progress, Role, Table, TableSource, Timestamp};
use std::fmt;
use std::sync::Arc;

/// Frauds from which on learning from labels is recommended.
const ENOUGH_FRAUDS: u64 = 100;

/// How to learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum RecommendedMode {
    /// From labels.
    Supervised,
    /// Without labels.
    Unsupervised,
}

impl fmt::Display for RecommendedMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Supervised => "supervised",
            Self::Unsupervised => "unsupervised",
        })
    }
}

/// What one column looks like.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ColumnProfile {
    /// The name.
    pub name: String,
    /// The role.
    pub role: Role,
    /// Rows without a value.
    pub missing: u64,
    /// Different values.
    pub cardinality: Cardinality,
    /// Smallest number; `None` for other columns and without any.
    pub min: Option<f64>,
    /// Largest number.
    pub max: Option<f64>,
    /// Mean of the numbers.
    pub mean: Option<f64>,
    /// Why the column is suspected to give the label away, over all rows.
    pub leak: Option<String>,
}

/// Labels of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ClassBalance {
    /// Rows known to be fraud.
    pub fraud: u64,
    /// Rows known to be honest.
    pub legitimate: u64,
    /// Rows without a label.
    pub unknown: u64,
}

impl ClassBalance {
    /// Share of frauds among the rows with a label; `None` without any.
    pub fn fraud_share(&self) -> Option<f64> {
        let known = self.fraud + self.legitimate;
        (known > 0).then(|| self.fraud as f64 / known as f64)
    }
}

/// Times of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TimeSpan {
    /// The earliest.
    pub first: Timestamp,
    /// The latest.
    pub last: Timestamp,
    /// Rows whose time lies before that of the row above.
    pub out_of_order: u64,
}

/// What one pass over a source says about training on it. [`fmt::Display`] prints it as a table for terminals.
///
/// Memory of the pass: per column at most 10,000 values or 4 KiB of registers, and for suspected leaks 16,384 numbers
/// and 1,024 values.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Suitability {
    /// Rows, without quarantined ones.
    pub rows: u64,
    /// The columns that are used.
    pub columns: Vec<ColumnProfile>,
    /// Columns that are left out, with the reason.
    pub left_out: Vec<(String, String)>,
    /// Classes, where there is a label column.
    pub classes: Option<ClassBalance>,
    /// Times, where there is a time column with a value.
    pub times: Option<TimeSpan>,
    /// Rows that repeat an earlier one: a transaction id with the same content or, in a file without ids, the same
    /// values in all columns that are used.
    pub duplicates: u64,
    /// Rows that repeat a transaction id with other content.
    pub conflicts: u64,
    /// What happened while reading, where the source says so.
    pub report: Option<IngestReport>,
    /// How to learn.
    pub mode: RecommendedMode,
    /// Why, as a sentence.
    pub mode_reason: String,
    /// What to look at before training, as sentences.
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone)]
struct ColumnState {
    name: Arc<str>,
    role: Role,
    rows: u64,
    missing: u64,
    counter: Counter,
    min: f64,
    max: f64,
    /// Welford's running mean.
    mean: f64,
    numbers: u64,
    probe: LeakProbe,
}

/// Gathers a [`Suitability`] from tables, one after the other.
#[derive(Debug, Clone, Default)]
pub struct SuitabilityBuilder {
    rows: u64,
    columns: Vec<ColumnState>,
    classes: Option<ClassBalance>,
    span: Option<TimeSpan>,
    last_time: Option<Timestamp>,
}

impl SuitabilityBuilder {
    /// Rows seen so far.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Takes in a table. All tables have the columns of the first.
    ///
    /// # Complexity
    ///
    /// O(rows x columns).
    pub fn observe(&mut self, table: &Table) {
        if self.columns.is_empty() {
            self.columns = table.columns().iter().map(ColumnState::new).collect();
        }
        self.rows += table.rows() as u64;
        let labels = table.by_role(Role::Label).and_then(Column::labels);
        if let Some(labels) = labels {
            let classes = self.classes.get_or_insert_with(ClassBalance::default);
            for label in labels {
                match label {
                    Label::Fraud => classes.fraud += 1,
                    Label::Legitimate => classes.legitimate += 1,
                    Label::Unknown => classes.unknown += 1,
                }
            }
        }
        for at in table
            .by_role(Role::Time)
            .and_then(Column::times)
            .into_iter()
            .flatten()
            .flatten()
        {
            let span = self.span.get_or_insert(TimeSpan {
                first: *at,
                last: *at,
                out_of_order: 0,
            });
            span.first = span.first.min(*at);
            span.last = span.last.max(*at);
            span.out_of_order += u64::from(self.last_time.is_some_and(|last| *at < last));
            self.last_time = Some(*at);
        }
        for (state, column) in self.columns.iter_mut().zip(table.columns()) {
            state.observe(column, labels);
        }
    }

    /// The result, with what the plan and the report of the source say beside it.
    pub fn finish(self, plan: Option<&RolePlan>, report: Option<&IngestReport>) -> Suitability {
        let columns: Vec<ColumnProfile> = self.columns.iter().map(ColumnState::profile).collect();
        let count = |class| report.map_or(0, |report| report.count(class));
        let left_out = plan
            .map(|plan| {
                plan.columns
                    .iter()
                    .filter(|column| column.role == Role::Ignore)
                    .map(|column| (column.name.clone(), column.reason.clone()))
                    .collect()
            })
            .unwrap_or_default();
        let (mode, mode_reason) = recommend(self.classes);
        let mut suitability = Suitability {
            rows: self.rows,
            columns,
            left_out,
            classes: self.classes,
            times: self.span,
            duplicates: report
                .and_then(|report| report.repeated_rows)
                .unwrap_or_else(|| count(BadRecordClass::DuplicateId)),
            conflicts: count(BadRecordClass::ConflictingId),
            report: report.cloned(),
            mode,
            mode_reason,
            warnings: Vec::new(),
        };
        suitability.warnings = warnings(&suitability, plan);
        suitability
    }
}

impl ColumnState {
    fn new(column: &Column) -> Self {
        Self {
            name: Arc::clone(&column.name),
            role: column.role,
            rows: 0,
            missing: 0,
            counter: Counter::default(),
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            mean: 0.0,
            numbers: 0,
            probe: LeakProbe::new(),
        }
    }

    fn observe(&mut self, column: &Column, labels: Option<&[Label]>) {
        self.rows += column.data.len() as u64;
        match &column.data {
            ColumnData::Number(values) => {
                for &value in values {
                    if value.is_nan() {
                        self.missing += 1;
                        continue;
                    }
                    self.counter.bits(value.to_bits());
                    self.min = self.min.min(value);
                    self.max = self.max.max(value);
                    self.numbers += 1;
                    self.mean += (value - self.mean) / self.numbers as f64;
                }
            }
            ColumnData::Text(values) => {
                for text in values.iter() {
                    match text {
                        Some(text) => self.counter.text(text),
                        None => self.missing += 1,
                    }
                }
            }
            ColumnData::Time(values) => {
                for at in values {
                    match at {
                        Some(at) => self.counter.bits(at.as_micros().cast_unsigned()),
                        None => self.missing += 1,
                    }
                }
            }
            ColumnData::Label(values) => {
                for label in values {
                    if *label == Label::Unknown {
                        self.missing += 1;
                    } else {
                        self.counter.bits(*label as u64);
                    }
                }
            }
        }
        if let Some(labels) = labels
            && is_probed(self.role)
        {
            self.probe_leak(&column.data, labels);
        }
    }

    fn probe_leak(&mut self, data: &ColumnData, labels: &[Label]) {
        for (row, label) in labels.iter().enumerate() {
            let Some(fraud) = label.known() else { continue };
            let seen = match data {
                ColumnData::Number(values) => match values.get(row) {
                    Some(value) if !value.is_nan() => Seen::Number(*value),
                    _ => Seen::Missing,
                },
                ColumnData::Text(values) => values.at(row).map_or(Seen::Missing, Seen::Text),
                ColumnData::Time(_) | ColumnData::Label(_) => return,
            };
            self.probe.observe(seen, fraud);
        }
    }

    fn profile(&self) -> ColumnProfile {
        let any = self.numbers > 0;
        ColumnProfile {
            name: self.name.to_string(),
            role: self.role,
            missing: self.missing,
            cardinality: self.counter.count(),
            min: any.then_some(self.min),
            max: any.then_some(self.max),
            mean: any.then_some(self.mean),
            leak: self.probe.verdict(),
        }
    }
}

fn recommend(classes: Option<ClassBalance>) -> (RecommendedMode, String) {
    let unsupervised = |reason: String| (RecommendedMode::Unsupervised, reason);
    let Some(classes) = classes else {
        return unsupervised("there is no label column".to_owned());
    };
    let ClassBalance {
        fraud,
        legitimate,
        unknown,
    } = classes;
    if fraud == 0 || legitimate == 0 {
        return unsupervised(format!(
            "labels of one class only ({fraud} frauds, {legitimate} legitimate, {unknown} unknown) teach nothing"
        ));
    }
    if fraud < ENOUGH_FRAUDS {
        return unsupervised(format!(
            "{fraud} known frauds are too few to learn from: at least {ENOUGH_FRAUDS} are asked for"
        ));
    }
    (
        RecommendedMode::Supervised,
        format!("{fraud} known frauds and {legitimate} legitimate rows are enough to learn from"),
    )
}

fn warnings(data: &Suitability, plan: Option<&RolePlan>) -> Vec<String> {
    let mut warnings = Vec::new();
    if data.rows == 0 {
        warnings.push("there is no row to learn from".to_owned());
        return warnings;
    }
    if data.rows < 1_000 {
        warnings.push(format!(
            "{} rows are few: expect figures to vary widely",
            data.rows
        ));
    }
    if let Some(report) = &data.report {
        let share = report.quarantined_share();
        if share > 0.01 {
            warnings.push(format!(
                "{:.1} % of the rows were quarantined: look at the report before you trust the rest",
                share * 100.0
            ));
        }
        if report.count(BadRecordClass::ConflictingId) > 0 {
            warnings.push(format!(
                "{} rows repeat a transaction id with other content",
                report.count(BadRecordClass::ConflictingId)
            ));
        }
    }
    for column in &data.columns {
        let share = column.missing as f64 / data.rows as f64;
        if column.role != Role::Label && share >= 0.5 {
            warnings.push(format!(
                "`{}` has no value in {:.0} % of the rows",
                column.name,
                share * 100.0
            ));
        }
        if column.role != Role::Label && column.cardinality.value() == 1 {
            warnings.push(format!("`{}` has the same value in all rows", column.name));
        }
        if let Some(why) = &column.leak {
            warnings.push(format!(
                "`{}` is used and may give the label away: {why}",
                column.name
            ));
        }
    }
    if let Some(share) = data.classes.and_then(|classes| classes.fraud_share()) {
        if share > 0.5 {
            warnings.push(format!(
                "{:.0} % of the labels say fraud: check that the label is not turned round",
                share * 100.0
            ));
        } else if share > 0.2 {
            warnings.push(format!(
                "{:.0} % of the labels say fraud: the file may be resampled, and probabilities learnt from it are \
                 then too high",
                share * 100.0
            ));
        }
    }
    match &data.times {
        None => warnings.push(
            "there is no time: training and test rows cannot be told apart by time, and windows cannot be built"
                .to_owned(),
        ),
        Some(span) if span.out_of_order > 0 => warnings.push(format!(
            "{} rows come before the row above in time: sort the file, or let it be sorted",
            span.out_of_order
        )),
        Some(_) => {}
    }
    if let Some(plan) = plan {
        if plan.by_role(Role::Amount).is_none() && plan.record_kind().is_none() {
            warnings.push(
                "no column is taken for the amount: if there is one, give it that role, such as `paid=amount`"
                    .to_owned(),
            );
        }
        warnings.extend(plan.assumptions.iter().cloned());
    }
    warnings
}

impl Suitability {
    /// Reads a source once.
    ///
    /// # Errors
    ///
    /// [`dafu_core::SourceError`] of the source.
    pub fn of(
        source: &dyn TableSource,
        progress: &dyn Progress,
    ) -> Result<Self, dafu_core::SourceError> {
        let mut builder = SuitabilityBuilder::default();
        let total = source.rows_hint();
        for table in source.chunks()? {
            builder.observe(&*table?);
            progress.report("looking at the data", builder.rows(), total);
        }
        Ok(builder.finish(None, None))
    }

    /// Names of columns with one value, or none.
    pub fn constant_columns(&self) -> impl Iterator<Item = &str> {
        self.columns
            .iter()
            .filter(|column| column.cardinality.value() <= 1)
            .map(|column| column.name.as_str())
    }
}

/// A number in at most ten characters.
fn short(number: Option<f64>) -> String {
    match number {
        None => String::new(),
        Some(n) if n.fract() == 0.0 && n.abs() < 1e9 => format!("{n:.0}"),
        Some(n) if (0.01..1e6).contains(&n.abs()) => format!("{n:.2}"),
        Some(n) => format!("{n:.2e}"),
    }
}

impl fmt::Display for Suitability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} rows, {} columns used", self.rows, self.columns.len())?;
        if let Some(span) = &self.times {
            writeln!(
                f,
                "from {} to {}{}",
                span.first,
                span.last,
                if span.out_of_order == 0 {
                    ", in order"
                } else {
                    ", not in order"
                }
            )?;
        }
        if let Some(classes) = &self.classes {
            let share = classes.fraud_share().unwrap_or(0.0) * 100.0;
            writeln!(
                f,
                "{} frauds ({share:.2} %), {} legitimate, {} without a label",
                classes.fraud, classes.legitimate, classes.unknown
            )?;
        }
        if self.report.is_some() {
            let repeated = match self.duplicates {
                0 => "no row repeats".to_owned(),
                1 => "1 row repeats".to_owned(),
                count => format!("{count} rows repeat"),
            };
            writeln!(f, "{repeated} an earlier one")?;
        }
        writeln!(f, "recommended: {}, since {}", self.mode, self.mode_reason)?;
        writeln!(f)?;
        let width = self
            .columns
            .iter()
            .map(|column| column.name.chars().count())
            .max()
            .unwrap_or(0)
            .clamp(6, 32);
        writeln!(
            f,
            "{:<width$}  {:<18}  {:>9}  {:>9}  {:>10}  {:>10}  {:>10}",
            "column", "role", "missing", "different", "min", "mean", "max"
        )?;
        for column in &self.columns {
            let name: String = column.name.chars().take(32).collect();
            writeln!(
                f,
                "{name:<width$}  {:<18}  {:>9}  {:>9}  {:>10}  {:>10}  {:>10}",
                column.role,
                column.missing,
                column.cardinality,
                short(column.min),
                short(column.mean),
                short(column.max)
            )?;
        }
        for (name, reason) in &self.left_out {
            writeln!(f, "left out: {name}: {reason}")?;
        }
        if let Some(report) = &self.report {
            writeln!(f)?;
            fmt::Display::fmt(report, f)?;
        }
        if !self.warnings.is_empty() {
            writeln!(f)?;
        }
        for warning in &self.warnings {
            writeln!(f, "note: {warning}")?;
        }
        Ok(())
    }
}
