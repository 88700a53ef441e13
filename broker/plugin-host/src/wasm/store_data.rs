use std::sync::Arc;

use wasmtime::{ResourceLimiter, Result, bail};

use super::answer::Answer;
use super::bindings::pintle::plugin::types::NewMessage;
use super::client_numbers::ClientNumbers;
use super::code::ComponentCode;
use crate::guests::Program;

/// What the host keeps for one instance.
pub(super) struct StoreData {
    pub(super) program: Arc<Program<ComponentCode>>,
    pub(super) memory: MemoryBound,
    pub(super) clients: ClientNumbers,
    /// What the running call says beside the word that it will return.
    pub(super) answer: Answer,
    host_calls_left: u32,
    /// Bytes of messages that may still be handed to the host in this call.
    message_bytes_left: usize,
}

impl StoreData {
    pub(super) fn new(program: &Arc<Program<ComponentCode>>) -> Self {
        Self {
            program: Arc::clone(program),
            memory: MemoryBound::new(program.limits.memory_bytes_max),
            clients: ClientNumbers::default(),
            answer: Answer::default(),
            host_calls_left: program.limits.host_calls_max,
            message_bytes_left: program.limits.memory_bytes_max,
        }
    }

    /// A call of the component begins.
    pub(super) fn begin(&mut self) {
        self.host_calls_left = self.program.limits.host_calls_max;
        self.message_bytes_left = self.program.limits.memory_bytes_max;
        self.answer = Answer::default();
    }

    /// Counts a call of a host function.
    ///
    /// # Errors
    /// If there were too many: the component traps.
    pub(super) fn count(&mut self) -> Result<()> {
        match self.host_calls_left.checked_sub(1) {
            Some(left) => {
                self.host_calls_left = left;
                Ok(())
            }
            None => bail!("too many calls of host functions in one hook (limits.host_calls)"),
        }
    }

    /// Counts a message that the host is handed.
    ///
    /// # Errors
    /// If all of this call together are too long: the component traps.
    pub(super) fn count_message(&mut self, message: &NewMessage) -> Result<()> {
        match self.message_bytes_left.checked_sub(bytes_of(message)) {
            Some(left) => {
                self.message_bytes_left = left;
                Ok(())
            }
            None => bail!("the messages of one hook are longer than limits.memory"),
        }
    }
}

fn bytes_of(message: &NewMessage) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let pairs = message.user_properties.iter().map(|(name, value)| name.len() + value.len());
    message.topic.len()
        + message.payload.len()
        + message.correlation_data.as_ref().map_or(0, Vec::len)
        + text(&message.content_type)
        + text(&message.response_topic)
        + pairs.sum::<usize>()
}

/// How large an instance may grow.
pub(super) struct MemoryBound {
    bytes_left: usize,
    /// Whether it wanted more than it may.
    pub(super) is_exceeded: bool,
}

const TABLE_ELEMENTS_MAX: usize = 10_000;
/// A component is made of about three core instances.
const INSTANCES_MAX: usize = 16;
const MEMORIES_MAX: usize = 2;
const TABLES_MAX: usize = 8;

impl MemoryBound {
    const fn new(bytes_max: usize) -> Self {
        Self { bytes_left: bytes_max, is_exceeded: false }
    }
}

impl ResourceLimiter for MemoryBound {
    /// All memories of the instance together count.
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool> {
        match self.bytes_left.checked_sub(desired.saturating_sub(current)) {
            Some(left) => {
                self.bytes_left = left;
                Ok(true)
            }
            None => {
                self.is_exceeded = true;
                bail!("it wants {desired} bytes of memory, which is more than limits.memory")
            }
        }
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool> {
        if desired > TABLE_ELEMENTS_MAX {
            self.is_exceeded = true;
            bail!("it wants a table of {desired} elements; {TABLE_ELEMENTS_MAX} are allowed");
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }
}
