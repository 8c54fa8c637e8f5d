//! What a `models.json` asks of a detector.

use super::{DetectorBuilder, FOREST_BLOCK};
#[cfg(feature = "iforest")]
use crate::SampleSize;
use crate::{ModelsFile, OneOrMany, PipelineError};

impl DetectorBuilder {
    pub(super) fn apply(&mut self, file: &ModelsFile) -> Result<(), PipelineError> {
        let added = |block: &str| self.stages.iter().any(|stage| stage.name() == block);
        if let Some(block) = file.not_built().iter().find(|block| !added(block)) {
            return Err(PipelineError::StageNotBuilt {
                block: (*block).to_owned(),
            });
        }
        let Some(block) = &file.isolation_forest else {
            // A stage that was added answers for its block.
            return if file.lstm.is_none() && file.xgboost.is_none() {
                Err(PipelineError::EmptyModelsFile)
            } else {
                Ok(())
            };
        };
        match &block.contamination {
            Some(OneOrMany::One(level)) => self.levels = vec![*level],
            Some(OneOrMany::Many(levels)) => self.levels.clone_from(levels),
            None => {}
        }
        self.seed = block.random_state.or(self.seed);
        #[cfg(feature = "iforest")]
        self.apply_forest(block)?;
        #[cfg(not(feature = "iforest"))]
        return Err(PipelineError::StageNotBuilt {
            block: FOREST_BLOCK.to_owned(),
        });
        #[cfg(feature = "iforest")]
        Ok(())
    }

    #[cfg(feature = "iforest")]
    fn apply_forest(&mut self, block: &crate::IsolationForestBlock) -> Result<(), PipelineError> {
        let wrong = |key, requirement, got: String| PipelineError::ModelsValue {
            block: FOREST_BLOCK,
            key,
            requirement,
            got,
        };
        if let Some(name) = &block.variant {
            let variant = dafu_iforest::IsolationForestParams::named(name).ok_or_else(|| {
                let known = "classic, extended, guided or recommended";
                wrong("variant", known, name.clone())
            })?;
            self.forest = dafu_iforest::IsolationForestParams {
                trees: variant.trees,
                rules: variant.rules,
                height_limit: variant.height_limit,
                scoring: variant.scoring,
                missing: variant.missing,
                ..self.forest.clone()
            };
        }
        if let Some(trees) = block.n_estimators {
            self.forest.trees = usize::try_from(trees)
                .map_err(|_| wrong("n_estimators", "a number of trees", trees.to_string()))?;
        }
        match &block.max_samples {
            Some(SampleSize::Rows(rows)) => {
                self.forest.sample_size = usize::try_from(*rows)
                    .map_err(|_| wrong("max_samples", "a number of rows", rows.to_string()))?;
            }
            Some(SampleSize::Word(word)) if word == "auto" => self.forest.sample_size = 256,
            Some(SampleSize::Word(word)) => {
                return Err(wrong(
                    "max_samples",
                    "a number of rows or \"auto\"",
                    word.clone(),
                ));
            }
            Some(SampleSize::Share(share)) if *share > 0.0 && *share <= 1.0 => {
                self.forest_share = Some(*share);
            }
            Some(SampleSize::Share(share)) => {
                return Err(wrong(
                    "max_samples",
                    "a share above 0 and at most 1",
                    share.to_string(),
                ));
            }
            None => {}
        }
        if let Some(features) = block.max_features {
            // JSON does not tell 1 from 1.0; as in the source platform's files, 1 is all of them.
            self.forest.max_features = match features {
                share if share > 0.0 && share < 1.0 => dafu_iforest::MaxFeatures::Fraction(share),
                all if (all - 1.0).abs() < f64::EPSILON => dafu_iforest::MaxFeatures::All,
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a whole number above 1 and below a million"
                )]
                count if count > 1.0 && count < 1e6 && count.fract().abs() < f64::EPSILON => {
                    dafu_iforest::MaxFeatures::Count(count as usize)
                }
                other => {
                    let requirement = "a share above 0 and at most 1, or a number of features";
                    return Err(wrong("max_features", requirement, other.to_string()));
                }
            };
        }
        if let Some(bootstrap) = block.bootstrap {
            self.forest.bootstrap = bootstrap;
        }
        Ok(())
    }
}

/// The network that a block of a `models.json` describes.
#[cfg(feature = "sequence")]
pub(super) fn sequence(
    block: &crate::LstmBlock,
) -> Result<dafu_sequence::SequenceParams, PipelineError> {
    let count = |key, given: Option<u64>, default: usize| match given {
        None => Ok(default),
        Some(given) => usize::try_from(given).map_err(|_| PipelineError::ModelsValue {
            block: "lstm",
            key,
            requirement: "a number within the memory of this machine",
            got: given.to_string(),
        }),
    };
    let default = dafu_sequence::SequenceParams::default();
    // What the source platform's files do not name is as where the stage is added in code.
    let stage = crate::SequenceSpec::default().params().clone();
    Ok(dafu_sequence::SequenceParams {
        sequence_length: count(
            "sequence_length",
            block.sequence_length,
            default.sequence_length,
        )?,
        hidden_units: count("hidden_units", block.hidden_units, default.hidden_units)?,
        dropout: block.dropout.unwrap_or(default.dropout),
        epochs: count("epochs", block.epochs, default.epochs)?,
        batch_size: count("batch_size", block.batch_size, stage.batch_size)?,
        learning_rate: block.learning_rate.unwrap_or(stage.learning_rate),
        ..stage
    })
}

/// The boosted trees that a block of a `models.json` describes, with the defaults of `XGBoost` for what it names.
#[cfg(feature = "ensemble")]
pub(super) fn boosted_trees(
    block: &crate::XgboostBlock,
) -> Result<dafu_ensemble::BoostedTreesParams, PipelineError> {
    let count = |key, given: Option<u64>, default: usize| match given {
        None => Ok(default),
        Some(given) => usize::try_from(given).map_err(|_| PipelineError::ModelsValue {
            block: "xgboost",
            key,
            requirement: "a number within the memory of this machine",
            got: given.to_string(),
        }),
    };
    let depth = count("max_depth", block.max_depth, 6)?;
    let default = dafu_ensemble::BoostedTreesParams::default();
    let leaves = 1_usize << depth.min(16);
    Ok(dafu_ensemble::BoostedTreesParams {
        growth: dafu_ensemble::Growth::DepthWise,
        n_estimators: count("n_estimators", block.n_estimators, 100)?,
        max_depth: depth,
        max_leaves: leaves.max(2),
        learning_rate: block.learning_rate.unwrap_or(0.3),
        row_sample: block.subsample.unwrap_or(1.0),
        column_sample: block.colsample_bytree.unwrap_or(1.0),
        scale_pos_weight: block.scale_pos_weight.unwrap_or(1.0),
        ..default
    })
}
