//! Which part of a module which bytes of its memory and which slots of its table belong to: the first that may look there.
//!
//! The linker tells where each static lies and what refers to it (`--emit-relocs`). wasm-bindgen and wasm-opt change the
//! code and leave statics and slots where they are, so that code refers to them by the same numbers:
//!
//! ```text
//! code of a part ── i32.const, offset of a load ──▶ static ── pointer ──▶ static
//!                                                     └────── pointer ──▶ slot of a function
//! ```
//! A number that only looks like such a reference counts as one. What nobody refers to, or nobody knows of, is in the
//! first part.

use super::module::Module;
use anyhow::{Context, Result, bail, ensure};
use std::collections::{BTreeMap, BTreeSet};
use wasmparser::{
    BinaryReader, DataKind, DataSectionReader, KnownCustom, Linking, Operator, Parser, Payload,
    RelocationEntry, RelocationType, SymbolInfo,
};

/// Bytes, and where they go.
pub type Segment = (u32, Vec<u8>);

/// Where all of a module goes.
pub struct Layout {
    /// How many parts.
    pub parts: usize,
    /// The part of each function.
    pub functions: Vec<usize>,
    /// For slots of the table, the first part that may look there; the first of all for others.
    pub slots: BTreeMap<u32, usize>,
    /// For each part, what it puts into the memory: where, and bytes.
    pub data: Vec<Vec<Segment>>,
}

/// What the linker says.
#[derive(Default)]
pub struct Statics {
    all: Vec<Static>,
    /// Addresses in the code, and the statics that each is meant to lead to.
    meant: BTreeMap<u32, BTreeSet<usize>>,
    /// Slots in the code.
    slots: BTreeSet<u32>,
    /// Segments as they are linked, where they stand in their section: address, offset there, length.
    segments: Vec<(u32, u32, u32)>,
}

#[derive(Default)]
struct Static {
    start: u32,
    end: u32,
    statics: Vec<usize>,
    slots: Vec<u32>,
}

/// As far as this from where it leads, a number is taken for a reference to a static, if the linker does not know it.
const NEAR: u32 = 64;
/// Bytes between two stretches of memory up to which one segment holds both.
const GAP: u32 = 24;
/// The same where the bytes between must not be touched but can be written as they are.
const SMALL_GAP: u32 = 6;

impl Statics {
    /// Reads a module as it is linked.
    pub fn read(wasm: &[u8]) -> Result<Self> {
        let mut statics = Self::default();
        let mut symbols = Vec::new();
        let mut slots: BTreeMap<u32, u32> = BTreeMap::new();
        let (mut in_code, mut in_data) = (Vec::new(), Vec::new());
        let mut sections = Vec::new();
        let mut relocations: Vec<(u32, Vec<RelocationEntry>)> = Vec::new();
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            if let Some((id, _)) = payload.as_section() {
                sections.push(id);
            }
            match payload {
                Payload::ElementSection(elements) => {
                    let mut module = Module::default();
                    for element in elements {
                        module.take_element(element?)?;
                    }
                    slots = module.slots.iter().map(|(slot, function)| (*function, *slot)).collect();
                }
                Payload::DataSection(data) => {
                    let section = data.range().start;
                    for segment in data {
                        let segment = segment?;
                        let length = u32::try_from(segment.data.len())?;
                        let offset = u32::try_from(segment.range.end - section)? - length;
                        statics.segments.push((address(&segment.kind)?, offset, length));
                    }
                }
                Payload::CustomSection(custom) => match custom.as_known() {
                    KnownCustom::Linking(parts) => {
                        for part in parts {
                            if let Linking::SymbolTable(all) = part? {
                                symbols = all.into_iter().collect::<Result<_, _>>()?;
                            }
                        }
                    }
                    KnownCustom::Reloc(of) => {
                        let entries = of.entries().into_iter().collect::<Result<_, _>>()?;
                        relocations.push((of.section_index(), entries));
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        for (section, entries) in relocations {
            match sections.get(usize::try_from(section)?) {
                Some(10) => in_code = entries,
                Some(11) => in_data = entries,
                _ => {}
            }
        }
        ensure!(!symbols.is_empty() && !in_code.is_empty(), "the linker did not tell what refers to what");
        statics.refer(&symbols, &slots, &in_code, &in_data)?;
        Ok(statics)
    }

    fn refer(
        &mut self,
        symbols: &[SymbolInfo<'_>],
        slots: &BTreeMap<u32, u32>,
        in_code: &[RelocationEntry],
        in_data: &[RelocationEntry],
    ) -> Result<()> {
        let mut by_symbol = BTreeMap::new();
        for (at, symbol) in symbols.iter().enumerate() {
            let SymbolInfo::Data { symbol: Some(symbol), .. } = symbol else { continue };
            let segment = self.segments.get(usize::try_from(symbol.index)?);
            // beyond what is in the file all is zero
            let Some((address, ..)) = segment else { continue };
            let start = address + symbol.offset;
            by_symbol.insert(u32::try_from(at)?, self.all.len());
            self.all.push(Static { start, end: start + symbol.size, ..Static::default() });
        }
        let slot = |symbol: u32| {
            let symbol = usize::try_from(symbol).ok().and_then(|at| symbols.get(at));
            let Some(SymbolInfo::Func { index, .. }) = symbol else { return None };
            slots.get(index).copied()
        };
        for entry in in_code {
            match entry.ty {
                RelocationType::MemoryAddrLeb | RelocationType::MemoryAddrSleb => {
                    if let Some(at) = by_symbol.get(&entry.index) {
                        let start = self.all.get(*at).map_or(0, |one| i64::from(one.start));
                        self.meant.entry(u32::try_from(start + entry.addend)?).or_default().insert(*at);
                    }
                }
                RelocationType::TableIndexSleb => {
                    self.slots.insert(slot(entry.index).context("a function without a slot")?);
                }
                RelocationType::FunctionIndexLeb
                | RelocationType::GlobalIndexLeb
                | RelocationType::TypeIndexLeb
                | RelocationType::TableNumberLeb => {}
                other => bail!("a relocation {other:?} in the code, which this does not know"),
            }
        }
        for entry in in_data {
            let inside =
                |(_, offset, length): &&(u32, u32, u32)| (*offset..offset + length).contains(&entry.offset);
            let segment = self.segments.iter().find(inside).context("a relocation outside of the data")?;
            let place = segment.0 + (entry.offset - segment.1);
            let target = by_symbol.get(&entry.index).copied();
            let slot = slot(entry.index);
            for one in self.all.iter_mut().filter(|one| (one.start..one.end).contains(&place)) {
                match entry.ty {
                    RelocationType::MemoryAddrI32 => one.statics.extend(target),
                    RelocationType::TableIndexI32 => {
                        one.slots.push(slot.context("a function without a slot")?)
                    }
                    other => bail!("a relocation {other:?} in the data, which this does not know"),
                }
            }
        }
        Ok(())
    }

    /// The layout of `module` in so many parts, by the part of each of its functions.
    pub fn layout(&self, module: &Module<'_>, parts: usize, functions: Vec<usize>) -> Result<Layout> {
        let mut of_static = vec![usize::MAX; self.all.len()];
        let mut of_slot: BTreeMap<u32, usize> = BTreeMap::new();
        let mut in_code = vec![BTreeSet::new(); parts];
        for (body, part) in module.bodies.iter().zip(functions.iter().skip(module.imported())) {
            let numbers = in_code.get_mut(*part).context("a part that is none")?;
            for operator in body.get_operators_reader()? {
                numbers.extend(number(&operator?));
            }
        }
        for (part, numbers) in in_code.iter().enumerate().rev() {
            for number in numbers {
                for at in self.led_to(*number) {
                    self.mark(at, part, &mut of_static);
                }
            }
            of_slot.extend(self.slots.intersection(numbers).map(|slot| (*slot, part)));
        }
        let known: BTreeSet<u32> = of_slot.keys().copied().collect();
        for (one, part) in self.all.iter().zip(&of_static) {
            for slot in &one.slots {
                // one that only the code names, and no code of today's, stays in the first
                let is_lost = self.slots.contains(slot) && !known.contains(slot);
                let part = if is_lost { 0 } else { (*part).min(parts - 1) };
                let first = of_slot.entry(*slot).or_insert(part);
                *first = part.min(*first);
            }
        }
        let data = self.data(module, parts, &of_static)?;
        Ok(Layout { parts, functions, slots: of_slot, data })
    }

    /// Statics to which a number in the code may lead.
    fn led_to(&self, number: u32) -> Vec<usize> {
        let (Some(first), Some(last)) =
            (self.all.iter().map(|one| one.start).min(), self.all.iter().map(|one| one.end).max())
        else {
            return Vec::new();
        };
        let meant = self.meant.get(&number);
        if meant.is_none() && !(first..=last).contains(&number) {
            return Vec::new();
        }
        let near = if meant.is_some() { 0 } else { NEAR };
        let reaches = |one: &Static| one.start <= number + near && number < one.end + near;
        let mut all: Vec<usize> =
            self.all.iter().enumerate().filter(|(_, one)| reaches(one)).map(|(at, _)| at).collect();
        all.extend(meant.into_iter().flatten());
        all
    }

    /// `at`, and all that it leads to, is needed by `part`.
    fn mark(&self, at: usize, part: usize, of_static: &mut [usize]) {
        let mut open = vec![at];
        while let Some(at) = open.pop() {
            if let (Some(one), Some(now)) = (self.all.get(at), of_static.get_mut(at))
                && *now > part
            {
                *now = part;
                open.extend(&one.statics);
            }
        }
    }

    fn data(&self, module: &Module<'_>, parts: usize, of_static: &[usize]) -> Result<Vec<Vec<Segment>>> {
        let mut image: BTreeMap<u32, (u8, usize)> = BTreeMap::new();
        for segment in DataSectionReader::new(BinaryReader::new(module.data.1, 0))? {
            let segment = segment?;
            let start = address(&segment.kind)?;
            image.extend((start..).zip(segment.data.iter().map(|byte| (*byte, usize::MAX))));
        }
        for (one, part) in self.all.iter().zip(of_static) {
            for (_, (_, now)) in image.range_mut(one.start..one.end) {
                *now = (*part).min(*now);
            }
        }
        // what only reads: the first of what is linked
        let constants = self.segments.first().map_or(0..0, |(address, _, length)| *address..address + length);
        let mut all = Vec::new();
        for part in 0..parts {
            let mut runs: Vec<Segment> = Vec::new();
            let mine = |owner: usize| if owner == usize::MAX { part == 0 } else { owner == part };
            for (at, (byte, _)) in image.iter().filter(|(_, (byte, owner))| *byte != 0 && mine(*owner)) {
                let between = |from: u32| {
                    (from..*at).map(|at| image.get(&at).copied().unwrap_or((0, part))).collect::<Vec<_>>()
                };
                match runs
                    .last_mut()
                    .map(|(start, bytes)| (*start + u32::try_from(bytes.len()).unwrap_or(u32::MAX), bytes))
                {
                    // bytes of later parts are zero until these come
                    Some((end, bytes)) if part == 0 && at - end <= GAP => {
                        let filled = between(end);
                        bytes.extend(filled.iter().map(|(byte, owner)| if mine(*owner) { *byte } else { 0 }));
                        bytes.push(*byte);
                    }
                    Some((end, bytes))
                        if at - end <= SMALL_GAP && constants.contains(&end) && constants.contains(at) =>
                    {
                        let filled = between(end);
                        bytes.extend(filled.iter().map(|(byte, _)| *byte));
                        bytes.push(*byte);
                    }
                    _ => runs.push((*at, vec![*byte])),
                }
            }
            all.push(runs);
        }
        Ok(all)
    }
}

/// The number of an instruction that may be an address or a slot.
fn number(operator: &Operator<'_>) -> Vec<u32> {
    match operator {
        Operator::I32Const { value } => vec![value.cast_unsigned()],
        other => offset(other).into_iter().collect(),
    }
}

/// The offset of an instruction that reads or writes memory.
fn offset(operator: &Operator<'_>) -> Option<u32> {
    use Operator::*;
    match operator {
        I32Load { memarg }
        | I64Load { memarg }
        | F32Load { memarg }
        | F64Load { memarg }
        | I32Load8S { memarg }
        | I32Load8U { memarg }
        | I32Load16S { memarg }
        | I32Load16U { memarg }
        | I64Load8S { memarg }
        | I64Load8U { memarg }
        | I64Load16S { memarg }
        | I64Load16U { memarg }
        | I64Load32S { memarg }
        | I64Load32U { memarg }
        | I32Store { memarg }
        | I64Store { memarg }
        | F32Store { memarg }
        | F64Store { memarg }
        | I32Store8 { memarg }
        | I32Store16 { memarg }
        | I64Store8 { memarg }
        | I64Store16 { memarg }
        | I64Store32 { memarg } => u32::try_from(memarg.offset).ok(),
        _ => None,
    }
}

fn address(kind: &DataKind<'_>) -> Result<u32> {
    let DataKind::Active { memory_index: 0, offset_expr } = kind else {
        bail!("a segment of data that is not active");
    };
    let Operator::I32Const { value } = offset_expr.get_operators_reader().read()? else {
        bail!("a segment of data whose place is computed");
    };
    Ok(value.cast_unsigned())
}
