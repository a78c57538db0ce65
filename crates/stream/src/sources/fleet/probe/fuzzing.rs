//! What a component says that is asked by PostgreSQL's protocol, for fuzzing.

use super::{super::target::Secret, Broken, postgres::select_1};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

/// Bytes as they may come from a server: they are read to an end, and no password goes out as it is.
pub fn postgres(bytes: &[u8]) {
    const WORD: &str = "hunter2 hunter2";
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let told = runtime.block_on(async {
        let (ours, mut theirs) = duplex(bytes.len().max(4_096));
        theirs.write_all(bytes).await.expect("there is room");
        theirs.shutdown().await.expect("it is open");
        let word = Secret::new(WORD);
        let asked = select_1(ours, "user", Some(&word), None).await;
        assert!(!matches!(asked, Err(Broken::NotAsked(_))), "{asked:?}");
        let mut told = Vec::new();
        theirs.read_to_end(&mut told).await.expect("it is open");
        told
    });
    assert!(!told.windows(WORD.len()).any(|window| window == WORD.as_bytes()), "the password went out");
}
