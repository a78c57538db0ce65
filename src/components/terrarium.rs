//! The terrarium: agents in their seats, flows and contours on canvases under them, and what is said when nothing
//! moves.

use super::{agent_card, bundle_counts::BundleCounts, painter::Painter, silence::Silence};
use crate::{
    clock::{self, Timer},
    dom::{Piece, Rows, document, follow},
    signals::{AgentView, Gaze, Signals},
    terrarium::{
        calm::Calm,
        canvas, ground,
        occasion::{Occasion, links, occasion},
        scene::{GUTTER, Scene},
        seating::{Room, seat_all},
        seats::{self, ONE_COLUMN_BELOW, Seat, whole},
    },
    voice,
};
use monkeytown_protocol::EntityId;
use monkeytown_terrain::{Hill, Rect};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};
use wasm_bindgen::{JsCast, closure::Closure};

/// Least time between two arrangements, in milliseconds: under load the field must not stir all the time.
const ARRANGE_EVERY_MILLIS: f64 = 700.0;
/// The same for the rows of the one column, which are soon in order; a row that has not grown yet lies under its words.
const ROWS_EVERY_MILLIS: f64 = 100.0;
/// How long the engine may take, in milliseconds (`product.md`, "Features").
const ARRANGE_MAX_MILLIS: f64 = 100.0;
/// Below this height of the field (a phone on its side) the agents stand in one column too: as masks they would say
/// little.
const ONE_COLUMN_UNDER: f32 = 330.0;
/// Agents without room that are listed by name.
const LISTED_MAX: usize = 2_000;
/// Least time between two writings of one card, in milliseconds. Those that change faster are written together: every
/// frame in which words change costs the browser ten times one in which only the canvas does.
const CARD_EVERY_MILLIS: f64 = 100.0;
/// How long it takes until all have seen that one has stirred after silence, in milliseconds.
const WAKING_MILLIS: u32 = 3_000;
/// How long who works with whom may change before it alone moves anybody, in milliseconds.
const LINKS_EVERY_MILLIS: f64 = 10_000.0;

struct Field {
    signals: Signals,
    piece: Piece,
    key: Piece,
    page: Piece,
    list: Piece,
    more: Piece,
    silence: Silence,
    rows: RefCell<Rows>,
    bundles: BundleCounts,
    everyone: Piece,
    crowd: RefCell<Rows>,
    scene: Rc<RefCell<Scene>>,
    painter: Painter,
    occasion: RefCell<Occasion>,
    links: RefCell<Vec<(usize, usize)>>,
    waking: RefCell<Option<Timer>>,
    disputes: RefCell<Vec<(EntityId, EntityId, String)>>,
    arranged_at: Cell<f64>,
    calm: RefCell<Calm>,
    /// When everybody last took the place that is best now, rather than one near where they were.
    ordered_at: Cell<f64>,
    /// Whether the rows stand in an order that was best once.
    disordered: Cell<bool>,
    linked_at: Cell<f64>,
    seats: RefCell<Vec<(EntityId, Seat)>>,
    later: RefCell<Option<Timer>>,
    size: Cell<(f32, f32)>,
    text_scale: Cell<f32>,
    /// Heights of the key and of what silence says. Measured when they change: asking the browser in between makes it
    /// lay out what is half written.
    key_height: Cell<f32>,
    silence_height: Cell<f32>,
    /// What each card was filled with, in the order of ids.
    filled: RefCell<Vec<Filled>>,
    /// Whether the cards have been filled since time or the gaze changed, on which all depend.
    filled_whole: Cell<bool>,
    /// Runs while a card waits to be written.
    beat: RefCell<Option<Timer>>,
}

/// What a card was filled with, and when.
struct Filled {
    agent: Rc<AgentView>,
    seat: Seat,
    at_millis: f64,
}

/// Fills the field.
pub fn bind(signals: &Signals) {
    let piece = Piece::section("terrarium");
    let (Some(lines), Some(comets)) = (canvas::find("flow-layer"), canvas::find("comets")) else { return };
    let scene = Rc::new(RefCell::new(Scene::default()));
    let field = Rc::new(Field {
        signals: signals.clone(),
        key: Piece::section("key"),
        rows: RefCell::new(Rows::of("agents")),
        bundles: BundleCounts::of_page(),
        everyone: Piece::section("everyone"),
        crowd: RefCell::new(Rows::of("everyone-list")),
        list: Piece::section("agents"),
        more: Piece::section("more"),
        silence: Silence::of_page(),
        page: Piece::section("page"),
        painter: Painter::new([lines, comets], Rc::clone(&scene), signals.gaze.clone()),
        piece,
        scene,
        occasion: RefCell::default(),
        links: RefCell::default(),
        waking: RefCell::default(),
        disputes: RefCell::default(),
        arranged_at: Cell::new(f64::NEG_INFINITY),
        calm: RefCell::default(),
        ordered_at: Cell::new(f64::NEG_INFINITY),
        disordered: Cell::default(),
        linked_at: Cell::new(f64::NEG_INFINITY),
        seats: RefCell::default(),
        later: RefCell::default(),
        size: Cell::default(),
        text_scale: Cell::new(1.0),
        key_height: Cell::default(),
        silence_height: Cell::default(),
        filled: RefCell::default(),
        filled_whole: Cell::default(),
        beat: RefCell::default(),
    });
    field.watch_size();
    let arranging = Rc::clone(&field);
    follow(move || {
        let _ = arranging.signals.agents.read();
        arranging.arrange();
        arranging.hear_disputes();
    });
    let ticking = Rc::clone(&field);
    follow(move || {
        let signals = &ticking.signals;
        let _ = (signals.gaze.read(), signals.times.read());
        ticking.filled_whole.set(false);
        ticking.arrange();
        if ticking.bundles.is_held() {
            ticking.bundles.fill(&signals.flows.peek(), &ticking.scene.borrow().counts());
        }
        // Once a second whatever happens: what the witness prefers, or the tab's being shown again, tells nobody.
        ticking.painter.look_again();
    });
    let drawing = Rc::clone(&field);
    follow(move || {
        let _ = (drawing.signals.flows.read(), drawing.signals.gaze.read());
        drawing.draw();
    });
    follow(move || {
        let agents = field.signals.agents.read();
        let entities = field.signals.figures.read().entity_count;
        field.piece.set("", "data-entities", &entities.to_string());
        if field.silence.say(&field.signals, &agents) {
            field.spread_waking(&agents);
        }
    });
}

impl Field {
    fn watch_size(self: &Rc<Self>) {
        let field = Rc::clone(self);
        let measure = move || {
            let root = field.piece.root();
            #[expect(clippy::cast_precision_loss, reason = "a screen's size")]
            let [width, height, key, silence] = [
                root.client_width(),
                root.client_height(),
                field.key.root().client_height(),
                field.silence.piece().root().client_height(),
            ]
            .map(|pixels| pixels as f32);
            field.key_height.set(key);
            field.silence_height.set(silence);
            if field.size.replace((width, height)) != (width, height) {
                // Asking for a computed style makes the browser compute it: once for each size.
                field.text_scale.set(text_scale());
            }
            // Not at once: what an arrangement says may give the key another height, which this would not hear of.
            let field = Rc::clone(&field);
            clock::on_next_frame(move |_| field.arrange());
        };
        let callback = Closure::<dyn FnMut()>::new(measure);
        if let Ok(observer) = web_sys::ResizeObserver::new(callback.as_ref().unchecked_ref()) {
            for piece in [&self.piece, &self.key, self.silence.piece()] {
                observer.observe(piece.root());
            }
        }
        callback.forget();
    }

    /// Those who stay where they are: who is looked at closely, pointed at or focused. In the one column, where a finger
    /// leaves its place pointed at and focused, who is pressed, or focused by a key.
    fn held(&self, gaze: &Gaze, one_column: bool) -> Vec<EntityId> {
        let selector = if one_column { ":active" } else { ":hover,:focus-within" };
        let (rows, filled) = (self.rows.borrow(), self.filled.borrow());
        let cards = rows.pieces().zip(filled.iter());
        let held = cards.filter(|(piece, card)| {
            gaze.entity.as_ref() == Some(&card.agent.id)
                || piece.root().matches(selector).unwrap_or(false)
                || (one_column && piece.root().query_selector(":focus-visible").is_ok_and(|focused| focused.is_some()))
        });
        held.map(|(_, card)| card.agent.id.clone()).collect()
    }

    /// Seats everybody anew when somebody came, went, woke or rests, or the field has another size.
    fn arrange(self: &Rc<Self>) {
        let agents = self.signals.agents.peek();
        let gaze = self.signals.gaze.peek();
        let (width, height) = self.size.get();
        // A hidden tab draws nothing; the second's tick after it is shown catches up.
        if width < 1.0 || clock::is_hidden() {
            return;
        }
        let flows = self.signals.flows.peek();
        let now = clock::monotonic_millis();
        let mut occasion = occasion(&agents, &gaze, &flows, (width, height), self.text_scale.get());
        occasion.top = self.key_height.get();
        let one_column = width < ONE_COLUMN_BELOW || height < ONE_COLUMN_UNDER;
        if one_column {
            // What silence says stands above the rows.
            occasion.top += self.silence_height.get();
        }
        let links = links(&agents, &flows);
        self.calm.borrow_mut().see(&occasion.bodies, now);
        let same = *self.occasion.borrow() == occasion && !self.disordered.get();
        let resized = {
            let before = self.occasion.borrow();
            (before.width, before.height) != (width, height)
        };
        let relinked = *self.links.borrow() != links && now - self.linked_at.get() > LINKS_EVERY_MILLIS;
        if same && !relinked {
            return self.fill(false);
        }
        // Under a flood everybody stands still for longer.
        let still = self.calm.borrow().still_millis();
        let rest = if resized { 0.0 } else { self.ordered_at.get() + still - now };
        let wait = match one_column {
            true => self.arranged_at.get() + ROWS_EVERY_MILLIS - now,
            false => rest.max(self.arranged_at.get() + ARRANGE_EVERY_MILLIS - now),
        };
        if wait > 0.0 && !resized {
            // Cards say at once what is new; where they stand follows.
            self.fill(false);
            let field = Rc::clone(self);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "under a second")]
            let timer = Timer::after(wait.min(ARRANGE_EVERY_MILLIS) as u32 + 1, move || {
                field.later.borrow_mut().take();
                field.arrange();
            });
            // One that waits already comes sooner.
            if self.later.borrow().is_none() {
                *self.later.borrow_mut() = timer;
            }
            return;
        }
        self.arranged_at.set(now);
        self.linked_at.set(now);
        // In the one column who is pressed or focused holds everybody's order.
        let held = self.held(&gaze, one_column);
        let keeps_order = one_column && (rest > 0.0 || !held.is_empty()) && !resized;
        self.disordered.set(keeps_order);
        if !keeps_order {
            self.ordered_at.set(now);
        }
        let mut scrolled = None;
        let (seats, tall) = if one_column {
            let before = self.seats.borrow();
            let kept = if keeps_order { before.as_slice() } else { &[] };
            let (seats, tall) = seats::column(&agents, kept, [width, occasion.top, GUTTER, self.text_scale.get()]);
            // Where rows above grow, the held one stays under the finger.
            let at = held.first().and_then(|id| agents.binary_search_by(|agent| agent.id.cmp(id)).ok());
            let was = held.first().and_then(|id| before.iter().find(|(seated, _)| seated == id));
            if let (Some((_, was)), Some(Some(now))) = (was, at.and_then(|at| seats.get(at)))
                && was.rect.y != now.rect.y
            {
                scrolled = Some(self.piece.root().scroll_top() + whole(now.rect.y - was.rect.y));
            }
            #[expect(clippy::cast_precision_loss, reason = "a screen's height")]
            let least = height + scrolled.unwrap_or(0) as f32;
            (seats, tall.max(least))
        } else {
            let before = self.seats.borrow();
            let room = Room { width, height, top: occasion.top, scale: self.text_scale.get() };
            let over = || clock::monotonic_millis() - now > ARRANGE_MAX_MILLIS;
            (seat_all(&agents, (&gaze, &flows, &links), &room, (&before, &held), &over), height)
        };
        #[expect(clippy::cast_possible_truncation, reason = "an arrangement's time")]
        let took_millis = (clock::monotonic_millis() - now).round() as i32;
        self.piece.set("", "data-arranged-millis", &took_millis.to_string());
        let seated: Vec<(EntityId, Seat)> =
            agents.iter().zip(&seats).filter_map(|(agent, seat)| Some((agent.id.clone(), (*seat)?))).collect();
        *self.occasion.borrow_mut() = occasion;
        *self.links.borrow_mut() = links;
        if resized || *self.seats.borrow() != seated {
            *self.seats.borrow_mut() = seated;
            self.seat_scene(&agents, width, tall, one_column);
        }
        drop((agents, gaze, flows));
        self.fill(false);
        if let Some(scrolled) = scrolled {
            self.piece.root().set_scroll_top(scrolled);
        }
        // Flows follow those between whom they run.
        self.draw();
    }

    /// Tells the scene where everybody is, and draws the ground for it.
    fn seat_scene(&self, agents: &[Rc<AgentView>], width: f32, height: f32, one_column: bool) {
        let seats = self.seats.borrow();
        let mut scene = self.scene.borrow_mut();
        (scene.width, scene.height, scene.one_column) = (width, height, one_column);
        scene.top = self.occasion.borrow().top;
        let crowd = (seats.len() < agents.len()).then_some(Rect {
            x: width / 2.0 - 90.0,
            y: height - 40.0,
            width: 180.0,
            height: 32.0,
        });
        let of = |id: &EntityId| agents.get(agents.binary_search_by(|agent| agent.id.cmp(id)).ok()?);
        let labels = seats.iter().filter_map(|(id, seat)| Some(seats::words(of(id)?, seat))).flatten();
        let labels = labels.filter(|label| label.height > 1.0 && label.width > 1.0).collect();
        let (ids, bodies) = (seats.iter().map(|(id, _)| id.clone()), seats.iter().map(|(_, seat)| seat.body));
        scene.seat(ids.collect(), bodies.collect(), labels, crowd);
        self.list.measure("height", height);
        let hills: Vec<Hill> = seats
            .iter()
            .filter_map(|(id, seat)| {
                let agent = of(id)?;
                let domain = agent.entity.domain.as_ref()?;
                #[expect(clippy::cast_precision_loss, reason = "a count of files")]
                let files = domain.files as f32;
                let radius = (60.0 + files.sqrt() * 14.0).min(320.0);
                Some(Hill { centre: seat.rect.centre(), files, radius, awake: seats::is_awake(agent) })
            })
            .collect();
        let interval = canvas::find("ground").and_then(|canvas| ground::paint(&canvas, &hills, width, height));
        self.key.show("contour", interval.is_some());
        self.key.say("files", &voice::counted(whole(interval.unwrap_or_default()).unsigned_abs() as usize, "file"));
        self.piece.mark("", "data-one-column", if one_column { "yes" } else { "" });
    }

    /// Writes everybody's card: at once those that have been left alone for a while, the others at the next beat.
    fn fill(self: &Rc<Self>, beat: bool) {
        let agents = self.signals.agents.peek();
        let gaze = self.signals.gaze.peek();
        let now = self.signals.times.peek().now;
        let millis = clock::monotonic_millis();
        let seats = self.seats.borrow();
        let seated = seats.iter().filter_map(|(id, seat)| {
            let agent = agents.get(agents.binary_search_by(|agent| agent.id.cmp(id)).ok()?)?;
            Some((agent, seat))
        });
        let seated: Vec<(&Rc<AgentView>, &Seat)> = seated.collect();
        let keys: Vec<&str> = seated.iter().map(|(agent, _)| agent.id.as_str()).collect();
        let mut rows = self.rows.borrow_mut();
        rows.keep(&keys, |_| "t-agent", &agent_card::make);
        let mut filled = self.filled.borrow_mut();
        let all = !self.filled_whole.replace(true);
        let mut waits = false;
        let mut written: Vec<Filled> = Vec::with_capacity(seated.len());
        for (piece, (agent, seat)) in rows.pieces().zip(&seated) {
            let held = filled.binary_search_by(|held| held.agent.id.cmp(&agent.id)).ok();
            let held = held.and_then(|at| filled.get(at)).filter(|held| !all && held.seat == **seat);
            let kept = held.filter(|held| {
                let is_due = beat || millis - held.at_millis >= CARD_EVERY_MILLIS;
                let same = Rc::ptr_eq(&held.agent, agent);
                waits |= !same && !is_due;
                same || !is_due
            });
            written.push(match kept {
                Some(kept) => Filled { agent: Rc::clone(&kept.agent), ..*kept },
                None => {
                    agent_card::fill(piece, agent, seat, &gaze, now, held.is_none());
                    Filled { agent: Rc::clone(agent), seat: **seat, at_millis: millis }
                }
            });
        }
        *filled = written;
        if waits && self.beat.borrow().is_none() {
            let field = Rc::clone(self);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a tenth of a second")]
            let timer = Timer::after(CARD_EVERY_MILLIS as u32, move || {
                field.beat.borrow_mut().take();
                field.fill(true);
            });
            *self.beat.borrow_mut() = timer;
        }
        let waiting = agents.len() - keys.len();
        let words = if waiting == 0 { String::new() } else { format!("and {} more", voice::grouped(waiting as u64)) };
        self.more.say_if("", &words);
        self.more.set("", "aria-expanded", if gaze.everyone { "true" } else { "false" });
        let is_listed = gaze.everyone && waiting > 0;
        self.everyone.mark("", "data-open", if is_listed { "yes" } else { "" });
        let unseated = agents.iter().filter(|agent| is_listed && keys.binary_search(&agent.id.as_str()).is_err());
        let unseated: Vec<&Rc<AgentView>> = unseated.take(LISTED_MAX).collect();
        let keys: Vec<&str> = unseated.iter().map(|agent| agent.id.as_str()).collect();
        let mut crowd = self.crowd.borrow_mut();
        crowd.keep(&keys, |_| "t-somebody", &|id, piece| piece.set("", "data-entity-id", id));
        for (piece, agent) in crowd.pieces().zip(unseated) {
            piece.say("name", &agent.entity.label.to_string());
            piece.say("word", voice::status(agent.entity.status));
        }
    }

    /// Lets everybody light up in the order in which they sit from the first who stirs after silence.
    fn spread_waking(self: &Rc<Self>, agents: &[Rc<AgentView>]) {
        let filled = self.filled.borrow();
        let stirs = |card: &&Filled| agents.iter().any(|agent| agent.id == card.agent.id && seats::is_awake(agent));
        let Some(first) = filled.iter().find(stirs).map(|card| card.seat.rect) else { return };
        for (piece, card) in self.rows.borrow().pieces().zip(filled.iter()) {
            // A millisecond for every pixel.
            let way = (card.seat.rect.x - first.x).abs() + (card.seat.rect.y - first.y).abs();
            piece.style("", "--wake", &format!("{}ms", whole(way)));
        }
        self.page.mark("", "data-waking", "yes");
        let field = Rc::clone(self);
        *self.waking.borrow_mut() = Timer::after(WAKING_MILLIS, move || field.page.mark("", "data-waking", ""));
    }

    /// Draws anew when somebody disagrees with somebody else than before.
    fn hear_disputes(&self) {
        let agents = self.signals.agents.peek();
        let disputes = agents.iter().filter_map(|agent| {
            let (other, over) = agent.dispute.clone()?;
            Some((agent.id.clone(), other, over))
        });
        let disputes: Vec<_> = disputes.collect();
        if *self.disputes.borrow() != disputes {
            *self.disputes.borrow_mut() = disputes;
            drop(agents);
            self.draw();
        }
    }

    /// Tells the scene which flows run, and paints.
    fn draw(&self) {
        let flows = self.signals.flows.peek();
        let gaze = self.signals.gaze.peek();
        let agents: Vec<EntityId> = self.signals.agents.peek().iter().map(|agent| agent.id.clone()).collect();
        self.scene.borrow_mut().cast(&flows, &self.disputes.borrow(), &agents, gaze.entity.as_ref());
        self.piece.set("", "data-flows-drawn", &flows.drawn.len().to_string());
        self.piece.set("", "data-flows-hidden", &flows.hidden().to_string());
        self.bundles.fill(&flows, &self.scene.borrow().counts());
        self.painter.wake();
    }
}

/// How much larger than usual the witness's browser writes.
#[expect(clippy::cast_possible_truncation, reason = "a font's size")]
fn text_scale() -> f32 {
    let size = || {
        let root = document().document_element()?;
        let style = web_sys::window()?.get_computed_style(&root).ok()??;
        Some(js_sys::parse_float(&style.get_property_value("font-size").ok()?) as f32 / 16.0)
    };
    size().filter(|scale| scale.is_finite()).unwrap_or(1.0).clamp(0.5, 4.0)
}
