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

/// Thin effects move on every second frame: painting is what they thin out.
const THIN_EVERY_MILLIS: f64 = 25.0;

/// The painter. Cloning shares it.
#[derive(Clone)]
pub struct Painter(Rc<Easel>);

struct Easel {
    canvas: HtmlCanvasElement,
    /// The page, which is told how much is drawn.
    page: Piece,
    scene: Rc<RefCell<Scene>>,
    gaze: Topic<Gaze>,
    pace: RefCell<Pace>,
    asked: Cell<bool>,
    /// Whether the picture is another since it was painted.
    stale: Cell<bool>,
    painted_at: Cell<f64>,
}

impl Painter {
    /// A painter of `scene` on `canvas`.
    pub fn new(canvas: HtmlCanvasElement, scene: Rc<RefCell<Scene>>, gaze: Topic<Gaze>) -> Self {
        let page = Piece::section("page");
        let (pace, asked, stale) = (RefCell::default(), Cell::new(false), Cell::new(true));
        Self(Rc::new(Easel { canvas, page, scene, gaze, pace, asked, stale, painted_at: Cell::default() }))
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
        let moves = !still
            && match effects {
                Effects::All => true,
                Effects::Thin => now - easel.painted_at.get() > THIN_EVERY_MILLIS,
                Effects::State => false,
            };
        if easel.stale.replace(false) || moves {
            easel.painted_at.set(now);
            canvas::paint(&easel.canvas, &scene, effects, now, still);
        }
        if scene.strands.is_empty() || still || clock::is_hidden() {
            easel.asked.set(false);
            pace.rest();
        } else {
            self.ask();
        }
    }
}
