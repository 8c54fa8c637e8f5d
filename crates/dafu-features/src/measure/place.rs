//! How fast somebody would have travelled, and where somebody is at home.

use dafu_core::GeoPoint;

const MICROS_PER_HOUR: f64 = 3.6e9;
/// Half a turn and a whole turn in micro degrees.
const HALF_TURN: i64 = 180_000_000;
const TURN: i64 = 2 * HALF_TURN;
const QUARTER_TURN: i64 = 90_000_000;

/// Speed in km/h over a distance in kilometres in a time in microseconds, whichever of the two sightings came first.
///
/// No distance is no speed, also in no time; any other distance in no time is infinitely fast. A distance below 0
/// counts as 0; NaN gives NaN. Places that are only roughly known make any speed over a short time: see
/// [`impossible_travel`].
///
/// ```
/// assert_eq!(dafu_features::measure::speed_kmh(50.0, 1_800_000_000), 100.0); // half an hour
/// ```
pub fn speed_kmh(distance_km: f64, micros: i64) -> f64 {
    if distance_km <= 0.0 {
        0.0
    } else {
        distance_km / (micros.unsigned_abs() as f64 / MICROS_PER_HOUR)
    }
}

/// Whether two sightings are too far apart to be of one traveller: the distance, less what the places may be wrong, is
/// more than `max_kmh` covers in the time between, for which at least `min_seconds` are allowed.
///
/// `distance_km` is for example [`haversine_km`](crate::haversine_km) of two places, `micros` the time between in
/// microseconds (either sign), `uncertainty_km` the sum of the uncertainties of both places: some metres for a
/// satellite fix, tens of kilometres for an internet address. A short time is unreliable as well, by clocks and delays;
/// below `min_seconds` the distance alone decides, against what is covered in that time.
///
/// False where a number is NaN, and never true within the uncertainty. Negative uncertainties and minimal times count
/// as 0.
///
/// ```
/// use dafu_features::measure::impossible_travel;
///
/// let hour = 3_600_000_000;
/// // London to Paris, 344 km, by internet addresses known to 50 km each, at most 900 km/h.
/// assert!(!impossible_travel(344.0, hour, 100.0, 600.0, 900.0));
/// assert!(impossible_travel(344.0, hour / 6, 100.0, 600.0, 900.0)); // ten minutes
/// ```
pub fn impossible_travel(
    distance_km: f64,
    micros: i64,
    uncertainty_km: f64,
    min_seconds: f64,
    max_kmh: f64,
) -> bool {
    if uncertainty_km.is_nan() || min_seconds.is_nan() {
        return false;
    }
    let surely = distance_km - uncertainty_km.max(0.0);
    let hours = (micros.unsigned_abs() as f64 / MICROS_PER_HOUR).max(min_seconds.max(0.0) / 3600.0);
    surely > 0.0 && surely > max_kmh * hours
}

/// Latitude and longitude in whole micro degrees (at most 0.06 m off), -90,000,000 to 90,000,000 and -180,000,000 to
/// 180,000,000.
///
/// ```
/// # fn main() -> Result<(), dafu_core::CoreError> {
/// let berlin = dafu_core::GeoPoint::new(52.520_008, 13.404_954)?;
/// assert_eq!(dafu_features::measure::to_micro_degrees(berlin), (52_520_008, 13_404_954));
/// # Ok(())
/// # }
/// ```
#[expect(clippy::cast_possible_truncation, reason = "at most 180,000,000")]
pub fn to_micro_degrees(point: GeoPoint) -> (i32, i32) {
    let micro = |degrees: f64| (degrees * 1e6).round() as i32;
    (micro(point.latitude()), micro(point.longitude()))
}

/// The point of a latitude and a longitude in micro degrees; `None` outside their ranges. Gives back exactly what
/// [`to_micro_degrees`] made.
pub fn from_micro_degrees((latitude, longitude): (i32, i32)) -> Option<GeoPoint> {
    GeoPoint::new(f64::from(latitude) / 1e6, f64::from(longitude) / 1e6).ok()
}

/// A centre of points (latitude, longitude in micro degrees) that strangers among them hardly move: the median of the
/// latitudes and the median of the longitudes. `None` without points.
///
/// Longitudes are counted from the widest gap between them, so that the date line is a place like any other, and the
/// order of points never matters. Of an even number the middle between the two middle ones is taken. Longitudes
/// past 180 degrees are turned back and latitudes past the poles cut.
///
/// Breakdown point 50 %: while more than half of the points are in one area, the centre is within its latitudes and
/// longitudes, wherever the others are, given that the area has no gap in longitude as wide as the widest one outside
/// (with `k` strangers, that is surely so for areas up to `360 / (k + 2)` degrees wide). The mean breaks down at the
/// first stranger. Medians of each coordinate are not those of a turned map: near the poles, where longitudes mean
/// little, the centre of scattered points is poor.
///
/// `scratch` is overwritten; it allocates only where its capacity is below the number of points.
///
/// Complexity: O(n log n) for n points.
///
/// Source: Lopuhaa and Rousseeuw, "Breakdown points of affine equivariant estimators of multivariate location and
/// covariance matrices" (1991), Annals of Statistics 19(1), section 1, on the coordinatewise median.
///
/// ```
/// use dafu_features::measure::robust_centre;
///
/// // Four payments in Fiji, on both sides of the date line, and one in Paris.
/// let seen = [(-17_000_000, 179_000_000), (-16_000_000, -179_800_000), (-18_000_000, 178_000_000),
///             (-17_500_000, 179_900_000), (48_856_600, 2_352_200)];
/// let home = robust_centre(seen, &mut Vec::new());
/// assert!(home.is_some_and(|home| home.latitude() == -17.0 && home.longitude() > 178.0));
/// ```
pub fn robust_centre(
    points: impl IntoIterator<Item = (i32, i32)>,
    scratch: &mut Vec<i64>,
) -> Option<GeoPoint> {
    scratch.clear();
    // Longitude from 0 to a turn above, latitude from 0 to half a turn below: one number for each point.
    scratch.extend(points.into_iter().map(|(latitude, longitude)| {
        let latitude = i64::from(latitude).clamp(-QUARTER_TURN, QUARTER_TURN) + QUARTER_TURN;
        (i64::from(longitude).rem_euclid(TURN) << 32) | latitude
    }));
    let longitude_of = |packed: i64| packed >> 32;
    scratch.sort_unstable();
    let (&first, &last) = (scratch.first()?, scratch.last()?);
    // The widest gap, the one past the last longitude to begin with; of equal ones the first.
    let (mut start, mut widest) = (0, longitude_of(first) + TURN - longitude_of(last));
    for (place, pair) in scratch.windows(2).enumerate() {
        let gap = longitude_of(pair[1]) - longitude_of(pair[0]);
        if gap > widest {
            (start, widest) = (place + 1, gap);
        }
    }
    // The point after the gap comes first; longitudes that were before it follow a turn later.
    let (low, high) = ((scratch.len() - 1) / 2, scratch.len() / 2);
    let unwrapped = |rank: usize| -> Option<i64> {
        let place = start + rank;
        match scratch.get(place) {
            Some(&packed) => Some(longitude_of(packed)),
            None => Some(longitude_of(*scratch.get(place - scratch.len())?) + TURN),
        }
    };
    let twice_longitude = unwrapped(low)? + unwrapped(high)?;
    for packed in scratch.iter_mut() {
        *packed &= 0xffff_ffff;
    }
    scratch.sort_unstable();
    let twice_latitude = scratch.get(low)? + scratch.get(high)? - 2 * QUARTER_TURN;
    // Back to -180 to below 180 degrees.
    let twice_longitude = (twice_longitude + TURN).rem_euclid(2 * TURN) - TURN;
    GeoPoint::new(twice_latitude as f64 / 2e6, twice_longitude as f64 / 2e6).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::haversine_km;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000_000;

    fn centre(points: &[(i32, i32)]) -> Option<GeoPoint> {
        robust_centre(points.iter().copied(), &mut Vec::new())
    }

    #[test]
    fn speed_is_distance_over_time_in_either_order() {
        assert!((speed_kmh(900.0, HOUR) - 900.0).abs() < 1e-9);
        assert!((speed_kmh(900.0, -HOUR) - 900.0).abs() < 1e-9);
        assert!((speed_kmh(1.0, 1) - 3.6e9).abs() < 1.0);
        assert!(speed_kmh(0.0, 0).abs() < 1e-300 && speed_kmh(-2.0, 5).abs() < 1e-300);
        assert!(speed_kmh(1e-9, 0).is_infinite());
        assert!(speed_kmh(f64::NAN, 5).is_nan() && speed_kmh(f64::NAN, 0).is_nan());
        assert!(speed_kmh(20_015.0, i64::MIN) > 0.0);
    }

    #[test]
    fn travel_is_impossible_above_the_greatest_speed_and_not_at_it() {
        let travel = |km, micros| impossible_travel(km, micros, 0.0, 0.0, 900.0);
        assert!(!travel(900.0, HOUR) && travel(900.1, HOUR));
        assert!(!travel(900.0, -HOUR) && travel(900.1, -HOUR));
        assert!(travel(0.001, 0) && !travel(0.0, 0));
    }

    #[test]
    fn uncertainty_is_taken_off_the_distance() {
        assert!(!impossible_travel(1000.0, HOUR, 100.0, 0.0, 900.0));
        assert!(impossible_travel(1000.2, HOUR, 100.0, 0.0, 900.0));
        assert!(!impossible_travel(99.0, 0, 100.0, 0.0, 0.0));
        assert!(impossible_travel(950.0, HOUR, -500.0, 0.0, 900.0));
    }

    #[test]
    fn below_the_minimal_time_only_the_distance_counts() {
        // 600 s at 900 km/h are 150 km.
        for seconds in [0, 1, 60, 599] {
            let micros = seconds * 1_000_000;
            assert!(!impossible_travel(149.9, micros, 0.0, 600.0, 900.0));
            assert!(impossible_travel(150.1, micros, 0.0, 600.0, 900.0));
        }
        assert!(!impossible_travel(150.1, 601_000_000, 0.0, 600.0, 900.0));
    }

    #[test]
    fn nothing_is_impossible_with_numbers_that_are_not() {
        let nan = f64::NAN;
        assert!(!impossible_travel(nan, 0, 0.0, 0.0, 900.0));
        assert!(!impossible_travel(5000.0, 0, nan, 0.0, 900.0));
        assert!(!impossible_travel(5000.0, 0, 0.0, nan, 900.0));
        assert!(!impossible_travel(5000.0, 0, 0.0, 0.0, nan));
        assert!(!impossible_travel(5000.0, 0, 0.0, 1.0, f64::INFINITY));
        assert!(impossible_travel(5000.0, i64::MIN + 1, 0.0, 0.0, 0.0));
    }

    #[test]
    fn an_odd_number_of_points_has_the_plain_medians() {
        let points = [(50, 10), (10, 30), (20, 20), (40, 50), (30, 40)]
            .map(|(a, b)| (a * 1_000_000, b * 1_000_000));
        let got = centre(&points).unwrap();
        assert!((got.latitude() - 30.0).abs() < 1e-12 && (got.longitude() - 30.0).abs() < 1e-12);
        assert_eq!(centre(&[]), None);
        let one = centre(&[(-90_000_000, 180_000_000)]).unwrap();
        assert!(
            (one.latitude() + 90.0).abs() < 1e-12 && (one.longitude().abs() - 180.0).abs() < 1e-12
        );
    }

    #[test]
    fn an_even_number_of_points_has_the_middle_of_the_middle_ones() {
        let got = centre(&[
            (0, 0),
            (1_000_001, 2_000_000),
            (3_000_000, 3_000_000),
            (90_000_000, 4_000_000),
        ])
        .unwrap();
        assert!(
            (got.latitude() - 2.000_000_5).abs() < 1e-12 && (got.longitude() - 2.5).abs() < 1e-12
        );
    }

    #[test]
    fn the_date_line_is_no_border() {
        let got = centre(&[(0, 179_000_000), (0, -179_000_000)]).unwrap();
        assert!((got.longitude().abs() - 180.0).abs() < 1e-12);
        let got = centre(&[(0, 179_000_000), (0, -178_000_000), (0, -177_000_000)]).unwrap();
        assert!((got.longitude() + 178.0).abs() < 1e-12);
    }

    #[test]
    fn strangers_up_to_just_below_half_do_not_move_the_centre_out_of_the_area() {
        // The area is 1 degree wide, across the date line; strangers stand anywhere, the antipode first.
        let home: Vec<(i32, i32)> = (0..50)
            .map(|n| {
                (
                    10_000_000 + n * 20_000,
                    if n % 2 == 0 {
                        179_990_000 - n * 9000
                    } else {
                        -179_990_000 + n * 9000
                    },
                )
            })
            .collect();
        for strangers in 0..50 {
            let mut points: Vec<(i32, i32)> = (0..strangers)
                .map(|n| (-60_000_000 + n * 2_000_000, n * 3_300_000))
                .collect();
            points.extend(&home);
            let got = centre(&points).unwrap();
            assert!(
                (10.0..=11.0).contains(&got.latitude()),
                "{strangers}: {got:?}"
            );
            assert!(got.longitude().abs() >= 179.5, "{strangers}: {got:?}");
            assert!(haversine_km(got, GeoPoint::new(10.5, 180.0).unwrap()) < 80.0);
        }
    }

    #[test]
    fn coordinates_out_of_range_are_turned_or_cut() {
        let got = centre(&[(i32::MAX, 190_000_000)]).unwrap();
        assert!((got.latitude() - 90.0).abs() < 1e-12 && (got.longitude() + 170.0).abs() < 1e-12);
        assert!(centre(&[(i32::MIN, i32::MIN), (i32::MAX, i32::MAX)]).is_some());
    }

    proptest! {
        #[test]
        fn micro_degrees_round_trip(latitude in -90_000_000..=90_000_000, longitude in -180_000_000..=180_000_000) {
            let point = from_micro_degrees((latitude, longitude)).unwrap();
            prop_assert_eq!(to_micro_degrees(point), (latitude, longitude));
        }

        #[test]
        fn order_does_not_move_the_centre(
            points in proptest::collection::vec((any::<i32>(), any::<i32>()), 0..20),
            turn in 0..20_usize,
        ) {
            let mut turned = points.clone();
            turned.reverse();
            let len = turned.len().max(1);
            turned.rotate_left(if points.is_empty() { 0 } else { turn % len });
            prop_assert_eq!(centre(&turned), centre(&points));
        }

        /// Away from the date line, in less than half a turn, these are the medians of sorted lists.
        #[test]
        fn a_sorted_list_has_the_same_medians(
            points in proptest::collection::vec((-90_000_000..=90_000_000_i32, -80_000_000..=80_000_000_i32), 1..30),
        ) {
            let median = |mut values: Vec<i32>| {
                values.sort_unstable();
                let sum = i64::from(values[(values.len() - 1) / 2]) + i64::from(values[values.len() / 2]);
                sum as f64 / 2e6
            };
            let got = centre(&points).unwrap();
            prop_assert!((got.latitude() - median(points.iter().map(|p| p.0).collect())).abs() < 1e-12);
            prop_assert!((got.longitude() - median(points.iter().map(|p| p.1).collect())).abs() < 1e-12);
        }

        #[test]
        fn turning_the_earth_turns_the_centre(
            points in proptest::collection::vec((-90_000_000..=90_000_000_i32, -80_000_000..=80_000_000_i32), 1..30),
            by in -360_000_000..360_000_000_i32,
        ) {
            let turned: Vec<_> = points.iter().map(|&(a, b)| (a, b + by)).collect();
            let (from, to) = (centre(&points).unwrap(), centre(&turned).unwrap());
            let gap = (to.longitude() - from.longitude() - f64::from(by) / 1e6).rem_euclid(360.0);
            prop_assert!(gap.min(360.0 - gap) < 1e-9);
        }
    }
}
