//! Rule sets as files.

use super::{Action, MOST_RULES, Rule, RuleSet};
use crate::file::{check_version, from_json, from_toml, to_json, to_toml};
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
    currency: Option<Value>,
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
            &self.currency,
            &self.rules,
            &self.lists,
            &self.suppressions,
        ];
        values.into_iter().flatten().any(|value| !value.is_object())
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
    /// number. Conditions are checked by [`compile`](Self::compile).
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
    /// another.
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

    /// Everything but the conditions: what files are checked against when they are read and written.
    fn check(&self) -> Result<(), RuleError> {
        for rule in &self.rules {
            rule.check()?;
        }
        for (currency, worth) in &self.rates {
            RuleSchema::default().rate(*currency, *worth)?;
        }
        Ok(())
    }
}

fn checked(set: RuleSet) -> Result<RuleSet, RuleError> {
    check_version(set.version)?;
    set.check().map(|()| set)
}
