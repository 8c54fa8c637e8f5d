//! Collects what the features of one log need.

use super::event::{Layout, place_of};
use super::gate::Gate;
use super::log_plan::{
    CodeSource, DecayPlan, FOREVER, LogPlan, Op, Part, Read, SumPart, TiledOp, TiledPlan,
    WindowPlan,
};
use super::plan::{Target, Wanted};
use super::rate_table::RateTable;
use super::ring::{MOST_CODES, MOST_NUMBERS, Shape};
use crate::FeatureError;
use crate::set::{Field, Measure, Quantity, Span, Subject, Window};

/// Collects what the features of one log need.
#[derive(Debug)]
pub(crate) struct LogBuilder {
    pub(crate) wanted: Wanted,
    plan: LogPlan,
    bound: i64,
    ids: bool,
}

impl LogBuilder {
    /// `ids`: whether events are known by their ids.
    pub(crate) fn new(wanted: Wanted, gate: Option<Gate>, (bound, ids): (i64, bool)) -> Self {
        Self {
            wanted,
            bound,
            ids,
            plan: LogPlan {
                gate,
                shape: Shape::default(),
                numbers: Vec::new(),
                codes: Vec::new(),
                windows: Vec::new(),
                decays: Vec::new(),
                decay_time: 0,
                tiled: Vec::new(),
                before: Vec::new(),
                after: Vec::new(),
                retention: 0,
                held: Vec::new(),
                rates: Vec::new(),
                id: None,
                labels: None,
                shuns_event: false,
                plain: false,
                words: 0,
                maps: 0,
                buckets: 0,
                deques: 0,
            },
        }
    }

    pub(crate) fn build(mut self) -> LogPlan {
        if self.ids && !self.plan.windows.is_empty() {
            self.code(CodeSource::Id);
        }
        let is_id = |source: &CodeSource| *source == CodeSource::Id;
        self.plan.id = self.plan.codes.iter().position(is_id);
        self.plan.shape = Shape::new(self.plan.numbers.len(), self.plan.codes.len());
        self.plan.plain = self.plan.is_plain();
        self.plan
    }

    fn word(&mut self, count: usize) -> usize {
        self.plan.words += count;
        self.plan.words - count
    }

    fn at(&mut self, within: i64, delay: i64) -> usize {
        let windows = &self.plan.windows;
        let found = windows
            .iter()
            .position(|window| window.within == within && window.delay == delay);
        found.unwrap_or_else(|| {
            // The cursor itself, and the times of the next events to leave and to enter.
            let cursor = self.word(if delay > 0 { 3 } else { 2 });
            self.plan.windows.push(WindowPlan {
                within,
                delay,
                cursor,
                sums: Vec::new(),
                parts: Vec::new(),
            });
            if within != FOREVER {
                let reach = delay.saturating_add(within).saturating_add(self.bound);
                self.plan.retention = self.plan.retention.max(reach);
            }
            self.plan.windows.len() - 1
        })
    }

    fn number(&mut self, layout: &mut Layout, quantity: &Quantity) -> usize {
        let place = layout.quantity(quantity);
        place_of(&mut self.plan.numbers, &place)
    }

    fn code(&mut self, source: CodeSource) -> usize {
        place_of(&mut self.plan.codes, &source)
    }

    fn part(
        &mut self,
        window: usize,
        same: impl Fn(&Part) -> bool,
        new: impl FnOnce(&mut Self) -> Part,
    ) -> Part {
        if let Some(found) = self.plan.windows[window]
            .parts
            .iter()
            .find(|part| same(part))
        {
            return *found;
        }
        let part = new(self);
        self.plan.windows[window].parts.push(part);
        part
    }

    fn sum(&mut self, window: usize, number: usize) -> usize {
        self.sum_of(window, number, false)
    }

    fn squares(&mut self, window: usize, number: usize) -> usize {
        self.sum_of(window, number, true)
    }

    fn sum_of(&mut self, window: usize, number: usize, squares: bool) -> usize {
        let sums = &self.plan.windows[window].sums;
        let same = |sum: &&SumPart| sum.number == number && sum.squares == squares;
        if let Some(found) = sums.iter().find(same) {
            return found.word;
        }
        let word = self.word(2);
        self.plan.windows[window].sums.push(SumPart {
            number,
            word,
            squares,
        });
        word
    }

    fn gaps(&mut self, window: usize) -> usize {
        let same = |part: &Part| matches!(part, Part::Gaps { .. });
        match self.part(window, same, |log| Part::Gaps { word: log.word(2) }) {
            Part::Gaps { word } => word,
            _ => 0,
        }
    }

    fn hours(&mut self, window: usize) -> usize {
        let same = |part: &Part| matches!(part, Part::Hours { .. });
        match self.part(window, same, |log| Part::Hours { word: log.word(2) }) {
            Part::Hours { word } => word,
            _ => 0,
        }
    }

    fn deque(&mut self) -> usize {
        self.plan.deques += 1;
        self.plan.deques - 1
    }

    fn map(&mut self) -> usize {
        self.plan.maps += 1;
        self.plan.maps - 1
    }

    fn extreme(&mut self, window: usize, number: usize, most: bool) -> usize {
        let same = |part: &Part| match part {
            Part::Least { number: other, .. } => !most && *other == number,
            Part::Most { number: other, .. } => most && *other == number,
            _ => false,
        };
        let new = |log: &mut Self| {
            let deque = log.deque();
            if most {
                Part::Most { number, deque }
            } else {
                Part::Least { number, deque }
            }
        };
        match self.part(window, same, new) {
            Part::Least { deque, .. } | Part::Most { deque, .. } => deque,
            _ => 0,
        }
    }

    fn values(&mut self, window: usize, layout: &mut Layout, field: &Field) -> (usize, usize) {
        let own = layout.field(field);
        let code = self.code(CodeSource::Field(own));
        let same = |part: &Part| matches!(part, Part::Values { code: other, .. } if *other == code);
        match self.part(window, same, |log| Part::Values {
            code,
            map: log.map(),
        }) {
            Part::Values { map, .. } => (map, own),
            _ => (0, own),
        }
    }

    fn buckets(&mut self, window: usize, number: usize) -> usize {
        let same =
            |part: &Part| matches!(part, Part::Buckets { number: other, .. } if *other == number);
        match self.part(window, same, |log| {
            log.plan.buckets += 1;
            Part::Buckets {
                number,
                list: log.plan.buckets - 1,
            }
        }) {
            Part::Buckets { list, .. } => list,
            _ => 0,
        }
    }

    fn digits(&mut self, window: usize, number: usize) -> usize {
        let same =
            |part: &Part| matches!(part, Part::Digits { number: other, .. } if *other == number);
        match self.part(window, same, |log| Part::Digits {
            number,
            map: log.map(),
        }) {
            Part::Digits { map, .. } => map,
            _ => 0,
        }
    }

    /// Holds the newest `k` events that are at least `delay` old, also for events that come late.
    fn hold(&mut self, delay: i64, k: u8) {
        let window = self.at(FOREVER, delay.saturating_add(self.bound));
        // One more than asked for: an event that comes again is none of its own predecessors.
        let k = u32::from(k) + 1;
        match self
            .plan
            .held
            .iter_mut()
            .find(|(other, _)| *other == window)
        {
            Some((_, most)) => *most = k.max(*most),
            None => self.plan.held.push((window, k)),
        }
        self.plan.retention = self.plan.retention.max(delay.saturating_add(self.bound));
    }

    fn keep_labels(&mut self, age: i64) {
        let age = age.saturating_add(self.bound);
        self.plan.labels = Some(self.plan.labels.unwrap_or(0).max(age));
    }

    fn decay(&mut self, half_life: Span, number: Option<usize>) -> usize {
        let half_life = half_life.as_micros() as f64;
        let decays = &self.plan.decays;
        let found = decays.iter().position(|decay| {
            decay.half_life.total_cmp(&half_life).is_eq() && decay.number == number
        });
        found.unwrap_or_else(|| {
            if self.plan.decays.is_empty() {
                self.plan.decay_time = self.word(1);
            }
            let word = self.word(2);
            self.plan.decays.push(DecayPlan {
                half_life,
                number,
                word,
            });
            self.plan.decays.len() - 1
        })
    }

    /// Adds a feature.
    pub(crate) fn add(
        &mut self,
        window: &Window,
        target: Target,
        layout: &mut Layout,
    ) -> Result<(), FeatureError> {
        let op = match window.tiles {
            Some(tiles) => self.tiled(window, tiles, layout),
            None => self.exact(window, layout),
        };
        let read = Read { target, op };
        if window.includes_self() && window.delay == Span::ZERO {
            self.plan.after.push(read);
        } else {
            // An event is never in a delayed window at its own time: there it makes no difference.
            let delayed = window.delay > Span::ZERO && read.op.is_of_windows();
            self.plan.shuns_event |= !delayed;
            self.plan.before.push(read);
        }
        if self.plan.numbers.len() > MOST_NUMBERS || self.plan.codes.len() >= MOST_CODES {
            return Err(FeatureError::TooManyColumns {
                key: window.by.to_string(),
                numbers: MOST_NUMBERS,
                codes: MOST_CODES - 1,
            });
        }
        Ok(())
    }

    fn tiled(&mut self, window: &Window, tiles: u16, layout: &mut Layout) -> Op {
        let within = window.within.unwrap_or_default();
        let code = match &window.measure {
            Measure::Distinct { of } => Some(layout.field(of)),
            _ => None,
        };
        let counts = matches!(window.measure, Measure::Count | Measure::Rate);
        let number = (!counts && code.is_none()).then(|| layout.quantity(&window.of));
        let plan = TiledPlan {
            within: within.as_micros(),
            tiles,
            number,
            squares: matches!(window.measure, Measure::Variance | Measure::StdDev),
            buckets: matches!(window.measure, Measure::Quantile { .. }),
            code,
        };
        let joins = |other: &TiledPlan| {
            let one_number = other.number == number || other.number.is_none() || number.is_none();
            let one_code = other.code == code || other.code.is_none() || code.is_none();
            (other.within, other.tiles) == (plan.within, tiles) && one_number && one_code
        };
        let found = self.plan.tiled.iter().position(joins);
        let tiled = if let Some(at) = found {
            let other = &mut self.plan.tiled[at];
            other.number = other.number.or(number);
            other.code = other.code.or(code);
            other.squares |= plan.squares;
            other.buckets |= plan.buckets;
            at
        } else {
            self.plan.tiled.push(plan);
            self.plan.tiled.len() - 1
        };
        let measure = match window.measure {
            Measure::Rate => TiledOp::Rate {
                hours: within.as_hours(),
            },
            Measure::Sum => TiledOp::Sum,
            Measure::Mean => TiledOp::Mean,
            Measure::Variance => TiledOp::Variance { root: false },
            Measure::StdDev => TiledOp::Variance { root: true },
            Measure::Min => TiledOp::Least,
            Measure::Max => TiledOp::Most,
            Measure::Quantile { permille } => TiledOp::Quantile { permille },
            Measure::Distinct { .. } => TiledOp::Distinct,
            _ => TiledOp::Count,
        };
        Op::Tiled { tiled, measure }
    }

    fn exact(&mut self, window: &Window, layout: &mut Layout) -> Op {
        if !window.measure.takes_window() {
            return self.history(window, layout);
        }
        let within = window.within.unwrap_or_default();
        let delay = window.delay.as_micros();
        let at = self.at(within.as_micros(), delay);
        let short = window.measure.short().map(|short| {
            let place = self.at(short.as_micros(), delay);
            (place, short)
        });
        let (short, short_span) = short.unwrap_or((at, within));
        if let Some(op) = self.quantity_op(window, at, layout) {
            return op;
        }
        match &window.measure {
            Measure::Rate => Op::Rate {
                window: at,
                hours: within.as_hours(),
            },
            Measure::Distinct { of } => Op::Distinct {
                map: self.values(at, layout, of).0,
            },
            Measure::Entropy { of } => Op::Entropy {
                map: self.values(at, layout, of).0,
            },
            Measure::ModeShare { of } => Op::ModeShare {
                map: self.values(at, layout, of).0,
            },
            Measure::TopShare { of, k } => Op::TopShare {
                map: self.values(at, layout, of).0,
                k: *k,
            },
            Measure::Surprise { of } => {
                let (map, own) = self.values(at, layout, of);
                Op::Surprise { map, own }
            }
            Measure::DistinctGrowth { of, .. } => Op::Growth {
                short: self.values(short, layout, of).0,
                long: self.values(at, layout, of).0,
            },
            Measure::GapMean => Op::GapMean { window: at },
            Measure::GapVariation => Op::GapVariation {
                window: at,
                word: self.gaps(at),
            },
            Measure::Burst { .. } => Op::Burst {
                short,
                long: at,
                factor: within.as_hours() / short_span.as_hours(),
            },
            Measure::HourMean => Op::HourMean {
                window: at,
                word: self.hours(at),
            },
            Measure::HourConcentration => Op::HourConcentration {
                window: at,
                word: self.hours(at),
            },
            Measure::HourSurprise => Op::HourSurprise {
                window: at,
                word: self.hours(at),
            },
            Measure::DistanceFromHome => Op::Home {
                window: at,
                latitude: self.code(CodeSource::Latitude),
                longitude: self.code(CodeSource::Longitude),
            },
            measure => self.label_op(measure, (short, at), within.as_micros() + delay),
        }
    }

    fn quantity_op(&mut self, window: &Window, at: usize, layout: &mut Layout) -> Option<Op> {
        if window.measure.subject() != Subject::Quantity {
            return None;
        }
        let own = layout.quantity(&window.of);
        let number = self.number(layout, &window.of);
        Some(match window.measure {
            Measure::Sum => Op::Sum {
                window: at,
                word: self.sum(at, number),
            },
            Measure::Mean => Op::Mean {
                window: at,
                word: self.sum(at, number),
            },
            Measure::Variance | Measure::StdDev => Op::Variance {
                window: at,
                sum: self.sum(at, number),
                squares: self.squares(at, number),
                root: window.measure == Measure::StdDev,
            },
            Measure::Min => Op::Least {
                deque: self.extreme(at, number, false),
                number,
            },
            Measure::Max => Op::Most {
                deque: self.extreme(at, number, true),
                number,
            },
            Measure::Quantile { permille } => Op::Quantile {
                list: self.buckets(at, number),
                permille,
            },
            Measure::Ratio => Op::Ratio {
                window: at,
                sum: self.sum(at, number),
                own,
            },
            Measure::ZScore => Op::ZScore {
                window: at,
                sum: self.sum(at, number),
                squares: self.squares(at, number),
                own,
            },
            Measure::Rank => Op::Rank {
                window: at,
                number,
                own,
            },
            Measure::SameQuantity => Op::Same {
                window: at,
                number,
                own,
            },
            _ => Op::Benford {
                map: self.digits(at, number),
            },
        })
    }

    fn label_op(&mut self, measure: &Measure, (short, at): (usize, usize), age: i64) -> Op {
        match *measure {
            Measure::FraudCount => {
                self.keep_labels(age);
                Op::FraudCount { window: at }
            }
            Measure::FraudRate {
                prior_frauds: frauds,
                prior_events: events,
            } => {
                self.keep_labels(age);
                Op::FraudRate {
                    window: at,
                    frauds,
                    events,
                }
            }
            Measure::FraudRateQuantile {
                prior_frauds: frauds,
                prior_events: events,
                permille,
            } => {
                self.keep_labels(age);
                let table = RateTable::new((frauds, events), f64::from(permille) / 1000.0);
                self.plan.rates.push(table);
                Op::FraudQuantile {
                    window: at,
                    table: self.plan.rates.len() - 1,
                }
            }
            Measure::FraudTrend {
                prior_frauds: frauds,
                prior_events: events,
                ..
            } => {
                self.keep_labels(age);
                Op::FraudTrend {
                    short,
                    long: at,
                    frauds,
                    events,
                }
            }
            _ => Op::Count { window: at },
        }
    }

    /// Measures over the whole history.
    fn history(&mut self, window: &Window, layout: &mut Layout) -> Op {
        let places = |log: &mut Self| {
            log.hold(0, 1);
            (
                log.code(CodeSource::Latitude),
                log.code(CodeSource::Longitude),
            )
        };
        match window.measure {
            Measure::Last { k } => {
                self.hold(0, k);
                Op::Last {
                    k,
                    number: self.number(layout, &window.of),
                }
            }
            Measure::DecayedCount { half_life } => {
                self.hold(0, 1);
                Op::Decayed {
                    decay: self.decay(half_life, None),
                }
            }
            Measure::DecayedSum { half_life } => {
                let number = self.number(layout, &window.of);
                self.hold(0, 1);
                Op::Decayed {
                    decay: self.decay(half_life, Some(number)),
                }
            }
            Measure::SinceFraud => {
                self.keep_labels(0);
                // So that an event that comes again can tell which came before it.
                self.hold(0, 1);
                Op::SinceFraud
            }
            Measure::LastLabel { k } => {
                let delay = window.delay.as_micros();
                self.hold(delay, k);
                self.keep_labels(delay);
                Op::LastLabel {
                    window: self.at(FOREVER, delay),
                    k,
                    id: self.code(CodeSource::Id),
                }
            }
            Measure::DistanceFromLast => {
                let (latitude, longitude) = places(self);
                Op::FromLast {
                    latitude,
                    longitude,
                }
            }
            Measure::Speed => {
                let (latitude, longitude) = places(self);
                Op::Speed {
                    latitude,
                    longitude,
                }
            }
            Measure::ImpossibleTravel => {
                let (latitude, longitude) = places(self);
                Op::Impossible {
                    latitude,
                    longitude,
                }
            }
            _ => {
                self.hold(0, 1);
                Op::SinceLast
            }
        }
    }
}
