//! A set of rules.

use super::{Combination, Conflict, ListEntry, Rule, RuleList, Suppression};
use crate::{RuleEngine, RuleError, RuleSchema};
use dafu_core::{Bands, Currency, EntityKey, StableHasher, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
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
    /// The currency in which amounts are compared, for schemas that say none; amounts without a unit are then in it.
    pub currency: Option<Currency>,
    /// What one unit of other currencies is worth in it.
    pub rates: BTreeMap<Currency, f64>,
    /// The rules.
    pub rules: Vec<Rule>,
    /// The lists.
    pub lists: Vec<RuleList>,
    /// Rules that are silenced for somebody, where a [`Moment`](crate::Moment) says who takes part.
    pub suppressions: Vec<Suppression>,
}

impl Default for RuleSet {
    fn default() -> Self {
        Self {
            version: 1,
            combination: Combination::default(),
            conflict: Conflict::default(),
            bands: Bands::default(),
            currency: None,
            rates: BTreeMap::new(),
            rules: Vec::new(),
            lists: Vec::new(),
            suppressions: Vec::new(),
        }
    }
}

impl RuleSet {
    /// Whether what it says depends on when an event happens, other than by its condition: rules with dates, members of lists
    /// that leave.
    pub fn is_dated(&self) -> bool {
        let dated = |rule: &Rule| rule.effective_from.is_some() || rule.effective_until.is_some();
        let leaves = |list: &RuleList| list.entries.iter().any(|entry| entry.until.is_some());
        self.rules.iter().any(dated) || self.lists.iter().any(leaves)
    }

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

    /// Sets the currency in which amounts are compared.
    #[must_use]
    pub const fn currency(mut self, currency: Currency) -> Self {
        self.currency = Some(currency);
        self
    }

    /// Sets what one unit of another currency is worth in that of the set.
    #[must_use]
    pub fn rate(mut self, currency: Currency, worth: f64) -> Self {
        self.rates.insert(currency, worth);
        self
    }

    /// Silences a rule for an entity until a moment.
    #[must_use]
    pub fn suppress(
        mut self,
        rule: impl Into<String>,
        entity: EntityKey,
        until: Timestamp,
    ) -> Self {
        self.suppressions.push(Suppression {
            rule: rule.into(),
            entity,
            until,
        });
        self
    }

    /// Checks everything against a schema, and tells all that is wrong: of each rule all mistakes of its condition, and the
    /// first beside it. O(bytes of all conditions).
    ///
    /// # Errors
    ///
    /// [`RuleError::Several`] for more than one of these: [`RuleError::Conditions`] with all mistakes of all conditions;
    /// [`RuleError::Rule`] for a rule with an empty or
    /// repeated id, a score outside 0 to 1, a weight that is no number from 0, dates that end before they begin, a custom
    /// action that is called nearly like another, or a reason that names an unknown variable; [`RuleError::List`] for a
    /// list with such a name; [`RuleError::UnknownRule`] where another rule is silenced; [`RuleError::Rate`] for a rate that
    /// is not a positive number; [`RuleError::TooManyRules`] beyond 1,000.
    pub fn compile(&self, schema: &RuleSchema) -> Result<RuleEngine, RuleError> {
        RuleEngine::new(self, schema)
    }

    /// A schema with the lists of the set, and with its currency where it has none itself. What is wrong joins the errors,
    /// and the schema as if it were right: conditions that name it are not wrong, too.
    pub(crate) fn joined(&self, schema: &RuleSchema, errors: &mut Vec<RuleError>) -> RuleSchema {
        let mut schema = schema.clone().without_lists();
        let mut names = BTreeSet::new();
        for list in &self.lists {
            errors.extend(list.check().err());
            if !names.insert(&list.name) {
                errors.push(list.wrong("the name stands twice"));
            }
            schema = schema.list(list.name.as_str());
        }
        let rules: BTreeSet<&str> = self.rules.iter().map(|rule| rule.id.as_str()).collect();
        for suppression in &self.suppressions {
            if !rules.contains(suppression.rule.as_str()) {
                errors.push(RuleError::UnknownRule {
                    id: suppression.rule.clone(),
                });
            }
        }
        if let (None, Some(currency)) = (schema.own_currency(), self.currency) {
            schema = schema.currency(currency);
            for (currency, worth) in &self.rates {
                errors.extend(schema.set_rate(*currency, *worth).err());
            }
        }
        schema
    }

    /// Identity of everything in the set: equal for sets that say the same in the same words.
    pub fn hash(&self) -> u64 {
        let mut hasher = StableHasher::default();
        let Self {
            version,
            combination,
            conflict,
            bands,
            currency,
            rates,
            rules,
            lists,
            suppressions,
        } = self;
        hasher.number(u64::from(*version));
        hasher.text(&format!("{combination:?} {conflict:?} {bands:?}"));
        optional(&mut hasher, currency.as_ref().map(Currency::code));
        hasher.number(rates.len() as u64);
        for (currency, worth) in rates {
            hasher.text(currency.code()).number(worth.to_bits());
        }
        hasher.number(rules.len() as u64);
        for rule in rules {
            hash_rule(&mut hasher, rule);
        }
        hasher.number(lists.len() as u64);
        for list in lists {
            hash_list(&mut hasher, list);
        }
        hasher.number(suppressions.len() as u64);
        for Suppression {
            rule,
            entity,
            until,
        } in suppressions
        {
            hasher.text(rule).text(&format!("{:?}", entity.kind));
            hasher.text(entity.id.as_str());
            moment(&mut hasher, Some(*until));
        }
        hasher.finish()
    }
}

/// Adds a text and whether it is there.
fn optional(hasher: &mut StableHasher, text: Option<&str>) {
    hasher.number(u64::from(text.is_some()));
    hasher.text(text.unwrap_or_default());
}

/// Adds a moment and whether it is there.
fn moment(hasher: &mut StableHasher, at: Option<Timestamp>) {
    hasher.number(u64::from(at.is_some()));
    hasher.number(at.map_or(0, |at| at.as_micros().cast_unsigned()));
}

fn hash_rule(hasher: &mut StableHasher, rule: &Rule) {
    let Rule {
        id,
        condition,
        risk_score,
        action,
        version,
        priority,
        weight,
        tags,
        reason_code,
        reason,
        group,
        effective_from,
        effective_until,
        state,
        on_missing,
    } = rule;
    hasher.text(id).text(condition).text(action.name());
    hasher.number(risk_score.to_bits()).number(weight.to_bits());
    hasher.number(u64::from(*version));
    hasher.number(i64::from(*priority).cast_unsigned());
    hasher.number(tags.len() as u64);
    for tag in tags {
        hasher.text(tag);
    }
    optional(hasher, reason_code.as_deref());
    optional(hasher, reason.as_deref());
    moment(hasher, *effective_from);
    moment(hasher, *effective_until);
    hasher.text(&format!("{state:?} {on_missing:?} {group}"));
}

fn hash_list(hasher: &mut StableHasher, list: &RuleList) {
    let RuleList {
        name,
        kind,
        ignore_case,
        entries,
    } = list;
    hasher.text(name).text(&format!("{kind:?}"));
    hasher.number(u64::from(*ignore_case));
    hasher.number(entries.len() as u64);
    for ListEntry {
        value,
        reason,
        until,
    } in entries
    {
        hasher.text(value);
        optional(hasher, reason.as_deref());
        moment(hasher, *until);
    }
}
