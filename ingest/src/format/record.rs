//! One record as its format gave it: a value per slot, borrowed from the line.

use super::field::{Field, Raw, Slot};
use crate::reject::Reject;
use model::{Int, ParseFlags, Text};
use std::fmt::Write as _;

/// Calls that one record may hold; further ones are left out and flagged.
const CALLS_MAX: usize = 64;
/// Bytes of a list of forwarded addresses that is put together from the elements of a JSON list.
const FORWARDED_BYTES_MAX: usize = 2_048;

/// Fields of a format of which it is known whether they were read.
const RANKS_MAX: usize = 512;

/// What the elements of a JSON list are put together in.
const JOINED: [Slot; 2] = [Slot::Raw(Raw::Forwarded), Slot::Text(Text::ActorChain)];

/// A scalar of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    /// Text of the line itself.
    Line(&'a str),
    /// Text that had to be unescaped; it stands in the record's scratch text.
    Scratch { from: u32, to: u32 },
    /// A whole number.
    Int(i64),
    /// A number with decimals.
    Float(f64),
}

/// A value, the field that gave it, and that field's place in the format's table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filled<'a> {
    pub(crate) value: Value<'a>,
    pub(crate) field: &'static Field,
    pub(crate) rank: u16,
}

/// The slots that an exploded list may give anew for each of its elements.
pub(crate) const CALL_SLOTS: [Slot; 7] = [
    Slot::Text(Text::McpMethodName),
    Slot::Text(Text::ToolName),
    Slot::Text(Text::ResourceUri),
    Slot::Text(Text::PolicyDecision),
    Slot::Text(Text::PolicyReason),
    Slot::Text(Text::RpcMethod),
    Slot::Int(Int::RpcErrorCode),
];

/// What a record counts for all its calls together: it stands with the first of them, so that sums come
/// out right.
const SUMS: [Slot; 6] = [
    Slot::Int(Int::HttpRequestSize),
    Slot::Int(Int::HttpResponseSize),
    Slot::Int(Int::HttpRequestBodySize),
    Slot::Int(Int::HttpResponseBodySize),
    Slot::Int(Int::GenAiUsageInputTokens),
    Slot::Int(Int::GenAiUsageOutputTokens),
];

/// One element of a list of calls.
pub(crate) type Call<'a> = [Option<Filled<'a>>; CALL_SLOTS.len()];

/// What several records have in common.
#[derive(Debug, Default)]
pub(crate) struct Mark<'a> {
    kept: Vec<(usize, Filled<'a>)>,
}

/// One record as its format gave it.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    values: [Option<Filled<'a>>; Slot::COUNT],
    present: u128,
    /// The fields of JSON that were read, a bit for each rank.
    read: [u64; RANKS_MAX / 64],
    scratch: String,
    /// The elements of exploded lists.
    pub(crate) calls: Vec<Call<'a>>,
    /// What was noticed so far.
    pub(crate) flags: ParseFlags,
    /// Fields seen so far.
    pub(crate) fields: usize,
    /// The names of the record by which envelopes are recognised, a bit each.
    pub(crate) marks: u64,
    /// Why the record is no event, as its format found.
    refused: Option<Reject>,
    /// The log says in its own words, without a status, that the caller's credentials were refused.
    pub(crate) is_claimed: bool,
    /// The line has a backslash somewhere: a value of it may be escaped.
    pub(crate) has_backslash: bool,
}

impl<'a> Record<'a> {
    pub(crate) const fn new() -> Self {
        Self {
            values: [None; Slot::COUNT],
            present: 0,
            read: [0; RANKS_MAX / 64],
            scratch: String::new(),
            calls: Vec::new(),
            flags: ParseFlags(0),
            fields: 0,
            marks: 0,
            refused: None,
            is_claimed: false,
            has_backslash: true,
        }
    }

    /// Empties the record and keeps its memory.
    pub(crate) fn clear(&mut self) {
        self.present = 0;
        self.read = [0; RANKS_MAX / 64];
        self.scratch.clear();
        self.calls.clear();
        self.flags = ParseFlags(0);
        self.fields = 0;
        self.marks = 0;
        self.refused = None;
        self.is_claimed = false;
        self.has_backslash = true;
    }

    /// Says why the record is no event: [`Reject::Repeated`] where another record counts the call,
    /// [`Reject::NotAccessLog`] for a message, [`Reject::UnknownFormat`] where the values show another
    /// format, which is then looked for.
    pub(crate) const fn refuse(&mut self, reason: Reject) {
        self.refused = Some(reason);
    }

    /// Why the record is no event, if its format said so.
    pub(crate) const fn refused(&self) -> Option<Reject> {
        self.refused
    }

    /// Notes that a member of an object is read; whether its name stands there for the second time.
    ///
    /// A name with a part that is any name may well do so.
    pub(crate) fn is_again(&mut self, field: &Field, rank: u16) -> bool {
        let Some(word) = self.read.get_mut(usize::from(rank / 64)) else { return false };
        let bit = 1_u64 << (rank % 64);
        let is_again = *word & bit != 0 && !field.name.contains('*');
        *word |= bit;
        if is_again {
            self.flags.insert(ParseFlags::REPAIRED_JSON);
        }
        is_again
    }

    /// Takes a value, unless a better field has filled the slot.
    pub(crate) fn put(&mut self, field: &'static Field, rank: u16, value: Value<'a>) {
        let value = match value {
            Value::Line("" | "-") => return,
            Value::Int(number) if field.slot.is_text() => self.write(format_args!("{number}")),
            Value::Float(number) if field.slot.is_text() => self.write(format_args!("{number}")),
            value => value,
        };
        let index = field.slot.index();
        let taken = self.present & 1 << index != 0;
        let old = self.values.get(index).copied().flatten().filter(|_| taken);
        if old.is_some_and(|it| it.rank < rank) {
            return;
        }
        let value = match old {
            // The elements of a list of addresses, to which each proxy added one, or of actors.
            Some(old) if old.rank == rank && JOINED.contains(&field.slot) => {
                self.joined(old.value, value)
            }
            _ => value,
        };
        if let Some(slot) = self.values.get_mut(index) {
            *slot = Some(Filled { value, field, rank });
            self.present |= 1 << index;
        }
    }

    /// Takes a text that does not live as long as the line.
    pub(crate) fn put_copied(&mut self, field: &'static Field, rank: u16, text: &str) {
        if !matches!(text, "" | "-") {
            let from = self.scratch.len() as u32;
            self.scratch.push_str(text);
            self.put(field, rank, Value::Scratch { from, to: self.scratch.len() as u32 });
        }
    }

    /// Two parts of a list of addresses; of a list that gets too long, the right one, which counts.
    fn joined(&mut self, left: Value<'a>, right: Value<'a>) -> Value<'a> {
        match (self.text_of(left), self.text_of(right)) {
            (Some(list), Some(next)) if list.len() + next.len() < FORWARDED_BYTES_MAX => {
                let joined = format!("{list}, {next}");
                self.write(format_args!("{joined}"))
            }
            _ => {
                self.flags.insert(ParseFlags::TRUNCATED);
                right
            }
        }
    }

    /// What the record holds so far.
    pub(crate) fn mark(&self) -> Mark<'a> {
        let is_kept = |index: &usize| self.present & 1 << *index != 0;
        let kept = (0..Slot::COUNT).filter(is_kept);
        Mark { kept: kept.filter_map(|it| Some((it, self.at(it)?))).collect() }
    }

    /// Empties the record but for what it held at the mark, which must be one of its own since it was
    /// last cleared.
    pub(crate) fn back_to(&mut self, mark: &Mark<'a>) {
        self.present = 0;
        self.calls.clear();
        self.flags = ParseFlags(0);
        self.fields = 0;
        self.refused = None;
        self.is_claimed = false;
        for (index, filled) in &mark.kept {
            if let Some(slot) = self.values.get_mut(*index) {
                *slot = Some(*filled);
                self.present |= 1 << *index;
            }
        }
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) -> Value<'a> {
        let from = self.scratch.len() as u32;
        // Writing to a string cannot fail.
        let _infallible = self.scratch.write_fmt(text);
        Value::Scratch { from, to: self.scratch.len() as u32 }
    }

    /// Ends one element of a list of calls.
    pub(crate) fn end_call(&mut self) {
        if self.calls.len() == CALLS_MAX {
            self.flags.insert(ParseFlags::TRUNCATED);
            return;
        }
        let call = CALL_SLOTS.map(|slot| self.filled(slot));
        for slot in CALL_SLOTS {
            self.forget(slot);
        }
        if call.iter().any(Option::is_some) {
            self.calls.push(call);
        }
    }

    /// Puts the values of a call back in their slots.
    pub(crate) fn restore(&mut self, call: &Call<'a>) {
        for (slot, filled) in CALL_SLOTS.into_iter().zip(call) {
            self.forget(slot);
            if let (Some(_), Some(place)) = (filled, self.values.get_mut(slot.index())) {
                *place = *filled;
                self.present |= 1 << slot.index();
            }
        }
    }

    /// Leaves out what stands with the first of several calls.
    pub(crate) fn hide_sums(&mut self) {
        for slot in SUMS {
            self.forget(slot);
        }
    }

    /// Shows slots again that were hidden, one bit each.
    pub(crate) const fn show(&mut self, slots: u128) {
        self.present |= slots;
    }

    /// Takes over what one slot holds in another: `user` is the actor where somebody is impersonated.
    pub(crate) fn copy(&mut self, from: Slot, to: Slot) {
        let filled = self.filled(from);
        if let (Some(_), Some(place)) = (filled, self.values.get_mut(to.index())) {
            *place = filled;
            self.present |= 1 << to.index();
        }
    }

    pub(crate) const fn forget(&mut self, slot: Slot) {
        self.present &= !(1 << slot.index());
    }

    pub(crate) const fn has(&self, slot: Slot) -> bool {
        self.present & 1 << slot.index() != 0
    }

    /// The filled slots, one bit each.
    pub(crate) const fn present(&self) -> u128 {
        self.present
    }

    pub(crate) fn at(&self, index: usize) -> Option<Filled<'a>> {
        self.values.get(index).copied().flatten()
    }

    pub(crate) fn filled(&self, slot: Slot) -> Option<Filled<'a>> {
        if self.has(slot) { self.at(slot.index()) } else { None }
    }

    /// The text of a slot.
    pub(crate) fn text(&self, slot: Slot) -> Option<&str> {
        self.text_of(self.filled(slot)?.value)
    }

    /// A value's text, `None` for a number.
    pub(crate) fn text_of<'r>(&'r self, value: Value<'a>) -> Option<&'r str> {
        match value {
            Value::Line(text) => Some(text),
            Value::Scratch { from, to } => self.scratch.get(from as usize..to as usize),
            Value::Int(_) | Value::Float(_) => None,
        }
    }

    /// The whole number of a slot; of a list, the last one. Negative means unknown.
    pub(crate) fn int(&mut self, slot: Slot) -> Option<i64> {
        let number = match self.filled(slot)?.value {
            Value::Int(number) => number,
            Value::Float(number) if number.abs() < 9e15 => number as i64,
            Value::Float(_) => return None,
            text => {
                let text = self.text_of(text)?;
                // Nearly all are digits and nothing else.
                if let Ok(number) = text.parse::<u32>() {
                    return Some(i64::from(number));
                }
                let (last, is_list) = last_of_list(text);
                let number = last.parse().ok().or_else(|| {
                    last.parse::<f64>().ok().filter(|it| it.abs() < 9e15).map(|it| it as i64)
                });
                if is_list {
                    self.flags.insert(ParseFlags::LIST_VALUE);
                }
                number?
            }
        };
        (number >= 0).then_some(number)
    }
}

/// The last entry of a list such as `502, 200 : 200`, and whether it was a list.
pub(crate) fn last_of_list(text: &str) -> (&str, bool) {
    match text.rsplit_once([',', ' ']) {
        Some((_, last)) => (last.trim(), true),
        None => (text, false),
    }
}
