"""The parts of an exported C file that are the same for every model, with $names to be filled in."""

HEADER = """/* $title

   Written by netwright. C99 that needs nothing but libm, allocates nothing, and keeps its numbers in const tables:
   cc -std=c99 -O3 -c $file.c

       #include "$file.h"

$example
   It may be called from several threads at once. */

#ifndef ${upper}_H
#define ${upper}_H

#ifdef __cplusplus
extern "C" {
#endif

#define ${upper}_INPUTS $inputs /* of the networks */

typedef $real ${prefix}_real;

$row
$prediction
$predict
#ifdef __cplusplus
}
#endif

#endif
"""

SOURCE = """/* $title

   Written by netwright; $file.h says how to call it. */

#include "$file.h"

#include <math.h>
#include <stddef.h>
$includes
typedef $real real;
"""

LAYER = """$types

/* Z = W·A1 + b. W is kept column by column, so that the inner loop goes over the neurons. */
${once}static void layer(const weight *restrict W, $parameters
                  int inputs, int neurons, const real *restrict A1, real *restrict Z)
{
    for (int j = 0; j < neurons; j++)
        Z[j] = $start;
    for (int i = 0; i < inputs; i++, W += neurons) {
        const real a = A1[i];
        if (a == 0) /* as most are of one-hot features */
            continue;
        for (int j = 0; j < neurons; j++)
            Z[j] += W[j] * a;
    }
$end}
"""

ONCE = """#ifdef __GNUC__
__attribute__((noinline)) /* a copy for each of many layers would take room and save no time */
#endif
"""
PLAIN_LAYER = {
    "parameters": "const weight *restrict b,",
    "start": "b[j]",
    "end": "",
}
INT8_LAYER = {
    "types": "typedef signed char weight; /* a neuron's are times top * steps[place[j]] */\n"
    "typedef $bias bias; /* times unit */",
    "parameters": "const bias *restrict b, const unsigned char *restrict place,\n"
    "                  real top, real unit,",
    "start": "0",
    "end": "    for (int j = 0; j < neurons; j++)\n        Z[j] = top * steps[place[j]] * Z[j] + unit * b[j];\n",
}

SOFTMAX = """/* A = exp(Z) / sum of exp(Z), in place. */
static void softmax(real *Z, int n)
{
    real most = Z[0], sum = 0;
    for (int j = 1; j < n; j++)
        most = most < Z[j] ? Z[j] : most;
    for (int j = 0; j < n; j++)
        sum += Z[j] = $exp(Z[j] - most);
    for (int j = 0; j < n; j++)
        Z[j] /= sum;
}
"""

ACTIVATION = """/* A = f(Z), in place. */
static void $name(real *Z, int n)
{
    for (int j = 0; j < n; j++) {
$definitions        Z[j] = $said;
    }
}
"""

HELPERS = {
    "larger": "static double larger(double a, double b)\n{\n    return a < b ? b : a;\n}\n",
    "smaller": "static double smaller(double a, double b)\n{\n    return a > b ? b : a;\n}\n",
    "largerf": "static float largerf(float a, float b)\n{\n    return a < b ? b : a;\n}\n",
    "smallerf": "static float smallerf(float a, float b)\n{\n    return a > b ? b : a;\n}\n",
}

SPACE = """static int is_space(char c)
{
    return c == ' ' || (c >= 9 && c <= 13) || (c >= 28 && c <= 31);
}
"""

LOOKUP = """typedef unsigned $offset offset;

/* The place of the key that the text of so many characters is, of n keys in order, which start where `starts` says;
   -1 if none is. */
static int found(const char *keys, const offset *starts, int n, const char *text, size_t length)
{
    int low = 0, high = n;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        const char *key = keys + starts[middle];
        int order = strncmp(key, text, length);
        if (order == 0)
            order = key[length] != 0;
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

/* The same, else without the white space around the text. */
static int place(const void *keys, const offset *starts, int n, const char *text)
{
    size_t length = strlen(text);
    int at = found(keys, starts, n, text, length);
    if (at >= 0)
        return at;
    while (length > 0 && is_space(*text))
        text++, length--;
    while (length > 0 && is_space(text[length - 1]))
        length--;
    return found(keys, starts, n, text, length);
}
"""

EXPONENT = """    /* sharper or softer */
    real sum = 0;
    for (int k = 0; k < $outputs; k++) {
        const real P = $smaller($larger(A[k], $least), 1);
$other        A[k] = $pow(P, $exponent);
        sum += A[k];
    }
    for (int k = 0; k < $outputs; k++)
        A[k] /= sum;
"""
OTHER = "        sum += $pow($smaller($larger(1 - A[k], $least), 1), $exponent);\n"

LIMITS = """    for (int k = 0; k < $outputs; k++)
        A[k] = $smaller($larger(A[k], $low), $high);
"""

BEST = """/* The first place of the highest. */
static int best(const real *P, int n)
{
    int at = 0;
    for (int k = 1; k < n; k++)
        at = P[k] > P[at] ? k : at;
    return at;
}
"""

DRIVER = """#include "$file.h"

#include <stdio.h>
#include <stdlib.h>

static char texts[$room];
static size_t used;

static void get(void *where, size_t size)
{
    if (fread(where, 1, size, stdin) != size)
        exit(1);
}

static double number(void)
{
    double x;
    get(&x, sizeof x);
    return x;
}

static const char *text(void)
{
    int length;
    char *start = texts + used;
    get(&length, sizeof length);
    if (length < 0)
        return NULL;
    get(start, (size_t)length);
    start[length] = 0;
    used += (size_t)length + 1;
    return start;
}

int main(void)
{
    (void)number;
    (void)text;
    for (int row = 0; row < $rows; row++) {
        used = 0;
$read$print        printf("\\n");
    }
    return 0;
}
"""
