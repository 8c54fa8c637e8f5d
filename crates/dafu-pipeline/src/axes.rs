//! The two features along which the alerts of a model are shown.

use crate::PipelineError;
use crate::training_rows::Rows;
use dafu_core::evaluation::Axis;
use dafu_core::{Dataset, FeatureType, Schema, Stage, StageInput, Unit};
use ndarray::ArrayView1;

/// Highest-scoring training rows that are explained to find the most telling features.
const EXPLAINED_ROWS: usize = 2_000;

/// The two features that move the highest training scores most, of those that tell different stories.
pub(crate) fn telling_axes(
    stages: &[Box<dyn Stage>],
    (dataset, records): Rows<'_>,
    schema: &Schema,
    statistic: &[f64],
) -> Result<Option<[(u32, Axis); 2]>, PipelineError> {
    let mut highest: Vec<usize> = (0..dataset.rows()).collect();
    highest.sort_unstable_by(|&a, &b| statistic[b].total_cmp(&statistic[a]).then(a.cmp(&b)));
    highest.truncate(EXPLAINED_ROWS.min(dataset.rows().div_ceil(20)));
    let mut importance = vec![0.0; schema.width()];
    for stage in stages {
        let state = stage.new_state();
        for &row in &highest {
            let input = StageInput {
                row: dataset.row(row)?,
                transaction: records.and_then(|records| records.get(row)),
                explain: true,
            };
            for found in stage.evaluate(&input, &*state)?.contributions {
                // A stage of somebody else may name features that are not there.
                if let Some(sum) = importance.get_mut(found.feature.get()) {
                    *sum += found.contribution.max(0.0);
                }
            }
        }
    }
    let total: f64 = importance.iter().sum();
    let mut order: Vec<usize> = (0..schema.width()).collect();
    let continuous = |column: usize| {
        let kind = &schema.features()[column].feature_type;
        matches!(kind, FeatureType::Real | FeatureType::Integer)
    };
    order.sort_by(|&a, &b| {
        let rank = |column| (continuous(column), importance[column]);
        let (a_rank, b_rank) = (rank(a), rank(b));
        b_rank.0.cmp(&a_rank.0).then(b_rank.1.total_cmp(&a_rank.1))
    });
    let Some(&first) = order.first() else {
        return Ok(None);
    };
    let same_story = |other: usize| {
        let values = dataset.values();
        rank_correlation(values.column(first), values.column(other)).abs() > 0.9
    };
    let others = order.get(1..).unwrap_or_default();
    let second = others
        .iter()
        .find(|&&other| !same_story(other))
        .or(others.first());
    let axis = |column: usize| {
        let feature = &schema.features()[column];
        let share = if total > 0.0 {
            importance[column] / total
        } else {
            0.0
        };
        let axis = Axis {
            name: feature.name.to_string(),
            unit: feature.unit.symbol().to_owned(),
            importance: share,
            logarithmic: feature.unit != Unit::Hour && spreads_over_decades(dataset, column),
        };
        (u32::try_from(column).unwrap_or(u32::MAX), axis)
    };
    Ok(second.map(|&second| [axis(first), axis(second)]))
}

/// Whether a positive column reaches far beyond its median.
fn spreads_over_decades(dataset: &Dataset, column: usize) -> bool {
    let values = dataset.values();
    let mut sorted = values.column(column).to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    match (sorted.first(), sorted.get(sorted.len() / 2), sorted.last()) {
        (Some(&least), Some(&median), Some(&most)) => least > 0.0 && most > 30.0 * median,
        _ => false,
    }
}

/// Spearman's rank correlation over at most 2,000 rows, ties by order.
fn rank_correlation(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
    let step = a.len().div_ceil(2_000).max(1);
    let ranks = |column: ArrayView1<'_, f64>| {
        let picked: Vec<f64> = column.iter().step_by(step).copied().collect();
        let mut order: Vec<usize> = (0..picked.len()).collect();
        order.sort_by(|&i, &j| picked[i].total_cmp(&picked[j]));
        let mut ranks = vec![0.0; picked.len()];
        for (rank, index) in order.into_iter().enumerate() {
            ranks[index] = rank as f64;
        }
        ranks
    };
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() as f64 - 1.0) / 2.0;
    let product: f64 = a.iter().zip(&b).map(|(a, b)| (a - mean) * (b - mean)).sum();
    let square: f64 = a.iter().map(|a| (a - mean) * (a - mean)).sum();
    if square > 0.0 { product / square } else { 0.0 }
}
