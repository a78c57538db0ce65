//! Flows on one canvas under the cards: simple curves between the edges of two seats.
//!
//! Drawn in CSS pixels on a backing store of device pixels. Knows the stage and the seats, nothing of signals.

use super::{
    layout::{OVERHANG, Placement, Seat},
    stage::{Stage, Staged},
};
use monkeytown_protocol::{EntityId, FlowKind, FlowStatus};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

/// Air between a card's edge and a line's end, in CSS pixels.
const AIR: f64 = 8.0;
/// Width of the gutter of the one column, in CSS pixels.
const GUTTER: f64 = 52.0;
/// A backing store over this ratio costs memory that no eye sees.
const PIXEL_RATIO_MAX: f64 = 3.0;
/// Longest side of a backing store that every browser holds, in device pixels.
const SIDE_MAX: f64 = 8_192.0;

const BROKEN: &str = "#ef4444";

/// Where everybody sits.
#[derive(Debug, Clone, Default)]
pub struct Scene {
    /// Seats, in the order of ids.
    pub seats: Vec<(EntityId, Placement)>,
    /// Width of the field, in CSS pixels.
    pub width: f64,
    /// Height of the field or of the one column, in CSS pixels.
    pub height: f64,
    /// Whether it is the one column, where flows are arcs in a gutter on the left.
    pub one_column: bool,
}

type Point = (f64, f64);

/// A cubic Bézier curve.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Curve {
    from: Point,
    bend_from: Point,
    bend_to: Point,
    to: Point,
}

impl Curve {
    fn at(&self, share: f64) -> Point {
        let rest = 1.0 - share;
        let (a_share, d_share) = (rest * rest * rest, share * share * share);
        let (b_share, c_share) = (3.0 * rest * rest * share, 3.0 * rest * share * share);
        let mix = |a: f64, b: f64, c: f64, d: f64| a_share * a + b_share * b + c_share * c + d_share * d;
        (
            mix(self.from.0, self.bend_from.0, self.bend_to.0, self.to.0),
            mix(self.from.1, self.bend_from.1, self.bend_to.1, self.to.1),
        )
    }

    /// Which way it runs at `share`, as a vector of length 1. Vectors rather than angles: sine and its kin cost
    /// the page 7 KB.
    fn direction(&self, share: f64) -> Point {
        let (a, b) = (self.at((share - 0.02).max(0.0)), self.at((share + 0.02).min(1.0)));
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let length = length(dx, dy);
        (dx / length, dy / length)
    }
}

fn length(dx: f64, dy: f64) -> f64 {
    (dx * dx + dy * dy).sqrt().max(0.001)
}

fn colour(kind: FlowKind) -> &'static str {
    match kind {
        FlowKind::Message => "#b57bff",
        FlowKind::Resource => "#22d3ee",
        FlowKind::Contract => "#fbbf24",
        FlowKind::Signal => "#4ade80",
    }
}

impl Scene {
    /// What lines must leave and reach: a card with its mask, or at rest the mask alone.
    fn seat(&self, id: &EntityId) -> Option<Placement> {
        let at = self.seats.binary_search_by(|(held, _)| held.cmp(id)).ok()?;
        let (_, seat) = *self.seats.get(at)?;
        Some(match seat.seat {
            Seat::Card => Placement { x: seat.x - OVERHANG, width: seat.width + OVERHANG, ..seat },
            Seat::Rest => Placement { width: seat.height, ..seat },
            Seat::Row => seat,
        })
    }

    /// The way of a flow; `strand` tells those between the same two apart. None when neither end has a seat.
    fn curve(&self, staged: &Staged, strand: f64) -> Option<Curve> {
        let (source, target) = (self.seat(&staged.flow.source), self.seat(&staged.flow.target));
        if self.one_column {
            return self.arc(source.as_ref(), target.as_ref(), strand);
        }
        match (source, target) {
            (Some(source), Some(target)) if source == target => None,
            (Some(source), Some(target)) => Some(between(&source, &target, strand)),
            // Who has no seat here (the people who merge, an agent out of view) is beyond the right edge.
            (Some(seat), None) => {
                let (x, y) = centre(&seat);
                let end = (self.width - 4.0, y + strand);
                let start = (x + seat.width / 2.0 + AIR, y + strand);
                Some(Curve {
                    from: start,
                    bend_from: (start.0 + 30.0, start.1),
                    bend_to: (end.0 - 30.0, end.1),
                    to: end,
                })
            }
            (None, Some(seat)) => {
                let (x, y) = centre(&seat);
                let start = (self.width - 4.0, y + 20.0 + strand);
                let end = (x + seat.width / 2.0 + AIR, y + strand);
                Some(Curve {
                    from: start,
                    bend_from: (start.0 - 30.0, start.1),
                    bend_to: (end.0 + 30.0, end.1),
                    to: end,
                })
            }
            (None, None) => None,
        }
    }

    fn arc(&self, source: Option<&Placement>, target: Option<&Placement>, strand: f64) -> Option<Curve> {
        let y = |seat: Option<&Placement>| seat.map_or(0.0, |seat| seat.y + 24.0);
        source.or(target)?;
        let (from, to) = ((GUTTER, y(source)), (GUTTER, y(target)));
        let reach = (GUTTER - 4.0 - (from.1 - to.1).abs() * 0.12 - strand.abs()).max(6.0);
        Some(Curve { from, bend_from: (reach - 14.0, from.1), bend_to: (reach - 14.0, to.1), to })
    }
}

fn centre(seat: &Placement) -> Point {
    (seat.x + seat.width / 2.0, seat.y + seat.height / 2.0)
}

/// From edge to edge, bowed to the right of its own direction, so that two ways between the same two part.
fn between(source: &Placement, target: &Placement, strand: f64) -> Curve {
    let (a, b) = (centre(source), centre(target));
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let length = length(dx, dy);
    let bow = (length * 0.12).min(48.0) + strand;
    let normal = (-dy / length * bow, dx / length * bow);
    let third = |share: f64| (a.0 + dx * share + normal.0, a.1 + dy * share + normal.1);
    let (near, far) = (third(0.33), third(0.67));
    let from = edge(source, near);
    let to = edge(target, far);
    Curve { from, bend_from: near, bend_to: far, to }
}

/// Where the line from a seat's middle towards `towards` leaves the seat's box.
fn edge(seat: &Placement, towards: Point) -> Point {
    let middle = centre(seat);
    let (dx, dy) = (towards.0 - middle.0, towards.1 - middle.1);
    let reach_x = (seat.width / 2.0 + AIR) / dx.abs().max(0.001);
    let reach_y = (seat.height / 2.0 + AIR) / dy.abs().max(0.001);
    let reach = reach_x.min(reach_y);
    (middle.0 + dx * reach, middle.1 + dy * reach)
}

/// Paints the stage. With `still`, nothing moves and everything says the same.
pub fn paint(canvas: &HtmlCanvasElement, scene: &Scene, stage: &Stage, now_millis: f64, still: bool) {
    let Some(context) = context(canvas, scene) else { return };
    let (cast, _) = stage.cast();
    for (at, staged) in cast.iter().enumerate() {
        let same =
            |other: &&&Staged| other.flow.source == staged.flow.source && other.flow.target == staged.flow.target;
        // At most fifty are drawn, so looking back costs less than remembering.
        let before = cast.iter().take(at).filter(same).count().min(6);
        #[expect(clippy::cast_precision_loss, reason = "at most six")]
        if let Some(curve) = scene.curve(staged, before as f64 * 7.0) {
            context.save();
            draw(&context, staged, &curve, now_millis, still);
            context.restore();
        }
    }
}

/// A clean canvas of the scene's size.
fn context(canvas: &HtmlCanvasElement, scene: &Scene) -> Option<CanvasRenderingContext2d> {
    // In the one column only the gutter is drawn on: the whole would be larger than some browsers can hold.
    let width = if scene.one_column { GUTTER + AIR } else { scene.width };
    let ratio = web_sys::window().map_or(1.0, |window| window.device_pixel_ratio()).clamp(1.0, PIXEL_RATIO_MAX);
    let ratio = ratio.min(SIDE_MAX / scene.height.max(1.0)).min(SIDE_MAX / width.max(1.0));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a screen's size")]
    let size = ((width * ratio) as u32, (scene.height * ratio) as u32);
    #[expect(clippy::cast_possible_truncation, reason = "a screen's size")]
    if (canvas.width(), canvas.height()) != size {
        canvas.set_width(size.0);
        canvas.set_height(size.1);
        let style = canvas.style();
        // Setting a length that the browser computed itself cannot fail.
        let _ = style.set_property("width", &format!("{}px", width as i32));
        let _ = style.set_property("height", &format!("{}px", scene.height as i32));
    }
    let context: CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
    // A context that refuses these has lost its canvas; there is nothing to paint on.
    context.set_transform(ratio, 0.0, 0.0, ratio, 0.0, 0.0).ok()?;
    context.clear_rect(0.0, 0.0, width, scene.height);
    Some(context)
}

fn draw(context: &CanvasRenderingContext2d, staged: &Staged, curve: &Curve, now_millis: f64, still: bool) {
    let light = staged.light(now_millis);
    let kind = staged.flow.kind;
    let colour = colour(kind);
    context.set_line_cap("round");
    context.set_stroke_style_str(colour);
    context.set_fill_style_str(colour);
    // Under way for the least time that a flow is seen, whatever its status: an instant, made visible.
    let moving =
        staged.flow.status == FlowStatus::Active || staged.leaves_at().is_some_and(|at| now_millis < at - 1_000.0);
    match staged.flow.status {
        FlowStatus::Error => draw_broken(context, curve, light),
        FlowStatus::Pending => {
            context.set_global_alpha(0.7 * light);
            dash(context, &[0.5, 6.0], 0.0);
            context.set_line_width(1.8);
            stroke(context, curve, 1.0);
            head(context, curve, 5.0);
            dash(context, &[], 0.0);
            let beat = if still { 0.6 } else { 0.35 + 0.35 * ((now_millis / 500.0) % 2.0 - 1.0).abs() };
            circle(context, curve.from, 3.2, true);
            context.set_global_alpha(beat * light);
            context.set_line_width(1.2);
            circle(context, curve.from, 7.5, false);
        }
        FlowStatus::Active | FlowStatus::Complete if moving => {
            context.set_global_alpha(0.16 * light);
            context.set_line_width(7.0);
            stroke(context, curve, 1.0);
            context.set_global_alpha(0.9 * light);
            context.set_line_width(1.8);
            dash(context, &[9.0, 6.0], if still { 0.0 } else { -(now_millis / 40.0) % 15.0 });
            stroke(context, curve, 1.0);
            dash(context, &[], 0.0);
            head(context, curve, 8.0);
            for which in 0..2 {
                let share = if still {
                    0.35 + 0.3 * f64::from(which)
                } else {
                    (now_millis / 2_400.0 + f64::from(which) * 0.5).fract()
                };
                particle(context, kind, curve, share);
            }
        }
        FlowStatus::Active | FlowStatus::Complete => {
            context.set_global_alpha(0.26 * light);
            context.set_line_width(1.2);
            stroke(context, curve, 1.0);
            head(context, curve, 6.0);
        }
    }
}

/// Red to the break, a cross there, dotted beyond.
fn draw_broken(context: &CanvasRenderingContext2d, curve: &Curve, light: f64) {
    let (x, y) = curve.at(0.6);
    context.set_stroke_style_str(BROKEN);
    context.set_fill_style_str(BROKEN);
    context.set_global_alpha(0.35 * light);
    dash(context, &[0.5, 6.0], 0.0);
    context.set_line_width(1.8);
    stroke(context, curve, 1.0);
    dash(context, &[], 0.0);
    context.set_global_alpha(light);
    stroke(context, curve, 0.6);
    context.set_line_width(2.4);
    context.begin_path();
    context.move_to(x - 6.0, y - 6.0);
    context.line_to(x + 6.0, y + 6.0);
    context.move_to(x + 6.0, y - 6.0);
    context.line_to(x - 6.0, y + 6.0);
    context.stroke();
    context.set_global_alpha(0.35 * light);
    head(context, curve, 6.0);
}

/// Strokes the curve up to `share` of its way.
fn stroke(context: &CanvasRenderingContext2d, curve: &Curve, share: f64) {
    context.begin_path();
    context.move_to(curve.from.0, curve.from.1);
    if share >= 1.0 {
        let (a, b, to) = (curve.bend_from, curve.bend_to, curve.to);
        context.bezier_curve_to(a.0, a.1, b.0, b.1, to.0, to.1);
    } else {
        for step in 1..=24 {
            let (x, y) = curve.at(share * f64::from(step) / 24.0);
            context.line_to(x, y);
        }
    }
    context.stroke();
}

fn dash(context: &CanvasRenderingContext2d, pattern: &[f64], offset: f64) {
    let segments: js_sys::Array = pattern.iter().map(|length| JsValue::from_f64(*length)).collect();
    // Only a pattern that is no list of numbers is refused.
    let _ = context.set_line_dash(&segments);
    context.set_line_dash_offset(offset);
}

/// A filled arrowhead at the target.
fn head(context: &CanvasRenderingContext2d, curve: &Curve, size: f64) {
    let (tip, (dx, dy)) = (curve.to, curve.direction(1.0));
    let corner = |side: f64| (tip.0 - size * (0.88 * dx - side * dy), tip.1 - size * (0.88 * dy + side * dx));
    polygon(context, &[tip, corner(0.48), corner(-0.48)]);
}

/// A particle on its way, shaped as its kind: dot, dart, diamond, ring.
fn particle(context: &CanvasRenderingContext2d, kind: FlowKind, curve: &Curve, share: f64) {
    let (x, y) = curve.at(share);
    match kind {
        FlowKind::Message => circle(context, (x, y), 2.8, true),
        FlowKind::Signal => {
            circle(context, (x, y), 3.6, false);
            circle(context, (x, y), 1.4, true);
        }
        FlowKind::Contract => polygon(context, &[(x, y - 4.0), (x + 4.0, y), (x, y + 4.0), (x - 4.0, y)]),
        FlowKind::Resource => {
            let (dx, dy) = curve.direction(share);
            let point = |along: f64, aside: f64| (x + along * dx - aside * dy, y + along * dy + aside * dx);
            polygon(context, &[point(5.0, 0.0), point(-3.6, 2.7), point(-3.6, -2.7)]);
        }
    }
}

fn circle(context: &CanvasRenderingContext2d, (x, y): Point, radius: f64, filled: bool) {
    context.begin_path();
    // Only a negative radius is refused.
    let _ = context.arc(x, y, radius, 0.0, std::f64::consts::TAU);
    if filled { context.fill() } else { context.stroke() }
}

fn polygon(context: &CanvasRenderingContext2d, points: &[Point]) {
    context.begin_path();
    for (x, y) in points {
        context.line_to(*x, *y);
    }
    context.close_path();
    context.fill();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_runs_from_edge_to_edge_and_never_from_within_a_card() {
        let seat = |x, y| Placement { x, y, width: 244.0, height: 84.0, seat: Seat::Card };
        let (source, target) = (seat(50.0, 60.0), seat(500.0, 320.0));
        let curve = between(&source, &target, 0.0);
        for (point, seat) in [(curve.from, source), (curve.to, target)] {
            let inside =
                point.0 > seat.x && point.0 < seat.x + seat.width && point.1 > seat.y && point.1 < seat.y + seat.height;
            assert!(!inside, "{point:?} in {seat:?}");
        }
    }

    #[test]
    fn the_ways_there_and_back_are_apart() {
        let seat = |x| Placement { x, y: 0.0, width: 244.0, height: 84.0, seat: Seat::Card };
        let there = between(&seat(0.0), &seat(600.0), 0.0).at(0.5);
        let back = between(&seat(600.0), &seat(0.0), 0.0).at(0.5);
        assert!((there.1 - back.1).abs() > 20.0);
    }
}
