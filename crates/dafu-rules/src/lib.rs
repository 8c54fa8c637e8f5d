//! Fraud rules.

mod batch;
mod check;
mod condition;
mod date;
mod engine;
mod error;
mod language;
pub mod optimize;
mod program;
mod ruleset;
mod schema;

pub use batch::{Columns, Decisions, RowBits, RuleMatrix, TextColumn};
pub use condition::{CompiledCondition, Condition, Literal};
pub use engine::{ConditionPart, Joint, Margin, Moment, RuleEngine, RuleExplanation, RuleReport};
pub use error::RuleError;
pub use language::{Code, ConditionError, Diagnostic, Dimension, Severity, Span};
pub use program::{Row, Truth};
pub use ruleset::{
    Action, Combination, Conflict, ListEntry, ListKind, OnMissing, Rule, RuleList, RuleSet,
    RuleState, Suppressions,
};
pub use schema::{RuleSchema, Slot, Variable, VariableType};
