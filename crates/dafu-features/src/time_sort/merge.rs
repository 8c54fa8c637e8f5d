//! Several runs read as one.

use super::layout::{Layout, Reader, TableReader, time_of};
use super::spill::{HEADER_BYTES, Run, hash};
use crate::FeatureError;
use dafu_core::Table;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::ops::Range;

/// Reads the rows of a run one after the other, a block at a time.
#[derive(Debug)]
struct Cursor<'r> {
    run: &'r Run,
    file: File,
    /// Bytes of the file not read yet.
    left: u64,
    block: Vec<u8>,
    blocks: u64,
    /// Where the current row is in the block.
    row: Range<usize>,
    time: i64,
}

impl<'r> Cursor<'r> {
    fn open(run: &'r Run) -> Result<Self, FeatureError> {
        let file = File::open(run.path()).map_err(|source| {
            let path = run.path().to_owned();
            FeatureError::TempFile { path, source }
        })?;
        Ok(Self {
            run,
            file,
            left: run.bytes(),
            block: Vec::new(),
            blocks: 0,
            row: 0..0,
            time: i64::MIN,
        })
    }

    fn damaged(&self, problem: &'static str) -> FeatureError {
        let path = self.run.path().to_owned();
        FeatureError::DamagedTempFile { path, problem }
    }

    /// Goes to the next row and gives its time; `None` after the last row.
    fn advance(&mut self) -> Result<Option<i64>, FeatureError> {
        if self.row.end == self.block.len() {
            if self.left == 0 {
                return Ok(None);
            }
            self.read_block()?;
            self.row = 0..0;
        }
        let mut reader = Reader(&self.block[self.row.end..]);
        let row = reader.length().and_then(|length| reader.bytes(length));
        let Ok((row, time)) = row.and_then(|row| Ok((row, time_of(row)?))) else {
            return Err(self.damaged("a row is cut off"));
        };
        if time < self.time {
            return Err(self.damaged("the rows are not in order"));
        }
        let end = self.block.len() - reader.0.len();
        self.row = end - row.len()..end;
        self.time = time;
        Ok(Some(time))
    }

    fn read_block(&mut self) -> Result<(), FeatureError> {
        let mut header = [0; HEADER_BYTES];
        self.read(|cursor| cursor.file.read_exact(&mut header))?;
        let mut header = Reader(&header);
        let (Ok(length), Ok(expected)) = (header.take(), header.take()) else {
            return Err(self.damaged("a block is cut off"));
        };
        let (length, expected) = (u64::from_le_bytes(length), u64::from_le_bytes(expected));
        let left = self.left.saturating_sub(HEADER_BYTES as u64);
        let possible = 1..=left.min(self.run.longest_block());
        let size = usize::try_from(length).ok();
        let Some(size) = size.filter(|_| possible.contains(&length)) else {
            return Err(self.damaged("a block has a length that was not written"));
        };
        self.block.resize(size, 0);
        self.read(|cursor| cursor.file.read_exact(&mut cursor.block))?;
        if hash(self.blocks, &self.block) != expected {
            return Err(self.damaged("the content of a block has changed"));
        }
        self.left = left - length;
        self.blocks += 1;
        Ok(())
    }

    fn read(
        &mut self,
        read: impl FnOnce(&mut Self) -> std::io::Result<()>,
    ) -> Result<(), FeatureError> {
        read(self).map_err(|source| match source.kind() {
            ErrorKind::UnexpectedEof => self.damaged("it is shorter than what was written"),
            _ => FeatureError::TempFile {
                path: self.run.path().to_owned(),
                source,
            },
        })
    }
}

/// The rows of several runs in order; of one instant those of the earlier run first.
///
/// Source: Knuth, "The Art of Computer Programming", volume 3 (1998), section 5.4.1, with a heap as the tree.
#[derive(Debug)]
pub(super) struct Merge<'r> {
    cursors: Vec<Cursor<'r>>,
    /// Time of the current row of each cursor that has one, with the place of the cursor.
    heap: BinaryHeap<Reverse<(i64, usize)>>,
}

impl<'r> Merge<'r> {
    pub(super) fn open(runs: &'r [Run]) -> Result<Self, FeatureError> {
        let mut cursors = Vec::with_capacity(runs.len());
        let mut heap = BinaryHeap::with_capacity(runs.len());
        for (place, run) in runs.iter().enumerate() {
            let mut cursor = Cursor::open(run)?;
            if let Some(time) = cursor.advance()? {
                heap.push(Reverse((time, place)));
            }
            cursors.push(cursor);
        }
        Ok(Self { cursors, heap })
    }

    /// The current row; `None` after the last one.
    pub(super) fn row(&self) -> Option<&[u8]> {
        let &Reverse((_, place)) = self.heap.peek()?;
        let cursor = &self.cursors[place];
        Some(&cursor.block[cursor.row.clone()])
    }

    /// Goes to the next row.
    pub(super) fn advance(&mut self) -> Result<(), FeatureError> {
        let Some(mut first) = self.heap.peek_mut() else {
            return Ok(());
        };
        let Reverse((time, place)) = &mut *first;
        match self.cursors[*place].advance()? {
            Some(next) => *time = next,
            None => {
                PeekMut::pop(first);
            }
        }
        Ok(())
    }

    /// The file of the current row is damaged.
    fn damaged(&self, problem: &'static str) -> FeatureError {
        let cursor = self
            .heap
            .peek()
            .map(|&Reverse((_, place))| &self.cursors[place]);
        let path = cursor.map(|cursor| cursor.run.path().to_owned());
        FeatureError::DamagedTempFile {
            path: path.unwrap_or_default(),
            problem,
        }
    }
}

/// The rows of several runs in order, as tables. Ends after an error.
#[derive(Debug)]
pub(super) struct MergedTables<'r> {
    layout: &'r Layout,
    merge: Option<Merge<'r>>,
    chunk_rows: usize,
}

impl<'r> MergedTables<'r> {
    pub(super) fn open(
        layout: &'r Layout,
        runs: &'r [Run],
        chunk_rows: usize,
    ) -> Result<Self, FeatureError> {
        let merge = Some(Merge::open(runs)?);
        Ok(Self {
            layout,
            merge,
            chunk_rows,
        })
    }

    /// The next table, without rows at the end.
    fn read(&self, merge: &mut Merge<'_>) -> Result<Table, FeatureError> {
        const NOT_A_ROW: &str = "a row does not hold the values of the columns";
        let mut table = TableReader::new(self.layout);
        while table.rows() < self.chunk_rows
            && let Some(row) = merge.row()
        {
            if table.push(row).is_err() {
                return Err(merge.damaged(NOT_A_ROW));
            }
            merge.advance()?;
        }
        table.finish().map_err(|_| merge.damaged(NOT_A_ROW))
    }
}

impl Iterator for MergedTables<'_> {
    type Item = Result<Table, FeatureError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut merge = self.merge.take()?;
        let table = self.read(&mut merge);
        match &table {
            Ok(table) if table.rows() == 0 => return None,
            Ok(_) => self.merge = Some(merge),
            Err(_) => {}
        }
        Some(table)
    }
}
