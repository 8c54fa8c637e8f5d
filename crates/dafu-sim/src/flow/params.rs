//! Parameters of simulated transfers, and their check.

use super::FlowWorld;
use crate::SimulatorError;
use crate::check::{counts, numbers, start};
use dafu_core::time::Civil;
use dafu_core::{Currency, Timestamp};

/// Parameters of simulated transfers: [`FlowWorldParams::simulate`].
///
/// ```
/// use dafu_sim::{FlowKind, FlowWorldParams};
/// # fn main() -> Result<(), dafu_sim::SimulatorError> {
/// let world = FlowWorldParams::default().accounts(1_000).seed(7).simulate()?;
/// let transfers: Vec<_> = world.transfers().collect();
/// let patterns = world.patterns();
/// let cycle = patterns.iter().find(|pattern| pattern.kind == FlowKind::Cycle).unwrap();
/// // It ends where it begins.
/// let (first, last) = (cycle.transfers[0], cycle.transfers[cycle.transfers.len() - 1]);
/// assert_eq!(transfers[first].from, transfers[last].to);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct FlowWorldParams {
    /// Seed of all randomness. Default 0.
    pub seed: u64,
    /// First day. Default 2024-01-01.
    pub start: Timestamp,
    /// Days, 30 to 3,660. Default 60.
    pub days: u32,
    /// Accounts, 200 to 10,000,000. Default 5,000.
    pub accounts: u32,
    /// Mean number of transfers that a person makes, 0 to 1,000. Default 6.
    pub transfers_per_account: f64,
    /// Patterns of each kind, 0 to 1,000. Default 3.
    pub patterns_of_each: u32,
    /// Fewest accounts that pay or are paid by one, and fewest transfers of a cycle or a chain: 3 to 64. Default 4.
    pub smallest: u32,
    /// Most of them, up to 64. Default 8.
    pub largest: u32,
    /// Share of an amount that an account that passes it on keeps, at most: 0 to 0.5. Default 0.05.
    pub fee: f64,
    /// Days from the first to the last transfer of a pattern, at most: above 0, up to 30. Default 5.
    pub window_days: f64,
    /// Currency of all amounts. Default EUR.
    pub currency: Currency,
}

impl Default for FlowWorldParams {
    fn default() -> Self {
        Self {
            seed: 0,
            start: Timestamp::from_civil(Civil::date(2024, 1, 1)).unwrap_or(Timestamp::EPOCH),
            days: 60,
            accounts: 5_000,
            transfers_per_account: 6.0,
            patterns_of_each: 3,
            smallest: 4,
            largest: 8,
            fee: 0.05,
            window_days: 5.0,
            currency: Currency::new("EUR").unwrap_or(Currency::NONE),
        }
    }
}

impl FlowWorldParams {
    dafu_core::setters! {
        seed: u64,
        start: Timestamp,
        days: u32,
        accounts: u32,
        transfers_per_account: f64,
        patterns_of_each: u32,
        smallest: u32,
        largest: u32,
        fee: f64,
        window_days: f64,
        currency: Currency,
    }

    /// Checks every parameter.
    ///
    /// # Errors
    ///
    /// [`SimulatorError::CountOutOfRange`], [`SimulatorError::OutOfRange`] and [`SimulatorError::Start`].
    pub fn check(&self) -> Result<(), SimulatorError> {
        counts(&[
            ("days", 30, 3_660, self.days),
            ("accounts", 200, 10_000_000, self.accounts),
            ("patterns_of_each", 0, 1_000, self.patterns_of_each),
            ("smallest", 3, 64, self.smallest),
            ("largest", self.smallest, 64, self.largest),
        ])?;
        numbers(&[
            (
                "transfers_per_account",
                0.0,
                1_000.0,
                self.transfers_per_account,
            ),
            ("fee", 0.0, 0.5, self.fee),
            ("window_days", 1e-3, 30.0, self.window_days),
        ])?;
        start(self.start, self.days)
    }

    /// Checks the parameters and simulates. O(transfers log transfers).
    ///
    /// # Errors
    ///
    /// As [`FlowWorldParams::check`].
    pub fn simulate(&self) -> Result<FlowWorld, SimulatorError> {
        self.check()?;
        Ok(FlowWorld::new(self))
    }
}
