"""Draws what was seen, as SVG that is readable in dark and in light."""
from xml.sax.saxutils import escape

LIGHT = {"paper": "#ffffff", "edge": "#d0d7de", "ink": "#1f2328", "soft": "#59636e", "line": "#818b98",
         "call": "#0969da", "bad": "#cf222e", "good": "#1a7f37", "badpaper": "#ffebe9", "goodpaper": "#dafbe1",
         "statepaper": "#eff2f5"}
DARK = {"paper": "#0d1117", "edge": "#3d444d", "ink": "#f0f6fc", "soft": "#9198a1", "line": "#656c76",
        "call": "#4493f8", "bad": "#ff7b72", "good": "#3fb950", "badpaper": "#3c1618", "goodpaper": "#12361f",
        "statepaper": "#212830"}
ROW = 30
CHARACTER = 6.65  # the width of one of the monospaced font, 11 px
SANS = "font-family:system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif"
MONO = "font-family:ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace"


def rules(colours):
    kinds = "".join(f".{name}{{fill:{colours[name]}}}" for name in colours)
    strokes = "".join(f".s-{name}{{stroke:{colours[name]};fill:none}}" for name in colours)
    return kinds + strokes


class Picture:
    def __init__(self, width, title):
        self.width = width
        self.title = title
        self.parts = []

    def text(self, x, y, words, kind, font="m"):
        place = f'x="{x:g}" y="{y:g}" text-anchor="middle"'
        self.parts.append(f'<text {place} class="{kind} {font}">{escape(words)}</text>')

    def arrow(self, x1, x2, y, kind):
        tip = -6 if x2 > x1 else 6
        self.parts.append(f'<path d="M{x1:g} {y:g}H{x2:g}" class="s-{kind}"/>'
                          f'<path d="M{x2:g} {y:g}l{tip} -4v8z" class="{kind}"/>')

    def box(self, x, y, width, height, kind, edge):
        place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5"'
        self.parts.append(f'<rect {place} class="{kind}"/><rect {place} class="s-{edge}"/>')

    def pill(self, x, y, words, kind="state"):
        edge, ink = {"state": ("edge", "ink"), "bad": ("bad", "bad"), "good": ("good", "good")}[kind]
        width = len(words) * CHARACTER + 14
        self.box(x - width / 2, y - 10, width, 20, kind + "paper", edge)
        self.text(x, y + 4, words, ink)

    def svg(self, height):
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {height:g}" width="{self.width}" '
                f'height="{height:g}" role="img"><title>{escape(self.title)}</title>\n<style>'
                f'{rules(LIGHT)}.m{{{MONO};font-size:11px}}.h{{{SANS};font-size:15px;font-weight:600}}'
                f'.n{{{SANS};font-size:12px}}\n@media (prefers-color-scheme:dark){{{rules(DARK)}}}</style>\n'
                f'<rect x=".5" y=".5" width="{self.width - 1}" height="{height - 1:g}" rx="8" class="paper"/>'
                f'<rect x=".5" y=".5" width="{self.width - 1}" height="{height - 1:g}" rx="8" class="s-edge"/>\n'
                + "\n".join(self.parts) + "\n</svg>\n")


def sequence(title, panels):
    """Panels side by side. A panel: (heading, kind of heading, [name of a lifeline], [row]). A row is
    ("note", words, kind), ("state", {lifeline: (words, kind)}) or ("arrow", from, to, words, kind); a
    kind is a name of LIGHT and DARK."""
    width, margin, between = 960, 20, 24
    picture = Picture(width, title)
    each = (width - 2 * margin - between * (len(panels) - 1)) / len(panels)
    bottom = 0
    for number, (heading, kind, names, rows) in enumerate(panels):
        left = margin + number * (each + between)
        inset = 66
        places = {2: (0, 1), 3: (0, .61, 1)}[len(names)]  # of three, the longest words are between the first two
        at = [left + inset + place * (each - 2 * inset) for place in places]
        picture.text(left + each / 2, 32, heading, kind, font="h")
        top = 46
        bottoms = top + 40 + ROW * len(rows)
        lines = len(picture.parts)
        y = top + 56
        for row in rows:
            if row[0] == "note":
                picture.text(left + each / 2, y + 4, row[1], row[2], font="n")
                half = len(row[1]) * 3.2 + 8
                picture.parts.insert(-1, f'<rect x="{left + each / 2 - half:g}" y="{y - 10:g}" width="{2 * half:g}" '
                                         f'height="20" class="paper"/>')
            elif row[0] == "state":
                for name, (words, mood) in row[1].items():
                    picture.pill(at[names.index(name)], y, words, mood)
            else:
                _, source, target, words, mood = row
                a, b = at[names.index(source)], at[names.index(target)]
                picture.arrow(a, b, y + 5, "line" if mood == "ink" else mood)
                picture.text((a + b) / 2, y, words, mood)
            y += ROW
        picture.parts[lines:lines] = [f'<path d="M{x:g} {top + 24:g}V{bottoms:g}" class="s-line" stroke-dasharray="2 4"/>'
                                      for x in at]
        for x, name in zip(at, names):
            half = len(name) * 3.4 + 10
            picture.box(x - half, top, 2 * half, 24, "statepaper", "edge")
            picture.text(x, top + 16, name, "ink", font="n")
        bottom = max(bottom, bottoms)
    return picture.svg(bottom + 14)


TERMINAL = {"typed": "#e6edf3", "said": "#9da7b3", "bad": "#ff7b72", "good": "#56d364", "prompt": "#58a6ff"}


def terminal(title, lines):
    """A terminal. A line is (words, kind of TERMINAL); one of kind typed has a prompt."""
    size, step, margin, width = 12.5, 18, 16, 860
    height = 34 + step * len(lines) + 10
    rows = []
    for number, (words, kind) in enumerate(lines):
        y = 34 + step * (number + 1) - 5
        prompt = f'<tspan fill="{TERMINAL["prompt"]}"># </tspan>' if kind == "typed" else ""
        rows.append(f'<text x="{margin}" y="{y}" fill="{TERMINAL[kind]}" xml:space="preserve">'
                    f'{prompt}{escape(words)}</text>')
    dots = "".join(f'<circle cx="{20 + 18 * i}" cy="18" r="5.5" fill="{colour}"/>'
                   for i, colour in enumerate(("#ff5f56", "#ffbd2e", "#27c93f")))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'role="img"><title>{escape(title)}</title>\n<style>text{{{MONO};font-size:{size}px}}</style>\n'
            f'<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="8" fill="#161b22" stroke="#444c56"/>{dots}\n'
            + "\n".join(rows) + "\n</svg>\n")
