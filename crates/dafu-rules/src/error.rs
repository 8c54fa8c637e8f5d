//! What can go wrong.

use crate::language::{ConditionError, drawings};
use crate::{HitPolicy, MissingValue};
use dafu_core::Currency;
use dafu_core::metrics::MetricsError;

/// Errors of rules.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// A condition cannot be used; the text draws where and why.
    #[error("{0}")]
    Condition(#[from] ConditionError),
    /// A variable cannot be declared.
    #[error("variable {name:?}: {why}")]
    Variable {
        /// Its name.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// A rate cannot be used.
    #[error("rate of {currency}: expected a positive number, got {got}")]
    Rate {
        /// The currency.
        currency: Currency,
        /// The rate.
        got: f64,
    },
    /// A row does not have what the schema says.
    #[error("a row has {expected} {what}, got {got}")]
    Row {
        /// Numbers or texts.
        what: &'static str,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// Conditions of a set cannot be used; the text draws where and why, of the first 100 mistakes.
    #[error("{}", drawings(.0))]
    Conditions(Vec<ConditionError>),
    /// More than one thing is wrong; the text tells the first 100.
    #[error("{}", several(.0))]
    Several(Vec<Self>),
    /// A rule of a set cannot be used.
    #[error("rule {id:?}: {why}")]
    Rule {
        /// Its id.
        id: String,
        /// Why, and what to do.
        why: String,
    },
    /// A list of a set cannot be used.
    #[error("list {name:?}: {why}")]
    List {
        /// Its name.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// No action has this name, though one is nearly called so.
    #[error("action {got:?}: did you mean {near:?}?")]
    Action {
        /// The name.
        got: String,
        /// The name of the action that comes nearest.
        near: String,
    },
    /// A set is too large.
    #[error("a set has at most {most} rules, this one {got}: split it")]
    TooManyRules {
        /// The most there may be.
        most: usize,
        /// How many there are.
        got: usize,
    },
    /// A rule that does not allow it met a missing value.
    #[error("rule {rule:?} cannot be evaluated: {}", sentences(.values))]
    Missing {
        /// The rule.
        rule: String,
        /// What is missing.
        values: Vec<MissingValue>,
    },
    /// No rule has this id.
    #[error("no rule is called {id:?}")]
    UnknownRule {
        /// The id.
        id: String,
    },
    /// A number of a rule cannot be swept.
    #[error("rule {rule:?}, number {literal}: {why}")]
    Literal {
        /// The rule.
        rule: String,
        /// The number, counted from 0.
        literal: usize,
        /// Why.
        why: &'static str,
    },
    /// A parameter is out of range.
    #[error("`{name}` must be {must}, got {got}")]
    Parameter {
        /// Its name.
        name: &'static str,
        /// What it must be.
        must: &'static str,
        /// What it is.
        got: String,
    },
    /// Nothing is known of when events happen, where that is needed.
    #[error(
        "events have no times, without which there is no {what}: give them, or choose something else"
    )]
    NoTimes {
        /// What needs times.
        what: &'static str,
    },
    /// There are not both frauds and honest events to learn from, or to judge by.
    #[error(
        "{period}: {frauds} frauds and {honest} honest events have a label, at least one of each is needed"
    )]
    Classes {
        /// Which events.
        period: &'static str,
        /// Frauds among them.
        frauds: usize,
        /// Honest ones among them.
        honest: usize,
    },
    /// Events are learned from and held out at once.
    #[error("{rows} events are learned from and held out at once, event {first} for one")]
    HeldOutRows {
        /// How many.
        rows: usize,
        /// The first of them.
        first: usize,
    },
    /// A figure cannot be told.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// A decision table cannot be used.
    #[error("table {table:?}: {why}")]
    Table {
        /// Its name.
        table: String,
        /// Why, and what to do.
        why: String,
    },
    /// A decision table is too large.
    #[error("table {table:?}: at most {most} {what}, this one has {got}: split it")]
    TableTooLarge {
        /// Its name.
        table: String,
        /// What there is too much of.
        what: &'static str,
        /// The most there may be.
        most: usize,
        /// How many there are.
        got: usize,
    },
    /// Rows of a decision table match together where its hit policy forbids it.
    #[error(
        "table {table:?}: rows {} and {} both match where {example}, which the hit policy `{policy}` forbids ({count} such pairs)",
        .first + 1,
        .second + 1
    )]
    TableOverlap {
        /// Its name.
        table: String,
        /// The policy.
        policy: HitPolicy,
        /// Place of the first row, from 0; in the text rows are counted from 1.
        first: usize,
        /// Place of the second row.
        second: usize,
        /// An event that both match.
        example: String,
        /// Pairs of rows that do so, as far as they were counted.
        count: usize,
    },
    /// An event met rows of a decision table together that its hit policy keeps apart.
    #[error("table {table:?}: rows {} match together, which the hit policy `{policy}` forbids", from_one(.rows))]
    TableConflict {
        /// Its name.
        table: String,
        /// The policy.
        policy: HitPolicy,
        /// Places of the rows, from 0; in the text rows are counted from 1.
        rows: Vec<usize>,
    },
    /// A setting is out of its range.
    #[error("`{name}` must be {expected}, got {got}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// The range, in words.
        expected: &'static str,
        /// What it is.
        got: f64,
    },
    /// Rules ask for windows where there are none.
    #[error("rules about merchants cannot ask for windows of payments, got {got}: use the factors")]
    Windows {
        /// How many they ask for.
        got: usize,
    },
    /// A file cannot be read.
    #[error("{place}: {why}")]
    File {
        /// Where: line and column, or a path of keys.
        place: String,
        /// Why.
        why: String,
    },
}

impl RuleError {
    /// Nothing for no error, the error itself for one, [`RuleError::Several`] for more.
    pub(crate) fn all(mut errors: Vec<Self>) -> Result<(), Self> {
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.swap_remove(0)),
            _ => Err(Self::Several(errors)),
        }
    }
}

fn several(errors: &[RuleError]) -> String {
    /// More help nobody.
    const MOST: usize = 100;
    let mut told: Vec<String> = errors.iter().take(MOST).map(ToString::to_string).collect();
    if let Some(left @ 1..) = errors.len().checked_sub(MOST) {
        told.push(format!("and {left} more"));
    }
    told.join("\n\n")
}

fn sentences(values: &[MissingValue]) -> String {
    let sentences: Vec<String> = values.iter().map(ToString::to_string).collect();
    sentences.join("; ")
}

/// Places as people count them.
fn from_one(places: &[usize]) -> String {
    let numbers: Vec<String> = places.iter().map(|place| (place + 1).to_string()).collect();
    numbers.join(", ")
}
