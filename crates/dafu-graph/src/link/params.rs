//! How users are linked: parameters.

use super::MinHashParams;
use crate::GraphError;
use crate::error::parameter;
use dafu_core::EntityKind;
use std::collections::BTreeMap;
use std::time::Duration;

/// How much it says that two users share an entity of a kind.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KindParams {
    /// Probability that users who are linked share an entity of this kind, above 0 and at most 1.
    pub reliability: f64,
    /// Entities of more users than this link nobody, at least 2.
    pub hub_cap: u32,
}

/// Parameters of links between users: [`LinkParams::link`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct LinkParams {
    /// The kinds that link. Without merchants by default: everybody meets there.
    pub kinds: BTreeMap<EntityKind, KindParams>,
    /// Other users that a user is really linked to, in the mean, before anything is seen. Default 1.
    pub prior_links: f64,
    /// Users of whom those of the graph are some: strangers share less by chance, the more there are. Those of the graph by
    /// default.
    pub population: Option<u64>,
    /// Users share what they used within that time of each other, once at least: a device that was sold links nobody then. None by
    /// default: whenever they used it.
    pub max_gap: Option<Duration>,
    /// What a shared entity adds to the logarithm of the odds halves in that time before the last event of the graph, from when
    /// the first of both used it last. None by default.
    pub half_life: Option<Duration>,
    /// Pairs of users with an entity in common that are looked at, at most; where there are more, the entities of most users are
    /// left out, and reported. Default 50 million, about a second.
    pub pair_budget: u64,
    /// Looks for pairs with much in common where there are more than the budget, instead of leaving entities out. None by
    /// default: what is found is exact.
    pub min_hash: Option<MinHashParams>,
}

impl Default for LinkParams {
    fn default() -> Self {
        let kind = |kind, reliability| {
            let hub_cap = 50;
            (
                kind,
                KindParams {
                    reliability,
                    hub_cap,
                },
            )
        };
        Self {
            kinds: BTreeMap::from([
                kind(EntityKind::Account, 0.5),
                kind(EntityKind::Card, 0.5),
                kind(EntityKind::Device, 0.5),
                kind(EntityKind::Email, 0.5),
                kind(EntityKind::Address, 0.4),
                kind(EntityKind::Ip, 0.3),
            ]),
            prior_links: 1.0,
            population: None,
            max_gap: None,
            half_life: None,
            pair_budget: 50_000_000,
            min_hash: None,
        }
    }
}

impl LinkParams {
    /// Sets what it says to share an entity of a kind.
    #[must_use]
    pub fn kind(mut self, kind: EntityKind, reliability: f64, hub_cap: u32) -> Self {
        self.kinds.insert(
            kind,
            KindParams {
                reliability,
                hub_cap,
            },
        );
        self
    }

    /// Lets no entity of a kind link.
    #[must_use]
    pub fn without(mut self, kind: EntityKind) -> Self {
        self.kinds.remove(&kind);
        self
    }

    /// Sets `prior_links`.
    #[must_use]
    pub const fn prior_links(mut self, prior_links: f64) -> Self {
        self.prior_links = prior_links;
        self
    }

    /// Sets `population`.
    #[must_use]
    pub const fn population(mut self, population: u64) -> Self {
        self.population = Some(population);
        self
    }

    /// Sets `pair_budget`.
    #[must_use]
    pub const fn pair_budget(mut self, pair_budget: u64) -> Self {
        self.pair_budget = pair_budget;
        self
    }

    /// Sets `max_gap`.
    #[must_use]
    pub const fn max_gap(mut self, max_gap: Duration) -> Self {
        self.max_gap = Some(max_gap);
        self
    }

    /// Sets `half_life`.
    #[must_use]
    pub const fn half_life(mut self, half_life: Duration) -> Self {
        self.half_life = Some(half_life);
        self
    }

    /// Sets `min_hash`.
    #[must_use]
    pub const fn min_hash(mut self, min_hash: MinHashParams) -> Self {
        self.min_hash = Some(min_hash);
        self
    }

    /// What an entity of a kind adds to the logarithm of the odds of two of its `users`; `None` where it links nobody.
    pub(crate) fn weight(&self, kind: EntityKind, users: usize, strangers: f64) -> Option<f32> {
        let kind = self.kinds.get(&kind)?;
        if users < 2 || users > kind.hub_cap as usize {
            return None;
        }
        let odds = kind.reliability * strangers / (users as f64 - 1.0);
        #[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
        let weight = odds.ln() as f32;
        Some(weight)
    }

    /// Users who may be strangers to one.
    pub(crate) fn strangers(&self, users: usize) -> f64 {
        let users = self
            .population
            .map_or(users as f64, |population| population as f64);
        (users - 1.0).max(1.0)
    }

    /// The logarithm of the odds of a link before anything is seen, and what has to be added for a probability of `threshold`.
    pub(crate) fn wanted(&self, threshold: f64, strangers: f64) -> (f64, f32) {
        let prior = (self.prior_links / strangers).ln();
        let wanted = (threshold / (1.0 - threshold)).ln() - prior;
        #[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
        let wanted = wanted as f32;
        // Sums of weights are rounded. Whatever the threshold, who shares nothing has less.
        (prior, (wanted - 1e-4).max(f32::MIN))
    }

    /// Whether all parameters are within their intervals.
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`] for the first that is not.
    pub fn check(&self) -> Result<(), GraphError> {
        for (kind, params) in &self.kinds {
            let got = format!("{} for {kind:?}", params.reliability);
            let good = params.reliability > 0.0 && params.reliability <= 1.0;
            parameter("reliability", got, "above 0 and at most 1", good)?;
            let got = format!("{} for {kind:?}", params.hub_cap);
            parameter("hub_cap", got, "at least 2", params.hub_cap >= 2)?;
            let users = *kind == EntityKind::User;
            parameter("kinds", "User", "other kinds than User", !users)?;
        }
        if let Some(min_hash) = self.min_hash {
            min_hash.check()?;
        }
        if let Some(got) = self.half_life {
            let shown = format!("{got:?}");
            parameter("half_life", shown, "above 0", got > Duration::ZERO)?;
        }
        if let Some(got) = self.population {
            parameter("population", got, "at least 2", got >= 2)?;
        }
        let got = self.prior_links;
        parameter(
            "prior_links",
            got,
            "above 0 and at most 1000",
            got > 0.0 && got <= 1000.0,
        )
    }
}
