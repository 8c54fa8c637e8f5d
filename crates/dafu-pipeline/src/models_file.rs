//! The `models.json` of the source platform.

use crate::PipelineError;
use serde::Deserialize;

/// A `models.json`: one block a model. Unknown blocks and keys are errors, so that a typing mistake is not taken for
/// a default.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelsFile {
    /// The isolation forest.
    pub isolation_forest: Option<IsolationForestBlock>,
    /// The sequence model.
    pub lstm: Option<LstmBlock>,
    /// The boosted trees.
    pub xgboost: Option<XgboostBlock>,
}

/// One number or several.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(f64),
    /// Several.
    Many(Vec<f64>),
}

/// A number of samples: `"auto"`, a count, or a share of the rows.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum SampleSize {
    /// Rows as a whole number.
    Rows(u64),
    /// A share of the rows.
    Share(f64),
    /// `"auto"`: 256, or all rows when there are fewer.
    Word(String),
}

/// Keys of `isolation_forest`, with scikit-learn's names, and `variant`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IsolationForestBlock {
    /// The setting that the other keys change: `"classic"`, `"extended"`, `"guided"` or `"recommended"`. The source platform
    /// knew only the first.
    pub variant: Option<String>,
    /// Contamination, one level or several.
    pub contamination: Option<OneOrMany>,
    /// Number of trees.
    pub n_estimators: Option<u64>,
    /// Rows a tree.
    pub max_samples: Option<SampleSize>,
    /// Share of the features a tree, or a number of them.
    pub max_features: Option<f64>,
    /// Whether rows are drawn with replacement.
    pub bootstrap: Option<bool>,
    /// Seed.
    pub random_state: Option<u64>,
    /// Threads; accepted and without meaning here, since results do not depend on it.
    pub n_jobs: Option<i64>,
}

/// Keys of `lstm`, which with the feature `sequence` asks for an LSTM over the events of each user.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LstmBlock {
    /// Events a sequence: 10 where nothing is said.
    pub sequence_length: Option<u64>,
    /// Hidden units: 64 where nothing is said.
    pub hidden_units: Option<u64>,
    /// Share of units left out while training: 0.2 where nothing is said.
    pub dropout: Option<f64>,
    /// Passes over the data, at most: 50 where nothing is said.
    pub epochs: Option<u64>,
    /// Sequences a step: 64 where nothing is said.
    pub batch_size: Option<u64>,
    /// Step size: 0.005 where nothing is said.
    pub learning_rate: Option<f64>,
}

/// Keys of `xgboost`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct XgboostBlock {
    /// Number of trees.
    pub n_estimators: Option<u64>,
    /// Depth of a tree.
    pub max_depth: Option<u64>,
    /// Shrinkage.
    pub learning_rate: Option<f64>,
    /// Share of rows a tree.
    pub subsample: Option<f64>,
    /// Share of features a tree.
    pub colsample_bytree: Option<f64>,
    /// Weight of the fraud class.
    pub scale_pos_weight: Option<f64>,
}

impl ModelsFile {
    /// Reads the file's text.
    ///
    /// # Errors
    ///
    /// [`PipelineError::ModelsFile`] with line and column.
    pub fn parse(text: &str) -> Result<Self, PipelineError> {
        // Editors on some systems begin a file with a byte-order mark.
        let text = text.trim_start_matches('\u{feff}');
        serde_json::from_str(text).map_err(|source| PipelineError::ModelsFile { source })
    }

    /// The file without a block, for a version that has no stage for it.
    #[must_use]
    pub fn without(mut self, block: &str) -> Self {
        match block {
            "isolation_forest" => self.isolation_forest = None,
            "lstm" => self.lstm = None,
            "xgboost" => self.xgboost = None,
            _ => {}
        }
        self
    }

    /// Names of the blocks for which this version has no stage.
    pub fn not_built(&self) -> Vec<&'static str> {
        let blocks = [
            (
                "lstm",
                self.lstm.is_some() && cfg!(not(feature = "sequence")),
            ),
            (
                "xgboost",
                self.xgboost.is_some() && cfg!(not(feature = "ensemble")),
            ),
        ];
        blocks
            .into_iter()
            .filter(|(_, present)| *present)
            .map(|(name, _)| name)
            .collect()
    }
}
