// Readers of event streams that others wrote, unchanged, on a real Belfry: BELFRY says where, MODULES where npm's packages are.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { afterEach, test } from 'node:test';

import { until } from '../../fcgi/js/fake.js';

const URL = process.env.BELFRY;
const require = createRequire(`${process.env.MODULES}/`);
const load = (name) => import(require.resolve(name));
const ends = [];
let number = 0;

afterEach(() => ends.splice(0).forEach((end) => end()));

// Node 18's fetch forgets the signal when it collects garbage, and what is aborted then never ends.
const plain = globalThis.fetch;
globalThis.fetch = async (url, options = {}) => {
    const answer = await plain(url, options);
    const body = answer.body?.pipeThrough(new TransformStream(), { signal: options.signal });
    return Object.defineProperty(new Response(body, answer), 'url', { value: answer.url });
};

async function send(channel, data, event) {
    const answer = await fetch(`${URL}/send`, {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ channel, data, event }) });
    assert.equal(answer.status, 200);
    return (await answer.json()).id;
}

const fresh = () => `reader:${number += 1}`;
const TEXT = 'one\ntwo  \n\nGrüße';

// The classic interface: two events by name, one by none, texts of several lines, then a cut, and what was missed.
async function classic(EventSource) {
    const channel = fresh();
    const got = [];
    const note = (event) => got.push([event.type, event.data, event.lastEventId]);
    const follow = (url) => {
        const source = new EventSource(url);
        ends.push(() => source.close());
        source.onmessage = note;
        source.addEventListener('note', note);
        return new Promise((done) => { source.addEventListener('connected', () => done(source)); });
    };
    const source = await follow(`${URL}?channel=${channel}`);
    const ids = [await send(channel, TEXT), await send(channel, { a: 1 }, 'note')];
    await until(() => got.length === 2);
    assert.deepEqual(got, [['message', TEXT, ids[0]], ['note', '{"a":1}', ids[1]]]);
    source.close();
    const missed = await send(channel, 'missed');
    await follow(`${URL}?channel=${channel}&last_event_id=${ids[1]}`);
    await until(() => got.length === 3);
    assert.deepEqual(got[2], ['message', 'missed', missed]);
}

test('eventsource 3 of npm', async () => classic((await load('eventsource')).EventSource));
test('eventsource 2 of npm, and of Debian', async () => classic((await load('eventsource-2')).default));

test('eventsource-parser', async () => {
    const { createParser } = await load('eventsource-parser');
    const channel = fresh();
    const got = [];
    let retry = 0;
    const parser = createParser({
        onEvent: (event) => got.push(event), onRetry: (ms) => { retry = ms; },
        onError: (error) => assert.fail(error) });
    const stop = new AbortController();
    ends.push(() => stop.abort());
    const { body } = await fetch(`${URL}?channel=${channel}`, { signal: stop.signal });
    (async () => {
        const text = new TextDecoder();
        for await (const chunk of body)
            parser.feed(text.decode(chunk, { stream: true }));
    })().catch(() => {});
    await until(() => got.length);
    const id = await send(channel, TEXT, 'note');
    await until(() => got.length === 2);
    assert.equal(got[0].event, 'connected');
    assert.deepEqual(got[1], { event: 'note', id, data: TEXT });
    assert.ok(retry >= 1000 && retry <= 5000);
});

// It wants a page; what it takes of one stands here.
async function fetchEventSource() {
    globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
    globalThis.window = globalThis;
    return (await load('@microsoft/fetch-event-source')).fetchEventSource;
}

// Its messages until a heartbeat has surely gone by: an event that is sent behind one.
async function behindHeartbeats(query) {
    const follow = await fetchEventSource();
    const channel = fresh();
    const got = [];
    const stop = new AbortController();
    ends.push(() => stop.abort());
    const seen = { heartbeats: 0 };
    const counting = async (...asked) => {
        const answer = await fetch(...asked);
        const count = new TransformStream({ transform(chunk, to) {
            seen.heartbeats += /^(?:id: [^\n]*\n\n|:\n)$/.test(new TextDecoder().decode(chunk));
            to.enqueue(chunk);
        } });
        return new Response(answer.body.pipeThrough(count), answer);
    };
    follow(`${URL}?channel=${channel}&ping=5${query}`, {
        signal: stop.signal, openWhenHidden: true, fetch: counting,
        onmessage: ({ id, event, data }) => got.push({ id, event, data }) });
    await until(() => got.length);
    const id = await send(channel, 'x');
    await until(() => seen.heartbeats, 20000);
    await send(channel, 'y', 'last');
    await until(() => got.at(-1).event === 'last');
    assert.deepEqual(got[1], { id, event: '', data: 'x' });
    return got.slice(2, -1);
}

test('fetch-event-source takes an id alone for an empty message', async () => {
    const between = await behindHeartbeats('');
    assert.ok(between.length >= 1);
    assert.ok(between.every(({ event, data }) => event === '' && data === ''));
});

test('… and nothing of comments', async () => {
    assert.deepEqual(await behindHeartbeats('&ping_form=comment'), []);
});
