//! Patterns, one transfer after the other.

use super::{DAY, FlowKind, FlowWorldParams, Move, micros, minor};
use crate::random::{Purpose, Stream};
use dafu_core::portable::{exp, ln};

/// Plants one pattern.
#[derive(Debug)]
pub(super) struct Planter<'a> {
    params: &'a FlowWorldParams,
    kind: FlowKind,
    number: u32,
    stream: Stream,
    /// Accounts that the pattern has already.
    taken: Vec<u32>,
    /// When it begins, and how long it takes.
    begin: f64,
    length: f64,
}

impl<'a> Planter<'a> {
    pub(super) fn new(
        params: &'a FlowWorldParams,
        (kind, turn): (FlowKind, u32),
        number: u32,
    ) -> Self {
        let mut stream = Stream::new(params.seed, Purpose::FlowPattern, kind as u64, turn.into());
        let days = f64::from(params.days);
        let length = stream.between(0.5, 1.0) * params.window_days;
        let begin = stream.between(0.0, days - length) * DAY;
        Self {
            params,
            kind,
            number,
            stream,
            taken: Vec::new(),
            begin,
            length: length * DAY,
        }
    }

    fn size(&mut self) -> u32 {
        self.stream
            .within(self.params.smallest, self.params.largest)
    }

    /// An account that the pattern has not yet.
    fn account(&mut self) -> u32 {
        loop {
            let account = self.stream.below(self.params.accounts);
            if !self.taken.contains(&account) {
                self.taken.push(account);
                return account;
            }
        }
    }

    fn accounts(&mut self, count: u32) -> Vec<u32> {
        (0..count).map(|_| self.account()).collect()
    }

    /// A moment in a part of the pattern's time, from 0 to 1.
    fn moment(&mut self, (from, to): (f64, f64)) -> f64 {
        self.begin + self.stream.between(from, to) * self.length
    }

    fn amount(&mut self) -> f64 {
        exp(ln(4_000.0) + 0.5 * self.stream.normal())
    }

    /// What is left of an amount that is passed on.
    fn passed(&mut self, amount: f64) -> f64 {
        amount * (1.0 - self.params.fee * self.stream.unit())
    }

    fn transfer(&mut self, (from, to): (u32, u32), at: f64, amount: f64) -> Move {
        Move {
            micros: micros(at),
            from,
            to,
            minor: minor(amount),
            pattern: self.number,
        }
    }

    /// Adds the transfers.
    pub(super) fn plant(mut self, moves: &mut Vec<Move>) {
        match self.kind {
            FlowKind::FanOut | FlowKind::FanIn => self.fan(moves),
            FlowKind::GatherScatter => self.gather_scatter(moves),
            FlowKind::ScatterGather => self.scatter_gather(moves),
            FlowKind::Cycle => self.chain(true, moves),
            FlowKind::RandomWalk => self.chain(false, moves),
            FlowKind::Bipartite => self.layers(2, moves),
            FlowKind::Stack => self.layers(3, moves),
        }
    }

    fn fan(&mut self, moves: &mut Vec<Move>) {
        let centre = self.account();
        let size = self.size();
        for other in self.accounts(size) {
            let (at, amount) = (self.moment((0.0, 1.0)), self.amount());
            let ends = if self.kind == FlowKind::FanOut {
                (centre, other)
            } else {
                (other, centre)
            };
            moves.push(self.transfer(ends, at, amount));
        }
    }

    fn gather_scatter(&mut self, moves: &mut Vec<Move>) {
        let centre = self.account();
        let (payers, paid) = (self.size(), self.size());
        let mut sum = 0.0;
        for payer in self.accounts(payers) {
            let (at, amount) = (self.moment((0.0, 0.45)), self.amount());
            sum += amount;
            moves.push(self.transfer((payer, centre), at, amount));
        }
        let left = self.passed(sum);
        for other in self.accounts(paid) {
            let at = self.moment((0.55, 1.0));
            moves.push(self.transfer((centre, other), at, left / f64::from(paid)));
        }
    }

    fn scatter_gather(&mut self, moves: &mut Vec<Move>) {
        let (first, last) = (self.account(), self.account());
        let size = self.size();
        for between in self.accounts(size) {
            let amount = self.amount();
            let at = self.moment((0.0, 0.45));
            moves.push(self.transfer((first, between), at, amount));
            let (at, amount) = (self.moment((0.55, 1.0)), self.passed(amount));
            moves.push(self.transfer((between, last), at, amount));
        }
    }

    /// One transfer after the other, each of nearly the amount before; back to the first account, or not.
    fn chain(&mut self, closed: bool, moves: &mut Vec<Move>) {
        let size = self.size();
        let accounts = self.accounts(if closed { size } else { size + 1 });
        let mut amount = self.amount();
        for turn in 0..size {
            let from = accounts[turn as usize];
            let to = accounts[(turn as usize + 1) % accounts.len()];
            // One after the other: each in its part of the time.
            let part = |turn: f64| turn / f64::from(size);
            let part = (part(f64::from(turn) + 0.1), part(f64::from(turn) + 0.9));
            let at = self.moment(part);
            moves.push(self.transfer((from, to), at, amount));
            amount = self.passed(amount);
        }
    }

    /// Layers of which each account pays each of the next layer.
    fn layers(&mut self, count: u32, moves: &mut Vec<Move>) {
        let size = self.params.smallest.max(self.size() / 2);
        let mut payers = self.accounts(size);
        let mut amount = self.amount();
        for layer in 1..count {
            let paid = self.accounts(size);
            let part = |layer: u32| f64::from(layer) / f64::from(count - 1);
            let times = (part(layer - 1) + 0.02, part(layer) - 0.02);
            for payer in &payers {
                for other in &paid {
                    let (at, amount) = (self.moment(times), self.passed(amount));
                    moves.push(self.transfer((*payer, *other), at, amount));
                }
            }
            payers = paid;
            amount = self.passed(amount);
        }
    }
}
