//! Takes out of functions what a browser never ran in them: each such stretch becomes a function of its own.
//!
//! A stretch begins behind `if`, `else`, `br_if` or `end` and goes on to the end of the block that it is in, where
//! nothing was on the stack of that block. What it becomes takes the locals that it reads and gives those that it
//! writes, with what it leaves on the stack in front and, where there are several ways out of it, which one it took:
//!
//! ```text
//! (local.get …) call stretch → values, way, locals (local.set …) (br_if way …) …
//! ```

use super::module::Module;
use super::types::{Types, plain};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    BlockType, CodeSection, Function, FunctionSection, Instruction, RawSection, TypeSection, ValType,
};
use wasmparser::{
    FuncToValidate, FuncValidatorAllocations, Operator, Parser, Payload, ValidPayload, Validator,
};

/// Bytes that a stretch must have beyond what calling it takes.
const WORTH: usize = 8;

/// `wasm`, whose `module` it is, with all stretches taken out of functions for which `ran` knows what ran: given a function
/// and how many places it has, it says for each place whether it was reached. The new functions stand at the end.
pub fn take_out(
    wasm: &[u8],
    module: &Module<'_>,
    ran: &dyn Fn(usize, usize) -> Option<Vec<bool>>,
) -> Result<(Vec<u8>, usize)> {
    let mut out =
        Out { types: Types::of(module), functions: Vec::new(), next: u32::try_from(module.functions.len())? };
    let mut bodies = Vec::new();
    let mut validator = Validator::new();
    for payload in Parser::new(0).parse_all(wasm) {
        if let ValidPayload::Func(function, body) = validator.payload(&payload?)? {
            let at = module.imported() + bodies.len();
            let read = Read::of(function, &body, &out.types)?;
            let reached = ran(at, read.places());
            bodies.push(match reached {
                Some(reached) => read.without_cold(&reached, &mut out)?,
                None => None,
            });
        }
    }
    let count = out.functions.len();
    Ok((written(wasm, module, &bodies, &out)?, count))
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

struct Out {
    types: Types,
    /// Type and body.
    functions: Vec<(u32, Function)>,
    next: u32,
}

/// One instruction, and what holds before it.
struct Step<'a> {
    operator: Operator<'a>,
    /// Bytes of the body where it stands.
    range: (usize, usize),
    /// How many blocks are open, the function among them.
    depth: usize,
    /// Whether nothing of the innermost block is on the stack.
    is_bare: bool,
    is_unreachable: bool,
    /// The place that begins here, if one does.
    place: Option<usize>,
}

/// One block that is open: what a branch to it carries; none for what this does not know.
type Label = Option<Vec<ValType>>;

struct Read<'a> {
    bytes: &'a [u8],
    locals: Vec<ValType>,
    /// How many of them are parameters.
    params: usize,
    results: Vec<ValType>,
    steps: Vec<Step<'a>>,
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

    /// The body without what was not reached; none if all of it stays.
    fn without_cold(&self, reached: &[bool], out: &mut Out) -> Result<Option<Function>> {
        let mut labels: Vec<Label> = vec![Some(self.results.clone())];
        let mut kinds = vec!['b'];
        let mut body: Option<(Function, usize)> = None;
        let mut at = 0;
        while let Some(step) = self.steps.get(at) {
            let is_cold = step.place.is_some_and(|place| !reached.get(place).copied().unwrap_or(true));
            let end = self.end_of(at);
            if is_cold && step.is_bare && !step.is_unreachable && end > at {
                let stretch = Stretch::of(self, at, end, &labels, &kinds);
                if let Some(stretch) = stretch
                    && let Some(call) = stretch.moved(self, out)?
                {
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
                Operator::Block { blockty } | Operator::If { blockty } => {
                    labels.push(out.types.results(*blockty));
                    kinds.push('b');
                }
                Operator::Loop { blockty } => {
                    labels.push(out.types.results(*blockty).map(|_| Vec::new()));
                    kinds.push(if out.types.results(*blockty).is_some_and(|all| all.is_empty()) {
                        'l'
                    } else {
                        'v'
                    });
                }
                Operator::End => {
                    labels.pop();
                    kinds.pop();
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

/// What is not reached, and all that it has to do with the function around it.
struct Stretch {
    start: usize,
    end: usize,
    /// Locals that it is given, and those that it gives back.
    takes: Vec<u32>,
    gives: Vec<u32>,
    /// Others that it uses.
    own: Vec<u32>,
    /// Ways out: `None` is its end, else how many blocks further out, counted from where it stands.
    ways: Vec<Option<usize>>,
    /// What those ways carry that carry something.
    carried: Vec<ValType>,
    /// Which ways those are.
    carries: Vec<bool>,
}

impl Stretch {
    fn of(read: &Read<'_>, start: usize, end: usize, labels: &[Label], kinds: &[char]) -> Option<Self> {
        let steps = read.steps.get(start..end)?;
        let last = read.steps.get(end)?;
        let depth = steps.first()?.depth;
        let outer = |label: u32, step: &Step<'_>| {
            let label = usize::try_from(label).ok()?;
            Some(label.checked_sub(step.depth - depth))
        };
        let mut ways: Vec<Option<usize>> = Vec::new();
        let mut add = |way: Option<usize>| {
            if !ways.contains(&way) {
                ways.push(way)
            }
        };
        for step in steps {
            match &step.operator {
                Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => {
                    if let Some(label) = outer(*relative_depth, step)? {
                        add(Some(label));
                    }
                }
                Operator::BrTable { targets } => {
                    for target in targets.targets().chain([Ok(targets.default())]) {
                        if let Some(label) = outer(target.ok()?, step)? {
                            add(Some(label));
                        }
                    }
                }
                Operator::Return => add(Some(depth - 1)),
                _ => {}
            }
        }
        // the end goes last: nothing has to be tested for it
        if !last.is_unreachable {
            add(None);
        }
        let of_label =
            |label: usize| labels.len().checked_sub(1 + label).and_then(|at| labels.get(at)?.clone());
        let mut carried: Vec<ValType> = Vec::new();
        let mut carries = Vec::new();
        for way in &ways {
            let here = match way {
                Some(label) => of_label(*label)?,
                // what a loop leaves is not what a branch to it carries
                None if kinds.last() == Some(&'l') => Vec::new(),
                None if kinds.last() == Some(&'v') => return None,
                None => of_label(0)?,
            };
            carries.push(!here.is_empty());
            if !here.is_empty() {
                if !carried.is_empty() && carried != here {
                    return None;
                }
                carried = here;
            }
        }
        // a branch by table carries nothing here
        let by_table = steps.iter().any(|step| matches!(step.operator, Operator::BrTable { .. }));
        if by_table && !carried.is_empty() {
            return None;
        }
        let (mut read_first, mut set_first, mut written) = (Vec::new(), Vec::new(), Vec::new());
        let mut straight = true;
        for step in steps {
            match &step.operator {
                Operator::LocalGet { local_index }
                    if !set_first.contains(local_index) && !read_first.contains(local_index) =>
                {
                    read_first.push(*local_index);
                }
                Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                    if !written.contains(local_index) {
                        written.push(*local_index);
                    }
                    if !read_first.contains(local_index) && !set_first.contains(local_index) {
                        if straight { &mut set_first } else { &mut read_first }.push(*local_index);
                    }
                }
                Operator::Block { .. }
                | Operator::Loop { .. }
                | Operator::If { .. }
                | Operator::BrIf { .. } => {
                    straight = false;
                }
                _ => {}
            }
        }
        let used_elsewhere = |local: &u32| {
            let uses = |step: &Step<'_>| matches!(&step.operator, Operator::LocalGet { local_index } if local_index == local);
            read_first.contains(local)
                || read.steps.iter().take(start).any(uses)
                || read.steps.iter().skip(end).any(uses)
        };
        let returns_only = ways.iter().all(|way| *way == Some(depth - 1));
        let mut gives: Vec<u32> =
            written.iter().copied().filter(|_| !returns_only).filter(used_elsewhere).collect();
        let by_type =
            |local: &u32| (format!("{:?}", read.locals.get(usize::try_from(*local).unwrap_or(0))), *local);
        gives.sort_by_key(by_type);
        let mut takes = read_first.clone();
        takes.sort_by_key(by_type);
        set_first.sort_by_key(by_type);
        Some(Self { start, end, takes, gives, own: set_first, ways, carried, carries })
    }

    /// Makes a function of it; what calls it. None if that is not worth it.
    fn moved(&self, read: &Read<'_>, out: &mut Out) -> Result<Option<Vec<Instruction<'static>>>> {
        let steps = read.steps.get(self.start..self.end).context("a stretch outside of its function")?;
        let size = steps.last().map_or(0, |step| step.range.1) - steps.first().map_or(0, |step| step.range.0);
        let several = self.ways.len() > 1;
        let cost = 4 * self.takes.len() + 2 * self.gives.len() + 4 * self.ways.len() + 12;
        if size < cost + WORTH {
            return Ok(None);
        }
        let ty = |local: &u32| usize::try_from(*local).ok().and_then(|at| read.locals.get(at).copied());
        let types = |locals: &[u32]| locals.iter().filter_map(ty).collect::<Vec<_>>();
        let mut results = Vec::new();
        if !self.ways.is_empty() {
            results.extend(self.carried.iter().copied());
            results.extend(several.then_some(ValType::I32));
            results.extend(types(&self.gives));
        }
        if self
            .carried
            .iter()
            .chain(&types(&self.takes))
            .any(|ty| matches!(ty, ValType::Ref(_) | ValType::V128))
        {
            return Ok(None);
        }
        let index = out.types.index(types(&self.takes), results)?;
        let Some(function) = self.function(read, steps)? else { return Ok(None) };
        out.functions.push((index, function));
        let me = out.next;
        out.next += 1;
        Ok(Some(self.call(me, read)?))
    }

    /// The number of a way: the last one is 0, so that one of two is tested by itself.
    fn number(&self, way: Option<usize>) -> Result<i32> {
        let at = self.ways.iter().position(|one| *one == way).context("a way out that is not known")?;
        Ok(i32::try_from((at + 1) % self.ways.len())?)
    }

    fn call(&self, me: u32, read: &Read<'_>) -> Result<Vec<Instruction<'static>>> {
        let mut call: Vec<Instruction<'static>> =
            self.takes.iter().map(|one| Instruction::LocalGet(*one)).collect();
        call.push(Instruction::Call(me));
        let Some((last, others)) = self.ways.split_last() else {
            call.push(Instruction::Unreachable);
            return Ok(call);
        };
        call.extend(self.gives.iter().rev().map(|one| Instruction::LocalSet(*one)));
        let way = u32::try_from(read.locals.len())?;
        if others.len() > 1 {
            call.push(Instruction::LocalSet(way));
        }
        for other in others {
            let label = u32::try_from(other.context("the end is not the last way out")?)?;
            if others.len() > 1 {
                call.extend([
                    Instruction::LocalGet(way),
                    Instruction::I32Const(self.number(*other)?),
                    Instruction::I32Eq,
                ]);
            }
            call.push(Instruction::BrIf(label));
        }
        match last {
            Some(label) => call.push(Instruction::Br(u32::try_from(*label)?)),
            None if self.carries.last() == Some(&true) => {}
            None => call.extend(self.carried.iter().map(|_| Instruction::Drop)),
        }
        Ok(call)
    }

    fn function(&self, read: &Read<'_>, steps: &[Step<'_>]) -> Result<Option<Function>> {
        let mut at: BTreeMap<u32, u32> = BTreeMap::new();
        for local in self.takes.iter().chain(&self.own) {
            at.insert(*local, u32::try_from(at.len())?);
        }
        // behind them: way, index of a table, what is carried
        let way = u32::try_from(at.len())?;
        let (chosen, carried) = (way + 1, way + 2);
        let ty = |local: &u32| usize::try_from(*local).ok().and_then(|at| read.locals.get(at).copied());
        let mut locals: Vec<ValType> = self.own.iter().filter_map(ty).collect();
        locals.extend([ValType::I32, ValType::I32]);
        locals.extend(&self.carried);
        let mut f = Function::new_with_locals_types(locals);
        let several = self.ways.len() > 1;
        let count = u32::try_from(self.carried.len())?;
        let depth = steps.first().context("an empty stretch")?.depth;
        let put = |f: &mut Function| {
            for one in (0..count).rev() {
                f.instruction(&Instruction::LocalSet(carried + one));
            }
        };
        let is_carried = |to: Option<usize>| {
            self.ways
                .iter()
                .position(|one| *one == to)
                .and_then(|at| self.carries.get(at).copied())
                .unwrap_or(false)
        };
        let leave = |f: &mut Function, to: Option<usize>, label: usize| -> Result<()> {
            if several && self.number(to)? != 0 {
                f.instruction(&Instruction::I32Const(self.number(to)?));
                f.instruction(&Instruction::LocalSet(way));
            } else if several {
                f.instruction(&Instruction::I32Const(0));
                f.instruction(&Instruction::LocalSet(way));
            }
            f.instruction(&Instruction::Br(u32::try_from(label)?));
            Ok(())
        };
        f.instruction(&Instruction::Block(BlockType::Empty));
        for step in steps {
            let inside = step.depth - depth;
            let outer = |label: u32| usize::try_from(label).ok().and_then(|label| label.checked_sub(inside));
            match &step.operator {
                Operator::LocalGet { local_index } => {
                    f.instruction(&Instruction::LocalGet(*at.get(local_index).context("a local")?));
                }
                Operator::LocalSet { local_index } => {
                    f.instruction(&Instruction::LocalSet(*at.get(local_index).context("a local")?));
                }
                Operator::LocalTee { local_index } => {
                    f.instruction(&Instruction::LocalTee(*at.get(local_index).context("a local")?));
                }
                Operator::Br { relative_depth } if outer(*relative_depth).is_some() => {
                    let to = outer(*relative_depth);
                    if is_carried(to) {
                        put(&mut f);
                    }
                    leave(&mut f, to, inside)?;
                }
                Operator::Return => {
                    if is_carried(Some(depth - 1)) {
                        put(&mut f);
                    }
                    leave(&mut f, Some(depth - 1), inside)?;
                }
                Operator::BrIf { relative_depth } if outer(*relative_depth).is_some() => {
                    let to = outer(*relative_depth);
                    if is_carried(to) {
                        f.instruction(&Instruction::LocalSet(chosen));
                        put(&mut f);
                        for one in 0..count {
                            f.instruction(&Instruction::LocalGet(carried + one));
                        }
                        f.instruction(&Instruction::LocalGet(chosen));
                    }
                    f.instruction(&Instruction::If(BlockType::Empty));
                    leave(&mut f, to, inside + 1)?;
                    f.instruction(&Instruction::End);
                }
                Operator::BrTable { targets } => {
                    let all: Vec<u32> =
                        targets.targets().chain([Ok(targets.default())]).collect::<Result<_, _>>()?;
                    let mut outside: Vec<usize> = all.iter().filter_map(|one| outer(*one)).collect();
                    outside.sort_unstable();
                    outside.dedup();
                    let more = outside.len();
                    let mut mapped = Vec::new();
                    for one in &all {
                        mapped.push(match outer(*one) {
                            Some(to) => {
                                u32::try_from(outside.iter().position(|one| *one == to).context("a way")?)?
                            }
                            None => one + u32::try_from(more)?,
                        });
                    }
                    let Some((default, mapped)) = mapped.split_last() else {
                        bail!("a table without a default")
                    };
                    if more > 0 {
                        f.instruction(&Instruction::LocalSet(chosen));
                        for _ in 0..more {
                            f.instruction(&Instruction::Block(BlockType::Empty));
                        }
                        f.instruction(&Instruction::LocalGet(chosen));
                    }
                    f.instruction(&Instruction::BrTable(mapped.to_vec().into(), *default));
                    for (open, to) in outside.iter().enumerate() {
                        f.instruction(&Instruction::End);
                        leave(&mut f, Some(*to), inside + more - 1 - open)?;
                    }
                }
                other => {
                    f.instruction(&RoundtripReencoder.instruction(other.clone())?);
                }
            }
        }
        if self.ways.contains(&None) {
            if is_carried(None) {
                put(&mut f);
            }
            leave(&mut f, None, 0)?;
        }
        f.instruction(&Instruction::End);
        if self.ways.is_empty() {
            f.instruction(&Instruction::Unreachable);
        } else {
            for one in 0..count {
                f.instruction(&Instruction::LocalGet(carried + one));
            }
            if several {
                f.instruction(&Instruction::LocalGet(way));
            }
            for local in &self.gives {
                f.instruction(&Instruction::LocalGet(*at.get(local).context("a local")?));
            }
        }
        f.instruction(&Instruction::End);
        Ok(Some(f))
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
