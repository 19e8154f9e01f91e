// The connection lab: the client on a network that can be spoilt. The network is a function like fetch, which
// the client takes as an option, so all that happens here happens to the real client and its real connections.

import { Belfry } from '/events/client.js';
import { at, make, showState } from './page.js';

const WAYS = {
    open: ['Open', 'Everything comes as it is sent.'],
    slow: ['Slow', 'Twenty bytes in a tenth of a second. Publish five: they trickle in.'],
    paused: ['Paused', 'Nothing comes, and nobody says so. When two and a half heartbeats are missing the client gives the connection up.'],
    held: ['Held back by a proxy', 'Streams come when they are over, that is never. The client measures it and goes on by long-poll, and tries streams again after twelve seconds.'],
    cut: ['Cut', 'No connection at all. Publish meanwhile, then open it again. Of 50 the log keeps the newest 20 (keep of this channel), and the client is told of the gap.'],
};
const RAW_KEPT = 400;               // lines

let way = 'open';
let change;                         // resolves `changed`
let changed = new Promise((done) => { change = done; });
const open = new Set();             // connections: functions that kill them
const tally = { live: 0, replayed: 0, gap: 0, connections: 0 };
const nap = (ms) => new Promise((done) => { setTimeout(done, ms); });

// The network

async function network(url, options) {
    const path = url.toString().replace(/client=[^&]*/, 'client=…');
    raw('asked', `${options.method} ${path}`);
    if (way === 'cut')
        throw new TypeError('the network is cut');
    const answer = await fetch(url, options);
    raw('asked', `${answer.status} ${answer.headers.get('Content-Type')}`);
    if (!answer.ok || options.method !== 'GET')
        return answer;
    tally.connections += 1;
    return new Response(spoil(answer, options.signal), answer);
}

/** The body of an answer, as it would come over such a network. */
function spoil(answer, signal) {
    const reader = answer.body.getReader();
    const isStream = answer.headers.get('Content-Type').startsWith('text/event-stream');
    const text = new TextDecoder();
    let kill;
    return new ReadableStream({
        start(to) {
            kill = (why) => {
                open.delete(kill);
                reader.cancel().catch(() => {});
                to.error(why);
            };
            open.add(kill);
            signal.addEventListener('abort', () => kill(signal.reason));
        },
        async pull(to) {
            const { done, value } = await reader.read();
            while (way === 'paused' || (way === 'held' && isStream))
                await changed;
            if (done) {
                open.delete(kill);
                to.close();
                return;
            }
            for (let at = 0; at < value.length;) {
                const piece = value.subarray(at, way === 'slow' ? at + 20 : undefined);
                if (way === 'slow')
                    await nap(100);
                raw('came', text.decode(piece, { stream: true }));
                to.enqueue(piece);
                at += piece.length;
            }
        },
        cancel: (why) => reader.cancel(why),
    });
}

function setWay(name) {
    way = name;
    at('hint').textContent = WAYS[name][1];
    change();
    changed = new Promise((done) => { change = done; });
    if (name === 'cut')
        killAll('the network was cut');
    if (name === 'open' && hub.state === 'waiting')
        hub.connect();
}

function killAll(why) {
    for (const kill of [...open])
        kill(new TypeError(why));
}

// The client

const hub = new Belfry('/events', { fetch: network, share: false, patience: 1000, ping: 5 });
const lab = hub.channel('lab', { last: 5 });
let newest = 0;
let liveSince = Infinity;           // what is older than the connection was replayed

hub.on('state', (state) => { liveSince = state === 'live' ? Date.now() : Infinity; });

lab.on('n', ({ n }, { id, time }) => {
    const kind = time < liveSince ? 'replayed' : 'live';
    newest = Math.max(newest, n);
    mark(kind, n, `${kind} ${id}`);
});
lab.on('gap', (gap) => mark('gap', `gap: ${gap.reason}`, `after ${gap.requested}; the oldest kept is ${gap.oldest}`));

function mark(kind, words, title) {
    tally[kind] += 1;
    at('events').append(make('li', { className: kind, title }, String(words),
                             make('span', { className: 'unseen' }, kind === 'gap' ? '' : ` ${kind}`)));
    at('events').scrollTop = at('events').scrollHeight;
    facts();
}

// Publishing is somebody else's, whose network is good.

async function publish(count) {
    const sends = Array.from({ length: count }, () => ({ channel: 'lab', event: 'n', data: { n: newest += 1 } }));
    const answer = await fetch('/events/send', {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(sends),
    });
    const failed = answer.ok ? (await answer.json()).results.find(({ status }) => status) : await answer.json();
    at('outcome').textContent = failed ? failed.detail : `${count} published, up to ${newest}`;
    at('outcome').classList.toggle('bad', Boolean(failed));
}

// What is seen

function raw(kind, text) {
    const list = at('raw');
    const low = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    if (kind === 'came' && list.lastChild?.className === 'came')
        list.lastChild.append(text);
    else
        list.append(make('span', { className: kind }, kind === 'asked' ? `${text}\n` : text));
    while (list.childNodes.length > RAW_KEPT)
        list.firstChild.remove();
    if (low)
        list.scrollTop = list.scrollHeight;
}

function facts() {
    at('transport').textContent = hub.transport;
    at('cursor').textContent = hub.cursor ?? '–';
    at('connections').textContent = tally.connections;
    at('tally').textContent = `${tally.live}, ${tally.replayed}, ${tally.gap}`;
}

for (const [name, [title]] of Object.entries(WAYS)) {
    const radio = make('input', { type: 'radio', name: 'way', value: name, checked: name === way });
    radio.addEventListener('change', () => setWay(name));
    at('ways').append(make('label', {}, radio, title));
}
at('hint').textContent = WAYS.open[1];
at('kill').addEventListener('click', () => killAll('killed'));
at('one').addEventListener('click', () => publish(1));
at('five').addEventListener('click', () => publish(5));
at('many').addEventListener('click', () => publish(50));
setInterval(facts, 250);            // the cursor moves with every heartbeat
showState(hub);
