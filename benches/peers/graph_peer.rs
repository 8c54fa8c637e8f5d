//! Our side of `peers/run.sh graph`: simulates, runs, prints figures.
//!
//! WORLD is three numbers: seed, ring density, share of households. 150,000 users, 175 rings.
//!
//! - `graph_peer write WORLD FOLDER`: edges between users and things as little-endian pairs of u32 in `edges.u32`: first the
//!   numbers of users and things; members of rings in `rings.u32`.
//! - `graph_peer rings WORLD`: CPU seconds of finding rings in a graph that stands, its precision and recall by users, rings found.
//! - `graph_peer dense FOLDER`: CPU seconds of the densest block of `edges.u32`, its users, things and score.
//! - `graph_peer components FOLDER`: CPU seconds of the connected components of `edges.u32`, and their number.
//! - `graph_peer stream WORLD`: seconds by the clock of single events as they arrive, median and 99th of a hundred; rings at the end.
#![allow(clippy::print_stdout, reason = "a program that prints figures")]

use dafu_benches::cpu_seconds;
use dafu_core::{EntityKind, Transaction};
use dafu_graph::{DenseParams, EntityGraph, RingParams, RingStreamParams, connected_components};
use dafu_sim::{GroupKind, RingWorld, RingWorldParams};
use std::collections::HashSet;
use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn Error>>;
/// Users and things.
type Edges = Vec<(u32, u32)>;

const USERS: u32 = 150_000;
const RINGS: u32 = 175;
const TURNS: usize = 3;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["write", seed, density, households, folder] => {
            write(&world(seed, density, households)?, Path::new(folder))
        }
        ["rings", seed, density, households] => rings(&world(seed, density, households)?),
        ["stream", seed, density, households] => stream(&world(seed, density, households)?),
        ["dense", folder] => dense(Path::new(folder)),
        ["components", folder] => components(Path::new(folder)),
        _ => Err("usage: graph_peer write|rings|dense|components|stream ...".into()),
    }
}

fn world(seed: &str, density: &str, households: &str) -> Outcome<RingWorld> {
    let params = RingWorldParams::default()
        .users(USERS)
        .rings(RINGS)
        .seed(seed.parse()?)
        .ring_density(density.parse()?)
        .household_share(households.parse()?);
    Ok(params.simulate()?)
}

fn graph(world: &RingWorld) -> Outcome<EntityGraph> {
    let payments: Vec<Transaction> = world.transactions().map(|one| one.transaction).collect();
    Ok(EntityGraph::from_transactions(&payments)?)
}

fn in_rings(world: &RingWorld) -> HashSet<String> {
    let rings = world.groups().filter(|group| group.kind == GroupKind::Ring);
    rings
        .flat_map(|ring| ring.members)
        .map(|member| member.to_string())
        .collect()
}

fn write(world: &RingWorld, folder: &Path) -> Outcome<()> {
    let graph = graph(world)?;
    let mut numbers = vec![0_u32; graph.node_count()];
    let (mut users, mut things) = (0, 0);
    for node in graph.nodes() {
        let next = if graph.kind(node) == EntityKind::User {
            &mut users
        } else {
            &mut things
        };
        numbers[node.index()] = *next;
        *next += 1;
    }
    let mut pairs = vec![users, things];
    for edge in graph.edges() {
        let ends = if graph.kind(edge.from) == EntityKind::User {
            [edge.from, edge.to]
        } else {
            [edge.to, edge.from]
        };
        pairs.extend(ends.map(|end| numbers[end.index()]));
    }
    let truth = in_rings(world);
    let members: Vec<u32> = graph
        .nodes_of(EntityKind::User)
        .filter(|node| truth.contains(graph.key(*node).id.as_str()))
        .map(|node| numbers[node.index()])
        .collect();
    std::fs::create_dir_all(folder)?;
    for (name, values) in [("edges.u32", pairs), ("rings.u32", members)] {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        std::fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}

/// Numbers of users and things, and edges.
fn read(folder: &Path) -> Outcome<(usize, usize, Edges)> {
    let bytes = std::fs::read(folder.join("edges.u32"))?;
    let number = |bytes: &[u8]| bytes.try_into().map(u32::from_le_bytes);
    let values: Vec<u32> = bytes
        .chunks_exact(4)
        .map(number)
        .collect::<Result<_, _>>()?;
    let pairs: Vec<(u32, u32)> = values
        .chunks_exact(2)
        .map(|pair| (pair[0], pair[1]))
        .collect();
    let (users, things) = *pairs.first().ok_or("an empty file")?;
    Ok((users as usize, things as usize, pairs[1..].to_vec()))
}

/// The least CPU seconds of a few turns, and the last answer.
fn measured<T>(call: impl Fn() -> Outcome<T>) -> Outcome<(f64, T)> {
    let mut least = f64::INFINITY;
    let mut last = None;
    for _ in 0..TURNS {
        let before = cpu_seconds();
        last = Some(black_box(call()?));
        least = least.min(cpu_seconds() - before);
    }
    Ok((least, last.ok_or("no turn")?))
}

fn rings(world: &RingWorld) -> Outcome<()> {
    let graph = graph(world)?;
    let (seconds, report) = measured(|| Ok(RingParams::default().detect(&graph)?))?;
    let truth = in_rings(world);
    let members = || report.rings.iter().flat_map(|ring| &ring.members);
    let right = members()
        .filter(|member| truth.contains(member.id.as_str()))
        .count();
    println!(
        "{seconds} {} {} {} {}",
        right as f64 / members().count().max(1) as f64,
        right as f64 / truth.len().max(1) as f64,
        report.rings.len(),
        graph.edge_count()
    );
    Ok(())
}

fn dense(folder: &Path) -> Outcome<()> {
    let (users, things, edges) = read(folder)?;
    let (seconds, blocks) = measured(|| Ok(DenseParams::default().run(users, things, &edges)?))?;
    let block = blocks.first().ok_or("no block")?;
    println!(
        "{seconds} {} {} {:.12}",
        block.users.len(),
        block.objects.len(),
        block.score
    );
    let users: Vec<u8> = block
        .users
        .iter()
        .flat_map(|user| user.to_le_bytes())
        .collect();
    std::fs::write(folder.join("block.u32"), users)?;
    Ok(())
}

fn components(folder: &Path) -> Outcome<()> {
    let (users, things, edges) = read(folder)?;
    let shift = u32::try_from(users)?;
    let (seconds, found) = measured(|| {
        let ends = edges.iter().map(|(user, thing)| (*user, *thing + shift));
        Ok(connected_components(users + things, ends))
    })?;
    println!("{seconds} {}", found.sizes.len());
    Ok(())
}

fn stream(world: &RingWorld) -> Outcome<()> {
    let payments: Vec<Transaction> = world.transactions().map(|one| one.transaction).collect();
    let mut stream = RingStreamParams::new(USERS.into()).start()?;
    let mut times = Vec::with_capacity(payments.len());
    for payment in &payments {
        let before = Instant::now();
        black_box(stream.observe(payment)?);
        times.push(before.elapsed().as_secs_f64());
    }
    stream.settle();
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times[(times.len() * share / 1000).min(times.len() - 1)];
    println!(
        "{} {} {} {}",
        at(500),
        at(990),
        at(999),
        stream.rings().len()
    );
    Ok(())
}
