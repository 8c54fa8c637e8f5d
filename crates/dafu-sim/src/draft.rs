//! A payment before it gets its ids and texts.

use crate::Scenario;

/// Where and with what a payment is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Where {
    /// The device, 0 for none.
    pub(crate) device: u64,
    /// The internet address, 0 for none.
    pub(crate) address: u32,
    /// The city where the payer seems to be.
    city: u8,
}

impl Where {
    pub(crate) const fn online(device: u64, address: u32, city: usize) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "20 cities")]
        let city = city as u8;
        Self {
            device,
            address,
            city,
        }
    }

    /// In a shop, with a phone or without.
    pub(crate) const fn shop(device: u64, city: usize) -> Self {
        Self::online(device, 0, city)
    }

    /// Position in the list of cities.
    pub(crate) fn city(self) -> usize {
        self.city.into()
    }
}

/// A payment of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Draft {
    /// Second of the day.
    pub(crate) second: u32,
    pub(crate) user: u32,
    pub(crate) merchant: u32,
    /// Amount in minor units.
    pub(crate) minor: i64,
    pub(crate) place: Where,
    pub(crate) declined: bool,
    pub(crate) scenario: Option<Scenario>,
}
