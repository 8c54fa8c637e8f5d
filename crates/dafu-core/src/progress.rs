//! Telling a host how far long work has come.

/// Receives progress. Called from one thread at a time; implementations should return at once.
pub trait Progress {
    /// `done` of `total` units of `step` are done; `total` is `None` while unknown.
    fn report(&self, step: &str, done: u64, total: Option<u64>);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn report(&self, _step: &str, _done: u64, _total: Option<u64>) {}
}

impl<F: Fn(&str, u64, Option<u64>)> Progress for F {
    fn report(&self, step: &str, done: u64, total: Option<u64>) {
        self(step, done, total);
    }
}
