//! Parameters and their check.

use crate::check::{counts, numbers, start};
use crate::{Scenario, ScenarioRates, Simulator, SimulatorError};
use dafu_core::time::Civil;
use dafu_core::{Currency, Timestamp};

/// Most days of a run.
pub const MAX_DAYS: u32 = 366_000;
/// Most users.
pub const MAX_USERS: u32 = 10_000_000;
/// Fewest users: a ring needs up to eight.
pub const MIN_USERS: u32 = 10;
/// Most merchants.
pub const MAX_MERCHANTS: u32 = 10_000_000;
/// Fewest merchants: one for each category.
pub const MIN_MERCHANTS: u32 = 14;

/// How long it takes until a label is known: a minimum and an exponentially distributed rest.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct LabelDelay {
    /// Days that every label takes at least, 0 to 3,650. Default 7, the delay of the Handbook.
    pub minimum_days: f64,
    /// Mean of the further days, 0 to 3,650. Default 10.
    pub mean_further_days: f64,
}

impl Default for LabelDelay {
    fn default() -> Self {
        Self {
            minimum_days: 7.0,
            mean_further_days: 10.0,
        }
    }
}

impl LabelDelay {
    pub(crate) fn check(self) -> Result<(), SimulatorError> {
        numbers(&[
            ("label_delay.minimum_days", 0.0, 3_650.0, self.minimum_days),
            (
                "label_delay.mean_further_days",
                0.0,
                3_650.0,
                self.mean_further_days,
            ),
        ])
    }
}

/// Parameters of a simulation.
///
/// ```
/// use dafu_sim::SimulatorParams;
/// let params = SimulatorParams::default().users(500).days(30).seed(7);
/// assert!(params.check().is_ok());
/// assert_eq!(
///     params.users(3).check().unwrap_err().to_string(),
///     "`users` must be between 10 and 10000000, got 3"
/// );
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct SimulatorParams {
    /// Seed of all randomness. Default 0.
    pub seed: u64,
    /// First day: midnight UTC. Default 2024-01-01.
    pub start: Timestamp,
    /// Days, 1 to [`MAX_DAYS`]. Default 90.
    pub days: u32,
    /// Users, [`MIN_USERS`] to [`MAX_USERS`]; each takes about half a KiB. Default 2,000.
    pub users: u32,
    /// Merchants, [`MIN_MERCHANTS`] to [`MAX_MERCHANTS`]. Default 1,500.
    pub merchants: u32,
    /// Expected ordinary payments of a user on a plain day, above 0 and at most 100. Default 1.5.
    ///
    /// The users' rates are log-normal around it; weekends and the days after the salary raise them.
    pub payments_per_user_day: f64,
    /// Currency of all amounts. Default EUR.
    pub currency: Currency,
    /// How much of which fraud. Default 0.8 % in all.
    pub rates: ScenarioRates,
    /// When labels are known.
    pub label_delay: LabelDelay,
    /// Share of payments that never get a label, 0 to 1. Default 0.
    pub unlabelled_share: f64,
}

impl Default for SimulatorParams {
    fn default() -> Self {
        Self {
            seed: 0,
            start: Timestamp::from_civil(Civil::date(2024, 1, 1)).unwrap_or(Timestamp::EPOCH),
            days: 90,
            users: 2_000,
            merchants: 1_500,
            payments_per_user_day: 1.5,
            currency: Currency::new("EUR").unwrap_or(Currency::NONE),
            rates: ScenarioRates::default(),
            label_delay: LabelDelay::default(),
            unlabelled_share: 0.0,
        }
    }
}

/// Parameters that passed [`SimulatorParams::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedSimulatorParams(SimulatorParams);

impl CheckedSimulatorParams {
    /// The parameters.
    pub const fn params(&self) -> &SimulatorParams {
        &self.0
    }

    pub(crate) fn into_params(self) -> SimulatorParams {
        self.0
    }

    /// Starts the simulation.
    ///
    /// # Complexity
    ///
    /// O(users + merchants) time and memory.
    pub fn simulator(self) -> Simulator {
        Simulator::new(self)
    }
}

impl SimulatorParams {
    dafu_core::setters! {
        seed: u64,
        start: Timestamp,
        days: u32,
        users: u32,
        merchants: u32,
        payments_per_user_day: f64,
        currency: Currency,
        rates: ScenarioRates,
        label_delay: LabelDelay,
        unlabelled_share: f64,
    }

    /// Checks every parameter.
    ///
    /// # Errors
    ///
    /// [`SimulatorError::CountOutOfRange`], [`SimulatorError::OutOfRange`] and [`SimulatorError::Start`].
    pub fn check(&self) -> Result<CheckedSimulatorParams, SimulatorError> {
        counts(&[
            ("days", 1, MAX_DAYS, self.days),
            ("users", MIN_USERS, MAX_USERS, self.users),
            ("merchants", MIN_MERCHANTS, MAX_MERCHANTS, self.merchants),
        ])?;
        numbers(&[
            (
                "payments_per_user_day",
                1e-6,
                100.0,
                self.payments_per_user_day,
            ),
            ("unlabelled_share", 0.0, 1.0, self.unlabelled_share),
        ])?;
        self.label_delay.check()?;
        numbers(
            &Scenario::ALL.map(|scenario| (scenario.name(), 0.0, 0.2, self.rates.rate(scenario))),
        )?;
        start(self.start, self.days)?;
        Ok(CheckedSimulatorParams(self.clone()))
    }

    /// Checks the parameters and starts the simulation.
    ///
    /// # Errors
    ///
    /// As [`SimulatorParams::check`].
    pub fn simulator(&self) -> Result<Simulator, SimulatorError> {
        Ok(self.check()?.simulator())
    }
}
