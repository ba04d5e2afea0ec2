//! A small module, taken apart and cut.

use super::{Layout, Module, Statics, cut, take_out};
use std::collections::BTreeMap;
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataSection, ElementSection, Elements, ExportKind, ExportSection,
    Function, FunctionSection, Instruction, MemorySection, MemoryType, RefType, TableSection, TableType,
    TypeSection, ValType,
};
use wasmparser::{Operator, Parser, Payload, Validator};

/// ```text
/// 0  exported `run`: (a, b) { c = a + b; if a { much with b; c = … } → c }
/// 1  (a) calls 2
/// 2  in slot 1, reads the memory at 1024
/// ```
fn whole() -> Vec<u8> {
    let mut module = wasm_encoder::Module::new();
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32, ValType::I32], [ValType::I32]);
    types.ty().function([ValType::I32], [ValType::I32]);
    module.section(&types);
    let mut functions = FunctionSection::new();
    functions.function(0).function(1).function(1);
    module.section(&functions);
    let mut tables = TableSection::new();
    let element_type = RefType::FUNCREF;
    tables.table(TableType { element_type, minimum: 2, maximum: Some(2), table64: false, shared: false });
    module.section(&tables);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    module.section(&memories);
    let mut exports = ExportSection::new();
    exports.export("run", ExportKind::Func, 0);
    module.section(&exports);
    let mut elements = ElementSection::new();
    elements.active(None, &ConstExpr::i32_const(1), Elements::Functions((&[2][..]).into()));
    module.section(&elements);
    let mut code = CodeSection::new();
    let mut run = Function::new([(2, ValType::I32)]);
    let (get, set) = (Instruction::LocalGet, Instruction::LocalSet);
    for instruction in
        [get(0), get(1), Instruction::I32Add, set(2), get(0), Instruction::If(BlockType::Empty)]
    {
        run.instruction(&instruction);
    }
    for _ in 0..20 {
        for instruction in [get(1), Instruction::Call(1), set(3), get(3), set(2)] {
            run.instruction(&instruction);
        }
    }
    for instruction in [Instruction::End, get(2), Instruction::End] {
        run.instruction(&instruction);
    }
    code.function(&run);
    let mut calls = Function::new([]);
    calls.instruction(&get(0)).instruction(&Instruction::Call(2)).instruction(&Instruction::End);
    code.function(&calls);
    let mut reads = Function::new([]);
    let memarg = wasm_encoder::MemArg { offset: 0, align: 2, memory_index: 0 };
    reads.instruction(&Instruction::I32Const(1024)).instruction(&Instruction::I32Load(memarg));
    reads.instruction(&Instruction::End);
    code.function(&reads);
    module.section(&code);
    let mut data = DataSection::new();
    data.active(0, &ConstExpr::i32_const(1024), *b"known to nobody");
    module.section(&data);
    module.finish()
}

#[test]
fn what_did_not_run_takes_the_locals_that_it_reads_and_gives_those_that_are_read_after() {
    let wasm = whole();
    let module = Module::read(&wasm).unwrap();
    // places of `run`: its beginning, behind `if`, behind the end of that
    let needed =
        |function, count| (function == 0).then(|| (0..count).map(|place| usize::from(place == 1)).collect());
    let (taken, parts) = take_out(&wasm, &module, &[0, 1, 1], &needed).unwrap();
    Validator::new().validate_all(&taken).unwrap();
    let after = Module::read(&taken).unwrap();
    assert_eq!((parts, after.functions.len()), (vec![1], 4));
    let ty = after.types.get(usize::try_from(after.functions[3]).unwrap()).unwrap();
    // b goes in, c comes out; the fourth local is nobody else's, and what c was before nobody reads
    assert_eq!(
        (ty.params(), ty.results()),
        (&[wasmparser::ValType::I32][..], &[wasmparser::ValType::I32][..])
    );
    assert!(taken.len() < wasm.len() + 60 && after.bodies[0].range().len() < 40);
}

#[test]
fn parts_stand_for_themselves_and_lend_each_other_what_they_need() {
    let wasm = whole();
    let module = Module::read(&wasm).unwrap();
    let layout = Layout {
        parts: 3,
        functions: vec![0, 2, 1],
        slots: BTreeMap::from([(1, 1)]),
        data: vec![Vec::new(), vec![(1024, b"known".to_vec())], Vec::new()],
    };
    let parts = cut(&module, "build-0", &layout).unwrap();
    for file in &parts.files {
        Validator::new().validate_all(file).unwrap();
    }
    // `run` calls what is in the last part, so often that it has a stub; nobody looks into slot 1 before the second is
    // there, and that one fills it
    assert_eq!(parts.counts, [[1, 1], [1, 0], [1, 0]]);
    let found: Vec<Found> = parts.files.iter().map(|file| Found::of(file)).collect();
    assert_eq!(
        found.iter().map(|part| (part.elements, part.data)).collect::<Vec<_>>(),
        [(0, 0), (1, 1), (1, 0)]
    );
    assert_eq!(
        found[2].imports[0],
        ("f".to_owned(), "1".to_owned()),
        "the last part calls what is in slot 1"
    );
    assert!(["run", "build-0", "_t"].iter().all(|name| found[0].exports.iter().any(|one| one == name)));
}

#[test]
fn a_function_of_a_later_part_that_is_called_once_needs_no_stub() {
    let wasm = whole();
    let module = Module::read(&wasm).unwrap();
    let slots = BTreeMap::from([(1, 2)]);
    let data = vec![Vec::new(); 3];
    let parts = cut(&module, "build-0", &Layout { parts: 3, functions: vec![0, 1, 2], slots, data }).unwrap();
    assert_eq!(parts.counts, [[1, 1], [1, 0], [1, 0]]);
    // function 1 waits for the last part, then calls what is in its slot
    let bodies: Vec<_> = Parser::new(0)
        .parse_all(&parts.files[1])
        .filter_map(|payload| match payload.unwrap() {
            Payload::CodeSectionEntry(body) => Some(body),
            _ => None,
        })
        .collect();
    let operators: Vec<Operator<'_>> =
        bodies[1].get_operators_reader().unwrap().into_iter().map(|one| one.unwrap()).collect();
    assert!(
        matches!(
            operators.as_slice(),
            [
                Operator::LocalGet { local_index: 0 },
                Operator::Call { .. },
                Operator::I32Const { value: 1 },
                Operator::CallIndirect { .. },
                Operator::End
            ]
        ),
        "{operators:?}"
    );
}

/// What is in a part.
#[derive(Default)]
struct Found {
    imports: Vec<(String, String)>,
    exports: Vec<String>,
    elements: u32,
    data: u32,
}

impl Found {
    fn of(file: &[u8]) -> Self {
        let mut found = Self::default();
        for payload in Parser::new(0).parse_all(file) {
            match payload.unwrap() {
                Payload::ImportSection(imports) => found.imports.extend(
                    imports
                        .into_imports()
                        .map(|one| one.unwrap())
                        .map(|one| (one.module.into(), one.name.into())),
                ),
                Payload::ExportSection(all) => {
                    found.exports.extend(all.into_iter().map(|one| one.unwrap().name.into()))
                }
                Payload::ElementSection(all) => found.elements = all.count(),
                Payload::DataSection(all) => found.data = all.count(),
                _ => {}
            }
        }
        found
    }
}

#[test]
fn what_nobody_knows_of_is_in_the_first_part() {
    let wasm = whole();
    let module = Module::read(&wasm).unwrap();
    let layout = Statics::default().layout(&module, 2, vec![0, 1, 1]).unwrap();
    assert_eq!(layout.data, [vec![(1024, b"known to nobody".to_vec())], Vec::new()]);
    assert!(Statics::read(&wasm).is_err(), "the linker said nothing");
}
