//! Parameters and their check.

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
    /// Sets the seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the first day.
    #[must_use]
    pub fn start(mut self, start: Timestamp) -> Self {
        self.start = start;
        self
    }

    /// Sets the number of days.
    #[must_use]
    pub fn days(mut self, days: u32) -> Self {
        self.days = days;
        self
    }

    /// Sets the number of users.
    #[must_use]
    pub fn users(mut self, users: u32) -> Self {
        self.users = users;
        self
    }

    /// Sets the number of merchants.
    #[must_use]
    pub fn merchants(mut self, merchants: u32) -> Self {
        self.merchants = merchants;
        self
    }

    /// Sets the expected ordinary payments of a user on a plain day.
    #[must_use]
    pub fn payments_per_user_day(mut self, payments: f64) -> Self {
        self.payments_per_user_day = payments;
        self
    }

    /// Sets the currency.
    #[must_use]
    pub fn currency(mut self, currency: Currency) -> Self {
        self.currency = currency;
        self
    }

    /// Sets the rates of all scenarios.
    #[must_use]
    pub fn rates(mut self, rates: ScenarioRates) -> Self {
        self.rates = rates;
        self
    }

    /// Sets when labels are known.
    #[must_use]
    pub fn label_delay(mut self, delay: LabelDelay) -> Self {
        self.label_delay = delay;
        self
    }

    /// Sets the share of payments that never get a label.
    #[must_use]
    pub fn unlabelled_share(mut self, share: f64) -> Self {
        self.unlabelled_share = share;
        self
    }

    /// Checks every parameter.
    ///
    /// # Errors
    ///
    /// [`SimulatorError::CountOutOfRange`], [`SimulatorError::OutOfRange`] and [`SimulatorError::Start`].
    pub fn check(&self) -> Result<CheckedSimulatorParams, SimulatorError> {
        for (name, min, max, got) in [
            ("days", 1, MAX_DAYS, self.days),
            ("users", MIN_USERS, MAX_USERS, self.users),
            ("merchants", MIN_MERCHANTS, MAX_MERCHANTS, self.merchants),
        ] {
            if !(min..=max).contains(&got) {
                let (min, max, got) = (min.into(), max.into(), got.into());
                return Err(SimulatorError::CountOutOfRange {
                    name,
                    min,
                    max,
                    got,
                });
            }
        }
        let within = |name, min: f64, max: f64, got: f64| {
            if got >= min && got <= max {
                Ok(())
            } else {
                Err(SimulatorError::OutOfRange {
                    name,
                    min,
                    max,
                    got,
                })
            }
        };
        within(
            "payments_per_user_day",
            1e-6,
            100.0,
            self.payments_per_user_day,
        )?;
        within("unlabelled_share", 0.0, 1.0, self.unlabelled_share)?;
        within(
            "label_delay.minimum_days",
            0.0,
            3_650.0,
            self.label_delay.minimum_days,
        )?;
        within(
            "label_delay.mean_further_days",
            0.0,
            3_650.0,
            self.label_delay.mean_further_days,
        )?;
        for scenario in Scenario::ALL {
            within(scenario.name(), 0.0, 0.2, self.rates.rate(scenario))?;
        }
        let first = self.start.day();
        let last = first + i64::from(self.days);
        let midnight = first.checked_mul(86_400_000_000) == Some(self.start.as_micros());
        // Day 2,567,655 is the first of the year 9000.
        if !midnight || last > 2_567_655 {
            return Err(SimulatorError::Start { got: self.start });
        }
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
