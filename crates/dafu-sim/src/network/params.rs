//! Parameters of a network of accounts, and their check.

use super::RingWorld;
use crate::check::{counts, numbers, start};
use crate::{LabelDelay, MAX_USERS, SimulatorError};
use dafu_core::time::Civil;
use dafu_core::{Currency, Timestamp};

/// Most days of a network.
const MOST_DAYS: u32 = 3_660;
/// Fewest users of a network.
const FEWEST_USERS: u32 = 100;
/// Most members of a ring.
const MOST_MEMBERS: u32 = 1_000;

/// Parameters of a simulated network of accounts: [`RingWorldParams::simulate`].
///
/// ```
/// use dafu_sim::{GroupKind, RingWorldParams};
/// # fn main() -> Result<(), dafu_sim::SimulatorError> {
/// let world = RingWorldParams::default().users(2_000).rings(4).seed(7).simulate()?;
/// let rings: Vec<_> = world.groups().filter(|group| group.kind == GroupKind::Ring).collect();
/// assert_eq!(rings.len(), 4);
/// // Payments in the order of time; those of rings say so.
/// assert!(world.transactions().is_sorted_by_key(|payment| payment.transaction.timestamp));
/// assert!(world.transactions().any(|payment| payment.ring == Some(0) && payment.is_fraud()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct RingWorldParams {
    /// Seed of all randomness. Default 0.
    pub seed: u64,
    /// First day: midnight UTC. Default 2024-01-01.
    pub start: Timestamp,
    /// Days, 20 to 3,660. Default 60.
    pub days: u32,
    /// Users, 100 to [`MAX_USERS`]. Default 20,000.
    pub users: u32,
    /// Merchants, 10 to 1,000,000. Default 3,000.
    pub merchants: u32,
    /// Mean number of payments of a user, 1 to 1,000; everybody pays once. Default 3.
    pub payments_per_user: f64,
    /// Share of homes where two to four people live, 0 to 1. Default 0.12.
    pub household_share: f64,
    /// Share of users who work in an office, 0 to 1. Default 0.2.
    pub office_share: f64,
    /// Internet addresses of public networks, 1 to 100,000. Default 200.
    pub public_addresses: u32,
    /// Rings, 0 to 100,000. Default 25.
    pub rings: u32,
    /// Members of the smallest ring, 2 to 1,000. Default 3.
    pub smallest_ring: u32,
    /// Members of the largest ring, up to 1,000. Default 30.
    pub largest_ring: u32,
    /// Share of the devices, addresses and cards of a ring that each member uses, above 0 and at most 1. Default 0.5.
    pub ring_density: f64,
    /// Ordinary payments of a member for each payment of the ring, 0 to 100. Default 1.
    pub camouflage: f64,
    /// Share of a ring's payments that fall into sessions of two hours, 0 to 1. Default 0.5.
    pub lockstep: f64,
    /// Share of fraudulent payments that ever get a label, 0 to 1. Default 0.3.
    pub labelled_share: f64,
    /// When labels are known.
    pub label_delay: LabelDelay,
    /// Currency of all amounts. Default EUR.
    pub currency: Currency,
}

impl Default for RingWorldParams {
    fn default() -> Self {
        Self {
            seed: 0,
            start: Timestamp::from_civil(Civil::date(2024, 1, 1)).unwrap_or(Timestamp::EPOCH),
            days: 60,
            users: 20_000,
            merchants: 3_000,
            payments_per_user: 3.0,
            household_share: 0.12,
            office_share: 0.2,
            public_addresses: 200,
            rings: 25,
            smallest_ring: 3,
            largest_ring: 30,
            ring_density: 0.5,
            camouflage: 1.0,
            lockstep: 0.5,
            labelled_share: 0.3,
            label_delay: LabelDelay::default(),
            currency: Currency::new("EUR").unwrap_or(Currency::NONE),
        }
    }
}

impl RingWorldParams {
    dafu_core::setters! {
        seed: u64,
        start: Timestamp,
        days: u32,
        users: u32,
        merchants: u32,
        payments_per_user: f64,
        household_share: f64,
        office_share: f64,
        public_addresses: u32,
        rings: u32,
        smallest_ring: u32,
        largest_ring: u32,
        ring_density: f64,
        camouflage: f64,
        lockstep: f64,
        labelled_share: f64,
        label_delay: LabelDelay,
        currency: Currency,
    }

    /// Checks every parameter.
    ///
    /// # Errors
    ///
    /// [`SimulatorError::CountOutOfRange`], also for `rings` that a third of the users is too few for;
    /// [`SimulatorError::OutOfRange`]; [`SimulatorError::Start`].
    pub fn check(&self) -> Result<(), SimulatorError> {
        counts(&[
            ("days", 20, MOST_DAYS, self.days),
            ("users", FEWEST_USERS, MAX_USERS, self.users),
            ("merchants", 10, 1_000_000, self.merchants),
            ("public_addresses", 1, 100_000, self.public_addresses),
            ("smallest_ring", 2, MOST_MEMBERS, self.smallest_ring),
            (
                "largest_ring",
                self.smallest_ring,
                MOST_MEMBERS,
                self.largest_ring,
            ),
        ])?;
        // Members live alone and in no office; a third of the users mostly does.
        let mean_size = self.smallest_ring.midpoint(self.largest_ring);
        let most_rings = (self.users / 3 / mean_size).min(100_000);
        counts(&[("rings", 0, most_rings, self.rings)])?;
        numbers(&[
            ("payments_per_user", 1.0, 1_000.0, self.payments_per_user),
            ("household_share", 0.0, 1.0, self.household_share),
            ("office_share", 0.0, 1.0, self.office_share),
            ("ring_density", 1e-6, 1.0, self.ring_density),
            ("camouflage", 0.0, 100.0, self.camouflage),
            ("lockstep", 0.0, 1.0, self.lockstep),
            ("labelled_share", 0.0, 1.0, self.labelled_share),
        ])?;
        self.label_delay.check()?;
        start(self.start, self.days)
    }

    /// Checks the parameters and simulates. O(payments log payments) time, about 60 bytes a payment.
    ///
    /// # Errors
    ///
    /// As [`RingWorldParams::check`].
    pub fn simulate(&self) -> Result<RingWorld, SimulatorError> {
        self.check()?;
        Ok(RingWorld::new(self))
    }
}
