//! Numbers as people read them: thousands separators, SI prefixes, percentages.

/// Digits in groups of three: `134,563`.
fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with a fixed count of decimals and thousands separators.
pub(crate) fn decimals(value: f64, places: usize) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let text = format!("{:.*}", places, value.abs());
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text.as_str(), None),
    };
    let mut out = String::new();
    if value < 0.0 && text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) {
        out.push('-');
    }
    out.push_str(&grouped(whole));
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// Removes zeros at the end of a fraction.
fn trimmed(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

/// The decimal exponent of a number: 2 for 250. 0 for zero.
pub(crate) fn exponent(value: f64) -> i32 {
    let value = value.abs();
    if value > 0.0 && value.is_finite() {
        #[expect(clippy::cast_possible_truncation, reason = "within -324 to 308")]
        let exponent = (value.log10() + 1e-9).floor() as i32;
        exponent
    } else {
        0
    }
}

/// `1.2M`, `45k`, `1e18`: at most three significant digits.
pub(crate) fn si(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let size = value.abs();
    if size >= 1e15 || (size > 0.0 && size < 1e-4) {
        let text = format!("{value:.2e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{exponent}", trimmed(mantissa));
    }
    // 999.5 and more would print as 1000 of its prefix.
    let (unit, prefix) = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")]
        .into_iter()
        .find(|(unit, _)| size >= 0.9995 * unit)
        .unwrap_or((1.0, ""));
    let scaled = value / unit;
    let places = usize::try_from(2 - exponent(scaled)).unwrap_or(0).min(6);
    let text = decimals(scaled, places);
    format!("{}{prefix}", trimmed(&text))
}

/// A count: all digits up to ten billion, SI from there on.
pub(crate) fn count(value: u64) -> String {
    if value < 10_000_000_000 {
        grouped(&value.to_string())
    } else {
        si(value as f64)
    }
}

/// A sum of weights: a count where it is whole.
pub(crate) fn weight(value: f64) -> String {
    if value.abs() >= 1e10 {
        si(value)
    } else if value.fract().abs() < 1e-9 {
        decimals(value, 0)
    } else {
        decimals(value, 1)
    }
}

/// An amount of money in major units.
pub(crate) fn amount(value: f64, currency: Option<&str>) -> String {
    let number = if value.abs() >= 1e10 {
        si(value)
    } else {
        decimals(value, if value.abs() < 1e4 { 2 } else { 0 })
    };
    match currency {
        Some(currency) => format!("{number} {currency}"),
        None => number,
    }
}

/// A share as a percentage with two to three significant digits; never `0 %` or `100 %` unless it is.
pub(crate) fn percent(share: f64) -> String {
    if !share.is_finite() {
        return "-".to_owned();
    }
    let value = share * 100.0;
    let size = value.abs();
    if size > 0.0 && size < 0.0005 {
        return "<0.001 %".to_owned();
    }
    let near_all = 100.0 - value;
    if (f64::MIN_POSITIVE..0.005).contains(&near_all) {
        return ">99.99 %".to_owned();
    }
    let places = if !(0.0005..100.0).contains(&size) {
        0
    } else if near_all < 0.05 {
        2
    } else if size >= 10.0 {
        1
    } else {
        usize::try_from(1 - exponent(size)).unwrap_or(1).min(3)
    };
    let text = decimals(value, places);
    format!("{} %", trimmed(&text))
}

/// A ratio such as an AUC or a precision: three decimals, more where it is small.
pub(crate) fn ratio(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let size = value.abs();
    if size > 0.0 && size < 1e-4 {
        si(value)
    } else if size > 0.0 && size < 0.01 {
        decimals(value, 4)
    } else {
        decimals(value, 3)
    }
}

/// A factor such as a lift: `12.3`.
pub(crate) fn factor(value: f64) -> String {
    if value.abs() >= 1e4 || !value.is_finite() {
        si(value)
    } else if value.abs() < 1.0 {
        decimals(value, 2)
    } else if value.abs() >= 100.0 {
        decimals(value, 0)
    } else {
        decimals(value, 1)
    }
}

/// The label of a tick on a logarithmic axis.
pub(crate) fn log_tick(value: f64) -> String {
    si(value)
}

/// Labels of ticks at equal steps, all with the same prefix and decimals.
pub(crate) fn linear_ticks(values: &[f64], step: f64) -> Vec<String> {
    let largest = values
        .iter()
        .fold(0.0, |most: f64, value| most.max(value.abs()));
    let (unit, prefix) = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")]
        .into_iter()
        .find(|(unit, _)| largest >= *unit)
        .map_or((1.0, ""), |(unit, prefix)| {
            (if prefix == "k" { 1e3 } else { unit }, prefix)
        });
    let places = |unit: f64| usize::try_from(-exponent(step / unit)).unwrap_or(0);
    let scientific = largest >= 1e15 || (largest > 0.0 && largest < 1e-4);
    let digits = usize::try_from(exponent(largest) - exponent(step)).unwrap_or(0);
    values
        .iter()
        .map(|&value| {
            if value.abs() < step * 1e-6 {
                "0".to_owned()
            } else if scientific || (places(unit) > 4 && places(1.0) > 4) {
                format!("{:.*e}", digits.min(12), value)
            } else if places(unit) > 4 {
                decimals(value, places(1.0))
            } else {
                format!("{}{prefix}", decimals(value / unit, places(unit)))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_separators_and_then_prefixes() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(134_563), "134,563");
        assert_eq!(count(1_000_000_000), "1,000,000,000");
        assert_eq!(count(u64::MAX), "1.84e19");
        assert_eq!(si(999_999.0), "1M");
        assert_eq!(si(-1_250.0), "-1.25k");
        assert_eq!(si(0.05), "0.05");
        assert_eq!(si(1e-300), "1e-300");
        assert_eq!(si(f64::NAN), "-");
    }

    #[test]
    fn percentages_keep_what_matters() {
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.008), "0.8 %");
        assert_eq!(percent(0.0123), "1.2 %");
        assert_eq!(percent(0.000_04), "0.004 %");
        assert_eq!(percent(1e-9), "<0.001 %");
        assert_eq!(percent(0.9997), "99.97 %");
        assert_eq!(percent(0.999_99), ">99.99 %");
        assert_eq!(percent(0.4567), "45.7 %");
    }

    #[test]
    fn ticks_of_one_axis_look_alike() {
        assert_eq!(linear_ticks(&[0.0, 0.5, 1.0], 0.5), ["0", "0.5", "1.0"]);
        assert_eq!(linear_ticks(&[0.0, 5e5, 1e6], 5e5), ["0", "0.5M", "1.0M"]);
        assert_eq!(linear_ticks(&[1e4, 2e4], 1e4), ["10k", "20k"]);
        assert_eq!(linear_ticks(&[1e300, 2e300], 1e300), ["1e300", "2e300"]);
        let near = linear_ticks(&[1_000_000.0, 1_000_000.2], 0.2);
        assert_eq!(near, ["1,000,000.0", "1,000,000.2"]);
    }

    #[test]
    fn amounts_name_their_currency() {
        assert_eq!(amount(57.16, Some("EUR")), "57.16 EUR");
        assert_eq!(amount(123_456.7, None), "123,457");
        assert_eq!(decimals(-0.001, 2), "0.00");
    }
}
