//! `strftime_now`: the time, in UTC, by Python's `strftime`.

use alloc::format;
use alloc::string::String;
use std::time::{SystemTime, UNIX_EPOCH};

use super::fault::Fault;
use super::text::{Builder, TEMPLATE, Text};

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
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A moment by its parts.
struct Moment {
    unix: u64,
    year: u64,
    month: u64,
    date: u64,
    /// From 0.
    day_of_year: u64,
    /// From Sunday.
    weekday: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

/// Appends a moment in a format, whose own words keep their origin.
pub(super) fn strftime(out: &mut Builder, format: &Text, unix: u64) -> Result<(), Fault> {
    let moment = Moment::of(unix);
    let mut chars = format.chars();
    while let Some((_, c, origin)) = chars.next() {
        if c != '%' {
            out.push_char(c, origin);
            continue;
        }
        let mut code = chars.next();
        let unpadded = code.is_some_and(|(_, c, _)| c == '-');
        if unpadded {
            code = chars.next();
        }
        let Some((_, code, _)) = code else {
            out.push_char('%', origin);
            break;
        };
        match moment.field(code) {
            Some(text) if unpadded => {
                let bare = text.trim_start_matches(['0', ' ']);
                out.push(if bare.is_empty() { "0" } else { bare }, TEMPLATE);
            }
            Some(text) => out.push(&text, TEMPLATE),
            None => {
                let what = format!("strftime_now() with %{code}");
                return Err(Fault::unsupported(&what, "that field is not known"));
            }
        }
    }
    Ok(())
}

impl Moment {
    fn of(unix: u64) -> Self {
        let (day, second) = (unix / 86_400, unix % 86_400);
        let (year, month, date) = civil(day);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let before: u64 = lengths.iter().take(month as usize - 1).sum();
        Self {
            unix,
            year,
            month,
            date,
            day_of_year: before + date - 1,
            weekday: (day + 4) % 7,
            hour: second / 3600,
            minute: second / 60 % 60,
            second: second % 60,
        }
    }

    /// The year and the number of ISO's week.
    fn iso_week(&self) -> (u64, u64) {
        // The week belongs to the year of its Thursday.
        let days = self.unix / 86_400;
        let thursday = days + 3 - (self.weekday + 6) % 7;
        let (year, ..) = civil(thursday);
        let first =
            (0..366).map(|back| thursday - back).take_while(|day| civil(*day).0 == year).count() as u64;
        (year, (first - 1) / 7 + 1)
    }

    fn field(&self, code: char) -> Option<String> {
        let name = |names: &'static [&'static str], at: u64| *names.get(at as usize).unwrap_or(&"");
        let (month, day) = (name(&MONTHS, self.month - 1), name(&DAYS, self.weekday));
        let short = |name: &str| String::from(name.get(..3).unwrap_or(name));
        let hour12 = (self.hour + 11) % 12 + 1;
        let all = |codes: &str| -> Option<String> {
            let mut out = String::new();
            for c in codes.chars() {
                if c.is_ascii_alphabetic() { out += &self.field(c)? } else { out.push(c) }
            }
            Some(out)
        };
        Some(match code {
            'Y' => format!("{:04}", self.year),
            'y' => format!("{:02}", self.year % 100),
            'C' => format!("{:02}", self.year / 100),
            'm' => format!("{:02}", self.month),
            'd' => format!("{:02}", self.date),
            'e' => format!("{:2}", self.date),
            'H' => format!("{:02}", self.hour),
            'k' => format!("{:2}", self.hour),
            'I' => format!("{hour12:02}"),
            'l' => format!("{hour12:2}"),
            'M' => format!("{:02}", self.minute),
            'S' => format!("{:02}", self.second),
            'f' => "000000".into(),
            'p' => if self.hour < 12 { "AM" } else { "PM" }.into(),
            'P' => if self.hour < 12 { "am" } else { "pm" }.into(),
            'j' => format!("{:03}", self.day_of_year + 1),
            'B' => month.into(),
            'b' | 'h' => short(month),
            'A' => day.into(),
            'a' => short(day),
            'w' => format!("{}", self.weekday),
            'u' => format!("{}", (self.weekday + 6) % 7 + 1),
            'U' => format!("{:02}", (self.day_of_year + 7 - self.weekday) / 7),
            'W' => format!("{:02}", (self.day_of_year + 7 - (self.weekday + 6) % 7) / 7),
            'G' => format!("{:04}", self.iso_week().0),
            'g' => format!("{:02}", self.iso_week().0 % 100),
            'V' => format!("{:02}", self.iso_week().1),
            's' => format!("{}", self.unix),
            'c' => return all("a b e H:M:S Y"),
            'x' | 'D' => return all("m/d/y"),
            'X' | 'T' => return all("H:M:S"),
            'F' => return all("Y-m-d"),
            'R' => return all("H:M"),
            'r' => return all("I:M:S p"),
            // The clock that is asked has no zone.
            'z' | 'Z' => String::new(),
            'n' => "\n".into(),
            't' => "\t".into(),
            '%' => "%".into(),
            _ => return None,
        })
    }
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
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::chat::template::jinja::budget::Budget;
    use alloc::rc::Rc;

    fn at(format: &str, unix: u64) -> String {
        let mut out = Builder::new(&Rc::new(Budget::new()));
        strftime(&mut out, &Text::new(format, TEMPLATE), unix).unwrap();
        out.finish().unwrap().as_str().into()
    }

    #[test]
    fn dates() {
        // 2024-07-26 was a Friday.
        assert_eq!(
            at("%d %b %Y|%A %B %H:%M:%S|%a %m %%%y%-d", 1_722_000_645),
            "26 Jul 2024|Friday July 13:30:45|Fri 07 %2426"
        );
        assert_eq!(at("%d %m %Y", 951_782_400), "29 02 2000");
        // As Python has them for 2027-01-03 04:05:06.
        assert_eq!(
            at("%j %U %W %G-%V %u %w %I %p %-m/%-d %c %x %X %D %F %R %e|%z", 1_798_949_106),
            "003 01 00 2026-53 7 0 04 AM 1/3 Sun Jan  3 04:05:06 2027 01/03/27 04:05:06 01/03/27 2027-01-03 04:05  3|"
        );
    }
}
