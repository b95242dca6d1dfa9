//! The fields of objects of JSON.

/// Returns the number of fields in a text of JSON, which is that of colons outside of strings. A `Value` of serde_json has fewer
/// if a name is repeated.
pub fn fields(json: &str) -> usize {
    let (mut count, mut is_in_string) = (0, false);
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => is_in_string = !is_in_string,
            b'\\' => drop(bytes.next()),
            b':' if !is_in_string => count += 1,
            _ => {}
        }
    }
    count
}
