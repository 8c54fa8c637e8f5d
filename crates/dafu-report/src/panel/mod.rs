//! The panels, one file each.

pub(crate) mod alert_share;
pub(crate) mod bands;
pub(crate) mod confusion;
pub(crate) mod curves;
pub(crate) mod days;
pub(crate) mod models;
pub(crate) mod reliability;
pub(crate) mod scatter;
pub(crate) mod scores;
