"""Questions with short answers about a rendered scene, in several natural phrasings.

`ask(facts, rng)` returns (task, question, answer) triples; only questions with one right answer
are asked: a component is named by its kind when it is the only one of that kind, by its printed
name, or by its place when there are two. `describe` gives the sentence for open questions.
"""

NOUN = {"display": "display", "gauge": "gauge", "label": "label", "hand": "handwritten number",
        "lamps": "lamps", "shapes": "shapes"}


def centre(box):
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def side_of(a, b, gap=0.02):
    """Where box a lies as seen from box b: only if one direction clearly dominates."""
    (ax, ay), (bx, by) = centre(a), centre(b)
    dx, dy = ax - bx, ay - by
    if abs(dx) > 1.5 * abs(dy) and abs(dx) > 0.08:
        return "left" if dx < 0 else "right"
    if abs(dy) > 1.5 * abs(dx) and abs(dy) > 0.08:
        return "above" if dy < 0 else "below"
    return None


def names(fact, facts, rng):
    """Ways to refer to a component, none if it cannot be told apart."""
    noun, found = NOUN[fact["kind"]], []
    same = [f for f in facts if f["kind"] == fact["kind"]]
    if len(same) == 1:
        found += [f"the {noun}"] * 2
    if fact.get("name"):
        found += [f"the {fact['name']} {noun}", f"the {noun} labelled {fact['name']}"]
    if len(same) == 2:
        other = same[0] if same[1] is fact else same[1]
        where = side_of(fact["box"], other["box"])
        if where:
            found.append(f"the {dict(left='left', right='right', above='upper', below='lower')[where]} {noun}")
    return found


def place(fact):
    """The part of the picture in which a component's centre lies, or None near a border."""
    x, y = centre(fact["box"])
    if min(abs(x - 0.5), abs(y - 0.5)) < 0.1:
        return None
    return f"{'top' if y < 0.5 else 'bottom'} {'left' if x < 0.5 else 'right'}"


def ask_reading(fact, facts, rng, out):
    for ref in rng.sample(refs := names(fact, facts, rng), min(1, len(refs))):
        kind = fact["kind"]
        if kind == "display":
            out.append(("display", rng.choice([f"What does {ref} show?", f"What does {ref} read?", f"Read {ref}.",
                                               f"What number is on {ref}?", f"What is the value on {ref}?"]), fact["value"]))
        elif kind == "gauge":
            out.append(("gauge", rng.choice([f"What does {ref} read?", f"What does {ref} show?", f"Read {ref}.",
                                             f"What is the value on {ref}?", f"What is the reading of {ref}?"]), fact["value"]))
            if rng.random() < 0.5:
                out.append(("scale", rng.choice([f"What is the full scale of {ref}?", f"What is the maximum of {ref}?"]), str(fact["scale"])))
            if rng.random() < 0.3:
                out.append(("percent", f"How many percent of full scale does {ref} show?", str(round(fact["fraction"] * 100))))
        elif kind == "label":
            out.append(("label", rng.choice([f"What does {ref} say?", f"What is printed on {ref}?", f"Read {ref}.",
                                             f"What is written on {ref}?", f"What does {ref} read?"]), fact["value"]))
        elif kind == "hand":
            one = len(fact["value"]) == 1
            ref = ref.replace("number", "digit") if one and rng.random() < 0.7 else ref
            out.append(("hand", rng.choice([f"What is {ref}?", f"Read {ref}.", f"Which {ref[4:]} is this?"]), fact["value"]))


def ask_lamps(fact, facts, rng, out):
    lamps = fact["lamps"]
    every = [l for f in facts if f["kind"] == "lamps" for l in f["lamps"]]
    lit = sum(l["on"] for l in every)
    out.append(("lamps", rng.choice(["How many lamps are on?", "How many lamps are lit?", "How many lamps are lit up?"]), str(lit)))
    if rng.random() < 0.6:
        out.append(("lamps", rng.choice(["How many lamps are there?", "How many lamps do you see?", "Count the lamps."]), str(len(every))))
    if rng.random() < 0.3:
        out.append(("lamps", rng.choice(["How many lamps are off?", "How many lamps are dark?"]), str(len(every) - lit)))
    if len(every) == 1:
        lamp = every[0]
        out.append(("lamps", rng.choice(["Is the lamp on?", "Is the lamp lit?"]), "yes" if lamp["on"] else "no"))
        out.append(("lamps", rng.choice(["Is the lamp on or off?", "What is the state of the lamp?"]), "on" if lamp["on"] else "off"))
        if lamp["on"] or lamp["colour"] != "white":
            out.append(("lamps", rng.choice(["What colour is the lamp?", "Which colour is the lamp?", "What is the colour of the lamp?"]), lamp["colour"]))
    for lamp in rng.sample(every, min(2, len(every))):
        twins = sum(l["colour"] == lamp["colour"] for l in every)
        if twins == 1 and (lamp["on"] or lamp["colour"] != "white"):
            out.append(("lamps", rng.choice([f"Is the {lamp['colour']} lamp on?", f"Is the {lamp['colour']} lamp lit?"]), "yes" if lamp["on"] else "no"))
        if lamp.get("name"):
            ref = rng.choice([f"the {lamp['name']} lamp", f"the lamp labelled {lamp['name']}"])
            out.append(("lamps", rng.choice([f"Is {ref} on?", f"Is {ref} lit?"]), "yes" if lamp["on"] else "no"))
            if lamp["on"] or lamp["colour"] != "white":
                out.append(("lamps", rng.choice([f"What colour is {ref}?", f"Which colour is {ref}?"]), lamp["colour"]))
    on = [l for l in every if l["on"]]
    if len(on) == 1 and len(every) > 1:
        out.append(("lamps", rng.choice(["Which colour is the lamp that is on?", "What colour is lit?"]), on[0]["colour"]))


def ask_shapes(facts, rng, out):
    items = [i for f in facts if f["kind"] == "shapes" for i in f["items"]]
    many = lambda s: {"cross": "crosses"}.get(s, s + "s")
    out.append(("count", rng.choice(["How many shapes are there?", "How many shapes do you see?", "Count the shapes."]), str(len(items))))
    kinds, cols = sorted({i["shape"] for i in items}), sorted({i["colour"] for i in items})
    shape = rng.choice(kinds if rng.random() < 0.85 else ["circle", "square", "triangle", "star", "cross"])
    out.append(("count", rng.choice([f"How many {many(shape)} are there?", f"How many {many(shape)} do you see?", f"Count the {many(shape)}."]),
                str(sum(i["shape"] == shape for i in items))))
    col = rng.choice(cols)
    out.append(("count", rng.choice([f"How many {col} shapes are there?", f"How many shapes are {col}?"]), str(sum(i["colour"] == col for i in items))))
    single = [i for i in items if sum(j["shape"] == i["shape"] for j in items) == 1]
    for i in rng.sample(single, min(2, len(single))):
        out.append(("colour", rng.choice([f"What colour is the {i['shape']}?", f"Which colour is the {i['shape']}?",
                                          f"What is the colour of the {i['shape']}?"]), i["colour"]))
    unique = [i for i in items if sum(j["shape"] == i["shape"] and j["colour"] == i["colour"] for j in items) == 1]
    lone = [i for i in items if sum(j["colour"] == i["colour"] for j in items) == 1]
    for i in rng.sample(lone, min(1, len(lone))):
        out.append(("colour", rng.choice([f"Which shape is {i['colour']}?", f"What shape is {i['colour']}?"]), i["shape"]))
    if len(unique) > 1:
        ask_relation(unique, rng, out)


def ask_relation(unique, rng, out):
    for _ in range(2):
        a, b = rng.sample(unique, 2)
        where = side_of(a["box"], b["box"])
        if not where:
            continue
        ra, rb = f"the {a['colour']} {a['shape']}", f"the {b['colour']} {b['shape']}"
        words = {"left": "left of", "right": "right of", "above": "above", "below": "below"}
        if rng.random() < 0.5:
            out.append(("relation", rng.choice([f"Where is {ra} relative to {rb}?", f"Where is {ra} as seen from {rb}?"]), where))
        else:
            said = rng.choice([where, {"left": "right", "right": "left", "above": "below", "below": "above"}[where]])
            out.append(("relation", rng.choice([f"Is {ra} {words[said]} {rb}?", f"Is {ra} to the {words[said]} {rb}?"
                                                if said in ("left", "right") else f"Is {ra} {words[said]} {rb}?"]), "yes" if said == where else "no"))
    if rng.random() < 0.3:
        i = rng.choice(unique)
        box = " ".join(str(max(0, min(1000, round(v * 100) * 10))) for v in i["box"])
        out.append(("box", f"Give the box of the {i['colour']} {i['shape']}.", box))


def places(facts, rng):
    """In which part of the picture a shape lies: a step towards relations, asked in training alone."""
    items = [i for f in facts if f["kind"] == "shapes" for i in f["items"]]
    unique = [i for i in items if sum(j["shape"] == i["shape"] and j["colour"] == i["colour"] for j in items) == 1 and place(i)]
    return [("place", f"Where is the {i['colour']} {i['shape']}?", place(i)) for i in rng.sample(unique, min(2, len(unique)))]


def ask_panel(facts, rng, out):
    """Questions about the whole: what is there, how many of a kind, what lies where."""
    for kind in ("display", "gauge"):
        n = sum(f["kind"] == kind for f in facts)
        if n and rng.random() < 0.25:
            out.append(("panel", rng.choice([f"How many {kind}s are there?", f"Count the {kind}s."]), str(n)))
    if rng.random() < 0.3:
        kind = rng.choice(["display", "gauge", "label"])
        there = any(f["kind"] == kind for f in facts)
        out.append(("panel", rng.choice([f"Is there a {kind}?", f"Do you see a {kind}?"]), "yes" if there else "no"))
    lone = [f for f in facts if sum(g["kind"] == f["kind"] for g in facts) == 1 and f["kind"] in ("display", "gauge", "label") and place(f)]
    for f in rng.sample(lone, min(1, len(lone))):
        if rng.random() < 0.4:
            out.append(("relation", f"Where is the {f['kind']}?", place(f)))
    pair = [f for f in facts if sum(g["kind"] == f["kind"] for g in facts) == 1 and f["kind"] in ("display", "gauge", "label")]
    if len(pair) > 1:
        a, b = rng.sample(pair, 2)
        where = side_of(a["box"], b["box"])
        if where:
            said = rng.choice(["left", "right", "above", "below"]) if rng.random() < 0.5 else where
            words = {"left": "left of", "right": "right of", "above": "above", "below": "below"}
            out.append(("relation", f"Is the {a['kind']} {words[said]} the {b['kind']}?", "yes" if said == where else "no"))
    if rng.random() < 0.3:
        out.append(("describe", rng.choice(["What is in the picture?", "Describe the panel.", "What do you see?", "Describe the picture.",
                                            "What is this?", "What does the image show?"]), describe(facts)))


def describe(facts):
    """One short sentence that names every component in reading order of kinds."""
    parts = []
    for f in facts:
        if f["kind"] == "display":
            parts.append(f"a display showing {f['value']}")
        elif f["kind"] == "gauge":
            parts.append(f"a gauge at {f['value']}")
        elif f["kind"] == "label":
            parts.append(f"a label {f['value']}")
        elif f["kind"] == "hand":
            parts.append(f"a handwritten {f['value']}")
        elif f["kind"] == "lamps":
            n = len(f["lamps"])
            parts.append(f"{n} lamp" + ("s" if n > 1 else ""))
        else:
            n = len(f["items"])
            parts.append(f"{n} shape" + ("s" if n > 1 else ""))
    text = parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
    return text[0].upper() + text[1:] + "."


def casual(question, rng):
    """Sometimes drops the capital or the final mark, as people type."""
    if rng.random() < 0.12:
        question = question.rstrip("?.")
    if rng.random() < 0.12:
        question = question[0].lower() + question[1:]
    return question


def ask(facts, rng):
    out = []
    for fact in facts:
        ask_reading(fact, facts, rng, out)
    lamps = [f for f in facts if f["kind"] == "lamps"]
    if lamps:
        ask_lamps(lamps[0], facts, rng, out)
    if any(f["kind"] == "shapes" for f in facts):
        ask_shapes(facts, rng, out)
    ask_panel(facts, rng, out)
    if not out:
        out.append(("describe", "What is in the picture?", describe(facts)))
    return [(task, casual(q, rng), a) for task, q, a in out]
