//! From data values to positions along an axis, and the ticks on it.

use crate::number;

/// A labelled place on an axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    /// Position along the axis, 0 to 1.
    pub(crate) at: f64,
    /// What stands there.
    pub(crate) label: String,
}

/// How values spread over an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scale {
    /// Equal steps.
    Linear {
        /// Value at position 0.
        lo: f64,
        /// Value at position 1.
        hi: f64,
    },
    /// Equal factors; limits are decimal logarithms.
    Log {
        /// Logarithm at position 0.
        lo: f64,
        /// Logarithm at position 1.
        hi: f64,
    },
    /// Logarithmic away from zero on both sides: sign(v) log10(1 + |v| / unit).
    SymLog {
        /// Below it the axis is about linear; a power of ten.
        unit: f64,
        /// Warped value at position 0.
        lo: f64,
        /// Warped value at position 1.
        hi: f64,
    },
}

/// Keeps arithmetic on an axis finite: no NaN, nothing beyond 1e300, nothing below 1e-300.
fn tame(value: f64) -> f64 {
    if value.is_nan() || value.abs() < 1e-300 {
        0.0
    } else {
        value.clamp(-1e300, 1e300)
    }
}

/// sign(v) log10(1 + |v| / unit), also where the quotient has no place in `f64`.
fn warp(value: f64, unit: f64) -> f64 {
    let size = value.abs();
    let decades = if size > 0.0 {
        size.log10() - unit.log10()
    } else {
        -1e3
    };
    let warped = if decades > 15.0 {
        decades
    } else {
        (1.0 + 10_f64.powf(decades)).log10()
    };
    warped.copysign(value)
}

fn limits(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values
        .filter(|value| value.is_finite())
        .map(tame)
        .fold(None, |limits, value| {
            let (lo, hi) = limits.unwrap_or((value, value));
            Some((f64::min(lo, value), f64::max(hi, value)))
        })
}

impl Scale {
    /// Equal steps from `lo` to `hi`; a range without width is widened around its value.
    pub(crate) fn linear(lo: f64, hi: f64) -> Self {
        let (lo, hi) = (tame(lo), tame(hi));
        let size = lo.abs().max(hi.abs());
        if hi - lo > size * 1e-9 {
            return Self::Linear { lo, hi };
        }
        let pad = if size > 0.0 { size * 0.1 } else { 1.0 };
        Self::Linear {
            lo: lo - pad,
            hi: lo + pad,
        }
    }

    /// Equal factors from `lo` to `hi`, both positive.
    pub(crate) fn log(lo: f64, hi: f64) -> Self {
        let (lo, hi) = (tame(lo).max(1e-300).log10(), tame(hi).max(1e-300).log10());
        if hi - lo > 1e-6 {
            Self::Log { lo, hi }
        } else {
            Self::Log {
                lo: lo - 0.5,
                hi: lo + 0.5,
            }
        }
    }

    /// A scale that shows all values with a little room around them.
    pub(crate) fn around(values: &[f64], logarithmic: bool) -> Self {
        let (lo, hi) = limits(values.iter().copied()).unwrap_or((0.0, 1.0));
        if !logarithmic {
            let pad = (hi - lo) * 0.04;
            return Self::linear(lo - pad, hi + pad);
        }
        let scale = if lo > 0.0 {
            Self::log(lo, hi)
        } else {
            let mut sizes = values
                .iter()
                .map(|value| tame(value.abs()))
                .filter(|size| *size > 0.0)
                .collect::<Vec<_>>();
            sizes.sort_by(f64::total_cmp);
            let middle = sizes.get(sizes.len() / 2).copied().unwrap_or(1.0);
            let unit = 10_f64.powi(number::exponent(middle).clamp(-290, 0));
            let (lo, hi) = (warp(lo, unit), warp(hi, unit));
            let hi = if hi - lo > 1e-6 { hi } else { lo + 1.0 };
            Self::SymLog { unit, lo, hi }
        };
        scale.padded(0.04)
    }

    fn padded(self, share: f64) -> Self {
        match self {
            Self::Linear { lo, hi } => {
                let pad = (hi - lo) * share;
                Self::linear(lo - pad, hi + pad)
            }
            Self::Log { lo, hi } => {
                let pad = (hi - lo) * share;
                Self::Log {
                    lo: lo - pad,
                    hi: hi + pad,
                }
            }
            Self::SymLog { unit, lo, hi } => {
                let pad = (hi - lo) * share;
                Self::SymLog {
                    unit,
                    lo: lo - pad,
                    hi: hi + pad,
                }
            }
        }
    }

    /// Position of a value along the axis, 0 to 1; values outside stick to the ends.
    pub(crate) fn position(&self, value: f64) -> f64 {
        let value = tame(value);
        let (at, lo, hi) = match *self {
            Self::Linear { lo, hi } => (value, lo, hi),
            Self::Log { lo, hi } if value <= 0.0 => (lo, lo, hi),
            Self::Log { lo, hi } => (value.log10(), lo, hi),
            Self::SymLog { unit, lo, hi } => (warp(value, unit), lo, hi),
        };
        ((at - lo) / (hi - lo)).clamp(0.0, 1.0)
    }

    /// Whether round values crowd around zero, so that some must give way.
    pub(crate) fn crowds(&self) -> bool {
        matches!(self, Self::SymLog { .. })
    }

    /// About `most` ticks at round values.
    pub(crate) fn ticks(&self, most: usize) -> Vec<Tick> {
        let most = most.max(2);
        match *self {
            Self::Linear { lo, hi } => self.linear_ticks(lo, hi, most),
            Self::Log { lo, hi } => self.log_ticks(lo, hi, most),
            Self::SymLog { unit, lo, hi } => self.symlog_ticks(unit, (lo, hi), most),
        }
    }

    fn linear_ticks(&self, lo: f64, hi: f64, most: usize) -> Vec<Tick> {
        let rough = (hi - lo) / most as f64;
        let decade = 10_f64.powi(number::exponent(rough));
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|factor| factor * decade)
            .find(|step| *step >= rough * 0.999)
            .unwrap_or(decade * 10.0);
        let first = (lo / step - 1e-6).ceil();
        let values = (0..=2 * most)
            .map(|index| (first + index as f64) * step)
            .take_while(|value| *value <= hi + step * 1e-6)
            .collect::<Vec<_>>();
        let labels = number::linear_ticks(&values, step);
        let at = values.iter().map(|value| self.position(*value));
        at.zip(labels)
            .map(|(at, label)| Tick { at, label })
            .collect()
    }

    fn log_ticks(&self, lo: f64, hi: f64, most: usize) -> Vec<Tick> {
        let decades = whole(lo - 1e-9, f64::ceil)..=whole(hi + 1e-9, f64::floor);
        let number = i32::try_from(decades.clone().count()).unwrap_or(i32::MAX);
        let values = if number > 2 {
            let most = i32::try_from(most).unwrap_or(i32::MAX);
            let stride = round_stride((number + most - 1) / most);
            let decades = decades.filter(|decade| decade.rem_euclid(stride) == 0);
            decades
                .map(|decade| 10_f64.powi(decade))
                .collect::<Vec<_>>()
        } else {
            let range = whole(lo, f64::floor)..=whole(hi, f64::ceil);
            let values =
                range.flat_map(|decade| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(decade)));
            let inside = |value: &f64| {
                let log = value.log10();
                (lo - 1e-9..=hi + 1e-9).contains(&log)
            };
            let values = values.filter(inside).collect::<Vec<_>>();
            if values.len() < 2 {
                return self.linear_ticks(10_f64.powf(lo), 10_f64.powf(hi), most.min(4));
            }
            values
        };
        self.labelled(values)
    }

    fn symlog_ticks(&self, unit: f64, (lo, hi): (f64, f64), most: usize) -> Vec<Tick> {
        let decades = whole(lo.abs().max(hi.abs()), f64::ceil);
        let shown = whole(hi - lo, f64::ceil);
        let most = i32::try_from(most).unwrap_or(i32::MAX);
        let stride = round_stride((shown + most - 1) / most);
        let base = number::exponent(unit);
        let sizes = (base..=(base + decades).min(300))
            .filter(|decade| decade.rem_euclid(stride) == 0)
            .map(|decade| 10_f64.powi(decade))
            .collect::<Vec<_>>();
        let below = sizes.iter().rev().map(|size| -size);
        let values = below.chain([0.0]).chain(sizes.iter().copied());
        let inside = |value: &f64| {
            let at = self.position(*value);
            at > 0.0 && at < 1.0
        };
        self.labelled(values.filter(inside).collect())
    }

    fn labelled(&self, values: Vec<f64>) -> Vec<Tick> {
        let tick = |value| Tick {
            at: self.position(value),
            label: number::log_tick(value),
        };
        values.into_iter().map(tick).collect()
    }
}

fn whole(value: f64, round: fn(f64) -> f64) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "decades: within 1000")]
    let number = round(value).clamp(-1000.0, 1000.0) as i32;
    number
}

/// A stride of decades that reads well.
fn round_stride(least: i32) -> i32 {
    let strides = [1, 2, 3, 5, 10, 20, 50, 100, 200];
    strides
        .into_iter()
        .find(|stride| *stride >= least)
        .unwrap_or(300)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale, most: usize) -> Vec<String> {
        scale
            .ticks(most)
            .into_iter()
            .map(|tick| tick.label)
            .collect()
    }

    #[test]
    fn linear_ticks_are_round() {
        assert_eq!(
            labels(Scale::linear(0.0, 1.0), 5),
            ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(labels(Scale::linear(-3.0, 4.0), 4), ["-2", "0", "2", "4"]);
    }

    #[test]
    fn log_ticks_are_decades() {
        assert_eq!(
            labels(Scale::log(1.0, 1e4), 6),
            ["1", "10", "100", "1k", "10k"]
        );
        assert_eq!(labels(Scale::log(2.0, 30.0), 6), ["2", "5", "10", "20"]);
        let wide = labels(Scale::log(1e-300, 1e300), 6);
        assert!(wide.len() >= 3 && wide.len() <= 7, "{wide:?}");
    }

    #[test]
    fn extreme_and_constant_ranges_stay_finite() {
        let cases: [&[f64]; 9] = [
            &[],
            &[0.0],
            &[5.0, 5.0],
            &[1e300, -1e300],
            &[f64::MAX, f64::MIN],
            &[5e-324, 0.0],
            &[f64::NAN, f64::INFINITY],
            &[1e-300, 1e300],
            &[0.0, 1e-80, 1e-80, 1e300],
        ];
        for values in cases {
            for logarithmic in [false, true] {
                let scale = Scale::around(values, logarithmic);
                for value in values.iter().chain(&[0.0, 1.0]) {
                    let at = scale.position(*value);
                    assert!((0.0..=1.0).contains(&at), "{values:?} {scale:?} {at}");
                }
                let ticks = scale.ticks(6);
                assert!(!ticks.is_empty(), "{values:?} {scale:?}");
                for tick in ticks {
                    assert!((0.0..=1.0).contains(&tick.at), "{values:?} {tick:?}");
                }
            }
        }
    }

    #[test]
    fn positions_keep_order() {
        let values = [-1e6, -3.0, 0.0, 0.2, 5.0, 1e9];
        for logarithmic in [false, true] {
            let scale = Scale::around(&values, logarithmic);
            let at = values.map(|value| scale.position(value));
            assert!(at.is_sorted(), "{scale:?} {at:?}");
        }
    }
}
