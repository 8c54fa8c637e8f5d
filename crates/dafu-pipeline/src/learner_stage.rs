//! Supervised learners as stages.

use crate::category_columns::category_columns;
use crate::combination::probability;
use dafu_core::model::{Envelope, Limits, ModelError};
use dafu_core::{
    Dataset, EntityId, Evidence, Explain, FeatureContribution, History, Label, Schema, SchemaHash,
    Score, Stage, StageError, StageInput, StageSpec, StageState,
};
use dafu_ensemble::combine::ClassifierRegistry;
use dafu_ensemble::explain::Explainer;
use dafu_ensemble::{
    BoostedTreesParams, Classifier, EnsembleError, Learner, LogisticRegressionParams,
    MAX_CATEGORIES, RandomForestParams, Samples,
};
use ndarray::{ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::fmt;
use std::sync::{Arc, OnceLock};

const SCHEMA_VERSION: u16 = 1;

/// A supervised learner to be fitted as a stage, by rows whose label is known; where there are times, the day (UTC) of each
/// row is its block of time.
///
/// A detector leaves it out where the history has no labels, or where it was told to read none.
#[derive(Clone)]
pub struct LearnerSpec {
    name: String,
    learner: Arc<LearnerOf>,
}

/// Makes a learner for rows of a schema.
type LearnerOf =
    dyn Fn(&Schema) -> Result<Box<dyn Learner>, Box<dyn Error + Send + Sync>> + Send + Sync;

impl fmt::Debug for LearnerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spec = &mut f.debug_struct("LearnerSpec");
        spec.field("name", &self.name).finish_non_exhaustive()
    }
}

impl LearnerSpec {
    /// Any learner, under a name that no other stage of the detector has.
    pub fn new(name: impl Into<String>, learner: impl Learner + 'static) -> Self {
        let learner: Arc<dyn Learner> = Arc::new(learner);
        Self::by_schema(name, move |_| Ok(Box::new(Arc::clone(&learner))))
    }

    /// A learner that goes by the features, such as one with constraints on some of them.
    ///
    /// ```
    /// use dafu_ensemble::{BoostedTreesParams, Monotone};
    /// use dafu_pipeline::{Detector, LearnerSpec};
    /// use dafu_sim::SimulatorParams;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let history: Vec<_> = SimulatorParams::default().days(40).users(400).seed(11).simulator()?.collect();
    /// // A larger amount never makes a payment less suspicious.
    /// let trees = LearnerSpec::by_schema("trees", |schema| {
    ///     let amount = schema.position("amount").ok_or("no amount")?;
    ///     let params = BoostedTreesParams::default().n_estimators(50);
    ///     Ok(Box::new(params.monotone([(amount.get(), Monotone::Rising)])))
    /// });
    /// let detector = Detector::builder().stage(trees).build()?.fit(&history)?;
    /// assert_eq!(detector.peek(&history[17])?.model_used, "trees");
    /// # Ok(())
    /// # }
    /// ```
    pub fn by_schema(
        name: impl Into<String>,
        learner: impl Fn(&Schema) -> Result<Box<dyn Learner>, Box<dyn Error + Send + Sync>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            learner: Arc::new(learner),
        }
    }

    /// Boosted trees, named `boosted_trees`. Where the parameters name no columns of categories, those that the schema says
    /// are categories ([`Encoding::Ordinal`](dafu_features::Encoding::Ordinal)) are.
    pub fn boosted_trees(params: BoostedTreesParams) -> Self {
        Self::by_schema("boosted_trees", move |schema| {
            let categories = category_columns(&params.categorical, schema, MOST_LEVELS);
            Ok(Box::new(params.clone().categorical(categories)))
        })
    }

    /// A random forest, named `random_forest`, with categories as in [`LearnerSpec::boosted_trees`].
    pub fn random_forest(params: RandomForestParams) -> Self {
        Self::by_schema("random_forest", move |schema| {
            let categories = category_columns(&params.categorical, schema, MOST_LEVELS);
            Ok(Box::new(params.clone().categorical(categories)))
        })
    }

    /// Logistic regression, named `logistic_regression`.
    pub fn logistic_regression(params: LogisticRegressionParams) -> Self {
        Self::new("logistic_regression", params)
    }
}

/// Levels that trees can split by: beside them there are a code for what is missing and one for what is new.
const MOST_LEVELS: usize = MAX_CATEGORIES as usize - 2;

impl StageSpec for LearnerSpec {
    fn name(&self) -> &str {
        &self.name
    }

    fn needs_labels(&self) -> bool {
        true
    }

    fn fit_stage(&self, history: &History<'_>) -> Result<Box<dyn Stage>, StageError> {
        let failed = |error: EnsembleError| StageError::new(self.name.clone(), error);
        EntityId::new(self.name.as_str())
            .map_err(|error| StageError::new(self.name.clone(), error))?;
        let step = format!("fit {}", self.name.replace('_', " "));
        history.progress.report(&step, 0, Some(1));
        let dataset = history.dataset;
        let labels = dataset.labels().unwrap_or_default();
        let known = labels.iter().enumerate();
        let (rows, frauds): (Vec<usize>, Vec<bool>) = known
            .filter_map(|(row, label)| Some((row, label.known()?)))
            .unzip();
        let all = dataset.values();
        let selected;
        let values = if rows.len() == all.nrows() {
            all
        } else {
            selected = all.select(Axis(0), &rows);
            selected.view()
        };
        let days: Option<Vec<u32>> = dataset.times().map(|times| {
            let days = rows.iter().map(|row| times[*row].day());
            let first = days.clone().min().unwrap_or_default();
            days.map(|day| u32::try_from(day - first).unwrap_or(u32::MAX))
                .collect()
        });
        let mut samples = Samples::new(values, &frauds).map_err(failed)?;
        if let Some(days) = &days {
            samples = samples.with_blocks(days).map_err(failed)?;
        }
        let learner = (self.learner)(dataset.schema())
            .map_err(|error| StageError::new(self.name.clone(), error))?;
        let classifier = learner.learn(&samples).map_err(failed)?;
        history.progress.report(&step, 1, Some(1));
        Ok(Box::new(LearnerStage::new(self.name.clone(), classifier)))
    }
}

/// A fitted learner. Its score is the logistic function of its log odds; the detector calibrates it.
#[derive(Debug)]
pub struct LearnerStage {
    name: String,
    classifier: Box<dyn Classifier>,
    /// Made when a row is first to be explained: it takes many times the room of the model.
    explainer: OnceLock<Option<Explainer>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    name: String,
    classifier: Vec<u8>,
}

impl LearnerStage {
    /// Kind of the saved stage in its envelope.
    pub const KIND: &'static str = "dafu.learner_stage";

    /// A classifier as a stage.
    pub fn new(name: impl Into<String>, classifier: Box<dyn Classifier>) -> Self {
        Self {
            name: name.into(),
            explainer: OnceLock::new(),
            classifier,
        }
    }

    /// Reads a saved stage: the decoder for a [`StageRegistry`](dafu_core::StageRegistry). It knows the classifiers of
    /// `dafu-ensemble`.
    ///
    /// # Errors
    ///
    /// Every way in which the bytes are no sound stage within the limits.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Box<dyn Stage>, StageError> {
        let of_model = |error: ModelError| StageError::new(Self::KIND, error);
        let saved: Saved = Envelope::expect(bytes, Self::KIND, SCHEMA_VERSION, limits)
            .and_then(|envelope| envelope.decode())
            .map_err(of_model)?;
        EntityId::new(saved.name.as_str()).map_err(|error| StageError::new(Self::KIND, error))?;
        let registry = ClassifierRegistry::standard(*limits);
        let classifier = registry
            .load(&saved.classifier)
            .map_err(|error| StageError::new(saved.name.clone(), error))?;
        Ok(Box::new(Self::new(saved.name, classifier)))
    }

    /// The classifier.
    pub fn classifier(&self) -> &dyn Classifier {
        &*self.classifier
    }

    fn failed(&self, error: EnsembleError) -> StageError {
        StageError::new(self.name.clone(), error)
    }

    fn contributions(&self, row: &[f64]) -> Result<Vec<FeatureContribution>, StageError> {
        let explainer = self.explainer.get_or_init(|| self.classifier.explainer());
        let Some(explainer) = explainer else {
            return Ok(Vec::new());
        };
        let mut contributions = vec![0.0; row.len()];
        explainer
            .explain_row(row, &mut contributions)
            .map_err(|error| self.failed(error))?;
        FeatureContribution::of_row(&contributions)
            .map_err(|error| StageError::new(self.name.clone(), error))
    }
}

impl Stage for LearnerStage {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn evaluate(
        &self,
        input: &StageInput<'_>,
        _state: &dyn StageState,
    ) -> Result<Evidence, StageError> {
        let row = input.row.to_slice();
        let rows = ArrayView2::from_shape((1, row.len()), &row)
            .map_err(|error| StageError::new(self.name.clone(), error))?;
        let mut odds = [0.0];
        self.classifier
            .log_odds_rows(rows, &mut odds)
            .map_err(|error| self.failed(error))?;
        let core = |error| StageError::new(self.name.clone(), error);
        let score = Score::new(probability(odds[0])).map_err(core)?;
        let name = EntityId::new(self.name.as_str()).map_err(core)?;
        let mut evidence = Evidence::from_score(name, score);
        if input.explain {
            evidence.contributions = self.contributions(&row)?;
        }
        Ok(evidence)
    }

    fn score_dataset(&self, dataset: &Dataset, out: &mut [f64]) -> Option<Result<(), StageError>> {
        let scored = self.classifier.log_odds_rows(dataset.values(), out);
        for odds in out {
            *odds = probability(*odds);
        }
        Some(scored.map_err(|error| self.failed(error)))
    }

    fn save(&self) -> Result<Vec<u8>, StageError> {
        let saved = Saved {
            name: self.name.clone(),
            classifier: self
                .classifier
                .to_bytes()
                .map_err(|error| self.failed(error))?,
        };
        Envelope::encode(Self::KIND, SCHEMA_VERSION, SchemaHash(0), &saved)
            .map_err(|error| StageError::new(self.name.clone(), error))
    }
}

/// Frauds and rows with another known label.
pub(crate) fn both_classes(labels: impl Iterator<Item = Label>) -> (u64, u64) {
    labels.fold((0, 0), |(frauds, honest), label| match label {
        Label::Fraud => (frauds + 1, honest),
        Label::Legitimate => (frauds, honest + 1),
        Label::Unknown => (frauds, honest),
    })
}
