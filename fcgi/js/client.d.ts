// Types of Belfry's client.

export interface BelfryEvent<T = unknown> {
    /** Where it stands in the log; null for what is not logged. */
    id: string | null;
    channel: string;
    /** Its name; null, or 'message' for listeners to `*`, where it has none. */
    event: string | null;
    data: T;
    user: string | null;
    /** Milliseconds since 1970. */
    time: number;
}

export interface Gap {
    requested: string | null;
    oldest: string | null;
    reason: 'pruned' | 'unknown' | 'reset' | 'limit';
    channels: string[];
}

export interface BelfryError extends Error {
    /** The HTTP status; missing where there was no answer. */
    status?: number;
    code?: string;
    detail?: string;
    /** 'unknown': it may be in the log or not. */
    outcome?: 'unknown';
}

/** A user who is on a channel. */
export interface Member {
    user: string;
    /** false: it is what a client without a user calls itself. */
    verified: boolean;
    devices: number;
    /** Milliseconds since 1970. */
    since: number;
    /** What the token says to be shown. */
    public: any;
}

export interface Typing {
    channel: string;
    user: string | null;
    typing: boolean;
}

export type State = 'connecting' | 'live' | 'waiting' | 'refused' | 'closed';
export type Transport = 'stream' | 'poll';

export interface Options {
    /** A token, or a function that returns a fresh one. */
    token?: string | (() => string | Promise<string>);
    /** Tabs with the same word share a stream; false: none is shared. */
    share?: string | false;
    /** A reload goes on where the page was. */
    resume?: boolean;
    /** How many sends may wait (100). */
    queue?: number;
    /** Milliseconds in which a stream must show a sign of life (5000); other answers have four times that. */
    patience?: number;
    /** Seconds between heartbeats, 5..50 (15). */
    ping?: number;
    /** What a client without a user calls itself. */
    name?: string;
    credentials?: 'omit' | 'same-origin' | 'include';
    fetch?: typeof fetch;
}

export interface SendOptions {
    ephemeral?: boolean;
    /** true: this browser does not hear it itself. */
    exclude?: true | string;
    ttl?: number;
    idempotencyKey?: string;
}

export interface ChannelOptions {
    /** Begins with the newest so many of the log. */
    last?: number;
    /** Tells who is there. */
    presence?: boolean;
}

export interface Where {
    before?: string;
    after?: string;
    limit?: number;
}

export class Channel {
    private constructor();
    readonly name: string;
    readonly joined: boolean;
    /** Who is here; empty where they are too many to be named. */
    readonly members: Member[];
    /** How many are here, with those who are not named. */
    readonly count: number;
    on(name: 'gap', fn: (gap: Gap) => void): () => void;
    on(name: 'joined', fn: () => void): () => void;
    on(name: 'presence', fn: (members: Member[], more: { count: number; anonymous: number }) => void): () => void;
    on(name: 'join' | 'leave', fn: (member: Member) => void): () => void;
    on(name: 'typing', fn: (typing: Typing) => void): () => void;
    on(name: 'error', fn: (error: BelfryError) => void): () => void;
    on<T = any>(name: string, fn: (data: T, event: BelfryEvent<T>) => void): () => void;
    off(name: string, fn: Function): void;
    send(event: string | undefined, data?: unknown, options?: SendOptions): Promise<string>;
    typing(is?: boolean): void;
    history<T = any>(where?: Where): Promise<BelfryEvent<T>[]>;
    leave(): void;
}

export class Belfry {
    constructor(url?: string, options?: Options);
    readonly state: State;
    readonly transport: Transport;
    readonly user: string | null;
    readonly clientId: string | null;
    readonly error: BelfryError | null;
    readonly cursor: string | null;
    on(name: 'state', fn: (state: State, how: { transport: Transport; error: BelfryError | null }) => void): () => void;
    on(name: 'gap', fn: (gap: Gap) => void): () => void;
    on<T = any>(name: '*', fn: (data: T, event: BelfryEvent<T>) => void): () => void;
    off(name: string, fn: Function): void;
    channel(name: string, options?: ChannelOptions): Channel;
    send(send: { channel?: string; channels?: string[]; user?: string; users?: string[]; client?: string;
                 event?: string; data?: unknown } & SendOptions): Promise<string>;
    connect(): Promise<Belfry>;
    close(): void;
}
