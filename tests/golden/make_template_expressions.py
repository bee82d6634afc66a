#!/usr/bin/env python3
"""What a chat template says: expressions and statements as jinja2 renders them with transformers' settings.

Output, templates/expressions.txt, for each template three lines: `<JSON string>`, the template; then one of

    = <JSON string>   what it renders
    x <exception>     jinja2 fails; so must we
    ! <word>          jinja2 renders it and we refuse it, with this word in the error

then an empty line. The conversation is one system message, whose content is CONTENT.

    pip install transformers jinja2
    python3 tests/golden/make_template_expressions.py
"""

import json
from pathlib import Path

from jinja2 import Environment
from transformers.utils.chat_template_utils import _compile_jinja_template

HERE = Path(__file__).resolve().parent / "templates"
CONTENT = "  Hello <b>w\u00f6rld</b> & it's\tOK?\r\nLine two: \u00df\u01c6 a-b c_d 12,5\n\n  'q' \"d\" {{ x }} \u4f60\u597d \U0001f600 "

# One template a line, with m = messages[0] where it is named.
LINES = r"""
{{ 1 }} {{ -1 }} {{ +1 }} {{ 1.5 }} {{ 1e3 }} {{ 1e20 }} {{ 1e-5 }} {{ 1E16 }} {{ 123456789012345680.0 }} {{ 0.1 + 0.2 }}
{{ 1_000 }} {{ 0x1F }} {{ 0b101 }} {{ 0o17 }} {{ 1_0.5_0 }} {{ 1e+5 }} {{ 00 }}
{{ true }} {{ True }} {{ false }} {{ none }} {{ None }} {{ 'a' 'b' "c" }} {{ '\n\t\\\'\x41\u00e9\101' }} {{ "\d" }}
{{ [1, 'a', 1.0, none, true, [2], (3,), {'k': 'v'}] }} {{ () }} {{ (1) }} {{ (1,) }} {{ (1, 2) }} {{ 1, 2 }} {{ [] }} {{ {} }}
{{ ['a'] }} {{ ["it's"] }} {{ ['"'] }} {{ ['\'"'] }} {{ ['\n\r\t\\\x00\x7f\x85\u200b\u2028é😀'] }}
{{ {'a': 1, 'b': [1, 2], 3: none, none: 1.5, true: 'x', (1, 2): 'y'} }} {{ {'a': 1, 'a': 2} }} {{ {1: 'a', 1.0: 'b', true: 'c'} }}
{{ '' and 'b' }}|{{ 0 and 1 }}|{{ [] and 1 }}|{{ none and 1 }}|{{ 'a' and 'b' }}|{{ '' or 'b' }}|{{ 0 or [] }}|{{ 'a' or 'b' }}|{{ none or 0 or '' }}
{{ not 1 }} {{ not '' }} {{ not not [] }} {{ not none }} {{ 1 if '' else 2 }} {{ 1 if 'a' }} {{ 1 if '' }}|{{ (1 if '' else none) }}
{{ 'a' if 0 else 'b' if 0 else 'c' }} {{ ('a' if true) ~ 'z' }} {{ 1 if x is defined else 2 }}
{{ 7 + 2 }} {{ 7 - 2 }} {{ 7 * 2 }} {{ 7 / 2 }} {{ 8 / 2 }} {{ 7 // 2 }} {{ 7 % 2 }} {{ 7 ** 2 }} {{ 2 ** -1 }} {{ 2 ** 0.5 }} {{ 2 ** 3 ** 2 }}
{{ -7 // 2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ -7.5 // 2 }} {{ -7.5 % 2 }} {{ 7.5 % -2 }} {{ 1.0 * 3 }} {{ 10 // 2.5 }} {{ -2 ** 2 }}
{{ true + 1 }} {{ true + true }} {{ 2 * true }} {{ 'a' + 'b' }} {{ 'ab' * 3 }} {{ 3 * 'ab' }} {{ 'a' * -1 }} {{ [1] + [2] }} {{ [0] * 3 }} {{ (1,) + (2,) }}
{{ 1 ~ 'a' ~ none ~ true ~ 1.0 ~ [1] ~ undef }} {{ 1 + 2 ~ 3 + 4 }} {{ 'a' ~ 1 + 2 }} {{ 2 * 3 ~ 4 }}
{{ 1 < 2 }} {{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 }} {{ 1 == true }} {{ '1' == 1 }} {{ 1 != 2 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ (1,) < (1, 0) }} {{ 2 >= 2.0 }}
{{ [1] == [1.0] }} {{ [1] == (1,) }} {{ {'a': 1} == {'a': 1.0} }} {{ {'a': 1, 'b': 2} == {'b': 2, 'a': 1} }} {{ none == none }} {{ none == false }} {{ undef == undef2 }} {{ '' == undef }}
{{ 'a' in 'cat' }} {{ '' in '' }} {{ 1 in [1.0] }} {{ 'k' in {'k': 1} }} {{ 2 not in (1, 2) }} {{ 'x' in undef }} {{ 3 in range(5) }} {{ [1] in [[1]] }} {{ not 1 in [1] }}
{{ 1 + 2 * 3 - 4 / 2 }} {{ (1 + 2) * 3 }} {{ 2 * -3 }} {{ - -3 }} {{ -3 | abs }} {{ -(3 | abs) }} {{ 10 - 2 - 3 }} {{ 100 / 10 / 2 }}
{{ 'abc'[0] }} {{ 'abc'[-1] }} {{ 'abc'[5] }}|{{ 'abc'[1:] }} {{ 'abc'[:-1] }} {{ 'abc'[::-1] }} {{ 'abcdef'[1:5:2] }} {{ 'abc'[5:] }}|{{ 'abc'[-2:] }} {{ 'abc'[:100] }} {{ 'abcdef'[::-2] }} {{ 'abc'[2:0:-1] }}
{{ [1, 2, 3][0] }} {{ [1, 2, 3][-1] }} {{ [1, 2, 3][1:] }} {{ [1, 2, 3][::-1] }} {{ [1][7] }}| {{ (1, 2, 3)[:2] }} {{ [1, 2, 3].0 }} {{ range(10)[2:8:3] }} {{ range(10)[-1] }} {{ range(5)[::-1] | list }}
{{ {'a': 1}.a }} {{ {'a': 1}['a'] }} {{ {'a': 1}.b }}| {{ {'a': {'b': [5]}}.a.b[0] }} {{ {1: 'x'}[1] }} {{ {'items': 1}['items'] }} {{ {'items': 1}.items() | list }} {{ {'a': 1}[[1]] }}|
{{ 'abc'[true] }} {{ [1, 2][false] }} {{ 'abc'['upper']() }} {{ {'get': 1}.get('get') }} {{ 5['x'] }}|{{ none['x'] }}|{{ 'abc'['x'] }}|
{{ 'ABC'.lower() }} {{ 'abc'.upper() }} {{ 'aBc'.swapcase() }} {{ "they're bill's".title() }} {{ 'hELLO wORLD'.capitalize() }} {{ 'Straße'.casefold() }} {{ 'ΑΣ ΑΣΑ Σ'.lower() }} {{ 'ß ŉ ﬁ ǆ'.upper() }}
{{ 'ß ﬁx ǆa ŉ ა'.title() }} {{ 'ǆa'.capitalize() }} {{ 'ﬁx'.capitalize() }} {{ 'ᾳ ᾲ'.title() }} {{ 'ß ẞ ſ ς İ ı ᏸ Ꭰ ŉ'.casefold() }} {{ 'İ'.lower() }} {{ 'ÀÉ'.swapcase() }} {{ "o'neil mc-donald x1y".title() }}
{{ 'a,b,,c'.split(',') }} {{ 'a b  c'.split() }} {{ ' a b '.split(' ') }} {{ 'a,b,c'.split(',', 1) }} {{ 'a b c'.split(none, 1) }} {{ ''.split() }} {{ ''.split(',') }} {{ 'a,b,c'.split(sep=',', maxsplit=1) }} {{ 'abc'.split('abc') }}
{{ 'a,b,c'.rsplit(',', 1) }} {{ ' a b  c '.rsplit(none, 1) }} {{ 'a b c'.rsplit() }} {{ 'aXbXc'.rsplit('X') }} {{ ' a  b '.rsplit(maxsplit=1) }} {{ 'abc'.rsplit('x') }} {{ 'a--b--c'.rsplit('--', 1) }}
{{ 'a\nb\r\nc\rd\x0be\x0cf\x1cg\x1dh\x1ei\x85j\u2028k\u2029l'.splitlines() }} {{ 'a\n\nb\n'.splitlines() }} {{ 'a\nb\r\n'.splitlines(true) }} {{ 'a\nb'.splitlines(keepends=True) }} {{ ''.splitlines() }} {{ '\n'.splitlines() }}
{{ '\x1c\x1d a \x1e\x1f\x85\xa0\u3000'.strip() }}| {{ '\x1ca\x1fb\x0bc\u2009d'.split() }} {{ 'xxaxx'.strip('x') }} {{ 'abcba'.strip('ab') }} {{ '  a '.lstrip() }}| {{ ' a  '.rstrip() }}| {{ 'a'.strip(none) }} {{ 'aab'.lstrip('a') }} {{ 'baa'.rstrip('a') }} {{ 'é¡é'.strip('é') }}
{{ 'hello'.replace('l', 'L') }} {{ 'hello'.replace('l', 'L', 1) }} {{ 'abc'.replace('', '-') }} {{ 'abc'.replace('', '-', 2) }} {{ 'aaa'.replace('aa', 'b') }} {{ 'abc'.replace('b', '') }} {{ 'x'.replace('x', 'y', 0) }} {{ ''.replace('', 'z') }} {{ 'aé'.replace('', '.') }}
{{ 'hello'.find('l') }} {{ 'hello'.find('l', 3) }} {{ 'hello'.find('z') }} {{ 'hello'.rfind('l') }} {{ 'hello'.index('e') }} {{ 'hello'.rindex('l') }} {{ 'héllo'.find('l') }} {{ 'hello'.find('l', 0, 2) }} {{ 'hello'.find('') }} {{ 'abc'.find('', 3) }} {{ 'abc'.find('', 4) }} {{ 'hello'.find('o', -1) }} {{ 'hello'.rfind('l', 0, 3) }} {{ ''.rfind('') }}
{{ 'banana'.count('a') }} {{ 'banana'.count('an') }} {{ 'banana'.count('a', 2) }} {{ 'banana'.count('a', 2, 4) }} {{ 'abc'.count('') }} {{ 'aaa'.count('aa') }} {{ 'abc'.count('', 1) }} {{ 'abc'.count('x') }}
{{ 'hello'.startswith('he') }} {{ 'hello'.startswith(('x', 'h')) }} {{ 'hello'.endswith('lo') }} {{ 'hello'.startswith('l', 2) }} {{ 'hello'.endswith('l', 0, 4) }} {{ 'hello'.startswith('') }} {{ 'hello'.endswith(('a', 'b')) }} {{ ''.startswith('a') }} {{ 'abc'.startswith('', 5) }}
{{ 'abcabc'.partition('b') }} {{ 'abc'.partition('x') }} {{ 'abcabc'.rpartition('b') }} {{ 'abc'.rpartition('x') }} {{ 'a::b'.partition('::')[2] }}
{{ 'TestHook'.removeprefix('Test') }} {{ 'abc'.removeprefix('x') }} {{ 'MiscTests'.removesuffix('Tests') }} {{ 'abc'.removesuffix('') }} {{ 'aaa'.removeprefix('a') }}
{{ 'a'.ljust(4) }}| {{ 'a'.rjust(4) }}| {{ 'a'.center(4) }}| {{ 'ab'.center(5) }}| {{ 'ab'.center(5, '*') }} {{ 'abc'.center(2) }} {{ 'a'.ljust(3, '.') }} {{ 'a'.rjust(3, '.') }} {{ '42'.zfill(5) }} {{ '-42'.zfill(5) }} {{ '+4'.zfill(4) }} {{ 'abc'.zfill(2) }} {{ ''.zfill(2) }} {{ 'abc'.center(6, '-') }} {{ 'abcd'.center(7, '-') }} {{ 'é'.center(4, 'ö') }}
{{ 'a\tb'.expandtabs() }} {{ 'a\tbc\td'.expandtabs(4) }} {{ '01\t012\t0123\n\tx'.expandtabs(tabsize=4) }} {{ 'a\tb'.expandtabs(0) }} {{ '\t'.expandtabs(1) }}|
{{ 'abc'.isalpha() }} {{ 'ab1'.isalnum() }} {{ '12'.isdigit() }} {{ '²'.isdigit() }} {{ '²'.isdecimal() }} {{ '½'.isnumeric() }} {{ '四'.isnumeric() }} {{ '四'.isdigit() }} {{ '٣'.isdecimal() }} {{ ''.isalpha() }} {{ 'a b'.isalpha() }} {{ 'ªº'.isalpha() }} {{ 'a̐'.isalpha() }} {{ 'Ⅷ'.isalpha() }} {{ 'Ⅷ'.isnumeric() }}
{{ ' \t\n\x1c\x85\u2028'.isspace() }} {{ '\u200b'.isspace() }} {{ ''.isspace() }} {{ 'abc'.islower() }} {{ 'aBc'.islower() }} {{ '1a'.islower() }} {{ '1'.islower() }} {{ 'ABC1'.isupper() }} {{ 'ǅ'.isupper() }} {{ 'Title Case'.istitle() }} {{ 'Not title'.istitle() }} {{ "It'S"|string.istitle }}
{{ 'Ab1Cd'.istitle() }} {{ ''.istitle() }} {{ 'ⅷ'.islower() }} {{ 'ªb'.islower() }} {{ 'abc'.isascii() }} {{ 'é'.isascii() }} {{ ''.isascii() }} {{ 'a_1'.isidentifier() }} {{ '1a'.isidentifier() }} {{ 'é'.isidentifier() }} {{ 'a b'.isidentifier() }} {{ 'a\n'.isprintable() }} {{ 'a é'.isprintable() }} {{ ''.isprintable() }} {{ '\xa0'.isprintable() }}
{{ ','.join(['a', 'b']) }} {{ ', '.join(('x',)) }} {{ ''.join([]) }}| {{ '-'.join('abc') }} {{ ','.join({'a': 1, 'b': 2}) }} {{ ','.join({'a': 'x'}.values()) }}
{{ 'abc'.translate({97: 'x', 98: none, 99: 100}) }} {{ 'abc'.translate(''.maketrans('ab', 'xy', 'c')) }} {{ 'abc'.maketrans({'a': 'b', 99: none}) }}
{{ '{} {}'.format(1, 'a') }} {{ '{1} {0}'.format(1, 2) }} {{ '{a}'.format(a=1) }} {{ '{0.real} {0[0]}'.format([1]) if false else 'no' }} {{ '{0[k]} {0[n]}'.format({'k': 'v', 'n': 1}) }} {{ '{x.y}'.format(x={'y': 5}) }} {{ '{{}} {}'.format('z') }} {{ '{0[1]}'.format([7, 8]) }}
{{ '{:5}|{:<5}|{:>5}|{:^5}|{:*^7}'.format('a', 'b', 'c', 'd', 'e') }} {{ '{:5}|{:05}|{:+}|{: }|{:<5}|{:x}|{:#x}|{:b}|{:o}|{:X}|{:,}|{:_}'.format(1, 2, 3, 4, 5, 255, 255, 5, 8, 255, 1234567, 1234567) }}
{{ '{:.2f}|{:8.3f}|{:e}|{:.1e}|{:g}|{:G}|{:%}|{:.1%}|{}|{:.3}|{:010.2f}|{:,.2f}|{:+.1f}'.format(3.14159, 2.5, 12345.678, 0.00012, 1e20, 1e-10, 0.5, 0.123, 1e16, 3.14159, -3.14159, 1234567.891, 2.25) }}
{{ '{:.3}|{:.0}|{:10.2}|'.format('abcdef', 'abc', 'abc') }} {{ '{!r} {!s} {!a}'.format('a', 'b', 'é') }} {{ '{:>{w}}|{:{f}^{w}}'.format('a', 'b', w=4, f='-') }} {{ '{:c}'.format(65) }} {{ '{:n}'.format(12) }} {{ '{}'.format(none) }} {{ '{}'.format([1, 'a']) }} {{ '{:d}'.format(true) }} {{ '{}'.format(true) }}
{{ '{:=+8}|{:=8}|{:<08}|{:>08.1f}|{:^8}|{:08,}|{:012,.1f}|{:#b}|{:#o}|{:_x}'.format(12, -12, 5, -2.5, 3, 1234, -1234.5, 5, 8, 1048575) }} {{ '{:g}|{:g}|{:g}|{:#g}|{:.3g}|{:.10g}'.format(100000.0, 1000000.0, 0.0001, 1.0, 1234.5, 0.1) }}
{{ '{:f}|{:e}|{:g}|{}|{:5}|{:05}'.format('inf'|float, '-inf'|float, 'nan'|float, 'inf'|float, 'nan'|float, 'inf'|float) }} {{ '{0:.0f} {1:.0f} {2:.0f} {3:.1f}'.format(0.5, 1.5, 2.5, 0.25) }} {{ '{a[b]}{c}'.format_map({'a': {'b': 1}, 'c': 2}) }}
{{ '%s is %d' % ('a', 3) }} {{ '%s' % 'x' }} {{ '%s' % [1, 'a'] }} {{ '%r %a' % ('é', 'é') }} {{ '%5s|%-5s|%05d|%+d|% d|%x|%X|%o|%#x|%c|%c|%%' % ('a', 'b', 42, 5, 5, 255, 255, 8, 255, 'z', 65) }} {{ '%s' % none }} {{ '%s' % undef }}|
{{ '%.2f|%8.3f|%e|%E|%g|%G|%.0f|%5.1f|%-8.2f|%+.1e' % (3.14159, 2.5, 12345.678, 0.00012, 1e20, 1e-10, 2.5, 3, 1.5, 123) }} {{ '%(a)s %(b)d' % {'a': 'x', 'b': 2} }} {{ '%*d|%-*d|%.*f' % (5, 1, 5, 2, 2, 3.14159) }} {{ '%.2s|%5.1s|' % ('abc', 'abc') }} {{ '%i %u' % (1.9, 2) }} {{ '%d' % -3.7 }} {{ '%5%|' % () }} {{ '%s %s' % ([1], {'a': 1}) }} {{ '%08.2f|%+05d|%-05d|%x|%.3d|%#o' % (-3.14159, 42, 42, -255, 5, 8) }} {{ '%s' % (1,) }} {{ '%s' % ((1, 2),) }} {{ 'plain' % () }} {{ 'plain' % {} }} {{ 'plain' % [] }} {{ '%d%%' % 50 }} {{ '%s' % true }} {{ '%d' % true }}
{{ [1, 2, 1].count(1) }} {{ [1, 2].index(2) }} {{ (1, 2, 1).count(1) }} {{ (1, 2).index(2) }} {{ [1, 2].copy() }} {{ ['a', 'b', 'a'].index('a', 1) }} {{ [1, 2, 3].index(3, -1) }} {{ range(5).count(3) }} {{ range(2, 9, 2).index(6) }} {{ [1, 1.0, true].count(1) }}
{{ {'a': 1}.get('a') }} {{ {'a': 1}.get('b') }} {{ {'a': 1}.get('b', 2) }} {{ {'a': 1}.keys() }} {{ {'a': 1}.values() }} {{ {'a': 1, 'b': 'x'}.items() }} {{ {'a': 1}.copy() }} {{ {'a': 1}.keys() | list }} {{ dict.fromkeys(['a', 'b']) }} {{ dict.fromkeys('ab', 0) }} {{ {}.fromkeys([1]) }} {{ 'a' in {'a': 1}.keys() }} {{ 1 in {'a': 1}.values() }} {{ ('a', 1) in {'a': 1}.items() }}
{{ (5).bit_length() }} {{ (2.0).is_integer() }} {{ 2.5.is_integer() }} {{ (5).real }} {{ (5).denominator }} {{ (1.5).real }} {{ (-5).bit_length() }} {{ (7).bit_count() }} {{ true.real }}
{{ {'a': 1}.update }}| {{ [1].append }}| {{ ''.__class__ }}| {{ {'_x': 1}._x }} {{ [].__len__ is defined }} {{ {'a': 1}.pop is defined }}
{{ -5 | abs }} {{ -5.5 | abs }} {{ true | abs }} {{ 'abc' | attr('upper') is callable }} {{ {'a': 1} | attr('a') is defined }} {{ 'a' | attr('nope') }}|
{{ [1, 2, 3, 4, 5] | batch(2) | list }} {{ [1, 2, 3] | batch(2, 'x') | list }} {{ [] | batch(2) | list }} {{ 'abc' | batch(2) | list }} {{ [1, 2, 3, 4, 5] | slice(2) | list }} {{ [1, 2, 3, 4, 5] | slice(3, 'x') | list }} {{ [1] | slice(3) | list }} {{ range(7) | slice(3) | map('join', '-') | join('|') }}
{{ 'hello WORLD' | capitalize }} {{ 5 | capitalize }} {{ none | upper }} {{ 'a' | upper }} {{ 'A' | lower }} {{ 1.5 | lower }} {{ undef | upper }}| {{ [1, 'A'] | lower }} {{ 'ab' | center(6) }}| {{ 'ab' | center }}| {{ 5 | center(3) }}|
{{ "o'neil mc-donald (foo) [bar] {baz} <qux> a_b 1st" | title }} {{ 'HELLO wORLD' | title }} {{ 'ǆ ß ﬁx' | title }} {{ '' | title }}| {{ 'a  b\tc\nd' | title }} {{ 12 | title }} {{ '-a--b' | title }} {{ ' lead' | title }}
{{ undef | default('x') }} {{ '' | default('x') }}| {{ '' | default('x', true) }} {{ none | default('x') }} {{ 0 | d('x', boolean=true) }} {{ undef | default }}| {{ undef | d(default_value=3) }} {{ undef.x is defined if false else 'ok' }} {{ [] | default([1], true) }}
{{ {'b': 1, 'a': 2, 'C': 0} | dictsort }} {{ {'b': 1, 'a': 2, 'C': 0} | dictsort(true) }} {{ {'b': 1, 'a': 2} | dictsort(false, 'value') }} {{ {'b': 1, 'a': 2} | dictsort(reverse=true) }} {{ {} | dictsort }} {{ {'b': 'X', 'a': 'y', 'c': 'a'} | dictsort(by='value') }}
{{ '<a href="x">&\'</a>' | escape }} {{ '<' | e }} {{ ('<' | e) ~ '<' }} {{ ('<' | e) + '<' }} {{ '<' + ('<' | e) }} {{ '<b>' | safe }} {{ ('<b>' | safe) + '<' }} {{ ('<' | safe) | escape }} {{ ('<' | safe) | forceescape }} {{ ['<' | safe] }} {{ ('a' | safe).upper() + '<' }} {{ ('%s' | safe) % '<' }} {{ ('{}' | safe).format('<') }} {{ (',' | safe).join(['<', 'a' | safe]) }} {{ ('ab' | safe)[0] + '<' }} {{ ('a' | safe) * 2 + '<' }} {{ ('aXb' | safe).replace('X', '<') }} {{ 5 | escape }} {{ ('a b' | safe).split() }} {{ '<' | string + '<' }} {{ (('<' | safe) | string) + '<' }} {{ ('x' | safe).center(3, '<') }}
{{ 1 | filesizeformat }} {{ 0 | filesizeformat }} {{ 999 | filesizeformat }} {{ 1000 | filesizeformat }} {{ 1500000 | filesizeformat }} {{ 1024 | filesizeformat(true) }} {{ 1048576 | filesizeformat(binary=true) }} {{ '300' | filesizeformat }} {{ 1e15 | filesizeformat }} {{ 1e30 | filesizeformat }} {{ 12.7 | filesizeformat }}
{{ [1, 2] | first }} {{ [] | first }}| {{ 'abc' | first }} {{ {'a': 1} | first }} {{ [1, 2] | last }} {{ [] | last }}| {{ 'abc' | last }} {{ {'a': 1, 'b': 2} | last }} {{ (1, 2) | last }} {{ range(3) | last }} {{ '' | first }}| {{ ([3, 4] | map('string')) | first }}
{{ '3.5' | float }} {{ 'x' | float }} {{ 'x' | float(1.5) }} {{ 3 | float }} {{ ' 1e3 ' | float }} {{ 'inf' | float }} {{ '-Infinity' | float }} {{ 'nan' | float }} {{ '1_0' | float }} {{ none | float }} {{ 'x' | float(default='d') }} {{ true | float }} {{ '٣.٥' | float }} {{ '1.' | float }} {{ '.5' | float }} {{ '+.5e-3' | float }} {{ '1e400' | float }} {{ [] | float }}
{{ '42' | int }} {{ 'x' | int }} {{ 'x' | int(7) }} {{ '3.9' | int }} {{ 3.9 | int }} {{ -3.9 | int }} {{ '0x1f' | int(0, 16) }} {{ '1f' | int(base=16) }} {{ '0b11' | int(base=2) }} {{ '0o17' | int(0, 0) }} {{ ' 12 ' | int }} {{ '1_000' | int }} {{ '1__0' | int }} {{ none | int }} {{ true | int }} {{ 'inf' | int }} {{ '1e3' | int }} {{ '-5' | int }} {{ '٣' | int }} {{ '' | int }} {{ 'x' | int('d') }} {{ '077' | int }} {{ '12' | int(base=3) }} {{ 'z' | int(base=36) }} {{ [] | int(3) }} {{ 'nan' | int(9) }}
{{ '%s-%s' | format('a', 1) }} {{ '%(x)s' | format(x=5) }} {{ 'none' | format }} {{ '%d%%' | format(50) }} {{ '%s' | format([1]) }}
{{ [{'k': 1, 'v': 'a'}, {'k': 2, 'v': 'b'}, {'k': 1, 'v': 'c'}] | groupby('k') }} {% for k, g in [{'k': 'B', 'v': 1}, {'k': 'a', 'v': 2}, {'k': 'b', 'v': 3}] | groupby('k') %}{{ k }}:{{ g | map(attribute='v') | list }};{% endfor %} {% for g in [{'k': 1}] | groupby('k') %}{{ g.grouper }}{{ g.list }}{{ g[0] }}{% endfor %} {{ [{'k': 'B'}, {'k': 'b'}] | groupby('k', case_sensitive=true) }} {{ [{}, {'k': 2}] | groupby('k', default=1) }} {{ ['ab', 'ac', 'b'] | groupby(0) }}
{{ 'a\nb\n\nc' | indent }} {{ 'a\nb' | indent(2) }} {{ 'a\nb' | indent(2, true) }} {{ 'a\n\nb' | indent(2, blank=true) }} {{ 'a\nb' | indent('> ') }} {{ 'a\nb' | indent('> ', first=true) }} {{ 'a\n' | indent }}| {{ '' | indent }}| {{ 'a\r\nb' | indent(1) }} {{ '\na' | indent(1, true) }} {{ 'a' | indent(width=3, first=True) }}
{{ {'a': 1} | items | list }} {{ undef | items | list }} {% for k, v in {'a': 1, 'b': 2} | items %}{{ k }}{{ v }}{% endfor %}
{{ [1, 2, 3] | join }} {{ [1, 2, 3] | join(', ') }} {{ ['a', none, 1.5, true] | join('-') }} {{ [{'n': 'x'}, {'n': 'y'}] | join(',', attribute='n') }} {{ 'abc' | join('.') }} {{ [] | join(',') }}| {{ {'a': 1, 'b': 2} | join(',') }} {{ [1, 2] | join(3) }} {{ [1] | join(d=';') }} {{ undef | join }}| {{ [[1], ['a']] | join(' ') }}
{{ 'abc' | length }} {{ [1] | length }} {{ {'a': 1} | count }} {{ undef | length }} {{ 'é😀' | length }} {{ range(5) | length }} {{ {'a': 1}.items() | length }} {{ '' | length }}
{{ 'abc' | list }} {{ {'a': 1} | list }} {{ range(3) | list }} {{ (1, 2) | list }} {{ undef | list }} {{ range(5, 1, -2) | list }} {{ range(1, 4) }} {{ range(0, 10, 3) }} {{ range(3) == range(0, 3) }}
{{ ['a', 'b'] | map('upper') | list }} {{ [{'a': 1}, {'a': 2}] | map(attribute='a') | list }} {{ [{'a': {'b': 1}}] | map(attribute='a.b') | list }} {{ [[1, 2], [3]] | map('first') | list }} {{ [{'a': 1}, {}] | map(attribute='a', default='z') | list }} {{ ['a,b'] | map('replace', ',', ';') | list }} {{ [] | map('upper') | list }} {{ ['1', 'x'] | map('int', default=9) | list }} {{ [[1, 2]] | map(attribute=0) | list }} {{ [['a', 'b']] | map(attribute='1') | list }} {{ {'a': 1, 'b': 2} | map('upper') | join }} {{ undef | map('upper') | list }} {{ [1, 2, 3] | map('string') | join('+') }} {{ [{}, {'a': 0}] | map(attribute='a') | list }}
{{ [3, 1, 2] | max }} {{ [3, 1, 2] | min }} {{ ['b', 'A'] | max }} {{ ['b', 'A'] | min(true) }} {{ [] | max }}| {{ [{'x': 2}, {'x': 5}] | max(attribute='x') }} {{ 'hello' | max }} {{ [1, 1.0, true] | max }} {{ ['a', 'A'] | min }} {{ [[1, 2], [1, 3]] | max }} {{ ['b', 'B'] | max(case_sensitive=true) }}
{{ {'b': 1, 'a': 2} | pprint }} {{ [1, 'a'] | pprint }} {{ 'x' | pprint }} {{ none | pprint }} {{ [{'b': (1,), 'a': {}}] | pprint }}
{{ [1, 2, 3, 4] | select('odd') | list }} {{ [1, 0, '', 'a'] | select | list }} {{ [1, 2, 3] | reject('even') | list }} {{ [1, 2, 3] | select('>', 1) | list }} {{ [1, 2, 3] | select('in', [1, 3]) | list }} {{ [none, 1] | reject('none') | list }} {{ [1, 2, 3] | select('divisibleby', 3) | list }} {{ ['a', 1] | select('string') | list }} {{ 'a1b2' | select('in', '12') | join }} {{ [1, 2] | reject | list }} {{ [0, 1] | reject | list }} {{ [5, 6] | select('equalto', 5) | list }} {{ undef | select | list }} {{ {'a': 1, '': 2} | select | list }}
{{ [{'a': 1}, {'a': 0}, {}] | selectattr('a') | list }} {{ [{'a': 1}, {'a': 2}] | selectattr('a', 'equalto', 2) | list }} {{ [{'a': 1}, {'b': 2}] | rejectattr('a') | list }} {{ [{'a': 1}, {'b': 2}] | selectattr('a', 'defined') | list }} {{ [{'a': {'b': 1}}] | selectattr('a.b', '==', 1) | list }} {{ [{'r': 'x'}, {'r': 'y'}] | rejectattr('r', 'in', ['x']) | map(attribute='r') | first }} {{ [{'a': 3}, {'a': 5}] | selectattr('a', 'ge', 4) | list | length }} {{ [[1, 2], [0, 3]] | selectattr(0) | list }}
{{ 'hello' | replace('l', 'L') }} {{ 'hello' | replace('l', 'L', 1) }} {{ 1231 | replace(1, 'x') }} {{ 'aaa' | replace('a', 'b', count=2) }} {{ none | replace('N', 'n') }} {{ 'abc' | replace('', '-') }} {{ 'a' | replace('a', none) }} {{ 'x' | replace(old='x', new='y') }}
{{ 'abc' | reverse }} {{ [1, 2, 3] | reverse | list }} {{ (1, 2) | reverse | list }} {{ {'a': 1, 'b': 2} | reverse | list }} {{ range(3) | reverse | list }} {{ '' | reverse }}| {{ 'é😀x' | reverse }} {{ [1, 2] | map('string') | reverse }}
{{ 2.5 | round }} {{ 3.5 | round }} {{ 2.675 | round(2) }} {{ 42.55 | round(1, 'floor') }} {{ 42.55 | round(1, 'ceil') }} {{ 5 | round }} {{ 1234 | round(-2) }} {{ 1250 | round(-2) }} {{ 1350 | round(-2) }} {{ 1234.5 | round(-2) }} {{ -2.5 | round }} {{ 2.4 | round(method='ceil') }} {{ 3 | round(0, 'floor') }} {{ 0.15 | round(1) }} {{ 1e300 | round(2) }} {{ 1.005 | round(2) }} {{ -0.4 | round }} {{ 15.0 | round(-1) }} {{ 25.0 | round(-1) }} {{ 4.9 | round(-1) }} {{ 5.0 | round(-1) }} {{ 50.1 | round(-2) }} {{ true | round }} {{ 7 | round(1, 'ceil') }} {{ -7.25 | round(1, 'floor') }} {{ 42.55 | round(precision=1) }} {{ 123456.789 | round(-3, 'ceil') }}
{{ [3, 1, 2] | sort }} {{ ['b', 'A', 'c'] | sort }} {{ ['b', 'A'] | sort(case_sensitive=true) }} {{ [3, 1] | sort(true) }} {{ [{'a': 2}, {'a': 1}] | sort(attribute='a') }} {{ [{'a': 1, 'b': 2}, {'a': 1, 'b': 1}] | sort(attribute='a,b') }} {{ 'cab' | sort }} {{ {'b': 1, 'a': 2} | sort }} {{ [('b', 1), ('a', 2), ('a', 1)] | sort }} {{ ['b', 'B', 'a', 'A'] | sort }} {{ ['b', 'B', 'a', 'A'] | sort(reverse=true) }} {{ [{'n': {'x': 2}}, {'n': {'x': 1}}] | sort(attribute='n.x') | map(attribute='n.x') | list }} {{ [1.5, 1, true, 0] | sort }} {{ [] | sort }} {{ [[2], [1, 5], [1]] | sort }}
{{ 1 | string }} {{ none | string }} {{ [1] | string }} {{ 1.0 | string ~ 'x' }} {{ undef | string }}|
{{ '<p>Hello  <b>x</b>\n y</p> <!-- c --> &amp; &lt;z&gt; &#39;q&#x41; &quot;' | striptags }} {{ 'a < b' | striptags }} {{ 'plain' | striptags }} {{ '<a<b>c' | striptags }} {{ '<!-- x' | striptags }} {{ 'a<!-->b-->c' | striptags }} {{ 5 | striptags }}
{{ [1, 2, 3] | sum }} {{ [1.5, 2] | sum }} {{ [] | sum }} {{ [1, 2] | sum(start=10) }} {{ [{'a': 1}, {'a': 2}] | sum('a') }} {{ [{'a': 1}] | sum(attribute='a', start=5) }} {{ [[1], [2]] | sum(start=[]) }} {{ [true, true] | sum }} {{ range(5) | sum }}
{{ '  a ' | trim }}| {{ 'xax' | trim('x') }} {{ none | trim }} {{ '\x1ca\x1f' | trim }} {{ 'abc' | trim(chars='ac') }} {{ 5 | trim }} {{ '\n a \n' | trim('\n') }}|
{{ 'foo bar baz qux' | truncate(9) }} {{ 'foo bar baz qux' | truncate(9, true) }} {{ 'foo bar baz qux' | truncate(11) }} {{ 'foo bar baz qux' | truncate(11, false, '..', 0) }} {{ 'foo bar baz qux' | truncate(9, leeway=0) }} {{ 'foo' | truncate(3) }} {{ 'foobarbaz quxquux' | truncate(8, false, '...', 0) }} {{ 'foobar' | truncate(3, leeway=0, end='') }} {{ 'é😀é😀é😀é😀' | truncate(4, true, '…', 0) }}
{{ [1, 1, 2] | unique | list }} {{ ['a', 'A', 'b'] | unique | list }} {{ ['a', 'A'] | unique(true) | list }} {{ [{'x': 1}, {'x': 1}, {'x': 2}] | unique(attribute='x') | list }} {{ [1, 1.0, true, '1'] | unique | list }} {{ 'hello' | unique | join }} {{ [none, none, (1,), (1.0,)] | unique | list }}
{{ 'a b/c?d=é&' | urlencode }} {{ {'a': 1, 'b c': 'd/e'} | urlencode }} {{ [('x', 'y z')] | urlencode }} {{ 5 | urlencode }} {{ '~-_.!' | urlencode }}
{{ 'Hello, wörld! 12 a_b' | wordcount }} {{ '' | wordcount }} {{ 'a-b c' | wordcount }} {{ '你好 x' | wordcount }}
{{ 'The quick brown fox jumps' | wordwrap(10) }} {{ 'averyveryverylongword x' | wordwrap(5) }} {{ 'averyverylongword x' | wordwrap(5, false) }} {{ 'a b c' | wordwrap(1, wrapstring='|') }} {{ 'line one\nline two is longer' | wordwrap(8) }} {{ 'well-known goof-ball -- use the -b option!' | wordwrap(12) }} {{ 'well-known a-b-c-d x--y' | wordwrap(6) }} {{ 'well-known' | wordwrap(6, break_on_hyphens=false) }} {{ '  lead  and   gaps' | wordwrap(6, wrapstring='|') }} {{ 'abcd efghijk' | wordwrap(5, wrapstring='|') }} {{ '' | wordwrap(5) }}| {{ 'a\n\nb' | wordwrap(5) }} {{ 'aaa-bbb-ccc' | wordwrap(4, wrapstring='|') }} {{ 'what--ever -- you say---ok' | wordwrap(7, wrapstring='|') }} {{ 'x-y foo-1 1-2 a-bc' | wordwrap(3, wrapstring='|') }} {{ 'one two' | wordwrap }} {{ 'ab_cd-ef_gh' | wordwrap(6, wrapstring='|') }} {{ 'tab\tsep and\xa0nbsp' | wordwrap(6, wrapstring='|') }}
{{ {'class': 'a b', 'id': none, 'x': undef, 'n': 5, 'q': '<"' } | xmlattr }} {{ {'a': 1} | xmlattr(false) }} {{ {} | xmlattr }}|
{{ {'b': [1, 2], 'a': 'é<&>\'"'} | tojson }} {{ {'b': [1, 2], 'a': 1} | tojson(separators=(',', ':')) }} {{ {'b': 1, 'a': 2} | tojson(sort_keys=true) }} {{ ['é😀\x7f\u2028'] | tojson(ensure_ascii=true) }} {{ ['é'] | tojson(true) }} {{ [] | tojson }} {{ {} | tojson }} {{ [[], {}] | tojson(indent=2) }} {{ {'a': [1, {'b': none}]} | tojson(indent=2) }} {{ {'a': 1} | tojson(indent='\t') }} {{ {'a': 1} | tojson(indent=0) }} {{ {'a': 1} | tojson(false, 4) }} {{ {'a': [1, 2]} | tojson(indent=1, separators=(',', ':')) }}
{{ [1e20, 1e-5, 1.0, 0.1, 1e16, 123456789.125, -0.0, 1e100] | tojson }} {{ ['inf' | float, '-inf' | float, 'nan' | float] | tojson }} {{ {none: 1, true: 2, false: 3, 1: 4, 1.5: 5, 1e20: 6} | tojson }} {{ (1, 2) | tojson }} {{ 'a\n\t\r\b\f\\/\x01\x1f' | tojson }} {{ none | tojson }} {{ true | tojson }} {{ 5 | tojson }} {{ 'x' | tojson(indent=2) }} {{ {'a': {'z': 1, 'b': 2}, 'A': 3} | tojson(sort_keys=true, separators=(', ', '=')) }} {{ [1, [2]] | tojson(indent=3) }} {{ {2: 'b', 10: 'a'} | tojson(sort_keys=true) }} {{ ['a' | safe, '<' | e] | tojson }} {{ [1] | tojson(indent=true) }} {{ 100000000000000000000 | tojson }} {{ m | tojson }}
{{ 3 is odd }} {{ 3 is even }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(num=2) }} {{ undef is defined }} {{ undef is undefined }} {{ 'upper' is filter }} {{ 'nope' is filter }} {{ 'odd' is test }} {{ 'tojson' is filter }} {{ none is none }} {{ 0 is none }} {{ true is boolean }} {{ 1 is boolean }} {{ false is false }} {{ 0 is false }} {{ true is true }} {{ 1 is true }} {{ 1 is integer }} {{ true is integer }} {{ 1.0 is integer }} {{ 1.0 is float }} {{ 1 is float }} {{ 'a' is lower }} {{ 'A' is upper }} {{ 1 is lower }} {{ none is upper }}
{{ 'a' is string }} {{ 1 is string }} {{ {} is mapping }} {{ [] is mapping }} {{ 1 is number }} {{ true is number }} {{ '1' is number }} {{ [] is sequence }} {{ 'a' is sequence }} {{ {} is sequence }} {{ range(3) is sequence }} {{ 5 is sequence }} {{ undef is sequence }} {{ {}.items() is sequence }} {{ [] is iterable }} {{ 5 is iterable }} {{ undef is iterable }} {{ none is iterable }} {{ ([1] | map('string')) is iterable }} {{ ([1] | map('string')) is sequence }} {{ range is callable }} {{ 'a'.upper is callable }} {{ 'a' is callable }} {{ undef is callable }} {{ dict is callable }} {{ cycler is callable }} {{ cycler(1) is callable }} {{ joiner() is callable }} {{ namespace() is callable }}
{{ none is sameas none }} {{ true is sameas(true) }} {{ 1 is sameas true }} {{ [] is sameas [] }} {{ ('<' | safe) is escaped }} {{ '<' is escaped }} {{ 1 is in [1, 2] }} {{ 'a' is in 'abc' }} {{ 1 is eq 1 }} {{ 1 is equalto(1.0) }} {{ 1 is ne 2 }} {{ 2 is gt 1 }} {{ 2 is greaterthan 1 }} {{ 2 is ge 2 }} {{ 1 is lt 2 }} {{ 1 is lessthan 2 }} {{ 1 is le 1 }} {{ 1 is not none }} {{ not 1 is none }} {{ 3 is not odd and true }} {{ 1 is not in [1] }} {{ 'x' is string and 'y' is string }} {{ 4.0 is even }} {{ 2 is odd is sameas false if false else 'ok' }}
{{ range(3) }} {{ range(2, 5) | list }} {{ range(10, 0, -3) | list }} {{ range(0) | list }} {{ dict(a=1, b='x') }} {{ dict({'a': 1}, b=2) }} {{ dict([('k', 'v'), ['l', 2]]) }} {{ dict() }} {{ dict({'a': 1}.items()) }} {{ dict(**{'x': 1}) }} {{ dict(['ab', 'cd']) }}
{% set ns = namespace(a=1) %}{% set ns.b = 2 %}{% set ns.a = ns.a + 5 %}{{ ns.a }} {{ ns.b }} {{ ns.c }}| {{ ns['a'] }} {{ ns }} {{ ns.c is defined }} {% set n2 = namespace({'x': 1}, y=2) %}{{ n2.x + n2.y }} {% set ns.inner = n2 %}{{ ns.inner.x }} {% set n2.x, n2.y = 8, 9 %}{{ ns.inner.x }}{{ n2.y }}
{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{% set _ = c.reset() %}{{ c.current }} {% set j = joiner() %}{{ j() }}{{ j() }}{{ j() }} {% set j = joiner('; ') %}{% for i in [1, 2, 3] %}{{ j() }}{{ i }}{% endfor %} {% set j = joiner(sep='-') %}{{ j() }}x{{ j() }}
{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }} {% for i in [1] %}{% set x = 3 %}{{ x }}{% endfor %}{{ x }} {% with x = 9 %}{{ x }}{% set x = 10 %}{{ x }}{% endwith %}{{ x }} {% set a, b = 1, 2 %}{{ a }}{{ b }} {% set (a, b) = [3, 4] %}{{ a }}{{ b }} {% set a, (b, c) = 1, (2, 3) %}{{ c }} {% set t = 1, %}{{ t }}
{% set y %}block {{ 1 + 1 }}{% endset %}{{ y }} {% set y | upper %}abc{% endset %}{{ y }} {% set y | replace('a', 'b') | upper %}abc{% endset %}{{ y }} {% filter upper %}x{{ 'y' }}{% endfilter %} {% filter replace('a', 'o') | upper %}banana{% endfilter %} {% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q }}| {% with a = 1, b = a %}{{ a }}{{ b }}{% endwith %}
{% for i in [1, 2, 3] %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}
{% for i in [1, 2, 3] %}{{ loop.cycle('a', 'b') }}{{ loop.changed(i // 2) }}{% endfor %} {% for i in [] %}x{% else %}empty{% endfor %} {% for i in [1] %}x{% else %}empty{% endfor %} {% for k, v in {'a': 1}.items() %}{{ k }}={{ v }}{% endfor %} {% for i in range(6) if i is odd %}{{ i }}{{ loop.index }}/{{ loop.length }} {% endfor %} {% for i in range(6) if i > 9 %}{% else %}none{% endfor %} {% for a, b in [(1, 2), [3, 4], 'xy'] %}{{ a }}{{ b }}{% endfor %} {% for x in 'abc' %}{{ x }}{{ loop.last }}{% endfor %} {% for x in {'a': 1, 'b': 2} %}{{ x }}{% endfor %}
{% for i in range(5) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %} {% for i in [1, 2] %}{% for j in [3, 4] %}{{ loop.index }}{% if j == 3 %}{% continue %}{% endif %}{{ i }}{{ j }}{% endfor %}{{ loop.index }}{% endfor %} {% for i in [1, 2] %}{% set outer = loop %}{% for j in [1, 2] %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %} {% for i in [3, 1] | map('string') %}{{ loop.length }}{{ loop.last }}{{ i }}{% endfor %} {% for i in [1, 2, 3] %}{{ loop }}{% endfor %} {{ loop is defined }} {% for i in undef %}x{% else %}u{% endfor %}
{% for item in [{'n': 1, 'c': [{'n': 2, 'c': []}, {'n': 3, 'c': [{'n': 4, 'c': []}]}]}] recursive %}{{ item.n }}d{{ loop.depth }}({{ loop(item.c) }}){% endfor %} {% set ns = namespace(stop=false) %}{% for i in range(5) if not ns.stop %}{{ i }}{% if i == 2 %}{% set ns.stop = true %}{% endif %}{% endfor %}
{% macro m(a, b=2, c='x') %}[{{ a }},{{ b }},{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, c=3) }}{{ m(b=5, a=4) }}{{ m() }}{{ m(*[7, 8]) }}{{ m(**{'a': 1}) }} {{ m.name }} {{ m.arguments }} {{ m.catch_kwargs }} {{ m.catch_varargs }} {{ m.caller }} {{ m }} {{ m is callable }}
{% macro v() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ v(1, 2, a=3) }}{{ v() }} {% macro n(x, y=x) %}{{ x }}{{ y }}{% endmacro %}{{ n(1) }} {% macro w(a) %}{{ a }}{{ varargs | length }}{{ kwargs.k }}{% endmacro %}{{ w(1, 2, 3, k='z') }} {% macro rec(n) %}{{ n }}{% if n > 0 %}{{ rec(n - 1) }}{% endif %}{% endmacro %}{{ rec(3) }} {% macro up() %}a{% endmacro %}{{ up() | upper }}{{ up() ~ 'b' }}
{% macro box(t) %}<{{ t }}:{{ caller() }}>{% endmacro %}{% call box('T') %}in{{ 1 + 1 }}{% endcall %} {% macro each(xs) %}{% for x in xs %}{{ caller(x, loop.index) }}{% endfor %}{% endmacro %}{% call(x, i) each(['a', 'b']) %}{{ i }}{{ x }},{% endcall %} {% macro opt() %}{{ caller is defined }}{% if caller %}{{ caller() }}{% endif %}{% endmacro %}{{ opt() }}{% call opt() %}c{% endcall %} {% set g = 1 %}{% macro seeing() %}{{ g }}{% endmacro %}{% set g = 2 %}{{ seeing() }} {% for i in [1] %}{% macro inner() %}{{ i }}{% endmacro %}{{ inner() }}{% endfor %} {% macro sets() %}{% set g = 5 %}{{ g }}{% endmacro %}{{ sets() }}{{ g }}
{% block a %}A{{ 1 }}{% endblock %} {% block b scoped %}B{% endblock b %} {{ self.a() }} {% set v = 3 %}{% block c %}{{ v }}{% endblock %} {% for i in [1] %}{% block d %}{{ i }}{% endblock %}{% endfor %}| {% for i in [1] %}{% block e scoped %}{{ i }}{% endblock %}{% endfor %}
{% if 0 %}a{% elif '' %}b{% elif [] %}c{% else %}d{% endif %} {% if 1 %}a{% elif 1 %}b{% endif %} {% if 1 and 0 or 1 %}y{% endif %} {% if not x %}n{% endif %} {% if 'a' in 'abc' and 1 < 2 %}y{% endif %} {% print 1, 2 %} {% autoescape false %}{{ '<' }}{% endautoescape %} {% generation %}g{{ 1 }}{% set gg = 1 %}{% endgeneration %}{{ gg }}|
{# comment #}a{#- x -#} b {#- y #} c {% raw %}{{ raw }} {% x %}{% endraw %} {{ '{{' }} {{ '%}' }} {{ "}}" }} { { } } {% raw -%}  x  {%- endraw %}|
{{ m.content }} {{ m.role }} {{ m['content'] | length }} {{ m.content[0] }} {{ m.content | trim }} {{ m.content.strip() | upper }} {{ m.get('content', '') | lower }} {{ m.name }}| {{ m.content is string }}
{{ m.content.split() }} {{ m.content.splitlines() }} {{ m.content | replace('\n\n', '\n') }} {{ m.content[:8] }} {{ m.content[-5:] }} {{ m.content[::-1] }} {{ m.content | truncate(20) }} {{ m.content | title }} {{ m.content.title() }} {{ m.content | tojson }} {{ m.content | tojson(ensure_ascii=true) }} {{ [m.content] }} {{ m }}
{{ m.content | escape }} {{ m.content | striptags }} {{ m.content | wordwrap(12) }} {{ m.content | indent(2) }} {{ m.content | wordcount }} {{ m.content | urlencode }} {{ m.content | list | length }} {{ m.content | center(120) }}| {{ m.content.casefold() }} {{ m.content.expandtabs(4) }} {{ '%s' % m.content }} {{ '{:.5}'.format(m.content) }} {{ m.content.swapcase() }} {{ m.content | reverse }} {{ m.content | capitalize }}
{% for line in m.content.split('\n') %}{{ loop.index }}:{{ line }};{% endfor %} {% for c in m.content %}{% if c == 'o' %}0{% else %}{{ c }}{% endif %}{% endfor %} {{ m.content | map('upper') | join }} {{ m.content ~ m.content }} {{ m.content + '!' }} {{ m.content * 2 }} {{ 'Hello' in m.content }} {{ m.content.partition('Line') }} {{ m.content | select('in', 'aeiou') | join }} {{ m.content | sort | join }} {{ m.content.replace('', '_') }} {{ m.content | first }}{{ m.content | last }} {{ m.content | groupby(0) if false else '' }}{{ m.content.count('l') }} {{ m.content.find('Line') }} {{ m.content.startswith('  H') }}
{{ messages | length }} {{ messages[-1].role }} {{ messages[0]['content'][:3] }} {{ messages | map(attribute='role') | list }} {{ messages | selectattr('role', 'equalto', 'user') | list }} {{ messages[1:] }} {{ add_generation_prompt }} {{ tools }} {{ documents is none }} {{ bos_token }} {{ eos_token }} {{ tools is defined }} {{ tools is not none }} {{ xtools is not defined }}
{{ ''.join(['a', 'b'] | map('upper')) }} {{ (['a'] | map('upper') | list)[0] }} {{ ([1, 2, 3] | select('odd') | list | length) == 2 }} {{ ['a', 'b'] | join('\n') | indent(2, true) }} {{ (1, 2) | join | int + 1 }} {{ '1,2' .split(',') | map('int') | sum }} {{ {'a': [1, 2]} | items | first | last | last }} {{ [[1, 2], [3, 4]] | map('sum') | list }} {{ ['x'] * 2 | length if false else 0 }}
{{ 9007199254740993 }} {{ 2 ** 64 }} {{ 2 ** 100 }} {{ -(2 ** 70) }} {{ 10 ** 30 // 7 }} {{ 1e308 * 10 }} {{ -1e308 * 10 }} {{ 5 // 0.3 }} {{ 1 / 3 }} {{ 2 / 3 }} {{ 1e15 }} {{ 1e15 + 0.5 }} {{ 0.1 * 3 }} {{ 100.0 }} {{ 1.10 }} {{ 5e-324 }} {{ 1.7976931348623157e308 }} {{ 0.0001 }} {{ 0.00001234 }} {{ 123456.789e3 }} {{ -0.0 }} {{ 3.0 // 2 }} {{ 7 // 2.0 }} {{ 1e16 + 1 }}
{{ x.y if x is defined else 'nox' }} {{ (undef or 'a') }} {{ undef and 'a' }}| {{ [undef] }} {{ undef ~ 'a' }} {{ {'a': undef} }} {{ undef is none }} {{ undef == none }} {{ undef != 1 }} {{ undef in [undef2] }} {{ not undef }} {{ undef | list }} {{ undef | default(undef2) }}|
{{ [1, 2, 3] | last + 1 }} {{ 'a' 'b' | upper }} {{ -1 | abs + 1 }} {{ 2 ** 2 | string }} {{ not true | string == 'True' }} {{ 'a' ~ 'b' | upper }} {{ 'a' + 'b' | upper }} {{ ('a' + 'b') | upper }} {{ 1 in [1] and 2 in [2] }} {{ 'a' if true else 'b' | upper }} {{ [x for_ in y] if false }}
{{ (1, 'a')[1] }} {{ {'x': (1, 2)}.x[0] }} {{ [[1, 2], [3, 4]][1][0] }} {{ 'a.b'.split('.')[1].upper() }} {{ {'f': 'x'}['f'].upper()[0] }} {{ [1, 2, 3,] }} {{ {'a': 1,} }} {{ dict(a=1,) }} {{ (1, 2,) }} {{ ((1)) }} {{ ((1,),) }} {{ [(), []] }} {{ {'a': {}} }}
{{ 'é'.upper() }} {{ 'É' | lower }} {{ 'naïve café' | title }} {{ '你好'[0] }} {{ '😀x'[1] }} {{ '😀' | length }} {{ 'a😀b'[1:2] }} {{ 'añb'.find('b') }} {{ '你好世界' | truncate(3, true, '', 0) }} {{ 'ÅB'.casefold() }} {{ ['é', 'z', 'a'] | sort }} {{ 'é' < 'z' }} {{ '\U0001f600' }} {{ '\u4f60' }} {{ ['\u4f60'] }} {{ ['\ud7ff'] }}
"""

# Templates of several lines, and those whose blanks matter.
TEXTS = [
    "a\n{% if true %}\nb\n{% endif %}\nc\n",
    "a\r\n{% if true %}\r\nb\r\n{% endif %}\r\nc\r\n",
    "a\r{% if true %}\rb\r{% endif %}\rc\r",
    "a\n\n", "a\r\n\r\n", "a\r\r", "a\n\r", "\n", "\r\n", "", "a\r\n\n",
    "  {% if true %}  x  {% endif %}  \n  y",
    "x  {%- if true -%}  y  {%- endif -%}  z",
    "x  {%+ if true +%}\n  y  {%+ endif +%}\n  z",
    "  {%+ if true %}\nx{% endif %}",
    "a\n   {%- if true %}\n b\n {%- endif %}\nc",
    "a {{- 'x' -}} b", "a\n  {{ 'x' }}\n  b", "a\n {{- 'x' }} \n{{ 'y' -}}\n b", "  {{ 1 }}  {{ 2 }}  ",
    "a\n  {# c #}\n  b", "a\n  {#- c -#}\n  b", "a {# c\nd #} b", "  {#+ c +#}\n b", "{# {{ x }} {% y %} #}z",
    "{% for i in [1, 2] %}\n  {{ i }}\n{% endfor %}\n", "{% for i in [1, 2] -%}\n  {{ i }}\n{%- endfor %}\n!",
    "  {% set x = 1 %}\n  {% set y = 2 %}\n{{ x + y }}",
    "{% raw %}\n  {{ x }}\n{% endraw %}\n!", "a {%- raw -%}  {{ x }}  {%- endraw -%}  b", "  {% raw %} x {% endraw %}\n  y",
    "{{ 'a\r\nb' }}|{{ 'a\\r\\nb' }}", "{{ 'a\nb' }}", "{{\n  1\n  +\n  2\n}}", "{%\n  if true\n%}x{% endif %}",
    "{{ {'a': '}}'} }}", "{{ {'a': {'b': 1}}}}", "{{ '{% if %}' }}", "{{ 'a' }}}", "{ {{ 1 }} }", "{% if true %}{{ '%}' }}{% endif %}",
    "{%if true%}x{%endif%}", "{{1}}{{-1}}{{'a'}}", "{{ -1 }}", "{{-  1  -}}", "a{#b#}c{##}d",
    "\x1c{% if true %}\n\x1c x{% endif %}", "\u00a0 {%- if true %}x{% endif %}", "\u2003{% if true %}x{% endif %}",
    "{% macro m() %}\n  line\n{% endmacro %}\n[{{ m() }}]", "{% set x %}\n  t\n{% endset %}\n[{{ x }}]",
    "{% call m() %}x{% endcall %}" "", "{% generation %}\n  x\n{% endgeneration %}\ny",
    "{% if a %}\n1\n{% elif b %}\n2\n{% else %}\n3\n{% endif %}\nz", "a\n\t{% if true %}\n\tb\n\t{% endif %}\nc",
    "{% for x in [1,2,3] %}{% if loop.first %}first{% elif loop.last %}last{% else %}mid{% endif %} {% endfor %}",
    "{{ messages[0].content }}", "{%- for message in messages %}\n{{- message.role }}: {{ message.content | trim -}}\n{% endfor %}",
    "{{ strftime_now('%%') }}", "{{ strftime_now('x') }}", "{{ strftime_now is defined }}{{ raise_exception is defined }}",
    "{% if false %}{{ 'a' | nofilter }}{% endif %}x" "",
    "{% set ns = namespace(found=false) %}{% for m in messages %}{% if m.role == 'system' %}{% set ns.found = true %}{% endif %}{% endfor %}{{ ns.found }}",
    "{% macro j(x, d=0) %}{% if x is mapping %}{ {%- for k, v in x.items() %}{{ k }}:{{ j(v, d + 1) }}{{ ',' if not loop.last }}{% endfor -%} }{% elif x is string %}'{{ x }}'{% elif x is iterable %}[{% for v in x %}{{ j(v) }};{% endfor %}]{% else %}{{ x }}{% endif %}{% endmacro %}{{ j({'a': [1, 'b', {'c': none}], 'd': {'e': 1.5}}) }}",
    "{{ [1,\n2]|join(\n',')\n}}\n\n\n{{ 'end' }}\n\n",
    "{{ '\\u00e9\\x41\\n'|tojson }}", '{{ "a\\"b" }}{{ \'a\\\'b\' }}', "{{ 'a\\\nb' }}", "{{ '\\q\\0\\7' | tojson }}",
    "{% for i in [1,2] %}{{ i }}{% endfor %}{{ i }}", "{% for i in [1,2] %}{% set x = i %}{% endfor %}{{ x is defined }}",
    "{% set x = 0 %}{% for i in [1,2] %}{{ x }}{% set x = i %}{{ x }}{% endfor %}{{ x }}",
    "{{ x }}{% set x = 1 %}{{ x }}", "{% macro m() %}{{ y }}{% endmacro %}{% set y = 1 %}{{ m() }}",
    "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}",
    "{% for k in [1,2] %}{% for k in [3] %}{{ k }}{% endfor %}{{ k }}{% endfor %}",
    "{% with a = 1 %}{% with b = a + 1 %}{{ a }}{{ b }}{% endwith %}{% endwith %}{{ b is defined }}",
    "{% set a = [1, 2] %}{% set b = a + [3] %}{{ a }}{{ b }}", "{%- set x = 'a' -%}  \n  {{ x }}",
]

# jinja2 fails, with transformers' settings.
FAILS = r"""
{{ 'a' + 1 }}
{{ 1 + 'a' }}
{{ [1] + (2,) }}
{{ none + 1 }}
{{ undef + 1 }}
{{ undef.x }}
{{ undef['x'] }}
{{ undef() }}
{{ 'a'.nope() }}
{{ {'a': 1}.b.c }}
{{ 1 < 'a' }}
{{ none < 1 }}
{{ 1 in 5 }}
{{ 1 in 'abc' }}
{{ 1 / 0 }}
{{ 1 // 0 }}
{{ 1 % 0 }}
{{ 1.0 / 0 }}
{{ {[1]: 2} }}
{{ [1, 'a'] | sort }}
{{ [1, 'a'] | max }}
{{ 5 | length }}
{{ none | length }}
{{ 5 | list }}
{{ none | join }}
{{ 5 | first }}
{{ ([1] | map('string')) | last }}
{{ ([1] | map('string')) | length }}
{{ 'a' | abs }}
{{ none | round }}
{{ 2.5 | round(0, 'nope') }}
{{ undef | int }}
{{ undef | float }}
{{ 'x' | truncate(1) }}
{{ ['a'] | sum }}
{{ [1] | sum(start='') }}
{{ [[1]] | unique | list }}
{{ [1] | map | list }}
{{ [1] | map('nope') | list }}
{{ [1] | select('nope') | list }}
{{ 1 | nofilter }}
{{ 1 is notest }}
{{ 'a' | upper(1) }}
{{ 'a' | replace }}
{{ 'a' | trim(chars='a', x=1) }}
{{ 'a'.upper(1) }}
{{ 'a'.split('') }}
{{ 'a'.index('b') }}
{{ [1].index(2) }}
{{ 'a'.center(5, 'ab') }}
{{ ','.join([1]) }}
{{ 'a'.join(5) }}
{{ 'abc'[::0] }}
{{ messages[0].role['a':] }}
{% set x = messages | length %}{{ x[1:2] }}
{{ {'a': 1}.update({'b': 2}) }}
{{ [1].append(2) }}
{{ {'a': 1}.pop('a') }}
{{ [1].sort() }}
{{ ''.__class__() }}
{{ range(1000000) }}
{{ range(1, 2, 0) }}
{{ range('a') }}
{{ range() }}
{{ dict([1]) }}
{{ dict(1, 2) }}
{{ cycler() }}
{{ '%d' % 'a' }}
{{ '%s %s' % 'a' }}
{{ '%s' % ('a', 'b') }}
{{ '%z' % 1 }}
{{ '%(a)s' % 'x' }}
{{ '%(a)s' % {} }}
{{ '%' % () }}
{{ '%c' % 'ab' }}
{{ '{'.format() }}
{{ '}'.format() }}
{{ '{}'.format() }}
{{ '{a}'.format() }}
{{ '{:d}'.format('a') }}
{{ '{:s}'.format(1) }}
{{ '{} {0}'.format(1) }}
{{ '{!x}'.format(1) }}
{{ '{:q}'.format(1) }}
{{ '{:.2}'.format(1) }}
{{ '{:5}'.format(none) }}
{{ undef | tojson }}
{{ [undef] | tojson }}
{{ {(1, 2): 1} | tojson }}
{{ range(3) | tojson }}
{{ {'a': 1}.items() | tojson }}
{{ {1: 1, 'a': 2} | tojson(sort_keys=true) }}
{{ {'a': 1} | tojson(nope=1) }}
{{ -'a' }}
{{ -none }}
{{ [1] * 'a' }}
{{ 'a' * 1.5 }}
{% set a, b = 1 %}
{% set a, b = [1] %}
{% set a, b = [1, 2, 3] %}
{% for a, b in [1] %}{% endfor %}
{% for i in 5 %}{% endfor %}
{% for i in none %}{% endfor %}
{% set x = 1 %}{% set x.y = 2 %}
{% set ns = namespace() %}{% set ns._x = 2 %}
{{ namespace(__class__=1) }}
{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{% endmacro %}{{ m(b=1) }}
{% macro m(a) %}{{ a + 1 }}{% endmacro %}{{ m() }}
{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}
{{ 5() }}
{{ 'a'() }}
{{ [1] | batch }}
{{ {'a': 1} | dictsort(by='x') }}
{{ [1] | dictsort }}
{{ 5 | items | list }}
{{ {'a b': 1} | xmlattr }}
{{ 'a b' | wordwrap(0) }}
{{ none | indent }}
{{ none | wordwrap }}
{% for i in [1] %}{{ loop(i) }}{% endfor %}
{% for i in [1] %}{{ loop.cycle() }}{% endfor %}
{{ raise_exception('no') }}
{{ raise_exception() }}
{% include 'x' %}
{% extends 'x' %}
{% import 'x' as y %}
{% from 'x' import y %}
{% nope %}
{% endif %}
{% if %}{% endif %}
{% if true %}
{% for in x %}{% endfor %}
{% for i %}{% endfor %}
{% set 1 = 2 %}
{% set true = 1 %}
{% macro 1() %}{% endmacro %}
{% break %}
{% do 1 %}
{{ }}
{{ 1
{{ 1 }
{% if true }x{% endif %}
{{ (1 }}
{{ 1) }}
{{ [1, }}
{{ {'a' 1} }}
{{ 'a }}
{{ a b }}
{{ 1 2 }}
{{ . }}
{{ a. }}
{{ a[] }}
{{ f(a=1, 2) }}
{{ f(**a, b) }}
{{ 'a' | }}
{{ 'a' is }}
{{ 1 is odd is even }}
{{ x is defined is string }}
{{ 007 }}
{{ 'a' ! 'b' }}
{# open
{% raw %}open
{% block a %}{% endblock %}{% block a %}{% endblock %}
{% call 5 %}{% endcall %}
{% with a %}{% endwith %}
{% filter nope %}x{% endfilter %}
{{ super() }}
{{ caller() }}
{{ '\x4' }}
{{ '\uZZZZ' }}
{{ ns.x.y }}
{{ 1e400 | int }}
{{ 0 ** -1 }}
"""

# jinja2 renders these, and we refuse them by name.
REFUSED = [
    ("{% autoescape true %}{{ '<' }}{% endautoescape %}", "autoescape"),
    ("{{ lipsum(1) }}", "lipsum"),
    ("{{ [1] | random }}", "random"),
    ("{{ 'http://x.y' | urlize }}", "urlize"),
    ("{{ 'a'.encode() }}", "encode"),
    ("{{ '\\N{BULLET}' }}", "\\N"),
    ("{{ 2 ** 200 }}", "127 bits"),
    ("{{ 170141183460469231731687303715884105728 }}", "127 bits"),
    ("{{ ('9' * 60) | int }}", "127 bits"),
    ("{{ (-8) ** 0.5 }}", "complex"),
    ("{{ [1] | map('string') }}", "printing a generator"),
    ("{{ 'a'.upper }}", "printing a function"),
    ("{{ range }}", "printing a function"),
    ("{{ '&eacute;' | striptags }}", "&eacute;"),
    ("{{ ('x' * 90) | pprint }}", "pprint"),
    ("{{ (1.5).hex() }}", "hex"),
]


def render(template):
    compiled = _compile_jinja_template(template)
    return compiled.render(
        messages=[{"role": "system", "content": CONTENT}], add_generation_prompt=True, tools=None, documents=None,
        bos_token="<|endoftext|>", eos_token="<|im_end|>",
    )


def alone(line):
    """A line of expressions as templates of one each; statements stay together. With m for the message."""
    if "{%" in line or "{#" in line:
        return ["{% set m = messages[0] %}" + line]
    templates, part = [], ""
    for _, token, text in Environment().lex(line):
        part += text
        if token == "variable_end":
            templates.append(part if " m" not in part and "(m" not in part and "[m" not in part else "{% set m = messages[0] %}" + part)
            part = ""
    return [template.strip() for template in templates]


def main():
    lines = [json.dumps(CONTENT), ""]
    good = [template for line in LINES.strip().split("\n") for template in alone(line)] + TEXTS
    for template in good + FAILS.strip().split("\n"):
        try:
            answer = "= " + json.dumps(render(template))
        except NameError:
            # A bug of jinja2: constants that are infinite become the name `inf`.
            continue
        except Exception as error:
            answer = f"x {type(error).__name__}"
        if (template in good) != (answer[0] == "="):
            print(answer, template)
        lines += [json.dumps(template), answer, ""]
    for template, word in REFUSED:
        render(template)
        lines += [json.dumps(template), f"! {word}", ""]
    (HERE / "expressions.txt").write_text("\n".join(lines), encoding="ascii")


if __name__ == "__main__":
    main()
