"""The parts of an exported Python file that are the same for every model: with lists, and with NumPy."""

HEADING = '''"""{title}

Written by netwright. It needs nothing but {needs}.

    from {name} import predict, {more}
    predict({example})

{takes}:

{columns}

As a program it reads a table with a header and writes the predictions: python {name}.py TABLE.csv
"""

'''

# ── lists: a row at a time ──

LAYER = '''def layer(W, b, f, A1):
    """A = f(Z), Z = W·A1 + b."""
    Z = [sum(map(mul, w, A1)) + c for w, c in zip(W, b)]
    return f(Z)'''

SOFTMAX = """def softmax(Z):
    e = [math.exp(z - max(Z)) for z in Z]
    return [each / sum(e) for each in e]"""

BLOCKS = """def {name}(Z):
    blocks, A = {blocks}, []
    for size in blocks:
        A += softmax(Z[:size])
        Z = Z[size:]
    return A"""

TAKE = '''def take(neurons, inputs):
    """The next layer's W and b."""
    global WEIGHTS
    W = [WEIGHTS[i * inputs : (i + 1) * inputs].tolist() for i in range(neurons)]
    b = WEIGHTS[neurons * inputs : neurons * (inputs + 1)].tolist()
    WEIGHTS = WEIGHTS[neurons * (inputs + 1) :]
    return W, b'''

PLAIN = '''def features(row):
    """The network's inputs, {inputs} numbers."""
    if isinstance(row, dict):
        row = [row[name] for name in NAMES]
    if len(row) != {inputs}:
        raise ValueError(f"a row has {inputs} numbers, got {{len(row)}}")
    return [float(x) for x in row]'''

GONE = '''def gone(value):
    """Whether there is no value: None, NaN, NaT or pandas' NA."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except TypeError:
        return True'''

NUMBER = '''MISSING = {missing}  # how texts spell a missing number or date


def number(value):
    """A number, or None for one that is missing."""
    if gone(value) or (isinstance(value, str) and value.strip() in MISSING):
        return None
    x = float(value)
    if math.isinf(x) or (isinstance(value, str) and ("_" in value or not value.isascii())):
        raise ValueError(f"not a finite number: {{value!r}}")
    return x'''

DATE = '''def microseconds(value):
    """A date, a time or its ISO text as microseconds since 1970; a number is taken as that."""
    if gone(value) or isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, str):
        if value.strip() in MISSING:
            return None
        value = datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
    if hasattr(value, "astype"):  # NumPy's
        value = value.astype("datetime64[us]").item()
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if value.tzinfo is not None:
        value = value.astimezone(timezone.utc).replace(tzinfo=None)
    past = value - datetime(1970, 1, 1)
    return float((past.days * 86400 + past.seconds) * 1000000 + past.microseconds)'''

TEXT = '''def spelled(value, was):
    """A value as training spelled it, where its column was of the kind `was`: 3.0 is 3, True is true."""
    if was == "number" and isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        return str(bool(value)).lower()
    if isinstance(value, numbers.Real):
        value = float(value)
        value = int(value) if value.is_integer() and abs(value) < 2**53 else value
    return str(value)


def place(codes, value, was, unseen, missing):
    """Where a text's features are; spaces around it do not count."""
    if gone(value):
        return missing
    text = spelled(value, was)
    return codes.get(text, codes.get(text.strip(), unseen))'''

ROW = '''def spread(features, width):
    """All features, (width,), from those that are not 0: {place: feature}."""
    return [features.get(j, 0.0) for j in range(width)]'''

EXPONENT = """    powers = [max(a, 1e-12) ** {exponent!r} for a in total]  # sharper or softer
    other = max(1 - total[0], 1e-12) ** {exponent!r} if len(total) == 1 else 0.0
    total = [p / (sum(powers) + other) for p in powers]
"""

LIMITS = """    total = [min(max(a, {low!r}), {high!r}) for a in total]
"""

STANDARD = '''def outputs(row):
    """What the networks say together: Σ share · A."""
    A1, total = features(row), [0.0] * {outputs}
    for share, layers in zip(SHARES, NETWORKS):
        A = A1
        for W, b, f in layers:
            A = layer(W, b, f, A)
        total = [t + share * a for t, a in zip(total, A)]
{exponent}{limits}    return total


def answers(row):
    """For each target (the number or label predicted, its number or its classes' probabilities as a list)."""
    A, found = outputs(row), []
    for _, first, count, classes, mean, std in TARGETS:
        own = A[first : first + count]
        if not classes:
            found.append((mean + std * own[0], [mean + std * own[0]]))
            continue
        binary = count < len(classes)
        P = [1 - own[0], own[0]] if binary else own
        best = int(own[0] > 0.5) if binary else own.index(max(own))
        found.append((classes[best], P))
    return found


def predict(row):
    """The number or label for a row; of several targets a list."""
    found = [predicted for predicted, _ in answers(row)]
    return found[0] if len(found) == 1 else found
'''

PROBABILITIES = '''

def predict_proba(row):
    """{class: probability} for a row; of several targets a list."""
    found = [dict(zip(target[3], P)) for target, (_, P) in zip(TARGETS, answers(row)) if target[3]]
    return found[0] if len(found) == 1 else found
'''

MAIN = """

def main():
    with open(sys.argv[1], newline="", encoding="utf-8-sig") as file:
        rows, out = csv.DictReader(file), csv.writer(sys.stdout)
        rows.fieldnames = [name if name in NAMES else name.strip() for name in rows.fieldnames or []]
        absent = [name for name in NAMES if name not in rows.fieldnames]
        if absent:
            sys.exit(f"{sys.argv[1]} has no column {absent[0]!r}; it has {rows.fieldnames}")
        out.writerow(name for name, *_ in TARGETS)
        for row in rows:
            out.writerow(predicted for predicted, _ in answers(row))


if __name__ == "__main__":
    main()
"""

# ── NumPy: many rows at a time, a column a sample ──

NUMPY_LAYER = '''def layer(W, b, f, A1):
    """A = f(Z), Z = W·A1 + b; A1 is (inputs, samples)."""
    Z = W @ A1 + b[:, None]
    return f(Z)'''

NUMPY_SOFTMAX = """def softmax(Z):
    e = np.exp(Z - Z.max(axis=0))
    return e / e.sum(axis=0)"""

NUMPY_BLOCKS = """def {name}(Z):
    return np.vstack([softmax(block) for block in np.split(Z, np.cumsum({blocks})[:-1])])"""

NUMPY_TAKE = '''def take(neurons, inputs):
    """The next layer's W and b."""
    global WEIGHTS
    W, b, WEIGHTS = np.split(WEIGHTS, [neurons * inputs, neurons * (inputs + 1)])
    return W.reshape(neurons, inputs), b'''

NUMPY_PLAIN = '''def features(x):
    """The network's inputs, ({inputs}, rows)."""
    if isinstance(x, dict):
        x = np.column_stack([np.asarray(x[name], np.float64) for name in NAMES])
    x = np.asarray(x, np.{dtype})
    if x.ndim != 2 or x.shape[1] != {inputs}:
        raise ValueError(f"x must be (rows, {inputs}), got {{x.shape}}")
    return x.T'''

NUMPY_EXPONENT = """    powers = np.clip(total, 1e-12, 1) ** {exponent!r}  # sharper or softer
    other = np.clip(1 - total, 1e-12, 1) ** {exponent!r} if len(total) == 1 else 0
    total = powers / (powers.sum(axis=0) + other)
"""

NUMPY_LIMITS = """    total = np.clip(total, {low!r}, {high!r})
"""

NUMPY_STANDARD = '''def outputs(table):
    """What the networks say together, (outputs, rows): Σ share · A."""
    A1, total = features(table), 0
    for share, layers in zip(SHARES, NETWORKS):
        A = A1
        for W, b, f in layers:
            A = layer(W, b, f, A)
        total = total + share * A
{exponent}{limits}    return total


def answers(table):
    """For each target (the numbers or labels predicted, (rows,), its number or probabilities, (rows, classes))."""
    A, found = outputs(table), []
    for _, first, count, classes, mean, std in TARGETS:
        own = A[first : first + count]
        if not classes:
            found.append((mean + std * own[0], (mean + std * own).T))
            continue
        binary = count < len(classes)
        P = np.vstack([1 - own, own]) if binary else own
        best = (own[0] > 0.5).astype(int) if binary else own.argmax(axis=0)
        found.append((np.array(classes)[best], P.T))
    return found


def predict(table):
    """The numbers or labels, (rows,); of several targets (rows, targets)."""
    found = [predicted for predicted, _ in answers(table)]
    return found[0] if len(found) == 1 else np.column_stack(found)
'''

NUMPY_PROBABILITIES = '''

def predict_proba(table):
    """The classes' probabilities, (rows, classes), in the order of TARGETS; of several targets a list."""
    found = [P for target, (_, P) in zip(TARGETS, answers(table)) if target[3]]
    return found[0] if len(found) == 1 else found
'''

NUMPY_MAIN = """

def main():
    with open(sys.argv[1], newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        reader.fieldnames = [name if name in NAMES else name.strip() for name in reader.fieldnames or []]
        absent = [name for name in NAMES if name not in reader.fieldnames]
        if absent:
            sys.exit(f"{sys.argv[1]} has no column {absent[0]!r}; it has {reader.fieldnames}")
        rows = list(reader)
    table = {name: [row[name] for row in rows] for name in NAMES}
    out = csv.writer(sys.stdout)
    out.writerow(name for name, *_ in TARGETS)
    if rows:
        out.writerows(zip(*(predicted.tolist() for predicted, _ in answers(table))))


if __name__ == "__main__":
    main()
"""
