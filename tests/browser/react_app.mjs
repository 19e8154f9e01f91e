// A page in React that uses the hooks of fcgi/js, for test_others.py; bundled with React by esbuild.

import { StrictMode, createElement as h, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { renderToString } from 'react-dom/server';

import { Belfry } from '../../fcgi/js/client.js';
import { useChannel, useConnection } from '../../fcgi/js/react.js';

const hub = new Belfry('/events', { share: false });
globalThis.hub = hub;

function Room({ name }) {
    const { events, members, writing, joined, send, typing } = useChannel(hub, name, { last: 2, limit: 3, presence: true });
    globalThis.room = { send, typing };
    return h('div', { className: 'room', title: `${members.map(({ user }) => user)} ${writing}` },
        `${joined} ${events.map((event) => event.data.n).join()}`);
}

function App() {
    const [rooms, setRooms] = useState(['room:1', 'room:1']);
    const { state } = useConnection(hub);
    globalThis.setRooms = setRooms;
    return h('main', { id: state }, rooms.map((name, at) => h(Room, { name, key: at })));
}

globalThis.onServer = renderToString(h(App));
createRoot(document.body.appendChild(document.createElement('div'))).render(h(StrictMode, null, h(App)));
