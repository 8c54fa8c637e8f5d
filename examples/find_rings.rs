//! Fraud rings: accounts that share more devices, cards and addresses than a home, an office or chance explains.
//!
//! Run: `cargo run --release --example find_rings`, or on payments of your own with `-- --input FILE`.
//!
//! Arguments: `--input FILE` (CSV, plain or gzip, or Parquet, with user, merchant, amount, time and what accounts share: device,
//! card, ip, email, a further column `address` or `account`), `--role COLUMN=ROLE`, `--fraud-value VALUE`, `--zone ZONE`,
//! `--similarity-threshold P` (default 0.8), `--min-ring-size N` (default 3), `--show N` (rings in full, default 3), `--figure
//! DIR` (the clearest ring as `fraud_ring.svg`, `.dot`, `.graphml` and `.json`), `--seed N`, `--users N` (of simulated payments).
//!
//! Without a file 25 rings hide among 20,000 users, with households, offices and public networks that share things, too. Of their
//! frauds 30 % are known by the end; that says who of a ring is known, and has no say in what is a ring.
//!
//! Expected output: `examples/expected/find_rings.txt`.

use dafu::graph::{FraudRing, GraphFormat, RingReport, detect_fraud_networks};
use dafu::ingest::TransactionReader;
use dafu::sim::{GroupKind, RingWorld, RingWorldParams};
use dafu::{Label, Transaction};
use dafu_examples::args::Args;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "find_rings [--input FILE] [--role COLUMN=ROLE] [--fraud-value VALUE] [--zone ZONE]
           [--similarity-threshold P] [--min-ring-size N] [--show N] [--figure DIR] [--seed N] [--users N]";
/// Things of a ring that are shown.
const SHOWN: usize = 6;

type Done<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    dafu_examples::exit(run())
}

fn run() -> Done<()> {
    let known = [
        "input",
        "role",
        "fraud-value",
        "zone",
        "similarity-threshold",
        "min-ring-size",
        "show",
        "figure",
        "seed",
        "users",
    ];
    let Some(args) = Args::read(USAGE, &known)? else {
        return Ok(());
    };
    let threshold = args.parsed("similarity-threshold", 0.8)?;
    let smallest = args.parsed("min-ring-size", 3)?;
    let show = args.parsed("show", 3)?;

    let world = match args.value("input") {
        Some(_) => None,
        None => Some(
            RingWorldParams::default()
                .users(args.parsed("users", 20_000)?)
                .seed(args.parsed("seed", 42)?)
                .simulate()?,
        ),
    };
    let payments = match &world {
        Some(world) => seen(world),
        None => read(&args)?,
    };
    let users: BTreeSet<_> = payments.iter().map(|payment| &payment.user_id).collect();
    println!("{} payments of {} users", payments.len(), users.len());

    let started = Instant::now();
    let report = detect_fraud_networks(&payments, threshold, smallest)?;
    eprintln!("found in {:.2} s", started.elapsed().as_secs_f64());
    println!(
        "{} links between users, {} groups of them, {} rings",
        report.links,
        report.groups,
        report.rings.len()
    );
    if let Some(hub) = report.skipped.first() {
        println!(
            "{} things linked nobody, since too many users have them (up to {})",
            report.skipped.len(),
            hub.users
        );
    }
    if let Some(world) = &world {
        judge(world, &report);
    }

    println!(
        "\n{:<22}{:>8}{:>7}{:>10}{:>7}  active",
        "ring", "members", "score", "p-value", "known"
    );
    for ring in &report.rings {
        println!(
            "{:<22}{:>8}{:>7.2}{:>10.1e}{:>7}  {} to {}",
            ring.id,
            ring.members.len(),
            ring.score,
            ring.p_value,
            ring.known_fraud.len(),
            ring.first_seen.date(),
            ring.last_seen.date()
        );
    }
    for ring in report.rings.iter().take(show) {
        describe(ring);
    }
    if let (Some(folder), Some(ring)) = (args.value("figure"), report.rings.first()) {
        let folder = Path::new(folder);
        fs::create_dir_all(folder)?;
        fs::write(folder.join("fraud_ring.svg"), ring.to_svg())?;
        for (name, format) in [
            ("fraud_ring.dot", GraphFormat::Dot),
            ("fraud_ring.graphml", GraphFormat::GraphMl),
            ("fraud_ring.json", GraphFormat::Json),
        ] {
            ring.write(format, &mut fs::File::create(folder.join(name))?)?;
        }
    }
    Ok(())
}

/// What is known when the last payment is made: most labels are not.
fn seen(world: &RingWorld) -> Vec<Transaction> {
    let end = world
        .transactions()
        .last()
        .map(|last| last.transaction.timestamp);
    let known = |payment: dafu::sim::RingTransaction| {
        let label = match payment.label_known_at {
            Some(at) if Some(at) <= end => Label::Fraud,
            _ => Label::Unknown,
        };
        payment.transaction.with_label(label)
    };
    world.transactions().map(known).collect()
}

/// The payments of a file.
fn read(args: &Args) -> Done<Vec<Transaction>> {
    let source = dafu_examples::file::open(args)?;
    let mut payments = Vec::new();
    for table in source.tables()? {
        let table = table?;
        let reader = TransactionReader::new(&table)?;
        for row in 0..table.rows() {
            payments.push(reader.at(&table, row)?);
        }
    }
    Ok(payments)
}

/// The rings that were found against those that there are.
fn judge(world: &RingWorld, report: &RingReport) {
    let mut rings = Vec::new();
    for group in world.groups().filter(|group| group.kind == GroupKind::Ring) {
        rings.push(group.members.into_iter().collect::<BTreeSet<_>>());
    }
    let all: BTreeSet<_> = rings.iter().flatten().collect();
    let found: BTreeSet<_> = report
        .rings
        .iter()
        .flat_map(|ring| &ring.members)
        .map(|member| &member.id)
        .collect();
    let right = found.iter().filter(|member| all.contains(*member)).count();
    println!(
        "of {} members of {} rings {right} are found: precision {:.3}, recall {:.3}",
        all.len(),
        rings.len(),
        right as f64 / found.len().max(1) as f64,
        right as f64 / all.len().max(1) as f64
    );
    let whole = rings.iter().filter(|ring| {
        report.rings.iter().any(|found| {
            let both = found
                .members
                .iter()
                .filter(|member| ring.contains(&member.id))
                .count();
            both * 2 >= found.members.len() + ring.len() - both
        })
    });
    println!(
        "{} rings are found with at least half of both in common",
        whole.count()
    );
    let mut others: BTreeMap<GroupKind, usize> = BTreeMap::new();
    for group in world
        .groups()
        .filter(|group| group.kind != GroupKind::Ring && group.members.len() > 2)
    {
        *others.entry(group.kind).or_default() += 1;
    }
    for (kind, count) in others {
        println!("  beside them {count} of three or more: {kind:?}");
    }
}

fn describe(ring: &FraudRing) {
    println!("\n{}: {}", ring.id, ring.explanation);
    println!(
        "  {:.1} links a member, {:.0} % of all pairs linked, central: {}",
        ring.links_per_member,
        100.0 * ring.density,
        ring.central
            .iter()
            .map(|member| member.id.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    );
    for thing in ring.shared.iter().take(SHOWN) {
        println!(
            "  {:<8}{:<20}{:>3} members, {:>3} users, rarity {:.1}, {} to {}",
            format!("{:?}", thing.entity.kind).to_lowercase(),
            thing.entity.id,
            thing.used_by.len(),
            thing.users,
            thing.rarity,
            thing.first_seen.date(),
            thing.last_seen.date()
        );
    }
    if ring.shared.len() > SHOWN {
        println!("  and {} more", ring.shared.len() - SHOWN);
    }
}
