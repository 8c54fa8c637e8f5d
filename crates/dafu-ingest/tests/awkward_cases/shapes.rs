//! Lines, quotes, delimiters, encodings and sizes.

use super::{Case, PLAIN, error, gzip, is_bad, rows, utf_16};
use dafu_core::Role;
use dafu_ingest::{BadRecordClass as Class, IngestError, Limits, Policy};

#[expect(clippy::too_many_lines, reason = "a table of cases")]
pub fn shapes() -> Vec<Case> {
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
