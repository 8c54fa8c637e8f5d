//! Parameters of a stream, and what it tells.

use super::RingStream;
use super::groups::Groups;
use super::thinned::Thinned;
use super::usage::Usage;
use crate::GraphError;
use crate::ring::RingParams;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::time::Duration;

/// Users of a thing that links, at most: each event looks at all of them.
const MOST_USERS: u32 = 10_000;

/// What happened to a ring.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RingChange {
    /// There is a new one.
    Formed {
        /// Its id.
        ring: String,
    },
    /// Members came or went, or its p-value is another.
    Changed {
        /// Its id.
        ring: String,
    },
    /// It went into another.
    Merged {
        /// Its id.
        ring: String,
        /// The other's.
        into: String,
    },
    /// It is none any more.
    Dissolved {
        /// Its id.
        ring: String,
    },
}

/// Parameters of a stream of rings: [`RingStreamParams::start`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RingStreamParams {
    /// What a ring is. `links.population` has to be given: a link must not depend on how many users came so far. `max_gap` and
    /// `half_life` cannot: links would fade without an event.
    pub rings: RingParams,
    /// How long an event is kept, in event time. Default 90 days.
    pub keep: Duration,
    /// Steps of work for each event in the mean: a step looks at one use of a thing by a user. A group that costs more waits until
    /// enough is saved, and is then looked at in one event; users who are new to a thing are linked at once, O(users^2) of it. At
    /// least 100, default 2,000.
    pub work: u64,
}

impl RingStreamParams {
    /// Rings among that many users.
    pub fn new(population: u64) -> Self {
        let mut rings = RingParams::default();
        rings.links.population = Some(population);
        Self {
            rings,
            keep: Duration::from_secs(90 * 86_400),
            work: 2_000,
        }
    }

    /// Sets `rings`.
    #[must_use]
    pub fn rings(mut self, rings: RingParams) -> Self {
        self.rings = rings;
        self
    }

    dafu_core::setters! {
        keep: Duration,
        work: u64,
    }

    /// A stream without events.
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`].
    pub fn start(self) -> Result<RingStream, GraphError> {
        self.rings.check()?;
        let population = self.rings.links.population;
        crate::error::parameter("population", "none", "given", population.is_some())?;
        let links = &self.rings.links;
        let timeless = links.max_gap.is_none() && links.half_life.is_none();
        crate::error::parameter(
            "max_gap and half_life",
            "some",
            "none in a stream",
            timeless,
        )?;
        for (kind, params) in &links.kinds {
            let got = format!("{} for {kind:?}", params.hub_cap);
            let good = params.hub_cap <= MOST_USERS;
            crate::error::parameter("hub_cap", got, "at most 10000 in a stream", good)?;
        }
        crate::error::parameter("work", self.work, "at least 100", self.work >= 100)?;
        let strangers = self.rings.links.strangers(0);
        let (prior, wanted) = self
            .rings
            .links
            .wanted(self.rings.similarity_threshold, strangers);
        let weights = self.rings.links.kinds.iter().map(|(kind, params)| {
            let links = &self.rings.links;
            let weights =
                (0..=params.hub_cap as usize).map(|users| links.weight(*kind, users, strangers));
            (*kind, weights.collect())
        });
        Ok(RingStream {
            weights: weights.collect(),
            prior,
            wanted,
            params: self,
            usage: Usage::default(),
            groups: Groups::default(),
            expiries: BinaryHeap::new(),
            thinned: Thinned::default(),
            ignored: 0,
            now: i64::MIN,
            credit: 0,
            changes: Vec::new(),
            ids: BTreeSet::new(),
            frauds: HashMap::new(),
            known: HashMap::new(),
        })
    }
}
