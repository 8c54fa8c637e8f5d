//! A set of rules.

use super::{Combination, Conflict, Rule, RuleList};
use crate::{RuleEngine, RuleError, RuleSchema};
use dafu_core::{Bands, StableHasher, Timestamp};
use std::hash::Hasher;

/// Rules in one set.
pub(crate) const MOST_RULES: usize = 1000;

/// Rules, the lists that they look into, and how their answers become one.
///
/// ```
/// use dafu_core::{Timestamp, Unit};
/// use dafu_rules::{Action, Combination, Moment, Row, Rule, RuleSchema, RuleSet, Variable};
///
/// let schema = RuleSchema::new([
///     Variable::number("amount", Unit::Money),
///     Variable::number("distance_from_home", Unit::Kilometre).nullable(),
/// ])?;
/// let rules = RuleSet::new([
///     Rule::new("high_amount", "amount > 10000", 0.6).action(Action::FlagForReview),
///     Rule::new("far_away", "distance_from_home > 1000km", 0.5)
///         .action(Action::LocationVerification)
///         .reason("paid {distance_from_home} from home"),
/// ])
/// .combination(Combination::NoisyOr);
/// let engine = rules.compile(&schema)?;
///
/// let row = Row { numbers: &[12_000.0, 1500.0], texts: &[] };
/// let report = engine.evaluate(row, &Moment::at(Timestamp::from_seconds(0)?))?;
/// assert_eq!(report.risk_score.get(), 0.8);
/// assert_eq!(report.action, Action::LocationVerification);
/// let reasons = engine.reasons(row, &report);
/// assert_eq!(reasons[1].text, "paid 1500 km from home");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct RuleSet {
    /// Version of the form in which the set is written: 1.
    pub version: u32,
    /// How scores become one.
    pub combination: Combination,
    /// Which action counts.
    pub conflict: Conflict,
    /// Where the bands of risk begin.
    pub bands: Bands,
    /// The rules.
    pub rules: Vec<Rule>,
    /// The lists.
    pub lists: Vec<RuleList>,
}

impl Default for RuleSet {
    fn default() -> Self {
        Self {
            version: 1,
            combination: Combination::default(),
            conflict: Conflict::default(),
            bands: Bands::default(),
            rules: Vec::new(),
            lists: Vec::new(),
        }
    }
}

impl RuleSet {
    /// A set of these rules: the highest score and the strictest action count.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self {
            rules: rules.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Sets how scores become one.
    #[must_use]
    pub const fn combination(mut self, combination: Combination) -> Self {
        self.combination = combination;
        self
    }

    /// Sets which action counts.
    #[must_use]
    pub const fn conflict(mut self, conflict: Conflict) -> Self {
        self.conflict = conflict;
        self
    }

    /// Sets where the bands of risk begin.
    #[must_use]
    pub const fn bands(mut self, bands: Bands) -> Self {
        self.bands = bands;
        self
    }

    /// Adds a rule.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Adds a list.
    #[must_use]
    pub fn list(mut self, list: RuleList) -> Self {
        self.lists.push(list);
        self
    }

    /// Checks everything against a schema. O(bytes of all conditions).
    ///
    /// # Errors
    ///
    /// [`RuleError::Conditions`] with all mistakes of all conditions; [`RuleError::Rule`] for a rule with an empty or
    /// repeated id, a score outside 0 to 1, a weight that is no number from 0, dates that end before they begin, or a
    /// reason that names an unknown variable; [`RuleError::List`] for a list with such a name;
    /// [`RuleError::TooManyRules`] beyond 1,000.
    pub fn compile(&self, schema: &RuleSchema) -> Result<RuleEngine, RuleError> {
        RuleEngine::new(self, schema)
    }

    /// Identity of all that decides: equal for sets that say the same in the same words.
    pub fn hash(&self) -> u64 {
        let mut hasher = StableHasher::default();
        let moment =
            |at: Option<Timestamp>| at.map_or(u64::MAX, |at| at.as_micros().cast_unsigned());
        hasher.text(&format!(
            "{:?} {:?} {:?}",
            self.combination, self.conflict, self.bands
        ));
        hasher.number(self.rules.len() as u64);
        for rule in &self.rules {
            hasher
                .text(&rule.id)
                .text(&rule.condition)
                .text(rule.action.name());
            hasher
                .number(rule.risk_score.to_bits())
                .number(rule.weight.to_bits());
            hasher
                .number(u64::from(rule.version))
                .number(i64::from(rule.priority).cast_unsigned());
            hasher
                .number(moment(rule.effective_from))
                .number(moment(rule.effective_until));
            hasher.text(&format!(
                "{:?} {:?} {}",
                rule.state, rule.on_missing, rule.group
            ));
            hasher.text(rule.reason_code.as_deref().unwrap_or_default());
            hasher.text(rule.reason.as_deref().unwrap_or_default());
        }
        for list in &self.lists {
            hasher.text(&list.name).number(u64::from(list.ignore_case));
            for entry in &list.entries {
                hasher.text(&entry.value).number(moment(entry.until));
            }
        }
        hasher.finish()
    }
}
