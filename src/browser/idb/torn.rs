//! What a killed Chromium does to the next one, and the way around it.
//!
//! Chromium keeps all databases of an origin in one LevelDB, whose log it goes on with after a start. If it was killed in the
//! middle of writing a record, the log ends in half of one: that does no harm until the next record is written behind it,
//! as opening any database does. From then on the log counts as damaged, and the next start throws away everything that the
//! origin had stored, without a word (<https://github.com/google/leveldb/issues/1287>).
//!
//! A deleted database makes LevelDB write what it holds to a table and begin a new log. So behind the first opening of a page an
//! empty one is made and deleted: some ten milliseconds, for which only the first write waits. A second kill within
//! these can still do harm. Whether the browser was killed before cannot be known; its own notes grow by a kilobyte each
//! time until it is started again.

use core::cell::Cell;

use futures_channel::oneshot;
use futures_util::future::{Either, select};
use gloo_timers::future::TimeoutFuture;
use js_sys::{Reflect, global};
use wasm_bindgen_futures::spawn_local;

use crate::collections::find_text;

use super::IdbError;

thread_local! {
    /// Whether the log was begun by this page, so that no kill was before what is in it.
    static IS_NEW: Cell<bool> = const { Cell::new(false) };
}

/// Makes the browser begin a new log, if it is one that has to be made to; resolves when it has, or cannot.
pub(super) fn begin_new_log(name: &str) -> Option<oneshot::Receiver<()>> {
    if IS_NEW.get() || !keeps_a_log() {
        return None;
    }
    let (done, renewing) = oneshot::channel();
    let scratch = format!("{name} (log)");
    spawn_local(async move {
        let renewed = core::pin::pin!(make_and_delete(&scratch));
        // Where it fails, as on a full disk, the next write says why; nothing waits for ever for what only guards.
        if let Either::Left((Ok(()), _)) = select(renewed, TimeoutFuture::new(PATIENCE_MS)).await {
            IS_NEW.set(true);
        }
        let _ = done.send(());
    });
    Some(renewing)
}

async fn make_and_delete(name: &str) -> Result<(), IdbError> {
    let factory = idb::Factory::new()?;
    let scratch = factory.open(name, None)?.await?;
    // Somebody may have called a database of their own so.
    let is_empty = scratch.store_names().is_empty();
    scratch.close();
    if is_empty {
        factory.delete(name)?.await?;
    }
    Ok(())
}

/// Whether it is a browser built on Chromium: what it stores with cannot be asked.
fn keeps_a_log() -> bool {
    Reflect::get(&global(), &"navigator".into())
        .and_then(|navigator| Reflect::get(&navigator, &"userAgent".into()))
        .is_ok_and(|agent| agent.as_string().is_some_and(|agent| find_text(&agent, "Chrome/").is_some()))
}

/// Two orders of magnitude above what it takes.
const PATIENCE_MS: u32 = 1_000;
