//! What was tried and what it reached.

use super::space::Point;
use std::cmp::Ordering;
use std::fmt::{self, Write};

/// Values of a metric on folds.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Summary {
    /// The value on each fold; `None` where the fold was skipped or has no value.
    pub folds: Vec<Option<f64>>,
    /// Mean over the folds with a value.
    pub mean: f64,
    /// Standard deviation over the folds with a value (n - 1 in the denominator); `None` for a single one.
    pub sd: Option<f64>,
}

impl Summary {
    /// `None` where no fold has a value.
    pub(super) fn new(folds: Vec<Option<f64>>) -> Option<Self> {
        let there: Vec<f64> = folds.iter().flatten().copied().collect();
        let count = there.len() as f64;
        if there.is_empty() {
            return None;
        }
        // Divided first, so that the sum of large values stays finite.
        let mean: f64 = there.iter().map(|value| value / count).sum();
        let squares = there.iter().map(|value| (value - mean).powi(2));
        let sd = (squares.sum::<f64>() / (count - 1.0)).sqrt();
        Some(Self {
            sd: (there.len() > 1).then_some(sd),
            folds,
            mean,
        })
    }
}

/// A metric of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MetricName {
    /// Its name.
    pub name: String,
    /// Whether a higher value is a better one.
    pub higher_is_better: bool,
}

/// How a candidate did.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Outcome {
    /// Each metric of the table; `None` for one without a value on any fold, which the first never is.
    Judged(Vec<Option<Summary>>),
    /// The error and its causes.
    Failed(String),
}

/// One candidate, judged once.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Experiment {
    /// Number of the candidate, from 0 in the order drawn.
    pub candidate: usize,
    /// Share of the whole budget that it was given.
    pub share: f64,
    /// Its parameters.
    pub point: Point,
    /// How it did.
    pub outcome: Outcome,
    /// Seconds by the caller's clock, summed over the folds, where one was given.
    pub seconds: Option<f64>,
}

impl Experiment {
    /// A metric by its place in the table.
    pub fn summary(&self, metric: usize) -> Option<&Summary> {
        match &self.outcome {
            Outcome::Judged(metrics) => metrics.get(metric)?.as_ref(),
            Outcome::Failed(_) => None,
        }
    }
}

/// All experiments of a search: larger budgets first, then the better ones by the first metric; failures last.
///
/// It prints as a table for people; [`ExperimentTable::to_csv`] is for programs.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ExperimentTable {
    /// The metrics; the first one decides.
    pub metrics: Vec<MetricName>,
    /// The experiments.
    pub experiments: Vec<Experiment>,
    /// Whether the search was stopped before all were judged.
    pub stopped: bool,
}

impl ExperimentTable {
    /// The best experiment that had the whole budget.
    pub fn best(&self) -> Option<&Experiment> {
        let best = self.experiments.first()?;
        (best.share >= 1.0 && best.summary(0).is_some()).then_some(best)
    }

    /// Best first.
    pub(super) fn sort(&mut self) {
        let sign = match self.metrics.first() {
            Some(metric) if !metric.higher_is_better => 1.0,
            _ => -1.0,
        };
        // Failures have no key and come after all that have.
        let key = |one: &Experiment| one.summary(0).map(|summary| sign * summary.mean);
        self.experiments.sort_by(|one, two| {
            let by_value = match (key(one), key(two)) {
                (Some(one), Some(two)) => one.total_cmp(&two),
                (one, two) => two.is_some().cmp(&one.is_some()),
            };
            two.share
                .total_cmp(&one.share)
                .then(by_value)
                .then(one.candidate.cmp(&two.candidate))
        });
    }

    /// Parameters of all points, in order of their first appearance.
    fn parameters(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        let mut last: &[(String, super::space::Value)] = &[];
        for experiment in &self.experiments {
            let values = experiment.point.values();
            // Points of one space have the same names.
            if !same_names(last, values) {
                for (name, _) in values {
                    if !names.contains(&name.as_str()) {
                        names.push(name);
                    }
                }
            }
            last = values;
        }
        names
    }

    fn folds(&self) -> usize {
        let summaries = self.experiments.iter().filter_map(|one| one.summary(0));
        summaries.map(|one| one.folds.len()).max().unwrap_or(0)
    }

    /// Comma-separated values (RFC 4180) with a header: `candidate,share`, the parameters, for each metric its mean, its
    /// standard deviation and its folds, `seconds,error`. What is not there is empty.
    pub fn to_csv(&self) -> String {
        let (parameters, folds) = (self.parameters(), self.folds());
        let mut header = vec!["candidate".to_owned(), "share".to_owned()];
        header.extend(parameters.iter().map(|name| (*name).to_owned()));
        for MetricName { name, .. } in &self.metrics {
            header.push(format!("{name}_mean"));
            header.push(format!("{name}_sd"));
            header.extend((0..folds).map(|fold| format!("{name}_fold_{fold}")));
        }
        header.extend(["seconds".to_owned(), "error".to_owned()]);
        let mut csv = String::new();
        write_line(&mut csv, &header);
        let number = |number: Option<f64>| number.map_or(String::new(), |n| n.to_string());
        for one in &self.experiments {
            let mut cells = vec![one.candidate.to_string(), one.share.to_string()];
            let value = |name: &&str| one.point.get(name).map(ToString::to_string);
            cells.extend(
                parameters
                    .iter()
                    .map(|name| value(name).unwrap_or_default()),
            );
            for metric in 0..self.metrics.len() {
                let summary = one.summary(metric);
                cells.push(number(summary.map(|summary| summary.mean)));
                cells.push(number(summary.and_then(|summary| summary.sd)));
                let fold = |fold| summary.and_then(|summary| *summary.folds.get(fold)?);
                cells.extend((0..folds).map(|at| number(fold(at))));
            }
            cells.push(number(one.seconds));
            cells.push(match &one.outcome {
                Outcome::Failed(error) => error.clone(),
                Outcome::Judged(_) => String::new(),
            });
            write_line(&mut csv, &cells);
        }
        csv
    }
}

fn same_names(
    one: &[(String, super::space::Value)],
    two: &[(String, super::space::Value)],
) -> bool {
    let (one, two) = (
        one.iter().map(|(name, _)| name),
        two.iter().map(|(name, _)| name),
    );
    Ordering::is_eq(one.cmp(two))
}

fn write_line(csv: &mut String, cells: &[String]) {
    for (place, cell) in cells.iter().enumerate() {
        if place > 0 {
            csv.push(',');
        }
        if cell.contains(['"', ',', '\n', '\r']) {
            csv.push('"');
            csv.push_str(&cell.replace('"', "\"\""));
            csv.push('"');
        } else {
            csv.push_str(cell);
        }
    }
    csv.push_str("\r\n");
}

impl fmt::Display for ExperimentTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters = self.parameters();
        let mut header = vec!["candidate".to_owned(), "share".to_owned()];
        header.extend(parameters.iter().map(|name| (*name).to_owned()));
        header.extend(self.metrics.iter().map(|metric| metric.name.clone()));
        let mut lines = vec![header];
        for one in &self.experiments {
            let mut cells = vec![one.candidate.to_string(), format!("{:.3}", one.share)];
            for name in &parameters {
                cells.push(one.point.get(name).map_or(String::new(), short));
            }
            match &one.outcome {
                Outcome::Failed(error) => cells.push(error.replace(['\n', '\r'], " ")),
                Outcome::Judged(metrics) => cells.extend(metrics.iter().map(|metric| {
                    let Some(summary) = metric else {
                        return "-".to_owned();
                    };
                    let mut text = format!("{:.4}", summary.mean);
                    if let Some(sd) = summary.sd {
                        let _ = write!(text, " ({sd:.4})");
                    }
                    text
                })),
            }
            lines.push(cells);
        }
        // Errors stand last in their line and may be wider than their column.
        let width = |column: usize| {
            let cells = lines.iter().filter(|line| column + 1 < line.len());
            cells.map(|line| line[column].chars().count()).max()
        };
        let widths: Vec<usize> = (0..lines[0].len())
            .map(|at| width(at).unwrap_or(0))
            .collect();
        for line in &lines {
            let mut text = String::new();
            for (cell, width) in line.iter().zip(&widths) {
                let _ = write!(text, "{cell:<width$}  ");
            }
            writeln!(f, "{}", text.trim_end())?;
        }
        if self.stopped {
            writeln!(f, "stopped before all candidates were judged")?;
        }
        Ok(())
    }
}

fn short(value: &super::space::Value) -> String {
    match value {
        super::space::Value::Number(number) => format!("{number:.4e}"),
        other => other.to_string(),
    }
}
