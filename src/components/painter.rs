//! Paints the canvas while there is something to see, at the screen's pace, and not at all in a hidden tab.

use crate::{
    clock,
    dom::Piece,
    signals::{Gaze, Topic},
    terrarium::{
        canvas,
        pace::{Effects, Pace},
        scene::Scene,
    },
};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};
use web_sys::HtmlCanvasElement;

/// So many flows are a storm: their particles move, their lines stand.
const STORM: usize = 24;
/// Where lines stand they are painted so often, in milliseconds, since those that leave fade; particles in every second
/// frame. Painting lines is what takes the browser longest of all.
const LINES_EVERY_MILLIS: f64 = 250.0;
const COMETS_EVERY_MILLIS: f64 = 25.0;

/// The painter. Cloning shares it.
#[derive(Clone)]
pub struct Painter(Rc<Easel>);

struct Easel {
    canvas: HtmlCanvasElement,
    /// Over it: particles alone, while lines stand.
    comets: HtmlCanvasElement,
    /// The page, which is told how much is drawn.
    page: Piece,
    scene: Rc<RefCell<Scene>>,
    gaze: Topic<Gaze>,
    pace: RefCell<Pace>,
    asked: Cell<bool>,
    /// Whether the picture is another since it was painted.
    stale: Cell<bool>,
    lines_at: Cell<f64>,
    /// When particles alone were painted; 0 when there are none.
    comets_at: Cell<f64>,
}

impl Painter {
    /// A painter of `scene` on `canvas`, and of particles on `comets` over it.
    pub fn new([canvas, comets]: [HtmlCanvasElement; 2], scene: Rc<RefCell<Scene>>, gaze: Topic<Gaze>) -> Self {
        let page = Piece::section("page");
        let (pace, asked, stale) = (RefCell::default(), Cell::new(false), Cell::new(true));
        let (lines_at, comets_at) = Default::default();
        Self(Rc::new(Easel { canvas, comets, page, scene, gaze, pace, asked, stale, lines_at, comets_at }))
    }

    /// Paints from the next frame on: the scene is another.
    pub fn wake(&self) {
        self.0.stale.set(true);
        self.look_again();
    }

    /// Looks in the next frame whether anything moves: the scene is the same, but what the witness prefers may not be.
    pub fn look_again(&self) {
        if !self.0.asked.replace(true) {
            self.ask();
        }
    }

    fn ask(&self) {
        let painter = self.clone();
        clock::on_next_frame(move |_| painter.paint());
    }

    fn paint(&self) {
        let easel = &self.0;
        let now = clock::monotonic_millis();
        let still = clock::prefers_stillness() || easel.gaze.peek().paused;
        let scene = easel.scene.borrow();
        let mut pace = easel.pace.borrow_mut();
        pace.frame(now);
        let effects = pace.effects();
        easel.page.set("", "data-effects", if still { Effects::State } else { effects }.as_str());
        // Frames are watched on, but what does not move is painted once.
        let moves = !still && effects != Effects::State;
        let thin = moves && (effects == Effects::Thin || scene.strands.len() >= STORM);
        let every = if thin { LINES_EVERY_MILLIS } else { 0.0 };
        if easel.stale.replace(false) || (moves && now - easel.lines_at.get() >= every) {
            easel.lines_at.set(now);
            canvas::paint(&easel.canvas, &scene, if thin { Effects::Thin } else { effects }, now, still);
        }
        if thin && !scene.strands.is_empty() {
            if now - easel.comets_at.get() >= COMETS_EVERY_MILLIS {
                easel.comets_at.set(now);
                canvas::paint_comets(&easel.comets, &scene, now);
            }
        } else if easel.comets_at.replace(0.0) > 0.0 {
            // One whose context is lost shows nothing either.
            let _ = canvas::clean(&easel.comets, scene.width, scene.height);
        }
        if scene.strands.is_empty() || still || clock::is_hidden() {
            easel.asked.set(false);
            pace.rest();
        } else {
            self.ask();
        }
    }
}
