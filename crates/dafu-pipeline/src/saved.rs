//! Saving and loading a detector's model.

use crate::combination::{Combination, SavedCombination, Tails};
use crate::features::Features;
use crate::inputs::Inputs;
use crate::model::{DetectorModel, Facts};
use crate::{Detector, PipelineError, RiskMap};
use dafu_core::metrics::Costs;
use dafu_core::model::{Envelope, Limits, ModelError};
use dafu_core::{Dataset, Role, SchemaHash, StableHasher, Stage, StageRegistry, WindowRequest};
use dafu_features::{FeatureSet, Preprocessor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Kind of the envelope around a detector.
const KIND: &str = "dafu.detector";
/// 1: without a set of features. 2: without calibration and policy. 3: without rules of policy.
const SCHEMA_VERSION: u16 = 4;

/// A set of rules, and the features that hold the windows of its conditions.
type SavedPolicyRules = (String, Vec<(WindowRequest, String)>);

#[derive(Serialize, Deserialize)]
struct SavedDetector {
    preprocessor: Vec<u8>,
    roles: BTreeMap<String, Role>,
    stages: Vec<Vec<u8>>,
    combination: SavedCombination,
    facts: Facts,
    /// The set of features as JSON: its text form has defaults and refuses unknown keys, which postcard cannot.
    features: Option<String>,
    policy: Option<Costs>,
    /// The rules of policy as JSON.
    policy_rules: Option<SavedPolicyRules>,
}

/// The layout of version 3.
#[derive(Deserialize)]
struct SavedDetectorV3 {
    preprocessor: Vec<u8>,
    roles: BTreeMap<String, Role>,
    stages: Vec<Vec<u8>>,
    combination: SavedCombination,
    facts: Facts,
    features: Option<String>,
    policy: Option<Costs>,
}

impl From<SavedDetectorV3> for SavedDetector {
    fn from(saved: SavedDetectorV3) -> Self {
        Self {
            preprocessor: saved.preprocessor,
            roles: saved.roles,
            stages: saved.stages,
            combination: saved.combination,
            facts: saved.facts,
            features: saved.features,
            policy: saved.policy,
            policy_rules: None,
        }
    }
}

/// The layout of version 2.
#[derive(Deserialize)]
struct SavedDetectorV2 {
    preprocessor: Vec<u8>,
    roles: BTreeMap<String, Role>,
    stages: Vec<Vec<u8>>,
    stage_maps: Vec<RiskMap>,
    risk_map: RiskMap,
    facts: Facts,
    features: Option<String>,
}

impl From<SavedDetectorV2> for SavedDetectorV3 {
    fn from(saved: SavedDetectorV2) -> Self {
        Self {
            preprocessor: saved.preprocessor,
            roles: saved.roles,
            stages: saved.stages,
            combination: SavedCombination::Tails(Tails {
                stage_maps: saved.stage_maps,
                risk_map: saved.risk_map,
            }),
            facts: saved.facts,
            features: saved.features,
            policy: None,
        }
    }
}

/// The layout of version 1.
#[derive(Deserialize)]
struct SavedDetectorV1 {
    preprocessor: Vec<u8>,
    roles: BTreeMap<String, Role>,
    stages: Vec<Vec<u8>>,
    stage_maps: Vec<RiskMap>,
    risk_map: RiskMap,
    facts: Facts,
}

impl From<SavedDetectorV1> for SavedDetectorV2 {
    fn from(saved: SavedDetectorV1) -> Self {
        Self {
            preprocessor: saved.preprocessor,
            roles: saved.roles,
            stages: saved.stages,
            stage_maps: saved.stage_maps,
            risk_map: saved.risk_map,
            facts: saved.facts,
            features: None,
        }
    }
}

/// A registry with the decoders of all stages of this crate. Register your own beside them.
pub fn stage_registry(limits: Limits) -> StageRegistry {
    #[cfg_attr(
        not(any(
            feature = "iforest",
            feature = "ensemble",
            feature = "graph",
            feature = "rules",
            feature = "sequence"
        )),
        expect(unused_mut, reason = "no stage to register")
    )]
    let mut registry = StageRegistry::new(limits);
    #[cfg(feature = "iforest")]
    registry.register(
        dafu_iforest::IsolationForest::KIND,
        crate::ForestStage::decode,
    );
    #[cfg(feature = "ensemble")]
    registry.register(crate::LearnerStage::KIND, crate::LearnerStage::decode);
    #[cfg(feature = "graph")]
    registry.register(crate::GraphStage::KIND, crate::GraphStage::decode);
    #[cfg(feature = "rules")]
    registry.register(crate::RuleStage::KIND, crate::RuleStage::decode);
    #[cfg(feature = "sequence")]
    registry.register(crate::SequenceStage::KIND, crate::SequenceStage::decode);
    registry
}

impl DetectorModel {
    /// The model as bytes.
    ///
    /// # Errors
    ///
    /// When a stage cannot be saved.
    pub fn to_bytes(&self) -> Result<Vec<u8>, PipelineError> {
        let stages = self.stages.iter().map(|stage| stage.save());
        self.encode(stages.collect::<Result<_, _>>()?)
    }

    fn encode(&self, stages: Vec<Vec<u8>>) -> Result<Vec<u8>, PipelineError> {
        let features = self.features().map(serde_json::to_string).transpose();
        let saved = SavedDetector {
            preprocessor: self.preprocessor().to_bytes()?,
            roles: self.roles.clone(),
            stages,
            combination: self.combination.to_saved()?,
            facts: self.facts.clone(),
            features: features.map_err(|error| broken(error.to_string()))?,
            policy: self.policy,
            #[cfg(feature = "rules")]
            policy_rules: self.saved_policy_rules()?,
            #[cfg(not(feature = "rules"))]
            policy_rules: None,
        };
        Ok(Envelope::encode(
            KIND,
            SCHEMA_VERSION,
            self.schema_hash(),
            &saved,
        )?)
    }

    pub(crate) fn content_hash(&self) -> Result<u64, PipelineError> {
        // A stage that has no format, such as a model of another library, counts by its name; what was learned from its
        // scores counts all the same.
        let bytes = |stage: &dyn Stage| stage.save().unwrap_or_else(|_| stage.name().into());
        let stages = self.stages.iter().map(|stage| bytes(&**stage)).collect();
        Ok(StableHasher::hash_bytes(&self.encode(stages)?))
    }

    /// Reads a model, trusting nothing in the bytes. Stages are decoded by the registry, within its limits.
    ///
    /// # Errors
    ///
    /// Every way in which the bytes are no sound detector within the limits; an unknown kind of stage is named.
    pub fn from_bytes(bytes: &[u8], registry: &StageRegistry) -> Result<Self, PipelineError> {
        let envelope = Envelope::expect(bytes, KIND, SCHEMA_VERSION, registry.limits())?;
        let saved: SavedDetector = match envelope.header().schema_version() {
            ..=1 => {
                let second = SavedDetectorV2::from(envelope.decode::<SavedDetectorV1>()?);
                SavedDetectorV3::from(second).into()
            }
            2 => SavedDetectorV3::from(envelope.decode::<SavedDetectorV2>()?).into(),
            3 => envelope.decode::<SavedDetectorV3>()?.into(),
            _ => envelope.decode()?,
        };
        let preprocessor = Preprocessor::from_bytes_within(&saved.preprocessor, registry.limits())?;
        let features = saved.features.as_deref();
        let features = features
            .map(|text| decode_features(text, registry.limits()))
            .transpose()?
            .map(|features| features.read_by(&preprocessor));
        let inputs = Inputs::new(preprocessor, features.as_ref())?;
        let got = inputs.schema_hash;
        let expected = envelope.header().schema_hash();
        if expected != got {
            return Err(ModelError::SchemaHash { expected, got }.into());
        }
        let stages = saved
            .stages
            .iter()
            .map(|stage| registry.load(stage))
            .collect::<Result<Vec<_>, _>>()?;
        let combination = Combination::from_saved(saved.combination)?;
        let sound = !stages.is_empty()
            && combination.is_sound(stages.len(), saved.facts.levels.len())
            && saved.facts.is_sound(inputs.schema.width())
            && saved.policy.is_none_or(|costs| costs.check().is_ok());
        if !sound {
            let what = "stages, maps, thresholds and features do not fit together";
            return Err(broken(what.to_owned()).into());
        }
        // A stage for other features is found out now, not at the first event.
        let zeros = ndarray::Array2::zeros((1, inputs.schema.width()));
        let row = Dataset::new(Arc::clone(&inputs.schema), zeros)?;
        for stage in &stages {
            if let Some(scored) = stage.score_dataset(&row, &mut [0.0]) {
                scored?;
            }
        }
        #[cfg(feature = "rules")]
        let policy_rules = policy_rules(saved.policy_rules, (&inputs, &stages))?;
        #[cfg(not(feature = "rules"))]
        if saved.policy_rules.is_some() {
            let what = "it decides by rules: build dafu-pipeline with the feature `rules`";
            return Err(broken(what.to_owned()).into());
        }
        Ok(Self {
            inputs,
            features,
            roles: saved.roles,
            stages,
            combination,
            facts: saved.facts,
            policy: saved.policy,
            #[cfg(feature = "rules")]
            policy_rules,
            hash: StableHasher::hash_bytes(bytes),
        })
    }

    /// Identity of the features.
    pub fn schema_hash(&self) -> SchemaHash {
        self.inputs.schema_hash
    }
}

#[cfg(feature = "rules")]
impl DetectorModel {
    fn saved_policy_rules(&self) -> Result<Option<SavedPolicyRules>, PipelineError> {
        let save = |rules: &crate::rules::PolicyRules| {
            let (set, windows) = rules.parts();
            Ok::<_, PipelineError>((set.to_saved()?, windows.clone()))
        };
        self.policy_rules.as_ref().map(save).transpose()
    }
}

/// The rules of policy from text of any origin.
#[cfg(feature = "rules")]
fn policy_rules(
    saved: Option<SavedPolicyRules>,
    (inputs, stages): (&Inputs, &[Box<dyn Stage>]),
) -> Result<Option<crate::rules::PolicyRules>, PipelineError> {
    let Some((set, windows)) = saved else {
        return Ok(None);
    };
    let set = dafu_rules::RuleSet::from_saved(&set)?;
    let stages = stages.iter().map(|stage| stage.name());
    Ok(Some(crate::rules::PolicyRules::new(
        set,
        &inputs.schema,
        stages,
        windows,
    )?))
}

/// A set of features from text of any origin.
fn decode_features(text: &str, limits: &Limits) -> Result<Features, PipelineError> {
    let set: FeatureSet = serde_json::from_str(text).map_err(|error| broken(error.to_string()))?;
    if set.features.len() as u64 > limits.max_features {
        return Err(broken("more features than the limit".to_owned()).into());
    }
    Ok(Features::new(&set)?)
}

pub(crate) fn broken(what: String) -> ModelError {
    ModelError::Payload {
        kind: KIND.to_owned(),
        what,
    }
}

impl Detector {
    /// The model as bytes, with the set of features and the secret that the set hashes ids with; the memory of past
    /// events is not part of it: that is [`Detector::snapshot`].
    ///
    /// # Errors
    ///
    /// As [`DetectorModel::to_bytes`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, PipelineError> {
        self.model().to_bytes()
    }

    /// A detector without memory of past events from a saved model; [`Detector::restore`] gives it one.
    /// [`stage_registry`] knows the stages of this crate.
    ///
    /// # Errors
    ///
    /// As [`DetectorModel::from_bytes`].
    pub fn load(bytes: &[u8], registry: &StageRegistry) -> Result<Self, PipelineError> {
        Ok(Self::from_model(Arc::new(DetectorModel::from_bytes(
            bytes, registry,
        )?)))
    }
}
