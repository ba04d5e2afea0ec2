//! What a proof consists of, and how it is checked.
//!
//! Prover and verifier walk the new roots the same way, so a proof is exactly the nodes that the walk asks for, in
//! order: none is missing, none is spare, and one range has one proof.
//!
//! ```text
//! a tree of `to` blocks, of which the verifier trusts the first `from`
//!   Held   a root of the old tree, away from the proved blocks: the verifier has it
//!   Given  a subtree away from the proved blocks, not old: in the proof
//!   Leaf   a proved block
//!   Join   parent of the last two
//!   Check  the last must equal the held root of the old tree
//!   Root   the last is a root of the new tree
//! ```

use core::ops::Range;

use super::{FeedError, Node, flat};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    Held(u64),
    Given(u64),
    Leaf(u64),
    Join(u64),
    Check(u64),
    Root,
}

/// The steps for blocks and an upgrade. `from ≤ to` and `blocks.end ≤ to`.
pub(super) fn plan(from: u64, to: u64, blocks: &Range<u64>) -> Vec<Step> {
    let mut steps = Vec::new();
    for root in flat::roots(to) {
        outer(root, from, blocks, &mut steps);
        steps.push(Step::Root);
    }
    steps
}

/// Indexes of the nodes a proof has.
pub(super) fn given(steps: &[Step]) -> impl Iterator<Item = u64> {
    steps.iter().filter_map(|step| if let Step::Given(index) = step { Some(*index) } else { None })
}

/// A node that no root of the old tree is above.
fn outer(index: u64, from: u64, blocks: &Range<u64>, steps: &mut Vec<Step>) {
    let (first, past) = flat::span(index);
    if past <= from {
        // Whole in the old tree, and no node above is: it is one of its roots.
        if meets(first, past, blocks) {
            inner(index, blocks, steps);
            steps.push(Step::Check(index));
        } else {
            steps.push(Step::Held(index));
        }
    } else if first >= from {
        inner(index, blocks, steps);
    } else if let Some((left, right)) = flat::children(index) {
        outer(left, from, blocks, steps);
        outer(right, from, blocks, steps);
        steps.push(Step::Join(index));
    }
}

/// A node wholly in the old or wholly in the new part.
fn inner(index: u64, blocks: &Range<u64>, steps: &mut Vec<Step>) {
    let (first, past) = flat::span(index);
    if !meets(first, past, blocks) {
        steps.push(Step::Given(index));
    } else if let Some((left, right)) = flat::children(index) {
        inner(left, blocks, steps);
        inner(right, blocks, steps);
        steps.push(Step::Join(index));
    } else {
        steps.push(Step::Leaf(index));
    }
}

fn meets(first: u64, past: u64, blocks: &Range<u64>) -> bool {
    first < blocks.end && blocks.start < past
}

/// What a walk found.
#[derive(Debug)]
pub(super) struct Walk {
    /// Nodes that are new to the verifier.
    pub(super) nodes: Vec<Node>,
    /// Roots of the new tree.
    pub(super) roots: Vec<Node>,
    /// Bytes before the first proved block.
    pub(super) offset: u64,
}

/// Walks the steps with the proof's nodes and the blocks' leaves. `held` gives nodes that are trusted already. The new
/// roots are only as good as the tree hash they are compared with.
pub(super) fn walk(
    steps: &[Step],
    given: &[Node],
    leaves: &[Node],
    held: &mut dyn FnMut(u64) -> Result<Node, FeedError>,
) -> Result<Walk, FeedError> {
    let expected = self::given(steps).count();
    let wrong_shape = FeedError::ProofShape { expected, got: given.len() };
    if expected != given.len() {
        return Err(wrong_shape);
    }
    let start = leaves.first().map_or(u64::MAX, |leaf| leaf.index);
    let (mut given, mut leaves) = (given.iter(), leaves.iter());
    let mut stack: Vec<Node> = Vec::new();
    let mut found = Walk { nodes: Vec::with_capacity(steps.len()), roots: Vec::new(), offset: 0 };
    for step in steps {
        match step {
            Step::Held(index) => {
                let node = held(*index)?;
                if *index < start {
                    found.offset = found.offset.saturating_add(node.size);
                }
                stack.push(node);
            }
            Step::Given(index) => {
                // All zeros means "not there" in the tree file: no hash is.
                let node = given.next().filter(|node| node.index == *index && node.hash.0 != [0; 32]);
                let node = *node.ok_or_else(|| wrong_shape.clone())?;
                if *index < start {
                    found.offset = found.offset.saturating_add(node.size);
                }
                found.nodes.push(node);
                stack.push(node);
            }
            Step::Leaf(index) => {
                let leaf = leaves.next().filter(|leaf| leaf.index == *index);
                let leaf = *leaf.ok_or(FeedError::BadProof { index: *index })?;
                found.nodes.push(leaf);
                stack.push(leaf);
            }
            Step::Join(index) => {
                let (right, left) = (stack.pop(), stack.pop());
                let (Some(left), Some(right)) = (left, right) else {
                    return Err(FeedError::BadProof { index: *index });
                };
                let parent = Node::parent(&left, &right)?;
                found.nodes.push(parent);
                stack.push(parent);
            }
            Step::Check(index) => {
                if stack.last() != Some(&held(*index)?) {
                    return Err(FeedError::BadProof { index: *index });
                }
            }
            Step::Root => found.roots.extend(stack.pop()),
        }
    }
    Ok(found)
}
