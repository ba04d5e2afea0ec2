//! Cuts a module in two.
//!
//! ```text
//! table   0 … n          as before; a function that moved has a stub there
//!         n … n + s      functions that stay and that the rest calls
//!         … + m          room for functions that moved and had no slot, but are called by ones that stay
//! first   imports what its functions need of the glue, and `b.l`, which loads the rest;
//!         exports what it did, memory, tables and globals as `_m`, `_t` (of functions), `_t1` …, `_g0` …, and the
//!         memory once more as the mark
//! rest    imports what its functions need of the glue; of the module called as the mark: `_m` … as above, and functions
//!         by the slot where they stand in the first; exports nothing. When it is started, the table has been filled
//!         and a global says so.
//! ```

use super::module::Module;
use super::record::all_of;
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use wasm_encoder::reencode::{Error, Reencode, RoundtripReencoder, utils};
use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, ElementSection, Elements, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection, Instruction,
    MemorySection, RawSection, SectionId, StartSection, TableSection, TypeSection, ValType,
};
use wasmparser::{ExternalKind, FuncType};

/// The two files.
pub struct Parts {
    pub first: Vec<u8>,
    pub rest: Vec<u8>,
    /// Names of the functions in the first by their indexes there, to read a stack by; a stub's begins with `→`.
    pub names: String,
    /// Functions in the first, stubs among them, stubs, and functions in the rest.
    pub counts: [usize; 3],
}

/// Names of the module and the function by which the first part asks for the rest.
const LOADER: (&str, &str) = ("b", "l");

/// Cuts `module`: functions for which `stays` says so remain in the first. `mark` is a name that no other build has.
pub fn cut(module: &Module<'_>, mark: &str, stays: &dyn Fn(u32) -> bool) -> Result<Parts> {
    let plan = Plan::of(module, stays)?;
    Ok(Parts {
        first: plan.first(module, mark)?,
        rest: plan.rest(module, mark)?,
        names: plan.names(module),
        counts: [plan.first.len(), plan.stubs.len(), module.functions.len() - plan.kept.len()],
    })
}

/// Where everything goes.
struct Plan {
    /// Functions that stay, imports among them.
    kept: BTreeSet<u32>,
    /// Imports that the rest needs.
    rest_imports: Vec<u32>,
    /// Functions that stay and that the rest calls, and their slots.
    shared: BTreeMap<u32, u32>,
    /// Functions that moved and that something in the first names, and their slots.
    stubs: BTreeMap<u32, u32>,
    /// How many slots there are.
    size: u32,
    /// Old indexes to those of each part.
    first: BTreeMap<u32, u32>,
    rest: BTreeMap<u32, u32>,
    /// Index of the import that loads, in the first.
    loader: u32,
    /// Index of the function that a stub calls before all, in the first.
    ensure: u32,
}

impl Plan {
    fn of(module: &Module<'_>, stays: &dyn Fn(u32) -> bool) -> Result<Self> {
        let imported = u32::try_from(module.imported())?;
        let count = u32::try_from(module.functions.len())?;
        let moved = |function: u32| function >= imported && !stays(function);
        let mut named: BTreeSet<u32> = module.slots.iter().map(|(_, function)| *function).collect();
        named.extend(module.exports.iter().filter(|one| one.kind == ExternalKind::Func).map(|one| one.index));
        let mut needed = BTreeSet::new();
        for (body, calls) in (imported..).zip(module.calls()?) {
            if moved(body) { &mut needed } else { &mut named }.extend(calls);
        }
        let kept: BTreeSet<u32> = (0..count)
            .filter(|one| if *one < imported { named.contains(one) } else { !moved(*one) })
            .collect();
        // what the glue gives, the glue gives to the rest as well
        let rest_imports: Vec<u32> = needed.iter().copied().filter(|one| *one < imported).collect();

        let old: BTreeMap<u32, u32> =
            module.slots.iter().rev().map(|(slot, function)| (*function, *slot)).collect();
        let mut size = module.slots.iter().map(|(slot, _)| slot + 1).max().unwrap_or(1);
        let mut place = |function: u32| {
            let slot = old.get(&function).copied().unwrap_or(size);
            size = size.max(slot + 1);
            (function, slot)
        };
        let shared =
            needed.iter().copied().filter(|one| *one >= imported && !moved(*one)).map(&mut place).collect();
        let stubs: BTreeMap<u32, u32> =
            named.iter().copied().filter(|one| moved(*one)).map(&mut place).collect();

        let (imports, bodies): (Vec<u32>, Vec<u32>) = kept.iter().partition(|one| **one < imported);
        let loader = u32::try_from(imports.len())?;
        let mut first: BTreeMap<u32, u32> = imports.into_iter().zip(0..).collect();
        first.extend(bodies.into_iter().zip(loader + 1..));
        let ensure = u32::try_from(first.len())? + 1;
        // those of one type beside each other: they are alike
        let mut by_type: Vec<u32> = stubs.keys().copied().collect();
        by_type.sort_by_key(|one| (type_of(module, *one), *one));
        first.extend(by_type.into_iter().zip(ensure + 1..));

        let mut rest: BTreeMap<u32, u32> = rest_imports.iter().copied().zip(0..).collect();
        let shared: BTreeMap<u32, u32> = shared;
        rest.extend(shared.keys().copied().zip(u32::try_from(rest.len())?..).collect::<Vec<_>>());
        rest.extend(
            (imported..count).filter(|one| moved(*one)).zip(u32::try_from(rest.len())?..).collect::<Vec<_>>(),
        );
        Ok(Self { kept, rest_imports, shared, stubs, size, first, rest, loader, ensure })
    }

    fn first(&self, module: &Module<'_>, mark: &str) -> Result<Vec<u8>> {
        let mut out = wasm_encoder::Module::new();
        let round = &mut RoundtripReencoder;
        let by = &mut Renamed(&self.first);
        let (types, nothing) = types(module)?;
        out.section(&types);

        let mut imports = ImportSection::new();
        for import in self.kept.iter().filter_map(|one| module.imports.get(usize::try_from(*one).ok()?)) {
            imports.import(import.module, import.name, round.entity_type(import.ty)?);
        }
        imports.import(LOADER.0, LOADER.1, EntityType::Function(nothing));
        out.section(&imports);

        let mut functions = FunctionSection::new();
        let mut code = CodeSection::new();
        for (function, body) in bodies(module) {
            if self.kept.contains(&function) {
                functions.function(type_of(module, function));
                code.function(&body_of(by, body)?);
            }
        }
        let loaded = u32::try_from(module.globals.len())?;
        functions.function(nothing);
        code.function(&written(&[
            Instruction::GlobalGet(loaded),
            Instruction::I32Eqz,
            Instruction::If(wasm_encoder::BlockType::Empty),
            Instruction::Call(self.loader),
            Instruction::End,
        ]));
        let mut stubs: Vec<(u32, u32)> = self.stubs.iter().map(|(one, slot)| (*one, *slot)).collect();
        stubs.sort_by_key(|(one, _)| self.first.get(one));
        for (function, slot) in stubs {
            let type_index = type_of(module, function);
            let ty = module.types.get(usize::try_from(type_index)?).context("a function without a type")?;
            functions.function(type_index);
            code.function(&self.stub(ty, type_index, slot, module.table)?);
        }
        out.section(&functions);

        let mut tables = TableSection::new();
        for (at, table) in module.tables.iter().enumerate() {
            let mut table = table.clone();
            if at == usize::try_from(module.table)? {
                table.ty.initial = self.size.into();
                table.ty.maximum = table.ty.maximum.map(|_| self.size.into());
            }
            utils::parse_table(round, &mut tables, table)?;
        }
        out.section(&tables);
        let mut memories = MemorySection::new();
        for memory in &module.memories {
            memories.memory(round.memory_type(*memory)?);
        }
        out.section(&memories);

        let mut globals = GlobalSection::new();
        for global in &module.globals {
            utils::parse_global(round, &mut globals, global.clone())?;
        }
        globals.global(
            GlobalType { val_type: ValType::I32, mutable: true, shared: false },
            &ConstExpr::i32_const(0),
        );
        out.section(&globals);

        let mut exports = ExportSection::new();
        for export in &module.exports {
            utils::parse_export(by, &mut exports, *export)?;
        }
        for (name, kind, index) in lent(module)? {
            exports.export(&name, kind, index);
        }
        exports.export(mark, ExportKind::Memory, 0);
        out.section(&exports);

        let mut slots: BTreeMap<u32, u32> = self.shared.iter().map(|(one, slot)| (*slot, *one)).collect();
        slots.extend(module.slots.iter().copied());
        out.section(&elements(by, module.table, &slots)?);
        out.section(&DataCountSection { count: module.data.0 });
        out.section(&code);
        out.section(&RawSection { id: SectionId::Data.into(), data: module.data.1 });
        Ok(out.finish())
    }

    fn names(&self, module: &Module<'_>) -> String {
        let mut lines: Vec<(u32, String)> = Vec::new();
        for (old, new) in &self.first {
            let name = usize::try_from(*old).ok().and_then(|at| module.names.get(at)).map_or("", |name| name);
            let arrow = if self.stubs.contains_key(old) { "→ " } else { "" };
            lines.push((*new, format!("{new} {arrow}{name}\n")));
        }
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect()
    }

    fn stub(&self, ty: &FuncType, type_index: u32, slot: u32, table_index: u32) -> Result<Function> {
        let mut instructions = vec![Instruction::Call(self.ensure)];
        instructions.extend((0..u32::try_from(ty.params().len())?).map(Instruction::LocalGet));
        instructions.push(Instruction::I32Const(i32::try_from(slot)?));
        instructions.push(Instruction::CallIndirect { type_index, table_index });
        Ok(written(&instructions))
    }

    fn rest(&self, module: &Module<'_>, mark: &str) -> Result<Vec<u8>> {
        let mut out = wasm_encoder::Module::new();
        let round = &mut RoundtripReencoder;
        let by = &mut Renamed(&self.rest);
        let (types, nothing) = types(module)?;
        out.section(&types);

        let mut imports = ImportSection::new();
        for import in
            self.rest_imports.iter().filter_map(|one| module.imports.get(usize::try_from(*one).ok()?))
        {
            imports.import(import.module, import.name, round.entity_type(import.ty)?);
        }
        for (function, slot) in &self.shared {
            imports.import(mark, &slot.to_string(), EntityType::Function(type_of(module, *function)));
        }
        for (name, kind, index) in lent(module)? {
            let at = usize::try_from(index)?;
            let ty = match kind {
                ExportKind::Memory => EntityType::Memory(round.memory_type(module.memories[0])?),
                ExportKind::Table => {
                    let mut ty = module.tables[at].ty;
                    if index == module.table {
                        ty.initial = self.size.into();
                        ty.maximum = ty.maximum.map(|_| self.size.into());
                    }
                    EntityType::Table(round.table_type(ty)?)
                }
                _ => EntityType::Global(match module.globals.get(at) {
                    Some(global) => round.global_type(global.ty)?,
                    None => GlobalType { val_type: ValType::I32, mutable: true, shared: false },
                }),
            };
            imports.import(mark, &name, ty);
        }
        out.section(&imports);

        let mut functions = FunctionSection::new();
        let mut code = CodeSection::new();
        for (function, body) in bodies(module) {
            if !self.kept.contains(&function) {
                functions.function(type_of(module, function));
                code.function(&body_of(by, body)?);
            }
        }
        let start = u32::try_from(self.rest.len())?;
        functions.function(nothing);
        let loaded = u32::try_from(module.globals.len())?;
        code.function(&written(&[Instruction::I32Const(1), Instruction::GlobalSet(loaded)]));
        out.section(&functions);
        out.section(&StartSection { function_index: start });

        let mut slots: BTreeMap<u32, u32> = self.stubs.iter().map(|(one, slot)| (*slot, *one)).collect();
        slots.extend(module.slots.iter().copied().filter(|(_, one)| self.stubs.contains_key(one)));
        out.section(&elements(by, module.table, &slots)?);
        out.section(&code);
        Ok(out.finish())
    }
}

/// Function indexes of one part by those of the whole.
struct Renamed<'a>(&'a BTreeMap<u32, u32>);

impl Reencode for Renamed<'_> {
    type Error = NotHere;

    fn function_index(&mut self, function: u32) -> Result<u32, Error<NotHere>> {
        self.0.get(&function).copied().ok_or(Error::UserError(NotHere(function)))
    }
}

/// A function is named in a part that does not have it: a mistake in [`Plan::of`].
#[derive(Debug)]
struct NotHere(u32);

impl std::fmt::Display for NotHere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "function {} is not in this part", self.0)
    }
}

impl std::error::Error for NotHere {}

/// What the first gives to the rest, in order: name, kind, index.
fn lent(module: &Module<'_>) -> Result<Vec<(String, ExportKind, u32)>> {
    let mut all = vec![("_m".to_owned(), ExportKind::Memory, 0)];
    for at in 0..u32::try_from(module.tables.len())? {
        all.push((
            if at == module.table { "_t".to_owned() } else { format!("_t{at}") },
            ExportKind::Table,
            at,
        ));
    }
    for at in 0..=u32::try_from(module.globals.len())? {
        all.push((format!("_g{at}"), ExportKind::Global, at));
    }
    Ok(all)
}

/// All types, and that of a function that takes and gives nothing.
fn types(module: &Module<'_>) -> Result<(TypeSection, u32)> {
    let mut types = TypeSection::new();
    let mut nothing = None;
    for (ty, at) in module.types.iter().zip(0..) {
        types.ty().func_type(&RoundtripReencoder.func_type(ty.clone())?);
        if ty.params().is_empty() && ty.results().is_empty() {
            nothing = Some(at);
        }
    }
    let at = nothing.unwrap_or_else(|| {
        types.ty().function([], []);
        types.len() - 1
    });
    Ok((types, at))
}

fn type_of(module: &Module<'_>, function: u32) -> u32 {
    usize::try_from(function).ok().and_then(|at| module.functions.get(at)).copied().unwrap_or(u32::MAX)
}

fn bodies<'m, 'a>(module: &'m Module<'a>) -> impl Iterator<Item = (u32, &'m wasmparser::FunctionBody<'a>)> {
    (u32::try_from(module.imported()).unwrap_or(u32::MAX)..).zip(&module.bodies)
}

fn body_of(by: &mut Renamed<'_>, body: &wasmparser::FunctionBody<'_>) -> Result<Function> {
    let mut function = by.new_function_with_parsed_locals(body)?;
    all_of(by, body, &mut function)?;
    Ok(function)
}

fn written(instructions: &[Instruction<'_>]) -> Function {
    let mut function = Function::new([]);
    for instruction in instructions {
        function.instruction(instruction);
    }
    function.instruction(&Instruction::End);
    function
}

/// Slots that follow each other share a segment.
fn elements(by: &mut Renamed<'_>, table: u32, slots: &BTreeMap<u32, u32>) -> Result<ElementSection> {
    let mut section = ElementSection::new();
    let mut run: Vec<u32> = Vec::new();
    let mut slots = slots.iter().peekable();
    while let Some((slot, function)) = slots.next() {
        run.push(by.function_index(*function)?);
        if slots.peek().is_none_or(|(next, _)| **next != slot + 1) {
            let start = i32::try_from(*slot)? + 1 - i32::try_from(run.len())?;
            section.active(
                Some(table).filter(|table| *table != 0),
                &ConstExpr::i32_const(start),
                Elements::Functions((&run[..]).into()),
            );
            run.clear();
        }
    }
    Ok(section)
}
