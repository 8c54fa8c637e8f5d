//! What the random streams of a forest are for.

/// Part of the hash that seeds a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    /// Rows, features and splits of one tree.
    Tree = 1,
    /// The rows from which thresholds are taken.
    Thresholds = 2,
    /// The rows from which the weights of several split rules are taken.
    Balance = 3,
}
