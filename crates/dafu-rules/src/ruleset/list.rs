//! Lists that rules look into, and rules that are silenced.

use super::{Action, Rule};
use crate::RuleError;
use crate::language::named;
use crate::program::{Membership, Network};
use dafu_core::{EntityKey, Timestamp};
use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::net::IpAddr;

/// What being in a list means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum ListKind {
    /// Nothing is to pass.
    Block,
    /// Everything is to pass, where the set lets approving rules override others: see [`RuleList::rule`].
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
    /// Why it is there: among the values of reasons, under the name of the list (`@name`).
    #[cfg_attr(feature = "serde", serde(default))]
    pub reason: Option<String>,
    /// The first moment at which it is no longer there.
    #[cfg_attr(feature = "serde", serde(default, with = "crate::date::optional"))]
    pub until: Option<Timestamp>,
}

/// Texts under a name; conditions ask `merchant_id in @name`.
///
/// Values are compared without blanks around them, and without case where [`ignore_case`](Self::ignore_case) says so. A
/// variable that is an internet address is compared with the addresses of a list, however they are written, and with its
/// blocks: `10.0.0.0/8`. Of entries of one value the one that stays longest counts.
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

    /// Adds a member, for ever or until a moment, and says why.
    #[must_use]
    pub fn entry_because(
        mut self,
        value: impl Into<String>,
        until: Option<Timestamp>,
        reason: impl Into<String>,
    ) -> Self {
        self.entries.push(ListEntry {
            value: value.into(),
            reason: Some(reason.into()),
            until,
        });
        self
    }

    pub(crate) fn wrong(&self, why: &'static str) -> RuleError {
        RuleError::List {
            name: self.name.clone(),
            why,
        }
    }

    pub(crate) fn check(&self) -> Result<(), RuleError> {
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let first = self.name.bytes().next();
        let begins = first.is_some_and(|byte| !byte.is_ascii_digit());
        if begins && self.name.bytes().all(letters) {
            return Ok(());
        }
        Err(self.wrong("names are letters, digits and `_`, and do not begin with a digit"))
    }

    /// The rule that a list stands for: whoever is in it is declined, approved or flagged.
    ///
    /// Approving is the mildest action: beside a rule that asks for more, the rule of an allow list changes nothing, unless
    /// the set says [`Conflict::ApproveOverrides`](crate::Conflict::ApproveOverrides), or
    /// [`Conflict::First`](crate::Conflict::First) with a high priority of this rule.
    pub fn rule(&self, variable: &str) -> Rule {
        let (risk_score, action) = match self.kind {
            ListKind::Block => (1.0, Action::Decline),
            ListKind::Allow => (0.0, Action::Approve),
            ListKind::Watch => (0.5, Action::FlagForReview),
        };
        let mut condition = String::new();
        // Writing to a text does not fail.
        let _ = named(&mut condition, variable);
        condition.push_str(" in @");
        condition.push_str(&self.name);
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

/// Until when something is in a list, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stay {
    until: Option<Timestamp>,
    reason: Option<String>,
}

impl Stay {
    fn of(entry: &ListEntry) -> Self {
        Self {
            until: entry.until,
            reason: entry.reason.clone(),
        }
    }

    fn is_longer_than(&self, other: &Self) -> bool {
        match (self.until, other.until) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(until), Some(other)) => until > other,
        }
    }
}

/// A list as it is looked into.
#[derive(Debug, Clone, Default)]
struct Members {
    ignore_case: bool,
    texts: HashMap<String, Stay>,
    /// Blocks of addresses by their bits and first address, as numbers of IPv6.
    blocks: HashMap<(u32, u128), Stay>,
    /// Bits of the blocks that there are, from many to few.
    bits: BTreeSet<Reverse<u32>>,
}

impl Members {
    fn new(list: &RuleList) -> Self {
        let mut members = Self {
            ignore_case: list.ignore_case,
            ..Self::default()
        };
        for entry in &list.entries {
            let text = normal(&entry.value, list.ignore_case);
            if let Some(network) = Network::parse(entry.value.trim()) {
                let block = network.block();
                members.bits.insert(Reverse(block.0));
                keep_longest(&mut members.blocks, block, Stay::of(entry));
            }
            keep_longest(&mut members.texts, text, Stay::of(entry));
        }
        members
    }

    fn text(&self, text: &str) -> Option<&Stay> {
        if self.ignore_case {
            self.texts.get(&normal(text, true))
        } else {
            self.texts.get(text.trim())
        }
    }

    /// The blocks in which an address is, from small to large.
    fn blocks(&self, address: IpAddr) -> impl Iterator<Item = &Stay> {
        let bits = self.bits.iter().map(|bits| bits.0);
        bits.filter_map(move |bits| self.blocks.get(&Network::around(address, bits)?.block()))
    }
}

fn keep_longest<K: Eq + Hash>(stays: &mut HashMap<K, Stay>, key: K, stay: Stay) {
    match stays.entry(key) {
        Entry::Occupied(mut known) => {
            if stay.is_longer_than(known.get()) {
                known.insert(stay);
            }
        }
        Entry::Vacant(place) => {
            place.insert(stay);
        }
    }
}

/// Lists as they are looked into.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lists(Vec<Members>);

impl Lists {
    pub(crate) fn new(lists: &[RuleList]) -> Self {
        Self(lists.iter().map(Members::new).collect())
    }
}

/// Lists at a moment.
pub(crate) struct ListsAt<'a>(pub(crate) &'a Lists, pub(crate) Timestamp);

impl<'a> ListsAt<'a> {
    fn is_now(&self, stay: &Stay) -> bool {
        stay.until.is_none_or(|until| self.1 < until)
    }

    fn text(&self, list: usize, text: &str) -> Option<&'a Stay> {
        let members = self.0.0.get(list)?;
        members.text(text).filter(|stay| self.is_now(stay))
    }

    fn address(&self, list: usize, address: IpAddr) -> Option<&'a Stay> {
        let members = self.0.0.get(list)?;
        members.blocks(address).find(|stay| self.is_now(stay))
    }

    /// Why a text is in a list, or an address.
    pub(crate) fn reason(&self, list: usize, text: &str, is_address: bool) -> Option<&'a str> {
        let stay = if is_address {
            self.address(list, text.parse().ok()?)
        } else {
            self.text(list, text)
        };
        stay?.reason.as_deref()
    }
}

impl Membership for ListsAt<'_> {
    fn contains(&self, list: usize, text: &str) -> bool {
        self.text(list, text).is_some()
    }

    fn contains_address(&self, list: usize, address: IpAddr) -> bool {
        self.address(list, address).is_some()
    }
}

/// A rule that says nothing about an entity until a moment.
///
/// In a file of TOML: `{ rule = "far_away", entity = { kind = "user", id = "u-1" }, until = 2026-04-01 }`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Suppression {
    /// Id of the rule.
    pub rule: String,
    /// About whom it says nothing.
    pub entity: EntityKey,
    /// The first moment at which it speaks again.
    #[cfg_attr(feature = "serde", serde(with = "crate::date::required"))]
    pub until: Timestamp,
}

/// Rules that say nothing about an entity until a moment: a customer who travels, a merchant that was looked at.
///
/// O(entities) memory; [`expire`](Self::expire) drops what is over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Suppressions {
    by_entity: HashMap<EntityKey, Vec<(String, Timestamp)>>,
}

impl Suppressions {
    /// Those of a set, as they are looked into.
    pub fn new(suppressions: &[Suppression]) -> Self {
        let mut all = Self::default();
        for suppression in suppressions {
            let (entity, until) = (suppression.entity.clone(), suppression.until);
            all.suppress(suppression.rule.as_str(), entity, until);
        }
        all
    }

    /// Silences a rule for an entity until a moment. A later moment replaces an earlier one; to let the rule speak sooner,
    /// [`lift`](Self::lift) it first.
    pub fn suppress(&mut self, rule: impl Into<String>, entity: EntityKey, until: Timestamp) {
        let rule = rule.into();
        let rules = self.by_entity.entry(entity).or_default();
        match rules.iter_mut().find(|(other, _)| *other == rule) {
            Some((_, end)) => *end = (*end).max(until),
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
