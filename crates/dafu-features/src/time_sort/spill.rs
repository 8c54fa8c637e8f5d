//! Runs of rows in temporary files.
//!
//! A file is a sequence of blocks: length of the content (`u64`), hash of the content and the number of the block
//! (`u64`), content, numbers little-endian. The content is a sequence of rows, each with its length (LEB128) before
//! it; a block is at most [`BLOCK_BYTES`] long unless a single row is longer. How many bytes were written and how long
//! the longest block was stays in memory, so that no length read from a file is trusted.

use super::layout::write_length;
use super::merge::Merge;
use crate::FeatureError;
use dafu_core::StableHasher;
use std::fs::{self, File, OpenOptions};
use std::hash::Hasher;
use std::io::{self, ErrorKind, Write};
use std::mem;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Most files merged at once.
pub(super) const FAN_IN: usize = 64;
/// Most runs of one level; then they are merged into runs of the next, so that the number of files stays bounded.
const MOST_AT_LEVEL: usize = FAN_IN * FAN_IN;
/// Bytes of a block.
pub(super) const BLOCK_BYTES: usize = 64 << 10;
/// Bytes before the content of a block.
pub(super) const HEADER_BYTES: usize = 16;
/// Most bytes of a length in LEB128.
const LENGTH_BYTES: usize = 10;

/// The hash of a block.
pub(super) fn hash(number: u64, content: &[u8]) -> u64 {
    let mut hasher = StableHasher::default();
    hasher.number(number).write(content);
    hasher.finish()
}

/// A file that is removed with this value.
#[derive(Debug)]
struct TempFile {
    path: PathBuf,
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // Nobody is left to be told.
        drop(fs::remove_file(&self.path));
    }
}

impl TempFile {
    /// A new file that only the owner may read.
    fn create(dir: &Path) -> Result<(File, Self), FeatureError> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        loop {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let nanos = now.map_or(0, |now| now.as_nanos());
            let count = COUNTER.fetch_add(1, Ordering::Relaxed);
            let process = std::process::id();
            let path = dir.join(format!("dafu-sort-{process}-{count}-{nanos}.tmp"));
            match options.open(&path) {
                Ok(file) => return Ok((file, Self { path })),
                // Somebody else's; the next count has another name.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(source) => return Err(FeatureError::TempFile { path, source }),
            }
        }
    }
}

/// Rows in order in a file.
#[derive(Debug)]
pub(super) struct Run {
    file: TempFile,
    bytes: u64,
    longest_block: u64,
    /// How often its rows have been merged.
    level: u32,
}

impl Run {
    pub(super) fn path(&self) -> &Path {
        &self.file.path
    }

    /// Length of the file.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Longest content of a block.
    pub(super) const fn longest_block(&self) -> u64 {
        self.longest_block
    }
}

/// Writes a run.
#[derive(Debug)]
pub(super) struct RunWriter {
    // Closed before it is removed, as some systems ask for.
    out: File,
    run: Run,
    block: Vec<u8>,
    blocks: u64,
}

impl RunWriter {
    pub(super) fn create(dir: &Path) -> Result<Self, FeatureError> {
        let (out, file) = TempFile::create(dir)?;
        let run = Run {
            file,
            bytes: 0,
            longest_block: 0,
            level: 0,
        };
        Ok(Self {
            out,
            run,
            block: Vec::new(),
            blocks: 0,
        })
    }

    /// Adds a row, not before the last one in time.
    pub(super) fn push(&mut self, row: &[u8]) -> Result<(), FeatureError> {
        if !self.block.is_empty() && self.block.len() + LENGTH_BYTES + row.len() > BLOCK_BYTES {
            self.flush()?;
        }
        write_length(row.len() as u64, &mut self.block);
        self.block.extend_from_slice(row);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Run, FeatureError> {
        self.flush()?;
        Ok(self.run)
    }

    fn flush(&mut self) -> Result<(), FeatureError> {
        if self.block.is_empty() {
            return Ok(());
        }
        self.write_block().map_err(|source| {
            let path = self.run.path().to_owned();
            FeatureError::TempFile { path, source }
        })?;
        let length = self.block.len() as u64;
        self.run.bytes += HEADER_BYTES as u64 + length;
        self.run.longest_block = self.run.longest_block.max(length);
        self.blocks += 1;
        self.block.clear();
        Ok(())
    }

    fn write_block(&mut self) -> io::Result<()> {
        let length = self.block.len() as u64;
        self.out.write_all(&length.to_le_bytes())?;
        let hash = hash(self.blocks, &self.block);
        self.out.write_all(&hash.to_le_bytes())?;
        self.out.write_all(&self.block)
    }
}

/// Runs in the order of arrival of their rows.
#[derive(Debug)]
pub(super) struct Runs {
    temp_dir: PathBuf,
    /// Levels never rise from one run to the next.
    runs: Vec<Run>,
}

impl Runs {
    pub(super) const fn new(temp_dir: PathBuf) -> Self {
        let runs = Vec::new();
        Self { temp_dir, runs }
    }

    pub(super) fn temp_dir(&self) -> &Path {
        &self.temp_dir
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Adds the newest run.
    pub(super) fn push(&mut self, run: Run) -> Result<(), FeatureError> {
        let mut level = run.level;
        self.runs.push(run);
        loop {
            let below = self.runs.iter().rposition(|run| run.level != level);
            let first = below.map_or(0, |place| place + 1);
            if self.runs.len() - first < MOST_AT_LEVEL {
                return Ok(());
            }
            for place in first..first + FAN_IN {
                self.merge(place..place + FAN_IN)?;
            }
            level += 1;
        }
    }

    /// At most [`FAN_IN`] runs: as few as possible are merged, the newest and so the shortest first.
    pub(super) fn finish(mut self) -> Result<Vec<Run>, FeatureError> {
        let mut end = self.runs.len();
        while self.runs.len() > FAN_IN {
            let count = (self.runs.len() - FAN_IN + 1).min(FAN_IN).min(end);
            if count < 2 {
                end = self.runs.len();
                continue;
            }
            self.merge(end - count..end)?;
            end -= count;
        }
        Ok(mem::take(&mut self.runs))
    }

    /// Puts one run in the place of several neighbours.
    fn merge(&mut self, places: Range<usize>) -> Result<(), FeatureError> {
        let runs = &self.runs[places.clone()];
        let mut writer = RunWriter::create(&self.temp_dir)?;
        let mut merge = Merge::open(runs)?;
        while let Some(row) = merge.row() {
            writer.push(row)?;
            merge.advance()?;
        }
        let mut merged = writer.finish()?;
        let levels = runs.iter().map(|run| run.level);
        merged.level = 1 + levels.max().unwrap_or_default();
        drop(merge);
        self.runs.splice(places, [merged]);
        Ok(())
    }
}
