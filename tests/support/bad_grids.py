"""Grids of a stranger, or with a slip of the pen, that would take all time or memory."""

ONE = "study: s\ndatasets: dsprites\nseeds: {}\nmethods: {{beta_vae: {{beta: {}}}}}\n"
SOUND = ONE.format(1, 1)
LAUGHS = "".join(
    f"l{level}: &l{level} [{', '.join(9 * [f'*l{level - 1}' if level else '1'])}]\n"
    for level in range(9)
)
MERGED = "m0: &m0 {a: 1}\n" + "".join(
    f"m{level}: &m{level} {{<<: [{', '.join(9 * [f'*m{level - 1}'])}]}}\n" for level in range(1, 9)
)
NESTED = "exclude: " + 5_000 * "["
UNKNOWN = "exclude: [{" + ", ".join(f"k{n}: 1" for n in range(8_000)) + "}]\n"
AXIS = list(range(1, 400))

BAD = {
    "aliases of aliases": LAUGHS,
    "merged aliases": MERGED,
    "nested": SOUND + NESTED,
    "indented": "".join(f"{' ' * n}a:\n" for n in range(400)),
    "inside itself": SOUND + "exclude: &a [*a]\n",
    "three hundred megabytes": SOUND + "#" * 300_000_000,
    "many settings": ONE.format(20_000, list(range(2_000))),
    "three axes": SOUND.replace(
        "beta_vae: {beta: 1}",
        f"annealed_vae: {{c_max: {AXIS}, gamma: {AXIS}, iteration_threshold: {AXIS}}}",
    ),
    "a million seeds": ONE.format(1_000_000, 1),
    "a range of seeds": ONE.format("{from: 1, count: 1000000}", 1),
    "seeds without end": ONE.format(10**18, 1),
    "a seed twice": ONE.format([0, *range(9_999)], 1),
    "compared with": ONE.format(100, list(range(100))) + f"exclude: [{{seed: {[*range(999)]}}}]",
    "unknown keys": SOUND + UNKNOWN,
    "the same key": SOUND + 10_000 * "seeds: 1\n",
    "huge integer": ONE.format("9" * 90_000, 1),
    "huge hexadecimal": ONE.format(f"0x{'f' * 90_000}", 1),
    "huge sexagesimal": ONE.format(f"1{':59' * 30_000}", 1),
    "huge name": SOUND.replace("dsprites", "d" * 90_000),
    "many values": f"{SOUND}exclude: [{49_000 * 'a,'}]\n",
    "many dates": f"{SOUND}exclude: [{9_000 * '2001-01-01,'}]\n",
    "many methods": SOUND.replace("beta_vae:", "".join(f"m{n}: {{}}, " for n in range(7_000))),
    "many data sets": SOUND.replace("dsprites", str([f"d{n}" for n in range(10_000)])),
    "many parameters": f"{SOUND}metrics: {{mig: {{num_bins: {list(range(2, 14_000))}}}}}\n",
    "no text": 90_000 * "\0",
}
"""Each is refused; the name says with what it threatens."""
