//! A heap whose numbers fall.

/// Children of a node: four are faster than two, since going up is what happens most.
const CHILDREN: usize = 4;
/// Not in the heap.
const GONE: u32 = u32::MAX;

/// Numbered items by their weight, the least first; of equal ones the smaller number.
#[derive(Debug)]
pub(super) struct Heap {
    items: Vec<(f64, u32)>,
    /// Where each item is.
    places: Vec<u32>,
}

impl Heap {
    pub(super) fn new(count: usize, items: &[(u32, f64)]) -> Self {
        let mut heap = Self {
            items: items
                .iter()
                .map(|(item, weight)| (*weight, *item))
                .collect(),
            places: vec![GONE; count],
        };
        for (place, (_, item)) in (0..).zip(&heap.items) {
            heap.places[*item as usize] = place;
        }
        for place in (0..=heap.items.len() / CHILDREN).rev() {
            heap.sink(place);
        }
        heap
    }

    /// The least weight.
    pub(super) fn least(&self) -> Option<f64> {
        self.items.first().map(|(weight, _)| *weight)
    }

    /// Takes the least.
    pub(super) fn pop(&mut self) -> Option<(u32, f64)> {
        let last = self.items.pop()?;
        let least = match self.items.first_mut() {
            Some(first) => std::mem::replace(first, last),
            None => last,
        };
        self.places[least.1 as usize] = GONE;
        if !self.items.is_empty() {
            self.places[last.1 as usize] = 0;
            self.sink(0);
        }
        Some((least.1, least.0))
    }

    /// Lowers the weight of an item, if it is still there.
    pub(super) fn lower(&mut self, item: u32, by: f64) {
        let place = self.places[item as usize];
        if place == GONE {
            return;
        }
        let mut place = place as usize;
        self.items[place].0 -= by;
        let moved = self.items[place];
        while place > 0 {
            let parent = (place - 1) / CHILDREN;
            if !before(moved, self.items[parent]) {
                break;
            }
            self.set(place, self.items[parent]);
            place = parent;
        }
        self.set(place, moved);
    }

    fn sink(&mut self, mut place: usize) {
        let Some(moved) = self.items.get(place).copied() else {
            return;
        };
        loop {
            let first = place * CHILDREN + 1;
            let last = (first + CHILDREN).min(self.items.len());
            let mut least: Option<usize> = None;
            for child in first..last {
                if least.is_none_or(|least| before(self.items[child], self.items[least])) {
                    least = Some(child);
                }
            }
            match least {
                Some(child) if before(self.items[child], moved) => {
                    self.set(place, self.items[child]);
                    place = child;
                }
                _ => break,
            }
        }
        self.set(place, moved);
    }

    fn set(&mut self, place: usize, item: (f64, u32)) {
        self.items[place] = item;
        self.places[item.1 as usize] = u32::try_from(place).unwrap_or(GONE);
    }
}

fn before(one: (f64, u32), other: (f64, u32)) -> bool {
    one.0 < other.0 || (one.0 <= other.0 && one.1 < other.1)
}
