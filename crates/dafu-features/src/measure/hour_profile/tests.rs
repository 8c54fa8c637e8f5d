use super::*;

fn profile(seconds: impl IntoIterator<Item = u32>) -> HourProfile {
    let mut profile = HourProfile::default();
    for second in seconds {
        profile.add(second);
    }
    profile
}

/// Bessel function of order 0 or 1 by its integral, A&S 9.6.19, on a fine periodic grid (exponentially accurate),
/// divided by `exp(kappa)`.
fn scaled_bessel(order: f64, kappa: f64) -> f64 {
    let cells = 4096;
    let sum: f64 = (0..cells)
        .map(|cell| {
            let angle = 2.0 * PI * f64::from(cell) / f64::from(cells);
            (kappa * (angle.cos() - 1.0)).exp() * (order * angle).cos()
        })
        .sum();
    sum / f64::from(cells)
}

#[test]
fn unit_vectors_are_the_rounded_cosine_and_sine_of_every_second() {
    for second in 0..SECONDS_PER_DAY {
        let angle = f64::from(second) * 2.0 * PI / f64::from(SECONDS_PER_DAY);
        let (cos, sin) = unit_vector(second);
        let scale = UNIT as f64;
        assert!(
            (cos as f64 - angle.cos() * scale).abs() < 0.500_01,
            "{second}"
        );
        assert!(
            (sin as f64 - angle.sin() * scale).abs() < 0.500_01,
            "{second}"
        );
    }
}

#[test]
fn quarters_and_opposites_are_exact() {
    assert_eq!(unit_vector(0), (UNIT, 0));
    assert_eq!(unit_vector(21_600), (0, UNIT));
    assert_eq!(unit_vector(43_200), (-UNIT, 0));
    assert_eq!(unit_vector(64_800), (0, -UNIT));
    assert_eq!(unit_vector(86_400), unit_vector(0));
    assert_eq!(unit_vector(u32::MAX), unit_vector(u32::MAX % 86_400));
    for second in 0..SECONDS_PER_DAY {
        let (cos, sin) = unit_vector(second);
        assert_eq!(unit_vector(second + 43_200), (-cos, -sin));
        assert_eq!(unit_vector(second + 21_600), (-sin, cos));
        assert_eq!(unit_vector(86_400 - second), (cos, -sin));
    }
}

#[test]
fn order_and_removal_leave_no_trace() {
    let seconds: Vec<u32> = (0..500).map(|n| n * 7919 % 86_400).collect();
    let forward = profile(seconds.iter().copied());
    assert_eq!(forward, profile(seconds.iter().rev().copied()));
    let mut rest = forward;
    for &second in &seconds[..499] {
        rest.remove(second);
    }
    assert_eq!(rest, profile([seconds[499]]));
    let (mut left, right) = (
        profile(seconds[..200].iter().copied()),
        profile(seconds[200..].iter().copied()),
    );
    left.merge(&right);
    assert_eq!(left, forward);
    // Removed before it was added.
    let mut early = HourProfile::default();
    early.remove(5);
    let _ = (
        early.mean_hour(),
        early.concentration(),
        early.kappa(),
        early.surprise(5),
    );
    early.add(5);
    assert_eq!(early, HourProfile::default());
}

#[test]
fn the_mean_of_one_time_is_that_time() {
    for second in (0..SECONDS_PER_DAY).step_by(61) {
        let got = profile([second; 3]);
        let gap = (got.mean_hour() - f64::from(second) / 3600.0).abs();
        assert!(gap < 1e-8, "{second}: {gap}");
        assert!((got.concentration() - 1.0).abs() < 1e-9);
        assert!((0.0..24.0).contains(&got.mean_hour()));
    }
}

#[test]
fn the_mean_passes_midnight() {
    let near = profile([23 * 3600, 3600]);
    assert!(near.mean_hour().min(24.0 - near.mean_hour()) < 1e-8);
    // Two vectors 30 degrees apart: R is the cosine of 15 degrees.
    assert!((near.concentration() - (PI / 12.0).cos()).abs() < 1e-9);
}

#[test]
fn balanced_times_have_no_mean_and_no_surprise() {
    let mut rounded = 0;
    for count in (2..2000_u32).filter(|count| 86_400 % count == 0) {
        let even = profile((0..count).map(|n| n * (86_400 / count)));
        rounded += u32::from((even.cos, even.sin) != (0, 0));
        assert!(even.concentration().abs() < 1e-300, "{count}");
        assert!(even.mean_hour().is_nan() && even.surprise(1234).abs() < 1e-300);
    }
    assert!(rounded > 0, "no sum had a rest of rounding");
}

#[test]
fn an_empty_profile_knows_nothing() {
    let empty = HourProfile::default();
    assert!(empty.mean_hour().is_nan() && empty.concentration().is_nan());
    assert!(empty.kappa().is_nan() && empty.surprise(0).is_nan());
}

#[test]
#[expect(clippy::unreadable_literal, reason = "digits of printed tables")]
fn the_bessel_function_equals_printed_tables_and_its_integral() {
    // Abramowitz and Stegun, table 9.8: I0(x), or exp(-x) I0(x) where it is printed so.
    for (kappa, printed) in [
        (0.0, 1.0),
        (1.0, 1.2660658778),
        (2.0, 2.2795853023),
        (3.0, 4.8807925858),
        (5.0, 27.239871823604),
        (10.0, 2815.716628466),
    ] {
        let relative = (ln_bessel_i0(kappa) - f64::ln(printed)).abs();
        assert!(relative < 5e-11, "{kappa}: {relative}");
    }
    for tenth in 0..=7000_u32 {
        let kappa = f64::from(tenth) / 10.0;
        let integral = kappa + scaled_bessel(0.0, kappa).ln();
        let gap = (ln_bessel_i0(kappa) - integral).abs();
        assert!(gap < 1e-13 * (1.0 + integral), "{kappa}: {gap}");
    }
}

#[test]
fn kappa_solves_the_likelihood_equation_as_closely_as_stated() {
    // A(kappa) = I1 / I0 = R.
    for thousandth in 1..998 {
        let r = f64::from(thousandth) / 1000.0;
        let kappa = kappa_of(r);
        let back = scaled_bessel(1.0, kappa) / scaled_bessel(0.0, kappa);
        assert!((back - r).abs() < 0.006, "{r}: {back}");
    }
}

#[test]
fn small_samples_are_corrected_as_printed() {
    // Two times 3 hours each side of noon, n = 2: R = cos(45 degrees).
    let pair = profile([9 * 3600, 15 * 3600]);
    let r = 0.5_f64.sqrt();
    let raw = -0.4 + 1.39 * r + 0.43 / (1.0 - r);
    assert!(raw > 2.0);
    assert!((pair.kappa() - raw / 10.0).abs() < 1e-7); // (2-1)^3 / (2^3+2)
    // Below 2: kappa - 2 / (n kappa).
    let wide = profile([3600 * 8, 3600 * 16, 3600 * 8, 3600 * 16]);
    let half: f64 = 2.0 * 0.5 + 0.125 + 5.0 / 6.0 / 32.0;
    assert!((wide.kappa() - (half - 2.0 / (4.0 * half))).abs() < 1e-7);
    // From 16 events on there is no correction.
    let many = profile((0..16).map(|n| if n % 2 == 0 { 8 * 3600 } else { 16 * 3600 }));
    assert!((many.kappa() - half).abs() < 1e-7);
    // Times all equal: the cap comes before the correction.
    assert!((profile([3600; 2]).kappa() - 70.0).abs() < 1e-9);
    assert!((profile([3600; 16]).kappa() - 700.0).abs() < 1e-9);
    assert!(profile([3600]).kappa().abs() < 1e-12);
    assert!(profile([3600]).surprise(40_000).abs() < 1e-12);
}

#[test]
fn the_density_behind_the_surprise_integrates_to_one() {
    let spread =
        |width: u32, count: u32| profile((0..count).map(move |n| 50_000 + n * width / count));
    for shape in [
        spread(1, 1000),
        spread(600, 40),
        spread(7200, 9),
        spread(7200, 300),
        spread(40_000, 16),
        spread(80_000, 77),
        profile([0, 43_000, 100]),
    ] {
        let total: f64 = (0..SECONDS_PER_DAY)
            .map(|second| (-shape.surprise(second)).exp2())
            .sum();
        // The grid is fine against the narrowest peak; the vectors are rounded to 5e-10 and kappa is up to 700.
        let total = total / f64::from(SECONDS_PER_DAY);
        assert!((total - 1.0).abs() < 1e-6, "{shape:?}: {total}");
    }
}

#[test]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "0 to 86,400"
)]
fn surprise_grows_with_the_distance_from_the_mean_and_stays_finite() {
    let shape = profile((0..60).map(|n| 36_000 + n * 120));
    let mean = (shape.mean_hour() * 3600.0).round() as u32;
    let mut last = f64::NEG_INFINITY;
    for distance in (0..=43_200).step_by(300) {
        let (before, after) = (
            shape.surprise(mean + 86_400 - distance),
            shape.surprise(mean + distance),
        );
        assert!(
            (before - after).abs() < 1e-3 * (1.0 + after.abs()),
            "{distance}"
        );
        assert!(after > last);
        last = after;
    }
    let sharp = profile(std::iter::repeat_n(0, 1_000_000));
    assert!((sharp.kappa() - 700.0).abs() < 1e-9);
    let (least, most) = (sharp.surprise(0), sharp.surprise(43_200));
    assert!(
        (-6.1..-6.0).contains(&least) && (2013.0..2014.0).contains(&most),
        "{least} {most}"
    );
}
