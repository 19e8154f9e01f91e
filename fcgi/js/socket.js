// socket -- code that was written against a WebSocket with rooms runs on Belfry: another constructor, nothing else.
// Knows the messages that such code sends and waits for (README.md has the table); all else is the client's.

import { Belfry } from './client.js';
import { randomName } from './base.js';

const CLEAN = 1000;

/** Who sent an event: proved by the server, or what somebody says of himself. */
function sender({ user, data }) {
    return { userId: user ?? data.userId ?? data.from, name: user ?? data.name ?? data.from, verified: user !== null };
}

/** What the others of a room hear, by what was sent. */
const HEARD = {
    message: (event, who, room) => ({
        type: 'message', id: event.id, room, roomId: room, from: who.userId, userId: who.userId, userName: who.name,
        content: event.data.content, timestamp: event.time, verified: who.verified,
    }),
    broadcast: (event, who, room) => ({ type: 'broadcast', room, payload: event.data.payload, from: who.userId }),
    chat: (event, who) => ({ type: 'message', username: who.name, text: event.data.text, timestamp: event.time }),
    publish: (event, who, room) => ({ type: 'message', topic: room, data: event.data.data }),
};

export class BelfrySocket extends EventTarget {
    static CONNECTING = 0;
    static OPEN = 1;
    static CLOSING = 2;
    static CLOSED = 3;
    CONNECTING = 0;
    OPEN = 1;
    CLOSING = 2;
    CLOSED = 3;
    readyState = 0;
    protocol = '';
    extensions = '';
    onopen = null;
    onmessage = null;
    onclose = null;
    onerror = null;
    binaryType = 'blob';
    bufferedAmount = 0;
    #rooms = new Map();             // name -> {channel, there: Map of who is there}
    #me = { from: randomName(), userId: undefined, name: undefined };
    #room = null;                   // the last one joined: messages that name none are for it

    /** `url` as for Belfry, or ws:// of the same host; `options` as for Belfry, and channel: room -> its channel. */
    constructor(url = '/events', options = {}) {
        super();
        this.url = String(url);
        this.options = Array.isArray(options) || typeof options !== 'object' ? {} : options;
        this.channelOf = this.options.channel ?? ((room) => `room:${room}`);
        this.#open(this.options.token);
    }

    /** Takes what a WebSocket would: a text of JSON. */
    send(text) {
        if (this.readyState === this.CONNECTING)
            throw new DOMException('not open yet: wait for onopen', 'InvalidStateError');
        if (this.readyState !== this.OPEN)
            return;
        let message;
        try {
            message = JSON.parse(text);
        } catch {
            this.#say({ error: 'Invalid JSON' });
            return;
        }
        this.#serve(message ?? {});
    }

    close(code = CLEAN, reason = '') {
        if (this.readyState >= this.CLOSING)
            return;
        this.readyState = this.CLOSING;
        const left = [...this.#rooms.keys()].map((room) => this.#leave(room));
        Promise.allSettled(left).then(() => this.#closed(code, reason, true));
    }

    // The same in the words of Socket.IO, and of clients that reconnect.

    emit(type, payload) {
        this.#serve({ ...payload, type });
        return this;
    }

    /** Calls `fn` with each message of that type, `*`: of any; returns a function that ends this. */
    on(type, fn) {
        const hear = ({ detail }) => fn(detail);
        this.addEventListener(`: ${type}`, hear);
        return () => this.removeEventListener(`: ${type}`, hear);
    }

    connect() {
        return this.hub.connect();
    }

    disconnect() {
        this.close();
    }

    joinRoom(room) {
        return this.#join({ room });
    }

    leaveRoom(room) {
        return this.#leave(room);
    }

    sendMessage(room, content) {
        return this.#publish(room, { type: 'message', content });
    }

    #open(token) {
        const url = this.url.replace(/^ws(s?):/, 'http$1:');
        // A stream of its own: another tab's socket is somebody else.
        this.hub = new Belfry(url, { ...this.options, token, share: false });
        this.hub.on('state', (state, { error }) => this.#changed(state, error));
        this.hub.on('error', (error) => this.#fire('error', { error }));
    }

    #changed(state, error) {
        if (state === 'live' && this.readyState === this.CONNECTING) {
            this.readyState = this.OPEN;
            this.#fire('open');
            this.#hear('connect');
            this.#say({ type: 'connected', clientId: this.#me.from });
            this.#say({ type: 'welcome', message: 'Welcome' });
        } else if (state === 'refused') {
            this.#fire('error', { error, message: error.message });
            this.#closed(1008, error.message, false);
        }
    }

    #closed(code, reason, wasClean) {
        if (this.readyState === this.CLOSED)
            return;
        this.readyState = this.CLOSED;
        this.hub.close();
        this.#fire('close', { code, reason, wasClean });
        this.#hear('disconnect', reason);
    }

    #fire(type, more) {
        const event = Object.assign(new Event(type), more);
        this[`on${type}`]?.(event);
        this.dispatchEvent(event);
    }

    #hear(type, detail) {
        this.dispatchEvent(Object.assign(new Event(`: ${type}`), { detail }));
    }

    // A message for the page, as if it came from a server.
    #say(message) {
        this.#fire('message', { data: JSON.stringify(message), origin: this.url });
        this.#hear(message.type ?? 'error', message);
        this.#hear('*', message);
    }

    #serve(message) {
        const room = message.room ?? message.roomId ?? this.#room;
        const does = {
            ping: () => this.#say({ type: 'pong' }),
            echo: () => this.#say({ type: 'echo', data: message.data }),
            authenticate: () => this.#authenticate(message),
            join: () => this.#join({ ...message, room: message.room ?? message.payload }),
            join_room: () => this.#join({ ...message, room, history: 50 }),
            leave: () => this.#leave(message.room ?? message.payload ?? this.#room),
            leave_room: () => this.#leave(room),
            message: () => this.#publish(room, message),
            broadcast: () => this.#publish(room, message),
            chat: () => this.#publish(room, message),
            subscribe: () => this.#join({ room: message.topic, quiet: true }),
            unsubscribe: () => this.#leave(message.topic),
            publish: () => this.#publish(message.topic, message),
            typing: () => this.#note(room, 'typing'),
            typing_start: () => this.#note(room, 'typing_start'),
            typing_stop: () => this.#note(room, 'typing_stop'),
            'user-online': () => this.#online(message),
            heartbeat: () => {},
        }[message.type];
        if (does)
            Promise.resolve(does()).catch((error) => this.#failed(error));
        else
            this.#say({ type: 'error', message: `no such type: ${message.type}`, error: 'Unknown type' });
    }

    #failed(error) {
        const words = error.status === 403 ? 'Access denied' : error.message;
        this.#say({ type: 'error', message: words, error: words, detail: error.message });
    }

    // A token proves who it is; a userId is only what somebody says of himself.
    #authenticate({ token, userId, username }) {
        this.#me.userId = userId;
        this.#me.name = username ?? userId;
        if (token) {
            this.hub.close();
            this.#open(token);
            for (const [room, { quiet }] of [...this.#rooms])
                this.#rooms.delete(room) && this.#join({ room, quiet });
        }
        return this.hub.connect().then(() => {
            this.#say({ type: 'authenticated', userId: this.hub.user ?? userId, verified: this.hub.user !== null });
        });
    }

    #online({ userId, username }) {
        this.#me.userId ??= userId;
        this.#me.name ??= username ?? userId;
        return this.#join({ room: this.options.lobby ?? 'lobby', lobby: true });
    }

    #join({ room, username, history, quiet, lobby }) {
        if (username)
            this.#me.name = username;
        if (!quiet && !lobby)
            this.#room = room;
        if (this.#rooms.has(room))
            return Promise.resolve();
        const channel = this.hub.channel(this.channelOf(room), { presence: !quiet });
        const here = { channel, quiet, lobby, words: Boolean(username), there: new Map() };
        this.#rooms.set(room, here);
        channel.on('*', (data, event) => this.#take(room, here, event));
        this.#watch(room, here);
        return new Promise((done, fail) => {
            channel.on('error', (error) => {
                if (error.detail?.endsWith(': presence is not allowed'))
                    return;
                this.#rooms.delete(room);
                fail(error);
            });
            const ready = () => this.#joined(room, here, history).then(done, fail);
            if (channel.joined)
                ready();
            else
                channel.on('joined', ready);
        });
    }

    async #joined(room, { channel, quiet }, history) {
        this.#say(quiet ? { type: 'subscribed', topic: room } : { type: 'joined', room, roomId: room });
        if (!quiet)
            await this.#note(room, 'joined');
        if (!history)
            return;
        const events = await channel.history({ limit: history });
        const messages = events.filter(({ data }) => HEARD[data?.type]);
        this.#say({ type: 'room_history', roomId: room,
                    messages: messages.map((event) => HEARD[event.data.type](event, sender(event), room)) });
    }

    async #leave(room) {
        const here = this.#rooms.get(room);
        if (!here)
            return;
        this.#rooms.delete(room);
        if (this.#room === room)
            this.#room = [...this.#rooms.keys()].pop() ?? null;
        here.channel.leave();
        if (!here.quiet)
            await this.hub.send(this.#wrap(room, { type: 'left' }, true));
    }

    #wrap(room, { type, ...data }, ephemeral) {
        const { room: _, roomId, topic, ...fields } = data;
        return { channel: this.channelOf(room), event: 'socket', ephemeral, data: { ...this.#me, type, ...fields } };
    }

    #publish(room, message) {
        if (room === null || room === undefined)
            return Promise.reject(new Error('join a room first'));
        return this.hub.send(this.#wrap(room, message));
    }

    // Who comes, goes, types, is here: told to who is there now, and not logged.
    #note(room, type) {
        return this.hub.send(this.#wrap(room, { type }, true));
    }

    #take(room, here, event) {
        const { data } = event;
        if (event.event !== 'socket') {
            this.#say({ type: event.event, room, topic: room, from: event.user, content: data, data, timestamp: event.time });
        } else if (data.from !== this.#me.from) {
            const who = sender(event);
            if (HEARD[data.type])
                this.#say(HEARD[data.type](event, who, room));
            else
                this.#noted(room, here, data, who);
        }
    }

    // Of users the server itself tells who is there, also when a tab dies without a word.
    #watch(room, here) {
        const { channel, there } = here;
        const others = (member) => member.verified && member.user !== this.hub.user;
        const tell = (type) => (member) => {
            const { user } = member;
            if (others(member) && there.has(user) === (type === 'left'))
                this.#noted(room, here, { type, from: user }, { userId: user, name: user, verified: true });
        };
        channel.on('join', tell('joined'));
        channel.on('leave', tell('left'));
        channel.on('presence', (members) => members.filter(others).forEach(({ user }) => there.set(user, user)));
    }

    #noted(room, here, { type, from }, { userId, name, verified }) {
        const key = verified ? userId : from;
        const known = here.there.has(key);
        const devices = here.channel.members.find((member) => verified && member.user === userId)?.devices;
        if (type === (known ? 'joined' : 'left') || (type === 'left' && devices > 1))
            return;
        if (type === 'left')
            here.there.delete(key);
        else
            here.there.set(key, userId);
        const usersInRoom = here.there.size + 1;
        const said = { userId, userName: name, username: name, room, roomId: room, usersInRoom, verified };
        // In the words of the code that listens: `user-joined` where it joined by name, else `user_joined`.
        const word = (one, other) => this.#say({ type: here.words ? other : one, ...said });
        if (type === 'joined')
            this.#note(room, 'here').catch(() => {});
        if (type === 'joined' || type === 'left' || (type === 'here' && here.lobby && !known)) {
            if (here.lobby)
                this.#say({ type: 'presence-update', userId, status: type === 'left' ? 'offline' : 'online',
                            users: [this.#me.userId, ...here.there.values()] });
            else
                word(type === 'left' ? 'user_left' : 'user_joined', type === 'left' ? 'user-left' : 'user-joined');
        } else if (type === 'typing' || type === 'typing_start') {
            word('user_typing', 'user-typing');
        } else if (type === 'typing_stop') {
            word('user_stopped_typing', 'user-stopped-typing');
        }
    }
}
