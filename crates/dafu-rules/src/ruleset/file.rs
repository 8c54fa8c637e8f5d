//! Rule sets as files.

use super::{Action, MOST_RULES, Rule, RuleSet};
use crate::file::{check_version, from_json, from_toml, read_json, to_json, to_toml, write_json};
use crate::{RuleError, RuleSchema};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;

/// A file of names with rules, as the fraud platforms of Python projects have it:
/// `{"high_amount": {"condition": "amount > 10000", "risk_score": 0.8, "action": "flag_for_review"}}`.
struct NamedRules(Vec<Rule>);

/// What stands behind a name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedRule {
    condition: String,
    risk_score: f64,
    action: Action,
}

impl<'de> Deserialize<'de> for NamedRules {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rules;

        impl<'de> Visitor<'de> for Rules {
            type Value = NamedRules;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of names, each with condition, risk_score and action")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NamedRules, A::Error> {
                let mut rules = Vec::new();
                let mut names = BTreeSet::new();
                while let Some(name) = map.next_key::<String>()? {
                    if rules.len() >= MOST_RULES {
                        return Err(A::Error::custom(format!("more than {MOST_RULES} rules")));
                    }
                    let value: NamedRule = map
                        .next_value()
                        .map_err(|error| A::Error::custom(format!("rule {name:?}: {error}")))?;
                    if !names.insert(name.clone()) {
                        return Err(A::Error::custom(format!("rule {name:?} stands twice")));
                    }
                    let rule = Rule::new(name, value.condition, value.risk_score);
                    rules.push(rule.action(value.action));
                }
                Ok(NamedRules(rules))
            }
        }

        deserializer.deserialize_map(Rules)
    }
}

/// What of a set no file of names has: there rules may have these names, but are objects.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Kind {
    version: Option<Value>,
    combination: Option<Value>,
    conflict: Option<Value>,
    bands: Option<Value>,
    currency: Option<Value>,
    rates: Option<Value>,
    rules: Option<Value>,
    lists: Option<Value>,
    suppressions: Option<Value>,
}

impl Kind {
    fn is_set(&self) -> bool {
        let values = [
            &self.version,
            &self.combination,
            &self.conflict,
            &self.bands,
            &self.currency,
            &self.rules,
            &self.lists,
            &self.suppressions,
        ];
        // Rates are an object, too, but of numbers.
        let rates = self.rates.as_ref().and_then(Value::as_object);
        rates.is_some_and(|rates| rates.values().all(Value::is_number))
            || values.into_iter().flatten().any(|value| !value.is_object())
    }
}

impl RuleSet {
    /// Reads a set from JSON: an object of its fields, such as `version` and `rules`, of which each may be left out; or one
    /// of names, each with `condition`, `risk_score` and `action`. Rules keep their order.
    ///
    /// # Errors
    ///
    /// [`RuleError::File`] with line and column for anything else, unknown keys included, and for more than 4 MiB or a
    /// newer version; [`RuleError::Rule`] for a score outside 0 to 1, a weight that is no number from 0, an action called
    /// nearly like another, or dates that end before they begin; [`RuleError::Rate`] for a rate that is not a positive
    /// number; [`RuleError::Several`] for more than one of these. Conditions are checked by [`compile`](Self::compile).
    pub fn from_json(text: &str) -> Result<Self, RuleError> {
        let kind: Kind = from_json(text)?;
        if kind.is_set() {
            return from_json(text).and_then(checked);
        }
        let named: NamedRules = from_json(text)?;
        checked(Self::new(named.0))
    }

    /// Reads a set from TOML. Dates stand with quotes or without.
    ///
    /// ```
    /// use dafu_rules::{Action, RuleSchema, RuleSet};
    ///
    /// let rules = RuleSet::from_toml(r#"
    /// version = 1                    # of the form of the file
    /// combination = "noisy_or"       # how scores become one: max (as long as nothing is said), capped_sum, weighted_sum
    /// conflict = "strictest"         # which action counts: or first, by priority, or approve_overrides
    /// bands = [0.3, 0.6, 0.8]        # where medium, high and critical risk begin
    /// currency = "EUR"               # of amounts without a unit
    /// rates = { USD = 0.9 }          # what one unit of others is worth in it
    ///
    /// [[rules]]
    /// id = "far_and_large"           # unique, and the same for ever
    /// condition = "amount > 500 USD and distance_from_home > 1000km"
    /// risk_score = 0.7               # 0 to 1; the rest may be left out
    /// action = "decline"             # or block, review, challenge, approve, ...: see Action
    /// version = 2                    # counts the changes of the rule
    /// priority = 10                  # higher ones come first
    /// weight = 1.0                   # for weighted_sum
    /// tags = ["distance"]
    /// reason_code = "rules.far"      # rules. and the id, as long as nothing is said
    /// reason = "paid {amount} {distance_from_home} from home"
    /// group = "location"             # the part of the story: amount, user_behavior, merchant, device, ...
    /// effective_from = 2026-03-01    # from the first moment of this day in UTC
    /// effective_until = 2027-03-01T12:00:00Z
    /// state = "active"               # or draft, shadow (watches only), retired
    /// on_missing = "skip"            # where a value is missing: or fire, error
    ///
    /// [[rules]]
    /// id = "blocked_merchant"
    /// condition = "merchant_id in @blocked"
    /// risk_score = 1.0
    /// action = "decline"
    ///
    /// [[lists]]
    /// name = "blocked"
    /// kind = "block"                 # or allow, watch
    /// ignore_case = true
    /// entries = [
    ///     { value = "m-17", reason = "chargebacks", until = 2026-12-01 },
    ///     { value = "m-18" },
    /// ]
    ///
    /// [[suppressions]]               # a rule says nothing about somebody until a moment
    /// rule = "far_and_large"
    /// entity = { kind = "user", id = "u-1" }
    /// until = 2026-04-01
    /// "#)?;
    /// let engine = rules.compile(&RuleSchema::transaction())?;
    /// assert_eq!(engine.warnings(), []);
    /// assert_eq!(rules.rules[0].action, Action::Decline);
    /// # Ok::<(), dafu_rules::RuleError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`from_json`](Self::from_json).
    pub fn from_toml(text: &str) -> Result<Self, RuleError> {
        from_toml(text).and_then(checked)
    }

    /// Writes the set as JSON that [`from_json`](Self::from_json) reads back.
    ///
    /// # Errors
    ///
    /// As [`from_json`](Self::from_json), for what could not be read back: a score of NaN, a custom action called like
    /// another, more than 4 MiB.
    pub fn to_json(&self) -> Result<String, RuleError> {
        self.check()?;
        to_json(self)
    }

    /// Writes the set as TOML that [`from_toml`](Self::from_toml) reads back.
    ///
    /// # Errors
    ///
    /// As [`to_json`](Self::to_json).
    pub fn to_toml(&self) -> Result<String, RuleError> {
        self.check()?;
        to_toml(self)
    }

    /// Writes the set for programs: JSON without blanks, of any length, that [`from_saved`](Self::from_saved) reads back.
    ///
    /// # Errors
    ///
    /// As [`to_json`](Self::to_json), but for the length.
    pub fn to_saved(&self) -> Result<String, RuleError> {
        self.check()?;
        write_json(self)
    }

    /// Reads what [`to_saved`](Self::to_saved) or [`to_json`](Self::to_json) gave. O(length): who takes text from elsewhere limits
    /// that before.
    ///
    /// # Errors
    ///
    /// As [`from_json`](Self::from_json), but for the length.
    pub fn from_saved(text: &str) -> Result<Self, RuleError> {
        read_json(text).and_then(checked)
    }

    /// Everything but the conditions: what files are checked against when they are read and written.
    fn check(&self) -> Result<(), RuleError> {
        check_version(self.version)?;
        let rules = self.rules.iter().map(|rule| rule.check().err());
        let rates = self.rates.iter();
        let rates = rates.map(|(currency, worth)| RuleSchema::default().rate(*currency, *worth));
        let wrong = rules.chain(rates.map(Result::err));
        RuleError::all(wrong.flatten().collect())
    }
}

fn checked(set: RuleSet) -> Result<RuleSet, RuleError> {
    check_version(set.version)?;
    set.check().map(|()| set)
}
