//! Ids of rows as a server writes them, and back.

use std::io::Write as _;

use serde_json::Value;
use soak_scenario::RowIds;

/// The first half of every UUID that stands for a row: version 8 (RFC 9562), the one for layouts of one's own.
const UUID_PREFIX: &str = "736f616b-0000-8000-";

/// Bits of a row's number in the second half; the two above them are the variant.
const BITS: u32 = 62;
const MASK: u64 = (1 << BITS) - 1;
const VARIANT: u64 = 0b10 << BITS;

/// An odd number, and its inverse modulo 2^62: multiplying by one undoes the other.
const FACTOR: u64 = 0x1e37_79b9_7f4a_7c15;
const INVERSE: u64 = inverse(FACTOR);

/// Newton's iteration: each step doubles the number of bits that are right.
const fn inverse(odd: u64) -> u64 {
    let mut inverse: u64 = odd;
    let mut step = 0;
    while step < 6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)));
        step += 1;
    }
    inverse & MASK
}

/// Spreads numbers that follow each other over all 62 bits, as the UUIDs of a deployment are.
const fn scatter(number: u64) -> u64 {
    let mixed = number.wrapping_mul(FACTOR) & MASK;
    mixed ^ (mixed >> (BITS / 2))
}

/// Undoes [`scatter`].
const fn gather(scattered: u64) -> u64 {
    let mixed = scattered ^ (scattered >> (BITS / 2));
    mixed.wrapping_mul(INVERSE) & MASK
}

/// Writes an id without quotes.
pub(super) fn write(ids: RowIds, id: u64, out: &mut Vec<u8>) {
    // Writing to a vector cannot fail.
    let _ = match ids {
        RowIds::Integer => write!(out, "{id}"),
        RowIds::String => write!(out, "{id:016}"),
        RowIds::Uuid => {
            let low = scatter(id) | VARIANT;
            write!(out, "{UUID_PREFIX}{:04x}-{:012x}", low >> 48, low & 0xffff_ffff_ffff)
        }
    };
}

/// Writes an id as a value in JSON.
pub(super) fn write_json(ids: RowIds, id: u64, out: &mut Vec<u8>) {
    if ids == RowIds::Integer {
        return write(ids, id, out);
    }
    out.push(b'"');
    write(ids, id, out);
    out.push(b'"');
}

/// The row of an id in an answer; `None` where it is no id of a row.
pub(super) fn read(ids: RowIds, id: &Value) -> Option<u64> {
    match (ids, id) {
        (RowIds::Integer, Value::Number(number)) => number.as_u64(),
        (RowIds::Integer | RowIds::String, Value::String(text)) => text.parse().ok(),
        (RowIds::Uuid, Value::String(text)) => {
            let text = text.to_ascii_lowercase();
            let (high, low) = text.strip_prefix(UUID_PREFIX)?.split_once('-')?;
            let low = (u64::from_str_radix(high, 16).ok()? << 48) | u64::from_str_radix(low, 16).ok()?;
            Some(gather(low & MASK)).filter(|_| low & !MASK == VARIANT)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(ids: RowIds, id: u64) -> Value {
        let mut bytes = Vec::new();
        write_json(ids, id, &mut bytes);
        serde_json::from_slice(&bytes).unwrap()
    }

    proptest! {
        #[test]
        fn every_id_reads_back(id in 0..=MASK) {
            for ids in RowIds::ALL {
                prop_assert_eq!(read(ids, &written(ids, id)), Some(id));
            }
        }
    }

    #[test]
    fn a_uuid_has_the_usual_form_and_others_are_no_rows() {
        let uuid = written(RowIds::Uuid, 1);
        let text = uuid.as_str().unwrap();
        let groups: Vec<usize> = text.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12], "{text}");
        assert!(text.split('-').nth(3).unwrap().starts_with(['8', '9', 'a', 'b']), "{text}");
        for other in ["", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "736f616b-0000-8000-0000-000000000000"] {
            assert_eq!(read(RowIds::Uuid, &Value::from(other)), None, "{other}");
        }
        assert_eq!(read(RowIds::Integer, &Value::from(-1)), None);
        assert_eq!(read(RowIds::String, &Value::Null), None);
    }
}
