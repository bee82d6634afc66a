//! Any bytes as a GGUF file: parsing must not panic, and what is accepted must be usable in every part and come out
//! of the writer as it went in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ocelli_gguf::{Gguf, List, Shards, Value, Writer};

fuzz_target!(|bytes: &[u8]| {
    let file = match Gguf::parse(bytes) {
        Ok(file) => file,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    read_all(bytes, &file);
    // Padding to a hostile alignment can be 2 GiB, which is a disk's business and not this test's.
    if file.alignment() > 1 << 16 {
        return;
    }
    let copy = write(&file);
    let again = Gguf::parse(&copy).expect("what was read can be written and read again");
    // `Debug` tells numbers apart that `==` does not: NaN.
    assert!(file.metadata().map(|x| format!("{x:?}")).eq(again.metadata().map(|x| format!("{x:?}"))));
    assert!(file.tensors().iter().map(|t| t.data).eq(again.tensors().iter().map(|t| t.data)));
    let _ = Shards::new([file, again]);
});

fn read_all(bytes: &[u8], file: &Gguf<'_>) {
    for (key, value) in file.metadata() {
        assert_eq!(file.get(key).map(|v| v.type_name()), Some(value.type_name()));
        if let Value::Array(array) = value {
            assert_eq!(array.iter().count(), array.len());
            let _ = (array.get(0), array.get(array.len() / 2), array.get(array.len()));
        }
        let _ = (file.require::<u32>(key), file.require::<f32>(key), file.require::<&str>(key));
        let _ = (file.require::<List<'_, i32>>(key), file.require::<List<'_, &str>>(key));
    }
    for tensor in file.tensors() {
        assert_eq!(file.tensor(tensor.name), Some(tensor));
        assert_eq!(&bytes[tensor.range()], tensor.data);
        assert!(tensor.offset.is_multiple_of(file.alignment() as usize));
        assert_eq!(tensor.kind.bytes_of(tensor.elements()), Some(tensor.data.len()));
        assert_eq!(tensor.row_len() * tensor.rows(), tensor.elements());
    }
}

fn write(file: &Gguf<'_>) -> Vec<u8> {
    let mut writer = Writer::new();
    for (key, value) in file.metadata() {
        writer.metadata(key, value);
    }
    for tensor in file.tensors() {
        writer.tensor(tensor.name, tensor.kind, tensor.dims(), tensor.data);
    }
    writer.finish().expect("what was read can be written")
}
