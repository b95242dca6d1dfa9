//! The token of a closed service.

use std::{fs, path::PathBuf};

/// The place of a token.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    /// There is none: the service is open.
    None,
    /// The token itself.
    Token(String),
    /// A file that has it. It is read for each connection, so that another program can renew it.
    File(PathBuf),
}

impl Credential {
    /// Returns the token as it is now, or the reason why there is none.
    pub(crate) fn token(&self) -> Result<Option<String>, String> {
        let (token, from) = match self {
            Self::None => return Ok(None),
            Self::Token(token) => (token.clone(), "the token".to_owned()),
            Self::File(file) => {
                let from = format!("the token in {}", file.display());
                (fs::read_to_string(file).map_err(|error| format!("{from} cannot be read: {error}"))?, from)
            }
        };
        let token = token.trim();
        // RFC 6750, section 2.1.
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if token.is_empty() || !token.bytes().all(fits) {
            return Err(format!("{from} is none: it is empty, or has characters that no token has"));
        }
        Ok(Some(token.to_owned()))
    }
}
