//! Which events rules are learned from, and which they are judged by.

use super::params::{Holdout, MineParams};
use crate::optimize::Judged;
use crate::{Columns, RowBits, RuleError};

/// Events to learn from, and later ones to judge by.
#[derive(Debug)]
pub(super) struct Periods {
    pub(super) learning: RowBits,
    pub(super) held_out: RowBits,
}

impl Periods {
    pub(super) fn new(
        params: &MineParams,
        columns: &Columns<'_>,
        judged: &Judged<'_>,
    ) -> Result<Self, RuleError> {
        let periods = Self::cut(params, columns, judged)?;
        for (period, rows) in [
            ("learning period", &periods.learning),
            ("held-out period", &periods.held_out),
        ] {
            let frauds = rows.count_both(&judged.fraud);
            let honest = rows.count_both(&judged.honest);
            if frauds == 0 || honest == 0 {
                return Err(RuleError::Classes {
                    period,
                    frauds,
                    honest,
                });
            }
        }
        Ok(periods)
    }

    fn cut(
        params: &MineParams,
        columns: &Columns<'_>,
        judged: &Judged<'_>,
    ) -> Result<Self, RuleError> {
        if let Holdout::Rows { learning, held_out } = &params.holdout {
            for (what, rows) in [("learning rows", learning), ("held-out rows", held_out)] {
                judged.check(what, rows.rows())?;
            }
            let mut both = learning.clone();
            both.keep(held_out);
            if let Some(first) = both.iter().next() {
                let rows = both.count();
                return Err(RuleError::HeldOutRows { rows, first });
            }
            return Ok(Self {
                learning: learning.clone(),
                held_out: held_out.clone(),
            });
        }
        let times = judged.times.or_else(|| columns.known_times());
        let times = times.ok_or(RuleError::NoTimes {
            what: "later period to hold out",
        })?;
        let cut = match &params.holdout {
            Holdout::From(cut) => cut.as_micros(),
            holdout => {
                let share = match holdout {
                    Holdout::LastShare(share) => *share,
                    _ => 0.0,
                };
                let micros = || times.iter().map(|at| at.as_micros());
                let (first, last) = (micros().min().unwrap_or(0), micros().max().unwrap_or(0));
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "between the first and the last moment"
                )]
                let before = ((last - first) as f64 * (1.0 - share)) as i64;
                first + before
            }
        };
        let delay = i64::try_from(params.label_delay.as_micros()).unwrap_or(i64::MAX);
        let until = cut.saturating_sub(delay);
        let of = |holds: &dyn Fn(i64) -> bool| {
            RowBits::from_fn(times.len(), |row| holds(times[row].as_micros()))
        };
        Ok(Self {
            learning: of(&|at| at < until),
            held_out: of(&|at| at >= cut),
        })
    }
}
