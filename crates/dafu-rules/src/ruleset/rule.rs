//! One rule.

use super::Action;
use crate::RuleError;
use dafu_core::{EntityId, FeatureGroup, Timestamp};

/// Where a rule is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RuleState {
    /// Being written: checked, but never run.
    Draft,
    /// Run and reported, but without a say.
    Shadow,
    /// In force.
    #[default]
    Active,
    /// No longer in force.
    Retired,
}

/// What a rule does where a value it needs is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum OnMissing {
    /// It does not fire, and is reported as not evaluated.
    #[default]
    Skip,
    /// It fires.
    Fire,
    /// The evaluation is an error, if the rule has a say: one in the shadow, or silenced, is not evaluated.
    Error,
}

/// A condition, and what follows from it.
///
/// In a file of JSON or TOML a rule has these fields; all but the first three may be left out.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Rule {
    /// Its name, unique in its set and the same for ever.
    pub id: String,
    /// When it fires.
    pub condition: String,
    /// How likely fraud is where it fires, 0 to 1.
    pub risk_score: f64,
    /// What it wants done.
    #[cfg_attr(feature = "serde", serde(default = "review"))]
    pub action: Action,
    /// Counts the changes of the rule.
    #[cfg_attr(feature = "serde", serde(default = "first"))]
    pub version: u32,
    /// Rules of higher priority come first; equal ones in the order of the set.
    #[cfg_attr(feature = "serde", serde(default))]
    pub priority: i32,
    /// What the weighted sum multiplies its score by.
    #[cfg_attr(feature = "serde", serde(default = "whole"))]
    pub weight: f64,
    /// Words to find it by.
    #[cfg_attr(feature = "serde", serde(default))]
    pub tags: Vec<String>,
    /// Stable code of the reason; by default `rules.` and the id.
    #[cfg_attr(feature = "serde", serde(default))]
    pub reason_code: Option<String>,
    /// One sentence for people, in which `{name}` stands for the value of a variable; by default the condition.
    #[cfg_attr(feature = "serde", serde(default))]
    pub reason: Option<String>,
    /// The part of the story that it tells.
    #[cfg_attr(feature = "serde", serde(default))]
    pub group: FeatureGroup,
    /// The first moment in force.
    #[cfg_attr(feature = "serde", serde(default, with = "crate::date::optional"))]
    pub effective_from: Option<Timestamp>,
    /// The first moment no longer in force.
    #[cfg_attr(feature = "serde", serde(default, with = "crate::date::optional"))]
    pub effective_until: Option<Timestamp>,
    /// Where it is in its life.
    #[cfg_attr(feature = "serde", serde(default))]
    pub state: RuleState,
    /// What it does where a value is missing.
    #[cfg_attr(feature = "serde", serde(default))]
    pub on_missing: OnMissing,
}

#[cfg(feature = "serde")]
const fn review() -> Action {
    Action::Review
}

#[cfg(feature = "serde")]
const fn first() -> u32 {
    1
}

#[cfg(feature = "serde")]
const fn whole() -> f64 {
    1.0
}

impl Rule {
    /// An active rule that asks for a review.
    pub fn new(id: impl Into<String>, condition: impl Into<String>, risk_score: f64) -> Self {
        Self {
            id: id.into(),
            condition: condition.into(),
            risk_score,
            action: Action::Review,
            version: 1,
            priority: 0,
            weight: 1.0,
            tags: Vec::new(),
            reason_code: None,
            reason: None,
            group: FeatureGroup::Other,
            effective_from: None,
            effective_until: None,
            state: RuleState::Active,
            on_missing: OnMissing::Skip,
        }
    }

    /// Sets what it wants done.
    #[must_use]
    pub fn action(mut self, action: Action) -> Self {
        self.action = action;
        self
    }

    /// Sets the priority.
    #[must_use]
    pub const fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Sets the weight.
    #[must_use]
    pub const fn weight(mut self, weight: f64) -> Self {
        self.weight = weight;
        self
    }

    /// Sets the sentence for people.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Sets the code of the reason.
    #[must_use]
    pub fn reason_code(mut self, code: impl Into<String>) -> Self {
        self.reason_code = Some(code.into());
        self
    }

    /// Sets the part of the story.
    #[must_use]
    pub const fn group(mut self, group: FeatureGroup) -> Self {
        self.group = group;
        self
    }

    /// Adds a word to find it by.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Sets where it is in its life.
    #[must_use]
    pub const fn state(mut self, state: RuleState) -> Self {
        self.state = state;
        self
    }

    /// Sets what it does where a value is missing.
    #[must_use]
    pub const fn on_missing(mut self, on_missing: OnMissing) -> Self {
        self.on_missing = on_missing;
        self
    }

    /// Sets the first moment in force, and the first after it.
    #[must_use]
    pub const fn effective(mut self, from: Option<Timestamp>, until: Option<Timestamp>) -> Self {
        self.effective_from = from;
        self.effective_until = until;
        self
    }

    /// What it does where a value is missing: one that only watches stops nothing.
    pub(crate) const fn when_missing(&self) -> OnMissing {
        match (self.state, self.on_missing) {
            (RuleState::Shadow, OnMissing::Error) => OnMissing::Skip,
            (_, on_missing) => on_missing,
        }
    }

    /// Checks all but the condition, and gives the name of the rule and the code of its reason.
    pub(crate) fn check(&self) -> Result<(EntityId, EntityId), RuleError> {
        let wrong = |why: String| wrong(self, why);
        let name = EntityId::new(&self.id).map_err(|error| wrong(error.to_string()))?;
        let code = match &self.reason_code {
            Some(code) => code.clone(),
            None => format!("rules.{}", self.id),
        };
        let code = EntityId::new(code).map_err(|error| wrong(error.to_string()))?;
        if !(0.0..=1.0).contains(&self.risk_score) {
            let got = self.risk_score;
            return Err(wrong(format!(
                "`risk_score` must be from 0 to 1, got {got}"
            )));
        }
        if !(self.weight.is_finite() && self.weight >= 0.0) {
            let got = self.weight;
            return Err(wrong(format!(
                "`weight` must be a number from 0, got {got}"
            )));
        }
        if let (Some(from), Some(until)) = (self.effective_from, self.effective_until)
            && from >= until
        {
            return Err(wrong(
                "`effective_from` must be before `effective_until`".into(),
            ));
        }
        // A custom name that reads as something else would come back from a file as that.
        let read: Action = self
            .action
            .name()
            .parse()
            .map_err(|error: RuleError| wrong(error.to_string()))?;
        if read != self.action {
            let name = self.action.name();
            return Err(wrong(format!(
                "the custom action {name:?} is called like another"
            )));
        }
        Ok((name, code))
    }

    /// Whether its dates and its state let it run; never for drafts and retired rules.
    pub fn in_force(&self, at: Timestamp) -> bool {
        let alive = matches!(self.state, RuleState::Active | RuleState::Shadow);
        alive
            && self.effective_from.is_none_or(|from| from <= at)
            && self.effective_until.is_none_or(|until| at < until)
    }
}

/// A mistake in a rule.
pub(crate) fn wrong(rule: &Rule, why: impl Into<String>) -> RuleError {
    RuleError::Rule {
        id: rule.id.clone(),
        why: why.into(),
    }
}
