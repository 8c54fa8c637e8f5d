//! Which rules earn their place: backtests, overlaps, thresholds, changes.

mod backtest;
mod judged;
mod overlap;

pub use backtest::{Backtest, RuleBacktest, Week};
pub use judged::{Hits, Judged};
pub use overlap::{Overlap, Pair};
