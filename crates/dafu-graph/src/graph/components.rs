//! What hangs together.

use super::EntityGraph;
use petgraph::unionfind::UnionFind;

/// The connected components of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Components {
    /// The component of each node, numbered in the order of their first nodes.
    pub of_node: Vec<u32>,
    /// Nodes of each component.
    pub sizes: Vec<u32>,
}

impl EntityGraph {
    /// The connected components. O(nodes + edges x inverse Ackermann).
    ///
    /// ```
    /// # use dafu_core::{EntityId, EntityKey, EntityKind, Timestamp};
    /// # use dafu_graph::EntityGraphBuilder;
    /// # let key = |kind, id| -> Result<_, dafu_core::CoreError> { Ok(EntityKey { kind, id: EntityId::new(id)? }) };
    /// # let mut builder = EntityGraphBuilder::new();
    /// for (user, card) in [("ada", "c1"), ("bob", "c1"), ("eve", "c2")] {
    ///     let (user, card) = (key(EntityKind::User, user)?, key(EntityKind::Card, card)?);
    ///     builder.pair(&user, &card, Timestamp::EPOCH, 1.0)?;
    /// }
    /// assert_eq!(builder.build().components().sizes, [3, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn components(&self) -> Components {
        let ends = self.edges.iter().map(|edge| (edge.from.0, edge.to.0));
        connected_components(self.nodes.len(), ends)
    }
}

/// The connected components of `nodes` nodes with these edges; edges to nodes that there are not are left out.
pub fn connected_components(
    nodes: usize,
    edges: impl IntoIterator<Item = (u32, u32)>,
) -> Components {
    let mut sets: UnionFind<u32> = UnionFind::new(nodes);
    for (one, other) in edges {
        if (one.max(other) as usize) < nodes {
            sets.union(one, other);
        }
    }
    let mut of_node = sets.into_labeling();
    let mut names = vec![u32::MAX; nodes];
    let mut sizes: Vec<u32> = Vec::new();
    for label in &mut of_node {
        let name = &mut names[*label as usize];
        if *name == u32::MAX {
            *name = u32::try_from(sizes.len()).unwrap_or(u32::MAX);
            sizes.push(0);
        }
        *label = *name;
        sizes[*name as usize] += 1;
    }
    Components { of_node, sizes }
}
