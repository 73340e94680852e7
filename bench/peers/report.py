"""The results as a Markdown table and as an SVG plot."""
from xml.sax.saxutils import escape


def sections(results):
    """(title, {name: × real time}) of everything that was measured."""
    if "encoder" in results:
        yield "encoder, 10 s segments, 1 thread", {n: r["x_real_time"] for n, r in results["encoder"].items()}
    for part, cores in (("pipeline-1", "1 core"), ("pipeline-all", f"{results.get('cores')} cores")):
        for mix, rates in results.get(part, {}).items():
            yield f"recordings to text, {mix}, {cores}", rates
    if "service" in results:
        yield f"a service under 16 clients, 1–30 s, {results.get('cores')} cores", results["service"]
    if "whisper" in results:
        for beam, rates in results["whisper"]["throughput"].items():
            yield f"whisper-base, calls, {beam_name(beam)}, {results.get('cores')} cores", rates
        clips = results["whisper"]["clips"]
        yield (f"whisper-base, clips of {clips['mean_seconds']:.1f} s, greedy, {results.get('cores')} cores",
               clips["x_real_time"])


def beam_name(beam):
    return "greedy" if int(beam) == 1 else f"beam {beam}"


def whisper_bars(results):
    """(what, ratio to faster-whisper, bar, whether it is held)"""
    def bar(what, ratio, sign, limit):
        held = ratio >= limit if sign == "≥" else ratio <= limit
        return what, f"{ratio:.4g}", f"{sign} {limit}", "yes" if held else "NO"

    def peer(values, pick):
        return pick(value for name, value in values.items() if name.startswith("faster-whisper"))

    whisper = results.get("whisper")
    if whisper:
        for beam, rates in whisper["throughput"].items():
            yield bar(f"calls, {beam_name(beam)}: throughput", rates["tutti int8"] / peer(rates, max), "≥", 2.5)
        clips, slow = whisper["clips"], peer(whisper["clips"]["x_real_time"], max)
        for how, limit in (("one after another", 3), ("all at once", 6)):
            yield bar(f"{clips['clips']} short clips {how}: throughput",
                      clips["x_real_time"][f"tutti int8, {how}"] / slow, "≥", limit)
        yield bar("one clip of 11 s alone: time", whisper["alone"]["tutti int8"] / peer(whisper["alone"], max), "≤", 0.5)
        for kind in ("int8", "f32"):
            yield bar(f"8 windows at once, {kind}: peak memory",
                      whisper["memory"][f"tutti {kind}"] / whisper["memory"][f"faster-whisper {kind}"], "≤", 0.8)
        for what, percent in whisper["errors"].items():
            yield bar(f"{what}: word errors, points more", percent["tutti int8"] - peer(percent, min), "≤", 0.2)
    for how, tokens in results.get("whisper-tokens", {}).items():
        yield bar(f"tokens in f32, {how}: share of {tokens['clips']} clips", tokens["equal"] / tokens["clips"], "≥", 0.99)


def whisper_table(results):
    lines = ["", "| whisper-base, int8: tutti to faster-whisper's best | ratio | bar | held |", "| --- | --- | --- | --- |"]
    lines += ["| " + " | ".join(cells) + " |" for cells in whisper_bars(results)]
    if "whisper" in results:
        whisper = results["whisper"]
        lines += ["", "| program | one clip of 11 s alone | 8 windows at once |", "| --- | --- | --- |"]
        seconds = {name: f"{1000 * value:.0f} ms" for name, value in whisper["alone"].items()}
        lines += [f"| {name} | {seconds.get(name, '')} | {value / 1e6:.0f} MB |"
                  for name, value in whisper["memory"].items()]
        lines += ["", "| recordings | program | word errors |", "| --- | --- | --- |"]
        lines += [f"| {what} | {name} | {value:.2f} % |" for what, percent in whisper["errors"].items()
                  for name, value in percent.items()]
    differences = [(how, one) for how, tokens in results.get("whisper-tokens", {}).items()
                   for one in tokens["differences"]]
    if differences:
        lines += ["", "Tokens that differ. The gap is by how much faster-whisper's logit of its own token exceeds that of tutti's;",
                  "the score is tutti's less faster-whisper's.", "", "| search | clip | token | gap | score | tutti | faster-whisper |",
                  "| --- | --- | --- | --- | --- | --- | --- |"]
        lines += [f"| {how} | {one['clip']} | {one['token']} | {one['gap']} | {one['score']:+} | {one['tutti']} | "
                  f"{one['faster-whisper']} |" for how, one in differences]
    return lines


def table(results):
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    lines = [f"`make bench-peers`, {results['date']}, {results['machine']}; {versions}.", "",
             "| what | program | × real time |", "| --- | --- | --- |"]
    for title, rates in sections(results):
        for name, rate in rates.items():
            share = results["encoder"][name]["share_of_roof"] if title.startswith("encoder") else None
            lines.append(f"| {title} | {name} | {rate:.1f}{f' ({share:.2f} of the roof)' if share else ''} |")
    for name, seconds in results.get("latency", {}).items():
        lines.append(f"| one recording of 5 s alone | {name} | {5 / seconds:.1f} ({seconds * 1000:.0f} ms) |")
    if "agreement" in results:
        lines += ["", "| program | tokens that are FunASR's |", "| --- | --- |"]
        lines += [f"| {name} | {share:.2%} |" for name, share in results["agreement"].items()]
    if "shared" in results:
        lines += ["", "| 8 threads, one model | results | wrong | exceptions |", "| --- | --- | --- | --- |"]
        lines += [f"| {name} | {r['results']} | {r['wrong']} | {r['exceptions']} |"
                  for name, r in results["shared"].items()]
    if "whisper" in results or "whisper-tokens" in results:
        lines += whisper_table(results)
    return "\n".join(lines) + "\n"


def plot(results, width=820):
    label, bar, row = 260, 480, 18
    parts, y = [], 24
    for title, rates in sections(results):
        longest = max(rates.values())
        parts.append(f'<text x="8" y="{y}" font-weight="bold">{escape(title)}</text>')
        y += row
        for name, rate in sorted(rates.items(), key=lambda item: -item[1]):
            colour = "#2b6cb0" if name.startswith("tutti") else "#a0aec0"
            length = bar * rate / longest
            parts.append(f'<text x="{label - 8}" y="{y}" text-anchor="end">{escape(name)}</text>'
                         f'<rect x="{label}" y="{y - 11}" width="{length:.1f}" height="13" fill="{colour}"/>'
                         f'<text x="{label + length + 6:.1f}" y="{y}">{rate:.1f} ×</text>')
            y += row
        y += 10
    note = f"× real time. {results['machine']}, {results['date']}."
    parts.append(f'<text x="8" y="{y}" fill="#4a5568">{escape(note)}</text>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y + 12}" '
            f'font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n'
            + "\n".join(parts) + "\n</svg>\n")
