//! From a history to a detector.

use crate::axes::telling_axes;
use crate::builder::Settings;
use crate::detector::Detector;
use crate::features::Features;
use crate::inputs::Inputs;
use crate::model::{DetectorModel, Facts, combine, new_states, stage_scores};
use crate::tagged::{Tagged, Told};
use crate::training_rows::{Classes, Rows, WarmUp, medians, sample, too_few};
use crate::{Detection, Mode, PipelineError, RiskMap};
use dafu_core::evaluation::{LearningMode, ThresholdKind};
use dafu_core::metrics::{Ranking, ThresholdGoal};
use dafu_core::{History, Label, NoProgress, Progress, Score, Stage, TableSource};
use dafu_features::{Fitter, Preprocessor, PreprocessorParams, TimeSortParams, TimeSorted};
use std::cell::Cell;
use std::sync::Arc;

/// Known frauds from which on auto mode learns from labels.
const AUTO_FRAUDS: u64 = 100;
/// Known frauds among the last training rows from which on they choose the threshold.
const HELD_OUT_FRAUDS: usize = 10;

/// A checked detector that has not learned yet. Made by [`DetectorBuilder::build`](crate::DetectorBuilder::build).
#[derive(Debug)]
pub struct Trainer {
    settings: Settings,
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
    /// [`PipelineError`] when the history cannot be read, has too few rows, or lacks what the mode needs; with a set of
    /// features also for rows without a time, and [`PipelineError::MissingRole`].
    ///
    /// # Complexity
    ///
    /// Two passes over the history. Memory: one chunk, the counts of the preprocessor and the sampled rows. With a set
    /// of features a further pass to see whether rows are in order of time, what [`TimeSorted`] takes where they are
    /// not, and what the set remembers.
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
        let tagged = Tagged {
            source: &history,
            roles: &settings.roles,
            without_labels: settings.mode == Mode::Unsupervised,
            labelled: Cell::default(),
        };
        let mut features = settings.features.clone();
        let mut warm_up = WarmUp::default();
        let sorted;
        let source: &dyn TableSource = if let Some(features) = &mut features {
            features.require_of(&tagged)?;
            sorted = TimeSorted::new(&tagged, &TimeSortParams::default())?;
            warm_up = WarmUp::new(settings.warm_up, sorted.rows());
            if !tagged.labelled.get() {
                *features = features.without_labels()?;
            }
            &sorted
        } else {
            &tagged
        };
        let source = Told {
            source,
            progress,
            step: "learn columns",
        };
        let params = &settings.preprocessor;
        let preprocessor = match &features {
            Some(features) => learn_columns(params, features, (&source, warm_up))?,
            None => params.fit(&source)?,
        };
        let features = features.map(|features| features.read_by(&preprocessor));
        let inputs = Inputs::new(preprocessor, features.as_ref())?;
        let source = Told {
            step: "read training rows",
            ..source
        };
        let (mut sample, engine) =
            sample(settings, (&inputs, features.as_ref()), (&source, warm_up))?;
        let mode = self.mode(sample.classes)?;
        if mode == LearningMode::Supervised {
            sample.dataset = sample
                .dataset
                .with_labels(std::mem::take(&mut sample.labels))?;
        }
        let learned = self.learn(sample.rows(), sample.population, progress)?;
        let (thresholds, chosen) = self.thresholds(mode, &learned, sample.rows(), progress)?;
        let schema = Arc::clone(&inputs.schema);
        let facts = Facts {
            mode,
            levels: settings.levels.clone(),
            thresholds,
            chosen,
            bands: settings.bands,
            trained: sample.trained,
            population: sample.population,
            rows: sample.dataset.rows() as u64,
            medians: medians(&sample.dataset),
            axes: telling_axes(&learned.stages, sample.rows(), &schema, &learned.statistic)?,
            seed: settings.seed,
            remembered: settings.remembered as u64,
        };
        let mut model = DetectorModel {
            inputs,
            features,
            roles: settings.roles.clone(),
            stages: learned.stages,
            stage_maps: learned.stage_maps,
            risk_map: learned.risk_map,
            facts,
            hash: 0,
        };
        model.hash = model.content_hash()?;
        Ok(Detector::with_engine(Arc::new(model), engine))
    }

    /// Fits the stages on rows, and the maps from their scores to risk.
    fn learn(
        &self,
        (dataset, transactions): Rows<'_>,
        population: u64,
        progress: &dyn Progress,
    ) -> Result<Learned, PipelineError> {
        let settings = &self.settings;
        let history = History {
            dataset,
            transactions,
            population,
            seed: settings.seed,
            progress,
        };
        let specs = settings.stages.iter();
        let stages: Vec<Box<dyn Stage>> = specs
            .map(|spec| spec.fit_stage(&history))
            .collect::<Result<_, _>>()?;
        let scores = stage_scores(&stages, &mut new_states(&stages), dataset, transactions)?;
        let (levels, main) = (&settings.levels, settings.main_level);
        let stage_maps: Vec<RiskMap> = scores
            .iter()
            .map(|scores| RiskMap::fit(scores.clone(), levels, main))
            .collect();
        let statistic = combine(&scores, &stage_maps);
        Ok(Learned {
            risk_map: RiskMap::fit(statistic.clone(), levels, main),
            stages,
            stage_maps,
            statistic,
        })
    }

    fn mode(&self, classes: Classes) -> Result<LearningMode, PipelineError> {
        let Classes { frauds, legitimate } = classes;
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
        learned: &Learned,
        rows: Rows<'_>,
        progress: &dyn Progress,
    ) -> Result<(Vec<(String, ThresholdKind, Score, Option<f64>)>, usize), PipelineError> {
        let settings = &self.settings;
        let mut thresholds: Vec<_> = settings
            .levels
            .iter()
            .zip(learned.risk_map.level_risks())
            .map(|(&level, risk)| {
                let name = format!("contamination {}", percent(level));
                (name, ThresholdKind::Contamination(level), risk, Some(level))
            })
            .collect();
        let mut chosen = settings.main_level;
        if let Detection::Risk(risk) = settings.detection {
            let expected = Some(learned.risk_map.expected_share(risk));
            chosen = thresholds.len();
            let kind = ThresholdKind::Risk(risk);
            thresholds.push((format!("risk {risk:.2}"), kind, Score::new(risk)?, expected));
        } else if mode == LearningMode::Supervised {
            let (risk, name) = self.best_threshold(learned, rows, progress)?;
            let risks = learned.risks();
            let share = risks.iter().filter(|&&other| other >= risk.get()).count();
            let expected = Some(share as f64 / risks.len() as f64);
            chosen = thresholds.len();
            let kind = ThresholdKind::BestFBeta(1.0);
            thresholds.push((name.to_owned(), kind, risk, expected));
        }
        Ok((thresholds, chosen))
    }

    /// The risk with the best F1, and how it was found: on the last fifth of the training rows, with stages fitted on
    /// those before. With too few frauds there it is chosen on all rows by stages that know them, and its name says so.
    fn best_threshold(
        &self,
        learned: &Learned,
        (dataset, records): Rows<'_>,
        progress: &dyn Progress,
    ) -> Result<(Score, &'static str), PipelineError> {
        let cut = dataset.rows() / 5 * 4;
        let labels = dataset.labels().unwrap_or_default();
        let later = labels.get(cut..).unwrap_or_default();
        let count = |wanted| later.iter().filter(|label| **label == wanted).count();
        if count(Label::Fraud) < HELD_OUT_FRAUDS || count(Label::Legitimate) == 0 {
            let risk = best_f1(labels, &learned.risks())?;
            return Ok((risk, "best F1, in-sample"));
        }
        let rows = |range: std::ops::Range<usize>| dataset.select(&range.collect::<Vec<_>>());
        let (past, held_out) = (rows(0..cut)?, rows(cut..dataset.rows())?);
        let (before, after) = records.map(|records| records.split_at(cut)).unzip();
        let earlier = self.learn((&past, before), cut as u64, progress)?;
        let mut states = new_states(&earlier.stages);
        // Stages with a memory know the past when the held-out rows come.
        stage_scores(&earlier.stages, &mut states, &past, before)?;
        let scores = stage_scores(&earlier.stages, &mut states, &held_out, after)?;
        let risks: Vec<f64> = combine(&scores, &earlier.stage_maps)
            .into_iter()
            .map(|statistic| earlier.risk_map.risk(statistic).get())
            .collect();
        Ok((best_f1(later, &risks)?, "best F1, held out"))
    }
}

/// What fitting on some rows gives.
struct Learned {
    stages: Vec<Box<dyn Stage>>,
    stage_maps: Vec<RiskMap>,
    risk_map: RiskMap,
    /// What the risk map takes, one a row.
    statistic: Vec<f64>,
}

impl Learned {
    fn risks(&self) -> Vec<f64> {
        let risk = |&value: &f64| self.risk_map.risk(value).get();
        self.statistic.iter().map(risk).collect()
    }
}

fn best_f1(labels: &[Label], risks: &[f64]) -> Result<Score, PipelineError> {
    let (known, scores): (Vec<bool>, Vec<f64>) = labels
        .iter()
        .zip(risks)
        .filter_map(|(label, &risk)| label.known().map(|fraud| (fraud, risk)))
        .unzip();
    let ranking = Ranking::new(&known, &scores, None)?;
    let best = ranking.best_threshold(&ThresholdGoal::MaxFBeta { beta: 1.0 })?;
    Ok(Score::new(best.threshold)?)
}

/// Learns what becomes of which column, of the source and of the set of features.
fn learn_columns(
    params: &PreprocessorParams,
    features: &Features,
    (source, mut warm_up): (&dyn TableSource, WarmUp),
) -> Result<Preprocessor, PipelineError> {
    let mut engine = features.fresh();
    let mut fitter: Option<Fitter> = None;
    for table in source.chunks()? {
        let table = table?;
        let found = engine.observe_table(&table)?;
        let rows = warm_up.rest_of(&table);
        let joined = features.join(&table, found.values())?;
        let joined = if rows.len() < table.rows() {
            joined.select(&rows.collect::<Vec<_>>())
        } else {
            joined
        };
        let fitter = if let Some(fitter) = &mut fitter {
            fitter
        } else {
            let params = features.settings(params.clone(), &table);
            fitter.insert(params.check()?.fitter())
        };
        fitter.observe(&joined)?;
    }
    let fitter = fitter.ok_or(too_few(0))?;
    Ok(fitter.finish()?)
}

fn percent(share: f64) -> String {
    format!("{} %", (share * 1e6).round() / 1e4)
}
