//! A schema with a variable of every kind.
#![allow(
    dead_code,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: not every one needs everything"
)]

pub(crate) mod merchant;
pub(crate) mod past;
pub(crate) mod random;
pub(crate) mod table;

use dafu_core::Unit;
use dafu_rules::{RuleSchema, Variable, VariableType};
use std::sync::Arc;

pub(crate) fn schema() -> RuleSchema {
    let levels: Vec<Arc<str>> = ["grocery", "travel", "gaming"].map(Arc::from).into();
    RuleSchema::new([
        Variable::number("amount", Unit::Money).nullable(),
        Variable::number("distance", Unit::Kilometre).nullable(),
        Variable::number("gap", Unit::Hour),
        Variable::number("speed", Unit::KilometrePerHour),
        Variable::number("share", Unit::Share),
        Variable::number("per_hour", Unit::PerHour),
        Variable::number("count_1h", Unit::Count),
        Variable::flag("declined"),
        Variable::new("category", VariableType::Category { levels }).nullable(),
        Variable::time("timestamp"),
        Variable::text("country").nullable(),
        Variable::text("merchant"),
        Variable::ip("ip").nullable(),
    ])
    .unwrap()
    .currency("EUR".parse().unwrap())
    .rate("USD".parse().unwrap(), 0.5)
    .unwrap()
    .list("blocked")
}

/// 2026-03-06T23:30:00Z, a Friday.
pub(crate) const FRIDAY: f64 = 1_772_839_800e6;

/// Numbers of [`schema`].
pub(crate) const NUMBERS: [f64; 10] =
    [250.0, 1200.0, 0.5, 900.0, 0.25, 12.0, 3.0, 1.0, 1.0, FRIDAY];

/// Texts of [`schema`].
pub(crate) const TEXTS: [Option<&str>; 3] = [Some("DE"), Some("Book-Shop 24"), Some("10.1.2.3")];
