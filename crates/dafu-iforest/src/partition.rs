//! Parting lists of rows.

/// Moves the rows that go here to the front and says how many there are.
pub(crate) fn partition(rows: &mut [u32], goes_here: impl Fn(usize) -> bool) -> usize {
    let mut front = 0;
    for at in 0..rows.len() {
        let row = rows[at];
        let here = goes_here(row as usize);
        rows[at] = rows[front];
        rows[front] = row;
        front += usize::from(here);
    }
    front
}

#[cfg(test)]
mod tests {
    use super::partition;

    #[test]
    fn all_rows_stay_and_are_separated() {
        let column = [3.0, 1.0, 2.0, 5.0, 2.0];
        let mut rows = [0, 1, 2, 3, 4];
        let left = partition(&mut rows, |row| column[row] <= 2.0);
        assert_eq!(left, 3);
        assert!(rows[..left].iter().all(|&row| column[row as usize] <= 2.0));
        rows.sort_unstable();
        assert_eq!(rows, [0, 1, 2, 3, 4]);
    }
}
