//! Many events at once, part by part.

use super::event::{EventView, Facts, Head, Layout, Record};
use super::hash::IdHasher;
use crate::FeatureError;

/// Events, part by part.
#[derive(Debug, Default)]
pub(crate) struct Events {
    pub(crate) heads: Vec<Head>,
    pub(super) numbers: Vec<i64>,
    pub(super) codes: Vec<u64>,
    /// One an event, or a single one where none is wanted.
    pub(super) facts: Vec<Facts>,
    widths: (usize, usize),
}

impl Events {
    pub(crate) const fn len(&self) -> usize {
        self.heads.len()
    }

    #[inline]
    pub(crate) fn view(&self, at: usize) -> EventView<'_> {
        let (numbers, codes) = self.widths;
        EventView {
            head: self.heads[at],
            numbers: &self.numbers[at * numbers..(at + 1) * numbers],
            codes: &self.codes[at * codes..(at + 1) * codes],
            facts: self.facts.get(at).unwrap_or(&self.facts[0]),
        }
    }

    pub(super) fn clear(&mut self, layout: &Layout) {
        self.widths = (layout.quantities.len(), layout.fields.len());
        self.heads.clear();
        self.numbers.clear();
        self.codes.clear();
        self.facts.clear();
        if !layout.facts {
            self.facts.push(Facts::default());
        }
    }

    /// Puts the events of other records in the place of these. Stops at the first that cannot be read, whose error comes
    /// back.
    pub(crate) fn refill<'r, R: Record + 'r>(
        &mut self,
        mut records: impl Iterator<Item = &'r R>,
        layout: &Layout,
        hasher: IdHasher,
    ) -> Option<FeatureError> {
        self.clear(layout);
        records.find_map(|record| self.push(record, layout, hasher).err())
    }

    fn push<R: Record>(
        &mut self,
        record: &R,
        layout: &Layout,
        hasher: IdHasher,
    ) -> Result<(), FeatureError> {
        let before = self.numbers.len();
        for quantity in &layout.quantities {
            match record.number(quantity) {
                Ok(number) => self.numbers.push(number),
                Err(error) => {
                    self.numbers.truncate(before);
                    return Err(error);
                }
            }
        }
        let codes = layout.fields.iter().map(|field| record.code(field, hasher));
        self.codes.extend(codes);
        self.heads.push(Head::of(record, hasher));
        if layout.facts {
            self.facts.push(record.facts());
        }
        Ok(())
    }
}

impl Head {
    pub(crate) fn of<R: Record>(record: &R, hasher: IdHasher) -> Self {
        Self {
            time: record.time().as_micros(),
            id: record.id().map_or(0, |id| hasher.id(id.as_bytes())),
            label: record.label(),
            status: record.status(),
        }
    }
}
