//! Regular expressions of all rules, each compiled once.

use regex::{Regex, RegexBuilder};
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes that a compiled regular expression may take.
pub(crate) const LARGEST_PATTERN: usize = 256 * 1024;
/// Bytes that those of all rules may take together, by the steps below.
pub(crate) const ALL_PATTERNS: usize = 32 * 1024 * 1024;
/// How large a pattern is nobody tells, only whether it is larger than a limit: these are tried.
const STEPS: [usize; 3] = [16 * 1024, 64 * 1024, LARGEST_PATTERN];

/// Why there is no pattern.
#[derive(Debug)]
pub(crate) enum PatternError {
    /// It takes too much memory.
    TooLarge,
    /// All together do.
    TooMany,
    /// It is none.
    Wrong(regex::Error),
}

/// The patterns so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Patterns {
    known: HashMap<Arc<str>, Regex>,
    bytes: usize,
}

impl Patterns {
    pub(super) fn get(&mut self, source: &str) -> Result<Regex, PatternError> {
        if let Some(regex) = self.known.get(source) {
            return Ok(regex.clone());
        }
        for limit in STEPS {
            if self.bytes + limit > ALL_PATTERNS {
                return Err(PatternError::TooMany);
            }
            let regex = RegexBuilder::new(source)
                .size_limit(limit)
                .dfa_size_limit(limit)
                .build();
            match regex {
                Ok(regex) => {
                    self.bytes += limit;
                    self.known.insert(source.into(), regex.clone());
                    return Ok(regex);
                }
                Err(regex::Error::CompiledTooBig(_)) => {}
                Err(error) => return Err(PatternError::Wrong(error)),
            }
        }
        Err(PatternError::TooLarge)
    }
}
