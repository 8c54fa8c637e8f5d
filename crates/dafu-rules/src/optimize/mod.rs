//! Which rules earn their place: backtests, overlaps, thresholds, changes, choices, weights, new rules.

mod backtest;
mod folds;
mod judged;
mod mine;
mod overlap;
mod parameter;
mod select;
mod sweep;
mod weights;
mod what_if;

pub use backtest::{Backtest, RuleBacktest, Week};
pub use judged::{Hits, Judged};
pub use mine::{CheckedMineParams, Direction, Holdout, MineParams, MineSource, Mined, MinedRule};
pub use overlap::{Overlap, Pair};
pub use select::{AlertBudget, Kept, SelectParams, Selection, Stability, WhyLeftOut};
pub use sweep::{Goal, Sweep, SweepPoint};
pub use weights::{RuleWeights, WeightParams};
pub use what_if::{Transition, WhatIf};
