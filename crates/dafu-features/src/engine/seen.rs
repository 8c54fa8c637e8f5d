//! Events by id: which came before, and what the last of them were.

use super::event::{EventRow, EventView};
use super::hash::HashedMap;
use std::collections::VecDeque;

/// Ids of recent events, so that the same event again counts nothing twice.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// Content by id.
    contents: HashedMap<u64>,
    /// Times and ids in order of arrival.
    order: VecDeque<(i64, u64)>,
    /// Ids of events that were taken back, with the time when.
    reversed: VecDeque<(i64, u64)>,
}

/// What is known of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    New,
    Same,
    Other,
}

impl Seen {
    pub(crate) fn check(&self, id: u64, content: u64) -> Known {
        match self.contents.get(&id) {
            None => Known::New,
            Some(first) if *first == content => Known::Same,
            Some(_) => Known::Other,
        }
    }

    /// Takes an id, and forgets those that are older than `within` at `newest`.
    pub(crate) fn insert(
        &mut self,
        time: i64,
        id: u64,
        content: u64,
        (newest, within): (i64, i64),
    ) {
        self.contents.insert(id, content);
        self.order.push_back((time, id));
        let gone = newest.saturating_sub(within);
        while self.order.front().is_some_and(|first| first.0 < gone) {
            if let Some((_, id)) = self.order.pop_front() {
                self.contents.remove(&id);
            }
        }
    }

    /// Takes it that an event is taken back at `newest`; false where it was so within `within` before.
    pub(crate) fn reverse(&mut self, id: u64, (newest, within): (i64, i64)) -> bool {
        let gone = newest.saturating_sub(within);
        while self.reversed.front().is_some_and(|first| first.0 < gone) {
            self.reversed.pop_front();
        }
        let known = self.reversed.iter().any(|(_, other)| *other == id);
        if !known && within > 0 && id != 0 {
            self.reversed.push_back((newest, id));
        }
        !known
    }

    /// Forgets the oldest ids until those left take at most this many bytes; returns how many.
    pub(crate) fn shrink(&mut self, bytes: usize) -> u64 {
        let before = self.order.len();
        while self.bytes() > bytes {
            let Some((_, id)) = self.order.pop_front() else {
                self.reversed.clear();
                break;
            };
            self.contents.remove(&id);
        }
        if self.order.len() < before {
            self.contents.shrink_to_fit();
            self.order.shrink_to_fit();
        }
        (before - self.order.len()) as u64
    }

    /// Takes over the ids of others, in order of time.
    pub(crate) fn merge(&mut self, other: &Self) {
        let mut entries: Vec<_> = self.entries().chain(other.entries()).collect();
        entries.sort_by_key(|entry| entry.0);
        let mut reversed: Vec<_> = self
            .reversed
            .iter()
            .chain(&other.reversed)
            .copied()
            .collect();
        reversed.sort_unstable();
        *self = Self::from_entries(&entries, reversed);
    }

    /// Ids of events that were taken back, with the time when.
    #[cfg(feature = "serde")]
    pub(crate) fn reversed(&self) -> impl Iterator<Item = (i64, u64)> + '_ {
        self.reversed.iter().copied()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.contents.len() * 36 + (self.order.len() + self.reversed.len()) * 16
    }

    /// Times, ids and contents in order of arrival.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (i64, u64, u64)> + '_ {
        self.order.iter().filter_map(|&(time, id)| {
            let content = *self.contents.get(&id)?;
            Some((time, id, content))
        })
    }

    pub(crate) fn from_entries(entries: &[(i64, u64, u64)], reversed: Vec<(i64, u64)>) -> Self {
        Self {
            contents: entries
                .iter()
                .map(|&(_, id, content)| (id, content))
                .collect(),
            order: entries.iter().map(|&(time, id, _)| (time, id)).collect(),
            reversed: reversed.into(),
        }
    }
}

/// The last events in full, by id, for labels and reversals that name nothing else.
#[derive(Debug, Clone, Default)]
pub(crate) struct Remembered {
    events: HashedMap<Box<EventRow>>,
    order: VecDeque<u64>,
}

impl Remembered {
    pub(crate) fn insert(&mut self, event: EventView<'_>, most: usize) {
        if most == 0 || event.head.id == 0 {
            return;
        }
        let id = event.head.id;
        if self
            .events
            .insert(id, Box::new(EventRow::of(&event)))
            .is_none()
        {
            self.order.push_back(id);
        }
        while self.order.len() > most {
            if let Some(oldest) = self.order.pop_front() {
                self.events.remove(&oldest);
            }
        }
    }

    pub(crate) fn find(&self, id: u64) -> Option<&EventRow> {
        self.events.get(&id).map(|event| &**event)
    }

    pub(crate) fn remove(&mut self, id: u64) {
        self.events.remove(&id);
        self.order.retain(|other| *other != id);
    }

    pub(crate) fn bytes(&self) -> usize {
        let one = self.events.values().next().map_or(0, |event| {
            size_of::<EventRow>() + event.numbers.capacity() * 8 + event.codes.capacity() * 8
        });
        self.order.capacity() * 8 + self.events.len() * (one + 18)
    }

    /// Events in order of arrival.
    pub(crate) fn events(&self) -> impl Iterator<Item = &EventRow> {
        self.order.iter().filter_map(|id| self.find(*id))
    }
}
