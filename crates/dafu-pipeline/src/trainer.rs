//! From a history to a detector.

use crate::builder::Settings;
use crate::detector::Detector;
use crate::model::{DetectorModel, Facts, combine, stage_scores, with_roles};
use crate::sample::Reservoir;
use crate::{Detection, Mode, PipelineError, RiskMap};
use dafu_core::evaluation::{Axis, LearningMode, Period, ThresholdKind};
use dafu_core::metrics::{Ranking, ThresholdGoal};
use dafu_core::table::Chunks;
use dafu_core::{
    Dataset, FeatureType, History, Label, NoProgress, Progress, Role, Schema, Score, SourceError,
    Stage, StageInput, Table, TableSource, Timestamp, Unit,
};
use dafu_features::Preprocessor;
use ndarray::{Array2, ArrayView1, Axis as Direction};
use std::borrow::Cow;
use std::sync::Arc;

/// Known frauds from which on auto mode learns from labels.
const AUTO_FRAUDS: u64 = 100;
/// Fewest rows to learn from.
const LEAST_ROWS: u64 = 16;
/// Highest-scoring training rows that are explained to find the most telling features.
const EXPLAINED_ROWS: usize = 2_000;

/// A checked detector that has not learned yet. Made by [`DetectorBuilder::build`](crate::DetectorBuilder::build).
#[derive(Debug)]
pub struct Trainer {
    settings: Settings,
}

/// The sampled training rows.
struct Sample {
    dataset: Dataset,
    population: u64,
    trained: Option<Period>,
}

impl Trainer {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Learns from a history: preprocessing, stages, the map to risk, thresholds, axes. Everything chosen from data is
    /// chosen here and nowhere else.
    ///
    /// # Errors
    ///
    /// [`PipelineError`] when the history cannot be read, has too few rows, or lacks what the mode needs.
    ///
    /// # Complexity
    ///
    /// Two passes over the history. Memory: one chunk, the counts of the preprocessor and the sampled rows.
    pub fn fit<S: TableSource + ?Sized>(&self, history: &S) -> Result<Detector, PipelineError> {
        self.fit_with(history, &NoProgress)
    }

    /// As [`Trainer::fit`], telling a host how far it has come.
    ///
    /// # Errors
    ///
    /// As [`Trainer::fit`].
    pub fn fit_with<S: TableSource + ?Sized>(
        &self,
        history: &S,
        progress: &dyn Progress,
    ) -> Result<Detector, PipelineError> {
        let settings = &self.settings;
        let source = Retold {
            source: &history,
            settings,
            progress,
            step: "learn columns",
        };
        let preprocessor = settings.preprocessor.fit(&source)?;
        let source = Retold {
            step: "read training rows",
            ..source
        };
        let sample = self.sample(&preprocessor, &source)?;
        let mode = self.mode(sample.dataset.labels())?;

        let history = History {
            dataset: &sample.dataset,
            transactions: None,
            population: sample.population,
            seed: settings.seed,
            progress,
        };
        let mut stages = Vec::with_capacity(settings.stages.len());
        for spec in &settings.stages {
            stages.push(spec.fit_stage(&history)?);
        }
        let scores = stage_scores(&stages, &sample.dataset)?;
        let (levels, main) = (&settings.levels, settings.main_level);
        let stage_maps: Vec<RiskMap> = scores
            .iter()
            .map(|scores| RiskMap::fit(scores.clone(), levels, main))
            .collect();
        let statistic = combine(&scores, &stage_maps);
        let risk_map = RiskMap::fit(statistic.clone(), levels, main);
        let risks: Vec<f64> = statistic
            .iter()
            .map(|&value| risk_map.risk(value).get())
            .collect();

        let (thresholds, chosen) =
            self.thresholds(mode, &risk_map, &risks, sample.dataset.labels())?;
        let schema = Arc::clone(preprocessor.schema());
        let facts = Facts {
            mode,
            levels: levels.clone(),
            thresholds,
            chosen,
            bands: settings.bands,
            trained: sample.trained,
            population: sample.population,
            rows: sample.dataset.rows() as u64,
            medians: medians(&sample.dataset),
            axes: telling_axes(&stages, &sample.dataset, &schema, &statistic)?,
            seed: settings.seed,
            remembered: settings.remembered as u64,
        };
        let inputs = preprocessor
            .inputs()
            .map(|(name, role)| (Arc::from(name), role))
            .collect();
        let mut model = DetectorModel {
            preprocessor,
            inputs,
            roles: settings.roles.clone(),
            stages,
            stage_maps,
            risk_map,
            facts,
            hash: 0,
        };
        model.hash = model.content_hash()?;
        Ok(Detector::from_model(Arc::new(model)))
    }

    /// A uniform sample of the training rows, as features, in time order where there are times.
    fn sample(
        &self,
        preprocessor: &Preprocessor,
        source: &Retold<'_>,
    ) -> Result<Sample, PipelineError> {
        let settings = &self.settings;
        let width = preprocessor.schema().width();
        let mut reservoir = Reservoir::new(settings.sample_rows, settings.seed);
        let mut values: Vec<f64> = Vec::new();
        // Order of arrival, label, time and user of each sampled row.
        let mut rows: Vec<(u64, Label, Option<Timestamp>, u32)> = Vec::new();
        let mut trained: Option<Period> = None;
        for table in source.chunks()? {
            let table = table?;
            widen(&mut trained, &table);
            let kept: Vec<(usize, usize)> = (0..table.rows())
                .filter_map(|row| reservoir.offer().map(|slot| (row, slot)))
                .collect();
            let before = reservoir.seen() - table.rows() as u64;
            let picked: Vec<usize> = kept.iter().map(|(row, _)| *row).collect();
            let picked = if picked.len() == table.rows() {
                table
            } else {
                Cow::Owned(table.select(&picked))
            };
            let features = preprocessor.transform_training(&picked)?;
            let times = picked.by_role(Role::Time).and_then(|column| column.times());
            for (position, (row, slot)) in kept.into_iter().enumerate() {
                let label = features
                    .labels()
                    .map_or(Label::Unknown, |labels| labels[position]);
                let time = times.and_then(|times| times[position]);
                let user = features.groups().map_or(0, |groups| groups[position]);
                let entry = (before + row as u64, label, time, user);
                let cells = features.values();
                let cells = cells.row(position);
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
        }
        let population = reservoir.seen();
        if population < LEAST_ROWS {
            return Err(PipelineError::TooFewRows {
                least: LEAST_ROWS,
                got: population,
            });
        }
        let matrix = ndarray::ArrayView2::from_shape((rows.len(), width), &values)
            .map_err(SourceError::new)?;
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_unstable_by_key(|&slot| (rows[slot].2, rows[slot].0));
        let sorted: Array2<f64> = matrix.select(Direction(0), &order);
        let dataset = Dataset::new(Arc::clone(preprocessor.schema()), sorted)?
            .with_labels(order.iter().map(|&slot| rows[slot].1).collect())?
            .with_groups(order.iter().map(|&slot| rows[slot].3).collect())?;
        let times: Option<Vec<Timestamp>> = order.iter().map(|&slot| rows[slot].2).collect();
        let dataset = match times {
            Some(times) => dataset.with_times(times)?,
            None => dataset,
        };
        Ok(Sample {
            dataset,
            population,
            trained,
        })
    }

    fn mode(&self, labels: Option<&[Label]>) -> Result<LearningMode, PipelineError> {
        let count = |wanted| {
            labels.map_or(0, |labels| {
                labels.iter().filter(|label| **label == wanted).count() as u64
            })
        };
        let (frauds, legitimate) = (count(Label::Fraud), count(Label::Legitimate));
        let both = frauds > 0 && legitimate > 0;
        match self.settings.mode {
            Mode::Supervised if !both => Err(PipelineError::NoLabels { frauds, legitimate }),
            Mode::Supervised => Ok(LearningMode::Supervised),
            Mode::Auto if both && frauds >= AUTO_FRAUDS => Ok(LearningMode::Supervised),
            Mode::Auto | Mode::Unsupervised => Ok(LearningMode::Unsupervised),
        }
    }

    /// The thresholds to judge and the index of the one that decides.
    #[expect(
        clippy::type_complexity,
        reason = "the fields of a threshold, saved as they are"
    )]
    fn thresholds(
        &self,
        mode: LearningMode,
        map: &RiskMap,
        risks: &[f64],
        labels: Option<&[Label]>,
    ) -> Result<(Vec<(String, ThresholdKind, Score, Option<f64>)>, usize), PipelineError> {
        let settings = &self.settings;
        let mut thresholds: Vec<_> = settings
            .levels
            .iter()
            .zip(map.level_risks())
            .map(|(&level, risk)| {
                let name = format!("contamination {}", percent(level));
                (name, ThresholdKind::Contamination(level), risk, Some(level))
            })
            .collect();
        let mut chosen = settings.main_level;
        if let Detection::Risk(risk) = settings.detection {
            let expected = Some(map.expected_share(risk));
            chosen = thresholds.len();
            let kind = ThresholdKind::Risk(risk);
            thresholds.push((format!("risk {risk:.2}"), kind, Score::new(risk)?, expected));
        } else if let (LearningMode::Supervised, Some(labels)) = (mode, labels) {
            let (known, scores): (Vec<bool>, Vec<f64>) = labels
                .iter()
                .zip(risks)
                .filter_map(|(label, &risk)| label.known().map(|fraud| (fraud, risk)))
                .unzip();
            let ranking = Ranking::new(&known, &scores, None)?;
            let best = ranking.best_threshold(&ThresholdGoal::MaxFBeta { beta: 1.0 })?;
            let risk = Score::new(best.threshold)?;
            let share = risks.iter().filter(|&&other| other >= risk.get()).count();
            let expected = Some(share as f64 / risks.len() as f64);
            chosen = thresholds.len();
            let name = "best F1 on training labels".to_owned();
            thresholds.push((name, ThresholdKind::BestFBeta(1.0), risk, expected));
        }
        Ok((thresholds, chosen))
    }
}

/// A source under the user's roles, which tells how far it has been read.
struct Retold<'a> {
    source: &'a dyn TableSource,
    settings: &'a Settings,
    progress: &'a dyn Progress,
    step: &'static str,
}

impl TableSource for Retold<'_> {
    fn chunks(&self) -> Result<Chunks<'_>, SourceError> {
        let total = self.source.rows_hint();
        let mut done = 0;
        let chunks = self.source.chunks()?.map(move |chunk| {
            let table = chunk?;
            done += table.rows() as u64;
            self.progress.report(self.step, done, total);
            retag(table, self.settings)
        });
        Ok(Box::new(chunks))
    }

    fn rows_hint(&self) -> Option<u64> {
        self.source.rows_hint()
    }
}

fn retag<'t>(table: Cow<'t, Table>, settings: &Settings) -> Result<Cow<'t, Table>, SourceError> {
    if settings.roles.is_empty() {
        return Ok(table);
    }
    let tagged = with_roles(&table, &settings.roles).map_err(SourceError::new)?;
    Ok(Cow::Owned(tagged.into_owned()))
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

fn percent(share: f64) -> String {
    format!("{} %", (share * 1e6).round() / 1e4)
}

/// Median of each column; NaN for a column that is missing everywhere.
fn medians(dataset: &Dataset) -> Vec<f64> {
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

/// The two features that move the highest training scores most, of those that tell different stories.
fn telling_axes(
    stages: &[Box<dyn Stage>],
    dataset: &Dataset,
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
                transaction: None,
                explain: true,
            };
            for found in stage.evaluate(&input, &*state)?.contributions {
                importance[found.feature.get()] += found.contribution.max(0.0);
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
