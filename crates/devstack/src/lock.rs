//! The right to a state directory: one living process at a time.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use crate::error::{Error, Result, Trying};

/// A directory that belongs to this process until the value is dropped, or the process ends.
#[derive(Debug)]
pub(crate) struct OwnedDir {
    path: PathBuf,
    _lock: File, // the kernel releases the lock with the file, also after SIGKILL
}

impl OwnedDir {
    /// Creates `dir` where it is missing and takes it.
    pub(crate) fn take(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).trying(|| format!("create {}", dir.display()))?;
        let path = dir.canonicalize().trying(|| format!("resolve {}", dir.display()))?;
        let lock = open(&path)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(Errno::WOULDBLOCK) => Err(Error::InUse(path)),
            Err(refusal) => Err(refusal).trying(|| format!("lock {}", path.display())),
        }
    }

    /// Returns the absolute path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Tells whether a living process owns `dir`, without taking it for longer than the question lasts.
pub(crate) fn is_owned(dir: &Path) -> bool {
    dir.join("lock").exists() && matches!(OwnedDir::take(dir), Err(Error::InUse(_)))
}

fn open(dir: &Path) -> Result<File> {
    let file = dir.join("lock");
    File::options().create(true).truncate(false).write(true).open(&file).trying(|| format!("open {}", file.display()))
}
