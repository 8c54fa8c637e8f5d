//! Sets of rows as bits.

use std::ops::Range;

/// A set of rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RowBits {
    words: Vec<u64>,
    rows: usize,
}

impl RowBits {
    pub(crate) fn zeros(rows: usize) -> Self {
        Self {
            words: vec![0; rows.div_ceil(64)],
            rows,
        }
    }

    /// The rows for which something holds. O(rows).
    pub fn from_fn(rows: usize, mut holds: impl FnMut(usize) -> bool) -> Self {
        let mut bits = Self::zeros(rows);
        for row in 0..rows {
            bits.words[row / 64] |= u64::from(holds(row)) << (row % 64);
        }
        bits
    }

    /// These rows, all of which are there.
    pub(crate) fn from_rows(count: usize, rows: &[u32]) -> Self {
        let mut bits = Self::zeros(count);
        for row in rows {
            if let Some(word) = bits.words.get_mut(*row as usize / 64) {
                *word |= 1 << (row % 64);
            }
        }
        bits
    }

    /// How many rows there are, in the set or not.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Whether a row is in the set; rows that are not there are not.
    pub fn contains(&self, row: usize) -> bool {
        let word = self.words.get(row / 64).copied().unwrap_or(0);
        word >> (row % 64) & 1 == 1
    }

    /// How many rows are in the set.
    pub fn count(&self) -> usize {
        self.words
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum()
    }

    /// How many rows are in both sets.
    pub fn count_both(&self, other: &Self) -> usize {
        let both = self.words.iter().zip(&other.words);
        both.map(|(left, right)| (left & right).count_ones() as usize)
            .sum()
    }

    /// How many rows of a range are in both sets.
    pub(crate) fn count_both_in(&self, other: &Self, range: Range<usize>) -> usize {
        let both = |place: usize| {
            let word = |bits: &Self| bits.words.get(place).copied().unwrap_or(0);
            word(self) & word(other)
        };
        let (first, last) = (range.start / 64, range.end / 64);
        // Bits before the range in its first word, and before its end in the word of its end.
        let before = |row: usize| (1_u64 << (row % 64)) - 1;
        let whole: usize = (first..last)
            .map(|place| both(place).count_ones() as usize)
            .sum();
        let of_end = (both(last) & before(range.end)).count_ones() as usize;
        let of_start = (both(first) & before(range.start)).count_ones() as usize;
        whole + of_end - of_start
    }

    /// The first and the last row of the set.
    pub(crate) fn ends(&self) -> Option<(usize, usize)> {
        let first = self.words.iter().position(|word| *word != 0)?;
        let last = self.words.iter().rposition(|word| *word != 0)?;
        let start = first * 64 + self.words.get(first)?.trailing_zeros() as usize;
        let end = last * 64 + self.words.get(last)?.ilog2() as usize;
        Some((start, end))
    }

    /// The rows of the set, in order. O(words + rows of the set).
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().flat_map(|(place, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros() as usize;
                left &= left.checked_sub(1)?;
                Some(place * 64 + bit)
            })
        })
    }

    /// Adds all rows of another set.
    pub fn add(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
    }

    /// Takes all rows of another set away.
    pub fn remove(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= !other;
        }
    }

    /// Leaves the rows that are in another set, too.
    pub fn keep(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
    }

    /// Words of a block of rows.
    pub(super) fn words_mut(&mut self, first: usize, count: usize) -> &mut [u64] {
        &mut self.words[first..first + count]
    }
}

#[cfg(test)]
mod tests {
    use super::RowBits;

    #[test]
    fn sets_of_rows_behave_like_sets() {
        let even = RowBits::from_fn(131, |row| row % 2 == 0);
        let third = RowBits::from_fn(131, |row| row % 3 == 0);
        assert_eq!((even.rows(), even.count(), third.count()), (131, 66, 44));
        assert_eq!(even.count_both(&third), 22);
        assert_eq!(
            third.iter().collect::<Vec<_>>(),
            (0..131).step_by(3).collect::<Vec<_>>()
        );
        let of = |change: fn(&mut RowBits, &RowBits)| {
            let mut set = even.clone();
            change(&mut set, &third);
            set.iter().collect::<Vec<_>>()
        };
        let rows =
            |holds: fn(usize) -> bool| (0..131).filter(|row| holds(*row)).collect::<Vec<_>>();
        assert_eq!(of(RowBits::add), rows(|row| row % 2 == 0 || row % 3 == 0));
        assert_eq!(
            of(RowBits::remove),
            rows(|row| row % 2 == 0 && row % 3 != 0)
        );
        assert_eq!(of(RowBits::keep), rows(|row| row % 6 == 0));
        for (start, end) in [
            (0, 131),
            (0, 0),
            (5, 5),
            (63, 64),
            (64, 128),
            (1, 130),
            (70, 131),
        ] {
            let expected = (start..end).filter(|row| row % 6 == 0).count();
            assert_eq!(
                even.count_both_in(&third, start..end),
                expected,
                "{start} {end}"
            );
        }
        assert_eq!(
            (even.ends(), RowBits::zeros(131).ends()),
            (Some((0, 130)), None)
        );
        assert!(even.contains(130) && !even.contains(129) && !even.contains(132));
    }
}
