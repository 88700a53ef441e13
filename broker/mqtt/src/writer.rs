use crate::encode_variable_byte_integer;

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
