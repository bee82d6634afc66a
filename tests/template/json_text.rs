//! Texts in golden files are JSON strings as Python writes them in ASCII.

/// The text of such a string.
pub(crate) fn json_text(json: &str) -> String {
    let inner = json.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
    let mut units = Vec::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        let unit = if c != '\\' {
            u16::try_from(u32::from(c)).unwrap()
        } else {
            match chars.next().unwrap() {
                'n' => 10,
                'r' => 13,
                't' => 9,
                'b' => 8,
                'f' => 12,
                'u' => u16::from_str_radix(&chars.by_ref().take(4).collect::<String>(), 16).unwrap(),
                c => u16::try_from(u32::from(c)).unwrap(),
            }
        };
        units.push(unit);
    }
    String::from_utf16(&units).unwrap()
}
