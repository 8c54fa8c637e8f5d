//! Numbers as codes of intervals.

/// The code of a number that is missing.
pub(super) const MISSING: u32 = 0;
/// Codes of a number: missing, then the intervals.
pub(super) const CODES: u32 = 16;
/// Hours of a day, and days of a week.
pub(super) const HOURS: u32 = 24;
pub(super) const WEEKDAYS: u32 = 7;
/// Scaled numbers below this are in the first interval.
const LOWEST: f32 = -2.5;
const WIDTH: f32 = 0.5;

/// The code of a scaled number.
pub(super) fn code(scaled: Option<f32>) -> u32 {
    let Some(scaled) = scaled else {
        return MISSING;
    };
    let last = CODES - 1;
    // A float beyond the range of integers, or NaN, is held within it.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "held within the codes"
    )]
    let above = ((scaled - LOWEST) / WIDTH + 1.0).floor().max(0.0) as u32;
    1 + above.min(last - 1)
}

/// Scaled numbers that the interval of a code begins and ends with, where it does; `None` for a code of none.
pub(super) fn bounds(code: u32) -> Option<(Option<f32>, Option<f32>)> {
    if code == MISSING || code >= CODES {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "below 16")]
    let edge = |edge: u32| LOWEST + WIDTH * edge as f32;
    let above = code - 1;
    let begin = above.checked_sub(1).map(edge);
    Some((begin, (code + 1 < CODES).then(|| edge(above))))
}

#[cfg(test)]
mod tests {
    use super::{CODES, bounds, code};

    #[test]
    fn an_interval_holds_the_numbers_between_its_bounds() {
        for number in (-1000..1000).map(|number| number as f32 / 100.0) {
            let (begin, end) = bounds(code(Some(number))).unwrap();
            assert!(begin.is_none_or(|begin| begin <= number), "{number}");
            assert!(end.is_none_or(|end| number < end), "{number}");
        }
    }

    #[test]
    fn all_codes_are_used_and_no_more() {
        assert_eq!(code(None), 0);
        assert_eq!((code(Some(f32::MIN)), code(Some(f32::MAX))), (1, CODES - 1));
        assert_eq!(bounds(1), Some((None, Some(-2.5))));
        assert_eq!(bounds(CODES - 1), Some((Some(4.0), None)));
        assert_eq!((bounds(0), bounds(CODES)), (None, None));
    }
}
