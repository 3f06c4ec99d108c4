"""The parts of an exported ES module that are the same for every model."""

HEADING = """/**
 * {title}
 *
 * Written by netwright: one ES module, no dependency.
 *
 *   import {{ predict, {more} }} from "./{name}.mjs";
 *   predict(row);
 *
 * {takes}:
 *
{columns}
 *
 * @typedef {{number[] | Record<string, unknown> | Map<string, unknown>}} Row
 */
"""

READ = """// A row's value of that name: of an object its own, or of a Map.
const read = (row, name) => {
  if (row instanceof Map ? row.has(name) : Object.prototype.hasOwnProperty.call(row, name)) {
    return row instanceof Map ? row.get(name) : row[name];
  }
  throw new TypeError(`the row has no column ${JSON.stringify(name)}`);
};"""

NUMBER = """// A number, or NaN for one that is missing.
const number = (value) => {
  if (value === null || value === undefined || value === "") return NaN;
  const x = Number(value);
  if (Number.isNaN(x) && !Number.isNaN(value)) throw new TypeError(`${JSON.stringify(value)} is not a number`);
  return x;
};"""

DATE = """// Microseconds since 1970, of a Date, an ISO text (in UTC without a zone) or such a number; NaN for none.
const microseconds = (value) => {
  if (value instanceof Date) return value.getTime() * 1000;
  if (typeof value !== "string" || value === "") return number(value);
  const day = /^\\s*(\\d{4}-\\d\\d-\\d\\d)/.source, zone = /\\s*(Z|[+-]\\d\\d:\\d\\d)?\\s*$/.source;
  const time = /(?:[T ](\\d\\d:\\d\\d)(?::(\\d\\d)(?:\\.(\\d{1,6})\\d*)?)?)?/.source;
  const found = new RegExp(day + time + zone).exec(value);
  if (!found) throw new TypeError(`${JSON.stringify(value)} is not a date such as 2024-02-29 or 2024-02-29T12:30:00Z`);
  const [, date, clock = "00:00", seconds = "00", parts = "", offset = "Z"] = found;
  return Date.parse(`${date}T${clock}:${seconds}${offset}`) * 1000 + Number(parts.padEnd(6, "0"));
};"""

TEXT = """// A text's place among the levels: 3.0 is spelled 3, true is true; spaces around do not count.
const place = (codes, value, unseen, missing) => {
  if (value === null || value === undefined || Number.isNaN(value)) return missing;
  const text = String(value);
  return codes.get(text) ?? codes.get(text.replace(/^[ \\t\\n\\r\\f\\v]+|[ \\t\\n\\r\\f\\v]+$/g, "")) ?? unseen;
};"""

PLAIN = """/** The network's inputs. @param {{Row}} row */
const features = (row) => {{
  const x = Array.isArray(row) || ArrayBuffer.isView(row) ? row : columns.map(({{ name }}) => read(row, name));
  if (x.length !== {inputs}) throw new TypeError(`a row has {inputs} numbers, got ${{x.length}}`);
  return Float64Array.from(x);
}};"""

LAYER = """// A = f(Z), Z = W·A1 + b; W is (neurons, inputs), row by row.
const layer = ([W, b, f], A1) => {
  const Z = new Float64Array(b.length), inputs = A1.length;
  for (let i = 0, at = 0; i < b.length; i++) {
    let z = 0;
    for (let j = 0; j < inputs; j++) z += W[at++] * A1[j];
    Z[i] = z + b[i];
  }
  return f(Z);
};"""

SOFTMAX = """const softmax = (Z, start, stop) => {
  let most = -Infinity, sum = 0;
  for (let i = start; i < stop; i++) most = Math.max(most, Z[i]);
  for (let i = start; i < stop; i++) sum += Z[i] = Math.exp(Z[i] - most);
  for (let i = start; i < stop; i++) Z[i] /= sum;
};"""

PACKED = """// All W and b, one after the other; the lowest byte first.
const bytes = Uint8Array.from(atob(
{weights}
), (c) => c.charCodeAt(0));
const numbers = new DataView(bytes.buffer);
let at = 0;
const next = (count) => {{
  const taken = new {array}(count);
  for (let i = 0; i < count; i++, at += {size}) taken[i] = {read};
  return taken;
}};"""

# A number of 16 bits: sign, exponent, fraction.
HALF = """((bits) => {
    const fraction = bits & 1023, exponent = (bits >> 10) & 31;
    const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : (fraction / 1024) * 2 ** -14;
    return bits >> 15 ? -size : size;
  })(numbers.getUint16(at, true))"""

OUTPUTS = """// What the networks say together: Σ share · A.
const outputs = (row) => {{
  const A1 = features(row), total = new Float64Array({outputs});
  networks.forEach((layers, n) => {{
    const A = layers.reduce((A, each) => layer(each, A), A1);
    for (let i = 0; i < total.length; i++) total[i] += shares[n] * A[i];
  }});
{exponent}{limits}  return total;
}};"""

EXPONENT = """  // sharper or softer probabilities
  const power = (p) => Math.pow(Math.min(Math.max(p, 1e-12), 1), {exponent});
  const powers = total.map(power), other = total.length === 1 ? power(1 - total[0]) : 0;
  const sum = powers.reduce((sum, p) => sum + p, 0) + other;
  powers.forEach((p, i) => (total[i] = p / sum));
"""

LIMITS = """  total.forEach((a, i) => (total[i] = Math.min(Math.max(a, {low}), {high})));
"""

ANSWERS = """
/** For each target what is predicted, {{name, value, probabilities}}: of a number without the last.
 * @param {{Row}} row */
export const answers = (row) => {{
  const A = outputs(row);
  return targets.map(({{ name, first, outputs, classes, mean, std }}) => {{
    const own = Array.from(A.subarray(first, first + outputs));
    if (!classes.length) return {{ name, value: mean + std * own[0] }};
    const P = outputs === 1 ? [1 - own[0], own[0]] : own;
    const best = outputs === 1 ? Number(own[0] > 0.5) : own.indexOf(Math.max(...own));
    return {{ name, value: classes[best], probabilities: classes.map((label, i) => ({{ label, probability: P[i] }})) }};
  }});
}};

const alone = (found) => (found.length === 1 ? found[0] : found);

/** The number or label for a row; of several targets an array. @param {{Row}} row */
export const predict = (row) => alone(answers(row).map((each) => each.value));
"""

PROBABILITIES = """
/** [{label, probability}] for a row, in the classes' order; of several targets an array of these.
 * @param {Row} row */
export const predictProba = (row) =>
  alone(answers(row).filter((each) => each.probabilities).map((each) => each.probabilities));
"""

DRIVER = """
import { readFileSync, writeFileSync } from "node:fs";
import { answers } from "./{name}";
const given = JSON.parse(readFileSync("rows.json", "utf8"));
const names = Array.isArray(given) ? [] : Object.keys(given);
const of = (i) => new Map(names.map((name) => [name, given[name][i]]));
const rows = Array.isArray(given) ? given : given[names[0]].map((_, i) => of(i));
const found = rows.map(answers);
const values = found.map((row) => row.flatMap((t) => (t.probabilities ?? [{ probability: t.value }])
  .map((p) => String(p.probability))));
const place = (t) => t.probabilities.findIndex((p) => Object.is(p.label, t.value));
const labels = found.map((row) => row.filter((t) => t.probabilities).map(place));
writeFileSync("found.json", JSON.stringify([values, labels]));
"""
