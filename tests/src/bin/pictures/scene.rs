//! The scenes, as data: what a page is told, what is done to it, and at which sizes its picture is taken.

use crate::town::Town;

/// A viewport in CSS pixels.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Size {
    const fn of(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// The usual height at a width.
    pub(crate) const fn wide(width: u32) -> Self {
        match width {
            0..640 => Self::of(width, 844),
            640..844 => Self::of(width, 1_024),
            844 => Self::of(width, 390),
            845..1_600 => Self::of(width, 800),
            _ => Self::of(width, 1_080),
        }
    }

    /// Whether it is a telephone's: fingers, no mouse.
    pub(crate) const fn is_hand_held(self) -> bool {
        self.width <= 768 || self.height < 500
    }
}

const PHONE: Size = Size::wide(390);
const LANDSCAPE: Size = Size::wide(844);
const TABLET: Size = Size::wide(768);
const DESKTOP: Size = Size::wide(1_280);
const WIDE: Size = Size::wide(1_920);

/// What the page is told.
pub(crate) enum Told {
    /// A town as it stands.
    Town(fn() -> Town),
    /// The simulator's story: so many events spread over the last hour, then so many a second.
    Story { events: u32, rate: f64 },
}

/// How the person looks who looks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Eyes {
    /// As anyone.
    Plain,
    /// Asks for reduced motion.
    Still,
    /// Uses colours of the system's choice.
    ForcedColours,
    /// Has set the browser's text to twice its size.
    LargeText,
    /// Has zoomed to 200 %.
    Zoomed,
}

/// What happens once the page shows what it was told.
#[derive(Clone, Copy)]
pub(crate) enum Act {
    /// Nothing.
    None,
    /// The stream goes out of reach.
    LoseTheStream,
    /// A script runs and says whether it found what it looked for.
    Script(&'static str),
}

/// A picture to be taken, at several sizes.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) told: Told,
    pub(crate) eyes: Eyes,
    pub(crate) act: Act,
    pub(crate) sizes: &'static [Size],
    /// Between what happened last and the picture.
    pub(crate) settle_millis: u64,
}

impl Scene {
    const fn of(name: &'static str, town: fn() -> Town, sizes: &'static [Size]) -> Self {
        Self { name, told: Told::Town(town), eyes: Eyes::Plain, act: Act::None, sizes, settle_millis: 2_000 }
    }

    const fn seen_by(mut self, eyes: Eyes) -> Self {
        self.eyes = eyes;
        self
    }

    const fn after(mut self, act: Act) -> Self {
        self.act = act;
        self
    }

    const fn settled_for(mut self, millis: u64) -> Self {
        self.settle_millis = millis;
        self
    }
}

const CLICK_THE_BUILDER: Act = Act::Script(
    "(async () => {
        const found = async (wanted) => {
            for (let tries = 0; tries < 100 && !document.querySelector(wanted); tries += 1) {
                await new Promise((resolve) => setTimeout(resolve, 50));
            }
            return document.querySelector(wanted);
        };
        (await found('[data-testid=agent-card][data-entity-id=monkey-builder] button'))?.click();
        return Boolean(await found('[data-testid=detail-panel][data-open]'));
    })()",
);

const GO_BACK: Act = Act::Script(
    "(async () => {
        const axis = document.querySelector('#axis');
        for (const key of ['ArrowLeft', 'ArrowLeft', 'ArrowLeft', 'ArrowLeft', 'ArrowLeft', 'ArrowLeft']) {
            axis.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
        }
        for (let tries = 0; tries < 100 && !document.querySelector('#travel').dataset.next; tries += 1) {
            await new Promise((resolve) => setTimeout(resolve, 50));
        }
        return Boolean(document.querySelector('#travel').dataset.next);
    })()",
);

const EVERY: &[Size] = &[PHONE, LANDSCAPE, TABLET, DESKTOP, WIDE];
const USUAL: &[Size] = &[PHONE, DESKTOP];

/// Every scene there is.
pub(crate) const SCENES: [Scene; 16] = [
    Scene {
        name: "alive",
        told: Told::Story { events: 1_440, rate: 8.0 },
        eyes: Eyes::Plain,
        act: Act::None,
        sizes: EVERY,
        settle_millis: 5_000,
    },
    // Beside the drawn design: desktop-1280, wide-1920, phone-390.
    Scene::of("town", Town::awake, EVERY),
    // Beside silent-1280.
    Scene::of("silent", Town::asleep, EVERY),
    Scene::of("broken", Town::broken, EVERY).settled_for(800),
    // Beside storm-1280.
    Scene::of("storm", || Town::broken().with_flows(108), USUAL).after(Act::LoseTheStream),
    // Beside detail-1280.
    Scene::of("detail", Town::awake, EVERY).after(CLICK_THE_BUILDER),
    Scene::of("reconnecting", Town::awake, EVERY).after(Act::LoseTheStream).settled_for(4_000),
    Scene::of("flows500", || Town::awake().with_flows(489), EVERY),
    Scene::of("entities300", Town::crowded, EVERY),
    Scene::of("names", Town::strangely_named, EVERY),
    Scene::of("still", Town::awake, USUAL).seen_by(Eyes::Still),
    Scene::of("forced", Town::broken, USUAL).seen_by(Eyes::ForcedColours),
    Scene::of("text200", Town::awake, USUAL).seen_by(Eyes::LargeText),
    Scene::of("zoom200", Town::awake, &[DESKTOP]).seen_by(Eyes::Zoomed),
    Scene::of("empty", Town::default, USUAL),
    Scene::of("past", Town::awake, EVERY).after(GO_BACK),
];
