//! Which factors, and what they take for small, far or recent.

use super::FactorKind;
use crate::RuleError;
use std::collections::BTreeSet;

/// Most limits of [`MerchantFactors::limits`].
const MOST_LIMITS: usize = 16;

/// Which factors to compute, and what counts as recent, small, round, far or rare.
///
/// ```
/// use dafu_rules::{FactorKind, MerchantFactors};
///
/// let factors = MerchantFactors::default()
///     .only([FactorKind::ChargebackRate, FactorKind::VelocityChange])
///     .recent_days(7);
/// assert!(factors.check().is_ok());
/// let mistake = factors.recent_days(0).check().unwrap_err().to_string();
/// assert_eq!(mistake, "`recent_days` must be from 1 to 365, got 0");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct MerchantFactors {
    /// The factors. Default all; rules find the others missing.
    pub wanted: BTreeSet<FactorKind>,
    /// Days up to the moment asked about that are recent, 1 to 365. Default 30.
    pub recent_days: u32,
    /// Days up to the moment asked about that records are looked at for, from `recent_days` to 36,500; all records where there
    /// is none, as by default. So what a merchant was like years ago can be forgotten.
    pub window_days: Option<u32>,
    /// Minutes by which the clock of the merchant is ahead of UTC, -1,080 to 1,080. Default 0.
    pub utc_offset_minutes: i32,
    /// The first hour of the night and the first after it, 0 to 23; past midnight where the first is the greater. Default
    /// 0 and 6.
    pub night: (u8, u8),
    /// What round amounts are multiples of, in major units, from 1. Default 10.
    pub round_to: u32,
    /// Limits that somebody may want to stay below, in major units, at most 16. Default 1,000, 3,000 and 10,000.
    ///
    /// Source: 1,000 EUR of Regulation (EU) 2023/1113 on information accompanying transfers; 3,000 USD of 31 CFR 1010.410
    /// and 10,000 USD of 31 CFR 1010.311 on records and reports.
    pub limits: Vec<u32>,
    /// Percent of a limit that is just below it, 1 to 50. Default 5.
    pub below_percent: u32,
    /// The largest small amount, in major units of its currency, from 0. Default 5.
    pub small_amount: f64,
    /// Kilometres from which on a customer is far from home, from 0. Default 500.
    pub far_km: f64,
    /// The share of payments below which a country is rare, above 0 and at most 0.5. Default 0.05.
    pub rare_country: f64,
    /// Customers from which on a device is shared, 2 to 16. Default 3, as two may be a couple.
    pub shared_by: u32,
}

impl Default for MerchantFactors {
    fn default() -> Self {
        Self {
            wanted: FactorKind::ALL.iter().copied().collect(),
            recent_days: 30,
            window_days: None,
            utc_offset_minutes: 0,
            night: (0, 6),
            round_to: 10,
            limits: vec![1_000, 3_000, 10_000],
            below_percent: 5,
            small_amount: 5.0,
            far_km: 500.0,
            rare_country: 0.05,
            shared_by: 3,
        }
    }
}

impl MerchantFactors {
    /// Only these factors.
    #[must_use]
    pub fn only(mut self, wanted: impl IntoIterator<Item = FactorKind>) -> Self {
        self.wanted = wanted.into_iter().collect();
        self
    }

    /// All but this factor.
    #[must_use]
    pub fn without(mut self, factor: FactorKind) -> Self {
        self.wanted.remove(&factor);
        self
    }

    /// Sets the days that are recent.
    #[must_use]
    pub const fn recent_days(mut self, days: u32) -> Self {
        self.recent_days = days;
        self
    }

    /// Sets the days that records are looked at for.
    #[must_use]
    pub const fn window_days(mut self, days: u32) -> Self {
        self.window_days = Some(days);
        self
    }

    /// Sets by how many minutes the clock of the merchant is ahead of UTC.
    #[must_use]
    pub const fn utc_offset_minutes(mut self, minutes: i32) -> Self {
        self.utc_offset_minutes = minutes;
        self
    }

    /// Sets the first hour of the night and the first after it.
    #[must_use]
    pub const fn night(mut self, from: u8, until: u8) -> Self {
        self.night = (from, until);
        self
    }

    /// Sets what round amounts are multiples of.
    #[must_use]
    pub const fn round_to(mut self, major: u32) -> Self {
        self.round_to = major;
        self
    }

    /// Sets the limits that somebody may want to stay below.
    #[must_use]
    pub fn limits(mut self, major: impl IntoIterator<Item = u32>) -> Self {
        self.limits = major.into_iter().collect();
        self
    }

    /// Sets the percent of a limit that is just below it.
    #[must_use]
    pub const fn below_percent(mut self, percent: u32) -> Self {
        self.below_percent = percent;
        self
    }

    /// Sets the largest small amount.
    #[must_use]
    pub const fn small_amount(mut self, major: f64) -> Self {
        self.small_amount = major;
        self
    }

    /// Sets the kilometres from which on a customer is far from home.
    #[must_use]
    pub const fn far_km(mut self, kilometres: f64) -> Self {
        self.far_km = kilometres;
        self
    }

    /// Sets the share below which a country is rare.
    #[must_use]
    pub const fn rare_country(mut self, share: f64) -> Self {
        self.rare_country = share;
        self
    }

    /// Sets the customers from which on a device is shared.
    #[must_use]
    pub const fn shared_by(mut self, customers: u32) -> Self {
        self.shared_by = customers;
        self
    }

    /// Checks all settings.
    ///
    /// # Errors
    ///
    /// [`RuleError::Setting`] for the first that is out of its range.
    pub fn check(&self) -> Result<(), RuleError> {
        let (from, until) = self.night;
        let limits = self.limits.len();
        let whole = |number: u32| f64::from(number);
        let settings = [
            (
                "recent_days",
                "from 1 to 365",
                whole(self.recent_days),
                (1.0, 365.0),
            ),
            (
                "window_days",
                "from `recent_days` to 36500",
                whole(self.window_days.unwrap_or(self.recent_days)),
                (whole(self.recent_days), 36_500.0),
            ),
            (
                "utc_offset_minutes",
                "from -1080 to 1080",
                f64::from(self.utc_offset_minutes),
                (-1080.0, 1080.0),
            ),
            ("night", "hours from 0 to 23", f64::from(from), (0.0, 23.0)),
            ("night", "hours from 0 to 23", f64::from(until), (0.0, 23.0)),
            (
                "round_to",
                "at least 1",
                whole(self.round_to),
                (1.0, f64::MAX),
            ),
            (
                "limits",
                "at most 16",
                limits as f64,
                (0.0, MOST_LIMITS as f64),
            ),
            (
                "below_percent",
                "from 1 to 50",
                whole(self.below_percent),
                (1.0, 50.0),
            ),
            (
                "small_amount",
                "a number from 0",
                self.small_amount,
                (0.0, f64::MAX),
            ),
            ("far_km", "a number from 0", self.far_km, (0.0, f64::MAX)),
            (
                "rare_country",
                "above 0 and at most 0.5",
                self.rare_country,
                (f64::MIN_POSITIVE, 0.5),
            ),
            (
                "shared_by",
                "from 2 to 16",
                whole(self.shared_by),
                (2.0, 16.0),
            ),
        ];
        for (name, expected, got, (least, most)) in settings {
            if !(least..=most).contains(&got) {
                return Err(RuleError::Setting {
                    name,
                    expected,
                    got,
                });
            }
        }
        Ok(())
    }

    /// Whether one of these is to be computed.
    pub(super) fn wants(&self, kinds: &[FactorKind]) -> bool {
        kinds.iter().any(|kind| self.wanted.contains(kind))
    }

    /// Whether an hour of the day, in the time of the merchant, belongs to the night.
    pub(super) const fn is_night(&self, hour: i64) -> bool {
        let (from, until) = (self.night.0 as i64, self.night.1 as i64);
        if from <= until {
            from <= hour && hour < until
        } else {
            from <= hour || hour < until
        }
    }
}
