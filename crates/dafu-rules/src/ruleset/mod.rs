//! Rules in sets: actions, lists, combinations.

mod action;
mod combine;
#[cfg(feature = "serde")]
mod file;
mod list;
mod rule;
mod set;
mod template;

pub use action::Action;
pub use combine::{Combination, Conflict};
pub use list::{ListEntry, ListKind, RuleList, Suppression, Suppressions};
pub(crate) use list::{Lists, ListsAt};
pub(crate) use rule::wrong;
pub use rule::{OnMissing, Rule, RuleState};
pub(crate) use set::MOST_RULES;
pub use set::RuleSet;
pub(crate) use template::{Shown, Template, short, time};
