"""Line charts as SVG, small enough to be kept beside the text."""
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 640, 380
LEFT, RIGHT, TOP, BOTTOM = 70, 170, 36, 52
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#17becf", "#7f7f7f")


def short(number):
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if number >= limit:
            return "%g%s" % (round(number / limit, 2), unit)
    return "%g" % round(number, 3)


class Axis:
    """Where a value lies between two ends of the picture, and where its marks are."""

    def __init__(self, values, begin, end, is_log):
        self.is_log, self.begin, self.end = is_log, begin, end
        least, most = min(values), max(values)
        if is_log:
            self.low, self.high = floor(log10(least)), ceil(log10(most))
            self.high += self.high == self.low
            self.marks = [10 ** n for n in range(self.low, self.high + 1)]
        else:
            step = 10 ** floor(log10(most or 1))
            step = step / 5 if most / step < 2 else step / 2 if most / step < 5 else step
            self.low, self.high = 0, ceil((most or 1) / step) * step
            self.marks = [step * n for n in range(round(self.high / step) + 1)]

    def at(self, value):
        value = log10(value) if self.is_log else value
        return self.begin + (value - self.low) / (self.high - self.low) * (self.end - self.begin)


def text(x, y, words, anchor="middle", more=""):
    return '<text x="%.0f" y="%.0f" text-anchor="%s"%s>%s</text>' % (
        x, y, anchor, more, escape(words))


def grid(across, up, labels):
    out = []
    for mark in across.marks:
        out.append('<path class="g" d="M%.1f %dV%d"/>' % (across.at(mark), TOP, HEIGHT - BOTTOM))
        out.append(text(across.at(mark), HEIGHT - BOTTOM + 16, short(mark)))
    for mark in up.marks:
        out.append('<path class="g" d="M%d %.1fH%d"/>' % (LEFT, up.at(mark), WIDTH - RIGHT))
        out.append(text(LEFT - 6, up.at(mark) + 4, short(mark), "end"))
    out.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, labels[0]))
    out.append(text(0, 0, labels[1], more=' transform="translate(16 %d) rotate(-90)"' % (
        (TOP + HEIGHT - BOTTOM) / 2)))
    return out


def chart(title, labels, series, log_x=False, log_y=False):
    """`series`: name -> [(x, y), ...]; returns the picture's text, None where there is nothing."""
    points = [point for line in series.values() for point in line
              if (point[0] > 0 or not log_x) and (point[1] > 0 or not log_y)]
    if not points:
        return None
    across = Axis([x for x, _ in points], LEFT, WIDTH - RIGHT, log_x)
    up = Axis([y for _, y in points], HEIGHT - BOTTOM, TOP, log_y)
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" '
           'font-size="12">' % (WIDTH, HEIGHT),
           '<style>.g{stroke:#ddd}.l{fill:none;stroke-width:2}</style>',
           '<rect width="100%" height="100%" fill="#fff"/>',
           text((LEFT + WIDTH - RIGHT) / 2, 20, title, more=' font-weight="bold"')]
    out += grid(across, up, labels)
    for number, (name, line) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        spots = [(across.at(x), up.at(y)) for x, y in sorted(line) if (x, y) in points]
        out.append('<path class="l" stroke="%s" d="M%s"/>' % (
            colour, "L".join("%.1f %.1f" % spot for spot in spots)))
        out += ['<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (*spot, colour) for spot in spots]
        out.append('<rect x="%d" y="%d" width="10" height="10" fill="%s"/>' % (
            WIDTH - RIGHT + 12, TOP + 20 * number, colour))
        out.append(text(WIDTH - RIGHT + 27, TOP + 9 + 20 * number, name, "start"))
    return "\n".join(out + ["</svg>", ""])
