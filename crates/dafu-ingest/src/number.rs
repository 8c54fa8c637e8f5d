//! Decimal numbers as people and programs write them.

use std::fmt;

/// How a column writes its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum NumberStyle {
    /// `1234.56`.
    #[default]
    Point,
    /// `1234,56`.
    Comma,
    /// `1,234.56`.
    PointGrouped,
    /// `1.234,56`.
    CommaGrouped,
}

impl NumberStyle {
    /// All styles, the plainest first.
    pub(crate) const ALL: [Self; 4] = [
        Self::Point,
        Self::Comma,
        Self::PointGrouped,
        Self::CommaGrouped,
    ];

    const fn decimal(self) -> u8 {
        match self {
            Self::Point | Self::PointGrouped => b'.',
            Self::Comma | Self::CommaGrouped => b',',
        }
    }

    const fn group(self) -> Option<u8> {
        match self {
            Self::PointGrouped => Some(b','),
            Self::CommaGrouped => Some(b'.'),
            Self::Point | Self::Comma => None,
        }
    }
}

impl fmt::Display for NumberStyle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Point => "1234.56",
            Self::Comma => "1234,56",
            Self::PointGrouped => "1,234.56",
            Self::CommaGrouped => "1.234,56",
        })
    }
}

/// A number that was read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Decimal {
    /// The value; infinite for `inf` and for numbers beyond the range of `f64`.
    pub(crate) value: f64,
    /// Digits after the decimal sign, without trailing zeros; 0 when an exponent is written.
    pub(crate) decimals: u32,
}

/// Signs of currencies that may stand before or after an amount.
const SIGNS: [&str; 4] = ["$", "\u{20ac}", "\u{a3}", "\u{a5}"];

/// Codes of much traded currencies (ISO 4217) that may stand in their place. No other three letters: ids have them.
const CODES: [&str; 42] = [
    "USD", "EUR", "GBP", "JPY", "CHF", "CAD", "AUD", "NZD", "CNY", "HKD", "SGD", "SEK", "NOK",
    "DKK", "PLN", "CZK", "HUF", "RON", "BGN", "TRY", "RUB", "UAH", "ILS", "AED", "SAR", "INR",
    "IDR", "THB", "MYR", "PHP", "KRW", "TWD", "VND", "BRL", "MXN", "ARS", "CLP", "COP", "PEN",
    "ZAR", "NGN", "KES",
];

/// An amount without its currency sign or code and the space between.
pub(crate) fn without_currency_sign(text: &str) -> &str {
    let (first, last) = (text.as_bytes().first(), text.as_bytes().last());
    let is_plain = |byte: Option<&u8>| {
        byte.is_none_or(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.'))
    };
    if is_plain(first) && is_plain(last) {
        return text;
    }
    for sign in SIGNS {
        if let Some(rest) = text.strip_prefix(sign).or_else(|| text.strip_suffix(sign)) {
            return rest.trim();
        }
    }
    for code in CODES {
        if let Some(rest) = text.strip_prefix(code).or_else(|| text.strip_suffix(code)) {
            return rest.trim();
        }
    }
    text
}

/// Reads a trimmed number; `None` for anything else. `nan` is no number here, it is a missing value.
pub(crate) fn parse(text: &str, style: NumberStyle) -> Option<Decimal> {
    let mut rewritten = [0_u8; 64];
    let plain = if style == NumberStyle::Point {
        text
    } else {
        rewrite(text, style, &mut rewritten)?
    };
    let value: f64 = plain.parse().ok()?;
    if value.is_nan() {
        return None;
    }
    Some(Decimal {
        value,
        decimals: decimals(plain),
    })
}

/// Digits after the point, without trailing zeros.
fn decimals(plain: &str) -> u32 {
    let Some((_, fraction)) = plain.split_once('.') else {
        return 0;
    };
    if fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        u32::try_from(fraction.trim_end_matches('0').len()).unwrap_or(u32::MAX)
    } else {
        0
    }
}

/// The number with a point and without groups. Groups must have exactly three digits.
fn rewrite<'a>(text: &str, style: NumberStyle, buffer: &'a mut [u8; 64]) -> Option<&'a str> {
    let decimal = style.decimal();
    let mut length = 0;
    let mut digits_of_group = 0;
    let mut grouped = false;
    let mut in_fraction = false;
    let mut push = |byte: u8| {
        *buffer.get_mut(length)? = byte;
        length += 1;
        Some(())
    };
    for byte in text.bytes() {
        if byte == decimal {
            if in_fraction || (grouped && digits_of_group != 3) {
                return None;
            }
            in_fraction = true;
            push(b'.')?;
        } else if Some(byte) == style.group() {
            let full = if grouped {
                digits_of_group == 3
            } else {
                (1..=3).contains(&digits_of_group)
            };
            if in_fraction || !full {
                return None;
            }
            grouped = true;
            digits_of_group = 0;
        } else if byte == b'.' || byte == b',' {
            return None;
        } else {
            if byte.is_ascii_digit() && !in_fraction {
                digits_of_group += 1;
            }
            push(byte)?;
        }
    }
    if grouped && !in_fraction && digits_of_group != 3 {
        return None;
    }
    std::str::from_utf8(&buffer[..length]).ok()
}

#[cfg(test)]
mod tests {
    use super::{NumberStyle, parse, without_currency_sign};
    use proptest::prelude::*;

    fn value(text: &str, style: NumberStyle) -> Option<(f64, u32)> {
        parse(text, style).map(|number| (number.value, number.decimals))
    }

    #[test]
    fn reads_each_style() {
        use NumberStyle::{Comma, CommaGrouped, Point, PointGrouped};
        for (text, style, expected) in [
            ("57.16", Point, Some((57.16, 2))),
            ("57.10", Point, Some((57.1, 1))),
            ("-5", Point, Some((-5.0, 0))),
            ("1e3", Point, Some((1000.0, 0))),
            ("1e308", Point, Some((1e308, 0))),
            ("1e309", Point, Some((f64::INFINITY, 0))),
            ("57,16", Point, None),
            ("nan", Point, None),
            ("0x10", Point, None),
            ("", Point, None),
            ("57,16", Comma, Some((57.16, 2))),
            ("57.16", Comma, None),
            ("1,234.56", PointGrouped, Some((1234.56, 2))),
            ("1,234", PointGrouped, Some((1234.0, 0))),
            ("12,34.5", PointGrouped, None),
            ("1234,567", PointGrouped, None),
            ("1.234.567,8", CommaGrouped, Some((1_234_567.8, 1))),
            ("1.23", CommaGrouped, None),
        ] {
            assert_eq!(value(text, style), expected, "{text} as {style}");
        }
    }

    #[test]
    fn takes_currency_signs_off() {
        for text in [
            "$12.50",
            "\u{20ac} 12.50",
            "12.50 \u{20ac}",
            "12.50",
            "USD 12.50",
            "12.50EUR",
        ] {
            assert_eq!(without_currency_sign(text), "12.50");
        }
        assert_eq!(without_currency_sign("ABC12"), "ABC12");
        assert_eq!(without_currency_sign(""), "");
    }

    proptest! {
        #[test]
        fn printed_numbers_come_back(value in proptest::num::f64::NORMAL) {
            let text = value.to_string();
            prop_assert_eq!(parse(&text, NumberStyle::Point).map(|d| d.value.to_bits()), Some(value.to_bits()));
        }

        #[test]
        fn never_panics(text in "\\PC{0,80}") {
            for style in NumberStyle::ALL {
                let _ = parse(&text, style);
            }
        }
    }
}
