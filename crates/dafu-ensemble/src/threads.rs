//! Work on the current rayon pool, or one after the other without the feature `parallel`.

/// Threads to work on.
#[cfg(feature = "parallel")]
pub(crate) fn count() -> usize {
    rayon::current_num_threads()
}

/// Threads to work on.
#[cfg(not(feature = "parallel"))]
pub(crate) const fn count() -> usize {
    1
}

/// Things that a thread takes at a time: so many, or all where there is one thread.
pub(crate) fn chunk(most: usize, all: usize) -> usize {
    if count() > 1 { most } else { all.max(1) }
}

/// Results of 0..`count`, in order.
#[cfg(feature = "parallel")]
pub(crate) fn map<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    use rayon::iter::{IntoParallelIterator, ParallelIterator};
    if self::count() > 1 {
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

/// Results of chunks of a slice, each with its number, in order.
#[cfg(feature = "parallel")]
pub(crate) fn each_chunk<T: Send, R: Send>(
    all: &mut [T],
    size: usize,
    work: impl Fn(usize, &mut [T]) -> R + Sync + Send,
) -> Vec<R> {
    use rayon::iter::{IndexedParallelIterator, ParallelIterator};
    use rayon::slice::ParallelSliceMut;
    if count() > 1 && all.len() > size {
        let chunks = all.par_chunks_mut(size).enumerate();
        chunks.map(|(number, chunk)| work(number, chunk)).collect()
    } else {
        let chunks = all.chunks_mut(size).enumerate();
        chunks.map(|(number, chunk)| work(number, chunk)).collect()
    }
}

/// Results of chunks of a slice, each with its number, in order.
#[cfg(not(feature = "parallel"))]
pub(crate) fn each_chunk<T: Send, R: Send>(
    all: &mut [T],
    size: usize,
    work: impl Fn(usize, &mut [T]) -> R + Sync + Send,
) -> Vec<R> {
    let chunks = all.chunks_mut(size).enumerate();
    chunks.map(|(number, chunk)| work(number, chunk)).collect()
}
