//! Generation: tokens chosen by a sampler, their text piece by piece, an answer as the loop around both.

mod answer;
pub(crate) mod sampler;
mod text_stream;

pub use answer::{Answer, AnswerOptions, Answered, Draft, Reason};
pub use sampler::{Sampler, SamplerError, Sampling, logprobs};
pub use text_stream::{EmptyStop, Flow, TextStream};
