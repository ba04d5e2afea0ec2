//! Random-access storage: one suite, over memory here and over IndexedDB in browsers. The cases are those by which
//! random-access-storages are commonly tested.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a test fails by panicking"
)]

use hypha_node::storage::{Commit, Files, RandomAccess, Stat, StorageError};

/// Where commits go, and come back from.
trait Disk: Sized {
    async fn fresh(name: &str) -> Self;
    async fn commit(&mut self, commit: Commit);
    async fn reopen(self) -> (Self, Files);
}

struct Store<D> {
    disk: D,
    files: Files,
}

impl<D: Disk> Store<D> {
    async fn fresh(name: &str) -> Self {
        Self { disk: D::fresh(name).await, files: Files::new() }
    }

    /// Everything up to now is durable.
    async fn flush(&mut self) {
        while let Some(commit) = self.files.take_commit() {
            self.disk.commit(commit).await;
        }
    }

    /// As after closing the page.
    async fn reopened(mut self) -> Self {
        self.flush().await;
        let (disk, files) = self.disk.reopen().await;
        assert!(files.damage().is_empty());
        Self { disk, files }
    }

    fn open(&mut self, name: &str) -> RandomAccess {
        RandomAccess::open(&mut self.files, name)
    }
}

mod cases {
    use super::*;

    pub(crate) async fn what_is_written_is_read<D: Disk>(mut store: Store<D>) {
        let file = store.open("write-and-read");
        file.write(&mut store.files, 0, b"hello").unwrap();
        assert_eq!(file.read(&store.files, 0, 5).unwrap(), b"hello");
    }

    pub(crate) async fn nothing_is_read_of_an_empty_file_and_more_cannot_be<D: Disk>(mut store: Store<D>) {
        let file = store.open("empty");
        assert_eq!(file.read(&store.files, 0, 0).unwrap(), b"");
        assert!(matches!(file.read(&store.files, 0, 5), Err(StorageError::OutOfRange { .. })));
        file.write(&mut store.files, 0, b"hello").unwrap();
        assert!(matches!(file.read(&store.files, 0, 10), Err(StorageError::OutOfRange { .. })));
        assert!(matches!(file.read(&store.files, u64::MAX, 1), Err(StorageError::OutOfRange { .. })));
    }

    pub(crate) async fn what_lies_between_writes_is_zeros<D: Disk>(mut store: Store<D>) {
        let file = store.open("sparse");
        file.write(&mut store.files, 10, b"hi").unwrap();
        file.write(&mut store.files, 0, b"hello").unwrap();
        let mut store = store.reopened().await;
        let file = store.open("sparse");
        assert_eq!(file.read(&store.files, 0, 12).unwrap(), b"hello\0\0\0\0\0hi");
        // A terabyte of nothing takes no room and no time.
        file.write(&mut store.files, 1 << 40, b"far").unwrap();
        let mut store = store.reopened().await;
        let file = store.open("sparse");
        assert_eq!(file.read(&store.files, (1 << 40) - 2, 5).unwrap(), b"\0\0far");
        assert_eq!(file.read(&store.files, 1 << 39, 3).unwrap(), [0; 3]);
    }

    pub(crate) async fn writes_and_reads_may_be_mixed<D: Disk>(mut store: Store<D>) {
        let file = store.open("mixed");
        for (offset, bytes) in [(0, b"hello"), (10, b"hallo"), (5, b"hola!")] {
            file.write(&mut store.files, offset, bytes).unwrap();
            store.flush().await;
            assert_eq!(file.read(&store.files, offset, 5).unwrap(), bytes);
        }
        let mut store = store.reopened().await;
        assert_eq!(store.open("mixed").read(&store.files, 0, 15).unwrap(), b"hellohola!hallo");
    }

    pub(crate) async fn a_file_is_there_after_reopening_until_it_is_cut<D: Disk>(mut store: Store<D>) {
        store.open("folder/file").write(&mut store.files, 10, b"hello").unwrap();
        let mut store = store.reopened().await;
        let file = store.open("folder/file");
        assert_eq!(file.read(&store.files, 10, 5).unwrap(), b"hello");
        file.truncate(&mut store.files, 0).unwrap();
        let mut store = store.reopened().await;
        let file = store.open("folder/file");
        assert!(file.read(&store.files, 10, 5).is_err());
        assert_eq!(file.stat(&store.files).unwrap(), Stat { size: 0 });
    }

    pub(crate) async fn truncating_shortens_and_lengthens<D: Disk>(mut store: Store<D>) {
        let file = store.open("truncate");
        file.truncate(&mut store.files, 100).unwrap();
        assert_eq!(file.stat(&store.files).unwrap().size, 100);
        file.write(&mut store.files, 0, &[7; 100]).unwrap();
        file.truncate(&mut store.files, 40).unwrap();
        file.truncate(&mut store.files, 60_000).unwrap();
        let mut store = store.reopened().await;
        let file = store.open("truncate");
        assert_eq!(file.stat(&store.files).unwrap().size, 60_000);
        assert_eq!(file.read(&store.files, 39, 2).unwrap(), [7, 0], "what was cut off does not come back");
        assert_eq!(file.read(&store.files, 59_990, 10).unwrap(), [0; 10]);
        assert!(file.truncate(&mut store.files, u64::MAX).is_err());
    }

    pub(crate) async fn deleting_zeros_and_shortens_at_the_end<D: Disk>(mut store: Store<D>) {
        let file = store.open("del");
        file.write(&mut store.files, 0, &[1; 100]).unwrap();
        file.del(&mut store.files, 0, 40).unwrap();
        assert_eq!(file.stat(&store.files).unwrap().size, 100);
        file.del(&mut store.files, 50, 50).unwrap();
        let mut store = store.reopened().await;
        let file = store.open("del");
        assert_eq!(file.stat(&store.files).unwrap().size, 50);
        assert_eq!(file.read(&store.files, 0, 50).unwrap(), [[0; 40].as_slice(), &[1; 10]].concat());
        file.del(&mut store.files, 10, u64::MAX).unwrap();
        assert_eq!(file.stat(&store.files).unwrap().size, 10);
        file.del(&mut store.files, 20, 5).unwrap();
        assert_eq!(file.stat(&store.files).unwrap().size, 10, "past the end there is nothing to delete");
    }

    pub(crate) async fn ten_megabytes_go_at_once<D: Disk>(mut store: Store<D>) {
        let big: Vec<u8> = (0..10 << 20).map(|n| (n % 251) as u8).collect();
        let (first, second) = (0, 2 * big.len() as u64);
        let file = store.open("big");
        for offset in [first, second] {
            file.write(&mut store.files, offset, &big).unwrap();
        }
        let mut store = store.reopened().await;
        let file = store.open("big");
        for offset in [first, second] {
            assert!(file.read(&store.files, offset, big.len()).unwrap() == big, "at {offset}");
        }
        assert_eq!(file.stat(&store.files).unwrap().size, second + big.len() as u64);
    }

    pub(crate) async fn many_files_keep_apart<D: Disk>(mut store: Store<D>) {
        let name = |number: u32| format!("many/{number}");
        for number in 0..1000_u32 {
            let file = store.open(&name(number));
            file.write(&mut store.files, u64::from(number), &number.to_le_bytes()).unwrap();
        }
        let mut store = store.reopened().await;
        for number in 0..1000_u32 {
            let file = store.open(&name(number));
            assert_eq!(file.read(&store.files, u64::from(number), 4).unwrap(), number.to_le_bytes());
            assert_eq!(file.stat(&store.files).unwrap().size, u64::from(number) + 4);
        }
        assert_eq!(store.files.names("many/").len(), 1000);
    }

    pub(crate) async fn a_file_is_opened_and_closed_many_times<D: Disk>(mut store: Store<D>) {
        for number in 0..5000_u32 {
            let mut file = store.open("often");
            if let Some(last) = number.checked_sub(1) {
                assert_eq!(file.read(&store.files, 0, 4).unwrap(), last.to_le_bytes());
            }
            file.write(&mut store.files, 0, &number.to_le_bytes()).unwrap();
            store.flush().await;
            file.close();
            assert_eq!(file.read(&store.files, 0, 4), Err(StorageError::NoFile));
        }
        for _ in 0..20 {
            store = store.reopened().await;
        }
        assert_eq!(store.open("often").read(&store.files, 0, 4).unwrap(), 4999_u32.to_le_bytes());
    }
}

/// The cases as tests of a backend.
macro_rules! suite {
    ($($case:ident)*) => {
        $(
            #[cfg(not(target_arch = "wasm32"))]
            #[test]
            fn $case() {
                memory::run(cases::$case(memory::run(Store::<memory::Memory>::fresh(stringify!($case)))));
            }

            #[cfg(target_arch = "wasm32")]
            #[wasm_bindgen_test::wasm_bindgen_test]
            async fn $case() {
                cases::$case(Store::<browser::Idb>::fresh(stringify!($case)).await).await;
            }
        )*
    };
}

suite! {
    what_is_written_is_read
    nothing_is_read_of_an_empty_file_and_more_cannot_be
    what_lies_between_writes_is_zeros
    writes_and_reads_may_be_mixed
    a_file_is_there_after_reopening_until_it_is_cut
    truncating_shortens_and_lengthens
    deleting_zeros_and_shortens_at_the_end
    ten_megabytes_go_at_once
    many_files_keep_apart
    a_file_is_opened_and_closed_many_times
}

#[cfg(not(target_arch = "wasm32"))]
mod memory {
    use core::task::{Context, Poll, Waker};

    use hypha_node::storage::MemoryBackend;

    use super::*;

    pub(crate) struct Memory(MemoryBackend);

    impl Disk for Memory {
        async fn fresh(_: &str) -> Self {
            Self(MemoryBackend::new())
        }

        async fn commit(&mut self, commit: Commit) {
            self.0.apply(&commit);
        }

        async fn reopen(self) -> (Self, Files) {
            let files = Files::load(self.0.snapshot()).unwrap();
            (self, files)
        }
    }

    /// Nothing here ever waits.
    pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
        match core::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("memory made somebody wait"),
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod browser {
    use hypha_node::browser::idb::Database;

    use super::*;

    wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

    pub(crate) struct Idb {
        database: Database,
        name: String,
    }

    impl Disk for Idb {
        async fn fresh(name: &str) -> Self {
            Database::delete(name).await.unwrap();
            let (database, _) = Database::open(name).await.unwrap();
            Self { database, name: name.to_owned() }
        }

        async fn commit(&mut self, commit: Commit) {
            self.database.commit(&[commit]).await.unwrap();
        }

        async fn reopen(self) -> (Self, Files) {
            self.database.close();
            let (database, snapshot) = Database::open(&self.name).await.unwrap();
            (Self { database, ..self }, Files::load(snapshot).unwrap())
        }
    }
}
