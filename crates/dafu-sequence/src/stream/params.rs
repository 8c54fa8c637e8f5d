//! Bounds of what a stream remembers.

use crate::SequenceError;
use crate::check::within;
use std::ops::Deref;

/// Most users whose states are held.
pub const MAX_CAPACITY: usize = 1 << 28;

/// As long as there are timestamps.
const MAX_SECONDS: u64 = u64::MAX / 2_000_000;

/// What becomes of an event that is earlier than the newest one of the same user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum LatePolicy {
    /// It moves the state as if it came now: a state cannot be taken back, and what happened should not be lost.
    #[default]
    Apply,
    /// It is scored and does not move the state.
    Drop,
    /// It is an error.
    Error,
}

/// What a stream remembers, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct StreamParams {
    /// Most users whose states are held; of more, the one that was not seen for longest is given up.
    pub capacity: usize,
    /// Seconds without an event after which a user's state is given up: the next event finds none. `None` for never.
    pub time_to_live: Option<u64>,
    /// An event that is further ahead of the newest, in seconds, is an error: a clock that jumped, which would make all
    /// that is remembered too old. `None` takes any. Set it to days for a stream that never rests.
    pub max_jump: Option<u64>,
    /// What becomes of late events.
    pub late: LatePolicy,
}

impl Default for StreamParams {
    /// A million users, 180 days, clocks that jump by more than a year refused, late events applied.
    fn default() -> Self {
        Self {
            capacity: 1_000_000,
            time_to_live: Some(180 * 86_400),
            max_jump: Some(366 * 86_400),
            late: LatePolicy::Apply,
        }
    }
}

/// [`StreamParams`] in range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedStreamParams(StreamParams);

impl Deref for CheckedStreamParams {
    type Target = StreamParams;

    fn deref(&self) -> &StreamParams {
        &self.0
    }
}

impl StreamParams {
    /// Sets `capacity`.
    #[must_use]
    pub const fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity;
        self
    }

    /// Sets `time_to_live`, in seconds.
    #[must_use]
    pub const fn time_to_live(mut self, seconds: Option<u64>) -> Self {
        self.time_to_live = seconds;
        self
    }

    /// Sets `max_jump`, in seconds; `None` takes any.
    #[must_use]
    pub const fn max_jump(mut self, seconds: Option<u64>) -> Self {
        self.max_jump = seconds;
        self
    }

    /// Sets `late`.
    #[must_use]
    pub const fn late(mut self, late: LatePolicy) -> Self {
        self.late = late;
        self
    }

    /// Checks that all numbers are in range.
    ///
    /// # Errors
    ///
    /// The first number that is not.
    pub fn check(&self) -> Result<CheckedStreamParams, SequenceError> {
        within("capacity", self.capacity, 1, MAX_CAPACITY)?;
        for (name, seconds) in [
            ("time_to_live", self.time_to_live),
            ("max_jump", self.max_jump),
        ] {
            if let Some(seconds) = seconds {
                within(name, seconds, 1, MAX_SECONDS)?;
            }
        }
        Ok(CheckedStreamParams(self.clone()))
    }
}
