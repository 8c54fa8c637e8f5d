//! Measures of single things: an amount, a time of day, a rate, an address, a device, a place, a set.
//!
//! Everything here is pure and deterministic, and nothing panics. Functions do not allocate unless they say so, and
//! each says what it does with NaN. They are the parts of which features are made; each can be used alone.
//!
//! ```
//! use dafu_features::measure::{first_digit, ip_class, is_round, IpClass};
//!
//! # fn main() -> Result<(), std::net::AddrParseError> {
//! assert!(is_round(500 * 10_000, 100)); // 500.00 in whole hundreds
//! assert_eq!(first_digit(740_000), Some(7)); // 74.00
//! assert_eq!(ip_class("100.64.1.2".parse()?), IpClass::CarrierNat);
//! # Ok(())
//! # }
//! ```
//!
//! Amounts are whole ten-thousandths of a major unit ([`FIXED_PER_MAJOR`]): every currency of ISO 4217 has at most four
//! decimals, so amounts of all currencies are exact and sums of them are free of order.
//!
//! | of | measures |
//! |---|---|
//! | an amount | [`log_amount`], [`cents_part`], [`is_round`], [`trailing_zeros`], [`just_below`], [`first_digit`] |
//! | digits of many amounts | [`benford_chi_square`] |
//! | an instant | [`Calendar`] |
//! | the time of day | [`HourProfile`] |
//! | a rate of fraud | [`smoothed_rate`], [`rate_quantile`] |
//! | an address, a device | [`ip_class`], [`ip_prefix`], [`UserAgent`] |
//! | places | [`speed_kmh`], [`impossible_travel`], [`robust_centre`] |
//! | many amounts | [`log_bucket`], [`bucket_value`] |
//! | a set | [`DistinctSketch`], [`HyperLogLog`] |

mod amount;
mod beta;
mod calendar;
mod distinct;
mod hour_profile;
mod log_bucket;
mod network;
mod place;
mod user_agent;

pub use amount::{
    FIXED_PER_MAJOR, benford_chi_square, benford_expected, cents_part, first_digit, is_round,
    just_below, log_amount, trailing_zeros,
};
pub use beta::{rate_quantile, smoothed_rate};
pub use calendar::{Calendar, Date};
pub use distinct::{DistinctSketch, HyperLogLog};
pub use hour_profile::{HourProfile, UNIT, unit_vector};
pub use log_bucket::{MAX_BUCKET, bucket_value, log_bucket};
pub use network::{IpClass, ip_class, ip_prefix};
pub use place::{
    from_micro_degrees, impossible_travel, robust_centre, speed_kmh, to_micro_degrees,
};
pub use user_agent::{Browser, DeviceType, System, UserAgent};
