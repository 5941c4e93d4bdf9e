//! Where checkpoints are kept: a directory, or a bucket of S3, Google Cloud Storage or Azure.

#[cfg(feature = "cloud")]
mod cloud;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use std::path::Path;
use std::sync::Arc;

/// Variables of the environment that say how object stores are reached begin so.
const PREFIXES: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];

/// The environment, as far as it is about object stores; it holds secrets.
#[derive(Clone, Default)]
pub(crate) struct Environment(Vec<(String, String)>);

impl Environment {
    /// What of some variables is about object stores.
    pub(crate) fn of(
        variables: impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
    ) -> Self {
        let is_ours = |name: &String| PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        let each = variables.filter_map(|(name, value)| {
            Some((name.into_string().ok().filter(is_ours)?, value.into_string().ok()?))
        });
        Self(each.collect())
    }
}

/// Names only: the values are keys and tokens.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Why a place for checkpoints cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlaceError {
    /// The directory cannot be made or opened.
    #[error("run.checkpoints: cannot use the directory {path}: {why}; make it, or name another")]
    Directory {
        /// Which.
        path: String,
        /// Why.
        why: String,
    },
    /// It is of no kind that there is.
    #[error(
        "run.checkpoints: `{place}` is no place for checkpoints: write a directory, file:///directory, s3://bucket/folder, gs://bucket/folder or az://container/folder"
    )]
    Unknown {
        /// As it was written.
        place: String,
    },
    /// This program was built without it.
    #[cfg(not(feature = "cloud"))]
    #[error(
        "run.checkpoints: this program was built without object stores, so that `{place}` cannot be reached: build it with `cargo build --release --features cloud`, or name a directory"
    )]
    NotBuilt {
        /// As it was written.
        place: String,
    },
    /// Something that it needs is missing or makes no sense.
    #[cfg(feature = "cloud")]
    #[error(
        "run.checkpoints: {place}: {why}; the environment says how it is reached (AWS_…, GOOGLE_…, AZURE_…)"
    )]
    Cloud {
        /// As it was written.
        place: String,
        /// What.
        why: String,
    },
}

/// Opens the place that a setting names; `home` is where checkpoints are if it names none.
pub(crate) fn open(
    place: &str,
    home: &Path,
    environment: &Environment,
) -> Result<Arc<dyn ObjectStore>, PlaceError> {
    if place.is_empty() {
        return directory(&home.join("checkpoints"));
    }
    let Some((scheme, rest)) = place.split_once("://") else {
        return directory(Path::new(place));
    };
    match scheme {
        "file" if rest.starts_with('/') => directory(Path::new(rest)),
        "s3" | "gs" | "az" if is_plain(rest) => remote(place, (scheme, rest), environment),
        _ => Err(PlaceError::Unknown { place: place.to_owned() }),
    }
}

/// A bucket, and perhaps a folder in it: nothing that a URL could carry beside.
fn is_plain(rest: &str) -> bool {
    let bucket = rest.split('/').next().unwrap_or_default();
    !bucket.is_empty() && !rest.contains(['?', '#', '@', '%', ' '])
}

fn directory(path: &Path) -> Result<Arc<dyn ObjectStore>, PlaceError> {
    let failed = |why: String| PlaceError::Directory { path: path.display().to_string(), why };
    std::fs::create_dir_all(path).map_err(|error| failed(error.to_string()))?;
    let opened = LocalFileSystem::new_with_prefix(path);
    Ok(Arc::new(opened.map_err(|error| failed(error.to_string()))?))
}

#[cfg(not(feature = "cloud"))]
fn remote(
    place: &str,
    _: (&str, &str),
    environment: &Environment,
) -> Result<Arc<dyn ObjectStore>, PlaceError> {
    let Environment(_) = environment;
    Err(PlaceError::NotBuilt { place: place.to_owned() })
}

#[cfg(feature = "cloud")]
fn remote(
    place: &str,
    parts: (&str, &str),
    Environment(variables): &Environment,
) -> Result<Arc<dyn ObjectStore>, PlaceError> {
    cloud::open(parts, variables)
        .map_err(|error| PlaceError::Cloud { place: place.to_owned(), why: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(place: &str, expected: &str) {
        let dir = tempfile::tempdir().unwrap();
        let opened = open(place, dir.path(), &Environment::default());
        let said = opened.map_or_else(|error| error.to_string(), |store| store.to_string());
        assert!(said.contains(expected), "{said}");
    }

    #[test]
    fn a_place_is_a_directory_or_a_url() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        check("", "/checkpoints");
        check(path.to_str().unwrap(), "a/b");
        check(&format!("file://{}", path.display()), "a/b");
        check("file://relative", "is no place for checkpoints");
        check("ftp://host/folder", "is no place for checkpoints");
        check("s3://user:secret@bucket", "is no place for checkpoints");
        check("s3://", "is no place for checkpoints");
        #[cfg(not(feature = "cloud"))]
        check("s3://bucket/folder", "--features cloud");
    }

    #[test]
    fn the_environment_is_filtered_and_not_printed() {
        let pair = |name: &str, value: &str| (name.into(), value.into());
        let variables = [pair("AWS_SECRET_ACCESS_KEY", "canary"), pair("PATH", "/bin")];
        let environment = Environment::of(variables.into_iter());
        assert_eq!(format!("{environment:?}"), r#"["AWS_SECRET_ACCESS_KEY"]"#);
    }
}
