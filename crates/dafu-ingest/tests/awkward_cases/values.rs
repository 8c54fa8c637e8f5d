//! Numbers, amounts, ids and labels.

use super::{Case, error, is_bad, rows};
use dafu_ingest::{BadRecordClass as Class, IngestError, Policy, TokenKey};

#[expect(clippy::too_many_lines, reason = "a table of cases")]
pub fn values() -> Vec<Case> {
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
