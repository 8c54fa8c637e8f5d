//! What column names say.

use dafu_core::Role;

/// Names by role, without case, spaces and signs between; the surest first.
const NAMES: &[(Role, &[&str])] = &[
    (
        Role::TransactionId,
        &[
            "transactionid",
            "txid",
            "txnid",
            "transid",
            "transnum",
            "trxid",
            "tranid",
            "paymentid",
            "orderid",
            "eventid",
            "transactionnumber",
            "transactionref",
            "reference",
            "id",
        ],
    ),
    (
        Role::User,
        &[
            "userid",
            "customerid",
            "clientid",
            "accountid",
            "custid",
            "cardholderid",
            "memberid",
            "payerid",
            "senderid",
            "uid",
            "nameorig",
            "sourcenodeid",
            "customer",
            "user",
            "account",
            "client",
            "sender",
            "payer",
            "nodeid",
            "source",
            "from",
        ],
    ),
    (
        Role::Merchant,
        &[
            "merchantid",
            "terminalid",
            "storeid",
            "shopid",
            "payeeid",
            "sellerid",
            "vendorid",
            "receiverid",
            "recipientid",
            "beneficiaryid",
            "namedest",
            "targetnodeid",
            "merchant",
            "merchantname",
            "terminal",
            "store",
            "shop",
            "payee",
            "seller",
            "vendor",
            "receiver",
            "recipient",
            "beneficiary",
            "target",
            "to",
        ],
    ),
    (
        Role::Card,
        &[
            "cardid",
            "cardtoken",
            "ccnum",
            "cardnumber",
            "creditcardnumber",
            "cardno",
            "pan",
            "card",
        ],
    ),
    (
        Role::Amount,
        &[
            "amount",
            "amt",
            "transactionamount",
            "transactionamt",
            "txamount",
            "txnamount",
            "paymentamount",
            "purchaseamount",
            "purchasevalue",
            "dailyamount",
            "amountusd",
            "amounteur",
            "value",
            "price",
            "total",
        ],
    ),
    (Role::Currency, &["currency", "currencycode", "ccy"]),
    (
        Role::Time,
        &[
            "timestamp",
            "transdatetranstime",
            "txdatetime",
            "transactiontime",
            "transactiondatetime",
            "eventtime",
            "datetime",
            "transactiondate",
            "txdate",
            "createdat",
            "occurredat",
            "purchasetime",
            "time",
            "date",
            "ts",
            "unixtime",
            "epoch",
            "transactiondt",
        ],
    ),
    (
        Role::Label,
        &[
            "isfraud",
            "fraud",
            "isfraudulent",
            "fraudulent",
            "txfraud",
            "fraudlabel",
            "fraudbool",
            "fraudflag",
            "isfraudtransaction",
            "fraudind",
            "label",
            "class",
            "isanomaly",
            "anomaly",
            "isoutlier",
            "outlier",
            "target",
            "y",
        ],
    ),
    (
        Role::UserLatitude,
        &[
            "homelat",
            "userlat",
            "userlatitude",
            "homelatitude",
            "customerlat",
            "customerlatitude",
            "custlat",
            "lat",
            "latitude",
        ],
    ),
    (
        Role::UserLongitude,
        &[
            "homelon",
            "homelong",
            "homelng",
            "userlon",
            "userlong",
            "userlng",
            "userlongitude",
            "homelongitude",
            "customerlon",
            "customerlong",
            "customerlng",
            "customerlongitude",
            "custlon",
            "custlong",
            "lon",
            "long",
            "lng",
            "longitude",
        ],
    ),
    (
        Role::MerchantLatitude,
        &[
            "merchantlat",
            "merchantlatitude",
            "merchlat",
            "merchlatitude",
            "storelat",
            "terminallat",
            "txlat",
            "transactionlat",
        ],
    ),
    (
        Role::MerchantLongitude,
        &[
            "merchantlon",
            "merchantlong",
            "merchantlng",
            "merchantlongitude",
            "merchlon",
            "merchlong",
            "merchlng",
            "merchlongitude",
            "storelon",
            "storelong",
            "storelng",
            "terminallon",
            "terminallong",
            "txlon",
            "txlong",
            "transactionlon",
            "transactionlong",
        ],
    ),
    (
        Role::Ip,
        &[
            "ip",
            "ipaddress",
            "ipaddr",
            "clientip",
            "remoteip",
            "sourceip",
            "userip",
        ],
    ),
    (
        Role::Device,
        &[
            "deviceid",
            "device",
            "devicefingerprint",
            "fingerprint",
            "deviceuuid",
        ],
    ),
    (
        Role::UserAgent,
        &["useragent", "ua", "httpuseragent", "browseragent"],
    ),
    (
        Role::Country,
        &[
            "country",
            "countrycode",
            "merchantcountry",
            "transactioncountry",
            "ipcountry",
            "cardcountry",
            "billingcountry",
        ],
    ),
    (
        Role::Email,
        &[
            "email",
            "emailaddress",
            "useremail",
            "customeremail",
            "purchaseremail",
        ],
    ),
    (
        Role::Category,
        &[
            "category",
            "merchantcategory",
            "merchantcategorycode",
            "mcc",
            "type",
            "transactiontype",
            "paymenttype",
            "paymentmethod",
            "productcd",
            "actiontype",
            "location",
            "channel",
            "status",
            "tenant",
            "gender",
            "sex",
            "state",
            "zip",
            "zipcode",
            "postcode",
            "postalcode",
        ],
    ),
    (Role::Numeric, &["transactioncount", "riskscore"]),
];

/// Names without case, spaces and signs.
pub(crate) fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Roles that a name stands for, each with its place among the names of the role: 0 is the surest.
pub(crate) fn roles_of(name: &str) -> Vec<(Role, usize)> {
    let plain = plain(name);
    NAMES
        .iter()
        .filter_map(|(role, names)| {
            let rank = names.iter().position(|known| *known == plain)?;
            Some((*role, rank))
        })
        .collect()
}

/// Words of a name: `isFlaggedFraud` and `is_flagged_fraud` have three.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut last_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && last_lower) {
            words.push(String::new());
        }
        last_lower = c.is_lowercase() || c.is_numeric();
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

const TELLING: [&str; 12] = [
    "fraud",
    "fraudulent",
    "frauds",
    "label",
    "labels",
    "chargeback",
    "chargebacks",
    "scenario",
    "target",
    "flagged",
    "dispute",
    "disputed",
];

/// The word of a name that says that the column tells the label, or comes from it.
pub(crate) fn telling_word(name: &str) -> Option<String> {
    words(name)
        .into_iter()
        .find(|word| TELLING.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::{roles_of, telling_word};
    use dafu_core::Role;

    #[test]
    fn knows_names_in_any_spelling() {
        for (name, role) in [
            ("transaction_id", Role::TransactionId),
            ("TransactionID", Role::TransactionId),
            ("trans_date_trans_time", Role::Time),
            ("cc_num", Role::Card),
            ("amt", Role::Amount),
            ("isFraud", Role::Label),
            ("Class", Role::Label),
            ("merch_lat", Role::MerchantLatitude),
            ("long", Role::UserLongitude),
            ("User-Agent", Role::UserAgent),
            ("nameOrig", Role::User),
        ] {
            assert!(
                roles_of(name).iter().any(|&(found, _)| found == role),
                "{name}"
            );
        }
        assert!(roles_of("f0").is_empty());
    }

    #[test]
    fn finds_words_that_tell_the_label() {
        for (name, expected) in [
            ("fraud_scenario", Some("fraud")),
            ("isFlaggedFraud", Some("flagged")),
            ("fraudStep", Some("fraud")),
            ("chargeback_date", Some("chargeback")),
            ("merchant", None),
            ("defrauder", None),
            ("transaction_count", None),
        ] {
            assert_eq!(telling_word(name).as_deref(), expected, "{name}");
        }
    }
}
