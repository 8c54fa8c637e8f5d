//! Awkward files and what is expected of them.
#![allow(clippy::unwrap_used, unreachable_pub, reason = "helpers of tests")]

mod shapes;
mod times;
mod values;

pub use shapes::shapes;
pub use times::times;
pub use values::values;

use BadRecordClass as Class;
use dafu_ingest::{BadRecordClass, IngestError, IngestParams};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

pub type IsExpected = fn(&IngestError) -> bool;

pub enum Expected {
    Rows {
        kept: u64,
        quarantined: u64,
        found: Vec<(Class, u64)>,
        /// Column, kept row from 0, value.
        values: Vec<(&'static str, usize, &'static str)>,
    },
    Error(IsExpected),
}

pub struct Case {
    pub name: &'static str,
    pub file: Vec<u8>,
    pub params: IngestParams,
    pub expected: Expected,
}

impl Case {
    pub fn with(mut self, change: impl FnOnce(IngestParams) -> IngestParams) -> Self {
        self.params = change(self.params);
        self
    }

    pub fn value(mut self, column: &'static str, row: usize, value: &'static str) -> Self {
        if let Expected::Rows { values, .. } = &mut self.expected {
            values.push((column, row, value));
        }
        self
    }
}

pub fn rows(
    name: &'static str,
    file: impl AsRef<[u8]>,
    kept: u64,
    quarantined: u64,
    found: &[(Class, u64)],
) -> Case {
    Case {
        name,
        file: file.as_ref().to_vec(),
        params: IngestParams::default(),
        expected: Expected::Rows {
            kept,
            quarantined,
            found: found.to_vec(),
            values: Vec::new(),
        },
    }
}

pub fn error(name: &'static str, file: impl AsRef<[u8]>, is_expected: IsExpected) -> Case {
    Case {
        expected: Expected::Error(is_expected),
        ..rows(name, file, 0, 0, &[])
    }
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn utf_16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(unit).collect()
}

pub const fn is_bad(error: &IngestError, expected: Class) -> bool {
    matches!(error, IngestError::BadRecord { class, .. } if *class as u8 == expected as u8)
}

pub const PLAIN: &[u8] = b"id,amount\n1,2.5\n2,3.5\n";
