//! Very long windows by tiles: sums and sketches of equal stretches of time.

use super::bucket_list::quantile;
use super::event::{EventView, MISSING};
use super::log_plan::{TiledOp, TiledPlan};
use super::read::{over, variance};
use crate::measure::{DistinctSketch, log_bucket};
use std::collections::VecDeque;

/// One stretch of time.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Tile {
    /// Its time divided by the length of a tile.
    pub(crate) index: i64,
    pub(crate) count: u32,
    pub(crate) sum: i128,
    pub(crate) squares: i128,
    pub(crate) least: i64,
    pub(crate) most: i64,
    pub(crate) distinct: DistinctSketch,
    /// Buckets of the quantile sketch with their counts, in order.
    pub(crate) buckets: Vec<(i32, u32)>,
}

/// The tiles of one window, oldest first.
#[derive(Debug, Clone, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Tiles {
    pub(crate) tiles: VecDeque<Tile>,
    /// Length of a tile in microseconds, once there is one.
    pub(crate) length: i64,
}

impl Tiles {
    pub(crate) fn bytes(&self) -> usize {
        let sketches: usize = self
            .tiles
            .iter()
            .map(|tile| tile.distinct.heap_bytes() + tile.buckets.capacity() * 8)
            .sum();
        size_of::<Self>() + self.tiles.capacity() * size_of::<Tile>() + sketches
    }

    /// Whether tiles that were read from bytes fit a plan.
    #[cfg(feature = "serde")]
    pub(crate) fn is_sound(&self, plan: &TiledPlan, bound: i64) -> bool {
        let length = plan.within / i64::from(plan.tiles);
        let most = usize::from(plan.tiles).saturating_add(3);
        let late = usize::try_from(bound / length).unwrap_or(usize::MAX);
        let ordered = self.tiles.iter().is_sorted_by(|a, b| a.index < b.index);
        (self.length == length || self.tiles.is_empty())
            && self.tiles.len() <= most.saturating_add(late)
            && ordered
            && self.tiles.iter().all(Tile::is_sound)
    }

    /// Forgets what is not older than an instant, as far as tiles tell.
    pub(crate) fn forget_after(&mut self, now: i64) {
        if self.length > 0 {
            let last = now.div_euclid(self.length);
            self.tiles.retain(|tile| tile.index <= last);
        }
    }

    /// Takes an event; `bound` is how late events may come.
    pub(crate) fn add(&mut self, plan: &TiledPlan, event: &EventView<'_>, bound: i64) {
        let length = plan.within / i64::from(plan.tiles);
        self.length = length;
        let index = event.head.time.div_euclid(length);
        let at = self.tiles.partition_point(|tile| tile.index < index);
        if self.tiles.get(at).is_none_or(|tile| tile.index != index) {
            let tile = Tile {
                index,
                count: 0,
                sum: 0,
                squares: 0,
                least: i64::MAX,
                most: i64::MIN,
                distinct: DistinctSketch::default(),
                buckets: Vec::new(),
            };
            self.tiles.insert(at, tile);
        }
        let newest = self.tiles.back().map_or(index, |tile| tile.index);
        let kept = i64::from(plan.tiles) + 1 + bound / length;
        if let Some(tile) = self.tiles.get_mut(at) {
            tile.add(plan, event);
        }
        while self
            .tiles
            .front()
            .is_some_and(|tile| tile.index < newest - kept)
        {
            self.tiles.pop_front();
        }
    }

    /// Takes counts and sums of an event back. What is least, largest and different stays.
    pub(crate) fn remove(&mut self, plan: &TiledPlan, event: &EventView<'_>) -> bool {
        if self.length == 0 {
            return false;
        }
        let index = event.head.time.div_euclid(self.length);
        let tile = self
            .tiles
            .iter_mut()
            .find(|tile| tile.index == index && tile.count > 0);
        let Some(tile) = tile else { return false };
        tile.count -= 1;
        if let Some(number) = plan
            .number
            .map(|number| event.numbers[number])
            .filter(|number| *number != MISSING)
        {
            tile.sum -= i128::from(number);
            let square = i128::from(number) * i128::from(number);
            tile.squares = tile.squares.saturating_sub(square);
            if plan.buckets
                && let Ok(at) = tile
                    .buckets
                    .binary_search_by_key(&log_bucket(number), |bucket| bucket.0)
            {
                tile.buckets[at].1 = tile.buckets[at].1.saturating_sub(1);
            }
        }
        true
    }

    /// Reads a measure at an instant.
    pub(crate) fn read(&self, plan: &TiledPlan, measure: TiledOp, now: i64) -> f64 {
        let length = plan.within / i64::from(plan.tiles);
        // The window is (now - within, now]; the tile of its beginning is covered from after that instant to its end.
        let start = now.saturating_sub(plan.within);
        let first = start.div_euclid(length);
        let covered = (length - 1 - start.rem_euclid(length)) as f64 / length as f64;
        let last = now.div_euclid(length);
        let inside = || {
            self.tiles
                .iter()
                .filter(move |tile| tile.index >= first && tile.index <= last && tile.count > 0)
        };
        let part = |tile: &Tile| if tile.index == first { covered } else { 1.0 };
        let whole = || inside().filter(move |tile| tile.index != first || covered >= 0.5);
        let count: f64 = inside()
            .map(|tile| f64::from(tile.count) * part(tile))
            .sum();
        let sum = || {
            inside()
                .map(|tile| tile.sum as f64 * part(tile))
                .sum::<f64>()
        };
        match measure {
            TiledOp::Count => count,
            TiledOp::Rate { hours } => count / hours,
            TiledOp::Sum => sum() / super::event::FIXED,
            TiledOp::Mean => over(sum(), count * super::event::FIXED),
            TiledOp::Variance { root } => {
                let (mut n, mut sum, mut squares) = (0_u64, 0_i128, 0_i128);
                for tile in whole() {
                    n += u64::from(tile.count);
                    sum += tile.sum;
                    squares = i128::saturating_add(squares, tile.squares);
                }
                variance(n, sum, squares, root)
            }
            TiledOp::Least => {
                let least = whole().map(|tile| tile.least).min();
                least.map_or(f64::NAN, |least| least as f64 / super::event::FIXED)
            }
            TiledOp::Most => {
                let most = whole().map(|tile| tile.most).max();
                most.map_or(f64::NAN, |most| most as f64 / super::event::FIXED)
            }
            TiledOp::Quantile { permille } => {
                let mut buckets: Vec<(i32, u32)> = whole()
                    .flat_map(|tile| tile.buckets.iter().copied())
                    .collect();
                buckets.sort_unstable();
                let total = buckets.iter().map(|entry| u64::from(entry.1)).sum();
                quantile(&buckets, total, permille)
            }
            TiledOp::Distinct => {
                let mut all = DistinctSketch::default();
                for tile in whole() {
                    all.merge(&tile.distinct);
                }
                all.estimate()
            }
        }
    }
}

impl Tile {
    #[cfg(feature = "serde")]
    fn is_sound(&self) -> bool {
        use super::event::LARGEST;
        use crate::measure::MAX_BUCKET;
        // A reversal of an event that was never there leaves less than nothing.
        let most = i128::from(LARGEST) << 32;
        let buckets = self.buckets.iter();
        (-most..=most).contains(&self.sum)
            && self.distinct.check().is_ok()
            && buckets.clone().is_sorted_by(|a, b| a.0 < b.0)
            && buckets
                .into_iter()
                .all(|bucket| bucket.0.abs() <= MAX_BUCKET)
    }

    fn add(&mut self, plan: &TiledPlan, event: &EventView<'_>) {
        self.count = self.count.saturating_add(1);
        if let Some(code) = plan
            .code
            .map(|code| event.codes[code])
            .filter(|code| *code != 0)
        {
            self.distinct.insert(code);
        }
        let number = plan.number.map(|number| event.numbers[number]);
        if let Some(number) = number.filter(|number| *number != MISSING) {
            self.sum += i128::from(number);
            self.squares = self
                .squares
                .saturating_add(i128::from(number) * i128::from(number));
            self.least = self.least.min(number);
            self.most = self.most.max(number);
            if plan.buckets {
                let bucket = log_bucket(number);
                match self
                    .buckets
                    .binary_search_by_key(&bucket, |bucket| bucket.0)
                {
                    Ok(at) => self.buckets[at].1 = self.buckets[at].1.saturating_add(1),
                    Err(at) => self.buckets.insert(at, (bucket, 1)),
                }
            }
        }
    }
}
