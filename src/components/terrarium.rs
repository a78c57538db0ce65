//! The terrarium: agents in their seats, flows and contours on canvases under them, and what is said when nothing
//! moves.

use super::{agent_card, painter::Painter};
use crate::{
    clock::{self, Timer},
    dom::{Piece, Rows, document, follow, listen},
    sigil::hash,
    signals::{AgentView, BundleRow, FlowsView, Gaze, Signals},
    terrarium::{
        ground,
        occasion::{Occasion, is_waited_for, links, occasion},
        scene::{GUTTER, Scene},
        seats::{self, ONE_COLUMN_BELOW, Seat, whole},
    },
    voice,
};
use monkeytown_protocol::{EntityId, Timestamp};
use monkeytown_terrain::{Body, Hill, Link, Point, Rect, arrange};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Element, HtmlCanvasElement};

/// Air around the field, in CSS pixels (`look.md`, "Frame").
const MARGIN: f32 = 24.0;
/// Least time between two arrangements, in milliseconds: under load the field must not stir all the time.
const ARRANGE_EVERY_MILLIS: f64 = 700.0;
/// The same for the rows of the one column, which are soon in order; a row that has not grown yet lies under its words.
const ROWS_EVERY_MILLIS: f64 = 100.0;
/// How long the engine may take, in milliseconds (`product.md`, "Features").
const ARRANGE_MAX_MILLIS: f64 = 100.0;
/// Height of the count of those without room.
const CROWD: f32 = 44.0;
/// Agents without room that are listed by name.
const LISTED_MAX: usize = 2_000;
/// Least time between two writings of one card, in milliseconds. Those that change faster are written together: every
/// frame in which words change costs the browser ten times one in which only the canvas does.
const CARD_EVERY_MILLIS: f64 = 100.0;
/// How long who works with whom may change before it alone moves anybody, in milliseconds.
const LINKS_EVERY_MILLIS: f64 = 10_000.0;

struct Field {
    signals: Signals,
    piece: Piece,
    key: Piece,
    page: Piece,
    list: Piece,
    more: Piece,
    silence: Piece,
    rows: RefCell<Rows>,
    bundles: RefCell<Rows>,
    everyone: Piece,
    crowd: RefCell<Rows>,
    scene: Rc<RefCell<Scene>>,
    painter: Painter,
    occasion: RefCell<Occasion>,
    links: RefCell<Vec<(EntityId, EntityId)>>,
    arranged_at: Cell<f64>,
    linked_at: Cell<f64>,
    seats: RefCell<Vec<(EntityId, Seat)>>,
    pointed: RefCell<Option<EntityId>>,
    later: RefCell<Option<Timer>>,
    size: Cell<(f32, f32)>,
    text_scale: Cell<f32>,
    /// Heights of the key and of what silence says. Measured when they change: asking the browser in between makes it
    /// lay out what is half written.
    key_height: Cell<f32>,
    silence_height: Cell<f32>,
    /// What each card was filled with, in the order of ids.
    filled: RefCell<Vec<Filled>>,
    filled_for: RefCell<(Gaze, Option<Timestamp>)>,
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
    let Some(canvas) = canvas("flow-layer") else { return };
    let scene = Rc::new(RefCell::new(Scene::default()));
    let field = Rc::new(Field {
        signals: signals.clone(),
        key: Piece::section("key"),
        rows: RefCell::new(Rows::of("agents")),
        bundles: RefCell::new(Rows::of("bundles")),
        everyone: Piece::section("everyone"),
        crowd: RefCell::new(Rows::of("everyone-list")),
        list: Piece::section("agents"),
        more: Piece::section("more"),
        silence: Piece::section("silence"),
        page: Piece::section("page"),
        painter: Painter::new(canvas, Rc::clone(&scene), signals.gaze.clone()),
        piece,
        scene,
        occasion: RefCell::default(),
        links: RefCell::default(),
        arranged_at: Cell::new(f64::NEG_INFINITY),
        linked_at: Cell::new(f64::NEG_INFINITY),
        seats: RefCell::default(),
        pointed: RefCell::default(),
        later: RefCell::default(),
        size: Cell::default(),
        text_scale: Cell::new(1.0),
        key_height: Cell::default(),
        silence_height: Cell::default(),
        filled: RefCell::default(),
        filled_for: RefCell::default(),
        beat: RefCell::default(),
    });
    field.watch_size();
    field.watch_pointer();
    let arranging = Rc::clone(&field);
    follow(move || {
        let signals = &arranging.signals;
        let _ = (signals.agents.read(), signals.gaze.read(), signals.times.read());
        arranging.arrange();
        // Once a second whatever happens: what the witness prefers, or the tab's being shown again, tells nobody.
        arranging.painter.look_again();
    });
    let drawing = Rc::clone(&field);
    follow(move || {
        let _ = (drawing.signals.flows.read(), drawing.signals.gaze.read());
        drawing.draw();
    });
    follow(move || field.say());
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
                field.silence.root().client_height(),
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
            for piece in [&self.piece, &self.key, &self.silence] {
                observer.observe(piece.root());
            }
        }
        callback.forget();
    }

    fn watch_pointer(self: &Rc<Self>) {
        let field = Rc::clone(self);
        let leaving = Rc::clone(self);
        listen(self.piece.root(), "pointerleave", move |_| *leaving.pointed.borrow_mut() = None);
        listen(self.piece.root(), "pointerover", move |event| {
            let card = event.target().and_then(|target| target.dyn_into::<Element>().ok());
            let card = card.and_then(|target| target.closest("[data-entity-id]").ok().flatten());
            let id = card.and_then(|card| EntityId::new(&card.get_attribute("data-entity-id")?).ok());
            *field.pointed.borrow_mut() = id;
        });
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
        if width < ONE_COLUMN_BELOW {
            // What silence says stands above the rows.
            occasion.top += self.silence_height.get();
        }
        let links = links(&flows);
        let same = *self.occasion.borrow() == occasion;
        let resized = {
            let before = self.occasion.borrow();
            (before.width, before.height) != (width, height)
        };
        let relinked = *self.links.borrow() != links && now - self.linked_at.get() > LINKS_EVERY_MILLIS;
        if same && !relinked {
            return self.fill(false);
        }
        let every = if width < ONE_COLUMN_BELOW { ROWS_EVERY_MILLIS } else { ARRANGE_EVERY_MILLIS };
        let wait = self.arranged_at.get() + every - now;
        if wait > 0.0 && !resized {
            // Cards say at once what is new; where they stand follows.
            self.fill(false);
            let field = Rc::clone(self);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "under a second")]
            let timer = Timer::after(wait as u32 + 1, move || {
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
        let one_column = width < ONE_COLUMN_BELOW;
        let (seats, tall) = if one_column {
            let (seats, tall) = seats::column(&agents, width, occasion.top, GUTTER, self.text_scale.get());
            (seats, tall.max(height))
        } else {
            (self.seats_in_field(&agents, &gaze, &flows, &links, width, height), height)
        };
        let seated: Vec<(EntityId, Seat)> =
            agents.iter().zip(&seats).filter_map(|(agent, seat)| Some((agent.id.clone(), (*seat)?))).collect();
        *self.seats.borrow_mut() = seated;
        *self.occasion.borrow_mut() = occasion;
        *self.links.borrow_mut() = links;
        self.seat_scene(&agents, width, tall, one_column);
        drop((agents, gaze, flows));
        self.fill(false);
        // Flows follow those between whom they run.
        self.draw();
    }

    fn seats_in_field(
        &self,
        agents: &[Rc<AgentView>],
        gaze: &Gaze,
        flows: &FlowsView,
        links: &[(EntityId, EntityId)],
        width: f32,
        height: f32,
    ) -> Vec<Option<Seat>> {
        let ignored = |agent: &AgentView| gaze.ignores(agent);
        let find = |id: &EntityId| agents.binary_search_by(|agent| agent.id.cmp(id)).ok();
        let before = self.seats.borrow();
        let pointed = self.pointed.borrow().clone();
        let focused =
            document().active_element().and_then(|element| element.closest("[data-entity-id]").ok().flatten());
        let focused = focused.and_then(|card| card.get_attribute("data-entity-id"));
        let is_held = |id: &EntityId| {
            gaze.entity.as_ref() == Some(id) || pointed.as_ref() == Some(id) || focused.as_deref() == Some(id.as_str())
        };
        let held = |id: &EntityId, now: Option<Seat>| {
            let (_, seat) = before.iter().find(|(held, _)| held == id && is_held(id))?;
            let around = now.as_ref().unwrap_or(seat);
            let (left, above) = (around.rect.x - around.outer.x, around.rect.y - around.outer.y);
            Some(Point { x: seat.rect.x - left, y: seat.rect.y - above })
        };
        let scale = self.text_scale.get();
        let mut bodies: Vec<Body> = agents
            .iter()
            .map(|agent| Body {
                key: hash(agent.id.as_str()),
                posture: seats::posture(agent, is_waited_for(flows, &agent.id)),
                sizes: seats::sizes(agent, ignored(agent), width, scale),
                parent: agent.entity.parent.as_ref().and_then(find),
                held: None,
            })
            .collect();
        let links: Vec<Link> =
            links.iter().filter_map(|(a, b)| Some(Link { a: find(a)?, b: find(b)?, weight: 1.0 })).collect();
        let top = self.key_height.get();
        let started = clock::monotonic_millis();
        let within = |bodies: &[Body], below: f32| {
            let room = Rect { x: MARGIN, y: top, width: width - 2.0 * MARGIN, height: height - top - below };
            let places =
                arrange(bodies, &links, room, &mut || clock::monotonic_millis() - started > ARRANGE_MAX_MILLIS);
            let seats = agents.iter().zip(bodies).zip(&places.places);
            let seats = seats.map(|((agent, body), place)| {
                let place = (*place)?;
                let detail = seats::detail(&body.sizes, place);
                Some(seats::seat(agent, ignored(agent), place, detail, width, scale))
            });
            seats.collect::<Vec<_>>()
        };
        let mut below = MARGIN / 2.0;
        let mut seats = Vec::new();
        // What is held is the card, not what hangs around it, and how much hangs there is known only afterwards; those
        // without a place are counted at the bottom, where nobody may sit then.
        for _ in 0..3 {
            for (at, (agent, body)) in agents.iter().zip(&mut bodies).enumerate() {
                let now = seats.get(at).copied().flatten();
                body.held = held(&agent.id, now);
            }
            seats = within(&bodies, below);
            let crowded = below < CROWD && seats.iter().any(Option::is_none);
            let moved = |(at, seat): (usize, &Option<Seat>)| {
                let (seat, agent) = ((*seat)?, agents.get(at)?);
                let held = before.iter().find(|(id, _)| *id == agent.id && is_held(id))?;
                ((held.1.rect.x - seat.rect.x).abs() > 1.0 || (held.1.rect.y - seat.rect.y).abs() > 1.0).then_some(())
            };
            let is_moved = seats.iter().enumerate().any(|seat| moved(seat).is_some());
            if crowded {
                below = CROWD + MARGIN;
            } else if !is_moved {
                break;
            }
        }
        seats
    }

    /// Tells the scene where everybody is, and draws the ground for it.
    fn seat_scene(&self, agents: &[Rc<AgentView>], width: f32, height: f32, one_column: bool) {
        let seats = self.seats.borrow();
        let mut scene = self.scene.borrow_mut();
        (scene.width, scene.height, scene.one_column) = (width, height, one_column);
        let crowd = (seats.len() < agents.len()).then_some(Rect {
            x: width / 2.0 - 90.0,
            y: height - 40.0,
            width: 180.0,
            height: 32.0,
        });
        let labels = seats.iter().flat_map(|(_, seat)| {
            let above = Rect { height: seat.rect.y - seat.outer.y, ..seat.outer };
            let below = seat.outer.bottom() - seat.rect.bottom();
            // At rest the name stands on the ground beside the mask.
            let name = Rect { x: seat.body.right(), width: seat.rect.right() - seat.body.right(), ..seat.rect };
            [above, Rect { y: seat.rect.bottom(), height: below, ..seat.outer }, name]
        });
        let labels = labels.filter(|label| label.height > 1.0 && label.width > 1.0).collect();
        let (ids, bodies) = (seats.iter().map(|(id, _)| id.clone()), seats.iter().map(|(_, seat)| seat.body));
        scene.seat(ids.collect(), bodies.collect(), labels, crowd);
        self.list.style("", "height", &format!("{}px", whole(height)));
        let hills: Vec<Hill> = seats
            .iter()
            .filter_map(|(id, seat)| {
                let agent = agents.get(agents.binary_search_by(|agent| agent.id.cmp(id)).ok()?)?;
                let domain = agent.entity.domain.as_ref()?;
                #[expect(clippy::cast_precision_loss, reason = "a count of files")]
                let files = domain.files as f32;
                let radius = (60.0 + files.sqrt() * 14.0).min(320.0);
                Some(Hill { centre: seat.rect.centre(), files, radius, awake: seats::is_awake(agent) })
            })
            .collect();
        let interval = canvas("ground").and_then(|canvas| ground::paint(&canvas, &hills, width, height));
        self.key.show("contour", interval.is_some());
        self.key.say("files", &whole(interval.unwrap_or_default()).to_string());
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
        let occasion = (gaze.clone(), Some(now));
        let all = *self.filled_for.borrow() != occasion;
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
        *self.filled_for.borrow_mut() = occasion;
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

    /// Tells the scene which flows run, and paints.
    fn draw(&self) {
        let flows = self.signals.flows.peek();
        let gaze = self.signals.gaze.peek();
        let agents: Vec<EntityId> = self.signals.agents.peek().iter().map(|agent| agent.id.clone()).collect();
        self.scene.borrow_mut().cast(&flows, &agents, gaze.entity.as_ref());
        self.piece.set("", "data-flows-drawn", &flows.drawn.len().to_string());
        self.piece.set("", "data-flows-hidden", &flows.hidden().to_string());
        self.count_bundles(&flows);
        self.painter.wake();
    }

    /// What the field says of itself, and what it says when nobody is there or everybody rests.
    fn say(&self) {
        let agents = self.signals.agents.read();
        let figures = self.signals.figures.read();
        let greeted = self.signals.connection.read().greeted;
        let awake = agents.iter().filter(|agent| seats::is_awake(agent)).count();
        self.piece.set("", "data-entities", &figures.entity_count.to_string());
        self.page.mark("", "data-empty", if agents.is_empty() { "yes" } else { "" });
        self.page.mark("", "data-silent", if awake == 0 && !agents.is_empty() { "yes" } else { "" });
        let title = match (agents.len(), awake) {
            (0, _) if greeted => "no agent has been seen".to_owned(),
            (0, _) => "waiting for the stream".to_owned(),
            (1, 0) => "the agent is at rest".to_owned(),
            (count, 0) => format!("all {} agents are at rest", voice::number(count)),
            _ => String::new(),
        };
        let live = self.signals.connection.read().is_live() && self.signals.connection.peek().is_whole();
        let (last, link, watch) = match (agents.len(), greeted) {
            (0, true) => ("watching. the first event brings one".to_owned(), None, ""),
            (0, false) => ("agents appear here as soon as it answers".to_owned(), None, ""),
            _ => {
                let item = self.signals.ghosts.read().newest.clone();
                let now = self.signals.times.read().now;
                let last = item.as_ref().map(|item| format!("last, {}:", voice::ago(now.since_millis(item.time))));
                (last.unwrap_or_default(), item, if live { "still watching. nothing has been missed." } else { "" })
            }
        };
        self.silence.say("title", &title);
        self.silence.say("last", &last);
        let label = link.as_ref().map(|item| item.label.to_string()).unwrap_or_default();
        agent_card::link(&self.silence, "link", &label, link.as_ref().and_then(|item| item.url.as_ref()));
        self.silence.say("watch", watch);
        self.silence.show("", !title.is_empty());
    }

    /// Puts a bundle's count on its ribbon: a button, for a canvas cannot be pressed.
    fn count_bundles(&self, flows: &FlowsView) {
        let scene = self.scene.borrow();
        let keys: Vec<String> = flows.bundles.iter().map(bundle_key).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut rows = self.bundles.borrow_mut();
        rows.keep(&keys, |_| "t-bundle", &|_, _| {});
        for ((piece, bundle), at) in rows.pieces().zip(&flows.bundles).zip(scene.counts()) {
            piece.set("", "data-kind", bundle.kind.as_str());
            piece.set("", "data-source", bundle.source.as_ref().map_or("", |id| id.as_str()));
            piece.set("", "data-target", bundle.target.as_ref().map_or("", |id| id.as_str()));
            piece.show("", at.is_some());
            let at = at.unwrap_or_default();
            piece.style("", "transform", &format!("translate({}px,{}px)", whole(at.x), whole(at.y)));
            piece.say("count", &format!("×{}", bundle.count));
            let words = format!("{} flows {}", bundle.count, bundle.between);
            piece.set("count", "aria-label", &words);
            piece.set("count", "title", &words);
            piece.set("count", "aria-expanded", if bundle.opened.is_empty() { "false" } else { "true" });
        }
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

fn canvas(id: &str) -> Option<HtmlCanvasElement> {
    document().get_element_by_id(id)?.dyn_into().ok()
}

fn bundle_key(bundle: &BundleRow) -> String {
    let name = |id: &Option<EntityId>| id.as_ref().map(ToString::to_string).unwrap_or_default();
    // A line feed is in no id.
    [name(&bundle.source), name(&bundle.target)].join("\n")
}
