//! Pictures and exports are read by other readers, and say what there is.
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::{EntityId, EntityKey, EntityKind, Timestamp};
use dafu_graph::{EntityGraph, EntityGraphBuilder, FraudRing, GraphFormat, detect_fraud_networks};
use dafu_sim::RingWorldParams;

const NASTY: &str = "a<b>&\"c\\d'\u{fffe}\u{ffff}";
/// The same where XML is read, which has no such characters as the last two.
const NASTY_XML: &str = "a<b>&\"c\\d'\u{fffd}\u{fffd}";

fn graph() -> EntityGraph {
    let key = |kind, id: &str| EntityKey {
        kind,
        id: EntityId::new(id).unwrap(),
    };
    let mut builder = EntityGraphBuilder::new();
    for (user, card, second) in [
        (NASTY, "c1", 1),
        ("bob", "c1", 2),
        ("bob", NASTY, 3),
        ("bob", NASTY, 4),
    ] {
        let at = Timestamp::from_seconds(second).unwrap();
        builder
            .pair(
                &key(EntityKind::User, user),
                &key(EntityKind::Card, card),
                at,
                2.5,
            )
            .unwrap();
    }
    builder.build()
}

fn written(write: impl Fn(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn ring() -> FraudRing {
    let world = RingWorldParams::default()
        .users(2_000)
        .rings(1)
        .smallest_ring(12)
        .seed(3)
        .simulate()
        .unwrap();
    let payments: Vec<_> = world
        .transactions()
        .map(|payment| payment.transaction)
        .collect();
    detect_fraud_networks(&payments, 0.8, 3)
        .unwrap()
        .rings
        .remove(0)
}

#[test]
fn json_is_read_back() {
    let graph = graph();
    let text = written(|out| graph.write(GraphFormat::Json, out));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let nodes = json["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 4);
    assert_eq!(
        (nodes[0]["name"].as_str(), nodes[0]["kind"].as_str()),
        (Some(NASTY), Some("user"))
    );
    let links = json["links"].as_array().unwrap();
    assert_eq!(links.len(), 3);
    let last = links.iter().find(|link| link["count"] == 2).unwrap();
    assert_eq!(last["amount"], 5.0);
    let name =
        |end: &str| nodes[usize::try_from(last[end].as_u64().unwrap()).unwrap()]["name"].clone();
    assert_eq!(
        (name("source").as_str(), name("target").as_str()),
        (Some("bob"), Some(NASTY))
    );
    assert_eq!(last["first_seen"], "1970-01-01T00:00:03Z");
}

#[test]
fn sums_without_end_are_what_each_format_has() {
    let key = |kind, id: &str| EntityKey {
        kind,
        id: EntityId::new(id).unwrap(),
    };
    let (user, card) = (key(EntityKind::User, "u"), key(EntityKind::Card, "c"));
    let mut builder = EntityGraphBuilder::new();
    let less = key(EntityKind::Card, "less");
    for _ in 0..2 {
        for (thing, amount) in [(&card, f64::MAX), (&less, f64::MIN)] {
            builder
                .pair(&user, thing, Timestamp::EPOCH, amount)
                .unwrap();
        }
    }
    let graph = builder.build();
    let text = written(|out| graph.write(GraphFormat::Json, out));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(json["links"][0]["amount"].is_null());
    let text = written(|out| graph.write(GraphFormat::GraphMl, out));
    for amount in ["INF", "-INF"] {
        let data = format!(r#"<data key="amount">{amount}</data>"#);
        assert!(text.contains(&data), "{text}");
    }
}

#[test]
fn graph_ml_is_read_back() {
    let text = written(|out| graph().write(GraphFormat::GraphMl, out));
    let xml = roxmltree::Document::parse(&text).unwrap();
    let all = |name: &str| {
        xml.descendants()
            .filter(|node| node.has_tag_name(name))
            .count()
    };
    assert_eq!((all("node"), all("edge"), all("key")), (4, 3, 7));
    let first = xml
        .descendants()
        .find(|node| node.has_tag_name("node"))
        .unwrap();
    let id = first
        .children()
        .find(|node| node.attribute("key") == Some("id"))
        .unwrap();
    assert_eq!(id.text(), Some(NASTY_XML));
    assert!(!text.contains(['\u{fffe}', '\u{ffff}']));
    let ring = ring();
    let text = written(|out| ring.write(GraphFormat::GraphMl, out));
    let xml = roxmltree::Document::parse(&text).unwrap();
    let edges = xml
        .descendants()
        .filter(|node| node.has_tag_name("edge"))
        .count();
    assert_eq!(
        edges,
        ring.shared
            .iter()
            .map(|thing| thing.used_by.len())
            .sum::<usize>()
    );
    assert!(text.contains(r#"<data key="known_fraud">true</data>"#));
}

#[test]
fn dot_has_a_line_for_each_node_and_edge() {
    let text = written(|out| graph().write(GraphFormat::Dot, out));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        (lines[0], lines[lines.len() - 1], lines.len()),
        ("graph {", "}", 9)
    );
    assert_eq!(
        lines[1],
        "  n0 [label=\"a<b>&\\\"c\\\\d'\u{fffe}\u{ffff}\", tooltip=\"user\"];"
    );
    assert_eq!(lines.iter().filter(|line| line.contains(" -- ")).count(), 3);
}

#[test]
fn pictures_show_every_member_and_every_use() {
    let ring = ring();
    let svg = ring.to_svg();
    assert_eq!(svg, ring.clone().to_svg());
    let xml = roxmltree::Document::parse(&svg).unwrap();
    let all = |name: &str| {
        xml.descendants()
            .filter(|node| node.has_tag_name(name))
            .count()
    };
    let known = usize::from(!ring.known_fraud.is_empty());
    assert_eq!(all("circle"), ring.members.len() + known);
    assert_eq!(
        all("line"),
        ring.shared
            .iter()
            .map(|thing| thing.used_by.len())
            .sum::<usize>()
    );
    let text: Vec<&str> = xml.descendants().filter_map(|node| node.text()).collect();
    for member in &ring.members {
        assert!(text.contains(&member.id.as_str()));
    }
    // Nothing leaves the picture.
    let (width, height) = (760.0, ring.shared.len() as f64 * 40.0 + 400.0);
    for node in xml.descendants() {
        for (name, most) in [("cx", width), ("x1", width), ("cy", height), ("y1", height)] {
            if let Some(value) = node.attribute(name) {
                let value: f64 = value.parse().unwrap();
                assert!(value >= 0.0 && value <= most, "{name} {value}");
            }
        }
    }
}

#[test]
fn pictures_are_xml_whatever_an_id_has() {
    let mut ring = ring();
    ring.members[0].id = EntityId::new(NASTY).unwrap();
    let svg = ring.to_svg();
    assert!(!svg.contains(['\u{fffe}', '\u{ffff}']));
    let xml = roxmltree::Document::parse(&svg).unwrap();
    assert!(xml.descendants().any(|node| node.text() == Some(NASTY_XML)));
}

#[test]
fn long_names_stay_within_the_picture() {
    let mut ring = ring();
    let long = |number: usize| EntityId::new(format!("{number:036}")).unwrap();
    for (number, member) in ring.members.iter_mut().enumerate() {
        member.id = long(number);
    }
    for (number, thing) in ring.shared.iter_mut().enumerate() {
        thing.entity.id = long(number);
    }
    let svg = ring.to_svg();
    let xml = roxmltree::Document::parse(&svg).unwrap();
    let texts = xml.descendants().filter(|node| node.has_tag_name("text"));
    for node in texts {
        let number = |name: &str| -> f64 { node.attribute(name).unwrap().parse().unwrap() };
        // Digits of the usual fonts are not wider.
        let text = node.text().unwrap();
        let width = text.chars().count() as f64 * number("font-size") * 0.6;
        let left = number("x")
            - match node.attribute("text-anchor") {
                Some("end") => width,
                Some("middle") => width / 2.0,
                _ => 0.0,
            };
        assert!(
            left >= 0.0 && left + width <= 760.0,
            "{left} {width} {text}"
        );
    }
}
