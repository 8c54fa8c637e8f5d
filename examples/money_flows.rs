//! Money flow in patterns: cycles, fans, gather-scatter, scatter-gather, chains, bipartite patterns and stacks among transfers.
//!
//! Run: `cargo run --release --example money_flows`
//!
//! Simulated transfers by default, with patterns of laundering in them: what is found, with evidence, and how much of what was
//! planted. `--input FILE` reads a CSV file, plain or gzip, with the columns of AMLSim: account that pays, account that is paid,
//! amount, day. `--nodes FILE` names accounts (first column) that are flagged (second column not 0). All cycles of up to eight
//! transfers in the order of time are counted, too, whatever their amounts: of all transfers, or with `--days N` within so many.
//! `--min-amount N` leaves out smaller transfers, except for these cycles.
//!
//! Expected output: `examples/expected/money_flows.txt`. Timings are on stderr.

use dafu::graph::{Cycles, FlowParams, FlowPattern, FlowReport, TransferGraph};
use dafu::sim::{FlowKind, FlowWorld, FlowWorldParams};
use dafu::{Currency, EntityId, Money, Timestamp, TransactionId, Transfer};
use dafu_examples::args::Args;
use dafu_examples::usage::usage;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const USAGE: &str = "money_flows [--input FILE [--nodes FILE]] [--min-amount N] [--days N]";
type Done<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    dafu_examples::exit(run())
}

fn run() -> Done<()> {
    let known = ["input", "nodes", "min-amount", "days"];
    let Some(args) = Args::read(USAGE, &known)? else {
        return Ok(());
    };
    // Parameters of the simulator and of the search do not know each other.
    let world = FlowWorldParams::default().seed(8).simulate()?;
    let transfers = match args.value("input") {
        Some(path) => read(path)?,
        None => world.transfers().collect(),
    };
    let started = Instant::now();
    let graph = TransferGraph::from_transfers(&transfers)?;
    eprintln!("graph: {:.3} s", started.elapsed().as_secs_f64());
    println!(
        "{} transfers between {} accounts; {} to the same account left out",
        graph.transfer_count(),
        graph.account_count(),
        graph.self_transfers()
    );

    let params = FlowParams::default().min_amount(args.parsed("min-amount", 0.0)?);
    let report = timed("patterns", || params.detect(&graph))?;
    let planted = args.value("input").is_none().then_some(&world);
    tell(&report, planted);

    let window = match args.value("days") {
        Some(days) => Duration::from_secs(days.parse::<u64>()?.saturating_mul(86_400)),
        None => Duration::MAX,
    };
    let cycles = timed("cycles", || params.clone().window(window).cycles(&graph))?;
    count(&cycles);
    if let Some(path) = args.value("nodes") {
        let flagged = flagged(path)?;
        let covered = |accounts: BTreeSet<&EntityId>| {
            let found = accounts.iter().filter(|id| flagged.contains(id.as_str()));
            (found.count(), accounts.len())
        };
        let on_cycles = cycles.iter().flatten().map(|one| graph.from(*one));
        let in_flows = report.flows.iter().flat_map(|flow| &flow.accounts);
        let of = flagged.len();
        for (what, (found, all)) in [
            ("cycles in the order of time", covered(on_cycles.collect())),
            ("patterns", covered(in_flows.collect())),
        ] {
            println!("{found} of {of} flagged accounts are among the {all} of {what}");
        }
    }
    if let Some(usage) = usage() {
        eprintln!("{usage}");
    }
    Ok(())
}

fn timed<T, E: Error + 'static>(what: &str, act: impl FnOnce() -> Result<T, E>) -> Done<T> {
    let started = Instant::now();
    let result = act()?;
    eprintln!("{what}: {:.3} s", started.elapsed().as_secs_f64());
    Ok(result)
}

/// How much of each pattern was found, and the clearest find of each.
fn tell(report: &FlowReport, world: Option<&FlowWorld>) {
    let places = |ids: &[TransactionId]| -> BTreeSet<String> {
        ids.iter().map(ToString::to_string).collect()
    };
    let transfers: Vec<Transfer> = world.map_or_else(Vec::new, |world| world.transfers().collect());
    println!();
    for pattern in FlowPattern::ALL {
        let found: Vec<BTreeSet<String>> = report
            .of(pattern)
            .map(|flow| places(&flow.transfers))
            .collect();
        print!("{:<15}{:>6} found", pattern.name(), found.len());
        if let Some(world) = world {
            let planted = world.patterns().into_iter();
            let planted = planted.filter(|planted| of_kind(planted.kind) == pattern);
            let planted: Vec<BTreeSet<String>> = planted
                .map(|planted| {
                    let ids = planted.transfers.iter();
                    ids.map(|place| transfers[*place].transfer_id.to_string())
                        .collect()
                })
                .collect();
            let whole = planted
                .iter()
                .filter(|planted| found.iter().any(|found| planted.is_subset(found)));
            let (whole, of) = (whole.count(), planted.len());
            print!(", {whole} of {of} planted ones among them");
        }
        println!();
    }
    println!("\nOf each the one with most money, regular business last:");
    for pattern in FlowPattern::ALL {
        if let Some(flow) = report.of(pattern).next() {
            println!("{}: {}", pattern.name(), flow.explanation);
        }
    }
    for cut in &report.cut {
        println!(
            "the search for {} ended early at {} accounts or times and left out {} more",
            cut.pattern, cut.cut, cut.unsearched
        );
    }
}

const fn of_kind(kind: FlowKind) -> FlowPattern {
    match kind {
        FlowKind::FanOut => FlowPattern::FanOut,
        FlowKind::FanIn => FlowPattern::FanIn,
        FlowKind::GatherScatter => FlowPattern::GatherScatter,
        FlowKind::ScatterGather => FlowPattern::ScatterGather,
        FlowKind::Cycle => FlowPattern::Cycle,
        FlowKind::RandomWalk => FlowPattern::Chain,
        FlowKind::Bipartite => FlowPattern::Bipartite,
        // And what may come later.
        _ => FlowPattern::Stack,
    }
}

fn count(cycles: &Cycles) {
    let mut lengths: BTreeMap<usize, usize> = BTreeMap::new();
    for cycle in cycles.iter() {
        *lengths.entry(cycle.len()).or_default() += 1;
    }
    let lengths: Vec<String> = lengths
        .iter()
        .map(|(length, count)| format!("{count} of {length}"))
        .collect();
    println!(
        "\n{} cycles in the order of time, whatever their amounts, by transfers: {}",
        cycles.len(),
        lengths.join(", ")
    );
    if let Some(cut) = &cycles.cut {
        println!("the search for them ended early at {} accounts", cut.cut);
    }
}

/// Lines of a file, plain or gzip, without the first.
fn lines(path: &str) -> Done<Vec<String>> {
    let name = |error: std::io::Error| format!("{path}: {error}");
    let mut file = BufReader::new(File::open(path).map_err(name)?);
    let zipped = file.fill_buf().map_err(name)?.starts_with(&[0x1f, 0x8b]);
    let mut text = String::new();
    if zipped {
        let mut file = flate2::bufread::MultiGzDecoder::new(file);
        file.read_to_string(&mut text).map_err(name)?;
    } else {
        file.read_to_string(&mut text).map_err(name)?;
    }
    Ok(text.lines().skip(1).map(str::to_owned).collect())
}

/// Transfers of an AMLSim file; days count from 1970.
fn read(path: &str) -> Done<Vec<Transfer>> {
    let currency = Currency::new("USD")?;
    let mut transfers = Vec::new();
    for (number, line) in (1..).zip(lines(path)?) {
        let wrong =
            || format!("{path}, row {number}: needs payer, payee, amount, day, got {line:?}");
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let [from, to, amount, day] = cells[..] else {
            return Err(wrong().into());
        };
        let seconds = day
            .parse::<i64>()
            .ok()
            .and_then(|day| day.checked_mul(86_400));
        transfers.push(Transfer {
            transfer_id: TransactionId::new(format!("row-{number}"))?,
            from: EntityId::new(from)?,
            to: EntityId::new(to)?,
            amount: Money::from_major(amount.parse().map_err(|_| wrong())?, currency)?,
            timestamp: Timestamp::from_seconds(seconds.ok_or_else(wrong)?)?,
        });
    }
    Ok(transfers)
}

/// Accounts whose second column is not 0.
fn flagged(path: &str) -> Done<BTreeSet<String>> {
    let lines = lines(path)?;
    let flagged = lines.iter().filter_map(|line| {
        let mut cells = line.split(',').map(str::trim);
        let id = cells.next()?;
        (cells.next()? != "0").then(|| id.to_owned())
    });
    Ok(flagged.collect())
}
