//! A space as a static snapshot: see [`crate::space::snapshot`]. Asked for piece by piece, so that the page stays alive.

use crate::{
    crypto::{Hash, PublicKey},
    node::{Node, NodeError},
    space::snapshot::SnapshotPlan,
};

impl Node {
    /// Settles what a snapshot has.
    pub fn plan_snapshot(&self, space: Option<PublicKey>) -> Result<SnapshotPlan, NodeError> {
        Ok(self.joined(space)?.space.plan_snapshot(&self.files)?)
    }

    /// One segment of it.
    pub fn snapshot_segment(
        &self,
        space: Option<PublicKey>,
        plan: &SnapshotPlan,
        number: usize,
    ) -> Result<Vec<u8>, NodeError> {
        Ok(self.joined(space)?.space.snapshot_segment(&self.files, plan, number)?)
    }

    /// All else, the head last; `names` of the segments.
    pub fn finish_snapshot(
        &self,
        space: Option<PublicKey>,
        plan: &SnapshotPlan,
        names: &[Hash],
    ) -> Result<Vec<Vec<u8>>, NodeError> {
        Ok(self.joined(space)?.space.finish_snapshot(&self.files, self.now, plan, names)?)
    }
}
