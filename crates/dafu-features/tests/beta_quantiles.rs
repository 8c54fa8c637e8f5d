//! Against exact quantiles: `fixtures/beta_quantiles.py` made them with scipy and mpmath.
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_features::measure::rate_quantile;

#[test]
fn quantiles_equal_the_exact_ones() {
    let rows: Vec<[f64; 4]> =
        serde_json::from_str(include_str!("fixtures/beta_quantiles.json")).unwrap();
    assert_eq!(rows.len(), 11 * 11 * 9);
    let mut worst = (0.0, "none".to_owned());
    for [alpha, beta, q, exact] in rows {
        let got = rate_quantile(0.0, beta, alpha, alpha, q);
        // Relative, but for rates near 1e-308, where floats lose digits and the function says 0.
        let gap = (got - exact).abs() / exact.max(1e-290);
        if gap > worst.0 {
            worst = (
                gap,
                format!("Beta({alpha}, {beta}) at {q}: {got}, exact {exact}"),
            );
        }
    }
    assert!(worst.0 <= 1e-11, "{worst:?}");
}
