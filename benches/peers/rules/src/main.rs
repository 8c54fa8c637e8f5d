//! dafu-rules beside GoRules zen-expression, CEL and rhai; see `../run.sh`.
//!
//! - `rules-peers speed TURNS`: CPU time of one thread, the engines taking turns, medians; one line a figure. All engines
//!   must fire for the same events.
//! - `rules-peers corpus FILE`: answers of zen-expression and CEL to random conditions without units and missing values,
//!   as JSON: the fixture of the differential test of dafu-rules.

mod corpus;
mod engines;
mod speed;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "speed", turns] => speed::run(turns.parse()?),
        [_, "corpus", file] => corpus::write(file),
        _ => Err("usage: rules-peers speed TURNS | corpus FILE".into()),
    }
}

/// Small random numbers that are the same everywhere: splitmix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}
