//! The answer for one transaction.

use crate::{CoreError, EntityId, Evidence, Probability, Reason, SchemaHash, Score, TransactionId};
use std::collections::BTreeMap;
use std::fmt;

/// What to do with a transaction, from mild to strict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Decision {
    /// Let it pass.
    Approve,
    /// Have it looked at afterwards.
    Review,
    /// Ask the customer for a further proof.
    Challenge,
    /// Refuse it.
    Decline,
}

/// A coarse step of risk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum RiskBand {
    /// Nothing to do.
    Low,
    /// Watch.
    Medium,
    /// Look at it.
    High,
    /// Act.
    Critical,
}

impl RiskBand {
    /// All bands, from low to critical.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for RiskBand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Where the bands begin: low below `medium`, critical from `critical` on.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "(f64, f64, f64)", into = "(f64, f64, f64)")
)]
pub struct Bands {
    medium: f64,
    high: f64,
    critical: f64,
}

impl TryFrom<(f64, f64, f64)> for Bands {
    type Error = CoreError;
    fn try_from((medium, high, critical): (f64, f64, f64)) -> Result<Self, CoreError> {
        Self::new(medium, high, critical)
    }
}

impl From<Bands> for (f64, f64, f64) {
    fn from(bands: Bands) -> Self {
        (bands.medium, bands.high, bands.critical)
    }
}

impl Default for Bands {
    /// 0.3, 0.6, 0.8.
    fn default() -> Self {
        Self {
            medium: 0.3,
            high: 0.6,
            critical: 0.8,
        }
    }
}

impl Bands {
    /// Bands from three increasing limits inside 0 to 1.
    ///
    /// # Errors
    ///
    /// [`CoreError::Bands`] otherwise.
    pub fn new(medium: f64, high: f64, critical: f64) -> Result<Self, CoreError> {
        if 0.0 < medium && medium < high && high < critical && critical <= 1.0 {
            Ok(Self {
                medium,
                high,
                critical,
            })
        } else {
            Err(CoreError::Bands {
                medium,
                high,
                critical,
            })
        }
    }

    /// The band of a risk score.
    pub fn band(&self, risk: Score) -> RiskBand {
        let risk = risk.get();
        if risk >= self.critical {
            RiskBand::Critical
        } else if risk >= self.high {
            RiskBand::High
        } else if risk >= self.medium {
            RiskBand::Medium
        } else {
            RiskBand::Low
        }
    }

    /// Lower limit of a band.
    pub const fn lower(&self, band: RiskBand) -> f64 {
        match band {
            RiskBand::Low => 0.0,
            RiskBand::Medium => self.medium,
            RiskBand::High => self.high,
            RiskBand::Critical => self.critical,
        }
    }
}

/// What became of one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RuleOutcome {
    /// It held and counts.
    Fired,
    /// It held, but only watches.
    Shadow,
    /// A value it needs was missing.
    NotEvaluated,
    /// It did not hold.
    NotFired,
    /// It held, but is silenced for one of the entities of the event.
    Suppressed,
    /// It is not in force: a draft, retired, or outside its dates.
    Inactive,
}

/// What rules said about one event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleRecord {
    /// Rules by outcome: those that fired, watch, were silenced or could not be evaluated.
    pub outcomes: Vec<(EntityId, RuleOutcome)>,
    /// Why rules could not be evaluated: one sentence for each value that was missing.
    pub missing: Vec<(EntityId, String)>,
    /// Content hash of the rule set.
    pub rule_set_hash: Option<u64>,
}

/// The answer for one transaction; serialises to the public response.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Assessment {
    /// The transaction.
    pub transaction_id: TransactionId,
    /// Risk from 0 to 1.
    pub risk_score: Score,
    /// Whether the risk reaches the threshold.
    pub is_fraud: bool,
    /// The stages that spoke, joined by `+`.
    pub model_used: String,
    /// Time taken in milliseconds; stamped by the host, since no clock is read inside.
    pub processing_time_ms: Option<f64>,
    /// Calibrated probability that `is_fraud` is right; `None` where nothing was calibrated.
    pub confidence: Option<Probability>,
    /// Risk by feature group (`amount_risk`, `user_behavior_risk`, `merchant_risk`, ...): the group's share of the
    /// positive contributions times the risk.
    pub explanations: BTreeMap<String, f64>,
    /// What to do.
    pub decision: Decision,
    /// The band of the risk.
    pub band: RiskBand,
    /// Why, strongest first.
    pub reasons: Vec<Reason>,
    /// Rules by outcome.
    pub rules: Vec<(EntityId, RuleOutcome)>,
    /// Why rules could not be evaluated: one sentence for each value that was missing.
    pub missing: Vec<(EntityId, String)>,
    /// What each stage said.
    pub evidence: Vec<Evidence>,
    /// Content hash of the model, so that the decision can be replayed.
    pub model_hash: u64,
    /// Content hash of the rule set, where there is one; of several sets one hash over theirs.
    pub rule_set_hash: Option<u64>,
    /// Identity of the features.
    pub schema_hash: SchemaHash,
}
