// Belfry with nothing but EventSource and fetch: what the client of the other pages does in hundreds of lines.

import { at } from './page.js';

const MOUNT = '/events';
const KEPT = 300;                  // rows in the list
const asked = new URLSearchParams(location.search).get('channels') ?? 'demo';

const channels = new Set(asked.split(',').filter(Boolean));
const rows = new Map();            // id of an event -> its row
let source = null;                 // the EventSource, null while broken
let clientId = null;
let cursor = null;                 // the id of the last event that came
let joined = 0;                    // when a resumed stream began: what is older comes from the log
let count = 0;

// What is seen

function state(name, words = name) {
    at('state').dataset.state = name;
    at('state').textContent = words;
}

function outcome(words, bad = false) {
    at('outcome').textContent = words;
    at('outcome').classList.toggle('bad', bad);
}

function facts() {
    at('client').textContent = clientId ?? '–';
    at('channels').textContent = [...channels].join(', ') || '–';
    at('cursor').textContent = cursor ?? '–';
    at('count').textContent = count;
}

function part(row, name, words) {
    let span = row.querySelector(`.${name}`);
    if (!span) {
        span = document.createElement('span');
        span.className = name;
        row.append(span);
    }
    span.textContent = words;
}

function addRow(kind, { channel, text, id, time }, mark = '') {
    const list = at('events');
    const low = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    const row = document.createElement('li');
    row.className = kind;
    if (id) {
        row.dataset.id = id;
        rows.set(id, row);
    }
    part(row, 'channel', channel);
    part(row, 'text', text);
    part(row, 'mark', mark);
    part(row, 'meta', [new Date(time ?? Date.now()).toLocaleTimeString(), id].filter(Boolean).join('  '));
    list.append(row);
    while (list.children.length > KEPT) {
        rows.delete(list.firstChild.dataset.id);
        list.firstChild.remove();
    }
    if (low)
        list.scrollTop = list.scrollHeight;
    return row;
}

function words(data) {
    if (typeof data === 'string')
        return data;
    return typeof data?.text === 'string' ? data.text : JSON.stringify(data);
}

// The stream

function connect() {
    const query = new URLSearchParams({ envelope: '1' });
    for (const channel of channels)
        query.append('channel', channel);
    if (cursor)
        query.set('last_event_id', cursor);
    state('connecting');
    source = new EventSource(`${MOUNT}?${query}`);
    source.addEventListener('connected', onConnected);
    source.addEventListener('message', onEvent);
    source.addEventListener('gap', onGap);
    source.addEventListener('bye', (event) => {
        state('connecting', `told to come back (${JSON.parse(event.data).reason})`);
    });
    source.addEventListener('error', () => {
        // CLOSED: the answer was a refusal, and EventSource does not try again.
        if (source?.readyState === EventSource.CLOSED)
            state('refused', 'refused: reload to try again');
        else if (source)
            state('connecting', 'cut off, connecting again');
    });
    at('break').textContent = 'Break the connection';
    at('five').hidden = true;
    facts();
}

function disconnect() {
    source.close();
    source = null;
    clientId = null;
    state('broken', 'broken by you');
    at('break').textContent = 'Connect again';
    at('five').hidden = false;
    facts();
}

function onConnected(event) {
    const hello = JSON.parse(event.data);
    clientId = hello.clientId;
    joined = cursor ? Date.now() : 0;
    cursor = event.lastEventId || hello.cursor || cursor;
    state('live');
    facts();
}

function onEvent(event) {
    const { id, channel, data, time } = JSON.parse(event.data);
    const replayed = time < joined;        // a clock that is wrong only marks wrongly
    const missed = id && rows.get(id);
    count += 1;
    cursor = event.lastEventId || cursor;
    if (missed) {
        missed.className = 'replayed';
        part(missed, 'mark', 'replayed');
        at('events').append(missed);       // where it came in the stream
    } else {
        addRow(replayed ? 'replayed' : 'live', { channel, text: words(data), id, time },
               replayed ? 'replayed' : '');
    }
    facts();
}

function onGap(event) {
    const gap = JSON.parse(event.data);
    addRow('gap', {
        channel: (gap.channels ?? []).join(', ') || 'gap',
        text: `Events are missing after ${gap.requested ?? 'the start'}; the oldest kept is ${gap.oldest ?? 'to come'}.`,
    }, `gap: ${gap.reason}`);
}

// Publishing

const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });

async function post(path, body) {
    const answer = await fetch(`${MOUNT}/${path}`, {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
    });
    const said = await answer.json().catch(() => ({}));
    return { ok: answer.ok, passing: answer.status === 503 || answer.status === 429,
             again: Number(answer.headers.get('Retry-After') ?? 1), said,
             why: said.detail ?? said.title ?? `HTTP ${answer.status}` };
}

// While the hub is away the same send is tried again; its key makes one event of all tries.
async function publish(channel, text) {
    const send = { channel, data: { text }, idempotencyKey: crypto.randomUUID?.() ?? `${Math.random()}` };
    for (let tries = 1; ; tries += 1) {
        const answer = await post('send', send).catch((error) => ({ why: error.message, passing: true, again: 1 }));
        if (answer.ok) {
            outcome(`logged as ${answer.said.id}`);
            // The stream may have been quicker than this answer.
            if (!source && !rows.has(answer.said.id))
                addRow('missed', { channel, text, id: answer.said.id, time: answer.said.time }, 'missed');
            return true;
        }
        outcome(answer.passing ? `${answer.why} (trying again, ${tries})` : answer.why, true);
        if (!answer.passing)
            return false;
        await pause(1000 * answer.again);
    }
}

// A channel that one speaks on is listened to: on the live stream by its clientId, and in the URL
// of the next one.
async function follow(channel) {
    if (channels.has(channel))
        return true;
    if (clientId) {
        const answer = await post('subscribe', { clientId, channel });
        if (!answer.ok) {
            outcome(answer.why, true);
            return false;
        }
    }
    channels.add(channel);
    facts();
    return true;
}

at('form').addEventListener('submit', async (event) => {
    event.preventDefault();
    const channel = at('channel').value.trim();
    const text = at('text').value;
    at('text').value = '';
    at('text').focus();
    if (await follow(channel))
        await publish(channel, text);
});

at('break').addEventListener('click', () => (source ? disconnect() : connect()));

at('five').addEventListener('click', async () => {
    for (let n = 1; n <= 5; n += 1)
        await publish(at('channel').value.trim() || 'demo', `missed ${n} of 5`);
});

at('curl').textContent = `curl -N '${location.origin}${MOUNT}?channel=demo'
curl -d '{"channel":"demo","data":{"text":"hello"}}' -H 'Content-Type: application/json' ${location.origin}${MOUNT}/send`;
connect();
