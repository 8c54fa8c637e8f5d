//! Amounts of money in whole minor units, so that sums are exact and free of order.

use crate::CoreError;
use std::fmt;
use std::str::FromStr;

/// A currency code of ISO 4217.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct Currency([u8; 3]);

impl Currency {
    /// `XXX`, the code for "no currency given". Amounts have two decimals.
    pub const NONE: Self = Self(*b"XXX");

    /// Checks a code of three upper-case letters.
    ///
    /// # Errors
    ///
    /// [`CoreError::Currency`] for anything else.
    pub fn new(code: &str) -> Result<Self, CoreError> {
        match *code.as_bytes() {
            [a, b, c] if [a, b, c].iter().all(u8::is_ascii_uppercase) => Ok(Self([a, b, c])),
            _ => Err(CoreError::Currency {
                got: code.chars().take(16).collect(),
            }),
        }
    }

    /// The three letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// Decimal places of the minor unit: 2 for most, 0 for JPY and others, 3 for KWD and others.
    ///
    /// Source: ISO 4217 list one (minor units other than 2).
    pub const fn decimals(self) -> u32 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG"
            | b"RWF" | b"UGX" | b"UYI" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            b"CLF" | b"UYW" => 4,
            _ => 2,
        }
    }

    /// Minor units in one major unit: 100 for EUR.
    pub const fn minor_per_major(self) -> i64 {
        10_i64.pow(self.decimals())
    }
}

impl Default for Currency {
    fn default() -> Self {
        Self::NONE
    }
}

impl FromStr for Currency {
    type Err = CoreError;
    fn from_str(code: &str) -> Result<Self, CoreError> {
        Self::new(code)
    }
}

impl TryFrom<String> for Currency {
    type Error = CoreError;
    fn try_from(code: String) -> Result<Self, CoreError> {
        Self::new(&code)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount in whole minor units (cents for EUR) and its currency. Negative amounts are reversals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Money {
    minor: i64,
    currency: Currency,
}

impl Money {
    /// An amount from minor units: `from_minor(5716, EUR)` is 57.16 EUR.
    pub const fn from_minor(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// An amount from major units, rounded to the nearest minor unit, halves away from zero.
    ///
    /// # Errors
    ///
    /// [`CoreError::NotFinite`] for NaN and infinities, [`CoreError::AmountOverflow`] where minor units would pass
    /// 2^53, above which `f64` no longer tells neighbouring amounts apart.
    pub fn from_major(major: f64, currency: Currency) -> Result<Self, CoreError> {
        if !major.is_finite() {
            return Err(CoreError::NotFinite {
                what: "amount",
                got: major,
            });
        }
        let minor = (major * currency.minor_per_major() as f64).round();
        if minor.abs() > 9_007_199_254_740_992.0 {
            return Err(CoreError::AmountOverflow {
                got: major,
                currency,
            });
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "at most 2^53 in absolute value"
        )]
        let minor = minor as i64;
        Ok(Self { minor, currency })
    }

    /// Minor units.
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// Major units, for features and reports.
    pub fn major(self) -> f64 {
        self.minor as f64 / self.currency.minor_per_major() as f64
    }

    /// The currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// The sum of two amounts of one currency.
    ///
    /// # Errors
    ///
    /// [`CoreError::CurrencyMismatch`], or [`CoreError::AmountOverflow`] past 64 bits.
    pub fn checked_add(self, other: Self) -> Result<Self, CoreError> {
        if self.currency != other.currency {
            return Err(CoreError::CurrencyMismatch {
                left: self.currency,
                right: other.currency,
            });
        }
        let minor = self
            .minor
            .checked_add(other.minor)
            .ok_or(CoreError::AmountOverflow {
                got: self.major() + other.major(),
                currency: self.currency,
            })?;
        Ok(Self {
            minor,
            currency: self.currency,
        })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = self.currency.decimals() as usize;
        let unit = self.currency.minor_per_major().unsigned_abs();
        let sign = if self.minor < 0 { "-" } else { "" };
        let minor = self.minor.unsigned_abs();
        write!(f, "{sign}{}", minor / unit)?;
        if decimals > 0 {
            write!(f, ".{:0decimals$}", minor % unit)?;
        }
        if self.currency == Currency::NONE {
            Ok(())
        } else {
            write!(f, " {}", self.currency)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Currency, Money};

    #[test]
    fn prints_in_the_currencys_own_decimals() {
        let text = |minor, code| Money::from_minor(minor, Currency::new(code).unwrap()).to_string();
        assert_eq!(text(5716, "EUR"), "57.16 EUR");
        assert_eq!(text(-5, "EUR"), "-0.05 EUR");
        assert_eq!(text(5716, "JPY"), "5716 JPY");
        assert_eq!(text(5716, "KWD"), "5.716 KWD");
        assert_eq!(text(5716, "XXX"), "57.16");
    }

    #[test]
    fn refuses_amounts_that_f64_cannot_tell_apart() {
        for bad in [f64::NAN, f64::INFINITY, 1e308, -1e17] {
            assert!(Money::from_major(bad, Currency::NONE).is_err(), "{bad}");
        }
        assert_eq!(
            Money::from_major(0.1 + 0.2, Currency::NONE)
                .unwrap()
                .minor(),
            30
        );
    }

    #[test]
    fn adds_only_within_one_currency() {
        let eur = Money::from_minor(1, Currency::new("EUR").unwrap());
        let usd = Money::from_minor(1, Currency::new("USD").unwrap());
        assert!(eur.checked_add(usd).is_err());
        assert_eq!(eur.checked_add(eur).unwrap().minor(), 2);
        assert!(
            Money::from_minor(i64::MAX, Currency::NONE)
                .checked_add(Money::from_minor(1, Currency::NONE))
                .is_err()
        );
    }
}
