//! From a history to a detector.

use crate::axes::telling_axes;
use crate::builder::Settings;
use crate::combination::{Combination, Tails};
use crate::detector::Detector;
use crate::features::Features;
use crate::inputs::Inputs;
use crate::model::{DetectorModel, Facts, new_states, stage_scores};
#[cfg(feature = "ensemble")]
use crate::risk_map::scores_at;
#[cfg(feature = "ensemble")]
use crate::supervised::{Blend, OutOfFold};
use crate::tagged::{Tagged, Told};
use crate::training_rows::{
    Classes, Rows, TrainingRows, WarmUp, known_until, medians, sample, too_few,
};
use crate::{Detection, Mode, PipelineError};
use dafu_core::evaluation::{LearningMode, ThresholdKind};
use dafu_core::metrics::{Ranking, ThresholdGoal};
use dafu_core::{
    History, Label, NoProgress, Progress, Score, Stage, StageInput, StageSpec, StageState,
    TableSource,
};
use dafu_features::{
    Fitter, Labels, Preprocessor, PreprocessorParams, Span, TimeSortParams, TimeSorted,
};
use std::cell::Cell;
use std::sync::Arc;

const MICROS_PER_DAY: f64 = 86_400_000_000.0;
/// Known frauds from which on auto mode learns from labels.
const AUTO_FRAUDS: u64 = 100;
/// Known frauds among held-out training rows from which on they choose the threshold and calibrate.
pub(crate) const HELD_OUT_FRAUDS: usize = 10;

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
    /// Two passes over the history, and a third where a stage has a memory. Memory: one chunk, the counts of the preprocessor and the sampled rows. With a set
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
        #[cfg(feature = "rules")]
        let mut features = settings.features_of(&tagged)?;
        #[cfg(not(feature = "rules"))]
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
        let mode = self.mode(&sample)?;
        if mode == LearningMode::Supervised {
            sample.dataset = sample
                .dataset
                .with_labels(std::mem::take(&mut sample.labels))?;
        }
        if self.specs(mode).next().is_none() {
            return Err(PipelineError::LabelsNeeded);
        }
        let learned = self.learn(mode, sample.rows(), sample.population, progress)?;
        if settings.policy.is_some() && learned.combination.probability(Score::ZERO).is_none() {
            return Err(PipelineError::NotCalibrated);
        }
        let (thresholds, chosen) = self.thresholds(mode, &learned, &sample, progress)?;
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
        #[cfg(feature = "rules")]
        let policy_rules = match &settings.policy_rules {
            Some((set, windows)) => {
                let stages = learned.stages.iter().map(|stage| stage.name());
                let rules =
                    crate::rules::PolicyRules::new(set.clone(), &schema, stages, windows.clone());
                Some(rules?)
            }
            None => None,
        };
        let mut model = DetectorModel {
            inputs,
            features,
            roles: settings.roles.clone(),
            stages: learned.stages,
            combination: learned.combination,
            facts,
            policy: settings.policy,
            #[cfg(feature = "rules")]
            policy_rules,
            hash: 0,
        };
        model.hash = model.content_hash()?;
        let states = replayed(&model, &tagged, progress)?;
        Ok(Detector::with_memory(Arc::new(model), engine, states))
    }

    /// The stages that can learn in a mode.
    fn specs(&self, mode: LearningMode) -> impl Iterator<Item = &dyn StageSpec> {
        let specs = self.settings.stages.iter().map(|spec| &**spec);
        specs.filter(move |spec| mode == LearningMode::Supervised || !spec.needs_labels())
    }

    fn fit_stages(
        &self,
        mode: LearningMode,
        (dataset, transactions): Rows<'_>,
        population: u64,
        progress: &dyn Progress,
    ) -> Result<Vec<Box<dyn Stage>>, PipelineError> {
        let history = History {
            dataset,
            transactions,
            population,
            seed: self.settings.seed,
            progress,
        };
        let stages = self.specs(mode).map(|spec| spec.fit_stage(&history));
        Ok(stages.collect::<Result<_, _>>()?)
    }

    /// Fits the stages on rows, and what makes a risk of their scores.
    fn learn(
        &self,
        mode: LearningMode,
        rows: Rows<'_>,
        population: u64,
        progress: &dyn Progress,
    ) -> Result<Learned, PipelineError> {
        let (levels, main) = (&self.settings.levels, self.settings.main_level);
        let stages = self.fit_stages(mode, rows, population, progress)?;
        let scores = stage_scores(&stages, &mut new_states(&stages), rows.0, rows.1)?;
        #[cfg(feature = "ensemble")]
        if self.specs(mode).any(StageSpec::needs_labels)
            && let Some(blend) = self.blend(mode, rows, progress)?
        {
            let level_scores = scores_at(&blend.statistic, levels).into_iter();
            let risk = |score| blend.combination.risk(score);
            return Ok(Learned {
                level_risks: level_scores.map(risk).collect(),
                statistic: blend.combination.statistic(&scores),
                combination: blend.combination,
                held_out: Some((blend.rows, blend.statistic)),
                stages,
            });
        }
        let (tails, statistic) = Tails::fit(&scores, levels, main);
        Ok(Learned {
            level_risks: tails.risk_map.level_risks(),
            combination: Combination::Tails(tails),
            held_out: None,
            stages,
            statistic,
        })
    }

    /// Learns from labels how to combine the stages, where there are enough.
    #[cfg(feature = "ensemble")]
    fn blend(
        &self,
        mode: LearningMode,
        rows: Rows<'_>,
        progress: &dyn Progress,
    ) -> Result<Option<Blend>, PipelineError> {
        let settings = &self.settings;
        let fit = |rows: Rows<'_>| {
            let population = rows.0.rows() as u64;
            self.fit_stages(mode, rows, population, progress)
        };
        let scores = OutOfFold::new(rows, self.label_delay(), &fit)?;
        let labels = rows.0.labels().unwrap_or_default();
        let levels = (&*settings.levels, settings.main_level);
        let how = (&settings.combination, settings.calibration);
        scores.blend(labels, levels, how)
    }

    /// Microseconds until a label is known.
    fn label_delay(&self) -> i64 {
        let of_set = || match self.settings.features.as_ref()?.set().labels {
            Labels::AfterDelay(delay) => Some(delay),
            Labels::Events => None,
        };
        let delay = self.settings.label_delay.or_else(of_set);
        delay.map_or(0, Span::as_micros)
    }

    /// How to learn. Labels count as far as they are among the rows that stages see.
    fn mode(&self, sample: &TrainingRows) -> Result<LearningMode, PipelineError> {
        let Classes { frauds, legitimate } = sample.classes;
        let seen = |wanted| sample.labels.contains(&wanted);
        let both = seen(Label::Fraud) && seen(Label::Legitimate);
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
        sample: &TrainingRows,
        progress: &dyn Progress,
    ) -> Result<(Vec<(String, ThresholdKind, Score, Option<f64>)>, usize), PipelineError> {
        let settings = &self.settings;
        let mut thresholds: Vec<_> = settings
            .levels
            .iter()
            .zip(&learned.level_risks)
            .map(|(&level, &risk)| {
                let name = format!("contamination {}", percent(level));
                (name, ThresholdKind::Contamination(level), risk, Some(level))
            })
            .collect();
        let supervised = mode == LearningMode::Supervised;
        let (name, kind, risk) = match &settings.detection {
            Detection::Risk(risk) => {
                let name = format!("risk {risk:.2}");
                (name, ThresholdKind::Risk(*risk), Score::new(*risk)?)
            }
            Detection::AlertsPerDay(alerts) => {
                let name = format!("{alerts} alerts a day");
                let risk = learned.risk_of_budget(*alerts, sample)?;
                (name, ThresholdKind::AlertsPerDay(*alerts), risk)
            }
            Detection::Goal(goal) if supervised => {
                self.best_threshold(goal, learned, sample, progress)?
            }
            Detection::Goal(_) => return Err(PipelineError::LabelsNeeded),
            Detection::Contamination if supervised => {
                let goal = ThresholdGoal::MaxFBeta { beta: 1.0 };
                self.best_threshold(&goal, learned, sample, progress)?
            }
            Detection::Contamination => return Ok((thresholds, settings.main_level)),
        };
        let expected = match kind {
            ThresholdKind::Risk(_) => learned.combination.expected_share(risk.get()),
            _ => learned.share(risk),
        };
        let chosen = thresholds.len();
        thresholds.push((name, kind, risk, Some(expected)));
        Ok((thresholds, chosen))
    }

    /// The threshold that is best for a goal, and how it was found: on rows that the stages had not learned from. With
    /// too few frauds there it is chosen on all rows by stages that know them, and its name says so.
    fn best_threshold(
        &self,
        goal: &ThresholdGoal,
        learned: &Learned,
        sample: &TrainingRows,
        progress: &dyn Progress,
    ) -> Result<(String, ThresholdKind, Score), PipelineError> {
        let (what, kind) = goal_name(goal);
        let (dataset, records) = sample.rows();
        let labels = dataset.labels().unwrap_or_default();
        let choose = |rows: &[usize], risks: &[f64]| -> Result<Score, PipelineError> {
            let known = rows.iter().zip(risks);
            let known =
                known.filter_map(|(row, risk)| Some((*row, labels.get(*row)?.known()?, *risk)));
            let mut known: Vec<(usize, bool, f64)> = known.collect();
            let by_amount =
                matches!(goal, ThresholdGoal::MinCost(costs) if costs.missed_amount.abs() > 0.0);
            if by_amount {
                known.retain(|(row, ..)| sample.amounts[*row].is_finite());
            }
            let frauds: Vec<bool> = known.iter().map(|row| row.1).collect();
            let risks: Vec<f64> = known.iter().map(|row| row.2).collect();
            let ranking = if by_amount {
                let amounts: Vec<f64> = known.iter().map(|row| sample.amounts[row.0]).collect();
                Ranking::with_amounts(&frauds, &risks, None, &amounts)?
            } else {
                Ranking::new(&frauds, &risks, None)?
            };
            // Alerting nobody is best: no risk is above this.
            Ok(Score::new(
                ranking.best_threshold(goal)?.threshold.min(1.0),
            )?)
        };
        if let Some((rows, statistic)) = &learned.held_out {
            let risk = choose(rows, &learned.risks_of(statistic))?;
            return Ok((format!("{what}, held out"), kind, risk));
        }
        let cut = dataset.rows() / 5 * 4;
        // Only labels are late.
        let reads = self
            .specs(LearningMode::Supervised)
            .any(StageSpec::needs_labels);
        let delay = if reads { self.label_delay() } else { 0 };
        let known = known_until(dataset, cut, delay);
        let before = labels.get(..known).unwrap_or_default();
        let later = labels.get(cut..).unwrap_or_default();
        let count = |wanted| later.iter().filter(|label| **label == wanted).count();
        let learnable = before.contains(&Label::Fraud) && before.contains(&Label::Legitimate);
        if count(Label::Fraud) < HELD_OUT_FRAUDS || count(Label::Legitimate) == 0 || !learnable {
            let rows: Vec<usize> = (0..dataset.rows()).collect();
            let risk = choose(&rows, &learned.risks_of(&learned.statistic))?;
            return Ok((format!("{what}, in-sample"), kind, risk));
        }
        let rows = |range: std::ops::Range<usize>| dataset.select(&range.collect::<Vec<_>>());
        let (past, held_out) = (rows(0..cut)?, rows(cut..dataset.rows())?);
        let (before, after) = records.map(|records| records.split_at(cut)).unzip();
        let learned_from = (&rows(0..known)?, records.map(|records| &records[..known]));
        let mode = LearningMode::Supervised;
        let earlier = self.learn(mode, learned_from, known as u64, progress)?;
        let mut states = new_states(&earlier.stages);
        // Stages with a memory know the past when the held-out rows come.
        stage_scores(&earlier.stages, &mut states, &past, before)?;
        let scores = stage_scores(&earlier.stages, &mut states, &held_out, after)?;
        let risks = earlier.risks_of(&earlier.combination.statistic(&scores));
        let rows: Vec<usize> = (cut..dataset.rows()).collect();
        Ok((format!("{what}, held out"), kind, choose(&rows, &risks)?))
    }
}

/// What a goal is called, and its kind.
fn goal_name(goal: &ThresholdGoal) -> (String, ThresholdKind) {
    match *goal {
        ThresholdGoal::MinCost(_) => ("lowest cost".to_owned(), ThresholdKind::LowestCost),
        ThresholdGoal::PrecisionFloor { floor } => {
            let name = format!("precision {}", percent(floor));
            (name, ThresholdKind::PrecisionFloor(floor))
        }
        ThresholdGoal::RecallFloor { floor } => {
            let name = format!("recall {}", percent(floor));
            (name, ThresholdKind::RecallFloor(floor))
        }
        ThresholdGoal::AlertBudget { alerts } => {
            let name = format!("{alerts} alerts");
            (name, ThresholdKind::AlertBudget(alerts))
        }
        ThresholdGoal::MaxFBeta { beta } => {
            (format!("best F{beta}"), ThresholdKind::BestFBeta(beta))
        }
        // Goals that this crate has no name for yet.
        _ => ("best threshold".to_owned(), ThresholdKind::LowestCost),
    }
}

/// What fitting on some rows gives.
struct Learned {
    stages: Vec<Box<dyn Stage>>,
    combination: Combination,
    /// Risk at each contamination level.
    level_risks: Vec<Score>,
    /// What the combination makes a risk of, one a training row.
    statistic: Vec<f64>,
    /// Training rows that were scored by stages that had not seen them, and their statistic.
    held_out: Option<(Vec<usize>, Vec<f64>)>,
}

impl Learned {
    fn risks_of(&self, statistic: &[f64]) -> Vec<f64> {
        let risk = |&value: &f64| self.combination.risk(value).get();
        statistic.iter().map(risk).collect()
    }

    /// The statistic of rows that stand for those to come.
    fn typical(&self) -> &[f64] {
        let held_out = self.held_out.as_ref().map(|(_, statistic)| statistic);
        held_out.unwrap_or(&self.statistic)
    }

    /// Share of rows at or above a risk.
    fn share(&self, risk: Score) -> f64 {
        let risks = self.risks_of(self.typical());
        let above = risks.iter().filter(|&&other| other >= risk.get()).count();
        above as f64 / risks.len().max(1) as f64
    }

    /// The lowest risk that no more rows a day reach, where as many come as in training.
    fn risk_of_budget(&self, alerts: f64, sample: &TrainingRows) -> Result<Score, PipelineError> {
        // Days of the rows that were learned from, not of those that only filled the memory of features.
        let times = sample.dataset.times().unwrap_or_default();
        let (Some(first), Some(last)) = (times.first(), times.last()) else {
            return Err(PipelineError::NoTime);
        };
        let days = last.since(*first) as f64 / MICROS_PER_DAY;
        let share = alerts * days.max(1.0) / sample.population.max(1) as f64;
        let mut risks = self.risks_of(self.typical());
        risks.sort_unstable_by(|one, two| two.total_cmp(one));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share from 0 to 1 of a number of rows"
        )]
        let allowed = (share.min(1.0) * risks.len() as f64) as usize;
        let Some(first_above) = risks.get(allowed) else {
            return Ok(Score::ZERO);
        };
        // Of equal risks none is an alert where not all can be.
        let lowest = risks[..allowed]
            .iter()
            .rev()
            .find(|risk| *risk > first_above);
        Ok(Score::new(lowest.copied().unwrap_or(1.0))?)
    }
}

/// The states of the stages at the end of a history: they have taken all of its rows, those that were not learned from as
/// well, with the features that single events get.
fn replayed(
    model: &DetectorModel,
    source: &dyn TableSource,
    progress: &dyn Progress,
) -> Result<Vec<Box<dyn StageState>>, PipelineError> {
    let mut states = model.new_states();
    if !model.remembers() {
        return Ok(states);
    }
    let sorted;
    let source = if model.sorts() {
        sorted = TimeSorted::new(source, &TimeSortParams::default())?;
        &sorted
    } else {
        source
    };
    let source = Told {
        source,
        progress,
        step: "remember rows",
    };
    let mut engine = model.features.as_ref().map(Features::fresh);
    for table in source.chunks()? {
        let table = table?;
        let features = model.rows(&table, engine.as_mut())?;
        let records = model.records(&table)?;
        for row in 0..features.rows() {
            let input = StageInput {
                row: features.row(row)?,
                transaction: records.as_ref().and_then(|records| records.get(row)),
                explain: false,
            };
            for state in &mut states {
                state.record(&input)?;
            }
        }
    }
    Ok(states)
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
