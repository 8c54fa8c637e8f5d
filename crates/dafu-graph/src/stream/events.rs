//! What a user did at a thing.

/// Moments, rising, and amounts. Most uses are of one event: it needs no memory of its own.
#[derive(Debug, Clone, Default)]
pub(super) enum Events {
    #[default]
    None,
    One(i64, f64),
    Several(Box<(Vec<i64>, Vec<f64>)>),
}

impl Events {
    pub(super) fn moments(&self) -> &[i64] {
        match self {
            Self::None => &[],
            Self::One(moment, _) => std::slice::from_ref(moment),
            Self::Several(events) => &events.0,
        }
    }

    pub(super) fn amounts(&self) -> &[f64] {
        match self {
            Self::None => &[],
            Self::One(_, amount) => std::slice::from_ref(amount),
            Self::Several(events) => &events.1,
        }
    }

    /// Behind those of the same moment. O(events).
    pub(super) fn insert(&mut self, moment: i64, amount: f64) {
        match self {
            Self::None => *self = Self::One(moment, amount),
            Self::One(first, of_first) => {
                let mut events = (vec![*first], vec![*of_first]);
                insert(&mut events, moment, amount);
                *self = Self::Several(Box::new(events));
            }
            Self::Several(events) => insert(events, moment, amount),
        }
    }

    /// Drops all before `from`; whether there were any.
    pub(super) fn forget(&mut self, from: i64) -> bool {
        let gone = self.moments().partition_point(|moment| *moment < from);
        match self {
            Self::None => {}
            Self::One(..) => {
                if gone > 0 {
                    *self = Self::None;
                }
            }
            Self::Several(events) => {
                events.0.drain(..gone);
                events.1.drain(..gone);
            }
        }
        gone > 0
    }
}

fn insert((moments, amounts): &mut (Vec<i64>, Vec<f64>), moment: i64, amount: f64) {
    let at = moments.partition_point(|other| *other <= moment);
    moments.insert(at, moment);
    amounts.insert(at, amount);
}
