//! Buckets: how long they are waited for, and what of the environment they are given.

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use std::sync::Arc;
use std::time::Duration;

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long one request may take, a whole checkpoint's transfer included.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);
/// How often a request is tried again, and for how long altogether: the group replaces a leader that
/// does not come back within five minutes.
const RETRIES_MAX: usize = 6;
const RETRY_WITHIN: Duration = Duration::from_mins(2);

/// Opens a bucket and the folder in it.
pub(super) fn open(
    (scheme, rest): (&str, &str),
    variables: &[(String, String)],
) -> object_store::Result<Arc<dyn ObjectStore>> {
    let (bucket, folder) = rest.split_once('/').unwrap_or((rest, ""));
    let options =
        ClientOptions::new().with_timeout(ANSWER_WITHIN).with_connect_timeout(CONNECT_WITHIN);
    let retry = RetryConfig {
        max_retries: RETRIES_MAX,
        retry_timeout: RETRY_WITHIN,
        ..RetryConfig::default()
    };
    // Keys are named as the variables are, in small letters; what a store does not know is not its.
    let known = |name: &str| name.to_ascii_lowercase();
    match scheme {
        "s3" => {
            let mut builder = AmazonS3Builder::new()
                .with_bucket_name(bucket)
                .with_conditional_put(S3ConditionalPut::ETagMatch)
                .with_client_options(options)
                .with_retry(retry);
            for (name, value) in variables {
                if let Ok(key) = known(name).parse::<AmazonS3ConfigKey>() {
                    builder = builder.with_config(key, value);
                }
            }
            Ok(Arc::new(PrefixStore::new(builder.build()?, folder)))
        }
        "gs" => {
            let mut builder = GoogleCloudStorageBuilder::new()
                .with_bucket_name(bucket)
                .with_client_options(options)
                .with_retry(retry);
            for (name, value) in variables {
                if let Ok(key) = known(name).parse::<GoogleConfigKey>() {
                    builder = builder.with_config(key, value);
                }
            }
            Ok(Arc::new(PrefixStore::new(builder.build()?, folder)))
        }
        _ => {
            let mut builder = MicrosoftAzureBuilder::new()
                .with_container_name(bucket)
                .with_client_options(options)
                .with_retry(retry);
            for (name, value) in variables {
                if let Ok(key) = known(name).parse::<AzureConfigKey>() {
                    builder = builder.with_config(key, value);
                }
            }
            Ok(Arc::new(PrefixStore::new(builder.build()?, folder)))
        }
    }
}
