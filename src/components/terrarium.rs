//! The terrarium: agents in their seats, flows and contours on canvases under them, and what is said when nothing
//! moves.

use super::{
    agent_card::{self, Filled},
    bundle_counts::BundleCounts,
    crowd::Crowd,
    holding,
    painter::Painter,
    silence::Silence,
    waking::Waking,
};
use crate::{
    clock::{self, Timer},
    dom::{Piece, Rows, follow, leaked, listen, text_scale, watch_sizes},
    signals::{AgentView, Signals, of, position},
    terrarium::{
        calm::Calm,
        canvas, ground,
        occasion::{Occasion, links, occasion},
        scene::{GUTTER, Scene},
        seating::{Room, seat_all},
        seats::{self, ONE_COLUMN_BELOW, Seat, whole},
        view::{self, Span},
    },
    voice,
};
use monkeytown_protocol::EntityId;
use monkeytown_terrain::{Rect, rising};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

/// Least time between two arrangements, in milliseconds: under load the field must not stir all the time.
const ARRANGE_EVERY_MILLIS: f64 = 700.0;
/// The same for the rows of the one column, which are soon in order; a row that has not grown yet lies under its words.
const ROWS_EVERY_MILLIS: f64 = 100.0;
/// The tallest ground that is drawn, in CSS pixels.
const GROUND_MAX: f32 = 6_000.0;
/// How long the engine may take, in milliseconds (`product.md`, "Features").
const ARRANGE_MAX_MILLIS: f64 = 100.0;
/// Below this height of the field (a phone on its side) the agents stand in one column too: as masks they would say
/// little.
const ONE_COLUMN_UNDER: f32 = 330.0;
/// Least time between two writings of one card, in milliseconds. Those that change faster are written together: every
/// frame in which words change costs the browser ten times one in which only the canvas does.
const CARD_EVERY_MILLIS: f64 = 100.0;
/// How long who works with whom may change before it alone moves anybody, in milliseconds.
const LINKS_EVERY_MILLIS: f64 = 10_000.0;

struct Field {
    signals: Signals,
    piece: Piece,
    key: Piece,
    list: Piece,
    silence: Silence,
    rows: RefCell<Rows>,
    bundles: BundleCounts,
    crowd: Crowd,
    scene: &'static RefCell<Scene>,
    painter: Painter,
    occasion: RefCell<Occasion>,
    links: RefCell<Vec<(usize, usize)>>,
    waking: &'static Waking,
    disputes: RefCell<Vec<(EntityId, EntityId, String)>>,
    arranged_at: Cell<f64>,
    calm: RefCell<Calm>,
    /// When everybody last took the place that is best now, rather than one near where they were.
    ordered_at: Cell<f64>,
    /// Whether a catch-up is under way.
    replays: Cell<bool>,
    /// Whether the rows stand in an order that was best once.
    disordered: Cell<bool>,
    linked_at: Cell<f64>,
    seats: RefCell<Vec<(EntityId, Seat)>>,
    later: RefCell<Option<Timer>>,
    /// How far the one column is scrolled, how tall it is, and which part of it is in the page.
    scrolled: Cell<f32>,
    tall: Cell<f32>,
    view: Cell<Span>,
    /// What flows are drawn on; in the one column it covers the part in the page.
    layers: [Piece; 2],
    size: Cell<(f32, f32)>,
    text_scale: Cell<f32>,
    storm: Cell<bool>,
    /// Heights of the key and of what silence says. Measured when they change: asking the browser in between makes it
    /// lay out what is half written.
    key_height: Cell<f32>,
    silence_height: Cell<f32>,
    /// What each card in the page was filled with, in the order of the cards.
    filled: RefCell<Vec<Filled>>,
    /// Whether the cards have been filled since time or the gaze changed, on which all depend.
    filled_whole: Cell<bool>,
    /// Runs while a card waits to be written.
    beat: RefCell<Option<Timer>>,
}

/// Fills the field.
pub fn bind(signals: &Signals) {
    let piece = Piece::section("terrarium");
    let (Some(lines), Some(comets)) = (canvas::find("flow-layer"), canvas::find("comets")) else { return };
    let scene = leaked(RefCell::new(Scene::default()));
    let field = leaked(Field {
        signals: signals.clone(),
        key: Piece::section("key"),
        rows: RefCell::new(Rows::of("agents")),
        bundles: BundleCounts::of_page(),
        crowd: Crowd::of_page(),
        list: Piece::section("agents"),
        silence: Silence::of_page(),
        painter: Painter::new([lines, comets], scene, signals),
        piece,
        scene,
        occasion: RefCell::default(),
        links: RefCell::default(),
        waking: Waking::of_page(),
        disputes: RefCell::default(),
        arranged_at: Cell::new(f64::NEG_INFINITY),
        calm: RefCell::default(),
        ordered_at: Cell::new(f64::NEG_INFINITY),
        replays: Cell::default(),
        disordered: Cell::default(),
        linked_at: Cell::new(f64::NEG_INFINITY),
        seats: RefCell::default(),
        later: RefCell::default(),
        scrolled: Cell::default(),
        tall: Cell::default(),
        view: Cell::new(view::WHOLE),
        layers: ["flow-layer", "comets"].map(Piece::section),
        size: Cell::default(),
        text_scale: Cell::new(1.0),
        storm: Cell::default(),
        key_height: Cell::default(),
        silence_height: Cell::default(),
        filled: RefCell::default(),
        filled_whole: Cell::default(),
        beat: RefCell::default(),
    });
    field.watch_size();
    // The browser says so at most once a frame.
    listen(field.piece.root(), "scroll", move |_| field.follow_scroll());
    follow(move || {
        let _ = field.signals.agents.read();
        field.arrange();
        field.hear_disputes();
    });
    follow(move || {
        let signals = &field.signals;
        let _ = (signals.gaze.read(), signals.times.read(), signals.kept.read());
        field.filled_whole.set(false);
        field.arrange();
        if field.bundles.is_held() {
            field.bundles.fill(&signals.flows.peek(), &field.scene.borrow().counts());
        }
        // Once a second whatever happens: what the witness prefers, or the tab's being shown again, tells nobody.
        field.painter.look_again();
    });
    follow(move || {
        let _ = (field.signals.flows.read(), field.signals.gaze.read());
        field.draw();
    });
    follow(move || {
        let agents = field.signals.agents.read();
        let entities = field.signals.figures.read().entity_count;
        field.piece.set("", "data-entities", &entities.to_string());
        let replays = field.signals.connection.peek().replaying;
        // What a catch-up has changed is no unrest: at its end everybody takes their place.
        if field.replays.replace(replays) && !replays {
            field.calm.take();
            field.later.take();
            field.ordered_at.set(f64::NEG_INFINITY);
            field.arranged_at.set(f64::NEG_INFINITY);
            field.arrange();
        }
        if field.silence.say(&field.signals, &agents) {
            field.spread_waking(&agents);
        }
    });
}

impl Field {
    fn watch_size(&'static self) {
        let field = self;
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
            clock::on_next_frame(move |_| field.arrange());
        };
        watch_sizes(&[self.piece.root(), self.key.root(), self.silence.piece().root()], measure);
    }

    /// Brings into the page what is scrolled into view, and takes from it what is far out of it.
    #[expect(clippy::cast_precision_loss, reason = "a screen's coordinates")]
    fn follow_scroll(&'static self) {
        self.scrolled.set(self.piece.root().scroll_top() as f32);
        if self.look() {
            self.fill(false);
            self.seat_scene();
            self.draw();
        }
    }

    /// Whether another part of the column is to be in the page than was.
    fn look(&self) -> bool {
        let one_column = self.scene.borrow().one_column;
        let view = if one_column { view::around(self.scrolled.get(), self.size.get().1) } else { view::WHOLE };
        let is_other = self.view.replace(view) != view;
        if is_other {
            self.painter.hurry();
        }
        is_other
    }

    /// Seats everybody anew when somebody came, went, woke or rests, or the field has another size.
    fn arrange(&'static self) {
        let agents = self.signals.agents.peek();
        let gaze = self.signals.gaze.peek();
        let (width, height) = self.size.get();
        // A hidden tab draws nothing; the second's tick after it is shown catches up.
        if width < 1.0 || clock::is_hidden() {
            return;
        }
        let now = clock::monotonic_millis();
        let storm = self.signals.flows.peek().storm;
        let mut occasion = occasion(&agents, &gaze, storm, (width, height), self.text_scale.get());
        occasion.top = self.key_height.get();
        let one_column = width < ONE_COLUMN_BELOW || height < ONE_COLUMN_UNDER;
        if one_column {
            // What silence says stands above the rows.
            occasion.top += self.silence_height.get();
        }
        if self.storm.replace(storm) != storm {
            // All cards give or take back room at once: that is no unrest.
            self.calm.take();
        }
        self.calm.borrow_mut().see(&occasion.bodies, now);
        let resized = {
            let before = self.occasion.borrow();
            (before.width, before.height) != (width, height)
        };
        // What waits already asks again soon, and knows more by then.
        if !resized && self.later.borrow().is_some() {
            return self.fill(false);
        }
        let same = *self.occasion.borrow() == occasion && !self.disordered.get();
        if same && now - self.linked_at.get() <= LINKS_EVERY_MILLIS {
            return self.fill(false);
        }
        let flows = self.signals.flows.peek();
        let links = links(&agents, &flows);
        if same && *self.links.borrow() == links {
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
            let field = self;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "under a second")]
            let later = Timer::after(wait.min(ARRANGE_EVERY_MILLIS) as u32 + 1, move || {
                field.later.borrow_mut().take();
                field.arrange();
            });
            *self.later.borrow_mut() = later;
            return;
        }
        self.arranged_at.set(now);
        self.linked_at.set(now);
        // In the one column who is pressed or focused holds everybody's order.
        let held = {
            let kept = self.signals.kept.peek();
            holding::held(&self.rows.borrow(), &self.filled.borrow(), (&gaze, &kept), (one_column, resized))
        };
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
            // Where rows above grow, the held one stays under the finger; in a view of another size it stays in view.
            let was_and_is = |id: &EntityId| {
                let is = seats.get(position(&agents, id).ok()?)?.as_ref()?;
                Some((seats::seat_of(&before, id)?, is.rect))
            };
            let from = self.scrolled.get();
            // Of one who is out of view nobody sees where it goes.
            let seen = |(was, _): &(&Seat, Rect)| view::touches(was, (from, from + self.occasion.borrow().height));
            if let Some((was, is)) = held.first().and_then(was_and_is).filter(seen) {
                let to = from + is.y - was.rect.y;
                let to = if resized { view::nearest(to, is, height, self.key_height.get()) } else { to };
                scrolled = Some(to.max(0.0)).filter(|to| *to != from);
            }
            (seats, tall.max(height + scrolled.unwrap_or_default()))
        } else {
            self.scrolled.set(0.0);
            let before = self.seats.borrow();
            let room = Room { width, height, top: occasion.top, scale: self.text_scale.get() };
            let over = || clock::monotonic_millis() - now > ARRANGE_MAX_MILLIS;
            (seat_all(&agents, (&gaze, &flows, &links), &room, (&before, &held), &over), height)
        };
        #[expect(clippy::cast_possible_truncation, reason = "an arrangement's time")]
        let took_millis = (clock::monotonic_millis() - now).round() as i32;
        self.piece.set("", "data-arranged-millis", &took_millis.to_string());
        let mut seated: Vec<(EntityId, Seat)> = Vec::new();
        for (agent, seat) in agents.iter().zip(&seats) {
            seated.extend(seat.map(|seat| (agent.id.clone(), seat)));
        }
        *self.occasion.borrow_mut() = occasion;
        *self.links.borrow_mut() = links;
        if resized || *self.seats.borrow() != seated {
            *self.seats.borrow_mut() = seated;
            self.tall.set(tall);
            self.scene.borrow_mut().one_column = one_column;
            self.list.measure("height", tall);
            self.piece.mark("", "data-one-column", if one_column { "yes" } else { "" });
            self.scrolled.set(scrolled.unwrap_or(self.scrolled.get()));
            self.look();
            self.seat_scene();
            self.paint_ground(&agents);
        }
        drop((agents, gaze, flows));
        self.fill(false);
        if let Some(scrolled) = scrolled {
            self.piece.root().set_scroll_top(whole(scrolled));
        }
        // Flows follow those between whom they run.
        self.draw();
    }

    /// Tells the scene where everybody is, as seen from where its canvas begins.
    fn seat_scene(&self) {
        let agents = self.signals.agents.peek();
        let seats = self.seats.borrow();
        let mut scene = self.scene.borrow_mut();
        let (from, to) = self.view.get();
        let (top, tall, width) = (from.max(0.0), self.tall.get(), self.size.get().0);
        (scene.width, scene.height) = (width, (to.min(tall) - top).max(1.0));
        scene.top = self.occasion.borrow().top;
        for layer in &self.layers {
            layer.stand(0.0, top);
        }
        let down = |rect: Rect| Rect { y: rect.y - top, ..rect };
        let (waiting, scale) = (agents.len().saturating_sub(seats.len()), self.text_scale.get());
        let crowd = self.crowd.place(waiting, (width, tall), scene.one_column, scale).map(down);
        scene.scale = scale;
        let (mut ids, mut bodies, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for (id, seat) in seats.iter() {
            ids.push(id.clone());
            bodies.push(down(seat.body));
            for label in of(&agents, id).map(|agent| seats::words(agent, seat)).unwrap_or_default() {
                if label.height > 1.0 && label.width > 1.0 {
                    labels.push(label);
                }
            }
        }
        scene.seat(ids, bodies, labels, crowd);
    }

    /// Draws the ground under everybody.
    fn paint_ground(&self, agents: &[Rc<AgentView>]) {
        let seats = self.seats.borrow();
        let mut hills = Vec::new();
        for (id, seat) in seats.iter() {
            hills.extend(of(agents, id).and_then(|agent| ground::hill(agent, seat)));
        }
        let (width, tall) = (self.size.get().0, self.tall.get());
        // Stretched over more than this it would be a smear, and say nothing.
        if tall > GROUND_MAX {
            hills.clear();
        }
        let interval = canvas::find("ground").and_then(|canvas| ground::paint(&canvas, &hills, width, tall));
        self.key.show("contour", interval.is_some());
        self.key.say("files", &voice::numbered(whole(interval.unwrap_or_default()).unsigned_abs() as usize, "file"));
    }

    /// Writes everybody's card: at once those that have been left alone for a while, the others at the next beat.
    fn fill(&'static self, beat: bool) {
        let agents = self.signals.agents.peek();
        let (gaze, kept) = (self.signals.gaze.peek(), self.signals.kept.peek());
        let now = self.signals.times.peek().now;
        let millis = clock::monotonic_millis();
        let seats = self.seats.borrow();
        let spans = holding::spans(&self.rows.borrow(), &self.filled.borrow(), &gaze, &seats, self.view.get());
        // In the order on screen where that is one column, else in the order of ids. There are far fewer than 2^16.
        let mut order = Vec::new();
        for (at, (_, seat)) in seats.iter().enumerate() {
            if spans.iter().any(|span| view::touches(seat, *span)) {
                order.push((seat.row.0 << 16 | at) as u64);
            }
        }
        let mut seated: Vec<(&Rc<AgentView>, &Seat)> = Vec::with_capacity(order.len());
        for number in rising(order) {
            if let Some((id, seat)) = seats.get(usize::from((number & 0xffff) as u16)) {
                seated.extend(of(&agents, id).map(|agent| (agent, seat)));
            }
        }
        let keys: Vec<&str> = seated.iter().map(|(agent, _)| agent.id.as_str()).collect();
        let mut rows = self.rows.borrow_mut();
        rows.keep(&keys, |_| "t-agent", &agent_card::make);
        let mut filled = self.filled.borrow_mut();
        let all = !self.filled_whole.replace(true);
        let (mut waits, mut near) = (false, 0);
        let mut written: Vec<Filled> = Vec::with_capacity(seated.len());
        for (piece, (agent, seat)) in rows.pieces().zip(&seated) {
            let found = agent_card::find(&filled, near, agent);
            near = found.map_or(near, |found| found + 1);
            let held = found.and_then(|at| filled.get(at)).filter(|held| !all && held.seat == **seat);
            let same = held.filter(|held| {
                let is_due = beat || millis - held.at_millis >= CARD_EVERY_MILLIS;
                let same = Rc::ptr_eq(&held.agent, agent);
                waits |= !same && !is_due;
                same || !is_due
            });
            written.push(match same {
                Some(same) => Filled { agent: Rc::clone(&same.agent), ..*same },
                None => {
                    agent_card::fill(piece, agent, seat, (&gaze, &kept), now, held.is_none());
                    Filled { agent: Rc::clone(agent), seat: **seat, at_millis: millis }
                }
            });
        }
        *filled = written;
        if waits && self.beat.borrow().is_none() {
            let field = self;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a tenth of a second")]
            let timer = Timer::after(CARD_EVERY_MILLIS as u32, move || {
                field.beat.borrow_mut().take();
                field.fill(true);
            });
            *self.beat.borrow_mut() = timer;
        }
        self.crowd.tell(&agents, &seats, gaze.everyone);
    }

    /// Wakes everybody, from the first who stirs after silence.
    fn spread_waking(&self, agents: &[Rc<AgentView>]) {
        let seats = self.seats.borrow();
        let mut awake = agents.iter().filter(|agent| seats::is_awake(agent));
        if let Some(seat) = awake.find_map(|agent| seats::seat_of(&seats, &agent.id)) {
            self.waking.spread(&self.rows.borrow(), &self.filled.borrow(), seat.rect);
        }
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
