//! The rows that a detector learns from: a uniform sample of the rows, or of the users, of a history of any length.

use crate::PipelineError;
use crate::builder::Settings;
use crate::features::Features;
use crate::inputs::Inputs;
use crate::records::records;
use crate::sample::{Reservoir, UserSample};
use dafu_core::evaluation::Period;
use dafu_core::{
    Column, Dataset, Label, Role, SourceError, Table, TableSource, Timestamp, Transaction,
};
use dafu_features::FeatureEngine;
use ndarray::{Array2, ArrayView1, Axis as Direction};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// Fewest rows to learn from.
const LEAST_ROWS: u64 = 16;

/// The sampled training rows.
pub(crate) struct TrainingRows {
    /// Features, times and groups, in time order; no labels.
    pub(crate) dataset: Dataset,
    /// The records behind the rows, where a stage needs them.
    pub(crate) records: Option<Vec<Transaction>>,
    /// Labels of the rows.
    pub(crate) labels: Vec<Label>,
    /// Amounts of the rows, NaN where there is none.
    pub(crate) amounts: Vec<f64>,
    /// Labels of the whole history.
    pub(crate) classes: Classes,
    /// Rows of the whole history, but for those that fill the memory of features.
    pub(crate) population: u64,
    pub(crate) trained: Option<Period>,
}

/// Rows of features, with the records behind them where a stage needs them.
pub(crate) type Rows<'a> = (&'a Dataset, Option<&'a [Transaction]>);

impl TrainingRows {
    pub(crate) fn rows(&self) -> Rows<'_> {
        (&self.dataset, self.records.as_deref())
    }
}

/// How many rows of a history have which label.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Classes {
    pub(crate) frauds: u64,
    pub(crate) legitimate: u64,
}

impl Classes {
    fn count(&mut self, table: &Table) {
        let labels = table
            .by_role(Role::Label)
            .and_then(|column| column.labels());
        for label in labels.unwrap_or_default() {
            match label {
                Label::Fraud => self.frauds += 1,
                Label::Legitimate => self.legitimate += 1,
                Label::Unknown => {}
            }
        }
    }
}

/// How many rows at the beginning of a source are still to be left out.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WarmUp(u64);

impl WarmUp {
    /// A share of some rows.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share from 0 to 0.9 of a number of rows"
    )]
    pub(crate) fn new(share: f64, rows: u64) -> Self {
        Self((share * rows as f64) as u64)
    }

    /// The rows of the next table that are not left out.
    pub(crate) fn rest_of(&mut self, table: &Table) -> Range<usize> {
        let rows = table.rows();
        let first = usize::try_from(self.0).unwrap_or(usize::MAX).min(rows);
        self.0 -= first as u64;
        first..rows
    }
}

/// A uniform sample of the training rows, or of their users where a stage learns from sequences, as features, in time order where there are times; and the engine behind
/// features of past events, which has gone through all of them.
pub(crate) fn sample(
    settings: &Settings,
    (inputs, features): (&Inputs, Option<&Features>),
    (source, mut warm_up): (&dyn TableSource, WarmUp),
) -> Result<(TrainingRows, Option<FeatureEngine>), PipelineError> {
    let width = inputs.schema.width();
    let mut engine = features.map(Features::fresh);
    let mut reservoir = Reservoir::new(settings.sample_rows, settings.seed);
    let mut values: Vec<f64> = Vec::new();
    let mut rows: Vec<Arrived> = Vec::new();
    let mut trained: Option<Period> = None;
    let mut classes = Classes::default();
    let needs_records = settings.stages.iter().any(|stage| stage.needs_records());
    let mut kept_records: Vec<Option<Transaction>> = Vec::new();
    let by_user = settings.stages.iter().any(|stage| stage.needs_sequences());
    let mut users = by_user.then(|| UserSample::new(settings.sample_rows, settings.seed));
    for table in source.chunks()? {
        let table = table?;
        widen(&mut trained, &table);
        classes.count(&table);
        let rows_before = reservoir.seen();
        let learned_from = warm_up.rest_of(&table);
        let of_rows = table.by_role(Role::User).and_then(Column::texts);
        let kept: Vec<(usize, usize)> = if let Some(users) = &mut users {
            let offered = learned_from.clone().filter(|&row| {
                reservoir.offer();
                users.offer(of_rows.and_then(|texts| texts.at(row)))
            });
            offered.zip(rows.len()..).collect()
        } else {
            let offered = learned_from.clone();
            let offered = offered.map(|row| reservoir.offer().map(|slot| (row, slot)));
            offered.flatten().collect()
        };
        let of_set = engine.as_mut().map(|engine| engine.observe_table(&table));
        let of_set = of_set.transpose()?;
        let kept_rows: Vec<usize> = kept.iter().map(|(row, _)| *row).collect();
        let picked = if kept_rows.len() == table.rows() {
            table
        } else {
            Cow::Owned(table.select(&kept_rows))
        };
        let joined = match (&of_set, features) {
            (Some(of_set), Some(features)) => {
                let rows = of_set.values().select(Direction(0), &kept_rows);
                Some(features.join(&picked, rows.view())?)
            }
            _ => None,
        };
        let joined = joined.as_ref().unwrap_or(&picked);
        let features = inputs.preprocessor.transform_training(joined)?;
        let found = if needs_records {
            records(&picked)?
        } else {
            Vec::new()
        };
        let mut found = found.into_iter();
        let (times, amounts) = times_and_amounts(&picked);
        for (position, (row, slot)) in kept.into_iter().enumerate() {
            let label = features
                .labels()
                .map_or(Label::Unknown, |labels| labels[position]);
            let time = times.and_then(|times| times[position]);
            let user = features.groups().map_or(0, |groups| groups[position]);
            let place = rows_before + (row - learned_from.start) as u64;
            let amount = amounts.map_or(f64::NAN, |amounts| amounts[position]);
            let entry = (place, label, time, user, amount);
            let cells = features.values();
            let cells = cells.row(position);
            if needs_records {
                kept_records.resize(kept_records.len().max(slot + 1), None);
                kept_records[slot] = found.next();
            }
            if slot == rows.len() {
                rows.push(entry);
                values.extend(cells);
            } else {
                rows[slot] = entry;
                let target = &mut values[slot * width..(slot + 1) * width];
                target
                    .iter_mut()
                    .zip(cells)
                    .for_each(|(to, from)| *to = *from);
            }
        }
        if let Some(stays) = users.as_mut().and_then(|users| users.shrink(false)) {
            keep(&stays, (&mut rows, &mut values, &mut kept_records));
        }
    }
    if let Some(stays) = users.as_mut().and_then(|users| users.shrink(true)) {
        keep(&stays, (&mut rows, &mut values, &mut kept_records));
    }
    let population = reservoir.seen();
    if population < LEAST_ROWS {
        return Err(too_few(population));
    }
    let rows = in_order(inputs, (rows, &values), kept_records)?;
    let rows = TrainingRows {
        classes,
        population,
        trained,
        records: rows.records.filter(|_| needs_records),
        ..rows
    };
    Ok((rows, engine))
}

/// Order of arrival, label, time, user and amount of a sampled row.
type Arrived = (u64, Label, Option<Timestamp>, u32, f64);

/// The sampled rows in order of time; nothing is said of those that they are drawn from.
fn in_order(
    inputs: &Inputs,
    (rows, values): (Vec<Arrived>, &[f64]),
    mut records: Vec<Option<Transaction>>,
) -> Result<TrainingRows, PipelineError> {
    let shape = (rows.len(), inputs.schema.width());
    let matrix = ndarray::ArrayView2::from_shape(shape, values).map_err(SourceError::new)?;
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_unstable_by_key(|&slot| (rows[slot].2, rows[slot].0));
    let sorted: Array2<f64> = matrix.select(Direction(0), &order);
    let dataset = Dataset::new(Arc::clone(&inputs.schema), sorted)?
        .with_groups(order.iter().map(|&slot| rows[slot].3).collect())?;
    let times: Option<Vec<Timestamp>> = order.iter().map(|&slot| rows[slot].2).collect();
    let dataset = match times {
        Some(times) => dataset.with_times(times)?,
        None => dataset,
    };
    let record = |&slot: &usize| records.get_mut(slot).and_then(Option::take);
    Ok(TrainingRows {
        dataset,
        records: Some(order.iter().filter_map(record).collect()),
        labels: order.iter().map(|&slot| rows[slot].1).collect(),
        amounts: order.iter().map(|&slot| rows[slot].4).collect(),
        classes: Classes::default(),
        population: 0,
        trained: None,
    })
}

/// Keeps the rows that stay, with their values and records.
fn keep<R>(
    stays: &[bool],
    (rows, values, records): (&mut Vec<R>, &mut Vec<f64>, &mut Vec<Option<Transaction>>),
) {
    let width = values.len() / rows.len().max(1);
    let stay = || stays.iter().copied();
    let mut of_rows = stay();
    rows.retain(|_| of_rows.next().unwrap_or_default());
    let mut of_values = stay().flat_map(|stays| std::iter::repeat_n(stays, width));
    values.retain(|_| of_values.next().unwrap_or_default());
    let mut of_records = stay();
    records.retain(|_| of_records.next().unwrap_or_default());
}

fn times_and_amounts(table: &Table) -> (Option<&[Option<Timestamp>]>, Option<&[f64]>) {
    let times = table.by_role(Role::Time).and_then(|column| column.times());
    let amounts = table.by_role(Role::Amount);
    (times, amounts.and_then(|column| column.numbers()))
}

pub(crate) fn too_few(got: u64) -> PipelineError {
    PipelineError::TooFewRows {
        least: LEAST_ROWS,
        got,
    }
}

fn widen(period: &mut Option<Period>, table: &Table) {
    let times = table
        .by_role(Role::Time)
        .and_then(|column| column.times())
        .unwrap_or_default();
    for &time in times.iter().flatten() {
        let period = period.get_or_insert(Period {
            from: time,
            until: time,
        });
        period.from = period.from.min(time);
        period.until = period.until.max(time);
    }
}

/// Median of each column; NaN for a column that is missing everywhere.
pub(crate) fn medians(dataset: &Dataset) -> Vec<f64> {
    let median = |column: ArrayView1<'_, f64>| {
        let mut known: Vec<f64> = column
            .iter()
            .copied()
            .filter(|value| !value.is_nan())
            .collect();
        if known.is_empty() {
            return f64::NAN;
        }
        let middle = known.len() / 2;
        *known.select_nth_unstable_by(middle, f64::total_cmp).1
    };
    dataset.values().columns().into_iter().map(median).collect()
}

/// How many of the rows before one have labels that are known when it comes.
pub(crate) fn known_until(dataset: &Dataset, start: usize, delay: i64) -> usize {
    let Some(times) = dataset.times() else {
        return start;
    };
    let Some(first) = times.get(start) else {
        return start;
    };
    times[..start].partition_point(|time| first.since(*time) >= delay)
}

#[cfg(test)]
mod tests {
    use super::known_until;
    use dafu_core::{Dataset, FeatureSpec, Schema, Timestamp};
    use ndarray::Array2;
    use std::sync::Arc;

    #[test]
    fn labels_are_known_once_the_delay_has_passed() {
        let schema = Arc::new(Schema::new(vec![FeatureSpec::real("x")]).unwrap());
        let dataset = Dataset::new(schema, Array2::zeros((6, 1))).unwrap();
        assert_eq!(known_until(&dataset, 4, 7), 4, "no times: all before");
        let times = [0, 10, 10, 20, 25, 30].map(|at| Timestamp::from_micros(at).unwrap());
        let dataset = dataset.with_times(times.to_vec()).unwrap();
        assert_eq!(known_until(&dataset, 4, 0), 4);
        assert_eq!(known_until(&dataset, 4, 5), 4, "known at the very time");
        assert_eq!(known_until(&dataset, 4, 6), 3);
        assert_eq!(known_until(&dataset, 4, 16), 1);
        assert_eq!(known_until(&dataset, 4, 100), 0);
    }
}
