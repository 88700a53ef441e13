//! Tells when a file of the configuration has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time;
use tracing::warn;

/// Watches the folders of files, since editors and `mv` put new files in the place of old ones.
pub(crate) struct FileWatch {
    watcher: Option<RecommendedWatcher>,
    events: mpsc::Receiver<()>,
    folders: BTreeSet<PathBuf>,
    files: Vec<PathBuf>,
    seen: Stamps,
}

/// How files look from outside: when they were written, how long they are; `None` if they are not
/// there.
type Stamps = BTreeMap<PathBuf, Option<(SystemTime, u64)>>;

/// How long files must be left alone before a change counts: whoever writes several, or one in
/// pieces, is done by then.
const QUIET: Duration = Duration::from_millis(200);

impl FileWatch {
    /// Watches `files`; a folder among them stands for the `.toml` files in it. Where the system
    /// cannot watch, that is a warning and nothing is ever told.
    pub(crate) fn new(files: Vec<PathBuf>) -> Self {
        let (sender, events) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| is_change(&event.kind)) {
                // One that waits already says it all.
                let _ = sender.try_send(());
            }
        });
        let watcher = match watcher {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                warn!(%error, "Files are not watched; send SIGHUP after a change.");
                None
            }
        };
        let folders = BTreeSet::new();
        let mut watch = Self { watcher, events, folders, files: Vec::new(), seen: Stamps::new() };
        watch.follow(files);
        watch
    }

    /// Notes how the files are: what has changed up to now counts as known.
    pub(crate) fn look(&mut self) {
        self.seen = stamps(&self.files);
    }

    /// Watches these from now on. Those that were watched before are compared with how they were
    /// then, so that no change is lost between.
    pub(crate) fn follow(&mut self, files: Vec<PathBuf>) {
        let folders: BTreeSet<PathBuf> = files
            .iter()
            .flat_map(|file| [folder_of(file), file.clone()])
            .filter(|path| path.is_dir())
            .collect();
        if let Some(watcher) = &mut self.watcher {
            for gone in self.folders.difference(&folders) {
                // It may not be there any more, which is as good.
                let _ = watcher.unwatch(gone);
            }
            for new in folders.difference(&self.folders) {
                if let Err(error) = watcher.watch(new, RecursiveMode::NonRecursive) {
                    let folder = new.display();
                    warn!(%folder, %error, "A folder is not watched; send SIGHUP after a change.");
                }
            }
        }
        self.folders = folders;
        let mut seen = stamps(&files);
        for (path, stamp) in &mut seen {
            if let Some(known) = self.seen.get(path) {
                *stamp = *known;
            }
        }
        self.files = files;
        self.seen = seen;
    }

    /// Waits until a file has changed and is then left alone for a moment.
    pub(crate) async fn changed(&mut self) {
        loop {
            if self.events.recv().await.is_none() {
                std::future::pending::<()>().await;
            }
            while let Ok(Some(())) = time::timeout(QUIET, self.events.recv()).await {}
            let now = stamps(&self.files);
            if now != self.seen {
                self.seen = now;
                return;
            }
        }
    }
}

fn is_change(kind: &EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    }
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}

fn stamps(files: &[PathBuf]) -> Stamps {
    let inside = files.iter().flat_map(|path| inside(path));
    inside.map(|path| (path.clone(), written(&path))).collect()
}

/// The file itself, or the `.toml` files of a folder.
fn inside(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(path) else { return vec![path.to_owned()] };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    files
}

fn written(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
