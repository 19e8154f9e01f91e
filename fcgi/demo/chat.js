// A chat: rooms, who is here, who is typing, what was said before.

import { Belfry } from '/events/client.js';
import { at, beside, clock, make, showState, token } from './page.js';

const ROOMS = { lobby: 'Lobby', kitchen: 'Kitchen', notices: 'Notices' };   // in the last one belfry.conf lets nobody speak
const PAGE = 30;                    // messages that are fetched at once
const me = new URLSearchParams(location.search).get('user') ?? 'alice';

// Tabs of one user share a stream; another user has another one.
const hub = new Belfry('/events', { token: () => token(me), share: me });
const rooms = new Map();
let current = null;

class Room {
    unread = 0;
    typists = new Set();
    #bubbles = new Map();           // key of a message -> its bubble
    #first = null;                  // id of the oldest message that is shown
    #fetching = false;              // or there is nothing more

    constructor(name, title) {
        this.list = make('ol', { className: 'messages', tabIndex: 0, hidden: true });
        this.list.role = 'log';
        this.list.ariaLabel = title;
        this.list.addEventListener('scroll', () => this.list.scrollTop < 100 && this.older());
        this.badge = make('span', { className: 'badge', hidden: true });
        this.tab = make('button', { type: 'button' }, title, this.badge);
        this.tab.addEventListener('click', () => show(this));
        this.channel = hub.channel(`room:${name}`, { presence: true, last: PAGE });
        this.channel.on('message.new', (data, event) => this.hear(event));
        this.channel.on('presence', showMembers);
        this.channel.on('typing', ({ user, typing }) => {
            this.typists[typing ? 'add' : 'delete'](user);
            showTyping();
        });
        this.channel.on('gap', () => location.reload());
    }

    /** A message from the log. Mine may be here already, as one that is being sent. */
    hear({ id, user, data, time }) {
        const low = this.#isLow();
        this.#first ??= id;
        const known = this.#bubbles.get(data.key);
        const bubble = known ?? this.#bubble(user, data, time);
        bubble.dataset.id = id;
        this.#say(bubble, user === me ? 'sent' : '');
        this.list.append(bubble);   // in the order of the log, which is the same for everybody
        if (low || user === me)
            this.list.scrollTop = this.list.scrollHeight;
        if (this !== current && !known)
            this.badge.textContent = this.unread += 1;
        this.badge.hidden = !this.unread;
        this.typists.delete(user);
        showTyping();
    }

    /** The key makes one message of all tries. */
    async send(text, key = crypto.randomUUID()) {
        const bubble = this.#bubbles.get(key) ?? this.#bubble(me, { text, key }, Date.now());
        this.#say(bubble, 'sending');
        this.list.append(bubble);
        this.list.scrollTop = this.list.scrollHeight;
        try {
            await this.channel.send('message.new', { text, key }, { idempotencyKey: key });
            this.#say(bubble, 'sent');
        } catch (error) {
            const again = make('button', { type: 'button', className: 'link' }, 'Try again');
            again.addEventListener('click', () => this.send(text, key));
            this.#say(bubble, 'failed', `not sent: ${error.message} `, again);
        }
    }

    /** What was said before the first message that is shown. */
    async older() {
        if (this.#fetching || !this.#first)
            return;
        this.#fetching = true;
        this.list.ariaBusy = 'true';          // not read out
        try {
            const events = await this.channel.history({ before: this.#first, limit: PAGE });
            const said = events.filter(({ event }) => event === 'message.new');
            const { scrollHeight, scrollTop } = this.list;
            this.list.prepend(...said.map(({ id, user, data, time }) => {
                const bubble = this.#bubble(user, data, time);
                bubble.dataset.id = id;
                return bubble;
            }));
            this.list.scrollTop = scrollTop + this.list.scrollHeight - scrollHeight;
            this.#fetching = !events.length;
            this.#first = events[0]?.id;
            if (!events.length)
                this.list.prepend(make('li', { className: 'begin' }, 'The room begins here.'));
        } catch {
            this.#fetching = false;           // the next scroll tries again
        }
        this.list.ariaBusy = 'false';
    }

    #isLow() {
        return this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 60;
    }

    #bubble(user, { text, key }, time) {
        const bubble = make('li', { className: user === me ? 'mine' : '' },
                            make('span', { className: 'author' }, user ?? 'somebody'),
                            make('p', {}, text ?? ''),
                            make('small', {}, clock(time), make('span', { className: 'fate' })));
        this.#bubbles.set(key ?? Symbol(), bubble);
        return bubble;
    }

    #say(bubble, state, ...words) {
        bubble.dataset.state = state;
        bubble.querySelector('.fate').replaceChildren(...words.length ? words : [state]);
    }
}

function show(room) {
    current = room;
    room.unread = 0;
    room.badge.hidden = true;
    for (const other of rooms.values()) {
        other.list.hidden = other !== room;
        other.tab.ariaCurrent = other === room ? 'true' : 'false';
    }
    room.list.scrollTop = room.list.scrollHeight;
    at('text').placeholder = `Say something in the ${room.list.ariaLabel.toLowerCase()}`;
    showMembers();
    showTyping();
}

function showMembers() {
    at('members').replaceChildren(...current.channel.members.map(({ user, devices }) =>
        make('li', { title: devices > 1 ? `on ${devices} devices` : '' }, user === me ? `${user} (you)` : user)));
}

function showTyping() {
    const names = [...current.typists].filter((user) => user !== me);
    at('typing').textContent = names.length ? `${names.join(' and ')} ${names.length > 1 ? 'are' : 'is'} typing …` : '';
}

for (const [name, title] of Object.entries(ROOMS)) {
    const room = new Room(name, title);
    rooms.set(name, room);
    at('rooms').append(room.tab);
    at('lists').append(room.list);
}
show(rooms.get('lobby'));
showState(hub);
at('me').textContent = `You are ${me}`;
at('text').addEventListener('input', () => current.channel.typing(at('text').value !== ''));
at('form').addEventListener('submit', (event) => {
    event.preventDefault();
    current.send(at('text').value);
    at('text').value = '';
    current.channel.typing(false);
});
beside(at('second'), at('other'), 'chat.html?user=bob');
