//! From a history to a detector.

use crate::axes::telling_axes;
use crate::builder::Settings;
use crate::detector::Detector;
use crate::model::{DetectorModel, Facts, combine, new_states, stage_scores, with_roles};
use crate::training_rows::{Classes, Rows, medians, sample};
use crate::{Detection, Mode, PipelineError, RiskMap};
use dafu_core::evaluation::{LearningMode, ThresholdKind};
use dafu_core::metrics::{Ranking, ThresholdGoal};
use dafu_core::table::Chunks;
use dafu_core::{
    History, Label, NoProgress, Progress, Role, Score, SourceError, Stage, Table, TableSource,
};
use std::borrow::Cow;
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
        let mut sample = sample(settings, &preprocessor, &source)?;
        let mode = self.mode(sample.classes)?;
        if mode == LearningMode::Supervised {
            sample.dataset = sample
                .dataset
                .with_labels(std::mem::take(&mut sample.labels))?;
        }
        let learned = self.learn(sample.rows(), sample.population, progress)?;
        let (thresholds, chosen) = self.thresholds(mode, &learned, sample.rows(), progress)?;
        let schema = Arc::clone(preprocessor.schema());
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
        let inputs = preprocessor
            .inputs()
            .map(|(name, role)| (Arc::from(name), role))
            .collect();
        let mut model = DetectorModel {
            preprocessor,
            inputs,
            roles: settings.roles.clone(),
            stages: learned.stages,
            stage_maps: learned.stage_maps,
            risk_map: learned.risk_map,
            facts,
            hash: 0,
        };
        model.hash = model.content_hash()?;
        Ok(Detector::from_model(Arc::new(model)))
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

/// The table with the roles that the user gave; in unsupervised mode without its label column.
fn retag<'t>(table: Cow<'t, Table>, settings: &Settings) -> Result<Cow<'t, Table>, SourceError> {
    let mut roles = settings.roles.clone();
    if settings.mode == Mode::Unsupervised {
        let is_label = |column: &&dafu_core::Column| {
            settings.roles.get(&*column.name).unwrap_or(&column.role) == &Role::Label
        };
        let labels = table.columns().iter().filter(is_label);
        roles.extend(labels.map(|column| (column.name.to_string(), Role::Ignore)));
    }
    if roles.is_empty() {
        return Ok(table);
    }
    let tagged = with_roles(&table, &roles).map_err(SourceError::new)?;
    Ok(Cow::Owned(tagged.into_owned()))
}

fn percent(share: f64) -> String {
    format!("{} %", (share * 1e6).round() / 1e4)
}
