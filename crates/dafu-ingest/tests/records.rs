//! From the rows of files to the three kinds of records.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; equal bits are meant"
)]

use dafu_core::{Currency, Label, Role, Table, TransactionStatus, Value};
use dafu_ingest::{
    BadRecordClass, BehaviorEventReader, DailySummaryReader, FileSource, IngestError, IngestParams,
    Policy, RecordKind, TransactionReader,
};

fn table(file: &str, params: &IngestParams) -> (FileSource, Table) {
    let source = FileSource::from_bytes(file, params).unwrap();
    let table = source.tables().unwrap().next().unwrap().unwrap();
    (source, table)
}

fn text(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

const RICH: &str = "transaction_id,user_id,amount,merchant_id,timestamp,category,is_fraud,card,device_id,ip,user_agent,\
currency,country,email,lat,lon,merchant_lat,merchant_lon,status,tenant,installments,note\n\
1,anna,57.16,shop,2018-04-01T00:00:31Z,food,0,c1,d1,10.0.0.7,Mozilla/5.0,EUR,DE,anna@example.com,52.5,13.4,48.1,11.6,approved,t1,3,hello\n\
2,ben,1200,shop,2018-04-01T00:02:10Z,,1,,,not an address,,jpy,,,,,,,strange,,,\n";

#[test]
fn a_transaction_has_all_fields_that_the_file_has() {
    let params = IngestParams::default()
        .role("card", Role::Card)
        .role("ip", Role::Ip)
        .role("email", Role::Email)
        .role("is_fraud", Role::Label)
        .role("status", Role::Category)
        .role("tenant", Role::Category)
        .role("note", Role::Category)
        .role("country", Role::Country)
        .role("currency", Role::Currency);
    let (source, table) = table(RICH, &params);
    assert_eq!(source.plan().record_kind(), Some(RecordKind::Transaction));
    let reader = TransactionReader::new(&table).unwrap();
    let tx = reader.at(&table, 0).unwrap();
    assert_eq!(tx.transaction_id.as_str(), "1");
    assert_eq!(
        (tx.user_id.as_str(), tx.merchant_id.as_str()),
        ("anna", "shop")
    );
    assert_eq!(tx.amount.minor(), 5716);
    assert_eq!(tx.amount.currency().to_string(), "EUR");
    assert_eq!(tx.timestamp.to_string(), "2018-04-01T00:00:31Z");
    assert_eq!(tx.is_fraud, Label::Legitimate);
    for (got, expected) in [
        (text(tx.category), "food"),
        (text(tx.card), "c1"),
        (text(tx.device), "d1"),
        (text(tx.ip), "10.0.0.7"),
        (text(tx.user_agent), "Mozilla/5.0"),
        (text(tx.country), "DE"),
        (text(tx.email), "anna@example.com"),
        (text(tx.tenant), "t1"),
    ] {
        assert_eq!(got.as_deref(), Some(expected));
    }
    let home = tx.user_location.unwrap();
    assert_eq!((home.latitude(), home.longitude()), (52.5, 13.4));
    let shop = tx.merchant_location.unwrap();
    assert_eq!((shop.latitude(), shop.longitude()), (48.1, 11.6));
    assert_eq!(tx.status, Some(TransactionStatus::Approved));
    assert_eq!(tx.extras.get("installments"), Some(&Value::Number(3.0)));
    assert!(matches!(tx.extras.get("note"), Some(Value::Text(text)) if text.as_str() == "hello"));
}

#[test]
fn what_a_row_leaves_out_is_missing_and_unknown_texts_become_extras() {
    let params = IngestParams::default()
        .role("ip", Role::Category)
        .role("status", Role::Category)
        .role("is_fraud", Role::Label)
        .role("currency", Role::Currency);
    let (_, table) = table(RICH, &params);
    let tx = TransactionReader::new(&table)
        .unwrap()
        .at(&table, 1)
        .unwrap();
    // Yen have no decimals.
    assert_eq!((tx.amount.minor(), tx.is_fraud), (1200, Label::Fraud));
    assert_eq!(tx.amount.currency().to_string(), "JPY");
    assert!(tx.category.is_none() && tx.device.is_none() && tx.user_location.is_none());
    assert!(tx.ip.is_none() && tx.status.is_none());
    assert!(
        matches!(tx.extras.get("status"), Some(Value::Text(text)) if text.as_str() == "strange")
    );
    assert!(matches!(tx.extras.get("ip"), Some(Value::Text(_))));
    assert!(!tx.extras.contains_key("installments"));
}

#[test]
fn a_currency_can_be_given_for_the_whole_file() {
    let file =
        "transaction_id,user_id,amount,merchant_id,timestamp\n1,a,5.25,m,2018-04-01T00:00:00Z\n";
    let (_, table) = table(file, &IngestParams::default());
    let reader = TransactionReader::new(&table).unwrap();
    let reader = reader.with_currency(Currency::new("USD").unwrap());
    let amount = reader.at(&table, 0).unwrap().amount;
    assert_eq!(
        (amount.minor(), amount.currency().to_string()),
        (525, "USD".to_owned())
    );
}

#[test]
fn a_missing_column_or_value_is_named() {
    let (_, no_merchant) = table(
        "transaction_id,user_id,amount,timestamp\n1,a,5,2018-04-01T00:00:00Z\n",
        &IngestParams::default(),
    );
    let error = TransactionReader::new(&no_merchant).unwrap_err();
    assert!(
        matches!(
            error,
            IngestError::MissingRole {
                role: Role::Merchant,
                ..
            }
        ),
        "{error}"
    );

    let params = IngestParams::default().policy(BadRecordClass::MissingRequired, Policy::Coerce);
    let file = "transaction_id,user_id,amount,merchant_id,timestamp\n1,a,5,m,2018-04-01T00:00:00Z\n2,,5,m,2018-04-01T00:00:01Z\n";
    let (_, table) = table(file, &params);
    let reader = TransactionReader::new(&table).unwrap();
    assert!(reader.at(&table, 0).is_ok());
    let error = reader.at(&table, 1).unwrap_err().to_string();
    assert!(error.contains("row 2") && error.contains("user"), "{error}");
}

#[test]
fn behaviour_events_are_read_by_their_header() {
    let file = "user_id,timestamp,action_type,device_id,location,amount,screen\n\
                u1,2018-04-01T00:00:31Z,login,d1,Berlin,,home\n\
                u2,2018-04-01T00:01:31Z,transfer,,,12.5,pay\n";
    let (source, table) = table(file, &IngestParams::default());
    assert_eq!(source.plan().record_kind(), Some(RecordKind::BehaviorEvent));
    let reader = BehaviorEventReader::new(&table).unwrap();
    let reader = reader.with_currency(Currency::new("EUR").unwrap());
    let login = reader.at(&table, 0).unwrap();
    assert_eq!(
        (login.user_id.as_str(), login.action_type.as_str()),
        ("u1", "login")
    );
    assert_eq!(login.timestamp.to_string(), "2018-04-01T00:00:31Z");
    assert_eq!(text(login.device_id).as_deref(), Some("d1"));
    assert_eq!(text(login.location).as_deref(), Some("Berlin"));
    assert!(login.amount.is_none());
    assert!(
        matches!(login.extras.get("screen"), Some(Value::Text(text)) if text.as_str() == "home")
    );
    let transfer = reader.at(&table, 1).unwrap();
    assert_eq!(transfer.amount.unwrap().minor(), 1250);
    assert!(transfer.device_id.is_none() && transfer.location.is_none());

    let (_, other) = self::table("user_id,amount\nu1,3\n", &IngestParams::default());
    let error = BehaviorEventReader::new(&other).unwrap_err().to_string();
    assert!(error.contains("timestamp"), "{error}");
}

#[test]
fn daily_summaries_are_read_by_their_header() {
    let file = "timestamp,user_id,transaction_count,daily_amount,risk_score\n\
                2018-04-01,u1,3,120.50,0.25\n2018-04-02,u1,0,0,\n2018-04-03,u1,2.5,10,0.1\n2018-04-04,u1,2,10,1.5\n";
    let (source, table) = table(file, &IngestParams::default());
    assert_eq!(source.plan().record_kind(), Some(RecordKind::DailySummary));
    let reader = DailySummaryReader::new(&table).unwrap();
    let reader = reader.with_currency(Currency::new("EUR").unwrap());
    let day = reader.at(&table, 0).unwrap();
    assert_eq!((day.user_id.as_str(), day.transaction_count), ("u1", 3));
    assert_eq!(
        (day.daily_amount.minor(), day.risk_score.unwrap().get()),
        (12_050, 0.25)
    );
    assert_eq!(day.timestamp.to_string(), "2018-04-01T00:00:00Z");
    assert!(reader.at(&table, 1).unwrap().risk_score.is_none());
    let half = reader.at(&table, 2).unwrap_err().to_string();
    assert!(
        half.contains("row 3") && half.contains("transaction_count"),
        "{half}"
    );
    let high = reader.at(&table, 3).unwrap_err().to_string();
    assert!(
        high.contains("row 4") && high.contains("risk_score"),
        "{high}"
    );
}
