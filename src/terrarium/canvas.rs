//! Flows under the cards: what stands on one canvas, what moves on another over it.
//!
//! Drawn in CSS pixels on a backing store of device pixels. Knows the scene, nothing of signals or the fold.

use super::{
    scene::{BREAK, Dispute, GUTTER, Ribbon, Scene, Strand, WORDS_MAX, words_size},
    way::{PARTS, Way},
};
use crate::dom::document;
use js_sys::Array;
use monkeytown_protocol::{FlowKind, FlowStatus};
use monkeytown_terrain::Point;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

/// A backing store over this ratio costs memory that no eye sees.
const PIXEL_RATIO_MAX: f64 = 3.0;
/// Longest side of a backing store that every browser holds, in device pixels.
const SIDE_MAX: f64 = 8_192.0;
/// How long a flow fades before it leaves, in milliseconds.
pub const FADE_MILLIS: f64 = 1_000.0;
/// How light a flow is that the filter leaves out.
const DIM: f64 = 0.22;
/// How long a particle's tail is, in CSS pixels.
const TAIL: f32 = 18.0;

const BROKEN: &str = "#ef4444";
const BROKEN_TEXT: &str = "#fca5a5";
const DEMANDS: &str = "#ff6b35";
const DEMANDS_TEXT: &str = "#ffab8a";
const QUIET: &str = "#b4bec4";
const GROUND: &str = "#0f1419";

/// The colour of a kind; its shape says the same.
fn colour(kind: FlowKind) -> &'static str {
    match kind {
        FlowKind::Message => "#b57bff",
        FlowKind::Resource => "#22d3ee",
        FlowKind::Contract => "#fbbf24",
        FlowKind::Signal => "#4ade80",
    }
}

/// The canvas with this id.
#[must_use]
pub fn find(id: &str) -> Option<HtmlCanvasElement> {
    document().get_element_by_id(id)?.dyn_into().ok()
}

/// A clean canvas of a size in CSS pixels, crisp at the screen's pixel ratio. `None` when its context is lost.
pub fn clean(canvas: &HtmlCanvasElement, width: f32, height: f32) -> Option<CanvasRenderingContext2d> {
    let (width, height) = (f64::from(width), f64::from(height));
    let ratio = web_sys::window().map_or(1.0, |window| window.device_pixel_ratio()).clamp(1.0, PIXEL_RATIO_MAX);
    let ratio = ratio.min(SIDE_MAX / height.max(1.0)).min(SIDE_MAX / width.max(1.0));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a screen's size")]
    let size = ((width * ratio) as u32, (height * ratio) as u32);
    #[expect(clippy::cast_possible_truncation, reason = "a screen's size")]
    if (canvas.width(), canvas.height()) != size {
        canvas.set_width(size.0);
        canvas.set_height(size.1);
        let style = canvas.style();
        // Setting a length that the browser computed itself cannot fail.
        let _ = style.set_property("width", &format!("{}px", width as i32));
        let _ = style.set_property("height", &format!("{}px", height as i32));
    }
    let context: CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
    // A context that refuses these has lost its canvas; there is nothing to paint on.
    context.set_transform(ratio, 0.0, 0.0, ratio, 0.0, 0.0).ok()?;
    context.clear_rect(0.0, 0.0, width, height);
    Some(context)
}

/// Paints what stands: ribbons, lines, heads, breaks and words. `full`: lines glow and grow.
pub fn paint(canvas: &HtmlCanvasElement, scene: &Scene, full: bool, now_millis: f64) {
    let Some(brush) = Brush::on(canvas, scene, false, full, now_millis) else { return };
    for ribbon in scene.ribbons.iter().filter(|ribbon| !ribbon.way.is_empty()) {
        brush.ribbon(ribbon);
    }
    for dispute in scene.disputes.iter().filter(|dispute| !dispute.way.is_empty()) {
        brush.dispute(dispute);
    }
    // What broke over all others.
    for broken in [false, true] {
        let strands = scene.strands.iter().filter(|strand| (strand.status == FlowStatus::Error) == broken);
        for strand in strands.filter(|strand| !strand.way.is_empty()) {
            brush.strand(strand);
        }
    }
    // Words last: no line runs through them.
    for strand in scene.strands.iter().filter(|strand| brush.words && strand.status == FlowStatus::Error) {
        if let Some(reason) = &strand.reason {
            // Of what the filter leaves out words only darken: they can still be read.
            let light = brush.light(strand).0 / if strand.dim { DIM } else { 1.0 };
            brush.context.set_global_alpha(light);
            brush.say(reason.as_str(), strand.reason_at, if strand.dim { QUIET } else { BROKEN_TEXT });
        }
    }
    brush.context.set_global_alpha(1.0);
    if let Some(people) = scene.people {
        // Their flows end at the field's edge, at somebody who has no card.
        let at = |y| Point { x: people.x - 2.0, y: people.y + y };
        brush.say("people", Point { x: people.x - 26.0, y: people.y - 30.0 }, QUIET);
        brush.circle(at(-8.0), 3.6, true);
        brush.polygon(
            at(-2.0),
            Point { x: 0.0, y: 1.0 },
            &[(0.0, 3.0), (3.0, 6.0), (12.0, 6.0), (12.0, -6.0), (3.0, -6.0), (0.0, -3.0)],
        );
    }
}

/// Whether somebody is on the way out: just arrived, or about to leave.
pub fn fades(scene: &Scene, now_millis: f64) -> bool {
    let leaves_soon = |strand: &Strand| {
        let least = if strand.status == FlowStatus::Error { FADE_MILLIS } else { f64::INFINITY };
        strand.leaves_at.is_some_and(|leaves| leaves - now_millis < least)
    };
    scene.strands.iter().any(leaves_soon)
}

/// Paints what moves over the lines: particles, and the beat of what waits. `full`: several on each, with tails. When
/// nothing `moves` they stand, and say the same.
pub fn paint_moving(canvas: &HtmlCanvasElement, scene: &Scene, now_millis: f64, moves: bool, full: bool) {
    let Some(brush) = Brush::on(canvas, scene, moves, full, now_millis) else { return };
    for strand in scene.strands.iter().filter(|strand| !strand.way.is_empty()) {
        let (light, fresh) = brush.light(strand);
        brush.context.set_stroke_style_str(colour(strand.kind));
        brush.context.set_fill_style_str(colour(strand.kind));
        if strand.status == FlowStatus::Pending {
            brush.beat(&strand.way, light);
        } else if strand.status == FlowStatus::Active || (strand.status == FlowStatus::Complete && fresh) {
            brush.comets(strand, light);
        }
    }
}

struct Brush {
    context: CanvasRenderingContext2d,
    /// In a storm halos would hide the lines.
    halos: bool,
    /// Whether all is drawn: lines that grow, three particles with tails on each.
    full: bool,
    moves: bool,
    now_millis: f64,
    words: bool,
    scale: f32,
    font: String,
    width: f64,
    dots: Array,
    dashes: Array,
    solid: Array,
}

fn pattern(line: f64, gap: f64) -> Array {
    Array::of2(&JsValue::from_f64(line), &JsValue::from_f64(gap))
}

/// Where `now` is in a beat of `period`, from 0 to 1. Without `%`, which for floats costs the page 2 KB.
fn phase(now_millis: f64, period_millis: f64) -> f64 {
    let beats = now_millis / period_millis;
    beats - beats.floor()
}

impl Brush {
    /// On a clean canvas. `None` when its context is lost.
    fn on(canvas: &HtmlCanvasElement, scene: &Scene, moves: bool, full: bool, now_millis: f64) -> Option<Self> {
        // In the one column only the gutter is drawn on: the whole would be larger than some browsers can hold.
        let width = if scene.one_column { GUTTER + 4.0 } else { scene.width };
        let context = clean(canvas, width, scene.height)?;
        context.set_line_cap("round");
        context.set_line_join("round");
        Some(Self {
            context,
            halos: full && scene.ribbons.is_empty(),
            full,
            moves,
            now_millis,
            words: !scene.one_column,
            scale: scene.scale,
            font: scene.font(),
            width: width.into(),
            dots: pattern(0.5, 6.0),
            dashes: pattern(7.0, 5.0),
            solid: Array::new(),
        })
    }

    /// How light a strand is while it fades, and whether it is under way for the least time that a flow is seen, whatever
    /// its status: an instant, made visible.
    fn light(&self, strand: &Strand) -> (f64, bool) {
        let left = strand.leaves_at.map_or(1.0, |leaves| ((leaves - self.now_millis) / FADE_MILLIS).clamp(0.0, 1.0));
        let fresh = strand.leaves_at.is_some_and(|leaves| self.now_millis < leaves - FADE_MILLIS);
        let dim = if strand.dim { DIM } else { 1.0 };
        (left * dim * if strand.lit { 1.0 } else { 0.3 }, fresh)
    }

    /// How far a particle has come.
    #[expect(clippy::cast_possible_truncation, reason = "a share")]
    fn gone(&self) -> f32 {
        if self.moves { phase(self.now_millis, 2_400.0) as f32 } else { 0.4 }
    }

    fn ribbon(&self, ribbon: &Ribbon) {
        let colour = colour(ribbon.kind);
        self.context.set_stroke_style_str(colour);
        self.context.set_fill_style_str(colour);
        let light = if ribbon.dim { DIM } else { 1.0 };
        self.context.set_global_alpha(0.22 * light);
        self.context.set_line_width((8.0 + ribbon.count as f64 * 0.25).min(20.0));
        self.whole(&ribbon.way);
        self.context.set_global_alpha(0.8 * light);
        self.head(&ribbon.way, 9.0);
    }

    fn strand(&self, strand: &Strand) {
        let colour = colour(strand.kind);
        let (light, fresh) = self.light(strand);
        self.context.set_stroke_style_str(colour);
        self.context.set_fill_style_str(colour);
        match strand.status {
            FlowStatus::Error => self.broken(strand, light),
            FlowStatus::Pending => self.pending(&strand.way, light),
            FlowStatus::Active => self.active(strand, light),
            FlowStatus::Complete if fresh => self.active(strand, light),
            FlowStatus::Complete => {
                self.context.set_global_alpha(0.26 * light);
                self.context.set_line_width(1.2);
                self.whole(&strand.way);
                self.head(&strand.way, 6.0);
            }
        }
        self.context.set_global_alpha(1.0);
    }

    /// A ringed dot at the source, and a dotted trail.
    fn pending(&self, way: &Way, light: f64) {
        self.context.set_global_alpha(0.7 * light);
        self.dash(&self.dots);
        self.context.set_line_width(1.8);
        self.whole(way);
        self.dash(&self.solid);
        self.head(way, 6.0);
        let (start, _) = way.at(0.0);
        self.circle(start, 3.2, true);
    }

    /// The ring that beats about what waits.
    fn beat(&self, way: &Way, light: f64) {
        let (start, _) = way.at(0.0);
        let beat = if self.moves { 0.35 + 0.35 * (phase(self.now_millis, 1_000.0) * 2.0 - 1.0).abs() } else { 0.6 };
        self.context.set_global_alpha(beat * light);
        self.context.set_line_width(1.2);
        self.circle(start, 7.5, false);
    }

    /// A halo, dashes that grow in width and light towards the target, and an arrowhead.
    fn active(&self, strand: &Strand, light: f64) {
        let way = &strand.way;
        if self.halos {
            self.context.set_global_alpha(0.13 * light);
            self.context.set_line_width(8.0);
            self.whole(way);
        }
        self.dash(&self.dashes);
        // Dashes with round ends take the browser twice as long.
        self.context.set_line_cap("butt");
        if self.full {
            let growth = PARTS as f64;
            for (at, path) in way.parts().iter().enumerate() {
                let share = (at + 1) as f64 / growth;
                self.context.set_global_alpha((0.45 + 0.5 * share) * light);
                self.context.set_line_width(1.1 + 1.1 * share);
                self.context.stroke_with_path(path);
            }
        } else {
            self.context.set_global_alpha(0.75 * light);
            self.context.set_line_width(1.6);
            self.whole(way);
        }
        self.context.set_line_cap("round");
        self.dash(&self.solid);
        self.context.set_global_alpha(light);
        self.head(way, 8.0);
    }

    /// What is on its way: one particle, or several with tails.
    fn comets(&self, strand: &Strand, light: f64) {
        let way = &strand.way;
        let count = if self.full && way.length() >= 90.0 { 3_u8 } else { 1 };
        for which in 0..count {
            let share = self.gone() + strand.ahead + f32::from(which) / f32::from(count);
            self.comet(strand.kind, way, share - share.floor(), light);
        }
    }

    /// A particle shaped as its kind, with a tail.
    fn comet(&self, kind: FlowKind, way: &Way, share: f32, light: f64) {
        let (at, way_on) = way.at(share);
        if self.full && self.moves {
            // Straight, and narrower behind: on so short a way no bend shows.
            let tail = (share * way.length()).min(TAIL);
            self.context.set_global_alpha(0.34 * light);
            self.polygon(at, way_on, &[(0.0, 2.6), (-tail, 0.0), (0.0, -2.6)]);
        }
        self.context.set_global_alpha(light);
        match kind {
            FlowKind::Message => self.circle(at, 2.8, true),
            FlowKind::Signal => {
                self.context.set_line_width(1.4);
                self.context.set_fill_style_str(GROUND);
                self.circle(at, 3.8, true);
                self.context.set_fill_style_str(colour(kind));
                self.circle(at, 3.8, false);
                self.circle(at, 1.4, true);
            }
            FlowKind::Contract => self.polygon(at, way_on, &[(4.2, 0.0), (0.0, 3.4), (-4.2, 0.0), (0.0, -3.4)]),
            FlowKind::Resource => self.polygon(at, way_on, &[(5.4, 0.0), (-3.8, 3.0), (-3.8, -3.0)]),
        }
    }

    /// Red to the break, a cross there, dotted beyond; the reason is said when all lines are drawn.
    fn broken(&self, strand: &Strand, light: f64) {
        let way = &strand.way;
        let (at, _) = way.at(BREAK);
        self.context.set_stroke_style_str(BROKEN);
        self.context.set_fill_style_str(BROKEN);
        self.context.set_line_width(2.0);
        self.context.set_global_alpha(light);
        self.line(way, 0.0, BREAK - 0.02);
        self.context.set_global_alpha(0.5 * light);
        self.dash(&self.dots);
        self.line(way, BREAK + 0.02, 1.0);
        self.dash(&self.solid);
        self.head(way, 6.0);
        self.context.set_global_alpha(light);
        self.context.set_line_width(2.6);
        let (x, y) = (f64::from(at.x), f64::from(at.y));
        self.context.begin_path();
        self.context.move_to(x - 6.5, y - 6.5);
        self.context.line_to(x + 6.5, y + 6.5);
        self.context.move_to(x + 6.5, y - 6.5);
        self.context.line_to(x - 6.5, y + 6.5);
        self.context.stroke();
    }

    /// A dotted line between two who contradict one another, and on what.
    fn dispute(&self, dispute: &Dispute) {
        self.context.set_stroke_style_str(DEMANDS);
        self.context.set_line_width(2.0);
        self.dash(&self.dots);
        self.whole(&dispute.way);
        self.dash(&self.solid);
        let (at, _) = dispute.way.at(0.5);
        if self.words {
            self.say(&dispute.over, at, DEMANDS_TEXT);
        } else {
            self.circle(at, 4.0, false);
        }
    }

    /// Words about a place: as much as fits beside a line. Lists and the panel tell all of it.
    fn say(&self, words: &str, at: Point, colour: &str) {
        let (width, height) = words_size(words, self.scale);
        let (half, tall) = (f64::from(width) / 2.0, f64::from(height));
        let mut shown: String = words.chars().take(WORDS_MAX).collect();
        if shown.len() < words.len() {
            shown.pop();
            shown.push('…');
        }
        self.context.set_font(&self.font);
        self.context.set_text_align("center");
        self.context.set_fill_style_str(GROUND);
        let y = f64::from(at.y);
        // Whole, also beside the edge.
        let x = f64::from(at.x).min(self.width - half).max(half);
        self.context.fill_rect(x - half, y - tall / 2.0, half * 2.0, tall);
        self.context.set_fill_style_str(colour);
        // Only a canvas that is gone refuses text.
        let _ = self.context.fill_text(&shown, x, y + 4.0);
    }

    fn whole(&self, way: &Way) {
        if let Some(path) = way.whole() {
            self.context.stroke_with_path(path);
        }
    }

    fn line(&self, way: &Way, from: f32, to: f32) {
        if let Some(path) = way.path(from, to) {
            self.context.stroke_with_path(&path);
        }
    }

    fn dash(&self, dash: &Array) {
        // Only a pattern that is no list of numbers is refused.
        let _ = self.context.set_line_dash(dash);
    }

    /// A filled arrowhead at the target.
    fn head(&self, way: &Way, size: f32) {
        let (tip, way_on) = way.at(1.0);
        self.polygon(tip, way_on, &[(0.0, 0.0), (-0.88 * size, 0.5 * size), (-0.88 * size, -0.5 * size)]);
    }

    fn circle(&self, at: Point, radius: f64, filled: bool) {
        self.context.begin_path();
        // Only a negative radius is refused.
        let _ = self.context.arc(at.x.into(), at.y.into(), radius, 0.0, std::f64::consts::TAU);
        if filled { self.context.fill() } else { self.context.stroke() }
    }

    /// A shape of points along and aside of a direction.
    fn polygon(&self, at: Point, way_on: Point, points: &[(f32, f32)]) {
        self.context.begin_path();
        for (along, aside) in points {
            let x = at.x + along * way_on.x - aside * way_on.y;
            let y = at.y + along * way_on.y + aside * way_on.x;
            self.context.line_to(x.into(), y.into());
        }
        self.context.close_path();
        self.context.fill();
    }
}
