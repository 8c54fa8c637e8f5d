//! Work on the current rayon pool, or one after the other without the feature `parallel`.

/// Whether there is more than one thread to work on.
#[cfg(feature = "parallel")]
pub(crate) fn several() -> bool {
    rayon::current_num_threads() > 1
}

/// Results of 0..`count`, in order.
#[cfg(feature = "parallel")]
pub(crate) fn map<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    use rayon::iter::{IntoParallelIterator, ParallelIterator};
    if several() {
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

/// Works on chunks of a slice, each with its number.
#[cfg(feature = "parallel")]
pub(crate) fn each_chunk<T: Send>(
    all: &mut [T],
    size: usize,
    work: impl Fn(usize, &mut [T]) + Sync + Send,
) {
    use rayon::iter::{IndexedParallelIterator, ParallelIterator};
    use rayon::slice::ParallelSliceMut;
    if several() && all.len() > size {
        all.par_chunks_mut(size)
            .enumerate()
            .for_each(|(number, chunk)| work(number, chunk));
    } else {
        for (number, chunk) in all.chunks_mut(size).enumerate() {
            work(number, chunk);
        }
    }
}

/// Works on chunks of a slice, each with its number.
#[cfg(not(feature = "parallel"))]
pub(crate) fn each_chunk<T: Send>(
    all: &mut [T],
    size: usize,
    work: impl Fn(usize, &mut [T]) + Sync + Send,
) {
    for (number, chunk) in all.chunks_mut(size).enumerate() {
        work(number, chunk);
    }
}
