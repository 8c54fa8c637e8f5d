//! The first rows of a source, held for looking at them.

/// Bytes of fields that are held at most.
const MAX_BYTES: usize = 16 << 20;

/// Rows of equally many fields.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    columns: usize,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Sample {
    pub(crate) const fn new(columns: usize) -> Self {
        Self {
            columns,
            bytes: Vec::new(),
            ends: Vec::new(),
        }
    }

    pub(crate) const fn rows(&self) -> usize {
        match self.ends.len().checked_div(self.columns) {
            Some(rows) => rows,
            None => 0,
        }
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.bytes.len() >= MAX_BYTES || self.ends.len() >= MAX_BYTES / 4
    }

    /// Adds a row; one with another number of fields is left out.
    pub(crate) fn push<'a>(&mut self, fields: impl Iterator<Item = &'a [u8]> + Clone) {
        if fields.clone().count() != self.columns {
            return;
        }
        for field in fields {
            // What is not UTF-8 is a value all the same.
            self.bytes
                .extend_from_slice(String::from_utf8_lossy(field).as_bytes());
            self.ends.push(self.bytes.len());
        }
    }

    /// The trimmed texts of a column.
    pub(crate) fn column(&self, column: usize) -> impl Iterator<Item = &str> {
        (0..self.rows()).map(move |row| self.text(row, column))
    }

    /// A trimmed text.
    pub(crate) fn text(&self, row: usize, column: usize) -> &str {
        let index = row * self.columns + column;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        let bytes = &self.bytes[start..self.ends[index]];
        std::str::from_utf8(bytes).unwrap_or_default().trim()
    }
}
