//! Boxes: the lowest values of all features, then the highest; and the points in them.

/// Makes a box that holds no point; finite, since not every format knows infinity.
pub(super) fn empty(bounds: &mut [f64]) {
    let (lows, highs) = bounds.split_at_mut(bounds.len() / 2);
    lows.fill(f64::MAX);
    highs.fill(f64::MIN);
}

/// Makes a box reach a point, and says whether it had two different points before.
pub(super) fn extend(bounds: &mut [f64], point: &[f64]) -> bool {
    let mut varied = false;
    let (lows, highs) = bounds.split_at_mut(bounds.len() / 2);
    for ((low, high), &value) in lows.iter_mut().zip(highs).zip(point) {
        varied |= *low < *high;
        // Not f64::min, for which 0.0 and -0.0 may change places from platform to platform.
        *low = if value < *low { value } else { *low };
        *high = if value > *high { value } else { *high };
    }
    varied
}

/// The smallest box around some points.
pub(super) fn enclose(bounds: &mut [f64], points: &[f64], order: &[u32]) {
    empty(bounds);
    let width = bounds.len() / 2;
    for &point in order {
        let start = point as usize * width;
        extend(bounds, &points[start..start + width]);
    }
}

pub(super) fn count_varying(bounds: &[f64]) -> usize {
    let (lows, highs) = bounds.split_at(bounds.len() / 2);
    lows.iter()
        .zip(highs)
        .filter(|(low, high)| low < high)
        .count()
}

/// The feature at this place among those whose values differ.
pub(super) fn nth_varying(bounds: &[f64], place: usize) -> usize {
    let (lows, highs) = bounds.split_at(bounds.len() / 2);
    let mut varying = (0..lows.len()).filter(|&at| lows[at] < highs[at]);
    varying.nth(place).unwrap_or(0)
}

/// `low + unit (high - low)`, kept in [low, high] whatever the rounding.
pub(super) fn between(low: f64, high: f64, unit: f64) -> f64 {
    let range = high - low;
    let value = if range.is_finite() {
        low + unit * range
    } else {
        // The range overflows: the halves do not.
        2.0 * (low / 2.0 + unit * (high / 2.0 - low / 2.0))
    };
    if value < low {
        low
    } else if value > high {
        high
    } else {
        value
    }
}
