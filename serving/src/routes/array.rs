//! Arrays of JSON that are read no further than a limit.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Error, SeqAccess, Visitor};

/// Parses an array. `None` if it has more elements than the limit; those after it are not read.
pub(super) fn parse<'a, T: Deserialize<'a>>(json: &'a str, limit: usize) -> serde_json::Result<Option<Vec<T>>> {
    let mut is_longer = false;
    let mut json = serde_json::Deserializer::from_str(json);
    match (Limited { limit, is_longer: &mut is_longer, element: PhantomData }).deserialize(&mut json) {
        Ok(elements) => json.end().map(|()| Some(elements)),
        Err(_) if is_longer => Ok(None),
        Err(error) => Err(error),
    }
}

/// An array that is read up to a limit.
struct Limited<'f, T> {
    limit: usize,
    /// Set when the array has more elements.
    is_longer: &'f mut bool,
    element: PhantomData<T>,
}

impl<'a, T: Deserialize<'a>> DeserializeSeed<'a> for Limited<'_, T> {
    type Value = Vec<T>;

    fn deserialize<D: serde::Deserializer<'a>>(self, deserializer: D) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'a, T: Deserialize<'a>> Visitor<'a> for Limited<'_, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut array: A) -> Result<Vec<T>, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = array.next_element()? {
            if elements.len() == self.limit {
                *self.is_longer = true;
                return Err(A::Error::custom("too many elements"));
            }
            elements.push(element);
        }
        Ok(elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_read_no_further_than_the_limit() {
        assert_eq!(parse::<u8>(" [1, 2] ", 2).unwrap(), Some(vec![1, 2]));
        assert_eq!(parse::<u8>("[]", 0).unwrap(), Some(vec![]));
        assert_eq!(parse::<u8>("[1,2,3,this is not even JSON", 2).unwrap(), None);
        for bad in ["[1,2] 3", "[1,2", "[1,x]", "{}"] {
            assert!(parse::<u8>(bad, 2).is_err(), "{bad}");
        }
    }
}
