"""How C says it: numbers, texts, names, comments, tables and the operations of expressions."""

import re
import unicodedata

import numpy as np

from netwright.core.arguments import Array
from netwright.export.expression import Words
from netwright.export.numbers import spell

ENDLESS = {"nan": "NAN", "in": "INFINITY", "-in": "-INFINITY"}  # without an f behind
LONGEST = 4000  # bytes of a string: C99 promises no more than 4095
# C's, C++'s, and what headers or compilers make macros of.
RESERVED = """
auto break case char const continue default do double else enum extern float for goto if inline int long
register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
alignas alignof bool constexpr false nullptr static_assert thread_local true typeof typeof_unqual asm fortran
complex imaginary noreturn generic atomic and and_eq bitand bitor catch class compl concept consteval constinit
const_cast co_await co_return co_yield decltype delete dynamic_cast explicit export friend mutable namespace new
noexcept not not_eq operator or or_eq private protected public reinterpret_cast requires static_cast template
this throw try typeid typename using virtual wchar_t char8_t char16_t char32_t xor xor_eq final override import
module errno math_errhandling stdin stdout stderr assert offsetof linux unix i386 near far small huge interface null
nan infinity
"""


class Names:
    """Identifiers of C, each another; `behind`: what is made of each beside."""

    def __init__(self, behind: str = "") -> None:
        self.taken = set[str]()
        self.behind = behind

    def name(self, said: str) -> str:
        """An identifier that looks like what was said."""
        plain = unicodedata.normalize("NFKD", said).encode("ascii", "ignore").decode()
        plain = re.sub(r"\W+", "_", plain).strip("_")[:60]
        if plain.upper() == plain:  # a macro, perhaps
            plain = plain.lower()
        if not plain or plain[0].isdigit() or plain.lower() in RESERVED.split():
            plain = f"c_{plain}".rstrip("_") if plain else "c"
        chosen, n = plain, 1
        while {chosen, chosen + self.behind} & self.taken:
            n += 1
            chosen = f"{plain}_{n}"
        self.taken |= {chosen, chosen + self.behind}
        return chosen


def comment(words: str) -> str:
    """Any text in a comment: ASCII alone, on one line, with nothing that ends it."""
    said = ascii(words)[1:-1].replace("\\", "/").replace('"', "'")
    return said.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?").replace("??", "? ?")


def quoted(words: str) -> str:
    """A string, UTF-8. ValueError for what is no Unicode or has a 0 in it, which ends a string of C."""
    try:
        data = words.encode()
    except UnicodeEncodeError:
        raise ValueError(f"a string of C cannot hold {words[:50]!r}: it is no Unicode") from None
    if 0 in data:
        raise ValueError(f"a string of C cannot hold {words[:50]!r}: a character 0 ends it")
    if len(data) > LONGEST:
        raise ValueError(f"a string of C cannot hold the {len(data):,} bytes of {words[:50]!r}...: it takes 4,095")
    return '"' + "".join(chr(byte) if _plain(byte) else f"\\{byte:03o}" for byte in data) + '"'


def _plain(byte: int) -> bool:
    return 32 <= byte < 127 and chr(byte) not in '"\\?'


def number(x: float, single: bool = False) -> str:
    """A constant, to the bit."""
    (said,) = _spelled(np.array([x]), "float" if single else "double")
    return f"({said})" if said.startswith("-") else said


def _spelled(values: Array, kind: str) -> list[str]:
    """Numbers of the kind "float" or "double"; one that float has not is not written, as a compiler would complain."""
    said = [f"{x!s}f" for x in single(values)] if kind == "float" else [*map(spell, values.tolist())]
    return said if np.isfinite(single(values)).all() else [ENDLESS.get(each.rstrip("f"), each) for each in said]


def single(values: Array) -> Array:
    """As float32."""
    with np.errstate(over="ignore", under="ignore"):
        return values.astype(np.float32)


def table(kind: str, name: str, values: Array, numbers: str = "") -> str:
    """A const table; `kind` "unsigned" is the smallest that holds them. `numbers`: "float", "double" or whole ones."""
    if kind == "unsigned":
        most = int(values.max(initial=0))
        kind = "unsigned char" if most < 256 else "unsigned short" if most < 65536 else "int"
    said = _spelled(values, numbers) if numbers in ("float", "double") else [*map(str, values.tolist())]
    lines, line = [], ""
    for each in said:
        if len(line) + len(each) > 112:
            lines.append(line)
            line = ""
        line += f"{each}, "
    shown = "\n".join(f"    {each.rstrip()}" for each in [*lines, line])
    return f"static const {kind} {name}[{len(said)}] = {{\n{shown}\n}};\n"


def tidy(said: str) -> str:
    """Without the parentheses that stand around a whole expression or around other ones."""
    opened, partner = list[int](), dict[int, int]()
    for place, c in enumerate(said):
        if c == "(":
            opened.append(place)
        elif c == ")":
            partner[opened.pop()] = place
    gone = set[int]()
    for first, last in partner.items():
        if (first, last) == (0, len(said) - 1) or partner.get(first - 1) == last + 1:
            gone |= {first, last}
    return "".join(c for place, c in enumerate(said) if place not in gone)


def texts(name: str, keys: list[str]) -> tuple[str, Array]:
    """(one object with all of these strings, each behind the other, where each starts in it)."""
    sizes = [len(key.encode("utf-8", "surrogatepass")) + 1 for key in keys]
    members = "\n".join(f"    char k{place}[{size}];" for place, size in enumerate(sizes))
    listed = "".join(f"    {quoted(key)},\n" for key in keys)
    starts = np.cumsum([0, *sizes])[:-1]
    return f"static const struct {{\n{members}\n}} {name} = {{\n{listed}}};\n", starts


SAME = ("exp", "expm1", "log", "log1p", "sqrt", "tanh", "sin", "cos", "floor")
CALLS = {name: name for name in SAME} | {
    "absolute": "fabs", "power": "pow", "maximum": "larger", "minimum": "smaller"}  # fmt: skip
BINARY = ("power", "maximum", "minimum")
ARITHMETIC = {
    "add": "({0} + {1})", "subtract": "({0} - {1})", "multiply": "({0} * {1})", "divide": "({0} / {1})",
    "negative": "(-{0})", "greater": "({0} > {1})", "greater_equal": "({0} >= {1})", "less": "({0} < {1})",
    "less_equal": "({0} <= {1})", "equal": "({0} == {1})", "not_equal": "({0} != {1})", "where": "({0} ? {1} : {2})",
}  # fmt: skip


def _words(f: str) -> Words:
    calls = {name: f"{called}{f}({'{0}, {1}' if name in BINARY else '{0}'})" for name, called in CALLS.items()}
    return Words({**ARITHMETIC, **calls}, lambda x: number(x, f == "f"), "{0} = {1};")


DOUBLE = _words("")
FLOAT = _words("f")
