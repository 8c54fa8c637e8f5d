//! Gradients of the loss, in fixed point.
//!
//! Sums of whole numbers do not depend on the order of their parts, so that trees come out the same for any number of
//! threads, and the histogram of a node less that of a child is that of the other child exactly.

/// Sums of gradients, and of hessians and rows in one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C, align(16))]
pub(crate) struct Sums {
    gradient: i64,
    /// Hessian in the upper bits, rows in the lower ones.
    hessian_rows: i64,
}

impl Sums {
    #[inline]
    pub(crate) const fn add(&mut self, other: Self) {
        self.gradient = self.gradient.wrapping_add(other.gradient);
        self.hessian_rows = self.hessian_rows.wrapping_add(other.hessian_rows);
    }

    #[inline]
    pub(crate) const fn less(self, other: Self) -> Self {
        Self {
            gradient: self.gradient.wrapping_sub(other.gradient),
            hessian_rows: self.hessian_rows.wrapping_sub(other.hessian_rows),
        }
    }

    /// Whether there is no row.
    #[inline]
    pub(crate) const fn is_empty(self) -> bool {
        self.hessian_rows == 0
    }
}

/// What the numbers of [`Sums`] stand for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    gradient: f64,
    hessian: f64,
    row_bits: u32,
}

/// Bits of a sum, with room for rounding.
const SUM_BITS: i32 = 61;

impl Scale {
    /// For sums of absolute gradients and of hessians over so many rows.
    pub(crate) fn new(gradients: f64, hessians: f64, rows: usize) -> Self {
        let row_bits = usize::BITS - rows.leading_zeros();
        let hessian_bits = SUM_BITS - i32::try_from(row_bits).unwrap_or(SUM_BITS);
        Self {
            gradient: power_below(gradients, SUM_BITS),
            hessian: power_below(hessians, hessian_bits),
            row_bits,
        }
    }

    /// One row.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "within 61 bits by the scale"
    )]
    pub(crate) fn fix(&self, gradient: f64, hessian: f64) -> Sums {
        Sums {
            gradient: (gradient * self.gradient) as i64,
            hessian_rows: ((hessian * self.hessian) as i64) << self.row_bits | 1,
        }
    }

    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most 2^31 rows"
    )]
    pub(crate) const fn rows(&self, sums: Sums) -> u32 {
        (sums.hessian_rows & ((1 << self.row_bits) - 1)) as u32
    }

    /// Sums of gradients and of hessians.
    #[inline]
    pub(crate) fn values(&self, sums: Sums) -> (f64, f64) {
        (
            sums.gradient as f64 / self.gradient,
            (sums.hessian_rows >> self.row_bits) as f64 / self.hessian,
        )
    }
}

/// The power of two by which a sum may be multiplied so that it stays below 2^`bits`.
fn power_below(sum: f64, bits: i32) -> f64 {
    if sum > 0.0 && sum.is_finite() {
        let exponent = sum.log2().floor();
        2.0_f64.powf((f64::from(bits) - 1.0 - exponent).clamp(-1000.0, 1000.0))
    } else {
        1.0
    }
}
