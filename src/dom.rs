//! The page's markup, and the few ways in which it is changed.
//!
//! The markup is static: the skeleton and the templates in `index.html`. A [`Piece`] is one section of it or one copy
//! of a template, filled by name (`data-p`); a [`Rows`] keeps copies in the order of their keys. What is shown already
//! is never written again. One type for all of them: views of typed elements cost the page three times the bytes of
//! everything here (`ARCHITECTURE.md`, "Bytes").
//!
//! Knows nothing of what is shown. The reactive part is Leptos': signals run effects, effects fill pieces.

use js_sys::Reflect;
use leptos::prelude::*;
use std::{cell::RefCell, mem::ManuallyDrop};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Document, Element, Event, HtmlElement, HtmlTemplateElement};

/// The document.
///
/// # Panics
/// Never on a page: there is no document only where there is no window.
#[must_use]
pub fn document() -> Document {
    web_sys::window().and_then(|window| window.document()).expect("a page has a document")
}

/// Whether the page is the terrarium alone, in another page or by its address (`src/hands.js` says so).
#[must_use]
pub fn is_embedded() -> bool {
    document().document_element().is_some_and(|root| root.has_attribute("data-embed"))
}

/// Something that lives as long as the page: nobody counts who has it, which would be written out wherever it is handed on.
pub fn leaked<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// Runs `follow` now and whenever a signal that it read has changed. One type of effect for the whole page.
pub fn follow(follow: impl Fn() + 'static) {
    // What runs for as long as the page lives is never let go, so that nothing is written out for that; so below.
    let follow = ManuallyDrop::new(follow);
    let follow: Box<dyn Fn()> = Box::new(move || (*follow)());
    // It runs for as long as the page lives, so nobody keeps a handle that would end it.
    std::mem::forget(RenderEffect::new(move |_: Option<()>| follow()));
}

/// Calls `heard` for every `name` of `target`, for as long as the page lives.
pub fn listen(target: &web_sys::EventTarget, name: &str, heard: impl Fn(Event) + 'static) {
    let heard = ManuallyDrop::new(heard);
    let heard: Box<dyn Fn(Event)> = Box::new(move |event| (*heard)(event));
    let callback = Closure::<dyn Fn(Event)>::wrap(heard);
    // Only a target of another document refuses.
    let _ = target.add_event_listener_with_callback(name, callback.as_ref().unchecked_ref());
    callback.forget();
}

/// Calls `measure` now and whenever one of `elements` has another size, for as long as the page lives: when nothing is
/// half written that the browser would have to lay out to answer.
pub fn watch_sizes(elements: &[&Element], measure: impl FnMut() + 'static) {
    let mut measure = ManuallyDrop::new(measure);
    let measure: Box<dyn FnMut()> = Box::new(move || (*measure)());
    let callback = Closure::<dyn FnMut()>::wrap(measure);
    if let Ok(observer) = web_sys::ResizeObserver::new(callback.as_ref().unchecked_ref()) {
        for element in elements {
            observer.observe(element);
        }
    }
    callback.forget();
}

/// How much larger than usual the witness's browser writes.
#[expect(clippy::cast_possible_truncation, reason = "a font's size")]
#[must_use]
pub fn text_scale() -> f32 {
    let size = || {
        let root = document().document_element()?;
        let style = web_sys::window()?.get_computed_style(&root).ok()??;
        Some(js_sys::parse_float(&style.get_property_value("font-size").ok()?) as f32 / 16.0)
    };
    size().filter(|scale| scale.is_finite()).unwrap_or(1.0).clamp(0.5, 4.0)
}

/// What stands in a field.
#[must_use]
pub fn value(field: &Element) -> String {
    Reflect::get(field, &"value".into()).ok().and_then(|value| value.as_string()).unwrap_or_default()
}

/// Writes into a field what is to stand there.
pub fn write_value(field: &Element, words: &str) {
    // A field takes any text.
    let _ = Reflect::set(field, &"value".into(), &words.into());
}

/// Chooses one of several in a form.
pub fn check(choice: &Element) {
    // A choice takes it.
    let _ = Reflect::set(choice, &"checked".into(), &true.into());
}

/// What is written in one place of a piece.
struct Written {
    part: &'static str,
    /// The attribute; empty for the text.
    attribute: &'static str,
    value: String,
}

/// A section of the page, or a copy of a template.
pub struct Piece {
    root: Element,
    parts: RefCell<Vec<(&'static str, Option<Element>)>>,
    written: RefCell<Vec<Written>>,
}

impl Piece {
    fn new(root: Element) -> Self {
        Self { root, parts: RefCell::default(), written: RefCell::default() }
    }

    /// The section of the page with this id.
    ///
    /// # Panics
    /// When `index.html` has no such section; a browser test opens every one.
    #[must_use]
    pub fn section(id: &str) -> Self {
        Self::new(document().get_element_by_id(id).expect("index.html has the section"))
    }

    /// A copy of the template with this id.
    ///
    /// # Panics
    /// When `index.html` has no such template; a browser test opens every one.
    #[must_use]
    pub fn copy_of(template: &str) -> Self {
        let found = document().get_element_by_id(template).and_then(|t| t.dyn_into::<HtmlTemplateElement>().ok());
        let first = found.and_then(|template| template.content().first_element_child());
        let copy = first.and_then(|first| first.clone_node_with_deep(true).ok()?.dyn_into().ok());
        Self::new(copy.expect("index.html has the template"))
    }

    /// Its outermost element.
    #[must_use]
    pub fn root(&self) -> &Element {
        &self.root
    }

    /// The element named `part`; the root when that is empty. `None` where the markup has no such part.
    #[must_use]
    pub fn part(&self, part: &'static str) -> Option<Element> {
        if part.is_empty() {
            return Some(self.root.clone());
        }
        let mut parts = self.parts.borrow_mut();
        if let Some((_, element)) = parts.iter().find(|(held, _)| *held == part) {
            return element.clone();
        }
        let element = self.root.query_selector(&["[data-p=", part, "]"].concat()).ok().flatten();
        parts.push((part, element.clone()));
        element
    }

    /// Forgets `parts`: the markup that they are in is another.
    pub fn renew(&self, parts: &[&str]) {
        self.parts.borrow_mut().retain(|(held, _)| !parts.contains(held));
        self.written.borrow_mut().retain(|written| !parts.contains(&written.part));
    }

    /// Makes `value` the text of `part`.
    pub fn say(&self, part: &'static str, value: &str) {
        self.write(part, "", value);
    }

    /// Gives `attribute` of `part` its value.
    pub fn set(&self, part: &'static str, attribute: &'static str, value: &str) {
        self.write(part, attribute, value);
    }

    /// Gives `attribute` of `part` its value; an empty one takes it away.
    pub fn mark(&self, part: &'static str, attribute: &'static str, value: &str) {
        if !self.is_new(part, attribute, value) {
            return;
        }
        let Some(element) = self.part(part) else { return };
        // Names of attributes are ours, so that the browser refuses none of these.
        if value.is_empty() {
            let _ = element.remove_attribute(attribute);
        } else {
            let _ = element.set_attribute(attribute, value);
        }
    }

    /// Whether nothing has been written in it yet.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.written.borrow().is_empty()
    }

    /// Shows `part`, or hides it.
    pub fn show(&self, part: &'static str, shown: bool) {
        self.mark(part, "hidden", if shown { "" } else { "hidden" });
    }

    /// Says `value` where there is something to say, and hides the place where not.
    pub fn say_if(&self, part: &'static str, value: &str) {
        self.say(part, value);
        self.show(part, !value.is_empty());
    }

    /// Remembers `value` as what is shown. False when it is shown already.
    fn is_new(&self, part: &'static str, attribute: &'static str, value: &str) -> bool {
        let mut written = self.written.borrow_mut();
        match written.iter_mut().find(|w| w.part == part && w.attribute == attribute) {
            Some(held) if held.value == value => return false,
            Some(held) => value.clone_into(&mut held.value),
            None => written.push(Written { part, attribute, value: value.to_owned() }),
        }
        true
    }

    fn write(&self, part: &'static str, attribute: &'static str, value: &str) {
        if !self.is_new(part, attribute, value) {
            return;
        }
        let Some(element) = self.part(part) else { return };
        if attribute.is_empty() {
            element.set_text_content(Some(value));
        } else {
            // Names of attributes are ours, so that the browser refuses none of these.
            let _ = element.set_attribute(attribute, value);
        }
    }

    /// Puts it at a place, in CSS pixels.
    pub fn stand(&self, x: f32, y: f32) {
        self.style("", "transform", &format!("translate({}px,{}px)", whole(x), whole(y)));
    }

    /// Gives it a length, in CSS pixels.
    pub fn measure(&self, property: &'static str, pixels: f32) {
        self.style("", property, &format!("{}px", whole(pixels)));
    }

    /// Sets a property of `part`'s style. Through the object model, which the page's policy allows.
    pub fn style(&self, part: &'static str, property: &'static str, value: &str) {
        if !self.is_new(part, property, value) {
            return;
        }
        let Some(element) = self.part(part) else { return };
        // Property and value are ours.
        let _ = element.unchecked_into::<HtmlElement>().style().set_property(property, value);
    }
}

/// Whole pixels: text stays crisp, and printing a fraction costs the page more code than it is worth.
#[expect(clippy::cast_possible_truncation, reason = "a screen's coordinates")]
fn whole(pixels: f32) -> i32 {
    pixels.round() as i32
}

/// Copies of templates, each under its key, in the order of the keys given.
pub struct Rows {
    list: Element,
    held: Vec<(String, Piece)>,
}

impl Rows {
    /// An empty list in `list`. What the markup put there goes.
    #[must_use]
    pub fn new(list: Element) -> Self {
        list.set_text_content(None);
        Self { list, held: Vec::new() }
    }

    /// Rows of the element with this id.
    ///
    /// # Panics
    /// When `index.html` has no such element; a browser test opens every one.
    #[must_use]
    pub fn of(id: &str) -> Self {
        Self::new(document().get_element_by_id(id).expect("index.html has the list"))
    }

    /// Keeps one copy of its template for each of `keys`, in their order: those that stay keep their element, its
    /// focus and its place on the screen. A key's first letters may say which template it is (`made` is told).
    pub fn keep(&mut self, keys: &[&str], template_of: fn(&str) -> &'static str, made: &dyn Fn(&str, &Piece)) {
        let focused = document().active_element();
        let (mut near, mut kept, mut lost_at) = (0, 0, None);
        // Those that are wanted no more go.
        let wanted = Sketch::of(keys);
        self.held.retain(|(held, piece)| {
            let found = if wanted.may_have(held) { position(keys, held, near) } else { None };
            if let Some(found) = found {
                (near, kept) = (found, kept + 1);
            } else {
                if piece.root.contains(focused.as_ref().map(AsRef::as_ref)) {
                    lost_at = Some(kept);
                }
                piece.root.remove();
            }
            found.is_some()
        });
        // The others stand in their old order, which is mostly the new one.
        let old: Vec<&str> = self.held.iter().map(|(held, _)| held.as_str()).collect();
        let known = Sketch::of(&old);
        for (at, key) in keys.iter().enumerate() {
            let here = self.held.get(at);
            if here.is_some_and(|(held, _)| held == key) {
                continue;
            }
            let before = here.map(|(_, piece)| piece.root.clone());
            let mut later = None;
            if known.may_have(key) {
                later = self.held.iter().skip(at).position(|(held, _)| held == key);
            }
            let piece = match later {
                Some(later) => {
                    let (key, piece) = self.held.remove(at + later);
                    // What is moved loses the focus: the others move behind it.
                    if piece.root.contains(focused.as_ref().map(AsRef::as_ref)) {
                        let behind = piece.root.next_sibling();
                        for (_, other) in self.held.iter().skip(at).take(later) {
                            let _ = self.list.insert_before(&other.root, behind.as_ref());
                        }
                        self.held.insert(at, (key, piece));
                        continue;
                    }
                    piece
                }
                None => {
                    let piece = Piece::copy_of(template_of(key));
                    made(key, &piece);
                    piece
                }
            };
            // The place is a child of this list: it was put there by it.
            let _ = self.list.insert_before(&piece.root, before.as_ref().map(AsRef::as_ref));
            self.held.insert(at, ((*key).to_owned(), piece));
        }
        self.held.truncate(keys.len());
        // Who is at a row that goes is at its neighbour then, not at the top of the page.
        if let Some(at) = lost_at {
            let (before, after) = self.held.split_at(at.min(self.held.len()));
            let mut near = after.iter().chain(before.iter().rev());
            let button = near.find_map(|(_, piece)| piece.root.query_selector("button").ok()?);
            if let Some(button) = button.and_then(|button| button.dyn_into::<HtmlElement>().ok()) {
                // It is on the page: its row was kept.
                let _ = button.focus();
            }
        }
    }

    /// The key of the first row that matches `selector`.
    #[must_use]
    pub fn key_of(&self, selector: &str) -> Option<String> {
        let held = self.held.iter().find(|(_, piece)| piece.root.matches(selector).unwrap_or(false));
        held.map(|(key, _)| key.clone())
    }

    /// The list that they are in.
    #[must_use]
    pub fn list(&self) -> &Element {
        &self.list
    }

    /// The copies, in order.
    pub fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.held.iter().map(|(_, piece)| piece)
    }
}

/// Where `key` stands among `keys`: first looked for at `near` and after.
fn position(keys: &[&str], key: &str, near: usize) -> Option<usize> {
    let (before, after) = keys.split_at_checked(near)?;
    let found = after.iter().position(|one| *one == key);
    found.map(|at| near + at).or_else(|| before.iter().position(|one| *one == key))
}

/// Which keys there may be, so that those that are not are not looked for among all: a list that changes as a whole
/// would be read a million times.
struct Sketch(Vec<bool>);

impl Sketch {
    fn of(keys: &[&str]) -> Self {
        let mut sketch = Self(vec![false; (keys.len() * 16).next_power_of_two()]);
        for key in keys {
            let at = sketch.place(key);
            if let Some(place) = sketch.0.get_mut(at) {
                *place = true;
            }
        }
        sketch
    }

    /// By Fowler-Noll-Vo 1a.
    fn place(&self, key: &str) -> usize {
        let mut hash = 0x811c_9dc5_u32;
        for byte in key.bytes() {
            hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
        hash as usize & (self.0.len() - 1)
    }

    fn may_have(&self, key: &str) -> bool {
        self.0.get(self.place(key)).is_some_and(|there| *there)
    }
}

#[cfg(test)]
mod tests {
    use super::{Sketch, position};

    #[test]
    fn a_key_that_is_there_is_always_found_and_few_are_looked_for_in_vain() {
        let keys: Vec<String> = (0..2_000).map(|number| format!("#{number}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let sketch = Sketch::of(&keys);
        for (at, key) in keys.iter().enumerate() {
            assert!(sketch.may_have(key));
            assert_eq!(position(&keys, key, 1_000), Some(at));
        }
        let vain = (2_000..4_000).filter(|number| sketch.may_have(&format!("#{number}"))).count();
        assert!(vain < 400, "{vain}");
        assert!(!Sketch::of(&[]).may_have("a"));
        assert_eq!(position(&[], "a", 0), None);
    }
}
