//! Places.

use dafu_core::GeoPoint;

/// Mean radius of the earth in kilometres (IUGG, R1).
const EARTH_RADIUS_KM: f64 = 6_371.008_8;

/// Great-circle distance of two points in kilometres, on a sphere with the earth's mean radius.
///
/// The ellipsoid is up to 0.6 % longer or shorter.
///
/// Source: Sinnott, "Virtues of the Haversine" (1984).
///
/// ```
/// # fn main() -> Result<(), dafu_core::CoreError> {
/// use dafu_core::GeoPoint;
///
/// let london = GeoPoint::new(51.5074, -0.1278)?;
/// let paris = GeoPoint::new(48.8566, 2.3522)?;
/// assert!((dafu_features::haversine_km(london, paris) - 343.56).abs() < 0.01);
/// # Ok(())
/// # }
/// ```
pub fn haversine_km(from: GeoPoint, to: GeoPoint) -> f64 {
    let (a, b) = (from.latitude().to_radians(), to.latitude().to_radians());
    let half_latitude = ((b - a) / 2.0).sin();
    let half_longitude = ((to.longitude() - from.longitude()).to_radians() / 2.0).sin();
    let chord = half_latitude * half_latitude + a.cos() * b.cos() * half_longitude * half_longitude;
    // Rounding can lift the square of the sine just above 1.
    2.0 * EARTH_RADIUS_KM * chord.min(1.0).sqrt().asin()
}
