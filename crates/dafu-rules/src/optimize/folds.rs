//! Parts of the time.

use crate::RowBits;
use dafu_core::Timestamp;

/// Events by parts of the time that follow each other, with about as many events each.
#[derive(Debug)]
pub(super) struct Folds {
    /// The part of each event, and its place there.
    places: Vec<(usize, u32)>,
    /// Events of each part.
    sizes: Vec<usize>,
}

impl Folds {
    /// So many parts; events of one moment are in one part, so that some may have none. O(events log events).
    pub(super) fn new(times: &[Timestamp], count: usize) -> Self {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        let begin = |part: usize| sorted.get(sorted.len() * part / count).copied();
        let begins: Vec<Timestamp> = (1..count).filter_map(begin).collect();
        let mut sizes = vec![0; count];
        let place = |at: &Timestamp| {
            let part = begins.partition_point(|begin| begin <= at);
            let place = u32::try_from(sizes[part]).unwrap_or(u32::MAX);
            sizes[part] += 1;
            (part, place)
        };
        Self {
            places: times.iter().map(place).collect(),
            sizes,
        }
    }

    pub(super) fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// The events of a set that are in each part. O(events / 64 + events of the set).
    pub(super) fn split(&self, bits: &RowBits) -> Vec<RowBits> {
        let mut parts = vec![Vec::new(); self.sizes.len()];
        for (part, place) in bits.iter().filter_map(|row| self.places.get(row)) {
            parts[*part].push(*place);
        }
        let sizes = self.sizes.iter().zip(parts);
        sizes
            .map(|(size, rows)| RowBits::from_rows(*size, &rows))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Folds;
    use crate::RowBits;
    use dafu_core::Timestamp;

    #[test]
    fn parts_follow_each_other_and_keep_equal_moments_together() {
        let times = [5, 1, 9, 1, 7, 3, 1, 8];
        let times = times.map(|second| Timestamp::from_seconds(second).unwrap());
        let folds = Folds::new(&times, 4);
        // They begin before all, at 1, at 5 and at 8.
        assert_eq!(folds.sizes(), [0, 4, 2, 2]);
        let parts = folds.split(&RowBits::from_fn(8, |row| row != 3));
        let rows: Vec<Vec<usize>> = parts.iter().map(|part| part.iter().collect()).collect();
        assert_eq!(rows, [vec![], vec![0, 2, 3], vec![0, 1], vec![0, 1]]);
        assert_eq!(Folds::new(&[], 3).sizes(), [0, 0, 0]);
    }
}
