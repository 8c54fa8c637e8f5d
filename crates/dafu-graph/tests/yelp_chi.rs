//! Reviewers of Chicago, where `DAFU_DATA` names the folder of all data: what risk by association says of them, as it is.
//!
//! `DAFU_DATA=DATA cargo test --release -p dafu-graph --test yelp_chi -- --nocapture`
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "tests")]

use dafu_core::metrics::{average_precision, roc_auc};
use dafu_core::random::Stream;
use dafu_core::{EntityId, EntityKey, EntityKind, Label, Timestamp};
use dafu_graph::{
    AssociationParams, DenseParams, EntityGraph, EntityGraphBuilder, KnownFraud, NodeFeatureParams,
    NodeId, PageRankParams, PropagationParams,
};
use flate2::read::GzDecoder;
use std::fs::File;
use std::path::PathBuf;

struct Reviews {
    graph: EntityGraph,
    users: Vec<NodeId>,
    /// Who wrote a review that was filtered as fake.
    fakes: Vec<bool>,
}

fn reviews() -> Option<Reviews> {
    let Some(folder) = std::env::var_os("DAFU_DATA").map(PathBuf::from) else {
        println!("skipped: DAFU_DATA is not set");
        return None;
    };
    let file = File::open(folder.join("graph/yelpchi_reviews.csv.gz")).unwrap();
    let mut reader = csv::Reader::from_reader(GzDecoder::new(file));
    let mut builder = EntityGraphBuilder::new();
    let mut fakes = Vec::new();
    for row in reader.records() {
        let row = row.unwrap();
        let key = |kind, text: &str| EntityKey {
            kind,
            id: EntityId::new(text).unwrap(),
        };
        let user = key(EntityKind::User, &row[0]);
        let product = key(EntityKind::Merchant, &row[1]);
        let place = builder.entity(&user).unwrap().index();
        builder
            .pair(&user, &product, Timestamp::EPOCH, 1.0)
            .unwrap();
        fakes.resize(fakes.len().max(place + 1), false);
        fakes[place] |= &row[2] == "-1";
    }
    let graph = builder.build();
    let users: Vec<NodeId> = graph.nodes_of(EntityKind::User).collect();
    let fakes = users.iter().map(|user| fakes[user.index()]).collect();
    Some(Reviews {
        graph,
        users,
        fakes,
    })
}

/// Half of the users are known, the others are scored.
#[test]
fn risk_of_reviewers_is_reported() {
    let Some(reviews) = reviews() else { return };
    let graph = &reviews.graph;
    println!(
        "{} users, {} of them fake, {} edges",
        reviews.users.len(),
        reviews.fakes.iter().filter(|fake| **fake).count(),
        graph.edge_count()
    );
    let mut known = KnownFraud::new();
    let mut asked = Vec::new();
    let mut labels = Vec::new();
    for (user, fake) in reviews.users.iter().zip(&reviews.fakes) {
        if Stream::new(8, 1, user.index() as u64).unit() < 0.5 {
            known.insert(*user, Label::from(*fake), Timestamp::EPOCH);
        } else {
            asked.push(*user);
            labels.push(*fake);
        }
    }
    let share = labels.iter().filter(|fake| **fake).count() as f64 / labels.len() as f64;
    println!("{} users scored, share of fakes {share:.4}", labels.len());
    let report = |name: &str, scores: &[f64]| {
        let auc = roc_auc(&labels, scores, None).unwrap();
        let precision = average_precision(&labels, scores, None).unwrap();
        println!("{name:40} AUC {auc:.4}, average precision {precision:.4}");
        auc
    };
    let of =
        |scores: &[f64]| -> Vec<f64> { asked.iter().map(|user| scores[user.index()]).collect() };
    let params = AssociationParams::default().kind(EntityKind::Merchant, 1.0, u32::MAX);
    let spread = params.graph(graph, Timestamp::EPOCH).unwrap();
    let at = known.at(Timestamp::EPOCH);
    let found = PropagationParams::default()
        .prior(share, 0.1)
        .spread(&spread, &at.risks())
        .unwrap();
    assert!(found.converged);
    let propagated = report("label propagation", &of(&found.risk));
    let rank = PageRankParams::default()
        .rank(&spread, &at.frauds())
        .unwrap();
    assert!(rank.converged);
    report("PageRank from known fakes", &of(&rank.scores));
    let near = of(&rank.by_strength(&spread));
    report("PageRank from known fakes by strength", &near);
    let degrees: Vec<f64> = asked
        .iter()
        .map(|user| -(graph.degree(*user) as f64))
        .collect();
    report("number of products, reversed", &degrees);
    let caps = NodeFeatureParams::default().kind(EntityKind::Merchant, 5000);
    let features = caps
        .compute(graph, &known, Timestamp::EPOCH, &asked)
        .unwrap();
    let shares = features.column("known_fraud_share").unwrap();
    let shares: Vec<f64> = shares
        .iter()
        .map(|value| if value.is_nan() { share } else { *value })
        .collect();
    report("share of fakes among known neighbours", &shares);
    assert!(propagated > 0.5, "{propagated}");
}

/// No label is asked for a block; how many of its users are fake is told.
#[test]
fn dense_blocks_of_reviewers_are_reported() {
    let Some(reviews) = reviews() else { return };
    let graph = &reviews.graph;
    let nodes = graph.node_count();
    let number = |node: NodeId| u32::try_from(node.index()).unwrap();
    let edges = graph
        .edges()
        .iter()
        .map(|edge| (number(edge.from), number(edge.to)));
    let edges: Vec<(u32, u32)> = edges.collect();
    let blocks = DenseParams::default()
        .blocks(3)
        .run(nodes, nodes, &edges)
        .unwrap();
    let fake: std::collections::BTreeMap<u32, bool> = reviews
        .users
        .iter()
        .map(|user| number(*user))
        .zip(reviews.fakes.iter().copied())
        .collect();
    let all = fake.values().filter(|fake| **fake).count() as f64 / fake.len() as f64;
    for block in &blocks {
        let fakes = block.users.iter().filter(|user| fake[*user]).count();
        println!(
            "{} users and {} products, score {:.3}: share of fakes {:.4} (of all users {all:.4})",
            block.users.len(),
            block.objects.len(),
            block.score,
            fakes as f64 / block.users.len() as f64
        );
    }
    assert!(!blocks.is_empty());
}
