//! Places.

use dafu_core::GeoPoint;

/// Great-circle distance of two points in kilometres: [`GeoPoint::distance_km`].
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
    from.distance_km(to)
}
