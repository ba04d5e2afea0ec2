//! Records as they lie in the database, and reading those that opening needs.

use core::future::Future;

use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};

use super::{FENCE, IdbError, JOURNAL, KEYS, PAGES, error::is_lost};
use crate::{
    collections::{Set, sort},
    storage::{PageKey, Rule, Snapshot, absent_at_open, to_open},
};

/// Most records that one request gives: what it copies is in memory twice.
const MOST_AT_ONCE: usize = 256;

/// What tells that nobody has written.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Seen {
    /// Last sequence in the journal.
    last: Option<f64>,
    /// Record of the last compaction.
    compaction: Option<Vec<u8>>,
}

impl Seen {
    /// Asks what is there now.
    pub(super) fn ask(
        transaction: &idb::Transaction,
    ) -> Result<impl Future<Output = Result<Self, IdbError>> + use<>, IdbError> {
        let seqs = transaction.object_store(JOURNAL)?.get_all_keys(None, None)?.into_future();
        let key = PageKey { file: String::new(), page: 0 };
        let compaction = transaction.object_store(PAGES)?.get(page_key(&key))?.into_future();
        Ok(async move {
            let last = seqs.await?.last().and_then(JsValue::as_f64);
            let compaction = compaction.await?.map(|record| to_bytes(&record, "a page record"));
            Ok(Self { last, compaction: compaction.transpose()? })
        })
    }
}

/// Journal records by sequence.
type Journal = Vec<(u64, Vec<u8>)>;

/// The journal, each record by itself: one that the browser has lost, as where a file of large values beside its database
/// has gone, fails all that are asked for with it. Such a one comes empty, which is damage.
pub(super) async fn read_apart(connection: &idb::Database) -> Result<Journal, IdbError> {
    let store = || connection.transaction(&[JOURNAL], idb::TransactionMode::ReadOnly)?.object_store(JOURNAL);
    let seqs = store()?.get_all_keys(None, None)?.await?;
    let mut records = Vec::with_capacity(seqs.len());
    for seq in seqs {
        let record = match store()?.get(seq.clone())?.await {
            Err(error) if !is_lost(&error) => return Err(error.into()),
            record => record.ok().flatten(),
        };
        let record = record.and_then(|record| to_bytes(&record, "a journal record").ok());
        records.push((to_seq(&seq)?, record.unwrap_or_default()));
    }
    Ok(records)
}

/// What opening needs, in one transaction; the number of the fence, and what else is there. `apart`: the journal, if that had
/// to be read by itself.
pub(super) async fn read_all(
    connection: &idb::Database,
    rule: Rule,
    apart: Option<Journal>,
) -> Result<(Snapshot, f64, Seen), IdbError> {
    let transaction = connection.transaction(&[PAGES, JOURNAL, KEYS], idb::TransactionMode::ReadOnly)?;
    let (pages, journal) = (transaction.object_store(PAGES)?, transaction.object_store(JOURNAL)?);
    // All are asked for before the first answer: each would wait for a turn of the browser.
    let fence = transaction.object_store(KEYS)?.get(JsValue::from_str(FENCE))?.into_future();
    let compacted = between(&"\0".into(), &"\0:".into())?;
    let names = pages.get_all_keys(Some(compacted.clone()), None)?.into_future();
    let compacted = pages.get_all(Some(compacted), None)?.into_future();
    let seqs = journal.get_all_keys(None, None)?.into_future();
    let records = match apart {
        Some(_) => None,
        None => Some(journal.get_all(None, None)?.into_future()),
    };
    let seen = Seen::ask(&transaction)?;
    let fence = fence.await?.and_then(|value| value.as_f64()).unwrap_or(0.0);
    let mut snapshot = Snapshot::default();
    for (name, record) in names.await?.iter().zip(compacted.await?) {
        snapshot.pages.push((parse_page_key(name)?, to_bytes(&record, "a page record")?));
    }
    let groups = match to_open(&snapshot.pages, rule) {
        Some(groups) => groups,
        None => list(&pages, rule, &mut snapshot.absent).await?,
    };
    let mut asked = Vec::with_capacity(groups.len());
    for group in groups {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let range = between(&page_key(first), &page_key(last))?;
        let names = match group.len() {
            1 => None,
            _ => Some(pages.get_all_keys(Some(range.clone()), None)?.into_future()),
        };
        asked.push((group, names, pages.get_all(Some(range), None)?.into_future()));
    }
    let seqs = seqs.await?;
    snapshot.journal = match (records, apart) {
        (Some(records), _) => {
            let mut journal = Vec::with_capacity(seqs.len());
            for (seq, record) in seqs.iter().zip(records.await?) {
                journal.push((to_seq(seq)?, to_bytes(&record, "a journal record")?));
            }
            journal
        }
        (None, Some(apart)) if apart.last().map(|(seq, _)| number(*seq)) == seqs.last().cloned() => apart,
        // Somebody wrote meanwhile.
        _ => return Err(IdbError::Fenced),
    };
    let seen = seen.await?;
    for (group, names, records) in asked {
        let keys = match names {
            None => group,
            Some(names) => names.await?.iter().map(parse_page_key).collect::<Result<_, _>>()?,
        };
        for (key, record) in keys.into_iter().zip(records.await?) {
            snapshot.pages.push((key, to_bytes(&record, "a page record")?));
        }
    }
    Ok((snapshot, fence, seen))
}

/// The records that opening reads by the names of all, in groups of neighbours.
async fn list(
    pages: &idb::ObjectStore,
    rule: Rule,
    absent: &mut Vec<PageKey>,
) -> Result<Vec<Vec<PageKey>>, IdbError> {
    let names = pages.get_all_keys(None, None)?.await?;
    let keys = names.iter().map(parse_page_key).collect::<Result<Vec<_>, _>>()?;
    let mut sorted = keys.clone();
    sort(&mut sorted);
    *absent = absent_at_open(&sorted, rule);
    let left: Set<&PageKey> = absent.iter().collect();
    let (mut groups, mut joins): (Vec<Vec<PageKey>>, bool) = (Vec::new(), false);
    for key in keys {
        let wanted = !left.contains(&key) && !key.file.is_empty();
        match groups.last_mut().filter(|group| joins && group.len() < MOST_AT_ONCE) {
            Some(group) if wanted => group.push(key),
            _ if wanted => groups.push(vec![key]),
            _ => {}
        }
        joins = wanted;
    }
    Ok(groups)
}

/// All names from one to another, both within.
fn between(first: &JsValue, last: &JsValue) -> Result<idb::Query, IdbError> {
    Ok(idb::KeyRange::bound(first, last, Some(false), Some(false))?.into())
}

pub(super) fn page_key(key: &PageKey) -> JsValue {
    format!("{}\0{}", key.file, key.page).into()
}

fn parse_page_key(key: &JsValue) -> Result<PageKey, IdbError> {
    let text = key.as_string().unwrap_or_default();
    text.rsplit_once('\0')
        .and_then(|(file, page)| Some(PageKey { file: file.to_owned(), page: page.parse().ok()? }))
        .ok_or(IdbError::Damaged { what: "a page's name" })
}

pub(super) fn bytes(record: &[u8]) -> JsValue {
    Uint8Array::from(record).into()
}

pub(super) fn to_bytes(value: &JsValue, what: &'static str) -> Result<Vec<u8>, IdbError> {
    value.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec).ok_or(IdbError::Damaged { what })
}

#[expect(clippy::as_conversions, reason = "sequences are below 2^53; std has no other conversion")]
pub(super) fn number(seq: u64) -> JsValue {
    (seq as f64).into()
}

fn to_seq(key: &JsValue) -> Result<u64, IdbError> {
    match key.as_f64() {
        #[expect(clippy::as_conversions, reason = "checked to be integral and in range")]
        Some(number) if number.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&number) => {
            Ok(number as u64)
        }
        _ => Err(IdbError::Damaged { what: "a journal sequence" }),
    }
}
