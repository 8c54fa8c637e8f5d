//! Label values.

use crate::params::IngestParams;
use dafu_core::Label;

/// Which texts mean fraud.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum LabelValues {
    /// 1, true, yes, fraud, ... against 0, false, no, legit, ...; -1 is legitimate.
    #[default]
    Usual,
    /// As `Usual`, but -1 is fraud and 1 legitimate.
    MinusOneIsFraud,
    /// These texts mean fraud, all others legitimate.
    Named(Vec<String>),
}

const FRAUD: [&str; 12] = [
    "1",
    "true",
    "t",
    "yes",
    "y",
    "fraud",
    "fraudulent",
    "bad",
    "anomaly",
    "outlier",
    "positive",
    "chargeback",
];
const LEGITIMATE: [&str; 15] = [
    "0",
    "false",
    "f",
    "no",
    "n",
    "legit",
    "legitimate",
    "genuine",
    "good",
    "normal",
    "inlier",
    "negative",
    "-1",
    "non-fraud",
    "not fraud",
];

impl LabelValues {
    /// The label of a trimmed text that is not missing; `None` when it is neither.
    pub(crate) fn parse(&self, text: &str) -> Option<Label> {
        match self {
            Self::Named(values) => Some(Label::from(values.iter().any(|value| value == text))),
            Self::Usual => usual(text),
            Self::MinusOneIsFraud => match usual(text)? {
                _ if text.starts_with('-') => Some(Label::Fraud),
                Label::Fraud if text.starts_with('1') => Some(Label::Legitimate),
                label => Some(label),
            },
        }
    }

    /// Whether a text is one of the usual words or numbers for a label.
    pub(crate) fn is_usual(text: &str) -> bool {
        usual(text).is_some()
    }

    /// Whether a text is a word that can only be a label.
    pub(crate) fn is_fraud_word(text: &str) -> bool {
        const WORDS: [&str; 8] = [
            "fraud",
            "fraudulent",
            "legit",
            "legitimate",
            "genuine",
            "anomaly",
            "non-fraud",
            "not fraud",
        ];
        WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
    }

    pub(crate) fn of(params: &IngestParams, minus_one_is_fraud: bool) -> Self {
        if !params.fraud_values.is_empty() {
            Self::Named(params.fraud_values.clone())
        } else if minus_one_is_fraud {
            Self::MinusOneIsFraud
        } else {
            Self::Usual
        }
    }
}

fn usual(text: &str) -> Option<Label> {
    match text {
        "0" => return Some(Label::Legitimate),
        "1" => return Some(Label::Fraud),
        _ => {}
    }
    // 1.0 and 0.0 as written by programs that hold labels as floating-point numbers.
    let text = text
        .split_once('.')
        .filter(|(_, zeros)| !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0'))
        .map_or(text, |(whole, _)| whole);
    let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(&FRAUD) {
        Some(Label::Fraud)
    } else if is(&LEGITIMATE) {
        Some(Label::Legitimate)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::LabelValues;
    use dafu_core::Label;

    #[test]
    fn reads_the_usual_values() {
        for (text, expected) in [
            ("1", Some(Label::Fraud)),
            ("1.0", Some(Label::Fraud)),
            ("TRUE", Some(Label::Fraud)),
            ("Fraud", Some(Label::Fraud)),
            ("0", Some(Label::Legitimate)),
            ("0.000", Some(Label::Legitimate)),
            ("-1", Some(Label::Legitimate)),
            ("no", Some(Label::Legitimate)),
            ("2", None),
            ("0.5", None),
            ("1.", None),
            ("maybe", None),
        ] {
            assert_eq!(LabelValues::Usual.parse(text), expected, "{text}");
        }
        assert_eq!(LabelValues::MinusOneIsFraud.parse("-1"), Some(Label::Fraud));
        assert_eq!(
            LabelValues::MinusOneIsFraud.parse("1"),
            Some(Label::Legitimate)
        );
    }
}
