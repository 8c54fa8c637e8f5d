//! Settings of a detector, checked together.

mod models;

use crate::features::{Features, reads_labels};
#[cfg(feature = "rules")]
use crate::rules::{NamedWindow, RuleWindows, windows_of};
use crate::{ModelsFile, PipelineError, Trainer};
#[cfg(feature = "rules")]
use dafu_core::TableSource;
use dafu_core::metrics::{Costs, ThresholdGoal};
use dafu_core::{Bands, Role, StageSpec};
use dafu_features::{FeatureSet, Labels, PreprocessorParams, Span};
use std::collections::BTreeMap;

/// Name of the forest's block in a `models.json`, and of its stage.
const FOREST_BLOCK: &str = "isolation_forest";
/// Name of the stage of boosted trees, which the block `xgboost` asks for.
#[cfg(feature = "ensemble")]
const BOOSTED_TREES: &str = "boosted_trees";
/// Name of the stage that the block `lstm` asks for.
#[cfg(feature = "sequence")]
const SEQUENCE: &str = "sequence";

/// Rules, and the features that hold the windows that they may ask for.
#[cfg(feature = "rules")]
type WindowedRules = (dafu_rules::RuleSet, Vec<NamedWindow>);

/// How a detector learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Supervised with at least 100 known frauds in the history and both classes, else unsupervised. Labels are
    /// counted in any case, and read by an encoding or a set of features that asks for them.
    #[default]
    Auto,
    /// Learners learn from the labels of the history. They are blended, calibrated and given a threshold by how they judge its
    /// last three fifths, each fifth judged by learners of what came before; a detector without learners chooses its threshold
    /// on the last fifth. With fewer than 10 frauds there, all rows choose it, and its name says "in-sample". Without labels
    /// fitting is an error.
    Supervised,
    /// No label is read while learning.
    Unsupervised,
}

/// Which rows are alerts.
#[derive(Debug, Clone, PartialEq)]
pub enum Detection {
    /// The share of training rows that is flagged, one threshold a level ("classic"). In supervised mode the
    /// levels are reported, and the labels of the history choose the threshold that decides.
    Contamination,
    /// Rows whose risk reaches this threshold.
    Risk(f64),
    /// The rows of the highest risk, as many a day as this, where as many rows come as in training.
    AlertsPerDay(f64),
    /// Rows whose risk reaches the threshold that is best for a goal, on labelled training rows that the stages had not
    /// learned from (with fewer than 10 frauds among those, on all).
    Goal(ThresholdGoal),
}

/// Builds a [`Trainer`], and with it a detector. Made by [`Detector::builder`](crate::Detector::builder).
#[derive(Debug)]
pub struct DetectorBuilder {
    mode: Mode,
    detection: Detection,
    levels: Vec<f64>,
    main_level: usize,
    roles: BTreeMap<String, Role>,
    features: Option<FeatureSet>,
    warm_up: f64,
    preprocessor: PreprocessorParams,
    #[cfg(feature = "iforest")]
    forest: dafu_iforest::IsolationForestParams,
    #[cfg(feature = "iforest")]
    forest_share: Option<f64>,
    stages: Vec<Box<dyn StageSpec>>,
    #[cfg(feature = "rules")]
    rules: Option<dafu_rules::RuleSet>,
    #[cfg(feature = "rules")]
    policy_rules: Option<dafu_rules::RuleSet>,
    bands: Bands,
    label_delay: Option<Span>,
    #[cfg(feature = "ensemble")]
    combination: dafu_ensemble::combine::Combination,
    #[cfg(feature = "ensemble")]
    calibration: dafu_ensemble::CalibrationMethod,
    policy: Option<Costs>,
    models: Option<ModelsFile>,
    seed: Option<u64>,
    #[cfg(any(feature = "iforest", feature = "ensemble"))]
    default_stages: bool,
    sample_rows: usize,
    remembered: usize,
}

impl Default for DetectorBuilder {
    /// Contamination levels 1 %, 5 % and 10 %, the first of which decides; auto mode; an isolation forest, with labels also
    /// boosted trees and a logistic regression.
    fn default() -> Self {
        Self {
            mode: Mode::Auto,
            detection: Detection::Contamination,
            levels: vec![0.01, 0.05, 0.1],
            main_level: 0,
            roles: BTreeMap::new(),
            features: None,
            warm_up: 0.1,
            preprocessor: PreprocessorParams::default(),
            #[cfg(feature = "iforest")]
            forest: dafu_iforest::IsolationForestParams::default(),
            #[cfg(feature = "iforest")]
            forest_share: None,
            stages: Vec::new(),
            #[cfg(feature = "rules")]
            rules: None,
            #[cfg(feature = "rules")]
            policy_rules: None,
            bands: Bands::default(),
            label_delay: None,
            #[cfg(feature = "ensemble")]
            combination: dafu_ensemble::combine::Combination::Stack(
                dafu_ensemble::combine::StackParams::default(),
            ),
            #[cfg(feature = "ensemble")]
            calibration: dafu_ensemble::CalibrationMethod::Platt,
            policy: None,
            models: None,
            seed: None,
            #[cfg(any(feature = "iforest", feature = "ensemble"))]
            default_stages: false,
            sample_rows: 1 << 18,
            remembered: 100_000,
        }
    }
}

/// What a trainer needs, after the checks.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) mode: Mode,
    pub(crate) detection: Detection,
    pub(crate) levels: Vec<f64>,
    pub(crate) main_level: usize,
    pub(crate) roles: BTreeMap<String, Role>,
    pub(crate) features: Option<Features>,
    pub(crate) warm_up: f64,
    pub(crate) preprocessor: PreprocessorParams,
    pub(crate) stages: Vec<Box<dyn StageSpec>>,
    #[cfg(feature = "rules")]
    pub(crate) windows: RuleWindows,
    #[cfg(feature = "rules")]
    pub(crate) policy_rules: Option<WindowedRules>,
    pub(crate) bands: Bands,
    pub(crate) label_delay: Option<Span>,
    #[cfg(feature = "ensemble")]
    pub(crate) combination: dafu_ensemble::combine::Combination,
    #[cfg(feature = "ensemble")]
    pub(crate) calibration: dafu_ensemble::CalibrationMethod,
    pub(crate) policy: Option<Costs>,
    pub(crate) seed: u64,
    pub(crate) sample_rows: usize,
    pub(crate) remembered: usize,
}

impl DetectorBuilder {
    /// Sets how the detector learns. Default: auto.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets the contamination levels; the first decides, and maps to risk 0.5 where the risk is not calibrated. One forest
    /// serves them all.
    #[must_use]
    pub fn contamination(mut self, levels: impl IntoIterator<Item = f64>) -> Self {
        self.levels = levels.into_iter().collect();
        self
    }

    /// Sets which of the contamination levels decides (and maps to risk 0.5 where the risk is not calibrated), counted from
    /// 0. Default 0.
    #[must_use]
    pub fn main_level(mut self, index: usize) -> Self {
        self.main_level = index;
        self
    }

    /// Detects by risk score: rows at or above this risk are alerts.
    #[must_use]
    pub fn threshold(mut self, risk: f64) -> Self {
        self.detection = Detection::Risk(risk);
        self
    }

    /// Detects by a budget: the rows of the highest risk, as many a day on the mean as somebody can look at. The history
    /// needs times.
    #[must_use]
    pub fn alerts_per_day(mut self, alerts: f64) -> Self {
        self.detection = Detection::AlertsPerDay(alerts);
        self
    }

    /// Detects by what is best for a goal: the lowest cost (by amounts too), a floor of precision or recall, an F-beta. The
    /// threshold is chosen on labelled rows of the history that the stages had not learned from.
    ///
    /// ```
    /// use dafu_core::metrics::{Costs, ThresholdGoal};
    /// use dafu_pipeline::Detector;
    ///
    /// // A look at an alert costs 5, a fraud that is missed its amount.
    /// let costs = Costs::default().true_positive(5.0).false_positive(5.0).false_negative(0.0).missed_amount(1.0);
    /// let trainer = Detector::builder().goal(ThresholdGoal::MinCost(costs)).build()?;
    /// # Ok::<(), dafu_pipeline::PipelineError>(())
    /// ```
    #[must_use]
    pub fn goal(mut self, goal: ThresholdGoal) -> Self {
        self.detection = Detection::Goal(goal);
        self
    }

    /// Gives a column of the history another role, by name.
    #[must_use]
    pub fn role(mut self, column: impl Into<String>, role: Role) -> Self {
        self.roles.insert(column.into(), role);
        self
    }

    /// Adds features of past events: what the user, the merchant, the device and others did before. Default: none.
    ///
    /// The history is gone through in order of time ([`TimeSorted`](dafu_features::TimeSorted) brings it into that
    /// order), and each of its rows gets the features as of its own time, never what came later. They join the columns
    /// of the source as numbers: the preprocessor fills in what is missing, and settings for a feature are given to it
    /// under the feature's name. What the set computes from the event itself (amount, logarithm, hour, weekday, weekend,
    /// night, distance from home) the preprocessor leaves to it. Afterwards [`Detector::score`](crate::Detector::score)
    /// goes on from where the history ends.
    ///
    /// **Labels** reach features by the set's own rule. [`Labels::AfterDelay`] reads those of the history, each as known
    /// so long after its event; later ones come with transactions that have a label, or through
    /// [`Detector::feedback`](crate::Detector::feedback). A history has no label events: with [`Labels::Events`], the
    /// default of sets, features that read labels have nothing to learn from and are taken out
    /// ([`FeatureSet::without_labels`]). So they are where the history has no label, and in [`Mode::Unsupervised`], which
    /// reads none. A set that reads labels and remembers no transactions by id
    /// ([`StateLimits::remembered_transactions`](dafu_features::StateLimits::remembered_transactions) is 0) is made to
    /// remember as many as [`DetectorBuilder::remembered`] says, so that feedback by id finds them.
    ///
    /// The first tenth of the history fills the memory and is not learned from ([`DetectorBuilder::warm_up`]).
    ///
    /// The source needs columns for time and transaction id, and for the user where the set asks for users.
    ///
    /// ```
    /// # fn main() -> Result<(), dafu_pipeline::PipelineError> {
    /// use dafu_features::{FeatureSet, Labels, Span};
    /// use dafu_pipeline::Detector;
    ///
    /// let set = FeatureSet::standard().labels(Labels::AfterDelay(Span::days(7)));
    /// let trainer = Detector::builder().features(set).build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn features(mut self, set: FeatureSet) -> Self {
        self.features = Some(set);
        self
    }

    /// Sets the share of the history, counted in rows from its beginning, that fills the memory of the set of features
    /// and is not learned from, 0 to 0.9. Default 0.1; without meaning for a detector without a set.
    ///
    /// At the beginning of a history nobody has a past, so that everything looks unusual: learned from, those rows
    /// take up the share of alerts that the thresholds were asked for.
    #[must_use]
    pub fn warm_up(mut self, share: f64) -> Self {
        self.warm_up = share;
        self
    }

    /// Sets how columns become features.
    #[must_use]
    pub fn preprocessor(mut self, params: PreprocessorParams) -> Self {
        self.preprocessor = params;
        self
    }

    /// Sets the parameters of the isolation forest that is used when no stage is added.
    #[cfg(feature = "iforest")]
    #[must_use]
    pub fn forest(mut self, params: dafu_iforest::IsolationForestParams) -> Self {
        self.forest = params;
        self
    }

    /// Adds a stage; those that a detector has by default are then left out, but for
    /// [`default_stages`](Self::default_stages). With several stages the tail probabilities of their scores are combined by
    /// Fisher's method; with labels and a learner among them, by a calibrated blend.
    #[must_use]
    pub fn stage(mut self, spec: impl StageSpec + 'static) -> Self {
        self.stages.push(Box::new(spec));
        self
    }

    /// Keeps the stages that a detector has by default beside those that are added: the isolation forest; with labels, boosted
    /// trees and a logistic regression.
    ///
    #[cfg_attr(
        all(feature = "sequence", feature = "ensemble"),
        doc = "```",
        doc = "use dafu_features::FeatureSet;",
        doc = "use dafu_pipeline::{Detector, SequenceSpec};",
        doc = "",
        doc = "let builder = Detector::builder().features(FeatureSet::standard());",
        doc = "let trainer = builder.default_stages().stage(SequenceSpec::default()).build()?;",
        doc = "# Ok::<(), dafu_pipeline::PipelineError>(())",
        doc = "```"
    )]
    #[cfg(any(feature = "iforest", feature = "ensemble"))]
    #[must_use]
    pub fn default_stages(mut self) -> Self {
        self.default_stages = true;
        self
    }

    /// Adds rules as a stage: their score joins those of the other stages. Their actions do not decide: what is to be
    /// declined whatever the other stages say belongs into [`policy_rules`](Self::policy_rules), and what is a sign of fraud
    /// among others belongs here. Like other stages that are added, they take the
    /// place of those that a detector has by default, but for [`default_stages`](Self::default_stages).
    ///
    /// Conditions name features of the detector, and what a transaction says of itself
    /// ([`RuleSchema::transaction`](dafu_rules::RuleSchema::transaction)). Windows in them
    /// (`count(tx, by=card, within=1h) > 5`) join the set of [features](Self::features); so does `transactions_per_hour`,
    /// where no feature of the set and no column of numbers is called like that.
    #[cfg(feature = "rules")]
    #[must_use]
    pub fn rules(mut self, set: dafu_rules::RuleSet) -> Self {
        self.rules = Some(set);
        self
    }

    /// Sets rules that decide about what the stages found out; those that only add to the risk are
    /// [`rules`](Self::rules). They may name `risk_score`, the score of each stage
    /// (`isolation_forest_score`), and whatever [`rules`](Self::rules) may. A name is that of a score before that of a column;
    /// the column is then called `` `risk_score (column)` ``, with the backquotes. The strictest of the threshold's decision and
    /// those of the rules that fire counts; a set with [`Conflict::First`](dafu_rules::Conflict::First) or
    /// [`Conflict::ApproveOverrides`](dafu_rules::Conflict::ApproveOverrides) may also be milder.
    ///
    #[cfg_attr(feature = "iforest", doc = "```")]
    #[cfg_attr(not(feature = "iforest"), doc = "```ignore")]
    /// use dafu_pipeline::Detector;
    /// use dafu_rules::{Action, Rule, RuleSet};
    ///
    /// let rules = RuleSet::new([
    ///     Rule::new("large_and_risky", "risk_score > 0.7 and amount > 500", 0.9).action(Action::Decline),
    /// ]);
    /// let trainer = Detector::builder().policy_rules(rules).build()?;
    /// # Ok::<(), dafu_pipeline::PipelineError>(())
    /// ```
    #[cfg(feature = "rules")]
    #[must_use]
    pub fn policy_rules(mut self, set: dafu_rules::RuleSet) -> Self {
        self.policy_rules = Some(set);
        self
    }

    /// Sets where the bands of risk begin.
    #[must_use]
    pub fn bands(mut self, bands: Bands) -> Self {
        self.bands = bands;
        self
    }

    /// Sets how long after its event a label is known. Where stages are blended by how they judge later rows, they have
    /// then not learned from labels that were not yet known. Default: as the set of features says
    /// ([`Labels::AfterDelay`]), else none.
    #[must_use]
    pub fn label_delay(mut self, delay: Span) -> Self {
        self.label_delay = Some(delay);
        self
    }

    /// Sets how stages are blended where there are labels. Default: a stack, which weighs them by a logistic regression. A vote
    /// of log odds takes equal or given weights, or weights by gain or greedy selection.
    ///
    /// The log odds of stages are added up, so that each has its share of the risk: a vote of probabilities or of ranks, a
    /// noisy-or and a maximum are an error of [`DetectorBuilder::build`].
    #[cfg(feature = "ensemble")]
    #[must_use]
    pub fn combination(mut self, combination: dafu_ensemble::combine::Combination) -> Self {
        self.combination = combination;
        self
    }

    /// Sets how the blend's scores become probabilities. Default: Platt's line, which needs the fewest frauds.
    ///
    /// With thousands of frauds whose labels are known, [`CalibrationMethod::VennAbers`] and
    /// [`CalibrationMethod::Isotonic`] also hold where the log odds are off by more than a line. Without meaning where no blend is
    /// learned: without labels, or with fewer than ten frauds that can be held out.
    ///
    /// [`CalibrationMethod::VennAbers`]: dafu_ensemble::CalibrationMethod::VennAbers
    /// [`CalibrationMethod::Isotonic`]: dafu_ensemble::CalibrationMethod::Isotonic
    #[cfg(feature = "ensemble")]
    #[must_use]
    pub fn calibration(mut self, method: dafu_ensemble::CalibrationMethod) -> Self {
        self.calibration = method;
        self
    }

    /// Decides each payment by what a mistake about it costs, its amount included: [`Assessment::decision`] asks for a look
    /// where that is cheaper by the probability of fraud, and approves elsewhere. Whether a row counts as fraud, and what an
    /// evaluation judges, stays with the threshold; so does the decision where the costs go by an amount that is not known.
    ///
    /// Costs are in the currency of the amounts. Fitting is an error where nothing is calibrated
    /// ([`PipelineError::NotCalibrated`]).
    ///
    /// Source: Elkan 2001, *The foundations of cost-sensitive learning*, equation 2.
    ///
    /// [`Assessment::decision`]: dafu_core::Assessment::decision
    #[cfg(feature = "ensemble")]
    #[must_use]
    pub fn policy(mut self, costs: Costs) -> Self {
        self.policy = Some(costs);
        self
    }

    /// Takes the settings of a `models.json`; what the file names wins over what was set before.
    #[must_use]
    pub fn models(mut self, file: ModelsFile) -> Self {
        self.models = Some(file);
        self
    }

    /// Sets the seed of everything random: the default stages, those of a `models.json`, and the sample. Stages that are added
    /// keep the seeds of their parameters.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets how many training rows stages are fitted on and thresholds taken from: a uniform sample where the history
    /// has more, of its rows; or of its users with all of their rows, where a stage learns from sequences. Default 262,144.
    #[must_use]
    pub fn sample_rows(mut self, rows: usize) -> Self {
        self.sample_rows = rows;
        self
    }

    /// Sets how many answers are remembered, so that the same transaction gets the same answer. Default 100,000.
    #[must_use]
    pub fn remembered(mut self, answers: usize) -> Self {
        self.remembered = answers;
        self
    }

    /// Checks all settings together.
    ///
    /// # Errors
    ///
    /// [`PipelineError`] for levels, thresholds and sizes out of range, for two stages of one name, for a
    /// `models.json` that asks for a stage that is not there, and as
    /// [`FeatureEngine::new`](dafu_features::FeatureEngine::new) for a set of features.
    pub fn build(mut self) -> Result<Trainer, PipelineError> {
        let file = self.models.take();
        if let Some(file) = &file {
            self.apply(file)?;
        }
        if self.levels.is_empty() {
            return Err(PipelineError::NoContamination);
        }
        if let Some(&got) = self
            .levels
            .iter()
            .find(|level| !(**level > 0.0 && **level <= 0.5))
        {
            return Err(PipelineError::Contamination { got });
        }
        if self.main_level >= self.levels.len() {
            let (main, levels) = (self.main_level, self.levels.len());
            return Err(PipelineError::MainLevel { main, levels });
        }
        if let Detection::Risk(got) = self.detection
            && !(got > 0.0 && got <= 1.0)
        {
            return Err(PipelineError::Threshold { got });
        }
        if let Detection::AlertsPerDay(got) = self.detection
            && !(got > 0.0 && got.is_finite())
        {
            return Err(PipelineError::AlertsPerDay { got });
        }
        if self.sample_rows < 16 {
            let got = self.sample_rows;
            return Err(PipelineError::TooSmall {
                name: "sample_rows",
                least: 16,
                got,
            });
        }
        if !(0.0..=0.9).contains(&self.warm_up) {
            let got = self.warm_up;
            return Err(PipelineError::WarmUp { got });
        }
        if let Some(costs) = &self.policy {
            costs.check()?;
        }
        #[cfg(feature = "ensemble")]
        if !crate::supervised::adds_up(&self.combination) {
            return Err(PipelineError::Combination);
        }
        self.preprocessor.check()?;
        #[cfg(feature = "rules")]
        let (windows, policy_rules) = self.add_rules()?;
        let features = self.features.take();
        let features = features
            .map(|set| Features::new(&adapted(set, self.mode, self.remembered)))
            .transpose()?;
        #[cfg(any(feature = "iforest", feature = "ensemble", feature = "sequence"))]
        self.add_stages(file.as_ref())?;
        if self.stages.is_empty() {
            return Err(PipelineError::NoStage);
        }
        for (index, stage) in self.stages.iter().enumerate() {
            if self.stages[..index]
                .iter()
                .any(|other| other.name() == stage.name())
            {
                return Err(PipelineError::DuplicateStage {
                    name: stage.name().to_owned(),
                });
            }
        }
        Ok(Trainer::new(Settings {
            mode: self.mode,
            detection: self.detection,
            levels: self.levels,
            main_level: self.main_level,
            roles: self.roles,
            features,
            warm_up: self.warm_up,
            preprocessor: self.preprocessor,
            stages: self.stages,
            #[cfg(feature = "rules")]
            windows,
            #[cfg(feature = "rules")]
            policy_rules,
            bands: self.bands,
            label_delay: self.label_delay,
            #[cfg(feature = "ensemble")]
            combination: self.combination,
            #[cfg(feature = "ensemble")]
            calibration: self.calibration,
            policy: self.policy,
            seed: self.seed.unwrap_or_default(),
            sample_rows: self.sample_rows,
            remembered: self.remembered,
        }))
    }

    /// Adds the windows of rules to the set of features, and the stage of rules; gives the policy.
    #[cfg(feature = "rules")]
    fn add_rules(&mut self) -> Result<(RuleWindows, Option<WindowedRules>), PipelineError> {
        let (rules, policy) = (self.rules.take(), self.policy_rules.take());
        let sets = rules.iter().chain(&policy);
        let windows = RuleWindows::new(self.features.take(), sets);
        let (features, named) = windows.joined()?;
        self.features = features;
        let windowed = |set| {
            let windows = windows_of(&set, &named);
            (set, windows)
        };
        if let Some((set, windows)) = rules.map(windowed) {
            let spec = crate::RuleSpec::new(set).with_windows(windows);
            self.stages.push(Box::new(spec));
        }
        let policy = policy.map(windowed);
        Ok((windows, policy))
    }

    /// The stages that a `models.json` asks for; for a detector that names none, those that it has then.
    #[cfg(any(feature = "iforest", feature = "ensemble", feature = "sequence"))]
    fn add_stages(&mut self, file: Option<&ModelsFile>) -> Result<(), PipelineError> {
        #[cfg(any(feature = "iforest", feature = "ensemble"))]
        let default = self.default_stages || self.stages.is_empty() && file.is_none();
        let added = |block: &str| self.stages.iter().any(|stage| stage.name() == block);
        #[cfg(feature = "iforest")]
        let forest = default
            || file.is_some_and(|file| file.isolation_forest.is_some()) && !added(FOREST_BLOCK);
        #[cfg(feature = "ensemble")]
        let block = file.and_then(|file| file.xgboost.as_ref());
        #[cfg(feature = "ensemble")]
        let trees = default || block.is_some() && !added(BOOSTED_TREES) && !added("xgboost");
        #[cfg(feature = "sequence")]
        let lstm = file.and_then(|file| file.lstm.as_ref());
        #[cfg(feature = "sequence")]
        let lstm = lstm.filter(|_| !added(SEQUENCE) && !added("lstm"));
        #[cfg(feature = "iforest")]
        if forest {
            if let Some(seed) = self.seed {
                self.forest.seed = seed;
            }
            let checked = self.forest.check();
            checked.map_err(|error| dafu_core::StageError::new(FOREST_BLOCK, error))?;
            let spec = crate::ForestSpec::new(self.forest.clone());
            self.stages
                .push(Box::new(spec.sample_share(self.forest_share)));
        }
        #[cfg(feature = "ensemble")]
        if trees {
            let mut params = match block {
                Some(block) => models::boosted_trees(block)?,
                // Fewer and smaller trees than the default: every answer is explained, which takes as long as there are
                // leaves.
                None => dafu_ensemble::BoostedTreesParams::default()
                    .n_estimators(150)
                    .learning_rate(0.06)
                    .max_leaves(8),
            };
            params.seed = self.seed.unwrap_or(params.seed);
            let checked = params.check();
            checked.map_err(|error| dafu_core::StageError::new(BOOSTED_TREES, error))?;
            let spec = crate::LearnerSpec::boosted_trees(params);
            self.stages.push(Box::new(spec));
        }
        #[cfg(feature = "sequence")]
        if let Some(block) = lstm {
            let mut params = models::sequence(block)?;
            params.seed = self.seed.unwrap_or(params.seed);
            let checked = params.check();
            checked.map_err(|error| dafu_core::StageError::new(SEQUENCE, error))?;
            self.stages.push(Box::new(crate::SequenceSpec::new(params)));
        }
        #[cfg(feature = "ensemble")]
        if default {
            let params = dafu_ensemble::LogisticRegressionParams::default();
            let spec = crate::LearnerSpec::logistic_regression(params);
            self.stages.push(Box::new(spec));
        }
        Ok(())
    }
}

impl Settings {
    /// The set of features for a history.
    #[cfg(feature = "rules")]
    pub(crate) fn features_of(
        &self,
        history: &dyn TableSource,
    ) -> Result<Option<Features>, PipelineError> {
        let set = self.windows.of_history(history)?;
        let adapted = set.map(|set| adapted(set, self.mode, self.remembered));
        Ok(adapted.as_ref().map(Features::new).transpose()?)
    }
}

/// The set as the mode and the memory want it.
fn adapted(mut set: FeatureSet, mode: Mode, remembered: usize) -> FeatureSet {
    if mode == Mode::Unsupervised || set.labels == Labels::Events {
        return set.without_labels().labels(Labels::Events);
    }
    if set.limits.remembered_transactions == 0 && reads_labels(&set) {
        set.limits.remembered_transactions = u32::try_from(remembered).unwrap_or(u32::MAX);
    }
    set
}
