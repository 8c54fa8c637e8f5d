//! How sure a share is.

/// Of the normal distribution: 95 of 100 intervals hold the share.
const Z: f64 = 1.959_963_984_540_054;

/// The 95 % interval of a share that was seen in so many rows; from 0 to 1 where there are none.
///
/// ```
/// use dafu_core::metrics::share_interval;
///
/// // 3 of 40: the share may well be 2 or 20 in a hundred.
/// let (low, high) = share_interval(3.0 / 40.0, 40.0);
/// assert!((low - 0.0258).abs() < 1e-4 && (high - 0.1986).abs() < 1e-4);
/// ```
///
/// Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference" (1927).
pub fn share_interval(share: f64, rows: f64) -> (f64, f64) {
    if rows <= 0.0 {
        return (0.0, 1.0);
    }
    let square = Z * Z / rows;
    let middle = share + square / 2.0;
    let half = Z
        * (share * (1.0 - share) / rows + square / (4.0 * rows))
            .max(0.0)
            .sqrt();
    let at = |value: f64| (value / (1.0 + square)).clamp(0.0, 1.0);
    // Rounding would leave a trace where the ends are whole.
    let low = if share <= 0.0 { 0.0 } else { at(middle - half) };
    let high = if share >= 1.0 { 1.0 } else { at(middle + half) };
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::share_interval;

    #[test]
    fn intervals_are_those_of_scipy() {
        // scipy.stats.binomtest(frauds, rows).proportion_ci(method="wilson")
        for (frauds, rows, low, high) in [
            (0.0, 50.0, 0.0, 0.071_347_6),
            (3.0, 40.0, 0.025_836_0, 0.198_642_3),
            (20.0, 20.0, 0.838_874_8, 1.0),
        ] {
            let (lower, upper) = share_interval(frauds / rows, rows);
            assert!(
                (lower - low).abs() < 1e-6 && (upper - high).abs() < 1e-6,
                "{lower} {upper}"
            );
        }
        assert_eq!(share_interval(0.5, 0.0), (0.0, 1.0));
    }

    #[test]
    fn intervals_of_none_and_of_all_end_at_zero_and_one() {
        for rows in 1..1000 {
            let rows = f64::from(rows);
            assert_eq!(share_interval(0.0, rows).0.to_bits(), 0, "{rows}");
            let high = share_interval(1.0, rows).1;
            assert_eq!(high.to_bits(), 1_f64.to_bits(), "{rows}");
        }
    }
}
