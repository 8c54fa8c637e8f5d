//! Work on the current rayon pool, or one after the other without the feature `parallel`.

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
