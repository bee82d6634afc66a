//! Conversations: messages, and the model's chat template that makes a prompt of them.

mod message;
pub mod template;

pub use message::{Content, Message, Part, Template};
