//! What people share who live or work in one place: what a ring has to be told from.

use crate::GraphError;
use crate::error::parameter;
use dafu_core::EntityKind;
use std::collections::BTreeMap;

/// What people of one place share.
///
/// For a group of n people, a thing that d of them use counts as d - 1 links of n - 1 that one thing of all would give. People
/// of one home have about one internet address, one postal address and one device that all share, those of a place of work up to
/// three of each; few share a card.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct PlaceParams {
    /// Links by kind in a home, each for n - 1 links of a thing that all share; above 0.
    pub home: BTreeMap<EntityKind, f64>,
    /// The same in a place of work.
    pub work: BTreeMap<EntityKind, f64>,
    /// Share of homes of several people where so many live or more: from 2 on, falling, above 0. Larger homes are as rare as the
    /// last.
    pub home_sizes: Vec<f64>,
}

impl Default for PlaceParams {
    fn default() -> Self {
        use EntityKind::{Account, Address, Card, Device, Email, Ip};
        let rates = |place: f64, own: f64| {
            BTreeMap::from([
                (Ip, place),
                (Address, place),
                (Device, place),
                (Card, own),
                (Account, own),
                (Email, own),
            ])
        };
        Self {
            home: rates(1.0, 0.2),
            work: rates(3.0, 0.05),
            home_sizes: vec![1.0, 0.5, 0.25, 0.08, 0.03, 0.012, 0.005, 0.002, 0.001],
        }
    }
}

/// Links of a group by kind.
pub(super) type KindLinks = BTreeMap<EntityKind, f64>;

impl PlaceParams {
    pub(super) fn check(&self) -> Result<(), GraphError> {
        for (name, rates) in [("home", &self.home), ("work", &self.work)] {
            for (kind, rate) in rates {
                let got = format!("{rate} for {kind:?}");
                let good = *rate > 0.0 && rate.is_finite();
                parameter(name, got, "above 0", good)?;
            }
        }
        let sizes = &self.home_sizes;
        let good = !sizes.is_empty()
            && sizes.iter().all(|share| *share > 0.0 && *share <= 1.0)
            && sizes.is_sorted_by(|one, two| one >= two);
        parameter(
            "home_sizes",
            format!("{sizes:?}"),
            "shares above 0 and at most 1 that do not rise",
            good,
        )
    }

    /// How likely people of one home, or of one place of work, share that much and act together that often: the larger of both,
    /// an upper bound.
    ///
    /// The links of each kind are taken to be Poisson; by Chernoff's bound at least x of them where m are expected have a
    /// probability of at most exp(-(x ln(x / m) - x + m)), and the kinds multiply.
    ///
    /// Source: Mitzenmacher and Upfal, "Probability and Computing" (2005), theorem 5.4.
    pub(super) fn p_value(&self, members: usize, links: &KindLinks, together: f64) -> f64 {
        let size = members.clamp(2, self.home_sizes.len() + 1) - 2;
        let home_size = self.home_sizes.get(size).copied().unwrap_or(1.0);
        let others = members as f64 - 1.0;
        let bound = |rates: &BTreeMap<EntityKind, f64>| {
            let of_kinds = links.iter().map(|(kind, links)| {
                // What nobody thought of is as rare as the rarest.
                let rate = rates.get(kind).copied().unwrap_or_else(|| rarest(rates));
                excess(*links, rate * others)
            });
            (-of_kinds.sum::<f64>() - together).exp()
        };
        (home_size * bound(&self.home)).max(bound(&self.work))
    }
}

fn rarest(rates: &BTreeMap<EntityKind, f64>) -> f64 {
    rates.values().copied().fold(1.0, f64::min)
}

/// The negative logarithm of Chernoff's bound for at least `found` events of a Poisson distribution.
pub(super) fn excess(found: f64, expected: f64) -> f64 {
    if found <= expected {
        return 0.0;
    }
    found * (found / expected).ln() - found + expected
}
