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

    /// A row that counts several times, but is one row.
    #[inline]
    pub(crate) const fn times(self, count: u32) -> Self {
        let count = count as i64;
        Self {
            gradient: self.gradient * count,
            hessian_rows: (self.hessian_rows - 1) * count + 1,
        }
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

/// Bits of a sum of gradients: whole numbers below 2^51 are the last bits of a double to which [`SHIFT`] is added.
const GRADIENT_BITS: i32 = 50;
/// Bits of a sum of hessians and of a number of rows together, with room for rounding.
const PACKED_BITS: i32 = 61;
/// Adding it to a number leaves the nearest whole number in the last bits.
const SHIFT: f64 = 6_755_399_441_055_744.0;

/// The nearest whole number, below 2^51. As a conversion it would ask for a branch a number.
#[inline]
const fn whole(number: f64) -> i64 {
    (number + SHIFT).to_bits().cast_signed() - SHIFT.to_bits().cast_signed()
}

impl Scale {
    /// For sums of absolute gradients and of hessians over so many rows.
    pub(crate) fn new(gradients: f64, hessians: f64, rows: usize) -> Self {
        let row_bits = usize::BITS - rows.leading_zeros();
        let free = PACKED_BITS - i32::try_from(row_bits).unwrap_or(PACKED_BITS);
        Self {
            gradient: power_below(gradients, GRADIENT_BITS),
            hessian: power_below(hessians, free.min(GRADIENT_BITS)),
            row_bits,
        }
    }

    /// One row.
    #[inline]
    pub(crate) fn fix(&self, gradient: f64, hessian: f64) -> Sums {
        Sums {
            gradient: whole(gradient * self.gradient),
            hessian_rows: whole(hessian * self.hessian) << self.row_bits | 1,
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
