//! Finding out what columns mean, from their names and from a sample of their values.

use crate::IngestError;
use crate::NumberStyle;
use crate::column_stats::ColumnStats;
use crate::convert::is_missing;
use crate::label::LabelValues;
use crate::leak::{LeakProbe, Seen};
use crate::number::{parse as parse_number, without_currency_sign};
use crate::params::{IngestParams, Suspects};
use crate::plan::{ColumnPlan, GIVEN, RolePlan};
use crate::role_name::{roles_of, telling_word};
use crate::sample::Sample;
use dafu_core::table::Storage;
use dafu_core::{Label, Role};
use std::collections::BTreeSet;

/// A role that fits a column, how sure that is, and why.
#[derive(Debug, Clone)]
struct Choice {
    role: Role,
    confidence: f64,
    reason: String,
}

impl Choice {
    fn new(role: Role, confidence: f64, reason: impl Into<String>) -> Self {
        Self {
            role,
            confidence,
            reason: reason.into(),
        }
    }
}

/// Finds the role of every column.
///
/// # Errors
///
/// [`IngestError::UnknownColumn`] when the parameters name a column that is not there.
pub(crate) fn detect(
    header: &[String],
    sample: &Sample,
    params: &IngestParams,
    mut assumptions: Vec<String>,
) -> Result<RolePlan, IngestError> {
    let stats: Vec<ColumnStats> = (0..header.len())
        .map(|column| ColumnStats::of(sample, column, params))
        .collect();
    let chosen = choose(header, &stats, params);
    let label = chosen.iter().position(|choice| choice.role == Role::Label);
    let mut columns: Vec<ColumnPlan> = Vec::with_capacity(header.len());
    for ((name, stats), choice) in header.iter().zip(&stats).zip(chosen) {
        let mut labels = LabelValues::of(params, false);
        if choice.role == Role::Label && params.fraud_values.is_empty() {
            labels = minus_one(name, stats, &mut assumptions);
        }
        if choice.role == Role::Time
            && let Some(assumption) = &stats.time_assumption
        {
            assumptions.push(format!("`{name}`: {assumption}"));
        }
        if choice.role.storage() == Storage::Number && stats.number_style != NumberStyle::Point {
            assumptions.push(format!(
                "`{name}`: numbers are written as {}",
                stats.number_style
            ));
        }
        columns.push(ColumnPlan {
            name: name.clone(),
            role: choice.role,
            confidence: choice.confidence,
            reason: choice.reason,
            leak: None,
            numbers: stats.number_style,
            times: stats.time_format,
            labels,
        });
    }
    if let Some(label) = label {
        find_leaks(&mut columns, label, sample, params);
    }
    let mut plan = RolePlan {
        columns,
        delimiter: b',',
        sample_rows: sample.rows() as u64,
        assumptions,
    };
    for (name, &role) in &params.roles {
        plan = plan.with_role(name, role)?;
    }
    Ok(plan)
}

/// Of labels -1 and 1, the rarer one is fraud.
fn minus_one(name: &str, stats: &ColumnStats, assumptions: &mut Vec<String>) -> LabelValues {
    let Some(few) = &stats.few else {
        return LabelValues::Usual;
    };
    let count = |text: &str| few.get(text).copied().unwrap_or(0);
    let (minus, plus) = (count("-1"), count("1"));
    if minus == 0 || plus == 0 {
        return LabelValues::Usual;
    }
    let (fraud, labels) = if minus < plus {
        ("-1", LabelValues::MinusOneIsFraud)
    } else {
        ("1", LabelValues::Usual)
    };
    assumptions.push(format!(
        "`{name}` has the values -1 and 1: {fraud} is taken for fraud, since it is the rarer one"
    ));
    labels
}

/// One role a column: the names first, then the values of those columns whose names say nothing.
fn choose(header: &[String], stats: &[ColumnStats], params: &IngestParams) -> Vec<Choice> {
    let mut chosen: Vec<Option<Choice>> = vec![None; header.len()];
    // Columns that a person has given a role take part in nothing else.
    let given: Vec<Option<Role>> = header
        .iter()
        .map(|name| params.roles.get(name).copied())
        .collect();
    for (slot, role) in chosen.iter_mut().zip(&given) {
        *slot = role.map(|role| Choice::new(role, 1.0, GIVEN));
    }
    let mut names: Vec<(usize, usize, Role)> = Vec::new();
    for (column, name) in header.iter().enumerate() {
        for (role, rank) in roles_of(name) {
            if given[column].is_none() {
                names.push((rank, column, role));
            }
        }
    }
    // The surest name of a role wins; of two equal ones the first column.
    names.sort_unstable();
    let mut taken: BTreeSet<Role> = chosen.iter().flatten().map(|choice| choice.role).collect();
    for (rank, column, role) in names {
        if chosen[column].is_some() || (role.is_unique() && taken.contains(&role)) {
            continue;
        }
        if let Some(choice) = by_name(&header[column], role, rank, &stats[column], params) {
            taken.insert(choice.role);
            chosen[column] = Some(choice);
        }
    }
    lone_coordinates(header, &mut chosen, &given);
    taken.extend(chosen.iter().flatten().map(|choice| choice.role));
    for column in 0..header.len() {
        if chosen[column].is_none() {
            let is_last = column + 1 == header.len();
            let name = &header[column];
            let suspect = telling_word(name).filter(|_| params.suspects == Suspects::LeaveOut);
            let choice = match suspect {
                Some(word) => Choice::new(Role::Ignore, 0.9, telling_reason(&word)),
                None => by_value(&stats[column], &taken, is_last),
            };
            taken.insert(choice.role);
            chosen[column] = Some(choice);
        }
    }
    chosen
        .into_iter()
        .map(|choice| choice.unwrap_or_else(|| Choice::new(Role::Ignore, 0.0, "nothing is known")))
        .collect()
}

/// `lat` beside `merch_lat` is where the user is; alone it is where the payment was made.
fn lone_coordinates(header: &[String], chosen: &mut [Option<Choice>], given: &[Option<Role>]) {
    let pairs = [
        (
            Role::UserLatitude,
            Role::MerchantLatitude,
            ["lat", "latitude"].as_slice(),
        ),
        (
            Role::UserLongitude,
            Role::MerchantLongitude,
            ["lon", "long", "lng", "longitude"].as_slice(),
        ),
    ];
    for (user, merchant, names) in pairs {
        if chosen
            .iter()
            .flatten()
            .any(|choice| choice.role == merchant)
        {
            continue;
        }
        for (column, name) in header.iter().enumerate() {
            let plain = crate::role_name::plain(name);
            if let Some(choice) = &mut chosen[column]
                && given[column].is_none()
                && choice.role == user
                && names.contains(&plain.as_str())
            {
                choice.role = merchant;
                choice
                    .reason
                    .push_str("; alone, it is taken for the place of the payment");
            }
        }
    }
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if share < 1.0 && percent >= 99.95 {
        "more than 99.9 %".to_owned()
    } else if (percent - percent.round()).abs() < 0.05 {
        format!("{percent:.0} %")
    } else {
        format!("{percent:.1} %")
    }
}

/// The role that a name says, if the values allow it.
fn by_name(
    name: &str,
    role: Role,
    rank: usize,
    stats: &ColumnStats,
    params: &IngestParams,
) -> Option<Choice> {
    let named = format!("its name is `{name}`");
    if stats.present == 0 {
        let why = if stats.rows == 0 {
            "there are no rows to look at"
        } else {
            "the sample has no value in it"
        };
        return (stats.rows == 0).then(|| Choice::new(role, 0.5, format!("{named}; {why}")));
    }
    let mut confidence = 0.99 - 0.01 * (rank.min(20) as f64);
    let (count, what) = match role {
        Role::Amount
        | Role::UserLatitude
        | Role::UserLongitude
        | Role::MerchantLatitude
        | Role::MerchantLongitude
        | Role::Numeric => (stats.numbers, "numbers".to_owned()),
        Role::Time => (stats.times, format!("times ({})", stats.time_format)),
        Role::Label if !params.fraud_values.is_empty() => (stats.present, "labels".to_owned()),
        Role::Label => (stats.labels, "labels".to_owned()),
        Role::Ip => (stats.ips, "internet addresses".to_owned()),
        // Tokens in place of addresses differ as addresses do; a provider or a flag does not.
        Role::Email if stats.emails > 0 || stats.distinct * 20 < stats.present => {
            (stats.emails, "e-mail addresses".to_owned())
        }
        _ => {
            let different = if stats.distinct == 1 {
                "value"
            } else {
                "different values"
            };
            let reason = format!(
                "{named}, it has {} {different} in {} rows",
                stats.distinct, stats.present
            );
            return Some(Choice::new(role, confidence, reason));
        }
    };
    let share = stats.share(count);
    // A measure of many sizes under a name such as `target` or `class` is no label.
    let too_many = role == Role::Label && params.fraud_values.is_empty() && {
        let strong = rank < 10;
        !strong && (stats.few.is_none() || share < 0.9)
    };
    let is_degrees = match role {
        Role::UserLatitude | Role::MerchantLatitude => stats.min >= -91.0 && stats.max <= 91.0,
        _ => true,
    };
    if share < 0.5 || too_many || (!is_degrees && rank >= 7) {
        return None;
    }
    confidence *= 0.5 + 0.5 * share;
    let reason = format!(
        "{named}, {} of {} values are {what}",
        percent(share),
        stats.present
    );
    Some(Choice::new(role, confidence, reason))
}

fn telling_reason(word: &str) -> String {
    format!("suspected to give the label away: its name has the word `{word}`")
}

/// The role that values say.
fn by_value(stats: &ColumnStats, taken: &BTreeSet<Role>, is_last: bool) -> Choice {
    let free = |role| !taken.contains(&role);
    let all = format!("of {} values", stats.present);
    if stats.present == 0 {
        return if stats.rows == 0 {
            Choice::new(
                Role::Category,
                0.1,
                "there are no rows to look at and the name says nothing",
            )
        } else {
            Choice::new(Role::Ignore, 0.9, "the sample has no value in it")
        };
    }
    if stats.share(stats.ips) >= 0.9 && free(Role::Ip) {
        let share = percent(stats.share(stats.ips));
        return Choice::new(
            Role::Ip,
            0.9,
            format!("{share} {all} are internet addresses"),
        );
    }
    if stats.share(stats.emails) >= 0.9 && free(Role::Email) {
        let share = percent(stats.share(stats.emails));
        return Choice::new(
            Role::Email,
            0.9,
            format!("{share} {all} are e-mail addresses"),
        );
    }
    if stats.share(stats.user_agents) >= 0.9 && free(Role::UserAgent) {
        let share = percent(stats.share(stats.user_agents));
        return Choice::new(
            Role::UserAgent,
            0.9,
            format!("{share} {all} are user agents"),
        );
    }
    if stats.share(stats.label_words) >= 0.9 && stats.few.is_some() && free(Role::Label) {
        let share = percent(stats.share(stats.label_words));
        return Choice::new(
            Role::Label,
            0.8,
            format!("{share} {all} are words for fraud or none"),
        );
    }
    if stats.share(stats.times) >= 0.9 {
        return by_time(stats, &all, free(Role::Time));
    }
    if stats.is_numeric() {
        return by_number(stats, &all, &free, is_last);
    }
    by_text(stats, &all, &free)
}

fn by_time(stats: &ColumnStats, all: &str, free: bool) -> Choice {
    let share = percent(stats.share(stats.times));
    let what = format!("{share} {all} are times ({})", stats.time_format);
    let is_number = stats.numbers == stats.present;
    if !free {
        return Choice::new(
            Role::Ignore,
            0.7,
            format!("{what}, but another column is the time of the event"),
        );
    }
    // Large numbers are times only when they lie in this century and differ.
    let plausible = !is_number || (stats.min >= 9e8 && stats.distinct * 2 > stats.present);
    if plausible {
        Choice::new(Role::Time, if is_number { 0.6 } else { 0.85 }, what)
    } else {
        Choice::new(
            Role::Numeric,
            0.6,
            format!("{} {all} are numbers", percent(stats.share(stats.numbers))),
        )
    }
}

fn by_number(
    stats: &ColumnStats,
    all: &str,
    free: &impl Fn(Role) -> bool,
    is_last: bool,
) -> Choice {
    let what = format!("{} {all} are numbers", percent(stats.share(stats.numbers)));
    if is_last && free(Role::Label) && stats.present == stats.labels {
        let rare = stats
            .few
            .as_ref()
            .filter(|few| few.len() == 2)
            .map_or(1.0, |few| {
                let least = few.values().min().copied().unwrap_or(0);
                stats.share(least)
            });
        if rare <= 0.2 && stats.present >= 50 {
            return Choice::new(
                Role::Label,
                0.5,
                format!(
                    "it is the last column, has two values, and the rarer one stands in {} of the rows",
                    percent(rare)
                ),
            );
        }
    }
    if stats.counts_up && stats.distinct == stats.present && stats.present >= 20 {
        let step = (stats.max - stats.min) / (stats.present as f64 - 1.0);
        if step < 1.5 {
            return if free(Role::TransactionId) {
                Choice::new(
                    Role::TransactionId,
                    0.5,
                    format!("{all} each one is the number after the one before")
                        .replace("of ", "all "),
                )
            } else {
                Choice::new(Role::Ignore, 0.7, "it counts the rows".to_owned())
            };
        }
    }
    Choice::new(Role::Numeric, 0.9, what)
}

fn by_text(stats: &ColumnStats, all: &str, free: &impl Fn(Role) -> bool) -> Choice {
    let unique = stats.distinct as f64 / stats.present as f64;
    let what = match stats.distinct {
        1 => format!("{all} all are equal").replacen("of", "among", 1),
        distinct => format!("{all} {distinct} are different").replacen("of", "among", 1),
    };
    if unique > 0.99 && stats.present >= 20 && free(Role::TransactionId) {
        return Choice::new(
            Role::TransactionId,
            0.5,
            format!("{what}, and no other column is the id"),
        );
    }
    if unique > 0.95 && stats.present >= 1000 {
        return Choice::new(
            Role::Ignore,
            0.6,
            format!(
                "{what}: a text of its own in nearly every row says nothing about the next one"
            ),
        );
    }
    Choice::new(Role::Category, 0.8, what)
}

/// Leaves columns out that give the label away in the sample.
fn find_leaks(columns: &mut [ColumnPlan], label: usize, sample: &Sample, params: &IngestParams) {
    let labels: Vec<Option<bool>> = sample
        .column(label)
        .map(|text| {
            if is_missing(text, Storage::Label, &params.missing) {
                return None;
            }
            columns[label].labels.parse(text).and_then(Label::known)
        })
        .collect();
    for (index, column) in columns.iter_mut().enumerate() {
        let given = params.roles.contains_key(&column.name);
        if index == label {
            continue;
        }
        let named = roles_of(&column.name)
            .iter()
            .any(|&(role, _)| role == column.role);
        if let Some(word) = telling_word(&column.name).filter(|_| !named) {
            column.leak = Some(format!("its name has the word `{word}`"));
            continue;
        }
        if !is_probed(column.role) {
            continue;
        }
        let mut probe = LeakProbe::new();
        for (text, fraud) in sample.column(index).zip(&labels) {
            let Some(fraud) = *fraud else { continue };
            let missing = is_missing(text, column.role.storage(), &params.missing);
            let seen = match parse_number(without_currency_sign(text), column.numbers) {
                _ if missing => Seen::Missing,
                Some(number) if column.role.storage() == Storage::Number => {
                    Seen::Number(number.value)
                }
                _ => Seen::Text(text),
            };
            probe.observe(seen, fraud);
        }
        if let Some(why) = probe.verdict() {
            column.leak = Some(why.clone());
            if !given && params.suspects == Suspects::LeaveOut {
                column.role = Role::Ignore;
                column.confidence = 0.8;
                column.reason = format!("suspected to give the label away: {why}");
            }
        }
    }
}

/// Roles whose columns a model learns from directly. Keys and the event itself are not suspected.
pub(crate) const fn is_probed(role: Role) -> bool {
    matches!(
        role,
        Role::Category
            | Role::Numeric
            | Role::Currency
            | Role::Country
            | Role::UserAgent
            | Role::Ip
            | Role::Device
            | Role::Email
    )
}
