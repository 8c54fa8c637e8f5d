//! Ids and texts, made once and then cloned.

use crate::place::{CATEGORIES, CITIES, PHONE_AGENTS, USER_AGENTS};
use crate::world::id;
use dafu_core::{EntityId, TransactionId};
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Names {
    categories: Vec<EntityId>,
    countries: Vec<EntityId>,
    cities: Vec<EntityId>,
    agents: Vec<Arc<str>>,
}

impl Names {
    pub(crate) fn new() -> Self {
        Self {
            categories: CATEGORIES
                .iter()
                .map(|category| id(category.name))
                .collect(),
            countries: CITIES.iter().map(|city| id(city.country)).collect(),
            cities: CITIES.iter().map(|city| id(city.name)).collect(),
            agents: USER_AGENTS.iter().map(|&agent| Arc::from(agent)).collect(),
        }
    }

    pub(crate) fn category(&self, category: usize) -> EntityId {
        self.categories[category].clone()
    }

    pub(crate) fn country(&self, city: usize) -> EntityId {
        self.countries[city].clone()
    }

    pub(crate) fn city(&self, city: usize) -> EntityId {
        self.cities[city].clone()
    }

    /// The user agent of a device: users' own phones and tablets are told apart by a bit of the number.
    pub(crate) fn agent(&self, device: u64) -> Arc<str> {
        let mixed = device >> 8;
        let agents = self.agents.len() as u64;
        let agent = if device & 2 == 0 {
            mixed % PHONE_AGENTS
        } else {
            PHONE_AGENTS + mixed % (agents - PHONE_AGENTS)
        };
        let agent = usize::try_from(agent).unwrap_or(0);
        Arc::clone(&self.agents[agent])
    }

    /// `d-` and 16 hexadecimal digits.
    pub(crate) fn device(device: u64) -> EntityId {
        let mut text = *b"d-0000000000000000";
        let mut left = device;
        for place in text[2..].iter_mut().rev() {
            *place = b"0123456789abcdef"[usize::try_from(left % 16).unwrap_or(0)];
            left /= 16;
        }
        id(std::str::from_utf8(&text).unwrap_or("d-"))
    }

    /// `t-DAY-N`.
    #[expect(
        clippy::expect_used,
        reason = "a short printable text that begins with a letter"
    )]
    pub(crate) fn transaction(day: i64, number: usize) -> TransactionId {
        let mut text = [0; 48];
        let mut at = text.len();
        let mut digits = |mut number: u64, text: &mut [u8; 48], before: u8| {
            loop {
                at -= 1;
                text[at] = b'0' + u8::try_from(number % 10).unwrap_or(0);
                number /= 10;
                if number == 0 {
                    break;
                }
            }
            at -= 1;
            text[at] = before;
            at
        };
        digits(number as u64, &mut text, b'-');
        let sign = if day < 0 { b'_' } else { b'-' };
        let start = digits(day.unsigned_abs(), &mut text, sign) - 1;
        text[start] = b't';
        let text = std::str::from_utf8(&text[start..]).expect("ASCII");
        TransactionId::new(text).expect("short printable text")
    }
}
