//! Sums of the amounts of one currency.

use super::MerchantFactors;
use super::interval::Mean;
use super::sampled::Latest;
use dafu_core::{Money, Transaction};

/// Count, sum and sum of squares in minor units: whole numbers, so that the order of payments does not matter.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moments {
    pub(super) count: u64,
    sum: i128,
    squares: i128,
}

impl Moments {
    pub(super) const fn add(&mut self, minor: i64) {
        let minor = minor as i128;
        self.count += 1;
        self.sum = self.sum.saturating_add(minor);
        self.squares = self.squares.saturating_add(minor * minor);
    }

    pub(super) const fn sum(&self) -> f64 {
        self.sum as f64
    }

    /// How many payments of one size say as much as these: the square of the sum by the sum of squares.
    pub(super) fn effective(&self) -> f64 {
        if self.squares > 0 {
            self.sum() / self.squares as f64 * self.sum()
        } else {
            0.0
        }
    }

    /// The mean and how sure it is; `None` for fewer than two amounts, and where the mean is not positive.
    pub(super) fn mean(&self) -> Option<Mean> {
        let count = i128::from(self.count);
        if count < 2 || self.sum <= 0 {
            return None;
        }
        let exact = count.checked_mul(self.squares);
        let exact = exact.zip(self.sum.checked_mul(self.sum));
        let spread = match exact {
            Some((squares, square)) => (squares - square) as f64,
            None => count as f64 * self.squares as f64 - self.sum() * self.sum(),
        };
        // Variance of the mean: spread / (n (n - 1)) / n. By the square of the mean, sum^2 / n^2, this is left.
        let relative_variance = spread.max(0.0) / (self.sum() * self.sum() * (count - 1) as f64);
        Some(Mean {
            mean: self.sum() / count as f64,
            relative_variance,
        })
    }
}

/// What is known of the amounts of one currency.
#[derive(Debug, Clone, Default)]
pub(super) struct Amounts {
    pub(super) recent: Moments,
    pub(super) earlier: Moments,
    pub(super) settled: Moments,
    pub(super) charged_back: Moments,
    pub(super) round: u64,
    pub(super) below_limit: u64,
    pub(super) below_limit_latest: Latest,
    /// By first digit, from 1 on.
    pub(super) digits: [u64; 9],
}

/// How an amount counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) recent: bool,
    pub(super) settled: bool,
    pub(super) charged_back: bool,
}

impl Amounts {
    pub(super) const fn count(&self) -> u64 {
        self.recent.count + self.earlier.count
    }

    /// Adds a payment of more than 0.
    pub(super) fn add(&mut self, payment: &Transaction, kind: Kind, factors: &MerchantFactors) {
        let amount = payment.amount;
        let minor = amount.minor();
        if kind.recent {
            self.recent.add(minor);
        } else {
            self.earlier.add(minor);
        }
        if kind.settled {
            self.settled.add(minor);
        }
        if kind.charged_back {
            self.charged_back.add(minor);
        }
        let round = i64::from(factors.round_to) * amount.currency().minor_per_major();
        self.round += u64::from(minor % round.max(1) == 0);
        if is_below_limit(amount, factors) {
            self.below_limit += 1;
            self.below_limit_latest
                .add(payment.timestamp, &payment.transaction_id);
        }
        let place = first_digit(minor.unsigned_abs()).checked_sub(1);
        if let Some(digit) = place.and_then(|place| self.digits.get_mut(place)) {
            *digit += 1;
        }
    }
}

/// Whether an amount is just below one of the limits.
fn is_below_limit(amount: Money, factors: &MerchantFactors) -> bool {
    let minor = i128::from(amount.minor());
    let unit = i128::from(amount.currency().minor_per_major());
    let percent = i128::from(factors.below_percent);
    factors.limits.iter().any(|limit| {
        let limit = i128::from(*limit) * unit;
        // In hundredths of minor units, so that nothing is rounded.
        minor < limit && minor * 100 >= limit * (100 - percent)
    })
}

fn first_digit(mut number: u64) -> usize {
    while number >= 10 {
        number /= 10;
    }
    usize::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Moments, first_digit, is_below_limit};
    use crate::MerchantFactors;
    use dafu_core::{Currency, Money};

    #[test]
    fn first_digits_of_all_lengths() {
        let digits = [0, 1, 9, 10, 99, 4_567, u64::MAX].map(first_digit);
        assert_eq!(digits, [0, 1, 9, 1, 9, 4, 1]);
    }

    #[test]
    fn a_limit_itself_is_not_below_it() {
        let factors = MerchantFactors::default();
        let below = |minor| is_below_limit(Money::from_minor(minor, Currency::NONE), &factors);
        assert!(below(99_999) && below(95_000) && below(999_999));
        assert!(!below(100_000) && !below(94_999) && !below(i64::MAX));
    }

    #[test]
    fn means_are_as_sure_as_their_variance_says() {
        let mut moments = Moments::default();
        assert!(moments.mean().is_none());
        for minor in [100, 300] {
            moments.add(minor);
        }
        // Mean 200, variance 20,000, of the mean 10,000, by the square of the mean 0.25.
        let mean = moments.mean().unwrap();
        assert!((mean.mean - 200.0).abs() < 1e-12);
        assert!((mean.relative_variance - 0.25).abs() < 1e-12);
        assert!((moments.effective() - 1.6).abs() < 1e-12);
        for _ in 0..3 {
            moments.add(i64::MAX);
        }
        assert!(moments.mean().unwrap().relative_variance.is_finite());
    }
}
