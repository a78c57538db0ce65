//! What the canvas draws: flows on their ways, bundles on theirs. Ways are found once and kept until seats change.
//!
//! Knows seats and flows as they are to be seen; nothing of canvases or signals' effects.

use super::way::Way;
use crate::signals::FlowsView;
use monkeytown_protocol::{EntityId, FlowKind, FlowStatus, Text};
use monkeytown_terrain::{Node, Point, Rect, Wire, gutter, route};
use std::rc::Rc;

/// Width of the gutter of the one column, in CSS pixels.
pub const GUTTER: f32 = 52.0;
/// Strands between the same two that are told apart.
const STRANDS_MAX: usize = 6;

/// A flow to draw.
#[derive(Debug, Clone)]
pub struct Strand {
    /// What moves.
    pub kind: FlowKind,
    /// How far it has come.
    pub status: FlowStatus,
    /// Why it broke.
    pub reason: Option<Text>,
    /// When it leaves, on the monotonic clock.
    pub leaves_at: Option<f64>,
    /// Whether it is lit above the scrim: a flow of whom the witness looks at, or nobody is looked at.
    pub lit: bool,
    /// Its way.
    pub way: Rc<Way>,
}

/// Flows drawn as one ribbon.
#[derive(Debug, Clone)]
pub struct Ribbon {
    /// What moves in most of them.
    pub kind: FlowKind,
    /// How many they are.
    pub count: usize,
    /// Their way.
    pub way: Rc<Way>,
}

/// Room that a ribbon's count takes, in CSS pixels.
const COUNT: (f32, f32) = (44.0, 30.0);

/// From whom to whom, and which of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pair {
    from: usize,
    to: usize,
    strand: usize,
}

/// Where everybody is, and what runs between them.
#[derive(Debug, Default)]
pub struct Scene {
    /// The field's size, or the column's, in CSS pixels.
    pub width: f32,
    /// Down.
    pub height: f32,
    /// Whether it is the one column, where flows are arcs in a gutter on the left.
    pub one_column: bool,
    /// Flows, oldest first.
    pub strands: Vec<Strand>,
    /// Bundles.
    pub ribbons: Vec<Ribbon>,
    ids: Vec<EntityId>,
    nodes: Vec<Node>,
    labels: Vec<Rect>,
    ways: Vec<(Pair, Rc<Way>)>,
}

impl Scene {
    /// Takes everybody's place, in the order of ids; every way is found anew. `labels` are words on the ground that
    /// ways had better avoid. Who is in the fold and has no place stands at `crowd`.
    pub fn seat(&mut self, ids: Vec<EntityId>, bodies: Vec<Rect>, labels: Vec<Rect>, crowd: Option<Rect>) {
        self.ids = ids;
        self.nodes = bodies.into_iter().map(|rect| Node { rect }).collect();
        // Those who merge have no card: they are beyond the right edge. Then the crowd.
        let people = Rect { x: self.width - 10.0, y: self.height * 0.3, width: 10.0, height: 28.0 };
        self.nodes.push(Node { rect: people });
        self.nodes.push(Node { rect: crowd.unwrap_or(people) });
        self.labels = labels;
        self.ways.clear();
    }

    fn node(&self, id: &EntityId, seated: &[EntityId]) -> usize {
        let known = seated.binary_search(id).is_ok();
        self.ids.binary_search(id).unwrap_or(self.ids.len() + usize::from(known))
    }

    /// Takes the flows to draw. `agents` are all that the fold holds, in order; `looked_at` is who is looked at.
    pub fn cast(&mut self, flows: &FlowsView, agents: &[EntityId], looked_at: Option<&EntityId>) {
        let mut pairs: Vec<Pair> = Vec::new();
        let between = |from: usize, to: usize, pairs: &mut Vec<Pair>| {
            // At most fifty are drawn, so looking back costs less than remembering.
            let strand = pairs.iter().filter(|pair| pair.from == from && pair.to == to).count();
            pairs.push(Pair { from, to, strand: strand.min(STRANDS_MAX) });
        };
        for flow in &flows.drawn {
            between(self.node(&flow.source, agents), self.node(&flow.target, agents), &mut pairs);
        }
        for bundle in &flows.bundles {
            let end = |id: &Option<EntityId>| id.as_ref().map_or(self.nodes.len(), |id| self.node(id, agents));
            between(end(&bundle.source), end(&bundle.target), &mut pairs);
        }
        self.find_ways(&pairs);
        let mut ways = pairs.iter().map(|pair| self.way(*pair));
        let is_lit = |source: &EntityId, target: &EntityId| looked_at.is_none_or(|id| source == id || target == id);
        let strands = flows.drawn.iter().zip(ways.by_ref()).map(|(flow, way)| Strand {
            kind: flow.kind,
            status: flow.status,
            reason: flow.reason.clone(),
            leaves_at: flow.leaves_at,
            lit: is_lit(&flow.source, &flow.target),
            way,
        });
        let strands = strands.collect();
        let ribbons = flows.bundles.iter().zip(ways);
        let ribbons = ribbons.map(|(bundle, way)| Ribbon { kind: bundle.kind, count: bundle.count, way }).collect();
        (self.strands, self.ribbons) = (strands, ribbons);
    }

    /// Finds ways for pairs that have none. Those that were found stay: a new flow moves no other.
    fn find_ways(&mut self, pairs: &[Pair]) {
        if pairs.iter().all(|pair| self.ways.iter().any(|(held, _)| held == pair)) {
            return;
        }
        let wires: Vec<Wire> = pairs.iter().map(|pair| Wire { from: pair.from, to: pair.to }).collect();
        let field = Rect { x: 0.0, y: 0.0, width: self.width, height: self.height };
        let routes = if self.one_column {
            let rows: Vec<Rect> = self.nodes.iter().map(|node| node.rect).collect();
            gutter(&rows, &wires, GUTTER)
        } else {
            route(&self.nodes, &self.labels, &wires, field)
        };
        for (pair, route) in pairs.iter().zip(routes) {
            if !self.ways.iter().any(|(held, _)| held == pair) {
                self.ways.push((*pair, Rc::new(Way::new(route.points))));
            }
        }
    }

    fn way(&self, pair: Pair) -> Rc<Way> {
        self.ways.iter().find(|(held, _)| *held == pair).map(|(_, way)| Rc::clone(way)).unwrap_or_default()
    }

    /// Where each ribbon's count stands: near the middle of its way, and beside those placed before. `None` for one
    /// that has no way here.
    pub fn counts(&self) -> Vec<Option<Point>> {
        let mut placed: Vec<Option<Point>> = Vec::with_capacity(self.ribbons.len());
        for ribbon in &self.ribbons {
            let is_free = |at: &Point| {
                let near = |other: &Point| (other.x - at.x).abs() < COUNT.0 && (other.y - at.y).abs() < COUNT.1;
                !placed.iter().flatten().any(near)
            };
            let places = [0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.18, 0.82].map(|share| ribbon.way.at(share).0);
            let place = places.iter().find(|at| is_free(at)).or(places.first()).copied();
            placed.push(place.filter(|_| !ribbon.way.is_empty()));
        }
        placed
    }
}
