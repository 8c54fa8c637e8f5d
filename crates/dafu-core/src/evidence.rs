//! What a stage says about an event, and why.

use crate::{CoreError, EntityId, FeatureGroup, FeatureIndex, Probability, Score};

/// One value inside a reason.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ReasonValue {
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

/// Why a score is what it is, for an analyst.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Reason {
    /// Stable code, such as `iforest.amount`.
    pub code: EntityId,
    /// One sentence with the values in it.
    pub text: String,
    /// The values by name.
    pub values: Vec<(String, ReasonValue)>,
    /// The part of the story it belongs to.
    pub group: FeatureGroup,
    /// Share of the risk that it explains, 0 to 1; the positive contributions of one assessment sum to the risk.
    pub contribution: f64,
}

/// How much one feature moved a stage's score, in the stage's own additive unit; positive is more suspicious.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FeatureContribution {
    /// The feature.
    pub feature: FeatureIndex,
    /// The amount.
    pub contribution: f64,
}

impl FeatureContribution {
    /// The contributions of all columns of a row, in schema order.
    ///
    /// # Errors
    ///
    /// [`CoreError::OutOfRange`] for more columns than a [`FeatureIndex`] can name.
    pub fn of_row(contributions: &[f64]) -> Result<Vec<Self>, CoreError> {
        let columns = contributions.iter().enumerate();
        let each = columns.map(|(column, &contribution)| {
            let feature = FeatureIndex::new(column)?;
            Ok(Self {
                feature,
                contribution,
            })
        });
        each.collect()
    }
}

/// What one stage found out about one event.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Evidence {
    /// Name of the stage.
    pub stage: EntityId,
    /// Its score.
    pub score: Score,
    /// Its calibrated probability of fraud; `None` where nothing was calibrated.
    pub probability: Option<Probability>,
    /// What moved the score, by feature; empty where the stage was not asked or cannot tell.
    pub contributions: Vec<FeatureContribution>,
    /// Reasons that the stage words itself.
    pub reasons: Vec<Reason>,
}

impl Evidence {
    /// Evidence that is a score alone.
    pub fn from_score(stage: EntityId, score: Score) -> Self {
        Self {
            stage,
            score,
            probability: None,
            contributions: Vec::new(),
            reasons: Vec::new(),
        }
    }
}
