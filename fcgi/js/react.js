// react -- a channel, and how the connection is, as state of React's components (18 and newer).

import { useSyncExternalStore } from 'react';

const NOTHING = { events: [], members: [], count: 0, writing: [], joined: false, gap: null, error: null };
const stores = new WeakMap();       // hub -> Map(channel's name -> Store)

// What components show of one channel: joined while at least one of them is there.
class Store {
    #hub;
    #name;
    #options;
    #channel = null;
    #shown = NOTHING;
    #redraws = new Set();

    constructor(hub, name, options) {
        this.#hub = hub;
        this.#name = name;
        this.#options = options;
    }

    get = () => this.#shown;
    send = (event, data, options) => this.#hub.send({ channel: this.#name, event, data, ...options });
    typing = (is) => this.#channel?.typing(is);
    history = (where) => (this.#channel ?? this.#hub.channel(this.#name)).history(where);

    subscribe = (redraw) => {
        this.#redraws.add(redraw);
        if (!this.#channel)
            this.#join();
        return () => {
            this.#redraws.delete(redraw);
            if (!this.#redraws.size)
                this.#leave();
        };
    };

    #join() {
        const channel = this.#hub.channel(this.#name, this.#options);
        const limit = this.#options.limit ?? 100;
        this.#channel = channel;
        this.#show(NOTHING);
        channel.on('*', (data, event) => event.event === 'typing'
            || this.#show({ events: [...this.#shown.events, event].slice(-limit) }));
        channel.on('presence', (members, { count }) => this.#show({ members: [...members], count }));
        channel.on('typing', ({ user, typing }) => this.#show({
            writing: [...this.#shown.writing.filter((other) => other !== user), ...typing ? [user] : []] }));
        channel.on('joined', () => this.#show({ joined: true, error: null }));
        channel.on('gap', (gap) => this.#show({ gap }));
        channel.on('error', (error) => this.#show({ error }));
    }

    #leave() {
        this.#channel.leave();
        this.#channel = null;
        this.#show(NOTHING);
    }

    #show(news) {
        this.#shown = { ...this.#shown, ...news };
        this.#redraws.forEach((redraw) => redraw());
    }
}

function storeOf(hub, name, options) {
    if (!stores.has(hub))
        stores.set(hub, new Map());
    const channels = stores.get(hub);
    if (!channels.has(name))
        channels.set(name, new Store(hub, name, options));
    return channels.get(name);
}

/**
 * The channel's newest events, the oldest of them first; joined as long as a component uses it.
 * Where several do, the options of the first one count. `hub` is made once, outside of components.
 */
export function useChannel(hub, name, options = {}) {
    const store = storeOf(hub, name, options);
    const shown = useSyncExternalStore(store.subscribe, store.get, () => NOTHING);
    return { ...shown, send: store.send, typing: store.typing, history: store.history };
}

/** How the hub is: `{state, transport, error}`. */
export function useConnection(hub) {
    useSyncExternalStore((redraw) => hub.on('state', redraw), () => `${hub.state} ${hub.transport} ${hub.error}`,
        () => 'connecting');
    return { state: hub.state, transport: hub.transport, error: hub.error };
}
