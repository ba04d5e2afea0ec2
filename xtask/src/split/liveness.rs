//! Which locals of a function somebody may still read, before each of its instructions.

use super::cold::Step;
use anyhow::{Context, Result};
use wasmparser::Operator;

/// Locals that are read later than before each step.
pub(super) struct Liveness {
    live: Vec<Locals>,
    /// For each step that opens a block, the step to which a branch out of it goes: its end, or a loop's beginning.
    targets: Vec<usize>,
}

impl Liveness {
    pub(super) fn of(steps: &[Step<'_>], locals: usize) -> Result<Self> {
        let next = flow(steps)?;
        let mut live = vec![Locals::none(locals); steps.len() + 1];
        // from the end on, once more for each loop around a loop
        let mut changed = true;
        while changed {
            changed = false;
            for (at, step) in steps.iter().enumerate().rev() {
                let mut now = Locals::none(locals);
                for to in &next.after[at] {
                    now.add(&live[*to]);
                }
                match &step.operator {
                    Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                        now.set(*local_index, false);
                    }
                    Operator::LocalGet { local_index } => now.set(*local_index, true),
                    _ => {}
                }
                if now != live[at] {
                    live[at] = now;
                    changed = true;
                }
            }
        }
        Ok(Self { live, targets: next.targets })
    }

    /// Whether a local is read later, seen from before a step.
    pub(super) fn is_live(&self, step: usize, local: u32) -> bool {
        self.live.get(step).is_some_and(|live| live.has(local))
    }

    /// Where a branch out of the block that a step opens goes.
    pub(super) fn target(&self, step: usize) -> usize {
        self.targets.get(step).copied().unwrap_or(self.live.len() - 1)
    }
}

/// Which step may follow which.
struct Flow {
    after: Vec<Vec<usize>>,
    targets: Vec<usize>,
}

fn flow(steps: &[Step<'_>]) -> Result<Flow> {
    let exit = steps.len();
    let mut ends = vec![exit; exit];
    let mut elses = vec![None; exit];
    let mut open = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        match &step.operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => open.push(at),
            Operator::Else => elses[*open.last().context("an else of nothing")?] = Some(at),
            Operator::End => {
                // the last one ends the function
                if let Some(opener) = open.pop() {
                    ends[opener] = at;
                }
            }
            _ => {}
        }
    }
    let is_loop = |at: usize| matches!(steps[at].operator, Operator::Loop { .. });
    let targets: Vec<usize> = (0..exit).map(|at| if is_loop(at) { at } else { ends[at] }).collect();
    let mut after = Vec::with_capacity(exit);
    let mut open: Vec<usize> = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let target = |label: u32| -> Result<usize> {
            let at = open.len().checked_sub(usize::try_from(label)? + 1);
            Ok(at.map_or(exit, |at| targets[open[at]]))
        };
        let mut to = Vec::new();
        match &step.operator {
            Operator::Br { relative_depth } => to.push(target(*relative_depth)?),
            Operator::BrIf { relative_depth } => to.extend([at + 1, target(*relative_depth)?]),
            Operator::BrTable { targets } => {
                for label in targets.targets().chain([Ok(targets.default())]) {
                    to.push(target(label?)?);
                }
            }
            Operator::Return | Operator::Unreachable => {}
            Operator::If { .. } => to.extend([at + 1, elses[at].map_or(ends[at], |other| other + 1)]),
            Operator::Else => to.push(ends[*open.last().context("an else of nothing")?]),
            _ => to.push(at + 1),
        }
        match &step.operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => open.push(at),
            Operator::End => drop(open.pop()),
            _ => {}
        }
        after.push(to);
    }
    Ok(Flow { after, targets })
}

/// A set of locals.
#[derive(Clone, PartialEq)]
struct Locals(Vec<u64>);

impl Locals {
    fn none(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine |= theirs;
        }
    }

    fn set(&mut self, local: u32, is_in: bool) {
        if let Some(word) = usize::try_from(local / 64).ok().and_then(|at| self.0.get_mut(at)) {
            let bit = 1 << (local % 64);
            if is_in { *word |= bit } else { *word &= !bit }
        }
    }

    fn has(&self, local: u32) -> bool {
        let word = usize::try_from(local / 64).ok().and_then(|at| self.0.get(at));
        word.is_some_and(|word| word & (1 << (local % 64)) != 0)
    }
}
