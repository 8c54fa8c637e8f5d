//! The isolation forest as a stage.

use crate::category_columns::category_columns;
use dafu_core::model::Limits;
use dafu_core::{
    Dataset, EntityId, Evidence, FeatureContribution, History, Score, Stage, StageError,
    StageInput, StageSpec, StageState,
};
use dafu_iforest::{IsolationForest, IsolationForestParams};

/// Name of the stage and of its evidence.
const NAME: &str = "isolation_forest";

/// An isolation forest to be fitted. Labels are never read.
#[derive(Debug, Clone, Default)]
pub struct ForestSpec {
    params: IsolationForestParams,
    sample_share: Option<f64>,
}

impl ForestSpec {
    /// A forest with these parameters. Their seed is used as it is; their contamination levels are left aside, since
    /// the detector has thresholds of its own. Where they name no columns of categories, those that the schema says are
    /// categories ([`Encoding::Ordinal`](dafu_features::Encoding::Ordinal)) are.
    pub fn new(params: IsolationForestParams) -> Self {
        Self {
            params,
            sample_share: None,
        }
    }

    /// Sets the rows a tree as a share of the rows fitted on, in place of a number.
    #[must_use]
    pub fn sample_share(mut self, share: Option<f64>) -> Self {
        self.sample_share = share;
        self
    }
}

impl StageSpec for ForestSpec {
    fn name(&self) -> &'static str {
        NAME
    }

    fn fit_stage(&self, history: &History<'_>) -> Result<Box<dyn Stage>, StageError> {
        let trees = self.params.trees as u64;
        history
            .progress
            .report("fit isolation forest", 0, Some(trees));
        let mut params = IsolationForestParams {
            contamination: Vec::new(),
            ..self.params.clone()
        };
        params.categorical =
            category_columns(&params.categorical, history.dataset.schema(), usize::MAX);
        if let Some(share) = self.sample_share {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share from 0 to 1 of a number of rows"
            )]
            let rows = (share * history.dataset.rows() as f64) as usize;
            params.sample_size = rows.max(1);
        }
        let forest = params
            .fit(history.dataset.values())
            .map_err(|error| StageError::new(NAME, error))?;
        history
            .progress
            .report("fit isolation forest", trees, Some(trees));
        Ok(Box::new(ForestStage { forest }))
    }
}

/// A fitted isolation forest.
#[derive(Debug, Clone)]
pub struct ForestStage {
    forest: IsolationForest,
}

impl ForestStage {
    /// Reads a saved forest: the decoder for a [`StageRegistry`](dafu_core::StageRegistry).
    ///
    /// # Errors
    ///
    /// Every way in which the bytes are no sound forest within the limits.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Box<dyn Stage>, StageError> {
        let forest = IsolationForest::from_bytes_within(bytes, limits)
            .map_err(|error| StageError::new(NAME, error))?;
        Ok(Box::new(Self { forest }))
    }

    /// The forest.
    pub fn forest(&self) -> &IsolationForest {
        &self.forest
    }

    fn contributions(&self, row: &[f64]) -> Result<Vec<FeatureContribution>, StageError> {
        let mut contributions = vec![0.0; row.len()];
        self.forest
            .explain_row(row, &mut contributions)
            .map_err(|error| StageError::new(NAME, error))?;
        FeatureContribution::of_row(&contributions).map_err(|error| StageError::new(NAME, error))
    }
}

impl Stage for ForestStage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kind(&self) -> &'static str {
        IsolationForest::KIND
    }

    fn evaluate(
        &self,
        input: &StageInput<'_>,
        _state: &dyn StageState,
    ) -> Result<Evidence, StageError> {
        let row = input.row.to_slice();
        let score: Score = self
            .forest
            .score_row(&row)
            .map_err(|error| StageError::new(NAME, error))?;
        let name = EntityId::new(NAME).map_err(|error| StageError::new(NAME, error))?;
        let mut evidence = Evidence::from_score(name, score);
        if input.explain {
            evidence.contributions = self.contributions(&row)?;
        }
        Ok(evidence)
    }

    fn score_dataset(&self, dataset: &Dataset, out: &mut [f64]) -> Option<Result<(), StageError>> {
        let scored = self.forest.score_rows(dataset.values(), out);
        Some(scored.map_err(|error| StageError::new(NAME, error)))
    }

    fn save(&self) -> Result<Vec<u8>, StageError> {
        self.forest
            .to_bytes()
            .map_err(|error| StageError::new(NAME, error))
    }
}
