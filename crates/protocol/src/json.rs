//! JSON (RFC 8259) into a tree that borrows from its text: how the page reads.
//!
//! Strict and linear, without recursion, and with a bound on how deep a tree becomes. It is small, because the page
//! carries it: an error is an offset, and nothing of Rust's own parsing of fractions (24 KB) comes along. Knows
//! nothing of events or frames; what they make of a tree is in [`crate::from_json`].

use crate::limits::EVENT_MAX_BYTES;
use std::borrow::Cow;

/// Lists and objects within one another that a tree holds; serde's reader holds as many.
pub const DEPTH_MAX: usize = 127;
/// Lists and objects within one another that are read at all: no frame with sound events has more.
const NESTED_MAX: usize = EVENT_MAX_BYTES + DEPTH_MAX;
/// The largest power of ten that a 64-bit float holds exactly.
const EXACT_POWER: i32 = 22;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number written without point and exponent, from 0 to `u64::MAX`; exact.
    Whole(u64),
    /// A number written without point and exponent, from `i64::MIN` to -1; exact.
    Negative(i64),
    /// Any other number. Exact rounding of up to 15 digits within 10^±22, elsewhere a few parts in 10^15 off.
    Fraction(f64),
    /// A string; borrowed when nothing in it is escaped.
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Json<'a>>),
    /// An object, its members in the order of the text; a name may come twice.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
    /// Sound JSON that a tree does not hold: text (or a member's name) with half of a surrogate pair, a number beyond
    /// 64-bit floats, what lies deeper than [`DEPTH_MAX`]. It may be passed over, like anything that nobody asks for;
    /// whoever does ask for it is refused. So what a publisher hides in an attribute of its own costs nobody a frame.
    Opaque,
}

/// Text that is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotJson {
    /// It ends too early.
    Ended,
    /// The byte at this offset cannot stand there.
    Unexpected(usize),
}

/// A list or an object that has begun and not ended. What is put into [`Json::Opaque`] is dropped.
struct Open<'a> {
    held: Json<'a>,
    list: bool,
}

impl<'a> Json<'a> {
    /// Reads a whole text.
    ///
    /// # Errors
    /// When it is anything but one value with blanks around it.
    pub fn parse(text: &'a str) -> Result<Self, NotJson> {
        let mut reader = Reader { text, at: 0 };
        let mut open: Vec<Open<'a>> = Vec::new();
        loop {
            // Here a value begins.
            let mut value = match reader.token() {
                byte @ (b'[' | b'{') => {
                    if open.len() >= NESTED_MAX {
                        return Err(reader.unexpected());
                    }
                    reader.at += 1;
                    let list = byte == b'[';
                    let held = match list {
                        _ if open.len() >= DEPTH_MAX => Self::Opaque,
                        true => Self::List(Vec::new()),
                        false => Self::Object(Vec::new()),
                    };
                    let mut begun = Open { held, list };
                    if reader.token() != begun.end() {
                        if !list {
                            reader.name(&mut begun)?;
                        }
                        open.push(begun);
                        continue;
                    }
                    reader.at += 1;
                    begun.held
                }
                b'"' => reader.text()?.map_or(Self::Opaque, Self::Text),
                b'-' | b'0'..=b'9' => reader.number()?,
                _ => reader.word()?,
            };
            // Here it has ended, and perhaps what it is in.
            loop {
                let end = reader.token();
                let Some(inner) = open.last_mut() else {
                    return if reader.at == text.len() { Ok(value) } else { Err(reader.unexpected()) };
                };
                match &mut inner.held {
                    Self::List(items) => items.push(value),
                    Self::Object(members) => {
                        if let Some((_, place)) = members.last_mut() {
                            *place = value;
                        }
                    }
                    _ => {}
                }
                if end == b',' {
                    reader.at += 1;
                    if !inner.list {
                        reader.name(inner)?;
                    }
                    break;
                }
                if end != inner.end() {
                    return Err(reader.unexpected());
                }
                reader.at += 1;
                value = std::mem::replace(&mut inner.held, Self::Null);
                open.pop();
            }
        }
    }
}

impl Open<'_> {
    /// The byte that ends it.
    fn end(&self) -> u8 {
        if self.list { b']' } else { b'}' }
    }
}

/// The digits of a number as far as they fit, and the power of ten that they are to be taken by.
struct Decimal {
    digits: u64,
    power: i32,
    /// Whether a digit did not fit; those after it are dropped too, and only their places count.
    full: bool,
}

struct Reader<'a> {
    text: &'a str,
    /// Offset of the next byte. Whenever text is cut there it stands on or behind an ASCII byte.
    at: usize,
}

impl<'a> Reader<'a> {
    /// The next byte; 0 at the end, which stands for itself nowhere in JSON.
    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    /// The next byte that is no blank.
    fn token(&mut self) -> u8 {
        while matches!(self.byte(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.byte()
    }

    fn unexpected(&self) -> NotJson {
        if self.at < self.text.len() { NotJson::Unexpected(self.at) } else { NotJson::Ended }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn word(&mut self) -> Result<Json<'a>, NotJson> {
        for (word, value) in [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))] {
            if self.rest().starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.unexpected())
    }

    /// A member's name and its colon, into `object`.
    fn name(&mut self, object: &mut Open<'a>) -> Result<(), NotJson> {
        if self.token() != b'"' {
            return Err(self.unexpected());
        }
        let name = self.text()?;
        if self.token() != b':' {
            return Err(self.unexpected());
        }
        self.at += 1;
        match (name, &mut object.held) {
            (Some(name), Json::Object(members)) => members.push((name, Json::Null)),
            _ => object.held = Json::Opaque,
        }
        Ok(())
    }

    /// A string from its opening quote on; `None` when it holds half of a surrogate pair.
    fn text(&mut self) -> Result<Option<Cow<'a, str>>, NotJson> {
        self.at += 1;
        let opening = self.at;
        let (mut start, mut unescaped, mut whole) = (opening, String::new(), true);
        loop {
            let rest = self.rest();
            self.at += rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len());
            let run = self.text.get(start..self.at).unwrap_or_default();
            match self.byte() {
                b'"' => {
                    self.at += 1;
                    if start == opening {
                        return Ok(Some(Cow::Borrowed(run)));
                    }
                    unescaped.push_str(run);
                    return Ok(whole.then_some(Cow::Owned(unescaped)));
                }
                b'\\' => {
                    unescaped.push_str(run);
                    self.at += 1;
                    match self.escape()? {
                        Some(c) => unescaped.push(c),
                        None => whole = false,
                    }
                    start = self.at;
                }
                _ => return Err(self.unexpected()),
            }
        }
    }

    /// What follows a backslash; `None` for half of a surrogate pair.
    fn escape(&mut self) -> Result<Option<char>, NotJson> {
        let c = match self.byte() {
            byte @ (b'"' | b'\\' | b'/') => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                let mut unit = self.unit()?;
                if (0xD800..0xDC00).contains(&unit) && self.rest().starts_with(b"\\u") {
                    let between = self.at;
                    self.at += 2;
                    match self.unit()? {
                        low @ 0xDC00..0xE000 => unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00),
                        // Not its other half: it is read again for itself.
                        _ => self.at = between,
                    }
                }
                return Ok(char::from_u32(unit));
            }
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(Some(c))
    }

    /// The four hexadecimal digits of a UTF-16 unit.
    fn unit(&mut self) -> Result<u32, NotJson> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = char::from(self.byte()).to_digit(16).ok_or_else(|| self.unexpected())?;
            unit = unit * 16 + digit;
            self.at += 1;
        }
        Ok(unit)
    }

    fn number(&mut self) -> Result<Json<'a>, NotJson> {
        let minus = self.byte() == b'-';
        self.at += usize::from(minus);
        let mut decimal = Decimal { digits: 0, power: 0, full: false };
        if self.byte() == b'0' {
            self.at += 1;
        } else {
            self.digits(&mut decimal, 0)?;
        }
        let mut plain = !decimal.full;
        if self.byte() == b'.' {
            self.at += 1;
            plain = false;
            self.digits(&mut decimal, 1)?;
        }
        if matches!(self.byte(), b'e' | b'E') {
            self.at += 1;
            plain = false;
            let down = self.byte() == b'-';
            self.at += usize::from(down || self.byte() == b'+');
            let mut exponent = Decimal { digits: 0, power: 0, full: false };
            self.digits(&mut exponent, 0)?;
            // Far beyond what a float holds, and far beyond the digits of any text, is all the same.
            let size = i32::try_from(exponent.digits).unwrap_or(i32::MAX);
            decimal.power = decimal.power.saturating_add(if down { -size } else { size });
        }
        if plain && !minus {
            return Ok(Json::Whole(decimal.digits));
        }
        // As serde has it, -0 is a fraction.
        if plain
            && decimal.digits > 0
            && let Some(number) = 0_i64.checked_sub_unsigned(decimal.digits)
        {
            return Ok(Json::Negative(number));
        }
        let size = decimal.value();
        Ok(match size.is_finite() {
            true => Json::Fraction(if minus { -size } else { size }),
            false => Json::Opaque,
        })
    }

    /// One digit or more, into `decimal`. `point` is 1 behind the decimal point, otherwise 0.
    fn digits(&mut self, decimal: &mut Decimal, point: i32) -> Result<(), NotJson> {
        if !self.byte().is_ascii_digit() {
            return Err(self.unexpected());
        }
        while let byte @ b'0'..=b'9' = self.byte() {
            let digit = u64::from(byte - b'0');
            const TENTH: u64 = u64::MAX / 10;
            decimal.full |= decimal.digits > TENTH || (decimal.digits == TENTH && digit > u64::MAX % 10);
            if decimal.full {
                decimal.power = decimal.power.saturating_add(1 - point);
            } else {
                decimal.digits = decimal.digits * 10 + digit;
                decimal.power = decimal.power.saturating_sub(point);
            }
            self.at += 1;
        }
        Ok(())
    }
}

impl Decimal {
    /// The nearest float while digits and power are both exact as floats; otherwise each step of 10^22 adds at most
    /// half a unit in the last place, and sixteen steps lead from one end of the floats to the other.
    fn value(&self) -> f64 {
        let mut value = self.digits as f64;
        // Twenty digits by 10^±400 are 0 or infinite.
        let mut power = if self.digits == 0 { 0 } else { self.power.clamp(-400, 400) };
        while power != 0 {
            let step = power.clamp(-EXACT_POWER, EXACT_POWER);
            let mut factor = 1.0;
            for _ in 0..step.abs() {
                factor *= 10.0;
            }
            value = if step < 0 { value / factor } else { value * factor };
            power -= step;
        }
        value
    }
}
