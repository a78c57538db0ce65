//! What the canvas draws: flows on their ways, bundles on theirs. Ways are found once and kept until seats change.
//!
//! Knows seats and flows as they are to be seen; nothing of canvases or signals' effects.

pub use super::strand::{Ribbon, Strand};
use super::{seats::whole, way::Way};
use crate::{sigil::hash, signals::FlowsView};
use monkeytown_protocol::{EntityId, FlowId};
use monkeytown_terrain::{Node, Point, Rect, Wire, aside, gutter, rising, route};
use std::rc::Rc;

/// Width of the gutter of the one column, in CSS pixels.
pub const GUTTER: f32 = 52.0;
/// Strands between the same two that are told apart, and how far apart they lie, in CSS pixels.
const STRANDS_MAX: usize = 6;
const STRAND: f32 = 6.0;
/// How far ways keep from the field's edge, in CSS pixels.
const EDGE: f32 = 12.0;
/// Ways remembered; over it all are found anew.
const WAYS_MAX: usize = 400;
/// How far a ribbon reaches that goes to several, in CSS pixels.
const STUB: f32 = 40.0;

/// Where a broken flow's way breaks, as a share of it.
pub const BREAK: f32 = 0.6;
/// In the one column the people are so far below what is painted, in CSS pixels.
const BELOW: f32 = 40.0;
/// No row is farther above what is painted, in CSS pixels.
const DOWN_MIN: i32 = 1_000_000;
/// Most letters of words on the ground: as much as fits beside a line.
pub const WORDS_MAX: usize = 40;

/// How large words on the ground are where text is as large as usual, in CSS pixels.
const LETTER: f32 = 11.0;

/// How much room words on the ground take where text is `scale` times as large as usual, with a margin, in CSS pixels.
#[expect(clippy::cast_precision_loss, reason = "forty at most")]
pub fn words_size(words: &str, scale: f32) -> (f32, f32) {
    (words.chars().take(WORDS_MAX).count() as f32 * 0.61 * LETTER * scale + 8.0, 16.0 * scale)
}

/// How far from a card a ribbon must not run through words, in CSS pixels.
const NEAR: f32 = 10.0;
/// What it costs a ribbon to end where there is no room for its count, in points of other ways.
const ROOMLESS: usize = 1_000;
/// Room that a ribbon's count takes, in CSS pixels.
const COUNT: (f32, f32) = (44.0, 26.0);

/// From whom to whom, and which of several between the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pair {
    from: usize,
    to: usize,
    strand: usize,
}

impl Pair {
    /// Whether it joins these two, whichever way.
    fn joins(&self, from: usize, to: usize) -> bool {
        (self.from, self.to) == (from, to) || (self.from, self.to) == (to, from)
    }
}

/// What two contradict one another on.
#[derive(Debug, Clone)]
pub struct Dispute {
    /// In words.
    pub over: String,
    /// The way between the two.
    pub way: Rc<Way>,
}

/// Where everybody is, and what runs between them.
#[derive(Debug, Default)]
pub struct Scene {
    /// The field's size, or the column's, in CSS pixels.
    pub width: f32,
    /// Down.
    pub height: f32,
    /// Where the key ends, in CSS pixels: no way runs above.
    pub top: f32,
    /// How much larger than usual text is.
    pub scale: f32,
    /// Whether it is the one column, where flows are arcs in a gutter on the left.
    pub one_column: bool,
    /// Flows, oldest first.
    pub strands: Vec<Strand>,
    /// Bundles.
    pub ribbons: Vec<Ribbon>,
    /// Contradictions.
    pub disputes: Vec<Dispute>,
    /// Where the people are, while a flow goes to them or comes from them.
    pub people: Option<Point>,
    /// On which strand of its pair each flow ran last.
    strand_of: Vec<(FlowId, usize)>,
    ids: Vec<EntityId>,
    nodes: Vec<Node>,
    labels: Vec<Rect>,
    /// Between two, the lower first: what all strands between them run along.
    trunks: Vec<((usize, usize), Vec<Point>)>,
    ways: Vec<(Pair, Rc<Way>)>,
}

impl Scene {
    /// The font of words on the ground.
    #[must_use]
    pub fn font(&self) -> String {
        format!("{}px 'Geist Mono', monospace", whole(LETTER * self.scale))
    }

    /// Takes everybody's place, in the order of ids; every way is found anew. `labels` are words on the ground that
    /// ways had better avoid. Who is in the fold and has no place stands at `crowd`.
    pub fn seat(&mut self, ids: Vec<EntityId>, bodies: Vec<Rect>, labels: Vec<Rect>, crowd: Option<Rect>) {
        self.ids = ids;
        self.nodes = bodies.into_iter().map(|rect| Node { rect }).collect();
        // Those who merge have no card: they are beyond the right edge, or below the rows. Then the crowd.
        let mut people = Rect { x: self.width - EDGE - 10.0, y: self.height * 0.3, width: 10.0, height: 28.0 };
        let mut crowd = crowd.unwrap_or(people);
        if self.one_column {
            (people.x, people.y, crowd.x) = (GUTTER, self.height + BELOW, GUTTER);
        }
        self.nodes.push(Node { rect: people });
        self.nodes.push(Node { rect: crowd });
        self.labels = labels;
        self.trunks.clear();
        self.ways.clear();
    }

    fn node(&self, id: &EntityId, seated: &[EntityId]) -> usize {
        let known = seated.binary_search(id).is_ok();
        self.ids.binary_search(id).unwrap_or(self.ids.len() + usize::from(known))
    }

    /// Takes the flows to draw, and who disagrees with whom on what. `agents` are all that the fold holds, in order;
    /// `looked_at` is who is looked at.
    pub fn cast(
        &mut self,
        flows: &FlowsView,
        disputes: &[(EntityId, EntityId, String)],
        agents: &[EntityId],
        looked_at: Option<&EntityId>,
    ) {
        let mut pairs: Vec<Pair> = Vec::new();
        let one_column = self.one_column;
        let between = |from: usize, to: usize, pairs: &mut Vec<Pair>| {
            // At most sixty are drawn, so looking back costs less than remembering.
            let is_free = |strand: &usize| !pairs.iter().any(|pair| pair.joins(from, to) && pair.strand == *strand);
            // In the gutter there is room for one arc between two; what runs on it says of what kinds they are.
            let strand = if one_column { 0 } else { (0..STRANDS_MAX).find(is_free).unwrap_or(STRANDS_MAX) };
            pairs.push(Pair { from, to, strand });
        };
        // A ribbon runs in the middle, its strands beside it.
        for bundle in &flows.bundles {
            let end = |id: &Option<EntityId>| id.as_ref().map_or(self.nodes.len(), |id| self.node(id, agents));
            between(end(&bundle.source), end(&bundle.target), &mut pairs);
        }
        // A flow keeps its strand for as long as it is drawn, whoever comes and goes beside it.
        let bundled = pairs.len();
        let mut kept = vec![None; flows.drawn.len()];
        for (flow, kept) in flows.drawn.iter().zip(&mut kept).filter(|_| !one_column) {
            let (from, to) = (self.node(&flow.source, agents), self.node(&flow.target, agents));
            let strand = self.strand_of.iter().find(|(held, _)| *held == flow.id).map(|(_, strand)| *strand);
            let is_free = |strand: &usize| !pairs.iter().any(|pair| pair.joins(from, to) && pair.strand == *strand);
            if let Some(strand) = strand.filter(is_free) {
                *kept = Some(pairs.len());
                pairs.push(Pair { from, to, strand });
            }
        }
        for (flow, kept) in flows.drawn.iter().zip(&mut kept) {
            kept.get_or_insert_with(|| {
                between(self.node(&flow.source, agents), self.node(&flow.target, agents), &mut pairs);
                pairs.len() - 1
            });
        }
        // In the order of the flows again.
        let strands: Vec<Pair> = kept.iter().filter_map(|at| pairs.get((*at)?).copied()).collect();
        pairs.truncate(bundled);
        pairs.extend(strands);
        let strands = pairs.iter().skip(bundled).map(|pair| pair.strand);
        self.strand_of = flows.drawn.iter().map(|flow| flow.id.clone()).zip(strands).collect();
        for (a, b, _) in disputes {
            between(self.node(a, agents), self.node(b, agents), &mut pairs);
        }
        self.find_ways(&pairs);
        let people = self.ids.len();
        let is_near = pairs.iter().any(|pair| pair.from == people || pair.to == people) && !self.one_column;
        self.people = self.nodes.get(people).filter(|_| is_near).map(|node| node.rect.centre());
        let mut ways = pairs.iter().map(|pair| self.way(*pair));
        let ribbons = flows.bundles.iter().zip(ways.by_ref());
        let ribbons = ribbons.map(|(bundle, way)| Ribbon {
            kind: bundle.kind,
            count: bundle.count,
            dim: bundle.dim == bundle.count,
            way,
        });
        let ribbons = ribbons.collect();
        let is_lit = |source: &EntityId, target: &EntityId| looked_at.is_none_or(|id| source == id || target == id);
        let strands = flows.drawn.iter().zip(ways.by_ref()).map(|(flow, way)| Strand {
            kind: flow.kind,
            status: flow.status,
            reason: flow.reason.clone(),
            reason_at: Point::default(),
            leaves_at: flow.leaves_at,
            lit: is_lit(&flow.source, &flow.target),
            dim: flow.dim,
            ahead: f32::from((hash(flow.id.as_str()) & 0xff) as u8) / 256.0,
            way,
        });
        let mut strands: Vec<Strand> = strands.collect();
        let drawn: Vec<Rc<Way>> = strands.iter().map(|strand| Rc::clone(&strand.way)).collect();
        // Newest first: where two reasons would lie on one another, or on somebody, one is told in the list alone.
        let mut told: Vec<Point> = Vec::new();
        for strand in strands.iter_mut().rev() {
            let Some(reason) = strand.reason.as_ref().filter(|_| !self.one_column) else { continue };
            let size = words_size(reason.as_str(), self.scale);
            let cross = strand.way.at(BREAK).0;
            let half = size.0 / 2.0 + 1.0;
            // Beside the cross, then farther off, where a corridor opens.
            let aside = half + 12.0;
            const DOWN: [f32; 11] = [20.0, -20.0, 0.0, 38.0, -38.0, 56.0, -56.0, 74.0, -74.0, 92.0, -92.0];
            const ACROSS: [f32; 5] = [0.0, 0.5, -0.5, 1.0, -1.0];
            let places = DOWN.iter().flat_map(|down| ACROSS.iter().map(move |across| (across * aside, *down)));
            let mut best = (usize::MAX, Point::default());
            for (x, y) in places {
                let at = Point { x: (cross.x + x).min(self.width - half).max(half), y: cross.y + y };
                let near = |other: &Point| (other.x - at.x).abs() < size.0 && (other.y - at.y).abs() < size.1;
                let covers = y == 0.0 && (at.x - cross.x).abs() < aside;
                if !covers && self.is_free(at, size) && !told.iter().any(near) {
                    // Where the fewest lines run under it, of equals the nearest.
                    let under = |point: &&Point| (point.x - at.x).abs() < half && (point.y - at.y).abs() < size.1;
                    let price = drawn.iter().map(|way| way.points().iter().filter(under).count()).sum();
                    if price < best.0 {
                        best = (price, at);
                    }
                    if price == 0 {
                        break;
                    }
                }
            }
            if best.0 == usize::MAX {
                strand.reason = None;
            } else {
                told.push(best.1);
                strand.reason_at = best.1;
            }
        }
        let disputes = disputes.iter().zip(ways).map(|(dispute, way)| Dispute { over: dispute.2.clone(), way });
        let disputes = disputes.collect();
        (self.strands, self.ribbons, self.disputes) = (strands, ribbons, disputes);
    }

    /// Finds ways for pairs that have none. Those that were found stay: a new flow moves no other.
    fn find_ways(&mut self, pairs: &[Pair]) {
        if pairs.iter().all(|pair| self.ways.iter().any(|(held, _)| held == pair)) {
            return;
        }
        // Seats may stand for days while pairs come and go.
        if self.ways.len() > WAYS_MAX {
            self.ways.clear();
            self.trunks.clear();
        }
        if self.one_column {
            return self.find_arcs(pairs);
        }
        let wires: Vec<Wire> = pairs.iter().map(|pair| Wire { from: pair.from, to: pair.to }).collect();
        let (width, height) = (self.width - 2.0 * EDGE, self.height - self.top - EDGE);
        let field = Rect { x: EDGE, y: self.top, width, height };
        let routes = route(&self.nodes, &self.labels, &wires, field);
        let (stubs, joined): (Vec<_>, Vec<_>) =
            pairs.iter().zip(routes).partition(|(pair, _)| pair.to >= self.nodes.len());
        // What goes to several looks for room when all others have their ways.
        let drawn = pairs.to_vec();
        for (pair, route) in joined.into_iter().chain(stubs) {
            if self.ways.iter().any(|(held, _)| held == pair) {
                continue;
            }
            let points = if pair.to >= self.nodes.len() {
                self.stub(pair.from, &drawn)
            } else {
                self.strand(*pair, route.points)
            };
            self.ways.push((*pair, Rc::new(Way::new(points))));
        }
    }

    /// The same in the gutter, where there is room for one arc between two.
    fn find_arcs(&mut self, pairs: &[Pair]) {
        let mut wires: Vec<Wire> = Vec::new();
        for pair in pairs {
            let wire = Wire { from: pair.from.min(pair.to), to: pair.from.max(pair.to) };
            if !wires.contains(&wire) {
                wires.push(wire);
            }
        }
        // Arcs lie within one another by the order of rows on the screen. There are far fewer than 2^16.
        let order = self.nodes.iter().enumerate().map(|(at, node)| {
            let y = u64::try_from(whole(node.rect.y) + DOWN_MIN).unwrap_or_default();
            y << 16 | at as u64
        });
        let order = rising(order.collect());
        let row_of = |node: usize| order.iter().position(|key| key & 0xffff == node as u64).unwrap_or(order.len());
        let nodes = order.iter().filter_map(|key| self.nodes.get(usize::from((key & 0xffff) as u16)));
        let rows: Vec<Rect> = nodes.map(|node| node.rect).collect();
        let between: Vec<Wire> =
            wires.iter().map(|wire| Wire { from: row_of(wire.from), to: row_of(wire.to) }).collect();
        for (wire, arc) in wires.iter().zip(gutter(&rows, &between, GUTTER)) {
            let mut points = arc.points;
            for (from, to) in [(wire.from, wire.to), (wire.to, wire.from)] {
                let pair = Pair { from, to, strand: 0 };
                if pairs.contains(&pair) && !self.ways.iter().any(|(held, _)| *held == pair) {
                    self.ways.push((pair, Rc::new(Way::new(points.clone()))));
                }
                points.reverse();
            }
        }
    }

    /// A strand of a trunk, beside those found before; `points` is the trunk where there is none yet.
    fn strand(&mut self, pair: Pair, mut points: Vec<Point>) -> Vec<Point> {
        let backwards = pair.from > pair.to;
        let ends = (pair.from.min(pair.to), pair.from.max(pair.to));
        let trunk = if let Some((_, trunk)) = self.trunks.iter().find(|(held, _)| *held == ends) {
            trunk
        } else {
            if backwards {
                points.reverse();
            }
            self.trunks.push((ends, points.clone()));
            &points
        };
        // 0, 1, -1, 2, -2 …
        #[expect(clippy::cast_precision_loss, reason = "a few strands")]
        let rank = pair.strand.div_ceil(2) as f32 * if pair.strand % 2 == 1 { STRAND } else { -STRAND };
        let mut points = aside(trunk, rank);
        // Strands beside one that runs along the edge.
        for at in &mut points {
            at.x = at.x.max(EDGE).min(self.width - EDGE);
            at.y = at.y.max(self.top).min(self.height - EDGE);
        }
        if backwards {
            points.reverse();
        }
        points
    }

    /// A short way out of a card, to where there is room for a count and the fewest lines run.
    fn stub(&self, from: usize, drawn: &[Pair]) -> Vec<Point> {
        let Some(Node { rect }) = self.nodes.get(from).filter(|_| from < self.ids.len()) else { return Vec::new() };
        let centre = rect.centre();
        let mut best = (usize::MAX, Vec::new());
        for (x, y) in [(1.0, 0.0), (0.0, -1.0), (-1.0, 0.0), (0.0, 1.0)] {
            for along in [0.0, 0.3, -0.3] {
                let (across, down): (f32, f32) = (x * 0.5 + y * along, y * 0.5 + x * along);
                let start = Point { x: centre.x + across * rect.width, y: centre.y + down * rect.height };
                let end = Point { x: start.x + x * STUB, y: start.y + y * STUB };
                let lies_under = |at: &&Point| (at.x - end.x).abs() < COUNT.0 && (at.y - end.y).abs() < COUNT.1;
                let ways = self.ways.iter().filter(|(held, _)| drawn.contains(held));
                let ways = ways.map(|(_, way)| way.points().iter().filter(lies_under).count());
                // Where there is no room anywhere, somewhere all the same.
                let mut price = ways.sum::<usize>();
                // Neither its count lies on somebody or on words, nor it on its own card's.
                let beside = Point { x: start.x + x * NEAR, y: start.y + y * NEAR };
                for is_free in [self.is_free(end, COUNT), self.is_free(beside, (2.0, 2.0))] {
                    price += if is_free { 0 } else { ROOMLESS };
                }
                if price < best.0 {
                    best = (price, vec![start, end]);
                }
            }
        }
        best.1
    }

    /// Whether what is so large lies in the field about a place, and on nobody and no words.
    fn is_free(&self, at: Point, size: (f32, f32)) -> bool {
        let (x, y) = (size.0 / 2.0, size.1 / 2.0);
        let lies_on =
            |rect: &Rect| at.x + x > rect.x && at.x - x < rect.right() && at.y + y > rect.y && at.y - y < rect.bottom();
        let in_field = at.x > x && at.y > y + self.top && at.x < self.width - x && at.y < self.height - y;
        in_field && !self.nodes.iter().map(|node| &node.rect).chain(&self.labels).any(lies_on)
    }

    fn way(&self, pair: Pair) -> Rc<Way> {
        self.ways.iter().find(|(held, _)| *held == pair).map(|(_, way)| Rc::clone(way)).unwrap_or_default()
    }

    /// Where each ribbon's count stands: near the middle of its way, on nobody and no words, and beside those placed
    /// before. `None` for one that has no way here.
    pub fn counts(&self) -> Vec<Option<Point>> {
        let mut placed: Vec<Option<Point>> = Vec::with_capacity(self.ribbons.len());
        for ribbon in &self.ribbons {
            let mut best = (u8::MAX, Point::default());
            for step in 0..20_u8 {
                let aside = f32::from(step.div_ceil(2)) * 0.05;
                let (at, _) = ribbon.way.at(if step % 2 == 0 { 0.5 + aside } else { 0.5 - aside });
                let near = |other: &Point| (other.x - at.x).abs() < COUNT.0 && (other.y - at.y).abs() < COUNT.1;
                // One that lies on another cannot be pressed; on a card it can.
                let price = u8::from(!self.is_free(at, COUNT)) + 2 * u8::from(placed.iter().flatten().any(near));
                if price < best.0 {
                    best = (price, at);
                }
            }
            placed.push(Some(best.1).filter(|_| !ribbon.way.is_empty()));
        }
        placed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use monkeytown_protocol::{FlowKind, FlowStatus};

    #[test]
    fn ways_of_pairs_that_come_and_go_for_days_are_not_all_remembered() {
        let mut scene = Scene { width: 1_000.0, height: 600.0, ..Scene::default() };
        let body =
            |at: u8| Rect { x: f32::from(at % 8) * 120.0, y: f32::from(at / 8) * 90.0, width: 60.0, height: 40.0 };
        scene.seat(Vec::new(), (0..40).map(body).collect(), Vec::new(), None);
        let pairs = (0..40).flat_map(|from| (0..40).map(move |to| Pair { from, to, strand: 0 }));
        for pair in pairs.filter(|pair| pair.from != pair.to) {
            scene.find_ways(&[pair]);
            assert!(!scene.way(pair).is_empty(), "{pair:?}");
        }
        assert!(scene.ways.len() <= WAYS_MAX + 1 && scene.trunks.len() <= WAYS_MAX + 1, "{}", scene.ways.len());
    }

    #[test]
    fn arcs_lie_by_the_order_of_rows_and_what_goes_to_several_has_none() {
        let mut scene = Scene { width: 390.0, height: 600.0, one_column: true, ..Scene::default() };
        // In the order of ids the last row comes first.
        let row = |y: f32| Rect { x: GUTTER, y, width: 300.0, height: 50.0 };
        scene.seat(Vec::new(), vec![row(500.0), row(0.0), row(250.0)], Vec::new(), None);
        let [long, short, several] =
            [(1, 0), (1, 2), (1, scene.nodes.len())].map(|(from, to)| Pair { from, to, strand: 0 });
        scene.find_ways(&[long, short, several]);
        let reach = |pair| scene.way(pair).points().iter().map(|at| at.x).fold(f32::INFINITY, f32::min);
        assert!(reach(long) < reach(short), "the longer arc lies about the shorter");
        let ends = scene.way(long);
        assert!(ends.at(0.0).0.y < 50.0 && ends.at(1.0).0.y > 500.0);
        assert!(scene.way(several).is_empty());
    }

    #[test]
    fn a_flow_keeps_its_strand_whoever_leaves_beside_it() {
        let mut scene = Scene { width: 1_000.0, height: 600.0, ..Scene::default() };
        let agents = ["ada", "bob"].map(|id| EntityId::new(id).expect("an id"));
        let body = |x: f32| Rect { x, y: 200.0, width: 100.0, height: 100.0 };
        scene.seat(agents.to_vec(), vec![body(50.0), body(700.0)], Vec::new(), None);
        let name = |name: &str| monkeytown_protocol::Text::fitted(name);
        let flow = |id: &str| crate::signals::FlowRow {
            id: FlowId::new(id).expect("an id"),
            source: agents[0].clone(),
            source_name: name("ada"),
            target: agents[1].clone(),
            target_name: name("bob"),
            kind: FlowKind::Message,
            status: FlowStatus::Active,
            reason: None,
            leaves_at: None,
            dim: false,
        };
        let mut cast = |ids: &[&str]| {
            let flows = FlowsView { drawn: ids.iter().map(|id| flow(id)).collect(), ..FlowsView::default() };
            scene.cast(&flows, &[], &agents, None);
            scene.strands.iter().map(|strand| Rc::clone(&strand.way)).collect::<Vec<_>>()
        };
        let before = cast(&["a", "b", "c"]);
        let after = cast(&["b", "c", "d"]);
        assert!(Rc::ptr_eq(&before[1], &after[0]) && Rc::ptr_eq(&before[2], &after[1]), "they stay where they are");
        assert!(Rc::ptr_eq(&before[0], &after[2]), "who comes takes the place that is free");
    }
}
