// Types of Belfry's hooks for React.

import type { Belfry, BelfryError, BelfryEvent, Gap, Member, SendOptions, State, Transport, Where } from './client.js';

export interface ChannelOptions {
    /** How many events are kept to be shown (100). */
    limit?: number;
    /** Begins with the newest so many of the log. */
    last?: number;
    /** Who is there is shown, too. */
    presence?: boolean;
}

export interface ShownChannel<T> {
    /** The newest events, the oldest of them first. */
    events: BelfryEvent<T>[];
    /** Who is there, and how many. */
    members: Member[];
    count: number;
    /** Who types. */
    writing: string[];
    joined: boolean;
    /** Events are missing: what is shown should be drawn anew. */
    gap: Gap | null;
    error: BelfryError | null;
    send(event: string | undefined, data?: unknown, options?: SendOptions): Promise<string>;
    /** At every key; false: it is over. */
    typing(is?: boolean): void;
    history(where?: Where): Promise<BelfryEvent<T>[]>;
}

/** Joined as long as a component uses it. `hub` is made once, outside of components. */
export function useChannel<T = any>(hub: Belfry, name: string, options?: ChannelOptions): ShownChannel<T>;

export function useConnection(hub: Belfry): { state: State; transport: Transport; error: BelfryError | null };
