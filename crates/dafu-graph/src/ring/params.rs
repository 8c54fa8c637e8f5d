//! What a ring is: parameters.

use super::place::PlaceParams;
use crate::error::parameter;
use crate::{GraphError, LinkParams};
use std::time::Duration;

/// Parameters of ring detection: [`RingParams::detect`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct RingParams {
    /// Probability from which on two users count as linked: that they do not share by chance ([`LinkParams::link`]), 0 to 1.
    /// Default 0.8: two rare things in common, or more.
    pub similarity_threshold: f64,
    /// Members of a ring, at least 2. Default 3.
    pub min_ring_size: usize,
    /// Largest p-value of a ring: how likely people of one home or one place of work share that much, above 0 and at most 1.
    /// Default 0.003.
    pub max_p_value: f64,
    /// How users are linked.
    pub links: LinkParams,
    /// What people share who live or work in one place.
    pub places: PlaceParams,
    /// Two members who use the same thing within this time act together. Default two hours; zero leaves time out.
    pub lockstep_window: Duration,
    /// A group falls apart where communities of it have at least this modularity, 0 to 1. Default 0.4.
    pub split_modularity: f64,
    /// Seed of the search for communities. Default 0.
    pub seed: u64,
}

impl Default for RingParams {
    fn default() -> Self {
        Self {
            similarity_threshold: 0.8,
            min_ring_size: 3,
            max_p_value: 0.003,
            links: LinkParams::default(),
            places: PlaceParams::default(),
            lockstep_window: Duration::from_secs(2 * 3600),
            split_modularity: 0.4,
            seed: 0,
        }
    }
}

impl RingParams {
    dafu_core::setters! {
        similarity_threshold: f64,
        min_ring_size: usize,
        max_p_value: f64,
    }

    /// Sets `links`.
    #[must_use]
    pub fn links(mut self, links: LinkParams) -> Self {
        self.links = links;
        self
    }

    /// Sets `places`.
    #[must_use]
    pub fn places(mut self, places: PlaceParams) -> Self {
        self.places = places;
        self
    }

    dafu_core::setters! {
        lockstep_window: Duration,
        split_modularity: f64,
        seed: u64,
    }

    /// Whether all parameters are within their intervals.
    ///
    /// ```
    /// use dafu_graph::RingParams;
    ///
    /// let wrong = RingParams::default().similarity_threshold(80.0).check().unwrap_err();
    /// assert_eq!(wrong.to_string(), "`similarity_threshold` must be at least 0 and at most 1, got 80");
    /// ```
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`] for the first that is not.
    pub fn check(&self) -> Result<(), GraphError> {
        for (name, got) in [
            ("similarity_threshold", self.similarity_threshold),
            ("split_modularity", self.split_modularity),
        ] {
            let good = (0.0..=1.0).contains(&got);
            parameter(name, got, "at least 0 and at most 1", good)?;
        }
        let got = self.min_ring_size;
        parameter("min_ring_size", got, "at least 2", got >= 2)?;
        let got = self.max_p_value;
        let good = got > 0.0 && got <= 1.0;
        parameter("max_p_value", got, "above 0 and at most 1", good)?;
        self.places.check()?;
        self.links.check()
    }
}
