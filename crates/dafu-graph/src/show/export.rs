//! DOT, `GraphML` and JSON.

use super::kind_words;
use crate::{EntityGraph, FraudRing};
use dafu_core::{EntityKey, Timestamp};
use std::io;

/// A format in which other programs read graphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GraphFormat {
    /// The language of Graphviz.
    Dot,
    /// `GraphML`, as networkx, Gephi and yEd read it.
    GraphMl,
    /// A JSON object with `nodes` and `links`, as networkx (`node_link_graph(data, edges="links")`) and D3 read it.
    Json,
}

/// A node as it is written.
struct Node<'a> {
    key: &'a EntityKey,
    known_fraud: Option<bool>,
}

/// An edge as it is written: places of both ends, and what is known about it.
struct Link {
    ends: (usize, usize),
    uses: Option<(u32, f64, Timestamp, Timestamp)>,
}

impl EntityGraph {
    /// Writes the graph: nodes with kind and id, edges with count, amount and the first and last moment.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write(&self, format: GraphFormat, out: &mut impl io::Write) -> io::Result<()> {
        let nodes = self.nodes().map(|node| Node {
            key: self.key(node),
            known_fraud: None,
        });
        let links = self.edges().iter().map(|edge| Link {
            ends: (edge.from.index(), edge.to.index()),
            uses: Some((edge.count, edge.amount, edge.first_seen, edge.last_seen)),
        });
        write(format, out, nodes, links)
    }
}

impl FraudRing {
    /// Writes the members of the ring and what they share, with an edge for each use. Members who are known to be fraud say so.
    ///
    /// ```
    /// use dafu_graph::{GraphFormat, detect_fraud_networks};
    /// use dafu_sim::RingWorldParams;
    ///
    /// let world = RingWorldParams::default().users(2_000).rings(1).smallest_ring(8).seed(2).simulate()?;
    /// let payments: Vec<_> = world.transactions().map(|payment| payment.transaction).collect();
    /// let report = detect_fraud_networks(&payments, 0.8, 3)?;
    /// let mut dot = Vec::new();
    /// report.rings[0].write(GraphFormat::Dot, &mut dot)?;
    /// assert!(dot.starts_with(b"graph {\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write(&self, format: GraphFormat, out: &mut impl io::Write) -> io::Result<()> {
        let members = self.members.iter().map(|key| Node {
            key,
            known_fraud: Some(self.known_fraud.contains(key)),
        });
        let things = self.shared.iter().map(|thing| Node {
            key: &thing.entity,
            known_fraud: None,
        });
        let links = self.shared.iter().enumerate().flat_map(|(place, thing)| {
            let to = self.members.len() + place;
            thing.used_by.iter().map(move |member| Link {
                ends: (*member, to),
                uses: None,
            })
        });
        write(format, out, members.chain(things), links)
    }
}

fn write<'a>(
    format: GraphFormat,
    out: &mut impl io::Write,
    nodes: impl Iterator<Item = Node<'a>>,
    links: impl Iterator<Item = Link>,
) -> io::Result<()> {
    match format {
        GraphFormat::Dot => dot(out, nodes, links),
        GraphFormat::GraphMl => graph_ml(out, nodes, links),
        GraphFormat::Json => json(out, nodes, links),
    }
}

fn dot<'a>(
    out: &mut impl io::Write,
    nodes: impl Iterator<Item = Node<'a>>,
    links: impl Iterator<Item = Link>,
) -> io::Result<()> {
    writeln!(out, "graph {{")?;
    for (place, node) in nodes.enumerate() {
        let (kind, ..) = kind_words(node.key.kind);
        let id = escaped(node.key.id.as_str(), &[('\\', "\\\\"), ('"', "\\\"")]);
        let fraud = match node.known_fraud {
            Some(true) => ", style=filled, fillcolor=\"#d55e00\"",
            _ => "",
        };
        writeln!(
            out,
            "  n{place} [label=\"{id}\", tooltip=\"{kind}\"{fraud}];"
        )?;
    }
    for link in links {
        let (from, to) = link.ends;
        match link.uses {
            Some((count, ..)) => writeln!(out, "  n{from} -- n{to} [weight={count}];")?,
            None => writeln!(out, "  n{from} -- n{to};")?,
        }
    }
    writeln!(out, "}}")
}

fn graph_ml<'a>(
    out: &mut impl io::Write,
    nodes: impl Iterator<Item = Node<'a>>,
    links: impl Iterator<Item = Link>,
) -> io::Result<()> {
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(
        out,
        r#"<graphml xmlns="http://graphml.graphdrawing.org/xmlns">"#
    )?;
    for (of, name, kind) in [
        ("node", "id", "string"),
        ("node", "kind", "string"),
        ("node", "known_fraud", "boolean"),
        ("edge", "count", "long"),
        ("edge", "amount", "double"),
        ("edge", "first_seen", "string"),
        ("edge", "last_seen", "string"),
    ] {
        writeln!(
            out,
            r#"  <key id="{name}" for="{of}" attr.name="{name}" attr.type="{kind}"/>"#
        )?;
    }
    writeln!(out, r#"  <graph edgedefault="undirected">"#)?;
    for (place, node) in nodes.enumerate() {
        let (kind, ..) = kind_words(node.key.kind);
        let id = xml(node.key.id.as_str());
        write!(
            out,
            r#"    <node id="n{place}"><data key="id">{id}</data><data key="kind">{kind}</data>"#
        )?;
        if let Some(fraud) = node.known_fraud {
            write!(out, r#"<data key="known_fraud">{fraud}</data>"#)?;
        }
        writeln!(out, "</node>")?;
    }
    for link in links {
        let (from, to) = link.ends;
        write!(out, r#"    <edge source="n{from}" target="n{to}">"#)?;
        if let Some((count, amount, first, last)) = link.uses {
            // As XML Schema spells what is not finite.
            let amount = if amount.is_infinite() {
                if amount > 0.0 { "INF" } else { "-INF" }.to_owned()
            } else {
                amount.to_string()
            };
            write!(
                out,
                r#"<data key="count">{count}</data><data key="amount">{amount}</data>"#
            )?;
            write!(
                out,
                r#"<data key="first_seen">{first}</data><data key="last_seen">{last}</data>"#
            )?;
        }
        writeln!(out, "</edge>")?;
    }
    writeln!(out, "  </graph>\n</graphml>")
}

fn json<'a>(
    out: &mut impl io::Write,
    nodes: impl Iterator<Item = Node<'a>>,
    links: impl Iterator<Item = Link>,
) -> io::Result<()> {
    write!(out, r#"{{"directed":false,"multigraph":false,"nodes":["#)?;
    for (place, node) in nodes.enumerate() {
        let comma = if place > 0 { "," } else { "" };
        let (kind, ..) = kind_words(node.key.kind);
        // Ids have no control characters.
        let name = escaped(node.key.id.as_str(), &[('\\', "\\\\"), ('"', "\\\"")]);
        write!(
            out,
            r#"{comma}{{"id":{place},"name":"{name}","kind":"{kind}""#
        )?;
        if let Some(fraud) = node.known_fraud {
            write!(out, r#","known_fraud":{fraud}"#)?;
        }
        write!(out, "}}")?;
    }
    write!(out, r#"],"links":["#)?;
    for (place, link) in links.enumerate() {
        let comma = if place > 0 { "," } else { "" };
        let (from, to) = link.ends;
        write!(out, r#"{comma}{{"source":{from},"target":{to}"#)?;
        if let Some((count, amount, first, last)) = link.uses {
            // A sum of many may be infinite, which JSON has not.
            let amount = if amount.is_finite() {
                amount.to_string()
            } else {
                "null".to_owned()
            };
            write!(
                out,
                r#","count":{count},"amount":{amount},"first_seen":"{first}","last_seen":"{last}""#
            )?;
        }
        write!(out, "}}")?;
    }
    writeln!(out, "]}}")
}

/// A text within XML. Ids may have two characters that XML 1.0 has not: they become the one for what is unknown.
pub(super) fn xml(text: &str) -> String {
    escaped(
        text,
        &[
            ('&', "&amp;"),
            ('<', "&lt;"),
            ('>', "&gt;"),
            ('\u{fffe}', "\u{fffd}"),
            ('\u{ffff}', "\u{fffd}"),
        ],
    )
}

/// A text with characters that mean something written as others.
fn escaped(text: &str, with: &[(char, &str)]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match with.iter().find(|(found, _)| *found == character) {
            Some((_, instead)) => escaped.push_str(instead),
            None => escaped.push(character),
        }
    }
    escaped
}
