// A live dashboard: what a shell publishes once a second, drawn by hand.

import { Belfry } from '/events/client.js';
import { at, command, make, showState } from './page.js';

const SPAN = 120000;                // two minutes
const LEFT = 36, TOP = 10, BOTTOM = 22;
const LINES = 4;
const SVG = 'http://www.w3.org/2000/svg';

const hub = new Belfry('/events', { share: 'pages' });
const machine = hub.channel('machine', { last: SPAN / 1000 });
const points = [];                  // {time, load, running}, the oldest first

machine.on('message', ({ load, running }, { time }) => {
    points.push({ time, load, running });
    while (points[0].time < time - SPAN - 10000)
        points.shift();
    draw();
});

function svg(name, attributes, ...inside) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes))
        made.setAttribute(key, value);
    made.append(...inside);
    return made;
}

/** The least round number that is not below `value`: 1, 2 or 5 and zeros. */
function roundUp(value) {
    const unit = 10 ** Math.floor(Math.log10(value || 1));
    return unit * [1, 2, 5, 10].find((step) => step * unit >= value);
}

class Chart {
    constructor(key, title, digits, form) {
        this.key = key;
        this.digits = digits;
        this.form = form;
        this.name = title;
        this.value = make('strong', {}, '–');
        this.range = make('small', {}, '');
        this.picture = svg('svg', { role: 'img', class: 'chart' });
        at('charts').append(make('figure', { className: 'panel', id: key },
            make('figcaption', {}, make('span', {}, title), this.value, this.range), this.picture));
        new ResizeObserver(() => this.draw()).observe(this.picture);
    }

    draw() {
        const { width, height } = this.picture.getBoundingClientRect();
        const now = Math.max(Date.now(), points.at(-1)?.time ?? 0);
        const seen = points.filter(({ time }) => time >= now - SPAN);
        const values = seen.map((point) => point[this.key]);
        const most = roundUp(Math.max(...values, 1));
        const floor = height - BOTTOM;
        const x = (time) => LEFT + (1 - (now - time) / SPAN) * (width - LEFT - 6);
        const y = (value) => floor - (value / most) * (floor - TOP);
        const said = (value) => value.toFixed(this.digits);
        this.picture.setAttribute('viewBox', `0 0 ${width} ${height}`);
        this.picture.replaceChildren(...this.grid(width, floor, most, y),
            ...seen.length ? this.form(seen.map((point) => [x(point.time), y(point[this.key])]), floor) : []);
        if (!seen.length)
            return;
        this.value.textContent = said(values.at(-1));
        this.range.textContent = `${said(Math.min(...values))} to ${said(Math.max(...values))}`;
        this.picture.setAttribute('aria-label',
            `${this.name} of two minutes: now ${this.value.textContent}, from ${this.range.textContent}, ${values.length} values`);
    }

    grid(width, floor, most, y) {
        const steps = Array.from({ length: LINES + 1 }, (_, n) => (most * n) / LINES);
        const words = (text, attributes) => svg('text', attributes, text);
        return [
            ...steps.map((value) => svg('line', { x1: LEFT, x2: width, y1: y(value), y2: y(value) })),
            ...steps.map((value) => words(String(+value.toFixed(2)), { x: LEFT - 6, y: y(value) + 4, 'text-anchor': 'end' })),
            words('2 min ago', { x: LEFT, y: floor + 17 }),
            words('now', { x: width - 6, y: floor + 17, 'text-anchor': 'end' }),
        ];
    }
}

const path = (places) => places.map(([x, y], n) => `${n ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`).join('');

function area(places, floor) {
    const [[first], [last, end]] = [places[0], places.at(-1)];
    return [
        svg('path', { class: 'area', d: `${path(places)}L${last} ${floor}L${first} ${floor}Z` }),
        svg('path', { class: 'curve', d: path(places) }),
        svg('circle', { class: 'tip', cx: last, cy: end, r: 4 }),
    ];
}

const bars = (places, floor) =>
    [svg('path', { class: 'bars', d: places.map(([x, y]) => `M${x.toFixed(1)} ${floor}V${y.toFixed(1)}`).join('') })];

const charts = [
    new Chart('load', 'Load, average of a minute', 2, area),
    new Chart('running', 'Tasks running', 0, bars),
];
const draw = () => charts.forEach((chart) => chart.draw());

function tellAge() {
    const last = points.at(-1);
    if (!last)
        return;
    const quiet = Math.round((Date.now() - last.time) / 1000);
    const words = quiet < 5 ? 'A shell tells it every second.' : 'The shell has gone silent. Start it again:';
    if (at('age').textContent !== words)
        at('age').textContent = words;
}

setInterval(() => {                 // time goes on also where nothing comes
    draw();
    tellAge();
}, 1000);
command(at('command'), 'while sleep 1; do read load _ _ tasks _ </proc/loadavg; '
    + 'echo "{\\"load\\":$load,\\"running\\":${tasks%/*}}"; done | {belfry} pub machine --json');
showState(hub);
