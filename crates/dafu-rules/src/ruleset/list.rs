//! Lists that rules look into, and rules that are silenced.

use super::{Action, Rule};
use crate::program::Membership;
use dafu_core::{EntityKey, Timestamp};
use std::collections::HashMap;

/// What being in a list means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum ListKind {
    /// Nothing is to pass.
    Block,
    /// Everything is to pass.
    Allow,
    /// Somebody wants to know.
    Watch,
}

/// A member of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct ListEntry {
    /// The text.
    pub value: String,
    /// Why it is there.
    #[cfg_attr(feature = "serde", serde(default))]
    pub reason: Option<String>,
    /// The first moment at which it is no longer there.
    #[cfg_attr(feature = "serde", serde(default, with = "crate::date::optional"))]
    pub until: Option<Timestamp>,
}

/// Texts under a name; conditions ask `merchant in @name`.
///
/// Values are compared without blanks around them, and without case where [`ignore_case`](Self::ignore_case) says so.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct RuleList {
    /// The name: letters, digits and `_`.
    pub name: String,
    /// What being in it means.
    pub kind: ListKind,
    /// Whether capitals and small letters are the same.
    #[cfg_attr(feature = "serde", serde(default))]
    pub ignore_case: bool,
    /// Its members.
    #[cfg_attr(feature = "serde", serde(default))]
    pub entries: Vec<ListEntry>,
}

impl RuleList {
    /// An empty list that minds case.
    pub fn new(name: impl Into<String>, kind: ListKind) -> Self {
        Self {
            name: name.into(),
            kind,
            ignore_case: false,
            entries: Vec::new(),
        }
    }

    /// Sets whether capitals and small letters are the same.
    #[must_use]
    pub const fn ignore_case(mut self, ignore_case: bool) -> Self {
        self.ignore_case = ignore_case;
        self
    }

    /// Adds a member, for ever or until a moment.
    #[must_use]
    pub fn entry(mut self, value: impl Into<String>, until: Option<Timestamp>) -> Self {
        self.entries.push(ListEntry {
            value: value.into(),
            reason: None,
            until,
        });
        self
    }

    /// The rule that a list stands for: whoever is in it is declined, approved or flagged.
    pub fn rule(&self, variable: &str) -> Rule {
        let (risk_score, action) = match self.kind {
            ListKind::Block => (1.0, Action::Decline),
            ListKind::Allow => (0.0, Action::Approve),
            ListKind::Watch => (0.5, Action::FlagForReview),
        };
        let condition = format!("{variable} in @{}", self.name);
        Rule::new(format!("list.{}", self.name), condition, risk_score).action(action)
    }
}

/// The form in which members are compared.
fn normal(value: &str, ignore_case: bool) -> String {
    let value = value.trim();
    if ignore_case {
        value.to_lowercase()
    } else {
        value.to_owned()
    }
}

/// Lists as they are looked into.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lists {
    lists: Vec<(bool, HashMap<String, Option<Timestamp>>)>,
}

impl Lists {
    pub(crate) fn new(lists: &[RuleList]) -> Self {
        let members = |list: &RuleList| {
            let mut members: HashMap<String, Option<Timestamp>> = HashMap::new();
            for entry in &list.entries {
                let longest = |now: Option<Timestamp>| {
                    now.zip(entry.until).map(|(now, until)| now.max(until))
                };
                members
                    .entry(normal(&entry.value, list.ignore_case))
                    .and_modify(|until| *until = longest(*until))
                    .or_insert(entry.until);
            }
            (list.ignore_case, members)
        };
        Self {
            lists: lists.iter().map(members).collect(),
        }
    }
}

/// Lists at a moment.
pub(crate) struct ListsAt<'a>(pub(crate) &'a Lists, pub(crate) Timestamp);

impl Membership for ListsAt<'_> {
    fn contains(&self, list: usize, text: &str) -> bool {
        let Some((ignore_case, members)) = self.0.lists.get(list) else {
            return false;
        };
        let until = if *ignore_case {
            members.get(&normal(text, true))
        } else {
            members.get(text.trim())
        };
        until.is_some_and(|until| until.is_none_or(|until| self.1 < until))
    }
}

/// Rules that say nothing about an entity until a moment: a customer who travels, a merchant that was looked at.
///
/// O(entities) memory; [`expire`](Self::expire) drops what is over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Suppressions {
    by_entity: HashMap<EntityKey, Vec<(String, Timestamp)>>,
}

impl Suppressions {
    /// Silences a rule for an entity until a moment; a later moment replaces an earlier one.
    pub fn suppress(&mut self, rule: impl Into<String>, entity: EntityKey, until: Timestamp) {
        let rule = rule.into();
        let rules = self.by_entity.entry(entity).or_default();
        match rules.iter_mut().find(|(other, _)| *other == rule) {
            Some((_, end)) => *end = until,
            None => rules.push((rule, until)),
        }
    }

    /// Lets a rule speak about an entity again; returns whether it was silenced.
    pub fn lift(&mut self, rule: &str, entity: &EntityKey) -> bool {
        let Some(rules) = self.by_entity.get_mut(entity) else {
            return false;
        };
        let before = rules.len();
        rules.retain(|(other, _)| other != rule);
        let lifted = rules.len() < before;
        if rules.is_empty() {
            self.by_entity.remove(entity);
        }
        lifted
    }

    /// Drops everything about an entity; returns whether there was anything.
    pub fn forget(&mut self, entity: &EntityKey) -> bool {
        self.by_entity.remove(entity).is_some()
    }

    /// Drops what is over.
    pub fn expire(&mut self, at: Timestamp) {
        self.by_entity.retain(|_, rules| {
            rules.retain(|(_, until)| at < *until);
            !rules.is_empty()
        });
    }

    /// Whether a rule is silenced for one of these entities.
    pub fn is_suppressed(&self, rule: &str, entities: &[EntityKey], at: Timestamp) -> bool {
        entities.iter().any(|entity| {
            let rules = self.by_entity.get(entity);
            rules.is_some_and(|rules| {
                rules
                    .iter()
                    .any(|(other, until)| other == rule && at < *until)
            })
        })
    }
}
