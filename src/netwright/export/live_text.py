"""The script of a page's panel in which one changes a row and sees the prediction move."""

SCRIPT = """
const byId = (id) => document.getElementById(id);
const make = (tag, given = {}, ...inside) => {
  const made = Object.assign(document.createElement(tag), given);
  made.append(...inside);
  return made;
};
const shown = (x, std) => {
  const decimals = Math.min(Math.max(3 - Math.floor(Math.log10(std)), 0), 12);
  return x.toLocaleString("en", { maximumFractionDigits: decimals });
};
let row = new Map();

const field = (column) => {
  const id = `live-${columns.indexOf(column)}`, inputs = [];
  const set = (value) => {
    row.set(column.name, value);
    inputs.forEach((input) => {
      if (document.activeElement !== input) input.value = value ?? "";
    });
    say();
  };
  const put = (input) => {
    input.addEventListener("input", () => set(input.value === "" ? null : input.value));
    inputs.push(input);
    return input;
  };
  if (column.kind === "number") {
    const step = Math.pow(10, Math.floor(Math.log10(column.spread)) - 1);
    put(make("input", { id, type: "number", step: "any" }));
    const ends = { min: column.low, max: column.high, step };
    put(make("input", { type: "range", ariaLabel: column.name, ...ends }));
  } else if (column.kind === "date") {
    put(make("input", { id, type: "datetime-local", step: 1 }));
  } else {
    const choices = column.levels.filter((level) => level !== "").map((level) => new Option(level, level));
    put(make("select", { id }, new Option("(missing)", ""), ...choices));
  }
  const label = make("label", { htmlFor: id, textContent: column.name });
  const shows = make("div", { className: "field" }, label, ...inputs);
  return { shows, set, inputs, column };
};

const say = () => {
  let found;
  try {
    found = answers(row);
  } catch (error) {
    byId("live-said").replaceChildren(make("p", { textContent: error.message }));
    return;
  }
  const parts = found.flatMap(({ value, probabilities }, i) => {
    if (!probabilities) return [make("strong", { textContent: shown(value, targets[i].std) })];
    const likely = [...probabilities].sort((a, b) => b.probability - a.probability).slice(0, 8);
    const bars = likely.map(({ label, probability }) => make("div", { className: "bar" },
      make("span", { textContent: String(label) }), make("meter", { max: 1, value: probability }),
      make("span", { textContent: `${(100 * probability).toFixed(1)} %` })));
    return [make("strong", { textContent: String(value) }), ...bars];
  });
  byId("live-said").replaceChildren(...parts);
};

const fields = columns.map(field);
const start = (given) => {
  row = new Map(columns.map(({ name }, i) => [name, given.values[i]]));
  fields.forEach(({ inputs, column }, i) => {
    const value = given.values[i];
    if (column.kind === "text" && value !== null && !column.levels.includes(value)) {
      inputs[0].append(new Option(value, value));
    }
    inputs.forEach((input) => (input.value = value ?? ""));
  });
  byId("live-true").textContent = `true there: ${given.truth}`;
  say();
};
const choice = make("select", { id: "live-rows" }, ...rows.map(({ place }, i) => new Option(place, String(i))));
choice.addEventListener("input", () => start(rows[Number(choice.value)]));
byId("live-form").replaceChildren(
  make("div", { className: "field" }, make("label", { htmlFor: "live-rows", textContent: "begin with" }), choice),
  ...fields.map(({ shows }) => shows));
start(rows[0]);
"""

PANEL = """<section class="wide"><h2>Try it</h2><p>{caption}</p>
<div class="live"><form id="live-form"><p>This panel needs JavaScript.</p></form>
<div><div id="live-said" aria-live="polite"></div><p id="live-true"></p></div></div></section>
"""
