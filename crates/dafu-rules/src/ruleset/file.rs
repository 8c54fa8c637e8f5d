//! Rule sets as files.

use super::{Action, MOST_RULES, Rule, RuleSet};
use crate::RuleError;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeSet;
use std::fmt;

/// Bytes of the largest file.
const LARGEST: usize = 4 * 1024 * 1024;

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

/// Only a set has a list of rules; in a file of names a rule may be called `rules`.
#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    rules: Option<serde_json::Value>,
}

impl RuleSet {
    /// Reads a set from JSON: an object with `version` and `rules`, or one of names, each with `condition`, `risk_score`
    /// and `action`. Rules keep their order.
    ///
    /// # Errors
    ///
    /// [`RuleError::File`] with line and column for anything else, unknown keys included, and for more than 4 MiB or a
    /// newer version. Conditions are checked by [`compile`](Self::compile).
    pub fn from_json(text: &str) -> Result<Self, RuleError> {
        check_size(text)?;
        let file = |error: &serde_json::Error| RuleError::File {
            place: format!("line {}, column {}", error.line(), error.column()),
            why: without_place(&error.to_string()),
        };
        let kind: Kind = serde_json::from_str(text).map_err(|error| file(&error))?;
        if kind.rules.is_some_and(|rules| rules.is_array()) {
            return serde_json::from_str(text)
                .map_err(|error| file(&error))
                .and_then(checked);
        }
        let named: NamedRules = serde_json::from_str(text).map_err(|error| file(&error))?;
        Ok(Self::new(named.0))
    }

    /// Reads a set from TOML.
    ///
    /// # Errors
    ///
    /// As [`from_json`](Self::from_json).
    pub fn from_toml(text: &str) -> Result<Self, RuleError> {
        check_size(text)?;
        let set: Result<Self, toml::de::Error> = toml::from_str(text);
        set.map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let before = text.get(..start).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let column = before
                .chars()
                .rev()
                .take_while(|character| *character != '\n')
                .count()
                + 1;
            RuleError::File {
                place: format!("line {line}, column {column}"),
                why: error.message().into(),
            }
        })
        .and_then(checked)
    }

    /// Writes the set as JSON that [`from_json`](Self::from_json) reads back.
    ///
    /// # Errors
    ///
    /// [`RuleError::File`] for numbers that JSON cannot write.
    pub fn to_json(&self) -> Result<String, RuleError> {
        serde_json::to_string_pretty(self).map_err(|error| written(&error.to_string()))
    }

    /// Writes the set as TOML that [`from_toml`](Self::from_toml) reads back.
    ///
    /// # Errors
    ///
    /// [`RuleError::File`] where TOML cannot write it.
    pub fn to_toml(&self) -> Result<String, RuleError> {
        toml::to_string_pretty(self).map_err(|error| written(&error.to_string()))
    }
}

fn written(why: &str) -> RuleError {
    RuleError::File {
        place: "writing".into(),
        why: why.into(),
    }
}

fn check_size(text: &str) -> Result<(), RuleError> {
    if text.len() <= LARGEST {
        return Ok(());
    }
    Err(RuleError::File {
        place: "the whole file".into(),
        why: format!(
            "a file has at most {LARGEST} bytes, this one {}",
            text.len()
        ),
    })
}

fn checked(set: RuleSet) -> Result<RuleSet, RuleError> {
    match set.version {
        1 => Ok(set),
        version => Err(RuleError::File {
            place: "version".into(),
            why: format!("only version 1 is known, got {version}"),
        }),
    }
}

/// The message without the place, which is told apart.
fn without_place(message: &str) -> String {
    let end = message.rfind(" at line ").unwrap_or(message.len());
    message.get(..end).unwrap_or(message).into()
}
