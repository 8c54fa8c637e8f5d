//! Units of numbers as real dimensions.

use dafu_core::{Currency, Unit};
use std::fmt;

/// Powers of the base dimensions that a number has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Dimension {
    /// Of length.
    pub length: i8,
    /// Of time.
    pub time: i8,
    /// Of money.
    pub money: i8,
    /// Of angle.
    pub angle: i8,
}

impl Dimension {
    /// That of pure numbers.
    pub const NONE: Self = Self {
        length: 0,
        time: 0,
        money: 0,
        angle: 0,
    };
    /// That of lengths.
    pub const LENGTH: Self = Self {
        length: 1,
        ..Self::NONE
    };
    /// That of durations.
    pub const TIME: Self = Self {
        time: 1,
        ..Self::NONE
    };
    /// That of amounts.
    pub const MONEY: Self = Self {
        money: 1,
        ..Self::NONE
    };
    /// That of angles.
    pub const ANGLE: Self = Self {
        angle: 1,
        ..Self::NONE
    };

    /// That of a product, or of a quotient with `sign` -1; `None` beyond what powers are counted to.
    pub(crate) fn times(self, other: Self, sign: i8) -> Option<Self> {
        let power = |left: i8, right: i8| left.checked_add(right.checked_mul(sign)?);
        Some(Self {
            length: power(self.length, other.length)?,
            time: power(self.time, other.time)?,
            money: power(self.money, other.money)?,
            angle: power(self.angle, other.angle)?,
        })
    }
}

impl fmt::Display for Dimension {
    /// In words: `length / time`, `a pure number`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let powers = [
            ("length", self.length),
            ("time", self.time),
            ("money", self.money),
            ("angle", self.angle),
        ];
        let part = |sign: i8| {
            let of_sign = powers.iter().filter(|(_, power)| power.signum() == sign);
            let named = of_sign.map(|(name, power)| match power.unsigned_abs() {
                1 => (*name).to_owned(),
                power => format!("{name}^{power}"),
            });
            named.collect::<Vec<_>>().join(" * ")
        };
        match (part(1), part(-1)) {
            (over, under) if over.is_empty() && under.is_empty() => f.write_str("a pure number"),
            (over, under) if under.is_empty() => f.write_str(&over),
            (over, under) if over.is_empty() => write!(f, "1 / {under}"),
            (over, under) => write!(f, "{over} / {under}"),
        }
    }
}

/// A dimension, and how many base units (metre, second, major unit of money, degree) one of its unit has: `over / under`,
/// whole numbers wherever they can be, so that conversions between common units are exact.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measure {
    pub(crate) dimension: Dimension,
    pub(crate) over: f64,
    pub(crate) under: f64,
}

impl Measure {
    pub(crate) const ONE: Self = Self::new(Dimension::NONE, 1.0, 1.0);
    /// Microseconds, in which points in time are counted.
    pub(crate) const MICROSECOND: Self = Self::new(Dimension::TIME, 1.0, 1e6);
    pub(crate) const SECOND: Self = Self::new(Dimension::TIME, 1.0, 1.0);

    pub(crate) const fn new(dimension: Dimension, over: f64, under: f64) -> Self {
        Self {
            dimension,
            over,
            under,
        }
    }

    /// Factors from numbers in this unit to numbers in another of the same dimension: times the first, by the second.
    pub(crate) fn factors_to(self, other: Self) -> (f64, f64) {
        let (over, under) = (self.over * other.under, self.under * other.over);
        // Equal scales and whole ratios convert without rounding twice.
        if over % under == 0.0 {
            (over / under, 1.0)
        } else if under % over == 0.0 {
            (1.0, under / over)
        } else {
            (over, under)
        }
    }

    /// A number in this unit as one in another of the same dimension.
    pub(crate) fn convert(self, number: f64, other: Self) -> f64 {
        let (over, under) = self.factors_to(other);
        number * over / under
    }

    /// The unit of a product, or of a quotient with `sign` -1.
    pub(crate) fn times(self, other: Self, sign: i8) -> Option<Self> {
        let (over, under) = if sign < 0 {
            (self.over * other.under, self.under * other.over)
        } else {
            (self.over * other.over, self.under * other.under)
        };
        Some(Self {
            dimension: self.dimension.times(other.dimension, sign)?,
            over,
            under,
        })
    }
}

impl From<Unit> for Measure {
    fn from(unit: Unit) -> Self {
        let speed = Dimension {
            length: 1,
            time: -1,
            ..Dimension::NONE
        };
        let rate = Dimension {
            time: -1,
            ..Dimension::NONE
        };
        match unit {
            Unit::Money => Self::new(Dimension::MONEY, 1.0, 1.0),
            Unit::Second => Self::SECOND,
            Unit::Hour => Self::new(Dimension::TIME, 3600.0, 1.0),
            Unit::Day => Self::new(Dimension::TIME, 86_400.0, 1.0),
            Unit::PerHour => Self::new(rate, 1.0, 3600.0),
            Unit::Kilometre => Self::new(Dimension::LENGTH, 1000.0, 1.0),
            Unit::KilometrePerHour => Self::new(speed, 1000.0, 3600.0),
            Unit::Degree => Self::new(Dimension::ANGLE, 1.0, 1.0),
            _ => Self::ONE,
        }
    }
}

/// A unit behind a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum LiteralUnit {
    /// `%`: hundredths.
    Percent,
    /// `m`, `km`, `mi`, ...: a unit by its symbol.
    Simple(Symbol),
    /// `km/h`: one unit by another.
    Quotient(Symbol, Symbol),
    /// `/h`: so many in a unit.
    Per(Symbol),
    /// ` USD`: an amount of a currency.
    Money(Currency),
}

/// Units that have a symbol of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Symbol {
    /// `m`: metre.
    Metre,
    /// `km`: kilometre.
    Kilometre,
    /// `mi`: international mile, 1609.344 m.
    Mile,
    /// `ft`: international foot, 0.3048 m.
    Foot,
    /// `ms`: millisecond.
    Millisecond,
    /// `s`: second.
    Second,
    /// `min`: minute.
    Minute,
    /// `h`: hour.
    Hour,
    /// `d`: day of 24 hours.
    Day,
    /// `w`: week.
    Week,
    /// `deg`: degree of an angle.
    Degree,
}

impl Symbol {
    /// All of them.
    pub(crate) const ALL: [Self; 11] = [
        Self::Metre,
        Self::Kilometre,
        Self::Mile,
        Self::Foot,
        Self::Millisecond,
        Self::Second,
        Self::Minute,
        Self::Hour,
        Self::Day,
        Self::Week,
        Self::Degree,
    ];

    /// As it is written.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Metre => "m",
            Self::Kilometre => "km",
            Self::Mile => "mi",
            Self::Foot => "ft",
            Self::Millisecond => "ms",
            Self::Second => "s",
            Self::Minute => "min",
            Self::Hour => "h",
            Self::Day => "d",
            Self::Week => "w",
            Self::Degree => "deg",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|symbol| symbol.name() == name)
    }

    /// Mile and foot: the international yard and pound agreement (1959).
    pub(crate) const fn measure(self) -> Measure {
        let (dimension, over, under) = match self {
            Self::Metre => (Dimension::LENGTH, 1.0, 1.0),
            Self::Kilometre => (Dimension::LENGTH, 1000.0, 1.0),
            Self::Mile => (Dimension::LENGTH, 1_609_344.0, 1000.0),
            Self::Foot => (Dimension::LENGTH, 3048.0, 10_000.0),
            Self::Millisecond => (Dimension::TIME, 1.0, 1000.0),
            Self::Second => (Dimension::TIME, 1.0, 1.0),
            Self::Minute => (Dimension::TIME, 60.0, 1.0),
            Self::Hour => (Dimension::TIME, 3600.0, 1.0),
            Self::Day => (Dimension::TIME, 86_400.0, 1.0),
            Self::Week => (Dimension::TIME, 604_800.0, 1.0),
            Self::Degree => (Dimension::ANGLE, 1.0, 1.0),
        };
        Measure::new(dimension, over, under)
    }
}

impl fmt::Display for LiteralUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent => f.write_str("%"),
            Self::Simple(symbol) => f.write_str(symbol.name()),
            Self::Quotient(over, under) => write!(f, "{}/{}", over.name(), under.name()),
            Self::Per(symbol) => write!(f, "/{}", symbol.name()),
            Self::Money(currency) => write!(f, " {currency}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Dimension, Measure, Symbol};
    use dafu_core::Unit;

    #[test]
    fn common_conversions_are_exact() {
        let to = |symbol: Symbol, number, unit: Unit| symbol.measure().convert(number, unit.into());
        let cases = [
            (to(Symbol::Kilometre, 1000.0, Unit::Kilometre), 1000.0),
            (to(Symbol::Metre, 1500.0, Unit::Kilometre), 1.5),
            (to(Symbol::Mile, 621.0, Unit::Kilometre), 999.402_624),
            (to(Symbol::Foot, 1.0, Unit::Kilometre), 0.000_304_8),
            (to(Symbol::Hour, 24.0, Unit::Second), 86_400.0),
            (to(Symbol::Minute, 30.0, Unit::Hour), 0.5),
            (to(Symbol::Day, 7.0, Unit::Hour), 168.0),
            (to(Symbol::Week, 1.0, Unit::Day), 7.0),
            (to(Symbol::Millisecond, 250.0, Unit::Second), 0.25),
        ];
        for (got, expected) in cases {
            assert_eq!(got.to_bits(), f64::to_bits(expected), "{got} {expected}");
        }
        let micros = Symbol::Hour.measure().convert(0.1, Measure::MICROSECOND);
        assert_eq!(micros.to_bits(), f64::to_bits(0.1 * 3.6e9));
    }

    #[test]
    fn quotients_have_the_dimension_of_both() {
        let speed = Symbol::Kilometre
            .measure()
            .times(Symbol::Hour.measure(), -1)
            .unwrap();
        assert_eq!(speed.dimension.to_string(), "length / time");
        assert_eq!(
            speed.convert(90.0, Unit::KilometrePerHour.into()).to_bits(),
            90_f64.to_bits()
        );
        let area = Dimension::LENGTH.times(Dimension::LENGTH, 1).unwrap();
        assert_eq!(area.to_string(), "length^2");
        assert_eq!(
            Measure::from(Unit::PerHour).dimension.to_string(),
            "1 / time"
        );
        assert_eq!(Dimension::NONE.to_string(), "a pure number");
    }
}
