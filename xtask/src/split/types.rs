//! Types of functions: what they take and leave.

use super::module::Module;
use anyhow::Result;
use wasm_encoder::ValType;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};

/// All types of functions, the new ones too.
pub(super) struct Types(pub(super) Vec<(Vec<ValType>, Vec<ValType>)>);

impl Types {
    pub(super) fn of(module: &Module<'_>) -> Self {
        let all = |types: &[wasmparser::ValType]| types.iter().map(|ty| plain(*ty)).collect::<Vec<_>>();
        Self(module.types.iter().map(|ty| (all(ty.params()), all(ty.results()))).collect())
    }

    /// How many parameters, and the results.
    pub(super) fn of_function(&self, ty: u32) -> Option<(usize, Vec<ValType>)> {
        let (params, results) = self.0.get(usize::try_from(ty).ok()?)?;
        Some((params.len(), results.clone()))
    }

    pub(super) fn index(&mut self, params: Vec<ValType>, results: Vec<ValType>) -> Result<u32> {
        let wanted = (params, results);
        let at = self.0.iter().position(|one| *one == wanted).unwrap_or_else(|| {
            self.0.push(wanted);
            self.0.len() - 1
        });
        Ok(u32::try_from(at)?)
    }

    pub(super) fn results(&self, ty: wasmparser::BlockType) -> Option<Vec<ValType>> {
        match ty {
            wasmparser::BlockType::Empty => Some(Vec::new()),
            wasmparser::BlockType::Type(ty) => Some(vec![plain(ty)]),
            wasmparser::BlockType::FuncType(at) => {
                let (params, results) = self.0.get(usize::try_from(at).ok()?)?;
                params.is_empty().then(|| results.clone())
            }
        }
    }
}

pub(super) fn plain(ty: wasmparser::ValType) -> ValType {
    // what round trips: numbers and references as rustc and wasm-bindgen use them
    RoundtripReencoder.val_type(ty).unwrap_or(ValType::I32)
}
