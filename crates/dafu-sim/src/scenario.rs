//! The fraud scenarios and their rates.

use std::fmt;

/// Why a payment is fraud.
///
/// The crate page says for each what it looks like, and what gives it away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Scenario {
    /// A single payment far above what the user pays for such things.
    AmountOutlier,
    /// Every payment at one terminal for fourteen days.
    CompromisedTerminal,
    /// For fourteen days every third payment of a user, at five times the amount.
    StolenCredentials,
    /// A burst of payments by somebody else, on another device, mostly far away and at night.
    AccountTakeover,
    /// Many tiny payments in minutes at few online merchants, then a large one.
    CardTesting,
    /// Ordinary-looking payments of several accounts that share devices, addresses and merchants.
    Ring,
}

impl Scenario {
    /// All scenarios.
    pub const ALL: [Self; 6] = [
        Self::AmountOutlier,
        Self::CompromisedTerminal,
        Self::StolenCredentials,
        Self::AccountTakeover,
        Self::CardTesting,
        Self::Ring,
    ];

    /// The name: `amount_outlier`, `compromised_terminal`, ...
    pub const fn name(self) -> &'static str {
        match self {
            Self::AmountOutlier => "amount_outlier",
            Self::CompromisedTerminal => "compromised_terminal",
            Self::StolenCredentials => "stolen_credentials",
            Self::AccountTakeover => "account_takeover",
            Self::CardTesting => "card_testing",
            Self::Ring => "ring",
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Expected payments of each scenario for one ordinary payment: 0.001 is one in a thousand; 0 switches it off.
///
/// Each from 0 to 0.2. Above about 0.02 campaigns begin to overlap, and the share falls behind the rate.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct ScenarioRates {
    /// Rate of [`Scenario::AmountOutlier`]. Default 0.0005.
    pub amount_outlier: f64,
    /// Rate of [`Scenario::CompromisedTerminal`]. Default 0.002.
    pub compromised_terminal: f64,
    /// Rate of [`Scenario::StolenCredentials`]. Default 0.002.
    pub stolen_credentials: f64,
    /// Rate of [`Scenario::AccountTakeover`]. Default 0.0015.
    pub account_takeover: f64,
    /// Rate of [`Scenario::CardTesting`]. Default 0.001.
    pub card_testing: f64,
    /// Rate of [`Scenario::Ring`]. Default 0.001.
    pub ring: f64,
}

impl Default for ScenarioRates {
    fn default() -> Self {
        Self {
            amount_outlier: 0.0005,
            compromised_terminal: 0.002,
            stolen_credentials: 0.002,
            account_takeover: 0.0015,
            card_testing: 0.001,
            ring: 0.001,
        }
    }
}

impl ScenarioRates {
    /// All scenarios off.
    pub const NONE: Self = Self {
        amount_outlier: 0.0,
        compromised_terminal: 0.0,
        stolen_credentials: 0.0,
        account_takeover: 0.0,
        card_testing: 0.0,
        ring: 0.0,
    };

    /// The rate of one scenario.
    pub const fn rate(&self, scenario: Scenario) -> f64 {
        match scenario {
            Scenario::AmountOutlier => self.amount_outlier,
            Scenario::CompromisedTerminal => self.compromised_terminal,
            Scenario::StolenCredentials => self.stolen_credentials,
            Scenario::AccountTakeover => self.account_takeover,
            Scenario::CardTesting => self.card_testing,
            Scenario::Ring => self.ring,
        }
    }

    /// Sets the rate of one scenario.
    #[must_use]
    pub const fn with(mut self, scenario: Scenario, rate: f64) -> Self {
        match scenario {
            Scenario::AmountOutlier => self.amount_outlier = rate,
            Scenario::CompromisedTerminal => self.compromised_terminal = rate,
            Scenario::StolenCredentials => self.stolen_credentials = rate,
            Scenario::AccountTakeover => self.account_takeover = rate,
            Scenario::CardTesting => self.card_testing = rate,
            Scenario::Ring => self.ring = rate,
        }
        self
    }

    /// Only one scenario, at this rate.
    #[must_use]
    pub const fn only(scenario: Scenario, rate: f64) -> Self {
        Self::NONE.with(scenario, rate)
    }

    /// The sum of all rates: about the share of fraud.
    pub fn total(&self) -> f64 {
        Scenario::ALL
            .iter()
            .map(|&scenario| self.rate(scenario))
            .sum()
    }

    /// All rates times one factor.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Scenario::ALL.iter().fold(self, |rates, &scenario| {
            rates.with(scenario, self.rate(scenario) * factor)
        })
    }
}
