//! The fingerprint key of a store: 32 bytes in hexadecimal digits, readable by their owner only.

use crate::error::StoreError;
use crate::{layout, manifest};
use std::path::Path;
use std::{fmt, fs, io};

/// Bytes read of a key file: the digits and a line end, and one more to notice a longer file.
const KEY_FILE_BYTES_MAX: usize = 66;

/// The key; it is never printed.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Key(pub(crate) [u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    /// The key of the store in `dir`, `None` before the first one was written.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>, StoreError> {
        let path = dir.join(layout::KEY);
        let text = match manifest::read_capped(&path, KEY_FILE_BYTES_MAX) {
            Ok(text) => text,
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) if source.kind() == io::ErrorKind::InvalidData => String::new(),
            Err(source) => return Err(StoreError::io("reading", &path)(source)),
        };
        match blake3::Hash::from_hex(text.trim_end()) {
            Ok(key) => Ok(Some(Self(*key.as_bytes()))),
            Err(_) => Err(StoreError::Damaged { path, what: "not 64 hexadecimal digits".into() }),
        }
    }

    /// Writes the key of a new store.
    pub(crate) fn write(self, dir: &Path) -> Result<(), StoreError> {
        let (path, new) = (dir.join(layout::KEY), dir.join(layout::KEY_NEW));
        // A file left by a crash keeps the mode it had, so it is not written over.
        match fs::remove_file(&new) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::io("removing", &new)(source));
            }
            _ => {}
        }
        let mut text = blake3::Hash::from_bytes(self.0).to_hex().to_string();
        text.push('\n');
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        manifest::write_synced(&options, &new, text.as_bytes())?;
        fs::rename(&new, &path).map_err(StoreError::io("writing", &path))?;
        manifest::sync_dir(dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written_and_only_by_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Key::read(dir.path()).unwrap(), None);
        fs::write(dir.path().join(layout::KEY_NEW), "left by a crash").unwrap();
        Key([7; 32]).write(dir.path()).unwrap();
        assert_eq!(Key::read(dir.path()).unwrap(), Some(Key([7; 32])));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(dir.path().join(layout::KEY)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_damaged_key_is_refused_and_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        for text in [&b"secret"[..], b"\xff\xfe", &[b'a'; 65], &[b'a'; 5000], b""] {
            fs::write(dir.path().join(layout::KEY), text).unwrap();
            let message = Key::read(dir.path()).unwrap_err().to_string();
            assert!(message.contains("damaged") && !message.contains("secret"), "{message}");
        }
        assert_eq!(format!("{:?}", Key([7; 32])), "Key(..)");
    }
}
