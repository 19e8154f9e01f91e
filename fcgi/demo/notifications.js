// Notifications of one user on several devices. Both what is new and what was read are events of the
// user's own channel, so every device comes to the same.

import { Belfry } from '/events/client.js';
import { at, beside, clock, command, make, showState, token } from './page.js';

const device = new URLSearchParams(location.search).get('device') ?? 'Laptop';
const hub = new Belfry('/events', { token: () => token('alice'), share: device });
const own = hub.channel('user:alice', { last: 200 });
const notices = new Map();          // id -> its row
const unread = () => [...notices].filter(([, row]) => row.className === 'unread').map(([id]) => id);

own.on('notice', ({ text }, { id, time }) => {
    const button = make('button', { type: 'button', className: 'plain' }, 'Mark read');
    const row = make('li', { className: 'unread' }, make('p', {}, text), make('small', {}, clock(time)), button);
    button.addEventListener('click', () => markRead([id]));
    notices.set(id, row);
    at('notices').prepend(row);
    count();
});

own.on('read', ({ ids }) => {
    for (const row of ids.map((id) => notices.get(id)).filter(Boolean)) {
        row.className = 'read';
        row.querySelector('button')?.remove();
    }
    count();
});

own.on('gap', () => location.reload());

/** Shown as read when the log has it, here as on every other device. */
const markRead = (ids) => own.send('read', { ids }).catch(fail);

function count() {
    const left = unread().length;
    at('unread').textContent = `${left} unread`;
    at('unread').classList.toggle('some', left > 0);
    at('all').disabled = !left;
    document.title = `${left ? `(${left}) ` : ''}Notifications · Belfry`;
}

function fail(error) {
    at('outcome').textContent = error.message;
    at('outcome').classList.add('bad');
}

at('device').textContent = `Alice’s ${device.toLowerCase()}`;
at('all').addEventListener('click', () => markRead(unread()));
at('form').addEventListener('submit', async (event) => {
    event.preventDefault();
    at('outcome').classList.remove('bad');
    try {
        at('outcome').textContent = `logged as ${await hub.send({ user: 'alice', event: 'notice', data: { text: at('text').value } })}`;
    } catch (error) {
        fail(error);
    }
});
command(at('command'), `{belfry} pub --user alice --event notice --json '{"text":"The kettle boils"}'`);
showState(hub);
beside(at('second'), at('other'), 'notifications.html?device=Phone');
