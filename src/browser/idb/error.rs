//! What can go wrong with the browser's database, and what to do about it.

use wasm_bindgen::{JsCast, JsValue};

use crate::node::ErrorCode;

/// Why the database could not be opened, read or written. Every message says what to do.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum IdbError {
    /// Another tab holds it in an older shape.
    #[error(
        "another tab keeps the database {name:?} in use by an older version of this page; close that tab and try again"
    )]
    Blocked {
        /// Its name.
        name: String,
    },
    /// Closed by us, by the person clearing site data, or for a newer version of the page in another tab.
    #[error(
        "the database was closed (site data cleared, or a newer version of this page in another tab); reload the page"
    )]
    Closed,
    /// Another tab took over while this one was silent; what it meant to write is not written.
    #[error("another tab has taken over this node; reload the page")]
    Fenced,
    /// A transaction failed.
    #[error(
        "the browser could not store or read data: {why}; free some disk space or check the browser's site settings, then reload"
    )]
    Failed {
        /// The browser's words.
        why: String,
    },
    /// No room left.
    #[error(
        "the browser has no room left for this site; free some disk space or delete data of other sites, then try again"
    )]
    Quota,
    /// A record that no version of this program wrote.
    #[error("a record in the database is damaged: {what}")]
    Damaged {
        /// Which.
        what: &'static str,
    },
    /// No database at all.
    #[error(
        "this browser window keeps no data for this site ({why}); allow site data, leave the private window, or open the node with storage: \"memory\""
    )]
    Unavailable {
        /// The browser's words.
        why: String,
    },
}

impl IdbError {
    /// The code that a page decides by.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Damaged { .. } => ErrorCode::Corrupt,
            Self::Quota => ErrorCode::Quota,
            _ => ErrorCode::Storage,
        }
    }

    /// Of something thrown or reported by the browser.
    pub(crate) fn of(thrown: &JsValue) -> Self {
        let name = thrown.dyn_ref::<web_sys::DomException>().map(web_sys::DomException::name);
        match name.as_deref() {
            Some("QuotaExceededError") => Self::Quota,
            Some("InvalidStateError") => Self::Closed,
            _ => Self::Failed { why: words(thrown) },
        }
    }

    /// Of a failure to open.
    pub(crate) fn of_open(error: &idb::Error) -> Self {
        match error {
            idb::Error::IndexedDbNotFound(_) => Self::Unavailable { why: "IndexedDB is missing".to_owned() },
            idb::Error::DomException(exception) if exception.name() == "QuotaExceededError" => Self::Quota,
            other => Self::Unavailable { why: words_of(other) },
        }
    }
}

impl From<idb::Error> for IdbError {
    fn from(error: idb::Error) -> Self {
        match thrown(&error) {
            Some(thrown) => Self::of(thrown),
            None => Self::Failed { why: words_of(&error) },
        }
    }
}

impl From<rexie::Error> for IdbError {
    fn from(error: rexie::Error) -> Self {
        match error {
            rexie::Error::IdbError(error) => error.into(),
            other => Self::Failed { why: other.to_string() },
        }
    }
}

/// Whether the browser says that a record is lost for good; all else that reading one can end with may pass.
pub(super) fn is_lost(error: &idb::Error) -> bool {
    let exception = thrown(error).and_then(|thrown| thrown.dyn_ref::<web_sys::DomException>());
    exception.is_some_and(|exception| exception.name() == "NotReadableError")
}

/// What the browser threw, if anything.
fn thrown(error: &idb::Error) -> Option<&JsValue> {
    match error {
        idb::Error::DomException(thrown) => Some(thrown),
        idb::Error::AddFailed(thrown)
        | idb::Error::DeleteFailed(thrown)
        | idb::Error::GetAllFailed(thrown)
        | idb::Error::GetAllKeysFailed(thrown)
        | idb::Error::GetFailed(thrown)
        | idb::Error::GetKeyFailed(thrown)
        | idb::Error::IndexedDbDeleteFailed(thrown)
        | idb::Error::IndexedDbOpenFailed(thrown)
        | idb::Error::KeyRangeCreateFailed(thrown)
        | idb::Error::ObjectStoreNotFound(thrown)
        | idb::Error::OpenCursorFailed(thrown)
        | idb::Error::OpenKeyCursorFailed(thrown)
        | idb::Error::RequestErrorNotFound(thrown)
        | idb::Error::RequestResultNotFound(thrown)
        | idb::Error::TransactionAbortError(thrown)
        | idb::Error::TransactionCommitError(thrown)
        | idb::Error::TransactionOpenFailed(thrown)
        | idb::Error::UpdateFailed(thrown) => Some(thrown),
        _ => None,
    }
}

/// The browser's words or, where there are none, what the library calls it: its longer texts would be code for nothing.
fn words_of(error: &idb::Error) -> String {
    thrown(error).map_or_else(|| format!("{error:?}"), words)
}

/// An exception's own words.
pub(crate) fn words(thrown: &JsValue) -> String {
    let message = js_sys::Reflect::get(thrown, &"message".into()).ok().and_then(|text| text.as_string());
    let name = js_sys::Reflect::get(thrown, &"name".into()).ok().and_then(|text| text.as_string());
    let words = match (name, message) {
        (Some(name), Some(message)) if !message.is_empty() => format!("{name}: {message}"),
        (Some(name), _) => name,
        (None, Some(message)) => message,
        (None, None) => thrown.as_string().unwrap_or_else(|| "no reason given".to_owned()),
    };
    words.chars().take(300).collect()
}
