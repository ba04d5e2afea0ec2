//! Where everything goes when a module is cut into parts: see [`super::cut()`].

use super::alike::alike;
use super::data::Layout;
use super::module::Module;
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use wasmparser::{BlockType, ExternalKind, Operator};

/// All parts.
pub(super) struct Plan {
    pub shares: Vec<Share>,
    /// How many slots the table of functions has.
    pub size: u32,
    /// The global that says which part was loaded last.
    pub level: u32,
    /// Of each function that is imported from a part or has a stub.
    slots: BTreeMap<u32, u32>,
    /// Of each function; imports are in every part that needs them.
    parts: Vec<usize>,
}

/// One part. Functions and types by their indexes in the whole, unless said otherwise.
pub(super) struct Share {
    /// Imports of the whole that it needs.
    pub glue: Vec<u32>,
    /// Index here of the import that loads.
    pub loader: Option<u32>,
    /// Functions of parts before that it calls, by where they stand in the table.
    pub lent: Vec<u32>,
    /// Its own functions.
    pub own: Vec<u32>,
    /// By part, the function here that is called before all that is in it.
    pub waits: BTreeMap<usize, u32>,
    /// Functions of later parts that have a stub here, those of one type beside each other: they are alike.
    pub stubs: Vec<u32>,
    /// Functions of later parts that are called so seldom that each call does what a stub would.
    pub seldom: BTreeSet<u32>,
    /// What it puts into the table.
    pub slots: BTreeMap<u32, u32>,
    /// Indexes here of functions and types.
    pub functions: BTreeMap<u32, u32>,
    pub types: BTreeMap<u32, u32>,
    /// Index here of the type of what takes and gives nothing; the one that takes a number follows.
    pub nothing: u32,
    /// Index here of what is started; none in the first.
    pub start: u32,
}

/// How many calls, at most, are smaller than a stub.
const SELDOM: usize = 2;

impl Plan {
    pub(super) fn of(module: &Module<'_>, layout: &Layout) -> Result<Self> {
        let imported = u32::try_from(module.imported())?;
        let count = layout.parts;
        let mut plan = Self {
            shares: Vec::new(),
            size: module.slots.iter().map(|(slot, _)| slot + 1).max().unwrap_or(1),
            level: u32::try_from(module.globals.len())?,
            slots: BTreeMap::new(),
            parts: layout.functions.clone(),
        };
        // how often each part calls each function; what goes by its index has to be there as well
        let mut named: Vec<BTreeMap<u32, usize>> = vec![BTreeMap::new(); count];
        let at = |part: usize| part.min(count - 1);
        let exports = module.exports.iter().filter(|one| one.kind == ExternalKind::Func);
        named[0].extend(exports.map(|one| (one.index, usize::MAX)));
        for (body, calls) in (imported..).zip(module.calls()?) {
            for function in calls {
                let calls = named[at(plan.part(body))].entry(function).or_default();
                *calls = calls.saturating_add(1);
            }
        }
        let old: BTreeMap<u32, u32> =
            module.slots.iter().rev().map(|(slot, function)| (*function, *slot)).collect();
        // what stands in the table already is found there
        plan.slots.clone_from(&old);
        let own = (0..count).map(|part| plan.in_order(module, part)).collect::<Result<Vec<_>>>()?;
        let mut fresh: BTreeSet<u32> = BTreeSet::new();
        for (part, named) in named.iter().enumerate() {
            let others = named.keys().filter(|one| **one >= imported && plan.part(**one) != part);
            fresh.extend(others.filter(|one| !old.contains_key(one)));
        }
        // those of one part one after the other, as they stand there: lists of them that only count up are the smallest
        for function in own.iter().flatten().filter(|one| fresh.contains(one)) {
            plan.slots.insert(*function, plan.size);
            plan.size += 1;
        }
        for (part, (named, own)) in named.iter().zip(own).enumerate() {
            let share = plan.share(module, layout, part, named, own)?;
            plan.shares.push(share);
        }
        Ok(plan)
    }

    /// The part of a function that is not imported.
    pub(super) fn part(&self, function: u32) -> usize {
        usize::try_from(function).ok().and_then(|at| self.parts.get(at)).copied().unwrap_or(0)
    }

    pub(super) fn slot(&self, function: u32) -> Result<u32> {
        self.slots.get(&function).copied().context("a function without a slot")
    }

    /// The functions of a part as they stand there.
    fn in_order(&self, module: &Module<'_>, part: usize) -> Result<Vec<u32>> {
        let imported = u32::try_from(module.imported())?;
        let mine = |one: &(u32, _)| self.part(one.0) == part;
        let own: Vec<_> = (imported..).zip(&module.bodies).filter(mine).collect();
        let code: Vec<_> = own.iter().map(|(one, body)| (type_of(module, *one), body.as_bytes())).collect();
        Ok(alike(&code).into_iter().filter_map(|at| Some(own.get(at)?.0)).collect())
    }

    fn share(
        &self,
        module: &Module<'_>,
        layout: &Layout,
        part: usize,
        named: &BTreeMap<u32, usize>,
        own: Vec<u32>,
    ) -> Result<Share> {
        let imported = u32::try_from(module.imported())?;
        let mut named = named.clone();
        let mut slots = BTreeMap::new();
        for (slot, function) in &module.slots {
            let owner = if *function < imported { 0 } else { self.part(*function) };
            // until its own part is there, a stub stands in it as soon as anybody may look there
            let first = layout.slots.get(slot).copied().unwrap_or(0);
            if owner == part || (first == part && part < owner) {
                slots.insert(*slot, *function);
                named.insert(*function, usize::MAX);
            }
        }
        slots.extend(own.iter().filter_map(|one| Some((*self.slots.get(one)?, *one))));
        let (glue, others): (Vec<u32>, Vec<u32>) = named.keys().partition(|one| **one < imported);
        let mut lent: Vec<u32> = others.iter().copied().filter(|one| self.part(*one) < part).collect();
        lent.sort_by_key(|one| self.slots.get(one));
        let is_seldom = |one: &u32| named.get(one).is_some_and(|calls| *calls <= SELDOM);
        let later = others.iter().copied().filter(|one| self.part(*one) > part);
        let (seldom, mut stubs): (Vec<u32>, Vec<u32>) = later.partition(is_seldom);
        let seldom: BTreeSet<u32> = seldom.into_iter().collect();
        stubs.sort_by_key(|one| (self.part(*one), type_of(module, *one), *one));
        let mut used = BTreeSet::new();
        let all = || glue.iter().chain(&lent).chain(&own).chain(&stubs).chain(&seldom).copied();
        used.extend(all().map(|one| type_of(module, one)));
        for function in &own {
            used_types(module, usize::try_from(function - imported)?, &mut used)?;
        }
        let types: BTreeMap<u32, u32> = used.into_iter().zip(0..).collect();

        let mut functions: BTreeMap<u32, u32> = BTreeMap::new();
        let mut next = 0;
        let mut put = |function: Option<u32>| {
            if let Some(function) = function {
                functions.insert(function, next);
            }
            next += 1;
            next - 1
        };
        for one in &glue {
            put(Some(*one));
        }
        let later: BTreeSet<usize> = stubs.iter().chain(&seldom).map(|one| self.part(*one)).collect();
        let loader = (!later.is_empty()).then(|| put(None));
        for one in &lent {
            put(Some(*one));
        }
        let waits = later.into_iter().map(|later| (later, put(None))).collect();
        for one in &own {
            put(Some(*one));
        }
        for one in &stubs {
            put(Some(*one));
        }
        let start = put(None);
        let nothing = u32::try_from(types.len())?;
        Ok(Share { glue, loader, lent, own, waits, stubs, seldom, slots, functions, types, nothing, start })
    }
}

/// Types that the instructions of a body name.
fn used_types(module: &Module<'_>, body: usize, used: &mut BTreeSet<u32>) -> Result<()> {
    for operator in module.bodies.get(body).context("a function without a body")?.get_operators_reader()? {
        match operator? {
            Operator::Block { blockty: BlockType::FuncType(ty) }
            | Operator::Loop { blockty: BlockType::FuncType(ty) }
            | Operator::If { blockty: BlockType::FuncType(ty) }
            | Operator::CallIndirect { type_index: ty, .. } => drop(used.insert(ty)),
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn type_of(module: &Module<'_>, function: u32) -> u32 {
    usize::try_from(function).ok().and_then(|at| module.functions.get(at)).copied().unwrap_or(u32::MAX)
}
