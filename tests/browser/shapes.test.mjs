// Code as it is written around WebSockets, Socket.IO, EventSource and Redis, in its own words, on a real Belfry: BELFRY says where.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';

import { Belfry } from '../../fcgi/js/client.js';
import { until } from '../../fcgi/js/fake.js';
import { BelfrySocket } from '../../fcgi/js/socket.js';

const URL = process.env.BELFRY;
const open = [];
let number = 0;
const fresh = (name) => `${name}${number += 1}`;

afterEach(() => open.splice(0).forEach((one) => one.close()));

async function socket(options) {
    const ws = new BelfrySocket(URL, options);
    const got = [];
    open.push(ws);
    ws.onmessage = (event) => got.push(JSON.parse(event.data));
    await new Promise((done) => { ws.onopen = done; });
    return { ws, got, say: (message) => ws.send(JSON.stringify(message)),
             of: (type) => got.filter((one) => one.type === type) };
}

test('rooms a: join and leave with a payload, broadcast, ping', async () => {
    const room = fresh('lobby');
    const [a, b] = [await socket(), await socket()];
    a.say({ type: 'join', payload: room });
    await until(() => a.of('joined').length);
    b.say({ type: 'join', payload: room });
    await until(() => a.of('user_joined').length);
    a.say({ type: 'broadcast', room, payload: { x: 1 } });
    await until(() => b.of('broadcast').length);
    assert.deepEqual([b.of('broadcast')[0].room, b.of('broadcast')[0].payload], [room, { x: 1 }]);
    a.say({ type: 'ping' });
    await until(() => a.of('pong').length);
    b.say({ type: 'leave', payload: room });
    await until(() => a.of('user_left').length);
    assert.equal(a.of('broadcast').length, 0);
});

test('rooms b: connected, authenticate, message to the others, user_joined, user_left, pong', async () => {
    const room = fresh('general');
    const [alice, bob] = [await socket(), await socket()];
    assert.ok(alice.of('connected')[0].clientId);
    alice.say({ type: 'authenticate', userId: 'alice' });
    bob.say({ type: 'authenticate', userId: 'bob' });
    await until(() => bob.of('authenticated').length);
    assert.equal(bob.of('authenticated')[0].verified, false);
    alice.say({ type: 'join', room });
    await until(() => alice.of('joined').length);
    bob.say({ type: 'join', room });
    await until(() => alice.of('user_joined').length);
    assert.deepEqual([alice.of('user_joined')[0].userId, alice.of('user_joined')[0].room], ['bob', room]);
    alice.say({ type: 'message', room, content: 'hi' });
    const [message] = await until(() => bob.of('message').length && bob.of('message'));
    assert.deepEqual([message.from, message.content], ['alice', 'hi']);
    assert.ok(message.timestamp > 1e12);
    bob.ws.close();
    await until(() => alice.of('user_left').length);
    assert.deepEqual([alice.of('user_left')[0].userId, alice.of('message').length], ['bob', 0]);
    alice.say({ type: 'ping' });
    await until(() => alice.of('pong').length);
});

test('users with a token come and go as the server sees them, also without a word', async () => {
    const room = fresh('office');
    const [alice, bob, again] = [await socket({ token: process.env.ALICE }), await socket({ token: process.env.BOB }),
                                 await socket({ token: process.env.BOB })];
    alice.say({ type: 'join', room });
    await until(() => alice.of('joined').length);
    bob.say({ type: 'join', room });
    await until(() => alice.of('user_joined').length);
    again.say({ type: 'join', room });
    await until(() => alice.ws.hub.channel(`room:${room}`).members.some(({ devices }) => devices === 2));
    again.say({ type: 'leave', room });
    bob.say({ type: 'message', room, content: 'still here' });
    await until(() => alice.of('message').length);
    assert.equal(alice.of('user_left').length, 0, 'another device is there');
    bob.ws.hub.close();
    await until(() => alice.of('user_left').length);
    const { userId, verified } = alice.of('user_left')[0];
    assert.deepEqual([userId, verified, alice.of('user_joined').length], ['bob', true, 1]);
});

test('where presence is not allowed, sockets still tell each other', async () => {
    const room = fresh('hidden');
    const [alice, bob] = [await socket({ token: process.env.ALICE }), await socket({ token: process.env.BOB })];
    alice.say({ type: 'join', room });
    await until(() => alice.of('joined').length);
    bob.say({ type: 'join', room });
    await until(() => alice.of('user_joined').length);
    bob.ws.close();
    await until(() => alice.of('user_left').length);
    assert.equal(alice.of('error').length, 0);
});

test('rooms c: welcome, join by name, chat, typing, echo, topics, invalid JSON', async () => {
    const room = fresh('tea');
    const [ann, ben] = [await socket(), await socket()];
    assert.ok(ann.of('welcome')[0].message);
    ann.say({ type: 'join', room, username: 'Ann' });
    await until(() => ann.of('joined').length);
    ben.say({ type: 'join', room, username: 'Ben' });
    await until(() => ann.of('user-joined').length);
    assert.deepEqual([ann.of('user-joined')[0].username, ann.of('user-joined')[0].usersInRoom], ['Ben', 2]);
    ben.say({ type: 'typing' });
    await until(() => ann.of('user-typing').length);
    assert.equal(ann.of('user-typing')[0].username, 'Ben');
    ben.say({ type: 'chat', text: 'two sugars' });
    const [chat] = await until(() => ann.of('message').length && ann.of('message'));
    assert.deepEqual([chat.username, chat.text, typeof chat.timestamp], ['Ben', 'two sugars', 'number']);
    ann.say({ type: 'echo', data: [1, 2] });
    await until(() => ann.of('echo').length);
    assert.deepEqual(ann.of('echo')[0].data, [1, 2]);
    const topic = fresh('prices');
    ann.say({ type: 'subscribe', topic });
    await until(() => ann.of('subscribed').length);
    ben.say({ type: 'publish', topic, data: { eur: 1.2 } });
    await until(() => ann.of('message').length === 2);
    assert.deepEqual(ann.of('message')[1], { type: 'message', topic, data: { eur: 1.2 } });
    ann.ws.send('{');
    await until(() => ann.got.some(({ error }) => error === 'Invalid JSON'));
    ben.say({ type: 'leave', room });
    await until(() => ann.of('user-left').length);
});

test('a client that reconnects: connect, on, *, joinRoom, sendMessage, leaveRoom, disconnect', async () => {
    const room = fresh('club');
    const [a, b] = [new BelfrySocket(URL), new BelfrySocket(URL)];
    open.push(a, b);
    await Promise.all([a.connect(), b.connect()]);
    await Promise.all([a.joinRoom(room), b.joinRoom(room)]);
    const [messages, all] = [[], []];
    const off = b.on('message', (message) => messages.push(message.content));
    b.on('*', (message) => all.push(message.type));
    await a.sendMessage(room, 'one');
    await until(() => messages.length);
    off();
    await a.sendMessage(room, 'two');
    await until(() => all.filter((type) => type === 'message').length === 2);
    assert.deepEqual(messages, ['one']);
    await b.leaveRoom(room);
    const closed = new Promise((done) => { b.onclose = done; });
    b.disconnect();
    assert.equal((await closed).wasClean, true);
});

test('Socket.IO: join_room, room_history, message, typing_start and _stop, Access denied', async () => {
    const roomId = fresh('chat');
    const a = await socket();
    a.ws.emit('authenticate', { userId: 'u1', username: 'Una' });
    a.ws.emit('join_room', { roomId });
    await until(() => a.of('room_history').length);
    await a.ws.sendMessage(roomId, 'before you');
    const b = await socket();
    const history = new Promise((done) => { b.ws.on('room_history', done); });
    b.ws.emit('join_room', { roomId });
    const { messages } = await history;
    assert.deepEqual(messages.map((one) => [one.roomId, one.userId, one.userName, one.content]), [[roomId, 'u1', 'Una', 'before you']]);
    assert.ok(messages[0].id && messages[0].timestamp);
    a.ws.emit('typing_start', { roomId });
    a.ws.emit('message', { roomId, content: 'hello' });
    a.ws.emit('typing_stop', { roomId });
    await until(() => b.of('user_stopped_typing').length);
    assert.deepEqual([b.of('user_typing')[0].userName, b.of('message')[0].content], ['Una', 'hello']);
    const denied = new Promise((done) => { b.ws.on('error', done); });
    b.ws.emit('join_room', { roomId: 'secret' });
    assert.equal((await denied).message, 'Access denied');
});

test('who is online: user-online, heartbeat, presence-update', async () => {
    const lobby = fresh('house');
    const [a, b] = [await socket({ lobby }), await socket({ lobby })];
    a.say({ type: 'user-online', userId: 'alice' });
    await until(() => a.of('joined').length);
    b.say({ type: 'user-online', userId: 'bob' });
    b.say({ type: 'heartbeat' });
    await until(() => a.of('presence-update').length && b.of('presence-update').length);
    const { userId, status, users } = a.of('presence-update')[0];
    assert.deepEqual([userId, status, users], ['bob', 'online', ['alice', 'bob']]);
    b.ws.close();
    await until(() => a.of('presence-update').some((one) => one.status === 'offline'));
});

test('Redis: publish, subscribe, a pattern; EventSource: on before connecting, off', async () => {
    const name = fresh('r');
    const hub = new Belfry(URL);
    open.push(hub);
    const [one, all] = [[], []];
    const off = hub.channel(`${name}:1`).on('message', (data) => one.push(data));
    hub.channel(`${name}:*`).on('message', (data) => all.push(data));
    await hub.connect();
    await hub.send({ channel: `${name}:1`, data: { a: 1 } });
    await hub.send({ channel: `${name}:2`, data: { b: 2 } });
    await until(() => all.length === 2);
    off();
    await hub.send({ channel: `${name}:1`, data: 3 });
    await until(() => all.length === 3);
    assert.deepEqual(one, [{ a: 1 }]);
});

test('refused, it says so and closes; readyState as of a WebSocket', async () => {
    const ws = new BelfrySocket(`${URL}/nowhere/at/all`);
    assert.throws(() => ws.send('{}'), /not open yet/);
    const closed = await new Promise((done) => { ws.onclose = done; });
    assert.deepEqual([closed.code, closed.wasClean, ws.readyState], [1008, false, BelfrySocket.CLOSED]);
});
