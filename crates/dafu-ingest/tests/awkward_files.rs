//! Awkward CSV files from memory: how many rows are kept and left out, which class was found how often, or the error.
//!
//! `awkward.rs` has files on disk with all their values; here the counts and the kind of error are pinned, for both
//! ways of reading: tables and chunks.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use BadRecordClass as Class;
use dafu_core::{ColumnData, Label, Role, Table, TableSource};
use dafu_ingest::{
    BadRecordClass, FileSource, IngestError, IngestParams, IngestReport, Limits, Policy, TokenKey,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

type IsExpected = fn(&IngestError) -> bool;

enum Expected {
    Rows {
        kept: u64,
        quarantined: u64,
        found: Vec<(Class, u64)>,
        /// Column, kept row from 0, value.
        values: Vec<(&'static str, usize, &'static str)>,
    },
    Error(IsExpected),
}

struct Case {
    name: &'static str,
    file: Vec<u8>,
    params: IngestParams,
    expected: Expected,
}

impl Case {
    fn with(mut self, change: impl FnOnce(IngestParams) -> IngestParams) -> Self {
        self.params = change(self.params);
        self
    }

    fn value(mut self, column: &'static str, row: usize, value: &'static str) -> Self {
        if let Expected::Rows { values, .. } = &mut self.expected {
            values.push((column, row, value));
        }
        self
    }
}

fn rows(
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

fn error(name: &'static str, file: impl AsRef<[u8]>, is_expected: IsExpected) -> Case {
    Case {
        expected: Expected::Error(is_expected),
        ..rows(name, file, 0, 0, &[])
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn utf_16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(unit).collect()
}

const fn is_bad(error: &IngestError, expected: Class) -> bool {
    matches!(error, IngestError::BadRecord { class, .. } if *class as u8 == expected as u8)
}

const PLAIN: &[u8] = b"id,amount\n1,2.5\n2,3.5\n";

#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn shapes() -> Vec<Case> {
    let limits = Limits::default();
    vec![
        rows(
            "quoted newline in an id",
            "id,shop,amount\n1,\"a\nb\",2\n2,c,3\n",
            1,
            1,
            &[(Class::BadId, 1)],
        )
        .with(|p| p.role("shop", Role::Merchant)),
        rows(
            "quoted newline in a category",
            "id,kind,amount\n1,\"a\r\nb\",2\n2,c,3\n",
            2,
            0,
            &[],
        )
        .with(|p| p.role("kind", Role::Category))
        .value("kind", 0, "a\r\nb"),
        rows("BOM", [b"\xef\xbb\xbf", PLAIN].concat(), 2, 0, &[]).value("id", 0, "1"),
        rows(
            "BOM and a quoted header",
            b"\xef\xbb\xbf\"id\",\"amount\"\n1,2\n",
            1,
            0,
            &[],
        )
        .value("id", 0, "1"),
        rows("CRLF", "id,amount\r\n1,2\r\n3,4\r\n", 2, 0, &[]).value("amount", 1, "4"),
        rows("CR only", "id,amount\r1,2\r3,4", 2, 0, &[]).value("amount", 1, "4"),
        rows("mixed line ends", "id,amount\r\n1,2\n3,4\r5,6", 3, 0, &[]).value("amount", 2, "6"),
        rows(
            "NUL in a field",
            "id,amount\na\0b,2\nc,3\n",
            1,
            1,
            &[(Class::NulByte, 1)],
        ),
        rows(
            "NUL in a number",
            "id,amount\na,2\0\nc,3\n",
            1,
            1,
            &[(Class::NulByte, 1)],
        ),
        rows(
            "NUL taken out",
            "id,amount\na\0b,2\nc,3\n",
            2,
            0,
            &[(Class::NulByte, 1)],
        )
        .with(|p| p.policy(Class::NulByte, Policy::Coerce))
        .value("id", 0, "ab"),
        rows(
            "invalid UTF-8",
            b"id,amount\n\xff\xc0,2\nc,3\n",
            1,
            1,
            &[(Class::NotUtf8, 1)],
        ),
        rows(
            "UTF-8 of a surrogate",
            b"id,amount\n\xed\xa0\x80,2\nc,3\n",
            1,
            1,
            &[(Class::NotUtf8, 1)],
        ),
        rows(
            "invalid UTF-8 replaced",
            b"id,amount\na\xff,2\nc,3\n",
            2,
            0,
            &[(Class::NotUtf8, 1)],
        )
        .with(|p| p.policy(Class::NotUtf8, Policy::Coerce))
        .value("id", 0, "a\u{fffd}"),
        rows(
            "invalid UTF-8 with a NUL, both coerced",
            b"id,amount\na\xff\0,2\nc,3\n",
            2,
            0,
            &[(Class::NotUtf8, 1), (Class::NulByte, 1)],
        )
        .with(|p| {
            p.policy(Class::NotUtf8, Policy::Coerce)
                .policy(Class::NulByte, Policy::Coerce)
        })
        .value("id", 0, "a\u{fffd}"),
        rows(
            "short row",
            "id,amount,mcc\n1,2\n2,3,x\n",
            1,
            1,
            &[(Class::RaggedRow, 1)],
        ),
        rows(
            "long row",
            "id,amount\n1,2,3\n2,3\n",
            1,
            1,
            &[(Class::RaggedRow, 1)],
        ),
        rows(
            "long row cut",
            "id,amount\n1,2,3\n2,3\n",
            2,
            0,
            &[(Class::RaggedRow, 1)],
        )
        .with(|p| p.policy(Class::RaggedRow, Policy::Coerce)),
        error("short row rejected", "id,amount\n1\n", |e| {
            is_bad(e, Class::RaggedRow)
        })
        .with(|p| p.policy(Class::RaggedRow, Policy::Reject)),
        error("empty file", "", |e| matches!(e, IngestError::Empty)),
        error("only spaces and line ends", "\n\n\r\n", |e| {
            matches!(e, IngestError::Empty)
        }),
        rows(
            "only whitespace is a header without a name",
            "   \n",
            0,
            0,
            &[],
        ),
        rows("header only", "id,amount", 0, 0, &[]),
        rows("no final newline", "id,amount\n1,2", 1, 0, &[]).value("amount", 0, "2"),
        rows(
            "quoted field without final newline",
            "id,amount\n1,\"2\"",
            1,
            0,
            &[],
        )
        .value("amount", 0, "2"),
        rows(
            "blank lines are no rows",
            "\n\nid,amount\n\n1,2\n\r\n\n3,4\n\n",
            2,
            0,
            &[],
        )
        .value("id", 1, "3"),
        rows(
            "a row of spaces is a short row",
            "id,amount\n   \n1,2\n",
            1,
            1,
            &[(Class::RaggedRow, 1)],
        ),
        rows(
            "cells of spaces are missing",
            "id,amount\n  ,2\n1,  \n2,3\n",
            1,
            2,
            &[(Class::MissingRequired, 2)],
        ),
        error("100,000 columns", vec!["c"; 100_000].join(","), |e| {
            matches!(e, IngestError::TooManyColumns { limit: 10_000 })
        }),
        rows(
            "a row of 100,000 fields",
            format!("id,amount\n{}\n1,2\n", "1,".repeat(100_000)),
            1,
            1,
            &[(Class::RaggedRow, 1)],
        ),
        rows(
            "a field of 3 MiB",
            format!("id,amount\n1,2\n{},3\n3,4\n", "x".repeat(3 << 20)),
            2,
            1,
            &[(Class::FieldTooLong, 1)],
        )
        .value("id", 1, "3"),
        rows(
            "a row of 3 MiB beyond its limit",
            format!("id,amount\n1,2\n{}\n3,4\n", "x,".repeat(3 << 19)),
            2,
            1,
            &[(Class::RowTooLong, 1)],
        )
        .with(|p| {
            p.limits(Limits {
                max_row: 1 << 20,
                max_columns: 1 << 24,
                ..limits
            })
        }),
        error(
            "a header beyond the limit of a row",
            "x".repeat(9 << 20),
            |e| matches!(e, IngestError::HeaderTooLong { .. }),
        ),
        rows("gzip", gzip(PLAIN), 2, 0, &[]).value("amount", 1, "3.5"),
        rows(
            "gzip of two members, cut inside a row",
            [gzip(&PLAIN[..14]), gzip(&PLAIN[14..])].concat(),
            2,
            0,
            &[],
        )
        .value("amount", 0, "2.5"),
        rows(
            "gzip with an empty member",
            [gzip(b""), gzip(PLAIN)].concat(),
            2,
            0,
            &[],
        ),
        error("truncated gzip", &gzip(PLAIN)[..20], |e| {
            matches!(e, IngestError::Truncated { .. })
        }),
        error(
            "gzip without its check sum",
            &gzip(PLAIN)[..gzip(PLAIN).len() - 8],
            |e| matches!(e, IngestError::Truncated { .. }),
        ),
        error(
            "gzip bomb",
            gzip(&[b"id,amount\n".as_slice(), &b"1,2\n".repeat(4 << 20)].concat()),
            |e| matches!(e, IngestError::Expansion { limit: 200, .. }),
        ),
        error("gzip of nothing", gzip(b""), |e| {
            matches!(e, IngestError::Empty)
        }),
        error("unclosed quote", "id,amount\n1,2\n\"3,4\n5,6\n", |e| {
            is_bad(e, Class::UnclosedQuote)
        }),
        rows(
            "unclosed quote quarantined",
            "id,amount\n1,2\n\"3,4\n5,6\n",
            1,
            1,
            &[(Class::UnclosedQuote, 1)],
        )
        .with(|p| p.policy(Class::UnclosedQuote, Policy::Coerce)),
        error("unclosed quote in the header", "\"id,amount\n1,2\n", |e| {
            is_bad(e, Class::UnclosedQuote)
        }),
        rows(
            "quote in the middle of a field",
            "id,amount\na\"b,2\nc,3\n",
            2,
            0,
            &[],
        )
        .value("id", 0, "a\"b"),
        rows(
            "semicolons with decimal commas",
            "id;amount\n1;2,5\n2;1000,25\n",
            2,
            0,
            &[],
        )
        .value("amount", 1, "1000.25"),
        rows("tabs", "id\tamount\n1\t2.5\n", 1, 0, &[]).value("amount", 0, "2.5"),
        rows("bars", "id|amount\n1|2.5\n", 1, 0, &[]).value("amount", 0, "2.5"),
        rows(
            "names that stand twice",
            "id,amount,amount\n1,2,3\n",
            1,
            0,
            &[],
        )
        .value("amount", 0, "2")
        .value("amount_2", 0, "3"),
        rows(
            "a name that stands twice in two forms",
            "id,x,x,x_2\n1,2,3,4\n",
            1,
            0,
            &[],
        )
        .value("x_2_2", 0, "4"),
        rows("a name that is empty", "id,,amount\n1,7,3\n", 1, 0, &[]).value("column_2", 0, "7"),
        error(
            "UTF-16 little endian",
            [
                b"\xff\xfe".to_vec(),
                utf_16("id,amount\n1,2\n", u16::to_le_bytes),
            ]
            .concat(),
            |e| {
                matches!(
                    e,
                    IngestError::NotCsv {
                        found: "UTF-16 text",
                        ..
                    }
                )
            },
        ),
        error(
            "UTF-16 big endian",
            [
                b"\xfe\xff".to_vec(),
                utf_16("id,amount\n1,2\n", u16::to_be_bytes),
            ]
            .concat(),
            |e| {
                matches!(
                    e,
                    IngestError::NotCsv {
                        found: "UTF-16 text",
                        ..
                    }
                )
            },
        ),
        error(
            "UTF-16 without BOM, little endian",
            utf_16("id,amount\n1,2\n", u16::to_le_bytes),
            |e| matches!(e, IngestError::NotCsv { .. }),
        ),
        error(
            "UTF-16 without BOM, big endian",
            utf_16("id,amount\n1,2\n", u16::to_be_bytes),
            |e| matches!(e, IngestError::NotCsv { .. }),
        ),
        error(
            "UTF-16 in gzip",
            gzip(
                &[
                    b"\xff\xfe".to_vec(),
                    utf_16("id,amount\n1,2\n", u16::to_le_bytes),
                ]
                .concat(),
            ),
            |e| matches!(e, IngestError::NotCsv { .. }),
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn values() -> Vec<Case> {
    let key = || TokenKey::new(*b"0123456789abcdef").unwrap();
    vec![
        rows("1e308", "id,amount,size\n1,2,1e308\n2,3,1\n", 2, 0, &[]).value("size", 0, "1e308"),
        rows(
            "1e308 as an amount",
            "id,amount\n1,1e308\n2,3\n",
            1,
            1,
            &[(Class::AmountOutOfRange, 1)],
        ),
        rows(
            "1e309",
            "id,amount,size\n1,2,1e309\n2,3,1\n",
            1,
            1,
            &[(Class::NonFiniteNumber, 1)],
        ),
        rows(
            "1e309 as missing",
            "id,amount,size\n1,2,1e309\n2,3,1\n",
            2,
            0,
            &[(Class::NonFiniteNumber, 1)],
        )
        .with(|p| p.policy(Class::NonFiniteNumber, Policy::Coerce))
        .value("size", 0, "-"),
        rows(
            "NaN is a missing number",
            "id,amount,size\n1,2,NaN\n2,3,1\n",
            2,
            0,
            &[],
        )
        .value("size", 0, "-"),
        rows(
            "NaN as an amount",
            "id,amount\n1,nan\n2,3\n",
            1,
            1,
            &[(Class::MissingRequired, 1)],
        ),
        rows(
            "inf",
            "id,amount,size\n1,2,inf\n2,3,-Infinity\n3,4,5\n4,5,6\n",
            2,
            2,
            &[(Class::NonFiniteNumber, 2)],
        ),
        rows(
            "-0 is zero and no negative amount",
            "id,amount\n1,-0\n2,-0.00\n",
            2,
            0,
            &[],
        )
        .value("amount", 0, "0"),
        rows(
            "-0 and 0 are the same content",
            "id,amount\na,-0\na,0\n",
            1,
            1,
            &[(Class::DuplicateId, 1)],
        ),
        rows(
            "negative amount",
            "id,amount\n1,-5\n2,3\n",
            2,
            0,
            &[(Class::NegativeAmount, 1)],
        )
        .value("amount", 0, "-5"),
        rows(
            "three decimals",
            "id,amount\n1,5.125\n2,3\n",
            2,
            0,
            &[(Class::AmountPrecision, 1)],
        )
        .value("amount", 0, "5.125"),
        error("three decimals rejected", "id,amount\n1,5.125\n", |e| {
            is_bad(e, Class::AmountPrecision)
        })
        .with(|p| p.policy(Class::AmountPrecision, Policy::Reject)),
        rows(
            "three decimals of a dinar",
            "id,amount,currency\n1,5.125,KWD\n",
            1,
            0,
            &[],
        ),
        rows(
            "thousands separators",
            "id,amount\n1,\"1,234.50\"\n2,3\n",
            2,
            0,
            &[],
        )
        .value("amount", 0, "1234.5"),
        rows(
            "thousands points with semicolons",
            "id;amount\n1;1.234,50\n2;3,25\n",
            2,
            0,
            &[],
        )
        .value("amount", 0, "1234.5"),
        rows(
            "a word as an amount",
            "id,amount\n1,2\n2,ten\n3,4\n",
            2,
            1,
            &[(Class::BadNumber, 1)],
        ),
        rows(
            "same id, same content",
            "id,amount\na,2\nb,3\na,2\na,2\n",
            2,
            2,
            &[(Class::DuplicateId, 2)],
        ),
        rows(
            "same id, other content",
            "id,amount\na,2\nb,3\na,4\n",
            2,
            1,
            &[(Class::ConflictingId, 1)],
        ),
        rows(
            "same id, other label only",
            "id,amount,is_fraud\na,2,0\na,2,1\n",
            1,
            1,
            &[(Class::DuplicateId, 1)],
        ),
        error(
            "card number as user",
            "user_id,amount\n4111 1111 1111 1111,2\n",
            |e| is_bad(e, Class::CardNumber) && !e.to_string().contains("1111"),
        ),
        rows(
            "card number as token",
            "user_id,amount\n4111-1111-1111-1111,2\nben,3\n",
            2,
            0,
            &[(Class::CardNumber, 1)],
        )
        .with(|p| p.policy(Class::CardNumber, Policy::Coerce).token_key(key()))
        .value("user_id", 0, "tok_6ab68ca2a9a5093ababdf00856c5692b"),
        error(
            "card numbers coerced without a key",
            "user_id,amount\n4111111111111111,2\n",
            |e| {
                matches!(
                    e,
                    IngestError::Param {
                        name: "token_key",
                        ..
                    }
                )
            },
        )
        .with(|p| p.policy(Class::CardNumber, Policy::Coerce)),
        error(
            "card number behind a no-break space",
            "user_id,amount\n\u{a0}4111111111111111,2\nben,3\n",
            |e| is_bad(e, Class::CardNumber),
        ),
        rows("label 0 and 1", "id,is_fraud\n1,0\n2,1\n", 2, 0, &[]).value("is_fraud", 1, "fraud"),
        rows(
            "label true and false",
            "id,is_fraud\n1,False\n2,TRUE\n",
            2,
            0,
            &[],
        )
        .value("is_fraud", 0, "legitimate")
        .value("is_fraud", 1, "fraud"),
        rows(
            "label -1 and 1, -1 the rarer",
            "id,label\n1,1\n2,-1\n3,1\n",
            3,
            0,
            &[],
        )
        .value("label", 1, "fraud")
        .value("label", 0, "legitimate"),
        rows(
            "label -1 and 1, 1 the rarer",
            "id,label\n1,-1\n2,1\n3,-1\n",
            3,
            0,
            &[],
        )
        .value("label", 1, "fraud"),
        rows(
            "strange label",
            "id,is_fraud\n1,0\n2,1\n3,perhaps\n4,\n",
            3,
            1,
            &[(Class::BadLabel, 1)],
        )
        .value("is_fraud", 2, "unknown"),
        rows(
            "strange label as unknown",
            "id,is_fraud\n1,0\n2,1\n3,perhaps\n",
            3,
            0,
            &[(Class::BadLabel, 1)],
        )
        .with(|p| p.policy(Class::BadLabel, Policy::Coerce))
        .value("is_fraud", 2, "unknown"),
        rows(
            "overlong id",
            format!(
                "user_id,amount\n{},2\n{},3\n",
                "u".repeat(257),
                "v".repeat(256)
            ),
            1,
            1,
            &[(Class::BadId, 1)],
        ),
        rows(
            "control character in an id",
            "user_id,amount\na\x07b,2\nc\u{85}d,3\ne,4\n",
            1,
            2,
            &[(Class::BadId, 2)],
        ),
        rows("tab around an id", "user_id,amount\n\ta\t,2\n", 1, 0, &[])
            .with(|p| p.delimiter(b','))
            .value("user_id", 0, "a"),
    ]
}

fn times() -> Vec<Case> {
    let berlin = |p: IngestParams| p.zone("Europe/Berlin".parse().unwrap());
    vec![
        rows("day first", "id,time\n1,13.04.2018 07:05\n2,01.05.2018 00:00\n", 2, 0, &[]).value("time", 1, "2018-05-01T00:00:00Z"),
        rows("month first", "id,time\n1,04/13/2018 07:05\n2,05/01/2018 00:00\n", 2, 0, &[]).value("time", 1, "2018-05-01T00:00:00Z"),
        rows("day or month", "id,time\n1,01/02/2018\n2,03/04/2018\n", 2, 0, &[]).value("time", 0, "2018-02-01T00:00:00Z"),
        rows("day first and month first", "id,time\n1,13/04/2018\n2,14/04/2018\n3,04/15/2018\n", 2, 1, &[(Class::BadTime, 1)]),
        rows("epoch seconds", "id,time\n1,1522540831\n2,1522540832\n", 2, 0, &[]).value("time", 0, "2018-04-01T00:00:31Z"),
        rows("epoch milliseconds", "id,time\n1,1522540831250\n2,1522540832000\n", 2, 0, &[]).value("time", 0, "2018-04-01T00:00:31.250000Z"),
        rows("epoch microseconds", "id,time\n1,1522540831250001\n2,1522540832000000\n", 2, 0, &[]).value("time", 0, "2018-04-01T00:00:31.250001Z"),
        rows("epoch nanoseconds", "id,time\n1,1522540831250001999\n2,1522540832000000000\n", 2, 0, &[]).value("time", 0, "2018-04-01T00:00:31.250001Z"),
        rows("seconds among milliseconds", "id,time\n1,1522540831250\n2,1522540832000\n3,1522540833\n", 2, 1, &[(Class::BadTime, 1)]),
        rows("hour that clocks skipped", "id,time\n1,2018-03-25 02:30:00\n2,2018-03-25 03:30:00\n", 2, 0, &[(Class::TimeInGap, 1)])
            .with(berlin)
            .value("time", 0, "2018-03-25T01:30:00Z"),
        error("hour that clocks skipped, rejected", "id,time\n1,2018-03-25 02:30:00\n", |e| is_bad(e, Class::TimeInGap))
            .with(|p| berlin(p).policy(Class::TimeInGap, Policy::Reject)),
        rows("hour that came twice", "id,time\n1,2018-10-28 02:30:00\n2,2018-10-28 03:30:00\n", 2, 0, &[(Class::TimeTwice, 1)])
            .with(berlin)
            .value("time", 0, "2018-10-28T00:30:00Z"),
        rows("hour that came twice, left out", "id,time\n1,2018-10-28 02:30:00\n2,2018-10-28 03:30:00\n", 1, 1, &[(Class::TimeTwice, 1)])
            .with(|p| berlin(p).policy(Class::TimeTwice, Policy::Quarantine)),
        rows("offsets leave no doubt", "id,time\n1,2018-10-28 02:30:00+01:00\n2,2018-03-25 02:30:00+01:00\n", 2, 0, &[])
            .with(berlin)
            .value("time", 0, "2018-10-28T01:30:00Z"),
        rows("leap second", "id,time\n1,2016-12-31T23:59:59Z\n2,2016-12-31T23:59:60Z\n3,2017-01-01T00:00:00Z\n", 2, 1, &[(Class::BadTime, 1)]),
        rows("years 1 and 9999", "id,time\n1,0001-01-01T00:00:00Z\n2,9999-12-31T23:59:59Z\n", 2, 0, &[])
            .value("time", 0, "0001-01-01T00:00:00Z")
            .value("time", 1, "9999-12-31T23:59:59Z"),
        rows("years 0 and 10000", "id,time\n1,2018-04-01\n2,0000-01-01\n3,10000-01-01\n4,2018-04-02\n5,2018-04-03\n", 3, 2, &[(Class::BadTime, 2)]),
        rows("ends of time that a zone or an offset carries over",
            "id,time\n1,2018-04-01 00:00\n2,2018-04-01 00:00\n3,2018-04-01 00:00\n4,0001-01-01 00:00\n5,9999-12-31 23:59-01:00\n", 3, 2, &[(Class::BadTime, 2)])
            .with(berlin),
        rows("30th of February", "id,time\n1,2018-02-28\n2,2018-02-30\n3,2016-02-29\n4,2018-02-29\n5,2018-03-01\n", 3, 2, &[(Class::BadTime, 2)]),
    ]
}

fn shown(table: &Table, column: &str, row: usize) -> Option<String> {
    let column = table
        .columns()
        .iter()
        .find(|other| &*other.name == column)?;
    Some(match &column.data {
        ColumnData::Number(values) => match *values.get(row)? {
            number if number.is_nan() => "-".to_owned(),
            0.0 => "0".to_owned(),
            number if number.abs() > 1e15 => format!("{number:e}"),
            number => number.to_string(),
        },
        ColumnData::Text(values) => values.at(row).unwrap_or("-").to_owned(),
        ColumnData::Time(values) => values.get(row)?.map_or("-".to_owned(), |at| at.to_string()),
        ColumnData::Label(values) => match values.get(row)? {
            Label::Fraud => "fraud",
            Label::Legitimate => "legitimate",
            Label::Unknown => "unknown",
        }
        .to_owned(),
    })
}

/// The tables, which are the same as the chunks, and the report.
fn read(case: &Case) -> Result<(Vec<Table>, IngestReport), IngestError> {
    let source = FileSource::from_bytes(&case.file, &case.params)?;
    let tables: Vec<Table> = source.tables()?.collect::<Result<_, _>>()?;
    let report = source.report().unwrap();
    let chunks: Vec<Table> = source
        .chunks()
        .unwrap()
        .map(|chunk| chunk.unwrap().into_owned())
        .collect();
    // NaN differs from itself, its text does not.
    assert_eq!(
        format!("{chunks:?}"),
        format!("{tables:?}"),
        "{}",
        case.name
    );
    assert_eq!(source.report().as_ref(), Some(&report), "{}", case.name);
    Ok((tables, report))
}

#[test]
fn every_awkward_file_gives_its_counts_or_its_error() {
    let cases: Vec<Case> = shapes()
        .into_iter()
        .chain(values())
        .chain(times())
        .collect();
    assert!(cases.len() >= 45);
    let mut wrong = Vec::new();
    for case in &cases {
        let name = case.name;
        match (read(case), &case.expected) {
            (Err(error), Expected::Error(is_expected)) if is_expected(&error) => {}
            (Err(error), _) => wrong.push(format!("{name}: {error:?}")),
            (Ok((_, report)), Expected::Error(_)) => {
                wrong.push(format!("{name}: was read: {report:?}"));
            }
            (
                Ok((tables, report)),
                Expected::Rows {
                    kept,
                    quarantined,
                    found,
                    values,
                },
            ) => {
                let counts: Vec<(Class, u64)> = report
                    .classes
                    .iter()
                    .map(|(&class, found)| (class, found.count))
                    .collect();
                if (report.rows_kept, report.rows_quarantined, &counts)
                    != (*kept, *quarantined, found)
                {
                    wrong.push(format!("{name}: {report}"));
                }
                if report.rows_read != kept + quarantined {
                    wrong.push(format!("{name}: {} rows read", report.rows_read));
                }
                for &(column, row, value) in values {
                    let got = shown(&tables[0], column, row);
                    if got.as_deref() != Some(value) {
                        wrong.push(format!(
                            "{name}: {column} of row {row} is {got:?}, not {value:?}"
                        ));
                    }
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} cases:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

#[test]
fn every_conflict_is_reported_with_both_rows() {
    let file = "id,amount\nx,1\na,2\nb,3\nc,1\na,4\nb,3\na,5\n";
    let case = rows("conflicts", file, 0, 0, &[]);
    let (_, report) = read(&case).unwrap();
    let conflicts: Vec<(&str, u64, u64)> = report
        .conflicts
        .iter()
        .map(|conflict| (conflict.id.as_str(), conflict.first_row, conflict.row))
        .collect();
    assert_eq!(conflicts, [("a", 2, 5), ("a", 2, 7)]);
    assert_eq!(report.count(Class::DuplicateId), 1);
}

#[test]
fn no_part_of_a_card_number_is_left_where_the_record_is_cut() {
    for before in 980..=1_000 {
        let file = format!(
            "user_id,amount,note\n{},x,\"4111111111111111\"\nben,3,c\nbob,4,d\n",
            "u".repeat(before)
        );
        let case = rows("cut", file, 0, 0, &[])
            .with(|p| p.role("note", Role::Ignore).role("amount", Role::Amount));
        let (_, report) = read(&case).unwrap();
        let record = &report.quarantine[0].record;
        assert!(!record.contains('4'), "{before}: {record}");
    }
}

#[test]
fn a_long_run_of_digits_with_spaces_is_searched_in_linear_time() {
    // Quadratic time would be 2.5 * 10^11 steps.
    let file = format!(
        "id,amount,note\n1,x,{}1\n2,3,c\n3,4,d\n",
        "1 ".repeat(500_000)
    );
    let source =
        FileSource::from_bytes(file, &IngestParams::default().role("amount", Role::Amount))
            .unwrap()
            .with_quarantine(std::io::sink());
    source.tables().unwrap().for_each(|table| {
        table.unwrap();
    });
    assert_eq!(source.report().unwrap().rows_quarantined, 1);
}
