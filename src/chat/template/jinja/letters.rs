//! Characters as Python sees them: classes and cases. Unicode's categories are those of the crate's tables, cases those of
//! the standard library; what Python adds to them is written here.

use unicode_properties::{
    GeneralCategory as Category, GeneralCategoryGroup as Group, UnicodeGeneralCategory,
};

use alloc::rc::Rc;

use super::budget::Budget;
use super::fault::Fault;
use super::text::{Builder, Origin, Text};

/// `str.isspace`, what `strip` and `split` take for blanks.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Where `splitlines` ends a line; CRLF is one end.
pub(super) fn is_line_end(c: char) -> bool {
    matches!(c, '\n'..='\r' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

pub(super) fn is_alpha(c: char) -> bool {
    c.general_category_group() == Group::Letter
}

pub(super) fn is_decimal(c: char) -> bool {
    c.general_category() == Category::DecimalNumber
}

/// Digits that are no decimal numbers: superscripts, circled ones.
pub(super) fn is_digit(c: char) -> bool {
    is_decimal(c)
        || matches!(c, '\u{b2}' | '\u{b3}' | '\u{b9}' | '\u{1369}'..='\u{1371}' | '\u{19da}' | '\u{2070}'
            | '\u{2074}'..='\u{2079}' | '\u{2080}'..='\u{2089}' | '\u{2460}'..='\u{2468}' | '\u{2474}'..='\u{247c}'
            | '\u{2488}'..='\u{2490}' | '\u{24ea}' | '\u{24f5}'..='\u{24fd}' | '\u{24ff}' | '\u{2776}'..='\u{277e}'
            | '\u{2780}'..='\u{2788}' | '\u{278a}'..='\u{2792}' | '\u{10a40}'..='\u{10a43}'
            | '\u{10e60}'..='\u{10e68}' | '\u{11052}'..='\u{1105a}' | '\u{1f100}'..='\u{1f10a}')
}

/// Ideographs that are numbers.
const NUMERALS: &str = "㐅㒃㠪㭍一七万三九二五亖亿什仟仨伍佰億兆兩八六十千卄卅卌叁参參叄四壱壹幺廾廿弌弍弎弐拾捌柒漆玖百肆萬貮貳贰阡陆陌陸零\
    參拾兩零六陸什𠀁𠁤𠃢𠄡𠤪𠦃𠦌𠦜𠫪𠫽𠬙𢎐𢦘𣬛𦉭廾";

pub(super) fn is_numeric(c: char) -> bool {
    c.general_category_group() == Group::Number || NUMERALS.contains(c)
}

pub(super) fn is_alnum(c: char) -> bool {
    is_alpha(c) || is_numeric(c)
}

pub(super) fn is_printable(c: char) -> bool {
    c == ' ' || !matches!(c.general_category_group(), Group::Other | Group::Separator)
}

pub(super) fn is_title(c: char) -> bool {
    c.general_category() == Category::TitlecaseLetter
}

pub(super) fn is_cased(c: char) -> bool {
    c.is_lowercase() || c.is_uppercase() || is_title(c)
}

/// The first character of a name.
pub(super) fn starts_name(c: char) -> bool {
    c == '_' || is_alpha(c) || c.general_category() == Category::LetterNumber
}

/// A character of a name after the first.
pub(super) fn continues_name(c: char) -> bool {
    starts_name(c)
        || is_decimal(c)
        || matches!(
            c.general_category(),
            Category::NonspacingMark | Category::SpacingMark | Category::ConnectorPunctuation
        )
}

/// Whether a cased character is before (or after) a place, marks between them passed over.
fn near_cased(mut chars: impl Iterator<Item = char>) -> bool {
    let ignored = |c: &char| {
        matches!(
            c,
            '\'' | '.' | ':' | '^' | '`' | '\u{b7}' | '\u{2018}' | '\u{2019}' | '\u{2024}' | '\u{2027}'
        ) || matches!(
            c.general_category(),
            Category::NonspacingMark
                | Category::EnclosingMark
                | Category::Format
                | Category::ModifierLetter
                | Category::ModifierSymbol
        )
    };
    chars.find(|c| !ignored(c)).is_some_and(is_cased)
}

/// Appends a letter in lower case; a sigma that ends a word has a form of its own.
fn push_lower(out: &mut Builder, text: &Text, at: usize, c: char, origin: Origin) {
    if c == 'Σ' {
        let before = near_cased(text.piece(0, at).chars().rev().take(64));
        let after = near_cased(text.piece(at + c.len_utf8(), text.len()).chars().take(64));
        return out.push_char(if before && !after { 'ς' } else { 'σ' }, origin);
    }
    c.to_lowercase().for_each(|c| out.push_char(c, origin));
}

/// Appends a letter as the first of a title.
fn push_title(out: &mut Builder, c: char, origin: Origin) {
    let code = u32::from(c);
    let one = match c {
        '\u{10d0}'..='\u{10ff}' => Some(code),
        '\u{1c4}'..='\u{1c6}' => Some(0x1c5),
        '\u{1c7}'..='\u{1c9}' => Some(0x1c8),
        '\u{1ca}'..='\u{1cc}' => Some(0x1cb),
        '\u{1f1}'..='\u{1f3}' => Some(0x1f2),
        '\u{1f80}'..='\u{1faf}' => Some(code | 8),
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => Some(code + 9),
        '\u{1fbc}' | '\u{1fcc}' | '\u{1ffc}' => Some(code),
        _ => None,
    };
    if let Some(title) = one.and_then(char::from_u32) {
        return out.push_char(title, origin);
    }
    // Of a letter with several capitals the first stays one; an iota under a vowel stays small.
    for (i, upper) in c.to_uppercase().enumerate() {
        match (i, upper, c) {
            (0, upper, _) => out.push_char(upper, origin),
            (_, 'Ι', '\u{1f80}'..='\u{1fff}') => out.push_char('\u{345}', origin),
            (_, upper, '\u{df}' | '\u{587}' | '\u{fb00}'..='\u{fb17}') => {
                upper.to_lowercase().for_each(|c| out.push_char(c, origin));
            }
            (_, upper, _) => out.push_char(upper, origin),
        }
    }
}

/// A change of case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Lower,
    Upper,
    Swap,
    Fold,
    /// Each word begins with a capital.
    Title,
    /// The text does.
    Capital,
}

/// A text in another case.
pub(super) fn cased(text: &Text, case: Case, budget: &Rc<Budget>) -> Result<Text, Fault> {
    budget.read(text.len() * 4)?;
    let mut out = Builder::new(budget);
    let mut in_word = false;
    for (at, c, origin) in text.chars() {
        match case {
            Case::Upper => c.to_uppercase().for_each(|c| out.push_char(c, origin)),
            Case::Swap if c.is_lowercase() => c.to_uppercase().for_each(|c| out.push_char(c, origin)),
            Case::Swap if c.is_uppercase() => push_lower(&mut out, text, at, c, origin),
            Case::Swap => out.push_char(c, origin),
            Case::Lower => push_lower(&mut out, text, at, c, origin),
            Case::Fold => folded(c, |c| out.push_char(c, origin)),
            Case::Title | Case::Capital if !in_word => push_title(&mut out, c, origin),
            Case::Title | Case::Capital => push_lower(&mut out, text, at, c, origin),
        }
        in_word = case == Case::Capital || is_cased(c);
    }
    out.finish_as(text.is_markup())
}

/// Full case folding: that of a letter's capitals, with four exceptions.
fn folded(c: char, mut push: impl FnMut(char)) {
    match c {
        'ı' => push(c),
        'ẞ' => ['s', 's'].into_iter().for_each(push),
        '\u{13a0}'..='\u{13f5}' => push(c),
        '\u{13f8}'..='\u{13fd}' | '\u{ab70}'..='\u{abbf}' => c.to_uppercase().for_each(push),
        c => c.to_uppercase().flat_map(char::to_lowercase).for_each(push),
    }
}
