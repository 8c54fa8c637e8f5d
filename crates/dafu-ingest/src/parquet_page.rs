//! Counts in the pages of a Parquet file, checked before anything is allocated for them.
//!
//! The decoders of the crate `parquet` make room for as many values as a dictionary or the header of a delta encoding
//! claims; a few bytes could claim more than there is memory, which ends the process.

use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};

/// Most values of a page whose lengths are stored as deltas: 64 MiB of lengths. Writers end a page after some
/// thousand rows.
const MAX_LENGTHS: u64 = 1 << 24;

/// A page reader that refuses claims that the bytes of a page do not bear out.
pub(crate) struct CheckedPages {
    inner: Box<dyn PageReader>,
    has_levels: bool,
}

impl CheckedPages {
    /// `has_levels`: the column has definition levels.
    pub(crate) fn new(inner: Box<dyn PageReader>, has_levels: bool) -> Self {
        Self { inner, has_levels }
    }
}

impl PageReader for CheckedPages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.inner.get_next_page()?;
        if let Some(page) = &page {
            check(page, self.has_levels).map_err(|what| ParquetError::General(what.to_owned()))?;
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.inner.skip_next_page()
    }
}

impl Iterator for CheckedPages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

fn check(page: &Page, has_levels: bool) -> std::result::Result<(), &'static str> {
    let (values, encoding, count) = match page {
        Page::DictionaryPage {
            buf, num_values, ..
        } => {
            // Each value of a dictionary takes at least a byte.
            return if *num_values as usize <= buf.len() {
                Ok(())
            } else {
                Err("a dictionary claims more values than it has bytes")
            };
        }
        Page::DataPage {
            buf,
            num_values,
            encoding,
            ..
        } => {
            let values = if has_levels {
                after_levels(buf)
            } else {
                Some(&buf[..])
            };
            (values, *encoding, *num_values)
        }
        Page::DataPageV2 {
            buf,
            num_values,
            encoding,
            def_levels_byte_len,
            rep_levels_byte_len,
            ..
        } => {
            let levels = u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len);
            let levels = usize::try_from(levels).unwrap_or(usize::MAX);
            (buf.get(levels..), *encoding, *num_values)
        }
    };
    let streams = match encoding {
        Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
        // Lengths of the shared beginnings, then lengths of the rest.
        Encoding::DELTA_BYTE_ARRAY => 2,
        _ => return Ok(()),
    };
    let mut rest = values.ok_or("the levels of a page are longer than the page")?;
    for _ in 0..streams {
        let (claimed, after) = delta_stream(rest).ok_or("the lengths of a page end early")?;
        if claimed > u64::from(count).min(MAX_LENGTHS) {
            return Err("a page claims more lengths than it has values");
        }
        rest = after;
    }
    Ok(())
}

/// The bytes after run-length encoded definition levels, which begin with their length.
fn after_levels(buf: &Bytes) -> Option<&[u8]> {
    let (length, rest) = buf.split_first_chunk::<4>()?;
    rest.get(usize::try_from(u32::from_le_bytes(*length)).ok()?..)
}

/// The number of values that a delta-encoded stream claims, and the bytes after it.
///
/// Source: Apache Parquet, "Encodings", `DELTA_BINARY_PACKED`.
fn delta_stream(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut rest = bytes;
    let block = varint(&mut rest)?;
    let minis = varint(&mut rest)?;
    let count = varint(&mut rest)?;
    varint(&mut rest)?; // the first value
    let per_mini = block.checked_div(minis)?;
    let mut left = count.saturating_sub(1);
    while left > 0 && per_mini > 0 {
        varint(&mut rest)?; // the least delta
        let (widths, after) = rest.split_at_checked(usize::try_from(minis).ok()?)?;
        rest = after;
        for width in widths {
            if left == 0 {
                break;
            }
            let bytes = per_mini.checked_mul(u64::from(*width))?.div_ceil(8);
            rest = rest.get(usize::try_from(bytes).ok()?..)?;
            left = left.saturating_sub(per_mini);
        }
    }
    Some((count, rest))
}

/// A number in the variable-length encoding LEB128.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{check, delta_stream};
    use bytes::Bytes;
    use parquet::basic::Encoding;
    use parquet::column::page::Page;

    #[test]
    fn a_delta_stream_ends_where_its_values_do() {
        // The example of the specification: 1 to 5 as block 128, 4 miniblocks, 5 values, first 1 (zigzag 2), least
        // delta 1 (zigzag 2), widths 0.
        let stream = [128, 1, 4, 5, 2, 2, 0, 0, 0, 0, 77];
        assert_eq!(delta_stream(&stream), Some((5, &[77][..])));
        // Width 2 in the first miniblock: 32 values take 8 bytes.
        let mut wide = vec![128, 1, 4, 5, 2, 2, 2, 0, 0, 0];
        wide.extend([0xaa; 8]);
        wide.push(77);
        assert_eq!(delta_stream(&wide), Some((5, &[77][..])));
        assert_eq!(delta_stream(&wide[..17]), None);
        assert_eq!(delta_stream(&[128, 1, 0, 5, 2]), None);
    }

    fn page(encoding: Encoding, bytes: &[u8]) -> Page {
        Page::DataPage {
            buf: Bytes::copy_from_slice(bytes),
            num_values: 5,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        }
    }

    #[test]
    fn claims_beyond_the_bytes_are_refused() {
        let lengths = Encoding::DELTA_LENGTH_BYTE_ARRAY;
        let good = [128, 1, 4, 5, 2, 2, 0, 0, 0, 0];
        assert!(check(&page(lengths, &good), false).is_ok());
        let behind_levels = [&[2, 0, 0, 0, 10, 1][..], &good].concat();
        assert!(check(&page(lengths, &behind_levels), true).is_ok());
        // 2^40 values in a page of five.
        let huge = [128, 1, 4, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 2];
        assert!(check(&page(lengths, &huge), false).is_err());
        let nested = [&good[..], &huge].concat();
        assert!(check(&page(Encoding::DELTA_BYTE_ARRAY, &nested), false).is_err());
        let twice = [&good[..], &good].concat();
        assert!(check(&page(Encoding::DELTA_BYTE_ARRAY, &twice), false).is_ok());
        let dictionary = |num_values| Page::DictionaryPage {
            buf: Bytes::from_static(&[0; 16]),
            num_values,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        assert!(check(&dictionary(4), false).is_ok());
        assert!(check(&dictionary(1 << 31), false).is_err());
    }
}
