//! The logistic function, the same bits on every machine.

/// Rows that are computed at once.
pub(crate) const LANES: usize = 4;

/// Probabilities of log odds.
#[inline]
pub(crate) fn logistic(log_odds: [f64; LANES]) -> [f64; LANES] {
    exponential(log_odds.map(|odds| -odds)).map(|below| 1.0 / (1.0 + below))
}

/// Probability of log odds.
pub(crate) fn chance(log_odds: f64) -> f64 {
    logistic([log_odds; LANES])[0]
}

/// The logistic loss of a row by its log odds against what came true: large where they are wrong.
pub(crate) fn loss(against: f64) -> f64 {
    against.max(0.0) + (-against.abs()).exp().ln_1p()
}

/// First and second derivatives of the logistic loss by the log odds, for rows of weight 1 whose targets are 1 for a fraud
/// and 0 otherwise.
#[inline]
pub(crate) fn derivatives(
    log_odds: [f64; LANES],
    targets: [f64; LANES],
) -> ([f64; LANES], [f64; LANES]) {
    let chances = logistic(log_odds);
    (
        each(chances, targets, |chance, target| chance - target),
        chances.map(|chance| chance * (1.0 - chance)),
    )
}

/// As [`derivatives`], for the focal loss: the logistic one times `(1 - p)^gamma`, where `p` is the probability of what came
/// true.
///
/// The second derivative is negative where a row is judged very wrong; there the part of it stands that is positive
/// everywhere, the logistic one with the same factor.
///
/// Source: Lin, Goyal, Girshick, He and Dollar, "Focal Loss for Dense Object Detection" (2017), equation 4.
pub(crate) fn focal_derivatives(
    log_odds: [f64; LANES],
    targets: [f64; LANES],
    gamma: f64,
) -> ([f64; LANES], [f64; LANES]) {
    let signs = targets.map(|target| 2.0 * target - 1.0);
    let right = logistic(each(log_odds, signs, |odds, sign| odds * sign));
    let wrong = logistic(each(log_odds, signs, |odds, sign| -odds * sign));
    let of = |right: f64, wrong: f64| {
        let factor = wrong.powf(gamma);
        let known = right.max(f64::MIN_POSITIVE).ln();
        let gradient = factor * (gamma * right * known - wrong);
        let hessian = gamma * right * ((wrong - gamma * right) * known + wrong)
            + (gamma + 1.0) * right * wrong;
        (gradient, factor * hessian.max(right * wrong))
    };
    (
        std::array::from_fn(|lane| signs[lane] * of(right[lane], wrong[lane]).0),
        each(right, wrong, |right, wrong| of(right, wrong).1),
    )
}

/// A function of each pair.
#[inline]
pub(crate) fn each(
    one: [f64; LANES],
    two: [f64; LANES],
    of: impl Fn(f64, f64) -> f64,
) -> [f64; LANES] {
    std::array::from_fn(|lane| of(one[lane], two[lane]))
}

/// The exponential function.
///
/// A polynomial on the half binade around 0, by the usual split of `x` into a multiple of ln 2 and a rest; relative error
/// below 1e-15. Step by step for all lanes and without branches, so that the lanes are computed at once.
#[inline]
fn exponential(x: [f64; LANES]) -> [f64; LANES] {
    /// Adding it leaves the nearest whole number in the lowest bits.
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    let x = x.map(|x| x.clamp(-700.0, 700.0));
    let shifted = x.map(|x| x * std::f64::consts::LOG2_E + SHIFT);
    let rest = each(x, shifted, |x, shifted| {
        let whole = shifted - SHIFT;
        x - whole * LN_2_HIGH - whole * LN_2_LOW
    });
    // Taylor's series to the 13th power: the next term is below 1e-17 for |rest| <= ln(2) / 2.
    let mut sum = [1.0 / 6_227_020_800.0; LANES];
    for divisor in [
        479_001_600.0,
        39_916_800.0,
        3_628_800.0,
        362_880.0,
        40_320.0,
        5_040.0,
        720.0,
        120.0,
        24.0,
        6.0,
        2.0,
        1.0,
        1.0,
    ] {
        sum = each(sum, rest, |sum, rest| sum * rest + 1.0 / divisor);
    }
    each(sum, shifted, |sum, shifted| {
        sum * f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52)
    })
}

#[cfg(test)]
mod tests {
    use super::{LANES, derivatives, exponential, focal_derivatives, logistic, loss};

    #[test]
    fn exponential_is_that_of_the_standard_library() {
        for step in -7_000..=7_000 {
            let x = f64::from(step) * 0.1 + 1e-3 * f64::from(step % 17);
            let x = x.clamp(-700.0, 700.0);
            let expected = x.exp();
            let gap = (exponential([x; LANES])[0] - expected).abs() / expected;
            assert!(gap < 1e-15, "{x}: {gap}");
        }
    }

    #[test]
    fn logistic_has_its_limits() {
        assert!((logistic([0.0; LANES])[0] - 0.5).abs() < 1e-16);
        assert!((logistic([1e300; LANES])[0] - 1.0).abs() < 1e-300);
        assert!(logistic([-1e300; LANES])[0] < 1e-300);
    }

    fn logistic_loss(x: f64, fraud: bool) -> f64 {
        loss(if fraud { -x } else { x })
    }

    #[test]
    fn focal_derivatives_are_those_of_the_loss() {
        let step = 1e-4;
        for gamma in [0.0, 0.5, 2.0] {
            let loss = |x: f64, fraud| {
                let right = (-logistic_loss(x, fraud)).exp();
                (1.0 - right).powf(gamma) * logistic_loss(x, fraud)
            };
            for at in -40..=40 {
                let x = f64::from(at) * 0.1;
                for fraud in [false, true] {
                    let (before, now, after) =
                        (loss(x - step, fraud), loss(x, fraud), loss(x + step, fraud));
                    let target = f64::from(u8::from(fraud));
                    let found = focal_derivatives([x; LANES], [target; LANES], gamma);
                    let (gradient, hessian) = (found.0[0], found.1[1]);
                    assert!((gradient - (after - before) / (2.0 * step)).abs() < 1e-7);
                    let right = (-logistic_loss(x, fraud)).exp();
                    let least = (1.0 - right).powf(gamma) * right * (1.0 - right);
                    let expected = ((after - 2.0 * now + before) / (step * step)).max(least);
                    assert!((hessian - expected).abs() < 1e-5, "{gamma} {x}");
                }
            }
        }
    }

    #[test]
    fn derivatives_are_those_of_the_loss() {
        let loss = logistic_loss;
        let step = 1e-4;
        for at in -60..=60 {
            let x = f64::from(at) * 0.1;
            for fraud in [false, true] {
                let (before, now, after) =
                    (loss(x - step, fraud), loss(x, fraud), loss(x + step, fraud));
                let target = f64::from(u8::from(fraud));
                let (gradient, hessian) = derivatives([x; LANES], [target; LANES]);
                let (gradient, hessian) = (gradient[1], hessian[LANES - 1]);
                assert!((gradient - (after - before) / (2.0 * step)).abs() < 1e-8);
                // Rounding of the loss, about 6e-16 for losses up to 6, divided by the square of the step.
                assert!((hessian - (after - 2.0 * now + before) / (step * step)).abs() < 1e-6);
            }
        }
    }
}
