//! The signature of Standard Webhooks: HMAC-SHA-256 over id, time and body.

use super::WebhookError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connect::Secret;
use ring::hmac;

/// Bytes of a secret, as Standard Webhooks asks for.
const SECRET_BYTES_MIN: usize = 24;
const SECRET_BYTES_MAX: usize = 64;
/// What a secret in Base64 begins with.
const BASE64_PREFIX: &str = "whsec_";

/// Signs events.
pub(super) struct Signer(hmac::Key);

/// Three stars: the key is a secret.
impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Signer {
    /// A signer with that secret: Base64 behind `whsec_`, else the text's own bytes.
    pub(super) fn new(secret: &Secret) -> Result<Self, WebhookError> {
        let bytes = match secret.expose().strip_prefix(BASE64_PREFIX) {
            Some(text) => STANDARD
                .decode(text)
                .map_err(|_| WebhookError::WeakSecret("is no Base64 behind `whsec_`"))?,
            None => secret.expose().as_bytes().to_vec(),
        };
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(WebhookError::WeakSecret("is shorter than 24 bytes"));
        }
        if bytes.len() > SECRET_BYTES_MAX {
            return Err(WebhookError::WeakSecret("is longer than 64 bytes"));
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The value of `webhook-signature`.
    pub(super) fn sign(&self, id: &str, timestamp_s: i64, body: &str) -> String {
        let tag = hmac::sign(&self.0, format!("{id}.{timestamp_s}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of the Standard Webhooks libraries.
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signer = Signer::new(&secret).unwrap();
        let signature =
            signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(format!("{signer:?}"), "***");
    }

    #[test]
    fn a_weak_secret_is_refused() {
        for (secret, words) in [
            ("tooshort", "24 bytes"),
            ("whsec_c2hvcnQ=", "24 bytes"),
            ("whsec_%%%", "Base64"),
            (&"long".repeat(20), "64 bytes"),
        ] {
            let error = Signer::new(&Secret::new(secret)).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains(secret), "{error}");
        }
    }
}
