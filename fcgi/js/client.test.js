// The client's own logic, with a worker that does what each test says.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import { position, takesIn } from './base.js';
import { Belfry } from './client.js';
import { Members } from './members.js';
import { fake, until } from './fake.js';
import { read } from './sse.js';

let worker;
let hubs;
beforeEach(async () => {
    worker = await fake();
    hubs = [];
});
afterEach(async () => {
    hubs.forEach((hub) => hub.close());
    await worker.stop();
});

function open(options) {
    const hub = new Belfry(worker.url, options);
    hubs.push(hub);
    return hub;
}

function heard(channel) {
    const got = [];
    channel.on('n', (data) => got.push(data));
    return got;
}

test('a stream cut anywhere is read the same', async () => {
    const bytes = Buffer.from('retry: 5\n:\nid: a-1\nevent: x\ndata: "é: \u2028id: a-9"\n\nid: a-2\n\ndata:2\n\n:\n\nid: a-3\n');
    const whole = [{ retry: '5', '': '', id: 'a-1', event: 'x', data: '"é: \u2028id: a-9"' }, { id: 'a-2' }, { data: '2' }, { '': '' }];
    for (let cut = 0; cut <= bytes.length; cut += 1) {
        const got = [];
        await read(new Response(new Blob([bytes]).stream().pipeThrough(new TransformStream({
            transform: (all, out) => [all.subarray(0, cut), all.subarray(cut)].forEach((part) => out.enqueue(part)),
        }))), new AbortController().signal, (blocks) => got.push(...blocks));
        assert.deepEqual(got, whole, `cut at ${cut}`);
    }
});

test('a stream is over when its signal says so', async () => {
    const stop = new AbortController();
    const over = read(new Response(new ReadableStream({})), stop.signal, () => {});
    stop.abort();
    await over;
});

test('names, patterns and positions', () => {
    assert.ok(takesIn('room:1', 'room:1') && takesIn('room:*', 'room:1') && takesIn('*', 'room:1'));
    assert.ok(!takesIn('*', 'user:a') && !takesIn('*', '$x') && takesIn('user:*', 'user:a') && !takesIn('room:*', 'roo'));
    assert.ok(position('abcdefgh-12') === 12 && position(null) === Infinity);
});

test('a channel that is left and joined again at once goes on', async () => {
    const hub = open();
    const first = hub.channel('a');
    await hub.connect();
    first.leave();
    const got = heard(hub.channel('a'));
    await until(() => hub.channel('a').joined);
    worker.tell(1, 'a');
    await until(() => got.length);
});

test('one stream for all channels; each event once, in order, over a cut', async () => {
    const hub = open();
    const [a, b, all] = [hub.channel('a'), hub.channel('b'), hub.channel('*')].map(heard);
    await hub.connect();
    assert.deepEqual(worker.streams[0].query.getAll('channel'), ['a', 'b', '*']);
    worker.tell(1, 'a');
    worker.tell(2, 'b');
    await until(() => b.length);
    worker.streams[0].res.destroy();
    await until(() => worker.streams[1]);
    assert.equal(worker.streams[1].query.get('cursor'), 'aaaaaaaa-2');
    assert.equal(worker.streams[1].query.get('client'), worker.streams[0].query.get('client'));
    worker.tell(2, 'b');
    worker.tell(3, 'a');
    await until(() => a.length === 2);
    assert.deepEqual([a, b, all], [[1, 3], [2], [1, 2, 3]]);
});

test('joins and leaves go to the stream that is open; a refusal is the channel\'s', async () => {
    const hub = open();
    hub.channel('a');
    await hub.connect();
    worker.answers['/subscribe'] = ({ channels }) => (channels.includes('secret')
        ? [403, { type: 'about:blank#forbidden', detail: 'channel: secret: subscribe is not allowed' }]
        : [200, { channels: ['all', 'a', 'b'], cursor: 'aaaaaaaa-5' }]);
    worker.answers['/unsubscribe'] = () => [200, { channels: ['all', 'b'], cursor: 'aaaaaaaa-5' }];
    const b = hub.channel('b');
    const secret = hub.channel('secret');
    const error = await new Promise((done) => { secret.on('error', done); });
    assert.match(error.message, /403 forbidden: channel: secret.*grant it/);
    await until(() => b.joined);
    hub.channel('a').leave();
    await until(() => worker.count('/unsubscribe'));
    assert.deepEqual(worker.asked.at(-1).body.channels, ['a']);
    assert.equal(worker.streams.length, 1);
    const got = heard(b);
    worker.tell(6, 'b');
    await until(() => got.length);
    assert.deepEqual(got, [6]);
});

test('a channel that is refused in the address is left out of the next', async () => {
    worker.stream = (at) => {
        if (!at.query.getAll('channel').includes('no'))
            worker.connected(at);
        else
            at.res.writeHead(403).end('{"detail":"channel: no: subscribe is not allowed"}');
    };
    const hub = open();
    const refused = new Promise((done) => { hub.channel('no').on('error', done); });
    hub.channel('yes');
    assert.equal((await refused).status, 403);
    await hub.connect();
    assert.deepEqual(worker.streams[1].query.getAll('channel'), ['yes']);
});

test('a given fetch does it all, and whoever listens badly harms nobody', async () => {
    const asked = [];
    const hub = open({ fetch: (url, how) => {
        asked.push(`${how.method} ${new URL(url).pathname}`);
        return fetch(url, how);
    } });
    worker.answers['/send'] = () => [200, { id: 'aaaaaaaa-1' }];
    const room = hub.channel('room');
    const said = console.error;
    console.error = () => {};
    room.on('n', () => { throw new Error('mine'); });
    const got = heard(room);
    await hub.connect();
    await room.send('n', 1);
    worker.tell(1);
    await until(() => got.length);
    console.error = said;
    assert.deepEqual(asked, ['GET /events', 'POST /events/send']);
});

test('the last ones come from the log, and what comes meanwhile after them', async () => {
    let answer;
    worker.answers['/history'] = () => new Promise((done) => { answer = done; });
    const hub = open();
    const got = heard(hub.channel('room', { last: 2 }));
    await hub.connect();
    await until(() => answer);
    worker.tell(3);
    worker.tell(4);
    answer([200, { events: [worker.event(3), worker.event(2)], next: null }]);
    await until(() => got.length === 3);
    assert.deepEqual(got, [2, 3, 4]);
});

test('a gap is told; after another log, lower positions are new', async () => {
    const hub = open();
    const room = hub.channel('room');
    const [got, gaps] = [heard(room), []];
    room.on('gap', (gap) => gaps.push(gap.reason));
    await hub.connect();
    worker.tell(9);
    worker.streams[0].res.write('event: gap\ndata: {"reason":"reset","channels":["room"]}\n\n');
    worker.tell(5);
    await until(() => got.length === 2);
    assert.deepEqual([got, gaps], [[9, 5], ['reset']]);
});

for (const how of ['on a stream that is open', 'on the next stream']) {
    test(`another log begins ${how}: what is joined then hears it from its beginning`, async () => {
        const hub = open();
        const got = [];
        const gap = { requested: 'aaaaaaaa-900', reason: 'reset', oldest: 'bbbbbbbb-500', channels: ['all', 'room'] };
        const say = ({ res }) => res.write(`event: gap\ndata: ${JSON.stringify(gap)}\n\n`);
        worker.answers['/subscribe'] = ({ channels }) => [200, { channels: ['all', 'room', ...channels], cursor: gap.oldest }];
        hub.channel('room');
        await hub.connect();
        worker.tell(900, 'room');
        await until(() => hub.cursor === 'aaaaaaaa-900');
        hub.on('gap', () => hub.channel('news').on('n', (data) => got.push(data)));
        if (how === 'on the next stream') {
            worker.stream = (at) => {
                at.query.set('cursor', gap.oldest);
                worker.connected(at);
                say(at);
            };
            worker.streams[0].res.destroy();
        } else {
            say(worker.streams[0]);
        }
        await until(() => worker.count('/subscribe') && hub.channel('news').joined);
        const { length } = worker.streams;
        worker.tell(501, 'news', { id: 'bbbbbbbb-501' });
        await until(() => got.length);
        assert.deepEqual([got, worker.streams.length, hub.cursor], [[501], length, 'bbbbbbbb-501']);
    });
}

test('over polls, too, a channel hears the log that began', async () => {
    worker.stream = () => {};           // not a byte
    let log = 'aaaaaaaa';
    worker.answers['/poll'] = (body, query) => {
        const is = query.get('cursor')?.startsWith(log);
        const events = log === 'aaaaaaaa' ? [] : [worker.event(501, 'room', { id: 'bbbbbbbb-501' })];
        return new Promise((done) => {
            setTimeout(done, 10, query.get('cursor') && !is
                ? [200, { cursor: 'bbbbbbbb-501', clientId: query.get('client'), gap: { reason: 'reset', oldest: 'bbbbbbbb-500', channels: ['room'] }, events }]
                : [200, { cursor: is ? query.get('cursor') : 'aaaaaaaa-900', clientId: query.get('client'), gap: null, events: [] }]);
        });
    };
    const hub = open({ patience: 80 });
    hub.channel('other');
    await until(() => hub.transport === 'poll' && hub.state === 'live');
    log = 'bbbbbbbb';
    const got = heard(hub.channel('room'));         // the next poll is its first
    await until(() => got.length);
    assert.deepEqual([got, hub.cursor], [[501], 'bbbbbbbb-501']);
});

test('a channel that was left while the stream was cut is left', async () => {
    const hub = open();
    hub.channel('a');
    await hub.connect();
    worker.answers['/subscribe'] = () => [200, { channels: ['all', 'a', 'b'], cursor: 'aaaaaaaa-0' }];
    worker.answers['/unsubscribe'] = () => [200, { channels: ['all', 'a'], cursor: 'aaaaaaaa-0' }];
    const b = hub.channel('b');         // by POST: the hub remembers it for the client
    await until(() => b.joined);
    worker.stream = (at) => worker.connected(at, { channels: ['all', 'a', 'b'] });
    worker.streams[0].res.destroy();
    await until(() => hub.state !== 'live');
    b.leave();
    await until(() => worker.count('/unsubscribe'));
    assert.deepEqual(worker.streams[1].query.getAll('channel'), ['a']);
    assert.deepEqual(worker.asked.at(-1).body.channels, ['b']);
});

test('a send is tried again under its key, in order; the queue has an end', async () => {
    const log = [];
    let failures = 2;
    worker.answers['/send'] = ({ idempotencyKey, data }, query, req) => {
        log.push([idempotencyKey, data]);
        if (data === 'bad')
            return [422, { type: 'about:blank#wrong_field', detail: 'ttl: is no number' }];
        failures -= 1;
        if (failures === 1)
            req.socket.destroy();
        return failures >= 0 ? [503, {}, { 'Retry-After': '0' }] : [200, { id: `aaaaaaaa-${log.length}` }];
    };
    const hub = open({ queue: 3 });
    const room = hub.channel('room');
    const sent = [room.send('n', 1), room.send('n', 'bad'), room.send('n', 3)];
    await assert.rejects(room.send('n', 4), /3 sends wait already/);
    assert.equal(await sent[0], 'aaaaaaaa-3');
    await assert.rejects(sent[1], /422 wrong_field: ttl: is no number/);
    assert.equal(await sent[2], 'aaaaaaaa-5');
    assert.deepEqual(log.map(([, data]) => data), [1, 1, 1, 'bad', 3]);
    assert.equal(new Set(log.slice(0, 3).map(([key]) => key)).size, 1);
    await room.send('n', 5, { idempotencyKey: undefined });
    assert.ok(log.every(([key]) => key));
});

test('a send is not tried again after a pause that was longer than its key holds', async () => {
    worker.answers['/send'] = () => [503, {}];
    const hub = open();
    await hub.connect();
    const { now } = Date;
    hub.http.naps.sleep = async () => { Date.now = () => now() + 3600000; };    // the lid was closed
    try {
        await assert.rejects(hub.channel('room').send('n', 1), (error) => error.outcome === 'unknown');
    } finally {
        Date.now = now;
    }
    assert.equal(worker.count('/send'), 1);
});

test('a proxy that holds back the stream: polls, and streams again when it can', async () => {
    const ways = [];
    worker.stream = () => {};           // not a byte
    let n = 0;
    worker.answers['/poll'] = (body, query) => {
        n = query.get('cursor') ? n + 1 : 0;
        const events = n === 1 ? [worker.event(1)] : [];
        return new Promise((done) => {
            setTimeout(done, n > 1 ? 50 : 0, [200, { cursor: `aaaaaaaa-${n}`, clientId: query.get('client'), gap: null, events }]);
        });
    };
    const hub = open({ patience: 80 });
    hub.on('state', (state, { transport }) => ways.push(`${state} ${transport}`));
    const got = heard(hub.channel('room'));
    await until(() => got.length);
    assert.equal(hub.transport, 'poll');
    worker.stream = (at) => worker.connected(at);
    await until(() => ways.includes('live stream'));
    assert.ok(ways.indexOf('live poll') < ways.indexOf('live stream'), ways.join());
    assert.match(worker.streams.at(-1).query.get('cursor'), /^aaaaaaaa-\d/);
    assert.deepEqual(got, [1]);
});

test('streams that are cut young, again and again: polls', async () => {
    worker.stream = (at) => {
        worker.connected(at);
        setTimeout(() => at.res.destroy(), 20);
    };
    worker.answers['/poll'] = (body, query) => new Promise((done) => {
        setTimeout(done, 30, [200, { cursor: 'aaaaaaaa-1', clientId: query.get('client'), gap: null, events: [] }]);
    });
    const hub = open({ patience: 1000 });
    hub.channel('room');
    await until(() => hub.transport === 'poll' && hub.state === 'live');
    assert.equal(worker.streams.length, 3);
});

test('a stream that falls silent is given up', async () => {
    worker.stream = (at) => worker.connected(at, { ping: 0.05 });
    worker.answers['/poll'] = () => [503, {}];
    const hub = open({ patience: 100 });
    hub.channel('room');
    await until(() => hub.transport === 'poll');
});

test('told to go: comes back at the time that was said', async () => {
    const hub = open();
    hub.channel('room');
    await hub.connect();
    worker.streams[0].res.end('retry: 30\nevent: bye\ndata: {"reason":"drain"}\n\n');
    await until(() => worker.streams[1]);
    assert.equal(hub.transport, 'stream');
});

test('a token is renewed before it ends, when it is refused, and when a stream ended with it', async () => {
    let minted = 0;
    const token = () => `t${minted += 1}`;
    worker.stream = (at) => {
        if (at.headers.authorization === 'Bearer t1')
            at.res.writeHead(401).end('{"type":"about:blank#invalid_token"}');
        else
            worker.connected(at);
    };
    worker.answers['/refresh'] = () => [204];
    const hub = open({ token });
    await hub.connect();
    assert.equal(worker.streams[1].headers.authorization, 'Bearer t2');
    worker.streams[1].res.write('event: token\ndata: {"expires":1}\n\n');
    await until(() => worker.count('/refresh'));
    assert.equal(worker.asked.at(-1).headers.authorization, 'Bearer t3');
    assert.deepEqual(worker.asked.at(-1).body, { clientId: hub.clientId });
    worker.streams[1].res.end('event: bye\ndata: {"reason":"expired"}\n\n');
    await until(() => worker.streams[2]);
    assert.equal(worker.streams[2].headers.authorization, 'Bearer t3');
});

test('refused for good: says why, and tries again when it is asked to', async () => {
    let is = false;
    worker.stream = (at) => (is ? worker.connected(at) : at.res.writeHead(401).end('{"detail":"log in"}'));
    const hub = open();
    hub.channel('room');
    await assert.rejects(new Promise((done, fail) => { hub.on('state', (state, { error }) => error && fail(error)); }),
                         /401.*log in.*token/);
    assert.equal(hub.state, 'refused');
    hub.on('state', (state) => {
        if (state === 'refused') {
            is = true;
            hub.connect();
        }
    });
    await hub.connect();
    assert.equal(hub.state, 'live');
    const { length } = worker.streams;
    worker.tell(1);
    await until(() => hub.cursor === 'aaaaaaaa-1');
    assert.equal(worker.streams.length, length, 'one stream, whoever asked for it');
});

test('while it waits it says for what', async () => {
    const hub = open({ token: () => Promise.reject(new Error('no token today')) });
    const { error } = await new Promise((done) => { hub.on('state', (state, how) => state === 'waiting' && done(how)); });
    assert.equal(error.message, 'no token today');
});

const user = (name, devices = 1) => ({ user: name, verified: true, devices, since: 1, public: null });
const state = (version, ...names) => ({ version, state: { count: names.length, anonymous: 0, users: names.map((name) => user(name)) } });
const change = (version, count, more) => ({ version, count, anonymous: 0, join: [], update: [], leave: [], ...more });

function members() {
    const [said, asked] = [[], []];
    const channel = {
        members: [],
        http: { naps: { sleep: async () => {} }, insist: () => new Promise((done, fail) => { asked.push({ done, fail }); }) },
        emit: (name, what) => said.push(name === 'presence' ? what.map((one) => one.user).join() : `${name} ${what.user ?? what.message}`),
    };
    return { all: new Members(channel), channel, said, asked };
}

test('who is here: a state, changes, and what another state says has changed', () => {
    const { all, channel, said, asked } = members();
    all.take(state(7, 'ann'));
    all.take(change(8, 3, { join: [user('ben'), user('cid')] }));
    all.take(change(9, 2, { leave: [{ user: 'ann', verified: true }], update: [user('ben', 2)] }));
    all.take(change(9, 9, { join: [user('old')] }));
    assert.deepEqual([channel.members.map((one) => [one.user, one.devices]), channel.count], [[['cid', 1], ['ben', 2]], 2]);
    all.take(state(3, 'ben', 'dee'));
    all.take(change(4, 3, { join: [{ ...user('dee'), verified: false }] }));
    assert.deepEqual(said, ['ann', 'join ben', 'join cid', 'ann,ben,cid', 'leave ann', 'cid,ben',
                            'join dee', 'leave cid', 'ben,dee', 'join dee', 'ben,dee,dee']);
    all.take({ version: 5, state: { count: 300, anonymous: 1 } });
    assert.deepEqual([channel.members, channel.count, said.pop(), asked.length], [[], 300, '', 0]);
    all.take(state(6, 'ann'));
    assert.equal(said.pop(), 'ann', 'who was there unnamed has not come');
});

test('who is here: a hole is asked for until all that was heard of is in; a state ends the question', async () => {
    const { all, channel, said, asked } = members();
    all.take(state(1, 'ann'));
    all.take(change(3, 3));
    all.take(change(4, 3));
    await until(() => asked[0]);
    asked[0].done(state(3, 'ann', 'ben'));
    await until(() => asked[1]);
    asked[1].done(state(4, 'ann', 'ben', 'cid'));
    await until(() => channel.count === 3);
    assert.deepEqual(said.slice(1), ['join ben', 'join cid', 'ann,ben,cid']);
    all.take(change(6, 1));
    await until(() => asked[2]);
    all.take(state(2, 'dee'));          // of a hub that was started again
    asked[2].done(state(6, 'ann'));
    all.take(change(3, 0, { leave: [{ user: 'dee', verified: true }] }));
    await until(() => channel.count === 0);
    all.look();
    await until(() => asked[3]);
    asked[3].fail(new Error('no'));
    await until(() => said.at(-1) === 'error no');
    assert.equal(asked.length, 4);
});

test('who is here comes on the stream where it is wanted, and is asked for over polls', async () => {
    const hub = open({ name: 'zoe', patience: 500 });
    hub.channel('a');
    await hub.connect();
    assert.equal(worker.streams[0].query.get('presence'), null);
    const room = hub.channel('room', { presence: true });
    await until(() => worker.streams[1]);
    assert.deepEqual(['presence', 'name'].map((name) => worker.streams[1].query.get(name)), ['1', 'zoe']);
    worker.streams[1].res.write(`event: presence\ndata: ${JSON.stringify({ channel: 'room', ...state(1, 'ann') })}\n\n`);
    await until(() => room.count === 1);
    assert.equal(room.members[0].user, 'ann');
    const seen = [];
    room.on('join', (one, event) => seen.push([one.user, event]));
    room.on('*', (data, { event }) => seen.push(event));
    worker.tell(1, 'room', { event: 'join', data: { user: 'eve' } });
    await until(() => seen.length);
    assert.deepEqual(seen, ['join'], 'nobody pretends to have come');
    worker.answers['/presence'] = (body, query) => [200, { channel: query.get('channel'), ...state(5, 'ann', 'ben') }];
    worker.answers['/poll'] = (body, query) => new Promise((done) => {
        setTimeout(done, 20, [200, { cursor: 'aaaaaaaa-9', clientId: query.get('client'), gap: null, events: [] }]);
    });
    worker.stream = () => {};
    worker.streams[1].res.destroy();
    await until(() => room.count === 2);
    assert.deepEqual([hub.transport, seen.at(-1)[0]], ['poll', 'ben']);
    await until(() => worker.asked.some(({ path, query }) => path === '/poll' && query.get('wait') === '10'));
});

test('typing is said now and then, not to this browser, and ended at once', async () => {
    const hub = open();
    const room = hub.channel('room');
    await hub.connect();
    worker.answers['/send'] = () => [200, { id: null }];
    [undefined, undefined, false, undefined].forEach((is) => room.typing(is));
    await until(() => worker.count('/send') === 3);
    const sent = worker.asked.filter(({ path }) => path === '/send').map(({ body }) => body);
    assert.deepEqual(sent.map(({ data }) => data), [true, false, true]);
    assert.equal(sent[0].exclude, hub.clientId);
});

test('where locks are forbidden a page has a stream of its own', async () => {
    const put = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    const before = ['navigator', 'document'].map((name) => [name, globalThis[name]]);
    put('navigator', { locks: { request: () => Promise.reject(new DOMException('no', 'SecurityError')) } });
    put('document', new EventTarget());
    try {
        const hub = open();
        await hub.connect();
        assert.equal(worker.streams.length, 1);
    } finally {
        before.forEach(([name, value]) => put(name, value));
    }
});

test('tabs share a stream; the next one goes on from where the first one was, and what it missed comes again', async () => {
    const held = new Map();
    const locks = { request: (name, options, fn) => {
        const queue = held.get(name) ?? Promise.resolve();
        const mine = queue.then(() => (options.signal.aborted ? undefined : fn()));
        held.set(name, mine);
        return mine;
    } };
    const put = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    const before = ['navigator', 'document'].map((name) => [name, globalThis[name]]);
    put('navigator', { locks });
    put('document', new EventTarget());
    try {
        const [a, b] = [open(), open()];
        const [one, two] = [heard(a.channel('room')), heard(b.channel('room'))];
        await Promise.all([a.connect(), b.connect()]);
        await until(() => b.channel('room').joined);
        worker.tell(1);
        await until(() => one.length && two.length);
        a.close();
        await until(() => worker.streams[1]);
        assert.equal(worker.streams[1].query.get('cursor'), 'aaaaaaaa-1');
        worker.tell(1);
        worker.tell(2);
        await until(() => two.length === 2);
        const late = open();
        const three = heard(late.channel('room'));
        await until(() => late.channel('room').joined);
        worker.tell(3);
        await until(() => three.length);
        assert.deepEqual([one, two, three, worker.streams.length], [[1], [1, 2, 3], [3], 2]);
        // The bus said nothing for a while: who leads begins again where the last one is.
        await until(() => two.length === 3);
        const slow = new BroadcastChannel(late.key);
        const asked = new Promise((done) => { slow.onmessage = ({ data }) => data.kind === 'rewind' && done(data.what); });
        slow.postMessage({ kind: 'joined', what: { channels: ['room'], cursor: 'aaaaaaaa-5' } });
        assert.equal(await asked, 'aaaaaaaa-3');
        slow.postMessage({ kind: 'rewind', what: 'aaaaaaaa-2' });
        const again = await until(() => worker.streams[2]);
        assert.equal(again.query.get('cursor'), 'aaaaaaaa-2');
        [3, 4].forEach((n) => worker.tell(n));
        await until(() => three.length === 2);
        assert.deepEqual([two, three], [[1, 2, 3, 4], [3, 4]]);
        slow.close();
    } finally {
        hubs.forEach((hub) => hub.close());
        before.forEach(([name, value]) => put(name, value));
    }
});
