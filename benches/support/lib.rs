//! Shared by the benches.

use dafu_core::Transaction;
use dafu_sim::SimulatorParams;
use rustix::time::{ClockId, clock_gettime};

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

/// CPU seconds of this process.
pub fn cpu_seconds() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}
