//! Work on the current rayon pool, or one after the other without the feature `parallel`.

use std::ops::Range;

/// Results of 0..`count`, in order.
#[cfg(feature = "parallel")]
pub(crate) fn map<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    use rayon::iter::{IntoParallelIterator, ParallelIterator};
    if rayon::current_num_threads() > 1 && count > 1 {
        (0..count).into_par_iter().map(work).collect()
    } else {
        (0..count).map(work).collect()
    }
}

/// Results of 0..`count`, in order.
#[cfg(not(feature = "parallel"))]
pub(crate) fn map<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    (0..count).map(work).collect()
}

/// The results of a range as one, joined by halves, so that a thread joins what it has just made. Halves are the same for
/// any number of threads.
pub(crate) fn reduce<T: Send>(
    range: Range<usize>,
    work: &(impl Fn(usize) -> T + Sync),
    join: &(impl Fn(T, T) -> T + Sync),
) -> Option<T> {
    if range.len() <= 1 {
        return range.start.lt(&range.end).then(|| work(range.start));
    }
    let middle = range.start + range.len() / 2;
    let halves = both(
        || reduce(range.start..middle, work, join),
        || reduce(middle..range.end, work, join),
    );
    match halves {
        (Some(left), Some(right)) => Some(join(left, right)),
        (left, right) => left.or(right),
    }
}

#[cfg(feature = "parallel")]
fn both<T: Send>(left: impl FnOnce() -> T + Send, right: impl FnOnce() -> T + Send) -> (T, T) {
    if rayon::current_num_threads() > 1 {
        rayon::join(left, right)
    } else {
        (left(), right())
    }
}

#[cfg(not(feature = "parallel"))]
fn both<T: Send>(left: impl FnOnce() -> T + Send, right: impl FnOnce() -> T + Send) -> (T, T) {
    (left(), right())
}
