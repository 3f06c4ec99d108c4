"""A main for an exported C file: a table with a header on stdin, its predictions on stdout."""

from string import Template

from netwright.export.c_words import quoted
from netwright.export.program import NumberColumn, Program, TextColumn
from netwright.tables.text import NULLS

READ = r"""/* ── as a program: cc -std=c99 -O3 $file.c -lm -o predict; ./predict < table.csv ── */

enum { ROOM = 1 << 20, MOST = 1 << 14, COLUMNS = $columns }; /* of a row: its bytes, its cells */

static char record[ROOM];
static char *cells[MOST];

/* How many cells the next row has; they may be quoted, with "" for a quote. -1 at the end, -2 without room.
   first: of the file, where a mark may stand that says UTF-8. */
static int next_record(int first)
{
    size_t used = 0;
    int n = 0, quoted = 0, c = getchar();
    if (c == EOF)
        return -1;
    cells[0] = record;
    for (;; c = getchar()) {
        if (used + 2 > ROOM || n + 2 > MOST)
            return -2;
        if (quoted && c == '"') {
            c = getchar();
            quoted = c == '"';
            if (quoted) {
                record[used++] = '"';
                continue;
            }
        } else if (c == '"' && !quoted && cells[n] == record + used) {
            quoted = 1;
            continue;
        }
        if (c == '\r' && !quoted) {
            c = getchar();
            if (c != '\n')
                ungetc(c, stdin);
            c = '\n';
        }
        if (c != EOF && (quoted || (c != ',' && c != '\n'))) {
            record[used++] = (char)c;
            if (first && !quoted && n == 0 && used == 3 && memcmp(record, "\357\273\277", 3) == 0)
                used = 0;
            continue;
        }
        record[used++] = 0;
        n++;
        if (c != ',')
            return n;
        cells[n] = record + used;
    }
}

static void failed(const char *what, const char *name, long row)
{
    fprintf(stderr, "row %ld: %s, in the column '%s'\n", row, what, name);
    exit(1);
}
"""

MISSING = r"""
/* Whether a cell says that nothing is known: empty, or one of the words for it. */
static int is_missing(const char *cell)
{
    static const char *const words[] = {$nulls};
    for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
        const size_t size = strlen(words[k]);
        if (strncmp(cell, words[k], size) == 0 && cell[size + strspn(cell + size, " \t")] == 0)
            return 1;
    }
    return 0;
}
"""

NUMBER = """
static double number_of(const char *cell, const char *name, long row)
{
    char *end;
    double x;
    while (is_space(*cell))
        cell++;
    if (is_missing(cell))
        return NAN;
    x = strtod(cell, &end);
    if (end != cell + strspn(cell, "+-.eE0123456789") || isinf(x)) /* and no hexadecimal or endless one */
        failed("no number", name, row);
    while (is_space(*end))
        end++;
    if (*end != 0)
        failed("no number", name, row);
    return x;
}
"""

DATE = """
/* Microseconds since 1970 of 2020-01-31, of 2020-01-31T12:30:00.5, with Z or +01:00 behind, or as a number. */
static double date_of(const char *cell, const char *name, long row)
{
    static const int lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day, hour = 0, minute = 0, more_hours = 0, more_minutes = 0, used = 0, next = 0;
    double seconds = 0;
    char sign[2] = "+";
    while (is_space(*cell))
        cell++;
    if (sscanf(cell, "%4d-%2d-%2d%n", &year, &month, &day, &used) != 3) {
        const double t = number_of(cell, name, row);
        if (fabs(t) >= 1000 && fabs(t) < 1e10) /* rather a year, 20200131, or seconds */
            failed("no date", name, row);
        return t;
    }
    cell += used;
    if ((*cell == 'T' || *cell == ' ') && sscanf(cell + 1, "%2d:%2d%n", &hour, &minute, &next) == 2) {
        cell += 1 + next;
        if (*cell == ':' && sscanf(cell + 1, "%lf%n", &seconds, &next) == 1)
            cell += 1 + next;
    }
    while (is_space(*cell))
        cell++;
    if (*cell == 'Z')
        cell++;
    else if (sscanf(cell, "%1[+-]%2d:%2d%n", sign, &more_hours, &more_minutes, &next) == 3 ||
             sscanf(cell, "%1[+-]%2d%2d%n", sign, &more_hours, &more_minutes, &next) == 3)
        cell += next;
    while (is_space(*cell))
        cell++;
    if (*cell != 0 || year < 1 || month < 1 || month > 12 || day < 1 || day > lengths[month - 1] ||
        (month == 2 && day == 29 && (year % 4 != 0 || (year % 100 == 0 && year % 400 != 0))) ||
        hour < 0 || hour > 23 || minute < 0 || minute > 59 || !(seconds >= 0 && seconds < 60))
        failed("no date", name, row);
    {
        const long Y = year - (month < 3), march = month + (month < 3 ? 9 : -3);
        const double days = (double)(365 * Y + Y / 4 - Y / 100 + Y / 400 + (153 * march + 2) / 5 + day - 719469);
        const double behind = (more_hours * 60 + more_minutes) * (*sign == '-' ? -1 : 1);
        return ((days * 24 + hour) * 60 + minute - behind) * 6e7 + floor(seconds * 1e6 + 0.5);
    }
}
"""

TEXT = """
static const char *text_of(const char *cell)
{
    return *cell == 0 ? NULL : cell;
}
"""

LEVEL = """
/* A number as levels are spelled: 3.0 is 3. */
static const char *level_of(char *cell)
{
    char *end, *point = strchr(cell, '.');
    while (is_space(*cell))
        cell++;
    end = cell + strlen(cell);
    while (end > cell && is_space(end[-1]))
        end--;
    if (point != NULL && end == cell + strspn(cell, "+-0123456789.") && strchr(point + 1, '.') == NULL) {
        while (end[-1] == '0')
            end--;
        end -= end == point + 1 && point > cell;
    }
    *end = 0;
    return is_missing(cell) ? NULL : cell;
}
"""

MAIN = r"""
/* Whether a cell of the header is that name; loose: with spaces around it. */
static int is_name(const char *cell, const char *name, int loose)
{
    const size_t size = strlen(name);
    while (loose && is_space(*cell))
        cell++;
    if (strncmp(cell, name, size) != 0)
        return 0;
    for (cell += size; loose && is_space(*cell);)
        cell++;
    return *cell == 0;
}

static void print_text(const char *text)
{
    if (strpbrk(text, ",\"\r\n") == NULL) {
        fputs(text, stdout);
        return;
    }
    putchar('"');
    for (; *text != 0; text++) {
        if (*text == '"')
            putchar('"');
        putchar(*text);
    }
    putchar('"');
}

int main(void)
{
    static const char *const names[COLUMNS] = {
$names    };
    static const char *const header[] = {
$header    };
    int where[COLUMNS], n;
    const int count = next_record(1);
    for (int j = 0; j < COLUMNS; j++) {
        where[j] = count;
        for (int loose = 0; loose < 2 && where[j] == count; loose++)
            for (where[j] = 0; where[j] < count && !is_name(cells[where[j]], names[j], loose);)
                where[j]++;
        if (where[j] >= count)
            failed("it is not there", names[j], 1);
    }
    for (size_t k = 0; k < sizeof header / sizeof *header; k++) {
        fputs(k > 0 ? "," : "", stdout);
        print_text(header[k]);
    }
    puts("");
    for (long row = 2; (n = next_record(0)) != -1; row++) {
        ${prefix}_prediction said;
$declared
        if (n == 1 && *cells[0] == 0 && count > 1)
            continue;
        if (n != count) {
            fprintf(stderr, "row %ld: it has not as many cells as the header, or more than there is room for\n", row);
            return 1;
        }
$read        ${prefix}_predict($given, &said);
$print        puts("");
    }
    return fflush(stdout) != 0;
}
"""

PLAIN = """        for (int j = 0; j < COLUMNS; j++) {
            const double given = $number;
            if (isnan(given))
                failed("no number", names[j], row);
            x[j] = (${prefix}_real)given;
        }
"""

READERS = {"number": NUMBER, "date": DATE, "text": TEXT, "level": LEVEL}


def main(program: Program, file: str, prefix: str, real: str, fields: list[str], results: list[str]) -> str:
    """The text; `fields` and `results` are the names in the row and in the prediction."""
    columns = program.columns
    kinds = [*map(_kind, columns)] or ["number"]
    names = [each.name for each in columns] or list(program.names)
    if columns:
        declared = f"        {prefix}_row x;"
        read = "".join(
            f"        x.{field} = {_read(kind, j)};\n"
            for j, (field, kind) in enumerate(zip(fields, kinds, strict=True))
        )
    else:
        declared = f"        {prefix}_real x[COLUMNS];"
        read = Template(PLAIN).substitute(prefix=prefix, number=_read("number", "j"))
    header, printed = _printed(program, real, prefix, results)
    parts = [MISSING] * ({*kinds} != {"text"})
    parts += [READERS[kind] for kind in READERS if kind in kinds or (kind == "number" and "date" in kinds)]
    return Template("".join([READ, *parts, MAIN])).substitute(
        file=file,
        prefix=prefix,
        columns=len(names),
        nulls=", ".join(map(quoted, NULLS)),
        names="".join(f"        {quoted(name)},\n" for name in names),
        header="".join(f"        {quoted(name)},\n" for name in header),
        declared=declared,
        read=read,
        given="&x" if columns else "x",
        print=printed,
    )


def _kind(column: NumberColumn | TextColumn) -> str:
    if isinstance(column, TextColumn):
        return "level" if column.was == "number" else "text"
    return column.kind


def _read(kind: str, j: int | str) -> str:
    more = "" if kind in ("text", "level") else f", names[{j}], row"
    return f"{kind}_of(cells[where[{j}]]{more})"


def _printed(program: Program, real: str, prefix: str, results: list[str]) -> tuple[list[str], str]:
    """(the header, the statements that print a row)."""
    digits, header, lines = 9 if real == "float" else 17, list[str](), list[str]()
    for name, target in zip(results, program.targets, strict=True):
        lines += ["putchar(',');"] * bool(header)
        header.append(target.name)
        if not target.classes:
            lines.append(f'printf("%.{digits}g", said.{name});')
            continue
        header += [f"probability of {each}" for each in target.classes]
        lines += [
            f"print_text({prefix}_{name}_classes[said.{name}]);",
            f"for (int k = 0; k < {target.values}; k++)",
            f'    printf(",%.{digits}g", said.{name}_P[k]);',
        ]
    return header, "".join(f"        {line}\n" for line in lines)
