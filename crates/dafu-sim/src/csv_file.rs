//! Transactions as CSV.

use crate::SimulatorError;
use dafu_core::{EntityId, GeoPoint, Transaction, TransactionStatus};
use std::io::Write;

/// Which columns a file gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CsvColumns {
    /// `transaction_id,user_id,amount,merchant_id,timestamp,category,is_fraud`.
    #[default]
    Required,
    /// These, then `card,device,ip,user_agent,country,email,currency,user_latitude,user_longitude,
    /// merchant_latitude,merchant_longitude,status`.
    All,
}

const REQUIRED: [&str; 7] = [
    "transaction_id",
    "user_id",
    "amount",
    "merchant_id",
    "timestamp",
    "category",
    "is_fraud",
];
const FURTHER: [&str; 12] = [
    "card",
    "device",
    "ip",
    "user_agent",
    "country",
    "email",
    "currency",
    "user_latitude",
    "user_longitude",
    "merchant_latitude",
    "merchant_longitude",
    "status",
];

/// Writes transactions as CSV with a header (RFC 4180 quoting, lines end with `\n`); returns how many.
///
/// Amounts are in major units, times RFC 3339 in UTC, labels `1` and `0`; what is missing is empty. Extras and
/// tenants are left out. Nothing is held back: memory does not grow with the file.
///
/// ```
/// use dafu_sim::{CsvColumns, SimulatorParams, write_csv};
/// # fn main() -> Result<(), dafu_sim::SimulatorError> {
/// let mut file = Vec::new();
/// let few = SimulatorParams::default().simulator()?.take(3);
/// assert_eq!(write_csv(few, &mut file, CsvColumns::Required)?, 3);
/// assert!(file.starts_with(b"transaction_id,user_id,amount,merchant_id,timestamp,category,is_fraud\nt-"));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`SimulatorError::Csv`] when the output refuses a write.
pub fn write_csv(
    transactions: impl IntoIterator<Item = Transaction>,
    output: impl Write,
    columns: CsvColumns,
) -> Result<u64, SimulatorError> {
    let mut writer = csv::Writer::from_writer(output);
    let mut row = 0;
    let error = |row| move |source| SimulatorError::Csv { row, source };
    let further: &[&str] = if columns == CsvColumns::All {
        &FURTHER
    } else {
        &[]
    };
    writer
        .write_record(REQUIRED.iter().chain(further))
        .map_err(error(row))?;
    for transaction in transactions {
        row += 1;
        write_required(&mut writer, &transaction).map_err(error(row))?;
        if columns == CsvColumns::All {
            write_further(&mut writer, &transaction).map_err(error(row))?;
        }
        writer.write_record(None::<&[u8]>).map_err(error(row))?;
    }
    writer.flush().map_err(|source| SimulatorError::Csv {
        row,
        source: source.into(),
    })?;
    Ok(row)
}

fn text(id: Option<&EntityId>) -> &str {
    id.map_or("", EntityId::as_str)
}

fn write_required<W: Write>(writer: &mut csv::Writer<W>, tx: &Transaction) -> csv::Result<()> {
    let amount = tx.amount;
    let unit = amount.currency().minor_per_major();
    let decimals = amount.currency().decimals() as usize;
    let (whole, part) = (amount.minor().unsigned_abs(), unit.unsigned_abs());
    let sign = if amount.minor() < 0 { "-" } else { "" };
    writer.write_field(tx.transaction_id.as_str())?;
    writer.write_field(tx.user_id.as_str())?;
    if decimals == 0 {
        writer.write_field(format!("{sign}{whole}"))?;
    } else {
        writer.write_field(format!(
            "{sign}{}.{:0decimals$}",
            whole / part,
            whole % part
        ))?;
    }
    writer.write_field(tx.merchant_id.as_str())?;
    writer.write_field(tx.timestamp.to_string())?;
    writer.write_field(text(tx.category.as_ref()))?;
    writer.write_field(match tx.is_fraud.known() {
        Some(true) => "1",
        Some(false) => "0",
        None => "",
    })
}

fn write_further<W: Write>(writer: &mut csv::Writer<W>, tx: &Transaction) -> csv::Result<()> {
    writer.write_field(text(tx.card.as_ref()))?;
    writer.write_field(text(tx.device.as_ref()))?;
    writer.write_field(tx.ip.map_or_else(String::new, |ip| ip.to_string()))?;
    writer.write_field(tx.user_agent.as_deref().unwrap_or(""))?;
    writer.write_field(text(tx.country.as_ref()))?;
    writer.write_field(text(tx.email.as_ref()))?;
    writer.write_field(tx.amount.currency().code())?;
    for place in [tx.user_location, tx.merchant_location] {
        for degrees in [
            place.map(GeoPoint::latitude),
            place.map(GeoPoint::longitude),
        ] {
            writer.write_field(degrees.map_or_else(String::new, |degrees| degrees.to_string()))?;
        }
    }
    writer.write_field(match tx.status {
        Some(TransactionStatus::Approved) => "approved",
        Some(TransactionStatus::Declined) => "declined",
        Some(TransactionStatus::Reversed) => "reversed",
        Some(TransactionStatus::ChargedBack) => "charged_back",
        _ => "",
    })
}
