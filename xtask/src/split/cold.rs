//! Takes out of functions what a browser never ran in them: each such stretch becomes a function of its own.
//!
//! A stretch begins behind `if`, `else`, `br_if` or `end` and goes on to the end of the block that it is in, where
//! nothing was on the stack of that block. What it becomes takes the locals that it reads and gives those that it
//! writes, with what it leaves on the stack in front and, where there are several ways out of it, which one it took:
//!
//! ```text
//! (local.get …) call stretch → values, way, locals (local.set …) (br_if way …) …
//! ```

use super::liveness::Liveness;
use super::module::Module;
use super::stretch::Stretch;
use super::types::{Types, plain};
use anyhow::{Context, Result};
use wasm_encoder::{CodeSection, Function, FunctionSection, RawSection, TypeSection, ValType};
use wasmparser::{
    FuncToValidate, FuncValidatorAllocations, Operator, Parser, Payload, ValidPayload, Validator,
};

/// `wasm`, whose `module` it is, with all stretches taken out of functions for which `needed` knows what ran: given a
/// function and how many places it has, it says for each place the part that it is needed in. What is needed later than
/// the function itself goes: `parts` says in which that is. The new functions stand at the end; with it the part of each.
pub fn take_out(
    wasm: &[u8],
    module: &Module<'_>,
    parts: &[usize],
    needed: &dyn Fn(usize, usize) -> Option<Vec<usize>>,
) -> Result<(Vec<u8>, Vec<usize>)> {
    let next = u32::try_from(module.functions.len())?;
    let mut out = Out { types: Types::of(module), functions: Vec::new(), parts: Vec::new(), next };
    let mut bodies = Vec::new();
    let mut validator = Validator::new();
    for payload in Parser::new(0).parse_all(wasm) {
        if let ValidPayload::Func(function, body) = validator.payload(&payload?)? {
            let at = module.imported() + bodies.len();
            let read = Read::of(function, &body, &out.types)?;
            bodies.push(match (parts.get(at), needed(at, read.places())) {
                (Some(part), Some(needed)) => read.without_cold(*part, &needed, &mut out)?,
                _ => None,
            });
        }
    }
    Ok((written(wasm, module, &bodies, &out)?, out.parts))
}

/// How many places a body has; see [`is_place`].
pub fn places(body: &wasmparser::FunctionBody<'_>) -> Result<usize> {
    let mut count = 0;
    for operator in body.get_operators_reader()? {
        count += usize::from(is_place(&operator?));
    }
    // its beginning is one, its end is none
    Ok(count)
}

/// Whether what follows may not run although this did.
pub fn is_place(operator: &Operator<'_>) -> bool {
    matches!(operator, Operator::If { .. } | Operator::Else | Operator::BrIf { .. } | Operator::End)
}

pub(super) struct Out {
    pub(super) types: Types,
    /// Type and body.
    pub(super) functions: Vec<(u32, Function)>,
    /// The part of each.
    parts: Vec<usize>,
    pub(super) next: u32,
}

/// One instruction, and what holds before it.
pub(super) struct Step<'a> {
    pub(super) operator: Operator<'a>,
    /// Bytes of the body where it stands.
    pub(super) range: (usize, usize),
    /// How many blocks are open, the function among them.
    pub(super) depth: usize,
    /// Whether nothing of the innermost block is on the stack.
    is_bare: bool,
    pub(super) is_unreachable: bool,
    /// The place that begins here, if one does.
    place: Option<usize>,
}

/// One block that is open.
pub(super) struct Label {
    /// What a branch to it carries; none for what this does not know.
    pub(super) carries: Option<Vec<ValType>>,
    pub(super) is_loop: bool,
    /// Whether it leaves something, if it is a loop.
    pub(super) leaves: bool,
    /// The step to which a branch to it goes.
    pub(super) target: usize,
}

pub(super) struct Read<'a> {
    bytes: &'a [u8],
    pub(super) locals: Vec<ValType>,
    /// How many of them are parameters.
    params: usize,
    results: Vec<ValType>,
    pub(super) steps: Vec<Step<'a>>,
    places: usize,
}

impl<'a> Read<'a> {
    fn of(
        function: FuncToValidate<wasmparser::ValidatorResources>,
        body: &wasmparser::FunctionBody<'a>,
        types: &Types,
    ) -> Result<Self> {
        let (params, results) = types.of_function(function.ty).context("a function without a type")?;
        let mut validator = function.into_validator(FuncValidatorAllocations::default());
        let mut reader = body.get_binary_reader();
        validator.read_locals(&mut reader)?;
        let locals: Vec<ValType> =
            (0..validator.len_locals()).filter_map(|at| validator.get_local_type(at)).map(plain).collect();
        let mut steps = Vec::new();
        let mut operators = body.get_operators_reader()?;
        let mut place = Some(0);
        let mut places = 1;
        while !operators.eof() {
            let start = operators.original_position();
            let frame = validator.get_control_frame(0).context("no block is open")?;
            let (height, is_unreachable) = (frame.height, frame.unreachable);
            let depth = usize::try_from(validator.control_stack_height())?;
            let is_bare = usize::try_from(validator.operand_stack_height())? == height;
            let operator = operators.read()?;
            validator.op(start, &operator)?;
            let range = (start - body.range().start, operators.original_position() - body.range().start);
            let opens = is_place(&operator);
            steps.push(Step { operator, range, depth, is_bare, is_unreachable, place });
            place = None;
            if opens {
                place = Some(places);
                places += 1;
            }
        }
        Ok(Self { bytes: body.as_bytes(), locals, params, results, steps, places: places - 1 })
    }

    fn places(&self) -> usize {
        self.places
    }

    /// The body without what is needed later than `part`; none if all of it stays.
    fn without_cold(&self, part: usize, needed: &[usize], out: &mut Out) -> Result<Option<Function>> {
        let is_later =
            |step: &Step<'_>| step.place.and_then(|at| needed.get(at)).is_some_and(|later| *later > part);
        if !self.steps.iter().any(is_later) {
            return Ok(None);
        }
        let live = Liveness::of(&self.steps, self.locals.len())?;
        let outermost = Some(self.results.clone());
        let mut labels =
            vec![Label { carries: outermost, is_loop: false, leaves: false, target: self.steps.len() }];
        let mut body: Option<(Function, usize)> = None;
        let mut at = 0;
        while let Some(step) = self.steps.get(at) {
            let later = step.place.and_then(|place| needed.get(place).copied()).filter(|later| *later > part);
            let end = self.end_of(at);
            if let Some(later) = later
                && step.is_bare
                && !step.is_unreachable
                && end > at
            {
                let stretch = Stretch::of(self, &live, at, end, &labels);
                if let Some(stretch) = stretch
                    && let Some(call) = stretch.moved(self, out)?
                {
                    out.parts.push(later);
                    let (function, copied) = body.get_or_insert_with(|| (self.fresh(), self.code_start()));
                    function.raw(self.bytes.get(*copied..step.range.0).context("bytes")?.iter().copied());
                    for instruction in &call {
                        function.instruction(instruction);
                    }
                    *copied = self.steps.get(end).context("a block without an end")?.range.0;
                }
                at = end;
                continue;
            }
            match &step.operator {
                Operator::Block { blockty } | Operator::If { blockty } => labels.push(Label {
                    carries: out.types.results(*blockty),
                    is_loop: false,
                    leaves: false,
                    target: live.target(at),
                }),
                Operator::Loop { blockty } => {
                    let left = out.types.results(*blockty);
                    labels.push(Label {
                        leaves: left.as_ref().is_none_or(|all| !all.is_empty()),
                        carries: left.map(|_| Vec::new()),
                        is_loop: true,
                        target: live.target(at),
                    });
                }
                Operator::End => {
                    labels.pop();
                }
                _ => {}
            }
            at += 1;
        }
        let Some((mut function, copied)) = body else { return Ok(None) };
        function.raw(self.bytes.get(copied..).context("bytes")?.iter().copied());
        Ok(Some(function))
    }

    fn code_start(&self) -> usize {
        self.steps.first().map_or(0, |step| step.range.0)
    }

    /// The locals as they were, and one more for the way out.
    fn fresh(&self) -> Function {
        let own = self.locals.iter().skip(self.params).copied().chain([ValType::I32]);
        Function::new_with_locals_types(own)
    }

    /// The step that ends the block in which `at` stands.
    fn end_of(&self, at: usize) -> usize {
        let depth = self.steps.get(at).map_or(0, |step| step.depth);
        let ends =
            |step: &Step<'_>| step.depth == depth && matches!(step.operator, Operator::End | Operator::Else);
        self.steps.iter().skip(at).position(ends).map_or(self.steps.len(), |found| at + found)
    }
}

/// The module with other bodies and more functions; without its names.
fn written(wasm: &[u8], module: &Module<'_>, bodies: &[Option<Function>], out: &Out) -> Result<Vec<u8>> {
    let mut new = wasm_encoder::Module::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        match &payload {
            Payload::TypeSection(_) => {
                let mut types = TypeSection::new();
                for (params, results) in &out.types.0 {
                    types.ty().function(params.iter().copied(), results.iter().copied());
                }
                new.section(&types);
            }
            Payload::FunctionSection(_) => {
                let mut functions = FunctionSection::new();
                for ty in module.functions.iter().skip(module.imported()) {
                    functions.function(*ty);
                }
                for (ty, _) in &out.functions {
                    functions.function(*ty);
                }
                new.section(&functions);
            }
            Payload::CodeSectionStart { .. } => {
                let mut code = CodeSection::new();
                for (body, other) in module.bodies.iter().zip(bodies) {
                    match other {
                        Some(function) => code.function(function),
                        None => code.raw(body.as_bytes()),
                    };
                }
                for (_, function) in &out.functions {
                    code.function(function);
                }
                new.section(&code);
            }
            Payload::CodeSectionEntry(_) | Payload::CustomSection(_) => {}
            other => {
                if let Some((id, range)) = other.as_section() {
                    let data = wasm.get(range).context("a section outside of the file")?;
                    new.section(&RawSection { id, data });
                }
            }
        }
    }
    Ok(new.finish())
}
