//! Cuts a module into parts, each of which is loaded after the one before.
//!
//! ```text
//! table   0 … n          as before; a function that moved has a stub there until its part is loaded
//!         n … n + s      functions that parts share and that had no slot
//! part 0  imports what its functions need of the glue, and `b.l`, which loads what is missing up to a part;
//!         exports what the module did, memory, tables and globals as `_m`, `_t` (of functions), `_t1` …, `_g0` …, and the
//!         memory once more as the mark
//! others  import what their functions need of the glue, and `b.l`; of the module called as the mark: `_m` … as above;
//!         of `f` functions of parts before in the order of their slots, each called by how many slots are left out before
//!         it, or nothing if none are; export nothing. When one is started, its slots of the table are filled, its data
//!         is in the memory, and a global says which part it was.
//! ```

use super::data::Layout;
use super::module::Module;
use super::plan::{Plan, Share, type_of};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use wasm_encoder::reencode::{Error, Reencode, RoundtripReencoder, utils};
use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ElementSection, Elements, EntityType, ExportKind, ExportSection,
    Function, FunctionSection, GlobalSection, GlobalType, ImportSection, Instruction, MemorySection,
    StartSection, TableSection, TypeSection, ValType,
};
use wasmparser::{FunctionBody, Operator, Validator};

/// What came of it.
pub struct Parts {
    pub files: Vec<Vec<u8>>,
    /// For each, names of its functions by their indexes there, to read a stack by; a stub's begins with `→`.
    pub names: Vec<String>,
    /// For each, functions of its own, and stubs.
    pub counts: Vec<[usize; 2]>,
}

/// Names of the module and the function by which a part asks for those after it.
const LOADER: (&str, &str) = ("b", "l");
/// What functions of parts before are imported from.
const LENT: &str = "f";

/// Cuts `module` as `layout` says. `mark` is a name that no other build has.
pub fn cut(module: &Module<'_>, mark: &str, layout: &Layout) -> Result<Parts> {
    let plan = Plan::of(module, layout)?;
    let mut parts = Parts { files: Vec::new(), names: Vec::new(), counts: Vec::new() };
    for (at, share) in plan.shares.iter().enumerate() {
        let data = layout.data.get(at).map_or(&[][..], |data| data);
        let file = Cutting { module, plan: &plan, share, mark }.part(at, data)?;
        Validator::new().validate_all(&file).with_context(|| format!("part {at} is not right"))?;
        parts.files.push(file);
        parts.names.push(names(module, share));
        parts.counts.push([share.own.len(), share.stubs.len()]);
    }
    Ok(parts)
}

fn names(module: &Module<'_>, share: &Share) -> String {
    let mut lines: Vec<(u32, String)> = Vec::new();
    for (old, new) in &share.functions {
        let name = usize::try_from(*old).ok().and_then(|at| module.names.get(at)).map_or("", |name| name);
        let arrow = if share.stubs.contains(old) { "→ " } else { "" };
        lines.push((*new, format!("{new} {arrow}{name}\n")));
    }
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
}

/// One part, being written.
struct Cutting<'a> {
    module: &'a Module<'a>,
    plan: &'a Plan,
    share: &'a Share,
    mark: &'a str,
}

impl Cutting<'_> {
    fn part(&self, at: usize, data: &[(u32, Vec<u8>)]) -> Result<Vec<u8>> {
        let (module, share) = (self.module, self.share);
        let mut out = wasm_encoder::Module::new();
        let by = &mut Renamed(share);
        out.section(&self.types()?);
        out.section(&self.imports(at, by)?);

        let mut functions = FunctionSection::new();
        let mut code = CodeSection::new();
        for part in share.waits.keys() {
            functions.function(share.nothing);
            code.function(&self.wait(i32::try_from(*part)?)?);
        }
        for old in &share.own {
            let body = usize::try_from(*old)?.checked_sub(module.imported());
            let body = body.and_then(|at| module.bodies.get(at)).context("a function without a body")?;
            functions.function(by.type_index(type_of(module, *old))?);
            let mut function = by.new_function_with_parsed_locals(body)?;
            self.all_of(by, body, &mut function)?;
            code.function(&function);
        }
        for old in &share.stubs {
            functions.function(by.type_index(type_of(module, *old))?);
            code.function(&self.stub(*old)?);
        }
        if at > 0 {
            functions.function(share.nothing);
            let level = Instruction::GlobalSet(self.plan.level);
            code.function(&written(&[Instruction::I32Const(i32::try_from(at)?), level]));
        }
        out.section(&functions);
        if at == 0 {
            self.state(&mut out, by)?;
        } else {
            out.section(&StartSection { function_index: share.start });
        }
        out.section(&self.elements(by)?);
        out.section(&code);
        let mut section = DataSection::new();
        for (start, bytes) in data {
            let start = ConstExpr::i32_const(i32::try_from(*start)?);
            section.active(0, &start, bytes.iter().copied());
        }
        if !data.is_empty() {
            out.section(&section);
        }
        Ok(out.finish())
    }

    fn types(&self) -> Result<TypeSection> {
        let mut types = TypeSection::new();
        let mut all: Vec<(u32, u32)> = self.share.types.iter().map(|(old, new)| (*new, *old)).collect();
        all.sort_unstable();
        for (_, old) in all {
            let ty = self.module.types.get(usize::try_from(old)?).context("a type that is not there")?;
            types.ty().func_type(&RoundtripReencoder.func_type(ty.clone())?);
        }
        types.ty().function([], []);
        types.ty().function([ValType::I32], []);
        Ok(types)
    }

    fn imports(&self, at: usize, by: &mut Renamed<'_>) -> Result<ImportSection> {
        let (module, share) = (self.module, self.share);
        let round = &mut RoundtripReencoder;
        let mut imports = ImportSection::new();
        for old in &share.glue {
            let import = module.imports.get(usize::try_from(*old)?).context("an import that is not there")?;
            imports.import(import.module, import.name, by.entity_type(import.ty)?);
        }
        if share.loader.is_some() {
            imports.import(LOADER.0, LOADER.1, EntityType::Function(share.nothing + 1));
        }
        let mut next = 0;
        for old in &share.lent {
            let slot = self.plan.slot(*old)?;
            let between = Some(slot - next).filter(|between| *between > 0);
            let name = between.map(|between| between.to_string()).unwrap_or_default();
            imports.import(LENT, &name, EntityType::Function(by.type_index(type_of(module, *old))?));
            next = slot + 1;
        }
        if at == 0 {
            return Ok(imports);
        }
        for (name, kind, index) in lent(module)? {
            let at = usize::try_from(index)?;
            let ty = match kind {
                ExportKind::Memory => EntityType::Memory(round.memory_type(module.memories[0])?),
                ExportKind::Table => {
                    let mut ty = module.tables[at].ty;
                    if index == module.table {
                        ty.initial = self.plan.size.into();
                        ty.maximum = ty.maximum.map(|_| self.plan.size.into());
                    }
                    EntityType::Table(round.table_type(ty)?)
                }
                _ => EntityType::Global(match module.globals.get(at) {
                    Some(global) => round.global_type(global.ty)?,
                    None => LEVEL,
                }),
            };
            imports.import(self.mark, &name, ty);
        }
        Ok(imports)
    }

    /// Tables, memories, globals and exports: those of the first part, which lends them to the others.
    fn state(&self, out: &mut wasm_encoder::Module, by: &mut Renamed<'_>) -> Result<()> {
        let (module, round) = (self.module, &mut RoundtripReencoder);
        let mut tables = TableSection::new();
        for (at, table) in module.tables.iter().enumerate() {
            let mut table = table.clone();
            if at == usize::try_from(module.table)? {
                table.ty.initial = self.plan.size.into();
                table.ty.maximum = table.ty.maximum.map(|_| self.plan.size.into());
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
        globals.global(LEVEL, &ConstExpr::i32_const(0));
        out.section(&globals);
        let mut exports = ExportSection::new();
        for export in &module.exports {
            utils::parse_export(by, &mut exports, *export)?;
        }
        for (name, kind, index) in lent(module)? {
            exports.export(&name, kind, index);
        }
        exports.export(self.mark, ExportKind::Memory, 0);
        out.section(&exports);
        Ok(())
    }

    /// Slots that follow each other share a segment.
    fn elements(&self, by: &mut Renamed<'_>) -> Result<ElementSection> {
        let mut section = ElementSection::new();
        let mut run: Vec<u32> = Vec::new();
        let mut slots = self.share.slots.iter().peekable();
        while let Some((slot, function)) = slots.next() {
            run.push(by.function_index(*function)?);
            if slots.peek().is_none_or(|(next, _)| **next != slot + 1) {
                let start = i32::try_from(*slot)? + 1 - i32::try_from(run.len())?;
                section.active(
                    Some(self.module.table).filter(|table| *table != 0),
                    &ConstExpr::i32_const(start),
                    Elements::Functions((&run[..]).into()),
                );
                run.clear();
            }
        }
        Ok(section)
    }

    /// Loads what is missing up to a part.
    fn wait(&self, part: i32) -> Result<Function> {
        Ok(written(&[
            Instruction::GlobalGet(self.plan.level),
            Instruction::I32Const(part),
            Instruction::I32LtS,
            Instruction::If(wasm_encoder::BlockType::Empty),
            Instruction::I32Const(part),
            Instruction::Call(self.share.loader.context("nothing that loads")?),
            Instruction::End,
        ]))
    }

    /// Puts the instructions of `body` behind what `function` has.
    fn all_of(&self, by: &mut Renamed<'_>, body: &FunctionBody<'_>, function: &mut Function) -> Result<()> {
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            match reader.read()? {
                Operator::Call { function_index } if self.share.seldom.contains(&function_index) => {
                    for instruction in self.later(function_index)? {
                        function.instruction(&instruction);
                    }
                }
                other => drop(function.instruction(&by.instruction(other)?)),
            }
        }
        Ok(())
    }

    /// Calls a function of a later part with what is on the stack.
    fn later(&self, old: u32) -> Result<[Instruction<'static>; 3]> {
        let wait = self.share.waits.get(&self.plan.part(old)).context("a part that is not waited for")?;
        let type_index = Renamed(self.share).type_index(type_of(self.module, old))?;
        Ok([
            Instruction::Call(*wait),
            Instruction::I32Const(i32::try_from(self.plan.slot(old)?)?),
            Instruction::CallIndirect { type_index, table_index: self.module.table },
        ])
    }

    /// What stands for a function of a later part.
    fn stub(&self, old: u32) -> Result<Function> {
        let ty = usize::try_from(type_of(self.module, old))?;
        let params = self.module.types.get(ty).context("a function without a type")?.params();
        let params = (0..u32::try_from(params.len())?).map(Instruction::LocalGet);
        Ok(written(&params.chain(self.later(old)?).collect::<Vec<_>>()))
    }
}

/// Says which part was loaded last.
const LEVEL: GlobalType = GlobalType { val_type: ValType::I32, mutable: true, shared: false };

/// Indexes of one part by those of the whole.
struct Renamed<'a>(&'a Share);

impl Renamed<'_> {
    fn of(map: &BTreeMap<u32, u32>, what: &'static str, index: u32) -> Result<u32, Error<NotHere>> {
        map.get(&index).copied().ok_or(Error::UserError(NotHere(what, index)))
    }
}

impl Reencode for Renamed<'_> {
    type Error = NotHere;

    fn function_index(&mut self, function: u32) -> Result<u32, Error<NotHere>> {
        Self::of(&self.0.functions, "function", function)
    }

    fn type_index(&mut self, ty: u32) -> Result<u32, Error<NotHere>> {
        Self::of(&self.0.types, "type", ty)
    }
}

/// Something is named in a part that does not have it: a mistake in [`Plan::of`].
#[derive(Debug)]
struct NotHere(&'static str, u32);

impl std::fmt::Display for NotHere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} is not in this part", self.0, self.1)
    }
}

impl std::error::Error for NotHere {}

/// What the first gives to the others, in order: name, kind, index.
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

fn written(instructions: &[Instruction<'_>]) -> Function {
    let mut function = Function::new([]);
    for instruction in instructions {
        function.instruction(instruction);
    }
    function.instruction(&Instruction::End);
    function
}
