use std::fmt;

/// The version that records are written in.
const VERSION: u8 = 1;

/// Writes the fields of a record, its version first. Numbers are big-endian.
pub(crate) struct Writer(Vec<u8>);

/// Reads what [`Writer`] wrote.
pub(crate) struct Reader<'a>(&'a [u8]);

/// What is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// It was written by a later broker.
    Version(u8),
    /// It ends too early.
    Short,
    /// It goes on where it should end.
    Long,
    /// This field holds what it can not.
    Field(&'static str),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "its version {version} is not known here"),
            Self::Short => f.write_str("it ends too early"),
            Self::Long => f.write_str("it goes on where it should end"),
            Self::Field(field) => write!(f, "its {field} makes no sense"),
        }
    }
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self(vec![VERSION])
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(crate) fn maybe_text(&mut self, text: Option<&str>) {
        self.u8(u8::from(text.is_some()));
        if let Some(text) = text {
            self.text(text);
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(record: &'a [u8]) -> Result<Self, Broken> {
        let mut reader = Self(record);
        match reader.u8()? {
            VERSION => Ok(reader),
            version => Err(Broken::Version(version)),
        }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Broken::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Broken> {
        let (&[byte], rest) = self.0.split_first_chunk().ok_or(Broken::Short)?;
        self.0 = rest;
        Ok(byte)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Broken> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(Broken::Short)?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*bytes))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Broken> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(Broken::Short)?;
        self.0 = rest;
        Ok(u64::from_be_bytes(*bytes))
    }

    /// A byte that says yes or no.
    pub(crate) fn flag(&mut self, field: &'static str) -> Result<bool, Broken> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Broken::Field(field)),
        }
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Broken> {
        let len = self.u32()?;
        self.take(usize::try_from(len).map_err(|_| Broken::Short)?)
    }

    pub(crate) fn text(&mut self, field: &'static str) -> Result<&'a str, Broken> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Broken::Field(field))
    }

    pub(crate) fn maybe_text(&mut self, field: &'static str) -> Result<Option<&'a str>, Broken> {
        if self.flag(field)? { self.text(field).map(Some) } else { Ok(None) }
    }

    pub(crate) fn end(self) -> Result<(), Broken> {
        if self.0.is_empty() { Ok(()) } else { Err(Broken::Long) }
    }
}
