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
