//! A module that tells which of its places are reached (see [`cold::is_place`]), each once, to the import `hypha.ran`:
//! by their numbers over all functions in their order.

use super::{Module, cold};
use anyhow::Result;
use std::convert::Infallible;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder, utils};
use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, ElementSection, Elements, EntityType, ExportSection, Function,
    FunctionSection, GlobalSection, GlobalType, ImportSection, Instruction, MemorySection, RawSection,
    SectionId, TableSection, TypeSection, ValType,
};

/// Where the import that is added stands; all functions with bodies move up by one.
struct Shifted {
    at: u32,
}

impl Reencode for Shifted {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, wasm_encoder::reencode::Error<Infallible>> {
        Ok(function + u32::from(function >= self.at))
    }
}

/// `module`, telling.
pub fn record(module: &Module<'_>) -> Result<Vec<u8>> {
    let mut out = wasm_encoder::Module::new();
    let shift_at = u32::try_from(module.imported())?;
    let mut shift = Shifted { at: shift_at };
    let round = &mut RoundtripReencoder;

    let mut types = TypeSection::new();
    for ty in &module.types {
        types.ty().func_type(&round.func_type(ty.clone())?);
    }
    let told = types.len();
    types.ty().function([ValType::I32], []);
    out.section(&types);

    let mut imports = ImportSection::new();
    for import in &module.imports {
        imports.import(import.module, import.name, round.entity_type(import.ty)?);
    }
    imports.import("hypha", "ran", EntityType::Function(told));
    out.section(&imports);

    let mut functions = FunctionSection::new();
    for ty in module.functions.iter().skip(module.imported()) {
        functions.function(*ty);
    }
    out.section(&functions);

    let mut tables = TableSection::new();
    for table in &module.tables {
        utils::parse_table(round, &mut tables, table.clone())?;
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
    let first_flag = globals.len();
    let mut all = 0;
    for body in &module.bodies {
        all += cold::places(body)?;
    }
    for _ in 0..all {
        let flag = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        globals.global(flag, &ConstExpr::i32_const(0));
    }
    out.section(&globals);

    let mut exports = ExportSection::new();
    for export in &module.exports {
        utils::parse_export(&mut shift, &mut exports, *export)?;
    }
    out.section(&exports);

    let mut elements = ElementSection::new();
    for (slot, function) in &module.slots {
        let function = [shift.function_index(*function)?];
        elements.active(
            Some(module.table).filter(|table| *table != 0),
            &ConstExpr::i32_const(i32::try_from(*slot)?),
            Elements::Functions((&function[..]).into()),
        );
    }
    out.section(&elements);
    out.section(&DataCountSection { count: module.data.0 });

    let mut code = CodeSection::new();
    let mut place = 0;
    let mut tell = |function: &mut Function| -> Result<()> {
        for instruction in telling(first_flag + place, place, shift_at)? {
            function.instruction(&instruction);
        }
        place += 1;
        Ok(())
    };
    for body in &module.bodies {
        let mut function = shift.new_function_with_parsed_locals(body)?;
        tell(&mut function)?;
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            let operator = reader.read()?;
            let opens = cold::is_place(&operator);
            function.instruction(&shift.instruction(operator)?);
            if opens && !reader.eof() {
                tell(&mut function)?;
            }
        }
        code.function(&function);
    }
    out.section(&code);
    out.section(&RawSection { id: SectionId::Data.into(), data: module.data.1 });
    Ok(out.finish())
}

fn telling(flag: u32, index: u32, ran: u32) -> Result<[Instruction<'static>; 8]> {
    Ok([
        Instruction::GlobalGet(flag),
        Instruction::I32Eqz,
        Instruction::If(wasm_encoder::BlockType::Empty),
        Instruction::I32Const(1),
        Instruction::GlobalSet(flag),
        Instruction::I32Const(i32::try_from(index)?),
        Instruction::Call(ran),
        Instruction::End,
    ])
}
