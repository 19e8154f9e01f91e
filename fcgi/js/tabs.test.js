// Tabs that share a stream, pages that are left and come back: nobody misses anything, nor hears it twice.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import { Belfry } from './client.js';
import { fake, until } from './fake.js';

const put = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });

let worker;
let hubs;
let before;

// A browser: locks, a bus whose messages from or to a tab may be late, and pages that are left and come back.
const buses = new Set();
class Bus {
    late = { from: 0, to: 0 };
    constructor() {
        buses.add(this);
    }
    postMessage(said) {
        const data = structuredClone(said);
        for (const other of buses) {
            if (other !== this)
                setTimeout(() => buses.has(other) && other.onmessage?.({ data }), this.late.from + other.late.to);
        }
    }
    close() {
        buses.delete(this);
    }
}

function browser() {
    const held = new Map();
    before = ['navigator', 'document', 'BroadcastChannel', 'addEventListener'].map((name) => [name, globalThis[name]]);
    put('navigator', { locks: { request: (name, options, fn) => {
        const mine = (held.get(name) ?? Promise.resolve()).then(() => (options.signal.aborted ? undefined : fn()));
        held.set(name, mine);
        return mine;
    } } });
    put('document', new EventTarget());
    put('BroadcastChannel', Bus);
}

function tab(options) {
    const heard = {};
    put('addEventListener', (name, fn) => { heard[name] = fn; });
    const hub = new Belfry(worker.url, options);
    hubs.push(hub);
    hub.page = (name) => heard[name]();
    hub.bus = () => [...buses].at(-1);
    return hub;
}

function heard(channel) {
    const got = [];
    channel.on('n', (data) => got.push(data));
    return got;
}

// A worker with a log, and streams that have what they asked for.
function publish(n, channel) {
    worker.log.push([n, channel]);
    const { names, res } = worker.streams.at(-1);
    if (names.has(channel) && !res.destroyed)
        worker.tell(n, channel);
}

beforeEach(async () => {
    before = [];
    worker = await fake();
    worker.log = [];
    hubs = [];
    worker.stream = (at) => {
        at.names = new Set(at.query.getAll('channel'));
        worker.connected(at);
        const cursor = at.query.get('cursor');
        for (const [n, channel] of worker.log) {
            if (cursor && n > Number(cursor.split('-')[1]) && at.names.has(channel))
                worker.tell(n, channel);
        }
    };
    const changed = () => [200, { channels: ['all', ...worker.streams.at(-1).names], cursor: 'aaaaaaaa-0' }];
    worker.answers['/subscribe'] = ({ channels }) => {
        channels.forEach((one) => worker.streams.at(-1).names.add(one));
        return changed();
    };
    worker.answers['/unsubscribe'] = ({ channels }) => {
        channels.forEach((one) => worker.streams.at(-1).names.delete(one));
        return changed();
    };
});
afterEach(async () => {
    hubs.forEach((hub) => hub.close());
    buses.clear();
    before.forEach(([name, value]) => put(name, value));
    await worker.stop();
});

test('a page that comes back hears what its channel missed, also where who leads has heard nothing since', async () => {
    browser();
    const [a, b] = [tab(), tab()];
    a.channel('other');
    const got = heard(b.channel('room'));
    await until(() => b.channel('room').joined);
    publish(1, 'room');
    await until(() => got.length === 1 && a.cursor === 'aaaaaaaa-1');
    b.page('pagehide');
    await until(() => worker.count('/unsubscribe'));
    publish(2, 'room');
    b.page('pageshow');
    await until(() => worker.streams.at(-1).names.has('room'));
    publish(3, 'room');
    await until(() => got.at(-1) === 3);
    assert.deepEqual(got, [1, 2, 3]);
});

test('a tab that was busy while the stream went over hears what its channel missed', async () => {
    browser();
    const [a, b, c] = [tab(), tab(), tab()];
    const busy = c.bus();
    heard(a.channel('y'));
    b.channel('y');
    const got = heard(c.channel('c'));
    await until(() => c.channel('c').joined);
    publish(1, 'c');
    await until(() => got.length === 1 && b.cursor === 'aaaaaaaa-1');
    busy.late.to = 300;
    a.close();
    await until(() => worker.streams[1]);
    publish(2, 'c');
    await until(() => worker.streams.at(-1).names.has('c'));
    publish(3, 'c');
    await until(() => got.at(-1) === 3);
    assert.deepEqual(got, [1, 2, 3]);
});

test('a page that comes back takes nothing new before what it missed', async () => {
    browser();
    const [a, b] = [tab(), tab()];
    const one = heard(a.channel('room'));
    const got = heard(b.channel('room'));
    await until(() => b.channel('room').joined);
    publish(1, 'room');
    await until(() => got.length === 1);
    b.page('pagehide');
    publish(2, 'room');
    await until(() => one.length === 2);
    b.page('pageshow');
    b.bus().late.from = 40;             // who leads hears of it a moment later
    publish(3, 'room');
    await until(() => one.length === 3);
    await until(() => worker.streams[1]?.names.has('room'));
    publish(4, 'room');
    await until(() => got.at(-1) === 4);
    assert.deepEqual([one, got], [[1, 2, 3, 4], [1, 2, 3, 4]]);
});

test('two tabs with a cursor of a log that is gone do not have the stream begin again and again', async () => {
    browser();
    const [a, b] = [tab(), tab()];
    const got = [a, b].map((hub) => heard(hub.channel('room')));
    await until(() => b.channel('room').joined);
    publish(400, 'room');
    await until(() => b.cursor === 'aaaaaaaa-400' && a.cursor === b.cursor);
    const gaps = [];
    b.on('gap', ({ reason }) => gaps.push(reason));
    worker.stream = (at) => {
        at.names = new Set(at.query.getAll('channel'));
        const is = at.query.get('cursor').startsWith('bbbbbbbb');
        if (!is)
            at.query.set('cursor', 'bbbbbbbb-600');
        worker.connected(at);
        if (!is)
            at.res.write('event: gap\ndata: {"reason":"unknown","channels":["all","room"],"oldest":"bbbbbbbb-600"}\n\n');
    };
    worker.streams[0].res.destroy();
    await until(() => gaps.length);
    worker.tell(601, 'room', { id: 'bbbbbbbb-601' });
    await until(() => got.every((one) => one.at(-1) === 601));
    await pause(100);                   // for a stream that should not come
    assert.deepEqual([worker.streams.length, gaps, got], [2, ['unknown'], [[400, 601], [400, 601]]]);
});

test('over polls, too, a tab that missed something hears it', async () => {
    browser();
    worker.stream = () => {};           // not a byte
    worker.answers['/poll'] = (body, query) => {
        const from = Number(query.get('cursor')?.split('-')[1] ?? 0);
        const events = worker.log.filter(([n]) => n > from).map(([n, channel]) => worker.event(n, channel));
        const cursor = events.at(-1)?.id ?? `aaaaaaaa-${from}`;
        return new Promise((done) => {
            setTimeout(done, 20, [200, { cursor, clientId: query.get('client'), gap: null, events }]);
        });
    };
    const [a, b] = [tab({ patience: 80 }), tab({ patience: 80 })];
    const bus = b.bus();
    const [one, two] = [a, b].map((hub) => heard(hub.channel('room')));
    await until(() => a.transport === 'poll' && b.channel('room').joined);
    worker.log.push([1, 'room']);
    await until(() => one.length && two.length);
    const { onmessage } = bus;
    bus.onmessage = () => {};
    worker.log.push([2, 'room']);
    await until(() => one.length === 2);
    bus.onmessage = onmessage;
    onmessage({ data: { kind: 'joined', what: { channels: ['room'], cursor: 'aaaaaaaa-2' } } });
    await until(() => two.length === 2);
    worker.log.push([3, 'room']);
    await until(() => one.length === 3 && two.length === 3);
    assert.deepEqual([one, two], [[1, 2, 3], [1, 2, 3]]);
});

test('a tab that shares nothing has a stream of its own, with its channels', async () => {
    browser();
    const hub = tab({ share: false });
    const got = heard(hub.channel('room'));
    await until(() => hub.channel('room').joined);
    hub.channel('more');
    await until(() => hub.channel('more').joined);
    assert.ok(!worker.count('/unsubscribe'));
    publish(1, 'room');
    await until(() => got.length);
});
