//! What can be wrong with a file, and what can be wrong with a question to it.

use alloc::string::String;
use core::fmt;

use crate::limits;
use crate::types::TensorType;

/// Why a file was refused, a value not given, or a file not written. `at` is a byte offset in the file; when writing,
/// in the file as it would have been.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the operands are explained by the message of each variant")]
pub enum Error {
    /// The first four bytes are not `GGUF`.
    NotGguf { found: [u8; 4] },
    /// Version 1, whose counts have 32 bits; no program has written it since 2023.
    VersionOne,
    /// A big-endian file.
    BigEndian { version: u32 },
    /// A version that does not exist yet, or 0.
    UnknownVersion { version: u32 },
    /// The file ends before the header does.
    Truncated { at: usize, what: &'static str, wanted: u64, left: usize },
    /// What comes before the tensor data is larger than [`limits::HEADER_BYTES`].
    HeaderTooLarge { at: usize, what: &'static str, limit: usize },
    /// More tensors than [`limits::TENSOR_COUNT`].
    TooManyTensors { at: usize, count: u64 },
    /// More metadata entries than [`limits::METADATA_COUNT`].
    TooManyKeys { at: usize, count: u64 },
    /// A string longer than [`limits::STRING_BYTES`].
    StringTooLong { at: usize, what: &'static str, len: u64 },

    /// A metadata key without a letter.
    EmptyKey { at: usize },
    /// A metadata key longer than [`limits::KEY_BYTES`].
    KeyTooLong { at: usize, len: usize },
    /// A metadata key that is not UTF-8.
    KeyNotUtf8 { at: usize, bad: usize },
    /// A metadata key that occurs twice.
    DuplicateKey { key: String, first: usize, at: usize },
    /// A number that stands for no type of value.
    UnknownValueType { key: String, at: usize, id: u32 },
    /// A bool that is neither 0 nor 1.
    BadBool { key: String, at: usize, byte: u8 },
    /// An array of arrays.
    NestedArray { key: String, at: usize },
    /// An array longer than [`limits::ARRAY_COUNT`].
    ArrayTooLong { key: String, at: usize, count: u64 },
    /// `general.alignment` is not a power of two.
    BadAlignment { at: usize, alignment: u32 },

    /// A tensor name without a letter.
    EmptyTensorName { at: usize },
    /// A tensor name longer than [`limits::NAME_BYTES`].
    TensorNameTooLong { at: usize, len: usize },
    /// A tensor name that is not UTF-8.
    TensorNameNotUtf8 { at: usize, bad: usize },
    /// A tensor name that occurs twice.
    DuplicateTensor { name: String, first: usize, at: usize },
    /// More dimensions than [`MAX_DIMS`](crate::MAX_DIMS).
    TooManyDimensions { name: String, at: usize, n_dims: u32 },
    /// A dimension of length 0.
    ZeroExtent { name: String, at: usize, axis: usize },
    /// With this tensor the file has more values than [`limits::ELEMENTS`], or than this machine can count.
    TooManyElements { name: String, at: usize, extents: [u64; 4] },
    /// A number that stands for no type of tensor.
    UnknownTensorType { name: String, at: usize, id: u32 },
    /// The number of a type that was withdrawn.
    RemovedTensorType { name: String, at: usize, id: u32, was: &'static str },
    /// Rows that are not a whole number of blocks.
    PartialBlock { name: String, at: usize, kind: TensorType, row: u64 },
    /// A tensor that does not begin where the one before it ends (plus padding).
    WrongOffset { name: String, at: usize, expected: u64, found: u64 },
    /// A tensor whose bytes are not all in the file.
    OutsideFile { name: String, at: usize, start: u64, len: u64, file_len: usize },

    /// A key that was asked for is absent.
    MissingKey { key: String, wanted: &'static str },
    /// A value of another type than the one asked for.
    WrongType { key: String, at: usize, wanted: &'static str, found: &'static str },
    /// A number, or one in an array, that does not fit the type asked for.
    DoesNotFit { key: String, at: usize, wanted: &'static str },
    /// A string, or one in an array, that is not UTF-8.
    ValueNotUtf8 { key: String, at: usize, bad: usize },
    /// A string that is not UTF-8, when its key is not known.
    NotUtf8 { at: usize, bad: usize },
    /// A tensor that was asked for is absent.
    MissingTensor { name: String },

    /// A set of files without a file.
    NoFiles,
    /// A file of a split model says another number of files than there are.
    SplitCount { file: usize, files: usize, count: u32 },
    /// A file of a split model is not the one of its place.
    SplitNumber { file: usize, number: u32 },
    /// The files of a split model have not the number of tensors that one of them promises.
    SplitTensors { file: usize, promised: u64, found: u64 },
    /// Two files of a split model have a tensor of one name.
    SplitDuplicate { name: String, first: usize, second: usize },

    /// Another tensor, or the end, came before a tensor had all its bytes (writing).
    TooLittleData { name: String, wanted: u64, found: u64 },
    /// More bytes for a tensor than its description says (writing).
    TooMuchData { name: String, wanted: u64, found: u64 },
}

impl Error {
    pub(crate) fn unknown_value_type(key: &str, at: usize, id: u32) -> Self {
        Self::UnknownValueType { key: key.into(), at, id }
    }
}

impl core::error::Error for Error {}

/// A name from the file, with whatever a terminal might act on escaped, cut at 80 characters.
struct Name<'a>(&'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.char_indices().nth(80).map_or(self.0.len(), |(i, _)| i);
        let (shown, rest) = self.0.split_at(end);
        let more = if rest.is_empty() { "" } else { "..." };
        write!(f, "'{}{more}'", shown.escape_debug())
    }
}

/// One arm per variant: the message of each is the explanation of its operands.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotGguf { found } => {
                write!(f, "not a GGUF file: it begins with \"{}\" instead of \"GGUF\"", found.escape_ascii())
            }
            Self::VersionOne => {
                f.write_str("GGUF version 1 is not supported: convert the model again (2 and 3 are)")
            }
            Self::BigEndian { version } => {
                write!(f, "a big-endian GGUF file (version {version}): only little-endian ones are supported")
            }
            Self::UnknownVersion { version } => {
                write!(f, "GGUF version {version} is not known: 2 and 3 are supported")
            }
            Self::Truncated { at, what, wanted, left } => {
                write!(
                    f,
                    "the file ends too early: {what} at byte {at} takes {wanted} bytes, {left} are left"
                )
            }
            Self::HeaderTooLarge { at, what, limit } => write!(
                f,
                "{what} at byte {at} ends beyond byte {limit}, the most that may come before the tensor data"
            ),
            Self::TooManyTensors { at, count } => {
                write!(f, "{count} tensors (byte {at}): at most {} are accepted", limits::TENSOR_COUNT)
            }
            Self::TooManyKeys { at, count } => {
                write!(
                    f,
                    "{count} metadata entries (byte {at}): at most {} are accepted",
                    limits::METADATA_COUNT
                )
            }
            Self::StringTooLong { at, what, len } => {
                write!(
                    f,
                    "{what} at byte {at} is {len} bytes long: at most {} are accepted",
                    limits::STRING_BYTES
                )
            }

            Self::EmptyKey { at } => write!(f, "an empty metadata key at byte {at}"),
            Self::KeyTooLong { at, len } => {
                write!(
                    f,
                    "a metadata key of {len} bytes at byte {at}: at most {} are allowed",
                    limits::KEY_BYTES
                )
            }
            Self::KeyNotUtf8 { at, bad } => {
                write!(f, "the metadata key at byte {at} is not UTF-8 from byte {bad} on")
            }
            Self::DuplicateKey { key, first, at } => {
                write!(
                    f,
                    "metadata key {} has a second value at byte {at}; the first is at byte {first}",
                    Name(key)
                )
            }
            Self::UnknownValueType { key, at, id } => {
                write!(f, "metadata key {}: {id} at byte {at} is no type of value (0 to 12 are)", Name(key))
            }
            Self::BadBool { key, at, byte } => {
                write!(f, "metadata key {}: a bool is {byte} at byte {at}, neither 0 nor 1", Name(key))
            }
            Self::NestedArray { key, at } => {
                write!(f, "metadata key {}: an array of arrays at byte {at} is not supported", Name(key))
            }
            Self::ArrayTooLong { key, at, count } => write!(
                f,
                "metadata key {}: an array of {count} elements at byte {at}: at most {} are accepted",
                Name(key),
                limits::ARRAY_COUNT
            ),
            Self::BadAlignment { at, alignment } => {
                write!(f, "general.alignment is {alignment} at byte {at}, which is not a power of two")
            }

            Self::EmptyTensorName { at } => write!(f, "an empty tensor name at byte {at}"),
            Self::TensorNameTooLong { at, len } => {
                write!(
                    f,
                    "a tensor name of {len} bytes at byte {at}: at most {} are allowed",
                    limits::NAME_BYTES
                )
            }
            Self::TensorNameNotUtf8 { at, bad } => {
                write!(f, "the tensor name at byte {at} is not UTF-8 from byte {bad} on")
            }
            Self::DuplicateTensor { name, first, at } => {
                write!(
                    f,
                    "tensor {} is described again at byte {at}; the first time is at byte {first}",
                    Name(name)
                )
            }
            Self::TooManyDimensions { name, at, n_dims } => {
                write!(f, "tensor {} has {n_dims} dimensions (byte {at}): at most 4 are possible", Name(name))
            }
            Self::ZeroExtent { name, at, axis } => {
                write!(f, "tensor {} has length 0 in dimension {axis} (byte {at})", Name(name))
            }
            Self::TooManyElements { name, at, extents } => write!(
                f,
                "tensor {} at byte {at} with extents {extents:?} brings the file to more than {} values",
                Name(name),
                limits::ELEMENTS.min(usize::MAX as u64)
            ),
            Self::UnknownTensorType { name, at, id } => {
                write!(f, "tensor {}: {id} at byte {at} is no type of tensor", Name(name))
            }
            Self::RemovedTensorType { name, at, id, was } => write!(
                f,
                "tensor {}: type {id} ({was}) at byte {at} was withdrawn from the format: convert the model again",
                Name(name)
            ),
            Self::PartialBlock { name, at, kind, row } => write!(
                f,
                "tensor {} at byte {at}: a row of {row} values is no whole number of {kind} blocks of {}",
                Name(name),
                kind.block_len()
            ),
            Self::WrongOffset { name, at, expected, found } => write!(
                f,
                "tensor {}: the offset at byte {at} is {found}; the tensor before it and the alignment give {expected}",
                Name(name)
            ),
            Self::OutsideFile { name, at, start, len, file_len } => write!(
                f,
                "tensor {} (described at byte {at}) takes {len} bytes from byte {start} on, the file has {file_len}: \
                 the download may be incomplete",
                Name(name)
            ),

            Self::MissingKey { key, wanted } => {
                write!(f, "the file has no metadata key {} ({wanted})", Name(key))
            }
            Self::WrongType { key, at, wanted, found } => {
                write!(f, "metadata key {} at byte {at} is of type {found}, wanted: {wanted}", Name(key))
            }
            Self::DoesNotFit { key, at, wanted } => {
                write!(f, "metadata key {} at byte {at} is a number out of range for {wanted}", Name(key))
            }
            Self::ValueNotUtf8 { key, at, bad } => {
                write!(f, "metadata key {} at byte {at} is not UTF-8 from byte {bad} on", Name(key))
            }
            Self::NotUtf8 { at, bad } => {
                write!(f, "the string at byte {at} is not UTF-8 from byte {bad} on")
            }
            Self::MissingTensor { name } => write!(f, "the file has no tensor {}", Name(name)),

            Self::NoFiles => f.write_str("no file was given"),
            Self::SplitCount { files: 1, count, .. } => write!(
                f,
                "the file is one of {count} of a split model by its split.count, and the others were not given; they are \
                 found where its name ends in -00001-of-{count:05}.gguf or another of these numbers"
            ),
            Self::SplitCount { file, files, count } => {
                write!(f, "file {} of {files} says that the model has {count} files", file + 1)
            }
            Self::SplitNumber { file, number } => {
                write!(
                    f,
                    "file {} of the split model says that it is file {}",
                    file + 1,
                    u64::from(*number) + 1
                )
            }
            Self::SplitTensors { file, promised, found } => write!(
                f,
                "file {} of the split model says that there are {promised} tensors, the files have {found}",
                file + 1
            ),
            Self::SplitDuplicate { name, first, second } => write!(
                f,
                "tensor {} is in file {} and in file {} of the split model",
                Name(name),
                first + 1,
                second + 1
            ),

            Self::TooLittleData { name, wanted, found } => {
                write!(f, "tensor {} takes {wanted} bytes and was given {found}", Name(name))
            }
            Self::TooMuchData { name, wanted, found } => {
                write!(f, "tensor {} takes {wanted} bytes and was given {found} or more", Name(name))
            }
        }
    }
}
