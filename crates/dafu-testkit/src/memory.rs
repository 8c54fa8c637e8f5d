//! Measuring allocations.

/// A global allocator that knows how many bytes are and were at most allocated.
///
/// It counts the whole process, so a test that uses it stands alone in its file:
///
/// ```
/// use dafu_testkit::{CountingAllocator, memory::peak_bytes};
///
/// #[global_allocator]
/// static ALLOCATOR: CountingAllocator = CountingAllocator;
///
/// let (sum, bytes) = peak_bytes(&ALLOCATOR, || vec![1_u8; 100_000].iter().map(|&x| u32::from(x)).sum::<u32>());
/// assert_eq!(sum, 100_000);
/// assert!((100_000..110_000).contains(&bytes));
/// ```
///
/// The type of the crate `peak_alloc`: an allocator is unsafe code, which this workspace forbids.
pub use peak_alloc::PeakAlloc as CountingAllocator;

/// Runs something and says how many bytes more than before were allocated at most while it ran.
///
/// Other threads count, too. 0 means that `allocator` is not the global allocator.
pub fn peak_bytes<T>(allocator: &CountingAllocator, run: impl FnOnce() -> T) -> (T, usize) {
    let before = allocator.current_usage();
    allocator.reset_peak_usage();
    let result = run();
    (result, allocator.peak_usage().saturating_sub(before))
}
