//! A stretch of a function that becomes a function of its own: see [`super::cold`].

use super::cold::{Label, Out, Read, Step};
use super::liveness::Liveness;
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{BlockType, Function, Instruction, ValType};
use wasmparser::Operator;

/// Bytes that a stretch must have beyond what calling it takes.
const WORTH: usize = 8;

/// What is not reached, and all that it has to do with the function around it.
pub(super) struct Stretch {
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
    pub(super) fn of(
        read: &Read<'_>,
        live: &Liveness,
        start: usize,
        end: usize,
        labels: &[Label],
    ) -> Option<Self> {
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
            |label: usize| labels.len().checked_sub(1 + label).and_then(|at| labels.get(at)?.carries.clone());
        let mut carried: Vec<ValType> = Vec::new();
        let mut carries = Vec::new();
        for way in &ways {
            let here = match way {
                Some(label) => of_label(*label)?,
                // what a loop leaves is not what a branch to it carries
                None if labels.last()?.is_loop => {
                    labels.last()?.carries.clone().filter(|_| labels.last().is_some_and(|one| !one.leaves))?
                }
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
        let (mut used, mut written) = (BTreeSet::new(), BTreeSet::new());
        for step in steps {
            match &step.operator {
                Operator::LocalGet { local_index } => drop(used.insert(*local_index)),
                Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                    used.insert(*local_index);
                    written.insert(*local_index);
                }
                _ => {}
            }
        }
        // where each way goes on; out of the function nobody reads any more
        let goes_on = |way: &Option<usize>| match way {
            Some(label) => {
                labels.len().checked_sub(1 + label).and_then(|at| labels.get(at)).map(|label| label.target)
            }
            None => Some(end),
        };
        let after: Vec<usize> = ways.iter().filter_map(goes_on).collect();
        let by_type =
            |local: &u32| (format!("{:?}", read.locals.get(usize::try_from(*local).unwrap_or(0))), *local);
        let is_read_after = |local: &u32| after.iter().any(|step| live.is_live(*step, *local));
        let mut gives: Vec<u32> = written.into_iter().filter(is_read_after).collect();
        gives.sort_by_key(by_type);
        let (mut takes, mut own): (Vec<u32>, Vec<u32>) =
            used.into_iter().partition(|local| live.is_live(start, *local));
        takes.sort_by_key(by_type);
        own.sort_by_key(by_type);
        Some(Self { start, end, takes, gives, own, ways, carried, carries })
    }

    /// Makes a function of it; what calls it. None if that is not worth it.
    pub(super) fn moved(&self, read: &Read<'_>, out: &mut Out) -> Result<Option<Vec<Instruction<'static>>>> {
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
