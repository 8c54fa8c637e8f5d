//! Exponentials and what gates are made of, a vector at a time.
//!
//! No closures: they are functions of their own, which are not inlined (see below).
#![allow(
    clippy::inline_always,
    reason = "pulp: what is not inlined into the dispatched function is not compiled for its instructions"
)]

use pulp::Simd;

/// Beyond this a sigmoid is 0 or 1 to 2e-9. Four factors `1 + exp(20)` still have a product that is a number.
const MOST: f32 = 20.0;

/// `exp(x)` for |x| at most [`MOST`], within 2 units in the last place.
///
/// Source: range reduction and coefficients of `expf` in the Cephes library (Moshier, 1989).
#[inline(always)]
fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    /// Adding it to a small number leaves the number's nearest integer in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    const COEFFICIENTS: [f32; 6] = [
        1.987_569_1e-4,
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        0.166_666_65,
        0.5,
    ];
    let round = simd.splat_f32s(ROUND);
    let shifted = simd.mul_add_e_f32s(x, simd.splat_f32s(std::f32::consts::LOG2_E), round);
    let power = simd.sub_f32s(shifted, round);
    let rest = simd.mul_add_e_f32s(power, simd.splat_f32s(-LN_2_HIGH), x);
    let rest = simd.mul_add_e_f32s(power, simd.splat_f32s(-LN_2_LOW), rest);
    let mut sum = simd.splat_f32s(COEFFICIENTS[0]);
    for coefficient in &COEFFICIENTS[1..] {
        sum = simd.mul_add_e_f32s(sum, rest, simd.splat_f32s(*coefficient));
    }
    let square = simd.mul_f32s(rest, rest);
    let sum = simd.mul_add_e_f32s(sum, square, rest);
    let sum = simd.add_f32s(sum, simd.splat_f32s(1.0));
    // Times two to the power: an addition to the exponent.
    let bits = simd.transmute_u32s_f32s(shifted);
    let exponent = simd.wrapping_dyn_shl_u32s(bits, simd.splat_u32s(23));
    let bits = simd.add_u32s(simd.transmute_u32s_f32s(sum), exponent);
    simd.transmute_f32s_u32s(bits)
}

#[inline(always)]
fn clamp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let x = simd.min_f32s(x, simd.splat_f32s(MOST));
    simd.max_f32s(x, simd.splat_f32s(-MOST))
}

/// `1 + exp(-x)`, the denominator of a sigmoid.
#[inline(always)]
fn denominator<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let power = exp(simd, simd.neg_f32s(clamp(simd, x)));
    simd.add_f32s(simd.splat_f32s(1.0), power)
}

/// `2 s - 1`: a hyperbolic tangent from the sigmoid of the doubled argument.
#[inline(always)]
fn stretch<S: Simd>(simd: S, sigmoid: S::f32s) -> S::f32s {
    simd.mul_add_e_f32s(sigmoid, simd.splat_f32s(2.0), simd.splat_f32s(-1.0))
}

#[inline(always)]
fn double<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    simd.add_f32s(x, x)
}

/// Hyperbolic tangent, to 2e-7 absolutely.
#[inline(always)]
pub(crate) fn tanh<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let denominator = denominator(simd, double(simd, x));
    stretch(simd, simd.div_f32s(simd.splat_f32s(1.0), denominator))
}

/// Sigmoids of two numbers, by one division.
#[inline(always)]
pub(crate) fn sigmoids<S: Simd>(simd: S, x: [S::f32s; 2]) -> [S::f32s; 2] {
    let (first, second) = (denominator(simd, x[0]), denominator(simd, x[1]));
    let inverse = simd.div_f32s(simd.splat_f32s(1.0), simd.mul_f32s(first, second));
    [
        simd.mul_f32s(inverse, second),
        simd.mul_f32s(inverse, first),
    ]
}

/// The gates of an LSTM in `PyTorch`'s order: input, forget, candidate (a tangent), output; by one division.
#[inline(always)]
pub(crate) fn lstm_gates<S: Simd>(simd: S, x: [S::f32s; 4]) -> [S::f32s; 4] {
    let input = denominator(simd, x[0]);
    let forget = denominator(simd, x[1]);
    let candidate = denominator(simd, double(simd, x[2]));
    let output = denominator(simd, x[3]);
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
