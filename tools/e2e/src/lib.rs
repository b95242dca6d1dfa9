//! The end-to-end tests are in `tests/`.
