//! Fraud rules: a typed language with units, rule sets that explain their decisions, backtests.
//!
//! ```
//! use dafu_core::{Timestamp, Unit};
//! use dafu_rules::{Action, Moment, Row, Rule, RuleSchema, RuleSet, Variable};
//!
//! // What rules may ask about, with units.
//! let schema = RuleSchema::new([
//!     Variable::number("amount", Unit::Money),
//!     Variable::number("distance_from_home", Unit::Kilometre).nullable(),
//!     Variable::text("country"),
//! ])?;
//! let rules = RuleSet::new([
//!     Rule::new("far_away", "amount > 100 and distance_from_home > 621mi", 0.7)
//!         .action(Action::LocationVerification)
//!         .reason("paid {amount} {distance_from_home} from home"),
//!     Rule::new("abroad", "country not in ['DE', 'AT', 'CH']", 0.2),
//! ]);
//! let engine = rules.compile(&schema)?;
//!
//! let row = Row { numbers: &[250.0, 1200.0], texts: &[Some("DE")] };
//! let report = engine.evaluate(row, &Moment::at(Timestamp::from_seconds(0)?))?;
//! assert_eq!(report.action, Action::LocationVerification);
//! assert_eq!(engine.reasons(row, &report)[0].text, "paid 250 1200 km from home");
//!
//! // Names, types and units are checked before the first event.
//! let wrong = RuleSet::new([Rule::new("fast", "distance_from_home > 10min", 0.5)]);
//! let mistake = wrong.compile(&schema).map(|_| ()).unwrap_err().to_string();
//! assert!(mistake.starts_with("error[rules::E005]: length does not go with time"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | to | there is |
//! |---|---|
//! | write a condition | the [reference](mod@reference) of the language, [`Condition`] |
//! | read transactions | [`RuleSchema::transaction`], [`TransactionRow`] |
//! | decide about an event | [`RuleSet`], [`RuleEngine::evaluate`], [`RuleReport`] |
//! | see why | [`RuleEngine::reasons`], [`RuleEngine::explain`], [`RuleEngine::missing`] |
//! | decide about many events | [`Columns`], [`RuleEngine::evaluate_columns`]: the same answers, tests shared by rules |
//! | see which rules earn their place | [`optimize`]: backtests, overlaps, other numbers, other rules, choices, weights |
//! | find rules | [`optimize::MineParams`]: from past events, confirmed on later ones |
//! | see how risky merchants are | [`MerchantRiskProcessor`]: chargebacks, patterns, places, with intervals; [`MerchantBook`] for all of a stream |
//! | decide by a table | [`DecisionTable`]: rows of tests and values, checked for overlaps and gaps |
//! | load rules and tables from files | [`RuleSet::from_json`], [`DecisionTable::from_toml`] and so on with the feature `serde` |
//!
//! Scores that a model learned belong into [`RuleSchema`] as variables; the detector of `dafu-pipeline` wires both. A
//! language with loops, functions of your own or side effects is what script engines are for.
//!
//! | feature | |
//! |---|---|
//! | `linfa` | mining from the paths of decision trees, too |
//! | `serde` | rule sets and decision tables as JSON and TOML; what [`optimize`] found and [`MerchantAssessment`] as serde types, but not [`RuleReport`] and explanations |
//!
//! MSRV 1.89.

mod batch;
mod check;
mod condition;
mod date;
mod engine;
mod error;
#[cfg(feature = "serde")]
mod file;
mod language;
mod merchant;
pub mod optimize;
mod program;
mod ruleset;
mod schema;
mod table;
mod transaction;

#[doc = include_str!("../docs/language.md")]
pub mod reference {}

pub use batch::{Columns, Decisions, RowBits, RuleMatrix, TextColumn};
pub use condition::{CompiledCondition, Condition, Literal};
pub use engine::{
    ConditionPart, Joint, Margin, MarginKind, MissingCause, MissingValue, Moment, RuleEngine,
    RuleExplanation, RuleReport,
};
pub use error::RuleError;
pub use language::{Code, ConditionError, Diagnostic, Dimension, Severity, Span};
pub use merchant::{
    Factor, FactorKind, MOST_COUNTRIES, MOST_CUSTOMERS, MerchantAssessment, MerchantBook,
    MerchantFactors, MerchantHistory, MerchantRiskProcessor,
};
pub use program::{Row, Truth};
pub use ruleset::{
    Action, Combination, Conflict, ListEntry, ListKind, OnMissing, Rule, RuleList, RuleSet,
    RuleState, Suppression, Suppressions,
};
pub use schema::{RuleSchema, Slot, Variable, VariableType};
pub use table::{
    CompiledTable, DecisionTable, HitPolicy, TableAnswer, TableCheck, TableExample, TableFinding,
    TableRow, TableValue,
};
pub use transaction::TransactionRow;
