//! Jinja as Hugging Face's `apply_chat_template` runs it, on minijinja.
//!
//! `trim_blocks` and `lstrip_blocks` are on; methods of Python's strings, lists and dicts; `raise_exception(message)`,
//! `strftime_now(format)` (UTC), `tojson` as `json.dumps`; loop controls; `None`, `True` and `False` print as Python
//! prints them. `{% generation %}` blocks, which mark an assistant's text for training, are taken as plain blocks.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::time::{SystemTime, UNIX_EPOCH};

use minijinja::machinery::{Vm, get_compiled_template, make_string_output};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Value};

use crate::tokenizer::Tokenizer;

use super::guard::{self, Refused};
use super::{TemplateError, filters, meter};

/// Instructions for one rendering, checks included. Published templates take some thousands for a short conversation.
const FUEL: u64 = 1_000_000;
const NAME: &str = "chat";
/// In front of a message that `raise_exception` gives, to know it from other errors.
const RAISED: &str = "raise_exception: ";

/// A compiled template.
pub(super) struct Dialect {
    environment: Environment<'static>,
    source: String,
    bos: Option<String>,
    eos: Option<String>,
}

/// The contents that a template was found to understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contents {
    text: bool,
    list: bool,
}

impl Contents {
    /// Whether contents may be texts.
    pub(super) fn text(self) -> bool {
        self.text
    }

    /// Whether contents go in as lists. They must where only lists work, and should where there are images.
    pub(super) fn lists(self, images: usize) -> bool {
        self.list && (images > 0 || !self.text)
    }
}

impl Dialect {
    pub(super) fn compile(source: &str, tokenizer: &Tokenizer) -> Result<Self, TemplateError> {
        let source = without_generation_tags(source).into_owned();
        guard::check_tokens(&source).map_err(|refused| match refused {
            Refused::Constants => TemplateError::TooMuchText { limit: meter::LIMIT },
            Refused::Long => TemplateError::LongExpression { limit: guard::TOKENS },
        })?;
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(64);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_formatter(meter::write_value);
        filters::install(&mut environment);
        guard::install(&mut environment);
        environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, [RAISED, &message].concat()))
        });
        environment.add_function("strftime_now", |format: &str| strftime(format, unix_now()));
        // Once, when the model is opened: minijinja's compiler keeps buffers in the thread, which a session's memory, given
        // by a caller and taken back, must not hold.
        environment.add_template_owned(NAME, source.clone()).map_err(TemplateError::Jinja)?;
        let token = |id: Option<u32>| {
            let text = tokenizer.piece_with_control(id?);
            Some(String::from_utf8_lossy(text).into_owned())
        };
        Ok(Self { environment, source, bos: token(tokenizer.bos()), eos: token(tokenizer.eos()) })
    }

    /// The template's text.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// Renders messages as values.
    pub(super) fn render(&self, messages: &Value, answer: bool) -> Result<String, TemplateError> {
        let mut context = Vec::from([
            ("messages", messages.clone()),
            ("add_generation_prompt", Value::from(answer)),
            ("tools", Value::from(())),
            ("documents", Value::from(())),
        ]);
        context.extend(self.bos.as_deref().map(|text| ("bos_token", Value::from(text))));
        context.extend(self.eos.as_deref().map(|text| ("eos_token", Value::from(text))));
        let environment: &Environment<'_> = &self.environment;
        let template = environment.get_template(NAME).map_err(TemplateError::Jinja)?;
        let (instructions, blocks) = guard::guarded(get_compiled_template(&template));
        let mut text = String::new();
        let mut out = make_string_output(&mut text);
        let vm = Vm::new(environment);
        vm.eval(&instructions, Value::from_iter(context), &blocks, &mut out, AutoEscape::None)
            .map_err(classify)?;
        Ok(text)
    }

    /// Tries a text and a list as a user's content. A list is not understood when it is lost, or dumped whole: then a
    /// name that only the list has shows up.
    /// One that understands neither, or fails here, gets texts, and says itself what is wrong when it is used.
    pub(super) fn understood(&self) -> Contents {
        const TEXT: &str = "ocelli text";
        const NAME: &str = "ocelli_name";
        let shows = |content: Value| {
            let message = Value::from_iter([("role", Value::from("user")), ("content", content)]);
            let shown = self.render(&Value::from_iter([message]), true);
            shown.is_ok_and(|out| out.contains(TEXT) && !out.contains(NAME))
        };
        let item = [("type", Value::from("text")), ("text", Value::from(TEXT)), (NAME, Value::from(1))];
        let list = shows(Value::from_iter([Value::from_iter(item)]));
        Contents { text: shows(Value::from(TEXT)) || !list, list }
    }
}

/// What went wrong, from minijinja's error.
fn classify(error: Error) -> TemplateError {
    if let Some(message) = error.detail().and_then(|detail| detail.strip_prefix(RAISED)) {
        return TemplateError::Raised(message.to_string());
    }
    let mut causes = core::iter::successors(Some(&error as &dyn core::error::Error), |error| error.source());
    let kind = causes.find_map(|cause| match cause.downcast_ref::<Error>()?.kind() {
        kind @ (ErrorKind::OutOfFuel | ErrorKind::WriteFailure) => Some(kind),
        _ => None,
    });
    match kind {
        Some(ErrorKind::OutOfFuel) => TemplateError::OutOfFuel,
        Some(_) => TemplateError::TooMuchText { limit: meter::LIMIT },
        None => TemplateError::Jinja(error),
    }
}

/// `{% generation %}` becomes `{% if true %}`, its end `{% endif %}`; the signs for blanks stay.
fn without_generation_tags(source: &str) -> Cow<'_, str> {
    if !source.contains("generation") {
        return Cow::Borrowed(source);
    }
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((before, tag)) = rest.split_once("{%") {
        out.push_str(before);
        out.push_str("{%");
        rest = tag;
        let Some((inside, after)) = tag.split_once("%}") else { break };
        let name = inside.trim_start_matches(['-', '+']).trim_end_matches(['-', '+']).trim();
        let plain = match name {
            "generation" => "if true",
            "endgeneration" => "endif",
            _ => continue,
        };
        out.push_str(&inside.replacen(name, plain, 1));
        out.push_str("%}");
        rest = after;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

/// Python's `strftime` for the fields that templates use.
fn strftime(format: &str, unix: u64) -> String {
    let (day, second) = (unix / 86_400, unix % 86_400);
    let (year, month, date) = civil(day);
    let name = |names: &'static [&'static str], at: u64| *names.get(at as usize).unwrap_or(&"");
    let (month_name, day_name) = (name(&MONTHS, month - 1), name(&DAYS, day % 7));
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('Y') => out += &alloc::format!("{year:04}"),
            Some('m') => out += &alloc::format!("{month:02}"),
            Some('d') => out += &alloc::format!("{date:02}"),
            Some('H') => out += &alloc::format!("{:02}", second / 3600),
            Some('M') => out += &alloc::format!("{:02}", second / 60 % 60),
            Some('S') => out += &alloc::format!("{:02}", second % 60),
            Some('B') => out += month_name,
            Some('b') => out.extend(month_name.chars().take(3)),
            Some('A') => out += day_name,
            Some('a') => out.extend(day_name.chars().take(3)),
            Some('%') => out.push('%'),
            Some(other) => out.extend(['%', other]),
            None => out.push('%'),
        }
    }
    out
}

/// Year, month and day of the month, from days since 1970-01-01 (H. Hinnant, `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let date = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        // 2024-07-26 was a Friday.
        assert_eq!(
            strftime("%d %b %Y|%A %B %H:%M:%S|%a %m %%%q%", 1_722_000_645),
            "26 Jul 2024|Friday July 13:30:45|Fri 07 %%q%"
        );
        assert_eq!(strftime("%d %m %Y", 951_782_400), "29 02 2000");
    }

    #[test]
    fn generation_tags() {
        assert_eq!(
            without_generation_tags(
                "a {%- generation -%} b {% endgeneration %}{% if add_generation_prompt %}"
            ),
            "a {%- if true -%} b {% endif %}{% if add_generation_prompt %}"
        );
    }
}
