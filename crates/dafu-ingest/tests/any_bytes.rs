//! Whatever the bytes: no panic, every row is accounted for, and the length of chunks does not change the content.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use dafu_core::{Column, ColumnData, Table};
use dafu_ingest::{
    BadRecordClass, FileSource, IngestParams, IngestReport, Limits, Policies, Policy, TokenKey,
};
use proptest::prelude::*;

const GOOD: &str = "transaction_id,user_id,amount,merchant_id,timestamp,lat,is_fraud\n\
    t1,anna,57.16,shop,2018-04-01T00:00:31Z,52.5,0\n\
    t2,ben,\"1,234.50\",\"a \"\"b\"\" c\",2018-04-01T00:02:10Z,-33.9,1\n\
    t3,carl,-5,cafe\u{301},2018-04-01 02:02:10+02:00,,\n\
    t1,anna,57.16,shop,2018-04-01T00:00:31Z,52.5,0\n\
    t2,ben,8,shop,2018-04-01T00:02:11Z,91,x\n\
    t4,dora,NaN,4111111111111111,13/04/2018,inf,true\n";

/// Pieces that files break with.
const PIECES: [&[u8]; 22] = [
    b"\"",
    b",",
    b";",
    b"\n",
    b"\r",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\x1f\x8b",
    b"1e309",
    b"-0",
    b"NaN",
    b"4111111111111111",
    b"9999-12-31T23:59:59Z",
    b"0001-01-01",
    b"10000-01-01",
    b"99999999999999999999",
    b"\t",
    b"|",
    b"\xe2\x82",
];

/// Rows as text, and the report. `None` when reading ended with an error.
fn read(bytes: &[u8], params: &IngestParams) -> Option<(Vec<String>, IngestReport)> {
    let source = FileSource::from_bytes(bytes, params).ok()?;
    let mut rows = Vec::new();
    for table in source.tables().unwrap() {
        let table = table.ok()?;
        for row in 0..table.rows() {
            rows.push(row_of(&table, row));
        }
    }
    let report = source.report().unwrap();
    Some((rows, report))
}

fn row_of(table: &Table, row: usize) -> String {
    let values: Vec<String> = table
        .columns()
        .iter()
        .map(|column| value(column, row))
        .collect();
    format!("{} {values:?}", table.row_numbers()[row])
}

fn value(column: &Column, row: usize) -> String {
    match &column.data {
        ColumnData::Number(values) => format!("{:?}", values[row]),
        ColumnData::Text(values) => format!("{:?}", values.at(row)),
        ColumnData::Time(values) => format!("{:?}", values[row]),
        ColumnData::Label(values) => format!("{:?}", values[row]),
    }
}

fn params(policy: Policy) -> IngestParams {
    let card = if policy == Policy::Coerce {
        Policy::Coerce
    } else {
        Policy::Quarantine
    };
    IngestParams::default()
        .policies(Policies::all(policy).with(BadRecordClass::CardNumber, card))
        .token_key(TokenKey::new(*b"0123456789abcdef").unwrap())
}

/// The invariants for one file.
fn check(bytes: &[u8], params: &IngestParams) -> Result<(), TestCaseError> {
    let whole = read(bytes, params);
    if let Some((rows, report)) = &whole {
        prop_assert_eq!(report.rows_read, report.rows_kept + report.rows_quarantined);
        prop_assert_eq!(report.rows_kept, rows.len() as u64);
        let left_out: u64 = report.classes.values().map(|class| class.quarantined).sum();
        prop_assert_eq!(report.rows_quarantined, left_out);
        for class in report.classes.values() {
            prop_assert_eq!(class.count, class.quarantined + class.coerced);
        }
        let shown = format!("{report:?}{report}");
        // Digits right before it make it a part of a longer number.
        let stands_alone = |(at, _): (usize, &str)| {
            !shown.as_bytes()[..at]
                .last()
                .is_some_and(u8::is_ascii_digit)
        };
        let card = shown.match_indices("4111111111111111").any(stands_alone);
        prop_assert!(!card, "{}", shown);
    }
    for chunk_rows in [1, 7] {
        prop_assert_eq!(&read(bytes, &params.clone().chunk_rows(chunk_rows)), &whole);
    }
    Ok(())
}

fn any_policy() -> impl Strategy<Value = Policy> {
    prop_oneof![
        Just(Policy::Coerce),
        Just(Policy::Quarantine),
        Just(Policy::Reject)
    ]
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let change = (
        any::<prop::sample::Index>(),
        0..4_u8,
        0..PIECES.len(),
        any::<u8>(),
    );
    (1..4_usize, prop::collection::vec(change, 0..8)).prop_map(|(times, changes)| {
        let (header, body) = GOOD.split_once('\n').unwrap();
        let mut bytes = [header, "\n", &body.repeat(times)].concat().into_bytes();
        for (at, kind, piece, byte) in changes {
            let at = at.index(bytes.len() + 1);
            match kind {
                0 => {
                    bytes.splice(at..at, PIECES[piece].iter().copied());
                }
                1 => bytes.truncate(at.max(40)),
                2 if at < bytes.len() => bytes[at] = byte,
                _ => {
                    let end = (at + usize::from(byte % 16)).min(bytes.len());
                    bytes.drain(at..end);
                }
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), policy in any_policy()) {
        check(&bytes, &params(policy))?;
    }

    #[test]
    fn arbitrary_cells_are_accounted_for(text in "(id|amount|time|is_fraud|user_id|[a-z]{0,3}|[,;|\t]){1,9}\n([0-9a-z.,;:/+ \"\r\n\t|-]{0,12}|\\PC{0,4}|\n|,){0,40}", policy in any_policy()) {
        check(text.as_bytes(), &params(policy))?;
    }

    #[test]
    fn mutated_files_are_accounted_for(bytes in mutated(), policy in any_policy()) {
        check(&bytes, &params(policy))?;
    }

    #[test]
    fn mutated_files_within_small_limits_are_accounted_for(
        bytes in mutated(), policy in any_policy(), max_field in 1..40_usize, more in 0..80_usize, max_columns in 1..12_usize,
    ) {
        let limits = Limits { max_field, max_row: max_field + more, max_columns, max_ids: 3, max_quarantine_sample: 2, ..Limits::default() };
        check(&bytes, &params(policy).limits(limits))?;
    }

    #[test]
    fn rows_of_a_file_without_header_are_accounted_for(bytes in mutated(), policy in any_policy()) {
        check(&bytes, &params(policy).header(false))?;
    }
}
