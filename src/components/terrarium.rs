//! The terrarium: agents in their seats, flows on one canvas under them, and what is said when nothing moves.

use crate::{
    clock,
    components::{AgentCard, part, text},
    signals::Signals,
    terrarium::{
        canvas::{self, Scene},
        layout::{Arrangement, Placement, Viewport, arrange},
        stage::Stage,
    },
    voice,
};
use leptos::{html, prelude::*};
use monkeytown_protocol::EntityId;
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};
use wasm_bindgen::{JsCast, closure::Closure};

/// The flows on stage, shared with the session that writes them.
pub type SharedStage = StoredValue<Rc<RefCell<Stage>>, LocalStorage>;

/// The field in which the civilization lives.
#[component]
pub fn Terrarium(
    /// The flows to draw.
    stage: SharedStage,
) -> impl IntoView {
    let signals = expect_context::<Signals>();
    let field = NodeRef::<html::Div>::new();
    let canvas = NodeRef::<html::Canvas>::new();
    let viewport = RwSignal::new(Viewport { width: 0.0, height: 0.0 });
    let arrangement = Memo::new(move |_| {
        let viewport = viewport.get();
        if viewport.width < 1.0 { Arrangement::default() } else { signals.roster.with(|r| arrange(viewport, r)) }
    });
    Effect::new(move |_| {
        if let Some(field) = field.get() {
            watch_size(&field, viewport);
        }
    });
    let painter = Painter::new(stage, canvas);
    Effect::new(move |_| {
        // Whatever changes the picture asks for it to be painted; the second's tick wakes it after a hidden time.
        signals.flows.track();
        signals.times.track();
        let arrangement = arrangement.get();
        let width = viewport.get().width;
        let seats = signals.roster.with(|roster| {
            roster.iter().zip(&arrangement.seats).filter_map(|(s, seat)| Some((s.id.clone(), (*seat)?))).collect()
        });
        painter.show(seats, width, &arrangement);
    });
    let drawn = text(move || signals.flows.with(|flows| flows.drawn.len()).to_string());
    let hidden = text(move || signals.flows.with(|flows| flows.hidden).to_string());
    let entities = text(move || signals.figures.get().entity_count.to_string());
    let class = text(move || {
        let one_column = arrangement.with(|arrangement| arrangement.one_column);
        let (anyone, awake) = signals.roster.with(|r| (!r.is_empty(), r.iter().any(|s| s.posture.is_awake())));
        match (one_column, anyone, awake) {
            (_, false, _) => "terrarium empty",
            (true, ..) => "terrarium one-column",
            (false, true, false) => "terrarium silent",
            _ => "terrarium",
        }
        .to_owned()
    });
    #[expect(clippy::cast_possible_truncation, reason = "a screen's height")]
    let height = text(move || format!("{}px", arrangement.with(|arrangement| arrangement.height) as i32));
    let slots = move || signals.agents.get();
    let unseated = part(move || {
        let (mut awake, mut resting) = (0, 0);
        signals.roster.with(|roster| {
            arrangement.with(|arrangement| {
                for (sitter, _) in roster.iter().zip(&arrangement.seats).filter(|(_, seat)| seat.is_none()) {
                    *(if sitter.posture.is_awake() { &mut awake } else { &mut resting }) += 1;
                }
            });
        });
        match (awake, resting) {
            (0, 0) => ().into_any(),
            _ => {
                let words = format!("no room here for {awake} awake and {resting} at rest");
                view! { <p class="unseated-count">{words}</p> }.into_any()
            }
        }
    });
    view! {
        <div
            class=class
            data-testid="terrarium"
            data-flows-drawn=drawn
            data-flows-hidden=hidden
            data-entities=entities
            node_ref=field
        >
            <canvas class="flow-layer" data-testid="flow-layer" aria-hidden="true" node_ref=canvas></canvas>
            <Silence />
            <h2 class="unseen">"agents"</h2>
            <ul class="agents" style:height=height>
                <For each=slots key=|slot| slot.id.clone() let:agent>
                    <AgentCard agent=agent arrangement=arrangement />
                </For>
            </ul>
            {unseated}
        </div>
    }
}

/// What the field says when nobody is there, or everybody rests.
#[component]
fn Silence() -> impl IntoView {
    let signals = expect_context::<Signals>();
    let title = Memo::new(move |_| {
        let (count, awake) = signals.roster.with(|r| (r.len(), r.iter().filter(|s| s.posture.is_awake()).count()));
        let greeted = signals.connection.with(|view| view.greeted);
        match (count, awake) {
            (0, _) if greeted => "no agent has been seen".to_owned(),
            (0, _) => "waiting for the stream".to_owned(),
            (1, 0) => "the agent is at rest".to_owned(),
            (_, 0) => format!("all {} agents are at rest", voice::number(count)),
            _ => String::new(),
        }
    });
    let line = text(move || match (signals.roster.with(Vec::len), signals.connection.with(|view| view.greeted)) {
        (0, true) => "watching. the first event brings one".to_owned(),
        (0, false) => "agents appear here as soon as it answers".to_owned(),
        _ => last_words(&signals),
    });
    part(move || match title.get() {
        title if title.is_empty() => ().into_any(),
        title => view! {
            <div class="silence">
                <p class="silence-title">{title}</p>
                <p>{line}</p>
            </div>
        }
        .into_any(),
    })
}

/// What happened last, and that nothing is being missed.
fn last_words(signals: &Signals) -> String {
    let last = signals.ghosts.with(|ghosts| ghosts.items.first().cloned());
    match last {
        Some(item) => {
            format!("last, {}: {}", voice::ago(signals.times.get().now.since_millis(item.time)), item.label)
        }
        None => "still watching".to_owned(),
    }
}

/// Keeps `viewport` at the size of `field` for as long as the page lives.
fn watch_size(field: &web_sys::HtmlElement, viewport: RwSignal<Viewport>) {
    let watched = field.clone();
    let measure = move || {
        let size = Viewport { width: f64::from(watched.client_width()), height: f64::from(watched.client_height()) };
        crate::signals::set_if_other(viewport, size);
    };
    measure();
    let callback = Closure::<dyn FnMut()>::new(measure);
    if let Ok(observer) = web_sys::ResizeObserver::new(callback.as_ref().unchecked_ref()) {
        observer.observe(field);
    }
    callback.forget();
}

/// Paints while there is something to see, at the screen's pace, and not at all in a hidden tab.
#[derive(Clone)]
struct Painter(Rc<Brush>);

struct Brush {
    stage: SharedStage,
    canvas: NodeRef<html::Canvas>,
    scene: RefCell<Scene>,
    painting: Cell<bool>,
}

impl Painter {
    fn new(stage: SharedStage, canvas: NodeRef<html::Canvas>) -> Self {
        Self(Rc::new(Brush { stage, canvas, scene: RefCell::default(), painting: Cell::new(false) }))
    }

    /// Takes everybody's seat and paints from now on.
    fn show(&self, seats: Vec<(EntityId, Placement)>, width: f64, arrangement: &Arrangement) {
        let (height, one_column) = (arrangement.height, arrangement.one_column);
        *self.0.scene.borrow_mut() = Scene { seats, width, height, one_column };
        if !self.0.painting.replace(true) {
            self.ask();
        }
    }

    fn ask(&self) {
        let painter = self.clone();
        clock::on_next_frame(move |_| painter.paint());
    }

    fn paint(&self) {
        let now = clock::monotonic_millis();
        let still = clock::prefers_stillness();
        let Some(element) = self.0.canvas.get_untracked() else {
            self.0.painting.set(false);
            return;
        };
        let stage = self.0.stage.get_value();
        let stage = stage.borrow();
        canvas::paint(&element, &self.0.scene.borrow(), &stage, now, still);
        if stage.is_empty() || still || clock::is_hidden() {
            self.0.painting.set(false);
        } else {
            self.ask();
        }
    }
}
