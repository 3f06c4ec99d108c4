"""The parts of an exported ES module that are the same for every model."""

HEADING = """/*
 * {title}
 *
 * Written by netwright: one ES module for Node and browsers, with no dependency.
 *
 *   import {{ {names} }} from "./{name}.mjs";
 *   predict(row);
 *
 * {takes}
 *
{columns}
 */

/**
 * @typedef {{string | number | bigint | boolean | Date | null | undefined}} Value
 * @typedef {{{row}Record<string, Value> | Map<string, Value>}} Row
 * @typedef {{string | number | boolean}} Label
 * @typedef {{{{ label: Label, probability: number }}}} Probability
 * @typedef {{{{ name: string, value: Label, probabilities?: Probability[] }}}} Answer
 * @typedef {{{{
 *   name: string, kind: "number" | "date" | "text", levels?: string[],
 *   middle?: number, spread?: number, low?: number, high?: number,
 * }}}} Column
 * @typedef {{{{
 *   name: string, first: number, outputs: number, classes: Label[], mean: number, std: number,
 * }}}} Target
 * @typedef {{(Z: Float64Array) => Float64Array}} Activation
 */
"""

COLUMNS = """/**
 * The columns of a row, as a form needs them: a text's levels in training; of a number, or a date in microseconds since
 * 1970, the middle of training's values, about how far they are from it, and a usual range.
 * @type {{Column[]}}
 */
export const columns = [
{columns}
];"""

TARGETS = """/**
 * What is predicted: of the outputs from `first` on the probabilities of the classes, or a number, mean + std · A.
 * @type {{Target[]}}
 */
export const targets = [
{targets}
];"""

READ = r"""/** A row's value: of an object its own property, or of a Map. @type {(row: any, name: string) => any} */
const read = (row, name) => {
  if (row instanceof Map ? row.has(name) : Object.prototype.hasOwnProperty.call(row, name)) {
    return row instanceof Map ? row.get(name) : row[name];
  }
  throw new TypeError(`the row has no column ${JSON.stringify(name)}`);
};

const DECIMAL = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i;"""

NUMBER = """/**
 * A row's number, or NaN where it is missing: null, undefined, NaN, or a text of spaces.
 * @type {(row: Row, name: string) => number}
 */
const number = (row, name) => {
  const value = read(row, name), text = typeof value === "string";
  if (value === null || value === undefined || Number.isNaN(value) || (text && !value.trim())) return NaN;
  const x = typeof value === "object" || (text && !DECIMAL.test(value)) ? NaN : Number(value);
  if (!Number.isFinite(x)) throw new TypeError(`column ${JSON.stringify(name)}: ${String(value)} is not a number`);
  return x;
};"""

DATE = r"""const TIME = // date, hours, minutes, seconds, parts of a second, zone
  /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?)? ?(?:Z|([+-]\d\d):?(\d\d))?$/;

/**
 * A row's date in microseconds since 1970: of a Date, an ISO text (in UTC where it names no zone), or such a number;
 * NaN where it is missing.
 * @type {(row: Row, name: string) => number}
 */
const microseconds = (row, name) => {
  const value = read(row, name);
  if (value instanceof Date) return value.getTime() * 1000;
  if (typeof value !== "string" || !value.trim()) return number(row, name);
  const [, date, h = "0", m = "0", s = "0", parts = "", ahead = "0", more = "0"] = TIME.exec(value.trim()) ?? [];
  const days = Date.parse(`${date}T00:00:00Z`);
  const there = !Number.isNaN(days) && new Date(days).toISOString().startsWith(date); // as the 30th of February is not
  if (!there || Number(h) > 23 || Number(m) > 59 || Number(s) > 59) {
    throw new TypeError(`column ${JSON.stringify(name)}: ${JSON.stringify(value)} is no date, as 2024-02-29T12:30Z is`);
  }
  const zone = 60 * Number(ahead) + (ahead.startsWith("-") ? -Number(more) : Number(more));
  const seconds = 3600 * Number(h) + 60 * (Number(m) - zone) + Number(s);
  return days * 1000 + seconds * 1e6 + Number(parts.padEnd(6, "0"));
};"""

TEXT = r"""/**
 * A value as training spelled it: 3.0 is "3", 1e-7 is "1e-07", true is "true", a Date at midnight its day alone.
 * @type {(value: any, was: string) => string}
 */
const spelled = (value, was) => {
  if (value instanceof Date || (was === "date" && typeof value === "string")) {
    const time = value instanceof Date ? value.toISOString() : value.trim().replace(/^([\d-]{10}) (?=\d)/, "$1T");
    const full = time.replace(/(\.0+)?Z?$/, "").replace(/T\d\d:\d\d$/, "$&:00").replace(/T00:00:00$/, "");
    return full.replace(/\.\d{1,5}$/, (parts) => parts.padEnd(7, "0"));
  }
  const x = was === "number" && typeof value === "string" && DECIMAL.test(value) ? Number(value) : value;
  if (typeof x !== "number" || !Number.isFinite(x) || Number.isSafeInteger(x)) return String(x);
  const [digits, power] = x.toExponential().split("e");
  if (Number(power) >= -4 && Number(power) < 16) return String(x) + (Number.isInteger(x) ? ".0" : "");
  return `${digits}e${power[0]}${power.slice(1).padStart(2, "0")}`;
};

/** @typedef {{ codes: Map<string, number>, was: string, rows: number[][][], unseen: number, missing: number }} Texts */

/**
 * The features of a text, those that are not 0 as [place, number]. It is looked up as it is, then without the spaces
 * around it.
 * @type {(texts: Texts, row: Row, name: string) => number[][]}
 */
const found = ({ codes, was, rows, unseen, missing }, row, name) => {
  const value = read(row, name);
  if (value === null || value === undefined || Number.isNaN(value)) return rows[missing];
  const text = spelled(value, was), bare = text.replace(/^[ \t\n\r\f\v]+|[ \t\n\r\f\v]+$/g, "");
  return rows[codes.get(text) ?? codes.get(bare) ?? (was === "truth" ? codes.get(bare.toLowerCase()) : null) ?? unseen];
};

/**
 * The places of a column's levels, and of their other spellings.
 * @type {(column: Column, others: [string, number][]) => Map<string, number>}
 */
const coded = ({ levels = [] }, others) =>
  new Map([...levels.map((level, place) => /** @type {[string, number]} */ ([level, place])), ...others]);"""

PLAIN = """/** The network's inputs, none of which may be missing. @type {{(row: Row) => Float64Array}} */
const features = (row) => {{
  const listed = Array.isArray(row) || ArrayBuffer.isView(row), A = new Float64Array({inputs});
  const length = listed ? /** @type {{ArrayLike<number>}} */ (row).length : A.length;
  if (length !== A.length) throw new TypeError(`a row has {inputs} numbers, got ${{length}}`);
  columns.forEach(({{ name }}, i) => (A[i] = number(row, listed ? String(i) : name)));
  const gap = A.findIndex(Number.isNaN);
  if (gap >= 0) throw new TypeError(`column ${{JSON.stringify(columns[gap].name)}}: the number is missing`);
  return A;
}};"""

LAYER = """/**
 * A = f(Z), Z = W·A1 + b; W is (neurons, inputs), row by row. Four sums at once, which do not wait for each other.
 * @type {(layer: Layer, A1: Float64Array) => Float64Array}
 */
const layer = ([W, b, f], A1) => {
  const Z = new Float64Array(b.length), inputs = A1.length;
  for (let i = 0, at = 0; i < b.length; i++) {
    let z0 = 0, z1 = 0, z2 = 0, z3 = 0, j = 0;
    for (; j + 3 < inputs; j += 4, at += 4) {
      z0 += W[at] * A1[j];
      z1 += W[at + 1] * A1[j + 1];
      z2 += W[at + 2] * A1[j + 2];
      z3 += W[at + 3] * A1[j + 3];
    }
    for (; j < inputs; j++, at++) z0 += W[at] * A1[j];
    Z[i] = z0 + z1 + (z2 + z3) + b[i];
  }
  return f(Z);
};"""

EACH = """/** f of each number. @type {(f: (z: number) => number) => Activation} */
const each = (f) => (Z) => {
  for (let i = 0; i < Z.length; i++) Z[i] = f(Z[i]);
  return Z;
};"""

SOFTMAX = """/** A softmax of each of the blocks, one after the other. @type {(blocks: number[]) => Activation} */
const softmax = (blocks) => (Z) => {
  let start = 0;
  for (const size of blocks) {
    const block = Z.subarray(start, (start += size)), most = block.reduce((a, z) => Math.max(a, z));
    let sum = 0;
    for (let i = 0; i < size; i++) sum += block[i] = Math.exp(block[i] - most);
    for (let i = 0; i < size; i++) block[i] /= sum;
  }
  return Z;
};"""

HALF = """/** A number of 16 bits: sign, exponent, fraction. @type {(bits: number) => number} */
const half = (bits) => {
  const fraction = (bits & 1023) / 1024, exponent = (bits >> 10) & 31;
  const size = exponent ? (1 + fraction) * 2 ** (exponent - 15) : fraction * 2 ** -14;
  return bits >> 15 ? -size : size;
};"""

PACKED = """// All W and b, one after the other, the lowest byte first.
const packed = atob(`
{weights}
`);
const bytes = new DataView(new ArrayBuffer(packed.length));
for (let i = 0; i < packed.length; i++) bytes.setUint8(i, packed.charCodeAt(i));
let at = 0;
/** The next of them. @type {{(count: number) => {array}}} */
const next = (count) => {{
  const taken = new {array}(count);
  for (let i = 0; i < count; i++, at += {size}) taken[i] = {read};
  return taken;
}};"""

OUTPUTS = """/** What the networks say together: Σ share · A. @type {{(row: Row) => Float64Array}} */
const outputs = (row) => {{
  const A1 = features(row), total = new Float64Array({outputs});
  networks.forEach((layers, n) => {{
    const A = layers.reduce((A, each) => layer(each, A), A1);
    for (let i = 0; i < total.length; i++) total[i] += shares[n] * A[i];
  }});
{exponent}{limits}  return total;
}};"""

EXPONENT = """  // sharper or softer probabilities
  const power = (/** @type {{number}} */ p) => Math.pow(Math.min(Math.max(p, 1e-12), 1), {exponent});
  const powers = total.map(power), other = total.length === 1 ? power(1 - total[0]) : 0;
  const sum = powers.reduce((sum, p) => sum + p, 0) + other;
  powers.forEach((p, i) => (total[i] = p / sum));
"""

LIMITS = """  total.forEach((a, i) => (total[i] = Math.min(Math.max(a, {low}), {high})));
"""

ANSWERS = """/**
 * A target's number alone, or its classes' probabilities.
 * @type {(target: Target, A: Float64Array) => number[]}
 */
const numbersOf = ({ first, outputs, classes, mean, std }, A) => {
  const own = [...A.subarray(first, first + outputs)];
  if (!classes.length) return [mean + std * own[0]];
  return outputs < classes.length ? [1 - own[0], own[0]] : own;
};

/** All targets' numbers for a row, one after the other. @type {(row: Row) => number[]} */
export const values = (row) => {
  const A = outputs(row);
  return targets.flatMap((target) => numbersOf(target, A));
};

/** For each target what is predicted: a number, or a label and the probabilities. @type {(row: Row) => Answer[]} */
export const answers = (row) => {
  const A = outputs(row);
  return targets.map((target) => {
    const { name, outputs, classes } = target, P = numbersOf(target, A);
    if (!classes.length) return { name, value: P[0] };
    const likeliest = () => P.reduce((best, p, i) => (p > P[best] ? i : best), 0);
    const best = outputs < classes.length ? Number(P[1] > 0.5) : likeliest();
    return { name, value: classes[best], probabilities: classes.map((label, i) => ({ label, probability: P[i] })) };
  });
};"""

NUMBER_ALONE = """/** The number for a row. @type {(row: Row) => number} */
export const predict = (row) => values(row)[0];"""

LABEL_ALONE = """/** The label for a row. @type {(row: Row) => Label} */
export const predict = (row) => answers(row)[0].value;

/** The probabilities for a row, in the classes' order. @type {(row: Row) => Probability[]} */
export const predictProba = (row) => answers(row)[0].probabilities ?? [];"""

SEVERAL = """/** The numbers or labels for a row, in the order of the targets. @type {(row: Row) => Label[]} */
export const predict = (row) => answers(row).map((each) => each.value);"""

SEVERAL_PROBABILITIES = """
/** The probabilities for a row: for each target with classes, in their order. @type {(row: Row) => Probability[][]} */
export const predictProba = (row) =>
  answers(row).flatMap(({ probabilities }) => (probabilities ? [probabilities] : []));"""

DRIVER = """import { readFileSync, writeFileSync } from "node:fs";
import { answers, values } from "./model.mjs";

const given = JSON.parse(readFileSync("rows.json", "utf8"));
const names = Array.isArray(given) ? [] : Object.keys(given);
const rows = Array.isArray(given)
  ? given
  : given[names[0]].map((_, i) => new Map(names.map((name) => [name, given[name][i]])));
const place = ({ value, probabilities }) => probabilities.findIndex(({ label }) => Object.is(label, value));
const labels = rows.map((row) => answers(row).filter((each) => each.probabilities).map(place));
writeFileSync("found.json", JSON.stringify([rows.map((row) => values(row).map(String)), labels]));
"""
