//! Which rules earn their place: backtests, overlaps, thresholds, changes.

mod backtest;
mod judged;
mod overlap;
mod sweep;
mod what_if;

pub use backtest::{Backtest, RuleBacktest, Week};
pub use judged::{Hits, Judged};
pub use overlap::{Overlap, Pair};
pub use sweep::{Goal, Sweep, SweepPoint};
pub use what_if::{Transition, WhatIf};
