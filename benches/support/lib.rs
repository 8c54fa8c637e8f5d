//! Shared by the benches.

use dafu_core::Transaction;
use dafu_sim::SimulatorParams;

/// A hundred thousand simulated payments, the same in every run.
///
/// # Panics
///
/// Never: the parameters are fixed and allowed.
pub fn payments() -> Vec<Transaction> {
    let params = SimulatorParams::default().users(1_000).days(60).seed(42);
    params
        .simulator()
        .map(Iterator::collect)
        .unwrap_or_default()
}
