//! Paints the canvas while there is something to see, at the screen's pace, and not at all in a hidden tab.

use crate::{
    clock,
    dom::{Piece, leaked},
    signals::{STILL, Signals},
    terrarium::{
        canvas,
        pace::{Effects, Pace},
        scene::Scene,
    },
};
use monkeytown_keepsakes::Class;
use std::cell::{Cell, RefCell};
use web_sys::HtmlCanvasElement;

/// So many flows are a storm: their particles have no tails, and move in every second frame.
const STORM: usize = 24;
const COMETS_EVERY_MILLIS: f64 = 25.0;
/// Lines stand, and are painted when the picture is another, and so often while some fade, in milliseconds: painting
/// them is what takes the browser longest of all. Particles move on a canvas of their own.
const FADING_EVERY_MILLIS: f64 = 200.0;
const LINES_EVERY_THIN_MILLIS: f64 = 250.0;

/// The painter. Cloning shares it.
#[derive(Clone, Copy)]
pub struct Painter(&'static Easel);

struct Easel {
    canvas: HtmlCanvasElement,
    /// Over it: what moves, while lines stand.
    comets: HtmlCanvasElement,
    /// The page, which is told how much is drawn.
    page: Piece,
    scene: &'static RefCell<Scene>,
    signals: Signals,
    pace: RefCell<Pace>,
    asked: Cell<bool>,
    /// Whether the witness asked for stillness. Asked for once a second: an answer takes the browser a tenth of a frame.
    still: Cell<bool>,
    /// Whether the picture is another since it was painted.
    stale: Cell<bool>,
    lines_at: Cell<f64>,
    /// When what moves was painted; 0 when nothing is.
    comets_at: Cell<f64>,
}

impl Painter {
    /// A painter of `scene` on `canvas`, and of what moves on `comets` over it.
    pub fn new([canvas, comets]: [HtmlCanvasElement; 2], scene: &'static RefCell<Scene>, signals: &Signals) -> Self {
        let page = Piece::section("page");
        let (pace, asked, still, stale) =
            (RefCell::default(), Cell::new(false), Cell::new(clock::prefers_stillness()), Cell::new(true));
        let (lines_at, comets_at) = Default::default();
        let signals = signals.clone();
        Self(leaked(Easel { canvas, comets, page, scene, signals, pace, asked, still, stale, lines_at, comets_at }))
    }

    /// Paints from the next frame on: the scene is another.
    pub fn wake(&self) {
        self.0.stale.set(true);
        self.begin();
    }

    /// Paints all in the next frame, however thinly it is painted otherwise: the canvases cover another place.
    pub fn hurry(&self) {
        self.0.lines_at.set(f64::NEG_INFINITY);
        self.0.comets_at.set(f64::NEG_INFINITY);
    }

    /// Looks in the next frame whether anything moves: the scene is the same, but what the witness prefers may not be.
    pub fn look_again(&self) {
        self.0.still.set(clock::prefers_stillness() || self.0.signals.kept.peek().has(Class::Preference, STILL));
        self.begin();
    }

    fn begin(&self) {
        if !self.0.asked.replace(true) {
            self.ask();
        }
    }

    fn ask(&self) {
        let painter = *self;
        clock::on_next_frame(move |_| painter.paint());
    }

    fn paint(&self) {
        let easel = &self.0;
        let now = clock::monotonic_millis();
        let still = easel.still.get() || easel.signals.gaze.peek().mode.is_still();
        let scene = easel.scene.borrow();
        let mut pace = easel.pace.borrow_mut();
        let before = pace.effects();
        pace.frame(now);
        let effects = pace.effects();
        if effects != before {
            easel.stale.set(true);
        }
        easel.page.set("", "data-effects", if still { Effects::State } else { effects }.as_str());
        let moves = !still && effects != Effects::State;
        let thin = effects != Effects::All || scene.strands.len() >= STORM;
        let since = now - easel.lines_at.get();
        let is_due = if thin && moves { since >= LINES_EVERY_THIN_MILLIS } else { true };
        let fades = moves && since >= FADING_EVERY_MILLIS && canvas::fades(&scene, now);
        let is_painted = is_due && (fades || easel.stale.get());
        if is_painted {
            easel.stale.set(false);
            easel.lines_at.set(now);
            let is_full = scene.strands.len() < STORM && effects != Effects::State;
            canvas::paint(&easel.canvas, &scene, is_full, now);
        }
        // What does not move is painted once: with the lines, at rest.
        let is_empty = scene.strands.is_empty();
        let is_next = if moves { !thin || now - easel.comets_at.get() >= COMETS_EVERY_MILLIS } else { is_painted };
        if !is_empty && is_next {
            easel.comets_at.set(now);
            canvas::paint_moving(&easel.comets, &scene, now, moves, !thin);
        } else if is_empty && (is_painted || easel.comets_at.replace(0.0) > 0.0) {
            canvas::paint_moving(&easel.comets, &scene, now, false, false);
        }
        let is_over = scene.strands.is_empty() || still || clock::is_hidden();
        if is_over && !easel.stale.get() {
            easel.asked.set(false);
            pace.rest();
        } else {
            self.ask();
        }
    }
}
