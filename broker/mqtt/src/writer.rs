/// How many bytes a Variable Byte Integer takes.
pub const fn variable_byte_integer_len(value: u32) -> usize {
    match value {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        _ => 4,
    }
}

/// Appends a Variable Byte Integer; `value` is at most 268,435,455.
pub fn encode_variable_byte_integer(mut value: u32, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends Binary Data; what is beyond 65,535 bytes is cut off.
pub(crate) fn put_binary(bytes: &[u8], out: &mut Vec<u8>) {
    let bytes = bytes.get(..usize::from(u16::MAX)).unwrap_or(bytes);
    out.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Appends a UTF-8 Encoded String; what is beyond 65,535 bytes is cut off between characters.
pub(crate) fn put_string(text: &str, out: &mut Vec<u8>) {
    let end = text.floor_char_boundary(usize::from(u16::MAX));
    put_binary(text.as_bytes().get(..end).unwrap_or_default(), out);
}

/// Appends a packet: its first byte, a minimal Remaining Length, and what `body` appends.
pub(crate) fn put_packet(first_byte: u8, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(first_byte);
    let start = out.len();
    body(out);
    let end = out.len();
    encode_variable_byte_integer((end - start) as u32, out);
    let length_len = out.len() - end;
    if let Some(tail) = out.get_mut(start..) {
        tail.rotate_right(length_len);
    }
}
