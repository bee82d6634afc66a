//! Templates that would take all memory, all time or all of the stack: each rendering must end in an error within a second,
//! in a process that may not take more than 256 MB.
#![cfg(feature = "std")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use ocelli::chat::template::{ChatTemplate, Message};
use ocelli::tokenizer::Tokenizer;
use ocelli_gguf::Gguf;

/// Says that a process is the small one.
const SMALL: &str = "OCELLI_TEST_SMALL";
/// A stack that is enough for the deepest template.
const STACK: usize = 1 << 20;

/// What they are made of, and the templates.
fn hostile() -> Vec<(&'static str, String)> {
    let looped = |body: &str| {
        format!("{{% set ns = namespace(x='ab') %}}{{% for i in range(9999) %}}{body}{{% endfor %}}")
    };
    let grown = |body: &str| looped(&format!("{{% set ns.x = {body} %}}"));
    let list = |body: &str| grown(body).replace("x='ab'", "x=['a', 'b']");
    let straight = |start: &str, line: &str| format!("{{% set x = {start} %}}{}", line.repeat(60));
    let made = |line: &str, then: &str| straight("['a']", line) + then;
    let wide =
        |expression: &str| format!("{{% set n = 4000000 %}}{{% set x = 'ab' * n %}}{{{{ {expression} }}}}");
    let mut templates = vec![
        ("concatenation", grown("ns.x ~ ns.x")),
        ("concatenation in a row", straight("'a'", "{% set x = x ~ x %}")),
        ("sums", grown("ns.x + ns.x")),
        ("products", grown("ns.x * 1000")),
        ("products of lists", list("ns.x * 1000")),
        ("one large product", wide("'x' * (x|length)")),
        ("lists in lists", made("{% set x = [x, x] %}", "{{ x }}")),
        ("lists in lists, captured", made("{% set x = [x, x] %}", "{% set y %}{{ x }}{% endset %}")),
        ("lists in lists, compared", made("{% set x = [x, x] %}", "{{ x == [x, x] }}")),
        ("maps in maps", made("{% set x = {'a': x, 'b': x} %}", "{{ x|tojson }}")),
        ("maps by name", made("{% set x = dict(a=x, b=x) %}", "{{ x|string }}")),
        ("sums of lists", list("ns.x + ns.x") + "{{ ns.x|list }}"),
        ("lists unpacked", list("dict(*ns.x, *ns.x)")),
        (
            "captured text",
            looped(&format!("{{% set ns.x %}}{{{{ ns.x }}}}{}{{% endset %}}", "y".repeat(4000))),
        ),
        ("text many times", looped(&format!("{{% set ns.y = [ns.y] %}}{}", "y".repeat(9000)))),
        (
            "blocks of filters",
            grown("ns.x").replace(
                "{% set ns.x = ns.x %}",
                "{% set ns.x %}{% filter upper %}{{ ns.x }}{{ ns.x }}{% endfilter %}{% endset %}",
            ),
        ),
        (
            "macros",
            "{% macro m(x) %}{{ x }}{{ x }}{% endmacro %}{% set ns = namespace(x='a') %}".to_string()
                + &"{% set ns.x = m(ns.x) %}".repeat(60),
        ),
        (
            "macros that call themselves",
            "{% macro m(x) %}{{ m(x ~ x ~ x ~ x) }}{% endmacro %}{{ m('abcd') }}".into(),
        ),
        ("replacing", grown("ns.x|replace('a', ns.x)")),
        ("replacing nothing", wide("x|replace('', x)")),
        ("replacing, as a method", grown("ns.x.replace('b', ns.x)")),
        ("joining", wide("range(9999)|join(x)")),
        ("joining, as a method", wide("x.join(range(9999))")),
        ("joining characters", grown("ns.x|join(ns.x)")),
        ("indents", wide("'\\na\\nb'|indent(n * 9)")),
        ("widths", "{{ '%999999999d'|format(7) }}".into()),
        ("widths, as a method", "{{ '{:999999999}'.format(7) }}".into()),
        ("widths as arguments", "{{ '%*d'|format(999999999, 7) }}".into()),
        ("places of a format", wide("'{0}{0}{0}{0}{0}{0}{0}'.format(x)")),
        ("batches", "{{ [1]|batch(999999999, 'x') }}".into()),
        ("slices of lists", "{{ [1]|slice(999999999) }}".into()),
        ("characters as a list", wide("x|list")),
        ("characters unpacked", wide("range(*x)")),
        ("characters, mapped", wide("x|map('upper')|list")),
        ("pieces", wide("x.split('a')")),
        ("escapes", grown("(ns.x ~ '<')|escape ~ ns.x")),
        ("capitals", grown("(ns.x ~ '\u{390}')|upper ~ ns.x")),
        ("a namespace in itself", "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}".into()),
        (
            "a namespace in itself, by way",
            "{% set a = namespace() %}{% set b = namespace(x=[a]) %}{% set a.x = {'y': b} %}{{ a|tojson }}"
                .into(),
        ),
        ("depth", list("[ns.x]") + "{{ ns.x }}"),
        (
            "slices of slices",
            list("ns.x[0:]")
                + &list("ns.x[0:]")
                + "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}{{ ns.x }}",
        ),
        ("constants", "{% set x = 'x' * 99999999 %}".repeat(99)),
        ("constants in constants", format!("{{{{ [{}] }}}}", "'x' * 99999999, ".repeat(99))),
        ("a long sum", format!("{{{{ 1{} }}}}", " + x".repeat(50_000))),
        ("a long chain", format!("{{{{ x{} }}}}", "|trim".repeat(40_000))),
        ("a long path", format!("{{{{ x{} }}}}", ".x".repeat(80_000))),
        ("signs", format!("{{{{ {}1 }}}}", "-".repeat(90_000))),
        ("nots", format!("{{{{ {}1 }}}}", "not ".repeat(60_000))),
        ("brackets", format!("{{{{ {}1 }}}}", "[".repeat(90_000))),
        ("branches", format!("{{% if a %}}{}{{% endif %}}", "{% elif a %}".repeat(20_000))),
        ("blocks in blocks", "{% if true %}".repeat(18_000)),
        ("time", "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}".into()),
        (
            "time in a comparison",
            wide("1").replace(
                "{{ 1 }}",
                "{% set y = x ~ '' %}{% for i in range(99999) %}{% if x == y %}{% endif %}{% endfor %}",
            ),
        ),
        (
            "time in a search",
            wide("1")
                .replace("{{ 1 }}", "{% for i in range(99999) %}{% if 'c' in x %}{% endif %}{% endfor %}"),
        ),
        (
            "time in a length",
            wide("1").replace(
                "{{ 1 }}",
                "{% for i in range(99999) %}{% if x|length == i %}{% endif %}{% endfor %}",
            ),
        ),
        (
            "time at the end of a text",
            wide("1")
                .replace("{{ 1 }}", "{% for i in range(99999) %}{% if x[-1] == i %}{% endif %}{% endfor %}"),
        ),
    ];
    let chars = "{% set x = 'ab' * 4000000 %}";
    for (name, expression) in [
        ("center", "'a'.center(999999999)"),
        ("center, as a filter", "'a'|center(999999999)"),
        ("ljust", "'a'.ljust(999999999)"),
        ("rjust, filled", "'a'.rjust(999999999, '\u{4f60}')"),
        ("zfill", "'a'.zfill(999999999)"),
        ("tabs", "'\t'.expandtabs(999999999)"),
        ("tabs upon tabs", "('\t' * 99999).expandtabs(9999)"),
        ("a width", "'%1000000000d' % 1"),
        ("a width of its own", "'%*d' % (1000000000, 1)"),
        ("a precision", "'%.1000000000d' % 1"),
        ("digits", "'%.1000000000f' % 1.5"),
        ("a place's width", "'{:>1000000000}'.format('a')"),
        ("a place's digits", "'{:.1000000000f}'.format(1.5)"),
        ("groups", "'{:01000000000,}'.format(1)"),
        ("places", "('{0}' * 9999).format('x' * 9999)"),
        ("places of one value", "('%(a)s' * 9999) % {'a': 'x' * 9999}"),
        ("places in places", "'{:{:{}}}'.format(1, 2, 3)"),
        ("a letter for each", "x.replace('', 'yyyyyyyy')"),
        ("translated", "('a' * 99999).translate({97: 'x' * 9999})"),
        ("joined", "('x' * 99999).join(range(99999)|map('string'))"),
        ("wrapped", "('x ' * 99999)|wordwrap(1, wrapstring='y' * 9999)"),
        ("hyphens", "('-' * 9999999)|wordwrap(9)"),
        ("indented", "('\n' * 99999)|indent(9999, blank=true)"),
        ("JSON's indent", "[[[1, 2], [3]]]|tojson(indent=999999999)"),
        ("JSON's separators", "range(99999)|list|tojson(separators=('x' * 9999, ':'))"),
        ("escaped for a URL", "x|urlencode"),
        ("a range", "range(99999)|list + range(99999)|list * 99"),
        ("a map's keys", "dict.fromkeys(range(99999)|list * 9)"),
        ("pairs", "dict(x|list)"),
        ("a cycle", "cycler(*x)"),
        ("groups of one", "x|list|groupby(0)"),
        ("sorted", "x|sort"),
        ("distinct", "x|unique|list"),
        ("names", "namespace(x|list|batch(2))"),
        ("a partition for each", "x.split('b')|map('replace', '', x)|list"),
        ("powers", "2 ** 126 ** 126"),
        ("lines", "('\n' * 9999999).splitlines()"),
        ("blanks", "('a ' * 9999999).split()"),
        ("in capitals", "('\u{390}' * 4000000)|upper|upper"),
        ("stripped of letters", "x.strip(x)"),
    ] {
        templates.push((name, format!("{chars}{{{{ {expression} }}}}{{{{ 1 + '' }}}}")));
    }
    templates.push((
        "namespaces in namespaces",
        "{% set top = namespace() %}{% set ns = namespace(x=top) %}{% for i in range(5000) %}{% set ns.y = namespace(x=ns.x) %}\
         {% set ns.x = ns.y %}{% endfor %}{{ ns }}"
            .into(),
    ));
    let rows = |name: &str| format!("{{% for i in range(99999) %}}{{{{ {name} }}}}{{% endfor %}}");
    for (name, body) in [
        ("time in a count", "x.count('b')"),
        ("time in a search from behind", "x.rfind('c')"),
        ("time in a class", "x.isalpha()"),
        ("time in a strip", "x.strip('c')"),
        ("time in a test", "x is lower"),
        ("time in a key", "{x: 1}[x]"),
        ("time in an order", "x < x ~ 'a'"),
    ] {
        templates.push((name, format!("{chars}{}", rows(body))));
    }
    templates.push((
        "a loop in a loop",
        "{% macro m() %}{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}{% endmacro %}{{ m() }}"
            .into(),
    ));
    templates.push(("a block in itself", "{% block a %}{{ self.a() }}{% endblock %}".into()));
    templates.push((
        "calls in calls",
        "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}".into(),
    ));
    templates.push(("filters of filters", format!("{{{{ x{} }}}}", "|map('map', 'upper')".repeat(200))));
    templates.push((
        "names",
        (0..20_000).map(|i| format!("{{% set a{i}=1%}}")).collect::<String>() + "{{ 1 + '' }}",
    ));
    let doubled = "{% set x = x|map('replace', 'a', 'aa')|list %}";
    templates.push(("a filter in a filter", made(doubled, "{{ x }}")));
    templates
}

fn tokenizer() -> Tokenizer {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tokenizers/qwen2.gguf");
    let bytes = std::fs::read(path).unwrap();
    Tokenizer::from_gguf(&Gguf::parse(&bytes).unwrap()).unwrap()
}

#[test]
fn hostile_templates_end_in_a_small_process() {
    if std::env::var_os(SMALL).is_some() {
        return end_in_time();
    }
    if std::env::var_os("OCELLI_EMULATOR").is_some() {
        return println!("skipped: an emulator takes more memory than is left here");
    }
    let program = std::env::current_exe().unwrap();
    let test = format!(
        "{} --exact hostile::hostile_templates_end_in_a_small_process --nocapture",
        program.display()
    );
    // Address space, in KiB; arenas of the C library's would reserve 64 MiB for each thread.
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -v 262144 || exit 99; exec {test}")]);
    let output = match shell.env(SMALL, "1").env("MALLOC_ARENA_MAX", "1").output() {
        Ok(output) if output.status.code() != Some(99) => output,
        other => return println!("skipped: no shell that limits memory here ({other:?})"),
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    assert!(out.contains("hostile templates"), "{out}");
}

fn end_in_time() {
    let tokenizer = tokenizer();
    let templates = hostile();
    let mut slow = Vec::new();
    for (name, source) in &templates {
        println!("{name}");
        let start = spent();
        let result = ChatTemplate::new(source, &tokenizer)
            .and_then(|template| template.render(&[Message::text("user", "Hello")], true));
        let taken = spent() - start;
        println!("    {} ms: {}", taken.as_millis(), result.unwrap_err());
        // Three renderings: two to find out which contents it understands.
        if taken > Duration::from_secs(3) {
            slow.push(name);
        }
    }
    println!("{} hostile templates", templates.len());
    assert!(slow.is_empty(), "{slow:?}");
}

/// Time that this thread has had a processor, where the system tells; else time.
fn spent() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    match text.split(' ').next().and_then(|nanos| nanos.parse().ok()) {
        Some(nanos) => Duration::from_nanos(nanos),
        None => START.elapsed(),
    }
}

/// As deep as calls and brackets may nest, in a thread with a small stack.
#[test]
fn nesting_takes_little_stack() {
    let brackets = |open: &str, close: &str| format!("{{{{ {}1{} }}}}", open.repeat(60), close.repeat(60));
    let deep = [
        brackets("(", ")"),
        brackets("[", "]"),
        brackets("{'a': ", "}"),
        brackets("[1, ", "]|first"),
        brackets("dict(a=", ")"),
        "{% if true %}".repeat(60) + &"{% endif %}".repeat(60),
        "{% for i in [1] %}".repeat(60) + &"{% endfor %}".repeat(60),
        "{% macro m(x) %}{{ [(m([x]|map('string')|first|trim),)] }}{% endmacro %}{{ m(1) }}".into(),
        "{% macro m(x) %}{% if x %}{% for i in [1] %}{% call m(x) %}{{ caller() }}{% endcall %}{% endfor %}{% endif %}\
         {% endmacro %}{{ m(1) }}"
            .into(),
        "{% for i in [1] recursive %}{{ [loop([1])]|join|upper }}{% endfor %}".into(),
        format!("{{% set ns = namespace(x=[]) %}}{}{{{{ ns.x }}}}{{{{ ns.x == ns.x }}}}{{{{ ns.x|tojson }}}}", "{% set ns.x = [ns.x] %}".repeat(60)),
        format!("{{% set ns = namespace(x=1) %}}{}{{{{ ns }}}}", "{% set ns.x = {'a': ns.x} %}".repeat(60)),
    ];
    let small = std::thread::Builder::new().stack_size(STACK);
    let thread = small.spawn(move || {
        let tokenizer = tokenizer();
        for source in deep {
            let result = ChatTemplate::new(&source, &tokenizer)
                .and_then(|template| template.render(&[Message::text("system", "Hello")], true));
            println!("{:?}", result.map(|segments| segments.len()).map_err(|error| error.to_string()));
        }
    });
    thread.unwrap().join().unwrap();
}
