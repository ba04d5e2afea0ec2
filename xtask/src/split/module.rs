//! A module of WebAssembly, read as far as the other files here need it.

use anyhow::{Context, Result, bail, ensure};
use std::borrow::Cow;
use std::collections::BTreeSet;
use wasmparser::{
    Element, ElementItems, ElementKind, Export, FuncType, FunctionBody, Global, Import, KnownCustom,
    MemoryType, Name, Operator, Parser, Payload, Table, TypeRef,
};

/// Sections of one module, in the order of the format. Indexes of functions count imports first, as the format does.
#[derive(Default)]
pub struct Module<'a> {
    pub types: Vec<FuncType>,
    pub imports: Vec<Import<'a>>,
    /// Type of each function, imported or not.
    pub functions: Vec<u32>,
    pub tables: Vec<Table<'a>>,
    pub memories: Vec<MemoryType>,
    pub globals: Vec<Global<'a>>,
    pub exports: Vec<Export<'a>>,
    /// What stands in the table of functions: slot and function.
    pub slots: Vec<(u32, u32)>,
    /// Which table that is.
    pub table: u32,
    pub bodies: Vec<FunctionBody<'a>>,
    /// Body of the section, and how many segments it has.
    pub data: (u32, &'a [u8]),
    /// As the compiler called them; see [`Module::nameless`] for those that it did not.
    pub names: Vec<Cow<'a, str>>,
}

impl<'a> Module<'a> {
    /// Reads what rustc, wasm-bindgen and wasm-opt write; an error for what they do not.
    pub fn read(wasm: &'a [u8]) -> Result<Self> {
        let mut module = Self::sections(wasm)?;
        let imported = module.imported();
        ensure!(module.functions.len() == imported + module.bodies.len(), "functions without bodies");
        ensure!(module.memories.len() == 1, "{} memories, not one", module.memories.len());
        module.names.resize(module.functions.len(), "".into());
        module.nameless()?;
        Ok(module)
    }

    /// Its sections as they stand there.
    fn sections(wasm: &'a [u8]) -> Result<Self> {
        let mut module = Module::default();
        for payload in Parser::new(0).parse_all(wasm) {
            module.take(payload?, wasm)?;
        }
        Ok(module)
    }

    fn take(&mut self, payload: Payload<'a>, wasm: &'a [u8]) -> Result<()> {
        match payload {
            Payload::TypeSection(types) => {
                for ty in types.into_iter_err_on_gc_types() {
                    self.types.push(ty?);
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import?;
                    let TypeRef::Func(ty) = import.ty else {
                        bail!("{} is imported, and no function", import.name)
                    };
                    self.functions.push(ty);
                    self.imports.push(import);
                }
            }
            Payload::FunctionSection(types) => {
                for ty in types {
                    self.functions.push(ty?);
                }
            }
            Payload::TableSection(tables) => self.tables = tables.into_iter().collect::<Result<_, _>>()?,
            Payload::MemorySection(memories) => {
                self.memories = memories.into_iter().collect::<Result<_, _>>()?
            }
            Payload::GlobalSection(globals) => {
                self.globals = globals.into_iter().collect::<Result<_, _>>()?
            }
            Payload::ExportSection(exports) => {
                self.exports = exports.into_iter().collect::<Result<_, _>>()?
            }
            Payload::StartSection { .. } => bail!("a start function, which this does not know"),
            Payload::ElementSection(elements) => {
                for element in elements {
                    self.take_element(element?)?;
                }
            }
            Payload::DataSection(data) => {
                self.data = (data.count(), wasm.get(data.range()).context("data outside of the file")?);
            }
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(parts) = section.as_known() {
                    for part in parts {
                        let Name::Function(map) = part? else { continue };
                        for naming in map {
                            let naming = naming?;
                            let at = usize::try_from(naming.index)?;
                            ensure!(at < self.functions.len(), "a name for a function that is not there");
                            self.names.resize(self.functions.len(), "".into());
                            if let Some(name) = self.names.get_mut(at) {
                                *name = naming.name.into();
                            }
                        }
                    }
                }
            }
            Payload::TagSection(_) | Payload::UnknownSection { .. } => {
                bail!("a section that this does not know")
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn take_element(&mut self, element: Element<'a>) -> Result<()> {
        let ElementKind::Active { table_index, offset_expr } = element.kind else {
            bail!("a segment of elements that is not active");
        };
        let Operator::I32Const { value } = offset_expr.get_operators_reader().read()? else {
            bail!("a segment of elements whose place is computed");
        };
        let ElementItems::Functions(functions) = element.items else {
            bail!("elements that are expressions")
        };
        self.table = table_index.unwrap_or(0);
        for (at, function) in functions.into_iter().enumerate() {
            self.slots.push((u32::try_from(value)? + u32::try_from(at)?, function?));
        }
        Ok(())
    }

    /// Names functions that have no name by how long they are and what they call.
    fn nameless(&mut self) -> Result<()> {
        let calls = self.calls()?;
        let named = self.names.clone();
        for ((name, calls), body) in
            self.names.iter_mut().skip(self.imports.len()).zip(calls).zip(&self.bodies)
        {
            if name.is_empty() {
                let calls = calls.iter().filter_map(|one| named.get(usize::try_from(*one).ok()?));
                let calls: BTreeSet<&str> = calls.map(|name| &**name).collect();
                let calls: Vec<&str> = calls.into_iter().collect();
                *name =
                    format!("nameless of {} bytes, calls {}", body.range().len(), calls.join(", ")).into();
            }
        }
        Ok(())
    }

    /// How many functions are imported: the index of the first that is not.
    pub fn imported(&self) -> usize {
        self.imports.len()
    }

    /// Functions that each function with a body calls, by body.
    pub fn calls(&self) -> Result<Vec<Vec<u32>>> {
        let mut all = Vec::with_capacity(self.bodies.len());
        for body in &self.bodies {
            let mut calls = Vec::new();
            for operator in body.get_operators_reader()? {
                match operator? {
                    Operator::Call { function_index } | Operator::RefFunc { function_index } => {
                        calls.push(function_index);
                    }
                    Operator::ReturnCall { .. } | Operator::MemoryInit { .. } | Operator::DataDrop { .. } => {
                        bail!("an instruction that this does not know");
                    }
                    _ => {}
                }
            }
            all.push(calls);
        }
        Ok(all)
    }
}
