//! Exponentials and what gates are made of, a vector at a time.
//!
//! No closures: they are functions of their own, which are not inlined (see below).
#![allow(
    clippy::inline_always,
    reason = "pulp: what is not inlined into the dispatched function is not compiled for its instructions"
)]

use pulp::{Simd, WithSimd};

/// Beyond this a sigmoid is 0 or 1 to 2e-9. Four factors `1 + exp(20)` still have a product that is a number.
const MOST: f32 = 20.0;

/// `1 + exp(-x)`, the denominator of a sigmoid; `factor` is -1 over the logarithm of 2, or a multiple of it for a multiple
/// of x. The exponential is within 2 units in the last place for small x, and within what a sigmoid can show for others.
///
/// Two to the power of an integer and of a rest of at most a half. The polynomial for the rest, exact at 0, has a relative error
/// of 9.1e-8, the least that one of its degree can have (fitted by weighted least squares, Lawson's algorithm).
#[inline(always)]
fn denominator<S: Simd>(simd: S, x: S::f32s, factor: f32) -> S::f32s {
    /// Adding it to a small number leaves the number's nearest integer in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    #[expect(
        clippy::approx_constant,
        reason = "fitted; the logarithm of 2 would make the largest error larger"
    )]
    const COEFFICIENTS: [f32; 5] = [
        1.326_472_7e-3,
        9.671_513e-3,
        0.055_507_336,
        0.240_222_42,
        0.693_147,
    ];
    let most = MOST * -std::f32::consts::LOG2_E / factor;
    let x = held(simd, x, most);
    let (factor, round) = (simd.splat_f32s(factor), simd.splat_f32s(ROUND));
    let shifted = simd.mul_add_e_f32s(x, factor, round);
    let minus_power = simd.sub_f32s(round, shifted);
    let rest = simd.mul_add_e_f32s(x, factor, minus_power);
    let one = simd.splat_f32s(1.0);
    let mut sum = simd.splat_f32s(COEFFICIENTS[0]);
    for coefficient in &COEFFICIENTS[1..] {
        sum = simd.mul_add_e_f32s(sum, rest, simd.splat_f32s(*coefficient));
    }
    let sum = simd.mul_add_e_f32s(sum, rest, one);
    // Times two to the power: an addition to the exponent.
    let bits = simd.transmute_u32s_f32s(shifted);
    let exponent = simd.wrapping_dyn_shl_u32s(bits, simd.splat_u32s(23));
    let bits = simd.add_u32s(simd.transmute_u32s_f32s(sum), exponent);
    simd.add_f32s(simd.transmute_f32s_u32s(bits), one)
}

/// `x` within `-most..=most`. What is no number stays none: sums of gates that are too large for 32 bits make no answer.
#[inline(always)]
fn held<S: Simd>(simd: S, x: S::f32s, most: f32) -> S::f32s {
    let (least, most) = (simd.splat_f32s(-most), simd.splat_f32s(most));
    if S::IS_SCALAR {
        // Their least and largest number are those of the standard library, which leave out what is none.
        let x = simd.select_f32s(simd.less_than_f32s(most, x), most, x);
        return simd.select_f32s(simd.less_than_f32s(x, least), least, x);
    }
    // In this order: where one operand is no number, x86 takes the second.
    simd.max_f32s(least, simd.min_f32s(most, x))
}

/// For a sigmoid of `x`, and of twice `x`.
const ONCE: f32 = -std::f32::consts::LOG2_E;
const TWICE: f32 = 2.0 * ONCE;

/// `2 s - 1`: a hyperbolic tangent from the sigmoid of the doubled argument.
#[inline(always)]
fn stretch<S: Simd>(simd: S, sigmoid: S::f32s) -> S::f32s {
    simd.mul_add_e_f32s(sigmoid, simd.splat_f32s(2.0), simd.splat_f32s(-1.0))
}

/// Hyperbolic tangent, to 2e-7 absolutely.
#[inline(always)]
pub(crate) fn tanh<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let denominator = denominator(simd, x, TWICE);
    stretch(simd, simd.div_f32s(simd.splat_f32s(1.0), denominator))
}

/// Sigmoids of two numbers, by one division.
#[inline(always)]
pub(crate) fn sigmoids<S: Simd>(simd: S, x: [S::f32s; 2]) -> [S::f32s; 2] {
    let (first, second) = (denominator(simd, x[0], ONCE), denominator(simd, x[1], ONCE));
    let inverse = simd.div_f32s(simd.splat_f32s(1.0), simd.mul_f32s(first, second));
    [
        simd.mul_f32s(inverse, second),
        simd.mul_f32s(inverse, first),
    ]
}

/// The gates of an LSTM in `PyTorch`'s order: input, forget, candidate (a tangent), output; by one division.
#[inline(always)]
pub(crate) fn lstm_gates<S: Simd>(simd: S, x: [S::f32s; 4]) -> [S::f32s; 4] {
    let input = denominator(simd, x[0], ONCE);
    let forget = denominator(simd, x[1], ONCE);
    let candidate = denominator(simd, x[2], TWICE);
    let output = denominator(simd, x[3], ONCE);
    let first = simd.mul_f32s(input, forget);
    let second = simd.mul_f32s(candidate, output);
    let inverse = simd.div_f32s(simd.splat_f32s(1.0), simd.mul_f32s(first, second));
    let of_first = simd.mul_f32s(inverse, second);
    let of_second = simd.mul_f32s(inverse, first);
    [
        simd.mul_f32s(of_first, forget),
        simd.mul_f32s(of_first, input),
        stretch(simd, simd.mul_f32s(of_second, output)),
        simd.mul_f32s(of_second, candidate),
    ]
}

/// `t` to `1 - t^2`: the derivative of a hyperbolic tangent by its argument.
#[inline(always)]
pub(crate) fn by_tanh<S: Simd>(simd: S, t: S::f32s) -> S::f32s {
    simd.negate_mul_add_e_f32s(t, t, simd.splat_f32s(1.0))
}

/// `s` to `s (1 - s)`: the derivative of a sigmoid by its argument.
#[inline(always)]
pub(crate) fn by_sigmoid<S: Simd>(simd: S, s: S::f32s) -> S::f32s {
    simd.negate_mul_add_e_f32s(s, s, s)
}

/// Takes the hyperbolic tangent of rows, and the product of each with another row; lengths are whole vectors.
pub(crate) struct TanhDots<'a> {
    pub(crate) rows: &'a mut [f32],
    pub(crate) other: &'a [f32],
    /// One for each row to compute.
    pub(crate) sums: &'a mut [f32],
}

impl WithSimd for TanhDots<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let other = S::as_simd_f32s(self.other).0;
        let rows = self.rows.chunks_exact_mut(self.other.len());
        for (row, result) in rows.zip(self.sums) {
            let mut sum = simd.splat_f32s(0.0);
            for (number, other) in S::as_mut_simd_f32s(row).0.iter_mut().zip(other) {
                *number = tanh(simd, *number);
                sum = simd.mul_add_e_f32s(*number, *other, sum);
            }
            *result = simd.reduce_sum_f32s(sum);
        }
    }
}
